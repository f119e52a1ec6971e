//! Judgements: signed, collected, checked; every refusal by one change.

use super::*;
use hum_types::{BlockRef, ChainId, Generation, Judgement, JudgementBundle, RegistrationId, TimeMs};

fn judgement() -> Judgement {
    Judgement {
        chain_id: ChainId(42_161),
        registration: RegistrationId(B256::repeat_byte(1)),
        generation: Generation(0),
        block: BlockRef { number: 7, hash: B256::repeat_byte(2) },
        parent: B256::repeat_byte(3),
        state_root: B256::repeat_byte(4),
        time_ms: TimeMs(5),
        messages: B256::repeat_byte(6),
    }
}

/// Seats 0 to 2 of five judge.
fn judges(operators: &Operators) -> Judges {
    let ids: Vec<_> = [2, 0, 1].map(|n| OperatorId::of(operators.secrets[n].public_key().g1())).to_vec();
    Judges::new(operators.committee.clone(), &ids)
}

fn sign(operators: &Operators, seat: u16) -> SignedJudgement {
    operators.secrets[usize::from(seat)].judge(domain(), EPOCH, Seat(seat), judgement())
}

fn tally(operators: &Operators, seats: &[u16]) -> Tally {
    let mut tally = Tally::new(judgement());
    for seat in seats {
        tally.add(Seat(*seat), sign(operators, *seat).signature);
    }
    tally
}

#[test]
fn two_thirds_of_the_judging_stake_make_a_bundle_and_the_rest_of_the_committee_none() {
    let operators = Operators::new(&[100, 100, 100, 5_000, 5_000]);
    let judges = judges(&operators);
    assert_eq!((judges.total_stake(), judges.seats().len()), (Stake(300), 3));
    let (bundle, bad) = tally(&operators, &[0, 2]).bundle(domain(), &judges);
    let bundle = bundle.unwrap();
    assert!(bad.is_empty());
    judges.check(domain(), &judgement(), &bundle).unwrap();
    let bytes = JudgementBundle::from(&bundle);
    assert_eq!(Bundle::try_from(&JudgementBundle::decode(&bytes.encode()).unwrap()), Ok(bundle));

    assert_eq!(tally(&operators, &[0]).bundle(domain(), &judges), (None, vec![]));
    assert_eq!(tally(&operators, &[0, 3, 4]).bundle(domain(), &judges).0, None);
    // Whoever is named and has no seat counts for nothing, and nobody is no quorum.
    let strangers = [OperatorId(B256::repeat_byte(9))];
    let none = Judges::new(operators.committee.clone(), &strangers);
    assert!(!none.is_quorum(Stake(0)));
    assert_eq!(tally(&operators, &[0, 1, 2]).bundle(domain(), &none), (None, vec![]));
}

#[test]
fn a_judge_that_sends_rubbish_is_found_and_left_out() {
    let operators = Operators::new(&[100, 100, 100]);
    let judges = judges(&operators);
    let mut tally = tally(&operators, &[0, 1]);
    tally.add(Seat(2), rubbish(1));
    let (bundle, bad) = tally.bundle(domain(), &judges);
    assert_eq!(bad, [Seat(2)]);
    assert_eq!(bundle.unwrap().signers.present().collect::<Vec<_>>(), [Seat(0), Seat(1)]);
    let mut alone = super::judgements::tally(&operators, &[0]);
    alone.add(Seat(1), rubbish(2));
    assert_eq!(alone.bundle(domain(), &judges), (None, vec![Seat(1)]));
    assert!(!alone.is_due(&judges) && !alone.is_empty());
}

#[test]
fn every_rule_of_a_bundle_is_checked() {
    let operators = Operators::new(&[100, 100, 100, 100, 100]);
    let judges = judges(&operators);
    let good = tally(&operators, &[0, 1]).bundle(domain(), &judges).0.unwrap();
    let refused = |bundle: &Bundle| judges.check(domain(), &judgement(), bundle).unwrap_err();

    let signers = |operators: u16, seats: &[u16]| {
        let mut signers = Signers::none(operators);
        for seat in seats {
            assert!(signers.insert(Seat(*seat)));
        }
        signers
    };
    let with = |signers| Bundle { signers, ..good.clone() };
    let error = refused(&with(signers(4, &[0, 1])));
    assert_eq!(error, BundleError::Operators { declared: 4, expected: 5 });
    assert_eq!(refused(&with(signers(5, &[0, 1, 3]))), BundleError::NoJudge { seat: Seat(3) });
    let (signed, total) = (Stake(100), Stake(300));
    assert_eq!(refused(&with(signers(5, &[0]))), BundleError::Quorum { signed, total });
    let signature = good.signature;
    assert_eq!(refused(&with(signers(5, &[0, 2]))), BundleError::Signature { signature });
    let other = Bundle { signature: rubbish(3), ..good.clone() };
    assert_eq!(refused(&other), BundleError::Signature { signature: rubbish(3) });

    let elsewhere = Domain(keccak256("another domain"));
    assert!(judges.check(elsewhere, &judgement(), &good).is_err());
    let one = judgement();
    for changed in [
        Judgement { chain_id: ChainId(1), ..one },
        Judgement { registration: RegistrationId(B256::ZERO), ..one },
        Judgement { generation: Generation(1), ..one },
        Judgement { block: BlockRef { number: 8, ..one.block }, ..one },
        Judgement { block: BlockRef { hash: B256::ZERO, ..one.block }, ..one },
        Judgement { parent: B256::ZERO, ..one },
        Judgement { state_root: B256::ZERO, ..one },
        Judgement { time_ms: TimeMs(6), ..one },
        Judgement { messages: B256::ZERO, ..one },
    ] {
        let error = judges.check(domain(), &changed, &good).unwrap_err();
        assert_eq!(error, BundleError::Signature { signature });
    }
    let mut bytes = JudgementBundle::from(&good);
    bytes.signature.0[0] ^= 1;
    assert!(matches!(Bundle::try_from(&bytes), Err(BundleError::Decode(_))));
}

#[test]
fn a_signed_judgement_has_263_bytes_and_belongs_to_its_epoch() {
    let operators = Operators::new(&[100]);
    let signed = sign(&operators, 0);
    let bytes = signed.encode();
    assert_eq!(bytes.len(), 263);
    assert_eq!(SignedJudgement::decode(&bytes), Ok(signed));
    assert!(SignedJudgement::decode(&flip(bytes, 0)).is_err());
    let key = operators.secrets[0].public_key();
    assert!(key.verifies(&signed.judgement.statement(domain(), EPOCH), &signed.signature));
    assert!(!key.verifies(&signed.judgement.statement(domain(), Epoch(6)), &signed.signature));
}
