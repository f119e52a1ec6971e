//! Several relayers at once.

use super::{each_world, whole};
use hum_sim::world::{Dice, Plan, Process, WorldConfig};

#[test]
fn two_relayers_do_no_harm() {
    let world = |seed| WorldConfig { relayers: 2, messages: 8, ..WorldConfig::seeded(seed) };
    each_world("two_relayers_do_no_harm", 4, world, |report| {
        whole(report);
        println!("           {:?}", report.relayers);
        assert!(report.relayers.iter().all(|relayer| relayer.reverted == 0), "{report:?}");
    });
}

#[test]
fn a_relayer_takes_over_from_one_that_dies() {
    let world = |seed| {
        let at_ms = 1_000 + Dice(seed).below("death", 4_000);
        let plan = Plan::default().at(at_ms, hum_sim::world::Action::Kill(Process::Relayer(0)));
        WorldConfig { relayers: 2, plan, ..WorldConfig::seeded(seed) }
    };
    each_world("a_relayer_takes_over_from_one_that_dies", 3, world, whole);
}
