//! Receipts and logs, read one by one.
//!
//! The client reads a block's receipts by seeking to the first of them and walking on, but its in-memory store gives
//! back only keys that begin with the key sought, that is the first receipt. So every answer that is made from receipts is
//! made here. Filters that the client keeps (`eth_newFilter`) would need the same and are refused.

use alloy::primitives::Bloom;
use alloy::rpc::types::{Filter, FilterBlockOption, Log};
use ethrex_common::types::{Block, BlockHeader, Receipt, calculate_base_fee_per_blob_gas};
use ethrex_rpc::types::block_identifier::{BlockIdentifier, BlockIdentifierOrHash};
use ethrex_rpc::types::receipt::{RpcReceipt, RpcReceiptBlockInfo, RpcReceiptTxInfo};
use ethrex_rpc::{RpcErr, utils::RpcRequest};
use ethrex_storage::Store;
use ethrex_storage::error::StoreError;
use serde_json::{Value, json};

use super::convert;

/// Most blocks that one `eth_getLogs` may look through.
const LOG_RANGE_MAX: u64 = 10_000;

/// Every receipt of a canonical block, in order; fewer when the chain reorganised meanwhile.
pub(super) async fn of_block(store: &Store, block: &Block) -> Result<Vec<Receipt>, StoreError> {
    let mut receipts = Vec::with_capacity(block.body.transactions.len());
    for index in 0..block.body.transactions.len() as u64 {
        let Some(receipt) = store.get_receipt(block.header.number, index).await? else { break };
        receipts.push(receipt);
    }
    Ok(receipts)
}

/// The answer to a method that needs receipts; `None` when this is none of them.
pub(super) async fn answer(store: &Store, request: &RpcRequest) -> Option<Result<Value, RpcErr>> {
    let first = request.params.as_ref().and_then(|params| params.first()).cloned().unwrap_or_default();
    Some(match request.method.as_str() {
        "eth_getBlockReceipts" => block_receipts(store, first).await,
        "eth_getTransactionReceipt" => transaction_receipt(store, first).await,
        "eth_getLogs" => logs(store, first).await,
        "debug_getRawReceipts" => raw_receipts(store, first).await,
        _ => return None,
    })
}

async fn block_receipts(store: &Store, block: Value) -> Result<Value, RpcErr> {
    match find(store, block).await? {
        Some(block) => json_of(&detailed(store, &block).await?),
        None => Ok(Value::Null),
    }
}

async fn transaction_receipt(store: &Store, hash: Value) -> Result<Value, RpcErr> {
    let hash = serde_json::from_value(hash)?;
    let Some((number, _, index)) = store.get_transaction_location(hash).await? else {
        return Ok(Value::Null);
    };
    let Some(block) = store.get_block_by_number(number).await? else { return Ok(Value::Null) };
    let receipts = detailed(store, &block).await?;
    match receipts.get(index as usize) {
        Some(receipt) => json_of(receipt),
        None => Ok(Value::Null),
    }
}

async fn raw_receipts(store: &Store, block: Value) -> Result<Value, RpcErr> {
    let Some(block) = find(store, block).await? else { return Ok(Value::Null) };
    let receipts = complete(store, &block).await?;
    Ok(receipts.iter().map(|receipt| json!(convert::receipt(receipt))).collect())
}

async fn logs(store: &Store, filter: Value) -> Result<Value, RpcErr> {
    let filter: Filter =
        serde_json::from_value(filter).map_err(|error| RpcErr::BadParams(error.to_string()))?;
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let number = store.get_block_number(convert::hash(hash)).await?;
            let number = number.ok_or_else(|| RpcErr::BadParams(format!("no block {hash}")))?;
            (number, number)
        }
        FilterBlockOption::Range { from_block, to_block } => {
            (resolve(store, from_block).await?, resolve(store, to_block).await?)
        }
    };
    if to.saturating_sub(from) >= LOG_RANGE_MAX {
        return Err(RpcErr::BadParams(format!("blocks {from} to {to}: at most {LOG_RANGE_MAX}")));
    }
    let to = to.min(store.get_latest_block_number().await?);
    let mut found = Vec::new();
    for number in from..=to {
        let Some(header) = store.get_block_header(number)? else { break };
        if !may_match(&filter, &header) {
            continue;
        }
        let Some(block) = store.get_block_by_number(number).await? else { break };
        for receipt in detailed(store, &block).await? {
            for log in receipt.logs {
                let value = json_of(&log)?;
                let log: Log = serde_json::from_value(value.clone())?;
                if filter.rpc_matches(&log) {
                    found.push(value);
                }
            }
        }
    }
    Ok(Value::Array(found))
}

fn may_match(filter: &Filter, header: &BlockHeader) -> bool {
    filter.matches_bloom(Bloom::from(header.logs_bloom.0))
}

async fn resolve<T: serde::Serialize>(store: &Store, block: Option<T>) -> Result<u64, RpcErr> {
    let block = block.map_or_else(|| Ok(json!("latest")), |block| json_of(&block))?;
    let number = BlockIdentifier::parse(block.clone(), 0)?.resolve_block_number(store).await?;
    number.ok_or_else(|| RpcErr::BadParams(format!("no block {block}")))
}

async fn find(store: &Store, block: Value) -> Result<Option<Block>, RpcErr> {
    let number = BlockIdentifierOrHash::parse(block, 0)?.resolve_block_number(store).await?;
    let Some(number) = number else { return Ok(None) };
    Ok(store.get_block_by_number(number).await?)
}

async fn complete(store: &Store, block: &Block) -> Result<Vec<Receipt>, RpcErr> {
    let receipts = of_block(store, block).await?;
    let (expected, found) = (block.body.transactions.len(), receipts.len());
    if found != expected {
        let number = block.header.number;
        return Err(RpcErr::Internal(format!("block {number} has {expected} receipts, {found} found")));
    }
    Ok(receipts)
}

async fn detailed(store: &Store, block: &Block) -> Result<Vec<RpcReceipt>, RpcErr> {
    let header = &block.header;
    let schedule = store.get_chain_config().get_fork_blob_schedule(header.timestamp);
    let fraction = schedule.map(|schedule| schedule.base_fee_update_fraction).unwrap_or_default();
    let blob_fee = calculate_base_fee_per_blob_gas(header.excess_blob_gas.unwrap_or_default(), fraction);
    let blob_fee =
        u64::try_from(blob_fee).map_err(|_| RpcErr::Internal("blob base fee over 64 bits".into()))?;
    let place = RpcReceiptBlockInfo::from_block_header(header.clone());
    let (mut gas_before, mut logs_before) = (0, 0);
    let mut detailed = Vec::new();
    let receipts = complete(store, block).await?;
    for ((index, transaction), receipt) in (0..).zip(&block.body.transactions).zip(receipts) {
        let gas = receipt.cumulative_gas_used.saturating_sub(gas_before);
        gas_before = receipt.cumulative_gas_used;
        let log_count = receipt.logs.len() as u64;
        let about = RpcReceiptTxInfo::from_transaction(
            transaction.clone(),
            index,
            gas,
            blob_fee,
            header.base_fee_per_gas,
        )?;
        detailed.push(RpcReceipt::new(receipt, about, place.clone(), logs_before));
        logs_before += log_count;
    }
    Ok(detailed)
}

fn json_of<T: serde::Serialize>(value: &T) -> Result<Value, RpcErr> {
    serde_json::to_value(value).map_err(|error| RpcErr::Internal(error.to_string()))
}
