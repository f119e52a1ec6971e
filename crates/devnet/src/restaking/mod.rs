//! Restaking on the local L1: EigenLayer's own core, our contracts on it, and operators with real stake.

mod core;
mod draft;
mod parameters;
#[cfg(test)]
mod tests;

pub use self::core::{Core, CoreCode};
pub(crate) use draft::{Author, Draft};

use crate::DevChainError;

/// Why restaking could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum RestakingError {
    /// The L1 failed.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// A transaction reverted.
    #[error("{what} reverted in block {block} of the L1")]
    Reverted {
        /// What it was for.
        what: String,
        /// The block.
        block: u64,
    },
    /// A secret that is no secp256k1 key.
    #[error("an account's secret is no secp256k1 key")]
    Secret,
    /// A transaction could not be signed.
    #[error("signing failed: {0}")]
    Sign(String),
    /// The committed bytecode of the core cannot be used.
    #[error("contracts/eigenlayer/core.json: {0}")]
    CoreCode(String),
}
