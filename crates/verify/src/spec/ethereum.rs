//! Ethereum's forks from Cancun on, and what its blobs may cost.

use super::SpecError;
use alloy_eips::{
    eip7594::MAX_BLOBS_PER_TX_FUSAKA,
    eip7840::{BLOB_BASE_COST, BlobParams},
};
use alloy_genesis::ChainConfig;
use alloy_hardforks::{EthereumHardfork, ForkCondition, hoodi, mainnet, sepolia};
use alloy_primitives::{Address, U256, address};
use hum_types::ChainId;

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

/// Ethereum's rules, from Cancun to Osaka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EthereumRules {
    cancun: u64,
    prague: Option<u64>,
    osaka: Option<u64>,
    unsupported: Option<u64>,
    blobs: Vec<BlobStep>,
    deposit_contract: Address,
}

impl EthereumRules {
    pub(super) fn new(config: &ChainConfig) -> Result<Self, SpecError> {
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
            cancun,
            prague: config.prague_time,
            osaka: config.osaka_time,
            unsupported: unsupported(config),
            blobs,
            deposit_contract: config.deposit_contract_address.unwrap_or_default(),
        })
    }

    /// The configuration of a public chain that we know by heart.
    pub(super) fn preset(chain_id: ChainId) -> Option<ChainConfig> {
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
        Some(ChainConfig { chain_id: chain_id.0, ..config })
    }

    pub(super) fn supports(&self, timestamp: u64) -> bool {
        timestamp >= self.cancun && self.unsupported.is_none_or(|from| timestamp < from)
    }

    /// Blob limits at a timestamp, in seconds; none before Cancun.
    #[must_use]
    pub fn blob_params(&self, timestamp: u64) -> Option<BlobParams> {
        self.blobs.iter().rev().find(|step| step.from <= timestamp).map(|step| step.params)
    }

    pub(super) const fn deposit_contract(&self) -> Address {
        self.deposit_contract
    }

    /// What a registration commits to, without the domain.
    pub(super) fn preimage(&self, chain_id: ChainId, flags: u8, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&chain_id.0.to_be_bytes());
        bytes.extend_from_slice(&self.cancun.to_be_bytes());
        for time in [self.prague, self.osaka, self.unsupported] {
            bytes.extend_from_slice(&time.unwrap_or(u64::MAX).to_be_bytes());
        }
        bytes.push(flags);
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
    }

    pub(super) fn write(self, config: &mut ChainConfig) {
        const STEPS: [&str; 8] = ["cancun", "prague", "osaka", "bpo1", "bpo2", "bpo3", "bpo4", "bpo5"];
        config.shanghai_time = Some(0);
        config.cancun_time = Some(self.cancun);
        config.prague_time = self.prague;
        config.osaka_time = self.osaka;
        config.amsterdam_time = self.unsupported;
        config.deposit_contract_address = Some(self.deposit_contract);
        for (name, step) in STEPS.into_iter().zip(&self.blobs) {
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
    }

    pub(super) const fn activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match fork {
            EthereumHardfork::Cancun => at(Some(self.cancun)),
            EthereumHardfork::Prague => at(self.prague),
            EthereumHardfork::Osaka => at(self.osaka),
            EthereumHardfork::Shanghai => ForkCondition::Timestamp(0),
            fork => before_shanghai(fork),
        }
    }
}

/// The condition of a fork that has a time, or never comes.
pub(super) const fn at(time: Option<u64>) -> ForkCondition {
    match time {
        Some(time) => ForkCondition::Timestamp(time),
        None => ForkCondition::Never,
    }
}

/// Forks that every chain of ours has had from its start, but the one that was about one chain only; never those after
/// Shanghai.
pub(super) const fn before_shanghai(fork: EthereumHardfork) -> ForkCondition {
    match fork {
        EthereumHardfork::Dao => ForkCondition::Never,
        EthereumHardfork::Paris => ForkCondition::TTD {
            activation_block_number: 0,
            fork_block: Some(0),
            total_difficulty: U256::ZERO,
        },
        fork if (fork as usize) < EthereumHardfork::Shanghai as usize => ForkCondition::Block(0),
        // Blob limits come from `blob_params`, and blocks of later forks are not executed.
        _ => ForkCondition::Never,
    }
}

/// The first fork that we do not know: those with a name of their own in the configuration, and whatever else has a time in it.
fn unsupported(config: &ChainConfig) -> Option<u64> {
    let unnamed = config.extra_fields.iter().filter(|(field, _)| field.ends_with("Time"));
    let unnamed = unnamed.filter_map(|(_, value)| value.as_u64());
    [config.amsterdam_time, config.bogota_time].into_iter().flatten().chain(unnamed).min()
}
