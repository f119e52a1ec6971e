//! A committee as checkpoints carry it: everything that an operator needs to follow the next one.

use crate::{
    Address, B256, Stake, TimeS,
    codec::{Decode, DecodeError, Encode, Reader, put_list},
    keccak256,
};
use alloy_primitives::{FixedBytes, hex};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Seats that a roster can have.
pub const ROSTER_ENTRIES_MAX: usize = 256;
/// Bytes that an endpoint can have.
pub const ENDPOINT_BYTES_MAX: usize = 64;

/// A text that is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint has {found} bytes, at most {ENDPOINT_BYTES_MAX} are allowed")]
pub struct EndpointError {
    /// Bytes given.
    pub found: usize,
}

/// Where an operator says that it accepts connections, as `ip:port`. L1 takes any bytes for it: when they are no address
/// nobody connects, and nothing else follows. In JSON it is its text, or hex when it is no text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint(Vec<u8>);

impl Endpoint {
    /// An endpoint with these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, EndpointError> {
        let bytes = bytes.into();
        let found = bytes.len();
        if found > ENDPOINT_BYTES_MAX { Err(EndpointError { found }) } else { Ok(Self(bytes)) }
    }

    /// The address, when it is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        std::str::from_utf8(&self.0).ok()?.parse().ok()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        // The longest one, IPv6 with a zone and a port, has 58 bytes.
        Self(address.to_string().into_bytes())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl Serialize for Endpoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.starts_with("0x") => serializer.serialize_str(text),
            _ => serializer.serialize_str(&hex::encode_prefixed(&self.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let bytes =
            if text.starts_with("0x") { hex::decode(text).map_err(D::Error::custom)? } else { text.into() };
        Self::new(bytes).map_err(D::Error::custom)
    }
}

/// One operator with a seat. Keys are as registered on L1 and not checked here: this crate knows no curve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// Its account on L1.
    pub operator: Address,
    /// Its BLS key in G1; the hash of it is the operator's id.
    pub key_g1: FixedBytes<64>,
    /// The same key in G2.
    pub key_g2: FixedBytes<128>,
    /// Its proof that it holds the secret of that key.
    pub possession: FixedBytes<64>,
    /// Its ed25519 key: identity on the network, vote in consensus.
    pub network_key: B256,
    /// Where it accepts connections.
    pub endpoint: Endpoint,
    /// Its slashable stake.
    #[serde(with = "digits")]
    pub stake: Stake,
}

/// A stake as digits in a string: inside a tagged enum serde carries no whole number of that size.
mod digits {
    use super::{Deserialize as _, Stake};
    use serde::{Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(stake: &Stake, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(stake)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Stake, D::Error> {
        String::deserialize(deserializer)?.parse().map(Stake).map_err(D::Error::custom)
    }
}

impl Encode for RosterEntry {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.operator.as_slice());
        out.extend_from_slice(self.key_g1.as_slice());
        out.extend_from_slice(self.key_g2.as_slice());
        out.extend_from_slice(self.possession.as_slice());
        out.extend_from_slice(self.network_key.as_slice());
        // Bounded when it was made.
        out.push(self.endpoint.0.len() as u8);
        out.extend_from_slice(&self.endpoint.0);
        self.stake.encode_to(out);
    }
}

impl Decode for RosterEntry {
    const WHAT: &'static str = "roster entry";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            operator: reader.address("operator")?,
            key_g1: FixedBytes(reader.array("G1 key")?),
            key_g2: FixedBytes(reader.array("G2 key")?),
            possession: FixedBytes(reader.array("possession")?),
            network_key: reader.b256("network key")?,
            endpoint: {
                let declared = usize::from(reader.u8("endpoint")?);
                if declared > ENDPOINT_BYTES_MAX {
                    let bound = ENDPOINT_BYTES_MAX;
                    return Err(DecodeError::TooLong { field: "endpoint", declared, bound });
                }
                Endpoint(reader.take("endpoint", declared)?.to_vec())
            },
            stake: Stake::decode_from(reader)?,
        })
    }
}

/// Who has a seat, by ascending operator id, as one snapshot on L1 says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// When chains stop believing this committee; part of its table.
    pub valid_until: TimeS,
    /// One to [`ROSTER_ENTRIES_MAX`] seats.
    pub entries: Vec<RosterEntry>,
}

impl Roster {
    /// The roster with these seats, in whatever order they come.
    #[must_use]
    pub fn new(valid_until: TimeS, mut entries: Vec<RosterEntry>) -> Self {
        entries.sort_by_key(|entry| keccak256(entry.key_g1));
        Self { valid_until, entries }
    }
}

impl Encode for Roster {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.valid_until.encode_to(out);
        put_list(out, &self.entries);
    }
}

impl Decode for Roster {
    const WHAT: &'static str = "roster";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let valid_until = TimeS::decode_from(reader)?;
        let entries: Vec<RosterEntry> = reader.list("seats", ROSTER_ENTRIES_MAX)?;
        if entries.is_empty() {
            return Err(DecodeError::Malformed { field: "seats", reason: "are none" });
        }
        Ok(Self { valid_until, entries })
    }
}
