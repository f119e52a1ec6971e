//! Terms that roll over, seats that rotate, and what may go wrong at a boundary.

use super::{
    deterministic::{Net, lossy, seats},
    recorder::{Conduct, Record, Schedule, keys},
};
use crate::{Committee, Peer, PeersError, PrivateKey, PublicKey, Signer as _, simulated::Link};
use commonware_runtime::{
    Clock as _, Runner as _, Storage as _,
    deterministic::{Context, Runner},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

const LINK: Link = Link { latency_ms: 25, jitter_ms: 2, lost_per_mille: 0 };

/// Addresses mean nothing in a simulation.
pub(super) fn peer(key: &PublicKey) -> Peer {
    Peer { key: key.clone(), address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)) }
}

/// Five seats of nine operators; each term the first leaves and the next joins.
pub(super) fn rotation(keys: &[PrivateKey]) -> impl Fn(u64) -> Committee + Send + Sync + use<> {
    let keys = keys.to_vec();
    move |term| {
        let first = usize::try_from(term).unwrap();
        let seated: Vec<_> = (first..first + 5).map(|seat| keys[seat % keys.len()].clone()).collect();
        seats(&seated)
    }
}

pub(super) async fn rotating(context: Context, link: Link, term_heights: u64) -> Net {
    let keys = keys(100, 9);
    let schedule = Schedule::rotating(term_heights, rotation(&keys));
    Net::with(context, link, vec![], keys, schedule).await
}

/// Milliseconds between a height and the one below, at one operator: (inside terms, across boundaries).
fn gaps(record: &Mutex<Record>, term_heights: u64) -> (Vec<u64>, Vec<u64>) {
    let record = record.lock().unwrap();
    let (mut inside, mut across) = (Vec::new(), Vec::new());
    for (height, time) in record.times.range(3..) {
        let Some(before) = record.times.get(&(height - 1)) else { continue };
        let gap = time.duration_since(*before).unwrap().as_millis() as u64;
        if height.is_multiple_of(term_heights) { across.push(gap) } else { inside.push(gap) }
    }
    (inside, across)
}

/// Nobody led without a seat, and whoever leads held one in that term.
fn leaders_had_seats(net: &Net) {
    let record = net.records[0].lock().unwrap();
    for (height, block) in &record.chain {
        let committee = (net.schedule.committee)(height / net.schedule.term_heights);
        assert!(committee.contains(&block.proposer), "{height} was led by {}", block.proposer);
    }
}

#[test]
fn terms_roll_over_without_a_gap() {
    for seed in 20..23 {
        Runner::seeded(seed).start(|context| async move {
            let keys = keys(100, 4);
            let schedule = Schedule::fixed(seats(&keys), 10);
            let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
            net.start_all().await;
            net.reach(95, &[0, 1, 2, 3]).await;
            net.agree();
            let (inside, across) = gaps(&net.records[0], 10);
            let (usual, worst) = (inside.iter().sum::<u64>() / inside.len() as u64, across.iter().max());
            println!("seed {seed}: {usual} ms inside terms, across boundaries {across:?}");
            assert!(*worst.unwrap() <= usual + 150 && *worst.unwrap() <= 400, "{across:?}");
            let views: Vec<u64> =
                net.records[0].lock().unwrap().chain.values().map(|block| block.view).collect();
            assert!(views.is_sorted() && views.windows(2).all(|pair| pair[0] < pair[1]), "views rise");
        });
    }
}

#[test]
fn seats_rotate_under_load_and_all_agree() {
    Runner::seeded(30).start(|context| async move {
        let mut net = rotating(context, LINK, 12).await;
        for index in 0..9 {
            net.start(index, Conduct::Laden).await;
        }
        let all: Vec<usize> = (0..9).collect();
        net.reach(7 * 12, &all).await;
        net.agree();
        leaders_had_seats(&net);
        let record = net.records[0].lock().unwrap();
        for term in 0..7 {
            for key in (net.schedule.committee)(term).operators() {
                let mut led = record.chain.range(term * 12..(term + 1) * 12);
                assert!(led.any(|(_, block)| block.proposer == *key), "{key} leads in term {term}");
            }
        }
        drop(record);
        let (_, across) = gaps(&net.records[0], 12);
        println!("across boundaries {across:?}");
        assert!(across.iter().all(|gap| *gap <= 400), "{across:?}");
    });
}

