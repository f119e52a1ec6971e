//! Nothing is replayed without a certificate, whatever peers send.

use super::*;
use crate::tests::network::{DESTINATION, Network, SOURCES, heads};
use hum_types::{Address, Body, TimeMs};

const ALL: [u16; 4] = [0, 1, 2, 3];

fn start() -> (Network, CertifiedChain) {
    let network = Network::new(Address::repeat_byte(7));
    let chain = CertifiedChain::new(&network.genesis, BTreeSet::from([DESTINATION]));
    (network, chain)
}

/// A checkpoint with `count` messages of the first source.
fn checkpoint(network: &mut Network, count: usize) -> Checkpoint {
    let messages =
        (0..count).map(|n| network.message(SOURCES[0], Address::repeat_byte(9), &n.to_be_bytes())).collect();
    let block = network.block(SOURCES[0], messages);
    network.advance(vec![block], 200)
}

#[test]
fn a_certificate_covers_what_lies_below_it_in_any_order_of_arrival() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let (mut network, mut chain) = start();
        let checkpoints: Vec<_> = (0..3).map(|_| checkpoint(&mut network, 2)).collect();
        for at in order {
            assert_eq!(chain.offer(checkpoints[at].clone()), Ok(Offered::Held));
            assert_eq!(chain.certified(), None);
        }
        let top = checkpoints[2].header;
        assert_eq!(chain.certify(network.certify(&top, &ALL)), Ok(Offered::Advanced));
        assert_eq!(
            chain.certified(),
            Some(Certified { height: Height(3), time_ms: top.time_ms, epoch: Epoch(0) })
        );
        assert_eq!(chain.lanes()[0].count, 6);
    }
}

#[test]
fn a_certificate_that_comes_first_says_what_is_missing() {
    let (mut network, mut chain) = start();
    let checkpoints: Vec<_> = (0..3).map(|_| checkpoint(&mut network, 1)).collect();
    assert_eq!(chain.certify(network.certify(&checkpoints[2].header, &ALL)), Ok(Offered::Held));
    assert_eq!(chain.missing(), Some((Height(1), Height(3))));
    assert_eq!(chain.offer(checkpoints[2].clone()), Ok(Offered::Held));
    assert_eq!(chain.missing(), Some((Height(1), Height(2))));
    assert_eq!(chain.offer(checkpoints[0].clone()), Ok(Offered::Held));
    assert_eq!(chain.offer(checkpoints[1].clone()), Ok(Offered::Advanced));
    assert_eq!(chain.missing(), None);
}

#[test]
fn what_no_certificate_covers_is_never_replayed() {
    let (mut network, mut chain) = start();
    let (mut liar, _) = start();
    let forged = checkpoint(&mut liar, 5);
    let truth = checkpoint(&mut network, 1);
    assert_eq!(chain.offer(forged), Ok(Offered::Held));
    assert_eq!(chain.offer(truth.clone()), Ok(Offered::Held));
    assert_eq!(chain.certify(network.certify(&truth.header, &ALL)), Ok(Offered::Advanced));
    assert_eq!(chain.header(), &truth.header);
    assert_eq!(chain.lanes()[0].count, 1);
}

#[test]
fn another_body_is_refused() {
    let (mut network, mut chain) = start();
    let mut checkpoint = checkpoint(&mut network, 1);
    checkpoint.body = Body::default();
    assert!(matches!(chain.offer(checkpoint), Err(OfferError::Body { height: Height(1), .. })));
}

#[test]
fn another_deployment_is_refused() {
    let (mut network, mut chain) = start();
    let mut checkpoint = checkpoint(&mut network, 1);
    checkpoint.header.domain = Domain(B256::repeat_byte(9));
    assert!(matches!(chain.offer(checkpoint), Err(OfferError::Domain { height: Height(1), .. })));
}

