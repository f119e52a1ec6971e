//! Operators that die, data that are missing, sequencers that lie.

use super::chain::incomplete;
use super::*;
use crate::wire::RefusalKind;
use hum_types::{Change, Evidence, Generation, InvalidReason};

fn evidence(handle: &OperatorHandle) -> Vec<Evidence> {
    let mut found = Vec::new();
    for checkpoint in handle.checkpoints(Height(1), usize::MAX) {
        for change in &checkpoint.body.changes {
            if let Change::Quarantine { evidence } = change {
                found.push(evidence.clone());
            }
        }
    }
    found
}

#[test]
fn a_killed_operator_rejoins_from_its_disk_and_judges_again() {
    for seed in 0..3 {
        run(seed, |context| async move {
            let link = Link { latency_ms: 15, jitter_ms: 5, lost_per_mille: 30 };
            let mut net = Net::new(context, 4, link).await;
            let (mut a, mut b) = (net.chain(A), net.chain(B));
            let mut sent = Vec::new();
            for round in 0..24 {
                if round == 6 {
                    net.kill(3);
                }
                if round == 14 {
                    net.start(3).await;
                }
                for submission in [a.next(B, 1), b.next(A, 1)] {
                    net.publish(&submission);
                    sent.push(submission);
                }
                net.wait(250).await;
            }
            // A publisher repeats what was lost.
            for _ in 0..10 {
                for submission in &sent {
                    net.publish(submission);
                }
                net.wait(300).await;
            }
            net.until_head(&a).await;
            net.until_head(&b).await;
            net.until_certified().await;
            assert!(evidence(net.handle(0)).is_empty());

            // It judges for itself again: without one of the others, nothing is certified without it.
            net.kill(0);
            let last = [a.next(B, 1), b.next(A, 1)];
            for _ in 0..10 {
                last.iter().for_each(|submission| net.publish(submission));
                net.wait(300).await;
            }
            net.until_head(&a).await;
            net.until_head(&b).await;
            net.until_certified().await;
        });
    }
}

#[test]
fn an_operator_that_was_away_long_catches_up_from_its_peers() {
    run(17, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        net.publish(&a.next(B, 1));
        net.until_head(&a).await;
        net.kill(2);
        // Longer than anything that is kept for those who missed a moment.
        for _ in 0..600 {
            net.publish(&a.next(B, 1));
            net.wait(250).await;
        }
        net.until_head(&a).await;
        let missed = net.handle(0).header().height.0;
        assert!(missed > 400 && a.head().number > hum_ledger::RETRACTABLE_BLOCKS_MAX as u64, "{missed}");
        net.start(2).await;
        net.until_head(&a).await;
        net.until_certified().await;
        // It judges for itself again: without one of the others, nothing is certified without it.
        net.kill(1);
        let next = a.next(B, 1);
        for _ in 0..10 {
            net.publish(&next);
            net.wait(300).await;
        }
        net.until_head(&a).await;
        net.until_certified().await;
        assert!(evidence(net.handle(2)).is_empty());
    });
}

#[test]
fn data_that_one_operator_has_reach_all() {
    run(5, |context| async move {
        let net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        for round in 0..6 {
            net.tell(round % 4, &PublisherMessage::Submit(a.next(B, 1)));
            net.until_head(&a).await;
        }
        net.until_certified().await;
    });
}

#[test]
fn a_witness_that_does_not_do_is_asked_for_again() {
    run(6, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        let block = a.next(B, 1);
        net.publish(&incomplete(&block));
        net.wait(400).await;
        let wanted = PublisherReply::Wanted { chain_id: A, block: a.head() };
        assert!(net.replies().await.contains(&wanted));
        assert_eq!(latest(net.handle(0), A).number, a.head().number - 1);
        net.publish(&block);
        net.until_head(&a).await;
        assert!(evidence(net.handle(0)).is_empty(), "nobody is at fault");
    });
}

