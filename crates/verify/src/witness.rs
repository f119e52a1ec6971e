//! What a block's execution reads: trie nodes, codes, headers.

use crate::limits::{WitnessLimits, within};
use crate::state::Source;
use crate::trie::NodeSource;
use crate::verdict::{CertifiedHeader, Missing};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, keccak256, map::B256Map};
use alloy_rlp::{Decodable, Encodable};
use rayon::prelude::*;
use std::sync::OnceLock;

/// What `debug_executionWitness` returns, in any order, duplicates and strangers allowed. Nothing in it is believed
/// before its hash has been found under the certified parent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Witness {
    /// Trie nodes, RLP.
    pub state: Vec<Bytes>,
    /// Contract codes.
    pub codes: Vec<Bytes>,
    /// Headers of ancestors, RLP.
    pub headers: Vec<Bytes>,
}

/// Why bytes are not a witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessDecodeError {
    /// A part is above its limit.
    #[error("{what} of {declared} is above the limit of {most}")]
    OverLimit {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        declared: usize,
        /// The most allowed.
        most: usize,
    },
    /// The RLP is bad, or has other items than three lists of strings.
    #[error("bad {part} list: {error}")]
    Rlp {
        /// Which list.
        part: &'static str,
        /// What the decoder says.
        error: alloy_rlp::Error,
    },
}

impl Witness {
    /// Bytes, all parts together.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        [&self.state, &self.codes, &self.headers].into_iter().flatten().map(|item| item.len()).sum()
    }

    /// For the wire: an RLP list of three lists of strings, `[state, codes, headers]`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let lists = [&self.state, &self.codes, &self.headers];
        let payload_length = lists.iter().map(|list| list.length()).sum();
        let mut out = Vec::with_capacity(payload_length + 9);
        alloy_rlp::Header { list: true, payload_length }.encode(&mut out);
        for list in lists {
            list.encode(&mut out);
        }
        out
    }

    /// Read it back. Parts share memory with `bytes`.
    pub fn decode(bytes: &Bytes, limits: &WitnessLimits) -> Result<Self, WitnessDecodeError> {
        if bytes.len() > limits.bytes {
            let declared = bytes.len();
            return Err(WitnessDecodeError::OverLimit {
                what: "witness bytes",
                declared,
                most: limits.bytes,
            });
        }
        let rlp = |part| move |error| WitnessDecodeError::Rlp { part, error };
        let mut rest = &bytes[..];
        let mut lists = alloy_rlp::Header::decode_bytes(&mut rest, true).map_err(rlp("outer"))?;
        let state = list(bytes, &mut lists, "state", limits.nodes)?;
        let codes = list(bytes, &mut lists, "codes", limits.codes)?;
        let headers = list(bytes, &mut lists, "headers", limits.headers)?;
        if !lists.is_empty() || !rest.is_empty() {
            return Err(rlp("outer")(alloy_rlp::Error::UnexpectedLength));
        }
        Ok(Self { state, codes, headers })
    }

    pub(crate) fn check(&self, limits: &WitnessLimits) -> Result<(), Missing> {
        within("witness nodes", self.state.len(), limits.nodes)?;
        within("witness codes", self.codes.len(), limits.codes)?;
        within("witness headers", self.headers.len(), limits.headers)?;
        within("witness bytes", self.byte_len(), limits.bytes)
    }
}

fn list(
    bytes: &Bytes,
    lists: &mut &[u8],
    part: &'static str,
    most: usize,
) -> Result<Vec<Bytes>, WitnessDecodeError> {
    let rlp = |error| WitnessDecodeError::Rlp { part, error };
    let mut payload = alloy_rlp::Header::decode_bytes(lists, true).map_err(rlp)?;
    let mut items = Vec::new();
    while !payload.is_empty() {
        if items.len() == most {
            return Err(WitnessDecodeError::OverLimit { what: part, declared: most + 1, most });
        }
        let item = alloy_rlp::Header::decode_bytes(&mut payload, false).map_err(rlp)?;
        items.push(bytes.slice_ref(item));
    }
    Ok(items)
}

/// A witness by hash, under a certified parent.
#[derive(Debug)]
pub(crate) struct WitnessIndex<'a> {
    witness: &'a Witness,
    parent: &'a CertifiedHeader,
    nodes: B256Map<&'a [u8]>,
    codes: B256Map<&'a Bytes>,
    /// Hashes of the ancestors, the parent's parent first; computed when first asked for.
    ancestors: OnceLock<Vec<B256>>,
}

impl<'a> WitnessIndex<'a> {
    pub(crate) fn new(witness: &'a Witness, parent: &'a CertifiedHeader) -> Self {
        let (node_hashes, code_hashes) = rayon::join(
            || witness.state.par_iter().with_min_len(64).map(keccak256).collect::<Vec<_>>(),
            || witness.codes.par_iter().map(keccak256).collect::<Vec<_>>(),
        );
        let nodes = node_hashes.into_iter().zip(witness.state.iter().map(|node| &node[..])).collect();
        let codes = code_hashes.into_iter().zip(&witness.codes).collect();
        Self { witness, parent, nodes, codes, ancestors: OnceLock::new() }
    }

    /// Follow parent hashes from the certified parent through the witness's headers.
    fn walk_ancestors(&self) -> Vec<B256> {
        let by_hash: B256Map<&Bytes> = self.witness.headers.iter().map(|raw| (keccak256(raw), raw)).collect();
        let mut hashes = vec![self.parent.header().parent_hash];
        while let Some(raw) = hashes.last().and_then(|hash| by_hash.get(hash))
            && let Ok(header) = Header::decode(&mut &raw[..])
            && header.number > 0
            // A chain of hashes cannot loop; the bound only says how far BLOCKHASH can look.
            && hashes.len() < 256
        {
            hashes.push(header.parent_hash);
        }
        hashes
    }
}

impl NodeSource for WitnessIndex<'_> {
    fn node(&self, hash: &B256) -> Option<&[u8]> {
        self.nodes.get(hash).copied()
    }
}

impl Source for WitnessIndex<'_> {
    fn code(&self, hash: &B256) -> Option<Bytes> {
        self.codes.get(hash).map(|code| (*code).clone())
    }

    fn block_hash(&self, number: u64) -> Option<B256> {
        match self.parent.header().number.checked_sub(number)? {
            0 => Some(self.parent.hash()),
            back => {
                let ancestors = self.ancestors.get_or_init(|| self.walk_ancestors());
                ancestors.get(usize::try_from(back - 1).ok()?).copied()
            }
        }
    }
}