#[test]
fn a_certificate_on_something_else_is_refused() {
    let (mut network, mut chain) = start();
    let header = checkpoint(&mut network, 1).header;
    let good = network.certify(&header, &ALL);
    let mut other = good.clone();
    other.header_hash = B256::repeat_byte(1);
    assert!(matches!(chain.certify(other), Err(OfferError::Certificate { height: Height(1), .. })));
    let mut other = good.clone();
    other.height = Height(2);
    assert!(matches!(chain.certify(other), Err(OfferError::Certificate { height: Height(2), .. })));
    assert_eq!(chain.certify(good), Ok(Offered::Held));
}

#[test]
fn liars_cannot_crowd_out_a_certified_checkpoint() {
    let (mut network, mut chain) = start();
    let truth = checkpoint(&mut network, 1);
    for lie in 0..10 {
        let mut forged = truth.clone();
        forged.header.time_ms = TimeMs(lie);
        let crowded = lie >= PER_HEIGHT_MAX as u64;
        assert_eq!(chain.offer(forged).is_err(), crowded);
    }
    assert_eq!(chain.offer(truth.clone()), Err(OfferError::Crowded { height: Height(1) }));
    assert_eq!(chain.certify(network.certify(&truth.header, &ALL)), Ok(Offered::Held));
    assert_eq!(chain.offer(truth), Ok(Offered::Advanced));
}

#[test]
fn a_fuller_certificate_replaces_a_thinner_one() {
    let (mut network, mut chain) = start();
    let truth = checkpoint(&mut network, 1);
    chain.offer(truth.clone()).expect("held");
    assert_eq!(chain.certify(network.certify(&truth.header, &[0, 1, 2])), Ok(Offered::Advanced));
    let signers = |chain: &CertifiedChain| chain.certificate().map(|held| held.certificate().signers.count());
    assert_eq!(signers(&chain), Some(3));
    assert_eq!(chain.certify(network.certify(&truth.header, &ALL)), Ok(Offered::Ignored));
    assert_eq!(signers(&chain), Some(4));
    assert_eq!(chain.certify(network.certify(&truth.header, &[1, 2, 3])), Ok(Offered::Ignored));
    assert_eq!(signers(&chain), Some(4));
}

#[test]
fn two_certified_chains_are_the_committees_lie() {
    let (mut network, mut chain) = start();
    let truth = checkpoint(&mut network, 1);
    chain.offer(truth.clone()).expect("held");
    chain.certify(network.certify(&truth.header, &ALL)).expect("advanced");
    let (mut other, _) = start();
    checkpoint(&mut other, 2);
    let fork = checkpoint(&mut other, 1);
    chain.offer(fork.clone()).expect("held");
    let error = chain.certify(network.certify(&fork.header, &ALL)).expect_err("a fork");
    assert!(
        matches!(error, OfferError::Fork { height: Height(2), at: Height(1), .. }) && error.is_committees()
    );
}

#[test]
fn a_certified_checkpoint_that_breaks_a_rule_stops_everything() {
    let (mut network, mut chain) = start();
    let mut broken = checkpoint(&mut network, 1);
    broken.header.rollups_root = B256::repeat_byte(1);
    chain.offer(broken.clone()).expect("held");
    let error = chain.certify(network.certify(&broken.header, &ALL)).expect_err("refused");
    assert!(matches!(error, OfferError::Refused { height: Height(1), .. }) && error.is_committees());
    assert_eq!(chain.certified(), None);
}

