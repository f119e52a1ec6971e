//! Blocks that we make ourselves: their witnesses are exact, so every piece of them is needed.

use super::world::*;
use crate::*;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, TxKind, U256, bytes, keccak256};
use proptest::prelude::*;

pub(super) fn osaka() -> ChainSpec {
    ChainSpec::new(&config(), false).unwrap()
}

/// A bit of everything: transfers to known and fresh accounts, tokens, slots set and cleared, contracts made and
/// destroyed in one transaction, an ancestor's hash, a withdrawal.
pub(super) fn busy(world: &mut World, round: u64) -> Made {
    // Stores a slot, then destroys itself in the same transaction.
    let short_lived = bytes!("6001600155 33ff");
    // Stores a slot and stays, with one byte of code.
    let lasting = bytes!("6002600155 60015ff3");
    let fresh = Address::from_word(keccak256(round.to_be_bytes()));
    let transactions = vec![
        world.transaction(0, TxKind::Call(address_of(&key(1))), 5, Default::default()),
        world.transaction(1, TxKind::Call(fresh), 7, Default::default()),
        world.transfer(2, address_of(&key(3)), 11),
        world.transfer(3, fresh, 13),
        world.write(4, &[(1, round + 1), (2, 2), (3, round % 2), (100 + round, 9), (100 + round / 2, 0)]),
        world.write(5, &[(1, 0), (1, 1), (2, 0), (3, 0)]),
        world.transaction(6, TxKind::Create, 1, short_lived),
        world.transaction(6, TxKind::Create, 0, lasting),
        world.transaction(
            7,
            TxKind::Call(LOOKBACK),
            0,
            U256::from(round.saturating_sub(4)).to_be_bytes::<32>().into(),
        ),
    ];
    let withdrawal = Withdrawal { index: round, validator_index: 1, address: fresh, amount: 3 };
    world.make(transactions, vec![withdrawal])
}

#[test]
fn a_chain_of_busy_blocks_is_valid_under_its_own_verdicts() {
    let mut world = World::new(osaka(), 8);
    let verifier = world.verifier();
    let mut head: Option<CertifiedHeader> = None;
    for round in 0..12 {
        let mut made = busy(&mut world, round);
        if let Some(head) = head {
            made.parent = head;
        }
        let Verdict::Valid(summary) = made.judge(&verifier) else {
            panic!("{round}: {:?}", made.judge(&verifier))
        };
        assert_eq!(summary.header.header(), &made.header);
        head = Some(summary.header);
    }
}

#[test]
fn every_piece_of_an_exact_witness_is_needed() {
    let mut world = World::new(osaka(), 8);
    let verifier = world.verifier();
    for round in 0..8 {
        let made = busy(&mut world, round);
        for index in 0..made.witness.state.len() {
            let mut poorer = made.clone();
            let lost = keccak256(poorer.witness.state.swap_remove(index));
            assert_eq!(poorer.judge(&verifier), Verdict::Undecided(Missing::Node(lost)));
        }
        for index in 0..made.witness.codes.len() {
            let mut poorer = made.clone();
            let lost = keccak256(poorer.witness.codes.swap_remove(index));
            assert_eq!(poorer.judge(&verifier), Verdict::Undecided(Missing::Code(lost)));
        }
        for index in 0..made.witness.headers.len() {
            let mut poorer = made.clone();
            poorer.witness.headers.remove(index);
            let wanted = round.saturating_sub(4);
            assert_eq!(poorer.judge(&verifier), Verdict::Undecided(Missing::Ancestor(wanted)));
        }
        // From the third block on, the block asks for a hash that only the witness's headers lead to.
        assert_eq!(made.witness.headers.is_empty(), round < 2, "{round}");
    }
}

#[test]
fn strangers_and_duplicates_in_a_witness_do_no_harm() {
    let mut world = World::new(osaka(), 8);
    let verifier = world.verifier();
    let mut made = busy(&mut world, 0);
    let again = made.witness.state.clone();
    made.witness.state.extend(again);
    made.witness.state.extend([bytes!("80"), bytes!(""), bytes!("f90000ff")]);
    made.witness.state.reverse();
    made.witness.codes.push(bytes!("ef0100"));
    made.witness.headers.push(bytes!("c0"));
    assert!(matches!(made.judge(&verifier), Verdict::Valid(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever slots a chain of blocks sets and clears, the sparse trie follows the whole one.
    #[test]
    fn any_writes_are_followed(
        blocks in prop::collection::vec(prop::collection::vec((0_u64..40, 0_u64..3), 1..30), 1..6),
    ) {
        let mut world = World::new(osaka(), 4);
        let verifier = world.verifier();
        for slots in blocks {
            let transactions = slots.chunks(8).map(|slots| world.write(1, slots)).collect();
            let made = world.make(transactions, vec![]);
            let verdict = made.judge(&verifier);
            prop_assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
        }
    }

    /// With the signed hash fixed, no change of what is served can make a block invalid.
    #[test]
    fn served_bytes_are_never_the_signers_fault(
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        node in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new(osaka(), 8);
        let verifier = world.verifier();
        let made = busy(&mut world, 0);
        let (hash, rlp) = (made.header.hash_slow(), made.rlp());

        let mut changed = rlp.clone();
        changed[at.index(rlp.len())] = to;
        let verdict = verifier.verify(&made.parent, hash, &changed, &made.witness);
        prop_assert!(changed == rlp || matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");

        let shorter = &rlp[..cut.index(rlp.len())];
        let verdict = verifier.verify(&made.parent, hash, shorter, &made.witness);
        prop_assert!(matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");

        let mut witness = made.witness.clone();
        let node = node.index(witness.state.len());
        let mut raw = witness.state[node].to_vec();
        let at = at.index(raw.len());
        let same = raw[at] == to;
        raw[at] = to;
        witness.state[node] = raw.into();
        let verdict = verifier.verify(&made.parent, hash, &rlp, &witness);
        prop_assert!(same || matches!(verdict, Verdict::Undecided(_)), "{verdict:?}");
    }
}
