//! Blobs: data that L1 keeps beside its blocks for a while, and commits to in them.
//!
//! A block's transactions name blobs by versioned hash, `1 ‖ sha256(KZG commitment)[1..]`; so whoever has the block can
//! check a blob that anybody gives him.

use crate::ReadError;
use alloy_eips::{
    eip4844::{BYTES_PER_BLOB, Blob, BlobTransactionSidecar, Bytes48, kzg_to_versioned_hash},
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use c_kzg::KzgSettings;
use futures::future::BoxFuture;
use hum_types::{B256, Bytes, TimeMs};
use std::fmt::Debug;

/// Gas that one blob uses, of the kind that only blobs use.
pub const GAS_PER_BLOB: u64 = 1 << 17;

/// Blobs of an L1's blocks, as one node has them.
pub trait Blobs: Debug + Send + Sync + 'static {
    /// The blobs with these versioned hashes, in that order, of the L1 block with this timestamp. Each is checked against
    /// its hash. [`ReadError::Missing`] when the node does not have one of them, or no longer.
    fn blobs(&self, time_ms: TimeMs, hashes: Vec<B256>) -> BoxFuture<'_, Result<Vec<Bytes>, ReadError>>;
}

/// Why bytes are no blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobBytesError {
    /// Another length.
    #[error("{found} bytes, a blob has {BYTES_PER_BLOB}")]
    Length {
        /// How many bytes there are.
        found: usize,
    },
    /// Something in it is no field element.
    #[error("not a blob: {0}")]
    Elements(String),
}

/// Loaded once, in a fraction of a second; more precomputation would cost 100 MB.
fn kzg() -> &'static KzgSettings {
    c_kzg::ethereum_kzg_settings(0)
}

fn elements(error: &c_kzg::Error) -> BlobBytesError {
    BlobBytesError::Elements(format!("{error:?}"))
}

fn read(bytes: &[u8]) -> Result<Box<c_kzg::Blob>, BlobBytesError> {
    let wrong = |_| BlobBytesError::Length { found: bytes.len() };
    c_kzg::Blob::from_bytes(bytes).map(Box::new).map_err(wrong)
}

fn commitment(blob: &c_kzg::Blob) -> Result<Bytes48, BlobBytesError> {
    let commitment = kzg().blob_to_kzg_commitment(blob).map_err(|error| elements(&error))?;
    Ok(commitment.to_bytes().into_inner().into())
}

/// The versioned hash of a blob. Takes some 40 ms of CPU.
pub fn versioned_hash(blob: &[u8]) -> Result<B256, BlobBytesError> {
    Ok(kzg_to_versioned_hash(commitment(&*read(blob)?)?.as_slice()))
}

/// How the blobs of a transaction are proven to the nodes that pass it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proofs {
    /// One proof for each cell: what nodes want from Osaka on (EIP-7594).
    Cells,
    /// One proof for each blob: what they wanted before (EIP-4844).
    Blobs,
}

/// What goes with a transaction's blobs.
#[derive(Debug, Clone)]
pub(crate) struct Sidecar {
    pub(crate) hashes: Vec<B256>,
    pub(crate) wire: BlobTransactionSidecarVariant,
}

impl Sidecar {
    /// Commit to blobs and prove them. Cell proofs take some 300 ms of CPU for each blob.
    pub(crate) fn new(blobs: &[Bytes], proofs: Proofs) -> Result<Self, BlobBytesError> {
        let (mut commitments, mut proven) = (Vec::new(), Vec::new());
        let mut plain = Vec::with_capacity(blobs.len());
        for bytes in blobs {
            let blob = read(bytes)?;
            let commitment = commitment(&blob)?;
            match proofs {
                Proofs::Cells => {
                    let (_, cells) =
                        kzg().compute_cells_and_kzg_proofs(&blob).map_err(|error| elements(&error))?;
                    proven.extend(cells.iter().map(|proof| Bytes48::from(proof.to_bytes().into_inner())));
                }
                Proofs::Blobs => {
                    let proof = kzg()
                        .compute_blob_kzg_proof(&blob, &c_kzg::Bytes48::from(commitment.0))
                        .map_err(|error| elements(&error))?;
                    proven.push(proof.to_bytes().into_inner().into());
                }
            }
            commitments.push(commitment);
            plain.push(Blob::from_slice(bytes));
        }
        let hashes = commitments.iter().map(|commitment| kzg_to_versioned_hash(commitment.as_slice()));
        let hashes = hashes.collect();
        let wire = match proofs {
            Proofs::Cells => BlobTransactionSidecarEip7594::new(plain, commitments, proven).into(),
            Proofs::Blobs => BlobTransactionSidecar::new(plain, commitments, proven).into(),
        };
        Ok(Self { hashes, wire })
    }
}

