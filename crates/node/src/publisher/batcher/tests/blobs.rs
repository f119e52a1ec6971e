//! Batches in blobs.

use super::*;
use crate::config::BatchData;

#[test]
fn batches_go_into_blobs_and_their_gas_is_paid() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.settings.data = BatchData::Blobs;
        desk.settings.data_bytes_max = 2_000;
        desk.node.extend(4, 0, 200_000);
        (1..=4).for_each(|number| desk.claimed.claim(desk.node.at(number)));
        let (_batcher, shared) = desk.start();
        desk.wait(100).await;
        desk.assert_posted(2, "what no calldata have room for");
        let posts = desk.l1.posts();
        assert_eq!(
            posts.iter().map(|post| post.blobs).collect::<Vec<_>>(),
            [4],
            "two blocks of 200,000 bytes"
        );
        let view = shared.view();
        assert_eq!((view.blobs, view.spent_wei), (4, desk.l1.fees_wei()));
        assert!(view.spent_wei > 4 * 131_072 * l1::BLOB_PRICE_WEI);
        assert!(view.role.last_did().contains("bytes, 4 blobs) in L1 block"), "{}", view.role.last_did());
    });
}

#[test]
fn the_cap_is_for_gas_of_both_kinds() {
    run(|context| async move {
        let mut desk = Desk::new(context).await;
        desk.settings.data = BatchData::Blobs;
        desk.settings.spend_cap_wei = 2 * 131_072 * l1::BLOB_PRICE_WEI;
        desk.claim_to(10);
        let (_batcher, shared) = desk.start();
        desk.wait(100).await;
        assert!(desk.l1.posts().is_empty());
        let alarm = shared.view().role.last_alarm().map(ToOwned::to_owned).expect("an alarm");
        assert!(alarm.starts_with("posting costs up to"), "{alarm}");
    });
}

#[test]
fn where_l1_has_no_blobs_they_go_into_calldata() {
    for has in [false, true] {
        run(move |context| async move {
            let mut desk = Desk::new(context).await;
            desk.settings.data = BatchData::Auto;
            if has {
                desk.l1.set_blob_gas();
            }
            desk.claim_to(10);
            desk.start();
            desk.wait(100).await;
            desk.assert_posted(8, "either way");
            assert_eq!(desk.l1.posts()[0].blobs, usize::from(has));
        });
    }
}
