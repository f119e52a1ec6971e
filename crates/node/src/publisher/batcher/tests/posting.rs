//! What is posted, and going on after a crash.

use super::*;

#[test]
fn claimed_blocks_follow_one_another_without_the_newest() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        let (_batcher, shared) = desk.start();
        desk.wait(100).await;
        desk.assert_posted(8, "two of ten stay out");
        let view = shared.view();
        let bytes = desk.l1.posts()[0].data.len();
        assert_eq!(view.role.last_did(), format!("posted blocks 1 to 8 (8 in {bytes} bytes) in L1 block 2"));
        let (posts, data_bytes, spent_wei) = (view.posts, view.data_bytes, view.spent_wei);
        assert_eq!((posts, data_bytes, spent_wei), (1, bytes as u64, desk.l1.fees_wei()));
        desk.claim_to(15);
        desk.wait(1_000).await;
        desk.assert_posted(8, "the interval is not over");
        desk.wait(1_000).await;
        desk.assert_posted(13, "the next batch");
        desk.wait(2_000).await;
        let view = shared.view();
        assert_eq!(view.role.waits(), "block 16 to be claimed");
        let newest = view.posted.expect("posted");
        assert_eq!((newest.index, newest.last, newest.l1_block), (1, desk.node.at(13), 3));
        assert_eq!(view.role.alarms_total, 0);
        let rebuilt = hum_batch::Batch::decode(&desk.l1.posts()[1].data).unwrap();
        assert!(rebuilt.blocks.iter().all(|block| block.rlp == desk.node.rlp(block.block.number)));
    });
}

#[test]
fn what_was_never_claimed_is_not_posted() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(5);
        desk.node.extend(50, 0, 0);
        desk.start();
        desk.wait(10_000).await;
        desk.assert_posted(3, "the node has fifty, five are claimed");
    });
}

#[test]
fn more_than_fits_goes_into_several_batches_at_once() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.settings.data_bytes_max = 10_000;
        desk.node.extend(42, 0, 1_000);
        (1..=42).for_each(|number| desk.claimed.claim(desk.node.at(number)));
        desk.start();
        desk.wait(100).await;
        desk.assert_posted(40, "a backlog does not wait");
        let posts = desk.l1.posts();
        assert!(posts.len() >= 5, "{} posts", posts.len());
        assert!(posts.iter().all(|post| post.data.len() <= 10_000));
        let reads = desk.node.reads();
        assert!(reads <= 41, "each block is read once: {reads}");
    });
}

#[test]
fn one_that_does_not_fit_is_named() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.settings.data_bytes_max = 2_000;
        desk.claim_to(3);
        desk.node.extend(4, 0, 4_000);
        desk.claimed.claim(desk.node.at(4));
        desk.claim_to(9);
        let (_batcher, shared) = desk.start();
        desk.wait(10_000).await;
        desk.assert_posted(3, "up to the one that is too large");
        let alarm = shared.view().role.last_alarm().map(ToOwned::to_owned).expect("an alarm");
        assert!(alarm.starts_with("block 4 alone makes a batch of"), "{alarm}");
        assert!(alarm.contains("a post has room for 2000; in blobs"), "{alarm}");
    });
}

#[test]
fn a_long_way_back_is_gone_by_hashes() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.node.extend(1_400, 0, 0);
        // All that the journal remembers is the end.
        desk.journal.adopt(Generation(0), desk.node.at(1_400)).await.unwrap();
        desk.claimed.set(&desk.journal);
        desk.start();
        desk.wait(10_000).await;
        desk.assert_posted(1_398, "from the anchor on");
    });
}

#[test]
fn a_crash_at_any_step_posts_nothing_twice_and_leaves_no_gap() {
    for (late, pooled) in [(false, false), (true, false), (false, true)] {
        for step in 0..14 {
            run(|context| async move {
                let why = format!("crash at step {step}, included late: {late}, pooled: {pooled}");
                let mut desk = Desk::new(context).await;
                desk.claim_to(10);
                desk.l1.set_answers(step);
                if pooled {
                    desk.l1.set_sending(Sending::Pooled);
                }
                let (batcher, _) = desk.start();
                desk.wait(5_000).await;
                batcher.abort();
                // A new process: what only the old one knew is gone.
                desk.claimed = Claimed::new(&desk.journal, Some(desk.settings.depth));
                (1..=10).for_each(|number| desk.claimed.claim(desk.node.at(number)));
                if !late {
                    desk.l1.mine();
                }
                desk.claim_to(14);
                desk.l1.set_answers(u64::MAX);
                desk.l1.set_sending(Sending::Included);
                let (_batcher, shared) = desk.start();
                desk.wait(5_000).await;
                desk.l1.mine();
                desk.wait(60_000).await;
                desk.assert_posted(12, &why);
                assert_eq!(shared.view().role.alarms_total, 0, "{why}");
                let (reverted, posts) = (desk.l1.reverted(), desk.l1.posts().len());
                assert!(
                    reverted <= u64::from(late) && posts <= 2,
                    "{why}: {reverted} reverted, {posts} posts"
                );
            });
        }
    }
}

#[test]
fn a_post_that_l1_drops_is_posted_again() {
    for lost in [true, false] {
        run(|context| async move {
            let mut desk = Desk::new(context).await;
            desk.claim_to(10);
            let (_batcher, _) = desk.start();
            desk.wait(100).await;
            desk.claim_to(20);
            desk.wait(2_000).await;
            desk.assert_posted(18, "before");
            desk.l1.reorganise(1, lost);
            desk.assert_posted(8, "L1 took a batch back");
            if !lost {
                desk.l1.mine();
            }
            desk.claim_to(25);
            desk.wait(4_000).await;
            desk.assert_posted(23, "and has it again");
        });
    }
}
