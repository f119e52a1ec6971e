//! Settled heads against L1: did it hold their batches at the header's origin?

use super::{
    court::L1,
    evidence::HeadStatement,
    judges::{SettlementJudge, settled_statement},
};
use hum_chain::{At, ReadError};
use hum_ledger::State;
use hum_types::{Address, Bytes, Confidence, Header, TimeMs};
use std::collections::VecDeque;

/// Heads that wait to be looked at; the oldest are dropped first.
const WAITING_MAX: usize = 4_096;
/// Pause before a head is looked at again.
const AGAIN_MS: u64 = 1_000;

/// A settled head to hold against L1.
#[derive(Debug, Clone)]
pub(crate) struct PostedCheck {
    pub(crate) header: Header,
    pub(crate) head: HeadStatement,
    pub(crate) confidence: Confidence,
}

impl PostedCheck {
    /// The heads that the header of this state settled.
    pub(crate) fn all(state: &State) -> Vec<Self> {
        let header = *state.header();
        let settled = [Confidence::Safe, Confidence::Finalized].into_iter().flat_map(|confidence| {
            let due = state.rollups().filter(move |rollup| {
                rollup.settled(confidence).is_some_and(|settled| settled.advanced_at == header.height)
            });
            due.filter_map(move |rollup| {
                let head = HeadStatement::of(state, rollup.params().chain_id, confidence)?;
                Some(Self { header, head, confidence })
            })
        });
        settled.collect()
    }
}

/// Which heads wait.
#[derive(Debug, Default)]
pub(crate) struct PostedBook {
    waiting: VecDeque<(PostedCheck, TimeMs)>,
    out: bool,
}

impl PostedBook {
    /// Heads were attested, or soon will be.
    pub(crate) fn add(&mut self, checks: Vec<PostedCheck>) {
        self.waiting.extend(checks.into_iter().map(|check| (check, TimeMs(0))));
        while self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
        }
    }

    /// The next one to look at; one at a time.
    pub(crate) fn next(&mut self, now: TimeMs) -> Option<PostedCheck> {
        if self.out {
            return None;
        }
        let place = self.waiting.iter().position(|(_, due)| *due <= now)?;
        self.out = true;
        self.waiting.remove(place).map(|(check, _)| check)
    }

    /// It could not be told.
    pub(crate) fn again(&mut self, check: PostedCheck, now: TimeMs) {
        self.out = false;
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_front((check, TimeMs(now.0.saturating_add(AGAIN_MS))));
        }
    }

    /// It was told.
    pub(crate) const fn done(&mut self) {
        self.out = false;
    }
}

impl L1 {
    /// Whether our own node's final state contradicts a settled head, by the adapter that would tell the judge. Nothing
    /// while the node is behind the header's origin.
    pub(crate) async fn contradicted(
        &self,
        adapter: Address,
        check: &PostedCheck,
    ) -> Result<Option<bool>, ReadError> {
        if self.chain.head(Confidence::Finalized).await?.number < check.header.l1_origin.number {
            return Ok(None);
        }
        let statement = settled_statement(&check.header, &check.head, check.confidence);
        let call = SettlementJudge::contradictsCall { statement, proof: Bytes::new() };
        self.view(adapter, call, At::Tag(Confidence::Finalized)).await.map(Some)
    }
}