#[test]
fn a_retraction_tells_how_much_of_a_lane_it_kept() {
    let (mut network, mut chain) = start();
    let key = network.lane(SOURCES[0]);
    let mut take = |network: &Network, checkpoint: Checkpoint| {
        let certificate = network.certify(&checkpoint.header, &ALL);
        chain.offer(checkpoint).expect("held");
        assert_eq!(chain.certify(certificate), Ok(Offered::Advanced));
        [0, 1].map(|since| chain.kept(&key, Generation(since)))
    };
    let first = checkpoint(&mut network, 3);
    take(&network, first);
    let kept = heads(&network)[&SOURCES[0]];
    let second = checkpoint(&mut network, 2);
    assert_eq!(take(&network, second)[0], u64::MAX);
    let cut = network.retract(SOURCES[0], kept);
    assert_eq!(take(&network, cut), [3, u64::MAX]);
    let again = network.retract(SOURCES[0], kept);
    assert_eq!(take(&network, again), [3, 3]);
    let anchor = network.genesis.rollups[0].anchor;
    let all = network.retract(SOURCES[0], anchor);
    assert_eq!(take(&network, all), [0, 0]);
}

#[test]
fn messages_to_other_destinations_are_not_kept() {
    let network = Network::new(Address::repeat_byte(7));
    let mut chain = CertifiedChain::new(&network.genesis, BTreeSet::new());
    let mut network = network;
    let sent = checkpoint(&mut network, 3);
    let certificate = network.certify(&sent.header, &ALL);
    chain.offer(sent).expect("held");
    chain.certify(certificate).expect("advanced");
    assert_eq!(chain.lanes()[0].count, 3);
    assert_eq!(chain.message(&network.lane(SOURCES[0]), LaneIndex(1)), None);
}

/// Take everything that a handover finalises, certified or not.
fn hand_over(network: &mut Network, chain: &mut CertifiedChain, first: u16) -> Header {
    let mut checkpoints = network.rotate(first, crate::tests::network::VALID_UNTIL);
    let closing = checkpoints.pop().expect("a closing height");
    for checkpoint in checkpoints {
        assert_eq!(chain.offer(checkpoint), Ok(Offered::Held));
    }
    let header = closing.header;
    assert_eq!(chain.offer(closing), Ok(Offered::Held));
    assert_eq!(chain.certify(network.certify(&header, &[0, 1, 2])), Ok(Offered::Advanced));
    header
}

#[test]
fn certificates_count_by_the_committee_in_force_at_their_height() {
    let (mut network, mut chain) = start();
    for epoch in 1..4 {
        let closing = hand_over(&mut network, &mut chain, 2 * epoch);
        assert_eq!(closing.epoch, Epoch(u64::from(epoch) - 1));
        let opened = Epoch(u64::from(epoch));
        assert_eq!((chain.epoch(), chain.closing(opened)), (opened, None));
        assert_eq!(chain.table(opened).map(CommitteeTable::hash), Some(closing.next_table_hash));
        assert_eq!(chain.closing(closing.epoch).map(|closing| closing.header), Some(closing));
        let first = checkpoint(&mut network, 1);
        let certificate = network.certify(&first.header, &[0, 2, 3]);
        assert_eq!(chain.offer(first), Ok(Offered::Held));
        assert_eq!(chain.certify(certificate), Ok(Offered::Advanced));
        assert_eq!(chain.certified().map(|certified| certified.epoch), Some(opened));
    }
    let views = (0..5).map(|epoch| chain.committee(Epoch(epoch)).is_some());
    assert_eq!(views.collect::<Vec<_>>(), [true, true, true, true, false]);
}

#[test]
fn a_certificate_of_a_committee_not_known_yet_is_no_lie() {
    let (mut network, mut chain) = start();
    let mut checkpoints = network.rotate(2, crate::tests::network::VALID_UNTIL);
    let closing = checkpoints.last().expect("a closing height").header;
    checkpoints.push(checkpoint(&mut network, 1));
    let first = checkpoints.last().expect("just pushed").header;
    let certificate = network.certify(&first, &ALL);
    assert_eq!(chain.certify(certificate.clone()), Ok(Offered::Ignored));
    for checkpoint in checkpoints {
        assert_eq!(chain.offer(checkpoint), Ok(Offered::Held));
    }
    assert_eq!(chain.certify(certificate.clone()), Ok(Offered::Ignored));
    assert_eq!(chain.certify(network.certify(&closing, &ALL)), Ok(Offered::Advanced));
    assert_eq!(chain.certify(certificate), Ok(Offered::Advanced));
    assert_eq!(chain.header(), &first);
}

