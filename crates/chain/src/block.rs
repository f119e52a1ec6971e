//! What a block's bytes say about themselves, whatever header fields its stack has.

use crate::{RawBlock, stack::op_stack::DEPOSIT};
use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_rlp::{BufMut, Decodable, Header};
use hum_types::{B256, BlockRef, Bytes, TimeMs, keccak256};

/// Why bytes are no block, or not one whose body belongs to its header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockBytesError {
    /// A part is not the RLP that a block has there.
    #[error("{field} is not readable: {detail}")]
    Field {
        /// The part.
        field: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Bytes follow the last part.
    #[error("{left} bytes follow the block")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// The header commits to another body.
    #[error("header declares {field} {declared}, the body gives {computed}")]
    Root {
        /// Which commitment.
        field: &'static str,
        /// What the header says.
        declared: B256,
        /// What the body gives.
        computed: B256,
    },
}

/// Header fields by position; the first 15 are the same in every Ethereum-like header.
mod position {
    pub(super) const PARENT_HASH: usize = 0;
    pub(super) const OMMERS_HASH: usize = 1;
    pub(super) const STATE_ROOT: usize = 3;
    pub(super) const TRANSACTIONS_ROOT: usize = 4;
    pub(super) const NUMBER: usize = 8;
    pub(super) const TIMESTAMP: usize = 11;
    pub(super) const WITHDRAWALS_ROOT: usize = 16;
    pub(super) const BLOB_GAS_USED: usize = 17;
}

impl RawBlock {
    /// Read a block's RLP: compute its hash, and check that transactions, ommers and withdrawals are those that the
    /// header commits to. So a source cannot pass another body under a known hash.
    pub fn from_rlp(rlp: Bytes) -> Result<Self, BlockBytesError> {
        let mut rest: &[u8] = &rlp;
        let mut block = list("block", &mut rest)?;
        if !rest.is_empty() {
            return Err(BlockBytesError::Trailing { left: rest.len() });
        }
        let header = item("header", &mut block)?;
        let hash = keccak256(header);
        let fields = items("header", header)?;
        let root = |field, at: usize| {
            let mut bytes = *fields.get(at).ok_or_else(|| absent(field))?;
            B256::decode(&mut bytes).map_err(|error| unreadable(field, error))
        };
        let number = |field, at: usize| {
            let mut bytes = *fields.get(at).ok_or_else(|| absent(field))?;
            u64::decode(&mut bytes).map_err(|error| unreadable(field, error))
        };

        let transactions = items("transactions", item("transactions", &mut block)?)?;
        let mut leaves = Vec::with_capacity(transactions.len());
        for transaction in transactions {
            leaves.push(trie_leaf(transaction)?);
        }
        let deposit_in_front = leaves.first().is_some_and(|first| first.first() == Some(&DEPOSIT));
        same(
            "transactions root",
            root("transactions root", position::TRANSACTIONS_ROOT)?,
            trie_root(&leaves),
        )?;

        let ommers = item("ommers", &mut block)?;
        same("ommers hash", root("ommers hash", position::OMMERS_HASH)?, keccak256(ommers))?;

        if fields.len() > position::WITHDRAWALS_ROOT {
            let withdrawals = items("withdrawals", item("withdrawals", &mut block)?)?;
            let declared = root("withdrawals root", position::WITHDRAWALS_ROOT)?;
            // A block of the OP Stack has none, and from Isthmus on another root in this place.
            if !deposit_in_front || !withdrawals.is_empty() {
                same("withdrawals root", declared, trie_root(&withdrawals))?;
            }
        }
        if !block.is_empty() {
            return Err(BlockBytesError::Trailing { left: block.len() });
        }

        Ok(Self {
            block: BlockRef { number: number("number", position::NUMBER)?, hash },
            parent_hash: root("parent hash", position::PARENT_HASH)?,
            state_root: root("state root", position::STATE_ROOT)?,
            time_ms: TimeMs(number("timestamp", position::TIMESTAMP)?.saturating_mul(1000)),
            rlp,
        })
    }
}

impl RawBlock {
    /// Whether its header counts gas of blobs (EIP-4844): what such a chain's transactions may carry. Chains that follow
    /// an L1 have the field too, without blobs.
    #[must_use]
    pub fn has_blob_gas(&self) -> bool {
        let mut rest: &[u8] = &self.rlp;
        let fields = list("block", &mut rest).and_then(|mut block| item("header", &mut block));
        let fields = fields.and_then(|header| items("header", header));
        fields.is_ok_and(|fields| fields.get(position::BLOB_GAS_USED).is_some())
    }
}

fn unreadable(field: &'static str, error: alloy_rlp::Error) -> BlockBytesError {
    BlockBytesError::Field { field, detail: error.to_string() }
}

fn absent(field: &'static str) -> BlockBytesError {
    BlockBytesError::Field { field, detail: "missing".into() }
}

fn same(field: &'static str, declared: B256, computed: B256) -> Result<(), BlockBytesError> {
    if declared == computed { Ok(()) } else { Err(BlockBytesError::Root { field, declared, computed }) }
}

fn trie_root(leaves: &[&[u8]]) -> B256 {
    ordered_trie_root_with_encoder(leaves, |leaf, out| out.put_slice(leaf))
}

/// The next item with its RLP prefix.
fn item<'a>(field: &'static str, rest: &mut &'a [u8]) -> Result<&'a [u8], BlockBytesError> {
    let start = *rest;
    let mut after = *rest;
    let header = Header::decode(&mut after).map_err(|error| unreadable(field, error))?;
    let whole = start.len() - after.len() + header.payload_length;
    let (head, tail) = start.split_at_checked(whole).ok_or_else(|| absent(field))?;
    *rest = tail;
    Ok(head)
}

/// The payload of the list at the front.
fn list<'a>(field: &'static str, rest: &mut &'a [u8]) -> Result<&'a [u8], BlockBytesError> {
    Header::decode_bytes(rest, true).map_err(|error| unreadable(field, error))
}

/// The items of one list, each with its prefix.
fn items<'a>(field: &'static str, mut bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, BlockBytesError> {
    let mut payload = list(field, &mut bytes)?;
    let mut found = Vec::new();
    while !payload.is_empty() {
        found.push(item(field, &mut payload)?);
    }
    Ok(found)
}

/// What the transactions trie holds: a legacy transaction's list, or a typed one's bytes without the string prefix.
fn trie_leaf(transaction: &[u8]) -> Result<&[u8], BlockBytesError> {
    if transaction.first().is_some_and(|first| *first >= 0xc0) {
        return Ok(transaction);
    }
    let mut rest = transaction;
    let typed = Header::decode_bytes(&mut rest, false).map_err(|error| unreadable("transactions", error))?;
    // The leaf would be that of the same list without the string: two bodies under one hash.
    if typed.first().is_some_and(|first| *first >= alloy_rlp::EMPTY_LIST_CODE) {
        return Err(unreadable("transactions", alloy_rlp::Error::UnexpectedString));
    }
    Ok(typed)
}

#[cfg(test)]
pub(crate) mod tests;
