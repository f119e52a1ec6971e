//! The server before the node.

use super::{
    Breaker, Finding, Heads, Turn,
    breaker::refusal,
    rewrite::tag_of,
    upstream::{Answer, Node, UpstreamError},
    websocket,
};
use alloy::transports::http::reqwest;
use axum::{
    Router,
    body::Body,
    extract::{
        Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use hum_types::{BlockRef, ChainId, Confidence, Height};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

/// What a proxy serves, and in which bounds.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// The rollup's chain.
    pub chain_id: ChainId,
    /// The node's JSON-RPC over HTTP.
    pub rpc: String,
    /// The node's websocket (`ws://`); without it, requests on websockets go to `rpc` and nothing can be subscribed.
    pub ws: Option<String>,
    /// The most bytes of a request.
    pub request_bytes_max: usize,
    /// The most bytes of an answer.
    pub answer_bytes_max: usize,
    /// How long the node may take to answer.
    pub timeout: Duration,
    /// How many websockets are served at once.
    pub websockets_max: usize,
    /// How long the node is believed to have a certified block that it was seen to have; also how often it is looked
    /// at when nobody asks.
    pub check_again: Duration,
}

impl ProxySettings {
    /// The usual bounds.
    #[must_use]
    pub const fn new(chain_id: ChainId, rpc: String, ws: Option<String>) -> Self {
        Self {
            chain_id,
            rpc,
            ws,
            request_bytes_max: 10 * 1024 * 1024,
            answer_bytes_max: 256 * 1024 * 1024,
            timeout: Duration::from_secs(30),
            websockets_max: 1_024,
            check_again: Duration::from_millis(500),
        }
    }
}

/// Why a proxy does not start, or ends.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A URL is none, or of a kind that is not spoken.
    #[error("{url} is no {expected} URL")]
    Url {
        /// What was given.
        url: String,
        /// What is needed.
        expected: &'static str,
    },
    /// The node is of another chain.
    #[error("the node is of chain {declared}, the rollup is chain {expected}")]
    Chain {
        /// What the node says.
        declared: String,
        /// The rollup's.
        expected: ChainId,
    },
    /// The address is taken or not ours, or the server ended.
    #[error("cannot serve on {address}: {source}")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What a proxy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyView {
    /// `proxy`.
    pub role: &'static str,
    /// The rollup's chain.
    pub chain_id: ChainId,
    /// The newest certified height that was checked; zero before the first.
    pub certified: Height,
    /// The certified heads.
    pub heads: BTreeMap<Confidence, BlockRef>,
    /// Contradictions that stand, in words.
    pub contradictions: BTreeMap<Confidence, String>,
    /// Requests and batches so far.
    pub requests: u64,
    /// Calls whose tags were replaced.
    pub rewritten: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Requests that the node did not answer.
    pub upstream_failures: u64,
    /// Times that the node began to contradict a certificate.
    pub contradictions_total: u64,
    /// Why nothing is believed any more.
    pub lie: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: AtomicU64,
    pub(super) rewritten: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) upstream_failures: AtomicU64,
    contradictions: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) node: Node,
    pub(super) heads: watch::Receiver<Heads>,
    pub(super) counts: Counts,
    pub(super) settings: ProxySettings,
    pub(super) websockets: Arc<Semaphore>,
    breaker: Mutex<Breaker>,
    started: Instant,
}

/// A proxy before a node.
#[derive(Debug, Clone)]
pub struct Proxy {
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy that serves these heads.
    pub fn new(
        settings: ProxySettings,
        http: reqwest::Client,
        heads: watch::Receiver<Heads>,
    ) -> Result<Self, ProxyError> {
        let bad = |url: &str, expected| ProxyError::Url { url: url.to_owned(), expected };
        let url = reqwest::Url::parse(&settings.rpc)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()))
            .ok_or_else(|| bad(&settings.rpc, "http or https"))?;
        if let Some(ws) = settings.ws.as_deref() {
            reqwest::Url::parse(ws).ok().filter(|url| url.scheme() == "ws").ok_or_else(|| bad(ws, "ws"))?;
        }
        let (timeout, answer_bytes_max) = (settings.timeout, settings.answer_bytes_max);
        let again_ms = u64::try_from(settings.check_again.as_millis()).unwrap_or(u64::MAX);
        let shared = Shared {
            node: Node { http, url, timeout, answer_bytes_max },
            heads,
            counts: Counts::default(),
            websockets: Arc::new(Semaphore::new(settings.websockets_max)),
            settings,
            breaker: Mutex::new(Breaker::new(again_ms)),
            started: Instant::now(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Refuse a node of another chain; one that does not answer may do so later.
    pub async fn check_chain(&self) -> Result<(), ProxyError> {
        let expected = self.shared.settings.chain_id;
        match self.shared.node.chain_id().await {
            Ok(Some(declared)) if declared != format!("{:#x}", expected.0) => {
                Err(ProxyError::Chain { declared, expected })
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(%error, "the node does not say which chain it is of");
                Ok(())
            }
        }
    }

    /// Serve until the process ends, and look at the node's blocks meanwhile.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), ProxyError> {
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        let routes = Router::new().fallback(handle).with_state(self.shared.clone());
        tokio::select! {
            served = async { axum::serve(listener, routes).await } => {
                served.map_err(|source| ProxyError::Serve { address, source })
            }
            never = self.shared.look_on() => match never {},
        }
    }

    /// What it says of itself.
    #[must_use]
    pub fn view(&self) -> ProxyView {
        self.shared.view()
    }

    /// Its metrics in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        metrics(&self.view())
    }
}

