//! Committees that change under load.

use super::{each_world, whole};
use hum_consensus::simulated::Link;
use hum_sim::world::{Beat, Dice, Outage, Plan, Process, Report, Snapshot, WorldConfig};

/// Least time between a checkpoint and the next, in milliseconds.
const INTERVAL_MS: u64 = 200;
/// What the network and the judging of blocks add to a turn, in milliseconds.
const HOPS_MS: u64 = 150;
/// Time between two committees, in milliseconds.
const SPELL_MS: u64 = 7_000;
/// Committees after the first.
const CHANGES: u64 = 5;

/// Five committees after the first, every [`SPELL_MS`]: somebody joins, leaves, gets more stake, is slashed.
fn rotation() -> Vec<Snapshot> {
    let committees: [&[(usize, u128)]; 5] = [
        // One joins.
        &[(0, 1_000), (1, 1_000), (2, 1_000), (3, 1_000), (4, 1_000)],
        // Stakes change, nobody moves.
        &[(0, 1_000), (1, 1_500), (2, 1_000), (3, 1_000), (4, 900)],
        // One is slashed: its seat is gone.
        &[(1, 1_500), (2, 1_000), (3, 1_000), (4, 900)],
        // One leaves, another takes its seat.
        &[(1, 1_500), (2, 1_000), (4, 900), (5, 1_200)],
        // The first comes back.
        &[(0, 1_000), (1, 1_500), (2, 1_000), (4, 900), (5, 1_200)],
    ];
    let taken = (1..).map(|n| n * SPELL_MS).zip(committees);
    taken.map(|(at_ms, seats)| Snapshot { at_ms, seats: seats.to_vec() }).collect()
}

fn world(seed: u64, plan: Plan) -> WorldConfig {
    WorldConfig {
        operators: 6,
        seated: 4,
        snapshots: rotation(),
        messages: 60,
        plan,
        least_ms: (CHANGES + 2) * SPELL_MS,
        patience_ms: 180_000,
        ..WorldConfig::seeded(seed)
    }
}

/// Epochs that ended, with the gap from each closing checkpoint to the next one.
fn boundaries(report: &Report) -> Vec<u64> {
    let pairs = report.beats.windows(2).filter(|pair| pair[0].hands_over);
    pairs.map(|pair| pair[1].at_ms - pair[0].at_ms).collect()
}

fn longest_gap(beats: &[Beat]) -> u64 {
    beats.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms).max().unwrap_or(0)
}

/// Everything arrived, each epoch has one end, and every committee had its turn.
fn rotated(report: &Report) {
    changed(report);
    assert_eq!(boundaries(report).len() as u64, CHANGES, "{report:?}");
}

/// Everything arrived, and each epoch has one end. A committee that waits for two terms is overtaken by the next one.
fn changed(report: &Report) {
    whole(report);
    assert!((CHANGES - 2..=CHANGES).contains(&(boundaries(report).len() as u64)), "{report:?}");
    for pair in report.beats.windows(2) {
        let expected = pair[0].epoch.0 + u64::from(pair[0].hands_over);
        assert_eq!(pair[1].epoch.0, expected, "height {}", pair[1].height);
    }
}

#[test]
fn committees_change_under_load_without_a_pause() {
    let calm = |seed| WorldConfig {
        link: Link { latency_ms: 20, jitter_ms: 3, lost_per_mille: 0 },
        block_time_ms: 250,
        ..world(seed, Plan::default())
    };
    each_world("committees_change_under_load_without_a_pause", 2, calm, |report| {
        rotated(report);
        let begun = report.beats.iter().position(|beat| beat.at_ms > report.begun_ms + 2_000).unwrap();
        let (gaps, longest) = (boundaries(report), longest_gap(&report.beats[begun..]));
        println!("           gaps after handovers {gaps:?} ms, longest of all {longest} ms");
        let most = INTERVAL_MS + HOPS_MS + 2 * INTERVAL_MS;
        assert!(longest <= most, "{longest} ms, {gaps:?} ms after handovers: {report:?}");
    });
}

#[test]
fn crashes_and_cuts_at_boundaries_do_no_harm() {
    let rough = |seed| {
        let dice = Dice(seed);
        let mut plan = Plan::default();
        for boundary in 1..=CHANGES {
            let around = |what: &str, spread| dice.below(&format!("{what} {boundary}"), spread);
            let victim = Process::Operator(around("victim", 6) as usize);
            // A committee is finalised on L1 after two seconds, and takes over at the next closing height.
            let at_ms = boundary * SPELL_MS + 2_000 + around("moment", 4_000);
            let away_ms = 300 + around("away", 2_500);
            plan = if around("kind", 2) == 0 {
                plan.crash(victim, at_ms, away_ms)
            } else {
                plan.partition(victim, at_ms, away_ms)
            };
        }
        world(seed, plan)
    };
    each_world("crashes_and_cuts_at_boundaries_do_no_harm", 2, rough, rotated);
}

#[test]
fn an_operator_that_was_away_over_boundaries_catches_up() {
    let away = |seed| {
        let victim = Process::Operator(1 + Dice(seed).below("victim", 2) as usize);
        world(seed, Plan::default().crash(victim, 5_000, 3 * SPELL_MS))
    };
    each_world("an_operator_that_was_away_over_boundaries_catches_up", 1, away, rotated);
}

#[test]
fn without_l1_the_chain_goes_on_and_the_committee_stays() {
    let blind = |seed| {
        let l1_outages = (0..6).map(|operator| Outage { operator, from_ms: 3_000, to_ms: 24_000 }).collect();
        WorldConfig { l1_outages, ..world(seed, Plan::default()) }
    };
    each_world("without_l1_the_chain_goes_on_and_the_committee_stays", 1, blind, |report| {
        whole(report);
        let (from, to) = (report.begun_ms + 7_000, report.begun_ms + 24_000);
        let blind = report.beats.iter().filter(|beat| (from..to).contains(&beat.at_ms));
        let blind: Vec<Beat> = blind.cloned().collect();
        assert!(blind.iter().all(|beat| !beat.hands_over), "{report:?}");
        assert!(blind.len() > 40 && longest_gap(&blind) < 1_500, "{report:?}");
        // The snapshots of that time were never committees: only the newest counts.
        assert_eq!(boundaries(report).len(), 3, "{report:?}");
    });
}

/// Where it leads at a closing height, it proposes no committee, and the others have to wait for the next one.
#[test]
fn one_l1_node_that_is_down_holds_nobody_up() {
    let lame = |seed| {
        let outage = Outage { operator: 2, from_ms: 3_000, to_ms: 4 * SPELL_MS };
        WorldConfig { l1_outages: vec![outage], ..world(seed, Plan::default()) }
    };
    each_world("one_l1_node_that_is_down_holds_nobody_up", 1, lame, changed);
}
