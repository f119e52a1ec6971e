//! Posting and taking back, which must not meet.

use super::*;
use crate::publisher::{
    PublisherHandle,
    claimed::{End, Posted},
    tests::local,
};
use hum_consensus::simulated::Link;

async fn bench(context: Context, l1: &Arc<L1>) -> Bench {
    let mut bench = Bench::new(context, Operators::new(4), Link::default()).await;
    bench.batcher = Some(parts(l1));
    bench
}

fn posted(publisher: &PublisherHandle) -> u64 {
    let batcher = publisher.view().batcher.expect("it has a batcher");
    batcher.posted.map_or(0, |batch| batch.last.number)
}

#[test]
fn a_publisher_posts_what_it_claims_and_says_so() {
    run(|context| async move {
        let (node, l1) = (Node::new(), L1::new());
        node.extend(20, 0, 0);
        let mut bench = bench(context, &l1).await;
        let publisher = bench.start_local(&node).await;
        bench.wait(10_000).await;
        assert_eq!((publisher.view().claimed.number, posted(&publisher)), (20, 18));
        let (view, json) = (publisher.view(), serde_json::to_value(publisher.view()).unwrap());
        assert_eq!(json["batcher"]["spent_wei"], l1.fees_wei().to_string());
        assert_eq!(serde_json::from_value::<crate::publisher::PublisherView>(json).unwrap(), view);
        // What is not posted is taken back as ever, and the batches go on along the new chain.
        node.rebuild(18, 30, 1);
        bench.wait(10_000).await;
        assert_eq!((publisher.view().generation, publisher.view().claimed), (Generation(1), node.at(30)));
        assert_eq!(l1.blocks(), (1..=28).map(|number| node.at(number)).collect::<Vec<_>>());
        assert_eq!(publisher.view().role.alarms_total, 0);
    });
}

#[test]
fn what_is_posted_is_not_taken_back() {
    run(|context| async move {
        let (node, l1) = (Node::new(), L1::new());
        node.extend(20, 0, 0);
        let mut bench = bench(context, &l1).await;
        let publisher = bench.start_local(&node).await;
        bench.wait(10_000).await;
        node.rebuild(17, 30, 1);
        bench.wait(60_000).await;
        let view = publisher.view();
        assert_eq!((view.generation, view.stage), (Generation(0), crate::publisher::Stage::Stopped));
        let said = "the chain dropped blocks down to 17, but blocks up to 18 are posted: not retracted";
        assert_eq!(view.role.last_alarm(), Some(said));
        assert_eq!(l1.posts().len(), 1, "nothing of the other branch");
        // The chain takes up what is posted: all goes on.
        node.rebuild(17, 25, 0);
        bench.wait(60_000).await;
        assert_eq!((publisher.view().generation, publisher.view().claimed), (Generation(0), node.at(25)));
        assert_eq!(l1.blocks(), (1..=23).map(|number| node.at(number)).collect::<Vec<_>>());
    });
}

#[test]
fn a_post_that_may_be_under_way_counts_until_it_is_given_up() {
    run(|context| async move {
        let (node, l1) = (Node::new(), L1::new());
        node.extend(20, 0, 0);
        l1.set_sending(Sending::GivenUp);
        let mut bench = bench(context, &l1).await;
        let publisher = bench.start_local(&node).await;
        bench.wait(10_000).await;
        l1.set_refuses(Some(Vec::new()));
        node.rebuild(17, 30, 1);
        bench.wait(60_000).await;
        assert_eq!(publisher.view().generation, Generation(0), "{}", publisher.view().role.waits());
        bench.wait(600_000).await;
        assert_eq!((publisher.view().generation, publisher.view().claimed), (Generation(1), node.at(30)));
    });
}

