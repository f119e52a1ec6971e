//! The OP Stack's forks from Bedrock to Jovian, and how its base fee moves.

use super::{SpecError, ethereum};
use alloy_eips::eip1559::BaseFeeParams;
use alloy_genesis::ChainConfig;
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_op_hardforks::OpHardfork;
use hum_types::ChainId;
use serde_json::{Value, json};

/// The forks that have a time, in their order: as we call them, as op-geth's configuration calls their times, and as a
/// rollup configuration does.
const FORKS: [(OpHardfork, &str, &str, &str); 8] = [
    (OpHardfork::Regolith, "regolith", "regolithTime", "regolith_time"),
    (OpHardfork::Canyon, "canyon", "canyonTime", "canyon_time"),
    (OpHardfork::Ecotone, "ecotone", "ecotoneTime", "ecotone_time"),
    (OpHardfork::Fjord, "fjord", "fjordTime", "fjord_time"),
    (OpHardfork::Granite, "granite", "graniteTime", "granite_time"),
    (OpHardfork::Holocene, "holocene", "holoceneTime", "holocene_time"),
    (OpHardfork::Isthmus, "isthmus", "isthmusTime", "isthmus_time"),
    (OpHardfork::Jovian, "jovian", "jovianTime", "jovian_time"),
];
/// What is called a time and changes no rule of execution. Any other is that of a fork which we do not know: blocks from the
/// first of them on are not judged.
const NO_FORK: [&str; 5] =
    ["block_time", "delta_time", "deltaTime", "pectra_blob_schedule_time", "pectraBlobScheduleTime"];
/// Chains whose configuration is one of the OP Stack and whose clients change its rules: Celo's, where fees are paid in
/// tokens and the native asset is one.
const OWN_RULES: [u64; 4] = [42_220, 44_787, 62_320, 11_142_220];
/// Where op-geth's configuration says what moves the base fee.
const OPTIMISM_KEY: &str = "optimism";

/// How the base fee moves until Holocene, from which on each block says how it moves after itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeParams {
    /// The gas limit over the gas target.
    pub elasticity: u32,
    /// What the base fee's change is divided by, until Canyon.
    pub denominator: u32,
    /// The same from Canyon on.
    pub denominator_canyon: u32,
}

impl FeeParams {
    /// Of OP Mainnet and most chains of the Superchain.
    pub const SUPERCHAIN: Self = Self { elasticity: 6, denominator: 50, denominator_canyon: 250 };
}

/// The OP Stack's rules, from Bedrock to Jovian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpRules {
    bedrock_block: u64,
    times: [Option<u64>; FORKS.len()],
    unsupported: Option<u64>,
    fees: FeeParams,
}

impl OpRules {
    /// `times` follow the order of forks, Regolith first; those that have none come last.
    fn new(
        chain_id: ChainId,
        bedrock_block: u64,
        times: [Option<u64>; FORKS.len()],
        unsupported: Option<u64>,
        fees: FeeParams,
    ) -> Result<Self, SpecError> {
        if OWN_RULES.contains(&chain_id.0) {
            return Err(SpecError::OwnRules { chain_id });
        }
        let (mut previous, mut previous_time) = ("bedrock", Some(0));
        for ((_, fork, ..), time) in FORKS.into_iter().zip(times) {
            match (previous_time, time) {
                (None, Some(_)) => return Err(SpecError::NoTime { fork: previous }),
                (Some(previous_time), Some(time)) if time < previous_time => {
                    return Err(SpecError::Order { fork, time, previous, previous_time });
                }
                _ => (previous, previous_time) = (fork, time),
            }
        }
        for (field, value) in [
            ("eip1559Elasticity", fees.elasticity),
            ("eip1559Denominator", fees.denominator),
            ("eip1559DenominatorCanyon", fees.denominator_canyon),
        ] {
            if value == 0 {
                return Err(SpecError::Field { field });
            }
        }
        Ok(Self { bedrock_block, times, unsupported, fees })
    }

