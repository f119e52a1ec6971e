//! A destination with the committed contracts, in revm.

use super::network::{DESTINATION, Network, SOURCES};
use crate::{
    Calldata, LaneSeen, MessageStatus, Observation, Query,
    storage::{
        STATUSES_PER_WORD, checkpoint_slot, checkpoint_word, client, epoch_slot, lane_record, newest_epoch,
        newest_epoch_slot, progress_slot, source_slot, status, status_in_log, statuses_slot,
    },
};
use alloy_primitives::{TxKind, U256, hex};
use alloy_sol_types::{SolCall, SolValue, sol};
use hum_types::*;
use revm::{
    Context, Database, ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};

sol! {
    function installTable(uint64 epoch, bytes table) external;
    function allow(uint64 chainId, bytes32 registration) external;
}

const ACCOUNT: Address = Address::repeat_byte(0xac);
/// Accepts everything: returns the magic value of `receiveMessage`.
pub(crate) const ACCEPTS: Address = Address::repeat_byte(0x0a);
/// Accepts nothing until [`Evm::make_accept`].
pub(crate) const REFUSES: Address = Address::repeat_byte(0x0b);

/// What a transaction did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) success: bool,
    pub(crate) gas: u64,
    pub(crate) output: Bytes,
    pub(crate) told: Vec<(B256, MessageStatus)>,
}

pub(crate) struct Evm {
    inner: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    nonce: u64,
    pub(crate) light_client: Address,
    /// In the order of [`Confidence::ALL`].
    pub(crate) gateways: [Address; 3],
    pub(crate) block: u64,
    pub(crate) network: Network,
}

fn artifact(text: &str) -> Vec<u8> {
    let json: serde_json::Value = serde_json::from_str(text).expect("an artifact");
    hex::decode(json["bytecode"].as_str().expect("bytecode")).expect("hex")
}

