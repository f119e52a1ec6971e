//! One adapter per rollup stack: its blocks, its node's status, its place on L1, and how strongly it can be verified.
//!
//! | stack | block's hash binds | class | settled head on L1 |
//! |---|---|---|---|
//! | `ethereum` | everything | re-executed | Hum's own batches |
//! | `op-stack` | everything | re-executed | anchor of the dispute games |
//! | `nitro` | everything, send root included | own node | newest confirmed assertion |
//! | `zksync` | number alone (early), or number, time, parent and transactions | own node | newest executed batch |
//!
//! Nothing of a node's answer is believed that its hash does not bind; [`Binding`] says how much that is. An adapter
//! judges no state transition. No node of Nitro's or ZKsync's and no live L1 could be reached where this was
//! written: their decoding is tested on recorded answers, replayed, not joined live.

mod check;
mod config;
mod detect;
mod envelope;
mod error;
mod ethereum;
mod inclusion;
pub mod nitro;
pub mod op_stack;
mod own;
mod settlement;
#[cfg(test)]
mod tests;
pub mod wire;
pub mod zksync;

pub use config::chain_config;
pub use detect::{DetectError, Detected, Evidence, detect};
pub use error::StackError;
pub use ethereum::Ethereum;
pub use inclusion::Inclusion;
pub use own::{OwnBlock, OwnChain, client_of, read_anchor, read_own};
pub use settlement::{
    Opening, ProvenL1, ReadSettledError, Settled, Settlement, SettlementError, SlotQuery, mapping_slot,
    read_settled, slot,
};

use crate::{At, Chain, RawBlock, ReadError, rpc::RpcChain};
use alloy_primitives::{Bloom, U64, U256};
use futures::future::BoxFuture;
use hum_types::{Address, B256, BlockRef, Bytes, Class, Confidence, TimeMs, keccak256};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt::{self, Debug};

/// Which stack a chain runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackKind {
    /// Ethereum's rules.
    Ethereum,
    /// The OP Stack.
    OpStack,
    /// Arbitrum Nitro.
    Nitro,
    /// ZKsync (Era VM).
    #[serde(rename = "zksync")]
    ZkSync,
}

impl StackKind {
    /// How operators know this stack's heads.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Ethereum | Self::OpStack => Class::Reexecuted,
            Self::Nitro | Self::ZkSync => Class::OwnNode,
        }
    }

    /// The adapter, without contracts on L1.
    #[must_use]
    pub fn adapter(self) -> Box<dyn Stack> {
        match self {
            Self::Ethereum => Box::new(Ethereum),
            Self::OpStack => Box::new(op_stack::OpStack::default()),
            Self::Nitro => Box::new(nitro::Nitro::default()),
            Self::ZkSync => Box::new(zksync::ZkSync::default()),
        }
    }
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ethereum => "ethereum",
            Self::OpStack => "op-stack",
            Self::Nitro => "nitro",
            Self::ZkSync => "zksync",
        })
    }
}

/// What a block's hash commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// Everything in the header, and so state, receipts and logs.
    Contents {
        /// Its state root.
        state_root: B256,
        /// Its receipts root.
        receipts_root: B256,
        /// The bloom filter of all its logs.
        logs_bloom: Box<Bloom>,
    },
    /// Number, time, parent and the transactions' hashes: a claim must bind a state or batch commitment too.
    Transactions,
    /// The number and nothing else: a claim must bind a state or batch commitment too.
    Number,
}

impl Binding {
    /// Whether a claim on such a block is worth nothing without a state or batch commitment beside the hash.
    #[must_use]
    pub const fn needs_commitment(&self) -> bool {
        !matches!(self, Self::Contents { .. })
    }
}

/// A block that has been held against its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackBlock {
    /// The stack by whose rules it was read.
    pub stack: StackKind,
    /// Number and hash.
    pub block: BlockRef,
    /// The block below.
    pub parent_hash: B256,
    /// Its time.
    pub time_ms: TimeMs,
    /// What the hash commits to.
    pub binding: Binding,
    /// Its transactions' hashes, in order.
    pub tx_hashes: Vec<B256>,
    /// The whole block, where the hash is that of its header's RLP.
    pub rlp: Option<Bytes>,
    /// The L1 block that it has seen (OP Stack, Nitro).
    pub l1_block: Option<u64>,
    /// Root over its messages to L1 (Nitro).
    pub send_root: Option<B256>,
    /// The batch that it is in, as the node says (ZKsync).
    pub batch: Option<u64>,
}

impl StackBlock {
    /// The state root that the hash commits to, where it does.
    #[must_use]
    pub const fn state_root(&self) -> Option<B256> {
        match &self.binding {
            Binding::Contents { state_root, .. } => Some(*state_root),
            Binding::Transactions | Binding::Number => None,
        }
    }

    /// The block as the verifier and the wire take it; `None` where the hash binds no such thing.
    #[must_use]
    pub fn raw(&self) -> Option<RawBlock> {
        let (Binding::Contents { state_root, .. }, Some(rlp)) = (&self.binding, &self.rlp) else {
            return None;
        };
        let (state_root, rlp) = (*state_root, rlp.clone());
        let Self { block, parent_hash, time_ms, .. } = *self;
        Some(RawBlock { block, parent_hash, state_root, time_ms, rlp })
    }
}

/// A node's own heads. Only its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// The newest block.
    pub latest: BlockRef,
    /// What the node calls safe.
    pub safe: Option<BlockRef>,
    /// What the node calls final.
    pub finalized: Option<BlockRef>,
}

