//! A chain as an Ethereum node's JSON-RPC shows it.
//!
//! ```text
//! RpcChain (reads) ──┐
//!                    ├─▶ Client: bounded in time and bytes ─▶ node
//! RpcSubmit (sends) ─┘
//! ```

mod client;
mod submit;
mod witness;

pub(crate) use client::Client;
pub use client::RpcLimits;
pub use submit::{FeePolicy, RpcSubmit, SubmitPolicy};

use crate::{
    At, BlockBytesError, Chain, Log, LogQuery, ProvenSlot, RawBlock, RawWitness, ReadError, StateProof,
    stack::{self, StackError},
};
use alloy::rpc::types as wire;
use alloy_primitives::{U64, U256};
use alloy_rlp::EMPTY_STRING_CODE;
use client::Allowance;
use futures::future::{BoxFuture, FutureExt};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use witness::WitnessRequest;

/// Logs that one query may return; a longer answer is a wrong one, or the range is too wide.
const LOGS_MAX: usize = 100_000;

/// One node of one chain. Cloning shares the connection.
#[derive(Debug, Clone)]
pub struct RpcChain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    chain_id: ChainId,
    limits: RpcLimits,
    /// Whether the node has said its chain id since the connection last broke.
    checked: AtomicBool,
    /// Cleared when the node turns out to have no `debug_getRawBlock`.
    raw_blocks: AtomicBool,
    witness: WitnessRequest,
}

#[derive(Deserialize)]
struct Head {
    number: U64,
    hash: B256,
}

impl RpcChain {
    /// A node at `endpoint` that must serve `chain_id`. Nothing is asked yet: a node that is down now may be up later.
    pub fn new(endpoint: &str, chain_id: ChainId, limits: RpcLimits) -> Result<Self, ReadError> {
        Ok(Self(Arc::new(Inner {
            client: Client::new(endpoint)?,
            chain_id,
            limits,
            checked: AtomicBool::new(false),
            raw_blocks: AtomicBool::new(true),
            witness: WitnessRequest::default(),
        })))
    }

    /// Ask the node at `endpoint` which chain it serves: for the first contact, before a chain id is configured.
    pub async fn discover(endpoint: &str, limits: RpcLimits) -> Result<ChainId, ReadError> {
        served(&Client::new(endpoint)?, limits).await
    }

