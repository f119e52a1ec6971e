//! Proof that whoever registers a key holds its secret.
//!
//! Without it, someone could register a key built from the keys of others, so that "their sum" signs what none of them
//! signed. The operator's address is part of what is signed: nobody can register somebody else's key as his own.

use crate::{G1, PublicKey, SecretKey, Signature, committee::OperatorId};
use hum_types::{Address, B256, Domain, Encode, Epoch, Height, Kind, SignedSubject, keccak256};

/// Why a key is not accepted as its operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PossessionError {
    /// The proof is not the key's signature on itself and this operator.
    #[error("proof of possession does not hold for key {key} of operator {operator}")]
    Proof {
        /// The key.
        key: G1,
        /// The operator's address.
        operator: Address,
    },
}

/// `H(key G1 64 ‖ operator address 20)`: the subject of a proof of possession.
#[must_use]
pub fn possession_subject(key: G1, operator: Address) -> B256 {
    let mut bytes = key.encode();
    bytes.extend_from_slice(operator.as_slice());
    keccak256(bytes)
}

fn statement(domain: Domain, key: G1, operator: Address) -> SignedSubject {
    SignedSubject {
        domain,
        kind: Kind::Possession,
        epoch: Epoch(0),
        height: Height(0),
        subject: possession_subject(key, operator),
    }
}

impl SecretKey {
    /// Prove that this key is held by `operator`.
    #[must_use]
    pub fn prove_possession(&self, domain: Domain, operator: Address) -> Signature {
        self.sign(&statement(domain, self.public_key().g1(), operator))
    }
}

/// A key whose operator has proven to hold its secret. Made only by [`PossessedKey::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PossessedKey {
    key: PublicKey,
    operator: Address,
}

impl PossessedKey {
    /// Check a proof of possession.
    pub fn check(
        domain: Domain,
        key: PublicKey,
        operator: Address,
        proof: &Signature,
    ) -> Result<Self, PossessionError> {
        if key.verifies(&statement(domain, key.g1(), operator), proof) {
            Ok(Self { key, operator })
        } else {
            Err(PossessionError::Proof { key: key.g1(), operator })
        }
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The operator's address.
    #[must_use]
    pub const fn operator(&self) -> Address {
        self.operator
    }

    /// What orders operators in a committee's table.
    #[must_use]
    pub fn operator_id(&self) -> OperatorId {
        OperatorId::of(self.key.g1())
    }
}
