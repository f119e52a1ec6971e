//! Rollups that come and go while the network runs.

use super::{each_world, whole};
use hum_sim::world::{Joining, Plan, Posting, Process, Report, WorldConfig};
use hum_types::ChainId;

/// Who joins: the last of three.
const NEWCOMER: ChainId = ChainId(7_003);

fn world(seed: u64) -> WorldConfig {
    let joining = Joining { at_ms: 3_000, leaves_ms: None, shown_to: Vec::new() };
    WorldConfig { rollups: 3, messages: 4, joining: Some(joining), ..WorldConfig::seeded(seed) }
}

fn joins(report: &Report) -> Vec<u64> {
    let joined = report.beats.iter().filter(|beat| beat.joined.contains(&NEWCOMER));
    joined.map(|beat| beat.height.0).collect()
}

fn leaves(report: &Report) -> Vec<u64> {
    report.beats.iter().filter(|beat| beat.left.contains(&NEWCOMER)).map(|beat| beat.height.0).collect()
}

fn advances(report: &Report) -> Vec<u64> {
    let advanced = report.beats.iter().filter(|beat| beat.advanced.iter().any(|(id, _)| *id == NEWCOMER));
    advanced.map(|beat| beat.height.0).collect()
}

#[test]
fn a_rollup_joins_talks_and_leaves_while_an_operator_is_away() {
    let away = |seed| {
        let mut world = world(seed);
        let joining = Joining { at_ms: 3_000, leaves_ms: Some(60_000), shown_to: Vec::new() };
        world.joining = Some(joining);
        world.least_ms = 75_000;
        world.posting = Some(Posting::default());
        // One misses the join and learns of it from the others, one starts again when it is long over.
        let plan = Plan::default().crash(Process::Operator(1), 2_000, 8_000);
        world.plan = plan.crash(Process::Operator(2), 30_000, 2_000);
        world
    };
    each_world("a_rollup_joins_talks_and_leaves", 2, away, |report| {
        whole(report);
        let (joined, left, advanced) = (joins(report), leaves(report), advances(report));
        assert!(joined.len() == 1 && left.len() == 1, "{report:?}");
        assert!(advanced.iter().all(|height| (joined[0] + 1..left[0]).contains(height)), "{report:?}");
        assert!(advanced.len() > 10, "{report:?}");
        let settled = report.beats.iter().flat_map(|beat| &beat.settled);
        assert!(settled.into_iter().any(|(chain_id, ..)| *chain_id == NEWCOMER), "{report:?}");
        assert_eq!(report.set_aside, [NEWCOMER], "it stays where it was");
        assert!(report.beats.last().is_some_and(|beat| beat.height.0 > left[0] + 10), "{report:?}");
    });
}

#[test]
fn a_join_that_one_l1_node_makes_up_achieves_nothing() {
    let lied_to = |seed| {
        let mut world = world(seed);
        world.joining = Some(Joining { at_ms: 1_000, leaves_ms: None, shown_to: vec![0] });
        world.patience_ms = 30_000;
        world
    };
    each_world("a_join_that_one_l1_node_makes_up", 1, lied_to, |report| {
        assert!(report.violations.is_empty(), "{report:?}");
        assert_eq!((joins(report), advances(report)), (vec![], vec![]), "{report:?}");
        // The two others talk as ever: each sends four to the other. Nothing of the stranger arrives anywhere.
        let others = report.executed;
        assert!(others >= 8, "{report:?}");
        let advancing = |beat: &&hum_sim::world::Beat| !beat.advanced.is_empty();
        let late = report.beats.iter().rev().take(10).filter(advancing).count();
        assert!(late > 0, "it goes on, {report:?}");
    });
}
