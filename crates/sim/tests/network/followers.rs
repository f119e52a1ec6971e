//! Founders leave one after another, until nobody is left whom the network file names.

use super::{each_world, whole};
use hum_sim::world::{Action, Plan, Process, Report, Snapshot, WorldConfig};

/// Seats of every committee, and so the number of founders.
const SEATS: usize = 4;
/// Time between two committees, in milliseconds.
const SPELL_MS: u64 = 7_000;
/// Stake of each.
const STAKE: u128 = 1_000;

/// With each spell the longest seated operator leaves and a new one takes its place.
fn succession() -> Vec<Snapshot> {
    let committee = |left: usize| (left..left + SEATS).map(|operator| (operator, STAKE)).collect();
    (1..).zip(1..=SEATS).map(|(n, left)| Snapshot { at_ms: n * SPELL_MS, seats: committee(left) }).collect()
}

/// Each founder is switched off for good once its successor has its seat; when all are gone, whoever does not order starts
/// anew with the network file that names founders only.
fn plan() -> Plan {
    let mut plan = Plan::default();
    for (n, founder) in (1..).zip(0..SEATS) {
        plan = plan.at((n + 1) * SPELL_MS - 500, Action::Kill(Process::Operator(founder)));
    }
    let alone_ms = (SEATS as u64 + 1) * SPELL_MS;
    let others = [Process::Relayer(0), Process::Publisher(0), Process::Publisher(1)];
    (0..).zip(others).fold(plan, |plan, (n, process)| plan.crash(process, alone_ms + n * 2_000, 1_000))
}

fn world(seed: u64) -> WorldConfig {
    WorldConfig {
        operators: 2 * SEATS,
        seated: SEATS,
        snapshots: succession(),
        messages: 130,
        plan: plan(),
        least_ms: (SEATS as u64 + 3) * SPELL_MS,
        patience_ms: 180_000,
        ..WorldConfig::seeded(seed)
    }
}

/// Everything arrived once; nobody who founded the network was there for the last of it.
fn outlived(report: &Report) {
    whole(report);
    let changes = report.beats.iter().filter(|beat| beat.hands_over).count();
    assert_eq!(changes, SEATS, "{report:?}");
    let alone_ms = report.begun_ms + (SEATS as u64 + 1) * SPELL_MS;
    let alone = report.beats.iter().filter(|beat| beat.at_ms > alone_ms).count();
    assert!(alone > 20, "{alone} checkpoints without founders: {report:?}");
}

#[test]
fn a_network_outlives_its_founders() {
    each_world("a_network_outlives_its_founders", 1, world, outlived);
}
