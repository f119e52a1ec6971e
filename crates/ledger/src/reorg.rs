//! Chains that final L1 data contradict.

use crate::{Refusal, Rollup};
use hum_types::{BlockRef, Generation, Height, L1Origin, RollupStatus};

impl Rollup {
    /// The block that L1 holds and that its `Latest` chain has to come to, while L1 contradicts it: the rollup is active
    /// again once that block is `Finalized`.
    #[must_use]
    pub const fn reorged(&self) -> Option<BlockRef> {
        self.reorged
    }

    /// Whether blocks can be put on its head.
    #[must_use]
    pub const fn advances(&self) -> bool {
        matches!(self.status, RollupStatus::Active | RollupStatus::Reorged)
    }

    /// Whether L1 can cut the chain back to this block: it stands on the certified chain, no lower than `Safe`, among the
    /// newest [`crate::HISTORY_BLOCKS_MAX`].
    #[must_use]
    pub fn is_cut_to(&self, kept: BlockRef) -> bool {
        self.safe.as_ref().is_none_or(|safe| safe.block.block.number <= kept.number)
            && self.history.recent(kept.number).is_some_and(|record| record.block == kept)
    }

    /// Its status when nothing is held against its sequencer.
    pub(crate) const fn standing(&self) -> RollupStatus {
        if self.reorged.is_some() { RollupStatus::Reorged } else { RollupStatus::Active }
    }

    /// Cut the chain back to the newest block that L1 holds too, and open the next generation. `origin` is the L1 origin
    /// of the header at `height`.
    pub(crate) fn reorg(
        &mut self,
        height: Height,
        origin: L1Origin,
        kept: BlockRef,
        head: BlockRef,
        l1: L1Origin,
    ) -> Result<(), Refusal> {
        let chain_id = self.present()?;
        if let Some(present) = self.reorged {
            return Err(Refusal::ReorgedAlready { chain_id, declared: head, present });
        }
        if l1 != origin {
            return Err(Refusal::ReorgOrigin { chain_id, declared: l1, header: origin });
        }
        if let Some(safe) = self.safe.as_ref().map(|safe| safe.block.block)
            && kept.number < safe.number
        {
            return Err(Refusal::KeptBelowSafe { chain_id, kept, safe });
        }
        if self.history.recent(kept.number).is_none_or(|record| record.block != kept) {
            return Err(Refusal::Kept { chain_id, number: kept.number, hash: kept.hash });
        }
        let held = self.history.get(head.number).map(|record| record.block);
        if head.number <= kept.number || self.head().block == kept || held == Some(head) {
            let certified = held.unwrap_or(self.head().block);
            let kept = kept.number;
            return Err(Refusal::NoContradiction { chain_id, kept, declared: head, certified });
        }
        let Some(generation) = self.generation.next() else {
            let expected = self.generation;
            return Err(Refusal::Generation { chain_id, declared: expected, expected });
        };
        self.cut_back(height, kept.number, generation);
        // Nothing that stands above was ever out of reach of the sequencer's own retractions.
        self.floor = kept.number;
        self.reorged = Some(head);
        self.status = RollupStatus::Reorged;
        Ok(())
    }

    /// Whether nothing that L1 is known to hold is against this block.
    #[must_use]
    pub fn may_hold(&self, block: BlockRef) -> bool {
        self.reorged.is_none_or(|held| held.number != block.number || held == block)
    }

    /// `Err` with what L1 holds in the place of this block.
    pub(crate) fn allows(&self, block: BlockRef) -> Result<(), Refusal> {
        match self.reorged {
            Some(held) if !self.may_hold(block) => {
                Err(Refusal::AgainstL1 { chain_id: self.params.chain_id, declared: block, held })
            }
            _ => Ok(()),
        }
    }

    /// `number` is `Finalized`: what L1 holds is the chain again once that is reached.
    pub(crate) fn resume(&mut self, number: u64) {
        if self.reorged.is_some_and(|held| held.number <= number) {
            self.reorged = None;
            if self.status == RollupStatus::Reorged {
                self.status = RollupStatus::Active;
            }
        }
    }

    /// Take away all above `kept` and open `generation`. What is dropped keeps its generation if it comes back unchanged.
    pub(crate) fn cut_back(&mut self, height: Height, kept: u64, generation: Generation) {
        while self.head().block.number > kept {
            let Some(record) = self.history.pop() else { break };
            self.note_dropped(&record);
        }
        self.generation = generation;
        self.advanced_at = height;
    }
}
