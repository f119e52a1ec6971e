//! What an OP Stack chain in memory starts from.

use super::build::OpBuildError;
use super::contracts::{self, L1_BLOCK, MESSAGE_PASSER};
use crate::chain::{CREATE2_DEPLOYER, Predeploy};
use alloy::eips::{eip2935, eip4788};
use alloy_consensus::{Header, constants::EMPTY_OMMER_ROOT_HASH};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256, map::B256Map};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use hum_types::ChainId;
use hum_verify::{
    ChainSpec, Rules,
    trie::{NodeSet, Trie},
};
use op_alloy_consensus::{encode_holocene_extra_data, encode_jovian_extra_data};

/// Where fees of every block go.
pub(super) const FEE_VAULT: Address = address!("0x4200000000000000000000000000000000000011");
/// Base fee of the genesis block, in wei.
const GENESIS_BASE_FEE: u64 = 1_000_000_000;

/// When the forks begin, in seconds; none never does. Those before Ecotone hold from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpForks {
    /// Ecotone.
    pub ecotone: Option<u64>,
    /// Fjord and Granite.
    pub granite: Option<u64>,
    /// Holocene.
    pub holocene: Option<u64>,
    /// Isthmus.
    pub isthmus: Option<u64>,
    /// Jovian.
    pub jovian: Option<u64>,
}

impl OpForks {
    /// All of them from the start.
    pub const JOVIAN: Self =
        Self { ecotone: Some(0), granite: Some(0), holocene: Some(0), isthmus: Some(0), jovian: Some(0) };
}

/// Settings of one chain.
#[derive(Debug, Clone)]
pub struct OpGenesis {
    /// EIP-155 chain id.
    pub chain_id: ChainId,
    /// When the forks begin.
    pub forks: OpForks,
    /// The genesis block's time, in seconds.
    pub timestamp: u64,
    /// The genesis block's gas limit.
    pub gas_limit: u64,
    /// What the base fee's change is divided by, and the gas limit over the gas target.
    pub denominator: u32,
    /// The gas limit over the gas target.
    pub elasticity: u32,
    /// Whether blocks may repeat their parent's timestamp.
    pub allow_equal_timestamps: bool,
    /// Accounts with a balance in wei.
    pub prefunded: Vec<(Address, U256)>,
    /// Contracts besides those that the rules read.
    pub predeploys: Vec<Predeploy>,
}

impl OpGenesis {
    /// A chain under Jovian with 60 Mgas blocks, the Superchain's fee parameters, and nobody prefunded.
    #[must_use]
    pub const fn new(chain_id: ChainId, timestamp: u64) -> Self {
        Self {
            chain_id,
            forks: OpForks::JOVIAN,
            timestamp,
            gas_limit: 60_000_000,
            denominator: 250,
            elasticity: 6,
            allow_equal_timestamps: false,
            prefunded: Vec::new(),
            predeploys: Vec::new(),
        }
    }

    /// Its rules, in the form that op-geth writes a configuration.
    #[must_use]
    pub fn config(&self) -> serde_json::Value {
        let OpForks { ecotone, granite, holocene, isthmus, jovian } = self.forks;
        serde_json::json!({
            "chainId": self.chain_id.0,
            "terminalTotalDifficulty": "0x0",
            "terminalTotalDifficultyPassed": true,
            "bedrockBlock": 0,
            "regolithTime": 0,
            "shanghaiTime": 0,
            "canyonTime": 0,
            "cancunTime": ecotone,
            "ecotoneTime": ecotone,
            "fjordTime": granite,
            "graniteTime": granite,
            "holoceneTime": holocene,
            "pragueTime": isthmus,
            "isthmusTime": isthmus,
            "jovianTime": jovian,
            "allowEqualTimestamps": self.allow_equal_timestamps,
            "optimism": {
                "eip1559Elasticity": self.elasticity,
                "eip1559Denominator": self.denominator,
                "eip1559DenominatorCanyon": self.denominator,
            },
        })
    }

    /// Its rules.
    pub fn spec(&self) -> Result<ChainSpec, OpBuildError> {
        serde_json::from_value(self.config()).map_err(OpBuildError::new)
    }

    /// Put the accounts into tries and the codes beside them; the genesis header.
    pub(super) fn lay_out(
        &self,
        nodes: &mut NodeSet,
        codes: &mut B256Map<Bytes>,
    ) -> Result<Header, OpBuildError> {
        let contract = |address, code| Predeploy { address, code, ..Default::default() };
        let mut accounts = vec![
            contract(L1_BLOCK, contracts::l1_block()),
            contract(MESSAGE_PASSER, contracts::message_passer()),
            contract(eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone()),
            contract(eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
            contract(CREATE2_DEPLOYER, crate::chain::CREATE2_DEPLOYER_CODE),
        ];
        accounts.extend(self.predeploys.iter().cloned());
        for (address, balance) in &self.prefunded {
            accounts.push(Predeploy { address: *address, balance: *balance, ..Default::default() });
        }
        let mut state = Trie::empty();
        let empty = NodeSet::default();
        for account in accounts {
            let mut storage = Trie::empty();
            for (slot, value) in account.storage {
                let value = alloy_rlp::encode(U256::from_be_bytes(value.0));
                storage.insert(&keccak256(slot), value, &empty).map_err(OpBuildError::new)?;
            }
            let storage_root =
                storage.commit(&mut |hash, node| nodes.insert_hashed(hash, Bytes::copy_from_slice(node)));
            let code_hash = keccak256(&account.code);
            let nonce = u64::from(!account.code.is_empty());
            codes.insert(code_hash, account.code);
            let leaf = TrieAccount { nonce, balance: account.balance, storage_root, code_hash };
            state
                .insert(&keccak256(account.address), alloy_rlp::encode(leaf), &empty)
                .map_err(OpBuildError::new)?;
        }
        let state_root =
            state.commit(&mut |hash, node| nodes.insert_hashed(hash, Bytes::copy_from_slice(node)));
        let ecotone = self.active(self.forks.ecotone).then_some(0);
        let isthmus = self.active(self.forks.isthmus);
        Ok(Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: FEE_VAULT,
            state_root,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            gas_limit: self.gas_limit,
            timestamp: self.timestamp,
            extra_data: self.extra_data(self.timestamp, 0)?,
            base_fee_per_gas: Some(GENESIS_BASE_FEE),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: ecotone,
            excess_blob_gas: ecotone,
            parent_beacon_block_root: ecotone.map(|_| B256::ZERO),
            requests_hash: isthmus.then_some(alloy::eips::eip7685::EMPTY_REQUESTS_HASH),
            ..Default::default()
        })
    }

    fn active(&self, fork: Option<u64>) -> bool {
        fork.is_some_and(|time| time <= self.timestamp)
    }

    /// How the base fee moves after a block at `timestamp`, as its extra data say it.
    pub(super) fn extra_data(&self, timestamp: u64, base_fee_min: u64) -> Result<Bytes, OpBuildError> {
        let spec = self.spec()?;
        let Rules::OpStack(rules) = spec.rules() else { return Err(OpBuildError::new("not OP rules")) };
        let active = |fork: Option<u64>| fork.is_some_and(|time| time <= timestamp);
        // Parameters of zero stand for those of the configuration.
        let (unset, default) = (Default::default(), rules.base_fee_params(timestamp));
        if active(self.forks.jovian) {
            encode_jovian_extra_data(unset, default, base_fee_min).map_err(OpBuildError::new)
        } else if active(self.forks.holocene) {
            encode_holocene_extra_data(unset, default).map_err(OpBuildError::new)
        } else {
            Ok(Bytes::new())
        }
    }
}
