use super::*;
use crate::{Address, LaneId, Message};

fn judgement() -> Judgement {
    Judgement {
        chain_id: ChainId(1),
        registration: RegistrationId(B256::repeat_byte(2)),
        generation: Generation(3),
        block: BlockRef { number: 4, hash: B256::repeat_byte(5) },
        parent: B256::repeat_byte(6),
        state_root: B256::repeat_byte(7),
        time_ms: TimeMs(8),
        messages: B256::repeat_byte(9),
    }
}

#[test]
fn a_judgement_has_188_bytes_and_every_field_is_signed() {
    let one = judgement();
    let bytes = one.encode();
    assert_eq!(bytes.len(), 188);
    assert_eq!(Judgement::decode(&bytes), Ok(one));
    let others = [
        Judgement { chain_id: ChainId(2), ..one },
        Judgement { registration: RegistrationId(B256::ZERO), ..one },
        Judgement { generation: Generation(4), ..one },
        Judgement { block: BlockRef { number: 5, ..one.block }, ..one },
        Judgement { block: BlockRef { hash: B256::ZERO, ..one.block }, ..one },
        Judgement { parent: B256::ZERO, ..one },
        Judgement { state_root: B256::ZERO, ..one },
        Judgement { time_ms: TimeMs(9), ..one },
        Judgement { messages: B256::ZERO, ..one },
    ];
    for other in others {
        assert_ne!(other.subject(), one.subject());
    }
    let (domain, epoch) = (Domain(B256::ZERO), Epoch(1));
    let digest = one.statement(domain, epoch).digest();
    assert_ne!(one.statement(Domain(B256::repeat_byte(1)), epoch).digest(), digest);
    assert_ne!(one.statement(domain, Epoch(2)).digest(), digest);
    let attested = SignedSubject { kind: Kind::Attestation, ..one.statement(domain, epoch) };
    assert_ne!(attested.digest(), digest);
}

#[test]
fn a_bound_hash_binds_both_and_the_messages_their_order() {
    let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
    assert_ne!(bound_hash(a, b), bound_hash(b, a));
    assert_eq!(bound_hash(a, b), keccak256([b"hum/bound-block/1", &a[..], &b[..]].concat()));
    let message = |byte| LaneMessage {
        lane: LaneId { facade: Address::ZERO, destination: ChainId(1) },
        message: Message {
            sender: Address::ZERO,
            recipient: Address::ZERO,
            min_gas_limit: 1,
            payload: vec![byte].into(),
        },
    };
    assert_ne!(messages_hash(&[message(1), message(2)]), messages_hash(&[message(2), message(1)]));
    assert_eq!(messages_hash(&[]), keccak256([0; 4]));
}

#[test]
fn a_bundle_is_bounded_and_canonical() {
    let one = JudgementBundle { operators: 9, bitmap: vec![0xff, 1], signature: FixedBytes([7; 64]) };
    let bytes = one.encode();
    assert_eq!(JudgementBundle::decode(&bytes).as_ref(), Ok(&one));
    for end in 0..bytes.len() {
        assert!(JudgementBundle::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut past = bytes.clone();
    past[3] = 2;
    assert!(matches!(JudgementBundle::decode(&past), Err(DecodeError::Malformed { field: "bitmap", .. })));
    let mut none = bytes.clone();
    none[..2].copy_from_slice(&[0, 0]);
    assert_eq!(JudgementBundle::decode(&none), Err(DecodeError::Value { field: "operators", value: 0 }));
    let mut many = bytes;
    many[..2].copy_from_slice(&[1, 1]);
    let (declared, bound) = (257, JUDGES_MAX);
    assert_eq!(
        JudgementBundle::decode(&many),
        Err(DecodeError::TooLong { field: "operators", declared, bound })
    );
}
