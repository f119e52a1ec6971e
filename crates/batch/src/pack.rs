//! From blocks to a batch.

use crate::{
    BLOCKS_MAX, BlockError, COMPRESSION_DEFLATE, ITEMS_MAX, PAYLOAD_BYTES_MAX, VERSION, block,
    deflate::deflate,
};
use hum_types::{B256, BlockRef, Bytes};

/// Bytes of a payload before its blocks.
const PREFIX_BYTES: usize = 32 + 4;

/// Why blocks make no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A batch has at least one block.
    #[error("a batch of no blocks")]
    Empty,
    /// More blocks than a batch has.
    #[error("{found} blocks, a batch has at most {bound}")]
    TooManyBlocks {
        /// How many there are.
        found: usize,
        /// The most.
        bound: usize,
    },
    /// Something is no block.
    #[error("block {index} of the batch: {source}")]
    Block {
        /// Its position, from 0.
        index: usize,
        /// What is wrong.
        source: BlockError,
    },
    /// A block does not stand on the one before.
    #[error("block {number} declares parent {declared}, the block before is {computed}")]
    ParentHash {
        /// The block's number.
        number: u64,
        /// In its header.
        declared: B256,
        /// The block before, or the parent that was named.
        computed: B256,
    },
    /// A block's number does not follow the one before.
    #[error("block number {declared}, the one before is {before}")]
    Number {
        /// In the header.
        declared: u64,
        /// In the header before.
        before: u64,
    },
    /// The payload is longer than a decoder inflates.
    #[error("payload of {found} bytes, at most {bound} are inflated")]
    PayloadTooLong {
        /// Its length.
        found: usize,
        /// The most.
        bound: usize,
    },
    /// One block alone is larger than a post may be.
    #[error("block {number} alone makes a batch of {found} bytes, a post has room for {bound}")]
    TooLarge {
        /// The block.
        number: u64,
        /// Bytes of a batch with it alone.
        found: usize,
        /// The most.
        bound: usize,
    },
}

/// Contiguous blocks, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    parent: B256,
    first: u64,
    last: BlockRef,
    blocks: usize,
    payload_bytes: usize,
    data: Bytes,
}

impl Batch {
    /// The hash of the block below the first.
    #[must_use]
    pub const fn parent(&self) -> B256 {
        self.parent
    }

    /// The number of the first block.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The last block.
    #[must_use]
    pub const fn last(&self) -> BlockRef {
        self.last
    }

    /// How many blocks it has.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.blocks
    }

    /// Bytes of the payload before it was compressed.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// What is posted.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.data
    }
}

/// Blocks that were read and stand on each other.
struct Chained {
    blocks: Vec<block::Full>,
    /// Bytes of the payload with them all.
    bytes: usize,
}

impl Chained {
    /// Read blocks; `fitting` stops before the first that would make the payload or the number of items too large.
    fn read<T: AsRef<[u8]>>(parent: B256, rlps: &[T], fitting: bool) -> Result<Self, PackError> {
        let mut chained = Self { blocks: Vec::new(), bytes: PREFIX_BYTES };
        let mut items = ITEMS_MAX;
        for (index, rlp) in rlps.iter().enumerate() {
            let full = match block::read(rlp.as_ref(), &mut items) {
                Ok(full) => full,
                Err(BlockError::TooManyItems { .. }) if fitting && index > 0 => break,
                Err(source) => return Err(PackError::Block { index, source }),
            };
            let before = chained.blocks.last().map(|full| full.block);
            let (number, declared) = (full.block.number, full.parent);
            let computed = before.map_or(parent, |before| before.hash);
            if declared != computed {
                return Err(PackError::ParentHash { number, declared, computed });
            }
            if let Some(before) = before
                && before.number.checked_add(1) != Some(number)
            {
                return Err(PackError::Number { declared: number, before: before.number });
            }
            let found = chained.bytes + full.packed.len();
            if found > PAYLOAD_BYTES_MAX {
                if fitting && index > 0 {
                    break;
                }
                return Err(PackError::PayloadTooLong { found, bound: PAYLOAD_BYTES_MAX });
            }
            chained.bytes = found;
            chained.blocks.push(full);
        }
        Ok(chained)
    }

    /// A batch of the first `count`.
    fn batch(&self, parent: B256, count: usize) -> Result<Batch, PackError> {
        let blocks = self.blocks.get(..count).unwrap_or(&self.blocks);
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Err(PackError::Empty) };
        let counted = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        let mut payload = Vec::with_capacity(self.bytes);
        payload.extend_from_slice(parent.as_slice());
        payload.extend_from_slice(&counted.to_be_bytes());
        for full in blocks {
            payload.extend_from_slice(&full.packed);
        }
        let mut data = vec![VERSION, COMPRESSION_DEFLATE];
        deflate(&payload, &mut data);
        Ok(Batch {
            parent,
            first: first.block.number,
            last: last.block,
            blocks: blocks.len(),
            payload_bytes: payload.len(),
            data: data.into(),
        })
    }
}

/// Pack the RLP of contiguous blocks above the block `parent`.
pub fn pack<T: AsRef<[u8]>>(parent: B256, blocks: &[T]) -> Result<Batch, PackError> {
    if blocks.len() > BLOCKS_MAX {
        return Err(PackError::TooManyBlocks { found: blocks.len(), bound: BLOCKS_MAX });
    }
    let chained = Chained::read(parent, blocks, false)?;
    chained.batch(parent, chained.blocks.len())
}

/// Pack as many of the first blocks as make a batch of at most `bytes_max` bytes: nearly the most that do.
pub fn pack_fitting<T: AsRef<[u8]>>(
    parent: B256,
    blocks: &[T],
    bytes_max: usize,
) -> Result<Batch, PackError> {
    let blocks = blocks.get(..BLOCKS_MAX).unwrap_or(blocks);
    let chained = Chained::read(parent, blocks, true)?;
    let mut count = chained.blocks.len();
    loop {
        let batch = chained.batch(parent, count)?;
        let found = batch.data.len();
        if found <= bytes_max {
            return Ok(batch);
        }
        if count <= 1 {
            return Err(PackError::TooLarge { number: batch.first, found, bound: bytes_max });
        }
        // As many as their share of the bytes, less a sixteenth: blocks differ, and fewer compress worse.
        let share = count.saturating_mul(bytes_max) / found;
        count = (share - share / 16).clamp(1, count - 1);
    }
}
