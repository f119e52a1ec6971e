//! The JSON-RPC methods that Hum's parts and common clients ask a rollup for.

use super::{OpBuildError, OpSealed, node::Shared};
use alloy::eips::eip2718::{Decodable2718 as _, Encodable2718 as _};
use alloy_consensus::{Transaction as _, TxReceipt as _, transaction::SignerRecoverable as _};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use revm::context::result::ExecutionResult;
use serde_json::{Value, json};

/// Blocks that one question about logs may span.
const LOG_BLOCKS_MAX: u64 = 10_000;

const METHOD_NOT_FOUND: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;
const FAILED: i64 = -32_000;
/// What nodes answer when a call reverts, with what it returned as data.
const REVERTED: i64 = 3;

#[derive(Debug)]
struct Refusal {
    code: i64,
    message: String,
    data: Option<Bytes>,
}

impl Refusal {
    fn new(code: i64, message: impl ToString) -> Self {
        Self { code, message: message.to_string(), data: None }
    }
}

impl From<OpBuildError> for Refusal {
    fn from(error: OpBuildError) -> Self {
        Self::new(FAILED, error)
    }
}

fn bad(what: &str) -> Refusal {
    Refusal::new(INVALID_PARAMS, what)
}

/// Answer one request.
pub(super) fn answer(shared: &mut Shared, request: &Value) -> Value {
    let id = request.get("id").cloned().unwrap_or_default();
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    let empty = Vec::new();
    let params = request.get("params").and_then(Value::as_array).unwrap_or(&empty);
    match call(shared, method, params) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Refusal { code, message, data }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message, "data": data } })
        }
    }
}

fn call(shared: &mut Shared, method: &str, params: &[Value]) -> Result<Value, Refusal> {
    let first = params.first().unwrap_or(&Value::Null);
    let second = params.get(1).unwrap_or(&Value::Null);
    let chain = &shared.chain;
    let head = chain.head()?;
    Ok(match method {
        "web3_clientVersion" => json!(concat!("hum-op-devnet/", env!("CARGO_PKG_VERSION"))),
        "eth_chainId" => quantity(chain.spec().chain_id().0),
        "net_version" => json!(chain.spec().chain_id().0.to_string()),
        "eth_blockNumber" => quantity(head.number),
        "eth_syncing" => json!(false),
        "eth_gasPrice" => quantity(head.base_fee_per_gas.unwrap_or_default().saturating_mul(2)),
        "eth_maxPriorityFeePerGas" => quantity(1),
        "eth_feeHistory" => fee_history(shared, first, second)?,
        "eth_getBlockByNumber" | "eth_getBlockByHash" => match find(shared, first)? {
            Some(block) => block_json(block, second.as_bool().unwrap_or(false)),
            None => Value::Null,
        },
        "eth_getBalance" => json!(chain.account(number(shared, second)?, address(first)?)?.balance),
        "eth_getTransactionCount" => {
            let mut nonce = chain.account(number(shared, second)?, address(first)?)?.nonce;
            if second.as_str() == Some("pending") {
                let sender = address(first)?;
                let waiting = shared.pool.iter().filter(|tx| tx.recover_signer().is_ok_and(|s| s == sender));
                nonce = waiting.map(|tx| tx.nonce() + 1).fold(nonce, u64::max);
            }
            quantity(nonce)
        }
        "eth_getCode" => json!(chain.code(number(shared, second)?, address(first)?)?),
        "eth_getStorageAt" => {
            let at = number(shared, params.get(2).unwrap_or(&Value::Null))?;
            json!(B256::from(chain.slot(at, address(first)?, word(second)?)?))
        }
        "eth_call" => match run(shared, first, second)? {
            ExecutionResult::Success { output, .. } => json!(output.into_data()),
            result => return Err(failed(result)),
        },
        "eth_estimateGas" => match run(shared, first, second)? {
            result @ ExecutionResult::Success { .. } => {
                // Above what was spent by the part that calls keep back (EIP-150), twice, and what refunds hide.
                let spent = result.tx_gas_used();
                quantity((spent + spent / 4 + 10_000).min(head.gas_limit))
            }
            result => return Err(failed(result)),
        },
        "eth_sendRawTransaction" => {
            let raw: Bytes = parse(first)?;
            let transaction =
                OpTxEnvelope::decode_2718(&mut &raw[..]).map_err(|_| bad("not a transaction"))?;
            if transaction.is_deposit() || transaction.recover_signer().is_err() {
                return Err(bad("nobody signed it"));
            }
            let hash = transaction.tx_hash();
            shared.submit(transaction).map_err(|why| Refusal::new(FAILED, why))?;
            json!(hash)
        }
        "eth_getTransactionByHash" => match transaction(shared, parse(first)?) {
            Some((block, index)) => transaction_json(block, index).unwrap_or_default(),
            None => Value::Null,
        },
        "eth_getTransactionReceipt" => match transaction(shared, parse(first)?) {
            Some((block, index)) => receipts_json(block).into_iter().nth(index).unwrap_or_default(),
            None => Value::Null,
        },
        "eth_getBlockReceipts" => match find(shared, first)? {
            Some(block) => receipts_json(block).into(),
            None => Value::Null,
        },
        "eth_getLogs" => logs(shared, first)?,
        "eth_getProof" => {
            let slots: Vec<Value> = parse(second)?;
            let at = number(shared, params.get(2).unwrap_or(&Value::Null))?;
            proof(shared, address(first)?, &slots, at)?
        }
        "debug_executionWitness" | "debug_executionWitnessByBlockHash" => {
            let block = found(shared, first)?;
            let (state, codes, headers) =
                (&block.witness.state, &block.witness.codes, &block.witness.headers);
            json!({ "state": state, "codes": codes, "headers": headers, "keys": [] })
        }
        "debug_getRawBlock" => json!(found(shared, first)?.rlp),
        "debug_getRawHeader" => json!(Bytes::from(alloy_rlp::encode(&found(shared, first)?.header))),
        "debug_getRawReceipts" => {
            let receipts = found(shared, first)?.receipts.iter();
            receipts.map(|receipt| json!(Bytes::from(receipt.encoded_2718()))).collect()
        }
        "debug_chainConfig" => shared.rules.clone(),
        _ => return Err(Refusal::new(METHOD_NOT_FOUND, format!("no method {method}"))),
    })
}

fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, Refusal> {
    serde_json::from_value(value.clone()).map_err(|error| bad(&error.to_string()))
}

fn address(value: &Value) -> Result<Address, Refusal> {
    parse(value)
}

/// A slot, as a quantity or as 32 bytes.
fn word(value: &Value) -> Result<U256, Refusal> {
    parse(value)
}

fn quantity(value: u64) -> Value {
    json!(format!("{value:#x}"))
}

/// The block that a tag, number, hash or `{blockNumber}`/`{blockHash}` names. `safe` and `finalized` are so many blocks
/// behind the newest one, whatever is posted: what this node's word is worth, as anywhere.
fn find<'a>(shared: &'a Shared, which: &Value) -> Result<Option<&'a OpSealed>, Refusal> {
    let blocks = shared.chain.blocks();
    let named = match which {
        Value::Object(object) => object.get("blockHash").or_else(|| object.get("blockNumber")),
        Value::Null => return Ok(blocks.last()),
        value => Some(value),
    };
    let named = named.and_then(Value::as_str).ok_or_else(|| bad("not a block"))?;
    Ok(match named {
        "latest" | "pending" => blocks.last(),
        "earliest" => blocks.first(),
        "safe" => behind(blocks, shared.safe_depth),
        "finalized" => behind(blocks, shared.finalized_depth),
        hash if hash.len() == 66 => {
            let hash: B256 = hash.parse().map_err(|_| bad("not a hash"))?;
            shared.chain.by_hash(&hash)
        }
        number => {
            let number: U256 = parse(&json!(number))?;
            usize::try_from(number).ok().and_then(|number| blocks.get(number))
        }
    })
}

/// The block so many below the newest, at least the first.
fn behind(blocks: &[OpSealed], depth: u64) -> Option<&OpSealed> {
    blocks.iter().rev().nth(usize::try_from(depth).ok()?).or(blocks.first())
}

fn found<'a>(shared: &'a Shared, which: &Value) -> Result<&'a OpSealed, Refusal> {
    find(shared, which)?.ok_or_else(|| Refusal::new(FAILED, "no such block"))
}

fn number(shared: &Shared, which: &Value) -> Result<u64, Refusal> {
    Ok(found(shared, which)?.header.number)
}

fn transaction(shared: &Shared, hash: B256) -> Option<(&OpSealed, usize)> {
    shared.chain.transaction(&hash)
}

