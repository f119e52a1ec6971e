//! A rollup's own node: it makes the blocks, keeps them, and signs for them.
//!
//! ```text
//! clock ─▶ Sequencer ─build▶ client ─▶ block log (on disk) ─adopt▶ client ─▶ everyone
//!                            └── the embedded one, or any behind the Engine API
//! publisher ─▶ desk: signs what the client has as canonical
//! ```
//!
//! Invariant: nobody outside the client sees a block that is not on disk, so that a restart never makes another one in its
//! place. Transactions that no block has yet are lost with the process: their senders send them again.

mod client;
mod clock;
mod config;
mod desk;
mod engine;
mod genesis;
mod log;
mod node;
#[cfg(test)]
mod tests;

pub use client::ClientError;
pub use config::{EngineConfig, SequencerConfig};
pub use engine::{Engine, EngineError, EngineSettings, read_jwt};
pub use genesis::{GenesisError, LaunchGenesis, Member};
pub use log::LogError;
pub use node::{NodeError, NodeStatus, SequencerNode};

use crate::chain::EXECUTED_TOGETHER;
use alloy_consensus::Header;
use alloy_rlp::{Decodable as _, Header as ListHead};
use client::Client;
use hum_types::{B256, BlockRef, keccak256};
use log::{BlockLog, LogReader, MadeBlock};
use std::{path::Path, sync::Arc};

/// Why there is no next block.
#[derive(Debug, thiserror::Error)]
pub enum SequencerError {
    /// The execution client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The log of blocks.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log has something that is no block.
    #[error("record {record} of the log is no block: {problem}")]
    NoBlock {
        /// The record, from 0.
        record: u64,
        /// Why.
        problem: String,
    },
    /// The log's blocks do not hang together.
    #[error("record {record} of the log stands on {declared}, the one before is {computed}")]
    Parent {
        /// The record, from 0.
        record: u64,
        /// Its parent.
        declared: B256,
        /// The block before, or genesis.
        computed: B256,
    },
    /// A block of the log comes out as another one.
    #[error("block {number} of the log is {declared}, the client makes {computed} of it")]
    Outcome {
        /// Its number.
        number: u64,
        /// In the log.
        declared: B256,
        /// What came out.
        computed: B256,
    },
    /// The client's head is none of the blocks that we made.
    #[error("the client's head is block {} ({}), which is not in the log of blocks; the last there is {}", head.number, head.hash, last.number)]
    Foreign {
        /// The client's head.
        head: BlockRef,
        /// The last block of the log.
        last: BlockRef,
    },
}

/// Makes blocks, one at a time.
#[derive(Debug)]
pub(crate) struct Sequencer {
    client: Arc<dyn Client>,
    log: BlockLog,
    head: BlockRef,
}

/// What a start found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restored {
    /// The last block of the log, or genesis.
    pub(crate) head: BlockRef,
    /// Blocks that the client had to execute again.
    pub(crate) executed: u64,
    /// Bytes that a crash had left unfinished.
    pub(crate) torn: u64,
}

impl Sequencer {
    /// Open the log at `path`, and bring the client to where it ends.
    pub(crate) async fn open(
        client: Arc<dyn Client>,
        path: &Path,
    ) -> Result<(Self, Restored), SequencerError> {
        let place = client.place().await?;
        let mut reader = LogReader::open(path, place.genesis)?;
        let mut last = BlockRef { number: 0, hash: place.genesis };
        let (mut executed, mut adopted, mut known) = (0, place.head.number, place.head == last);
        for record in 0.. {
            let Some(made) = reader.next()? else { break };
            let (block, parent) =
                read(&made).map_err(|problem| SequencerError::NoBlock { record, problem })?;
            let next = BlockRef { number: last.number + 1, hash: block.hash };
            if parent != last.hash || block != next {
                return Err(SequencerError::Parent { record, declared: parent, computed: last.hash });
            }
            last = block;
            // A block has all its ancestors: when the client's head is ours, so is everything below it.
            known |= place.head == block;
            if block.number <= place.head.number {
                continue;
            }
            let came_out = client.execute(&made).await?;
            if came_out != block {
                let (number, declared, computed) = (block.number, block.hash, came_out.hash);
                return Err(SequencerError::Outcome { number, declared, computed });
            }
            executed += 1;
            if block.number - adopted >= EXECUTED_TOGETHER {
                client.adopt(block).await?;
                adopted = block.number;
            }
        }
        if !known {
            return Err(SequencerError::Foreign { head: place.head, last });
        }
        if adopted < last.number {
            client.adopt(last).await?;
        }
        let (log, torn) = reader.finish()?;
        Ok((Self { client, log, head: last }, Restored { head: last, executed, torn }))
    }

    /// The last block.
    pub(crate) const fn head(&self) -> BlockRef {
        self.head
    }

    /// Make the next block: build it, keep it, show it. What fails before it is kept leaves nothing behind.
    pub(crate) async fn step(&mut self) -> Result<BlockRef, SequencerError> {
        // What an attempt before has kept but could not show comes first.
        if self.client.place().await?.head != self.head {
            self.client.adopt(self.head).await?;
        }
        let (block, made) = self.client.build().await?;
        self.log.append(&made)?;
        self.head = block;
        self.client.adopt(block).await?;
        Ok(block)
    }
}

/// A made block's number and hash, and its parent's hash.
fn read(made: &MadeBlock) -> Result<(BlockRef, B256), String> {
    let mut bytes = made.rlp.as_ref();
    let outer = ListHead::decode(&mut bytes).map_err(|error| error.to_string())?;
    if !outer.list {
        return Err("it is no list".to_owned());
    }
    let before = bytes;
    let header = Header::decode(&mut bytes).map_err(|error| error.to_string())?;
    let taken = before.get(..before.len() - bytes.len()).unwrap_or_default();
    Ok((BlockRef { number: header.number, hash: keccak256(taken) }, header.parent_hash))
}
