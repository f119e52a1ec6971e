use super::*;

fn members(stakes: &[u128]) -> Vec<(PossessedKey, Stake)> {
    let secret = |n: usize| SecretKey::from_seed(format!("member {n}").as_bytes());
    stakes.iter().enumerate().map(|(n, stake)| (possessed(&secret(n), address(n)), Stake(*stake))).collect()
}

#[test]
fn seats_ascend_by_operator_id_whatever_the_order_given() {
    let mut given = members(&[1, 2, 3, 4, 5]);
    let one = Committee::new(EPOCH, VALID_UNTIL, given.clone()).unwrap();
    given.reverse();
    let two = Committee::new(EPOCH, VALID_UNTIL, given).unwrap();
    assert_eq!(one, two);
    assert!(one.members().windows(2).all(|pair| pair[0].operator_id() < pair[1].operator_id()));
    for (seat, member) in (0..).map(Seat).zip(one.members()) {
        assert_eq!(one.seat_of(member.key()), Some(seat));
        assert_eq!(one.key(seat), Some(member.key()));
    }
    assert_eq!(one.key(Seat(5)), None);
    assert_eq!(one.table().total_stake(), Stake(15));
}

#[test]
fn committee_refuses_bad_members() {
    let good = members(&[1, 2, 3]);
    assert_eq!(Committee::new(EPOCH, VALID_UNTIL, vec![]), Err(CommitteeError::Size { found: 0 }));

    let mut twice = good.clone();
    twice.push((possessed(&SecretKey::from_seed(b"member 0"), address(7)), Stake(1)));
    assert_eq!(
        Committee::new(EPOCH, VALID_UNTIL, twice),
        Err(CommitteeError::KeyTwice(good[0].0.operator_id()))
    );

    let mut twice = good;
    twice.push((possessed(&SecretKey::from_seed(b"member 7"), address(0)), Stake(1)));
    assert_eq!(Committee::new(EPOCH, VALID_UNTIL, twice), Err(CommitteeError::OperatorTwice(address(0))));

    assert_eq!(Committee::new(EPOCH, VALID_UNTIL, members(&[0, 0])), Err(CommitteeError::NoStake));
    assert!(matches!(
        Committee::new(EPOCH, VALID_UNTIL, members(&[u128::MAX, 1])),
        Err(CommitteeError::StakeOverflow { .. })
    ));
    assert!(Committee::new(EPOCH, VALID_UNTIL, members(&[u128::MAX - 1, 1])).is_ok());

    let minus_one =
        alloy_primitives::b256!("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000000");
    let cancelling: Vec<_> = [B256::with_last_byte(1), minus_one]
        .into_iter()
        .enumerate()
        .map(|(n, secret)| (possessed(&SecretKey::from_secret(secret).unwrap(), address(n)), Stake(1)))
        .collect();
    assert_eq!(Committee::new(EPOCH, VALID_UNTIL, cancelling), Err(CommitteeError::IdentitySum));
}

#[test]
fn committee_is_bounded() {
    // One key repeated: the bound is checked before anything else.
    let one = members(&[1])[0];
    assert_eq!(Committee::new(EPOCH, VALID_UNTIL, vec![one; 257]), Err(CommitteeError::Size { found: 257 }));
}

#[test]
fn quorum_is_two_thirds_of_stake_without_overflow() {
    let table =
        |stakes: &[u128]| Committee::new(EPOCH, VALID_UNTIL, members(stakes)).unwrap().table().clone();
    let even = table(&[1, 1, 1]);
    assert!(!even.is_quorum(Stake(1)));
    assert!(even.is_quorum(Stake(2)));
    let uneven = table(&[10, 20, 70]);
    assert!(!uneven.is_quorum(Stake(66)));
    assert!(uneven.is_quorum(Stake(67)));
    let huge = table(&[u128::MAX / 3, u128::MAX / 3, u128::MAX / 3]);
    assert!(!huge.is_quorum(Stake(u128::MAX / 3 * 2 - 1)));
    assert!(huge.is_quorum(Stake(u128::MAX / 3 * 2)));
}

#[test]
fn table_comes_back_from_its_bytes() {
    let table = Committee::new(EPOCH, VALID_UNTIL, members(&[3, 1, 2])).unwrap().table().clone();
    let bytes = table.encode();
    assert_eq!(bytes.len(), 216 + 3 * 80);
    assert_eq!(CommitteeTable::from_bytes(EPOCH, &bytes, table.hash()), Ok(table));
}

#[test]
fn table_refuses_each_corrupted_field() {
    let table = Committee::new(EPOCH, VALID_UNTIL, members(&[3, 1, 2])).unwrap().table().clone();
    let bytes = table.encode();
    // As if the wrong table had been certified.
    let read = |bytes: &[u8]| CommitteeTable::from_bytes(EPOCH, bytes, keccak256(bytes)).unwrap_err();
    let put = |at: usize, part: &[u8]| {
        let mut copy = bytes.clone();
        copy[at..at + part.len()].copy_from_slice(part);
        copy
    };
    let other = SecretKey::from_seed(b"other").public_key();

    assert!(matches!(
        CommitteeTable::from_bytes(EPOCH, &bytes, B256::ZERO),
        Err(TableError::Hash { expected: B256::ZERO, .. })
    ));
    for wrong in [&bytes[..216], &bytes[..bytes.len() - 1], &vec![0; 216 + 80 * 257]] {
        assert_eq!(read(wrong), TableError::Length { found: wrong.len() });
    }
    assert!(matches!(read(&put(0, &other.g1().encode())), TableError::SumG1 { .. }));
    assert!(matches!(read(&flip(bytes.clone(), 0)), TableError::Decode(_)));
    assert!(matches!(read(&put(64, &other.g2().encode())), TableError::SumG2 { .. }));
    assert!(matches!(read(&flip(bytes.clone(), 64)), TableError::Decode(_)));
    assert_eq!(
        read(&flip(bytes.clone(), 207)),
        TableError::TotalStake { declared: Stake(7), computed: Stake(6) }
    );
    assert!(matches!(read(&flip(bytes.clone(), 216)), TableError::Decode(_)));
    assert!(matches!(read(&flip(bytes.clone(), 216 + 79)), TableError::TotalStake { .. }));

    let (first, second) = (bytes[216..296].to_vec(), bytes[296..376].to_vec());
    assert!(matches!(
        read(&put(216, &[second, first.clone()].concat())),
        TableError::Order { seat: Seat(1), .. }
    ));
    assert!(matches!(read(&put(296, &first)), TableError::Order { seat: Seat(1), .. }));
    let mut worthless = bytes.clone();
    for at in [207, 295, 375, 455] {
        worthless[at] = 0;
    }
    assert_eq!(read(&worthless), TableError::Committee(CommitteeError::NoStake));

    // Any time is a time: only the hash says whether it is the certified one.
    let shorter = flip(bytes.clone(), 215);
    assert!(matches!(
        CommitteeTable::from_bytes(EPOCH, &shorter, table.hash()),
        Err(TableError::Hash { .. })
    ));
    let read = CommitteeTable::from_bytes(EPOCH, &shorter, keccak256(&shorter)).unwrap();
    assert_eq!(read.valid_until(), TimeS(VALID_UNTIL.0 ^ 1));
}