    /// Host and port of the node, for people.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.0.client.endpoint()
    }

    async fn ready(&self) -> Result<(), ReadError> {
        if self.0.checked.load(Ordering::Acquire) {
            return Ok(());
        }
        let found = served(&self.0.client, self.0.limits).await?;
        if found != self.0.chain_id {
            return Err(ReadError::WrongChain { found, expected: self.0.chain_id });
        }
        self.0.checked.store(true, Ordering::Release);
        Ok(())
    }

    /// What stands behind an endpoint may change while it is away.
    fn note<T>(&self, answer: Result<T, ReadError>) -> Result<T, ReadError> {
        if matches!(answer, Err(ReadError::Transport { .. } | ReadError::Timeout { .. })) {
            self.0.checked.store(false, Ordering::Release);
        }
        answer
    }

    async fn maybe<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: serde_json::Value,
        allowance: Allowance,
    ) -> Result<Option<T>, ReadError> {
        self.ready().await?;
        self.note(self.0.client.ask(method, params, allowance).await)
    }

    /// Ask for something that the node must have.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: serde_json::Value,
    ) -> Result<T, ReadError> {
        let what = params.to_string();
        let answer = self.maybe(method, params, self.0.limits.ordinary()).await?;
        answer.ok_or(ReadError::Missing { method, what })
    }

    async fn light(&self, at: At) -> Result<Option<BlockRef>, ReadError> {
        let (method, id) = light_request(at);
        let head: Option<Head> = self.maybe(method, json!([id, false]), self.0.limits.ordinary()).await?;
        Ok(head.map(|head| BlockRef { number: head.number.to(), hash: head.hash }))
    }

    async fn read_block(&self, at: At) -> Result<Option<RawBlock>, ReadError> {
        if self.0.raw_blocks.load(Ordering::Relaxed) {
            match self.raw_block(at).await {
                Err(ReadError::Unsupported { .. }) => self.0.raw_blocks.store(false, Ordering::Relaxed),
                answer => return answer,
            }
        }
        self.rebuilt_block(at).await
    }

    async fn raw_block(&self, at: At) -> Result<Option<RawBlock>, ReadError> {
        const METHOD: &str = "debug_getRawBlock";
        // Not every node takes a hash here, and nodes differ in how they say "no such block": ask that separately.
        let Some(wanted) = self.light(at).await? else { return Ok(None) };
        let params = json!([U64::from(wanted.number)]);
        let bytes: Option<Bytes> = self.maybe(METHOD, params, self.0.limits.block()).await?;
        let Some(bytes) = bytes else { return Ok(None) };
        let block = RawBlock::from_rlp(bytes).map_err(|error| forged(METHOD, &error))?;
        if block.block == wanted {
            return Ok(Some(block));
        }
        if block.block.number != wanted.number {
            return Err(differs(METHOD, "block number", wanted.number, block.block.number));
        }
        // The canonical block of this number is another one: the chain moved on, or the hash is of a side branch.
        match at {
            At::Hash(_) => self.rebuilt_block(at).await,
            At::Tag(_) | At::Number(_) => Err(differs(METHOD, "block hash", wanted.hash, block.block.hash)),
        }
    }

    /// A block as the node writes it, with whole transactions or their hashes.
    pub(crate) async fn wire_block(
        &self,
        at: At,
        whole: bool,
    ) -> Result<Option<stack::wire::Block>, ReadError> {
        let (method, id) = light_request(at);
        self.maybe(method, json!([id, whole]), self.0.limits.block()).await
    }

    /// The block from its JSON, for nodes without raw blocks: taken only when it hashes to the hash.
    async fn rebuilt_block(&self, at: At) -> Result<Option<RawBlock>, ReadError> {
        let (method, _) = light_request(at);
        let Some(json) = self.wire_block(at, true).await? else { return Ok(None) };
        let found = match stack::rebuild(&json) {
            Ok(found) => found,
            Err(StackError::Hash { declared, computed, .. }) if declared == json.hash => {
                return Err(differs(method, "block hash", declared, computed));
            }
            Err(error) => return Err(ReadError::Garbage { method, detail: error.to_string() }),
        };
        match at {
            At::Number(number) if number != found.block.number => {
                Err(differs(method, "block number", number, found.block.number))
            }
            At::Hash(hash) if hash != found.block.hash => {
                Err(differs(method, "block hash", hash, found.block.hash))
            }
            _ => Ok(Some(found)),
        }
    }

    async fn read_logs(&self, query: LogQuery) -> Result<Vec<Log>, ReadError> {
        const METHOD: &str = "eth_getLogs";
        let mut filter = json!({ "fromBlock": U64::from(query.from), "toBlock": U64::from(query.to) });
        if !query.addresses.is_empty() {
            filter["address"] = json!(query.addresses);
        }
        if !query.topics.is_empty() {
            filter["topics"] = json!([query.topics]);
        }
        let found: Vec<wire::Log> = self.ask(METHOD, json!([filter])).await?;
        if found.len() > LOGS_MAX {
            return Err(differs(METHOD, "number of logs", format!("at most {LOGS_MAX}"), found.len()));
        }
        let mut logs = Vec::with_capacity(found.len());
        for log in found.into_iter().filter(|log| !log.removed) {
            let log = known_log(METHOD, log)?;
            if !(query.from..=query.to).contains(&log.block.number) {
                return Err(differs(
                    METHOD,
                    "log's block",
                    format!("{}..{}", query.from, query.to),
                    log.block.number,
                ));
            }
            if !query.addresses.is_empty() && !query.addresses.contains(&log.address) {
                return Err(differs(METHOD, "log's emitter", "one that was asked for", log.address));
            }
            if !query.topics.is_empty()
                && !log.topics.first().is_some_and(|topic| query.topics.contains(topic))
            {
                return Err(differs(
                    METHOD,
                    "log's first topic",
                    "one that was asked for",
                    format!("{:?}", log.topics),
                ));
            }
            logs.push(log);
        }
        logs.sort_by_key(|log| (log.block.number, log.index));
        Ok(logs)
    }
}

async fn served(client: &Client, limits: RpcLimits) -> Result<ChainId, ReadError> {
    let method = "eth_chainId";
    let id: Option<U64> = client.ask(method, json!([]), limits.ordinary()).await?;
    id.map(|id| ChainId(id.to())).ok_or(ReadError::Missing { method, what: "a chain id".into() })
}

fn differs(
    method: &'static str,
    field: &'static str,
    declared: impl ToString,
    computed: impl ToString,
) -> ReadError {
    ReadError::Mismatch { method, field, declared: declared.to_string(), computed: computed.to_string() }
}

