//! Which claimed blocks are not yet posted, found by going down from those that the journal remembers.

use crate::publisher::claimed;
use hum_chain::{At, Chain, RawBlock, ReadError};
use hum_types::{B256, BlockRef, Bytes, Generation};
use std::{collections::BTreeMap, sync::Arc};

/// Steps down in one go.
const STEPS_MAX: usize = 512;
/// Bytes of blocks that are read for each byte of data that fits, and kept until it is posted: what compresses that well.
const BYTES_PER_DATA_BYTE: usize = 18;

/// Hashes from a first block up to the newest claimed one; each is the parent of the next.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    generation: Generation,
    hashes: BTreeMap<u64, B256>,
    /// Blocks that were read, by number.
    blocks: BTreeMap<u64, RawBlock>,
}

/// What there is to post.
#[derive(Debug)]
pub(super) struct Line {
    /// The hash of the block below the first.
    pub(super) parent: B256,
    /// Blocks in their order.
    pub(super) blocks: Vec<Bytes>,
}

/// Why there is nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineageError {
    /// The node.
    #[error("node: {0}")]
    Read(#[from] ReadError),
    /// The node has a claimed block no more, or not yet.
    #[error("the node does not have the claimed block {number}, {hash}")]
    NotThere {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: B256,
    },
    /// The way down is long; it goes on in the next step.
    #[error("the node's blocks down to {first}: {lowest} is reached")]
    FarBehind {
        /// Where it must lead.
        first: u64,
        /// How far it has come.
        lowest: u64,
    },
}

impl Lineage {
    /// Take over what is claimed; what is below `first` is not needed.
    pub(super) fn follow(&mut self, claimed: &claimed::Chain, first: u64) {
        if claimed.generation != self.generation {
            *self = Self { generation: claimed.generation, ..Self::default() };
        }
        // What was reached from above stays only while it hangs together with what is claimed now.
        if let Some((lowest, _)) = claimed.blocks.first_key_value()
            && !self.hashes.contains_key(lowest)
        {
            self.hashes.clear();
        }
        self.hashes.extend(&claimed.blocks);
        self.hashes = self.hashes.split_off(&first);
        self.blocks = self.blocks.split_off(&first);
    }

    /// The block at `number`, when it is claimed and not below where the last look began.
    pub(super) fn at(&self, number: u64) -> Option<BlockRef> {
        self.hashes.get(&number).map(|hash| BlockRef { number, hash: *hash })
    }

    /// Read blocks from `first` on, up to `target`: as many as may fit into one batch of so many
    /// bytes.
    pub(super) async fn read(
        &mut self,
        node: &Arc<dyn Chain>,
        first: u64,
        target: u64,
        data_bytes_max: usize,
    ) -> Result<Line, LineageError> {
        let bytes_max = data_bytes_max.saturating_mul(BYTES_PER_DATA_BYTE).min(hum_batch::PAYLOAD_BYTES_MAX);
        self.descend(node, first).await?;
        let mut line = Line { parent: B256::ZERO, blocks: Vec::new() };
        let mut bytes = 0;
        for number in first..=target {
            let Some(block) = self.block(node, number).await? else { break };
            if number == first {
                line.parent = block.parent_hash;
            }
            bytes += block.rlp.len();
            if !line.blocks.is_empty() && (bytes > bytes_max || line.blocks.len() >= hum_batch::BLOCKS_MAX) {
                break;
            }
            line.blocks.push(block.rlp.clone());
        }
        Ok(line)
    }

    /// Go down to `first` by parent hashes.
    async fn descend(&mut self, node: &Arc<dyn Chain>, first: u64) -> Result<(), LineageError> {
        for _ in 0..STEPS_MAX {
            let Some((lowest, _)) = self.hashes.first_key_value() else { return Ok(()) };
            let lowest = *lowest;
            let (true, Some(below)) = (lowest > first, lowest.checked_sub(1)) else { return Ok(()) };
            let Some(block) = self.block(node, lowest).await? else { return Ok(()) };
            let parent = block.parent_hash;
            self.hashes.insert(below, parent);
            // Far above what is packed next, it would only take room.
            self.blocks.remove(&lowest);
        }
        match self.hashes.first_key_value() {
            Some((lowest, _)) if *lowest > first => Err(LineageError::FarBehind { first, lowest: *lowest }),
            _ => Ok(()),
        }
    }

    /// A claimed block, by its hash.
    async fn block(&mut self, node: &Arc<dyn Chain>, number: u64) -> Result<Option<&RawBlock>, LineageError> {
        let Some(hash) = self.hashes.get(&number).copied() else { return Ok(None) };
        if self.blocks.get(&number).is_none_or(|held| held.block.hash != hash) {
            let found = node.block(At::Hash(hash)).await?;
            let block = found.ok_or(LineageError::NotThere { number, hash })?;
            self.blocks.insert(number, block);
        }
        Ok(self.blocks.get(&number))
    }
}
