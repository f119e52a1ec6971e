//! Each kind of process crashes at many points of its work, with what it had not synced gone.

use super::{each_world, whole};
use hum_sim::world::{Action, Dice, Plan, Process, WorldConfig};

/// Points in time at which a crash is tried; the seed counts them off over the first seconds.
const POINTS: u64 = 5;
const STEP_MS: u64 = 1_131;

fn small(seed: u64) -> WorldConfig {
    WorldConfig { messages: 4, block_time_ms: 500, patience_ms: 60_000, ..WorldConfig::seeded(seed) }
}

fn point(seed: u64) -> u64 {
    (seed - 1) % POINTS * STEP_MS + Dice(seed).below("point", STEP_MS)
}

#[test]
fn an_operator_may_crash_at_any_time() {
    let world = |seed| {
        let victim = Process::Operator(Dice(seed).below("victim", 4) as usize);
        WorldConfig { plan: Plan::default().crash(victim, point(seed), 700), ..small(seed) }
    };
    each_world("an_operator_may_crash_at_any_time", POINTS, world, whole);
}

#[test]
fn a_publisher_may_crash_at_any_time() {
    let world = |seed| {
        let victim = Process::Publisher(Dice(seed).below("victim", 2) as usize);
        WorldConfig { plan: Plan::default().crash(victim, point(seed), 300), ..small(seed) }
    };
    each_world("a_publisher_may_crash_at_any_time", POINTS, world, |report| {
        whole(report);
        assert!(report.beats.iter().all(|beat| beat.retracted.is_empty()), "what was signed is remembered");
    });
}

#[test]
fn a_relayer_may_crash_at_any_time() {
    let world = |seed| WorldConfig {
        plan: Plan::default().crash(Process::Relayer(0), point(seed), 300),
        ..small(seed)
    };
    each_world("a_relayer_may_crash_at_any_time", POINTS, world, whole);
}

#[test]
fn the_power_may_fail_at_any_time() {
    let world = |seed| {
        let again = point(seed) + 200 + Dice(seed).below("again", 4_000);
        let plan = Plan::default().at(point(seed), Action::PowerCut).at(again, Action::PowerCut);
        WorldConfig { plan, ..small(seed) }
    };
    each_world("the_power_may_fail_at_any_time", POINTS, world, whole);
}

#[test]
fn processes_that_crash_over_and_over_get_there() {
    let world = |seed| {
        let (dice, mut plan) = (Dice(seed), Plan::default());
        for turn in 0..6 {
            let operator = Process::Operator(dice.below(&format!("victim {turn}"), 4) as usize);
            plan =
                plan.crash(operator, 1_000 + 1_500 * turn, 100 + dice.below(&format!("away {turn}"), 1_200));
            plan = plan.crash(Process::Relayer(0), 1_100 + 1_500 * turn, 400);
            plan = plan.crash(Process::Publisher(turn as usize % 2), 1_300 + 1_500 * turn, 500);
        }
        WorldConfig { plan, ..small(seed) }
    };
    each_world("processes_that_crash_over_and_over_get_there", 3, world, whole);
}

#[test]
fn a_publisher_that_lost_its_journal_contradicts_nothing() {
    let world = |seed| {
        let (victim, at_ms) = (Process::Publisher(0), point(seed));
        let plan = Plan::default()
            .at(at_ms, Action::Kill(victim))
            .at(at_ms, Action::LoseDisk(victim))
            .at(at_ms + 500, Action::Start(victim));
        WorldConfig { plan, ..small(seed) }
    };
    each_world("a_publisher_that_lost_its_journal_contradicts_nothing", 3, world, |report| {
        whole(report);
        assert!(report.set_aside.is_empty(), "{report:?}");
    });
}
