//! The rules of a chain: which fork is active when, and what its blobs may cost.

use alloy_eips::{
    eip7594::MAX_BLOBS_PER_TX_FUSAKA,
    eip7840::{BLOB_BASE_COST, BlobParams},
};
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_genesis::ChainConfig;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition, hoodi, mainnet, sepolia};
use alloy_primitives::{Address, B256, U256, address, keccak256};
use hum_types::ChainId;
use serde::{Deserialize, Serialize};

/// The key under which a chain configuration's JSON says that blocks may repeat their parent's timestamp.
const EQUAL_TIMESTAMPS_KEY: &str = "allowEqualTimestamps";
/// Where mainnet and Hoodi take deposits.
const DEPOSIT_CONTRACT: Address = address!("0x00000000219ab540356cBB839Cbe05303d7705Fa");
/// Where Sepolia takes deposits.
const SEPOLIA_DEPOSIT_CONTRACT: Address = address!("0x7f02C3E3c98b133055B8B348B2Ac625669Ed295D");
/// More blobs than any schedule plans; keeps blob gas far from the end of its range.
const BLOBS_PER_BLOCK_MAX: u64 = 1 << 16;

/// Blob limits that hold from a time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobStep {
    /// First timestamp, in seconds.
    pub from: u64,
    /// The limits.
    pub params: BlobParams,
}

/// The rules that a chain's blocks are judged by: Ethereum's, from Cancun to Osaka.
///
/// As JSON it is a chain configuration as Geth writes it (`chainId`, `cancunTime`, …, `blobSchedule`,
/// `depositContractAddress`), and one key of ours, `allowEqualTimestamps`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ChainConfig", into = "ChainConfig")]
pub struct ChainSpec {
    chain_id: ChainId,
    cancun: u64,
    prague: Option<u64>,
    osaka: Option<u64>,
    unsupported: Option<u64>,
    blobs: Vec<BlobStep>,
    deposit_contract: Address,
    allow_equal_timestamps: bool,
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
}

impl ChainSpec {
    /// Take the rules out of a chain configuration.
    pub fn new(config: &ChainConfig, allow_equal_timestamps: bool) -> Result<Self, SpecError> {
        let cancun = config.cancun_time.ok_or(SpecError::NoTime { fork: "cancun" })?;
        let forks = [
            ("cancun", Some(cancun), Some(BlobParams::cancun())),
            ("prague", config.prague_time, Some(BlobParams::prague())),
            ("osaka", config.osaka_time, Some(BlobParams::osaka())),
            ("bpo1", config.bpo1_time, Some(BlobParams::bpo1())),
            ("bpo2", config.bpo2_time, Some(BlobParams::bpo2())),
            ("bpo3", config.bpo3_time, None),
            ("bpo4", config.bpo4_time, None),
            ("bpo5", config.bpo5_time, None),
        ];
        let mut blobs: Vec<BlobStep> = Vec::new();
        let (mut previous, mut previous_time) = ("genesis", 0);
        for (index, (fork, time, default)) in forks.into_iter().enumerate() {
            let Some(time) = time else { continue };
            // Prague and Osaka may be missing at the end of the list, never in its middle.
            for (needed, there, _) in forks.get(..index.min(3)).unwrap_or_default() {
                if there.is_none() {
                    return Err(SpecError::NoTime { fork: needed });
                }
            }
            if time < previous_time {
                return Err(SpecError::Order { fork, time, previous, previous_time });
            }
            (previous, previous_time) = (fork, time);
            let scheduled = config.blob_schedule.get(fork).map(|params| {
                if index < 2 {
                    return *params;
                }
                // The schedule's JSON does not carry what Osaka fixed (EIP-7594, EIP-7918).
                params.with_max_blobs_per_tx(MAX_BLOBS_PER_TX_FUSAKA).with_blob_base_cost(BLOB_BASE_COST)
            });
            let params = scheduled
                .or(default)
                .filter(|p| {
                    p.update_fraction > 0
                        && p.target_blob_count <= p.max_blob_count
                        && (1..=BLOBS_PER_BLOCK_MAX).contains(&p.max_blob_count)
                })
                .ok_or(SpecError::Blobs { fork })?;
            blobs.push(BlobStep { from: time, params });
        }
        Ok(Self {
            chain_id: ChainId(config.chain_id),
            cancun,
            prague: config.prague_time,
            osaka: config.osaka_time,
            unsupported: config.amsterdam_time.or(config.bogota_time),
            blobs,
            deposit_contract: config.deposit_contract_address.unwrap_or_default(),
            allow_equal_timestamps,
        })
    }

