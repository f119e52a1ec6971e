//! What op-node says about derivation.
//!
//! These are one node's word. The output root is held against its parts; nothing else here can be.

use crate::{
    ReadError,
    rpc::RpcChain,
    stack::{Heads, StackError, error::same_hash, wire::Rest},
};
use alloy_primitives::U64;
use hum_types::{B256, BlockRef, keccak256};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// An L1 block as op-node names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L1Head {
    /// Its hash.
    pub hash: B256,
    /// Its number.
    pub number: u64,
    /// The block below.
    pub parent_hash: B256,
    /// Seconds.
    pub timestamp: u64,
}

/// An L1 block that an L2 block belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its hash.
    pub hash: B256,
    /// Its number.
    pub number: u64,
}

/// An L2 block as op-node names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L2Head {
    /// Its hash.
    pub hash: B256,
    /// Its number.
    pub number: u64,
    /// The block below.
    pub parent_hash: B256,
    /// Seconds.
    pub timestamp: u64,
    /// Where on L1 it belongs.
    #[serde(rename = "l1origin")]
    pub l1_origin: Origin,
    /// Blocks since the origin changed.
    pub sequence_number: u64,
}

impl L2Head {
    const fn block(&self) -> BlockRef {
        BlockRef { number: self.number, hash: self.hash }
    }
}

/// The result of `optimism_syncStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// Up to where L1 was read.
    pub current_l1: L1Head,
    /// Up to where finalised L1 was read; gone from newer nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_l1_finalized: Option<L1Head>,
    /// L1's newest block.
    pub head_l1: L1Head,
    /// L1's safe block.
    pub safe_l1: L1Head,
    /// L1's final block.
    pub finalized_l1: L1Head,
    /// The newest L2 block.
    pub unsafe_l2: L2Head,
    /// The newest that follows from L1.
    pub safe_l2: L2Head,
    /// The newest that follows from final L1.
    pub finalized_l2: L2Head,
    /// Safe but for blocks of a span still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_safe_l2: Option<L2Head>,
    /// Safe among the interoperable chains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_unsafe_l2: Option<L2Head>,
    /// Safe on this chain alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_safe_l2: Option<L2Head>,
    /// The newest block that waits to be executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_unsafe_l2: Option<L2Head>,
    /// Where the engine is to sync to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_sync_target: Option<L2Head>,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

impl SyncStatus {
    /// Ask an op-node.
    pub async fn read(node: &RpcChain) -> Result<Self, ReadError> {
        node.ask("optimism_syncStatus", json!([])).await
    }

    /// The three heads.
    #[must_use]
    pub const fn heads(&self) -> Heads {
        Heads {
            latest: self.unsafe_l2.block(),
            safe: Some(self.safe_l2.block()),
            finalized: Some(self.finalized_l2.block()),
        }
    }
}

/// The result of `optimism_outputAtBlock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputAtBlock {
    /// Version 0 is all zero.
    pub version: B256,
    /// What L1 would have to hold.
    pub output_root: B256,
    /// The block.
    pub block_ref: L2Head,
    /// Storage root of the message passer.
    pub withdrawal_storage_root: B256,
    /// The block's state root.
    pub state_root: B256,
    /// The node's status at that moment.
    pub sync_status: SyncStatus,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

impl OutputAtBlock {
    /// Ask an op-node for the output of a block, and hold the root against its parts.
    pub async fn read(node: &RpcChain, number: u64) -> Result<Self, ReadError> {
        const METHOD: &str = "optimism_outputAtBlock";
        let found: Self = node.ask(METHOD, json!([U64::from(number)])).await?;
        found.check().map_err(|error| ReadError::Garbage { method: METHOD, detail: error.to_string() })?;
        Ok(found)
    }

    /// The root must be that of the parts.
    pub fn check(&self) -> Result<(), StackError> {
        let output = super::OutputProposal {
            version: self.version,
            state_root: self.state_root,
            message_passer_root: self.withdrawal_storage_root,
            block_hash: self.block_ref.hash,
        };
        same_hash("output root", self.output_root, output.root())
    }
}

impl super::OutputProposal {
    /// keccak256(version, state root, message passer's storage root, block hash).
    #[must_use]
    pub fn root(&self) -> B256 {
        let parts = [self.version, self.state_root, self.message_passer_root, self.block_hash];
        keccak256(parts.map(|part| part.0).concat())
    }
}

/// What `optimism_rollupConfig` says of the chain's place on L1; everything else of it is in `rest`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupConfig {
    /// L1.
    pub l1_chain_id: u64,
    /// The rollup.
    pub l2_chain_id: u64,
    /// Seconds between blocks.
    pub block_time: u64,
    /// Where batches go.
    pub batch_inbox_address: hum_types::Address,
    /// Where deposits come from (the portal).
    pub deposit_contract_address: hum_types::Address,
    /// Where the chain's settings are.
    pub l1_system_config_address: hum_types::Address,
    /// Times of hard forks, genesis and windows, as the node gives them.
    #[serde(flatten)]
    pub rest: Rest,
}

impl RollupConfig {
    /// Ask an op-node.
    pub async fn read(node: &RpcChain) -> Result<Self, ReadError> {
        node.ask("optimism_rollupConfig", json!([])).await
    }
}
