//! Who orders: the operators of one network.

use crate::{Digest, PrivateKey, PublicKey, block::Block};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::Digestible as _;
use commonware_utils::ordered::Set;
use thiserror::Error;

/// Why a committee cannot be formed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CommitteeError {
    /// No operator at all.
    #[error("a committee needs at least one operator")]
    Empty,
    /// One key holds two seats.
    #[error("operator {0} is listed twice")]
    Duplicate(Box<PublicKey>),
}

/// The operators that order, one equal vote each, and the domain that keeps networks apart.
#[derive(Clone, Debug)]
pub struct Committee {
    domain: [u8; 32],
    operators: Set<PublicKey>,
}

impl Committee {
    /// Sorts the operators by key; that order is Simplex's.
    pub fn new(
        domain: [u8; 32],
        operators: impl IntoIterator<Item = PublicKey>,
    ) -> Result<Self, CommitteeError> {
        let mut keys: Vec<PublicKey> = operators.into_iter().collect();
        keys.sort();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(CommitteeError::Duplicate(Box::new(pair[0].clone())));
        }
        if keys.is_empty() {
            return Err(CommitteeError::Empty);
        }
        Ok(Self { domain, operators: Set::from_iter_dedup(keys) })
    }

    /// Operators in ascending key order.
    pub fn operators(&self) -> &[PublicKey] {
        self.operators.as_ref()
    }

    /// Whether `key` holds a seat.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.operators.position(key).is_some()
    }

    /// Votes that finalise: more than two thirds of the seats.
    pub fn quorum(&self) -> usize {
        let seats = self.operators.len();
        seats - (seats - 1) / 3
    }

    /// Digest of height 0, the parent of the first block.
    pub fn genesis(&self) -> Digest {
        self.genesis_block().digest()
    }

    /// Keeps networks apart.
    pub(crate) fn domain(&self) -> &[u8; 32] {
        &self.domain
    }

    pub(crate) fn set(&self) -> &Set<PublicKey> {
        &self.operators
    }

    pub(crate) fn genesis_block(&self) -> Block {
        // Never empty, see `new`.
        let leader = self.operators.as_ref()[0].clone();
        Block::genesis(&self.domain, self.operators.as_ref(), leader)
    }

    /// Voting keys; without a seat for `key`, a scheme that only verifies.
    pub(crate) fn scheme(&self, key: &PrivateKey) -> Scheme {
        let namespace = self.namespace(b"hum/consensus/1");
        Scheme::signer(&namespace, self.operators.clone(), key.clone())
            .unwrap_or_else(|| Scheme::verifier(&namespace, self.operators.clone()))
    }

    /// A scheme that only verifies, for whoever must not vote.
    pub(crate) fn follower(&self, seats: &Set<PublicKey>) -> Scheme {
        Scheme::verifier(&self.namespace(b"hum/consensus/1"), seats.clone())
    }

    /// Separates signatures and sessions of different networks.
    pub(crate) fn namespace(&self, purpose: &[u8]) -> Vec<u8> {
        [purpose, self.domain.as_slice()].concat()
    }
}
