//! What the records of a journal amount to.

use hum_types::{BlockRef, Generation, SignedClaim, SignedRetraction};
use std::collections::BTreeMap;

/// Blocks below the floor that are remembered, to find where a rebuilt chain leaves the old one.
const HISTORY_MAX: usize = 256;

/// The claims and the retraction that count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) generation: Generation,
    /// Everything up to here is settled or kept; claims start above.
    pub(super) floor: BlockRef,
    /// What stands below the floor, in whichever generation it was claimed.
    pub(super) history: BTreeMap<u64, BlockRef>,
    pub(super) claims: BTreeMap<u64, SignedClaim>,
    /// The one that opened the generation.
    pub(super) retraction: Option<SignedRetraction>,
}

impl Signed {
    pub(super) const fn new(generation: Generation, floor: BlockRef) -> Self {
        Self { generation, floor, history: BTreeMap::new(), claims: BTreeMap::new(), retraction: None }
    }

    pub(super) fn mark(&self) -> BlockRef {
        self.claims.last_key_value().map_or(self.floor, |(_, signed)| signed.claim.block)
    }

    pub(super) fn apply_claim(&mut self, signed: SignedClaim) {
        self.claims.insert(signed.claim.block.number, signed);
    }

    /// Move the floor up to `block`, which a claim stands for.
    pub(super) fn raise(&mut self, block: BlockRef) {
        let above = self.claims.split_off(&block.number.saturating_add(1));
        let below = std::mem::replace(&mut self.claims, above);
        let floor = std::mem::replace(&mut self.floor, block);
        let passed = below.values().map(|signed| signed.claim.block).filter(|passed| *passed != block);
        for passed in std::iter::once(floor).chain(passed) {
            self.history.insert(passed.number, passed);
        }
        while self.history.len() > HISTORY_MAX {
            self.history.pop_first();
        }
    }

    pub(super) fn apply_retraction(&mut self, signed: SignedRetraction) {
        let kept = signed.retraction.kept;
        if self.claims.get(&kept.number).is_some_and(|claimed| claimed.claim.block == kept) {
            self.raise(kept);
        }
        self.history.split_off(&kept.number);
        self.claims.clear();
        self.floor = kept;
        self.generation = signed.retraction.generation;
        self.retraction = Some(signed);
    }
}
