//! Ids and quantities, one type each, so that none can stand in for another.

use crate::codec::{Decode, DecodeError, Encode, Reader};
use alloy_primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $int:ty, $read:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl $name {
            /// The next one; `None` at the end of the range.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(next) => Some(Self(next)),
                    None => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Encode for $name {
            fn encode_to(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0.to_be_bytes());
            }
        }

        impl Decode for $name {
            const WHAT: &'static str = stringify!($name);

            fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(reader.$read(Self::WHAT)?))
            }
        }
    };
}

quantity!(
    /// An EVM chain id (EIP-155).
    ChainId, u64, u64
);
quantity!(
    /// What a rollup's `Latest` restarts with after a reorganisation of its own making.
    Generation, u32, u32
);
quantity!(
    /// Position of a checkpoint in the operators' chain; genesis is 0.
    Height, u64, u64
);
quantity!(
    /// The period for which a committee is fixed.
    Epoch, u64, u64
);
quantity!(
    /// Milliseconds since 1970.
    TimeMs, u64, u64
);
quantity!(
    /// Seconds since 1970, as chains count them.
    TimeS, u64, u64
);
quantity!(
    /// A run of heights between which a committee can change, from 0: see [`Terms`](crate::Terms).
    Term, u64, u64
);
quantity!(
    /// Position of a message in its lane, from 0.
    LaneIndex, u64, u64
);
quantity!(
    /// Slashable stake, in the smallest unit of the staked asset.
    Stake, u128, u128
);

macro_rules! tag {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $value),+
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => stringify!($variant)),+ })
            }
        }

        impl TryFrom<u8> for $name {
            type Error = DecodeError;

            fn try_from(value: u8) -> Result<Self, DecodeError> {
                match value {
                    $($value => Ok(Self::$variant),)+
                    _ => Err(DecodeError::Value { field: stringify!($name), value: value.into() }),
                }
            }
        }

        impl Encode for $name {
            fn encode_to(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
        }

        impl Decode for $name {
            const WHAT: &'static str = stringify!($name);

            fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Self::try_from(reader.u8(Self::WHAT)?)
            }
        }
    };
}

tag!(
    /// How settled the source block is, as the chain's own tags.
    Confidence {
        /// Validly executed, signed by the sequencer, attested.
        Latest = 0,
        /// Its data are on L1.
        Safe = 1,
        /// That L1 block is final.
        Finalized = 2,
    }
);
tag!(
    /// Whether a rollup's messages are accepted at `Latest`.
    RollupStatus {
        /// Messages are accepted.
        Active = 0,
        /// Set aside for evidence that stands in a checkpoint's body.
        Quarantined = 1,
        /// Final L1 data contradicted its `Latest` head.
        Reorged = 2,
        /// It left the network.
        Left = 3,
    }
);
tag!(
    /// How operators know a rollup's heads.
    Class {
        /// Every operator re-executes every block.
        Reexecuted = 0,
        /// Judged by operators that run a full node of that stack.
        OwnNode = 1,
    }
);

impl Confidence {
    /// All of them, weakest first.
    pub const ALL: [Self; 3] = [Self::Latest, Self::Safe, Self::Finalized];
}

/// A rollup's entry in the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegistrationId(pub B256);

impl RegistrationId {
    /// The id that a member has until the L1 registry issues one: it commits to all that the members agree on.
    #[must_use]
    pub fn derive(chain_id: ChainId, sequencer: Address, anchor_hash: B256, chain_spec_hash: B256) -> Self {
        let mut bytes = b"hum/registration/1".to_vec();
        bytes.extend_from_slice(&chain_id.0.to_be_bytes());
        bytes.extend_from_slice(sequencer.as_slice());
        bytes.extend_from_slice(anchor_hash.as_slice());
        bytes.extend_from_slice(chain_spec_hash.as_slice());
        Self(keccak256(bytes))
    }
}

impl std::fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A block by number and hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
}

impl std::fmt::Display for BlockRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.hash)
    }
}

impl Encode for BlockRef {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(self.hash.as_slice());
    }
}

impl Decode for BlockRef {
    const WHAT: &'static str = "block reference";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: reader.u64("block number")?, hash: reader.b256("block hash")? })
    }
}
