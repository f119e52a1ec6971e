//! From a batch to its blocks.

use crate::{
    BLOCKS_MAX, Batch, BlockError, COMPRESSION_DEFLATE, ITEMS_MAX, InflateError, PAYLOAD_BYTES_MAX, VERSION,
    block::rebuild, deflate::inflate,
};
use hum_types::{B256, BlockRef, Bytes, DecodeError, Reader};

/// Why bytes are no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// A field before or in the payload.
    #[error(transparent)]
    Field(#[from] DecodeError),
    /// The payload does not inflate.
    #[error("payload: {0}")]
    Inflate(#[from] InflateError),
    /// A block is none, or its body is not the one that its header commits to.
    #[error("block {index} of the batch: {source}")]
    Block {
        /// Its position, from 0.
        index: usize,
        /// What is wrong.
        source: BlockError,
    },
    /// A block's number does not follow the one before.
    #[error("block {index} of the batch has number {declared}, the one before has {before}")]
    Number {
        /// Its position, from 0.
        index: usize,
        /// In its header.
        declared: u64,
        /// In the header before.
        before: u64,
    },
}

/// The blocks of a batch: at least one, each standing on the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The hash of the block below the first.
    pub parent: B256,
    /// The blocks in their order.
    pub blocks: Vec<UnpackedBlock>,
}

/// One rebuilt block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedBlock {
    /// Number and hash.
    pub block: BlockRef,
    /// The whole block, as it was before it was packed.
    pub rlp: Bytes,
}

impl Unpacked {
    /// The first block.
    #[must_use]
    pub fn first(&self) -> BlockRef {
        self.blocks.first().map(|block| block.block).unwrap_or_default()
    }

    /// The last block.
    #[must_use]
    pub fn last(&self) -> BlockRef {
        self.blocks.last().map(|block| block.block).unwrap_or_default()
    }
}

impl Batch {
    /// Inflate and rebuild what was posted. Nothing in `data` is trusted.
    pub fn decode(data: &[u8]) -> Result<Unpacked, BatchError> {
        let mut reader = Reader::new(data);
        known("batch version", reader.u8("batch version")?, VERSION)?;
        known("batch compression", reader.u8("batch compression")?, COMPRESSION_DEFLATE)?;
        let payload = inflate(data.get(2..).unwrap_or_default(), PAYLOAD_BYTES_MAX)?;
        decode_payload(&payload)
    }
}

pub(crate) fn decode_payload(payload: &[u8]) -> Result<Unpacked, BatchError> {
    let mut reader = Reader::new(payload);
    let parent = reader.b256("parent hash")?;
    let count = reader.length("blocks", BLOCKS_MAX)?;
    if count == 0 {
        return Err(DecodeError::Value { field: "blocks", value: 0 }.into());
    }
    let mut rest = payload.get(32 + 4..).unwrap_or_default();
    let mut items = ITEMS_MAX;
    let mut blocks: Vec<UnpackedBlock> = Vec::new();
    for index in 0..count {
        let before = blocks.last().map(|block| block.block);
        let (block, rlp) = rebuild(&mut rest, before.map_or(parent, |before| before.hash), &mut items)
            .map_err(|source| BatchError::Block { index, source })?;
        if let Some(before) = before
            && before.number.checked_add(1) != Some(block.number)
        {
            return Err(BatchError::Number { index, declared: block.number, before: before.number });
        }
        blocks.push(UnpackedBlock { block, rlp: rlp.into() });
    }
    if !rest.is_empty() {
        return Err(DecodeError::Trailing { what: "the batch's blocks", left: rest.len() }.into());
    }
    Ok(Unpacked { parent, blocks })
}

fn known(field: &'static str, found: u8, expected: u8) -> Result<(), DecodeError> {
    if found == expected { Ok(()) } else { Err(DecodeError::Value { field, value: found.into() }) }
}