    /// Rules of a public chain that we know by heart.
    #[must_use]
    pub fn preset(chain_id: ChainId) -> Option<Self> {
        let config = match chain_id.0 {
            1 => ChainConfig {
                cancun_time: Some(mainnet::MAINNET_CANCUN_TIMESTAMP),
                prague_time: Some(mainnet::MAINNET_PRAGUE_TIMESTAMP),
                osaka_time: Some(mainnet::MAINNET_OSAKA_TIMESTAMP),
                bpo1_time: Some(mainnet::MAINNET_BPO1_TIMESTAMP),
                bpo2_time: Some(mainnet::MAINNET_BPO2_TIMESTAMP),
                deposit_contract_address: Some(DEPOSIT_CONTRACT),
                ..Default::default()
            },
            560_048 => ChainConfig {
                cancun_time: Some(0),
                prague_time: Some(hoodi::HOODI_PRAGUE_TIMESTAMP),
                osaka_time: Some(hoodi::HOODI_OSAKA_TIMESTAMP),
                bpo1_time: Some(hoodi::HOODI_BPO1_TIMESTAMP),
                bpo2_time: Some(hoodi::HOODI_BPO2_TIMESTAMP),
                deposit_contract_address: Some(DEPOSIT_CONTRACT),
                ..Default::default()
            },
            11_155_111 => ChainConfig {
                cancun_time: Some(sepolia::SEPOLIA_CANCUN_TIMESTAMP),
                prague_time: Some(sepolia::SEPOLIA_PRAGUE_TIMESTAMP),
                osaka_time: Some(sepolia::SEPOLIA_OSAKA_TIMESTAMP),
                bpo1_time: Some(sepolia::SEPOLIA_BPO1_TIMESTAMP),
                bpo2_time: Some(sepolia::SEPOLIA_BPO2_TIMESTAMP),
                amsterdam_time: Some(sepolia::SEPOLIA_AMSTERDAM_TIMESTAMP),
                deposit_contract_address: Some(SEPOLIA_DEPOSIT_CONTRACT),
                ..Default::default()
            },
            _ => return None,
        };
        Self::new(&ChainConfig { chain_id: chain_id.0, ..config }, false).ok()
    }

    /// The chain.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// Whether a block may have its parent's timestamp.
    #[must_use]
    pub const fn allow_equal_timestamps(&self) -> bool {
        self.allow_equal_timestamps
    }

    /// Whether our rules cover a block with this timestamp, in seconds.
    #[must_use]
    pub fn supports(&self, timestamp: u64) -> bool {
        timestamp >= self.cancun && self.unsupported.is_none_or(|from| timestamp < from)
    }

    /// Blob limits at a timestamp, in seconds; none before Cancun.
    #[must_use]
    pub fn blob_params(&self, timestamp: u64) -> Option<BlobParams> {
        self.blobs.iter().rev().find(|step| step.from <= timestamp).map(|step| step.params)
    }

    /// What a registration commits to: `docs/protocol.md`, "Chain spec".
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut bytes = b"hum/chain-spec/1".to_vec();
        bytes.extend_from_slice(&self.chain_id.0.to_be_bytes());
        bytes.extend_from_slice(&self.cancun.to_be_bytes());
        for time in [self.prague, self.osaka, self.unsupported] {
            bytes.extend_from_slice(&time.unwrap_or(u64::MAX).to_be_bytes());
        }
        bytes.push(u8::from(self.allow_equal_timestamps));
        bytes.extend_from_slice(self.deposit_contract.as_slice());
        for step in &self.blobs {
            let params = &step.params;
            for value in [step.from, params.target_blob_count, params.max_blob_count, params.max_blobs_per_tx]
            {
                bytes.extend_from_slice(&value.to_be_bytes());
            }
            bytes.extend_from_slice(&params.update_fraction.to_be_bytes());
            bytes.extend_from_slice(&params.blob_base_cost.to_be_bytes());
        }
        keccak256(bytes)
    }
}

impl TryFrom<ChainConfig> for ChainSpec {
    type Error = SpecError;

    fn try_from(config: ChainConfig) -> Result<Self, SpecError> {
        let equal = config.extra_fields.get(EQUAL_TIMESTAMPS_KEY).and_then(serde_json::Value::as_bool);
        Self::new(&config, equal.unwrap_or(false))
    }
}

impl From<ChainSpec> for ChainConfig {
    fn from(spec: ChainSpec) -> Self {
        const STEPS: [&str; 8] = ["cancun", "prague", "osaka", "bpo1", "bpo2", "bpo3", "bpo4", "bpo5"];
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
            shanghai_time: Some(0),
            cancun_time: Some(spec.cancun),
            prague_time: spec.prague,
            osaka_time: spec.osaka,
            amsterdam_time: spec.unsupported,
            deposit_contract_address: Some(spec.deposit_contract),
            ..Default::default()
        };
        for (name, step) in STEPS.into_iter().zip(&spec.blobs) {
            config.blob_schedule.insert(name.to_owned(), step.params);
            let time = Some(step.from);
            match name {
                "bpo1" => config.bpo1_time = time,
                "bpo2" => config.bpo2_time = time,
                "bpo3" => config.bpo3_time = time,
                "bpo4" => config.bpo4_time = time,
                "bpo5" => config.bpo5_time = time,
                _ => {}
            }
        }
        config.extra_fields.insert(EQUAL_TIMESTAMPS_KEY.to_owned(), spec.allow_equal_timestamps.into());
        config
    }
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        let at = |time: Option<u64>| time.map_or(ForkCondition::Never, ForkCondition::Timestamp);
        match fork {
            EthereumHardfork::Cancun => at(Some(self.cancun)),
            EthereumHardfork::Prague => at(self.prague),
            EthereumHardfork::Osaka => at(self.osaka),
            EthereumHardfork::Dao => ForkCondition::Never,
            EthereumHardfork::Shanghai => ForkCondition::Timestamp(0),
            EthereumHardfork::Paris => ForkCondition::TTD {
                activation_block_number: 0,
                fork_block: Some(0),
                total_difficulty: U256::ZERO,
            },
            fork if fork < EthereumHardfork::Shanghai => ForkCondition::Block(0),
            // Blob limits come from `blob_params`, and blocks of later forks are not executed.
            _ => ForkCondition::Never,
        }
    }
}

impl EthExecutorSpec for ChainSpec {
    fn deposit_contract_address(&self) -> Option<Address> {
        // `None` would mean mainnet's contract; the zero address logs nothing.
        Some(self.deposit_contract)
    }
}
