//! Processes that nobody reaches for a long time.

use super::{each_world, whole};
use hum_sim::world::{Action, Dice, Plan, Process, Report, WorldConfig};

fn world(seed: u64, plan: Plan, least_ms: u64) -> WorldConfig {
    WorldConfig { messages: 5, plan, least_ms, patience_ms: least_ms + 60_000, ..WorldConfig::seeded(seed) }
}

/// Heights finalised in a time of the world.
fn heights(report: &Report, from_ms: u64, to_ms: u64) -> usize {
    let (from_ms, to_ms) = (report.begun_ms + from_ms, report.begun_ms + to_ms);
    report.beats.iter().filter(|beat| (from_ms..to_ms).contains(&beat.at_ms)).count()
}

#[test]
fn an_operator_that_was_long_out_of_reach_catches_up_from_its_peers() {
    let away = |seed| {
        let victim = Process::Operator(Dice(seed).below("victim", 4) as usize);
        world(seed, Plan::default().partition(victim, 1_000, 60_000), 66_000)
    };
    each_world("an_operator_that_was_long_out_of_reach_catches_up_from_its_peers", 3, away, |report| {
        whole(report);
        assert!(heights(report, 1_000, 61_000) > 60, "the others went on: {report:?}");
    });
}

#[test]
fn an_operator_that_was_off_for_long_catches_up_from_its_peers() {
    let away = |seed| {
        let victim = Process::Operator(Dice(seed).below("victim", 4) as usize);
        world(seed, Plan::default().crash(victim, 1_000, 60_000), 66_000)
    };
    each_world("an_operator_that_was_off_for_long_catches_up_from_its_peers", 2, away, whole);
}

#[test]
fn an_operator_that_joins_late_catches_up_from_its_peers() {
    let late = |seed| {
        let victim = Process::Operator(Dice(seed).below("victim", 4) as usize);
        let plan = Plan::default().at(20_000, Action::Start(victim));
        WorldConfig { absent: vec![victim], ..world(seed, plan, 26_000) }
    };
    each_world("an_operator_that_joins_late_catches_up_from_its_peers", 2, late, whole);
}

#[test]
fn without_a_quorum_everything_stops_and_resumes_by_itself() {
    let split = |seed| {
        let plan = Plan::default().partition(Process::Operator(0), 1_000, 20_000).partition(
            Process::Operator(1),
            1_500,
            20_500,
        );
        world(seed, plan, 30_000)
    };
    each_world("without_a_quorum_everything_stops_and_resumes_by_itself", 3, split, |report| {
        whole(report);
        assert_eq!(heights(report, 2_500, 20_900), 0, "{report:?}");
        let back = report.begun_ms + 22_000;
        let first =
            report.beats.iter().find(|beat| beat.at_ms >= report.begun_ms + 20_900).expect("it resumed");
        println!("           resumed {} ms after the first operator was back", first.at_ms + 1_000 - back);
        assert!(first.at_ms < back + 4_000, "{report:?}");
    });
}

#[test]
fn publishers_and_relayers_out_of_reach_delay_only_what_is_theirs() {
    let away = |seed| {
        let plan = Plan::default().partition(Process::Publisher(0), 1_000, 8_000).partition(
            Process::Relayer(0),
            3_000,
            8_000,
        );
        world(seed, plan, 12_000)
    };
    each_world("publishers_and_relayers_out_of_reach_delay_only_what_is_theirs", 2, away, |report| {
        whole(report);
        assert!(report.beats.iter().all(|beat| beat.quarantined.is_empty() && beat.retracted.is_empty()));
    });
}
