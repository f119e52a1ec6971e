//! Hold a block against its hash, and receipts against their block.

use super::{
    Binding, StackBlock, StackError, StackKind,
    envelope::{List, bloom},
    error::{same, same_hash},
    wire::{Block, Receipt, Transactions},
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, proofs::ordered_trie_root_with_encoder};
use alloy_primitives::Bloom;
use alloy_rlp::{BufMut, Encodable};
use hum_types::{B256, BlockRef, Bytes, TimeMs, keccak256};

/// A block whose header's RLP is what its hash is the hash of: Ethereum's, the OP Stack's, Nitro's.
pub(super) fn block(
    stack: StackKind,
    json: &Block,
    known: impl Fn(u8) -> bool,
) -> Result<StackBlock, StackError> {
    let number = json.header.number;
    let transactions = match &json.transactions {
        Transactions::Full(transactions) => transactions.as_slice(),
        Transactions::Hashes(hashes) if hashes.is_empty() => &[],
        Transactions::Hashes(_) => return Err(StackError::OnlyHashes { number }),
    };
    let hash = json.header.hash_slow();
    same_hash(format!("hash of block {number}"), json.hash, hash)?;
    let mut envelopes = Vec::with_capacity(transactions.len());
    for (index, transaction) in transactions.iter().enumerate() {
        let envelope = match transaction.kind_byte() {
            Some(kind) if known(kind) => transaction.envelope()?,
            _ => None,
        };
        let envelope = envelope.ok_or(StackError::Kind { index, found: transaction.kind.to(), stack })?;
        same_hash(format!("hash of transaction {index}"), transaction.hash, keccak256(&envelope))?;
        placed(
            &format!("transaction {index}"),
            (transaction.block_hash, transaction.block_number.map(|number| number.to())),
            transaction.transaction_index.map(|index| index.to()),
            BlockRef { number, hash },
            index,
        )?;
        envelopes.push(envelope);
    }
    same_hash("transactions root", json.header.transactions_root, root(&envelopes))?;
    same("number of ommers", 0, json.uncles.len())?;
    same_hash("ommers hash", json.header.ommers_hash, EMPTY_OMMER_ROOT_HASH)?;
    let rlp = whole(stack, json, &envelopes)?;
    Ok(StackBlock {
        stack,
        block: BlockRef { number, hash },
        parent_hash: json.header.parent_hash,
        time_ms: TimeMs(json.header.timestamp.saturating_mul(1000)),
        binding: Binding::Contents {
            state_root: json.header.state_root,
            receipts_root: json.header.receipts_root,
            logs_bloom: Box::new(json.header.logs_bloom),
        },
        tx_hashes: envelopes.iter().map(keccak256).collect(),
        rlp: Some(rlp),
        l1_block: None,
        send_root: None,
        batch: None,
    })
}

/// The block's RLP, its withdrawals held against the header.
fn whole(stack: StackKind, json: &Block, envelopes: &[Bytes]) -> Result<Bytes, StackError> {
    let mut items = Vec::new();
    for envelope in envelopes {
        // A legacy transaction stands as its list, a typed one as a string.
        if envelope.first().is_some_and(|first| *first >= 0xc0) {
            items.extend_from_slice(envelope);
        } else {
            envelope.encode(&mut items);
        }
    }
    let mut parts = List::default().push(&json.header).nested(items).nested(Vec::new());
    let what = format!("block {}", json.header.number);
    match (&json.withdrawals, json.header.withdrawals_root) {
        (None, None) => {}
        (Some(withdrawals), Some(declared)) => {
            let encoded: Vec<Bytes> =
                withdrawals.iter().map(|withdrawal| alloy_rlp::encode(withdrawal).into()).collect();
            // From Isthmus on the OP Stack puts the storage root of its message passer here; the list stays empty.
            if stack != StackKind::OpStack || !encoded.is_empty() {
                same_hash("withdrawals root", declared, root(&encoded))?;
            }
            parts = parts.nested(encoded.concat());
        }
        (Some(_), None) => return Err(StackError::Absent { what, field: "withdrawalsRoot" }),
        (None, Some(_)) => return Err(StackError::Absent { what, field: "withdrawals" }),
    }
    Ok(parts.list().into())
}

/// Receipts of all transactions of a block whose header commits to them.
pub(super) fn receipts(block: &StackBlock, receipts: &[Receipt]) -> Result<(), StackError> {
    let Binding::Contents { receipts_root, logs_bloom, .. } = &block.binding else {
        return unbound_receipts(block, receipts);
    };
    let mut sum: u64 = 0;
    let mut envelopes = Vec::with_capacity(receipts.len());
    let mut all = Bloom::ZERO;
    place_receipts(block, receipts)?;
    for (index, receipt) in receipts.iter().enumerate() {
        let computed = bloom(&receipt.logs);
        same(format!("bloom of receipt {index}"), receipt.logs_bloom, computed)?;
        all.accrue_bloom(&computed);
        sum = sum.saturating_add(receipt.gas_used.to());
        same(format!("cumulative gas of receipt {index}"), receipt.cumulative_gas_used.to(), sum)?;
        envelopes.push(receipt.envelope()?);
    }
    same("logs bloom of the block", **logs_bloom, all)?;
    same_hash("receipts root", *receipts_root, root(&envelopes))
}

/// Receipts of a block that commits to none: only that they name it and its transactions, in order.
pub(super) fn unbound_receipts(block: &StackBlock, receipts: &[Receipt]) -> Result<(), StackError> {
    place_receipts(block, receipts)
}

fn place_receipts(block: &StackBlock, receipts: &[Receipt]) -> Result<(), StackError> {
    same("number of receipts", block.tx_hashes.len(), receipts.len())?;
    let mut next_log = 0;
    for (index, (receipt, hash)) in receipts.iter().zip(&block.tx_hashes).enumerate() {
        let what = format!("receipt {index}");
        same_hash(format!("transaction of {what}"), receipt.transaction_hash, *hash)?;
        let at = (Some(receipt.block_hash), Some(receipt.block_number.to()));
        placed(&what, at, Some(receipt.transaction_index.to()), block.block, index)?;
        for log in &receipt.logs {
            let what = format!("log {next_log}");
            same_hash(format!("transaction of {what}"), log.transaction_hash, *hash)?;
            let at = (Some(log.block_hash), Some(log.block_number.to()));
            placed(&what, at, Some(log.transaction_index.to()), block.block, index)?;
            same(format!("index of {what}"), log.log_index.to::<u64>(), next_log)?;
            same(format!("removal of {what}"), log.removed, false)?;
            next_log += 1;
        }
    }
    Ok(())
}

pub(super) fn placed(
    what: &str,
    (hash, number): (Option<B256>, Option<u64>),
    index: Option<u64>,
    block: BlockRef,
    position: usize,
) -> Result<(), StackError> {
    if let Some(hash) = hash {
        same_hash(format!("block hash of {what}"), hash, block.hash)?;
    }
    if let Some(number) = number {
        same(format!("block number of {what}"), number, block.number)?;
    }
    match index {
        Some(index) => same(format!("index of {what}"), index, position as u64),
        None => Ok(()),
    }
}

fn root(items: &[Bytes]) -> B256 {
    ordered_trie_root_with_encoder(items, |item, out| out.put_slice(item))
}
