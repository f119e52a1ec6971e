//! A block with all its evidence in one JSON file: what `hum block verify` reads.

use crate::dialect::{self, DialectError};
use crate::spec::{ChainSpec, SpecError};
use crate::verdict::CertifiedHeader;
use crate::witness::Witness;
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use hum_types::ChainId;
use serde::Deserialize;

/// The `kind` of files that hold a block of Ethereum, its parent and its witness.
const ETHEREUM: &str = "ethereum-stateless-block";
/// The same of an OP Stack chain.
const OP_STACK: &str = "op-stack-stateless-block";

/// A block and what is needed to judge it.
#[derive(Debug, Clone)]
pub struct BlockFile {
    /// The chain's rules: the file's own `chain_config` or `rollup_config`, or those of a public chain.
    pub spec: ChainSpec,
    /// The parent, on the file's word.
    pub parent: CertifiedHeader,
    /// The hash that the file claims for the block.
    pub claimed: B256,
    /// The block's RLP.
    pub block: Bytes,
    /// The witness.
    pub witness: Witness,
}

/// Why a file is not a block with its evidence.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not JSON of this shape.
    #[error("not a block file: {0}")]
    Json(#[from] serde_json::Error),
    /// A file of another kind: it may hold a witness without a body, or a chain that is not judged here.
    #[error("file is of kind {found}, expected {ETHEREUM} or {OP_STACK}")]
    Kind {
        /// The file's kind.
        found: String,
    },
    /// A chain that we do not know by heart, and no rules in the file.
    #[error("chain {0} is not known here: add its `chain_config`")]
    Chain(ChainId),
    /// Rules that we cannot judge by.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// What the block was made from, but not the block.
    #[error("the file holds no block, only what one was made from")]
    NoBlock,
    /// Rules for another chain.
    #[error("the rules are for chain {found}, the file says {expected}")]
    ConfigChain {
        /// In `chain_config` or `rollup_config`.
        found: ChainId,
        /// In `chain_id`.
        expected: ChainId,
    },
    /// The parent header is not RLP of a header.
    #[error("parent header: {0}")]
    Parent(alloy_rlp::Error),
    /// The parent header does not have the hash that the file states.
    #[error("parent header has hash {computed}, the file states {declared}")]
    ParentHash {
        /// In the file.
        declared: B256,
        /// Of the file's RLP.
        computed: B256,
    },
    /// The witness is in no known dialect.
    #[error(transparent)]
    Witness(#[from] DialectError),
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct FileJson {
    chain_id: u64,
    chain_config: Option<ChainSpec>,
    rollup_config: Option<serde_json::Value>,
    parent_header: ParentJson,
    expected_block_hash: B256,
    block: Option<BlockJson>,
    witness: serde_json::Value,
}

#[derive(Deserialize)]
struct ParentJson {
    hash: B256,
    rlp: Bytes,
}

#[derive(Deserialize)]
struct BlockJson {
    rlp: Bytes,
}

impl BlockFile {
    /// Read a file's JSON.
    pub fn parse(json: &str) -> Result<Self, FileError> {
        let Kind { kind } = serde_json::from_str(json)?;
        if ![ETHEREUM, OP_STACK].contains(&kind.as_str()) {
            return Err(FileError::Kind { found: kind });
        }
        let file: FileJson = serde_json::from_str(json)?;
        let expected = ChainId(file.chain_id);
        let declared = match (file.chain_config, &file.rollup_config) {
            (Some(spec), _) => Some(spec),
            (None, Some(config)) => Some(ChainSpec::from_rollup_config(config)?),
            (None, None) => None,
        };
        let spec = match declared {
            Some(spec) if spec.chain_id() != expected => {
                return Err(FileError::ConfigChain { found: spec.chain_id(), expected });
            }
            Some(spec) => spec,
            None => ChainSpec::preset(expected).ok_or(FileError::Chain(expected))?,
        };
        let (declared, computed) = (file.parent_header.hash, keccak256(&file.parent_header.rlp));
        if declared != computed {
            return Err(FileError::ParentHash { declared, computed });
        }
        let parent = Header::decode(&mut &file.parent_header.rlp[..]).map_err(FileError::Parent)?;
        Ok(Self {
            spec,
            parent: CertifiedHeader::from_anchor(parent),
            claimed: file.expected_block_hash,
            block: file.block.ok_or(FileError::NoBlock)?.rlp,
            witness: dialect::witness_from_value(file.witness)?,
        })
    }
}
