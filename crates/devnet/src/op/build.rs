//! Making one block.

use super::Store;
use super::contracts::MESSAGE_PASSER;
use super::genesis::FEE_VAULT;
use alloy::eips::{
    eip1559::{BaseFeeParams, calc_next_block_base_fee},
    eip2718::Encodable2718 as _,
    eip4895::Withdrawals,
    eip7685::EMPTY_REQUESTS_HASH,
};
use alloy_consensus::{
    Block, BlockBody, Header, TxReceipt as _,
    constants::EMPTY_OMMER_ROOT_HASH,
    transaction::{Recovered, SignerRecoverable as _},
};
use alloy_evm::{
    EvmFactory as _,
    block::{BlockExecutionError, BlockExecutor as _},
};
use alloy_op_evm::{
    OpBlockExecutionCtx, OpBlockExecutor, OpEvmFactory, OpTx, block::OpAlloyReceiptBuilder,
    evm_env_for_op_block,
};
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{B64, B256, Bytes};
use alloy_trie::{EMPTY_ROOT_HASH, root::ordered_trie_root_encoded};
use hum_types::BlockRef;
use hum_verify::{
    ChainSpec, L1Info, OpRules, Rules, Witness,
    state::{Recorder, StateDb},
};
use op_alloy_consensus::{
    OpReceiptEnvelope, OpTxEnvelope, TxDeposit, decode_holocene_extra_data, decode_jovian_extra_data,
    encode_holocene_extra_data, encode_jovian_extra_data,
};
use revm::database::State;

/// What L1 and the clock say about a block.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// The block's time, in seconds.
    pub timestamp: u64,
    /// What it says of L1.
    pub l1: L1Info,
    /// What L1 forces into it.
    pub deposits: Vec<TxDeposit>,
    /// Its gas limit.
    pub gas_limit: u64,
    /// Denominator and elasticity for its child, from Holocene on: 4 bytes each. Zero leaves those of the configuration.
    pub fee_params: B64,
    /// The least base fee for its child, in wei, from Jovian on.
    pub base_fee_min: u64,
    /// The randomness of the L1 block.
    pub randao: B256,
    /// The beacon block root of the L1 block.
    pub beacon_root: B256,
    /// Most bytes of its transactions, deposits apart.
    pub transactions_bytes_max: Option<usize>,
}

impl Attributes {
    /// A block at `timestamp` on `parent` that says nothing new.
    #[must_use]
    pub fn after(parent: &Header, timestamp: u64, l1: L1Info) -> Self {
        Self {
            timestamp,
            l1,
            deposits: Vec::new(),
            gas_limit: parent.gas_limit,
            fee_params: B64::ZERO,
            base_fee_min: 0,
            randao: B256::ZERO,
            beacon_root: B256::ZERO,
            transactions_bytes_max: None,
        }
    }
}

/// Why a block cannot be made, or a state not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OpBuildError(String);

impl OpBuildError {
    pub(super) fn new(error: impl ToString) -> Self {
        Self(error.to_string())
    }
}

/// A block of the chain, and the evidence for it.
#[derive(Debug, Clone)]
pub struct OpSealed {
    /// Its header.
    pub header: Header,
    /// Its hash.
    pub hash: B256,
    /// Its RLP.
    pub rlp: Bytes,
    /// Its transactions, deposits first.
    pub transactions: Vec<OpTxEnvelope>,
    /// What each left behind.
    pub receipts: Vec<OpReceiptEnvelope>,
    /// What its execution read.
    pub witness: Witness,
}

impl OpSealed {
    /// Its number and hash.
    #[must_use]
    pub const fn block_ref(&self) -> BlockRef {
        BlockRef { number: self.header.number, hash: self.hash }
    }

    pub(super) fn genesis(header: Header) -> Self {
        Self::new(header, Vec::new(), Vec::new(), Witness::default())
    }

    fn new(
        header: Header,
        transactions: Vec<OpTxEnvelope>,
        receipts: Vec<OpReceiptEnvelope>,
        witness: Witness,
    ) -> Self {
        let withdrawals = header.withdrawals_root.map(|_| Withdrawals::default());
        let body = BlockBody { transactions, ommers: Vec::<Header>::new(), withdrawals };
        let block = Block { header, body };
        let rlp = alloy_rlp::encode(&block).into();
        let Block { header, body } = block;
        Self { hash: header.hash_slow(), header, rlp, transactions: body.transactions, receipts, witness }
    }
}

/// A block and what it adds to the store.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) sealed: OpSealed,
    pub(super) nodes: Vec<(B256, Bytes)>,
    pub(super) codes: Vec<(B256, Bytes)>,
}

