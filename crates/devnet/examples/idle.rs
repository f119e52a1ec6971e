//! What embedded chains cost when nothing happens: an L1 and three rollups in this process for half a minute, first with 1 s blocks, then
//! with 250 ms blocks on the rollups. Prints CPU time, resident memory and threads; reads them from `/proc`, so Linux only.

use std::time::{Duration, Instant};

use hum_devnet::{ChainConfig, DevChain, DevChainError};
use hum_types::ChainId;

/// Linux counts CPU time in hundredths of a second on every common architecture.
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main]
async fn main() -> Result<(), DevChainError> {
    println!("before any chain: {} MiB, {} threads", resident_mib(), threads());
    for block_time_ms in [1_000, 250] {
        let started = Instant::now();
        let mut chains = vec![DevChain::start(ChainConfig::new("l1", ChainId(900))).await?];
        for rollup in 0..3 {
            let config = ChainConfig {
                block_time_ms,
                ..ChainConfig::new(format!("rollup-{rollup}"), ChainId(901 + rollup))
            };
            chains.push(DevChain::start(config).await?);
        }
        let boot = started.elapsed();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (cpu, clock) = (cpu_seconds(), Instant::now());
        tokio::time::sleep(Duration::from_secs(30)).await;
        let cores = (cpu_seconds() - cpu) / clock.elapsed().as_secs_f64();
        let blocks: u64 = chains.iter().map(|chain| chain.head().number).sum();
        println!(
            "{block_time_ms} ms: 4 chains up in {boot:?}, {blocks} blocks, {cores:.3} cores, {} MiB, {} threads",
            resident_mib(),
            threads()
        );
        for chain in &chains {
            chain.shutdown().await;
        }
        drop(chains);
        println!("after shutdown: {} MiB, {} threads", resident_mib(), threads());
    }
    Ok(())
}

/// CPU time of this process, in seconds, user and system.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after_name.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // The state letter does not parse, so user time (field 14 of the file) is the eleventh number after the name.
    fields
        .get(10)
        .zip(fields.get(11))
        .map(|(user, system)| (user + system) / TICKS_PER_SECOND)
        .unwrap_or_default()
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1_024
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map(|tasks| tasks.count()).unwrap_or_default()
}
