//! A stand-in for a node that cannot run here: it answers what a real node once answered, and nothing else.
//!
//! Whatever is shown by way of it is [`LABEL`]: recorded answers decode and hash, but nobody joined that chain. A
//! request that no recorded answer covers is refused, never guessed.
//!
//! A recorded block also answers for itself by number and by hash, with whole transactions or their hashes as far as
//! it has them; so do transactions and receipts. Which block stands as a head has to be said ([`Recording::set_head`]):
//! recordings of different moments make no chain.

use hum_types::{ChainId, Confidence};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How to call a chain that is shown by way of a recording.
pub const LABEL: &str = "replayed, not joined live";

const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_REQUEST: i64 = -32600;
const NOT_RECORDED: i64 = -32000;

/// Answers of one chain's nodes, by request.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    chain_id: ChainId,
    answers: BTreeMap<String, BTreeMap<String, Value>>,
}

/// Why a file adds nothing to a recording.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// It is of another chain.
    #[error("exchange is of chain {found}, the recording of {expected}")]
    WrongChain {
        /// In the file.
        found: u64,
        /// Of the recording.
        expected: ChainId,
    },
    /// It is no exchange with a result.
    #[error("no exchange with a result")]
    NoResult,
    /// It does not say what was asked, and its answer does not tell.
    #[error("nothing says what was asked")]
    NoRequest,
    /// No block with that number was recorded.
    #[error("block {number} is not recorded")]
    NoBlock {
        /// The number.
        number: u64,
    },
}

/// Numbers and hexadecimal numbers are the same; letters of hexadecimal text are small.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_u64().map_or_else(|| value.clone(), |n| json!(format!("{n:#x}"))),
        Value::String(text) => json!(text.to_ascii_lowercase()),
        Value::Array(items) => items.iter().map(canonical).collect(),
        value => value.clone(),
    }
}

impl Recording {
    /// An empty recording of a chain.
    #[must_use]
    pub fn new(chain_id: ChainId) -> Self {
        let mut recording = Self { chain_id, answers: BTreeMap::new() };
        recording.put("eth_chainId", &json!([]), json!(format!("{:#x}", chain_id.0)));
        recording.put("web3_clientVersion", &json!([]), json!(format!("hum-replay ({LABEL})")));
        recording
    }

    /// Add an exchange: `{"chain": {"chain_id": …}, "request": {…} or null, "response": {"result": …}}`.
    pub fn add(&mut self, exchange: &Value) -> Result<(), RecordingError> {
        if let Some(found) = exchange["chain"]["chain_id"].as_u64()
            && found != self.chain_id.0
        {
            return Err(RecordingError::WrongChain { found, expected: self.chain_id });
        }
        let result = exchange["response"].get("result").ok_or(RecordingError::NoResult)?;
        let request = &exchange["request"];
        let mut used = false;
        if let Some(method) = request["method"].as_str() {
            self.put(method, &request["params"], result.clone());
            used = true;
        }
        used |= self.derive(result);
        if used { Ok(()) } else { Err(RecordingError::NoRequest) }
    }

    /// Let a recorded block answer for a tag.
    pub fn set_head(&mut self, tag: Confidence, number: u64) -> Result<(), RecordingError> {
        let method = "eth_getBlockByNumber";
        let mut found = false;
        for whole in [true, false] {
            let key = canonical(&json!([number, whole])).to_string();
            let Some(block) = self.answers.get(method).and_then(|answers| answers.get(&key)).cloned() else {
                continue;
            };
            let tag = match tag {
                Confidence::Latest => "latest",
                Confidence::Safe => "safe",
                Confidence::Finalized => "finalized",
            };
            self.put(method, &json!([tag, whole]), block);
            found = true;
        }
        if found { Ok(()) } else { Err(RecordingError::NoBlock { number }) }
    }

    fn put(&mut self, method: &str, params: &Value, result: Value) {
        let params = if params.is_null() { json!([]) } else { canonical(params) };
        self.answers.entry(method.to_owned()).or_default().insert(params.to_string(), result);
    }

    /// What an answer says about itself answers other requests too.
    fn derive(&mut self, result: &Value) -> bool {
        let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
        if let (Some(hash), Some(number), Some(transactions)) =
            (text(result, "hash"), text(result, "number"), result["transactions"].as_array())
        {
            let whole = transactions.iter().any(Value::is_object);
            let mut forms = vec![(whole || transactions.is_empty(), result.clone())];
            if whole || transactions.is_empty() {
                let mut short = result.clone();
                short["transactions"] = transactions.iter().map(|each| each["hash"].clone()).collect();
                forms.push((false, short));
            }
            for (whole, block) in forms {
                self.put("eth_getBlockByNumber", &json!([number, whole]), block.clone());
                self.put("eth_getBlockByHash", &json!([hash, whole]), block);
            }
            return true;
        }
        let first = result.get(0).unwrap_or(result);
        if first.get("cumulativeGasUsed").is_some() {
            if let (true, Some(hash), Some(number)) =
                (result.is_array(), text(first, "blockHash"), text(first, "blockNumber"))
            {
                self.put("eth_getBlockReceipts", &json!([number]), result.clone());
                self.put("eth_getBlockReceipts", &json!([hash]), result.clone());
            }
            let one = std::slice::from_ref(result);
            for receipt in result.as_array().map_or(one, Vec::as_slice) {
                if let Some(hash) = text(receipt, "transactionHash") {
                    self.put("eth_getTransactionReceipt", &json!([hash]), receipt.clone());
                }
            }
            return true;
        }
        if let (Some(hash), true) = (text(result, "hash"), result.get("input").is_some()) {
            self.put("eth_getTransactionByHash", &json!([hash]), result.clone());
            return true;
        }
        false
    }

    /// The JSON-RPC answer to a request, or to a batch of them.
    #[must_use]
    pub fn answer(&self, request: &Value) -> Value {
        if let Some(batch) = request.as_array() {
            return batch.iter().map(|request| self.answer(request)).collect();
        }
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let refuse = |code: i64, message: String| json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } });
        let Some(method) = request["method"].as_str() else {
            return refuse(INVALID_REQUEST, "no method".to_owned());
        };
        let Some(answers) = self.answers.get(method) else {
            return refuse(METHOD_NOT_FOUND, format!("{method} is not recorded ({LABEL})"));
        };
        let params = if request["params"].is_null() { json!([]) } else { canonical(&request["params"]) };
        match answers.get(&params.to_string()) {
            Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            None => refuse(NOT_RECORDED, format!("{method} with these parameters is not recorded ({LABEL})")),
        }
    }
}
