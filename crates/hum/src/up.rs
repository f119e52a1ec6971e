//! `hum up`: a whole local network until Ctrl-C.

use crate::output;
use eyre::{WrapErr as _, ensure};
use hum_devnet::{
    network::{LocalConfig, LocalNetwork, LocalRollup, LocalStack, Step},
    restaking::{CoreCode, SNAPSHOT_INTERVAL_BLOCKS},
};
use hum_node::config::{BatchData, PeerRole};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, time::Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct UpArguments {
    /// Rollups to start.
    #[arg(long, default_value_t = 3)]
    rollups: usize,
    /// Rules by which rollups make blocks, ethereum or op-stack: one value for all, or one for each, as in
    /// ethereum,op-stack; the last serves the rest. Blocks of op-stack are made by the EVM that also judges them.
    #[arg(long, default_value = "ethereum", value_delimiter = ',', value_parser = stack, value_name = "ethereum|op-stack")]
    stacks: Vec<LocalStack>,
    /// Operators to start.
    #[arg(long, default_value_t = 4)]
    operators: usize,
    /// Milliseconds between blocks: one value for all rollups, or one for each, as in 1000,250; the last serves the rest.
    #[arg(long, default_value = "1000", value_delimiter = ',')]
    block_time: Vec<u64>,
    /// Blocks that `safe` stays behind.
    #[arg(long, default_value_t = 2)]
    safe_depth: u64,
    /// Blocks that `finalized` stays behind.
    #[arg(long, default_value_t = 4)]
    finalized_depth: u64,
    /// L1 blocks after which the committee is renewed though nobody joined or left.
    #[arg(long, default_value_t = SNAPSHOT_INTERVAL_BLOCKS)]
    snapshot_interval: u32,
    /// Rollups post their batches in blobs, not in calldata. Each blob costs CPU for proofs.
    #[arg(long)]
    blobs: bool,
    /// Where the network's files go.
    #[arg(long, default_value = crate::network::DEFAULT_DIR)]
    dir: PathBuf,
    /// Remove what an earlier network left in the directory first.
    #[arg(long)]
    fresh: bool,
    /// Print events as JSON, one a line; the last is `ready`.
    #[arg(long)]
    json: bool,
    /// Say whose contracts run on the local L1, of which version and under which licence, and end.
    #[arg(long)]
    licences: bool,
}

fn stack(name: &str) -> Result<LocalStack, String> {
    LocalStack::ALL.into_iter().find(|stack| stack.kind().to_string() == name).ok_or_else(|| {
        let known = LocalStack::ALL.map(|stack| stack.kind().to_string()).join(", ");
        format!("no rollup of {name} can be started here, only of {known}")
    })
}

