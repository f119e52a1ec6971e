//! ZKsync: blocks of a VM of its own, judged by operators with a ZKsync node.
//!
//! | from | what |
//! |---|---|
//! | matter-labs/zksync-era `core/lib/types`, `L2BlockHasher` | block hashes, early and late |
//! | matter-labs/zksync-docs `zks` reference | batches, their status, `l2ToL1Logs` |
//!
//! What a block's hash binds is little. Early blocks hash as keccak256(be32(number)): the number and nothing else.
//! Later ones hash as keccak256(number, timestamp, parent's hash, rolling hash of the transactions' hashes), each a
//! word: still no state, no receipts. So a claim on such a chain must bind a state or batch commitment beside the
//! hash ([`Binding`]), and transactions stand behind hashes that only the node can open: the hash of a type 0x71 is
//! that of its EIP-712 digest and signature, of a type 0xff that of L1's request; neither is recomputed here.

mod settlement;
mod status;

pub use settlement::{StoredBatch, ZkContracts};
pub use status::{BatchDetails, BatchStatus, BlockDetails};

use super::{
    Binding, Heads, Registrar, Settlement, Stack, StackBlock, StackError, StackKind, check,
    error::{same, same_hash},
    wire::{self, Transactions},
};
use crate::{At, Chain, ReadError, rpc::RpcChain};
use alloy_primitives::{U64, U256};
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, BlockRef, TimeMs, keccak256};
use serde::{Deserialize, Serialize};

/// The type of a transaction signed by EIP-712.
pub const EIP712: u8 = 0x71;
/// The type of a transaction that L1 asked for.
pub const PRIORITY: u8 = 0xff;
/// The type of a protocol upgrade.
pub const UPGRADE: u8 = 0xfe;

/// What ZKsync adds to a block.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockFields {
    /// The batch, once it is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_number: Option<U64>,
    /// The batch's time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_timestamp: Option<U64>,
    /// Always empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal_fields: Option<Vec<serde_json::Value>>,
}

/// Where in a batch a transaction is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchPosition {
    /// The batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_number: Option<U64>,
    /// The place in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_tx_index: Option<U64>,
}

/// What ZKsync adds to a receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptFields {
    /// The batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_number: Option<U64>,
    /// The place in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_tx_index: Option<U64>,
    /// Messages to L1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l2_to_l1_logs: Option<Vec<L2ToL1Log>>,
}

/// One message to L1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L2ToL1Log {
    /// The block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<B256>,
    /// Its number; nodes have written it in decimal.
    pub block_number: U64,
    /// The batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_number: Option<U64>,
    /// Its place in the block.
    pub log_index: U64,
    /// The transaction's place in the block.
    pub transaction_index: U64,
    /// The transaction.
    pub transaction_hash: B256,
    /// Its place in the transaction.
    pub transaction_log_index: U64,
    /// The transaction's place in the batch.
    #[serde(rename = "txIndexInL1Batch", default, skip_serializing_if = "Option::is_none")]
    pub tx_index_in_l1_batch: Option<U64>,
    /// Always 0.
    pub shard_id: U64,
    /// Whether a system contract sent it.
    pub is_service: bool,
    /// Who sent it.
    pub sender: Address,
    /// Its key.
    pub key: B256,
    /// Its value.
    pub value: B256,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: wire::Rest,
}

/// keccak256(be32(number)): the hash of an early block.
#[must_use]
pub fn early_hash(number: u64) -> Option<B256> {
    u32::try_from(number).ok().map(|number| keccak256(number.to_be_bytes()))
}

/// The hash of a later block.
#[must_use]
pub fn late_hash(number: u64, timestamp: u64, parent: B256, transactions: &[B256]) -> B256 {
    let rolling =
        transactions.iter().fold(B256::ZERO, |rolling, hash| keccak256([rolling.0, hash.0].concat()));
    let word = |number: u64| U256::from(number).to_be_bytes::<32>();
    keccak256([word(number), word(timestamp), parent.0, rolling.0].concat())
}

/// The adapter.
#[derive(Debug, Clone, Default)]
pub struct ZkSync {
    /// The chain's contracts on L1, once they are known.
    pub contracts: Option<ZkContracts>,
}

