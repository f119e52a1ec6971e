//! Sequencers that lie, contradict themselves or take back blocks: only their own rollup is delayed.

use super::{each_world, whole};
use hum_sim::world::{Action, ChainFault, Dice, Plan, Process, Report, WorldConfig};
use hum_types::ChainId;

/// The rollup whose sequencer misbehaves, and the ones that do not.
const LIAR: ChainId = ChainId(7_001);

fn world(seed: u64, plan: Plan) -> WorldConfig {
    WorldConfig { messages: 6, plan, patience_ms: 60_000, ..WorldConfig::seeded(seed) }
}

fn fault(fault: ChainFault) -> Action {
    Action::Chain(0, fault)
}

fn at_ms(seed: u64) -> u64 {
    1_000 + Dice(seed).below("fault", 2_000)
}

fn quarantines(report: &Report) -> Vec<ChainId> {
    report.beats.iter().flat_map(|beat| beat.quarantined.clone()).collect()
}

fn retractions(report: &Report) -> Vec<ChainId> {
    report.beats.iter().flat_map(|beat| beat.retracted.clone()).collect()
}

/// From the first quarantine until the rollup resumes or the world ends: nothing of it is certified, and no other
/// rollup ever waits for more than `most_ms`.
fn only_it_waits(report: &Report, most_ms: u64) {
    let first = report.beats.iter().position(|beat| !beat.quarantined.is_empty()).expect("a quarantine");
    let aside = &report.beats[first..];
    let aside = &aside[..aside.iter().position(|beat| !beat.retracted.is_empty()).unwrap_or(aside.len())];
    assert!(
        aside.iter().all(|beat| beat.advanced.iter().all(|(chain_id, _)| *chain_id != LIAR)),
        "{report:?}"
    );
    let others = |beat: &&hum_sim::world::Beat| beat.advanced.iter().any(|(chain_id, _)| *chain_id != LIAR);
    let times: Vec<u64> = report.beats.iter().filter(others).map(|beat| beat.at_ms).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    println!("           others advanced {} times, {longest} ms apart at most", times.len());
    assert!(longest <= most_ms, "another rollup waited {longest} ms: {report:?}");
}

#[test]
fn a_false_state_root_sets_its_rollup_aside_until_it_is_taken_back() {
    let lie = |seed| {
        let plan = Plan::default()
            .at(at_ms(seed), fault(ChainFault::LieAboutState))
            .at(at_ms(seed) + 5_000, fault(ChainFault::TakeBackLies));
        // What was built on the lie is not safe yet.
        WorldConfig { safe_behind: 64, ..world(seed, plan) }
    };
    each_world("a_false_state_root_sets_its_rollup_aside_until_it_is_taken_back", 4, lie, |report| {
        whole(report);
        assert_eq!((quarantines(report), retractions(report)), (vec![LIAR], vec![LIAR]), "{report:?}");
        only_it_waits(report, 2_500);
        assert!(report.set_aside.is_empty(), "{report:?}");
    });
}

#[test]
fn a_false_state_root_that_stays_keeps_its_rollup_aside_and_nobody_else() {
    let lie = |seed| {
        let plan = Plan::default().at(at_ms(seed), fault(ChainFault::LieAboutState));
        WorldConfig { patience_ms: 20_000, ..world(seed, plan) }
    };
    each_world("a_false_state_root_that_stays_keeps_its_rollup_aside_and_nobody_else", 2, lie, |report| {
        assert!(report.violations.is_empty(), "{report:?}");
        assert_eq!((quarantines(report), retractions(report)), (vec![LIAR], vec![]), "{report:?}");
        assert_eq!(report.set_aside, [LIAR]);
        only_it_waits(report, 2_500);
        // What was sent to it arrives; what it sent since the lie does not.
        assert!(report.executed >= 6 && report.executed < report.sent, "{report:?}");
        let lost = report.unfinished.iter().filter(|what| what.ends_with("was not executed")).count();
        assert_eq!((lost, report.duplicates), (report.unfinished.len(), 0), "{report:?}");
    });
}