fn run(
    shared: &Shared,
    request: &Value,
    which: &Value,
) -> Result<ExecutionResult<op_revm::OpHaltReason>, Refusal> {
    let field = |name: &str| request.get(name).filter(|value| !value.is_null());
    let from = field("from").map_or(Ok(Address::ZERO), parse)?;
    let to = field("to").map_or(Ok(TxKind::Create), |to| address(to).map(TxKind::Call))?;
    let input = field("input").or_else(|| field("data")).map_or(Ok(Bytes::new()), parse)?;
    let value = field("value").map_or(Ok(U256::ZERO), parse)?;
    Ok(shared.chain.call(number(shared, which)?, from, to, input, value)?)
}

fn failed(result: ExecutionResult<op_revm::OpHaltReason>) -> Refusal {
    match result {
        ExecutionResult::Revert { output, .. } => {
            Refusal { code: REVERTED, message: "execution reverted".to_owned(), data: Some(output) }
        }
        result => Refusal::new(FAILED, format!("execution halted: {result:?}")),
    }
}

fn block_json(block: &OpSealed, full: bool) -> Value {
    let mut json = serde_json::to_value(&block.header).unwrap_or_default();
    json["hash"] = json!(block.hash);
    json["size"] = quantity(block.rlp.len() as u64);
    json["uncles"] = json!([]);
    if block.header.withdrawals_root.is_some() {
        json["withdrawals"] = json!([]);
    }
    json["transactions"] = if full {
        (0..block.transactions.len()).filter_map(|index| transaction_json(block, index)).collect()
    } else {
        block.transactions.iter().map(|transaction| json!(transaction.tx_hash())).collect()
    };
    json
}

fn transaction_json(block: &OpSealed, index: usize) -> Option<Value> {
    let transaction = block.transactions.get(index)?;
    let mut json = serde_json::to_value(transaction).ok()?;
    json["blockHash"] = json!(block.hash);
    json["blockNumber"] = quantity(block.header.number);
    json["transactionIndex"] = quantity(index as u64);
    json["from"] = json!(transaction.recover_signer().ok()?);
    json["gasPrice"] = quantity(price(block, transaction));
    if let Some(OpReceiptEnvelope::Deposit(receipt)) = block.receipts.get(index) {
        json["gasPrice"] = quantity(0);
        json["nonce"] = quantity(receipt.receipt.deposit_nonce.unwrap_or_default());
        json["depositReceiptVersion"] = quantity(receipt.receipt.deposit_receipt_version.unwrap_or_default());
    }
    Some(json)
}

/// What a transaction pays for its gas.
fn price(block: &OpSealed, transaction: &OpTxEnvelope) -> u64 {
    if transaction.is_deposit() {
        return 0;
    }
    u64::try_from(transaction.effective_gas_price(block.header.base_fee_per_gas)).unwrap_or(u64::MAX)
}

fn receipts_json(block: &OpSealed) -> Vec<Value> {
    let (mut before, mut position) = (0, 0_u64);
    let mut receipts = Vec::with_capacity(block.receipts.len());
    for (index, (transaction, receipt)) in block.transactions.iter().zip(&block.receipts).enumerate() {
        let used = receipt.cumulative_gas_used().saturating_sub(before);
        before = receipt.cumulative_gas_used();
        let from = transaction.recover_signer().unwrap_or_default();
        let logs: Vec<Value> = receipt
            .logs()
            .iter()
            .map(|log| {
                position += 1;
                json!({
                    "address": log.address,
                    "topics": log.data.topics(),
                    "data": log.data.data,
                    "blockHash": block.hash,
                    "blockNumber": quantity(block.header.number),
                    "transactionHash": transaction.tx_hash(),
                    "transactionIndex": quantity(index as u64),
                    "logIndex": quantity(position - 1),
                    "removed": false,
                })
            })
            .collect();
        let nonce = match receipt {
            OpReceiptEnvelope::Deposit(receipt) => receipt.receipt.deposit_nonce.unwrap_or_default(),
            _ => transaction.nonce(),
        };
        let created = transaction.to().is_none().then(|| from.create(nonce));
        let mut json = json!({
            "transactionHash": transaction.tx_hash(),
            "transactionIndex": quantity(index as u64),
            "blockHash": block.hash,
            "blockNumber": quantity(block.header.number),
            "type": quantity(transaction.tx_type() as u64),
            "from": from,
            "to": transaction.to(),
            "contractAddress": created,
            "status": quantity(u64::from(receipt.status())),
            "cumulativeGasUsed": quantity(receipt.cumulative_gas_used()),
            "gasUsed": quantity(used),
            "effectiveGasPrice": quantity(price(block, transaction)),
            "logsBloom": receipt.bloom(),
            "logs": logs,
        });
        if let OpReceiptEnvelope::Deposit(receipt) = receipt {
            json["depositNonce"] = quantity(nonce);
            json["depositReceiptVersion"] =
                receipt.receipt.deposit_receipt_version.map(quantity).unwrap_or_default();
        }
        receipts.push(json);
    }
    receipts
}