impl Stack for ZkSync {
    fn kind(&self) -> StackKind {
        StackKind::ZkSync
    }

    fn block(&self, json: &wire::Block) -> Result<StackBlock, StackError> {
        let header = &json.header;
        let block = BlockRef { number: header.number, hash: json.hash };
        let tx_hashes = json.transactions.hashes();
        let late = late_hash(header.number, header.timestamp, header.parent_hash, &tx_hashes);
        let binding = if json.hash == late {
            Binding::Transactions
        } else if Some(json.hash) == early_hash(header.number) {
            // An early block's parent is early too.
            let parent = header.number.checked_sub(1).and_then(early_hash).unwrap_or_default();
            same_hash(format!("parent of block {}", header.number), header.parent_hash, parent)?;
            Binding::Number
        } else {
            same_hash(format!("hash of block {}", header.number), json.hash, late)?;
            Binding::Transactions
        };
        if let Transactions::Full(transactions) = &json.transactions {
            for (index, transaction) in transactions.iter().enumerate() {
                let known = matches!(transaction.kind_byte(), Some(0..=4 | EIP712 | PRIORITY | UPGRADE));
                if !known {
                    let found = transaction.kind.to();
                    return Err(StackError::Kind { index, found, stack: StackKind::ZkSync });
                }
                let at = (transaction.block_hash, transaction.block_number.map(|number| number.to()));
                let place = transaction.transaction_index.map(|index| index.to());
                check::placed(&format!("transaction {index}"), at, place, block, index)?;
            }
        }
        Ok(StackBlock {
            stack: StackKind::ZkSync,
            block,
            parent_hash: header.parent_hash,
            time_ms: TimeMs(header.timestamp.saturating_mul(1000)),
            binding,
            tx_hashes,
            rlp: None,
            l1_block: None,
            send_root: None,
            batch: json.zksync.l1_batch_number.map(|number| number.to()),
        })
    }

    fn receipts(&self, block: &StackBlock, receipts: &[wire::Receipt]) -> Result<(), StackError> {
        check::unbound_receipts(block, receipts)?;
        for (index, receipt) in receipts.iter().enumerate() {
            if let Some(root) = receipt.root {
                same_hash(format!("root of receipt {index}"), root, block.block.hash)?;
            }
            if let (Some(declared), Some(computed)) = (receipt.zksync.l1_batch_number, block.batch) {
                same(format!("batch of receipt {index}"), declared.to::<u64>(), computed)?;
            }
            for log in receipt.zksync.l2_to_l1_logs.iter().flatten() {
                let what = format!("message to L1 of receipt {index}");
                same_hash(format!("transaction of {what}"), log.transaction_hash, receipt.transaction_hash)?;
                same(format!("block number of {what}"), log.block_number.to(), block.block.number)?;
            }
        }
        Ok(())
    }

    /// The node answers the tags itself: finalized is the last block of its newest executed batch.
    fn heads<'a>(&'a self, node: &'a RpcChain) -> BoxFuture<'a, Result<Heads, ReadError>> {
        super::tagged_heads(node).boxed()
    }

    /// `getAdmin()` of the chain's diamond, which the Bridgehub names.
    fn registrar<'a>(&'a self, l1: &'a dyn Chain) -> BoxFuture<'a, Result<Registrar, ReadError>> {
        async move {
            let Some(contracts) = self.contracts else { return Ok(Registrar::Unknown) };
            let diamond = contracts.diamond_on(l1).await?;
            if diamond != contracts.diamond {
                return Err(ReadError::Mismatch {
                    method: "eth_call",
                    field: "diamond that the Bridgehub names",
                    declared: contracts.diamond.to_string(),
                    computed: diamond.to_string(),
                });
            }
            Ok(Registrar::L1 {
                contract: diamond,
                getter: "getAdmin()",
                owner: super::l1_address(l1, diamond, "getAdmin()", At::LATEST).await?,
                signer: None,
            })
        }
        .boxed()
    }

    fn settlement(&self) -> Option<&dyn Settlement> {
        self.contracts.as_ref().map(|contracts| contracts as &dyn Settlement)
    }
}
