//! What a rollup starts from that is a member from its first block: a genesis that holds our contracts, as they would stand had they
//! been deployed there.
//!
//! The deployment runs in an EVM in memory, by the code that deploys anywhere else, and what it leaves behind is the genesis state. So
//! code, immutables, the committee's table and the allowed sources are what a deployment makes of them.

use crate::{ChainConfig, DevChain, DevChainError, chain::CREATE2_DEPLOYER_CODE};
use alloy::primitives::{TxKind, U256, keccak256};
use alloy_consensus::{Block, TxEnvelope};
use alloy_rlp::Decodable as _;
use futures::future::{BoxFuture, FutureExt as _};
use hum_chain::{
    At, Call, Chain, Log, LogQuery, Outcome, RawBlock, RawWitness, ReadError, Submit, SubmitError,
    contracts::{Addresses, CREATE2_DEPLOYER, DeployError, Deployment},
};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence, RegistrationId};
use hum_verify::ChainSpec;
use revm::{
    Context, ExecuteCommitEvm as _, ExecuteEvm as _, MainBuilder as _, MainContext as _, MainnetEvm,
    bytecode::Bytecode,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::{eip7825::TX_GAS_LIMIT_CAP, hardfork::SpecId},
    state::AccountInfo,
};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Whose word counts on a new rollup from its first block.
#[derive(Debug, Clone)]
pub struct Member {
    /// The network's contracts.
    pub deployment: Deployment,
    /// The table of the committee that the deployment starts from.
    pub table: Bytes,
    /// The rollups that its gateways listen to.
    pub sources: Vec<(ChainId, RegistrationId)>,
}

/// A genesis.
#[derive(Debug, Clone)]
pub struct LaunchGenesis {
    /// The file's JSON, as execution clients read it.
    pub json: String,
    /// The genesis block's header, RLP: what verification starts from.
    pub header: Bytes,
    /// Its hash.
    pub hash: B256,
    /// The rules that blocks are judged by.
    pub spec: ChainSpec,
    /// Where the contracts stand.
    pub addresses: Addresses,
}

/// Why there is no genesis.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The contracts do not deploy.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A chain does not start from it.
    #[error(transparent)]
    Chain(#[from] DevChainError),
    /// It cannot be written down, or read again.
    #[error("genesis: {0}")]
    Form(String),
}

impl LaunchGenesis {
    /// The genesis of a chain with these settings that holds the contracts of `member`.
    pub async fn new(config: &ChainConfig, member: &Member) -> Result<Self, GenesisError> {
        let form = |error: serde_json::Error| GenesisError::Form(error.to_string());
        config.check()?;
        let mut genesis = serde_json::to_value(config.genesis()).map_err(form)?;
        let timestamp = config.genesis().timestamp;
        let scratch = Scratch::new(config.chain_id, member.deployment.bootstrap, timestamp);
        let addresses = member.deployment.deploy(&scratch, &scratch, &member.table, &member.sources).await?;
        let alloc = genesis
            .get_mut("alloc")
            .and_then(Value::as_object_mut)
            .ok_or_else(|| GenesisError::Form("it has no accounts".to_owned()))?;
        scratch.leave_in(alloc);
        Self::read(config, genesis.to_string(), addresses).await
    }

    /// A genesis file's contents, read back; `addresses` is where the contracts stand in it.
    pub async fn read(
        config: &ChainConfig,
        json: String,
        addresses: Addresses,
    ) -> Result<Self, GenesisError> {
        let chain = DevChain::start_from(ChainConfig { port: 0, ..config.clone() }, &json).await?;
        let raw = chain.raw_block(0).await?;
        let block = Block::<TxEnvelope>::decode(&mut raw.as_ref())
            .map_err(|error| GenesisError::Form(error.to_string()))?;
        let mut rules = chain.rules()?;
        chain.shutdown().await;
        if let Some(rules) = rules.as_object_mut() {
            rules.insert("allowEqualTimestamps".to_owned(), json!(config.allows_equal_timestamps()));
        }
        let spec = serde_json::from_value(rules).map_err(|error| GenesisError::Form(error.to_string()))?;
        let header: Bytes = alloy_rlp::encode(&block.header).into();
        Ok(Self { json, hash: keccak256(&header), header, spec, addresses })
    }
}

/// An EVM that believes whoever sends: what it leaves behind is a genesis, which is the launcher's to choose.
struct Scratch {
    chain_id: ChainId,
    sender: Address,
    timestamp: u64,
    database: Mutex<Database>,
}

type Database = CacheDB<EmptyDB>;

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("chain_id", &self.chain_id).finish_non_exhaustive()
    }
}