#[test]
fn a_post_from_before_a_crash_counts_too() {
    run(|context| async move {
        let (node, l1) = (Node::new(), L1::new());
        node.extend(20, 0, 0);
        l1.set_sending(Sending::Pooled);
        let mut bench = bench(context, &l1).await;
        let publisher = bench.start_local(&node).await;
        bench.wait(10_000).await;
        publisher.abort();
        // The node comes back on another branch while the post waits in the pool, and L1 shows nothing of it yet.
        let posted = node.at(18);
        node.rebuild(17, 30, 1);
        // Nor does the new process get a post out: what holds it back is only what was before it.
        l1.set_refuses(Some(Vec::new()));
        let publisher = bench.start_local(&node).await;
        bench.wait(60_000).await;
        assert_eq!(publisher.view().generation, Generation(0));
        l1.set_refuses(None);
        l1.mine();
        bench.wait(60_000).await;
        assert_eq!(publisher.view().generation, Generation(0));
        assert_eq!(l1.blocks().last(), Some(&posted));
    });
}

#[test]
fn nothing_is_taken_back_before_l1_says_what_is_posted() {
    run(|context| async move {
        let (node, l1) = (Node::new(), L1::new());
        node.extend(20, 0, 0);
        let mut bench = bench(context, &l1).await;
        let publisher = bench.start_local(&node).await;
        bench.wait(10_000).await;
        publisher.abort();
        l1.set_down(true);
        node.rebuild(17, 30, 1);
        let publisher = bench.start_local(&node).await;
        bench.wait(60_000).await;
        assert_eq!(publisher.view().generation, Generation(0));
        let waits = publisher.view().role.waits().to_owned();
        assert_eq!(waits, "the chain dropped blocks down to 17; L1 must say first what is posted");
        l1.set_down(false);
        bench.wait(120_000).await;
        let said = "the chain dropped blocks down to 17, but blocks up to 18 are posted: not retracted";
        assert_eq!(publisher.view().role.last_alarm(), Some(said));
        assert_eq!(publisher.view().generation, Generation(0));
    });
}

#[test]
fn a_restart_goes_on_where_l1_is() {
    run(|context| async move {
        let (node, l1) = (Node::new(), L1::new());
        node.extend(20, 0, 0);
        let mut bench = bench(context, &l1).await;
        for head in [20, 33, 47] {
            node.extend(head, 0, 0);
            let settings = bench.settings();
            let publisher = bench.start(settings, vec![Arc::<Node>::clone(&node)], local()).await;
            bench.wait(10_000).await;
            assert_eq!(posted(&publisher), head - 2);
            publisher.abort();
        }
        assert_eq!(l1.blocks(), (1..=45).map(|number| node.at(number)).collect::<Vec<_>>());
    });
}

#[test]
fn one_of_the_two_goes_first() {
    run(|context| async move {
        let desk = Desk::new(context).await;
        desk.claim_to(10);
        let claimed = &desk.claimed;
        assert_eq!(claimed.take_back(3), Err(Posted::Unknown));
        claimed.saw(0, 1_000);
        assert_eq!(claimed.take_back(5), Ok(()));
        assert!(!claimed.begin(Generation(0), desk.node.at(6)), "it is being taken back");
        assert!(claimed.begin(Generation(0), desk.node.at(5)), "it stands");
        assert_eq!(claimed.take_back(4), Err(Posted::UpTo(5)), "it is being posted");
        claimed.stands();
        claimed.end(End::NotSent);
        assert_eq!(claimed.take_back(4), Ok(()));
        claimed.stands();
        assert!(claimed.begin(Generation(0), desk.node.at(6)));
        claimed.end(End::Unknown);
        claimed.saw(0, 300_999);
        assert_eq!(claimed.take_back(4), Err(Posted::UpTo(6)), "it may still come");
        claimed.saw(0, 301_000);
        assert_eq!(claimed.take_back(4), Ok(()));
        claimed.stands();
        claimed.saw(7, 400_000);
        assert_eq!(claimed.take_back(6), Err(Posted::UpTo(7)));
        claimed.saw(0, 400_000);
        assert_eq!(claimed.take_back(6), Err(Posted::UpTo(7)), "what L1 drops usually comes back");
        claimed.saw(0, 700_000);
        assert_eq!(claimed.take_back(6), Ok(()));
        let other = BlockRef { hash: hum_types::B256::ZERO, ..desk.node.at(2) };
        assert!(!claimed.begin(Generation(0), other), "never claimed");
        assert!(!claimed.begin(Generation(1), desk.node.at(2)), "another generation");
        assert!(!claimed.begin(Generation(0), BlockRef { number: 11, ..other }), "not claimed yet");
    });
}
