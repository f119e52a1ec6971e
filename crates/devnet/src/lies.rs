//! Blocks that lie: a true block with false header fields, for demos and tests of those who must notice.
//!
//! Nothing here signs, sends or stores anything. Each function takes the RLP of a true block and returns the RLP of a well-formed block with
//! the same number and parent; only execution shows that it is false.

use alloy::eips::eip2718::Decodable2718;
use alloy::primitives::{B256, Bytes, Log};
use alloy_consensus::proofs::calculate_receipt_root;
use alloy_consensus::{
    Block, Eip658Value, EthereumTxEnvelope, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxEip4844,
};
use alloy_rlp::Decodable;
use thiserror::Error;

#[cfg(test)]
mod tests;

type TrueBlock = Block<EthereumTxEnvelope<TxEip4844>>;

/// A false block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lie {
    /// RLP of the whole block.
    pub block: Bytes,
    /// Hash of its header: what a lying sequencer would sign.
    pub hash: B256,
}

/// Why no lie could be made from the given truth.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LieError {
    /// The true block is not one.
    #[error("true block: {0}")]
    Block(alloy_rlp::Error),
    /// Bytes follow the true block.
    #[error("true block: {0} bytes too many")]
    TrailingBytes(usize),
    /// A true receipt is not one.
    #[error("true receipt {index}: {problem}")]
    Receipt {
        /// Position in the block.
        index: usize,
        /// What the decoder said.
        problem: String,
    },
    /// The false value is the true one.
    #[error("the {field} asked for is the true one, {value}")]
    Truth {
        /// The header field.
        field: &'static str,
        /// Its true value.
        value: B256,
    },
}

/// The block with another state root: "these transactions led to that state".
pub fn wrong_state_root(block: &[u8], state_root: B256) -> Result<Lie, LieError> {
    let mut lie = decode(block)?;
    if lie.header.state_root == state_root {
        return Err(LieError::Truth { field: "state root", value: state_root });
    }
    lie.header.state_root = state_root;
    Ok(finish(&lie))
}

/// The block with a receipts root and logs bloom that claim one more event, as the last log of the last transaction. `receipts` are the true
/// ones in their EIP-2718 form, as `debug_getRawReceipts` returns them; a block without transactions claims a receipt of its own.
pub fn forged_receipt(block: &[u8], receipts: &[Bytes], log: Log) -> Result<Lie, LieError> {
    let mut lie = decode(block)?;
    let mut claimed = Vec::with_capacity(receipts.len().max(1));
    for (index, raw) in receipts.iter().enumerate() {
        let receipt = ReceiptEnvelope::decode_2718_exact(raw)
            .map_err(|error| LieError::Receipt { index, problem: error.to_string() })?;
        claimed.push(receipt);
    }
    let last = claimed.pop().unwrap_or_else(|| {
        let empty = Receipt { status: Eip658Value::Eip658(true), cumulative_gas_used: 0, logs: Vec::new() };
        ReceiptEnvelope::Eip1559(empty.with_bloom())
    });
    let kind = last.tx_type();
    let mut receipt = last.into_receipt();
    receipt.logs.push(log);
    let receipt: ReceiptWithBloom<Receipt> = receipt.with_bloom();
    claimed.push(ReceiptEnvelope::from_typed(kind, receipt));
    lie.header.receipts_root = calculate_receipt_root(&claimed);
    lie.header.logs_bloom =
        claimed.iter().fold(Default::default(), |bloom, receipt| bloom | *receipt.logs_bloom());
    Ok(finish(&lie))
}

fn decode(mut block: &[u8]) -> Result<TrueBlock, LieError> {
    let decoded = TrueBlock::decode(&mut block).map_err(LieError::Block)?;
    if !block.is_empty() {
        return Err(LieError::TrailingBytes(block.len()));
    }
    Ok(decoded)
}

fn finish(lie: &TrueBlock) -> Lie {
    Lie { block: alloy_rlp::encode(lie).into(), hash: lie.header.hash_slow() }
}
