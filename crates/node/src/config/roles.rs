//! What each role is told beside the network file.

use super::{DirectoryError, RoleDirectory};
use crate::own_node::NodeEntry;
use hum_types::ChainId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// The version of role files that this binary writes and reads.
pub const ROLE_VERSION: u32 = 1;

macro_rules! role {
    ($name:ident) => {
        impl $name {
            /// Read the role's file and check its version.
            pub fn load(directory: &RoleDirectory) -> Result<Self, DirectoryError> {
                load(directory, |config: &Self| config.version)
            }
        }
    };
}

fn load<T: DeserializeOwned>(directory: &RoleDirectory, version: fn(&T) -> u32) -> Result<T, DirectoryError> {
    let config = directory.read()?;
    let (found, expected) = (version(&config), ROLE_VERSION);
    if found == expected {
        Ok(config)
    } else {
        Err(DirectoryError::Version { path: directory.file(), found, expected })
    }
}

/// An operator's file. Keys: `network`, `bls`; `account` where `hum operator register` sends transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorConfig {
    /// [`ROLE_VERSION`].
    pub version: u32,
    /// The network file.
    pub network: PathBuf,
    /// Where peers connect.
    pub listen: SocketAddr,
    /// Where peers reach it from outside, when that is not `listen`: what is registered on L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<SocketAddr>,
    /// JSON-RPC of the operator's own L1 node; the network file's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_rpc: Option<String>,
    /// URL of the beacon node of that L1, from which batches in blobs are read; the network file's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_beacon: Option<String>,
    /// Where the HTTP API and the metrics are served.
    pub api: SocketAddr,
    /// The operator's own nodes of rollups that it judges, by chain id: a JSON-RPC URL, or `{rpc, second}` with a second
    /// source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<ChainId, NodeEntry>,
    /// Threads of the runtime.
    pub threads: usize,
    /// Whether peers on private and loopback addresses are allowed.
    #[serde(default)]
    pub private_addresses: bool,
}
role!(OperatorConfig);

impl OperatorConfig {
    /// Where peers reach it: what is registered on L1.
    #[must_use]
    pub fn endpoint(&self) -> SocketAddr {
        self.endpoint.unwrap_or(self.listen)
    }
}

/// Where a batch's data stand on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchData {
    /// In the calldata of the transaction that posts it.
    #[default]
    Calldata,
    /// In its blobs: more room, at another price, kept by L1 for some 18 days.
    Blobs,
    /// In blobs where the L1 has them and a beacon node is known from which they can be read, else in calldata.
    Auto,
}

/// How a rollup's batches are posted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatcherConfig {
    /// JSON-RPC of the L1 node that batches are posted through; the publisher's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_rpc: Option<String>,
    /// Where the data go.
    #[serde(default)]
    pub data: BatchData,
    /// Milliseconds between two batches that are not full.
    pub interval_ms: u64,
    /// Most bytes of a batch's data in calldata; in blobs, as many as a transaction's blobs carry.
    pub data_bytes_max: usize,
    /// Blocks below the newest claimed one that stay out of a batch.
    pub depth: u64,
    /// Wei that may be spent in one hour.
    pub spend_cap_wei: u128,
    /// Wei below which the batcher raises an alarm.
    pub low_balance_wei: u128,
}

/// A publisher's file. Keys: `network`, and `desk` (the token of the sequencer's desk) or `sequencer`; `batcher` where it
/// posts batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublisherConfig {
    /// [`ROLE_VERSION`].
    pub version: u32,
    /// The network file.
    pub network: PathBuf,
    /// The rollup.
    pub chain_id: ChainId,
    /// The rollup's member file ([`MemberFile`](super::MemberFile)), when the network file does not list it because it joined
    /// later or is about to. Its profile names this publisher's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<PathBuf>,
    /// JSON-RPC of the rollup's own node.
    pub rpc: String,
    /// URL of the sequencer's desk, which signs only what the sequencer made. Without one the publisher holds the
    /// sequencer's key itself, and `rpc` must be the sequencer's own feed.
    #[serde(default)]
    pub sequencer: Option<String>,
    /// JSON-RPC of the publisher's own L1 node, which tells who the operators are; the network file's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_rpc: Option<String>,
    /// Where peers connect.
    pub listen: SocketAddr,
    /// Where status and metrics are served.
    pub api: SocketAddr,
    /// How it posts the rollup's batches on L1; when absent, it posts none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batcher: Option<BatcherConfig>,
    /// Whether peers on private and loopback addresses are allowed.
    #[serde(default)]
    pub private_addresses: bool,
}
role!(PublisherConfig);

/// A relayer's file. Keys: `network`, `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayerConfig {
    /// [`ROLE_VERSION`].
    pub version: u32,
    /// The network file.
    pub network: PathBuf,
    /// Member files ([`MemberFile`](super::MemberFile)) of rollups that the network file does not list and that it delivers to
    /// from the start. It learns by itself of others that join; these need not have joined yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<PathBuf>,
    /// Where it delivers to, by chain id; to every member, those that join later included, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destinations: Option<Vec<ChainId>>,
    /// JSON-RPC of the relayer's own L1 node, which tells who the operators are; the network file's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_rpc: Option<String>,
    /// Where peers connect.
    pub listen: SocketAddr,
    /// Where status and metrics are served.
    pub api: SocketAddr,
    /// Wei that may be spent in one hour on one chain.
    pub spend_cap_wei: u128,
    /// Wei below which the relayer raises an alarm.
    pub low_balance_wei: u128,
    /// Whether peers on private and loopback addresses are allowed.
    #[serde(default)]
    pub private_addresses: bool,
}
role!(RelayerConfig);

/// A watcher's file. Keys: `network`, `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatcherConfig {
    /// [`ROLE_VERSION`].
    pub version: u32,
    /// The network file.
    pub network: PathBuf,
    /// JSON-RPC of the watcher's own L1 node; the network file's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_rpc: Option<String>,
    /// Where peers connect.
    pub listen: SocketAddr,
    /// Where status and metrics are served.
    pub api: SocketAddr,
    /// JSON-RPC of the watcher's own nodes of the members, by chain id; the network file's for those that are absent. They
    /// serve proofs (`eth_getProof`) back to the members' anchors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rollup_rpcs: BTreeMap<ChainId, String>,
    /// Wei that may be spent in one hour.
    pub spend_cap_wei: u128,
    /// Wei that bonds of challenges may come to: those that are out, and those that were lost in the hour. Nothing is
    /// challenged with 0.
    #[serde(default)]
    pub bond_cap_wei: u128,
    /// Milliseconds for which the claim of an attested head is waited and asked for before the head is challenged.
    #[serde(default = "claim_wait_ms")]
    pub claim_wait_ms: u64,
    /// Milliseconds between two looks at whether a snapshot of the stakes is due; it is then taken. Absent: others do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots_every_ms: Option<u64>,
    /// Whether peers on private and loopback addresses are allowed.
    #[serde(default)]
    pub private_addresses: bool,
}
role!(WatcherConfig);

/// What watchers wait for a claim when their file does not say.
const fn claim_wait_ms() -> u64 {
    10_000
}
