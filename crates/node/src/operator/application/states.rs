//! States after recent blocks, finalised or not, by the digest of the block.

use commonware_utils::sync::Mutex;
use hum_consensus::{Digest, Ordered};
use hum_ledger::{Refusal, State};
use hum_types::{Checkpoint, Decode as _, DecodeError};
use std::collections::BTreeMap;

/// Finalised heights below the newest whose states are kept: a view that is still running may build on them.
const KEPT: u64 = 8;
/// States of blocks that are not finalised. A state shares what did not change, so this bounds little memory.
const STATES_MAX: usize = 512;

/// Why there is no state after a block.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoState {
    /// A block below is not here: nothing can be said yet.
    #[error("the state below is not known")]
    Unknown,
    /// A payload is no checkpoint.
    #[error("a payload is no checkpoint: {0}")]
    Payload(#[from] DecodeError),
    /// A checkpoint does not follow.
    #[error("a checkpoint does not follow: {0}")]
    Refused(#[from] Refusal),
}

pub(crate) struct States {
    genesis: Digest,
    known: Mutex<BTreeMap<Digest, State>>,
}

impl States {
    pub(crate) fn new(digest: Digest, genesis: State) -> Self {
        Self { genesis: digest, known: Mutex::new(BTreeMap::from([(digest, genesis)])) }
    }

    pub(crate) fn contains(&self, digest: &Digest) -> bool {
        self.known.lock().contains_key(digest)
    }

    fn get(&self, digest: &Digest) -> Option<State> {
        self.known.lock().get(digest).cloned()
    }

    pub(crate) fn insert(&self, digest: Digest, state: State) {
        let mut known = self.known.lock();
        if known.len() < STATES_MAX {
            known.insert(digest, state);
        }
    }

    /// The state after `digest`, worked out over `ancestors` (oldest first) where needed.
    pub(crate) fn after(&self, digest: &Digest, ancestors: &[Ordered]) -> Result<State, NoState> {
        if let Some(state) = self.get(digest) {
            return Ok(state);
        }
        let mut state: Option<State> = None;
        for block in ancestors {
            let below = state.take().or_else(|| self.get(&block.parent)).ok_or(NoState::Unknown)?;
            let after = match self.get(&block.digest) {
                Some(after) => after,
                None => {
                    let after = below.check(&Checkpoint::decode(&block.payload)?)?;
                    self.insert(block.digest, after.clone());
                    after
                }
            };
            if block.digest == *digest {
                return Ok(after);
            }
            state = Some(after);
        }
        Err(NoState::Unknown)
    }

    /// A block was finalised: what is far below it, or beside it, will not be built on.
    pub(crate) fn finalised(&self, digest: Digest, state: State) {
        let (height, hash) = (state.header().height, state.header().hash());
        let mut known = self.known.lock();
        known.retain(|held, other| {
            let other = other.header();
            let beside = other.height == height && other.hash() != hash;
            !beside && (*held == digest || other.height.0.saturating_add(KEPT) > height.0)
        });
        known.insert(digest, state);
        // The genesis is never asked for, but the first blocks are built on it.
        if height.0 > KEPT {
            known.remove(&self.genesis);
        }
    }
}
