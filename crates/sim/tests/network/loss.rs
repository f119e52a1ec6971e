//! Message loss and a crash, many times; and that a seed says everything.

use super::{each_seed, each_world, play, whole};
use hum_sim::world::WorldConfig;

#[test]
fn every_message_is_executed_once_whatever_is_lost_or_crashes() {
    let world = |seed| WorldConfig::seeded(seed).with_a_crash();
    each_world("every_message_is_executed_once_whatever_is_lost_or_crashes", 8, world, |report| {
        whole(report);
        assert!(report.beats.iter().all(|beat| beat.quarantined.is_empty() && beat.retracted.is_empty()));
    });
}

#[test]
fn a_network_that_loses_every_fifth_message_is_slow_and_right() {
    each_world(
        "a_network_that_loses_every_fifth_message_is_slow_and_right",
        3,
        |seed| {
            let mut config = WorldConfig { messages: 5, ..WorldConfig::seeded(seed) };
            config.link.lost_per_mille = 200;
            config
        },
        whole,
    );
}

#[test]
fn one_seed_gives_one_run() {
    let hash =
        |seed| play(WorldConfig { messages: 3, ..WorldConfig::seeded(seed) }.with_a_crash()).trace_hash;
    each_seed("one_seed_gives_one_run", 2, |seed| {
        let first = hash(seed);
        assert_eq!(first, hash(seed));
        assert_ne!(first, hash(seed + 1), "two seeds, one run");
    });
}
