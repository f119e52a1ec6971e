//! Bounds on the work that one block can cause.

use crate::verdict::Missing;

/// Bounds on a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WitnessLimits {
    /// Bytes, all parts together.
    pub bytes: usize,
    /// Trie nodes.
    pub nodes: usize,
    /// Contract codes.
    pub codes: usize,
    /// Headers; BLOCKHASH reaches back 256 blocks.
    pub headers: usize,
}

impl Default for WitnessLimits {
    fn default() -> Self {
        Self { bytes: 64 << 20, nodes: 300_000, codes: 20_000, headers: 257 }
    }
}

/// Bounds on a block and its witness. What exceeds them is [`Missing::OverLimit`], never invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the block's RLP. Above EIP-7934's 8 MiB, so that a block above that can be told to be invalid.
    pub block_bytes: usize,
    /// The block's gas limit.
    pub block_gas: u64,
    /// The witness.
    pub witness: WitnessLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self { block_bytes: 10 << 20, block_gas: 200_000_000, witness: WitnessLimits::default() }
    }
}

/// Refuse what is above its limit.
pub(crate) fn within(what: &'static str, declared: usize, most: usize) -> Result<(), Missing> {
    if declared <= most {
        return Ok(());
    }
    Err(Missing::OverLimit { what, declared: declared as u64, most: most as u64 })
}
