//! A block's RLP without what follows from elsewhere.

use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_rlp::{BufMut, Decodable, Header};
use hum_types::{B256, BlockRef, keccak256};

/// Why bytes are not a block, or not one whose body belongs to its header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A part is not the RLP that a block has there.
    #[error("{part} is not readable: {detail}")]
    Part {
        /// The part.
        part: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Bytes follow the last part.
    #[error("{left} bytes follow the block")]
    Trailing {
        /// How many.
        left: usize,
    },
    /// The header has a number of items that no header has.
    #[error("header has {found} items, expected {least} to {most}")]
    HeaderItems {
        /// In the header.
        found: usize,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// A field that follows from elsewhere is there in a packed block.
    #[error("{field} is {length} bytes long in a batch, where it is left out")]
    NotLeftOut {
        /// The field.
        field: &'static str,
        /// Bytes of its value.
        length: usize,
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
    /// The header commits to withdrawals and there are none, or the other way round.
    #[error("header with {header_items} items, and the block has {parts} parts")]
    Withdrawals {
        /// Items of the header: the withdrawals root is the seventeenth.
        header_items: usize,
        /// Parts of the block: withdrawals are the fourth.
        parts: usize,
    },
    /// More transactions and withdrawals than a batch may have.
    #[error("transactions and withdrawals are more than the {left} that the batch may still have")]
    TooManyItems {
        /// How many it may have.
        left: usize,
    },
}

/// Header items by position; the first 15 are the same in every Ethereum-like header.
mod position {
    pub(super) const PARENT_HASH: usize = 0;
    pub(super) const OMMERS_HASH: usize = 1;
    pub(super) const TRANSACTIONS_ROOT: usize = 4;
    pub(super) const NUMBER: usize = 8;
    pub(super) const WITHDRAWALS_ROOT: usize = 16;
}

/// Items of the shortest header.
const HEADER_ITEMS_MIN: usize = 15;
/// Items of a header, however many a stack adds to the 21 that are known.
const HEADER_ITEMS_MAX: usize = 64;
/// The type of a deposit of the OP Stack, with which each of its blocks begins.
const DEPOSIT_TYPE: u8 = 0x7e;
/// The empty string in RLP.
const EMPTY: [u8; 1] = [alloy_rlp::EMPTY_STRING_CODE];

/// A block taken apart; every piece with its RLP prefix.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    header: Vec<&'a [u8]>,
    /// The body as it stands: transactions, ommers, and withdrawals where there are any.
    body: &'a [u8],
    transactions: &'a [u8],
    ommers: &'a [u8],
    withdrawals: Option<&'a [u8]>,
}

/// A block whose body is the one that its header commits to.
#[derive(Debug)]
pub(crate) struct Full {
    pub(crate) block: BlockRef,
    pub(crate) parent: B256,
    /// The block without what follows from elsewhere.
    pub(crate) packed: Vec<u8>,
}

impl<'a> Parts<'a> {
    /// Take the block at the front of `rest` apart.
    fn split(rest: &mut &'a [u8]) -> Result<Self, BlockError> {
        let mut parts = list("block", rest)?;
        let mut items = list("header", &mut parts)?;
        let body = parts;
        let mut header = Vec::with_capacity(HEADER_ITEMS_MAX);
        while !items.is_empty() {
            if header.len() == HEADER_ITEMS_MAX {
                return Err(header_items(HEADER_ITEMS_MAX + 1));
            }
            let (is_list, whole) = item("header item", &mut items)?;
            if is_list {
                return Err(unreadable("header item", alloy_rlp::Error::UnexpectedList));
            }
            header.push(whole);
        }
        if header.len() < HEADER_ITEMS_MIN {
            return Err(header_items(header.len()));
        }
        let transactions = list_item("transactions", &mut parts)?;
        let ommers = list_item("ommers", &mut parts)?;
        let withdrawals = if parts.is_empty() { None } else { Some(list_item("withdrawals", &mut parts)?) };
        if !parts.is_empty() {
            return Err(BlockError::Trailing { left: parts.len() });
        }
        Ok(Self { header, body, transactions, ommers, withdrawals })
    }

    fn item(&self, at: usize) -> &'a [u8] {
        self.header.get(at).copied().unwrap_or_default()
    }

    fn hash(&self, field: &'static str, at: usize) -> Result<B256, BlockError> {
        B256::decode(&mut self.item(at)).map_err(|error| unreadable(field, error))
    }

    fn number(&self) -> Result<u64, BlockError> {
        u64::decode(&mut self.item(position::NUMBER)).map_err(|error| unreadable("number", error))
    }

    /// Hold ommers and withdrawals against the header; give the root over the transactions. `items` is how many there may
    /// be, and goes down by how many there are.
    fn check_body(&self, items: &mut usize) -> Result<B256, BlockError> {
        same("ommers hash", self.hash("ommers hash", position::OMMERS_HASH)?, keccak256(self.ommers))?;
        let transactions = leaves("transactions", self.transactions, items, trie_leaf)?;
        let commits = self.header.len() > position::WITHDRAWALS_ROOT;
        if commits != self.withdrawals.is_some() {
            let parts = 3 + usize::from(self.withdrawals.is_some());
            return Err(BlockError::Withdrawals { header_items: self.header.len(), parts });
        }
        if let Some(withdrawals) = self.withdrawals {
            let withdrawals = leaves("withdrawals", withdrawals, items, Ok)?;
            // No withdrawals may stand under any root in a block of the OP Stack: from Isthmus on, its header has another root in
            // that place. Such a block begins with a deposit.
            let deposit = transactions.first().is_some_and(|first| first.first() == Some(&DEPOSIT_TYPE));
            if !(deposit && withdrawals.is_empty()) {
                let declared = self.hash("withdrawals root", position::WITHDRAWALS_ROOT)?;
                same("withdrawals root", declared, root(&withdrawals))?;
            }
        }
        Ok(root(&transactions))
    }

    /// The header with these two items in it.
    fn header_with(&self, parent: &[u8], transactions_root: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(700);
        for (at, item) in self.header.iter().enumerate() {
            payload.extend_from_slice(match at {
                position::PARENT_HASH => parent,
                position::TRANSACTIONS_ROOT => transactions_root,
                _ => item,
            });
        }
        listed(&[&payload])
    }
}