#[test]
fn a_committee_that_signs_after_its_epoch_is_refused() {
    let (mut network, mut chain) = start();
    hand_over(&mut network, &mut chain, 2);
    let first = checkpoint(&mut network, 1);
    let (header, hash) = (first.header, first.header.hash());
    chain.offer(first).expect("held");
    // The former committee in its own epoch, then the present one in the former's.
    let former = network.certify_in(Epoch(0), &header, hash, &ALL);
    assert!(matches!(chain.certify(former.clone()), Err(OfferError::Certificate { .. })));
    let renamed = Certificate { epoch: Epoch(1), ..former };
    assert!(matches!(chain.certify(renamed), Err(OfferError::Certificate { .. })));
    assert_eq!(chain.certified().map(|certified| certified.height), Some(Height(header.height.0 - 1)));
    assert_eq!(chain.certify(network.certify(&header, &ALL)), Ok(Offered::Advanced));
}

#[test]
fn a_chain_that_passes_its_epochs_end_in_the_same_hands_is_the_committees_lie() {
    let (mut network, mut chain) = start();
    let mut checkpoints = network.rotate(2, crate::tests::network::VALID_UNTIL);
    let closing = checkpoints.last().expect("a closing height").header;
    let first = checkpoint(&mut network, 1);
    let (header, hash) = (first.header, first.header.hash());
    checkpoints.push(first);
    // Before the end is known, nothing is wrong with what the committee signs for a later height.
    assert_eq!(chain.certify(network.certify_in(Epoch(0), &header, hash, &ALL)), Ok(Offered::Held));
    let outcomes: Vec<_> = checkpoints.into_iter().map(|checkpoint| chain.offer(checkpoint)).collect();
    let lie = OfferError::AfterClosing { height: header.height, epoch: Epoch(0), closed: closing.height };
    assert_eq!(outcomes.last(), Some(&Err(lie.clone())));
    assert!(lie.is_committees());
    // The truth goes on.
    assert_eq!(chain.certify(network.certify(&closing, &ALL)), Ok(Offered::Advanced));
    assert_eq!(chain.certify(network.certify(&header, &ALL)), Ok(Offered::Advanced));
}

#[test]
fn targets_of_an_epoch_that_has_ended_are_dropped() {
    let (mut network, mut chain) = start();
    let checkpoints = network.rotate(2, crate::tests::network::VALID_UNTIL);
    let closing = checkpoints.last().expect("a closing height").header;
    let later = Header { height: Height(closing.height.0 + 3), ..closing };
    let lie = network.certify_in(Epoch(0), &later, B256::repeat_byte(1), &ALL);
    assert_eq!(chain.certify(lie), Ok(Offered::Held));
    for checkpoint in checkpoints {
        assert_eq!(chain.offer(checkpoint), Ok(Offered::Held));
    }
    assert_eq!(chain.certify(network.certify(&closing, &ALL)), Ok(Offered::Advanced));
    assert_eq!(chain.missing(), None, "nobody is asked for what does not exist");
}

#[test]
fn a_fuller_closing_certificate_is_what_light_clients_get() {
    let (mut network, mut chain) = start();
    let closing = hand_over(&mut network, &mut chain, 2);
    let signers = |chain: &CertifiedChain| {
        chain.closing(Epoch(0)).map(|closing| closing.certificate.certificate().signers.count())
    };
    assert_eq!(signers(&chain), Some(3));
    assert_eq!(chain.certify(network.certify(&closing, &ALL)), Ok(Offered::Ignored));
    assert_eq!(signers(&chain), Some(4));
}
