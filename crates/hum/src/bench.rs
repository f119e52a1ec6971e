//! `hum bench`: figures that docs/benchmarks.md states, taken in this process.

use crate::{block, output};
use eyre::{WrapErr as _, ensure};
use hum_bench::{gas, peers, verify};
use hum_devnet::{
    following::{self, FollowConfig},
    full_blocks::{self, Workload},
};
use serde_json::json;
use std::{path::PathBuf, process::ExitCode};

/// Certificates of which the worst counts.
const DIGESTS: u64 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum BenchCommand {
    /// Gas of sending, delivering and certifying, on the committed contracts.
    Gas {
        /// Certificates of which the worst counts.
        #[arg(long, default_value_t = DIGESTS)]
        digests: u64,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Gas of other protocols' contracts beside ours, on the same EVM.
    Peers {
        /// Where scripts/peers has unpacked what they publish.
        #[arg(long, default_value = "target/peers")]
        packages: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// How much of a machine one operator process needs to follow many rollups: recorded empty blocks, replayed to it.
    Follow {
        /// Rollups.
        #[arg(long, default_value_t = 100)]
        rollups: usize,
        /// Different chains that are recorded; rollups share them in turn.
        #[arg(long, default_value_t = 10)]
        recordings: usize,
        /// Milliseconds between a rollup's blocks.
        #[arg(long, default_value_t = 1_000)]
        block_time: u64,
        /// How long is measured.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Print only one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// What judging a block costs beyond executing it. Build with --release for figures that mean something.
    Verify {
        /// Gas of the blocks that are made for it; 0 makes none.
        #[arg(long, default_value_t = 20_000_000)]
        gas: u64,
        /// How often each block is judged; the best time counts.
        #[arg(long, default_value_t = 30)]
        rounds: u32,
        /// Measure the blocks in these files (as `hum block verify` reads them) too.
        files: Vec<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &BenchCommand) -> eyre::Result<ExitCode> {
    match command {
        BenchCommand::Gas { digests, json } => {
            ensure!(*digests > 0, "--digests is 0; the worst of none is nothing");
            print_gas(*digests, *json)
        }
        BenchCommand::Peers { packages, json } => print_peers(packages, *json),
        BenchCommand::Follow { rollups, recordings, block_time, seconds, json } => {
            ensure!((1..=1_000).contains(rollups), "--rollups is {rollups}; give 1 to 1000");
            ensure!((1..=100).contains(recordings), "--recordings is {recordings}; give 1 to 100");
            ensure!((100..=60_000).contains(block_time), "--block-time is {block_time}; give 100 to 60000");
            ensure!((1..=3_600).contains(seconds), "--seconds is {seconds}; give 1 to 3600");
            follow(*rollups, *recordings, *block_time, *seconds, *json)
        }
        BenchCommand::Verify { gas, rounds, files, json } => {
            ensure!(
                *gas == 0 || (100_000..=500_000_000).contains(gas),
                "--gas is {gas}; give 0, or 100000 to 500000000"
            );
            ensure!(*rounds > 0, "--rounds is 0; nothing would be measured");
            print_verify(*gas, *rounds, files, *json)
        }
    }
}

fn print_gas(digests: u64, json: bool) -> eyre::Result<ExitCode> {
    let report = serde_json::to_value(gas::run(digests)?)?;
    if json {
        output::json(&report)?;
    } else if let Some(figures) = report.as_object() {
        for (name, value) in figures {
            println!("{name:<32} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Ours at the size of committee and lane that `hum bench gas` states, theirs by configuration.
fn print_peers(packages: &std::path::Path, json: bool) -> eyre::Result<ExitCode> {
    let theirs = peers::run(packages)?;
    let ours = gas::run(1)?;
    if json {
        let hum = json!({
            "operators": ours.operators,
            "send": ours.send,
            "deliver_one_known": ours.deliver_one_known,
            "deliver_100_each": ours.deliver_100_each,
            "certificate": ours.certificate,
        });
        output::json(
            &json!({ "hum": hum, "peers": theirs, "hardfork": ours.hardfork, "not_measured": peers::NOT_MEASURED }),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:<20} {:<28} {:>8} {:>10} {:>10} {:>10}",
        "", "secured by", "send", "deliver 1", "10 each", "100 each"
    );
    println!(
        "{:<20} {:<28} {:>8} {:>10} {:>10} {:>10}",
        "Hum",
        format!("{} operators", ours.operators),
        ours.send,
        ours.deliver_one_known,
        "",
        ours.deliver_100_each
    );
    for peer in &theirs {
        for setting in &peer.settings {
            let of = |messages| {
                let found = setting.delivered.iter().find(|delivered| delivered.messages == messages);
                found.map(|delivered| delivered.gas_each.to_string()).unwrap_or_default()
            };
            println!(
                "{:<20} {:<28} {:>8} {:>10} {:>10} {:>10}",
                peer.peer,
                setting.configuration,
                peer.send,
                of(1),
                of(10),
                of(100)
            );
        }
    }
    println!("not measured here: {}", peers::NOT_MEASURED.join(", "));
    Ok(ExitCode::SUCCESS)
}

fn follow(
    rollups: usize,
    recordings: usize,
    block_time_ms: u64,
    seconds: u64,
    json: bool,
) -> eyre::Result<ExitCode> {
    let dir = std::env::temp_dir().join(format!("hum-bench-follow-{}", std::process::id()));
    let hum = std::env::current_exe().wrap_err("cannot find my own binary")?;
    let config = FollowConfig { dir: dir.clone(), hum, rollups, recordings, block_time_ms, seconds };
    let tell = move |line: &str| if json { eprintln!("{line}") } else { println!("{line}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let measured = runtime.block_on(following::run(config, tell));
    runtime.shutdown_background();
    let report = measured.wrap_err_with(|| format!("the operator's log is under {}", dir.display()))?;
    std::fs::remove_dir_all(&dir).wrap_err_with(|| format!("cannot remove {}", dir.display()))?;
    let followed = report.followed;
    let report = serde_json::to_value(report)?;
    if json {
        output::json(&report)?;
    } else if let Some(figures) = report.as_object() {
        for (name, value) in figures {
            println!("{name:<16} {value}");
        }
    }
    Ok(if followed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_verify(gas: u64, rounds: u32, files: &[PathBuf], json: bool) -> eyre::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut figures = Vec::new();
    for workload in Workload::ALL.into_iter().filter(|_| gas > 0) {
        let made = runtime.block_on(full_blocks::make(workload, gas))?;
        figures.push(verify::measure(workload.name().to_owned(), &made, rounds)?);
    }
    runtime.shutdown_background();
    for path in files {
        figures.push(verify::measure(path.display().to_string(), &block::load(path)?, rounds)?);
    }
    if json {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        output::json(&json!({ "blocks": figures, "profile": profile, "rounds": rounds }))?;
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:>10}  {:>10}  {:>10}  {:>5}  {:>10}  {:>7}  kind",
        "gas", "verify ms", "plain ms", "ratio", "senders ms", "Mgas/s"
    );
    for f in figures {
        println!(
            "{:>10}  {:>10.2}  {:>10.2}  {:>5.2}  {:>10.2}  {:>7.0}  {}",
            f.gas, f.verify_ms, f.plain_revm_ms, f.ratio, f.senders_ms, f.mgas_per_s, f.kind
        );
    }
    Ok(ExitCode::SUCCESS)
}
