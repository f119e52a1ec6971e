//! JSON-RPC and REST over HTTP with a bound on the time and the size of every answer.

use crate::ReadError;
use alloy::transports::http::reqwest::{
    Client as Http, RequestBuilder, StatusCode, Url, header::CONTENT_TYPE, redirect,
};
use alloy_primitives::{Bytes, hex};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Bounds on what a node may take from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RpcLimits {
    /// How long an ordinary answer may take.
    pub timeout_ms: u64,
    /// How long a witness may take.
    pub witness_timeout_ms: u64,
    /// Bytes of an ordinary answer.
    pub answer_bytes: usize,
    /// Bytes of a block or a witness, as JSON text.
    pub block_bytes: usize,
}

impl Default for RpcLimits {
    fn default() -> Self {
        Self {
            timeout_ms: 5_000,
            witness_timeout_ms: 30_000,
            answer_bytes: 16 * 1024 * 1024,
            block_bytes: 256 * 1024 * 1024,
        }
    }
}

/// What the answer to one request may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    timeout: Duration,
    bytes: usize,
}

impl RpcLimits {
    pub(crate) const fn ordinary(&self) -> Allowance {
        Allowance { timeout: Duration::from_millis(self.timeout_ms), bytes: self.answer_bytes }
    }

    pub(crate) const fn block(&self) -> Allowance {
        Allowance { timeout: Duration::from_millis(self.timeout_ms), bytes: self.block_bytes }
    }

    pub(crate) const fn witness(&self) -> Allowance {
        Allowance { timeout: Duration::from_millis(self.witness_timeout_ms), bytes: self.block_bytes }
    }
}

/// One node.
pub(crate) struct Client {
    http: Http,
    url: Url,
    token: Option<String>,
    id: AtomicU64,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.endpoint())
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: serde_json::Value,
}

const METHOD_NOT_FOUND: i64 = -32601;
const EXECUTION_REVERTED: i64 = 3;
/// Text of a node that we pass on in errors.
const DETAIL_CHARS_MAX: usize = 200;

