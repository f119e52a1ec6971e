//! Executing transactions into a block, and calls against one.

use super::{genesis::Pieces, mempool::Pending};
use alloy_consensus::{
    Block, BlockBody, Header, ReceiptEnvelope, Transaction as _, TxEnvelope, TxReceipt as _,
    constants::EMPTY_OMMER_ROOT_HASH, proofs::calculate_receipt_root, transaction::Recovered,
};
use alloy_eips::{eip1559::BaseFeeParams, eip2718::Encodable2718 as _};
use alloy_evm::{
    Evm as _, EvmEnv, EvmFactory as _,
    block::{BlockExecutionError, BlockExecutor as _, BlockValidationError},
    eth::{EthBlockExecutionCtx, EthBlockExecutor, EthEvmFactory, receipt_builder::AlloyReceiptBuilder},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, root::ordered_trie_root_encoded};
use hum_chain::{Call, Log, Outcome};
use hum_types::BlockRef;
use hum_verify::{
    ChainSpec, Witness,
    state::{Recorder, Source, StateDb, StateError},
    trie::NodeSource,
};
use revm::{
    Database as _,
    context::{
        TxEnv,
        result::{ExecutionResult, HaltReason},
    },
    database::State,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// Receives the fees of every block.
const FEE_RECIPIENT: Address = Address::repeat_byte(0xfe);

/// A block as the chain keeps it.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub(super) header: Header,
    pub(super) block: BlockRef,
    /// The state after it: the header's root, unless the header lies.
    pub(super) state_root: B256,
    pub(super) rlp: Bytes,
    pub(super) witness: Witness,
    pub(super) transactions: Vec<Pending>,
    pub(super) outcomes: Vec<Outcome>,
}

impl Sealed {
    /// The first block.
    pub(super) fn genesis(header: Header) -> Self {
        let (hash, state_root) = (header.hash_slow(), header.state_root);
        Self {
            block: BlockRef { number: header.number, hash },
            state_root,
            rlp: encode(&header, Vec::new()),
            header,
            witness: Witness::default(),
            transactions: Vec::new(),
            outcomes: Vec::new(),
        }
    }
}

fn encode(header: &Header, transactions: Vec<TxEnvelope>) -> Bytes {
    let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(Default::default()) };
    alloy_rlp::encode(Block { header: header.clone(), body }).into()
}

/// The chain up to one of its blocks: what execution on top of that block may look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Past<'a> {
    pub(super) pieces: &'a Pieces,
    pub(super) blocks: &'a BTreeMap<B256, Sealed>,
    /// Hashes by number, the block itself last.
    pub(super) hashes: &'a [B256],
}

impl NodeSource for Past<'_> {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        self.pieces.nodes.node(hash)
    }
}

impl Source for Past<'_> {
    fn code(&self, hash: &B256) -> Option<Bytes> {
        self.pieces.codes.get(hash).cloned()
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        self.hashes.get(usize::try_from(number).ok()?).copied()
    }
}

impl<'a> Past<'a> {
    fn tip(&self) -> &'a Sealed {
        self.hashes
            .last()
            .and_then(|hash| self.blocks.get(hash))
            .expect("every hash of the chain has its block")
    }

    /// The state after the block.
    pub(super) fn state(&self) -> StateDb<Self> {
        StateDb::new(self.tip().state_root, *self)
    }

    /// An account's nonce and balance.
    pub(super) fn account(&self, address: Address) -> Result<(u64, U256), StateError> {
        let account = self.state().basic(address)?.unwrap_or_default();
        Ok((account.nonce, account.balance))
    }

    /// Headers from `oldest + 1` to the parent, which is always there: how a witness proves old hashes.
    fn headers_above(&self, oldest: u64) -> Vec<Bytes> {
        let parent = self.hashes.len() - 1;
        let from = usize::try_from(oldest).unwrap_or(usize::MAX).saturating_add(1);
        let headers = self.hashes.get(from.min(parent)..).unwrap_or_default();
        headers.iter().map(|hash| alloy_rlp::encode(&self.blocks[hash].header).into()).collect()
    }
}

/// What whoever makes a block chooses.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) timestamp: u64,
    pub(super) extra_data: Bytes,
    /// Declare another state root than execution gives.
    pub(super) wrong_state_root: bool,
}

/// A new block, what it adds to the state's pieces, and the transactions that can never be executed.
pub(super) struct Made {
    pub(super) sealed: Sealed,
    pub(super) nodes: Vec<(B256, Bytes)>,
    pub(super) codes: Vec<(B256, Bytes)>,
    pub(super) refused: Vec<Pending>,
}

/// Why the chain's own rules could not be followed: a defect of the simulator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("block builder: {0}")]
pub struct BuildError(String);

