//! One chain in memory: transactions one by one, each with everything cold.

use alloy_primitives::{Address, Bytes, TxKind, U256};
use hum_types::{ChainId, TimeMs};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm,
    context::{
        TxEnv,
        result::{ExecutionResult, HaltReason},
    },
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::{eip7825::TX_GAS_LIMIT_CAP, hardfork::SpecId},
};

/// The account that sends every transaction.
const ACCOUNT: Address = Address::repeat_byte(0xac);
const BLOCK_GAS: u64 = 60_000_000;

/// A transaction that did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum EvmError {
    /// It was refused before it ran.
    #[error("transaction is invalid: {0}")]
    Invalid(String),
    /// It reverted.
    #[error("transaction reverted with {output} after {gas} gas")]
    Reverted {
        /// What it returned.
        output: Bytes,
        /// What it used.
        gas: u64,
    },
    /// It ran into a limit or a fault of the EVM.
    #[error("transaction halted after {gas} gas: {reason:?}")]
    Halted {
        /// Why.
        reason: HaltReason,
        /// What it used.
        gas: u64,
    },
    /// It created nothing.
    #[error("transaction created no contract")]
    NotCreated,
}

/// What a successful transaction gave.
#[derive(Debug)]
pub(crate) struct Done {
    /// `gasUsed` of its receipt.
    pub(crate) gas: u64,
    pub(crate) output: Bytes,
    created: Option<Address>,
}

pub(crate) struct Evm {
    inner: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    nonce: u64,
}

impl std::fmt::Debug for Evm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evm").field("nonce", &self.nonce).finish_non_exhaustive()
    }
}

impl Evm {
    /// An empty chain under Osaka rules.
    pub(crate) fn new(chain_id: ChainId) -> Self {
        let inner = Context::mainnet()
            .with_db(CacheDB::new(EmptyDB::default()))
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = chain_id.0;
            })
            .modify_block_chained(|block| {
                block.number = U256::from(1);
                block.gas_limit = BLOCK_GAS;
                block.basefee = 0;
            })
            .build_mainnet();
        Self { inner, nonce: 0 }
    }

    pub(crate) const fn account(&self) -> Address {
        ACCOUNT
    }

    /// Where the contract of the account's transaction `nonce` stands.
    pub(crate) fn address(nonce: u64) -> Address {
        ACCOUNT.create(nonce)
    }

    /// Put the chain's clock at a checkpoint's time.
    pub(crate) fn set_time(&mut self, time: TimeMs) {
        self.inner.ctx.block.timestamp = U256::from(time.0 / 1000);
    }

    pub(crate) fn create(&mut self, code: &[u8], arguments: &[u8]) -> Result<Address, EvmError> {
        self.transact(TxKind::Create, [code, arguments].concat())?.created.ok_or(EvmError::NotCreated)
    }

    pub(crate) fn call(&mut self, to: Address, data: Vec<u8>) -> Result<Done, EvmError> {
        self.transact(TxKind::Call(to), data)
    }

    fn transact(&mut self, kind: TxKind, data: Vec<u8>) -> Result<Done, EvmError> {
        let invalid = |error: String| EvmError::Invalid(error);
        let tx = TxEnv::builder()
            .caller(ACCOUNT)
            .nonce(self.nonce)
            .chain_id(Some(self.inner.ctx.cfg.chain_id))
            .kind(kind)
            .data(data.into())
            .gas_limit(TX_GAS_LIMIT_CAP)
            .gas_price(0)
            .build()
            .map_err(|error| invalid(format!("{error:?}")))?;
        let result = self.inner.transact_commit(tx).map_err(|error| invalid(error.to_string()))?;
        self.nonce += 1;
        let (gas, created) = (result.tx_gas_used(), result.created_address());
        match result {
            ExecutionResult::Success { output, .. } => Ok(Done { gas, output: output.into_data(), created }),
            ExecutionResult::Revert { output, .. } => Err(EvmError::Reverted { output, gas }),
            ExecutionResult::Halt { reason, .. } => Err(EvmError::Halted { reason, gas }),
        }
    }
}
