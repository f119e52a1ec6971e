//! Gas of other protocols' contracts beside ours, on the same EVM with the same recipient.
//!
//! Their code is read from the npm packages that they publish, at pinned versions; none of it is in this repository. Each
//! message carries 64 bytes; the recipient checks its caller, the length, and counts. Figures are `gasUsed` of all
//! transactions that the messages need on the chain in question, steady state: no fourth of a pair is the first to write.
//!
//! LayerZero and CCIP are not measured yet.

mod axelar;
mod hyperlane;
mod packages;
mod signers;

use crate::gas::EvmError;
use alloy_primitives::{Bytes, U256, keccak256};
use hum_types::ChainId;
pub use packages::PackageError;
use serde::Serialize;
use std::path::Path;

/// The chain that everything is measured on.
const HERE: ChainId = ChainId(70_002);
/// Peers that are not measured yet.
pub const NOT_MEASURED: [&str; 2] = ["LayerZero", "CCIP"];
/// Sizes of batches, where a peer has any.
const BATCHES: [u64; 3] = [1, 10, 100];

/// Gas of one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerFigures {
    /// What it is called.
    pub peer: &'static str,
    /// The package measured, `name@version`.
    pub package: String,
    /// One message sent.
    pub send: u64,
    /// Deliveries, by what secures them.
    pub settings: Vec<Setting>,
}

/// Deliveries under one configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// What secures them.
    pub configuration: String,
    /// By size of the batch; only 1 where the protocol has no batches.
    pub delivered: Vec<Delivered>,
}

/// Gas of a batch's transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// Messages in the batch.
    pub messages: u64,
    /// All gas by the messages, rounded up.
    pub gas_each: u64,
}

impl Delivered {
    const fn new(messages: u64, gas: u64) -> Self {
        Self { messages, gas_each: gas.div_ceil(messages) }
    }
}

/// Why a figure could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// A package is not there, or another version.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A transaction did not do what it should.
    #[error(transparent)]
    Evm(#[from] EvmError),
    /// A contract answered something else than it should.
    #[error("unexpected answer: {0}")]
    Answer(String),
}

/// Measure every peer whose packages lie unpacked in `packages`.
pub fn run(packages: &Path) -> Result<Vec<PeerFigures>, PeerError> {
    Ok(vec![hyperlane::run(packages)?, axelar::run(packages)?])
}

/// The 64 bytes that message `number` carries: none of them zero, as in hashes.
fn payload(number: u64) -> Bytes {
    let half = keccak256(number.to_be_bytes());
    [half, keccak256(half)].concat().into()
}

/// Whether the recipient has accepted as many as were delivered.
fn all_counted(counted: &Bytes, delivered: u64) -> Result<(), PeerError> {
    let found = U256::try_from_be_slice(counted).unwrap_or_default();
    if found == U256::from(delivered) {
        return Ok(());
    }
    Err(PeerError::Answer(format!("the recipient counts {found} messages, {delivered} were delivered")))
}

#[cfg(test)]
mod tests;
