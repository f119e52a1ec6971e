//! The HTTP server.

use super::{Index, IndexError, LeafProof, MemberView, Page};
use crate::publisher::BlockTimes;
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use commonware_codec::DecodeExt as _;
use hum_consensus::{Presence, PublicKey};
use hum_types::{B256, ChainId, Height};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// The longest list that is given.
const LIMIT_MAX: u32 = 1_000;

/// How long another process may take to show itself.
const PRESENCE_WAIT: Duration = Duration::from_secs(2);

/// What a role says of itself.
pub trait Reports: Send + Sync + 'static {
    /// What it last did, what it waits for, and its numbers.
    fn status(&self) -> Value;

    /// Its metrics in Prometheus' text format.
    fn metrics(&self) -> String;
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is taken or not ours.
    #[error("cannot serve the API on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server ended.
    #[error("the API ended: {0}")]
    Ended(std::io::Error),
}

/// Serve `/status` and `/metrics` until the process ends.
pub async fn serve(address: SocketAddr, reports: Arc<dyn Reports>) -> Result<(), ApiError> {
    listen(address, common(reports)).await
}

/// When things happened to a rollup's blocks, from a number on.
pub type TimesFrom = Arc<dyn Fn(u64) -> BTreeMap<u64, BlockTimes> + Send + Sync>;

/// Serve what a publisher knows until the process ends: also `/blocks?from=N`, the times of recent blocks.
pub async fn serve_publisher(
    address: SocketAddr,
    reports: Arc<dyn Reports>,
    times: TimesFrom,
) -> Result<(), ApiError> {
    let blocks =
        |State(times): State<TimesFrom>, Query(range): Query<Range>| async move { Json(times(range.from)) };
    let routes = Router::new().route("/blocks", get(blocks)).with_state(times);
    listen(address, common(reports).merge(routes)).await
}

/// Serve what an operator knows until the process ends.
pub async fn serve_operator(
    address: SocketAddr,
    reports: Arc<dyn Reports>,
    index: Arc<Index>,
    presence: Presence,
    proofs: Proofs,
    members: MembersFrom,
) -> Result<(), ApiError> {
    let indexed = Router::new()
        .route("/checkpoints", get(checkpoints))
        .route("/checkpoints/{height}", get(checkpoint))
        .route("/checkpoints/{height}/bytes", get(checkpoint_bytes))
        .route("/certificates/{height}", get(certificate))
        .route("/messages", get(messages))
        .route("/messages/{id}", get(message))
        .with_state(index);
    let others = Router::new().route("/presence/{key}/{instance}", get(another)).with_state(presence);
    let proofs = Router::new().route("/rollups/{chain_id}/proof", get(leaf)).with_state(proofs);
    let members = Router::new()
        .route("/members", get(|State(members): State<MembersFrom>| async move { Json(members()) }))
        .with_state(members);
    listen(address, common(reports).merge(indexed).merge(others).merge(proofs).merge(members)).await
}

/// Everyone who is or was a member, by chain id.
pub type MembersFrom = Arc<dyn Fn() -> Vec<MemberView> + Send + Sync>;

/// Proves a rollup's leaf under a certified checkpoint.
pub type Proofs = Arc<dyn Fn(ChainId) -> Option<LeafProof> + Send + Sync>;

async fn leaf(State(proofs): State<Proofs>, Path(chain_id): Path<u64>) -> Result<Json<LeafProof>, Refusal> {
    proofs(ChainId(chain_id)).map(Json).ok_or(Refusal::NotFound("certified checkpoint with this rollup"))
}

/// The sign of a process that runs under a network key and is not the one that asks. The sign proves itself: whoever
/// passes it on need not be believed.
async fn another(
    State(presence): State<Presence>,
    Path((key, instance)): Path<(B256, u64)>,
) -> Result<Json<Value>, Refusal> {
    let unknown = Refusal::NotFound("another process under this key");
    let Ok(key) = PublicKey::decode(bytes::Bytes::copy_from_slice(key.as_slice())) else {
        return Err(unknown);
    };
    let call = tokio::time::timeout(PRESENCE_WAIT, presence.call(key, instance)).await;
    let sign = call.ok().flatten().ok_or(unknown)?;
    Ok(Json(json!({ "sign": alloy_primitives::hex::encode_prefixed(sign) })))
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    from: u64,
}

fn common(reports: Arc<dyn Reports>) -> Router {
    Router::new()
        .route("/status", get(|State(role): State<Arc<dyn Reports>>| async move { Json(role.status()) }))
        .route("/metrics", get(metrics))
        .with_state(reports)
}

async fn listen(address: SocketAddr, routes: Router) -> Result<(), ApiError> {
    let listener = TcpListener::bind(address).await.map_err(|source| ApiError::Listen { address, source })?;
    axum::serve(listener, routes).await.map_err(ApiError::Ended)
}

async fn metrics(State(role): State<Arc<dyn Reports>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], role.metrics()).into_response()
}

/// What is not there, or cannot be read.
enum Refusal {
    NotFound(&'static str),
    Index(IndexError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what} is not known here (yet)")),
            Self::Index(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}

fn found<T>(what: &'static str, answer: Result<Option<T>, IndexError>) -> Result<Json<T>, Refusal> {
    answer.map_err(Refusal::Index)?.map(Json).ok_or(Refusal::NotFound(what))
}

fn listed<T>(answer: Result<Vec<T>, IndexError>) -> Result<Json<Vec<T>>, Refusal> {
    answer.map(Json).map_err(Refusal::Index)
}

type Shared = State<Arc<Index>>;

async fn checkpoints(State(index): Shared, Query(page): Query<Page>) -> impl IntoResponse {
    listed(index.checkpoints(page.limit.min(LIMIT_MAX)))
}

async fn checkpoint(State(index): Shared, Path(height): Path<u64>) -> impl IntoResponse {
    found("checkpoint", index.checkpoint(Height(height)))
}

async fn checkpoint_bytes(State(index): Shared, Path(height): Path<u64>) -> impl IntoResponse {
    found("checkpoint", index.checkpoint_bytes(Height(height)))
}

async fn certificate(State(index): Shared, Path(height): Path<u64>) -> impl IntoResponse {
    found("certificate", index.certificate(Height(height)))
}

async fn messages(State(index): Shared, Query(page): Query<Page>) -> impl IntoResponse {
    listed(index.messages(page.limit.min(LIMIT_MAX)))
}

async fn message(State(index): Shared, Path(id): Path<B256>) -> impl IntoResponse {
    found("message", index.message(id))
}
