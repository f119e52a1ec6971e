//! What one rollup has settled, as far as it holds together.

use crate::settlement::{Posted, Unread};
use hum_types::{B256, BlockRef, L1Origin, TimeMs};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Settled heads that are remembered; a proposal never needs an older one.
const HEADS_MAX: usize = 4_096;
/// Hashes of blocks that are remembered, to see where data part from the certified chain. What has more says it at its end.
const HASHES_MAX: usize = 16_384;

/// A head that the data on L1 lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The rollup's block.
    pub(super) block: BlockRef,
    /// The head below: what the data stand on.
    pub(super) below: BlockRef,
    /// The L1 block that made it so.
    pub(super) l1: L1Origin,
    /// When we first knew.
    pub(super) seen: TimeMs,
}

/// Why a line of postings ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// Nobody can rebuild blocks from it.
    #[error("posting {index} in L1 block {l1} cannot be read: {why}")]
    Unreadable {
        /// Its place.
        index: u64,
        /// Where it stands.
        l1: L1Origin,
        /// What is wrong.
        why: String,
    },
    /// It does not stand on the one before.
    #[error(
        "posting {index} in L1 block {l1} begins at block {first} on {parent}, the one before ended at {tail}"
    )]
    Gap {
        /// Its place.
        index: u64,
        /// Where it stands.
        l1: L1Origin,
        /// Its first block.
        first: u64,
        /// What that stands on.
        parent: hum_types::B256,
        /// Where the line had got to.
        tail: BlockRef,
    },
    /// It ends below its own beginning.
    #[error("posting {index} in L1 block {l1} ends at block {last}, below its first, {first}")]
    Backwards {
        /// Its place.
        index: u64,
        /// Where it stands.
        l1: L1Origin,
        /// Its first block.
        first: u64,
        /// Its last.
        last: u64,
    },
}

/// Something is not there now: it is asked for again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Skipped {
    /// The node left something out.
    #[error("own L1 node shows posting {found}, {expected} comes first")]
    LeftOut {
        /// What it shows.
        found: u64,
        /// What comes first.
        expected: u64,
    },
    /// The posting's data are not to be had.
    #[error("posting {index} in L1 block {l1}: {why}")]
    Away {
        /// Its place.
        index: u64,
        /// Where it stands.
        l1: L1Origin,
        /// What is missing.
        why: String,
    },
}

/// One rollup's line of postings, from its anchor on.
#[derive(Debug, Clone)]
pub(super) struct Track {
    tail: BlockRef,
    next: u64,
    heads: VecDeque<Head>,
    /// The blocks' hashes, by the number of the last one.
    hashes: BTreeMap<u64, Arc<[B256]>>,
    hashes_count: usize,
    broken: Option<Broken>,
}

impl Track {
    pub(super) fn new(anchor: BlockRef) -> Self {
        Self::above(anchor, 0)
    }

    /// A line that goes on above this block with the posting of that place.
    pub(super) fn above(tail: BlockRef, next: u64) -> Self {
        let (heads, hashes) = (VecDeque::new(), BTreeMap::new());
        Self { tail, next, heads, hashes, hashes_count: 0, broken: None }
    }

    /// An empty stretch that goes on where this one ends.
    pub(super) fn onward(&self) -> Self {
        Self { broken: self.broken.clone(), ..Self::above(self.tail, self.next) }
    }

    /// The next posting; when it was in `earlier` already, it was seen then. What follows a broken one is not looked at:
    /// nothing may be settled over a hole. Whether it was news.
    pub(super) fn push(
        &mut self,
        posted: &Posted,
        earlier: Option<&Self>,
        now: TimeMs,
    ) -> Result<bool, Skipped> {
        if posted.index < self.next {
            return Ok(false);
        }
        if posted.index > self.next {
            return Err(Skipped::LeftOut { found: posted.index, expected: self.next });
        }
        let (index, l1) = (posted.index, posted.l1);
        if self.broken.is_some() {
            self.next += 1;
            return Ok(true);
        }
        if let Err(Unread::Away(why)) = &posted.span {
            return Err(Skipped::Away { index, l1, why: why.clone() });
        }
        self.next += 1;
        match &posted.span {
            Err(why) => self.broken = Some(Broken::Unreadable { index, l1, why: why.to_string() }),
            Ok(span)
                if span.parent != self.tail.hash || Some(span.first) != self.tail.number.checked_add(1) =>
            {
                let (first, parent, tail) = (span.first, span.parent, self.tail);
                self.broken = Some(Broken::Gap { index, l1, first, parent, tail });
            }
            Ok(span) if span.last.number < span.first => {
                let (first, last) = (span.first, span.last.number);
                self.broken = Some(Broken::Backwards { index, l1, first, last });
            }
            Ok(span) => {
                let below = std::mem::replace(&mut self.tail, span.last);
                let known = earlier.and_then(|earlier| earlier.at(span.last.number));
                let seen = known.filter(|known| known.block == span.last && known.l1 == l1);
                let seen = seen.map_or(now, |known| known.seen);
                self.heads.push_back(Head { block: span.last, below, l1, seen });
                if self.heads.len() > HEADS_MAX {
                    self.heads.pop_front();
                }
                if self.hashes_count + span.hashes.len() <= HASHES_MAX {
                    self.hashes_count += span.hashes.len();
                    self.hashes.insert(span.last.number, span.hashes.clone());
                }
            }
        }
        Ok(true)
    }

    /// The head with this number.
    pub(super) fn at(&self, number: u64) -> Option<&Head> {
        let place = self.heads.binary_search_by_key(&number, |head| head.block.number).ok()?;
        self.heads.get(place)
    }

    /// The newest head that L1 held at its block `l1_number`, and that `accepts`.
    pub(super) fn newest(&self, l1_number: u64, accepts: impl Fn(&Head) -> bool) -> Option<Head> {
        self.heads.iter().rev().find(|head| head.l1.number <= l1_number && accepts(head)).copied()
    }

    /// The first head of those that `wanted` says yes to, of which none stands before one that it says no to.
    pub(super) fn first_that(&self, wanted: impl Fn(&Head) -> bool) -> Option<&Head> {
        self.heads.get(self.heads.partition_point(|head| !wanted(head)))
    }

    /// The hash of a block of the data that end at `head`, as far as it is remembered.
    pub(super) fn hash_at(&self, head: &Head, number: u64) -> Option<B256> {
        let place = number.checked_sub(head.below.number)?.checked_sub(1)?;
        self.hashes.get(&head.block.number)?.get(usize::try_from(place).ok()?).copied()
    }

    /// What stands up to this block is beyond doubt: its hashes are needed no more.
    pub(super) fn agreed(&mut self, number: u64) {
        while let Some(first) = self.hashes.first_entry().filter(|first| *first.key() <= number) {
            self.hashes_count -= first.remove().len();
        }
    }

    /// The newest head.
    pub(super) fn last(&self) -> Option<&Head> {
        self.heads.back()
    }

    /// Where the line has got to.
    pub(super) const fn tail(&self) -> BlockRef {
        self.tail
    }

    /// Why it goes no further.
    pub(super) const fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }
}

#[cfg(test)]
mod tests;
