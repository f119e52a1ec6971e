//! A rollup's blocks from L1 alone: from its registration and its inbox, without any node of the rollup.
//!
//! ```text
//! inbox ─registry▶ registration: chain id, anchor hash
//!       ─batchAt▶ L1 block ─▶ transaction (─▶ its blobs) ─▶ hum-batch ─▶ blocks, each hanging on the one before
//! ```
//!
//! L1's node is believed about what stands in L1's state. The data are believed for nothing: they must give the hashes that
//! stand there, and begin on the anchor that the registration commits to.

use super::posting::{BlobSource, Post};
use alloy_consensus::{Block, Transaction as _, TxEnvelope};
use alloy_primitives::U256;
use alloy_rlp::Decodable as _;
use alloy_sol_types::{SolCall as _, sol};
use hum_batch::{Batch, UnpackedBlock};
use hum_chain::{At, Blobs, Chain, ReadError, contracts::BatchInbox};
use hum_types::{Address, B256, BlockRef, ChainId, Confidence, RegistrationId, TimeMs};
use std::sync::Arc;

sol! {
    /// What the registry keeps of a rollup.
    #[derive(Debug)]
    struct RegisteredRollup {
        uint64 chainId;
        address sequencer;
        address registrant;
        bytes32 anchorHash;
        bytes32 specHash;
        uint256 bondWei;
        uint64 exitAt;
        bool punished;
    }
    function rollup(bytes32 registration) external view returns (RegisteredRollup memory);
}

/// Why L1 gives no blocks, or not these.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// L1 could not be asked.
    #[error("L1: {0}")]
    L1(#[from] ReadError),
    /// The address has no inbox.
    #[error("{inbox} on L1 is no batch inbox: {problem}")]
    NoInbox {
        /// The address.
        inbox: Address,
        /// What it answered.
        problem: String,
    },
    /// The registry does not know the registration.
    #[error("registration {registration} is unknown to the registry {registry} of that inbox: {problem}")]
    Unregistered {
        /// The registration.
        registration: RegistrationId,
        /// Where it was looked for.
        registry: Address,
        /// What it answered.
        problem: String,
    },
    /// A batch does not start where the one before ended.
    #[error("batch {index} starts at block {first}, the one before ended at {before}")]
    NotNext {
        /// The batch.
        index: u64,
        /// Its first block, as L1 has it.
        first: u64,
        /// The last block of the batch before, as L1 has it.
        before: u64,
    },
    /// No transaction of its L1 block gives the batch.
    #[error("batch {index} (blocks {first} to {last}) is not in L1 block {l1_block}: {problem}")]
    Lost {
        /// The batch.
        index: u64,
        /// Its first block, as L1 has it.
        first: u64,
        /// Its last block, as L1 has it.
        last: u64,
        /// Where it should be.
        l1_block: u64,
        /// What was found there.
        problem: String,
    },
    /// The batch does not hang on what is below it.
    #[error("batch {index} hangs on {declared}, what is below it is {computed}")]
    Parent {
        /// The batch.
        index: u64,
        /// In its data.
        declared: B256,
        /// The anchor, or the last block of the batch before.
        computed: B256,
    },
}

/// A batch as L1 has it, rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Its position, from 0.
    pub index: u64,
    /// The L1 block that has it.
    pub l1_block: u64,
    /// Bytes of its data.
    pub data_bytes: usize,
    /// Its blocks.
    pub blocks: Vec<UnpackedBlock>,
}

/// Reads a rollup's batches one after another, as they stood at one L1 block.
#[derive(Debug)]
pub struct Derivation {
    l1: Arc<dyn Chain>,
    inbox: Address,
    registration: RegistrationId,
    chain_id: ChainId,
    anchor: B256,
    at: BlockRef,
    count: u64,
    next: u64,
    below: Option<BlockRef>,
    /// The L1 block that was read last, with what was posted in it.
    held: Option<(u64, TimeMs, Vec<Post>)>,
    blobs: BlobSource,
}

impl Derivation {
    /// Look the registration up, as it stands at the L1 node's head for `tag`.
    pub async fn start(
        l1: Arc<dyn Chain>,
        inbox: Address,
        registration: RegistrationId,
        tag: Confidence,
    ) -> Result<Self, DeriveError> {
        let at = l1.head(tag).await?;
        let block = At::Number(at.number);
        let no_inbox = |problem: String| DeriveError::NoInbox { inbox, problem };
        let ask = async |data: Vec<u8>| match l1.call(inbox, data.into(), block).await {
            Err(ReadError::Reverted { message, .. }) => Err(no_inbox(message)),
            answer => Ok(answer?),
        };
        let answer = ask(BatchInbox::REGISTRYCall {}.abi_encode()).await?;
        let registry = BatchInbox::REGISTRYCall::abi_decode_returns_validate(&answer)
            .map_err(|error| no_inbox(error.to_string()))?;
        let unknown = |problem: String| DeriveError::Unregistered { registration, registry, problem };
        let call = rollupCall { registration: registration.0 }.abi_encode();
        let answer = match l1.call(registry, call.into(), block).await {
            Err(ReadError::Reverted { message, .. }) => return Err(unknown(message)),
            answer => answer?,
        };
        let entry =
            rollupCall::abi_decode_returns_validate(&answer).map_err(|error| unknown(error.to_string()))?;
        let answer = ask(BatchInbox::batchCountCall { registration: registration.0 }.abi_encode()).await?;
        let count = BatchInbox::batchCountCall::abi_decode_returns_validate(&answer)
            .map_err(|error| no_inbox(error.to_string()))?;
        Ok(Self {
            l1,
            inbox,
            registration,
            chain_id: ChainId(entry.chainId),
            anchor: entry.anchorHash,
            at,
            count: count.saturating_to(),
            next: 0,
            below: None,
            held: None,
            blobs: BlobSource::default(),
        })
    }