fn forged(method: &'static str, error: &BlockBytesError) -> ReadError {
    ReadError::Garbage { method, detail: error.to_string() }
}

const fn tag_name(tag: Confidence) -> &'static str {
    match tag {
        Confidence::Latest => "latest",
        Confidence::Safe => "safe",
        Confidence::Finalized => "finalized",
    }
}

fn light_request(at: At) -> (&'static str, serde_json::Value) {
    match at {
        At::Tag(tag) => ("eth_getBlockByNumber", json!(tag_name(tag))),
        At::Number(number) => ("eth_getBlockByNumber", json!(U64::from(number))),
        At::Hash(hash) => ("eth_getBlockByHash", json!(hash)),
    }
}

/// The block parameter of the state methods (EIP-1898).
fn state_at(at: At) -> serde_json::Value {
    match at {
        At::Tag(tag) => json!(tag_name(tag)),
        At::Number(number) => json!(U64::from(number)),
        At::Hash(hash) => json!({ "blockHash": hash }),
    }
}

fn known_log(method: &'static str, log: wire::Log) -> Result<Log, ReadError> {
    let absent = |field: &str| ReadError::Garbage { method, detail: format!("a log has no {field}") };
    let number = log.block_number.ok_or_else(|| absent("block number"))?;
    let hash = log.block_hash.ok_or_else(|| absent("block hash"))?;
    Ok(Log {
        address: log.inner.address,
        topics: log.inner.data.topics().to_vec(),
        block: BlockRef { number, hash },
        tx_hash: log.transaction_hash.ok_or_else(|| absent("transaction hash"))?,
        index: log.log_index.ok_or_else(|| absent("index"))?,
        data: log.inner.data.data,
    })
}

fn known_proof(
    method: &'static str,
    account: Address,
    slots: &[B256],
    found: wire::EIP1186AccountProofResponse,
) -> Result<StateProof, ReadError> {
    if found.storage_proof.len() != slots.len() {
        return Err(differs(method, "number of slots", slots.len(), found.storage_proof.len()));
    }
    let words = found.storage_proof.into_iter().zip(slots).map(|(proven, slot)| {
        // An empty trie has no nodes; some nodes send the empty one.
        let nodes = proven.proof.into_iter().filter(|node| node.as_ref() != [EMPTY_STRING_CODE]);
        ProvenSlot { slot: *slot, word: proven.value.into(), nodes: nodes.collect() }
    });
    Ok(StateProof { account, nodes: found.account_proof, slots: words.collect() })
}

impl Chain for RpcChain {
    fn chain_id(&self) -> ChainId {
        self.0.chain_id
    }

    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        async move {
            let head = self.light(At::Tag(tag)).await?;
            head.ok_or_else(|| ReadError::Missing {
                method: "eth_getBlockByNumber",
                what: format!("a {} head", tag_name(tag)),
            })
        }
        .boxed()
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        self.read_block(at).boxed()
    }

    fn witness(&self, block: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        self.read_witness(block).boxed()
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        self.read_logs(query).boxed()
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move { self.ask("eth_call", json!([{ "to": to, "data": data }, state_at(at)])).await }.boxed()
    }

    fn storage(&self, account: Address, slot: B256, at: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        async move {
            let word: U256 = self.ask("eth_getStorageAt", json!([account, slot, state_at(at)])).await?;
            Ok(word.into())
        }
        .boxed()
    }

    fn proof(
        &self,
        account: Address,
        slots: Vec<B256>,
        at: At,
    ) -> BoxFuture<'_, Result<StateProof, ReadError>> {
        async move {
            const METHOD: &str = "eth_getProof";
            let params = json!([account, slots, state_at(at)]);
            let found: wire::EIP1186AccountProofResponse = self.ask(METHOD, params).await?;
            known_proof(METHOD, account, &slots, found)
        }
        .boxed()
    }

    fn code(&self, account: Address, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async move { self.ask("eth_getCode", json!([account, state_at(at)])).await }.boxed()
    }

    fn balance(&self, account: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        async move { self.ask("eth_getBalance", json!([account, "latest"])).await }.boxed()
    }

    fn nonce(&self, account: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        async move {
            let count: U64 = self.ask("eth_getTransactionCount", json!([account, "latest"])).await?;
            Ok(count.to())
        }
        .boxed()
    }
}

#[cfg(test)]
pub(crate) mod tests;
