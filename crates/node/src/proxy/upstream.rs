//! The rollup's node, over HTTP.

use alloy::transports::http::reqwest;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use bytes::Bytes;
use hum_types::B256;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Headers that concern one connection, or that the next hop writes itself.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

/// Why the node's answer is not there.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It took too long.
    #[error("the node did not answer within {timeout_ms} ms")]
    Timeout {
        /// How long it had.
        timeout_ms: u128,
    },
    /// It cannot be reached, or broke off.
    #[error("the node cannot be reached: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// It answers with too much.
    #[error("the node answers with more than {limit} bytes")]
    Long {
        /// The most bytes that are taken.
        limit: usize,
    },
    /// It answers with what is no block.
    #[error("the node's answer is unreadable: {reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// The node's answer as it came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The node, and what it may take.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) http: reqwest::Client,
    pub(super) url: reqwest::Url,
    pub(super) timeout: Duration,
    pub(super) answer_bytes_max: usize,
}

impl Node {
    /// Pass a request on.
    pub(super) async fn pass(
        &self,
        method: Method,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Answer, UpstreamError> {
        let mut passed = without_hops(headers);
        // Answers are looked into; a client that cannot read them packed would not have asked.
        passed.remove(header::ACCEPT_ENCODING);
        let request = self.http.request(method, self.url.clone()).headers(passed).body(body);
        let work = async {
            let mut answer = request.send().await?;
            let (status, headers) = (answer.status(), without_hops(answer.headers()));
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > self.answer_bytes_max {
                    return Ok(None);
                }
                body.extend_from_slice(&chunk);
            }
            Ok::<_, reqwest::Error>(Some(Answer { status, headers, body: body.into() }))
        };
        match tokio::time::timeout(self.timeout, work).await {
            Err(_) => Err(UpstreamError::Timeout { timeout_ms: self.timeout.as_millis() }),
            // Without the URL: it may hold a key.
            Ok(Err(error)) => Err(UpstreamError::Unreachable { reason: causes(&error.without_url()) }),
            Ok(Ok(None)) => Err(UpstreamError::Long { limit: self.answer_bytes_max }),
            Ok(Ok(Some(answer))) => Ok(answer),
        }
    }

    /// Ask a question of our own.
    async fn ask<T: for<'a> Deserialize<'a>>(
        &self,
        method: &str,
        params: serde_json::Value,
    ) -> Result<Option<T>, UpstreamError> {
        #[derive(Deserialize)]
        struct Outcome<T> {
            result: Option<T>,
            error: Option<serde_json::Value>,
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
        let answer = self.pass(Method::POST, &headers, body.to_string().into()).await?;
        let outcome: Outcome<T> = serde_json::from_slice(&answer.body)
            .map_err(|error| UpstreamError::Unreadable { reason: format!("{method}: {error}") })?;
        match outcome.error {
            Some(error) if !error.is_null() => {
                Err(UpstreamError::Unreadable { reason: format!("{method}: {error}") })
            }
            _ => Ok(outcome.result),
        }
    }

    /// The hash of the block that the node has at a number; `None` when it has none.
    pub(super) async fn hash_at(&self, number: u64) -> Result<Option<B256>, UpstreamError> {
        #[derive(Deserialize)]
        struct Block {
            hash: B256,
        }
        let block: Option<Block> =
            self.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await?;
        Ok(block.map(|block| block.hash))
    }

    /// The chain that the node says it is of, as a hexadecimal number.
    pub(super) async fn chain_id(&self) -> Result<Option<String>, UpstreamError> {
        self.ask("eth_chainId", json!([])).await
    }
}

fn without_hops(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    kept
}

/// An error with its causes: the outermost alone seldom says what happened.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