#[test]
fn an_invalid_block_sets_its_rollup_aside_until_it_is_retracted() {
    run(7, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        net.publish(&a.next(B, 1));
        net.until_head(&a).await;
        let good = a.head();
        let bad = a.next_invalid();
        net.publish(&bad);
        net.publish(&a.next(B, 1));
        net.until_status(A, RollupStatus::Quarantined).await;
        let expected = Evidence::InvalidBlock { claim: bad.claim, reason: InvalidReason::StateRoot };
        assert_eq!(evidence(net.handle(0)), [expected]);
        for _ in 0..4 {
            net.publish(&b.next(A, 1));
            net.until_head(&b).await;
        }
        assert_eq!(latest(net.handle(0), A), good, "nothing of the liar is certified");

        let refused = a.next(B, 0);
        net.publish(&refused);
        net.wait(50).await;
        assert!(
            net.replies()
                .await
                .iter()
                .any(|reply| matches!(reply, PublisherReply::Refused { kind: RefusalKind::Quarantined, .. }))
        );

        let retraction = a.retract(3);
        assert_eq!(a.head(), good);
        net.retract(retraction);
        net.publish(&a.next(B, 2));
        net.until_head(&a).await;
        net.until_status(A, RollupStatus::Active).await;
        assert!(net.handle(0).rollups().iter().any(|leaf| leaf.generation == Generation(1)));
        net.until_certified().await;
    });
}

#[test]
fn a_message_that_claims_another_place_sets_its_rollup_aside() {
    run(8, |context| async move {
        let net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        net.publish(&a.next(B, 2));
        net.publish(&a.next_forged(B));
        net.until_status(A, RollupStatus::Quarantined).await;
        let found = evidence(net.handle(2));
        assert!(matches!(found[..], [Evidence::InvalidBlock { reason: InvalidReason::GatewayLog, .. }]));
        net.until_certified().await;
    });
}

#[test]
fn two_blocks_for_one_number_set_a_rollup_aside_whoever_saw_which() {
    for seed in 0..3 {
        run(seed, |context| async move {
            let net = Net::new(context, 4, Link::default()).await;
            let mut a = net.chain(A);
            net.publish(&a.next(B, 1));
            net.until_head(&a).await;
            let one = a.next(B, 1);
            a.fork(1);
            let other = a.next(B, 1);
            for index in 0..4 {
                let told = if index < 2 { &one } else { &other };
                net.tell(index, &PublisherMessage::Submit(told.clone()));
            }
            net.until_status(A, RollupStatus::Quarantined).await;
            let found = evidence(net.handle(3));
            assert!(matches!(found[..], [Evidence::Equivocation { .. }]), "{found:?}");
            net.until_certified().await;
        });
    }
}

#[test]
fn a_sequencer_takes_back_blocks_and_goes_on() {
    run(9, |context| async move {
        let net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        for _ in 0..6 {
            net.publish(&a.next(B, 1));
        }
        net.until_head(&a).await;
        let retraction = a.retract(3);
        // Blocks of the next generation may come before the retraction does.
        let next = a.next(B, 2);
        net.publish(&next);
        net.wait(30).await;
        net.retract(retraction);
        net.publish(&a.next(B, 1));
        net.until_head(&a).await;
        net.until_certified().await;
        assert!(evidence(net.handle(0)).is_empty());
        let leaf = net.handle(0).rollups()[0];
        assert_eq!((leaf.generation, leaf.status), (Generation(1), RollupStatus::Active));
    });
}

#[test]
fn strangers_and_forgers_are_refused() {
    run(11, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        let good = a.next(B, 0);
        let claim = good.claim.claim;
        let mut kinds = Vec::new();
        let wrong: [&dyn Fn(&mut Submission); 6] = [
            &|submission| submission.claim.claim.chain_id = ChainId(5),
            &|submission| submission.claim.claim.generation = Generation(1),
            &|submission| submission.claim.claim.registration.0.0[0] ^= 1,
            &|submission| submission.claim.claim.block.hash.0[0] ^= 1,
            &|submission| submission.block = vec![0xc0].into(),
            &|submission| submission.block = Default::default(),
        ];
        for change in wrong {
            let mut submission = good.clone();
            change(&mut submission);
            net.tell(0, &PublisherMessage::Submit(submission));
            net.wait(50).await;
            for reply in net.replies().await {
                if let PublisherReply::Refused { kind, .. } = reply {
                    kinds.push(kind);
                }
            }
        }
        use RefusalKind::{Malformed, Signature, UnknownRollup};
        assert_eq!(kinds, [UnknownRollup, Signature, Signature, Signature, Malformed, Malformed]);
        assert!(a.head().number > latest(net.handle(0), A).number);
        assert_eq!(claim.chain_id, A);
    });
}

