//! Every encoding: round trip, each truncation, trailing bytes, bounds.

use crate::*;
use proptest::{collection::vec, prelude::*};

fn hash() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::new)
}

fn block_ref() -> impl Strategy<Value = BlockRef> {
    (any::<u64>(), hash()).prop_map(|(number, hash)| BlockRef { number, hash })
}

fn claim() -> impl Strategy<Value = SignedClaim> {
    (any::<u64>(), hash(), any::<u32>(), block_ref()).prop_map(|(chain, registration, generation, block)| {
        HeadClaim {
            chain_id: ChainId(chain),
            registration: RegistrationId(registration),
            generation: Generation(generation),
            block,
        }
        .sign(Domain(B256::ZERO), &SequencerKey::from_secret(B256::repeat_byte(9)).unwrap())
    })
}

fn lane_message() -> impl Strategy<Value = LaneMessage> {
    (any::<[u8; 20]>(), any::<u64>(), any::<u32>(), vec(any::<u8>(), 0..80)).prop_map(
        |(address, to, gas, payload)| LaneMessage {
            lane: LaneId { facade: address.into(), destination: ChainId(to) },
            message: Message {
                sender: address.into(),
                recipient: Address::ZERO,
                min_gas_limit: gas,
                payload: payload.into(),
            },
        },
    )
}

fn roster() -> impl Strategy<Value = Roster> {
    let entry = (any::<[u8; 20]>(), hash(), vec(any::<u8>(), 0..=ENDPOINT_BYTES_MAX), any::<u128>())
        .prop_map(|(operator, word, endpoint, stake)| RosterEntry {
            operator: operator.into(),
            key_g1: alloy_primitives::FixedBytes::repeat_byte(word[0]),
            key_g2: alloy_primitives::FixedBytes::repeat_byte(word[1]),
            possession: alloy_primitives::FixedBytes::repeat_byte(word[2]),
            network_key: word,
            endpoint: Endpoint::new(endpoint).unwrap(),
            stake: Stake(stake),
        });
    (any::<u64>(), vec(entry, 1..4))
        .prop_map(|(until, entries)| Roster { valid_until: TimeS(until), entries })
}