    /// Read what is posted in blobs from this node.
    #[must_use]
    pub fn with_blobs(self, blobs: Arc<dyn Blobs>) -> Self {
        Self { blobs: BlobSource::new(blobs), ..self }
    }

    /// The rollup's chain.
    #[must_use]
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// The hash of the block from which it joined.
    #[must_use]
    pub const fn anchor(&self) -> B256 {
        self.anchor
    }

    /// The L1 block at which everything is read.
    #[must_use]
    pub const fn at(&self) -> BlockRef {
        self.at
    }

    /// How many batches there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The next batch; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Stretch>, DeriveError> {
        if self.next >= self.count {
            return Ok(None);
        }
        let (index, registration) = (self.next, self.registration.0);
        let call = BatchInbox::batchAtCall { registration, index: U256::from(index) }.abi_encode();
        let answer = self.l1.call(self.inbox, call.into(), At::Number(self.at.number)).await?;
        let batch = BatchInbox::batchAtCall::abi_decode_returns_validate(&answer)
            .map_err(|error| DeriveError::NoInbox { inbox: self.inbox, problem: error.to_string() })?;
        let (first, last) = (batch.first, BlockRef { number: batch.last, hash: batch.lastHash });
        if let Some(before) = self.below.map(|below| below.number)
            && before.checked_add(1) != Some(first)
        {
            return Err(DeriveError::NotNext { index, first, before });
        }
        let l1_block = batch.l1Block;
        let (data_bytes, parent, blocks) = self
            .find(first, last, l1_block)
            .await?
            .map_err(|problem| DeriveError::Lost { index, first, last: last.number, l1_block, problem })?;
        let computed = self.below.map_or(self.anchor, |below| below.hash);
        if parent != computed {
            return Err(DeriveError::Parent { index, declared: parent, computed });
        }
        self.below = Some(last);
        self.next += 1;
        Ok(Some(Stretch { index, l1_block, data_bytes, blocks }))
    }

    /// The data of a batch in its L1 block. A call may stand there that was refused: the right one gives the last hash.
    async fn find(
        &mut self,
        first: u64,
        last: BlockRef,
        l1_block: u64,
    ) -> Result<Result<(usize, B256, Vec<UnpackedBlock>), String>, DeriveError> {
        let (time_ms, posts) = match &self.held {
            Some((number, time_ms, posts)) if *number == l1_block => (*time_ms, posts),
            _ => {
                let (time_ms, posts) = self.posts(l1_block).await?;
                let (_, time_ms, posts) = self.held.insert((l1_block, time_ms, posts));
                (*time_ms, &*posts)
            }
        };
        let mut problem = "no transaction there posts it to the inbox".to_owned();
        for post in posts {
            if (post.registration, post.first, post.last) != (self.registration.0, first, last) {
                continue;
            }
            let data = match self.blobs.data(&post.data, time_ms).await {
                Ok(data) => data,
                Err(unread) => {
                    problem = unread.to_string();
                    continue;
                }
            };
            match Batch::decode(&data) {
                Ok(found) if (found.first().number, found.last()) == (first, last) => {
                    return Ok(Ok((data.len(), found.parent, found.blocks)));
                }
                Ok(found) => {
                    let (begins, ends) = (found.first().number, found.last());
                    problem = format!(
                        "its data are blocks {begins} to {}, {}; it says {}",
                        ends.number, ends.hash, last.hash
                    );
                }
                Err(error) => problem = error.to_string(),
            }
        }
        Ok(Err(problem))
    }

    /// What an L1 block's transactions post to the inbox. The block's bytes are checked against its hash.
    async fn posts(&self, l1_block: u64) -> Result<(TimeMs, Vec<Post>), DeriveError> {
        let missing = || ReadError::Missing { method: "block", what: format!("L1 block {l1_block}") };
        let raw = self.l1.block(At::Number(l1_block)).await?.ok_or_else(missing)?;
        let garbage = |error: alloy_rlp::Error| ReadError::Garbage {
            method: "block",
            detail: format!("L1 block {l1_block}: {error}"),
        };
        let block = Block::<TxEnvelope>::decode(&mut raw.rlp.as_ref()).map_err(garbage)?;
        let mut posts = Vec::new();
        for transaction in &block.body.transactions {
            if transaction.to() == Some(self.inbox) {
                posts.extend(Post::read(transaction).ok());
            }
        }
        Ok((raw.time_ms, posts))
    }
}

#[cfg(test)]
mod tests;
