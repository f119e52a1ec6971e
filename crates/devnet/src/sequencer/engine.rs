//! Any execution client, by the standard Engine API.
//!
//! ```text
//! build    forkchoiceUpdatedV3(head, attributes) ─▶ getPayloadV5 (V4 before Osaka) ─▶ newPayloadV4
//! execute  newPayloadV4
//! adopt    forkchoiceUpdatedV3(head)
//! ```
//!
//! The client is our own and believed about execution; that a payload is the block whose hash it names is checked.

use super::{
    client::{Client, ClientError, Place},
    log::MadeBlock,
};
use alloy::{
    eips::eip7685::Requests,
    primitives::{Address, B256, Bytes},
    transports::http::reqwest,
};
use alloy_consensus::{Block, Transaction as _, TxEnvelope};
use alloy_rlp::Decodable as _;
use alloy_rpc_types_engine::{
    CancunPayloadFields, ExecutionPayload, ExecutionPayloadEnvelopeV4, ExecutionPayloadEnvelopeV5,
    ExecutionPayloadSidecar, ExecutionPayloadV3, ForkchoiceState, ForkchoiceUpdated, PayloadAttributes,
    PayloadId, PayloadStatus, PayloadStatusEnum, PraguePayloadFields,
};
use futures::future::{BoxFuture, FutureExt as _};
use hum_types::BlockRef;
use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(8);
/// "Unsupported fork", of the Engine API.
const UNSUPPORTED_FORK: i64 = -38_005;

/// Where an execution client's Engine API is, and what it is to build.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// URL of its Engine API.
    pub url: String,
    /// The secret shared with it (HS256).
    pub jwt: B256,
    /// Receives the fees of every block.
    pub fee_recipient: Address,
    /// How long a payload is let grow after it was asked for, in milliseconds.
    pub build_ms: u64,
    /// How many blocks the `safe` tag stays behind the head.
    pub safe_depth: u64,
    /// How many blocks the `finalized` tag stays behind the head.
    pub finalized_depth: u64,
}

/// What went wrong between us and an execution client.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It could not be reached, or did not answer in time.
    #[error("{method}: {source}")]
    Transport {
        /// What was asked.
        method: &'static str,
        /// Why.
        source: reqwest::Error,
    },
    /// It refused.
    #[error("{method}: {message} (code {code})")]
    Refused {
        /// What was asked.
        method: &'static str,
        /// Its error code.
        code: i64,
        /// What it said.
        message: String,
    },
    /// Its answer is not what the method gives.
    #[error("{method}: the answer is not readable: {problem}")]
    Unreadable {
        /// What was asked.
        method: &'static str,
        /// Why.
        problem: String,
    },
    /// It does not take a block, or not now.
    #[error("{method}: block {hash} is {status}")]
    NotValid {
        /// What was asked.
        method: &'static str,
        /// The block.
        hash: B256,
        /// What it says of it.
        status: String,
    },
    /// It started no payload.
    #[error("engine_forkchoiceUpdatedV3: no payload above block {parent}")]
    NoPayload {
        /// The block to build on.
        parent: B256,
    },
    /// The payload is another block than it says.
    #[error("payload of block {declared} has hash {computed}")]
    OtherBlock {
        /// The hash that it names.
        declared: B256,
        /// The hash of its contents.
        computed: B256,
    },
    /// The payload does not stand on our head.
    #[error("payload stands on {declared}, our head is {computed}")]
    OtherParent {
        /// In the payload.
        declared: B256,
        /// Our head.
        computed: B256,
    },
    /// The request could not be signed.
    #[error("no token for the Engine API: {0}")]
    Token(String),
}

/// A connection to an execution client.
pub struct Engine {
    settings: EngineSettings,
    http: reqwest::Client,
    key: EncodingKey,
    /// Cleared when the rules in force are from before Osaka.
    osaka: AtomicBool,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Engine({})", self.settings.url)
    }
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    code: i64,
    message: String,
}

/// What we read of a block that the client tells.
#[derive(Deserialize)]
struct Told {
    number: alloy::primitives::U64,
    hash: B256,
    timestamp: alloy::primitives::U64,
}

impl Told {
    fn block(&self) -> BlockRef {
        BlockRef { number: self.number.to(), hash: self.hash }
    }
}

