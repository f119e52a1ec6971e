//! Read and write EVM chains behind two traits, [`Chain`] and [`Submit`].
//!
//! This crate decides nothing about Hum's protocol, keeps no state across restarts, and believes nothing that it can
//! check: a block's bytes must hash to the hash that was asked for. The simulated chain implements the same traits.
//!
//! ```text
//! publisher, relayer, demos ─▶ Chain, Submit ─┬─▶ rpc: a node's JSON-RPC (alloy, tokio)
//!                                             └─▶ sim: a chain in virtual time
//! contracts: ABI bindings, CREATE2 addresses, idempotent deployment
//! stack: one adapter each for Ethereum, the OP Stack, Nitro and ZKsync
//! replay: recorded answers in place of a node that cannot run here
//! beacon: Blobs, as a beacon node's REST interface gives them
//! restaking: EigenLayer's core and our service manager, as L1 shows them
//! ```
//!
//! Invariants: every answer is bounded in size and time; every failure says whether trying again can help
//! ([`Disposition`]); no type of the RPC library leaves this crate.

mod backoff;
pub mod beacon;
mod blobs;
mod block;
pub mod contracts;
mod error;
mod proof;
pub mod replay;
pub mod restaking;
pub mod rpc;
pub mod sequencer;
pub mod stack;

pub use backoff::Backoff;
pub use blobs::{BlobBytesError, Blobs, GAS_PER_BLOB, versioned_hash};
pub use block::BlockBytesError;
pub use error::{Disposition, ReadError, SubmitError};
pub use proof::{ProvenSlot, StateProof, StateProofError};
pub use sequencer::{HeadSigner, LocalKey, SignError};

use alloy_primitives::U256;
use futures::future::BoxFuture;
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence, TimeMs};
use std::fmt::Debug;

/// A chain as one node shows it. Nothing here is trusted beyond what the method says it checks.
pub trait Chain: Debug + Send + Sync + 'static {
    /// The chain, checked when the connection was made and after each break of it.
    fn chain_id(&self) -> ChainId;

    /// The node's head for one of its own tags. [`ReadError::Missing`] when it has none yet.
    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>>;

    /// A block of the node's canonical chain (or any that it knows, by hash); `None` when it has no such block.
    /// The hash is computed from the bytes, and the number and a hash that was asked for are checked against them.
    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>>;

    /// What re-executing `block` reads. Not checked: whoever re-executes will.
    fn witness(&self, block: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>>;

    /// Logs of canonical blocks, in chain order.
    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>>;

    /// What a call returns. [`ReadError::Reverted`] carries the revert data.
    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>>;

    /// One storage word.
    fn storage(&self, account: Address, slot: B256, at: At) -> BoxFuture<'_, Result<B256, ReadError>>;

    /// Trie nodes that prove an account's storage words, or their absence, in the state of a block. Not checked:
    /// [`StateProof::check`] does, against the state root that matters to the caller.
    fn proof(
        &self,
        account: Address,
        slots: Vec<B256>,
        at: At,
    ) -> BoxFuture<'_, Result<StateProof, ReadError>> {
        let _ = (account, slots, at);
        let (method, advice) = ("eth_getProof", "ask a node that proves its state");
        Box::pin(std::future::ready(Err(ReadError::Unsupported { method, advice })))
    }

    /// An account's code; empty when it has none.
    fn code(&self, account: Address, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>>;

    /// An account's balance in wei at the newest block.
    fn balance(&self, account: Address) -> BoxFuture<'_, Result<U256, ReadError>>;

    /// Transactions that an account has had included at the newest block.
    fn nonce(&self, account: Address) -> BoxFuture<'_, Result<u64, ReadError>>;
}

/// Sends transactions of one account. Calls may come at the same time; nonces are its business.
pub trait Submit: Debug + Send + Sync + 'static {
    /// The chain it sends to.
    fn chain_id(&self) -> ChainId;

    /// The account that pays.
    fn sender(&self) -> Address;

    /// What the account has left, in wei.
    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>>;

    /// What one gas costs at the moment, in wei, already capped.
    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>>;

    /// What one gas of blobs costs at the moment, in wei.
    fn blob_gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        let (method, advice) = ("eth_blobBaseFee", "post in calldata: this chain takes no blobs");
        Box::pin(std::future::ready(Err(ReadError::Unsupported { method, advice })))
    }

    /// Gas that the call would use now. [`SubmitError::Rejected`] with the revert data when it would revert.
    fn estimate(&self, call: Call) -> BoxFuture<'_, Result<u64, SubmitError>>;

    /// Send the call and wait until a block has it. A transaction that is included but reverted is an [`Outcome`]
    /// with `success` false; one that would revert is not sent unless it has a gas limit.
    ///
    /// Dropping the future stops the waiting, not the transaction. After [`SubmitError::Unknown`] the call may still
    /// be included, so what is sent must be safe to send twice.
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>>;
}

/// Which block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// The node's head for a tag.
    Tag(Confidence),
    /// The canonical block with this number.
    Number(u64),
    /// The block with this hash.
    Hash(B256),
}

impl At {
    /// The newest block.
    pub const LATEST: Self = Self::Tag(Confidence::Latest);
}

/// A block's bytes, and what its header says. `block.hash` is the hash of the header in `rlp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlock {
    /// Number and hash.
    pub block: BlockRef,
    /// The hash of the block below.
    pub parent_hash: B256,
    /// The state root that the header declares.
    pub state_root: B256,
    /// The header's timestamp.
    pub time_ms: TimeMs,
    /// The whole block, RLP, as `debug_getRawBlock` gives it.
    pub rlp: Bytes,
}

/// A witness as the chain gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawWitness {
    /// The result of `debug_executionWitness`, JSON text, in any node's dialect.
    Json(Bytes),
    /// Hum's own bounded encoding, as `hum-verify` writes it.
    Encoded(Bytes),
}

/// Which logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// First block.
    pub from: u64,
    /// Last block.
    pub to: u64,
    /// Contracts that may have emitted them; empty for all.
    pub addresses: Vec<Address>,
    /// First topics wanted; empty for all.
    pub topics: Vec<B256>,
}

/// One log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Who emitted it.
    pub address: Address,
    /// Its topics, at most four.
    pub topics: Vec<B256>,
    /// Its data.
    pub data: Bytes,
    /// The block it is in.
    pub block: BlockRef,
    /// The transaction it is in.
    pub tx_hash: B256,
    /// Its position in the block.
    pub index: u64,
}

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The contract called.
    pub to: Address,
    /// Call data.
    pub data: Bytes,
    /// Wei sent along.
    pub value: U256,
    /// Gas limit; `None` estimates and adds a margin.
    pub gas_limit: Option<u64>,
    /// Blobs that go with it, 131,072 bytes each; none for most calls.
    pub blobs: Vec<Bytes>,
}

impl Call {
    /// A call without value whose gas is estimated.
    #[must_use]
    pub const fn new(to: Address, data: Bytes) -> Self {
        Self { to, data, value: U256::ZERO, gas_limit: None, blobs: Vec::new() }
    }
}

/// What became of a transaction that a block has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The transaction.
    pub tx_hash: B256,
    /// Whether it ran without reverting.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
    /// Wei it cost, with its blobs, value apart.
    pub fee: U256,
    /// The block that has it.
    pub block: BlockRef,
    /// The logs it emitted.
    pub logs: Vec<Log>,
}
