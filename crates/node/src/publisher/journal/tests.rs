use super::*;
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use hum_types::{B256, Domain, Retraction, SequencerKey, keccak256};

const PARTITION: &str = "journal";

fn block(number: u64, fork: u8) -> BlockRef {
    BlockRef { number, hash: keccak256([number.to_be_bytes().as_slice(), &[fork]].concat()) }
}

fn identity() -> Identity {
    Identity { chain_id: ChainId(7), registration: RegistrationId(B256::repeat_byte(1)), anchor: block(0, 0) }
}

fn key() -> SequencerKey {
    SequencerKey::from_secret(B256::repeat_byte(3)).unwrap()
}

fn claim(generation: u32, block: BlockRef) -> SignedClaim {
    let Identity { chain_id, registration, .. } = identity();
    HeadClaim { chain_id, registration, generation: Generation(generation), block }
        .sign(Domain(B256::ZERO), &key())
}

fn retraction(generation: u32, kept: BlockRef) -> SignedRetraction {
    let Identity { chain_id, registration, .. } = identity();
    Retraction { chain_id, registration, generation: Generation(generation), kept }
        .sign(Domain(B256::ZERO), &key())
}

async fn open(context: &deterministic::Context) -> Result<Journal<deterministic::Context>, JournalError> {
    Journal::open(context.child("journal"), PARTITION.into(), identity()).await
}

fn run<F: Future>(test: impl FnOnce(deterministic::Context) -> F) -> F::Output {
    deterministic::Runner::seeded(1).start(test)
}

async fn only_segment(context: &deterministic::Context) -> (<deterministic::Context as Storage>::Blob, u64) {
    let names = context.scan(PARTITION).await.unwrap();
    assert_eq!(names.len(), 1, "one segment");
    context.open(PARTITION, &names[0]).await.unwrap()
}

#[test]
fn what_was_recorded_is_there_after_reopening() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        assert_eq!((journal.generation(), journal.mark()), (Generation(0), block(0, 0)));
        for number in 1..=3 {
            journal.record_claim(claim(0, block(number, 0))).await.unwrap();
        }
        drop(journal);
        let mut journal = open(&context).await.unwrap();
        assert_eq!(journal.mark(), block(3, 0));
        assert_eq!(journal.claim(2), Some(&claim(0, block(2, 0))));

        journal.record_retraction(retraction(1, block(2, 0))).await.unwrap();
        journal.record_claim(claim(1, block(3, 1))).await.unwrap();
        drop(journal);
        let journal = open(&context).await.unwrap();
        assert_eq!(
            (journal.generation(), journal.mark(), journal.floor()),
            (Generation(1), block(3, 1), block(2, 0))
        );
        assert_eq!(journal.retraction(), Some(&retraction(1, block(2, 0))));
    });
}

#[test]
fn a_second_hash_for_a_number_is_never_permitted() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        journal.record_claim(claim(0, block(1, 0))).await.unwrap();
        journal.record_claim(claim(0, block(2, 0))).await.unwrap();
        assert_eq!(journal.permit(&claim(0, block(1, 0)).claim).unwrap(), Some(claim(0, block(1, 0))));
        for number in [0, 1, 2] {
            let other = claim(0, block(number, 9));
            assert!(
                matches!(journal.permit(&other.claim), Err(JournalError::Equivocation { .. })),
                "{number}"
            );
            assert!(journal.record_claim(other).await.is_err());
        }
        assert!(matches!(journal.permit(&claim(0, block(4, 0)).claim), Err(JournalError::OutOfOrder { .. })));
        assert!(matches!(journal.permit(&claim(1, block(3, 0)).claim), Err(JournalError::OutOfOrder { .. })));

        // What is settled cannot be claimed again either.
        journal.settle(2);
        assert!(journal.permit(&claim(0, block(1, 9)).claim).is_err());
        assert!(journal.permit(&claim(0, block(2, 9)).claim).is_err());
        assert!(journal.permit(&claim(0, block(3, 0)).claim).unwrap().is_none());
    });
}

#[test]
fn a_generation_is_opened_once() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        journal.record_claim(claim(0, block(1, 0))).await.unwrap();
        assert!(matches!(
            journal.record_retraction(retraction(0, block(0, 0))).await,
            Err(JournalError::Retraction { .. })
        ));
        journal.record_retraction(retraction(1, block(1, 0))).await.unwrap();
        journal.record_retraction(retraction(1, block(1, 0))).await.unwrap();
        assert!(journal.record_retraction(retraction(1, block(0, 0))).await.is_err());
    });
}