impl Engine {
    /// A client at these settings; nothing is asked yet.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(|source| EngineError::Transport { method: "set up", source })?;
        let key = EncodingKey::from_secret(settings.jwt.as_slice());
        Ok(Self { settings, http, key, osaka: AtomicBool::new(true) })
    }

    async fn ask<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, EngineError> {
        let claims = json!({ "iat": now_s() });
        let token = jsonwebtoken::encode(&Header::default(), &claims, &self.key)
            .map_err(|error| EngineError::Token(error.to_string()))?;
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let sent = self.http.post(&self.settings.url).bearer_auth(token).json(&request).send().await;
        let failed = |source| EngineError::Transport { method, source };
        let answer = sent.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let body = answer.bytes().await.map_err(failed)?;
        let unreadable = |problem: String| EngineError::Unreadable { method, problem };
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
        if let Some(Problem { code, message }) = answer.error {
            return Err(EngineError::Refused { method, code, message });
        }
        serde_json::from_value(answer.result.unwrap_or_default())
            .map_err(|error| unreadable(error.to_string()))
    }

    async fn told(&self, block: Value) -> Result<Option<Told>, EngineError> {
        self.ask("eth_getBlockByNumber", json!([block, false])).await
    }

    async fn head(&self) -> Result<Told, EngineError> {
        let missing =
            || EngineError::Unreadable { method: "eth_getBlockByNumber", problem: "it has no head".into() };
        self.told(json!("latest")).await?.ok_or_else(missing)
    }

    async fn at(&self, number: u64) -> Result<Option<B256>, EngineError> {
        Ok(self.told(json!(format!("{number:#x}"))).await?.map(|told| told.hash))
    }

    /// Name the head, and how far the tags are behind it; start a payload on it where attributes are given.
    async fn choose(
        &self,
        head: BlockRef,
        attributes: Option<PayloadAttributes>,
    ) -> Result<Option<PayloadId>, EngineError> {
        const METHOD: &str = "engine_forkchoiceUpdatedV3";
        let EngineSettings { safe_depth, finalized_depth, .. } = self.settings;
        // Blocks at these depths are below the client's own head already, except at a chain's very start.
        let behind = async |depth: u64| match head.number.checked_sub(depth) {
            None | Some(0) => self.at(0).await,
            Some(number) if number == head.number => Ok(Some(head.hash)),
            Some(number) => self.at(number).await,
        };
        let state = ForkchoiceState {
            head_block_hash: head.hash,
            safe_block_hash: behind(safe_depth).await?.unwrap_or_default(),
            finalized_block_hash: behind(finalized_depth).await?.unwrap_or_default(),
        };
        let answer: ForkchoiceUpdated = self.ask(METHOD, json!([state, attributes])).await?;
        valid(METHOD, head.hash, &answer.payload_status)?;
        Ok(answer.payload_id)
    }

    async fn built(&self, id: PayloadId) -> Result<(ExecutionPayloadV3, Requests), EngineError> {
        if self.osaka.load(Ordering::Relaxed) {
            match self.ask::<ExecutionPayloadEnvelopeV5>("engine_getPayloadV5", json!([id])).await {
                Err(EngineError::Refused { code: UNSUPPORTED_FORK, .. }) => {
                    self.osaka.store(false, Ordering::Relaxed);
                }
                answer => {
                    let envelope = answer?;
                    return Ok((envelope.execution_payload, envelope.execution_requests));
                }
            }
        }
        match self.ask::<ExecutionPayloadEnvelopeV4>("engine_getPayloadV4", json!([id])).await {
            Err(EngineError::Refused { code: UNSUPPORTED_FORK, method, message }) => {
                // Osaka began meanwhile: the next block asks for it again.
                self.osaka.store(true, Ordering::Relaxed);
                Err(EngineError::Refused { code: UNSUPPORTED_FORK, method, message })
            }
            answer => {
                let envelope = answer?;
                Ok((envelope.envelope_inner.execution_payload, envelope.execution_requests))
            }
        }
    }

    async fn insert(
        &self,
        payload: &ExecutionPayloadV3,
        blobs: &[B256],
        requests: &Requests,
    ) -> Result<(), EngineError> {
        const METHOD: &str = "engine_newPayloadV4";
        let params = json!([payload, blobs, B256::ZERO, requests]);
        let status: PayloadStatus = self.ask(METHOD, params).await?;
        valid(METHOD, payload.payload_inner.payload_inner.block_hash, &status)
    }

    async fn build(&self) -> Result<(BlockRef, MadeBlock), EngineError> {
        let head = self.head().await?;
        let parent = head.block();
        let attributes = PayloadAttributes {
            timestamp: now_s().max(head.timestamp.to::<u64>().saturating_add(1)),
            prev_randao: B256::ZERO,
            suggested_fee_recipient: self.settings.fee_recipient,
            withdrawals: Some(Vec::new()),
            parent_beacon_block_root: Some(B256::ZERO),
            slot_number: None,
            target_gas_limit: None,
        };
        let id = self.choose(parent, Some(attributes)).await?;
        let id = id.ok_or(EngineError::NoPayload { parent: parent.hash })?;
        tokio::time::sleep(Duration::from_millis(self.settings.build_ms)).await;
        let (payload, requests) = self.built(id).await?;
        let block = block_of(payload.clone(), &requests)?;
        if block.header.parent_hash != parent.hash {
            let declared = block.header.parent_hash;
            return Err(EngineError::OtherParent { declared, computed: parent.hash });
        }
        self.insert(&payload, &blobs_of(&block), &requests).await?;
        let built = BlockRef { number: block.header.number, hash: block.header.hash_slow() };
        let rlp = alloy_rlp::encode(&block).into();
        Ok((built, MadeBlock { rlp, requests: requests.iter().cloned().collect() }))
    }

    async fn execute(&self, made: &MadeBlock) -> Result<BlockRef, EngineError> {
        let unreadable = |problem: String| EngineError::Unreadable { method: "the log of blocks", problem };
        let block = Block::<TxEnvelope>::decode(&mut made.rlp.as_ref())
            .map_err(|error| unreadable(error.to_string()))?;
        let hash = block.header.hash_slow();
        let payload = ExecutionPayloadV3::from_block_unchecked(hash, &block);
        let requests = Requests::new(made.requests.clone());
        self.insert(&payload, &blobs_of(&block), &requests).await?;
        Ok(BlockRef { number: block.header.number, hash })
    }
}

