//! `hum proxy`: fast finality in front of a rollup's JSON-RPC.
//!
//! ```text
//! network file ─▶ operators' APIs ─▶ certified heads ─▶ proxy ─▶ --listen
//!                                              node (--rpc, --ws) ──┘
//! ```

use crate::network::{Client, NetworkArgument};
use alloy::transports::http::reqwest;
use eyre::WrapErr as _;
use hum_node::{
    api::{self, Reports},
    proxy::{FollowSettings, Heads, Proxy, ProxySettings, follow},
};
use hum_relay::CertifiedChain;
use hum_types::{Generation, RollupStatus};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// How long an operator may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How soon operators are asked again when there was nothing new.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(crate) struct ProxyArguments {
    #[command(flatten)]
    network: NetworkArgument,
    /// The rollup, by name or chain id.
    #[arg(long)]
    rollup: String,
    /// The node's JSON-RPC over HTTP; the network file's unless given.
    #[arg(long)]
    rpc: Option<String>,
    /// The node's websocket (ws://). Without it websockets are answered over --rpc, and nothing can be subscribed.
    #[arg(long)]
    ws: Option<String>,
    /// Where HTTP and websockets are served.
    #[arg(long, default_value = "127.0.0.1:8545")]
    listen: SocketAddr,
    /// Where /status and /metrics are served; nowhere unless given.
    #[arg(long)]
    api: Option<SocketAddr>,
    /// Operators' APIs to follow, in turn; the network file's unless given. None of them is believed.
    #[arg(long = "operator-api")]
    operator_apis: Vec<String>,
}

/// What the API says of the proxy.
struct Reported(Proxy);

impl Reports for Reported {
    fn status(&self) -> Value {
        json!(self.0.view())
    }

    fn metrics(&self) -> String {
        self.0.metrics()
    }
}

pub(crate) fn run(arguments: &ProxyArguments) -> eyre::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(arguments))
}

async fn serve(arguments: &ProxyArguments) -> eyre::Result<ExitCode> {
    let client: Client = arguments.network.open()?;
    client.learn().await;
    let entry = client.rollup(&arguments.rollup)?;
    let chain_id = entry.chain_id;
    let rpc = arguments.rpc.clone().unwrap_or_else(|| entry.rpc.clone());
    let genesis = client.network.genesis.clone();
    let mut apis = arguments.operator_apis.clone();
    if apis.is_empty() {
        apis = client.network.operators.iter().map(|operator| operator.entry.api.clone()).collect();
    }
    let nothing = Heads::of(&CertifiedChain::new(&genesis, BTreeSet::new()), chain_id)
        // A rollup that joined later has nothing certified at the genesis.
        .unwrap_or_else(|| Heads {
            chain_id,
            class: entry.class,
            status: RollupStatus::Active,
            generation: Generation(0),
            certificate: None,
            heads: BTreeMap::new(),
            lie: None,
        });
    let (sender, heads) = watch::channel(nothing);
    let http = reqwest::Client::builder().connect_timeout(ANSWER_TIMEOUT).build()?;
    let proxy = Proxy::new(ProxySettings::new(chain_id, rpc, arguments.ws.clone()), http.clone(), heads)?;
    proxy.check_chain().await?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .wrap_err_with(|| format!("cannot serve on {}", arguments.listen))?;
    let listen = listener.local_addr()?;
    tracing::info!(rollup = %entry.name, %chain_id, %listen, "proxy starts");
    println!(
        "{}",
        json!({ "event": "ready", "url": format!("http://{listen}"), "ws": format!("ws://{listen}") })
    );
    let settings = FollowSettings { genesis, chain_id, apis, answer_timeout: ANSWER_TIMEOUT, pause: PAUSE };
    // Ends only once the committee lied; that must go on being said.
    let following = tokio::spawn(follow(settings, http, sender));
    let reports = Arc::new(Reported(proxy.clone()));
    let reporting = async {
        match arguments.api {
            Some(address) => api::serve(address, reports).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        served = proxy.serve(listener) => served.map_err(eyre::Report::from),
        served = reporting => served.map_err(eyre::Report::from),
        ended = interrupted() => ended.map_err(eyre::Report::from),
    };
    following.abort();
    ended.map(|()| ExitCode::SUCCESS)
}

/// Ctrl-C, or what a service manager sends.
async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminate.recv() => Ok(()),
    }
}