impl BuildError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Make the next block on `past` from the candidates that fit, in their order.
pub(super) fn make(
    spec: &ChainSpec,
    past: Past<'_>,
    template: Template,
    candidates: Vec<Pending>,
) -> Result<Made, BuildError> {
    let parent = past.tip();
    let blobs = spec.blob_params(template.timestamp).ok_or_else(|| BuildError::new("no rules for blobs"))?;
    let mut header = Header {
        parent_hash: parent.block.hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: FEE_RECIPIENT,
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        number: parent.header.number + 1,
        gas_limit: parent.header.gas_limit,
        timestamp: template.timestamp,
        base_fee_per_gas: parent.header.next_block_base_fee(BaseFeeParams::ethereum()),
        excess_blob_gas: parent.header.next_block_excess_blob_gas(blobs),
        blob_gas_used: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        extra_data: template.extra_data,
        ..Default::default()
    };
    let context = EthBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        ommers: &[],
        withdrawals: Some(Cow::Borrowed(&[])),
        extra_data: header.extra_data.clone(),
        tx_count_hint: Some(candidates.len()),
        slot_number: None,
    };
    let database = StateDb::new(parent.state_root, Recorder::new(past));
    let mut state = State::builder().with_database(database).with_bundle_update().build();
    let evm = EthEvmFactory::default().create_evm(&mut state, environment(spec, &header));
    let mut executor = EthBlockExecutor::new(evm, context, spec, AlloyReceiptBuilder::default());
    executor.apply_pre_execution_changes().map_err(BuildError::new)?;
    let (mut included, mut refused) = (Vec::new(), Vec::new());
    // Senders of which a transaction has to wait: those after it wait with it.
    let mut patient = BTreeSet::new();
    let price = u128::from(header.base_fee_per_gas.unwrap_or_default());
    for pending in candidates {
        if pending.transaction.max_fee_per_gas() < price {
            patient.insert(pending.sender);
        }
        if patient.contains(&pending.sender) {
            continue;
        }
        match executor.execute_transaction(Recovered::new_unchecked(&pending.transaction, pending.sender)) {
            Ok(_) => included.push(pending),
            // It waits for a block with more room.
            Err(BlockExecutionError::Validation(
                BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas { .. },
            )) => {
                patient.insert(pending.sender);
            }
            Err(BlockExecutionError::Validation(_)) => refused.push(pending),
            Err(error) => return Err(BuildError::new(error)),
        }
    }
    let (_, result) = executor.finish().map_err(BuildError::new)?;
    let changes = state.transition_state.take().unwrap_or_default();
    let infos = changes.transitions.values().filter_map(|change| change.info.as_ref());
    let codes =
        infos.filter_map(|info| Some((info.code_hash, info.code.as_ref()?.original_bytes()))).collect();
    let mut nodes = Vec::new();
    let state_root = state
        .database
        .commit(changes, &mut |hash, node| nodes.push((hash, Bytes::copy_from_slice(node))))
        .map_err(BuildError::new)?;

    let encoded: Vec<Vec<u8>> = included.iter().map(|pending| pending.transaction.encoded_2718()).collect();
    header.transactions_root = ordered_trie_root_encoded(&encoded);
    header.receipts_root = calculate_receipt_root(&result.receipts);
    header.logs_bloom =
        result.receipts.iter().fold(Default::default(), |bloom, receipt| bloom | receipt.bloom());
    header.gas_used = result.gas_used;
    header.requests_hash = Some(result.requests.requests_hash());
    header.state_root = if template.wrong_state_root { keccak256(state_root) } else { state_root };

    let recorder = state.database.source();
    let headers = past.headers_above(recorder.oldest_block().unwrap_or(u64::MAX));
    let witness = Witness { state: recorder.nodes(), codes: recorder.codes(), headers };
    let block = BlockRef { number: header.number, hash: header.hash_slow() };
    let sealed = Sealed {
        block,
        state_root,
        rlp: encode(&header, included.iter().map(|pending| pending.transaction.clone()).collect()),
        witness,
        outcomes: outcomes(&header, block, &included, &result.receipts),
        transactions: included,
        header,
    };
    Ok(Made { sealed, nodes, codes, refused })
}

fn environment(spec: &ChainSpec, header: &Header) -> EvmEnv {
    EvmEnv::for_eth_block(header, spec, spec.chain_id().0, spec.blob_params(header.timestamp))
}

/// What became of each transaction, with positions of logs counted over the block.
fn outcomes(
    header: &Header,
    block: BlockRef,
    included: &[Pending],
    receipts: &[ReceiptEnvelope],
) -> Vec<Outcome> {
    let (mut gas_before, mut position) = (0, 0);
    let mut outcomes = Vec::with_capacity(receipts.len());
    for (pending, receipt) in included.iter().zip(receipts) {
        let tx_hash = *pending.transaction.tx_hash();
        let gas_used = receipt.cumulative_gas_used() - gas_before;
        gas_before = receipt.cumulative_gas_used();
        let price = pending.transaction.effective_gas_price(header.base_fee_per_gas);
        let logs = receipt.logs().iter().map(|log| {
            let index = position;
            position += 1;
            let (topics, data) = (log.data.topics().to_vec(), log.data.data.clone());
            Log { address: log.address, topics, data, block, tx_hash, index }
        });
        outcomes.push(Outcome {
            tx_hash,
            success: receipt.status(),
            gas_used,
            fee: U256::from(price) * U256::from(gas_used),
            block,
            logs: logs.collect(),
        });
    }
    outcomes
}

/// Run a call on the state after the newest block of `past`, in that block's own environment. Gas costs nothing.
pub(super) fn call(
    spec: &ChainSpec,
    past: Past<'_>,
    from: Address,
    call: &Call,
    gas_limit: u64,
) -> Result<ExecutionResult<HaltReason>, BuildError> {
    let mut environment = environment(spec, &past.tip().header);
    environment.block_env.basefee = 0;
    environment.cfg_env.disable_nonce_check = true;
    let transaction = TxEnv {
        caller: from,
        gas_limit,
        kind: TxKind::Call(call.to),
        value: call.value,
        data: call.data.clone(),
        chain_id: Some(spec.chain_id().0),
        ..Default::default()
    };
    let mut evm = EthEvmFactory::default().create_evm(past.state(), environment);
    evm.transact_raw(transaction).map(|done| done.result).map_err(BuildError::new)
}