impl Evm {
    /// A destination that has the contracts and allows both sources.
    pub(crate) fn new() -> Self {
        let inner = Context::mainnet()
            .with_db(CacheDB::new(EmptyDB::default()))
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = DESTINATION.0;
            })
            .modify_block_chained(|block| {
                block.number = U256::from(1);
                block.gas_limit = 60_000_000;
                block.basefee = 0;
            })
            .build_mainnet();
        let (light_client, gateways) = (ACCOUNT.create(0), [1, 2, 3].map(|nonce| ACCOUNT.create(nonce)));
        let network = Network::with(gateways);
        let mut evm = Self { inner, nonce: 0, light_client, gateways, block: 1, network };
        evm.make_accept(ACCEPTS);
        let table = evm.network.committee.table().clone();
        let code = artifact(include_str!("../../../../contracts/artifacts/LightClient.json"));
        let arguments = (evm.network.domain.0, 0_u64, table.hash(), Address::ZERO, 0_u32).abi_encode_params();
        evm.deploy(code, arguments, light_client);
        let code = artifact(include_str!("../../../../contracts/artifacts/Gateway.json"));
        for (confidence, gateway) in (0_u16..).zip(gateways) {
            evm.deploy(code.clone(), (light_client, confidence, ACCOUNT).abi_encode_params(), gateway);
        }
        evm.must(light_client, installTableCall { epoch: 0, table: table.encode().into() }.abi_encode());
        for source in SOURCES {
            let registration = evm.network.registration(source).0;
            for gateway in gateways {
                evm.must(gateway, allowCall { chainId: source.0, registration }.abi_encode());
            }
        }
        evm
    }

    fn deploy(&mut self, code: Vec<u8>, arguments: Vec<u8>, expected: Address) {
        let ran = self.transact(TxKind::Create, [code, arguments].concat(), 1 << 24);
        assert!(ran.success, "{ran:?}");
        assert!(self.code(expected), "nothing stands at {expected}");
    }

    fn must(&mut self, to: Address, data: Vec<u8>) {
        let ran = self.transact(TxKind::Call(to), data, 1 << 24);
        assert!(ran.success, "reverted with {}", ran.output);
    }

    fn code(&mut self, account: Address) -> bool {
        self.inner
            .ctx
            .journaled_state
            .database
            .basic(account)
            .expect("no error")
            .is_some_and(|a| !a.is_empty_code_hash())
    }

    pub(crate) fn make_accept(&mut self, recipient: Address) {
        let code = Bytecode::new_raw(hex!("632432ef2660e01b5f5260205ff3").into());
        let info = AccountInfo { code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() };
        self.inner.ctx.journaled_state.database.insert_account_info(recipient, info);
    }

    pub(crate) fn set_time(&mut self, time_ms: u64) {
        self.inner.ctx.block.timestamp = U256::from(time_ms / 1_000);
    }

    pub(crate) fn call(&mut self, calldata: &Calldata, gas_limit: u64) -> Ran {
        assert!(calldata.to == self.light_client || self.gateways.contains(&calldata.to));
        self.transact(TxKind::Call(calldata.to), calldata.data.to_vec(), gas_limit)
    }

    /// Whether it would succeed, without doing it.
    pub(crate) fn would_succeed(&mut self, calldata: &Calldata) -> bool {
        let (database, nonce) = (self.inner.ctx.journaled_state.database.clone(), self.nonce);
        let ran = self.call(calldata, 1 << 24);
        self.inner.ctx.journaled_state.database = database;
        self.nonce = nonce;
        ran.success
    }

    fn transact(&mut self, kind: TxKind, data: Vec<u8>, gas_limit: u64) -> Ran {
        let tx = TxEnv::builder()
            .caller(ACCOUNT)
            .nonce(self.nonce)
            .chain_id(Some(DESTINATION.0))
            .kind(kind)
            .data(data.into())
            .gas_limit(gas_limit)
            .gas_price(0)
            .build()
            .expect("a transaction");
        let result = self.inner.transact_commit(tx).expect("a valid transaction");
        self.nonce += 1;
        let told = result.logs().iter().filter(|log| self.gateways.contains(&log.address));
        let told = told.filter_map(|log| status_in_log(log.topics())).collect();
        let gas = result.tx_gas_used();
        match result {
            ExecutionResult::Success { output, .. } => {
                Ran { success: true, gas, output: output.into_data(), told }
            }
            ExecutionResult::Revert { output, .. } => Ran { success: false, gas, output, told: Vec::new() },
            ExecutionResult::Halt { .. } => {
                Ran { success: false, gas, output: Bytes::new(), told: Vec::new() }
            }
        }
    }

    pub(crate) fn storage(&mut self, account: Address, slot: B256) -> B256 {
        self.inner.ctx.journaled_state.database.storage(account, slot.into()).expect("no error").into()
    }

    /// What a relayer's reads give, `header` being the checkpoint that the query names.
    pub(crate) fn observe(&mut self, query: &Query, header: &Header) -> Observation {
        let held = self.storage(self.light_client, checkpoint_slot(header.height)) == checkpoint_word(header);
        let light_client = self.light_client;
        let newest = self.storage(light_client, newest_epoch_slot());
        let client = client(newest, self.storage(light_client, epoch_slot(newest_epoch(newest).0)));
        let lanes = query.lanes.iter().map(|lane| {
            let (gateway, registration) = (lane.key.lane.facade, self.network.registration(lane.key.source));
            let source = self.storage(gateway, source_slot(registration));
            let progress = self.storage(gateway, progress_slot(registration));
            let (allowed, record) = lane_record(source, progress);
            let statuses = lane.messages.iter().map(|(generation, index)| {
                let group = index.0 / STATUSES_PER_WORD;
                let word = self.storage(gateway, statuses_slot(registration, *generation, group));
                (*generation, *index, status(word, *index).expect("a status"))
            });
            LaneSeen { key: lane.key, statuses: statuses.collect(), allowed, record }
        });
        Observation {
            destination: query.destination,
            sequence: query.sequence,
            lanes: lanes.collect(),
            block: self.block,
            client,
            checkpoint: query.checkpoint.filter(|height| held && *height == header.height),
            gas_price_wei: 1,
            balance_wei: 10_u128.pow(20),
        }
    }
}
