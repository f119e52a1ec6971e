//! The rules of a chain: whose they are, and which fork is active when.

mod ethereum;
mod op;

pub use ethereum::{BlobStep, EthereumRules};
pub use op::{FeeParams, OpRules};

use alloy_eips::eip7840::BlobParams;
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_genesis::ChainConfig;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_op_hardforks::{OpHardfork, OpHardforks};
use alloy_primitives::{Address, B256, U256, keccak256};
use hum_types::ChainId;
use serde::{Deserialize, Serialize};

/// The key under which a chain configuration's JSON says that blocks may repeat their parent's timestamp.
const EQUAL_TIMESTAMPS_KEY: &str = "allowEqualTimestamps";
/// The key under which it says that its state keeps what is empty.
const KEEP_EMPTY_STATE_KEY: &str = "keepEmptyState";

/// Whose rules a chain's blocks follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// Ethereum's, from Cancun to Osaka.
    Ethereum(EthereumRules),
    /// The OP Stack's, from Bedrock to Jovian.
    OpStack(OpRules),
}

/// The rules that a chain's blocks are judged by.
///
/// As JSON it is a chain configuration as Geth writes it (`chainId`, `cancunTime`, …, `blobSchedule`,
/// `depositContractAddress`), and two keys of ours, `allowEqualTimestamps` and `keepEmptyState`. With a key `optimism` it is one as op-geth
/// writes it (`canyonTime`, …, `optimism.eip1559Elasticity`), and the rules are the OP Stack's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ChainConfig", into = "ChainConfig")]
pub struct ChainSpec {
    chain_id: ChainId,
    rules: Rules,
    allow_equal_timestamps: bool,
    keep_empty_state: bool,
}

/// Why a chain configuration is not one that we can judge by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A fork has no time.
    #[error("{fork} has no activation time")]
    NoTime {
        /// The fork.
        fork: &'static str,
    },
    /// A fork comes before the one that it builds on.
    #[error("{fork} at {time} comes before {previous} at {previous_time}")]
    Order {
        /// The later fork.
        fork: &'static str,
        /// Its time.
        time: u64,
        /// The earlier fork.
        previous: &'static str,
        /// Its time.
        previous_time: u64,
    },
    /// A fork changes blob limits, but the schedule does not say to what, or says nonsense.
    #[error("blob schedule of {fork} is missing or makes no sense")]
    Blobs {
        /// The fork.
        fork: &'static str,
    },
    /// A chain that is known to change the rules that its configuration names.
    #[error("chain {chain_id} has rules of its own, which we do not know")]
    OwnRules {
        /// The chain.
        chain_id: ChainId,
    },
    /// A field is missing, zero, or not of its type.
    #[error("{field} is missing or makes no sense")]
    Field {
        /// The field, as the configuration calls it.
        field: &'static str,
    },
}

impl ChainSpec {
    /// Take the rules out of a chain configuration.
    pub fn new(config: &ChainConfig, allow_equal_timestamps: bool) -> Result<Self, SpecError> {
        let rules = match OpRules::from_config(config)? {
            Some(rules) => Rules::OpStack(rules),
            None => Rules::Ethereum(EthereumRules::new(config)?),
        };
        let chain_id = ChainId(config.chain_id);
        Ok(Self { chain_id, rules, allow_equal_timestamps, keep_empty_state: false })
    }

    /// Take the OP Stack's rules out of a rollup configuration, as `optimism_rollupConfig` answers it.
    pub fn from_rollup_config(config: &serde_json::Value) -> Result<Self, SpecError> {
        let (chain_id, rules) = OpRules::from_rollup_config(config)?;
        Ok(Self::op_stack(chain_id, rules))
    }

    /// Rules of a public chain that we know by heart.
    #[must_use]
    pub fn preset(chain_id: ChainId) -> Option<Self> {
        if let Some(rules) = OpRules::preset(chain_id) {
            return Some(Self::op_stack(chain_id, rules));
        }
        Self::new(&EthereumRules::preset(chain_id)?, false).ok()
    }

