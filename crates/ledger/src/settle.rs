//! The heads that L1 holds: `Safe` and `Finalized`.

use crate::{BlockRecord, Refusal, Rollup};
use hum_types::{BlockRef, Confidence, Generation, HeadPart, Height, L1Origin};
use std::sync::Arc;

/// A head that was settled, as of the checkpoint that moved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The block, with the lanes as it left them.
    pub block: Arc<BlockRecord>,
    /// The height that moved the head: whoever attested that height answers for it.
    pub advanced_at: Height,
    /// The generation in its lanes' leaves: the rollup's at that height.
    pub generation: Generation,
}

impl Rollup {
    /// The head that L1 holds; `None` while there is none.
    #[must_use]
    pub const fn safe(&self) -> Option<&Settled> {
        self.safe.as_ref()
    }

    /// The head that L1 holds for good; `None` while there is none. Never above [`Self::safe`].
    #[must_use]
    pub const fn finalized(&self) -> Option<&Settled> {
        self.finalized.as_ref()
    }

    /// The settled head of a confidence; `None` for `Latest`, which advances and never settles.
    #[must_use]
    pub const fn settled(&self, confidence: Confidence) -> Option<&Settled> {
        match confidence {
            Confidence::Latest => None,
            Confidence::Safe => self.safe(),
            Confidence::Finalized => self.finalized(),
        }
    }

    /// The head part of a settled confidence; zero while there is no such head.
    pub(crate) fn settled_part(&self, confidence: Confidence) -> HeadPart {
        let Some(settled) = self.settled(confidence) else { return HeadPart::default() };
        HeadPart {
            block: settled.block.block,
            state_root: settled.block.state_root,
            advanced_at: settled.advanced_at,
            lanes_root: settled.block.lanes.root(self.params.facade(confidence), settled.generation),
        }
    }

    /// Move a settled head. `origin` is the L1 origin of the header at `height`.
    pub(crate) fn settle(
        &mut self,
        height: Height,
        origin: L1Origin,
        confidence: Confidence,
        head: BlockRef,
        l1: L1Origin,
    ) -> Result<(), Refusal> {
        let chain_id = self.present()?;
        let fits = match confidence {
            Confidence::Latest => return Err(Refusal::SettleLatest { chain_id, head }),
            Confidence::Safe => l1.number > origin.number || l1 == origin,
            Confidence::Finalized => l1 == origin,
        };
        if !fits {
            return Err(Refusal::SettleOrigin { chain_id, confidence, declared: l1, header: origin });
        }
        let present = self.settled(confidence).map_or(self.params.anchor, |settled| settled.block.block);
        if head.number <= present.number {
            return Err(Refusal::SettleBack { chain_id, confidence, declared: head, present });
        }
        let held = self.history.get(head.number);
        let Some(block) = held.filter(|record| record.block == head).cloned() else {
            let held = held.map(|record| record.block.hash);
            return Err(Refusal::SettleUnknown { chain_id, declared: head, held });
        };
        let settled = Settled { block, advanced_at: height, generation: self.generation };
        if confidence == Confidence::Finalized {
            self.finalized = Some(settled.clone());
        }
        let lifts = self.safe.as_ref().is_none_or(|safe| safe.block.block.number < head.number);
        if lifts {
            self.history.keep(settled.block.clone());
            self.safe = Some(settled);
            self.keep_from(head.number);
        }
        if confidence == Confidence::Finalized {
            self.history.forget_below(head.number);
            self.resume(head.number);
        }
        Ok(())
    }
}
