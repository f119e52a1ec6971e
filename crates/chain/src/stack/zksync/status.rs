//! What a ZKsync node says about batches. One node's word: [`super::settlement`] is what L1 says.

use crate::{ReadError, rpc::RpcChain, stack::wire::Rest};
use alloy_primitives::U64;
use hum_types::{Address, B256};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatus {
    /// Not yet on L1.
    Sealed,
    /// On L1, and executed there; older nodes say so for every batch that L1 has.
    Verified,
}

/// Hashes of the system's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemCode {
    /// The bootloader's.
    pub bootloader: B256,
    /// The default account's.
    pub default_aa: B256,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// Progress that block and batch have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchDetails {
    /// The batch's number, or the block's in [`BlockDetails`].
    pub number: u64,
    /// Seconds.
    pub timestamp: u64,
    /// Transactions that L1 asked for.
    pub l1_tx_count: u64,
    /// Other transactions.
    pub l2_tx_count: u64,
    /// A batch's state root; a block's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_hash: Option<B256>,
    /// How far it is.
    pub status: BatchStatus,
    /// L1 transaction that committed the batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_tx_hash: Option<B256>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<String>,
    /// L1 transaction that proved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove_tx_hash: Option<B256>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<String>,
    /// L1 transaction that executed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute_tx_hash: Option<B256>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_at: Option<String>,
    /// L1's gas price, in wei.
    pub l1_gas_price: u64,
    /// The chain's gas price, in wei.
    pub l2_fair_gas_price: u64,
    /// Hashes of the system's code.
    pub base_system_contracts_hashes: SystemCode,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// The result of `zks_getBlockDetails`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDetails {
    /// The batch that the block is in.
    pub l1_batch_number: u64,
    /// Who runs the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_address: Option<Address>,
    /// The protocol's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// Progress.
    #[serde(flatten)]
    pub progress: BatchDetails,
}

impl BlockDetails {
    /// Ask a node.
    pub async fn read(node: &RpcChain, number: u64) -> Result<Self, ReadError> {
        node.ask("zks_getBlockDetails", json!([number])).await
    }
}

impl BatchDetails {
    /// Ask a node.
    pub async fn read(node: &RpcChain, batch: u64) -> Result<Self, ReadError> {
        node.ask("zks_getL1BatchDetails", json!([batch])).await
    }

    /// What a claim on the batch's blocks binds beside their hashes: the state root after it. `None` until the batch
    /// is sealed and its root computed, and until then nothing can be claimed.
    #[must_use]
    pub const fn state_commitment(&self) -> Option<B256> {
        self.root_hash
    }

    /// The newest batch that a node has.
    pub async fn newest(node: &RpcChain) -> Result<u64, ReadError> {
        let number: U64 = node.ask("zks_L1BatchNumber", json!([])).await?;
        Ok(number.to())
    }

    /// First and last block of a batch.
    pub async fn blocks(node: &RpcChain, batch: u64) -> Result<(u64, u64), ReadError> {
        let (first, last): (U64, U64) = node.ask("zks_getL1BatchBlockRange", json!([batch])).await?;
        Ok((first.to(), last.to()))
    }
}
