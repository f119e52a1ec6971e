//! What a chain starts from: its settings, and the genesis block that they amount to.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::eips::{eip2935, eip4788, eip7002, eip7251};
use alloy::primitives::{Address, B256, Bytes, U256, address, bytes};
use ethrex_common::types::{ChainConfig as ForkSchedule, Genesis, GenesisAccount};
use hum_types::ChainId;

use super::convert;
use super::error::DevChainError;

/// Address of the deterministic CREATE2 deployer: calldata `salt 32 ‖ init code`, the same address on every chain.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// Runtime code at [`CREATE2_DEPLOYER`].
pub(crate) const CREATE2_DEPLOYER_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// Where Ethereum's deposit contract stands; no chain here deploys it, but the rules name an address.
const DEPOSIT_CONTRACT: Address = address!("00000000219ab540356cbb839cbe05303d7705fa");

/// Base fee of the genesis block, in wei.
const GENESIS_BASE_FEE: u64 = 1_000_000_000;

/// Smallest gas limit that leaves room for a deployment; also keeps the header's gas limit arithmetic away from its lower bound.
const MIN_GAS_LIMIT: u64 = 1_000_000;

/// [`ChainConfig::transactions_bytes_max`] of a rollup: any such block fits into one post, in calldata (120,000 bytes) or blobs.
pub const POSTED_TRANSACTIONS_BYTES_MAX: usize = 110_000;

/// An account that exists, with code, from the first block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Predeploy {
    /// Where it stands.
    pub address: Address,
    /// Runtime code.
    pub code: Bytes,
    /// Balance in wei.
    pub balance: U256,
    /// Storage slots that are not zero.
    pub storage: BTreeMap<B256, B256>,
}

/// Settings of one embedded chain.
#[derive(Debug, Clone)]
pub struct ChainConfig {
    /// Name in logs and errors.
    pub name: String,
    /// EIP-155 chain id.
    pub chain_id: ChainId,
    /// Time between blocks. Below 1,000 neighbouring blocks may share a timestamp, which counts whole seconds.
    pub block_time_ms: u64,
    /// Time from the start to the first block. Chains of their own do not make blocks in step.
    pub phase_ms: u64,
    /// Gas limit of every block.
    pub gas_limit: u64,
    /// Most bytes of a block's transactions that come from the pool; none bounds them by gas alone. A transaction that is longer
    /// is dropped. Without a bound, whoever fills a block with bytes that do not compress stops what posts blocks to L1.
    pub transactions_bytes_max: Option<usize>,
    /// Accounts with a balance in wei at genesis.
    pub prefunded: Vec<(Address, U256)>,
    /// Contracts at genesis, besides the system contracts and the CREATE2 deployer.
    pub predeploys: Vec<Predeploy>,
    /// How many blocks the `safe` tag stays behind the head.
    pub safe_depth: u64,
    /// How many blocks the `finalized` tag stays behind the head; not less than `safe_depth`.
    pub finalized_depth: u64,
    /// TCP port of the JSON-RPC endpoint on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How many seconds before the start the genesis block is dated, at least 1: room for blocks that are made at once as
    /// if they had been made a second apart.
    pub genesis_age_s: u64,
    /// Makes no blocks on its own until it is resumed.
    pub paused: bool,
}

impl ChainConfig {
    /// One-second blocks of 60 Mgas, `safe` 2 and `finalized` 4 behind, on a free port, with nobody prefunded.
    pub fn new(name: impl Into<String>, chain_id: ChainId) -> Self {
        Self {
            name: name.into(),
            chain_id,
            block_time_ms: 1_000,
            phase_ms: 0,
            gas_limit: 60_000_000,
            transactions_bytes_max: None,
            prefunded: Vec::new(),
            predeploys: Vec::new(),
            safe_depth: 2,
            finalized_depth: 4,
            port: 0,
            genesis_age_s: 1,
            paused: false,
        }
    }

    /// Whether the chain needs the rule "timestamp ≥ parent's" in place of "timestamp > parent's".
    pub fn allows_equal_timestamps(&self) -> bool {
        self.block_time_ms < 1_000
    }

    pub(crate) fn check(&self) -> Result<(), DevChainError> {
        let refuse =
            |field, problem: String| Err(DevChainError::Config { name: self.name.clone(), field, problem });
        if self.chain_id == ChainId(0) {
            return refuse("chain_id", "is 0".into());
        }
        if self.block_time_ms == 0 {
            return refuse("block_time_ms", "is 0".into());
        }
        if self.gas_limit < MIN_GAS_LIMIT {
            return refuse("gas_limit", format!("is {}, at least {MIN_GAS_LIMIT} is needed", self.gas_limit));
        }
        if self.finalized_depth < self.safe_depth {
            let (finalized, safe) = (self.finalized_depth, self.safe_depth);
            return refuse(
                "finalized_depth",
                format!("is {finalized}, less than safe_depth, which is {safe}"),
            );
        }
        Ok(())
    }

    /// Genesis under Osaka rules, dated at least one second ago so that the first block may carry the present second.
    pub(crate) fn genesis(&self) -> Genesis {
        let mut alloc = BTreeMap::new();
        let system = [
            (eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone()),
            (eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
            (
                eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
                eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone(),
            ),
            (
                eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
                eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone(),
            ),
            (CREATE2_DEPLOYER, CREATE2_DEPLOYER_CODE),
        ];
        let system = system.map(|(address, code)| Predeploy { address, code, ..Predeploy::default() });
        for predeploy in system.iter().chain(&self.predeploys) {
            let storage = predeploy
                .storage
                .iter()
                .map(|(slot, value)| (convert::word(&slot.0), convert::word(&value.0)));
            let account = GenesisAccount {
                code: predeploy.code.0.clone(),
                storage: storage.collect(),
                balance: convert::number(predeploy.balance),
                nonce: 1,
            };
            alloc.insert(convert::address(predeploy.address), account);
        }
        for (address, balance) in &self.prefunded {
            let account = alloc.entry(convert::address(*address)).or_insert_with(|| GenesisAccount {
                code: bytes::Bytes::new(),
                storage: BTreeMap::new(),
                balance: convert::number(U256::ZERO),
                nonce: 0,
            });
            account.balance = convert::number(*balance);
        }
        Genesis {
            config: osaka_from_genesis(self.chain_id),
            alloc,
            gas_limit: self.gas_limit,
            timestamp: now_seconds().saturating_sub(self.genesis_age_s.max(1)),
            base_fee_per_gas: Some(GENESIS_BASE_FEE),
            ..Genesis::default()
        }
    }
}

fn osaka_from_genesis(chain_id: ChainId) -> ForkSchedule {
    let from_start = Some(0);
    ForkSchedule {
        chain_id: chain_id.0,
        homestead_block: from_start,
        eip150_block: from_start,
        eip155_block: from_start,
        eip158_block: from_start,
        byzantium_block: from_start,
        constantinople_block: from_start,
        petersburg_block: from_start,
        istanbul_block: from_start,
        berlin_block: from_start,
        london_block: from_start,
        merge_netsplit_block: from_start,
        terminal_total_difficulty: Some(0),
        terminal_total_difficulty_passed: true,
        shanghai_time: from_start,
        cancun_time: from_start,
        prague_time: from_start,
        osaka_time: from_start,
        deposit_contract_address: convert::address(DEPOSIT_CONTRACT),
        ..ForkSchedule::default()
    }
}

/// Seconds since 1970 on the wall clock; 0 on a machine whose clock is before that.
pub(super) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}
