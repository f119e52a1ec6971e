//! Run a block's transactions and system operations, and see what comes out.

use crate::block::{Transaction, Transactions};
use crate::kept::{Kept, Listener};
use crate::op;
use crate::receipts::Receipt;
use crate::spec::ChainSpec;
use crate::verdict::{Missing, Reason, Verdict};
use alloy_consensus::{EthereumReceipt, Header, TxType, transaction::Recovered};
use alloy_eips::{eip4895::Withdrawal, eip7685::Requests};
use alloy_evm::{
    Database, Evm, EvmEnv, EvmFactory,
    block::{BlockExecutionError, BlockExecutor, ExecutableTx},
    eth::{
        EthBlockExecutionCtx, EthBlockExecutor, EthEvmFactory,
        receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
    },
};
use alloy_primitives::{Address, Log};
use revm::database::State;
use std::{borrow::Cow, sync::Arc};

/// Receipts that are hashed as one piece of work.
const RECEIPTS_PER_CHUNK: usize = 16;

/// A block whose header rules hold and whose body is the header's.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) header: Header,
    pub(crate) transactions: Transactions,
    pub(crate) withdrawals: Option<Vec<Withdrawal>>,
}

/// What execution gives, apart from the state.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) requests: Requests,
    pub(crate) gas_used: u64,
    /// From Jovian on, the OP Stack counts the footprint of its data here.
    pub(crate) blob_gas_used: u64,
    /// What the state keeps beyond its changes, under rules that keep what is empty.
    pub(crate) kept: Option<Kept>,
}

/// Receipts without their blooms: those are computed once, for the whole block.
#[derive(Debug, Clone, Copy)]
struct Receipts;

impl ReceiptBuilder for Receipts {
    type Transaction = Transaction;
    type Receipt = Arc<EthereumReceipt<TxType, Log>>;

    fn build_receipt<E: Evm>(&self, ctx: ReceiptBuilderCtx<'_, TxType, E>) -> Self::Receipt {
        Arc::new(EthereumReceipt {
            tx_type: ctx.tx_type,
            success: ctx.result.is_success(),
            cumulative_gas_used: ctx.cumulative_gas_used,
            logs: ctx.result.into_logs(),
        })
    }
}

/// The EVM's view of a block.
fn environment(spec: &ChainSpec, header: &Header) -> EvmEnv {
    EvmEnv::for_eth_block(header, spec, spec.chain_id().0, spec.blob_params(header.timestamp))
}

/// Execute the block on `state`, whose changes stay in it. `chunk` gets the receipts as they come, a few at a time, each
/// once, with the position of the first.
///
/// An error is what the EVM says; whether the block or the state's source is to blame, the caller must ask the source.
pub(crate) fn execute<D>(
    spec: &ChainSpec,
    block: &Checked,
    senders: &[Address],
    state: &mut State<D>,
    chunk: impl FnMut(usize, Vec<Receipt>),
) -> Result<Outcome, Verdict>
where
    D: Database,
{
    let header = &block.header;
    match &block.transactions {
        Transactions::Ethereum(transactions) => {
            let context = EthBlockExecutionCtx {
                parent_hash: header.parent_hash,
                parent_beacon_block_root: header.parent_beacon_block_root,
                ommers: &[],
                withdrawals: block.withdrawals.as_deref().map(Cow::Borrowed),
                extra_data: header.extra_data.clone(),
                tx_count_hint: Some(transactions.len()),
                slot_number: None,
            };
            let evm = EthEvmFactory::default().create_evm(state, environment(spec, header));
            let mut executor = EthBlockExecutor::new(evm, context, spec, Receipts);
            let listener = spec.keep_empty_state().then(Listener::default);
            if let Some(listener) = &listener {
                executor.set_state_hook(Some(Box::new(listener.clone())));
            }
            let outcome =
                run(executor, transactions, senders, |receipt| Receipt::Ethereum(receipt.clone()), chunk)?;
            Ok(Outcome { kept: listener.map(|listener| listener.take()), ..outcome })
        }
        Transactions::OpStack(transactions) => {
            let executor = op::executor(spec, header, state);
            run(executor, transactions, senders, |receipt| Receipt::OpStack(receipt.clone()), chunk)
        }
    }
}

fn run<E: BlockExecutor>(
    mut executor: E,
    transactions: &[E::Transaction],
    senders: &[Address],
    receipt: fn(&E::Receipt) -> Receipt,
    mut chunk: impl FnMut(usize, Vec<Receipt>),
) -> Result<Outcome, Verdict>
where
    for<'a> Recovered<&'a E::Transaction>: ExecutableTx<E>,
{
    executor.apply_pre_execution_changes().map_err(system)?;
    for (index, (transaction, sender)) in transactions.iter().zip(senders).enumerate() {
        executor
            .execute_transaction(Recovered::new_unchecked(transaction, *sender))
            .map_err(|error| blame(error, |error| Reason::Transaction { index, error }))?;
        let done = index + 1;
        if done % RECEIPTS_PER_CHUNK == 0 || done == transactions.len() {
            let start = index - index % RECEIPTS_PER_CHUNK;
            let done = executor.receipts().get(start..).unwrap_or_default();
            chunk(start, done.iter().map(receipt).collect());
        }
    }
    let (_, result) = executor.finish().map_err(system)?;
    Ok(Outcome {
        receipts: result.receipts.iter().map(receipt).collect(),
        requests: result.requests,
        gas_used: result.gas_used,
        blob_gas_used: result.blob_gas_used,
        kept: None,
    })
}

fn system(error: BlockExecutionError) -> Verdict {
    blame(error, Reason::System)
}

/// What the executor calls a validation error is the block's; anything else is ours.
fn blame(error: BlockExecutionError, reason: impl FnOnce(String) -> Reason) -> Verdict {
    match error {
        BlockExecutionError::Validation(error) => Verdict::Invalid(reason(error.to_string())),
        BlockExecutionError::Internal(error) => Verdict::Undecided(Missing::Verifier(error.to_string())),
    }
}
