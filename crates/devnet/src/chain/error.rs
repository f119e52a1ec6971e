//! Why an embedded chain refused or failed.

use std::net::SocketAddr;

use alloy::primitives::B256;
use ethrex_blockchain::error::{ChainError, InvalidForkChoice};
use ethrex_storage::error::StoreError;
use thiserror::Error;

use crate::lies::LieError;

/// What can go wrong with an embedded chain.
#[derive(Debug, Error)]
pub enum DevChainError {
    /// A setting that no chain can run with.
    #[error("chain {name}: {field} {problem}")]
    Config {
        /// Name of the chain.
        name: String,
        /// The setting.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The port is taken or forbidden.
    #[error(
        "no JSON-RPC endpoint on {address}: {source}; choose another port or end the process that holds it"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The client's store failed.
    #[error("store: {0}")]
    Store(Box<StoreError>),
    /// The client could not build or import a block.
    #[error("block {number}: {source}")]
    Block {
        /// Number of the block in work.
        number: u64,
        /// The client's reason.
        source: Box<ChainError>,
    },
    /// The client did not take the head, safe and finalized blocks.
    #[error("fork choice {head}: {source}")]
    ForkChoice {
        /// The head asked for.
        head: B256,
        /// The client's reason.
        source: Box<InvalidForkChoice>,
    },
    /// The canonical chain has no such block, or its state is no longer held.
    #[error("no block {number} on this chain")]
    MissingBlock {
        /// Number asked for.
        number: u64,
    },
    /// A reorganisation that drops nothing, or the genesis block.
    #[error("cannot drop {depth} blocks: the head is block {head}")]
    ReorgDepth {
        /// Blocks to drop.
        depth: u64,
        /// Number of the head.
        head: u64,
    },
    /// A replayed block came out different: the client is not deterministic, or its configuration differs.
    #[error("replay of block {number}: hash {computed}, the original has {declared}")]
    Replay {
        /// Number of the block.
        number: u64,
        /// Hash of the original.
        declared: B256,
        /// Hash of the replay.
        computed: B256,
    },
    /// Bytes that are no block.
    #[error("block {number} is not readable: {problem}")]
    Unreadable {
        /// The number that it should have.
        number: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes that are no transaction.
    #[error("chain {name}: no transaction: {problem}")]
    Transaction {
        /// Name of the chain.
        name: String,
        /// What is wrong with them.
        problem: String,
    },
    /// A lie could not be made.
    #[error(transparent)]
    Lie(#[from] LieError),
    /// The task that does the work panicked or was cancelled.
    #[error("worker of chain {name}: {source}")]
    Worker {
        /// Name of the chain.
        name: String,
        /// What the runtime said.
        source: tokio::task::JoinError,
    },
}

impl From<StoreError> for DevChainError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}
