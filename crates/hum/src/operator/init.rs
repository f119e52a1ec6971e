//! `hum operator init`: the directory that everything else works on.

use eyre::ensure;
use hum_node::config::{NetworkFile, OperatorConfig, ROLE_VERSION, RoleDirectory};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

#[derive(Debug, clap::Args)]
pub(super) struct InitArguments {
    /// The directory to make.
    #[arg(long)]
    dir: PathBuf,
    /// The network file.
    #[arg(long, env = "HUM_NETWORK")]
    network: PathBuf,
    /// Where peers connect, as ip:port.
    #[arg(long)]
    listen: SocketAddr,
    /// Where peers reach it from outside, when that is another address: behind NAT, or when listening on all.
    #[arg(long)]
    endpoint: Option<SocketAddr>,
    /// Where the HTTP API and the metrics are served; keep it private.
    #[arg(long, default_value = "127.0.0.1:9100")]
    api: SocketAddr,
    /// JSON-RPC of your own L1 node; the network file's when absent, which is nothing to trust a seat to.
    #[arg(long, value_name = "URL")]
    l1_rpc: Option<String>,
    /// Beacon node of that L1, from which batches in blobs are read; the network file's when absent.
    #[arg(long, value_name = "URL")]
    l1_beacon: Option<String>,
    /// Threads of the runtime.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Allow peers on private and loopback addresses: local networks.
    #[arg(long)]
    private_addresses: bool,
}

pub(super) fn run(arguments: &InitArguments) -> eyre::Result<ExitCode> {
    let directory = RoleDirectory::new(&arguments.dir);
    ensure!(!directory.file().exists(), "{} is there already", directory.file().display());
    let endpoint = arguments.endpoint.unwrap_or(arguments.listen);
    ensure!(
        !endpoint.ip().is_unspecified() && endpoint.port() != 0,
        "peers cannot reach {endpoint}; say with --endpoint where they can"
    );
    let network = std::path::absolute(&arguments.network)?;
    NetworkFile::load(&network)?;
    directory.write(&OperatorConfig {
        version: ROLE_VERSION,
        network,
        listen: arguments.listen,
        endpoint: arguments.endpoint,
        l1_rpc: arguments.l1_rpc.clone(),
        l1_beacon: arguments.l1_beacon.clone(),
        api: arguments.api,
        nodes: Default::default(),
        threads: arguments.threads,
        private_addresses: arguments.private_addresses,
    })?;
    let dir = arguments.dir.display();
    println!("made {}\nnext: hum operator keys new --dir {dir}", directory.file().display());
    Ok(ExitCode::SUCCESS)
}
