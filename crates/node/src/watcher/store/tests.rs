//! Power cuts and failing disks around evidence: what was found stays found.

use super::*;
use crate::watcher::{
    detector::{Detector, Finding},
    evidence::Statement,
    tests::fixture::{REGISTRATION, ROLLUP, Signers, claim, domain, header, sequencer},
};
use commonware_runtime::{
    Supervisor as _,
    deterministic::{Checkpoint, Context, FaultConfig, PartialWriteMode, Runner, WriteConfig},
};
use commonware_utils::Probability;
use proptest::prelude::*;
use std::collections::BTreeMap;

const AT: TimeMs = TimeMs(77);

async fn open(context: &Context) -> Result<(Store<Context>, Held), StoreError> {
    Store::open(context.child("store"), "evidence".to_owned(), domain()).await
}

/// One life; it ends in a power cut.
fn live<T, F>(from: Option<Checkpoint>, seed: u64, life: impl FnOnce(Context) -> F) -> (T, Checkpoint)
where
    F: Future<Output = T>,
{
    from.map_or_else(|| Runner::seeded(seed), Runner::from).start_and_recover(life)
}

fn four() -> Signers {
    Signers::new(0, &[1, 2, 3, 4])
}

fn pair(signers: &Signers, seat: u16, height: u64) -> FaultEvidence {
    let statement = |fork| Statement::single(signers.attest(seat, &header(0, height, fork)));
    FaultEvidence::DoubleAttestation { one: statement(1), other: statement(2) }
}

fn rosters(signers: &Signers) -> Vec<(Arc<SeatedRoster>, Height)> {
    vec![(signers.seated.clone(), Height(1))]
}

#[test]
fn evidence_and_its_committee_survive_a_power_cut() {
    let signers = four();
    let evidence = pair(&signers, 2, 5);
    let (kept, given) = (evidence.clone(), rosters(&signers));
    let ((), checkpoint) = live(None, 1, |context| async move {
        let (mut store, held) = open(&context).await.unwrap();
        assert!(held.found.is_empty());
        store.found(EvidenceNumber(0), AT, &kept, given).await.unwrap();
    });
    let ((), checkpoint) = live(Some(checkpoint), 1, |context| async move {
        let (mut store, held) = open(&context).await.unwrap();
        assert_eq!(held.found, [(EvidenceNumber(0), AT, evidence.clone())]);
        evidence.check(&held.committees, domain()).expect("with the committee from disk");
        let defendant = Defendant::Operator(signers.operator(2));
        store.punished(EvidenceNumber(0), defendant, Some(B256::repeat_byte(9))).await.unwrap();
    });
    let ((), _) = live(Some(checkpoint), 1, |context| async move {
        let (_, held) = open(&context).await.unwrap();
        let [(number, _, tx_hash)] = held.punished[..] else { panic!("{held:?}") };
        assert_eq!((number, tx_hash), (EvidenceNumber(0), Some(B256::repeat_byte(9))));
    });
}

#[test]
fn a_committee_is_written_once_and_only_when_evidence_names_it() {
    let signers = four();
    let others = Signers::new(1, &[1, 2, 3]);
    let ((), _) = live(None, 1, |context| async move {
        let (mut store, _) = open(&context).await.unwrap();
        let both = || [rosters(&signers), vec![(others.seated.clone(), Height(9))]].concat();
        store.found(EvidenceNumber(0), AT, &pair(&signers, 1, 5), both()).await.unwrap();
        store.found(EvidenceNumber(1), AT, &pair(&signers, 2, 5), both()).await.unwrap();
        drop(store);
        let (_, held) = open(&context).await.unwrap();
        assert_eq!(held.committees.iter().count(), 1);
        assert_eq!(held.found.len(), 2);
    });
}

/// Nothing that was acknowledged is lost, whatever the disk does, and what the disk holds can be used.
#[test]
fn no_power_cut_loses_evidence_that_was_kept() {
    let percent = |rate: u64| Probability::new(rate, 100).expect("at most a hundred");
    for seed in 0..48_u64 {
        let signers = four();
        let (mut kept, mut checkpoint) = (BTreeMap::new(), None);
        for life in 0..5_u64 {
            let (signers, known) = (signers.clone(), kept.clone());
            let (now_kept, after) = live(checkpoint, seed, |context| async move {
                *context.storage_fault_config().write() = FaultConfig::default();
                let (mut store, held) = open(&context).await.expect("what the disk holds can be read");
                let found: BTreeMap<_, _> =
                    held.found.iter().map(|(number, _, evidence)| (*number, evidence.clone())).collect();
                for (number, evidence) in &known {
                    assert_eq!(found.get(number), Some(evidence), "seed {seed}: {number:?} was lost");
                }
                for evidence in found.values() {
                    evidence.check(&held.committees, domain()).expect("evidence that holds");
                }
                let write = WriteConfig {
                    failure_rate: percent(seed % 4 * 8),
                    retention_rate: percent(seed % 3 * 40),
                    mode: PartialWriteMode::Prefix,
                };
                *context.storage_fault_config().write() = FaultConfig {
                    write_rate: Some(write),
                    sync_rate: Some(percent((seed + life) % 5 * 8)),
                    ..FaultConfig::default()
                };
                let mut known = known;
                let next = found.keys().last().map_or(0, |number| number.0 + 1);
                for step in 0..4 {
                    let number = EvidenceNumber(next + step);
                    let evidence = pair(&signers, (number.0 % 4) as u16, 5 + u64::from(number.0));
                    if store.found(number, AT, &evidence, rosters(&signers)).await.is_ok() {
                        known.insert(number, evidence);
                    }
                }
                known
            });
            (kept, checkpoint) = (now_kept, Some(after));
        }
        assert!(!kept.is_empty() || seed % 4 > 0 || seed % 5 > 0, "seed {seed}: nothing was kept at all");
    }
}

