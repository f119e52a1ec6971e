//! The certified blocks of one rollup that something can still be said about, cheap to clone.

use crate::{BlockRecord, HISTORY_BLOCKS_MAX};
use std::{collections::VecDeque, sync::Arc};

/// Blocks in a chunk; chunks begin at multiples of it, so that equal histories are laid out equally.
const CHUNK: u64 = 64;

/// Contiguous records, oldest first; never empty. A state is cloned at every height: clones share whole chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    /// The oldest block that counts; what is left below it in its chunk does not.
    first: u64,
    chunks: VecDeque<Arc<Vec<Arc<BlockRecord>>>>,
}

impl History {
    pub(crate) fn new(anchor: BlockRecord) -> Self {
        let first = anchor.block.number;
        Self { first, chunks: VecDeque::from([Arc::new(vec![Arc::new(anchor)])]) }
    }

    /// The newest block.
    pub(crate) fn head(&self) -> &Arc<BlockRecord> {
        let newest = self.chunks.back().and_then(|chunk| chunk.last());
        newest.expect("the history holds at least one block")
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Arc<BlockRecord>> {
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
        self.drop_below(number.saturating_add(1).saturating_sub(HISTORY_BLOCKS_MAX as u64));
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

    /// Forget what lies below `number`, the newest block excepted.
    pub(crate) fn drop_below(&mut self, number: u64) {
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
