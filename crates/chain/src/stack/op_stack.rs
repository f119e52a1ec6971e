//! The OP Stack: Ethereum's blocks with deposits in front, re-executed by its own rules.
//!
//! | from | what |
//! |---|---|
//! | specs.optimism.io, "Deposits" | transaction 0x7e and its RLP, the receipt's two extra fields |
//! | specs.optimism.io, "Ecotone", "Isthmus", "Jovian" | the L1 attributes' packed form; the withdrawals root |
//! | op-geth `core/types/receipt.go` | before Canyon the receipts root leaves the deposit's nonce out |
//! | `optimism_syncStatus`, `optimism_outputAtBlock` | op-node's reference |

mod settlement;
mod status;

pub use settlement::{AnchorGame, OpContracts, OutputProposal};
pub use status::{L1Head, L2Head, OutputAtBlock, RollupConfig, SyncStatus};

use super::{
    Heads, Registrar, Settlement, Stack, StackBlock, StackError, StackKind, check,
    envelope::List,
    error::need,
    wire::{self, Transaction, Transactions},
};
use crate::{At, Chain, ReadError, rpc::RpcChain};
use alloy_primitives::{U64, U256};
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// The type of a deposit.
pub const DEPOSIT: u8 = 0x7e;
/// Where the chain keeps what it knows about L1.
pub const L1_BLOCK: Address = alloy_primitives::address!("0x4200000000000000000000000000000000000015");

/// What the OP Stack adds to a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionFields {
    /// Where on L1 a deposit comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_hash: Option<B256>,
    /// Wei that a deposit mints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mint: Option<U256>,
    /// Whether a deposit's gas is free (before Regolith).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_system_tx: Option<bool>,
    /// Which rule the deposit's receipt follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit_receipt_version: Option<U64>,
}

/// What the OP Stack adds to a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptFields {
    /// The nonce that a deposit was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit_nonce: Option<U64>,
    /// Which rule a deposit's receipt follows; from Canyon on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit_receipt_version: Option<U64>,
    /// L1's base fee, in wei.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_gas_price: Option<U256>,
    /// Gas that posting it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_gas_used: Option<U256>,
    /// Wei for posting it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_fee: Option<U256>,
    /// Scalar before Ecotone, a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_fee_scalar: Option<String>,
    /// L1's blob base fee, in wei.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_blob_base_fee: Option<U256>,
    /// Scalar of the base fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_base_fee_scalar: Option<U64>,
    /// Scalar of the blob base fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_blob_base_fee_scalar: Option<U64>,
    /// Scalar of the operator's fee (Isthmus).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_fee_scalar: Option<U64>,
    /// Constant part of the operator's fee (Isthmus).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_fee_constant: Option<U64>,
    /// Gas counted for each byte posted (Jovian).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub da_footprint_gas_scalar: Option<U64>,
}

impl ReceiptFields {
    /// Add what a deposit's receipt has beyond others.
    pub(super) fn seal(&self, kind: u8, list: List, what: &str) -> Result<List, StackError> {
        let Some(version) = self.deposit_receipt_version.filter(|_| kind == DEPOSIT) else { return Ok(list) };
        Ok(list.push(&need(self.deposit_nonce, what, "depositNonce")?).push(&version))
    }
}

/// A deposit's envelope.
pub(super) fn deposit(json: &Transaction) -> Result<Bytes, StackError> {
    let source = need(json.op.source_hash, &format!("deposit {}", json.hash), "sourceHash")?;
    let mint = json.op.mint.unwrap_or_default();
    let list = List::default().push(&source).push(&json.from).target(json.to).push(&mint).push(&json.value);
    Ok(list.push(&json.gas).push(&json.op.is_system_tx.unwrap_or(false)).push(&json.input).envelope(DEPOSIT))
}

/// The L1 block that a block belongs to, from the deposit in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct L1Origin {
    /// L1's block number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Blocks since the origin changed.
    pub sequence_number: u64,
}

impl L1Origin {
    /// Read the L1 attributes; `None` for a form that we do not know.
    #[must_use]
    pub fn decode(input: &[u8]) -> Option<Self> {
        let word = |at: usize| input.get(at..at.checked_add(32)?);
        let u64_at =
            |at: usize| Some(u64::from_be_bytes(input.get(at..at.checked_add(8)?)?.try_into().ok()?));
        match input.get(..4)? {
            // setL1BlockValues(uint64,uint64,uint256,bytes32,uint64,…): a word each.
            [0x01, 0x5d, 0x8e, 0xb9] => Some(Self {
                number: u64_at(4 + 24)?,
                hash: B256::from_slice(word(4 + 3 * 32)?),
                sequence_number: u64_at(4 + 4 * 32 + 24)?,
            }),
            // setL1BlockValuesEcotone, …Isthmus, …Jovian: packed, the same up to the hash.
            [0x44, 0x0a, 0x5e, 0x20] | [0x09, 0x89, 0x99, 0xbe] | [0x3d, 0xb6, 0xbe, 0x2b] => Some(Self {
                sequence_number: u64_at(12)?,
                number: u64_at(28)?,
                hash: B256::from_slice(word(100)?),
            }),
            _ => None,
        }
    }
}

/// The adapter.
#[derive(Debug, Clone, Default)]
pub struct OpStack {
    /// The chain's contracts on L1, once they are known.
    pub contracts: Option<OpContracts>,
}

impl Stack for OpStack {
    fn kind(&self) -> StackKind {
        StackKind::OpStack
    }

    fn block(&self, json: &wire::Block) -> Result<StackBlock, StackError> {
        // Blobs (type 3) are not for rollups.
        let mut block = check::block(StackKind::OpStack, json, |kind| matches!(kind, 0..=2 | 4 | DEPOSIT))?;
        if let Transactions::Full(transactions) = &json.transactions {
            let first = transactions.first().filter(|first| first.kind_byte() == Some(DEPOSIT));
            block.l1_block =
                first.and_then(|first| L1Origin::decode(&first.input)).map(|origin| origin.number);
        }
        Ok(block)
    }

    fn receipts(&self, block: &StackBlock, receipts: &[wire::Receipt]) -> Result<(), StackError> {
        check::receipts(block, receipts)
    }

    /// What op-node derived, where an op-node answers at the endpoint; else the execution client's tags.
    fn heads<'a>(&'a self, node: &'a RpcChain) -> BoxFuture<'a, Result<Heads, ReadError>> {
        async move {
            match SyncStatus::read(node).await {
                Ok(status) => Ok(status.heads()),
                Err(ReadError::Unsupported { .. }) => super::tagged_heads(node).await,
                Err(error) => Err(error),
            }
        }
        .boxed()
    }

    /// `SystemConfig.owner()` says who governs the chain; `unsafeBlockSigner()` who signs its blocks.
    fn registrar<'a>(&'a self, l1: &'a dyn Chain) -> BoxFuture<'a, Result<Registrar, ReadError>> {
        async move {
            let Some(contracts) = self.contracts else { return Ok(Registrar::Unknown) };
            let config = contracts.system_config;
            Ok(Registrar::L1 {
                contract: config,
                getter: "owner()",
                owner: super::l1_address(l1, config, "owner()", At::LATEST).await?,
                signer: Some(super::l1_address(l1, config, "unsafeBlockSigner()", At::LATEST).await?),
            })
        }
        .boxed()
    }

    fn settlement(&self) -> Option<&dyn Settlement> {
        self.contracts.as_ref().map(|contracts| contracts as &dyn Settlement)
    }
}