impl Client {
    pub(crate) fn new(endpoint: &str) -> Result<Self, ReadError> {
        let method = "connect";
        let url: Url = endpoint.parse().map_err(|error| ReadError::Garbage {
            method,
            detail: format!("endpoint is not a URL: {error}"),
        })?;
        // A redirect would hand our requests to a host that nobody configured; nodes are reached directly.
        let http = Http::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| ReadError::Garbage { method, detail: error.to_string() })?;
        Ok(Self { http, url, token: None, id: AtomicU64::new(1) })
    }

    /// Send `token` along as a bearer token.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Host and port only: user, password and path may be secrets.
    pub(crate) fn endpoint(&self) -> String {
        let host = self.url.host_str().unwrap_or("?");
        self.url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Ask, and read the answer as `T`; JSON `null` is `None`.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: serde_json::Value,
        allowance: Allowance,
    ) -> Result<Option<T>, ReadError> {
        let Some(text) = self.ask_text(method, params, allowance).await? else { return Ok(None) };
        serde_json::from_str(text.get()).map(Some).map_err(|error| garbage(method, &error))
    }

    /// Ask, and give the text of the result; JSON `null` is `None`.
    pub(crate) async fn ask_text(
        &self,
        method: &'static str,
        params: serde_json::Value,
        allowance: Allowance,
    ) -> Result<Option<Box<RawValue>>, ReadError> {
        let id = self.id.fetch_add(1, Ordering::Relaxed);
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let body = in_time(method, allowance, self.exchange(method, request, allowance.bytes)).await?;
        let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|error| garbage(method, &error))?;
        if answer.id.is_some_and(|found| found != id) {
            return Err(ReadError::Mismatch {
                method,
                field: "answer id",
                declared: id.to_string(),
                computed: answer.id.unwrap_or_default().to_string(),
            });
        }
        match answer.error {
            Some(failure) => Err(refusal(method, failure)),
            None => Ok(answer.result.map(ToOwned::to_owned)),
        }
    }

    async fn exchange(
        &self,
        method: &'static str,
        request: String,
        bound: usize,
    ) -> Result<Vec<u8>, ReadError> {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(request);
        let (status, body) = self.receive(method, request, bound).await?;
        // Some nodes put a JSON-RPC error under an error status; anything else there is the transport's own text.
        if !status.is_success() && !body.starts_with(b"{") {
            return Err(self.status(method, status));
        }
        Ok(body)
    }

    /// The body at a path below the endpoint's own. [`ReadError::Missing`] when the node has nothing there, and
    /// [`ReadError::Unsupported`] when it does not take that question.
    pub(crate) async fn get(
        &self,
        method: &'static str,
        path: &str,
        query: &[(&'static str, String)],
        allowance: Allowance,
    ) -> Result<Vec<u8>, ReadError> {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{path}", self.url.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs(query);
        if query.is_empty() {
            url.set_query(self.url.query());
        }
        let received = self.receive(method, self.http.get(url), allowance.bytes);
        let (status, body) = in_time(method, allowance, received).await?;
        match status.as_u16() {
            200..=299 => Ok(body),
            404 => Err(ReadError::Missing { method, what: path.to_owned() }),
            400 | 405 | 410 | 501 => {
                Err(ReadError::Unsupported { method, advice: "ask a beacon node that keeps blobs" })
            }
            _ => Err(self.status(method, status)),
        }
    }

    fn status(&self, method: &'static str, status: StatusCode) -> ReadError {
        let detail = format!("HTTP status {}", status.as_u16());
        ReadError::Transport { method, endpoint: self.endpoint(), detail }
    }

    async fn receive(
        &self,
        method: &'static str,
        mut request: RequestBuilder,
        bound: usize,
    ) -> Result<(StatusCode, Vec<u8>), ReadError> {
        let transport = |error: alloy::transports::http::reqwest::Error| ReadError::Transport {
            method,
            endpoint: self.endpoint(),
            detail: shorten(&error.without_url().to_string()),
        };
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut response = request.send().await.map_err(transport)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > bound {
                return Err(ReadError::TooLarge { method, bound });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

async fn in_time<T>(
    method: &'static str,
    allowance: Allowance,
    answer: impl Future<Output = Result<T, ReadError>>,
) -> Result<T, ReadError> {
    tokio::time::timeout(allowance.timeout, answer).await.unwrap_or_else(|_| {
        let after_ms = u64::try_from(allowance.timeout.as_millis()).unwrap_or(u64::MAX);
        Err(ReadError::Timeout { method, after_ms })
    })
}

fn garbage(method: &'static str, error: &serde_json::Error) -> ReadError {
    ReadError::Garbage { method, detail: shorten(&error.to_string()) }
}

fn refusal(method: &'static str, failure: Failure) -> ReadError {
    let message = shorten(&failure.message);
    if failure.code == METHOD_NOT_FOUND {
        return ReadError::Unsupported { method, advice: advice(method) };
    }
    if failure.code == EXECUTION_REVERTED || failure.message.contains("revert") {
        return ReadError::Reverted { data: revert_data(&failure.data), message };
    }
    ReadError::Node { method, code: failure.code, message }
}

/// Nodes put revert data into `data` as a string, or one object deeper.
fn revert_data(data: &serde_json::Value) -> Bytes {
    let text = data.as_str().or_else(|| data.get("data").and_then(serde_json::Value::as_str)).unwrap_or("");
    hex::decode(text).unwrap_or_default().into()
}

fn advice(method: &str) -> &'static str {
    if method.starts_with("debug_") {
        "use a node that serves the debug namespace with debug_executionWitness (Reth, Geth, Nethermind, ethrex) and enable it"
    } else {
        "use a node that serves the eth namespace"
    }
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect()
}
