//! The committed judges in revm, over a service manager that answers what it was told to answer.

use super::super::{Judges, Punishments};
use crate::watcher::tests::fixture::{Signers, domain};
use alloy_primitives::{TxKind, U256, hex};
use alloy_sol_types::{SolCall, SolValue, sol};
use hum_types::*;
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm as _, MainBuilder, MainContext, MainnetEvm,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};

/// What rollups are registered with.
pub(in crate::watcher) const SPEC_HASH: B256 = B256::repeat_byte(2);
pub(in crate::watcher) const ACCOUNT: Address = Address::repeat_byte(0xac);
pub(in crate::watcher) const MANAGER: Address = Address::repeat_byte(0x5e);
/// Hash of the only snapshot's table that the settlement judge's adapter sees.
pub(super) const SNAPSHOT: B256 = B256::repeat_byte(0xdd);

/// What an account's `n`-th creation gives; filled in by hand, so that judges have constant addresses.
pub(super) const TABLES: Address = address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a001");
/// What a challenge takes.
pub(in crate::watcher) const BOND_WEI: u64 = 1_000;
/// How long it may be answered.
pub(in crate::watcher) const ANSWER_TIME_S: u64 = 20;
/// Where rollups post their batches.
pub(in crate::watcher) const INBOX: Address = address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a00a");
/// The L1 block that everything happens in.
pub(in crate::watcher) const L1_BLOCK: u64 = 100;
/// Where each judge is put.
pub(in crate::watcher) const JUDGES: Judges = Judges {
    attestation: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a002")),
    settlement: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a003")),
    table_adapter: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a004")),
    batch_adapter: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a009")),
    claim: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a006")),
    lane: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a007")),
    state_root: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a008")),
    rollup_registry: Some(address("1a95a3df35ca79b6f2b8a5e4b0a4d1a0c0b1a005")),
    batch_inbox: Some(INBOX),
};

const fn address(hex: &str) -> Address {
    match alloy_primitives::hex::const_decode_to_array::<20>(hex.as_bytes()) {
        Ok(bytes) => Address::new(bytes),
        Err(_) => panic!("an address"),
    }
}

sol! {
    struct Snapshot { bytes32 tableHash; uint64 l1Block; uint64 validUntil; uint16 seats; }
    function DOMAIN() external view returns (bytes32);
    function operatorIdOf(address operator) external view returns (bytes32);
    function operatorOf(bytes32 operatorId) external view returns (address);
    function keyOf(address operator) external view returns (uint256[8]);
    function snapshotOf(bytes32 tableHash) external view returns (uint256);
    function snapshotCount() external view returns (uint256);
    function snapshotAt(uint256 index) external view returns (Snapshot);
    function authorise(uint64 chainId, address account) external;
    function slash(address operator, uint8 fault, bytes32 offence, address reporter) external;
    function register(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash) external payable returns (bytes32);
}

/// What a call did.
#[derive(Debug)]
pub(in crate::watcher) struct Ran {
    pub(in crate::watcher) success: bool,
    pub(in crate::watcher) gas: u64,
    pub(in crate::watcher) output: Bytes,
    pub(in crate::watcher) logs: Vec<alloy_primitives::Log>,
}

pub(in crate::watcher) struct Evm {
    database: CacheDB<EmptyDB>,
    nonce: u64,
    time_s: U256,
}

fn creation(text: &str) -> Vec<u8> {
    let json: serde_json::Value = serde_json::from_str(text).expect("an artifact");
    hex::decode(json["bytecode"].as_str().expect("bytecode")).expect("hex")
}