impl Scratch {
    fn new(chain_id: ChainId, sender: Address, timestamp: u64) -> Self {
        let mut database = CacheDB::new(EmptyDB::default());
        let code = Bytecode::new_raw(CREATE2_DEPLOYER_CODE);
        let deployer =
            AccountInfo { code_hash: code.hash_slow(), code: Some(code), nonce: 1, ..Default::default() };
        database.insert_account_info(CREATE2_DEPLOYER, deployer);
        Self { chain_id, sender, timestamp, database: Mutex::new(database) }
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An EVM with everything cold.
    fn evm<'a>(&self, database: &'a mut Database) -> MainnetEvm<MainnetContext<&'a mut Database>> {
        Context::mainnet()
            .with_db(database)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = self.chain_id.0;
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| {
                block.gas_limit = 4 * TX_GAS_LIMIT_CAP;
                block.timestamp = U256::from(self.timestamp);
                block.basefee = 0;
            })
            .build_mainnet()
    }

    fn transaction(&self, to: Address, data: Bytes, gas_limit: Option<u64>) -> TxEnv {
        TxEnv {
            caller: self.sender,
            kind: TxKind::Call(to),
            data,
            gas_limit: gas_limit.unwrap_or(TX_GAS_LIMIT_CAP).min(TX_GAS_LIMIT_CAP),
            gas_price: 0,
            chain_id: Some(self.chain_id.0),
            ..TxEnv::default()
        }
    }

    /// Every contract that stands there now, as a genesis file has accounts. The deployer is in every genesis of ours already.
    fn leave_in(&self, alloc: &mut serde_json::Map<String, Value>) {
        let database = self.database();
        let cache = &database.cache;
        for (address, account) in &cache.accounts {
            let info = &account.info;
            let code = info.code.clone().or_else(|| cache.contracts.get(&info.code_hash).cloned());
            let Some(code) = code.filter(|code| !code.is_empty() && *address != CREATE2_DEPLOYER) else {
                continue;
            };
            let storage: serde_json::Map<String, Value> = account
                .storage
                .iter()
                .filter(|(_, value)| !value.is_zero())
                .map(|(slot, value)| (B256::from(*slot).to_string(), json!(B256::from(*value))))
                .collect();
            let entry = json!({
                "code": code.original_bytes(),
                "storage": storage,
                "balance": format!("{:#x}", info.balance),
                "nonce": format!("{:#x}", info.nonce),
            });
            alloc.insert(format!("{address:#x}"), entry);
        }
    }
}

fn unsupported<T: Send + 'static>(method: &'static str) -> BoxFuture<'static, Result<T, ReadError>> {
    let advice = "a chain that does not exist yet has no blocks";
    futures::future::ready(Err(ReadError::Unsupported { method, advice })).boxed()
}

impl Chain for Scratch {
    fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        unsupported("head")
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        unsupported("block")
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        unsupported("witness")
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        unsupported("logs")
    }

    fn call(&self, to: Address, data: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move {
            let mut database = self.database();
            let result = self.evm(&mut database).transact(self.transaction(to, data, None));
            match result.map(|result| result.result) {
                Ok(ExecutionResult::Success { output, .. }) => Ok(output.into_data()),
                Ok(ExecutionResult::Revert { output, .. }) => {
                    Err(ReadError::Reverted { data: output, message: "reverted".to_owned() })
                }
                Ok(ExecutionResult::Halt { reason, .. }) => {
                    Err(ReadError::Reverted { data: Bytes::new(), message: format!("{reason:?}") })
                }
                Err(error) => Err(ReadError::Garbage { method: "call", detail: error.to_string() }),
            }
        }
        .boxed()
    }

    fn storage(&self, account: Address, slot: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        async move {
            let database = self.database();
            let account = database.cache.accounts.get(&account);
            let value = account.and_then(|account| account.storage.get(&slot.into()).copied());
            Ok(value.unwrap_or_default().into())
        }
        .boxed()
    }

    fn code(&self, account: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move {
            let database = self.database();
            let cache = &database.cache;
            let Some(account) = cache.accounts.get(&account) else { return Ok(Bytes::new()) };
            let info = &account.info;
            let code = info.code.as_ref().or_else(|| cache.contracts.get(&info.code_hash));
            Ok(code.map(Bytecode::original_bytes).unwrap_or_default())
        }
        .boxed()
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        async { Ok(U256::ZERO) }.boxed()
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        async { Ok(0) }.boxed()
    }
}

impl Submit for Scratch {
    fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    fn sender(&self) -> Address {
        self.sender
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        async { Ok(U256::ZERO) }.boxed()
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        async { Ok(0) }.boxed()
    }

    fn estimate(&self, call: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        async move { Ok(call.gas_limit.unwrap_or(TX_GAS_LIMIT_CAP)) }.boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        async move {
            let transaction = self.transaction(call.to, call.data, call.gas_limit);
            let mut database = self.database();
            let result = self.evm(&mut database).transact_commit(transaction).map_err(|error| {
                SubmitError::Read(ReadError::Garbage { method: "send", detail: error.to_string() })
            })?;
            Ok(Outcome {
                tx_hash: B256::ZERO,
                success: result.is_success(),
                gas_used: result.tx_gas_used(),
                fee: U256::ZERO,
                block: BlockRef::default(),
                logs: Vec::new(),
            })
        }
        .boxed()
    }
}
