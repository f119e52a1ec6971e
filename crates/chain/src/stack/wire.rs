//! Blocks, transactions and receipts as nodes of all four stacks write them in JSON.
//!
//! Every member that one of the stacks has is a field here; what none of them has is kept in `rest`, so that nothing
//! read is lost. A member that is `null` and one that is absent are the same.

use super::{nitro, op_stack, zksync};
use alloy_consensus::Header;
use alloy_eips::{eip2930::AccessList, eip4895::Withdrawal, eip7702::SignedAuthorization};
use alloy_primitives::{Bloom, U64, U256};
use hum_types::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Members that no stack we know has.
pub type Rest = BTreeMap<String, serde_json::Value>;

/// The result of `eth_getBlockByNumber` or `eth_getBlockByHash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// What the node says the hash is.
    pub hash: B256,
    /// The header's own fields.
    #[serde(flatten)]
    pub header: Header,
    /// Whole transactions or their hashes, as asked for.
    pub transactions: Transactions,
    /// Hashes of ommers; always none on these stacks.
    #[serde(default)]
    pub uncles: Vec<B256>,
    /// Bytes of the block, where the node says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<U256>,
    /// Sum of difficulties, which old nodes give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_difficulty: Option<U256>,
    /// Withdrawals (EIP-4895).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// What Nitro adds.
    #[serde(flatten)]
    pub nitro: nitro::BlockFields,
    /// What ZKsync adds.
    #[serde(flatten)]
    pub zksync: zksync::BlockFields,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// A block's transactions in one of the two forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Transactions {
    /// Hashes only; also a block without any.
    Hashes(Vec<B256>),
    /// The whole transactions.
    Full(Vec<Transaction>),
}

impl Transactions {
    /// The hashes as the node gives them, in order.
    #[must_use]
    pub fn hashes(&self) -> Vec<B256> {
        match self {
            Self::Hashes(hashes) => hashes.clone(),
            Self::Full(transactions) => transactions.iter().map(|transaction| transaction.hash).collect(),
        }
    }
}

/// The result of `eth_getTransactionByHash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// What the node says the hash is.
    pub hash: B256,
    /// EIP-2718 type.
    #[serde(rename = "type", default)]
    pub kind: U64,
    /// The block that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<B256>,
    /// Number of that block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_number: Option<U64>,
    /// Time of that block, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_timestamp: Option<U64>,
    /// Its place in that block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_index: Option<U64>,
    /// Who sent it.
    pub from: Address,
    /// Who is called; `None` creates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// The sender's nonce. A deposit of the OP Stack has the one that it was given.
    pub nonce: U64,
    /// Wei.
    pub value: U256,
    /// Gas limit.
    pub gas: U64,
    /// Call data.
    pub input: Bytes,
    /// Wei for one gas; for newer types what was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas_price: Option<U256>,
    /// Most wei for one gas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fee_per_gas: Option<U256>,
    /// Most wei for one gas that go to the block's beneficiary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_priority_fee_per_gas: Option<U256>,
    /// Most wei for one blob gas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fee_per_blob_gas: Option<U256>,
    /// Hashes of its blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_versioned_hashes: Option<Vec<B256>>,
    /// Accounts and slots announced (EIP-2930).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_list: Option<AccessList>,
    /// Delegations (EIP-7702).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_list: Option<Vec<SignedAuthorization>>,
    /// The chain that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<U64>,
    /// The signature's recovery value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v: Option<U256>,
    /// The signature's first number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r: Option<U256>,
    /// The signature's second number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<U256>,
    /// The signature's parity, in types that have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y_parity: Option<U64>,
    /// What the OP Stack adds.
    #[serde(flatten)]
    pub op: op_stack::TransactionFields,
    /// What Nitro adds.
    #[serde(flatten)]
    pub nitro: nitro::TransactionFields,
    /// What ZKsync adds.
    #[serde(flatten)]
    pub zksync: zksync::BatchPosition,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// The result of `eth_getTransactionReceipt`, or one item of `eth_getBlockReceipts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The transaction.
    pub transaction_hash: B256,
    /// Its place in the block.
    pub transaction_index: U64,
    /// The block.
    pub block_hash: B256,
    /// Its number.
    pub block_number: U64,
    /// Its time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_timestamp: Option<U64>,
    /// EIP-2718 type.
    #[serde(rename = "type", default)]
    pub kind: U64,
    /// Who sent it.
    pub from: Address,
    /// Who was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// What it created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_address: Option<Address>,
    /// 1 when it did not revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<U64>,
    /// State root of old receipts; ZKsync puts the block's hash here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<B256>,
    /// Gas of the block up to here.
    pub cumulative_gas_used: U64,
    /// Gas of this transaction.
    pub gas_used: U64,
    /// Wei paid for one gas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_gas_price: Option<U256>,
    /// Blob gas of this transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_gas_used: Option<U64>,
    /// Wei for one blob gas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_gas_price: Option<U256>,
    /// Bloom filter of the logs.
    pub logs_bloom: Bloom,
    /// The logs.
    pub logs: Vec<LogEntry>,
    /// What the OP Stack adds.
    #[serde(flatten)]
    pub op: op_stack::ReceiptFields,
    /// What Nitro adds.
    #[serde(flatten)]
    pub nitro: nitro::ReceiptFields,
    /// What ZKsync adds.
    #[serde(flatten)]
    pub zksync: zksync::ReceiptFields,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}

/// One log of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// Who emitted it.
    pub address: Address,
    /// Its topics.
    pub topics: Vec<B256>,
    /// Its data.
    pub data: Bytes,
    /// The block.
    pub block_hash: B256,
    /// Its number.
    pub block_number: U64,
    /// Its time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_timestamp: Option<U64>,
    /// The transaction.
    pub transaction_hash: B256,
    /// Its place in the block.
    pub transaction_index: U64,
    /// The log's place in the block.
    pub log_index: U64,
    /// Whether a reorganisation took it back.
    #[serde(default)]
    pub removed: bool,
    /// The log's place in its transaction (ZKsync).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_log_index: Option<U64>,
    /// What kind of log (ZKsync; always null so far).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_type: Option<String>,
    /// The L1 batch (ZKsync).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1_batch_number: Option<U64>,
    /// What we do not know.
    #[serde(flatten)]
    pub rest: Rest,
}
