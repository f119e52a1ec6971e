//! Formats and limits.

use super::recorder::keys;
use crate::{
    Committee, CommitteeError, Digest, MAX_PAYLOAD, Signer as _, Tuning,
    block::{Block, BlockContext},
    engine::max_message,
};
use bytes::Bytes;
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::{
    BoundedBlock as _,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::Digestible as _;

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
