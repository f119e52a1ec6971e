//! Rollups that settle: batches on L1, heads that are `Safe` and `Finalized` for it, messages that wait for that.

use super::{each_world, whole};
use hum_consensus::simulated::Link;
use hum_sim::world::{Action, ChainFault, Outage, Plan, Posting, Process, Report, Snapshot, WorldConfig};
use hum_types::{ChainId, Confidence};

/// Time between two committees, in milliseconds.
const SPELL_MS: u64 = 7_000;
/// Stake of each.
const STAKE: u128 = 1_000;
/// The rollups.
const ROLLUPS: [ChainId; 2] = [ChainId(7_001), ChainId(7_002)];

fn world(seed: u64) -> WorldConfig {
    WorldConfig {
        link: Link { latency_ms: 20, jitter_ms: 3, lost_per_mille: 0 },
        block_time_ms: 500,
        posting: Some(Posting::default()),
        ..WorldConfig::seeded(seed)
    }
}

/// How often heads of this rollup were settled.
fn settled(report: &Report, chain_id: ChainId, confidence: Confidence) -> usize {
    let all = report.beats.iter().flat_map(|beat| &beat.settled);
    all.filter(|(rollup, settled, _)| *rollup == chain_id && *settled == confidence).count()
}

/// The longest time between two checkpoints, of those between two times since the first message could be sent.
fn longest_gap(report: &Report, from_ms: u64, to_ms: u64) -> u64 {
    let range = report.begun_ms + from_ms..report.begun_ms + to_ms;
    let times: Vec<u64> =
        report.beats.iter().map(|beat| beat.at_ms).filter(|at_ms| range.contains(at_ms)).collect();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(u64::MAX)
}

#[test]
fn messages_of_every_confidence_arrive_once_while_operators_and_committees_change() {
    const AWAY: Outage = Outage { operator: 2, from_ms: 9_000, to_ms: 16_000 };
    const LEAST_MS: u64 = 4 * SPELL_MS;
    let busy = |seed| {
        let seats = |who: [usize; 4]| who.map(|operator| (operator, STAKE)).to_vec();
        let snapshots = (1..).map(|n| n * SPELL_MS).zip([[0, 1, 2, 4], [1, 2, 3, 4], [0, 1, 2, 3]]);
        let snapshots = snapshots.map(|(at_ms, who)| Snapshot { at_ms, seats: seats(who) }).collect();
        let victim = Process::Operator(1);
        WorldConfig {
            operators: 5,
            snapshots,
            l1_outages: vec![AWAY],
            messages: 45,
            plan: Plan::default().crash(victim, 5_000, 900).crash(victim, 18_000, 900),
            least_ms: LEAST_MS,
            ..world(seed)
        }
    };
    let name = "messages_of_every_confidence_arrive_once_while_operators_and_committees_change";
    each_world(name, 1, busy, |report| {
        whole(report);
        for (rollup, confidence) in ROLLUPS
            .into_iter()
            .flat_map(|rollup| [(rollup, Confidence::Safe), (rollup, Confidence::Finalized)])
        {
            let times = settled(report, rollup, confidence);
            println!("           {times} heads of {rollup} became {confidence}");
            assert!(times > 4, "{times} heads of {rollup} became {confidence}: {report:?}");
        }
        let handovers = report.beats.iter().filter(|beat| beat.hands_over).count();
        assert!(handovers >= 2, "{handovers} handovers: {report:?}");
        let (with, without) = (longest_gap(report, 9_000, 16_000), longest_gap(report, 0, LEAST_MS));
        println!("           longest gap {with} ms while an L1 node is away, {without} ms of all");
        assert!(with.max(without) < 1_000, "{with} ms, {without} ms: {report:?}");
    });
}

/// Its node calls every block safe and final at once, and nothing of it is on L1.
#[test]
fn what_a_sequencers_node_calls_safe_and_final_settles_nothing() {
    const MESSAGES: usize = 6;
    let boastful = |seed| WorldConfig {
        safe_behind: 0,
        posting: Some(Posting { silent: vec![0], ..Posting::default() }),
        messages: MESSAGES,
        patience_ms: 20_000,
        ..world(seed)
    };
    each_world("what_a_sequencers_node_calls_safe_and_final_settles_nothing", 1, boastful, |report| {
        assert_eq!(report.violations, Vec::<String>::new(), "{report:?}");
        for confidence in [Confidence::Safe, Confidence::Finalized] {
            assert_eq!(settled(report, ROLLUPS[0], confidence), 0, "{report:?}");
            assert!(settled(report, ROLLUPS[1], confidence) > 0, "{report:?}");
        }
        // Through `Latest` its messages arrive, and all of the other's do.
        assert_eq!((report.sent, report.executed), (2 * MESSAGES, MESSAGES / 3 + MESSAGES), "{report:?}");
        assert_eq!(report.duplicates, 0, "{report:?}");
    });
}

