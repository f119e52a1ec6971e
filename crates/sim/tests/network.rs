//! The network under message loss and a crash, twenty times, each time from another seed.
//!
//! `HUM_SEED=n cargo test -p hum-sim --test network` runs one seed, `HUM_SEED=a..b` those from `a` to before `b`.

use hum_sim::world::{Report, WorldConfig, run};

const SEEDS: u64 = 20;

fn seeds(all: u64) -> Vec<u64> {
    let Ok(wanted) = std::env::var("HUM_SEED") else { return (1..=all).collect() };
    let number = |text: &str| text.parse().expect("HUM_SEED is n or a..b");
    match wanted.split_once("..") {
        Some((first, end)) => (number(first)..number(end)).collect(),
        None => vec![number(&wanted)],
    }
}

fn play(seed: u64) -> Report {
    let again = format!("run it again: HUM_SEED={seed} cargo test -p hum-sim --test network");
    match std::panic::catch_unwind(|| run(WorldConfig::seeded(seed))) {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => panic!("seed {seed}: {error}; {again}"),
        Err(_) => panic!("seed {seed} panicked; {again}"),
    }
}

#[test]
fn every_message_is_executed_once_whatever_is_lost_or_crashes() {
    let mut failed = Vec::new();
    for seed in seeds(SEEDS) {
        let begun = std::time::Instant::now();
        let report = play(seed);
        println!("{:>6} ms  {report:?}", begun.elapsed().as_millis());
        let whole = report.sent > 0 && report.executed == report.sent && report.duplicates == 0 && report.changes == 0;
        if !whole || !report.violations.is_empty() {
            failed.push(format!("HUM_SEED={seed} cargo test -p hum-sim --test network: {report:#?}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn one_seed_gives_one_run() {
    let hashes: Vec<_> = seeds(2).into_iter().map(|seed| (play(seed).trace_hash, play(seed).trace_hash)).collect();
    for (first, second) in &hashes {
        assert_eq!(first, second);
    }
    for pair in hashes.windows(2) {
        assert_ne!(pair[0], pair[1], "two seeds, one run");
    }
}
