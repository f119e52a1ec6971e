//! What a sequencer is told.

use hum_node::config::{DirectoryError, ROLE_VERSION, RoleDirectory};
use hum_types::{Address, B256, Domain, RegistrationId};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// A sequencer's file. Keys: `sequencer`, and `desk` (the token that its publisher shares).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequencerConfig {
    /// [`ROLE_VERSION`].
    pub version: u32,
    /// The rollup's name.
    pub name: String,
    /// The network's domain: what claims are signed for.
    pub domain: Domain,
    /// The rollup's registration.
    pub registration: RegistrationId,
    /// The genesis file.
    pub genesis: PathBuf,
    /// The hash of the block that it gives: whatever client there is, it must start from it.
    pub genesis_hash: B256,
    /// Milliseconds between blocks.
    pub block_time_ms: u64,
    /// How many blocks the `safe` tag stays behind the head.
    pub safe_depth: u64,
    /// How many blocks the `finalized` tag stays behind the head.
    pub finalized_depth: u64,
    /// Where the embedded client's JSON-RPC is served; unused with `engine`.
    pub rpc: SocketAddr,
    /// Where the desk is, for the publisher.
    pub desk: SocketAddr,
    /// Where status and metrics are served.
    pub api: SocketAddr,
    /// The execution client that builds the blocks; the embedded one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineConfig>,
}

/// An execution client of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// URL of its Engine API.
    pub url: String,
    /// The file with the secret that it shares: 32 bytes in hex.
    pub jwt: PathBuf,
    /// URL of its ordinary JSON-RPC, which the desk reads.
    pub rpc: String,
    /// Receives the fees of every block.
    #[serde(default)]
    pub fee_recipient: Address,
    /// Milliseconds that a payload is let grow.
    #[serde(default = "build_ms")]
    pub build_ms: u64,
}

/// What a client needs to fill a block of our size.
const fn build_ms() -> u64 {
    200
}

impl EngineConfig {
    /// A client at these URLs that shares the secret in the file `jwt`.
    #[must_use]
    pub const fn new(url: String, jwt: PathBuf, rpc: String) -> Self {
        Self { url, jwt, rpc, fee_recipient: Address::ZERO, build_ms: build_ms() }
    }
}

impl SequencerConfig {
    /// Read the role's file and check its version.
    pub fn load(directory: &RoleDirectory) -> Result<Self, DirectoryError> {
        let config: Self = directory.read()?;
        let (found, expected) = (config.version, ROLE_VERSION);
        if found == expected {
            Ok(config)
        } else {
            Err(DirectoryError::Version { path: directory.file(), found, expected })
        }
    }
}
