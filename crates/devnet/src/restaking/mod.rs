//! Restaking on the local L1: EigenLayer's own core, our contracts on it, and operators with real stake.

mod contracts;
mod core;
mod draft;
mod enrol;
mod parameters;
mod stage;
#[cfg(test)]
mod tests;

pub use self::core::{Core, CoreCode, CoreLine};
pub(crate) use contracts::RollupFacts;
pub use contracts::{Judges, Restaking};
pub(crate) use draft::{Author, Draft};
pub(crate) use enrol::Founder;
pub use parameters::SNAPSHOT_INTERVAL_BLOCKS;
pub(crate) use parameters::{OPERATORS_MAX, PAST_BLOCKS, SEATS_MAX, STAKE_TOKENS};
pub use stage::RestakedL1;

use crate::{DevChain, DevChainError};
use hum_types::{Address, B256};

/// Blocks that setting everything up takes at most, so that the L1's past is long enough for them.
pub(crate) const SET_UP_BLOCKS: u64 = 64;

/// Who and what a local deployment is made for.
#[derive(Debug)]
pub(crate) struct Parties<'a> {
    /// Secret of the account that deploys everything; it has sent nothing yet.
    pub(crate) owner: B256,
    /// Seats of a committee.
    pub(crate) seats_max: u16,
    /// Blocks between two snapshots when nobody joined, left or was slashed.
    pub(crate) snapshot_interval_blocks: u32,
    /// The members.
    pub(crate) rollups: &'a [RollupFacts],
    /// The operators of the first committee.
    pub(crate) founders: &'a [Founder],
    /// Accounts that operators who join later will use.
    pub(crate) spares: &'a [Address],
}

impl Restaking {
    /// The same as [`Self::set_up_on`], on EigenLayer's own core.
    pub(crate) async fn set_up(l1: &DevChain, parties: Parties<'_>) -> Result<Self, RestakingError> {
        Self::set_up_on(&CoreLine::EigenLayer, l1, parties).await
    }

    /// Make the L1's past, deploy everything, and let the founders in. The L1 must be paused and have no blocks; afterwards
    /// the first snapshot is final there.
    pub(crate) async fn set_up_on(
        line: &CoreLine,
        l1: &DevChain,
        parties: Parties<'_>,
    ) -> Result<Self, RestakingError> {
        let Parties { owner, seats_max, snapshot_interval_blocks, rollups, founders, spares } = parties;
        l1.mine(PAST_BLOCKS).await?;
        let mut owner = Author::new(owner, 0)?;
        let mut accounts = Vec::with_capacity(founders.len() + spares.len());
        for founder in founders {
            accounts.push(Author::new(founder.account, 0)?.address());
        }
        accounts.extend_from_slice(spares);
        let mut draft = Draft::new(l1);
        let core = Core::draft(&mut draft, &mut owner, line)?;
        let chain_id = l1.config().chain_id;
        let restaking = Self::draft(
            &mut draft,
            &mut owner,
            chain_id,
            &core,
            (seats_max, snapshot_interval_blocks),
            rollups,
            &accounts,
        )?;
        draft.mine().await?;
        restaking.enrol(l1, &mut owner, founders).await?;
        l1.mine(l1.config().finalized_depth).await?;
        Ok(restaking)
    }
}

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
    /// Keys that form no committee.
    #[error("the operators form no committee: {0}")]
    Committee(String),
    /// The committed bytecode of the core cannot be used.
    #[error("contracts/eigenlayer/core.json: {0}")]
    CoreCode(String),
}
