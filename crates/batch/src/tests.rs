//! Blocks through a batch and back.

mod corrupted;
mod figures;
mod made;
mod real;

use super::*;
use hum_types::{B256, BlockRef};

/// Pack, unpack, and hold the blocks against what went in.
fn there_and_back(parent: B256, blocks: &[Vec<u8>]) -> Batch {
    let batch = pack(parent, blocks).expect("blocks that stand on each other");
    let unpacked = Batch::decode(batch.data()).expect("what was packed");
    assert_eq!(unpacked.parent, parent);
    assert_eq!(unpacked.blocks.iter().map(|block| block.rlp.to_vec()).collect::<Vec<_>>(), blocks);
    assert_eq!((unpacked.first().number, unpacked.last()), (batch.first(), batch.last()));
    let again: Vec<_> = unpacked.blocks.into_iter().map(|block| block.rlp).collect();
    assert_eq!(pack(unpacked.parent, &again).as_ref(), Ok(&batch));
    batch
}

/// The payload of a batch.
fn payload(batch: &Batch) -> Vec<u8> {
    deflate::inflate(&batch.data()[2..], PAYLOAD_BYTES_MAX).expect("our own stream")
}

/// A batch of any payload.
fn posted(payload: &[u8]) -> Vec<u8> {
    let mut data = vec![VERSION, COMPRESSION_DEFLATE];
    deflate::deflate(payload, &mut data);
    data
}
