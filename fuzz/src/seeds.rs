//! True evidence of each kind, made with keys that everyone knows.

use hum_bls::{Aggregator, Attestation, Certificate, Seat, SecretKey};
use hum_ledger::{SeatedRoster, roster_entry};
use hum_node::{
    watcher::{Committees, Defendant, DueTable, EvidenceNumber, EvidenceRecord, FaultEvidence, Statement},
    wire::FeedEvent,
};
use hum_types::*;

const OPERATORS: [u8; 4] = [1, 2, 3, 4];
/// Seats that sign two headers in the seeds.
const LYING: [u16; 3] = [0, 1, 2];

/// Our deployment.
#[must_use]
pub fn domain() -> Domain {
    Domain::new(ChainId(1), Address::repeat_byte(0x5e), 0)
}

fn seated() -> SeatedRoster {
    let entries = OPERATORS.iter().map(|number| {
        let key = SecretKey::from_seed(&[*number]);
        let operator = Address::repeat_byte(*number);
        let proof = key.prove_possession(domain(), operator);
        let place = (B256::repeat_byte(*number), Endpoint::default());
        roster_entry(operator, key.public_key(), &proof, place, Stake(100))
    });
    let roster = Roster::new(TimeS(4_000_000_000), entries.collect());
    SeatedRoster::check(domain(), Epoch(0), roster, None).expect("our own keys")
}

/// The committee that signed the seeds.
#[must_use]
pub fn committees() -> Committees {
    let mut committees = Committees::default();
    committees.insert(seated().committee().clone(), Height(1));
    committees
}

/// Who signed two headers.
#[must_use]
pub fn liars() -> Vec<Address> {
    let seated = seated();
    let members = seated.committee().members();
    LYING.iter().filter_map(|seat| members.get(usize::from(*seat))).map(|member| member.operator()).collect()
}

fn header(fork: u8) -> Header {
    Header {
        domain: domain(),
        epoch: Epoch(0),
        height: Height(5),
        time_ms: TimeMs(5),
        l1_origin: L1Origin { number: 7, hash: B256::repeat_byte(7) },
        parent: B256::ZERO,
        rollups_root: B256::repeat_byte(fork),
        body_hash: B256::ZERO,
        next_table_hash: B256::repeat_byte(fork),
    }
}

fn attest(seat: u16, header: &Header) -> Attestation {
    let seated = seated();
    let member = seated.committee().members().get(usize::from(seat)).expect("a seat");
    let keys = OPERATORS.iter().map(|number| SecretKey::from_seed(&[*number]));
    let key = keys.into_iter().find(|key| key.public_key() == *member.key()).expect("one of ours");
    key.attest(domain(), Epoch(0), header.height, header.hash(), Seat(seat))
}

fn certify(header: &Header) -> Certificate {
    let committee = seated().committee().clone();
    let mut aggregator = Aggregator::new(committee, domain(), header.height, header.hash());
    for seat in LYING {
        aggregator.add(&attest(seat, header)).expect("a seat");
    }
    aggregator.aggregate().certificate.expect("a quorum")
}

fn claim(fork: u8) -> SignedClaim {
    let key = SequencerKey::from_secret(B256::repeat_byte(5)).expect("a key");
    let block = BlockRef { number: 5, hash: B256::repeat_byte(fork) };
    let registration = RegistrationId(B256::repeat_byte(0x91));
    HeadClaim { chain_id: ChainId(901), registration, generation: Generation(0), block }.sign(domain(), &key)
}

/// One input of each kind, by name.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let (one, other) = (header(1), header(2));
    let single = |header: &Header| Statement::single(attest(1, header));
    let quorum = |header: &Header| Statement::quorum(certify(header), Some(*header));
    let double = |one, other| FaultEvidence::DoubleAttestation { one, other };
    let table = |statement: Statement, header| FaultEvidence::FalseTable {
        statement: Statement { header: Some(header), ..statement },
        expected: DueTable { index: 3, hash: B256::repeat_byte(0xdd) },
    };
    let found = |evidence| EvidenceRecord::Found { number: EvidenceNumber(7), at: TimeMs(77), evidence };
    let punished =
        |defendant, tx_hash| EvidenceRecord::Punished { number: EvidenceNumber(7), defendant, tx_hash };
    let roster = seated().roster().clone();
    vec![
        ("singles", found(double(single(&one), single(&other))).encode()),
        ("mixed", found(double(single(&one), quorum(&other))).encode()),
        ("certificates", found(double(quorum(&one), quorum(&other))).encode()),
        ("bare-singles", double(single(&one), single(&other)).encode()),
        ("bare-incomplete", double(Statement::quorum(certify(&one), None), single(&other)).encode()),
        ("table-single", found(table(single(&one), one)).encode()),
        ("table-quorum", table(quorum(&one), one).encode()),
        ("claims", found(FaultEvidence::DoubleClaim { one: claim(1), other: claim(2) }).encode()),
        ("committee", EvidenceRecord::Committee { first: Height(1), epoch: Epoch(0), roster }.encode()),
        ("punished-operator", punished(Defendant::Operator(Address::repeat_byte(1)), None).encode()),
        (
            "punished-sequencer",
            punished(
                Defendant::Sequencer(RegistrationId(B256::repeat_byte(0x91))),
                Some(B256::repeat_byte(9)),
            )
            .encode(),
        ),
        ("feed-attested", FeedEvent::Attested(vec![attest(1, &one), attest(1, &other)]).encode()),
        ("feed-claimed", FeedEvent::Claimed(vec![claim(1), claim(2)]).encode()),
        ("feed-certified", FeedEvent::Certified(certify(&one)).encode()),
    ]
}
