//! Operators that come back without what they had voted.

use super::{
    deterministic::{Net, seats},
    recorder::{Conduct, Record, Schedule, keys},
};
use crate::{Recalling, Recipients, Signer as _, simulated::Link};
use bytes::Bytes;
use commonware_codec::Write as _;
use commonware_consensus::{
    simplex::{
        scheme::ed25519::Scheme,
        types::{Certificate, Finalization, Notarize, Nullify, Proposal, Vote},
    },
    types::{Epoch, Round, View},
};
use commonware_p2p::{Receiver as _, Sender as _};
use commonware_runtime::{
    Clock as _, Runner as _, Spawner as _, Supervisor as _,
    deterministic::{Context, Runner},
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const LINK: Link = Link { latency_ms: 25, jitter_ms: 5, lost_per_mille: 0 };

async fn network(context: Context, operators: u64, term_heights: u64) -> Net {
    let keys = keys(100, operators);
    let schedule = Schedule::fixed(seats(&keys), term_heights);
    Net::with(context, LINK, vec![], keys, schedule).await
}

/// Nobody proved a contradiction, and nobody cut anybody off.
async fn nobody_is_blamed(net: &Net) {
    for record in &net.records {
        assert!(record.lock().unwrap().faults.is_empty(), "a contradiction");
    }
    assert_eq!(net.world.blocked().await.unwrap(), []);
}

fn recalled(record: &Mutex<Record>) -> Vec<Recalling> {
    record.lock().unwrap().recalled.clone()
}

fn waited(record: &Mutex<Record>) -> bool {
    recalled(record).iter().any(|stands| matches!(stands, Recalling::Waiting { .. }))
}

async fn leads_again(net: &Net, index: usize, all: &[usize]) {
    let from = net.height(all[0]);
    net.reach(from + 2 * all.len() as u64 + 4, all).await;
    let key = net.keys[index].public_key();
    let record = net.records[all[0]].lock().unwrap();
    assert!(record.chain.range(from..).any(|(_, block)| block.proposer == key), "it leads again");
}

async fn another_disk(net: &mut Net, index: usize, disk: u64, record: Arc<Mutex<Record>>) {
    net.kill(index);
    net.context.sleep(Duration::from_millis(5)).await;
    net.disks[index] = disk;
    net.records[index] = record;
    net.start(index, Conduct::Honest).await;
}

#[test]
fn an_empty_disk_under_an_old_key_contradicts_nothing() {
    for (seed, offset_ms) in (300..).zip([0, 13, 29, 53, 71, 97, 127, 160]) {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 4, 100).await;
            net.start_all().await;
            net.reach(15, &[0, 1, 2, 3]).await;
            net.context.sleep(Duration::from_millis(offset_ms)).await;
            another_disk(&mut net, 3, 1, Arc::default()).await;
            leads_again(&net, 3, &[0, 1, 2, 3]).await;
            assert!(waited(&net.records[3]), "{:?}", recalled(&net.records[3]));
            net.agree();
            nobody_is_blamed(&net).await;
        });
    }
}

#[test]
fn an_empty_disk_contradicts_nothing_at_the_end_of_a_term() {
    for (seed, offset_ms) in (320..).zip([0, 20, 40, 60, 80, 110, 140, 180, 220, 260]) {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 4, 8).await;
            net.start_all().await;
            net.reach(22, &[0, 1, 2, 3]).await;
            net.context.sleep(Duration::from_millis(offset_ms)).await;
            another_disk(&mut net, 3, 1, Arc::default()).await;
            leads_again(&net, 3, &[0, 1, 2, 3]).await;
            net.agree();
            nobody_is_blamed(&net).await;
        });
    }
}

#[test]
fn an_old_backup_contradicts_nothing() {
    // Heights that pass on another disk before the old one comes back: in the same term, and some terms later.
    for (seed, heights) in (340..).zip([0, 1, 4, 30, 75]) {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 4, 40).await;
            net.start_all().await;
            net.reach(10, &[0, 1, 2, 3]).await;
            let backup = net.records[3].clone();
            another_disk(&mut net, 3, 1, Arc::default()).await;
            let height = net.height(0);
            net.reach(height + heights + 3, &[0, 1, 2, 3]).await;
            // What it votes on that disk is what the backup does not know.
            leads_again(&net, 3, &[0, 1, 2, 3]).await;
            backup.lock().unwrap().recalled.clear();
            another_disk(&mut net, 3, 0, backup).await;
            leads_again(&net, 3, &[0, 1, 2, 3]).await;
            let stands = recalled(&net.records[3]);
            let held =
                |stands: &Recalling| matches!(stands, Recalling::Waiting { .. } | Recalling::Past { .. });
            assert!(stands.iter().any(held), "{stands:?}");
            net.agree();
            nobody_is_blamed(&net).await;
        });
    }
}

#[test]
fn an_intact_disk_waits_for_nothing() {
    for seed in 360..364 {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 4, 100).await;
            net.start_all().await;
            net.reach(12, &[0, 1, 2, 3]).await;
            net.records[3].lock().unwrap().recalled.clear();
            let record = net.records[3].clone();
            another_disk(&mut net, 3, 0, record).await;
            leads_again(&net, 3, &[0, 1, 2, 3]).await;
            assert!(!waited(&net.records[3]), "{:?}", recalled(&net.records[3]));
            nobody_is_blamed(&net).await;
        });
    }
}