fn samples() -> Vec<EvidenceRecord> {
    let signers = four();
    let quorum = |fork: u8, known: bool| {
        let header = header(0, 5, fork);
        Statement::quorum(signers.certify(&[0, 1, 2], &header), known.then_some(header))
    };
    let closing = hum_types::Header { next_table_hash: B256::repeat_byte(0xee), ..header(0, 7, 1) };
    let evidence = [
        pair(&signers, 1, 5),
        FaultEvidence::DoubleAttestation { one: quorum(1, true), other: quorum(2, false) },
        FaultEvidence::FalseTable {
            statement: Statement { header: Some(closing), ..Statement::single(signers.attest(1, &closing)) },
            expected: crate::watcher::evidence::DueTable { index: 3, hash: B256::repeat_byte(0xdd) },
        },
        FaultEvidence::DoubleClaim { one: claim(0, 5, 1), other: claim(0, 5, 2) },
    ];
    let mut samples: Vec<_> = evidence
        .into_iter()
        .map(|evidence| EvidenceRecord::Found { number: EvidenceNumber(7), at: AT, evidence })
        .collect();
    let roster = signers.seated.roster().clone();
    samples.push(EvidenceRecord::Committee { first: Height(1), epoch: Epoch(0), roster });
    for (defendant, tx_hash) in [
        (Defendant::Operator(signers.operator(0)), None),
        (Defendant::Sequencer(REGISTRATION), Some(B256::repeat_byte(3))),
    ] {
        samples.push(EvidenceRecord::Punished { number: EvidenceNumber(1), defendant, tx_hash });
    }
    samples
}

#[test]
fn every_record_reads_back_and_its_bytes_are_the_only_ones() {
    for record in samples() {
        let bytes = record.encode();
        assert!(bytes.len() < RECORD_BYTES_MAX);
        assert_eq!(EvidenceRecord::decode(&bytes), Ok(record.clone()));
        for cut in 0..bytes.len() {
            assert!(EvidenceRecord::decode(&bytes[..cut]).is_err(), "{cut} of {} bytes", bytes.len());
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(EvidenceRecord::decode(&longer), Err(DecodeError::Trailing { .. })));
    }
}

#[test]
fn unknown_tags_are_refused() {
    for (record, offset) in samples().iter().zip([0, 13, 14]) {
        let mut bytes = record.encode();
        if let Some(byte) = bytes.get_mut(offset) {
            *byte = 0x77;
        }
        assert!(matches!(EvidenceRecord::decode(&bytes), Err(DecodeError::Value { .. })), "offset {offset}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic_and_what_it_takes_it_writes_back(bytes: Vec<u8>) {
        if let Ok(record) = EvidenceRecord::decode(&bytes) {
            prop_assert_eq!(record.encode(), bytes);
        }
    }

    #[test]
    fn one_changed_byte_is_refused_or_another_record(index: prop::sample::Index, which in 0_usize..7, flip in 1_u8..) {
        let record = &samples()[which];
        let mut bytes = record.encode();
        let at = index.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(changed) = EvidenceRecord::decode(&bytes) {
            prop_assert_eq!(changed.encode(), bytes);
            prop_assert_ne!(&changed, record);
        }
    }
}

#[test]
fn what_the_detector_finds_holds_when_read_back() {
    let signers = four();
    let sequencers = BTreeMap::from([(ROLLUP, (REGISTRATION, sequencer().address()))]);
    let mut detector = Detector::new(domain(), signers.committees(), sequencers);
    detector.attestation(signers.attest(1, &header(0, 5, 1)));
    for finding in detector.attestation(signers.attest(1, &header(0, 5, 2))) {
        let Finding::Evidence(evidence) = finding else { continue };
        let read = FaultEvidence::decode(&evidence.encode()).unwrap();
        assert_eq!(read.id(), evidence.id());
        read.check(detector.committees(), domain()).unwrap();
    }
}
