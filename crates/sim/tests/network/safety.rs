//! Honest means safe: whatever happens to an honest operator, nobody can prove a fault of it.
//!
//! Every attestation that any operator ever sends is written down, over all its lives and disks. Two for one height with
//! different headers are what L1 slashes for: a violation. So is a peer that blocks another, which takes two
//! votes of one key in one view.

use super::{each_world, whole};
use hum_sim::world::{Action, Dice, Plan, Process, Report, WorldConfig};

/// Short terms: what goes wrong falls into their ends as well.
const TERM_HEIGHTS: u64 = 8;

fn world(seed: u64, plan: Plan, least_ms: u64) -> WorldConfig {
    WorldConfig {
        messages: 4,
        block_time_ms: 500,
        term_heights: TERM_HEIGHTS,
        plan,
        least_ms,
        patience_ms: least_ms + 60_000,
        ..WorldConfig::seeded(seed)
    }
}

fn victim(seed: u64) -> Process {
    Process::Operator(Dice(seed).below("victim", 4) as usize)
}

/// Everything arrived, nobody contradicted itself, and nobody was taken for a liar.
fn safe(report: &Report) {
    whole(report);
    let blamed = |alarm: &&String| alarm.contains("contradicted itself");
    assert_eq!(report.alarms.iter().find(blamed), None, "{report:?}");
    assert!(report.height() > 2 * TERM_HEIGHTS, "more than two terms: {report:?}");
}

#[test]
fn a_crash_at_every_step_of_a_height_convicts_nobody() {
    const POINTS: u64 = 24;
    // Three checkpoints' time in steps of less than a message's travel: between any two things that are written.
    let crash = |seed| {
        let at_ms = 1_500 + (seed - 1) % POINTS * 29;
        world(seed, Plan::default().crash(victim(seed), at_ms, 40), 6_000)
    };
    each_world("a_crash_at_every_step_of_a_height_convicts_nobody", POINTS, crash, safe);
}

#[test]
fn power_that_fails_amid_writes_convicts_nobody() {
    // What was not synced is torn byte by byte, at all operators at once, three times.
    let cut = |seed| {
        let first = 1_000 + seed % 8 * 61;
        let again = |turn: u64| first + 1_300 * turn + Dice(seed).below("cut", 200);
        let plan = Plan::default()
            .at(first, Action::PowerCut)
            .at(again(1), Action::PowerCut)
            .at(again(2), Action::PowerCut);
        world(seed, plan, 8_000)
    };
    each_world("power_that_fails_amid_writes_convicts_nobody", 4, cut, safe);
}

#[test]
fn an_old_backup_of_a_disk_convicts_nobody() {
    let backup = |seed| {
        // In the same term, and terms later.
        let after_ms = [300, 900, 2_500, 6_000][(seed - 1) as usize % 4];
        let at_ms = 1_200 + Dice(seed).below("backup", 1_500);
        world(seed, Plan::default().restore(victim(seed), at_ms, after_ms), at_ms + after_ms + 4_000)
    };
    each_world("an_old_backup_of_a_disk_convicts_nobody", 4, backup, safe);
}

#[test]
fn an_empty_disk_under_an_old_key_convicts_nobody() {
    let empty = |seed| {
        let (victim, at_ms) = (victim(seed), 1_200 + Dice(seed).below("loss", 2_500));
        let plan = Plan::default()
            .at(at_ms, Action::Kill(victim))
            .at(at_ms, Action::LoseDisk(victim))
            .at(at_ms + 10, Action::Start(victim));
        world(seed, plan, at_ms + 5_000)
    };
    each_world("an_empty_disk_under_an_old_key_convicts_nobody", 4, empty, safe);
}

#[test]
fn a_partition_and_its_healing_convict_nobody() {
    let cut = |seed| {
        let (first, at_ms) = (victim(seed), 1_000 + Dice(seed).below("cut", 1_500));
        let Process::Operator(index) = first else { unreachable!("an operator") };
        // One alone; or two, so that nothing goes on until one is back.
        let mut plan = Plan::default().partition(first, at_ms, 3_000);
        if seed % 2 == 0 {
            plan = plan.partition(Process::Operator((index + 1) % 4), at_ms + 400, 2_000);
        }
        world(seed, plan, 9_000)
    };
    each_world("a_partition_and_its_healing_convict_nobody", 3, cut, safe);
}

#[test]
fn a_crash_within_a_partition_convicts_nobody() {
    let both = |seed| {
        let (victim, at_ms) = (victim(seed), 1_000 + Dice(seed).below("cut", 1_500));
        let plan = Plan::default().partition(victim, at_ms, 2_500).crash(victim, at_ms + 700, 900);
        world(seed, plan, 8_000)
    };
    each_world("a_crash_within_a_partition_convicts_nobody", 2, both, safe);
}

#[test]
fn a_wrong_clock_convicts_nobody() {
    const MINUTE_MS: i64 = 60_000;
    let skewed = |seed| {
        let Process::Operator(index) = victim(seed) else { unreachable!("an operator") };
        let ahead_ms = [5, -5, 1, -1].map(|minutes| minutes * MINUTE_MS)[(seed - 1) as usize % 4];
        let plan = Plan::default().crash(Process::Operator(index), 2_500, 300);
        WorldConfig { skewed: vec![(index, ahead_ms)], ..world(seed, plan, 7_000) }
    };
    each_world("a_wrong_clock_convicts_nobody", 2, skewed, safe);
}
