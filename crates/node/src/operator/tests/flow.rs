//! What happens when nothing goes wrong, or only the network does.

use super::*;
use std::collections::BTreeSet;

/// Four operators and two rollups with a block every 250 ms; returns claim to certificate times in milliseconds.
fn latencies(seed: u64, link: Link, blocks: usize) -> (Vec<u64>, String) {
    run(seed, |context| async move {
        let net = Net::new(context, 4, link).await;
        let mut events = net.handle(0).subscribe();
        let (mut a, mut b) = (net.chain(A), net.chain(B));
        net.wait(1_000).await;
        for _ in 0..blocks {
            net.publish(&a.next(B, 2));
            net.wait(97).await;
            net.publish(&b.next(A, 1));
            net.wait(153).await;
        }
        net.until_head(&a).await;
        net.until_head(&b).await;
        net.until_certified().await;

        let (mut claimed, mut open, mut took) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut messages = BTreeSet::new();
        while let Ok(event) = events.try_recv() {
            match event {
                Event::Claimed { block, at, .. } => {
                    claimed.insert(block.hash, at.0);
                }
                Event::Finalised { checkpoint, messages: carried, .. } => {
                    messages.extend(carried.iter().map(|message| message.id));
                    for advance in &checkpoint.body.advances {
                        for block in &advance.blocks {
                            open.push((checkpoint.header.height, block.block.hash));
                        }
                    }
                }
                Event::Certified { certificate, at } => open.retain(|(height, block)| {
                    let covered = *height <= certificate.height;
                    if covered && let Some(since) = claimed.get(block) {
                        took.push(at.0 - since);
                    }
                    !covered
                }),
                Event::Judged { invalid, .. } => assert_eq!(invalid, None),
                Event::Attested { .. } | Event::Signed { .. } => {}
                Event::Contradicted { attestation, .. } => panic!("{attestation}"),
                Event::Alarm { what, .. } => panic!("{what}"),
            }
        }
        assert_eq!(took.len(), claimed.len(), "every block claimed here is certified");
        // What the link loses on its way here is fetched from another operator once it is proposed.
        assert!(link.lost_per_mille > 0 || claimed.len() == 2 * blocks, "{} claims", claimed.len());
        assert_eq!(messages.len(), 3 * blocks, "every message is carried once");
        took.sort_unstable();
        (took, net.context.auditor().state())
    })
}

#[test]
fn blocks_are_certified_fast() {
    let (took, _) = latencies(1, Link { latency_ms: 1, jitter_ms: 0, lost_per_mille: 0 }, 40);
    let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
    println!(
        "claim to certificate in virtual time: p50 {p50} ms, p99 {p99} ms, max {} ms",
        took[took.len() - 1]
    );
    assert!(p50 <= 150, "p50 {p50} ms");
    assert!(p99 <= 400, "p99 {p99} ms");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let lossy = Link { latency_ms: 15, jitter_ms: 5, lost_per_mille: 50 };
    let one = latencies(9, lossy, 6);
    assert_eq!(one, latencies(9, lossy, 6));
    assert_ne!(one.1, latencies(10, lossy, 6).1);
}

#[test]
fn an_idle_network_goes_on_and_certifies() {
    run(2, |context| async move {
        let net = Net::new(context, 4, Link::default()).await;
        net.wait(10_000).await;
        net.until_certified().await;
        let height = net.handle(0).header().height.0;
        assert!((20..=40).contains(&height), "{height} checkpoints in ten idle seconds");
        assert!(
            net.handle(0).checkpoints(Height(1), 1_000).iter().all(|checkpoint| checkpoint.body.is_empty())
        );
    });
}

#[test]
fn a_backlog_goes_into_few_checkpoints() {
    run(3, |context| async move {
        let net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        // As many as a publisher's quota lets pass at once.
        for _ in 0..90 {
            let submission = a.next(B, 1);
            net.publish(&submission);
        }
        net.until_head(&a).await;
        let used = net.handle(0).checkpoints(Height(1), 1_000);
        let used = used.iter().filter(|checkpoint| !checkpoint.body.is_empty()).count();
        assert!(used <= 20, "{used} checkpoints for 90 blocks");
        net.until_certified().await;
    });
}

#[test]
fn publishers_are_told_where_they_stand() {
    run(4, |context| async move {
        let mut net = Net::new(context, 4, Link::default()).await;
        let mut a = net.chain(A);
        let first = a.next(B, 0);
        net.tell(0, &PublisherMessage::Submit(first.clone()));
        net.wait(50).await;
        let chain_id = A;
        let block = first.claim.claim.block;
        let generation = hum_types::Generation(0);
        assert_eq!(net.replies().await, [PublisherReply::Accepted { chain_id, generation, block }]);
        net.until_head(&a).await;
        net.tell(0, &PublisherMessage::Submit(first));
        net.tell(1, &PublisherMessage::Ask { chain_id });
        net.wait(50).await;
        let replies = net.replies().await;
        assert!(replies.contains(&PublisherReply::Refused {
            chain_id,
            generation,
            block,
            kind: crate::wire::RefusalKind::Settled,
        }));
        assert!(replies.iter().any(|reply| matches!(
            reply,
            PublisherReply::Status(status)
                if status.head == block && status.held == block && status.status == RollupStatus::Active
        )));
    });
}
