//! Whole networks from seeds: what users are promised, whatever is lost, crashes, lies or is cut off.
//!
//! `HUM_SIM_SEED=n` runs one seed of each test, `HUM_SIM_SEED=a..b` those from `a` to before `b`. What fails prints the
//! line that runs it again.

mod crashes;
mod epochs;
mod followers;
mod liars;
mod loss;
mod members;
mod pace;
mod partitions;
mod relayers;
mod safety;
mod settling;

use hum_sim::world::{Report, WorldConfig, run};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The seeds to run: what was asked for, or those from 1 to `all`.
fn seeds(all: u64) -> Vec<u64> {
    let Ok(wanted) = std::env::var("HUM_SIM_SEED") else { return (1..=all).collect() };
    let number = |text: &str| text.parse().expect("HUM_SIM_SEED is n or a..b");
    match wanted.split_once("..") {
        Some((first, end)) => (number(first)..number(end)).collect(),
        None => vec![number(&wanted)],
    }
}

fn play(config: WorldConfig) -> Report {
    run(config).expect("a world that runs to its end")
}

/// Every message arrived once, and nothing else was wrong.
fn whole(report: &Report) {
    assert!(report.is_whole(), "{report:?}");
}

/// Run `scenario` for each seed; tell all that fail, each with the line that runs it again.
fn each_seed(test: &str, all: u64, scenario: impl Fn(u64)) {
    let failed: Vec<u64> = seeds(all)
        .into_iter()
        .filter(|seed| catch_unwind(AssertUnwindSafe(|| scenario(*seed))).is_err())
        .collect();
    let again: Vec<String> = failed
        .iter()
        .map(|seed| format!("HUM_SIM_SEED={seed} cargo test -p hum-sim --test network {test}"))
        .collect();
    assert!(failed.is_empty(), "run it again:\n{}", again.join("\n"));
}

/// [`each_seed`] with a scenario that judges the report of one world.
fn each_world(test: &str, all: u64, world: impl Fn(u64) -> WorldConfig, judge: impl Fn(&Report)) {
    each_seed(test, all, |seed| {
        let begun = std::time::Instant::now();
        let report = play(world(seed));
        println!("{:>6} ms  {test}: {report}", begun.elapsed().as_millis());
        judge(&report);
    });
}
