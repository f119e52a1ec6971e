//! What an operator's BLS key signs: one digest per (deployment, kind, epoch, height, subject).

use crate::{Address, B256, ChainId, Epoch, Height, keccak256};
use serde::{Deserialize, Serialize};

/// One deployment of Hum: signatures made for another one mean nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Domain(pub B256);

impl Domain {
    /// The domain of the operator set `operator_set` of `service_manager` on the L1 `l1`.
    #[must_use]
    pub fn new(l1: ChainId, service_manager: Address, operator_set: u32) -> Self {
        let mut bytes = b"hum/domain/1".to_vec();
        bytes.extend_from_slice(&l1.0.to_be_bytes());
        bytes.extend_from_slice(service_manager.as_slice());
        bytes.extend_from_slice(&operator_set.to_be_bytes());
        Self(keccak256(bytes))
    }
}

/// What kind of statement a BLS signature makes; kinds never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// "I judged what this height advanced, and it was finalised."
    Attestation = 1,
    /// "My own node of that stack says so about this head."
    Verdict = 2,
    /// "I hold the secret of this key."
    Possession = 3,
}

/// A statement ready to be hashed and signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignedSubject {
    /// The deployment.
    pub domain: Domain,
    /// What is being said.
    pub kind: Kind,
    /// The committee's epoch; 0 for [`Kind::Possession`].
    pub epoch: Epoch,
    /// The checkpoint's height; 0 for [`Kind::Possession`].
    pub height: Height,
    /// What it is said about: a header hash, a head's hash, a key's hash.
    pub subject: B256,
}

impl SignedSubject {
    /// The 32 bytes that are hashed to the curve.
    #[must_use]
    pub fn digest(&self) -> B256 {
        let mut bytes = [0_u8; 81];
        bytes[..32].copy_from_slice(self.domain.0.as_slice());
        bytes[32] = self.kind as u8;
        bytes[33..41].copy_from_slice(&self.epoch.0.to_be_bytes());
        bytes[41..49].copy_from_slice(&self.height.0.to_be_bytes());
        bytes[49..].copy_from_slice(self.subject.as_slice());
        keccak256(bytes)
    }
}
