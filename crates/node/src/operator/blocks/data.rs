//! A block's bytes, and as much of them as can be known without judging.

use crate::wire::{RefusalKind, Submission};
use alloy_consensus::Header;
use alloy_rlp::Decodable as _;
use hum_types::{Address, AuthenticClaim, B256, Bytes, Class, Domain, keccak256};
use hum_verify::{CertifiedHeader, Witness, WitnessLimits};

/// A block with its witness, whose header is the claimed one.
#[derive(Debug, Clone)]
pub(crate) struct BlockData {
    /// The header, unless the claimed bytes are none: then the block is invalid, which is for the judge to say.
    pub(crate) header: Option<Box<Header>>,
    /// The whole block, RLP.
    pub(crate) block: Bytes,
    /// The witness, encoded.
    pub(crate) witness: Bytes,
}

impl BlockData {
    /// Bytes that it holds.
    pub(crate) fn byte_len(&self) -> usize {
        self.block.len() + self.witness.len() + 1024
    }

    /// Gas that it used, as its header says.
    pub(crate) fn gas(&self) -> u64 {
        self.header.as_ref().map_or(0, |header| header.gas_used)
    }

    /// Hash of the block below, as its header says.
    pub(crate) fn parent(&self) -> Option<B256> {
        self.header.as_ref().map(|header| header.parent_hash)
    }

    /// The header with this hash, when the witness shows it. Nodes put the parent's into every witness.
    pub(crate) fn shown(&self, hash: B256) -> Option<CertifiedHeader> {
        let witness = Witness::decode(&self.witness, &WitnessLimits::default()).ok()?;
        let raw = witness.headers.iter().find(|raw| keccak256(raw) == hash)?;
        Some(CertifiedHeader::from_anchor(Header::decode(&mut &raw[..]).ok()?))
    }
}

/// A submission whose claim is its sequencer's and whose header is the claimed one.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// The claim.
    pub(crate) claim: AuthenticClaim,
    /// The block.
    pub(crate) data: BlockData,
}

impl Arrived {
    /// Check what can be checked from the submission alone.
    pub(crate) fn check(
        submission: Submission,
        domain: Domain,
        sequencer: Address,
        class: Class,
    ) -> Result<Self, RefusalKind> {
        let Submission { claim, block, witness } = submission;
        let claimed = claim.claim.block;
        let claim = claim.authenticate(domain, sequencer).map_err(|_| RefusalKind::Signature)?;
        // Nobody re-executes it: the claim is all that there is, and nothing else is kept.
        if class == Class::OwnNode {
            let data = BlockData { header: None, block: Bytes::new(), witness: Bytes::new() };
            return Ok(Self { claim, data });
        }
        let header = header_bytes(&block).ok_or(RefusalKind::Malformed)?;
        if keccak256(header) != claimed.hash {
            return Err(RefusalKind::Malformed);
        }
        let header = Header::decode(&mut &header[..]).ok();
        // A claim whose number is not its header's is the sequencer's own contradiction; nobody judges a block at the
        // wrong number.
        if header.as_ref().is_some_and(|header| header.number != claimed.number) {
            return Err(RefusalKind::Malformed);
        }
        Ok(Self { claim, data: BlockData { header: header.map(Box::new), block, witness } })
    }
}

/// The first item of a block's list, with its own prefix.
fn header_bytes(block: &[u8]) -> Option<&[u8]> {
    let mut items = alloy_rlp::Header::decode_bytes(&mut &block[..], true).ok()?;
    let start = items;
    alloy_rlp::Header::decode_bytes(&mut items, true).ok()?;
    start.get(..start.len() - items.len())
}