/// The versioned hashes of blobs.
pub(crate) fn versioned_hashes(blobs: &[Bytes]) -> Result<Vec<B256>, BlobBytesError> {
    blobs.iter().map(|blob| versioned_hash(blob)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;
    use std::time::Instant;

    #[test]
    fn hashes_are_those_of_the_trusted_setup() {
        // The commitment to zero is the point at infinity, `c0 00…`.
        let empty = vec![0; BYTES_PER_BLOB];
        let hash = b256!("010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014");
        assert_eq!(versioned_hash(&empty), Ok(hash));
        assert_eq!(versioned_hash(&empty[1..]), Err(BlobBytesError::Length { found: BYTES_PER_BLOB - 1 }));
        let mut above = empty;
        above[..32].fill(0xff);
        assert!(matches!(versioned_hash(&above), Err(BlobBytesError::Elements(_))));
    }

    #[test]
    fn both_forms_prove_their_blobs() {
        let blob = |byte: u8| {
            let bytes =
                (0..BYTES_PER_BLOB).map(|at| if at % 32 == 0 { 0 } else { byte ^ at.to_le_bytes()[0] });
            Bytes::from(bytes.collect::<Vec<_>>())
        };
        let blobs = [blob(1), blob(2)];
        let started = Instant::now();
        let hashes = versioned_hashes(&blobs).unwrap();
        println!("two commitments, settings loaded: {} ms", started.elapsed().as_millis());
        let started = Instant::now();
        versioned_hashes(&blobs).unwrap();
        println!("two commitments: {} ms", started.elapsed().as_millis());
        for (proofs, count) in [(Proofs::Cells, 256), (Proofs::Blobs, 2)] {
            let started = Instant::now();
            let sidecar = Sidecar::new(&blobs, proofs).unwrap();
            println!("two blobs with proofs of {proofs:?}: {} ms", started.elapsed().as_millis());
            assert_eq!(sidecar.hashes, hashes);
            match sidecar.wire {
                BlobTransactionSidecarVariant::Eip7594(wire) => {
                    assert_eq!((proofs, wire.cell_proofs.len()), (Proofs::Cells, count));
                    assert_eq!(wire.blobs[1].as_slice(), blobs[1].as_ref());
                    let blob = read(&blobs[1]).unwrap();
                    let cells = kzg().compute_cells(&blob).unwrap();
                    let commitments = vec![c_kzg::Bytes48::from(wire.commitments[1].0); 128];
                    let proven: Vec<_> =
                        wire.cell_proofs[128..].iter().map(|proof| c_kzg::Bytes48::from(proof.0)).collect();
                    let places: Vec<u64> = (0..128).collect();
                    let holds = kzg().verify_cell_kzg_proof_batch(&commitments, &places, &*cells, &proven);
                    assert!(holds.unwrap());
                }
                BlobTransactionSidecarVariant::Eip4844(wire) => {
                    assert_eq!((proofs, wire.proofs.len()), (Proofs::Blobs, count));
                    for (at, bytes) in blobs.iter().enumerate() {
                        let (commitment, proof) = (wire.commitments[at].0, wire.proofs[at].0);
                        let holds = kzg().verify_blob_kzg_proof(
                            &read(bytes).unwrap(),
                            &commitment.into(),
                            &proof.into(),
                        );
                        assert!(holds.unwrap());
                    }
                }
            }
        }
    }
}