    const fn op_stack(chain_id: ChainId, rules: OpRules) -> Self {
        let (allow_equal_timestamps, keep_empty_state) = (false, false);
        Self { chain_id, rules: Rules::OpStack(rules), allow_equal_timestamps, keep_empty_state }
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// Whose rules they are.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether a block may have its parent's timestamp.
    #[must_use]
    pub const fn allow_equal_timestamps(&self) -> bool {
        self.allow_equal_timestamps
    }

    /// Whether the state keeps what execution loaded, empty accounts and slots of zero too, as anvil's does up to
    /// version 1.7.1. Ethereum's rules only.
    #[must_use]
    pub const fn keep_empty_state(&self) -> bool {
        self.keep_empty_state
    }

    /// Bit 0: equal timestamps; bit 1: empty state is kept.
    const fn flags(&self) -> u8 {
        self.allow_equal_timestamps as u8 | (self.keep_empty_state as u8) << 1
    }

    /// Whether our rules cover a block with this timestamp, in seconds.
    #[must_use]
    pub fn supports(&self, timestamp: u64) -> bool {
        match &self.rules {
            Rules::Ethereum(rules) => rules.supports(timestamp),
            Rules::OpStack(rules) => rules.supports(timestamp),
        }
    }

    /// Blob limits at a timestamp, in seconds; none before Cancun, and none on the OP Stack, whose blocks carry no blobs.
    #[must_use]
    pub fn blob_params(&self, timestamp: u64) -> Option<BlobParams> {
        match &self.rules {
            Rules::Ethereum(rules) => rules.blob_params(timestamp),
            Rules::OpStack(_) => None,
        }
    }

    /// What a registration commits to: `docs/protocol.md`, "Chain spec".
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut bytes = Vec::new();
        match &self.rules {
            Rules::Ethereum(rules) => {
                bytes.extend_from_slice(b"hum/chain-spec/1");
                rules.preimage(self.chain_id, self.flags(), &mut bytes);
            }
            Rules::OpStack(rules) => {
                bytes.extend_from_slice(b"hum/chain-spec/op/1");
                rules.preimage(self.chain_id, self.flags(), &mut bytes);
            }
        }
        keccak256(bytes)
    }
}

impl TryFrom<ChainConfig> for ChainSpec {
    type Error = SpecError;

    fn try_from(config: ChainConfig) -> Result<Self, SpecError> {
        let flag = |key| config.extra_fields.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
        let spec = Self::new(&config, flag(EQUAL_TIMESTAMPS_KEY))?;
        let keep_empty_state = flag(KEEP_EMPTY_STATE_KEY);
        if keep_empty_state && matches!(spec.rules, Rules::OpStack(_)) {
            return Err(SpecError::Field { field: KEEP_EMPTY_STATE_KEY });
        }
        Ok(Self { keep_empty_state, ..spec })
    }
}

impl From<ChainSpec> for ChainConfig {
    fn from(spec: ChainSpec) -> Self {
        let mut config = Self {
            chain_id: spec.chain_id.0,
            homestead_block: Some(0),
            eip150_block: Some(0),
            eip155_block: Some(0),
            eip158_block: Some(0),
            byzantium_block: Some(0),
            constantinople_block: Some(0),
            petersburg_block: Some(0),
            istanbul_block: Some(0),
            berlin_block: Some(0),
            london_block: Some(0),
            terminal_total_difficulty: Some(U256::ZERO),
            terminal_total_difficulty_passed: true,
            ..Default::default()
        };
        match spec.rules {
            Rules::Ethereum(rules) => rules.write(&mut config),
            Rules::OpStack(rules) => rules.write(&mut config),
        }
        config.extra_fields.insert(EQUAL_TIMESTAMPS_KEY.to_owned(), spec.allow_equal_timestamps.into());
        if spec.keep_empty_state {
            config.extra_fields.insert(KEEP_EMPTY_STATE_KEY.to_owned(), true.into());
        }
        config
    }
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match &self.rules {
            Rules::Ethereum(rules) => rules.activation(fork),
            Rules::OpStack(rules) => rules.ethereum_activation(fork),
        }
    }
}

impl OpHardforks for ChainSpec {
    fn op_fork_activation(&self, fork: OpHardfork) -> ForkCondition {
        match &self.rules {
            Rules::Ethereum(_) => ForkCondition::Never,
            Rules::OpStack(rules) => rules.activation(fork),
        }
    }
}

impl EthExecutorSpec for ChainSpec {
    fn deposit_contract_address(&self) -> Option<Address> {
        // `None` would mean mainnet's contract; the zero address logs nothing.
        Some(match &self.rules {
            Rules::Ethereum(rules) => rules.deposit_contract(),
            Rules::OpStack(_) => Address::ZERO,
        })
    }
}
