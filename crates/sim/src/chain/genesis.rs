//! What a chain starts from.

use alloy_consensus::{Header, constants::EMPTY_OMMER_ROOT_HASH};
use alloy_eips::{eip2935, eip4788, eip7002, eip7251, eip7685::EMPTY_REQUESTS_HASH};
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256, Bytes, U256, bytes, keccak256, map::B256Map};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use hum_chain::contracts::CREATE2_DEPLOYER;
use hum_types::ChainId;
use hum_verify::{
    ChainSpec, SpecError,
    trie::{NodeSet, Trie},
};

/// Runtime code at [`CREATE2_DEPLOYER`].
const CREATE2_DEPLOYER_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);
/// Base fee of the genesis block, in wei.
const BASE_FEE: u64 = 1_000_000_000;

/// What a chain starts from, under Osaka rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The chain.
    pub chain_id: ChainId,
    /// Timestamp of the genesis block, in seconds.
    pub timestamp: u64,
    /// Gas limit of every block.
    pub gas_limit: u64,
    /// Whether a block may have its parent's timestamp.
    pub equal_timestamps: bool,
    /// How many blocks each tag stays behind the head, by confidence.
    pub behind: [u64; 3],
    /// Accounts with a balance, in wei.
    pub funded: Vec<(Address, U256)>,
    /// Contracts besides the system's and the CREATE2 deployer: address and runtime code.
    pub predeploys: Vec<(Address, Bytes)>,
}

impl Genesis {
    /// A chain of 60 Mgas blocks that starts at `timestamp` with these accounts funded.
    #[must_use]
    pub fn new(chain_id: ChainId, timestamp: u64, funded: Vec<Address>) -> Self {
        let balance = U256::from(10).pow(U256::from(24));
        Self {
            chain_id,
            timestamp,
            gas_limit: 60_000_000,
            equal_timestamps: false,
            behind: [0, 2, 4],
            funded: funded.into_iter().map(|account| (account, balance)).collect(),
            predeploys: Vec::new(),
        }
    }

    /// The rules of the chain.
    pub fn spec(&self) -> Result<ChainSpec, SpecError> {
        let config = ChainConfig {
            chain_id: self.chain_id.0,
            cancun_time: Some(0),
            prague_time: Some(0),
            osaka_time: Some(0),
            ..Default::default()
        };
        ChainSpec::new(&config, self.equal_timestamps)
    }

    /// The genesis block's header, and the state under it.
    pub(super) fn seal(&self) -> (Header, Pieces) {
        let mut pieces = Pieces::default();
        let mut accounts = Trie::empty();
        let contracts = [
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
        let contracts = contracts.into_iter().chain(self.predeploys.iter().cloned());
        let contracts = contracts.map(|(address, code)| (address, 1, U256::ZERO, code));
        let funded = self.funded.iter().map(|(address, balance)| (*address, 0, *balance, Bytes::new()));
        for (address, nonce, balance, code) in contracts.chain(funded) {
            let code_hash = keccak256(&code);
            pieces.codes.insert(code_hash, code);
            let account = TrieAccount { nonce, balance, storage_root: EMPTY_ROOT_HASH, code_hash };
            let inserted = accounts.insert(&keccak256(address), alloy_rlp::encode(account), &());
            inserted.expect("a whole trie needs no source");
        }
        let state_root = accounts.commit(&mut |hash, node| pieces.keep(hash, node));
        let header = Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            state_root,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            gas_limit: self.gas_limit,
            timestamp: self.timestamp,
            base_fee_per_gas: Some(BASE_FEE),
            withdrawals_root: Some(EMPTY_ROOT_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Default::default()
        };
        (header, pieces)
    }
}

/// The pieces of every state that the chain ever had, by hash. States share most of them, so nothing is dropped.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) nodes: NodeSet,
    pub(super) codes: B256Map<Bytes>,
}

impl Pieces {
    pub(super) fn keep(&mut self, hash: B256, node: &[u8]) {
        self.nodes.insert_hashed(hash, Bytes::copy_from_slice(node));
    }
}