impl Evm {
    /// All judges, and a manager that knows these operators.
    pub(in crate::watcher) fn new(signers: &Signers) -> Self {
        let mut evm =
            Self { database: CacheDB::new(EmptyDB::default()), nonce: 0, time_s: U256::from(1_000) };
        let rich = AccountInfo { balance: U256::from(10_u128.pow(20)), ..AccountInfo::default() };
        evm.database.insert_account_info(ACCOUNT, rich);
        // Returns the code of the account whose address ends the hash of the calldata.
        evm.put(MANAGER, hex!("365f5f37365f20803b805f5f843c5ff3").to_vec());
        evm.answer(DOMAINCall {}.abi_encode(), domain().0.abi_encode());
        for (entry, seat) in signers.seated.roster().entries.iter().zip(0..) {
            let operator = signers.operator(seat);
            let id = keccak256(entry.key_g1);
            evm.answer(operatorIdOfCall { operator }.abi_encode(), id.abi_encode());
            evm.answer(operatorOfCall { operatorId: id }.abi_encode(), operator.abi_encode());
            let key =
                [entry.key_g1.as_slice(), entry.key_g2.as_slice(), entry.possession.as_slice()].concat();
            evm.answer(keyOfCall { operator }.abi_encode(), key);
            evm.answer(Punishments::isJailedCall { operator }.abi_encode(), false.abi_encode());
        }
        evm.answer(snapshotCountCall {}.abi_encode(), U256::from(1).abi_encode());
        let snapshot = Snapshot { tableHash: SNAPSHOT, l1Block: 2, validUntil: 0, seats: 4 };
        evm.answer(snapshotAtCall { index: U256::ZERO }.abi_encode(), snapshot.abi_encode());

        let artifact = |name: &str| match name {
            "tables" => include_str!("../../../../../../contracts/artifacts/TableStore.json"),
            "attestation" => include_str!("../../../../../../contracts/artifacts/AttestationJudge.json"),
            "adapter" => include_str!("../../../../../../contracts/artifacts/TableAdapter.json"),
            "inbox" => include_str!("../../../../../../contracts/artifacts/BatchInbox.json"),
            "batches" => include_str!("../../../../../../contracts/artifacts/BatchAdapter.json"),
            "settlement" => include_str!("../../../../../../contracts/artifacts/SettlementJudge.json"),
            "claim" => include_str!("../../../../../../contracts/artifacts/ClaimJudge.json"),
            "lane" => include_str!("../../../../../../contracts/artifacts/LaneJudge.json"),
            "state root" => include_str!("../../../../../../contracts/artifacts/StateRootJudge.json"),
            _ => include_str!("../../../../../../contracts/artifacts/RollupRegistry.json"),
        };
        let Judges { attestation, settlement, rollup_registry, claim, lane, state_root, .. } = JUDGES;
        let at = |judge: Option<Address>| judge.expect("a judge");
        let (adapter, batches) = (at(JUDGES.table_adapter), at(JUDGES.batch_adapter));
        evm.deploy(artifact("tables"), MANAGER.abi_encode(), TABLES);
        evm.deploy(artifact("attestation"), (MANAGER, TABLES).abi_encode_params(), at(attestation));
        evm.deploy(artifact("adapter"), MANAGER.abi_encode(), adapter);
        let arguments = (MANAGER, TABLES, ACCOUNT, 0_u64, vec![adapter, batches]).abi_encode_params();
        evm.deploy(artifact("settlement"), arguments, at(settlement));
        evm.write(at(settlement), adapter);
        evm.write(at(settlement), batches);
        evm.deploy(artifact("inbox"), at(rollup_registry).abi_encode(), INBOX);
        evm.deploy(artifact("batches"), INBOX.abi_encode(), batches);
        let arguments =
            (domain().0, ACCOUNT, Address::repeat_byte(0xf0), U256::from(10), 0_u64, 0_u64, ANSWER_TIME_S);
        evm.deploy(artifact("registry"), arguments.abi_encode_params(), at(rollup_registry));
        let arguments = (MANAGER, TABLES, at(rollup_registry));
        evm.deploy(artifact("lane"), arguments.abi_encode_params(), at(lane));
        evm.deploy(artifact("state root"), arguments.abi_encode_params(), at(state_root));
        let arguments = (MANAGER, TABLES, at(rollup_registry), U256::from(BOND_WEI), ANSWER_TIME_S);
        evm.deploy(artifact("claim"), arguments.abi_encode_params(), at(claim));
        evm
    }

    fn put(&mut self, account: Address, code: Vec<u8>) {
        let code = Bytecode::new_raw(code.into());
        let info = AccountInfo { code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() };
        self.database.insert_account_info(account, info);
    }

    /// What the manager returns for a call.
    fn answer(&mut self, call: Vec<u8>, returns: Vec<u8>) {
        self.put(Address::from_word(keccak256(call)), returns);
    }

    /// Deploy, then move the code to where the tests look for it. Immutables are in the code.
    fn deploy(&mut self, text: &str, arguments: Vec<u8>, to: Address) {
        let made = ACCOUNT.create(self.nonce);
        let ran = self.transact(TxKind::Create, [creation(text), arguments].concat(), 0);
        assert!(ran.success, "{ran:?}");
        let database = &mut self.database;
        let code = database.cache.accounts.get(&made).and_then(|account| account.info.code.clone());
        let code = code.or_else(|| {
            let hash = database.cache.accounts.get(&made)?.info.code_hash;
            database.cache.contracts.get(&hash).cloned()
        });
        self.put(to, code.expect("code").original_bytes().to_vec());
    }

    /// The settlement judge was told of its adapter when it was made, in storage that stayed behind: tell it again.
    fn write(&mut self, judge: Address, adapter: Address) {
        let slot = keccak256((adapter, U256::ZERO).abi_encode());
        let database = &mut self.database;
        database.insert_account_storage(judge, slot.into(), U256::from(1)).expect("no error");
    }

    /// The manager took a snapshot of this table.
    pub(in crate::watcher) fn know_table(&mut self, hash: B256) {
        self.answer(snapshotOfCall { tableHash: hash }.abi_encode(), U256::from(1).abi_encode());
    }