/// Read a whole block as a node gives it.
pub(crate) fn read(mut rlp: &[u8], items: &mut usize) -> Result<Full, BlockError> {
    let parts = Parts::split(&mut rlp)?;
    if !rlp.is_empty() {
        return Err(BlockError::Trailing { left: rlp.len() });
    }
    let computed = parts.check_body(items)?;
    let field = "transactions root";
    same(field, parts.hash(field, position::TRANSACTIONS_ROOT)?, computed)?;
    let parent = parts.hash("parent hash", position::PARENT_HASH)?;
    let header =
        parts.header_with(parts.item(position::PARENT_HASH), parts.item(position::TRANSACTIONS_ROOT));
    let block = BlockRef { number: parts.number()?, hash: keccak256(&header) };
    let packed = listed(&[&parts.header_with(&EMPTY, &EMPTY), parts.body]);
    Ok(Full { block, parent, packed })
}

/// Take the packed block at the front of `rest` and fill in what was left out: the block, and its whole RLP.
pub(crate) fn rebuild(
    rest: &mut &[u8],
    parent: B256,
    items: &mut usize,
) -> Result<(BlockRef, Vec<u8>), BlockError> {
    let parts = Parts::split(rest)?;
    for (field, at) in
        [("parent hash", position::PARENT_HASH), ("transactions root", position::TRANSACTIONS_ROOT)]
    {
        let item = parts.item(at);
        if item != EMPTY {
            return Err(BlockError::NotLeftOut { field, length: item.len().saturating_sub(1) });
        }
    }
    let root = parts.check_body(items)?;
    let header = parts.header_with(&alloy_rlp::encode(parent), &alloy_rlp::encode(root));
    let block = BlockRef { number: parts.number()?, hash: keccak256(&header) };
    Ok((block, listed(&[&header, parts.body])))
}

