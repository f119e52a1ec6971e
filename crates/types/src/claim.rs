//! What a rollup's sequencer signs: claims about its blocks, and retractions.
//!
//! ```text
//! bytes ─decode▶ SignedClaim ─authenticate(domain, sequencer)▶ AuthenticClaim
//! ```

use crate::{
    Address, B256, BlockRef, ChainId, Domain, Generation, RegistrationId,
    codec::{Decode, DecodeError, Encode, Reader},
    keccak256,
};
use alloy_primitives::Signature;
use k256::ecdsa::SigningKey;
use serde::{Deserialize, Serialize};

/// "Block N of rollup R (registration, generation) has hash H."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeadClaim {
    /// The rollup's chain.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// The generation the claim is made in.
    pub generation: Generation,
    /// The block.
    pub block: BlockRef,
}

/// "Generation G keeps our blocks up to this one; what stood above it is withdrawn."
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retraction {
    /// The rollup's chain.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// The generation that it opens.
    pub generation: Generation,
    /// The last block kept.
    pub kept: BlockRef,
}

fn digest(
    label: &[u8],
    domain: Domain,
    chain: ChainId,
    registration: RegistrationId,
    rest: &impl Encode,
    generation: Generation,
) -> B256 {
    let mut bytes = label.to_vec();
    bytes.extend_from_slice(domain.0.as_slice());
    chain.encode_to(&mut bytes);
    bytes.extend_from_slice(registration.0.as_slice());
    generation.encode_to(&mut bytes);
    rest.encode_to(&mut bytes);
    keccak256(bytes)
}

impl HeadClaim {
    /// What the sequencer key signs.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        digest(b"hum/claim/1", domain, self.chain_id, self.registration, &self.block, self.generation)
    }

    /// Sign it.
    #[must_use]
    pub fn sign(self, domain: Domain, key: &SequencerKey) -> SignedClaim {
        SignedClaim { claim: self, signature: key.sign(self.digest(domain)) }
    }
}

impl Retraction {
    /// What the sequencer key signs.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        digest(b"hum/retraction/1", domain, self.chain_id, self.registration, &self.kept, self.generation)
    }

    /// Sign it.
    #[must_use]
    pub fn sign(self, domain: Domain, key: &SequencerKey) -> SignedRetraction {
        SignedRetraction { retraction: self, signature: key.sign(self.digest(domain)) }
    }
}

/// A sequencer's secp256k1 signing key.
#[derive(Clone)]
pub struct SequencerKey(SigningKey);

impl std::fmt::Debug for SequencerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SequencerKey({})", self.address())
    }
}

impl SequencerKey {
    /// The key with this secret; `None` when it is zero or not below the group order.
    #[must_use]
    pub fn from_secret(secret: B256) -> Option<Self> {
        SigningKey::from_slice(secret.as_slice()).ok().map(Self)
    }

    /// The address that its signatures recover to.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from_public_key(self.0.verifying_key())
    }

    fn sign(&self, digest: B256) -> SequencerSignature {
        // Deterministic (RFC 6979) and low-s by construction.
        let (signature, recovery) =
            self.0.sign_prehash_recoverable(digest.as_slice()).expect("a 32-byte digest can be signed");
        SequencerSignature(Signature::from((signature, recovery)))
    }
}

/// A canonical secp256k1 signature: `r 32 ‖ s 32 ‖ v 1`, low `s`, `v` in 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SequencerSignature(Signature);

impl Encode for SequencerSignature {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.r().to_be_bytes::<32>());
        out.extend_from_slice(&self.0.s().to_be_bytes::<32>());
        out.push(u8::from(self.0.v()));
    }
}

impl Decode for SequencerSignature {
    const WHAT: &'static str = "sequencer signature";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bytes: [u8; 65] = reader.array(Self::WHAT)?;
        let v = bytes[64];
        if v > 1 {
            return Err(DecodeError::Value { field: "signature v", value: v.into() });
        }
        let signature = Signature::from_bytes_and_parity(&bytes[..64], v == 1);
        if signature.normalize_s().is_some() {
            return Err(DecodeError::Value {
                field: "signature s above half the group order, v",
                value: v.into(),
            });
        }
        Ok(Self(signature))
    }
}

impl SequencerSignature {
    fn check(&self, digest: B256, sequencer: Address) -> Result<(), ClaimError> {
        let signer = self.0.recover_address_from_prehash(&digest).map_err(|_| ClaimError::Unrecoverable)?;
        if signer == sequencer { Ok(()) } else { Err(ClaimError::Signer { signer, sequencer }) }
    }
}

/// Why a claim or retraction is not its rollup's. The sender is at fault, never the sequencer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The signature is no signature.
    #[error("signature recovers to no key")]
    Unrecoverable,
    /// Someone else signed.
    #[error("signed by {signer}, the rollup's sequencer is {sequencer}")]
    Signer {
        /// Who signed.
        signer: Address,
        /// Who should have.
        sequencer: Address,
    },
}

macro_rules! signed {
    ($(#[$doc:meta])* $signed:ident, $field:ident: $inner:ty, $(#[$adoc:meta])* $authentic:ident, $block:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct $signed {
            /// What was signed.
            pub $field: $inner,
            /// By whom is not known before [`Self::authenticate`].
            pub signature: SequencerSignature,
        }

        $(#[$adoc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $authentic($signed);

        impl $signed {
            /// Check that `sequencer` signed it for `domain`.
            pub fn authenticate(self, domain: Domain, sequencer: Address) -> Result<$authentic, ClaimError> {
                self.signature.check(self.$field.digest(domain), sequencer)?;
                Ok($authentic(self))
            }
        }

        impl $authentic {
            /// What the sequencer signed.
            #[must_use]
            pub const fn get(&self) -> &$inner {
                &self.0.$field
            }

            /// The signed form, to pass on.
            #[must_use]
            pub const fn signed(&self) -> &$signed {
                &self.0
            }
        }

        impl Encode for $signed {
            fn encode_to(&self, out: &mut Vec<u8>) {
                self.$field.chain_id.encode_to(out);
                out.extend_from_slice(self.$field.registration.0.as_slice());
                self.$field.generation.encode_to(out);
                self.$field.$block.encode_to(out);
                self.signature.encode_to(out);
            }
        }

        impl Decode for $signed {
            const WHAT: &'static str = stringify!($signed);

            fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self {
                    $field: <$inner>::new_parts(
                        ChainId::decode_from(reader)?,
                        RegistrationId(reader.b256("registration")?),
                        Generation::decode_from(reader)?,
                        BlockRef::decode_from(reader)?,
                    ),
                    signature: SequencerSignature::decode_from(reader)?,
                })
            }
        }
    };
}

impl HeadClaim {
    const fn new_parts(
        chain_id: ChainId,
        registration: RegistrationId,
        generation: Generation,
        block: BlockRef,
    ) -> Self {
        Self { chain_id, registration, generation, block }
    }
}

impl Retraction {
    const fn new_parts(
        chain_id: ChainId,
        registration: RegistrationId,
        generation: Generation,
        kept: BlockRef,
    ) -> Self {
        Self { chain_id, registration, generation, kept }
    }
}

signed!(
    /// A claim as it was received.
    SignedClaim, claim: HeadClaim,
    /// A claim that its rollup's sequencer did sign.
    AuthenticClaim, block
);
signed!(
    /// A retraction as it was received.
    SignedRetraction, retraction: Retraction,
    /// A retraction that its rollup's sequencer did sign.
    AuthenticRetraction, kept
);

#[cfg(test)]
mod tests;
