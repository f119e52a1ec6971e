//! Rollups that misbehave, each in a way of its own.

use super::*;
use hum_types::{Height, RollupStatus};

/// Without a crash, and done before a minute has passed.
fn calm(seed: u64) -> WorldConfig {
    WorldConfig { crash: false, patience_ms: 60_000, messages: 6, ..WorldConfig::seeded(seed) }
}

/// Call `act` once, when `at_ms` has passed.
fn once(at_ms: u64, mut act: impl FnMut(&World) + Send + 'static) -> impl FnMut(&World, u64) + Send + 'static {
    let mut done = false;
    move |world, now_ms| {
        if now_ms >= at_ms && !done {
            done = true;
            act(world);
        }
    }
}

fn whole(report: &Report) {
    assert!(report.violations.is_empty(), "{report:#?}");
    assert_eq!((report.executed, report.duplicates), (report.sent, 0), "{report:#?}");
}

#[test]
fn a_chain_that_reorganises_opens_a_generation_and_goes_on() {
    let report = run_with(calm(31), once(2_000, |world| drop(world.chain(0).map(|chain| chain.reorg(2))))).unwrap();
    whole(&report);
    assert_eq!(report.changes, 1, "{report:#?}");
}

#[test]
fn a_chain_that_stalls_and_nodes_that_serve_garbage_only_delay() {
    let report = run_with(calm(32), |world, now_ms| {
        let Some(chain) = world.chain(0) else { return };
        chain.stall((1_000..4_000).contains(&now_ms));
        if now_ms % 1_000 < 100 && now_ms < 10_000 {
            chain.garble(3);
        }
    })
    .unwrap();
    whole(&report);
    assert_eq!(report.changes, 0, "{report:#?}");
}

#[test]
fn a_false_state_root_sets_its_rollup_aside_and_nobody_else() {
    let standing = Arc::new(Mutex::new(Vec::new()));
    let seen = standing.clone();
    let mut lied = false;
    let report = run_with(WorldConfig { patience_ms: 20_000, ..calm(33) }, move |world, now_ms| {
        if now_ms >= 1_500 && !lied {
            lied = true;
            world.chain(0).unwrap().lie_about_state();
        }
        *seen.lock().unwrap() = world
            .handles()
            .map(|handle| handle.rollups().iter().map(|leaf| (leaf.status, leaf.heads[0].block)).collect::<Vec<_>>())
            .collect();
    })
    .unwrap();
    let standing = standing.lock().unwrap();
    for rollups in standing.iter() {
        assert_eq!(rollups[0].0, RollupStatus::Quarantined);
        assert_eq!(rollups[1].0, RollupStatus::Active);
        assert!(rollups[1].1.number > rollups[0].1.number, "the other rollup goes on: {rollups:?}");
    }
    assert_eq!(report.changes, 1, "{report:#?}");
    assert_eq!(report.duplicates, 0);
    // What the quarantined rollup sent afterwards stays; what was sent to it arrives.
    let kept_back = report.violations.iter().filter(|violation| violation.ends_with("was not executed")).count();
    assert_eq!(kept_back, report.violations.len(), "{report:#?}");
    assert!(kept_back > 0 && report.executed >= 6, "{report:#?}");
    assert!(Height(report.height) > Height(20));
}