impl Shared {
    pub(super) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since this proxy started.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ask the node for its block at a certified number.
    pub(super) async fn look(
        &self,
        confidence: Confidence,
        block: BlockRef,
    ) -> Result<Finding, UpstreamError> {
        let finding = Finding::of(block.hash, self.node.hash_at(block.number).await?);
        self.found(confidence, block, finding);
        Ok(finding)
    }

    /// Remember what the node has, and say so when that changes what is answered.
    pub(super) fn found(&self, confidence: Confidence, block: BlockRef, finding: Finding) {
        let turn = self.breaker().found(confidence, block, finding, self.now_ms());
        match (turn, refusal(confidence, block, finding)) {
            (Some(Turn::Tripped), Some(refused)) => {
                self.counts.contradictions.fetch_add(1, Relaxed);
                tracing::error!("{refused}; what depends on it is refused until the node agrees");
            }
            (Some(Turn::Recovered), _) => {
                tracing::info!("the node agrees with the certified {} head again", tag_of(confidence));
            }
            _ => {}
        }
    }

    /// Look at every certified head again and again, so that a contradiction is seen when nobody asks.
    async fn look_on(&self) -> std::convert::Infallible {
        loop {
            let heads: Vec<_> = self
                .heads
                .borrow()
                .heads
                .iter()
                .map(|(confidence, head)| (*confidence, head.block))
                .collect();
            for (confidence, block) in heads {
                if let Err(error) = self.look(confidence, block).await {
                    tracing::debug!(%error, "the node was not looked at");
                }
            }
            tokio::time::sleep(self.settings.check_again).await;
        }
    }

    fn view(&self) -> ProxyView {
        let heads = self.heads.borrow();
        let breaker = self.breaker();
        let contradictions = breaker.tripped().iter();
        ProxyView {
            role: "proxy",
            chain_id: self.settings.chain_id,
            certified: heads.height(),
            heads: heads.heads.iter().map(|(confidence, head)| (*confidence, head.block)).collect(),
            contradictions: contradictions.map(|(at, refused)| (*at, refused.to_string())).collect(),
            requests: self.counts.requests.load(Relaxed),
            rewritten: self.counts.rewritten.load(Relaxed),
            refused: self.counts.refused.load(Relaxed),
            upstream_failures: self.counts.upstream_failures.load(Relaxed),
            contradictions_total: self.counts.contradictions.load(Relaxed),
            lie: heads.lie.clone(),
        }
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    if let Ok(upgrade) = upgrade {
        return websocket::accept(shared, upgrade);
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, shared.settings.request_bytes_max).await else {
        let limit = shared.settings.request_bytes_max;
        return (StatusCode::PAYLOAD_TOO_LARGE, format!("a request may have {limit} bytes")).into_response();
    };
    if parts.method == Method::POST {
        return response(shared.treat(body, &parts.headers).await);
    }
    // Questions of browsers, and whoever looks whether somebody is there.
    match shared.node.pass(parts.method, &parts.headers, body).await {
        Ok(answer) => response(answer),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

fn response(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn metrics(view: &ProxyView) -> String {
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, value: u64| {
        let _ = writeln!(text, "# TYPE hum_proxy_{name} {kind}\nhum_proxy_{name} {value}");
    };
    line("requests_total", "counter", view.requests);
    line("rewritten_total", "counter", view.rewritten);
    line("refused_total", "counter", view.refused);
    line("upstream_failures_total", "counter", view.upstream_failures);
    line("contradictions_total", "counter", view.contradictions_total);
    line("certified_height", "gauge", view.certified.0);
    line("committee_lied", "gauge", view.lie.is_some().into());
    let _ = writeln!(text, "# TYPE hum_proxy_contradicted gauge\n# TYPE hum_proxy_head gauge");
    for confidence in Confidence::ALL {
        let (tag, tripped) = (tag_of(confidence), view.contradictions.contains_key(&confidence));
        let _ = writeln!(text, "hum_proxy_contradicted{{confidence=\"{tag}\"}} {}", u8::from(tripped));
        if let Some(head) = view.heads.get(&confidence) {
            let _ = writeln!(text, "hum_proxy_head{{confidence=\"{tag}\"}} {}", head.number);
        }
    }
    text
}
