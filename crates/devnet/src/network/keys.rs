//! Every secret of a local network, from one seed: worth nothing anywhere else.

use hum_bls::SecretKey;
use hum_types::{Address, B256, SequencerKey, keccak256};

/// Makes a network's secrets. The same seed makes the same ones.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secrets(B256);

impl Secrets {
    pub(crate) const fn new(seed: B256) -> Self {
        Self(seed)
    }

    /// A 32-byte secret for `what` number `index`.
    pub(crate) fn secret(&self, what: &str, index: usize) -> B256 {
        let mut bytes = self.0.to_vec();
        bytes.extend_from_slice(what.as_bytes());
        bytes.extend_from_slice(&(index as u64).to_be_bytes());
        let mut secret = keccak256(bytes);
        // Below the order of every group that a secret of ours is used in.
        secret.0[0] = 0;
        secret
    }

    pub(crate) fn bls(&self, operator: usize) -> SecretKey {
        SecretKey::from_seed(self.secret("bls", operator).as_slice())
    }

    /// A secp256k1 key.
    pub(crate) fn account(&self, what: &str, index: usize) -> SequencerKey {
        SequencerKey::from_secret(self.secret(what, index))
            .expect("a secret below 2^248 that is not zero is a key; zero is the hash of nothing known")
    }

    pub(crate) fn address(&self, what: &str, index: usize) -> Address {
        self.account(what, index).address()
    }
}