pub(crate) fn run(arguments: &UpArguments) -> eyre::Result<ExitCode> {
    if arguments.licences {
        return licences(arguments.json);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(up(arguments));
    // Chains keep threads of their own; what they still do is of no use to anybody.
    runtime.shutdown_background();
    code
}

async fn up(arguments: &UpArguments) -> eyre::Result<ExitCode> {
    let start = Instant::now();
    if arguments.fresh {
        remove_network(&arguments.dir)?;
    }
    let config = LocalConfig {
        dir: arguments.dir.clone(),
        hum: std::env::current_exe().wrap_err("cannot find my own binary")?,
        rollups: arguments.rollups.max(arguments.stacks.len()),
        stacks: arguments.stacks.clone(),
        operators: arguments.operators,
        block_time_ms: arguments.block_time.clone(),
        safe_depth: arguments.safe_depth,
        finalized_depth: arguments.finalized_depth,
        batch_data: if arguments.blobs { BatchData::Blobs } else { BatchData::Calldata },
        snapshot_interval_blocks: arguments.snapshot_interval,
    };
    let json = arguments.json;
    let tell = move |step: Step| {
        let (event, words) = match step {
            Step::Chains => ("chains", "L1 and rollups make blocks"),
            Step::Restaking => {
                ("restaking", "EigenLayer's core runs on L1, operators are staked and registered")
            }
            Step::Files => ("files", "network file and keys are written"),
            Step::Roles => ("roles", "operators and publishers run"),
            Step::Contracts => ("contracts", "contracts stand on every chain"),
            Step::Ready => ("certified", "the first checkpoints are certified, the relayer runs"),
        };
        let ms = start.elapsed().as_millis();
        if json {
            println!("{}", json!({ "event": event, "ms": ms }));
        } else {
            println!("{ms:>6} ms  {words}");
        }
    };
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let network = tokio::select! {
        started = LocalNetwork::start(config, tell) => started?,
        _ = &mut interrupted => return Ok(ExitCode::SUCCESS),
    };
    for (name, secret) in [("dev.key", network.dev_secret()), ("owner.key", network.owner_secret())] {
        let key = network.path().with_file_name(name);
        std::fs::write(&key, format!("{secret}\n"))
            .wrap_err_with(|| format!("cannot write {}", key.display()))?;
    }
    if json {
        let path = network.path();
        output::json(
            &json!({ "event": "ready", "network": path, "ms": start.elapsed().as_millis() as u64, "rollups": rollups(&network) }),
        )?;
    } else {
        table(&network);
    }
    interrupted.await?;
    if !json {
        println!("\nstopping");
    }
    network.stop().await?;
    Ok(ExitCode::SUCCESS)
}

fn licences(json: bool) -> eyre::Result<ExitCode> {
    let core = CoreCode::get()?;
    let (version, package, licence) = (&core.version, &core.package, &core.licence);
    if json {
        output::json(
            &json!({ "eigenlayer": { "version": version, "package": package, "licence": licence } }),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("Contracts on the local L1 that are not Hum's:\n");
    println!(
        "EigenLayer core {version} (eigenlayer-contracts, Layr Labs), bytecode from the package {package}"
    );
    println!(
        "licence {licence}: Business Source License 1.1, https://github.com/Layr-Labs/eigenlayer-contracts"
    );
    println!("{}", CoreCode::NOTICE);
    Ok(ExitCode::SUCCESS)
}

/// The rollups by name, with the rules that they run and who makes their blocks.
fn rollups(network: &LocalNetwork) -> Vec<Value> {
    let one = |rollup: &LocalRollup| {
        let stack = rollup.chain.stack();
        json!({
            "name": rollup.name,
            "chain_id": rollup.chain.chain_id(),
            "stack": stack.kind(),
            "blocks_made_by": stack.builder(),
            "portal": rollup.chain.portal(),
        })
    };
    network.rollups.iter().map(one).collect()
}

fn table(network: &LocalNetwork) {
    let (file, addresses) = (network.file(), network.addresses());
    println!("\n{:<18} {:<26} what", "where", "url");
    println!("{:<18} {:<26} chain {}", "l1", file.l1.rpc, file.l1.chain_id);
    for rollup in &file.rollups {
        let stack = LocalStack::of(&rollup.spec);
        let (chain, time, builder) = (rollup.chain_id, rollup.block_time_ms, stack.builder());
        let what = format!("chain {chain}, {}, a block every {time} ms, made by {builder}", stack.kind());
        println!("{:<18} {:<26} {what}", rollup.name, rollup.rpc);
    }
    for (index, operator) in file.operators.iter().enumerate() {
        println!(
            "{:<18} {:<26} /status /metrics /checkpoints /messages",
            format!("operator-{index}"),
            operator.api
        );
    }
    for peer in &file.peers {
        let what = match peer.role {
            PeerRole::Publisher => "/status /metrics /blocks",
            PeerRole::Relayer | PeerRole::Watcher => "/status /metrics",
        };
        println!("{:<18} {:<26} {what}", peer.name, peer.api.as_deref().unwrap_or(""));
    }
    let restaking = network.restaking();
    println!("\non l1:");
    for (what, address) in [
        ("service manager", restaking.contracts.service_manager),
        ("allocation manager", restaking.contracts.allocation_manager),
        ("rollup registry", restaking.rollup_registry),
        ("batch inbox", restaking.batch_inbox),
        ("rollup profiles", restaking.rollup_profiles),
        ("stake token", restaking.token),
        ("final snapshots", addresses.final_snapshots),
    ] {
        println!("{what:<18} {address}");
    }
    if let Ok(core) = CoreCode::get() {
        println!("EigenLayer core {} ({}; hum up --licences)", core.version, core.licence);
    }
    for rollup in &network.rollups {
        if let Some(portal) = rollup.chain.portal() {
            println!("{:<18} {portal}", format!("portal of {}", rollup.name));
        }
    }
    println!("\non every rollup:");
    let [latest, safe, finalized] = addresses.gateways;
    for (what, address) in [
        ("gateway latest", latest),
        ("gateway safe", safe),
        ("gateway finalized", finalized),
        ("light client", addresses.light_client),
        ("policy", addresses.policy),
        ("demo inbox", addresses.inbox),
    ] {
        println!("{what:<18} {address}");
    }
    println!("\nnetwork file {}", network.path().display());
    println!(
        "logs         {}/*/log",
        network.path().with_file_name("").display().to_string().trim_end_matches('/')
    );
    if let [from, to, ..] = &file.rollups[..] {
        let argument = if network.path().ends_with("hum-local/network.json") {
            String::new()
        } else {
            format!(" --network {}", network.path().display())
        };
        println!("try: hum send --from {} --to {} --wait hello{argument}", from.name, to.name);
    }
    println!("Ctrl-C stops everything");
}

/// Remove a directory only when it holds a network of ours.
fn remove_network(dir: &std::path::Path) -> eyre::Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    let ours = dir.join("network.json").exists() || std::fs::read_dir(dir)?.next().is_none();
    ensure!(ours, "{} holds no network; not removing it", dir.display());
    std::fs::remove_dir_all(dir).wrap_err_with(|| format!("cannot remove {}", dir.display()))
}