#[test]
fn a_crash_at_a_boundary_is_survived() {
    for (seed, offset_ms) in (40..).zip([0, 10, 30, 60, 100, 200, 300]) {
        Runner::seeded(seed).start(|context| async move {
            let keys = keys(100, 4);
            let schedule = Schedule::fixed(seats(&keys), 8);
            let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
            net.start_all().await;
            // From just before the closing height is finalised until the next term runs.
            net.reach(14, &[2]).await;
            net.context.sleep(Duration::from_millis(150 + offset_ms)).await;
            net.kill(2);
            net.context.sleep(Duration::from_millis(20)).await;
            net.start(2, Conduct::Honest).await;
            net.reach(30, &[0, 1, 2, 3]).await;
            net.kill(1);
            net.reach(45, &[0, 2, 3]).await;
            net.start(1, Conduct::Honest).await;
            net.reach(60, &[0, 1, 2, 3]).await;
            net.agree();
            for record in &net.records {
                assert!(record.lock().unwrap().faults.is_empty(), "nobody contradicts itself");
            }
        });
    }
}

#[test]
fn a_power_cut_at_a_boundary_is_survived() {
    for (seed, height) in [(50, 6), (51, 7), (52, 8)] {
        let records: Vec<Arc<Mutex<Record>>> = (0..4).map(|_| Arc::default()).collect();
        let net_of = |context: Context, records: Vec<Arc<Mutex<Record>>>| async move {
            let keys = keys(100, 4);
            let schedule = Schedule::fixed(seats(&keys), 8);
            let mut net = Net::with(context, lossy(), vec![], keys, schedule).await;
            net.records = records;
            net.start_all().await;
            net
        };
        let before = records.clone();
        let (_, mut checkpoint) = Runner::seeded(seed).start_and_recover(|context| async move {
            net_of(context, before).await.reach(height, &[0]).await;
        });
        for round in 2..6 {
            let before = records.clone();
            ((), checkpoint) = Runner::from(checkpoint).start_and_recover(|context| async move {
                let net = net_of(context, before).await;
                net.reach(8 * (round - 1) + height, &[0]).await;
                net.agree();
            });
        }
    }
}

#[test]
fn an_operator_that_was_cut_off_over_boundaries_comes_back() {
    Runner::seeded(60).start(|context| async move {
        let keys = keys(100, 4);
        let schedule = Schedule::fixed(seats(&keys), 8);
        let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
        net.start_all().await;
        // Just before a closing height, then for several terms.
        for away in [4, 40] {
            let from = net.height(1) / 8 * 8 + 14;
            net.reach(from, &[0, 1, 2, 3]).await;
            let lost = net.keys[1].public_key();
            net.world.isolate(&lost).await.unwrap();
            net.reach(from + away, &[0, 2, 3]).await;
            assert!(net.height(1) <= from + 1);
            net.world.reconnect(&lost, LINK).await.unwrap();
            let (begun, goal) = (net.context.current(), net.height(0));
            net.reach(goal, &[1]).await;
            let took = net.context.current().duration_since(begun).unwrap();
            println!("{away} heights away: back within {took:?}");
            assert!(took < Duration::from_secs(3), "{took:?}");
        }
        let from = net.height(0);
        net.reach(from + 20, &[0, 1, 2, 3]).await;
        net.agree();
        let record = net.records[0].lock().unwrap();
        let key = net.keys[1].public_key();
        assert!(record.chain.range(from..).any(|(_, block)| block.proposer == key), "it leads again");
    });
}

