//! A node on a real socket that answers whatever a test tells it to.

mod blobs;
mod lies;
mod sending;
mod signing;

use super::*;
use alloy_consensus::TxEnvelope;
use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

pub(crate) const CHAIN: ChainId = ChainId(9);

/// What a node answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Result(Value),
    Error(i64, &'static str, Value),
    Body(&'static str),
    Long(usize),
    Status(u16),
    Stall,
}

type Rule = Box<dyn FnMut(&Value) -> Reply + Send>;

/// Rules by method; a method without one is not found.
#[derive(Clone, Default)]
pub(crate) struct Node {
    rules: Arc<Mutex<BTreeMap<&'static str, Rule>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Node {
    pub(crate) fn new() -> Self {
        let node = Self::default();
        node.says("eth_chainId", json!("0x9"));
        node
    }

    pub(crate) fn on(&self, method: &'static str, rule: impl FnMut(&Value) -> Reply + Send + 'static) {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).insert(method, Box::new(rule));
    }

    pub(crate) fn says(&self, method: &'static str, result: Value) {
        self.on(method, move |_| Reply::Result(result.clone()));
    }

    pub(crate) fn replies(&self, method: &'static str, reply: Reply) {
        self.on(method, move |_| reply.clone());
    }

    pub(crate) fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == method).count()
    }

    fn answer(&self, request: &Value) -> (Value, Reply) {
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(method.clone());
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = match rules.get_mut(method.as_str()) {
            Some(rule) => rule(&request["params"]),
            None => Reply::Error(-32601, "the method does not exist", Value::Null),
        };
        (request["id"].clone(), reply)
    }

    /// Listen; the endpoint.
    pub(crate) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/", post(handle)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        endpoint
    }

    pub(crate) async fn chain(&self) -> RpcChain {
        RpcChain::new(&self.serve().await, CHAIN, limits()).unwrap()
    }
}

pub(crate) fn limits() -> RpcLimits {
    RpcLimits { timeout_ms: 300, witness_timeout_ms: 300, answer_bytes: 10_000, block_bytes: 100_000 }
}

async fn handle(State(node): State<Node>, body: String) -> axum::response::Response {
    let request: Value = serde_json::from_str(&body).unwrap();
    let (id, reply) = node.answer(&request);
    let envelope = |key: &str, value: Value| json!({ "jsonrpc": "2.0", "id": id, key: value }).to_string();
    match reply {
        Reply::Result(result) => envelope("result", result).into_response(),
        Reply::Error(code, message, data) => {
            envelope("error", json!({ "code": code, "message": message, "data": data })).into_response()
        }
        Reply::Body(body) => body.into_response(),
        Reply::Long(length) => envelope("result", json!("x".repeat(length))).into_response(),
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Stall => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::OK.into_response()
        }
    }
}

/// Number and hash, as a block's JSON has them.
pub(crate) fn head(block: BlockRef) -> Value {
    json!({ "number": U64::from(block.number), "hash": block.hash })
}

pub(crate) fn raw() -> RawBlock {
    RawBlock::from_rlp(alloy_rlp::encode(crate::block::tests::block()).into()).unwrap()
}

/// The whole block as `eth_getBlockByNumber` gives it with full transactions.
pub(crate) fn full_json() -> Value {
    let block = crate::block::tests::block();
    let hash = block.header.hash_slow();
    let transactions =
        block.body.transactions.iter().enumerate().map(|(index, envelope): (usize, &TxEnvelope)| {
            let signer = alloy_primitives::Address::ZERO;
            wire::Transaction {
                inner: alloy_consensus::transaction::Recovered::new_unchecked(envelope.clone(), signer),
                block_hash: Some(hash),
                block_number: Some(block.header.number),
                transaction_index: Some(index as u64),
                effective_gas_price: None,
                block_timestamp: None,
            }
        });
    let transactions: Vec<wire::Transaction> = transactions.collect();
    let rpc = wire::Block::new(
        wire::Header::from_consensus(
            alloy_consensus::Sealed::new_unchecked(block.header.clone(), hash),
            None,
            None,
        ),
        wire::BlockTransactions::Full(transactions),
    )
    .with_withdrawals(block.body.withdrawals.clone());
    serde_json::to_value(rpc).unwrap()
}
