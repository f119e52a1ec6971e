//! Batches, as operators read them from L1.

use crate::{Broken, End, Fuzzed};
use alloy_consensus::{
    Block, BlockBody, EMPTY_OMMER_ROOT_HASH, EthereumTxEnvelope, Header, SignableTransaction as _, TxEip4844,
    TxLegacy,
    proofs::{calculate_transaction_root, calculate_withdrawals_root},
};
use flate2::{
    Compression,
    read::{DeflateDecoder, DeflateEncoder},
};
use hum_batch::{Batch, BatchError, BlockError, COMPRESSION_DEFLATE, InflateError, VERSION, pack};
use hum_types::{Address, B256};
use std::io::Read as _;

type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Reads an input as a batch, and as the payload of one.
#[derive(Debug)]
pub struct Batches;

impl Fuzzed for Batches {
    fn one(&mut self, input: &[u8]) -> Result<End, Broken> {
        let broken = |what: &str| Broken { what: what.to_owned(), input: input.to_vec() };
        let outer = Batch::decode(input);
        // Bytes that were mutated seldom inflate: what lies behind is reached with a stream of our own.
        let inner = Batch::decode(&posted(input));
        if let Ok(unpacked) = &inner {
            let rlps: Vec<_> = unpacked.blocks.iter().map(|block| &block.rlp).collect();
            let again = pack(unpacked.parent, &rlps)
                .map_err(|error| broken(&format!("not packed again: {error}")))?;
            if payload(&again).as_deref() != Some(input) {
                return Err(broken("a payload packs to another one"));
            }
        }
        let decoded = outer.is_ok() || inner.is_ok();
        Ok(End { decoded, ends: vec![end(&outer), end(&inner)] })
    }
}

fn posted(payload: &[u8]) -> Vec<u8> {
    let mut data = vec![VERSION, COMPRESSION_DEFLATE];
    DeflateEncoder::new(payload, Compression::fast()).read_to_end(&mut data).expect("bytes in memory");
    data
}

fn payload(batch: &Batch) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    DeflateDecoder::new(batch.data().get(2..)?).read_to_end(&mut payload).ok()?;
    Some(payload)
}

/// The end without its numbers, of which there are too many.
fn end<T>(decoded: &Result<T, BatchError>) -> String {
    match decoded {
        Ok(_) => "decoded".to_owned(),
        Err(BatchError::Field(error)) => crate::target::end_of(error),
        Err(BatchError::Inflate(InflateError::Malformed(why))) => why.clone(),
        Err(BatchError::Inflate(InflateError::Truncated { .. })) => "stream truncated".to_owned(),
        Err(BatchError::Inflate(InflateError::TooLong { .. })) => "stream too long".to_owned(),
        Err(BatchError::Inflate(InflateError::Trailing { .. })) => "bytes after the stream".to_owned(),
        Err(BatchError::Number { .. }) => "number".to_owned(),
        Err(BatchError::Block { index, source }) => format!("block {}: {}", index.min(&3), block_end(source)),
    }
}

fn block_end(error: &BlockError) -> String {
    match error {
        BlockError::Part { part, detail } => format!("{part}: {detail}"),
        BlockError::Trailing { .. } => "trailing".to_owned(),
        BlockError::HeaderItems { found, .. } => format!("{found} header items"),
        BlockError::NotLeftOut { field, .. } => format!("{field} there"),
        BlockError::Root { field, .. } => format!("{field} differs"),
        BlockError::Withdrawals { header_items, parts } => format!("{header_items} items, {parts} parts"),
        BlockError::TooManyItems { .. } => "too many items".to_owned(),
    }
}

/// Blocks on each other from the anchor up.
fn blocks(count: u64, transactions: usize, withdrawals: bool) -> Vec<Vec<u8>> {
    let mut parent_hash = B256::repeat_byte(0xaa);
    let transaction = || -> Transaction {
        let to = Address::repeat_byte(7).into();
        let signature = alloy_primitives::Signature::test_signature();
        TxLegacy { to, ..TxLegacy::default() }.into_signed(signature).into()
    };
    let block = |number: u64| {
        let transactions: Vec<_> = (0..transactions).map(|_| transaction()).collect();
        let withdrawals = withdrawals.then(Default::default);
        let header = Header {
            parent_hash,
            number,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            transactions_root: calculate_transaction_root(&transactions),
            base_fee_per_gas: withdrawals.as_ref().map(|_| 7),
            withdrawals_root: withdrawals.as_ref().map(|_| calculate_withdrawals_root(&[])),
            ..Header::default()
        };
        parent_hash = header.hash_slow();
        let body = BlockBody { transactions, ommers: Vec::new(), withdrawals };
        alloy_rlp::encode(Block::<Transaction> { header, body })
    };
    (1..=count).map(block).collect()
}

/// Batches of a few kinds and their payloads, by name.
#[must_use]
pub fn batch_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let packed = |rlps: &[Vec<u8>]| pack(B256::repeat_byte(0xaa), rlps).expect("our own blocks");
    let of = |rlps: &[Vec<u8>]| payload(&packed(rlps)).expect("our own stream");
    // Not compressed, so that the bytes do not depend on who compresses.
    let stored = |payload: &[u8]| {
        let length = u16::try_from(payload.len()).expect("a small one");
        let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
        [&[VERSION, COMPRESSION_DEFLATE, 1][..], &lengths, payload].concat()
    };
    vec![
        ("payload-empty", of(&blocks(1, 0, false))),
        ("payload-three", of(&blocks(3, 0, true))),
        ("payload-transactions", of(&blocks(2, 2, true))),
        ("batch-stored", stored(&of(&blocks(1, 1, true)))),
    ]
}