impl Client for Engine {
    fn place(&self) -> BoxFuture<'_, Result<Place, ClientError>> {
        async {
            let missing =
                || EngineError::Unreadable { method: "eth_getBlockByNumber", problem: "no genesis".into() };
            let genesis = self.at(0).await?.ok_or_else(missing)?;
            Ok(Place { genesis, head: self.head().await?.block() })
        }
        .boxed()
    }

    fn build(&self) -> BoxFuture<'_, Result<(BlockRef, MadeBlock), ClientError>> {
        async { Ok(Self::build(self).await?) }.boxed()
    }

    fn execute<'a>(&'a self, made: &'a MadeBlock) -> BoxFuture<'a, Result<BlockRef, ClientError>> {
        async { Ok(Self::execute(self, made).await?) }.boxed()
    }

    fn adopt(&self, block: BlockRef) -> BoxFuture<'_, Result<(), ClientError>> {
        async move { Ok(self.choose(block, None).await.map(drop)?) }.boxed()
    }
}

fn valid(method: &'static str, hash: B256, status: &PayloadStatus) -> Result<(), EngineError> {
    match &status.status {
        PayloadStatusEnum::Valid => Ok(()),
        other => Err(EngineError::NotValid { method, hash, status: other.to_string() }),
    }
}

/// The block of a payload: its hash must be the one that the payload names.
fn block_of(payload: ExecutionPayloadV3, requests: &Requests) -> Result<Block<TxEnvelope>, EngineError> {
    let declared = payload.payload_inner.payload_inner.block_hash;
    let cancun = CancunPayloadFields::new(B256::ZERO, Vec::new());
    let sidecar = ExecutionPayloadSidecar::v4(cancun, PraguePayloadFields::new(requests.clone()));
    let block: Block<TxEnvelope> =
        ExecutionPayload::V3(payload).try_into_block_with_sidecar(&sidecar).map_err(|error| {
            EngineError::Unreadable { method: "engine_getPayload", problem: error.to_string() }
        })?;
    let computed = block.header.hash_slow();
    if computed == declared { Ok(block) } else { Err(EngineError::OtherBlock { declared, computed }) }
}

/// The hashes of all blobs that a block's transactions bring, in order.
fn blobs_of(block: &Block<TxEnvelope>) -> Vec<B256> {
    let of_one = |transaction: &TxEnvelope| {
        transaction.blob_versioned_hashes().map(<[B256]>::to_vec).unwrap_or_default()
    };
    block.body.transactions.iter().flat_map(of_one).collect()
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

/// The secret in a file as execution clients share it: 32 bytes in hex, with or without `0x`.
#[must_use]
pub fn read_jwt(text: &str) -> Option<B256> {
    let text = text.trim();
    let bytes: Bytes = alloy::hex::decode(text).ok()?.into();
    (bytes.len() == 32).then(|| B256::from_slice(&bytes))
}
