//! The certified blocks of one rollup that something can still be said about, cheap to clone.

use crate::{BlockRecord, HISTORY_BLOCKS_MAX, SAFE_HEADS_MAX};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Blocks in a chunk; chunks begin at multiples of it, so that equal histories are laid out equally.
const CHUNK: u64 = 64;

/// Distance of the marks at first; it doubles when there are too many of them.
const SPACING: u64 = 64;

/// Marks that are kept.
const MARKS_MAX: usize = 1_024;

/// Single records that outlive the stretch they stood in.
type Single = Arc<BTreeMap<u64, Arc<BlockRecord>>>;

/// Contiguous records, oldest first; never empty. A state is cloned at every height: clones share whole chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    /// The oldest block that counts; what is left below it in its chunk does not.
    first: u64,
    chunks: VecDeque<Arc<Vec<Arc<BlockRecord>>>>,
    /// `Safe` heads: each can become `Finalized`, however long that takes.
    safe: Single,
    /// Blocks below `first` whose numbers are multiples of `spacing`: what settles after days settles at one of them.
    marks: Single,
    spacing: u64,
}

impl History {
    pub(crate) fn new(anchor: BlockRecord) -> Self {
        let first = anchor.block.number;
        let chunks = VecDeque::from([Arc::new(vec![Arc::new(anchor)])]);
        Self { first, chunks, safe: Single::default(), marks: Single::default(), spacing: SPACING }
    }

    /// The newest block.
    pub(crate) fn head(&self) -> &Arc<BlockRecord> {
        let newest = self.chunks.back().and_then(|chunk| chunk.last());
        newest.expect("the history holds at least one block")
    }

    /// A block that is known.
    pub(crate) fn get(&self, number: u64) -> Option<&Arc<BlockRecord>> {
        if number >= self.first {
            return self.recent(number);
        }
        self.safe.get(&number).or_else(|| self.marks.get(&number))
    }

    /// The newest known block that is not above `number`.
    pub(crate) fn newest_below(&self, number: u64) -> Option<&Arc<BlockRecord>> {
        let number = number.min(self.head().block.number);
        if number >= self.first {
            return self.recent(number);
        }
        let below = |single: &'_ Single| single.range(..=number).next_back().map(|(found, _)| *found);
        self.get(below(&self.safe).max(below(&self.marks))?)
    }

    /// A block of the unbroken stretch up to the head.
    pub(crate) fn recent(&self, number: u64) -> Option<&Arc<BlockRecord>> {
        if number < self.first {
            return None;
        }
        let (front, base) = (self.chunks.front()?, self.chunks.front()?.first()?.block.number);
        let skipped = (number / CHUNK).checked_sub(base / CHUNK)?;
        if skipped == 0 {
            return front.get(usize::try_from(number.checked_sub(base)?).ok()?);
        }
        let chunk = self.chunks.get(usize::try_from(skipped).ok()?)?;
        chunk.get(usize::try_from(number % CHUNK).ok()?)
    }

    /// Put the next block on top; the oldest goes when there are too many.
    pub(crate) fn push(&mut self, record: BlockRecord) {
        let number = record.block.number;
        let record = Arc::new(record);
        match self.chunks.back_mut() {
            Some(chunk) if !number.is_multiple_of(CHUNK) => Arc::make_mut(chunk).push(record),
            _ => self.chunks.push_back(Arc::new(vec![record])),
        }
        let first = number.saturating_add(1).saturating_sub(HISTORY_BLOCKS_MAX as u64);
        for passed in self.first..first {
            self.mark(passed);
        }
        self.drop_below(first);
    }

    /// Keep a block that leaves the stretch, if it stands at a mark.
    fn mark(&mut self, number: u64) {
        if !number.is_multiple_of(self.spacing) {
            return;
        }
        let Some(record) = self.recent(number).map(bare) else { return };
        let marks = Arc::make_mut(&mut self.marks);
        marks.insert(number, record);
        while marks.len() > MARKS_MAX {
            self.spacing = self.spacing.saturating_mul(2);
            marks.retain(|number, _| number.is_multiple_of(self.spacing));
        }
    }

    /// Keep a `Safe` head.
    pub(crate) fn keep(&mut self, record: Arc<BlockRecord>) {
        let safe = Arc::make_mut(&mut self.safe);
        safe.insert(record.block.number, bare(&record));
        if safe.len() > SAFE_HEADS_MAX {
            safe.pop_first();
        }
    }

    /// Forget all below `number`, which is `Finalized`.
    pub(crate) fn forget_below(&mut self, number: u64) {
        for single in [&mut self.safe, &mut self.marks] {
            if single.first_key_value().is_some_and(|(first, _)| *first < number) {
                *single = Arc::new(Arc::make_mut(single).split_off(&number));
            }
        }
        self.drop_below(number);
    }

    /// Take the newest block away; `None` when it is the only one.
    pub(crate) fn pop(&mut self) -> Option<Arc<BlockRecord>> {
        if self.head().block.number <= self.first {
            return None;
        }
        let chunk = Arc::make_mut(self.chunks.back_mut()?);
        let record = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop_back();
        }
        record
    }

    /// Shorten the stretch to `number` and what is above, the newest block excepted.
    fn drop_below(&mut self, number: u64) {
        self.first = self.first.max(number.min(self.head().block.number));
        while self
            .chunks
            .front()
            .and_then(|chunk| chunk.last())
            .is_some_and(|last| last.block.number < self.first)
        {
            self.chunks.pop_front();
        }
    }
}

/// A record without the places of its messages: only blocks that can be dropped need those.
fn bare(record: &Arc<BlockRecord>) -> Arc<BlockRecord> {
    if record.entries.is_empty() {
        return record.clone();
    }
    Arc::new(BlockRecord { entries: Arc::new([]), ..BlockRecord::clone(record) })
}
