//! Formats and limits.

use super::{deterministic::seats, recorder::keys, terms::peer};
use crate::{
    Committee, CommitteeError, Digest, MAX_PAYLOAD, OTHERS_LATER_MAX, Peer, Peers, PeersError, PrivateKey,
    Signer as _, Tuning,
    block::{Block, BlockContext},
    engine::max_message,
    schemes::Schemes,
};
use bytes::Bytes;
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::{
    BoundedBlock as _,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{
    Digestible as _,
    certificate::{Provider as _, Scheme as _},
};
use std::sync::{Arc, Mutex};

fn block(payload: usize) -> Block {
    Block {
        context: BlockContext {
            round: Round::new(Epoch::zero(), View::new(7)),
            leader: keys(0, 1)[0].public_key(),
            parent: (View::new(6), Digest::from([1; 32])),
        },
        parent: Digest::from([1; 32]),
        height: Height::new(5),
        payload: Bytes::from(vec![9; payload]),
    }
}

#[test]
fn a_block_survives_its_encoding_and_nothing_else_does() {
    let encoded = block(300).encode();
    assert_eq!(Block::decode(encoded.clone()).unwrap(), block(300));
    assert!(Block::decode(encoded.slice(..encoded.len() - 1)).is_err());
    assert!(Block::decode(Bytes::from([encoded.as_ref(), &[0]].concat())).is_err());
}

#[test]
fn a_block_with_too_long_a_payload_is_refused() {
    let largest = block(MAX_PAYLOAD).encode();
    assert!(largest.len() <= Block::max_encode_size(&()));
    assert!(Block::decode(largest).is_ok());
    assert!(Block::decode(block(MAX_PAYLOAD + 1).encode()).is_err());
    assert!(max_message(100) as usize >= crate::MAX_MESSAGE);
}

#[test]
fn the_digest_commits_to_every_field() {
    let original = block(32);
    let variants: [fn(&mut Block); 7] = [
        |block| block.context.round = Round::new(Epoch::new(1), View::new(7)),
        |block| block.context.round = Round::new(Epoch::zero(), View::new(8)),
        |block| block.context.leader = keys(1, 1)[0].public_key(),
        |block| block.context.parent.0 = View::new(5),
        |block| block.parent = Digest::from([2; 32]),
        |block| block.height = Height::new(6),
        |block| block.payload = Bytes::from(vec![8; 32]),
    ];
    for change in variants {
        let mut changed = original.clone();
        change(&mut changed);
        assert_ne!(changed.digest(), original.digest());
    }
}

#[test]
fn a_committee_is_a_set_and_not_empty() {
    let operators: Vec<_> = keys(0, 4).iter().map(|key| key.public_key()).collect();
    let committee = Committee::new([0; 32], operators.iter().rev().cloned()).unwrap();
    assert_eq!(committee.operators(), operators);
    assert_eq!(committee.quorum(), 3);
    assert!(committee.contains(&operators[2]));
    assert!(!committee.contains(&keys(9, 1)[0].public_key()));
    assert_eq!(Committee::new([0; 32], []).unwrap_err(), CommitteeError::Empty);
    let twice = operators.iter().chain(&operators[..1]).cloned();
    assert_eq!(
        Committee::new([0; 32], twice).unwrap_err(),
        CommitteeError::Duplicate(Box::new(operators[0].clone()))
    );
}

#[test]
fn the_genesis_tells_networks_apart() {
    let operators: Vec<_> = keys(0, 4).iter().map(|key| key.public_key()).collect();
    let genesis = |domain, seats: usize| {
        Committee::new([domain; 32], operators[..seats].iter().cloned()).unwrap().genesis()
    };
    assert_ne!(genesis(0, 4), genesis(1, 4));
    assert_ne!(genesis(0, 4), genesis(0, 3));
}

#[test]
fn a_dead_leader_is_waited_for_once_and_not_for_long() {
    let tuning = Tuning::default();
    let (interval_ms, exchange_ms) = (200, 100);
    assert!(tuning.leader_timeout_ms + exchange_ms <= 600);
    assert!(tuning.longest_silence_ms + exchange_ms < tuning.leader_timeout_ms);
    assert!(tuning.leader_timeout_ms < tuning.certification_timeout_ms);
    assert!(tuning.certification_timeout_ms.max(tuning.retry_ms) < tuning.skip_after_ms);
    assert!(tuning.skip_after_ms < tuning.leader_timeout_ms + 2 * interval_ms);
}

#[test]
fn equal_seats_share_their_keys_and_a_term_to_come_has_none() {
    let (all, schemes) = (keys(100, 5), Schemes::default());
    let scheme = |seated: &[PrivateKey]| seats(seated).scheme(&all[0]);
    assert!(schemes.scoped(Epoch::new(7)).is_none());
    let first = schemes.insert(7, scheme(&all[..4]));
    let same = schemes.insert(8, scheme(&all[..4]));
    assert!(Arc::ptr_eq(&first, &same));
    let other = schemes.insert(9, scheme(&all[1..]));
    assert!(other.me().is_none() && first.me().is_some(), "without a seat it only verifies");
    for (term, expected) in [(6, None), (7, Some(4)), (8, Some(4)), (9, Some(4)), (10, None)] {
        let found = schemes.scheme(Epoch::new(term));
        assert_eq!(found.map(|scheme| scheme.participants().len()), expected, "term {term}");
    }
    assert!(Arc::ptr_eq(&first, &schemes.scheme(Epoch::new(8)).unwrap()));
    for term in 10..1_000 {
        schemes.insert(term, scheme(&all[usize::from(term % 2 == 0)..]));
    }
    assert!(schemes.scheme(Epoch::new(7)).is_none(), "what nobody needs is forgotten");
    assert!(schemes.scheme(Epoch::new(995)).is_some());
}

#[test]
fn the_transport_hears_of_changes_only_and_of_seats_to_their_end() {
    let all: Vec<Peer> = keys(100, 6).iter().map(|key| peer(&key.public_key())).collect();
    let committee =
        |peers: &[Peer]| Committee::new([3; 32], peers.iter().map(|peer| peer.key.clone())).unwrap();
    type Told = Arc<Mutex<Vec<(u64, Vec<Peer>)>>>;
    let told = Told::default();
    let heard = told.clone();
    let track = Box::new(move |index, peers: &[Peer], _: &[Peer]| {
        heard.lock().unwrap().push((index, peers.to_vec()))
    });
    let peers = Peers::new(&all[..4], &[], 5, &committee(&all[..4]), track).unwrap();
    peers.set_operators(all[..4].to_vec()).unwrap();
    // The first leaves the registry and keeps its seat; the fifth comes.
    peers.set_operators(all[1..5].to_vec()).unwrap();
    let refused = peers.set_operators(all[1..].to_vec());
    assert_eq!(refused, Err(PeersError::TooMany { given: 6, max: 5 }));
    // Its term is over.
    peers.seat(&committee(&all[1..5]));
    peers.set_operators(all[1..].to_vec()).unwrap();
    // It moves.
    let mut moved = all[1..].to_vec();
    moved[0].address.set_port(2);
    peers.set_operators(moved.clone()).unwrap();
    let told = told.lock().unwrap();
    let expected = [&all[..4], &all[..5], &all[1..5], &all[1..], &moved];
    assert_eq!(told.len(), expected.len());
    for ((index, peers), (place, expected)) in told.iter().zip((0..).zip(expected)) {
        assert_eq!((*index, peers.as_slice()), (place, expected));
    }
}

#[test]
fn the_transport_hears_of_others_that_come_and_go() {
    let all: Vec<Peer> = keys(100, 5).iter().map(|key| peer(&key.public_key())).collect();
    let committee = Committee::new([3; 32], all[..3].iter().map(|peer| peer.key.clone())).unwrap();
    type Told = Arc<Mutex<Vec<(u64, usize, Vec<Peer>)>>>;
    let told = Told::default();
    let heard = told.clone();
    let track = Box::new(move |index, operators: &[Peer], others: &[Peer]| {
        heard.lock().unwrap().push((index, operators.len(), others.to_vec()));
    });
    let peers = Peers::new(&all[..3], &all[3..4], 3, &committee, track).unwrap();
    peers.set_others(all[3..4].to_vec()).unwrap();
    peers.set_others(all[3..].to_vec()).unwrap();
    // An operator that calls itself something else stays one.
    peers.set_others(all[2..].to_vec()).unwrap();
    peers.set_others(all[4..].to_vec()).unwrap();
    let crowd = keys(1_000, OTHERS_LATER_MAX as u64 + 2);
    let crowd: Vec<Peer> = crowd.iter().map(|key| peer(&key.public_key())).collect();
    let (given, max) = (OTHERS_LATER_MAX + 2, OTHERS_LATER_MAX + 1);
    assert_eq!(peers.set_others(crowd), Err(PeersError::TooManyOthers { given, max }));
    peers.set_others(all[4..].to_vec()).unwrap();
    let expected = [(0, 3, &all[3..4]), (1, 3, &all[3..]), (2, 3, &all[4..])];
    let told = told.lock().unwrap();
    let told: Vec<_> =
        told.iter().map(|(index, count, others)| (*index, *count, others.as_slice())).collect();
    assert_eq!(told, expected);
}