/// A power cut is the end of every process, and of nothing that is on L1.
#[test]
fn settled_heads_survive_a_power_cut() {
    let cut = |seed| WorldConfig {
        messages: 12,
        plan: Plan::default().at(7_000, hum_sim::world::Action::PowerCut),
        least_ms: 12_000,
        ..world(seed)
    };
    each_world("settled_heads_survive_a_power_cut", 1, cut, |report| {
        whole(report);
        for rollup in ROLLUPS {
            assert!(settled(report, rollup, Confidence::Finalized) > 1, "{report:?}");
        }
    });
}

/// A sequencer drops blocks that were certified and posts others, and nobody tells the operators: its publisher is away.
/// They learn it from L1, cut the chain back, and take what L1 holds as soon as somebody publishes it.
#[test]
fn what_l1_contradicts_is_cut_back_and_resumes_by_itself() {
    const LIAR: ChainId = ROLLUPS[0];
    const FORK_MS: u64 = 9_000;
    const AWAY_MS: u64 = 20_000;
    let forked = |seed| WorldConfig {
        posting: Some(Posting { depth: 4, ..Posting::default() }),
        messages: 30,
        plan: Plan::default()
            .crash(Process::Publisher(0), FORK_MS, AWAY_MS)
            .at(FORK_MS + 10, Action::Chain(0, ChainFault::Reorg(3)))
            // Whoever starts anew in the middle reads L1 from where the ledger stands.
            .crash(Process::Operator(1), FORK_MS + 4_000, 1_500),
        least_ms: FORK_MS + AWAY_MS + 15_000,
        ..world(seed)
    };
    each_world("what_l1_contradicts_is_cut_back_and_resumes_by_itself", 1, forked, |report| {
        whole(report);
        let place = |has: &dyn Fn(&hum_sim::world::Beat) -> bool| report.beats.iter().position(has);
        let cut = place(&|beat| !beat.reorged.is_empty()).expect("it is cut back");
        let cuts: Vec<_> = report.beats.iter().flat_map(|beat| beat.reorged.clone()).collect();
        let [(chain_id, kept)] = cuts[..] else { panic!("{cuts:?}: {report:?}") };
        assert_eq!(chain_id, LIAR);
        assert!(
            report.beats[..=cut].iter().all(|beat| beat.retracted.is_empty()),
            "it was not cut back before anybody signed anything: {report:?}"
        );
        let advanced = |beat: &hum_sim::world::Beat, rollup| {
            beat.advanced.iter().find(|(chain_id, _)| *chain_id == rollup).map(|(_, head)| *head)
        };
        let before = report.beats[..cut].iter().filter_map(|beat| advanced(beat, LIAR)).max().unwrap();
        let after = report.beats[cut..].iter().filter_map(|beat| advanced(beat, LIAR)).collect::<Vec<_>>();
        println!("           {before} was certified, {kept} was kept, {after:?} followed");
        assert!(before > kept && after[0] < after[after.len() - 1] && after[after.len() - 1] > before);
        // Safe and Finalized go on from what L1 holds, and the other rollup never noticed.
        let settled_after = |rollup, above: u64| {
            let all = report.beats[cut..].iter().flat_map(|beat| &beat.settled);
            all.filter(|(chain_id, confidence, number)| {
                (*chain_id, *confidence) == (rollup, Confidence::Finalized) && *number > above
            })
            .count()
        };
        assert!(settled_after(LIAR, before) > 0, "{report:?}");
        assert!(settled_after(ROLLUPS[1], 0) > 2, "{report:?}");
        let other: Vec<u64> = report
            .beats
            .iter()
            .filter(|beat| advanced(beat, ROLLUPS[1]).is_some())
            .map(|beat| beat.at_ms)
            .collect();
        let longest = other.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest < 2_500, "the other rollup waited {longest} ms: {report:?}");
    });
}
