//! An L1 with restaking and nothing else, for tests of whatever deals with operators.

use super::{
    CoreLine, Founder, PAST_BLOCKS, Parties, Restaking, RestakingError, SEATS_MAX, SET_UP_BLOCKS,
    SNAPSHOT_INTERVAL_BLOCKS,
};
use crate::{ChainConfig, DevChain, network::Secrets};
use alloy::primitives::U256;
use hum_bls::SecretKey;
use hum_types::{B256, ChainId};

/// Time between its blocks, in milliseconds: nobody here needs a real second.
const BLOCK_TIME_MS: u64 = 50;

/// A deployment with a first committee on an L1 of its own: no rollup, no process.
///
/// Operators are numbered: the founders, who have joined, and after them newcomers, who have ether and tokens.
pub struct RestakedL1 {
    /// The L1, which makes blocks of its own until it is paused.
    pub chain: DevChain,
    /// What stands there.
    pub restaking: Restaking,
    secrets: Secrets,
}

impl std::fmt::Debug for RestakedL1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestakedL1").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl RestakedL1 {
    /// Start one.
    pub async fn start(line: &CoreLine, founders: usize, newcomers: usize) -> Result<Self, RestakingError> {
        let secrets = Secrets::new(B256::repeat_byte(7));
        let founder = |index| Founder {
            account: secrets.secret("operator", index),
            bls: secrets.bls(index),
            network_key: secrets.secret("network", index),
            // Nobody listens there: nobody connects.
            endpoint: ([127, 0, 0, 1], 9).into(),
        };
        let spares: Vec<_> =
            (founders..founders + newcomers).map(|index| secrets.address("operator", index)).collect();
        let accounts = (0..founders + newcomers).map(|index| secrets.address("operator", index));
        let wealth = U256::from(10).pow(U256::from(24));
        let chain = DevChain::start(ChainConfig {
            prefunded: accounts.chain([secrets.address("owner", 0)]).map(|who| (who, wealth)).collect(),
            block_time_ms: BLOCK_TIME_MS,
            paused: true,
            genesis_age_s: PAST_BLOCKS + SET_UP_BLOCKS,
            ..ChainConfig::new("l1", ChainId(900))
        })
        .await?;
        let parties = Parties {
            owner: secrets.secret("owner", 0),
            seats_max: SEATS_MAX,
            snapshot_interval_blocks: SNAPSHOT_INTERVAL_BLOCKS,
            rollups: &[],
            founders: &(0..founders).map(founder).collect::<Vec<_>>(),
            spares: &spares,
        };
        let restaking = Restaking::set_up_on(line, &chain, parties).await?;
        chain.resume();
        Ok(Self { chain, restaking, secrets })
    }

    /// Secret of an operator's account.
    #[must_use]
    pub fn account(&self, operator: usize) -> B256 {
        self.secrets.secret("operator", operator)
    }

    /// An operator's BLS key.
    #[must_use]
    pub fn bls(&self, operator: usize) -> SecretKey {
        self.secrets.bls(operator)
    }
}
