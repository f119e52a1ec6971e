//! The publisher's side of the wire: asking, hearing, sending again.

use super::{Actor, older};
use crate::{
    lookout::Lookout,
    publisher::Stage,
    wire::{PublisherMessage, PublisherReply, RefusalKind},
};
use commonware_runtime::Storage;
use hum_consensus::{PublicKey, Recipients};
use hum_types::{BlockRef, Decode, Encode};

/// What a journal lacks.
#[derive(Debug)]
pub(super) struct Lost {
    /// Blocks that operators report above it; each may be a lie.
    pub(super) reported: Vec<BlockRef>,
    /// The highest number that surely was claimed.
    pub(super) needed: u64,
}

impl<E: Storage> Actor<E> {
    /// Take over who the operators are now.
    pub(super) fn look_out(&mut self) {
        let Some(lookout) = &self.lookout else { return };
        if let Some(trouble) = lookout.take_trouble() {
            self.shared.alarm(&trouble);
        }
        let version = lookout.version();
        if self.looked.replace(version) != Some(version) {
            self.operators.set(lookout.everyone(), &lookout.seats());
            let (operators, keys) = (&self.operators, self.operators.keys());
            self.rebuild.values_mut().for_each(|who| who.retain(|key| keys.contains(key)));
            self.shared.did(format!(
                "sends to {} operators, {} of them with seats",
                keys.len(),
                operators.seats()
            ));
        }
    }

    /// Whether enough of the right operators have said how far they are.
    fn heard_enough(&self) -> bool {
        self.lookout.as_ref().is_none_or(Lookout::is_ready) && self.operators.heard_enough()
    }

    /// What is done by the clock.
    pub(super) fn chores(&mut self) {
        let mark = self.journal.mark().number;
        let since =
            |at: Option<u64>, interval: u64, now: u64| at.is_none_or(|at| now.saturating_sub(at) >= interval);
        let joining = self.stage == Stage::Joining;
        if since(self.asked_ms, self.settings.ask_interval_ms, self.now_ms)
            && (joining || self.operators.behind(self.journal.generation(), mark))
        {
            self.asked_ms = Some(self.now_ms);
            let ask = PublisherMessage::Ask { chain_id: self.settings.identity.chain_id };
            let to = Recipients::Some(self.operators.keys());
            self.wire.sender.send(to, ask.encode().into(), true);
        }
        if joining {
            return;
        }
        if since(self.retraction_sent_ms, self.settings.resend_after_ms, self.now_ms) {
            self.send_retraction();
        }
        let due = self.operators.due(self.settled(), mark, self.now_ms, self.settings.resend_after_ms);
        for (number, operators) in due {
            if self.cache.contains_key(&number) {
                self.shared.resent();
                self.send_to(number, Recipients::Some(operators), false);
            } else {
                self.rebuild.entry(number).or_default().extend(operators);
            }
        }
    }

    pub(super) fn send_to(&self, number: u64, to: Recipients, priority: bool) {
        if let Some(message) = self.cache.get(&number) {
            self.wire.sender.send(to, message.clone().into(), priority);
        }
    }

    /// Send the retraction that opened our generation, while operators are in an older one.
    pub(super) fn send_retraction(&mut self) {
        let Some(signed) = self.journal.retraction().copied() else { return };
        let agreed = self.operators.agreed();
        if agreed.is_some_and(|agreed| !older(agreed.generation, signed.retraction.generation)) {
            return;
        }
        self.retraction_sent_ms = Some(self.now_ms);
        let to = Recipients::Some(self.operators.keys());
        self.wire.sender.send(to, PublisherMessage::Retract(signed).encode().into(), true);
    }