#[test]
fn an_operator_with_an_empty_disk_walks_through_all_terms() {
    Runner::seeded(70).start(|context| async move {
        let mut net = rotating(context, LINK, 10).await;
        for index in (0..9).filter(|index| *index != 3) {
            net.start(index, Conduct::Honest).await;
        }
        // Five of nine sit in a term, so four of the five finalise; the absent one's turns are lost in its terms.
        let others = [0, 1, 2, 4, 5, 6, 7, 8];
        net.reach(205, &others).await;
        let begun = net.context.current();
        net.start(3, Conduct::Honest).await;
        net.reach(205, &[3]).await;
        let took = net.context.current().duration_since(begun).unwrap();
        println!("20 terms of 10 heights took {took:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        let all: Vec<usize> = (0..9).collect();
        net.reach(300, &all).await;
        net.agree();
        leaders_had_seats(&net);
        let record = net.records[0].lock().unwrap();
        let key = net.keys[3].public_key();
        assert!(record.chain.range(220..).any(|(_, block)| block.proposer == key), "the late one leads");
    });
}

#[test]
fn a_dead_operator_costs_one_wait_a_term() {
    Runner::seeded(80).start(|context| async move {
        let keys = keys(100, 4);
        let schedule = Schedule::fixed(seats(&keys), 20);
        let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
        net.start_all().await;
        net.reach(15, &[0, 1, 2, 3]).await;
        net.kill(3);
        net.reach(115, &[0, 1, 2]).await;
        net.agree();
        let record = net.records[0].lock().unwrap();
        for term in 2..5 {
            let times: Vec<_> = record.times.range(term * 20 - 1..(term + 1) * 20).collect();
            let long = times
                .windows(2)
                .map(|pair| pair[1].1.duration_since(*pair[0].1).unwrap().as_millis())
                .filter(|gap| *gap > 400)
                .collect::<Vec<_>>();
            println!("waits in term {term}: {long:?}");
            assert!(long.len() <= 1 && long.iter().all(|gap| *gap <= 950), "{long:?}");
        }
    });
}

#[test]
fn the_chain_waits_for_committees_that_are_not_known_yet() {
    Runner::seeded(90).start(|context| async move {
        let keys = keys(100, 4);
        let mut schedule = Schedule::rotating(8, {
            let committee = seats(&keys);
            move |_| committee.clone()
        });
        schedule.delay = Box::new(|index, term| match (index, term) {
            // One alone is late by many views,
            (1, 1) => Duration::from_secs(5),
            // two of four keep the others waiting,
            (0 | 2, 2) => Duration::from_secs(7),
            // and all wait for the one that comes first.
            (index, 3) => Duration::from_secs(60 + 3 * index as u64),
            _ => Duration::ZERO,
        });
        let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
        net.start_all().await;
        net.reach(12, &[0, 2, 3]).await;
        assert!(net.height(1) < 12, "it follows later");
        net.reach(60, &[0, 1, 2, 3]).await;
        net.agree();
        let waited = |height| {
            let record = net.records[0].lock().unwrap();
            let waited = record.times[&height].duration_since(record.times[&(height - 1)]).unwrap();
            println!("height {height} came after {waited:?}");
            waited
        };
        assert!(waited(8) < Duration::from_secs(1), "one that is late keeps nobody waiting");
        assert!(waited(16) > Duration::from_secs(7) && waited(16) < Duration::from_secs(9));
        assert!(waited(24) > Duration::from_secs(66) && waited(24) < Duration::from_secs(68));
        for record in &net.records {
            assert!(record.lock().unwrap().faults.is_empty(), "nobody contradicts itself");
        }
    });
}

#[test]
fn journals_of_old_terms_are_removed() {
    Runner::seeded(100).start(|context| async move {
        let keys = keys(100, 4);
        let schedule = Schedule::fixed(seats(&keys), 20);
        let mut net = Net::with(context, LINK, vec![], keys, schedule).await;
        net.start_all().await;
        net.reach(205, &[0, 1, 2, 3]).await;
        net.kill(1);
        net.context.sleep(Duration::from_millis(10)).await;
        net.start(1, Conduct::Honest).await;
        net.reach(305, &[0, 1, 2, 3]).await;
        for index in 0..4 {
            let mut kept = Vec::new();
            for term in 0..20 {
                let journal = format!("operator-{index}-simplex-{term}");
                if net.context.scan(&journal).await.is_ok() {
                    kept.push(term);
                }
            }
            assert!(kept.len() <= 3 && kept.contains(&15), "operator {index} keeps journals of {kept:?}");
        }
    });
}

#[test]
fn an_operator_that_registers_later_is_let_in_and_one_that_left_keeps_its_seat_to_the_end() {
    Runner::seeded(110).start(|context| async move {
        let keys = keys(100, 6);
        // Term 3 sees the sixth in and the first out.
        let committees = [seats(&keys[..5]), seats(&keys[1..])];
        let schedule = Schedule::rotating(10, move |term| committees[usize::from(term >= 3)].clone());
        let newcomer = keys[5].public_key();
        let mut net = Net::of_first(context, LINK, keys, 5, schedule).await;
        for index in 0..5 {
            net.start(index, Conduct::Honest).await;
        }
        net.reach(15, &[0, 1, 2, 3, 4]).await;

        let all: Vec<Peer> = net.keys.iter().map(|key| peer(&key.public_key())).collect();
        let crowd: Vec<Peer> = (0..9).map(|seed| peer(&PrivateKey::from_seed(seed).public_key())).collect();
        for running in net.running.iter().flatten() {
            running.peers.set_operators(all[1..].to_vec()).unwrap();
            // The five that sit in this term count too.
            let refused = running.peers.set_operators(crowd.clone());
            assert_eq!(refused, Err(PeersError::TooMany { given: 14, max: 6 }));
        }
        net.world.reconnect(&newcomer, LINK).await.unwrap();
        net.start(5, Conduct::Honest).await;
        net.running[5].as_ref().unwrap().peers.set_operators(all[1..].to_vec()).unwrap();
        net.reach(55, &[1, 2, 3, 4, 5]).await;
        net.agree();
        let led = |key: &PublicKey, heights: std::ops::Range<u64>| {
            let record = net.records[1].lock().unwrap();
            record.chain.range(heights).any(|(_, block)| block.proposer == *key)
        };
        assert!(led(&net.keys[0].public_key(), 20..30), "a seat is held to the end of its term");
        assert!(led(&newcomer, 30..55), "the newcomer leads");
        assert!(net.height(0) < 32, "nobody talks to it any more");
    });
}
