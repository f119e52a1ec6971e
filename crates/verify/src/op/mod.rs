//! What the OP Stack's rules add to Ethereum's.
//!
//! The header must follow from its parent by op-geth's rules, and the block must have the shape that derivation gives
//! every block: one deposit that carries what is known of L1, other deposits behind it, then whatever the sequencer
//! took. What only L1 can tell (which deposits, which gas limit, which parameters of the fee) is not decided here.

mod deposits;
mod header;
mod l1_info;

pub(crate) use deposits::{check as check_deposits, is_deposit};
pub(crate) use header::check as check_header;
pub use l1_info::{L1Info, L1InfoError};

use crate::spec::ChainSpec;
use alloy_consensus::{Eip658Value, Header};
use alloy_evm::{Database, Evm, EvmFactory, block::BlockExecutor, eth::receipt_builder::ReceiptBuilderCtx};
use alloy_op_evm::{
    OpBlockExecutionCtx, OpBlockExecutor, OpEvmFactory, OpTx, block::receipt_builder::OpReceiptBuilder,
    evm_env_for_op_block,
};
use op_alloy_consensus::{OpDepositReceipt, OpReceipt, OpTxEnvelope, OpTxType};
use revm::database::State;
use std::sync::Arc;

/// Receipts without their blooms: those are computed once, for the whole block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receipts;

impl OpReceiptBuilder for Receipts {
    type Transaction = OpTxEnvelope;
    type Receipt = Arc<OpReceipt>;

    fn build_receipt<'a, E: Evm>(
        &self,
        ctx: ReceiptBuilderCtx<'a, OpTxType, E>,
    ) -> Result<Arc<OpReceipt>, ReceiptBuilderCtx<'a, OpTxType, E>> {
        let kind: fn(_) -> OpReceipt = match ctx.tx_type {
            OpTxType::Legacy => OpReceipt::Legacy,
            OpTxType::Eip2930 => OpReceipt::Eip2930,
            OpTxType::Eip1559 => OpReceipt::Eip1559,
            OpTxType::Eip7702 => OpReceipt::Eip7702,
            OpTxType::PostExec => OpReceipt::PostExec,
            OpTxType::Deposit => return Err(ctx),
        };
        Ok(Arc::new(kind(alloy_consensus::Receipt {
            status: Eip658Value::Eip658(ctx.result.is_success()),
            cumulative_gas_used: ctx.cumulative_gas_used,
            logs: ctx.result.into_logs(),
        })))
    }

    fn build_deposit_receipt(&self, mut inner: OpDepositReceipt) -> Arc<OpReceipt> {
        // From Regolith to Canyon the nonce is kept, but left out of what the receipts root is over.
        if inner.deposit_receipt_version.is_none() {
            inner.deposit_nonce = None;
        }
        Arc::new(OpReceipt::Deposit(inner))
    }
}

/// What executes a block under `header` on `state`.
pub(crate) fn executor<'a, D: Database>(
    spec: &'a ChainSpec,
    header: &Header,
    state: &'a mut State<D>,
) -> impl BlockExecutor<Transaction = OpTxEnvelope, Receipt = Arc<OpReceipt>, Evm: Evm<Tx = OpTx>> + use<'a, D>
{
    let context = OpBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        extra_data: header.extra_data.clone(),
    };
    let environment = evm_env_for_op_block(header, spec, spec.chain_id().0);
    let evm = OpEvmFactory::<OpTx>::default().create_evm(state, environment);
    OpBlockExecutor::new(evm, context, spec, Receipts)
}
