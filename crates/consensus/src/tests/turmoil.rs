//! Random troubles, and a peer that lies about terms, while seats rotate.

use super::{
    deterministic::{Net, seats},
    recorder::{Conduct, Schedule, keys},
    terms::{rotating, rotation},
};
use crate::{Committee, Recipients, Signer as _, simulated::Link};
use commonware_p2p::utils::mux::GlobalSender;
use commonware_runtime::{
    Clock as _, Runner as _,
    deterministic::{Context, Runner},
};
use futures::FutureExt as _;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

const LINK: Link = Link { latency_ms: 25, jitter_ms: 8, lost_per_mille: 10 };

/// A small generator: what happens depends on the seed alone.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One of nine operators at a time is killed, cut off or slow, and committees become known late; then all heals.
async fn trouble(context: Context, seed: u64, link: Link) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let keys = keys(100, 9);
    let mut schedule = Schedule::rotating(6, rotation(&keys));
    let late = dice.below(5) + 2;
    schedule.delay = Box::new(move |index, term| {
        let slow = (index as u64 * 7 + term * 3).is_multiple_of(late);
        Duration::from_millis(if slow { 150 * (term % 11) } else { 0 })
    });
    let mut net = Net::with(context, link, vec![], keys, schedule).await;
    for index in 0..9 {
        net.start(index, Conduct::Honest).await;
    }
    for _ in 0..12 {
        let victim = usize::try_from(dice.below(9)).unwrap();
        let key = net.keys[victim].public_key();
        let pause = Duration::from_millis(dice.below(2_500));
        if dice.below(2) == 0 {
            net.kill(victim);
            net.context.sleep(pause + Duration::from_millis(5)).await;
            net.start(victim, Conduct::Honest).await;
        } else {
            net.world.isolate(&key).await.unwrap();
            net.context.sleep(pause).await;
            net.world.reconnect(&key, link).await.unwrap();
        }
        net.context.sleep(Duration::from_millis(dice.below(1_500))).await;
    }
    let all: Vec<usize> = (0..9).collect();
    let height = all.iter().map(|index| net.height(*index)).max().unwrap();
    let begun = net.context.current();
    net.reach(height + 40, &all).await;
    let took = net.context.current().duration_since(begun).unwrap();
    println!("seed {seed}: {height} heights in trouble, 40 more within {took:?}");
    assert!(took < Duration::from_secs(60), "{took:?}");
    net.agree();
    for record in &net.records {
        assert!(record.lock().unwrap().faults.is_empty(), "nobody contradicts itself");
    }
}

#[test]
fn seats_rotate_through_random_trouble() {
    let seeds = std::env::var("HUM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(3);
    for seed in 200..200 + seeds {
        Runner::seeded(seed).start(|context| trouble(context, seed, LINK));
    }
}

#[test]
fn a_liar_about_terms_stops_nobody() {
    Runner::seeded(190).start(|context| async move {
        let keys = keys(100, 4);
        let liar = keys[3].public_key();
        let schedule = Schedule::fixed(seats(&keys), 8);
        let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
        for index in 0..3 {
            net.start(index, Conduct::Honest).await;
        }
        let (votes, _receiver) = net.world.register_votes(&liar).await;
        let mut votes = GlobalSender::new(votes);
        // The running term, the next, and one that never comes.
        for round in 0..200_u64 {
            let term = net.height(0) / 8;
            for term in [term, term + 1, term + 1_000, u64::MAX] {
                votes.send(
                    term,
                    Recipients::All,
                    vec![round as u8; 200 + 60_000 * (round as usize % 2)],
                    true,
                );
            }
            net.context.sleep(Duration::from_millis(20)).await;
        }
        net.reach(40, &[0, 1, 2]).await;
        net.agree();
    });
}

#[test]
fn one_seed_gives_one_run_through_rotating_seats() {
    let run = |seed| {
        Runner::seeded(seed).start(|context| async move {
            let mut net = rotating(context, LINK, 6).await;
            for index in 0..9 {
                net.start(index, Conduct::Honest).await;
            }
            net.reach(30, &[0, 4, 8]).await;
            net.context.auditor().state()
        })
    };
    assert_eq!(run(1), run(1));
}

#[test]
fn an_operator_stops_when_its_application_names_an_impossible_committee() {
    let all = keys(100, 5);
    let (four, five) = (seats(&all[..4]), seats(&all));
    let foreign = Committee::new([4; 32], four.operators().to_vec()).unwrap();
    let other = seats(&all[1..]);
    // From which term on, and what: other seats than the genesis', too many, another domain, and nothing wrong.
    for (from, committee, stops) in
        [(0, other.clone(), true), (1, five, true), (1, foreign, true), (1, four.clone(), false)]
    {
        let (keys, genesis) = (all[..4].to_vec(), four.clone());
        Runner::seeded(191).start(|context| async move {
            // The world is laid out with the genesis, before the processes ask.
            let asked = AtomicBool::new(false);
            let schedule = Schedule::rotating(8, move |term| {
                let first = !asked.swap(true, Ordering::Relaxed);
                if first || term < from { genesis.clone() } else { committee.clone() }
            });
            let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
            for index in 0..4 {
                net.start(index, Conduct::Honest).await;
            }
            net.context.sleep(Duration::from_secs(20)).await;
            let running = net.running[1].take().unwrap();
            let ended = running.into_parts().2.now_or_never().is_some();
            assert_eq!(ended, stops, "height {}", net.height(1));
            assert!(net.height(1) < 8 || !stops);
        });
    }
}
