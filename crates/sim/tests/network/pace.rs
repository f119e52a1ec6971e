//! How often checkpoints come, and what a dead leader costs.

use super::{each_world, whole};
use hum_consensus::simulated::Link;
use hum_sim::world::{Beat, Plan, Process, Report, WorldConfig};

/// Least time between a checkpoint and the next, in milliseconds.
const INTERVAL_MS: u64 = 200;
/// An empty checkpoint comes after this time, in milliseconds.
const HEARTBEAT_MS: u64 = 350;
/// What a dead leader may cost, in milliseconds.
const DEAD_LEADER_MS: u64 = 600;
/// What the network and the judging of blocks add to a turn, in milliseconds.
const HOPS_MS: u64 = 150;
/// What the end of a term adds, in milliseconds: everyone has to have the closing checkpoint first.
const BOUNDARY_MS: u64 = 100;

fn calm(seed: u64, plan: Plan, least_ms: u64) -> WorldConfig {
    let link = Link { latency_ms: 20, jitter_ms: 3, lost_per_mille: 0 };
    WorldConfig { link, block_time_ms: 250, messages: 2, plan, least_ms, ..WorldConfig::seeded(seed) }
}

/// Times between heights that were finalised between two times of the world.
fn gaps(report: &Report, from_ms: u64, to_ms: u64) -> Vec<u64> {
    let within = |beat: &&Beat| (report.begun_ms + from_ms..report.begun_ms + to_ms).contains(&beat.at_ms);
    let times: Vec<u64> = report.beats.iter().filter(within).map(|beat| beat.at_ms).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn checkpoints_come_no_faster_than_the_interval_and_at_once_when_there_is_news() {
    let world = |seed| calm(seed, Plan::default(), 20_000);
    each_world("checkpoints_come_no_faster", 1, world, |report| {
        whole(report);
        let gaps = gaps(report, 2_000, 20_000);
        let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        let mean = gaps.iter().sum::<u64>() / gaps.len() as u64;
        println!("           {} checkpoints, {least} to {most} ms apart, mean {mean} ms", gaps.len());
        // A vote that travels faster than the one before makes two finalisations come closer than their proposals.
        assert!(*least >= INTERVAL_MS - 20, "{least} ms: {report:?}");
        assert!(*most <= INTERVAL_MS + HOPS_MS, "{most} ms: {report:?}");
        let certified = report.beats.iter().filter_map(|beat| Some(beat.certified_ms? - beat.at_ms)).max();
        println!("           certified at most {} ms after it was finalised", certified.unwrap());
    });
}

#[test]
fn an_idle_network_only_beats() {
    // No blocks, no news.
    let world =
        |seed| WorldConfig { block_time_ms: 30_000, messages: 0, ..calm(seed, Plan::default(), 25_000) };
    each_world("an_idle_network_only_beats", 1, world, |report| {
        assert!(report.violations.is_empty(), "{report:?}");
        let gaps = gaps(report, 2_000, 25_000);
        let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
        println!("           {} checkpoints, {least} to {most} ms apart", gaps.len());
        let quiet = report.beats.windows(2).filter(|pair| pair.iter().all(Beat::is_heartbeat));
        let least = quiet.map(|pair| pair[1].at_ms - pair[0].at_ms).min().unwrap();
        assert!(least >= HEARTBEAT_MS - 20, "{least} ms: {report:?}");
        assert!(*most <= HEARTBEAT_MS + HOPS_MS + BOUNDARY_MS, "{most} ms: {report:?}");
    });
}

#[test]
fn a_dead_leader_costs_little_and_once() {
    // The seed says which operator dies: with each of them, its turn comes within four.
    let world = |seed| {
        let victim = Process::Operator(((seed - 1) % 4) as usize);
        // One term: the next one's engine has to find out for itself.
        let plan = Plan::default().crash(victim, 4_900 + 61 * seed, 8_000);
        WorldConfig { term_heights: 1_000, ..calm(seed, plan, 16_000) }
    };
    each_world("a_dead_leader_costs_little_and_once", 4, world, |report| {
        whole(report);
        let gaps = gaps(report, 4_800, 12_900);
        let costly: Vec<u64> = gaps.iter().copied().filter(|gap| *gap > INTERVAL_MS + HOPS_MS).collect();
        println!("           {} checkpoints without it; gaps that it made longer: {costly:?} ms", gaps.len());
        assert!(costly.len() <= 1, "more than once: {costly:?} {report:?}");
        let usual = INTERVAL_MS;
        assert!(costly.iter().all(|gap| *gap <= usual + DEAD_LEADER_MS), "{costly:?} {report:?}");
    });
}
