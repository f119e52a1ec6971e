//! One rollup that is settled by what it posts: what is final on L1, and what is safe above that.

use super::track::{Head, Track};
use crate::{
    config::{Member, SettlementEntry},
    settlement::Place,
};
use hum_ledger::Rollup;
use hum_types::{BlockRef, ChainId};

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) settled: Track,
    pub(super) recent: Track,
    /// The first L1 block that may hold something of it that we have not read.
    pub(super) from: u64,
    /// How often in a row the node left something of it out.
    pub(super) lost: u32,
    /// Whether it is known where the line begins.
    pub(super) placed: bool,
    /// The end of what contradicts the certified chain, once people were told.
    pub(super) told: Option<BlockRef>,
}

impl Line {
    /// The line of a member that posts to L1, from its anchor on.
    pub(super) fn of(member: &Member) -> Option<(ChainId, Self)> {
        let SettlementEntry::Batches { from_block: from, .. } = member.entry.settlement? else { return None };
        let settled = Track::new(member.anchor.block());
        let recent = settled.onward();
        let line = Self { settled, recent, from, lost: 0, placed: false, told: None };
        Some((member.entry.chain_id, line))
    }

    /// Begin above a head that is `Finalized`: nobody asks for what is below.
    pub(super) fn begin_at(&mut self, head: BlockRef, place: Place) {
        self.settled = Track::above(head, place.next);
        self.recent = self.settled.onward();
        self.from = place.l1_block;
    }

    pub(super) fn newest(&self, l1_number: u64, accepts: impl Fn(&Head) -> bool) -> Option<Head> {
        self.recent.newest(l1_number, &accepts).or_else(|| self.settled.newest(l1_number, &accepts))
    }

    pub(super) fn at(&self, number: u64) -> Option<&Head> {
        self.recent.at(number).or_else(|| self.settled.at(number))
    }

    /// Whether what stands above may be data that our node has not shown yet.
    pub(super) fn may_go_on(&self, number: u64) -> bool {
        self.recent.broken().is_none() && number > self.recent.tail().number
    }

    /// The first final data, in L1 blocks up to that one, which the certified chain contradicts.
    pub(super) fn parting(&self, rollup: &Rollup, l1_number: u64) -> Option<Head> {
        let certified = rollup.head().block.number;
        // A block's hash commits to all below it: what agrees is the front.
        let agrees = |head: &Head| head.block.number <= certified && stands_or_passed(rollup, head.block);
        let head = self.settled.first_that(|head| !agrees(head))?;
        (head.l1.number <= l1_number && self.contradicts(head, rollup) == Some(true)).then_some(*head)
    }

    /// Whether the certified chain has another block where these data have theirs; `None` when they are not known well
    /// enough.
    pub(super) fn contradicts(&self, head: &Head, rollup: &Rollup) -> Option<bool> {
        let certified = rollup.head().block;
        if certified.number >= head.block.number {
            return Some(!stands_or_passed(rollup, head.block));
        }
        if certified.number <= head.below.number {
            return Some(false);
        }
        Some(self.settled.hash_at(head, certified.number)? != certified.hash)
    }
}

/// Whether the rollup's certified chain holds this block.
pub(super) fn stands(rollup: &Rollup, block: BlockRef) -> bool {
    rollup.block_at(block.number).is_some_and(|record| record.block == block)
}

/// The same, where what is not known any more is no contradiction.
fn stands_or_passed(rollup: &Rollup, block: BlockRef) -> bool {
    rollup.block_at(block.number).is_none_or(|record| record.block == block)
}

#[cfg(test)]
mod tests;