#[test]
fn a_network_whose_operators_all_restart_goes_on_at_once() {
    // All of four, and all but one that stays dead.
    for (seed, back) in [(370, 4), (371, 3)] {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 4, 12).await;
            net.start_all().await;
            for round in 1..4 {
                net.reach(17 * round, &(0..back).collect::<Vec<_>>()).await;
                for index in 0..4 {
                    if net.running[index].is_some() {
                        net.kill(index);
                    }
                }
                net.context.sleep(Duration::from_millis(5)).await;
                let begun = net.context.current();
                let height = net.height(0);
                for index in 0..back {
                    net.start(index, Conduct::Honest).await;
                }
                net.reach(height + 1, &(0..back).collect::<Vec<_>>()).await;
                let took = net.context.current().duration_since(begun).unwrap();
                println!("{back} of 4: back after {took:?}");
                assert!(took < Duration::from_secs(4), "{took:?}");
            }
            for record in &net.records[..back] {
                assert!(!waited(record), "{:?}", recalled(record));
            }
            net.agree();
            nobody_is_blamed(&net).await;
        });
    }
}

#[test]
fn a_disk_that_is_lost_when_all_restart_follows_first() {
    Runner::seeded(380).start(|context| async move {
        let mut net = network(context, 4, 100).await;
        net.start_all().await;
        net.reach(15, &[0, 1, 2, 3]).await;
        // Nobody remembers anything but its disk.
        for index in 0..4 {
            net.kill(index);
        }
        net.context.sleep(Duration::from_millis(5)).await;
        (net.disks[3], net.records[3]) = (1, Arc::default());
        net.start_all().await;
        leads_again(&net, 3, &[0, 1, 2, 3]).await;
        assert!(waited(&net.records[3]), "{:?}", recalled(&net.records[3]));
        net.agree();
        nobody_is_blamed(&net).await;
    });
}

/// What a liar says: the running term is long over, the asker voted far ahead, and a quorum is there.
fn lie(term: u64, scheme: &Scheme) -> Bytes {
    let round = Round::new(Epoch::new(term), View::new(1_000_000));
    let proposal = Proposal::new(round, View::new(1), crate::Digest::from([9; 32]));
    let notarize = Notarize::sign(scheme, proposal.clone()).unwrap();
    let votes: Vec<Vote<Scheme, crate::Digest>> = vec![
        Vote::Notarize(notarize.clone()),
        Vote::Nullify(Nullify::sign::<crate::Digest>(scheme, round).unwrap()),
    ];
    // The liar's own signature alone, under everybody's name.
    let mut forged = notarize.attestation.clone();
    forged.signer = commonware_utils::Participant::new(3);
    let votes: Vec<_> = votes
        .into_iter()
        .map(|vote| match vote {
            Vote::Notarize(vote) => {
                Vote::Notarize(Notarize { attestation: forged.clone(), proposal: vote.proposal })
            }
            other => other,
        })
        .collect();
    let finalization: Option<Finalization<Scheme, crate::Digest>> = None;
    let certificate: Option<Certificate<Scheme, crate::Digest>> = None;
    let mut out = Vec::new();
    1u8.write(&mut out);
    term.write(&mut out);
    u64::MAX.write(&mut out);
    true.write(&mut out);
    votes.write(&mut out);
    certificate.write(&mut out);
    finalization.write(&mut out);
    out.into()
}

/// Answers every message on the recall channel with `answer`.
async fn liar(net: &Net, index: usize, answer: Option<Bytes>) {
    let key = net.keys[index].public_key();
    let (mut sender, mut receiver) = net.world.register_channel(&key, 5).await;
    net.context.child("liar").spawn(move |_| async move {
        while let Ok((peer, _)) = receiver.recv().await {
            if let Some(answer) = &answer {
                sender.send(Recipients::One(peer), answer.clone(), true);
            }
        }
    });
}

#[test]
fn liars_can_neither_silence_nor_mislead() {
    let all = keys(100, 4);
    let committee = seats(&all);
    let lies = [Some(lie(0, &committee.scheme(&all[2]))), Some(Bytes::from_static(b"\x01nonsense")), None];
    for (seed, lie) in (390..).zip(lies) {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 4, 100).await;
            liar(&net, 2, lie).await;
            for index in [0, 1, 3] {
                net.start(index, Conduct::Honest).await;
            }
            // The liar does not vote: all three others are needed.
            net.reach(10, &[0, 1, 3]).await;
            let record = net.records[3].clone();
            another_disk(&mut net, 3, 0, record).await;
            leads_again(&net, 3, &[0, 1, 3]).await;
            nobody_is_blamed(&net).await;
        });
    }
}

#[test]
fn liars_cannot_make_an_empty_disk_vote_too_early() {
    let all = keys(100, 7);
    let committee = seats(&all);
    for (seed, lie) in (400..).zip([Some(lie(0, &committee.scheme(&all[5]))), None]) {
        Runner::seeded(seed).start(|context| async move {
            let mut net = network(context, 7, 100).await;
            liar(&net, 5, lie).await;
            for index in [0, 1, 2, 3, 4, 6] {
                net.start(index, Conduct::Honest).await;
            }
            net.reach(15, &[0, 1, 2, 3, 4, 6]).await;
            another_disk(&mut net, 6, 1, Arc::default()).await;
            leads_again(&net, 6, &[0, 1, 2, 3, 4, 6]).await;
            let Some(Recalling::Waiting { view, .. }) = recalled(&net.records[6])
                .into_iter()
                .find(|stands| matches!(stands, Recalling::Waiting { .. }))
            else {
                panic!("it did not wait");
            };
            assert!(view < 1_000, "a lie set the mark: {view}");
            net.agree();
            nobody_is_blamed(&net).await;
        });
    }
}
