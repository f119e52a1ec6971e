//! JSON-RPC and the blobs of a beacon node over HTTP, on a port of its own, for whichever chain of this process it is pointed at.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use ethrex_rpc::RpcApiContext;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::chain::{self, DevChainError};
use crate::op;

/// Largest request body: room for a block of calls, none for an accident.
pub const MAX_BODY_BYTES: usize = 8 << 20;

/// Most requests in one batch.
pub const MAX_BATCH: usize = 1_000;

/// How long open connections may finish what they are doing when the endpoint closes.
const CLOSE_TIMEOUT_MS: u64 = 1_000;

const PARSE_ERROR: i32 = -32_700;
pub(crate) const INVALID_REQUEST: i32 = -32_600;

/// A chain of this process, as whoever answers for it holds it.
#[derive(Debug, Clone)]
pub struct Target(pub(crate) Answers);

/// What computes the answers.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    Ethereum(Box<RpcApiContext>, chain::Beacon),
    Op(op::Answers),
}

/// A JSON-RPC server that answers for one chain at a time.
///
/// It keeps the chain's store alive until it is pointed elsewhere, closed or dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    target: Arc<RwLock<Target>>,
    stop: CancellationToken,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Endpoint {
    /// Opens an endpoint for a chain; port 0 takes a free one.
    pub async fn open(chain: impl Into<Target>, port: u16) -> Result<Self, DevChainError> {
        Self::listen(chain, (Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// The same at any address of this machine.
    pub async fn listen(chain: impl Into<Target>, wanted: SocketAddr) -> Result<Self, DevChainError> {
        let target = Arc::new(RwLock::new(chain.into()));
        let failed = |source| DevChainError::Bind { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let routes = Router::new()
            .route("/", post(answer))
            .route(chain::BEACON_ROOT, get(answer_beacon))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(target.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
                tracing::error!(%address, %error, "JSON-RPC endpoint ended");
            }
        });
        Ok(Self { address, target, stop, server: tokio::sync::Mutex::new(Some(server)) })
    }

    /// Address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers for this chain from now on, without a sign to whoever is connected.
    pub fn point_at(&self, chain: impl Into<Target>) {
        *self.target.write().unwrap_or_else(PoisonError::into_inner) = chain.into();
    }

    /// Stops listening; what is being answered may finish for a second.
    pub async fn close(&self) {
        self.stop.cancel();
        let Some(mut server) = self.server.lock().await.take() else { return };
        if tokio::time::timeout(Duration::from_millis(CLOSE_TIMEOUT_MS), &mut server).await.is_err() {
            server.abort();
            // Only a cancellation can come back, and that is what was asked for.
            let _ = server.await;
        }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.get_mut().take() {
            server.abort();
        }
    }
}

async fn answer(State(target): State<Arc<RwLock<Target>>>, body: bytes::Bytes) -> Json<Value> {
    let Target(target) = target.read().unwrap_or_else(PoisonError::into_inner).clone();
    let reply = match serde_json::from_slice::<Value>(&body) {
        Err(error) => refusal(PARSE_ERROR, &error.to_string()),
        Ok(Value::Array(requests)) if requests.is_empty() => refusal(INVALID_REQUEST, "empty batch"),
        Ok(Value::Array(requests)) if requests.len() > MAX_BATCH => {
            refusal(INVALID_REQUEST, &format!("batch of {}, at most {MAX_BATCH}", requests.len()))
        }
        Ok(Value::Array(requests)) => {
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(answer_one(request, target.clone()).await);
            }
            Value::Array(replies)
        }
        Ok(request) => answer_one(request, target).await,
    };
    Json(reply)
}

async fn answer_beacon(
    State(target): State<Arc<RwLock<Target>>>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
) -> (StatusCode, Json<Value>) {
    let Target(target) = target.read().unwrap_or_else(PoisonError::into_inner).clone();
    let (status, body) = match target {
        Answers::Ethereum(_, beacon) => beacon.answer(&path, &query.unwrap_or_default()),
        Answers::Op(_) => (StatusCode::NOT_FOUND, Value::Null),
    };
    (status, Json(body))
}

async fn answer_one(request: Value, target: Answers) -> Value {
    match target {
        Answers::Ethereum(context, _) => chain::answer(request, *context).await,
        Answers::Op(answers) => answers.answer(&request),
    }
}

pub(crate) fn refusal(code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}})
}