#[test]
fn only_a_rollups_publisher_is_heard_about_it() {
    run(13, |context| async move {
        let mut net = Net::of(context, 4, Link::default(), |file| file.peers[0].chain_id = Some(B)).await;
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        let other = a.next(A, 0);
        net.publish(&other);
        net.retract(a.clone().retract(1));
        net.publish(&b.next(A, 0));
        net.until_head(&b).await;
        let mut strange = 0;
        for reply in net.replies().await {
            match reply {
                PublisherReply::Refused { chain_id, kind, .. } => {
                    assert_eq!((chain_id, kind), (A, RefusalKind::Stranger));
                    strange += 1;
                }
                PublisherReply::Accepted { chain_id, .. } => assert_eq!(chain_id, B),
                _ => {}
            }
        }
        assert_eq!(strange, 8, "a block and a retraction, refused by four operators");
        assert_eq!(latest(net.handle(0), A).number, other.claim.claim.block.number - 1);
    });
}

#[test]
fn a_peer_that_is_no_publisher_is_not_answered() {
    run(14, |context| async move {
        let mut net =
            Net::of(context, 4, Link::default(), |file| file.peers[0].role = PeerRole::Relayer).await;
        let mut a = net.chain(A);
        net.publish(&a.next(B, 0));
        net.tell(0, &PublisherMessage::Ask { chain_id: A });
        net.wait(1_000).await;
        assert_eq!(net.replies().await, []);
        assert!(latest(net.handle(0), A) != a.head());
        assert!(net.context.encode().contains("strangers_total{index=\"0\",start=\"1\"} 2"));
    });
}

#[test]
fn a_publisher_that_sends_too_much_is_told_to_wait_and_others_are_heard() {
    run(15, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        let (good, mut large) = (a.next(B, 0), b.next(A, 0));
        // Well formed as far as a claim goes; what it carries is above the rollup's limit.
        large.witness = vec![0; 7 << 20].into();
        for _ in 0..16 {
            net.tell(0, &PublisherMessage::Submit(large.clone()));
        }
        net.wait(50).await;
        let busy = PublisherReply::Refused {
            chain_id: B,
            generation: Generation(0),
            block: b.head(),
            kind: RefusalKind::Busy,
        };
        let refused = net.replies().await.into_iter().filter(|reply| *reply == busy).count();
        assert!((1..16).contains(&refused), "{refused} of 16 refused");
        net.wait(6_000).await;
        net.publish(&good);
        net.until_head(&a).await;
    });
}

#[test]
fn a_block_that_nobody_can_judge_is_an_alarm_and_not_invalid() {
    run(16, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        let block = a.next(B, 1);
        for _ in 0..6 {
            net.publish(&incomplete(&block));
            net.wait(1_000).await;
        }
        for index in 0..4 {
            let status = net.handle(index).status();
            assert!(status.last_alarm().is_some_and(|what| what.contains("cannot be judged")), "{status:?}");
            assert_eq!(status.alarms_total, 1, "said once");
        }
        assert!(net.handle(0).rollups().iter().all(|leaf| leaf.status == RollupStatus::Active));
        net.publish(&b.next(A, 1));
        net.until_head(&b).await;
        net.publish(&block);
        net.until_head(&a).await;
        assert!(evidence(net.handle(0)).is_empty() && net.replies().await.len() > 4);
    });
}

#[test]
fn three_of_four_certify_and_two_wait() {
    run(12, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        net.kill(1);
        net.publish(&a.next(B, 1));
        net.until_head(&a).await;
        net.until_certified().await;
        net.kill(2);
        net.wait(2_000).await;
        let stuck = net.handle(0).header().height;
        net.wait(5_000).await;
        assert_eq!(net.handle(0).header().height, stuck);
        net.start(2).await;
        let next = a.next(B, 1);
        for _ in 0..10 {
            net.publish(&next);
            net.wait(300).await;
        }
        net.until_head(&a).await;
        net.until_certified().await;
    });
}
