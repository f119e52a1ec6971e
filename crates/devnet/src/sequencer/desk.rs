//! A sequencer's desk over HTTP.

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use hum_chain::sequencer::{SIGN_CLAIM, SequencerDesk};
use hum_types::HeadClaim;
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{net::TcpListener, task::JoinHandle};

struct Served {
    desk: SequencerDesk,
    token: Vec<u8>,
    claimed: Arc<AtomicU64>,
}

/// Serve a desk to whoever has the token; where it listens, and its task. `claimed` rises to the highest block that was claimed.
pub(crate) async fn serve(
    desk: SequencerDesk,
    token: Vec<u8>,
    listen: SocketAddr,
    claimed: Arc<AtomicU64>,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let routes = Router::new().route("/", post(answer)).with_state(Arc::new(Served { desk, token, claimed }));
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "sequencer desk ended");
        }
    });
    Ok((address, server))
}

async fn answer(
    State(served): State<Arc<Served>>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Json<Value> {
    let id = request.get("id").cloned().unwrap_or_default();
    let method = request.get("method").and_then(Value::as_str).unwrap_or_default();
    let params = request.get("params").unwrap_or(&Value::Null);
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    Json(match served.desk.answer(&served.token, authorization, method, params).await {
        Ok(result) => {
            let claim = params.get(0).filter(|_| method == SIGN_CLAIM);
            let claim = claim.and_then(|claim| serde_json::from_value::<HeadClaim>(claim.clone()).ok());
            if let Some(claim) = claim {
                served.claimed.fetch_max(claim.block.number, Ordering::Relaxed);
            }
            json!({"jsonrpc": "2.0", "id": id, "result": result})
        }
        Err(refusal) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": refusal.code, "message": refusal.message}})
        }
    })
}