/// Who may register a chain, by its own contracts on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registrar {
    /// The stack has no contract on L1 that could say: the registry's own rule decides.
    Registry,
    /// The chain's contracts on L1 are not known yet.
    Unknown,
    /// A contract says.
    L1 {
        /// The contract asked.
        contract: Address,
        /// The function that answers.
        getter: &'static str,
        /// The account or contract that governs the chain.
        owner: Address,
        /// The account that signs the sequencer's blocks, where the stack has it on L1.
        signer: Option<Address>,
    },
}

/// One stack.
pub trait Stack: Debug + Send + Sync + 'static {
    /// Which one.
    fn kind(&self) -> StackKind;

    /// How operators know its heads.
    fn class(&self) -> Class {
        self.kind().class()
    }

    /// Whether a block must be fetched with its whole transactions to be held against its hash.
    fn whole_transactions(&self) -> bool {
        self.kind() != StackKind::ZkSync
    }

    /// Hold a node's block against its hash.
    fn block(&self, json: &wire::Block) -> Result<StackBlock, StackError>;

    /// Hold all receipts of a block against it, as far as it binds them.
    fn receipts(&self, block: &StackBlock, receipts: &[wire::Receipt]) -> Result<(), StackError>;

    /// The heads that a node of this stack reports, by the stack's own methods where it has them.
    fn heads<'a>(&'a self, node: &'a RpcChain) -> BoxFuture<'a, Result<Heads, ReadError>>;

    /// Who may register the chain, asked on L1.
    fn registrar<'a>(&'a self, l1: &'a dyn Chain) -> BoxFuture<'a, Result<Registrar, ReadError>>;

    /// How it settles on L1; `None` where the chain has no contracts there, or they are not known.
    fn settlement(&self) -> Option<&dyn Settlement>;
}

/// Fetch a block and hold it against its hash; `None` when the node has no such block.
pub async fn read_block(stack: &dyn Stack, node: &RpcChain, at: At) -> Result<Option<StackBlock>, ReadError> {
    let Some(json) = node.wire_block(at, stack.whole_transactions()).await? else { return Ok(None) };
    let method = "eth_getBlockBy";
    let block = stack.block(&json).map_err(|error| garbage(method, &error))?;
    let (field, declared, computed) = match at {
        At::Number(number) => ("block number", number.to_string(), block.block.number.to_string()),
        At::Hash(hash) => ("block hash", hash.to_string(), block.block.hash.to_string()),
        At::Tag(_) => return Ok(Some(block)),
    };
    if declared == computed {
        return Ok(Some(block));
    }
    Err(ReadError::Mismatch { method, field, declared, computed })
}

/// Fetch the receipts of a block and hold them against it.
pub async fn read_receipts(
    stack: &dyn Stack,
    node: &RpcChain,
    block: &StackBlock,
) -> Result<Vec<wire::Receipt>, ReadError> {
    const ALL: &str = "eth_getBlockReceipts";
    let found: Result<Vec<wire::Receipt>, _> = node.ask(ALL, json!([U64::from(block.block.number)])).await;
    let receipts = match found {
        Err(ReadError::Unsupported { .. }) => {
            let mut receipts = Vec::with_capacity(block.tx_hashes.len());
            for hash in &block.tx_hashes {
                receipts.push(node.ask("eth_getTransactionReceipt", json!([hash])).await?);
            }
            receipts
        }
        found => found?,
    };
    stack.receipts(block, &receipts).map_err(|error| garbage(ALL, &error))?;
    Ok(receipts)
}

/// A block of any stack whose hash is that of its header's RLP, rebuilt from JSON.
pub(crate) fn rebuild(json: &wire::Block) -> Result<RawBlock, StackError> {
    let deposits = matches!(&json.transactions, wire::Transactions::Full(transactions)
        if transactions.first().is_some_and(|first| first.kind_byte() == Some(op_stack::DEPOSIT)));
    let stack = if deposits { StackKind::OpStack } else { StackKind::Ethereum };
    let known = |kind| kind <= 4 || kind == op_stack::DEPOSIT || nitro::KINDS.contains(&kind);
    let block = check::block(stack, json, known)?;
    block.raw().ok_or(StackError::Absent { what: format!("block {}", json.header.number), field: "contents" })
}

/// The heads by the node's three tags; a tag that it does not have yet is `None`.
async fn tagged_heads(node: &RpcChain) -> Result<Heads, ReadError> {
    let tag = async |tag| match node.head(tag).await {
        Ok(head) => Ok(Some(head)),
        // Nodes that do not know a tag, or have no such block yet, say so in an error of their own.
        Err(ReadError::Missing { .. } | ReadError::Node { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(Heads {
        latest: node.head(Confidence::Latest).await?,
        safe: tag(Confidence::Safe).await?,
        finalized: tag(Confidence::Finalized).await?,
    })
}

/// Ask a contract on L1 for an address, by a function without arguments.
async fn l1_address(l1: &dyn Chain, contract: Address, getter: &str, at: At) -> Result<Address, ReadError> {
    let selector = keccak256(getter.as_bytes());
    let data = Bytes::copy_from_slice(selector.get(..4).unwrap_or_default());
    word_as_address(&l1.call(contract, data, at).await?)
}

fn word_as_address(answer: &[u8]) -> Result<Address, ReadError> {
    let refuse = |detail: String| ReadError::Garbage { method: "eth_call", detail };
    let word =
        B256::try_from(answer).map_err(|_| refuse(format!("{} bytes where a word is due", answer.len())))?;
    if U256::from_be_bytes(word.0) >> 160 != U256::ZERO {
        return Err(refuse(format!("{word} is no address")));
    }
    match Address::from_word(word) {
        Address::ZERO => Err(refuse("the zero address".to_owned())),
        address => Ok(address),
    }
}

fn garbage(method: &'static str, error: &StackError) -> ReadError {
    ReadError::Garbage { method, detail: error.to_string() }
}