    /// Out of a configuration as op-geth writes it; none when it is not one of an OP Stack chain.
    pub(super) fn from_config(config: &ChainConfig) -> Result<Option<Self>, SpecError> {
        let Some(optimism) = config.extra_fields.get(OPTIMISM_KEY) else { return Ok(None) };
        let number = |field: &'static str| match config.extra_fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(SpecError::Field { field }),
        };
        let mut times = [None; FORKS.len()];
        for (time, (_, _, field, _)) in times.iter_mut().zip(FORKS) {
            *time = number(field)?;
        }
        let later = [config.osaka_time, config.amsterdam_time, config.bogota_time];
        let mut unsupported = later.into_iter().flatten().min();
        for (field, value) in config.extra_fields.iter() {
            let known = FORKS.iter().any(|(.., time, _)| *time == field) || NO_FORK.contains(&field.as_str());
            if field.ends_with("Time") && !known {
                unsupported = earliest(unsupported, value.as_u64());
            }
        }
        let bedrock_block = number("bedrockBlock")?.unwrap_or(0);
        Self::new(ChainId(config.chain_id), bedrock_block, times, unsupported, fees(optimism)?).map(Some)
    }

    /// Out of a rollup configuration as op-node writes it, and the chain it is of. It says nothing about Regolith where
    /// that holds from the start, and nothing about fees where they are the Superchain's.
    pub(super) fn from_rollup_config(config: &Value) -> Result<(ChainId, Self), SpecError> {
        let number = |field: &'static str| match config.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or(SpecError::Field { field }),
        };
        let chain_id = ChainId(number("l2_chain_id")?.ok_or(SpecError::Field { field: "l2_chain_id" })?);
        let mut times = [None; FORKS.len()];
        for (time, (_, _, _, field)) in times.iter_mut().zip(FORKS) {
            *time = number(field)?;
        }
        if let [regolith @ None, ..] = &mut times {
            *regolith = Some(0);
        }
        let mut unsupported = None;
        for (field, value) in config.as_object().into_iter().flatten() {
            let known = FORKS.iter().any(|(.., time)| *time == field) || NO_FORK.contains(&field.as_str());
            if field.ends_with("_time") && !known {
                unsupported = earliest(unsupported, value.as_u64());
            }
        }
        let fees = match config.get("chain_op_config") {
            None | Some(Value::Null) => FeeParams::SUPERCHAIN,
            Some(declared) => fees(declared)?,
        };
        Ok((chain_id, Self::new(chain_id, 0, times, unsupported, fees)?))
    }

    /// The rules of a public chain that we know by heart.
    pub(super) fn preset(chain_id: ChainId) -> Option<Self> {
        let (forks, fees) = match chain_id.0 {
            10 => (OpHardfork::op_mainnet(), FeeParams::SUPERCHAIN),
            8_453 => (OpHardfork::base_mainnet(), FeeParams::SUPERCHAIN),
            84_532 => (OpHardfork::base_sepolia(), FeeParams { elasticity: 10, ..FeeParams::SUPERCHAIN }),
            11_155_420 => (OpHardfork::op_sepolia(), FeeParams::SUPERCHAIN),
            _ => return None,
        };
        let condition = |wanted: OpHardfork| {
            forks.iter().find_map(|(fork, condition)| (*fork == wanted).then_some(*condition))
        };
        let bedrock_block = match condition(OpHardfork::Bedrock) {
            Some(ForkCondition::Block(block)) => block,
            _ => 0,
        };
        let times = FORKS.map(|(fork, ..)| condition(fork).and_then(|condition| condition.as_timestamp()));
        Self::new(chain_id, bedrock_block, times, None, fees).ok()
    }

    pub(super) fn supports(&self, timestamp: u64) -> bool {
        self.unsupported.is_none_or(|from| timestamp < from)
    }

    /// The first block under these rules.
    #[must_use]
    pub const fn bedrock_block(&self) -> u64 {
        self.bedrock_block
    }

    /// Whether a fork is active at a timestamp, in seconds.
    #[must_use]
    pub fn is_active(&self, fork: OpHardfork, timestamp: u64) -> bool {
        self.activation(fork).active_at_timestamp(timestamp)
    }

    /// Whether a fork begins with a block at `timestamp` on a parent at `parent_timestamp`, both in seconds.
    #[must_use]
    pub fn fork_begins(&self, parent_timestamp: u64, timestamp: u64) -> bool {
        self.times.into_iter().flatten().any(|time| parent_timestamp < time && time <= timestamp)
    }

    /// What moves the base fee of a block at `timestamp` whose parent does not say it.
    #[must_use]
    pub fn base_fee_params(&self, timestamp: u64) -> BaseFeeParams {
        let denominator = if self.is_active(OpHardfork::Canyon, timestamp) {
            self.fees.denominator_canyon
        } else {
            self.fees.denominator
        };
        BaseFeeParams::new(denominator.into(), self.fees.elasticity.into())
    }

    pub(super) fn activation(&self, fork: OpHardfork) -> ForkCondition {
        if fork == OpHardfork::Bedrock {
            return ForkCondition::Block(self.bedrock_block);
        }
        let known = FORKS.into_iter().zip(self.times).find(|((known, ..), _)| *known == fork);
        ethereum::at(known.and_then(|(_, time)| time))
    }

    pub(super) fn ethereum_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match fork {
            EthereumHardfork::Shanghai => self.activation(OpHardfork::Canyon),
            EthereumHardfork::Cancun => self.activation(OpHardfork::Ecotone),
            EthereumHardfork::Prague => self.activation(OpHardfork::Isthmus),
            fork => ethereum::before_shanghai(fork),
        }
    }

    /// What a registration commits to, without the domain.
    pub(super) fn preimage(&self, chain_id: ChainId, flags: u8, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&chain_id.0.to_be_bytes());
        bytes.extend_from_slice(&self.bedrock_block.to_be_bytes());
        for time in self.times.into_iter().chain([self.unsupported]) {
            bytes.extend_from_slice(&time.unwrap_or(u64::MAX).to_be_bytes());
        }
        bytes.push(flags);
        for value in [self.fees.elasticity, self.fees.denominator, self.fees.denominator_canyon] {
            bytes.extend_from_slice(&value.to_be_bytes());
        }
    }

    pub(super) fn write(self, config: &mut ChainConfig) {
        let [_, canyon, ecotone, .., isthmus, _] = self.times;
        (config.shanghai_time, config.cancun_time, config.prague_time) = (canyon, ecotone, isthmus);
        let mut insert = |key: &str, value: Value| config.extra_fields.insert(key.to_owned(), value);
        insert("bedrockBlock", self.bedrock_block.into());
        let times = FORKS.into_iter().map(|(_, _, field, _)| field).zip(self.times);
        for (field, time) in times.chain([("karstTime", self.unsupported)]) {
            if let Some(time) = time {
                insert(field, time.into());
            }
        }
        let FeeParams { elasticity, denominator, denominator_canyon } = self.fees;
        let fees = json!({
            "eip1559Elasticity": elasticity,
            "eip1559Denominator": denominator,
            "eip1559DenominatorCanyon": denominator_canyon,
        });
        insert(OPTIMISM_KEY, fees);
    }
}

fn earliest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

fn fees(declared: &Value) -> Result<FeeParams, SpecError> {
    let number = |field: &'static str| {
        declared
            .get(field)
            .and_then(Value::as_u64)
            .and_then(|value| u32::try_from(value).ok())
            .ok_or(SpecError::Field { field })
    };
    Ok(FeeParams {
        elasticity: number("eip1559Elasticity")?,
        denominator: number("eip1559Denominator")?,
        denominator_canyon: number("eip1559DenominatorCanyon")?,
    })
}