fn logs(shared: &Shared, filter: &Value) -> Result<Value, Refusal> {
    let range = match filter.get("blockHash") {
        Some(hash) => {
            let at = number(shared, hash)?;
            at..=at
        }
        None => {
            let bound = |name: &str| number(shared, filter.get(name).unwrap_or(&Value::Null));
            // A range that ends in the future ends at the head.
            let head = shared.chain.head()?.number;
            bound("fromBlock")?..=bound("toBlock").unwrap_or(head)
        }
    };
    if range.end().saturating_sub(*range.start()) >= LOG_BLOCKS_MAX {
        return Err(bad("too many blocks"));
    }
    let wanted: Option<Vec<Value>> = filter.get("address").filter(|value| !value.is_null()).map(one_or_many);
    let topics: Vec<Option<Vec<Value>>> = match filter.get("topics").and_then(Value::as_array) {
        Some(topics) => topics.iter().map(|t| (!t.is_null()).then(|| one_or_many(t))).collect(),
        None => Vec::new(),
    };
    // JSON in lower case on both sides.
    let same = |one: &Value, other: &Value| {
        one.as_str().zip(other.as_str()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
    };
    let matches = |log: &Value| {
        let fits = |wanted: &Vec<Value>, found: &Value| wanted.iter().any(|wanted| same(wanted, found));
        wanted.as_ref().is_none_or(|wanted| fits(wanted, &log["address"]))
            && topics
                .iter()
                .enumerate()
                .all(|(at, wanted)| wanted.as_ref().is_none_or(|wanted| fits(wanted, &log["topics"][at])))
    };
    let mut found = Vec::new();
    for number in range {
        let block = usize::try_from(number).ok().and_then(|at| shared.chain.blocks().get(at));
        for mut receipt in block.map(receipts_json).unwrap_or_default() {
            if let Value::Array(logs) = receipt["logs"].take() {
                found.extend(logs.into_iter().filter(|log| matches(log)));
            }
        }
    }
    Ok(found.into())
}

fn one_or_many(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn proof(shared: &Shared, account: Address, slots: &[Value], number: u64) -> Result<Value, Refusal> {
    let proof = shared.chain.proof(number, account)?;
    let mut storage = Vec::with_capacity(slots.len());
    for slot in slots {
        let key = word(slot)?;
        let (value, nodes) = shared.chain.slot_proof(number, account, key)?;
        storage.push(json!({ "key": slot, "value": value, "proof": nodes }));
    }
    Ok(json!({
        "address": account,
        "accountProof": proof.nodes,
        "balance": proof.account.balance,
        "nonce": quantity(proof.account.nonce),
        "codeHash": proof.account.code_hash,
        "storageHash": proof.account.storage_root,
        "storageProof": storage,
    }))
}

fn fee_history(shared: &Shared, count: &Value, newest: &Value) -> Result<Value, Refusal> {
    let count: U256 = if count.is_number() { U256::from(count.as_u64().unwrap_or(1)) } else { parse(count)? };
    let newest = number(shared, newest)?;
    let count = count.saturating_to::<u64>().clamp(1, 1_024).min(newest + 1);
    let oldest = newest + 1 - count;
    let blocks = shared.chain.blocks().iter().filter(|b| (oldest..=newest).contains(&b.header.number));
    let (mut fees, mut ratios) = (Vec::new(), Vec::new());
    for block in blocks {
        fees.push(quantity(block.header.base_fee_per_gas.unwrap_or_default()));
        ratios.push(block.header.gas_used as f64 / block.header.gas_limit as f64);
    }
    fees.extend(fees.last().cloned());
    Ok(json!({
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": fees,
        "gasUsedRatio": ratios,
        "reward": vec![vec![quantity(1)]; ratios.len()],
    }))
}
