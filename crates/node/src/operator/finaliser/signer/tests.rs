//! Power cuts and failing disks at every point of signing.

use super::*;
use commonware_runtime::{
    Supervisor as _,
    deterministic::{Checkpoint, Context, FaultConfig, PartialWriteMode, Runner, WriteConfig},
};
use commonware_utils::Probability;
use hum_types::{Address, ChainId, Domain, Epoch, L1Origin, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

/// A header of this height; `fork` tells it from others of the same height.
fn header(height: u64, fork: u8) -> Header {
    Header {
        domain: Domain::new(ChainId(1), Address::ZERO, 0),
        epoch: Epoch(0),
        height: Height(height),
        time_ms: TimeMs(height),
        l1_origin: L1Origin { number: 1, hash: B256::ZERO },
        parent: B256::ZERO,
        rollups_root: B256::repeat_byte(fork),
        body_hash: B256::ZERO,
        next_table_hash: B256::ZERO,
    }
}

async fn open(context: &Context) -> Result<Signer<Context>, SignerError> {
    let key = SecretKey::from_seed(&[7]);
    Signer::open(context.child("signer"), "attestations".to_owned(), key).await
}

/// One life of an operator; it ends in a power cut.
fn live<T, F>(from: Option<Checkpoint>, seed: u64, life: impl FnOnce(Context) -> F) -> (T, Checkpoint)
where
    F: Future<Output = T>,
{
    from.map_or_else(|| Runner::seeded(seed), Runner::from).start_and_recover(life)
}

fn percent(rate: u64) -> Probability {
    Probability::new(rate, 100).expect("at most a hundred")
}

/// Writes fail and leave `kept` percent of their bytes behind, syncs fail.
fn faults(write: u64, kept: u64, sync: u64) -> FaultConfig {
    let (failure_rate, retention_rate) = (percent(write), percent(kept));
    let write = WriteConfig { failure_rate, retention_rate, mode: PartialWriteMode::Prefix };
    FaultConfig { write_rate: Some(write), sync_rate: Some(percent(sync)), ..FaultConfig::default() }
}

#[test]
fn what_was_signed_is_remembered_across_a_power_cut() {
    let ((), checkpoint) = live(None, 1, |context| async move {
        let mut signer = open(&context).await.unwrap();
        assert!(signer.attest(&header(5, 1), Seat(0)).await.unwrap().is_some());
    });
    let ((), _) = live(Some(checkpoint), 1, |context| async move {
        let mut signer = open(&context).await.unwrap();
        assert_eq!(signer.highest(), Some(Height(5)));
        assert_eq!(
            signer.attest(&header(5, 2), Seat(0)).await.unwrap(),
            None,
            "another header of that height"
        );
        assert_eq!(signer.attest(&header(4, 1), Seat(0)).await.unwrap(), None, "a height below");
        let again =
            signer.attest(&header(5, 1), Seat(0)).await.unwrap().expect("what it signed, it may say again");
        assert_eq!(again.header_hash, header(5, 1).hash());
        assert!(signer.attest(&header(6, 2), Seat(0)).await.unwrap().is_some());
    });
}

#[test]
fn nothing_is_signed_that_the_disk_does_not_take() {
    for (write, kept, sync) in [(100, 0, 0), (100, 50, 0), (100, 100, 0), (0, 100, 100), (0, 0, 100)] {
        let ((), checkpoint) = live(None, 2, |context| async move {
            let mut signer = open(&context).await.unwrap();
            assert!(signer.attest(&header(1, 1), Seat(0)).await.unwrap().is_some());
            *context.storage_fault_config().write() = faults(write, kept, sync);
            assert!(signer.attest(&header(2, 1), Seat(0)).await.is_err());
            *context.storage_fault_config().write() = FaultConfig::default();
            // The disk may hold half a record: nothing more is signed before it was read anew.
            assert!(
                signer.attest(&header(2, 2), Seat(0)).await.is_err()
                    && signer.attest(&header(3, 1), Seat(0)).await.is_err()
            );
        });
        let ((), _) = live(Some(checkpoint), 2, |context| async move {
            let mut signer = open(&context).await.unwrap();
            assert!(signer.highest() >= Some(Height(1)));
            assert_eq!(signer.attest(&header(1, 2), Seat(0)).await.unwrap(), None);
            assert!(signer.attest(&header(3, 2), Seat(0)).await.unwrap().is_some());
        });
    }
}

/// Every attestation that was ever handed out, across all lives.
type Seen = Arc<Mutex<BTreeMap<Height, BTreeSet<B256>>>>;

#[test]
fn no_life_contradicts_another() {
    for seed in 0..64_u64 {
        let seen = Seen::default();
        let mut checkpoint = None;
        for life in 0..6_u8 {
            let seen = seen.clone();
            let ((), after) = live(checkpoint, seed, |context| async move {
                *context.storage_fault_config().write() = FaultConfig::default();
                let mut signer = open(&context).await.unwrap();
                *context.storage_fault_config().write() =
                    faults(seed % 4 * 10, seed % 3 * 40, (seed + u64::from(life)) % 5 * 10);
                let first = signer.highest().map_or(1, |height| height.0.saturating_sub(2));
                for height in first..first + 5 {
                    // Each life sees another chain: what consensus would never do, and a signer must survive.
                    if let Ok(Some(signed)) = signer.attest(&header(height, life), Seat(0)).await {
                        seen.lock().unwrap().entry(signed.height).or_default().insert(signed.header_hash);
                    }
                }
            });
            checkpoint = Some(after);
        }
        let seen = seen.lock().unwrap();
        assert!(!seen.is_empty() || seed % 4 > 0 || seed % 5 > 0, "seed {seed}: nothing was signed at all");
        assert!(seen.values().all(|hashes| hashes.len() == 1), "seed {seed}: {seen:?}");
    }
}
