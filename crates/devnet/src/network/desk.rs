//! A sequencer's desk on a port of its own: signs what this chain made, for whoever has the token.

use super::LocalChain;
use crate::{DevChainError, Endpoint};
use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use hum_chain::{
    LocalKey,
    rpc::{RpcChain, RpcLimits},
    sequencer::SequencerDesk,
};
use hum_types::{Domain, RegistrationId, SequencerKey};
use serde_json::{Value, json};
use std::{net::Ipv4Addr, sync::Arc};
use tokio::{net::TcpListener, task::JoinHandle};

/// A running desk.
#[derive(Debug)]
pub(crate) struct Desk {
    url: String,
    server: JoinHandle<()>,
    /// The desk reads its own chain here: nobody can point this one elsewhere.
    endpoint: Endpoint,
}

struct Served {
    desk: SequencerDesk,
    token: Vec<u8>,
}

impl Desk {
    pub(crate) async fn open(
        chain: &LocalChain,
        key: SequencerKey,
        domain: Domain,
        registration: RegistrationId,
        token: Vec<u8>,
    ) -> Result<Self, super::NetworkError> {
        let endpoint = Endpoint::open(chain, 0).await?;
        let reader = RpcChain::new(&endpoint.url(), chain.chain_id(), RpcLimits::default())
            .map_err(|source| super::NetworkError::Rpc { chain_id: chain.chain_id(), source })?;
        let desk = SequencerDesk::new(LocalKey::new(key, domain), Arc::new(reader), registration);
        let routes = Router::new().route("/", post(answer)).with_state(Arc::new(Served { desk, token }));
        let wanted = (Ipv4Addr::LOCALHOST, 0).into();
        let failed = |source| DevChainError::Bind { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "sequencer desk ended");
            }
        });
        Ok(Self { url, server, endpoint })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn close(&self) {
        self.server.abort();
        self.endpoint.close().await;
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.server.abort();
    }
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
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(refusal) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": refusal.code, "message": refusal.message}})
        }
    })
}