fn checkpoint() -> impl Strategy<Value = Checkpoint> {
    let block = (block_ref(), hash(), any::<u64>(), claim(), vec(lane_message(), 0..3)).prop_map(
        |(block, state_root, time, signed, messages)| AdvancedBlock {
            block,
            state_root,
            time_ms: TimeMs(time),
            signature: signed.signature,
            messages,
        },
    );
    let bundle = (1_u16..=8, any::<u8>()).prop_map(|(operators, byte)| JudgementBundle {
        operators,
        bitmap: vec![byte >> (8 - operators)],
        signature: alloy_primitives::FixedBytes::repeat_byte(byte),
    });
    let advance = (any::<u64>(), vec(block, 0..3), vec(bundle, 0..3))
        .prop_map(|(chain, blocks, judgements)| Advance { chain_id: ChainId(chain), blocks, judgements });
    let change = prop_oneof![
        (claim(), claim())
            .prop_map(|(one, other)| Change::Quarantine { evidence: Evidence::Equivocation { one, other } }),
        (claim(), 1_u8..=8).prop_map(|(claim, reason)| Change::Quarantine {
            evidence: Evidence::InvalidBlock { claim, reason: reason.try_into().unwrap() }
        }),
        claim().prop_map(|c| {
            let c = c.claim;
            let retraction = Retraction {
                chain_id: c.chain_id,
                registration: c.registration,
                generation: c.generation,
                kept: c.block,
            };
            let key = SequencerKey::from_secret(B256::repeat_byte(9)).unwrap();
            Change::Retract { retraction: retraction.sign(Domain(B256::ZERO), &key) }
        }),
        roster().prop_map(|roster| Change::NextCommittee { roster }),
        (any::<u64>(), 1_u8..=2, block_ref(), block_ref()).prop_map(|(chain, confidence, head, l1)| {
            Change::Settle {
                chain_id: ChainId(chain),
                confidence: confidence.try_into().unwrap(),
                head,
                l1: L1Origin { number: l1.number, hash: l1.hash },
            }
        }),
        (block_ref(), hash(), vec(any::<u8>(), 0..40), block_ref()).prop_map(
            |(anchor, root, profile, l1)| {
                Change::Join {
                    join: Join { anchor, anchor_state_root: root, profile: profile.into(), ..join(l1) },
                }
            }
        ),
        (any::<u64>(), block_ref()).prop_map(|(chain, l1)| Change::Leave {
            chain_id: ChainId(chain),
            l1: L1Origin { number: l1.number, hash: l1.hash },
        }),
        (block_ref(), block_ref(), block_ref()).prop_map(|(kept, head, l1)| Change::Reorg {
            chain_id: ChainId(7),
            kept,
            head,
            l1: L1Origin { number: l1.number, hash: l1.hash },
        }),
    ];
    let body =
        (vec(change, 0..3), vec(advance, 0..3)).prop_map(|(changes, advances)| Body { changes, advances });
    (hash(), any::<u64>(), any::<u64>(), any::<u64>(), body).prop_map(|(word, epoch, height, time, body)| {
        let header = Header {
            domain: Domain(word),
            epoch: Epoch(epoch),
            height: Height(height),
            time_ms: TimeMs(time),
            l1_origin: L1Origin { number: time, hash: word },
            parent: word,
            rollups_root: word,
            body_hash: body.hash(),
            next_table_hash: word,
        };
        Checkpoint { header, body }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_checkpoint_is_what_its_bytes_say(checkpoint in checkpoint()) {
        let bytes = checkpoint.encode();
        prop_assert_eq!(&Checkpoint::decode(&bytes).unwrap(), &checkpoint);
        prop_assert_eq!(checkpoint.header.encode().len(), HEADER_BYTES);
        for end in (0..bytes.len()).step_by(7) {
            prop_assert!(Checkpoint::decode(&bytes[..end]).is_err(), "cut at {}", end);
        }
        let mut longer = bytes;
        longer.push(0);
        let trailing = matches!(Checkpoint::decode(&longer), Err(DecodeError::Trailing { left: 1, .. }));
        prop_assert!(trailing);
        for change in &checkpoint.body.changes {
            let json = serde_json::to_string(change).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Change>(&json).unwrap(), change);
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused_without_panic(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(value) = Checkpoint::decode(&bytes) {
            prop_assert_eq!(value.encode(), bytes.clone());
        }
        if let Ok(value) = InteropAddress::try_from(&bytes[..]) {
            prop_assert_eq!(value.encode(), bytes);
        }
    }

    #[test]
    fn an_interop_address_is_what_its_bytes_say(chain: u64, account: [u8; 20]) {
        let address = InteropAddress { chain_id: ChainId(chain.max(1)), address: account.into() };
        prop_assert_eq!(InteropAddress::try_from(&address.encode()[..]), Ok(address));
    }
}

#[test]
fn lengths_above_their_bound_are_refused_before_memory_is_taken() {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(
        Body::decode(&bytes).unwrap_err(),
        DecodeError::TooLong { field: "changes", declared: u32::MAX as usize, bound: ROLLUPS_MAX }
    );
    let long = Message {
        sender: Address::ZERO,
        recipient: Address::ZERO,
        min_gas_limit: 1,
        payload: vec![0; PAYLOAD_BYTES_MAX + 1].into(),
    };
    assert!(matches!(Message::decode(&long.encode()), Err(DecodeError::TooLong { field: "payload", .. })));
}

#[test]
fn a_settle_is_ninety_bytes_and_never_of_latest() {
    let change = Change::Settle {
        chain_id: ChainId(0x0102_0304_0506_0708),
        confidence: Confidence::Finalized,
        head: BlockRef { number: 9, hash: B256::repeat_byte(0xaa) },
        l1: L1Origin { number: 10, hash: B256::repeat_byte(0xbb) },
    };
    let head = format!("0000000000000009{}", "aa".repeat(32));
    let l1 = format!("000000000000000a{}", "bb".repeat(32));
    let bytes = hex(&format!("04010203040506070802{head}{l1}"));
    assert_eq!(change.encode(), bytes);
    assert_eq!(Change::decode(&bytes), Ok(change));
    for (confidence, field) in [(0, "settled confidence"), (3, "Confidence")] {
        let mut bad = bytes.clone();
        bad[9] = confidence;
        assert_eq!(Change::decode(&bad), Err(DecodeError::Value { field, value: confidence.into() }));
    }
    for end in 0..bytes.len() {
        assert!(Change::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

fn join(l1: BlockRef) -> Join {
    Join {
        chain_id: ChainId(0x0102_0304_0506_0708),
        sequencer: Address::repeat_byte(0xa0),
        facades: [0xa1, 0xa2, 0xa3].map(Address::repeat_byte),
        class: Class::OwnNode,
        anchor: BlockRef { number: 9, hash: B256::repeat_byte(0xaa) },
        anchor_state_root: B256::repeat_byte(0xac),
        governor: Address::repeat_byte(0xad),
        profile: b"profile".into(),
        judges: vec![B256::repeat_byte(0xae)],
        l1: L1Origin { number: l1.number, hash: l1.hash },
    }
}

#[test]
fn a_join_has_the_bytes_of_the_protocol_and_a_bounded_profile() {
    let l1 = BlockRef { number: 10, hash: B256::repeat_byte(0xbb) };
    let change = Change::Join { join: join(l1) };
    let who = ["a0", "a1", "a2", "a3"].map(|byte| byte.repeat(20)).concat();
    let anchor = format!("0000000000000009{}{}", "aa".repeat(32), "ac".repeat(32));
    let profile = format!("{}0000000770726f66696c65", "ad".repeat(20));
    let judges = format!("00000001{}", "ae".repeat(32));
    let l1 = format!("000000000000000a{}", "bb".repeat(32));
    let bytes = hex(&format!("050102030405060708{who}01{anchor}{profile}{judges}{l1}"));
    assert_eq!(change.encode(), bytes);
    assert_eq!(Change::decode(&bytes), Ok(change));
    for end in 0..bytes.len() {
        assert!(Change::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut bad = bytes;
    bad[89] = 2;
    assert_eq!(Change::decode(&bad), Err(DecodeError::Value { field: "Class", value: 2 }));

    let mut join = join(BlockRef::default());
    join.profile = vec![7; PROFILE_BYTES_MAX].into();
    assert_eq!(Join::decode(&join.encode()).as_ref(), Ok(&join));
    join.profile = vec![7; PROFILE_BYTES_MAX + 1].into();
    let (declared, bound) = (PROFILE_BYTES_MAX + 1, PROFILE_BYTES_MAX);
    assert_eq!(Join::decode(&join.encode()), Err(DecodeError::TooLong { field: "profile", declared, bound }));
}

#[test]
fn the_registration_of_a_join_commits_to_all_that_was_registered() {
    let one = join(BlockRef::default());
    let spec_hash = keccak256([&one.governor[..], &keccak256(&one.profile)[..]].concat());
    let expected = RegistrationId::derive(one.chain_id, one.sequencer, one.anchor.hash, spec_hash);
    assert_eq!(one.registration(), expected);
    let others = [
        Join { chain_id: ChainId(1), ..one.clone() },
        Join { sequencer: Address::ZERO, ..one.clone() },
        Join { anchor: BlockRef::default(), ..one.clone() },
        Join { governor: Address::ZERO, ..one.clone() },
        Join { profile: b"another".into(), ..one },
    ];
    for other in others {
        assert_ne!(other.registration(), expected);
    }
}

#[test]
fn a_leave_is_forty_nine_bytes() {
    let l1 = L1Origin { number: 10, hash: B256::repeat_byte(0xbb) };
    let change = Change::Leave { chain_id: ChainId(0x0102_0304_0506_0708), l1 };
    let bytes = hex(&format!("060102030405060708000000000000000a{}", "bb".repeat(32)));
    assert_eq!(change.encode(), bytes);
    assert_eq!(Change::decode(&bytes), Ok(change));
    for end in 0..bytes.len() {
        assert!(Change::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_reorg_is_a_hundred_and_twenty_nine_bytes() {
    let block = |byte: u8| BlockRef { number: u64::from(byte), hash: B256::repeat_byte(byte) };
    let (kept, head) = (block(0x0b), block(0x0c));
    let l1 = L1Origin { number: 10, hash: B256::repeat_byte(0xbb) };
    let change = Change::Reorg { chain_id: ChainId(0x0102_0304_0506_0708), kept, head, l1 };
    let number = |byte: u8| format!("00000000000000{byte:02x}");
    let blocks = [0x0b, 0x0c].map(|byte| number(byte) + &format!("{byte:02x}").repeat(32)).concat();
    let bytes = hex(&format!("070102030405060708{blocks}{}{}", number(10), "bb".repeat(32)));
    assert_eq!((bytes.len(), change.encode()), (129, bytes.clone()));
    assert_eq!(Change::decode(&bytes), Ok(change));
    for end in 0..bytes.len() {
        assert!(Change::decode(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn the_bounds_of_a_roster_are_checked() {
    let entry = RosterEntry {
        operator: Address::ZERO,
        key_g1: Default::default(),
        key_g2: Default::default(),
        possession: Default::default(),
        network_key: B256::ZERO,
        endpoint: Endpoint::from(std::net::SocketAddr::from(([10, 0, 0, 1], 7_000))),
        stake: Stake(1),
    };
    let good = Roster { valid_until: TimeS(5), entries: vec![entry.clone()] };
    assert_eq!(Roster::decode(&good.encode()), Ok(good.clone()));
    assert_eq!(good.entries[0].endpoint.address(), Some(([10, 0, 0, 1], 7_000).into()));
    let none = Roster { entries: vec![], valid_until: good.valid_until };
    assert!(matches!(Roster::decode(&none.encode()), Err(DecodeError::Malformed { field: "seats", .. })));
    let many = Roster { entries: vec![entry; ROSTER_ENTRIES_MAX + 1], valid_until: good.valid_until };
    assert!(matches!(Roster::decode(&many.encode()), Err(DecodeError::TooLong { field: "seats", .. })));
    let mut long = good.encode();
    let length_at = 8 + 4 + 20 + 64 + 128 + 64 + 32;
    assert_eq!(usize::from(long[length_at]), "10.0.0.1:7000".len());
    long[length_at] = 65;
    assert!(matches!(
        Roster::decode(&long),
        Err(DecodeError::TooLong { field: "endpoint", declared: 65, .. })
    ));
    assert_eq!(Endpoint::new(vec![0; 65]), Err(EndpointError { found: 65 }));
    for odd in [&b"\xff"[..], b"0xff", b""] {
        let odd = Endpoint::new(odd).unwrap();
        assert_eq!(odd.address(), None);
        assert_eq!(serde_json::from_str::<Endpoint>(&serde_json::to_string(&odd).unwrap()).unwrap(), odd);
    }
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Roster>(&json).unwrap(), good);
}

#[test]
fn non_canonical_interop_addresses_are_refused_field_by_field() {
    // The example of ERC-7930: vitalik.eth on Ethereum.
    let good: Vec<u8> = hex("00010000010114d8da6bf26964af9d7eed9e03e53415d37aa96045");
    let address = InteropAddress::try_from(&good[..]).unwrap();
    assert_eq!(address.chain_id, ChainId(1));
    assert_eq!(address.encode(), good);
    use InteropAddressError as E;
    let with = |index: usize, value: u8| {
        let mut bad = good.clone();
        bad[index] = value;
        InteropAddress::try_from(&bad[..]).unwrap_err()
    };
    assert!(matches!(with(1, 2), E::Prefix { .. }), "version");
    assert!(matches!(with(3, 2), E::Prefix { .. }), "chain type");
    assert!(matches!(with(4, 0), E::ChainReference { .. }), "no reference");
    assert!(matches!(with(5, 0), E::ChainReference { .. }), "leading zero");
    assert!(matches!(with(6, 19), E::AddressLength { .. }), "address length");
    assert!(matches!(InteropAddress::try_from(&good[..good.len() - 1]), Err(E::Length { .. })), "short");
    let longer: Vec<u8> = good.iter().copied().chain([0]).collect();
    assert!(matches!(InteropAddress::try_from(&longer[..]), Err(E::Length { .. })), "trailing");
    let padded = hex("0001000002000114d8da6bf26964af9d7eed9e03e53415d37aa96045");
    assert!(
        matches!(InteropAddress::try_from(&padded[..]), Err(E::ChainReference { .. })),
        "padded reference"
    );
}

fn hex(text: &str) -> Vec<u8> {
    alloy_primitives::hex::decode(text).unwrap()
}

#[test]
fn unknown_tags_are_refused() {
    assert!(RollupStatus::try_from(4).is_err());
    assert!(Class::try_from(2).is_err());
    assert!(Confidence::try_from(3).is_err());
    assert!(InvalidReason::try_from(0).is_err());
    assert!(matches!(Evidence::decode(&[3]), Err(DecodeError::Value { field: "evidence tag", value: 3 })));
    assert!(matches!(Change::decode(&[0]), Err(DecodeError::Value { field: "change tag", value: 0 })));
}