pub(super) fn make(
    spec: &ChainSpec,
    store: &Store,
    parent: &Header,
    attributes: &Attributes,
    candidates: Vec<OpTxEnvelope>,
) -> Result<Made, OpBuildError> {
    let Rules::OpStack(rules) = spec.rules() else { return Err(OpBuildError::new("not OP rules")) };
    let mut header = draft(rules, parent, attributes)?;
    let context = OpBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        extra_data: header.extra_data.clone(),
    };
    let database = StateDb::new(parent.state_root, Recorder::new(store));
    let mut state = State::builder().with_database(database).with_bundle_update().build();
    let environment = evm_env_for_op_block(&header, spec, spec.chain_id().0);
    let evm = OpEvmFactory::<OpTx>::default().create_evm(&mut state, environment);
    let mut executor = OpBlockExecutor::new(evm, context, spec, OpAlloyReceiptBuilder::default());
    executor.apply_pre_execution_changes().map_err(OpBuildError::new)?;
    let first = attributes.l1.deposit(rules, parent.timestamp, attributes.timestamp);
    let forced = std::iter::once(first).chain(attributes.deposits.iter().cloned());
    let mut included: Vec<OpTxEnvelope> = Vec::new();
    for deposit in forced {
        let (from, transaction) = (deposit.from, OpTxEnvelope::from(deposit));
        executor
            .execute_transaction(Recovered::new_unchecked(&transaction, from))
            .map_err(OpBuildError::new)?;
        included.push(transaction);
    }
    let mut room = attributes.transactions_bytes_max.unwrap_or(usize::MAX);
    for transaction in candidates {
        let Some(left) = room.checked_sub(transaction.encode_2718_len()) else { continue };
        let Ok(sender) = transaction.recover_signer() else { continue };
        match executor.execute_transaction(Recovered::new_unchecked(&transaction, sender)) {
            Ok(_) => {
                included.push(transaction);
                room = left;
            }
            Err(BlockExecutionError::Validation(_)) => {}
            Err(error) => return Err(OpBuildError::new(error)),
        }
    }
    let (_, result) = executor.finish().map_err(OpBuildError::new)?;

    let changes = state.transition_state.take().unwrap_or_default();
    let infos = changes.transitions.values().filter_map(|change| change.info.as_ref());
    let codes =
        infos.filter_map(|info| Some((info.code_hash, info.code.as_ref()?.original_bytes()))).collect();
    let mut nodes = Vec::new();
    header.state_root = state
        .database
        .commit(changes, &mut |hash, node| nodes.push((hash, Bytes::copy_from_slice(node))))
        .map_err(OpBuildError::new)?;
    if rules.is_active(OpHardfork::Isthmus, header.timestamp) {
        let root = state.database.storage_root(MESSAGE_PASSER).map_err(OpBuildError::new)?;
        header.withdrawals_root = Some(root);
    }
    let raw: Vec<Vec<u8>> = included.iter().map(|transaction| transaction.encoded_2718()).collect();
    header.transactions_root = ordered_trie_root_encoded(&raw);
    let raw: Vec<Vec<u8>> = result.receipts.iter().map(|receipt| receipt.encoded_2718()).collect();
    header.receipts_root = ordered_trie_root_encoded(&raw);
    header.logs_bloom =
        result.receipts.iter().fold(Default::default(), |bloom, receipt| bloom | receipt.bloom());
    header.gas_used = result.gas_used;
    if header.blob_gas_used.is_some() {
        header.blob_gas_used = Some(result.blob_gas_used);
    }

    let recorder = state.database.source();
    let from = recorder.oldest_block().and_then(|oldest| usize::try_from(oldest).ok());
    // The parent is known to whoever judges: the witness holds what lies between it and the oldest block asked for.
    let between = from.and_then(|from| store.blocks.get(from + 1..store.blocks.len() - 1));
    let headers = between.unwrap_or_default().iter().map(|block| alloy_rlp::encode(&block.header).into());
    let witness = Witness { state: recorder.nodes(), codes: recorder.codes(), headers: headers.collect() };
    Ok(Made { sealed: OpSealed::new(header, included, result.receipts, witness), nodes, codes })
}

/// The header as far as it is known before execution.
fn draft(rules: &OpRules, parent: &Header, attributes: &Attributes) -> Result<Header, OpBuildError> {
    let timestamp = attributes.timestamp;
    let active = |fork| rules.is_active(fork, timestamp);
    let default = rules.base_fee_params(timestamp);
    let extra_data = if active(OpHardfork::Jovian) {
        encode_jovian_extra_data(attributes.fee_params, default, attributes.base_fee_min)
    } else if active(OpHardfork::Holocene) {
        encode_holocene_extra_data(attributes.fee_params, default)
    } else {
        Ok(Bytes::new())
    };
    let ecotone = active(OpHardfork::Ecotone);
    Ok(Header {
        parent_hash: parent.hash_slow(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: FEE_VAULT,
        number: parent.number + 1,
        gas_limit: attributes.gas_limit,
        timestamp,
        extra_data: extra_data.map_err(OpBuildError::new)?,
        mix_hash: attributes.randao,
        base_fee_per_gas: Some(base_fee(rules, parent, timestamp)?),
        withdrawals_root: active(OpHardfork::Canyon).then_some(EMPTY_ROOT_HASH),
        blob_gas_used: ecotone.then_some(0),
        excess_blob_gas: ecotone.then_some(0),
        parent_beacon_block_root: ecotone.then_some(attributes.beacon_root),
        requests_hash: active(OpHardfork::Isthmus).then_some(EMPTY_REQUESTS_HASH),
        ..Default::default()
    })
}

/// The base fee after `parent`.
fn base_fee(rules: &OpRules, parent: &Header, timestamp: u64) -> Result<u64, OpBuildError> {
    let before = parent.base_fee_per_gas.ok_or_else(|| OpBuildError::new("parent without a base fee"))?;
    let params =
        |elasticity: u32, denominator: u32| BaseFeeParams::new(denominator.into(), elasticity.into());
    let jovian = rules.is_active(OpHardfork::Jovian, parent.timestamp);
    let (params, least) = if jovian {
        let (elasticity, denominator, least) =
            decode_jovian_extra_data(&parent.extra_data).map_err(OpBuildError::new)?;
        (params(elasticity, denominator), least)
    } else if rules.is_active(OpHardfork::Holocene, parent.timestamp) {
        let (elasticity, denominator) =
            decode_holocene_extra_data(&parent.extra_data).map_err(OpBuildError::new)?;
        (params(elasticity, denominator), 0)
    } else {
        (rules.base_fee_params(timestamp), 0)
    };
    let footprint = if jovian { parent.blob_gas_used.unwrap_or(0) } else { 0 };
    let metered = parent.gas_used.max(footprint);
    Ok(calc_next_block_base_fee(metered, parent.gas_limit, before, params).max(least))
}
