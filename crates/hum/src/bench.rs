//! `hum bench`: figures that docs/benchmarks.md states, taken in this process.

use crate::{block, output};
use eyre::ensure;
use hum_bench::{gas, verify};
use hum_devnet::full_blocks::{self, Workload};
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
