//! Validators, guardians, oracles: secp256k1 keys of a peer's set, by ascending address.

use alloy_primitives::{Address, B256, Signature, keccak256};
use k256::ecdsa::SigningKey;

pub(super) struct Signers(Vec<(Address, SigningKey)>);

impl Signers {
    /// `count` keys that follow from their number.
    pub(super) fn new(count: usize) -> Self {
        let keys = (0_u64..).filter_map(|number| {
            let key = SigningKey::from_slice(keccak256(number.to_be_bytes()).as_slice()).ok()?;
            Some((Address::from_public_key(key.verifying_key()), key))
        });
        let mut keys: Vec<_> = keys.take(count).collect();
        keys.sort_by_key(|(address, _)| *address);
        Self(keys)
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        self.0.iter().map(|(address, _)| *address).collect()
    }

    /// Signatures `r ‖ s ‖ v` of the first `count`, `v` 27 or 28.
    pub(super) fn sign(&self, count: usize, digest: B256) -> Vec<[u8; 65]> {
        let signed = self.0.iter().take(count).filter_map(|(_, key)| {
            let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).ok()?;
            Some(Signature::from((signature, recovery)).as_bytes())
        });
        signed.collect()
    }
}

/// The hash that a personal signature is over.
pub(super) fn personal(data: &[u8]) -> B256 {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", data.len());
    keccak256([prefix.as_bytes(), data].concat())
}