    /// The manager knows an offence of this name, not punished yet, and slashes for it.
    pub(super) fn know_offence(&mut self, _operator: Address, offence: B256) {
        self.answer(Punishments::isPunishedCall { offence }.abi_encode(), false.abi_encode());
    }

    /// From now on the manager remembers for which offences it was told to slash.
    pub(in crate::watcher) fn remember_slashes(&mut self) {
        let slash: [u8; 4] = slashCall::SELECTOR;
        let asked: [u8; 4] = Punishments::isPunishedCall::SELECTOR;
        // When told to slash: sstore(offence, 1). When asked whether it was punished: return sload(offence). Else as before.
        let head = [&hex!("5f3560e01c8063")[..], &slash, &hex!("14602a578063"), &asked, &hex!("14603257")];
        let before = hex!("50365f5f37365f20803b805f5f843c5ff3");
        let tail = hex!("5b600160443555005b600435545f5260205ff3");
        self.put(MANAGER, [head.concat(), before.to_vec(), tail.to_vec()].concat());
    }

    /// Register a rollup with a bond.
    pub(in crate::watcher) fn register(&mut self, chain_id: ChainId, sequencer: Address) -> RegistrationId {
        self.register_at(chain_id, sequencer, B256::repeat_byte(1))
    }

    /// Register a rollup that is verified from this block on.
    pub(in crate::watcher) fn register_at(
        &mut self,
        chain_id: ChainId,
        sequencer: Address,
        anchor_hash: B256,
    ) -> RegistrationId {
        let registry = JUDGES.rollup_registry.expect("a registry");
        let ran = self.call(registry, &authoriseCall { chainId: chain_id.0, account: ACCOUNT }.abi_encode());
        assert!(ran.success, "{ran:?}");
        let spec_hash = SPEC_HASH;
        let call =
            registerCall { chainId: chain_id.0, sequencer, anchorHash: anchor_hash, specHash: spec_hash };
        let ran = self.transact(TxKind::Call(registry), call.abi_encode(), 10);
        assert!(ran.success, "{ran:?}");
        let registration = RegistrationId::derive(chain_id, sequencer, anchor_hash, spec_hash);
        assert_eq!(ran.output.as_ref(), registration.0.as_slice());
        registration
    }

    pub(in crate::watcher) fn call(&mut self, to: Address, data: &[u8]) -> Ran {
        self.transact(TxKind::Call(to), data.to_vec(), 0)
    }

    fn transact(&mut self, kind: TxKind, data: Vec<u8>, value: u64) -> Ran {
        let tx = self.transaction(kind, data, U256::from(value));
        let result = self.machine().transact_commit(tx).expect("a valid transaction");
        self.nonce += 1;
        Ran::from(result)
    }

    fn machine(&mut self) -> MainnetEvm<MainnetContext<&mut CacheDB<EmptyDB>>> {
        let time_s = self.time_s;
        Context::mainnet()
            .with_db(&mut self.database)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = 1;
            })
            .modify_block_chained(|block| {
                block.number = U256::from(L1_BLOCK);
                block.timestamp = time_s;
                block.gas_limit = 60_000_000;
                block.basefee = 0;
            })
            .build_mainnet()
    }

    fn transaction(&self, kind: TxKind, data: Vec<u8>, value: U256) -> TxEnv {
        TxEnv::builder()
            .caller(ACCOUNT)
            .nonce(self.nonce)
            .chain_id(Some(1))
            .kind(kind)
            .data(data.into())
            .value(value)
            .gas_limit(1 << 24)
            .gas_price(0)
            .build()
            .expect("a transaction")
    }

    /// What a call would do.
    pub(in crate::watcher) fn ask(&mut self, to: Address, data: &[u8], value: U256) -> Ran {
        let tx = self.transaction(TxKind::Call(to), data.to_vec(), value);
        Ran::from(self.machine().transact(tx).expect("a valid transaction").result)
    }

    /// A call with a payment.
    pub(in crate::watcher) fn pay(&mut self, to: Address, data: &[u8], value: U256) -> Ran {
        self.transact(TxKind::Call(to), data.to_vec(), value.saturating_to())
    }

    /// The time of the next block, in seconds.
    pub(in crate::watcher) const fn time_s(&mut self) -> &mut U256 {
        &mut self.time_s
    }
}

impl From<ExecutionResult> for Ran {
    fn from(result: ExecutionResult) -> Self {
        let gas = result.tx_gas_used();
        let none = Vec::new();
        match result {
            ExecutionResult::Success { output, logs, .. } => {
                Self { success: true, gas, output: output.into_data(), logs }
            }
            ExecutionResult::Revert { output, .. } => Self { success: false, gas, output, logs: none },
            ExecutionResult::Halt { .. } => Self { success: false, gas, output: Bytes::new(), logs: none },
        }
    }
}
