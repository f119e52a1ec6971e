//! JSON-RPC over HTTP, on a port of its own, for whichever chain it is pointed at.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use alloy::primitives::B256;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use ethrex_rpc::utils::RpcRequest;
use ethrex_rpc::{RpcApiContext, RpcErr, map_http_requests, rpc_response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::DevChain;
use super::error::DevChainError;
use super::receipts;

/// Largest request body: room for a block of calls, none for an accident.
pub const MAX_BODY_BYTES: usize = 8 << 20;

/// Most requests in one batch.
pub const MAX_BATCH: usize = 1_000;

/// How long open connections may finish what they are doing when the endpoint closes.
const CLOSE_TIMEOUT_MS: u64 = 1_000;

const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;

/// Methods of the client that would move the head behind the producer's back, or that answer from receipts that it cannot
/// read (see [`receipts`]).
const REFUSED: [&str; 4] = ["debug_setHead", "eth_newFilter", "eth_getFilterChanges", "eth_uninstallFilter"];

type Target = Arc<RwLock<RpcApiContext>>;

/// A JSON-RPC server on 127.0.0.1 that answers for one chain at a time.
///
/// It keeps the chain's store alive until it is pointed elsewhere, closed or dropped.
#[derive(Debug)]
pub struct Endpoint {
    address: SocketAddr,
    target: Target,
    stop: CancellationToken,
    server: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Endpoint {
    /// Opens an endpoint for `chain`; port 0 takes a free one.
    pub async fn open(chain: &DevChain, port: u16) -> Result<Self, DevChainError> {
        Self::bind(chain.rpc_context(), port).await
    }

    pub(super) async fn bind(context: RpcApiContext, port: u16) -> Result<Self, DevChainError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |source| DevChainError::Bind { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let target = Arc::new(RwLock::new(context));
        let routes = Router::new()
            .route("/", post(answer))
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

    /// Answers for `chain` from now on, without a sign to whoever is connected.
    pub fn point_at(&self, chain: &DevChain) {
        let context = chain.rpc_context();
        *self.target.write().unwrap_or_else(PoisonError::into_inner) = context;
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

async fn answer(State(target): State<Target>, body: bytes::Bytes) -> Json<Value> {
    let context = target.read().unwrap_or_else(PoisonError::into_inner).clone();
    let reply = match serde_json::from_slice::<Value>(&body) {
        Err(error) => refusal(PARSE_ERROR, &error.to_string()),
        Ok(Value::Array(requests)) if requests.is_empty() => refusal(INVALID_REQUEST, "empty batch"),
        Ok(Value::Array(requests)) if requests.len() > MAX_BATCH => {
            refusal(INVALID_REQUEST, &format!("batch of {}, at most {MAX_BATCH}", requests.len()))
        }
        Ok(Value::Array(requests)) => {
            let mut replies = Vec::with_capacity(requests.len());
            for request in requests {
                replies.push(answer_one(request, context.clone()).await);
            }
            Value::Array(replies)
        }
        Ok(request) => answer_one(request, context).await,
    };
    Json(reply)
}

async fn answer_one(request: Value, context: RpcApiContext) -> Value {
    let request = match serde_json::from_value::<RpcRequest>(request) {
        Ok(request) => request,
        Err(error) => return refusal(INVALID_REQUEST, &error.to_string()),
    };
    let mut result = if REFUSED.contains(&request.method.as_str()) {
        Err(RpcErr::MethodNotFound(request.method.clone()))
    } else if let Some(answer) = receipts::answer(&context.storage, &request).await {
        answer
    } else {
        // Boxed: the future is as large as the largest of the client's handlers.
        Box::pin(map_http_requests(&request, context)).await
    };
    // The client looks a hash up by its number, so for a block off the canonical chain it returns another one.
    if request.method == "eth_getBlockByHash"
        && let Ok(block) = &mut result
        && !is_block(block, request.params.as_deref())
    {
        *block = Value::Null;
    }
    rpc_response(request.id, result).unwrap_or_else(|error| refusal(INVALID_REQUEST, &format!("{error:?}")))
}

/// Whether the block returned is the one that the first parameter names.
fn is_block(block: &Value, params: Option<&[Value]>) -> bool {
    let hash = |value: &Value| value.as_str().and_then(|text| text.parse::<B256>().ok());
    block.get("hash").and_then(hash) == params.and_then(|params| hash(params.first()?))
}

fn refusal(code: i32, message: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": null, "error": {"code": code, "message": message}})
}
