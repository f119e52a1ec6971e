//! A rollup that comes in while the network runs, as L1 has it.

use crate::{
    Address, B256, BlockRef, Bytes, ChainId, Class, JUDGES_MAX, L1Origin, RegistrationId,
    codec::{Decode, DecodeError, Encode, Reader, put_bytes, put_list},
    keccak256,
};
use serde::{Deserialize, Serialize};

/// Bytes that a rollup's profile can have.
pub const PROFILE_BYTES_MAX: usize = 24 * 1024;

/// All that everyone needs to follow a rollup from its anchor on. Its registration is computed, never declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Its chain id.
    pub chain_id: ChainId,
    /// Whose claims count.
    pub sequencer: Address,
    /// Its gateways, in the order of [`Confidence::ALL`](crate::Confidence::ALL).
    pub facades: [Address; 3],
    /// How operators know its heads.
    pub class: Class,
    /// The block that verification starts from.
    pub anchor: BlockRef,
    /// The anchor's state root.
    pub anchor_state_root: B256,
    /// Who decides for the rollup whom it listens to.
    pub governor: Address,
    /// Its profile, as L1 has it; at most [`PROFILE_BYTES_MAX`].
    pub profile: Bytes,
    /// Who judges its blocks, by ascending operator id: nobody unless its class is [`Class::OwnNode`]. In the profile too.
    pub judges: Vec<B256>,
    /// The L1 block that has registration and profile, or a later one.
    pub l1: L1Origin,
}

impl Join {
    /// Its entry in the registry.
    #[must_use]
    pub fn registration(&self) -> RegistrationId {
        let spec_hash = profile_spec_hash(self.governor, &self.profile);
        RegistrationId::derive(self.chain_id, self.sequencer, self.anchor.hash, spec_hash)
    }
}

/// What a rollup that joins is registered with in place of the hash of a chain spec: it commits to governor and profile.
#[must_use]
pub fn profile_spec_hash(governor: Address, profile: &[u8]) -> B256 {
    let mut bytes = governor.to_vec();
    bytes.extend_from_slice(keccak256(profile).as_slice());
    keccak256(bytes)
}

impl Encode for Join {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.chain_id.encode_to(out);
        out.extend_from_slice(self.sequencer.as_slice());
        for facade in &self.facades {
            out.extend_from_slice(facade.as_slice());
        }
        self.class.encode_to(out);
        self.anchor.encode_to(out);
        out.extend_from_slice(self.anchor_state_root.as_slice());
        out.extend_from_slice(self.governor.as_slice());
        put_bytes(out, &self.profile);
        put_list(out, &self.judges);
        self.l1.encode_to(out);
    }
}

impl Decode for Join {
    const WHAT: &'static str = "join";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            chain_id: ChainId::decode_from(reader)?,
            sequencer: reader.address("sequencer")?,
            facades: [reader.address("facade")?, reader.address("facade")?, reader.address("facade")?],
            class: Class::decode_from(reader)?,
            anchor: BlockRef::decode_from(reader)?,
            anchor_state_root: reader.b256("anchor state root")?,
            governor: reader.address("governor")?,
            profile: reader.bytes("profile", PROFILE_BYTES_MAX)?,
            judges: reader.list("judges", JUDGES_MAX)?,
            l1: L1Origin::decode_from(reader)?,
        })
    }
}
