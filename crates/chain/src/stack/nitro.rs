//! Arbitrum Nitro: Ethereum's blocks around Arbitrum's own transactions, judged by operators with a Nitro node.
//!
//! | from | what |
//! |---|---|
//! | OffchainLabs/go-ethereum `core/types/arb_types.go` | transactions 0x64–0x6a and their RLP |
//! | OffchainLabs/go-ethereum `core/types/arbitrum_signer.go`, `internal/ethapi` | the JSON members |
//! | OffchainLabs/nitro `arbos/block_processor.go` | `extraData` = send root; `mixHash` = sends, L1 block, ArbOS version |
//!
//! A block's hash is that of its header's RLP, so transactions, receipts and send root are bound by it. Whether they
//! follow from the block before is not checked here: that takes Arbitrum's rules.

mod settlement;
mod transaction;

pub use settlement::{Assertion, NitroContracts};
pub use transaction::{KINDS, NitroTransaction};

use super::{
    Heads, Registrar, Settlement, Stack, StackBlock, StackError, StackKind, check,
    error::{need, same, same_hash},
    wire,
};
use crate::{At, Chain, ReadError, rpc::RpcChain};
use alloy_primitives::{U64, U256};
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

/// The precompile that says which ArbOS runs.
pub const ARB_SYS: Address = alloy_primitives::address!("0x0000000000000000000000000000000000000064");

/// What Nitro adds to a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockFields {
    /// L1's block number as the block saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_block_number: Option<U64>,
    /// Messages to L1 so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_count: Option<U64>,
    /// Root over them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_root: Option<B256>,
}

/// What Nitro adds to a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionFields {
    /// The message on L1 (0x64, 0x66, 0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<B256>,
    /// The retryable ticket (0x68).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<B256>,
    /// Most wei to refund (0x68).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_refund: Option<U256>,
    /// Wei of the submission fee to refund (0x68).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_fee_refund: Option<U256>,
    /// Who gets refunds (0x68, 0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_to: Option<Address>,
    /// L1's base fee, in wei (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_base_fee: Option<U256>,
    /// Wei deposited (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposit_value: Option<U256>,
    /// Who the ticket calls (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_to: Option<Address>,
    /// Wei that the ticket sends along (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_value: Option<U256>,
    /// The ticket's call data (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_data: Option<Bytes>,
    /// Who may cancel the ticket (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beneficiary: Option<Address>,
    /// Most wei for submitting (0x69).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_submission_fee: Option<U256>,
}

/// What Nitro adds to a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptFields {
    /// Gas that posting it to L1 took; part of its gas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_used_for_l1: Option<U64>,
    /// L1's block number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_block_number: Option<U64>,
    /// Whether it came by the express lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeboosted: Option<bool>,
    /// Gas by resource (ArbOS 40 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_gas_used: Option<serde_json::Value>,
}

/// What `mixHash` packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Messages to L1 so far.
    pub send_count: u64,
    /// L1's block number.
    pub l1_block_number: u64,
    /// The ArbOS version.
    pub arbos_version: u64,
}

impl Packed {
    /// Take a `mixHash` apart.
    #[must_use]
    pub fn of(mix_hash: B256) -> Self {
        let word = U256::from_be_bytes(mix_hash.0);
        let part = |index: usize| (word >> (64 * (3 - index))).wrapping_to::<u64>();
        Self { send_count: part(0), l1_block_number: part(1), arbos_version: part(2) }
    }
}

/// The adapter.
#[derive(Debug, Clone, Default)]
pub struct Nitro {
    /// The chain's contracts on L1, once they are known.
    pub contracts: Option<NitroContracts>,
}

impl Stack for Nitro {
    fn kind(&self) -> StackKind {
        StackKind::Nitro
    }

    fn block(&self, json: &wire::Block) -> Result<StackBlock, StackError> {
        let known = |kind| matches!(kind, 0..=2 | 4) || KINDS.contains(&kind);
        let mut block = check::block(StackKind::Nitro, json, known)?;
        let what = format!("block {}", json.header.number);
        let packed = Packed::of(json.header.mix_hash);
        let send_root = need(json.nitro.send_root, &what, "sendRoot")?;
        let l1_block = need(json.nitro.l1_block_number, &what, "l1BlockNumber")?.to::<u64>();
        same("send count", need(json.nitro.send_count, &what, "sendCount")?.to::<u64>(), packed.send_count)?;
        same("L1 block number", l1_block, packed.l1_block_number)?;
        let extra = B256::try_from(json.header.extra_data.as_ref())
            .map_err(|_| StackError::Absent { what, field: "extraData of 32 bytes" })?;
        same_hash("send root", send_root, extra)?;
        block.l1_block = Some(l1_block);
        block.send_root = Some(send_root);
        Ok(block)
    }

    fn receipts(&self, block: &StackBlock, receipts: &[wire::Receipt]) -> Result<(), StackError> {
        check::receipts(block, receipts)?;
        for (index, receipt) in receipts.iter().enumerate() {
            if let (Some(declared), Some(computed)) = (receipt.nitro.l1_block_number, block.l1_block) {
                same(format!("L1 block number of receipt {index}"), declared.to::<u64>(), computed)?;
            }
        }
        Ok(())
    }

    /// Nitro answers the three tags itself: safe and finalized once the batch stands in such a block of L1.
    fn heads<'a>(&'a self, node: &'a RpcChain) -> BoxFuture<'a, Result<Heads, ReadError>> {
        super::tagged_heads(node).boxed()
    }

    /// `owner()` of the rollup contract: its proxy's admin, the chain's `UpgradeExecutor`.
    fn registrar<'a>(&'a self, l1: &'a dyn Chain) -> BoxFuture<'a, Result<Registrar, ReadError>> {
        async move {
            let Some(contracts) = self.contracts else { return Ok(Registrar::Unknown) };
            Ok(Registrar::L1 {
                contract: contracts.rollup,
                getter: "owner()",
                owner: super::l1_address(l1, contracts.rollup, "owner()", At::LATEST).await?,
                signer: None,
            })
        }
        .boxed()
    }

    fn settlement(&self) -> Option<&dyn Settlement> {
        self.contracts.as_ref().map(|contracts| contracts as &dyn Settlement)
    }
}