#[test]
fn a_torn_last_record_is_cut_off_and_a_damaged_earlier_one_stops_the_start() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        for number in 1..=3 {
            journal.record_claim(claim(0, block(number, 0))).await.unwrap();
        }
        drop(journal);
        let (blob, size) = only_segment(&context).await;
        let whole = read_all(&blob, size).await.unwrap();
        drop(blob);
        let write = async |bytes: Vec<u8>| {
            let (blob, _) = only_segment(&context).await;
            blob.resize(0).await.unwrap();
            blob.write_at(0, bytes, WriteOptions::default()).await.unwrap();
            blob.sync().await.unwrap();
        };

        // Every torn length of the last record.
        for cut in 1..=RECORD_BYTES {
            write(whole[..whole.len() - cut].to_vec()).await;
            assert_eq!(open(&context).await.unwrap().mark(), block(2, 0), "{cut} bytes missing");
        }
        // A torn last record of full length.
        for at in size - RECORD_BYTES as u64..size {
            let mut bytes = whole.clone();
            bytes[at as usize] ^= 0x40;
            write(bytes).await;
            assert_eq!(open(&context).await.unwrap().mark(), block(2, 0), "byte {at}");
        }
        // Any byte before it.
        for at in (0..size as usize - RECORD_BYTES).step_by(13) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            write(bytes).await;
            let error = open(&context).await.unwrap_err();
            assert!(matches!(error, JournalError::Damaged { segment: 0, .. }), "byte {at}: {error}");
        }
    });
}

#[test]
fn another_rollups_journal_is_refused() {
    run(|context| async move {
        drop(open(&context).await.unwrap());
        for other in [
            Identity { chain_id: ChainId(8), ..identity() },
            Identity { registration: RegistrationId(B256::ZERO), ..identity() },
        ] {
            let error = Journal::open(context.child("journal"), PARTITION.into(), other).await.unwrap_err();
            assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
        }
    });
}

#[test]
fn rewriting_keeps_what_is_live_and_forgets_nothing_that_was_signed() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        journal.record_claim(claim(0, block(1, 0))).await.unwrap();
        journal.record_retraction(retraction(1, block(1, 0))).await.unwrap();
        for number in 2..=9 {
            journal.record_claim(claim(1, block(number, 0))).await.unwrap();
        }
        journal.settle(6);
        journal.rewrite().await.unwrap();
        let before = journal.signed.clone();
        drop(journal);
        only_segment(&context).await;
        let mut journal = open(&context).await.unwrap();
        assert_eq!(journal.signed, before);
        assert_eq!((journal.floor(), journal.mark()), (block(6, 0), block(9, 0)));
        assert!(journal.permit(&claim(1, block(6, 5)).claim).is_err());
        journal.record_claim(claim(1, block(10, 0))).await.unwrap();
        drop(journal);
        assert_eq!(open(&context).await.unwrap().mark(), block(10, 0));
    });
}

#[test]
fn a_rewrite_cut_short_anywhere_falls_back_to_the_segment_before() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        for number in 1..=4 {
            journal.record_claim(claim(0, block(number, 0))).await.unwrap();
        }
        let signed = journal.signed.clone();
        drop(journal);
        let (blob, records) = write_segment(&context, PARTITION, 1, identity(), &signed).await.unwrap();
        let size = records * RECORD_BYTES as u64;
        let whole = read_all(&blob, size).await.unwrap();
        drop(blob);
        for kept in (0..size).step_by(31) {
            let (blob, _) = context.open(PARTITION, &1_u64.to_be_bytes()).await.unwrap();
            blob.resize(0).await.unwrap();
            blob.write_at(0, whole[..kept as usize].to_vec(), WriteOptions::default()).await.unwrap();
            blob.sync().await.unwrap();
            drop(blob);
            let journal = open(&context).await.unwrap();
            assert_eq!(
                (journal.segment, journal.mark()),
                (0, block(4, 0)),
                "{kept} bytes of the new segment"
            );
        }
    });
}

#[test]
fn what_is_settled_is_remembered_for_a_while_in_every_generation() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        for number in 1..=300 {
            journal.record_claim(claim(0, block(number, 0))).await.unwrap();
        }
        journal.settle(290);
        let numbers: Vec<u64> = journal.known().iter().map(|block| block.number).collect();
        assert_eq!(numbers, (34..=300).collect::<Vec<_>>());
        journal.record_retraction(retraction(1, block(280, 0))).await.unwrap();
        assert_eq!((journal.floor(), journal.block_at(279)), (block(280, 0), Some(block(279, 0))));
        assert_eq!(journal.block_at(281), None);
        journal.record_claim(claim(1, block(281, 1))).await.unwrap();
        journal.rewrite().await.unwrap();
        let known = journal.known();
        drop(journal);
        let journal = open(&context).await.unwrap();
        assert_eq!(journal.known(), known);
        // What was claimed in an older generation is not up for signing again.
        assert!(journal.permit(&claim(1, block(279, 0)).claim).is_err());
    });
}

#[test]
fn a_journal_that_lost_its_end_takes_over_only_forwards() {
    run(|context| async move {
        let mut journal = open(&context).await.unwrap();
        journal.record_claim(claim(0, block(1, 0))).await.unwrap();
        journal.adopt(Generation(0), block(5, 0)).await.unwrap();
        assert_eq!(journal.mark(), block(5, 0));
        journal.adopt(Generation(0), block(3, 0)).await.unwrap();
        assert_eq!(journal.mark(), block(5, 0));
        journal.adopt(Generation(2), block(4, 0)).await.unwrap();
        drop(journal);
        let journal = open(&context).await.unwrap();
        assert_eq!((journal.generation(), journal.mark()), (Generation(2), block(4, 0)));
    });
}
