//! The header that a certificate is about: 224 bytes that Solidity can rebuild.

use crate::{
    B256, Body, Domain, Epoch, Height, TimeMs,
    body::BODY_BYTES_MAX,
    codec::{Decode, DecodeError, Encode, Reader},
    keccak256,
};
use serde::{Deserialize, Serialize};

/// Bytes of an encoded header.
pub const HEADER_BYTES: usize = 224;

/// The finalised L1 block that the registry was read at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct L1Origin {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

impl Encode for L1Origin {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(self.hash.as_slice());
    }
}

impl Decode for L1Origin {
    const WHAT: &'static str = "L1 block";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { number: reader.u64("L1 block number")?, hash: reader.b256("L1 block hash")? })
    }
}

impl std::fmt::Display for L1Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.hash)
    }
}

/// A checkpoint's header. Field order is that of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// The deployment.
    pub domain: Domain,
    /// The committee's epoch.
    pub epoch: Epoch,
    /// Position in the operators' chain.
    pub height: Height,
    /// When its proposer made it; rises with every height.
    pub time_ms: TimeMs,
    /// The L1 block that the registry was read at.
    pub l1_origin: L1Origin,
    /// Hash of the header below.
    pub parent: B256,
    /// Root over all rollup leaves, after the body.
    pub rollups_root: B256,
    /// Hash of the body.
    pub body_hash: B256,
    /// The next committee's table hash on closing headers, else zero.
    pub next_table_hash: B256,
}

impl Header {
    /// What attestations are about.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.encode())
    }
}

impl Encode for Header {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.domain.0.as_slice());
        self.epoch.encode_to(out);
        self.height.encode_to(out);
        self.time_ms.encode_to(out);
        out.extend_from_slice(&self.l1_origin.number.to_be_bytes());
        for word in
            [self.parent, self.l1_origin.hash, self.rollups_root, self.body_hash, self.next_table_hash]
        {
            out.extend_from_slice(word.as_slice());
        }
    }
}

impl Decode for Header {
    const WHAT: &'static str = "header";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let domain = Domain(reader.b256("domain")?);
        let epoch = Epoch::decode_from(reader)?;
        let height = Height::decode_from(reader)?;
        let time_ms = TimeMs::decode_from(reader)?;
        let l1_number = reader.u64("L1 origin number")?;
        let parent = reader.b256("parent")?;
        Ok(Self {
            domain,
            epoch,
            height,
            time_ms,
            parent,
            l1_origin: L1Origin { number: l1_number, hash: reader.b256("L1 origin hash")? },
            rollups_root: reader.b256("rollups root")?,
            body_hash: reader.b256("body hash")?,
            next_table_hash: reader.b256("next table hash")?,
        })
    }
}

/// A header with the body that it commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The header.
    pub header: Header,
    /// The body; its hash is the header's `body_hash`.
    pub body: Body,
}

impl Encode for Checkpoint {
    fn encode_to(&self, out: &mut Vec<u8>) {
        self.header.encode_to(out);
        self.body.encode_to(out);
    }
}

impl Decode for Checkpoint {
    const WHAT: &'static str = "checkpoint";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { header: Header::decode_from(reader)?, body: Body::decode_from(reader)? })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > HEADER_BYTES + BODY_BYTES_MAX {
            return Err(DecodeError::TooLong {
                field: Self::WHAT,
                declared: bytes.len(),
                bound: HEADER_BYTES + BODY_BYTES_MAX,
            });
        }
        let mut reader = Reader::new(bytes);
        let value = Self::decode_from(&mut reader)?;
        reader.finish(Self::WHAT)?;
        Ok(value)
    }
}