    /// A message from a peer.
    pub(super) fn hear(&mut self, from: &PublicKey, bytes: &[u8]) {
        let reply = match PublisherReply::decode(bytes) {
            Ok(reply) => reply,
            Err(error) => {
                tracing::debug!(%from, %error, "unreadable reply");
                return;
            }
        };
        if !self.operators.note(from, &reply, self.journal.generation()) {
            return;
        }
        match reply {
            PublisherReply::Accepted { block, .. } => {
                if self.journal.block_at(block.number) == Some(block) {
                    self.shared.time(block.number, self.now(), |times| &mut times.accepted_ms);
                }
            }
            PublisherReply::Status(_) => self.advance(),
            PublisherReply::Wanted { block, .. } => self.wanted(from, block),
            PublisherReply::Refused { kind, block, .. } => self.refused(from, kind, block),
            PublisherReply::Retracting { generation, .. } => {
                self.shared.waits(format!("operators to finalise generation {generation}"));
            }
        }
    }

    /// Operators have moved: drop what is settled, and join when enough of them have spoken.
    fn advance(&mut self) {
        let Some(agreed) = self.operators.agreed() else { return };
        let settled = self.settled();
        self.journal.settle(settled);
        self.shared.settled(settled, agreed.quarantined && agreed.generation == self.journal.generation());
        if self.stage == Stage::Joining && self.heard_enough() && self.lost().is_none() {
            self.enter(Stage::Publishing);
            self.shared.did("joined: enough operators said how far they are");
            tracing::info!(generation = %self.journal.generation(), claimed = self.journal.mark().number, "joined the operators");
        }
    }

    /// What the network has of ours and the journal does not know of; `None` when there is nothing.
    ///
    /// A signer that does not remember what it signed makes one operator's word enough while joining: that operator
    /// may be the only one that a claim reached before the journal was lost. Otherwise it takes more operators than
    /// can be faulty.
    pub(super) fn lost(&self) -> Option<Lost> {
        let agreed = self.operators.agreed()?;
        let (mark, generation) = (self.journal.mark().number, self.journal.generation());
        let ahead =
            older(generation, agreed.generation) || agreed.generation == generation && agreed.head > mark;
        let one_is_enough =
            self.stage == Stage::Joining && self.heard_enough() && !self.tools.signer.vouches();
        if !ahead && !one_is_enough {
            return None;
        }
        let newest = agreed.generation.max(generation);
        let mut reported = self.operators.reported(newest);
        if newest == generation {
            reported.retain(|block| block.number > mark);
        }
        let needed = if ahead { agreed.head } else { 0 };
        (ahead || !reported.is_empty()).then_some(Lost { reported, needed })
    }

    /// An operator could not use what it got: fetch the block again, from another node where there is one.
    fn wanted(&mut self, from: &PublicKey, block: BlockRef) {
        let ours = self.journal.block_at(block.number) == Some(block);
        if !ours || !self.operators.wants(from, block.number, self.now_ms, self.settings.resend_after_ms) {
            return;
        }
        self.rebuild_turn = self.rebuild_turn.wrapping_add(1);
        self.rebuild.entry(block.number).or_default().insert(from.clone());
    }

    fn refused(&mut self, from: &PublicKey, kind: RefusalKind, block: BlockRef) {
        let number = block.number;
        match kind {
            // It knows better, or will once it has caught up; its status says which.
            RefusalKind::Settled
            | RefusalKind::TooFarAhead
            | RefusalKind::Kept
            | RefusalKind::Generation
            | RefusalKind::Busy => {
                tracing::debug!(%from, ?kind, number, "operator does not take a block yet");
            }
            RefusalKind::TooLarge => {
                self.shared
                    .waits(format!("block {number} is above the rollup's budget: operators refuse it"));
            }
            RefusalKind::Quarantined => {
                self.shared.waits("the sequencer to rebuild its chain: operators have set the rollup aside");
            }
            RefusalKind::Equivocation
            | RefusalKind::Malformed
            | RefusalKind::UnknownRollup
            | RefusalKind::Registration
            | RefusalKind::Signature
            | RefusalKind::Stranger => {
                self.shared.alarm(&format!("operator {from} refuses block {number}: {kind:?}"));
            }
        }
    }
}