#[test]
fn two_claims_for_one_number_set_a_rollup_aside() {
    let equivocate = |seed| {
        let plan = Plan::default()
            .at(at_ms(seed), fault(ChainFault::EquivocateLate))
            .at(at_ms(seed) + 5_000, fault(ChainFault::Reorg(2)));
        world(seed, plan)
    };
    each_world("two_claims_for_one_number_set_a_rollup_aside", 4, equivocate, |report| {
        whole(report);
        assert_eq!((quarantines(report), retractions(report)), (vec![LIAR], vec![LIAR]), "{report:?}");
        only_it_waits(report, 2_500);
    });
}

#[test]
fn a_rollup_comes_back_whichever_of_two_claims_stood() {
    let equivocate = |seed| {
        let plan = Plan::default()
            .at(at_ms(seed), fault(ChainFault::Equivocate))
            .at(at_ms(seed) + 5_000, fault(ChainFault::Reorg(2)));
        world(seed, plan)
    };
    each_world("a_rollup_comes_back_whichever_of_two_claims_stood", 4, equivocate, |report| {
        whole(report);
        assert_eq!((quarantines(report), retractions(report)), (vec![LIAR], vec![LIAR]), "{report:?}");
        only_it_waits(report, 2_500);
    });
}

#[test]
fn of_two_claims_in_a_race_either_may_stand_and_only_their_rollup_waits() {
    let equivocate = |seed| {
        let plan = Plan::default().at(at_ms(seed), fault(ChainFault::Equivocate));
        WorldConfig { patience_ms: 10_000, ..world(seed, plan) }
    };
    each_world("of_two_claims_in_a_race_either_may_stand", 4, equivocate, |report| {
        assert!(report.violations.is_empty(), "{report:?}");
        assert_eq!((quarantines(report), retractions(report)), (vec![LIAR], vec![]), "{report:?}");
        assert_eq!((report.set_aside.as_slice(), report.duplicates), ([LIAR].as_slice(), 0), "{report:?}");
        only_it_waits(report, 2_500);
    });
}

#[test]
fn a_chain_that_drops_blocks_opens_a_generation_and_goes_on() {
    let reorg = |seed| {
        // The newest block may not be claimed yet, and then nothing is retracted; the one below it is.
        let mut plan = Plan::default().at(at_ms(seed), fault(ChainFault::Reorg(2)));
        if seed % 2 == 0 {
            plan = plan.at(at_ms(seed) + 2_500, fault(ChainFault::Reorg(1)));
        }
        world(seed, plan)
    };
    each_world("a_chain_that_drops_blocks_opens_a_generation_and_goes_on", 4, reorg, |report| {
        whole(report);
        assert!(quarantines(report).is_empty(), "{report:?}");
        assert!(!retractions(report).is_empty(), "{report:?}");
    });
}

#[test]
fn a_publisher_may_crash_while_its_chain_drops_blocks() {
    let reorg = |seed| {
        let victim = Process::Publisher(0);
        // By then the new branch may be safe above where it began.
        let away_ms = 300 + Dice(seed).below("away", 3_000);
        let crash_ms = (at_ms(seed) + Dice(seed).below("crash", 600)).saturating_sub(200);
        let plan =
            Plan::default().at(at_ms(seed), fault(ChainFault::Reorg(2))).crash(victim, crash_ms, away_ms);
        world(seed, plan)
    };
    each_world("a_publisher_may_crash_while_its_chain_drops_blocks", 4, reorg, |report| {
        whole(report);
        assert!(quarantines(report).is_empty(), "{report:?}");
    });
}

#[test]
fn a_chain_that_stalls_and_a_node_that_serves_garbage_only_delay() {
    let trouble = |seed| {
        let mut plan =
            Plan::default().at(1_000, fault(ChainFault::Stall)).at(4_000, fault(ChainFault::Resume));
        for second in 0..10 {
            plan = plan.at(1_000 * second, fault(ChainFault::Garble(3)));
        }
        world(seed, plan)
    };
    each_world("a_chain_that_stalls_and_a_node_that_serves_garbage_only_delay", 2, trouble, |report| {
        whole(report);
        assert_eq!((quarantines(report), retractions(report)), (vec![], vec![]), "{report:?}");
    });
}