fn unreadable(part: &'static str, error: alloy_rlp::Error) -> BlockError {
    BlockError::Part { part, detail: error.to_string() }
}

const fn header_items(found: usize) -> BlockError {
    BlockError::HeaderItems { found, least: HEADER_ITEMS_MIN, most: HEADER_ITEMS_MAX }
}

fn same(field: &'static str, declared: B256, computed: B256) -> Result<(), BlockError> {
    if declared == computed { Ok(()) } else { Err(BlockError::Root { field, declared, computed }) }
}

/// A list of what stands in `pieces`.
fn listed(pieces: &[&[u8]]) -> Vec<u8> {
    let payload_length = pieces.iter().map(|piece| piece.len()).sum();
    let header = Header { list: true, payload_length };
    let mut out = Vec::with_capacity(header.length_with_payload());
    header.encode(&mut out);
    for piece in pieces {
        out.extend_from_slice(piece);
    }
    out
}

/// The payload of the list at the front.
fn list<'a>(part: &'static str, rest: &mut &'a [u8]) -> Result<&'a [u8], BlockError> {
    Header::decode_bytes(rest, true).map_err(|error| unreadable(part, error))
}

/// The next item with its prefix, and whether it is a list.
fn item<'a>(part: &'static str, rest: &mut &'a [u8]) -> Result<(bool, &'a [u8]), BlockError> {
    let short = || unreadable(part, alloy_rlp::Error::InputTooShort);
    let start = *rest;
    let header = Header::decode(rest).map_err(|error| unreadable(part, error))?;
    let (_, after) = rest.split_at_checked(header.payload_length).ok_or_else(short)?;
    *rest = after;
    Ok((header.list, start.get(..start.len() - after.len()).ok_or_else(short)?))
}

/// The next item with its prefix, which is a list.
fn list_item<'a>(part: &'static str, rest: &mut &'a [u8]) -> Result<&'a [u8], BlockError> {
    match item(part, rest)? {
        (true, whole) => Ok(whole),
        (false, _) => Err(unreadable(part, alloy_rlp::Error::UnexpectedString)),
    }
}

/// What the root over a list is computed over.
fn leaves<'a>(
    part: &'static str,
    mut whole: &'a [u8],
    left: &mut usize,
    leaf: impl Fn(&'a [u8]) -> Result<&'a [u8], BlockError>,
) -> Result<Vec<&'a [u8]>, BlockError> {
    let mut payload = list(part, &mut whole)?;
    let mut leaves = Vec::new();
    while !payload.is_empty() {
        if leaves.len() == *left {
            return Err(BlockError::TooManyItems { left: *left });
        }
        leaves.push(leaf(item(part, &mut payload)?.1)?);
    }
    *left -= leaves.len();
    Ok(leaves)
}

/// What the transactions trie holds: a legacy transaction's list, or a typed one's bytes without the string prefix.
fn trie_leaf(transaction: &[u8]) -> Result<&[u8], BlockError> {
    if transaction.first().is_some_and(|first| *first >= alloy_rlp::EMPTY_LIST_CODE) {
        return Ok(transaction);
    }
    let mut rest = transaction;
    let typed = Header::decode_bytes(&mut rest, false).map_err(|error| unreadable("transactions", error))?;
    if typed.is_empty() {
        return Err(BlockError::Part { part: "transactions", detail: "an empty transaction".to_owned() });
    }
    // The leaf would be that of the same list without the string: two bodies under one hash.
    if typed.first().is_some_and(|first| *first >= alloy_rlp::EMPTY_LIST_CODE) {
        return Err(unreadable("transactions", alloy_rlp::Error::UnexpectedString));
    }
    Ok(typed)
}

fn root(leaves: &[&[u8]]) -> B256 {
    ordered_trie_root_with_encoder(leaves, |leaf, out| out.put_slice(leaf))
}
