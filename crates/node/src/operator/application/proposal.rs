//! Making a checkpoint when this operator leads.

use super::Inner;
use crate::runtime::{Runtime, moment};
use commonware_macros::select;
use hum_consensus::{Ordered, Slot};
use hum_ledger::State;
use hum_types::{
    BODY_BYTES_MAX, Body, ChainId, Change, Checkpoint, Encode as _, HEADER_BYTES, L1Origin, ROLLUPS_MAX,
    TimeMs,
};
use std::collections::BTreeSet;
use tracing::{debug, error};

/// What we proposed last, until we know what became of it.
#[derive(Debug, Clone)]
pub(crate) struct LastProposal {
    view: u64,
    height: u64,
    chains: BTreeSet<ChainId>,
}

impl<E: Runtime> Inner<E> {
    pub(super) async fn propose(&self, slot: Slot, ancestors: &[Ordered]) -> Option<bytes::Bytes> {
        let state = match self.states.after(&slot.parent, ancestors) {
            Ok(state) => state,
            Err(error) => {
                debug!(view = slot.view, %error, "cannot propose");
                return None;
            }
        };
        self.blame(&slot).await;
        let started = self.now();
        let parent_ms = state.header().time_ms;
        // A parent whose clock runs ahead must not make us late.
        let earliest =
            TimeMs(parent_ms.0 + self.pace.interval_ms).min(TimeMs(started.0 + self.pace.interval_ms));
        self.sleep_until(earliest).await;
        let (origin, roster) = self.restaking.proposal(&state);
        if origin != state.header().l1_origin {
            self.restaking.tried(slot.height, slot.view);
        }
        if let Some(roster) = roster {
            let body = Body { changes: vec![Change::NextCommittee { roster }], advances: Vec::new() };
            let time_ms = self.now().max(TimeMs(parent_ms.0 + 1));
            return Some(self.seal(&slot, &state, body, time_ms, origin).into());
        }
        let heartbeat = TimeMs(started.0 + self.pace.heartbeat_ms);
        let board = self.reporter.handle().board();
        let (body, time_ms) = loop {
            // Subscribed before it is looked, so that nothing falls between.
            let news = self.blocks.subscribe().await?;
            let time_ms = self.now().max(TimeMs(parent_ms.0 + 1));
            let body = self.blocks.collect(state.clone(), slot.view, time_ms).await?;
            if !body.is_empty() || self.now() >= heartbeat {
                break (body, time_ms);
            }
            board.waits_for("blocks to propose", self.now());
            let sleep = self.clock.sleep_until(moment(heartbeat));
            select! {
                _ = news => {},
                _ = sleep => {},
            }
        };
        board.waits_for("the operators to finalise our proposal", self.now());
        let body = self.settled(&state, body, time_ms, origin);
        self.settling.tried(slot.height, slot.view, &body);
        let body = self.moved(&state, body, time_ms, origin);
        self.membership.tried(slot.height, slot.view, &state, &body);
        Some(self.seal(&slot, &state, body, time_ms, origin).into())
    }

    /// The body with what L1 has settled since, if there is room. A rollup that is cut back in the same body waits: its
    /// blocks may go.
    fn settled(&self, state: &State, body: Body, time_ms: TimeMs, origin: L1Origin) -> Body {
        let retracted: BTreeSet<ChainId> = body.changes.iter().filter_map(retracted).collect();
        let mut room = (BODY_BYTES_MAX - HEADER_BYTES - 64).saturating_sub(body.encode().len());
        let mut with = body.clone();
        for change in self.settling.proposal(state, origin) {
            let waits = match &change {
                Change::Settle { chain_id, .. } | Change::Reorg { chain_id, .. } => {
                    retracted.contains(chain_id)
                }
                _ => false,
            };
            let bytes = change.encode().len();
            if !waits && bytes <= room && with.changes.len() < ROLLUPS_MAX {
                room -= bytes;
                with.changes.push(change);
            }
        }
        if with.changes.len() == body.changes.len() {
            return body;
        }
        // Our own mistake must not cost the blocks that are ready.
        match state.seal(&with, time_ms, origin) {
            Ok(_) => with,
            Err(refusal) => {
                error!(%refusal, "own settles are refused by the ledger");
                self.reporter.alarm(format!("own settles are refused: {refusal}"), self.now());
                body
            }
        }
    }

    /// The body with who joins and leaves on L1, if there is room. Who leaves advances no more.
    fn moved(&self, state: &State, body: Body, time_ms: TimeMs, origin: L1Origin) -> Body {
        let changes = self.membership.proposal(state, origin);
        if changes.is_empty() {
            return body;
        }
        let mut room = (BODY_BYTES_MAX - HEADER_BYTES - 64).saturating_sub(body.encode().len());
        let mut with = body.clone();
        for change in changes {
            let bytes = change.encode().len();
            if bytes > room || with.changes.len() >= ROLLUPS_MAX {
                continue;
            }
            room -= bytes;
            if let Change::Leave { chain_id, .. } = &change {
                with.advances.retain(|advance| advance.chain_id != *chain_id);
            }
            with.changes.push(change);
        }
        match state.seal(&with, time_ms, origin) {
            Ok(_) => with,
            Err(refusal) => {
                error!(%refusal, "own joins and leaves are refused by the ledger");
                self.reporter.alarm(format!("own joins and leaves are refused: {refusal}"), self.now());
                body
            }
        }
    }

    fn seal(&self, slot: &Slot, state: &State, body: Body, time_ms: TimeMs, origin: L1Origin) -> Vec<u8> {
        let chains: BTreeSet<ChainId> = body.advances.iter().map(|advance| advance.chain_id).collect();
        let checkpoint = match state.seal(&body, time_ms, origin) {
            Ok((header, _)) => Checkpoint { header, body },
            Err(refusal) => {
                // Our own mistake. An empty checkpoint keeps the chain going while someone looks.
                error!(%refusal, "own proposal is refused by the ledger");
                self.reporter.alarm(format!("own proposal is refused: {refusal}"), self.now());
                let body = Body::default();
                match state.seal(&body, time_ms, state.header().l1_origin) {
                    Ok((header, _)) => Checkpoint { header, body },
                    Err(_) => return Vec::new(),
                }
            }
        };
        let metrics = self.reporter.metrics();
        if checkpoint.body.is_empty() {
            metrics.heartbeats.inc()
        } else {
            metrics.proposals.inc()
        };
        *self.last.lock() = Some(LastProposal { view: slot.view, height: slot.height, chains });
        checkpoint.encode()
    }

    /// When our last proposal died, the rollups that others waited for in it are left out for a while.
    async fn blame(&self, slot: &Slot) {
        let Some(last) = self.last.lock().take() else { return };
        let reported = self.stalls.take(last.view);
        // We are asked for that height again: what stood there before is not on the chain.
        if slot.height <= last.height {
            let chains: BTreeSet<ChainId> = reported.intersection(&last.chains).copied().collect();
            if !chains.is_empty() {
                debug!(view = last.view, ?chains, "left out for stalling a view");
                self.blocks.penalise(slot.view, chains).await;
            }
        }
    }
}

fn retracted(change: &Change) -> Option<ChainId> {
    match change {
        Change::Retract { retraction } => Some(retraction.retraction.chain_id),
        Change::Quarantine { .. }
        | Change::NextCommittee { .. }
        | Change::Settle { .. }
        | Change::Join { .. }
        | Change::Leave { .. }
        | Change::Reorg { .. } => None,
    }
}
