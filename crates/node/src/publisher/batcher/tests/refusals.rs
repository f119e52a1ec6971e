//! What keeps it from posting, and what it says then.

use super::*;
use alloy_sol_types::SolError as _;
use commonware_runtime::{Runner as _, deterministic};
use hum_chain::contracts::BatchInbox;
use hum_types::B256;

#[test]
fn an_l1_that_is_down_is_waited_for() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        desk.l1.set_down(true);
        let (_batcher, shared) = desk.start();
        desk.wait(1_000_000).await;
        let view = shared.view();
        assert!(view.role.waits().starts_with("L1: "), "{}", view.role.waits());
        assert_eq!(view.role.alarms_total, 1, "one alarm for one outage");
        assert!(desk.l1.asked() < 100, "it backs off: {}", desk.l1.asked());
        desk.l1.set_down(false);
        desk.wait(30_000).await;
        desk.assert_posted(8, "it resumes by itself");
    });
}

#[test]
fn a_node_that_is_down_or_has_lost_blocks_is_waited_for() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        desk.node.set_down(true);
        let (_batcher, shared) = desk.start();
        desk.wait(20_000).await;
        assert!(shared.view().role.waits().starts_with("node: "), "{}", shared.view().role.waits());
        let hash = desk.node.at(5).hash;
        desk.node.prune(hash);
        desk.node.set_down(false);
        desk.wait(60_000).await;
        let waits = shared.view().role.waits().to_owned();
        assert_eq!(waits, format!("the node does not have the claimed block 5, {hash}"));
        assert!(desk.l1.posts().is_empty());
    });
}

#[test]
fn an_account_that_may_not_post_is_named_until_it_may() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        let account = Submit::sender(&*desk.l1);
        let error = BatchInbox::NotBatcher { registration: B256::ZERO, caller: account };
        desk.l1.set_refuses(Some(error.abi_encode()));
        let (_batcher, shared) = desk.start();
        desk.wait(10_000).await;
        let said = format!(
            "account {account} may not post for this rollup: the registrant names it on L1 (setBatcher)"
        );
        assert_eq!(shared.view().role.last_alarm(), Some(&*said));
        assert_eq!(shared.view().role.waits(), said);
        desk.l1.set_refuses(None);
        desk.wait(30_000).await;
        desk.assert_posted(8, "once it may");
        let error = BatchInbox::RegistrationGone { registration: B256::ZERO };
        desk.l1.set_refuses(Some(error.abi_encode()));
        desk.claim_to(20);
        desk.wait(10_000).await;
        assert_eq!(shared.view().role.last_alarm(), Some("the rollup's registration is gone from L1"));
    });
}

#[test]
fn no_more_is_spent_in_an_hour_than_was_allowed() {
    let hours = deterministic::Config::new().with_timeout(Some(Duration::from_secs(3 * 3_600)));
    deterministic::Runner::new(hours).start(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        let (batcher, _) = desk.start();
        desk.wait(100).await;
        batcher.abort();
        // Room for two such batches at twice their price, and then some.
        let one = desk.l1.fees_wei();
        desk.settings.spend_cap_wei = one * 4;
        let (_batcher, shared) = desk.start();
        for head in [20, 30, 40, 50, 60, 70] {
            desk.claim_to(head);
            desk.wait(10_000).await;
        }
        let spent = desk.l1.fees_wei() - one;
        assert!(spent >= one && spent <= one * 4, "{spent} of {}", one * 4);
        let alarm = shared.view().role.last_alarm().map(ToOwned::to_owned).expect("an alarm");
        assert!(alarm.contains("of this hour's are left"), "{alarm}");
        let posted = desk.l1.blocks().len() as u64;
        assert!(posted < 68, "{posted}");
        desk.wait(3_600_000).await;
        desk.assert_posted(68, "the next hour");
    });
}

#[test]
fn a_low_balance_is_said_once() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.settings.low_balance_wei = 1_000;
        desk.l1.set_balance(999);
        desk.claim_to(10);
        let (_batcher, shared) = desk.start();
        desk.wait(20_000).await;
        let account = Submit::sender(&*desk.l1);
        let said = format!("account {account} has 999 wei left, less than 1000");
        assert_eq!(shared.view().role.last_alarm(), Some(&*said));
        assert_eq!(shared.view().role.alarms_total, 1);
        desk.assert_posted(8, "it posts as long as it can");
    });
}

#[test]
fn nothing_is_posted_above_what_is_not_ours() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        let stranger = BlockRef { number: 4, hash: B256::repeat_byte(9) };
        desk.l1.put(1, stranger);
        let (_batcher, shared) = desk.start();
        desk.wait(10_000).await;
        let (posted, claimed) = (stranger.hash, desk.node.at(4).hash);
        let said = format!("L1 has batches up to block 4, {posted}, but the claimed block is {claimed}");
        assert_eq!(shared.view().role.last_alarm(), Some(&*said));
        assert_eq!(desk.l1.posts().len(), 1);
    });
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(10);
        desk.l1.put(3, desk.node.at(4));
        let (_batcher, shared) = desk.start();
        desk.wait(10_000).await;
        let said = "the first batch on L1 starts at block 3, the anchor is 0: nobody settles by it";
        assert_eq!(shared.view().role.last_alarm(), Some(said));
        assert_eq!(desk.l1.posts().len(), 1);
    });
}

#[test]
fn claims_that_are_behind_what_is_posted_are_waited_for() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.claim_to(3);
        desk.node.extend(20, 0, 0);
        desk.l1.put(1, desk.node.at(8));
        let (_batcher, shared) = desk.start();
        desk.wait(3_000).await;
        assert_eq!(shared.view().role.waits(), "claims to reach block 8, which is posted");
        (4..=20).for_each(|number| desk.claimed.claim(desk.node.at(number)));
        desk.wait(3_000).await;
        let posts = desk.l1.posts();
        assert_eq!((posts.len(), posts[1].first, posts[1].last), (2, 9, desk.node.at(18)));
    });
}
