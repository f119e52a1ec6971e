//! Finalised checkpoints, with what a delivery needs: messages, lane trees, and proofs under a certified header.

use crate::{Refusal, SeatedRoster, State};
use hum_types::{
    B256, BlockRef, ChainId, Checkpoint, Confidence, Epoch, Generation, Height, LaneId, LaneIndex, LaneLeaf,
    Message, RollupLeaf, message_leaf,
    tree::{ProofError, Tree},
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Heights whose states are kept for proofs; a certificate that is older than this is no use to a relayer.
const STATES_MAX: usize = 1024;

/// A message that a finalised checkpoint carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingMessage {
    /// `sendId` and `receiveId`.
    pub id: B256,
    /// The chain it was sent on.
    pub source: ChainId,
    /// Its lane.
    pub lane: LaneId,
    /// Its place in the lane.
    pub index: LaneIndex,
    /// The generation that its leaf carries.
    pub generation: Generation,
    /// The message.
    pub message: Message,
    /// The block that sent it.
    pub block: BlockRef,
    /// The checkpoint that first carried it.
    pub height: Height,
}

/// An epoch: from which height on it lasts, and who signs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRecord {
    /// Its first height; it lasts to the one before the next epoch's.
    pub first: Height,
    /// Who signs in it.
    pub seated: Arc<SeatedRoster>,
}

/// Proof of a rollup's leaf under a header's rollups root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadProof {
    /// The height of the header.
    pub height: Height,
    /// The leaf.
    pub leaf: RollupLeaf,
    /// Rollups under the root.
    pub rollups: u64,
    /// The leaf's index.
    pub index: u64,
    /// Siblings, bottom up.
    pub siblings: Vec<B256>,
}

/// Proof of a lane's leaf under the head of its façade's confidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneProof {
    /// The rollup's leaf and its proof.
    pub head: HeadProof,
    /// The façade's confidence: which of the leaf's heads the lane stands under.
    pub confidence: Confidence,
    /// The lane's leaf.
    pub leaf: LaneLeaf,
    /// Lanes of the façade.
    pub lanes: u64,
    /// The leaf's index.
    pub index: u64,
    /// Siblings, bottom up.
    pub siblings: Vec<B256>,
}

/// Proof of a run of messages under a lane's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProof {
    /// Messages under the root.
    pub count: u64,
    /// Index of the first message.
    pub start: LaneIndex,
    /// The messages, with the generation in each leaf.
    pub messages: Vec<(Generation, Message)>,
    /// Siblings, in the order of `docs/protocol.md`.
    pub siblings: Vec<B256>,
}

/// Why the archive cannot take a checkpoint or make a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// The checkpoint does not follow the newest one.
    #[error("checkpoint refused: {0}")]
    Refused(#[from] Refusal),
    /// The state at that height is gone or not there yet.
    #[error("no state is kept for height {height}, the newest is {newest}")]
    Height {
        /// The height asked for.
        height: Height,
        /// The newest height.
        newest: Height,
    },
    /// No such rollup, or no such lane under the head of its façade's confidence, at that height.
    #[error("chain {source_chain} has no lane {lane:?} at that height")]
    Lane {
        /// The source.
        source_chain: ChainId,
        /// The lane.
        lane: LaneId,
    },
    /// The lane may have been cut back since. Only `Latest` lanes are.
    #[error("the lane is in generation {newest} now, the header's is {header}")]
    Retracted {
        /// Generation at the header.
        header: Generation,
        /// Generation now.
        newest: Generation,
    },
    /// The run is outside the lane.
    #[error(transparent)]
    Run(#[from] ProofError),
    /// The message was delivered and forgotten.
    #[error("message {index} of the lane is not kept any more")]
    Forgotten {
        /// Its index.
        index: LaneIndex,
    },
}

#[derive(Debug, Default)]
struct LaneArchive {
    tree: Tree,
    /// Messages from index `first` on.
    first: u64,
    messages: VecDeque<PendingMessage>,
}

impl LaneArchive {
    fn cut_back(&mut self, count: u64) {
        self.tree.truncate(count);
        self.messages.truncate(usize::try_from(count.saturating_sub(self.first)).unwrap_or(usize::MAX));
        self.first = self.first.min(count);
    }

    fn get(&self, index: LaneIndex) -> Option<&PendingMessage> {
        self.messages.get(usize::try_from(index.0.checked_sub(self.first)?).ok()?)
    }
}

/// The finalised chain, replayed.
#[derive(Debug)]
pub struct Archive {
    newest: State,
    states: BTreeMap<Height, State>,
    /// All epochs, so that old certificates can be checked.
    epochs: BTreeMap<Epoch, EpochRecord>,
    lanes: BTreeMap<(ChainId, LaneId), LaneArchive>,
}

impl Archive {
    /// An archive that starts at `genesis`.
    #[must_use]
    pub fn new(genesis: State) -> Self {
        let first = EpochRecord { first: genesis.next_height(), seated: genesis.seated().clone() };
        Self {
            states: BTreeMap::from([(genesis.header().height, genesis.clone())]),
            epochs: BTreeMap::from([(genesis.epoch(), first)]),
            newest: genesis,
            lanes: BTreeMap::new(),
        }
    }

    /// The state after the newest checkpoint.
    #[must_use]
    pub const fn newest(&self) -> &State {
        &self.newest
    }

    /// The state at a recent height.
    pub fn state_at(&self, height: Height) -> Result<&State, ArchiveError> {
        self.states.get(&height).ok_or(ArchiveError::Height { height, newest: self.newest.header().height })
    }

    /// An epoch that has begun, or that the newest checkpoint has opened.
    #[must_use]
    pub fn epoch(&self, epoch: Epoch) -> Option<&EpochRecord> {
        self.epochs.get(&epoch)
    }

    /// All epochs, oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = &EpochRecord> {
        self.epochs.values()
    }

    /// The epoch that a height lies in; `None` for the genesis and for heights above the next one.
    #[must_use]
    pub fn epoch_at(&self, height: Height) -> Option<&EpochRecord> {
        if height > self.newest.next_height() {
            return None;
        }
        self.epochs.values().rev().find(|record| record.first <= height)
    }

    /// Replay the next finalised checkpoint; returns the messages that it carries.
    pub fn apply(&mut self, checkpoint: &Checkpoint) -> Result<Vec<PendingMessage>, ArchiveError> {
        let next = self.newest.check(checkpoint)?;
        let mut carried = Vec::new();
        for advance in &checkpoint.body.advances {
            let source = advance.chain_id;
            let Some(rollup) = next.rollup(source) else { continue };
            let first = carried.len();
            for block in &advance.blocks {
                for (entry, sent) in rollup.entries_of(block.block.number).iter().zip(&block.messages) {
                    carried.push(PendingMessage {
                        id: entry.lane.message_id(source, entry.index, entry.hash),
                        source,
                        lane: entry.lane,
                        index: entry.index,
                        generation: entry.generation,
                        message: sent.message.clone(),
                        block: block.block,
                        height: checkpoint.header.height,
                    });
                }
            }
            for message in &carried[first..] {
                let lane = self.lanes.entry((source, message.lane)).or_default();
                lane.cut_back(message.index.0);
                lane.tree.push(message_leaf(message.generation, message.index, message.message.hash()));
                lane.messages.push_back(message.clone());
            }
        }
        // A retraction also cuts lanes that nothing was appended to.
        for ((source, id), lane) in &mut self.lanes {
            let count = next.rollup(*source).map_or(0, |rollup| rollup.lane_count(id));
            lane.cut_back(count);
        }
        self.epochs
            .entry(next.epoch())
            .or_insert_with(|| EpochRecord { first: next.next_height(), seated: next.seated().clone() });
        self.states.insert(next.header().height, next.clone());
        if self.states.len() > STATES_MAX {
            self.states.pop_first();
        }
        self.newest = next;
        Ok(carried)
    }

    /// Messages of a lane from `from` on that are kept, oldest first.
    pub fn messages(
        &self,
        source: ChainId,
        lane: LaneId,
        from: LaneIndex,
    ) -> impl Iterator<Item = &PendingMessage> {
        self.lanes
            .get(&(source, lane))
            .into_iter()
            .flat_map(move |lane| lane.messages.iter().skip_while(move |message| message.index < from))
    }

    /// One message of a lane, while it is kept.
    #[must_use]
    pub fn message(&self, source: ChainId, lane: LaneId, index: LaneIndex) -> Option<&PendingMessage> {
        self.lanes.get(&(source, lane))?.get(index)
    }

    /// Lanes that carried at least one message.
    pub fn lanes(&self) -> impl Iterator<Item = (ChainId, LaneId)> {
        self.lanes.keys().copied()
    }

    /// Forget the contents of messages below `index`; their leaves stay, so later proofs still hold.
    pub fn forget(&mut self, source: ChainId, lane: LaneId, index: LaneIndex) {
        if let Some(lane) = self.lanes.get_mut(&(source, lane)) {
            while lane.first < index.0 && lane.messages.pop_front().is_some() {
                lane.first += 1;
            }
        }
    }

    /// Prove a rollup's leaf under the header at `height`.
    pub fn prove_head(
        &self,
        height: Height,
        source: ChainId,
        lane: LaneId,
    ) -> Result<HeadProof, ArchiveError> {
        let leaves = self.state_at(height)?.leaves();
        let index = leaves
            .iter()
            .position(|leaf| leaf.chain_id == source)
            .ok_or(ArchiveError::Lane { source_chain: source, lane })?;
        let (rollups, siblings) = single(leaves.iter().map(RollupLeaf::hash), index)?;
        Ok(HeadProof { height, leaf: leaves[index], rollups, index: index as u64, siblings })
    }

    /// Prove a lane's leaf under the header at `height`, as of the head of its façade's confidence there.
    pub fn prove_lane(
        &self,
        height: Height,
        source: ChainId,
        lane: LaneId,
    ) -> Result<LaneProof, ArchiveError> {
        let missing = ArchiveError::Lane { source_chain: source, lane };
        let head = self.prove_head(height, source, lane)?;
        let rollup = self.state_at(height)?.rollup(source).ok_or(missing.clone())?;
        let confidence = rollup.params().confidence_of(lane.facade).ok_or(missing.clone())?;
        let leaves = rollup.lanes(confidence);
        let index = leaves.iter().position(|leaf| leaf.lane == lane).ok_or(missing)?;
        let (lanes, siblings) = single(leaves.iter().map(LaneLeaf::hash), index)?;
        Ok(LaneProof { head, confidence, leaf: leaves[index], lanes, index: index as u64, siblings })
    }

    /// Prove `length` messages from `start` on, under the lane's root in the header at `height`. What is `Safe` or
    /// `Finalized` is never cut back, so that such a proof holds for as long as the height's state is kept.
    pub fn prove_run(
        &self,
        height: Height,
        source: ChainId,
        id: LaneId,
        start: LaneIndex,
        length: u64,
    ) -> Result<RunProof, ArchiveError> {
        let missing = ArchiveError::Lane { source_chain: source, lane: id };
        let then = self.state_at(height)?.rollup(source).ok_or(missing.clone())?;
        let now = self.newest.rollup(source).ok_or(missing.clone())?;
        let confidence = then.params().confidence_of(id.facade).ok_or(missing.clone())?;
        if confidence == Confidence::Latest && then.generation() != now.generation() {
            return Err(ArchiveError::Retracted { header: then.generation(), newest: now.generation() });
        }
        let leaf = then.lanes(confidence).into_iter().find(|leaf| leaf.lane == id).ok_or(missing)?;
        self.prove_run_in(source, id, leaf.slot.count, start, length)
    }

    /// Prove `length` messages from `start` on, under the root that the lane had with `count` messages. Worth something
    /// only where the lane was not cut back since.
    pub fn prove_run_in(
        &self,
        source: ChainId,
        id: LaneId,
        count: u64,
        start: LaneIndex,
        length: u64,
    ) -> Result<RunProof, ArchiveError> {
        let missing = ArchiveError::Lane { source_chain: source, lane: id };
        let lane = self.lanes.get(&(source, id)).ok_or(missing)?;
        let siblings = lane.tree.prove(count, start.0, length)?;
        let messages = (start.0..start.0 + length)
            .map(|index| {
                let message =
                    lane.get(LaneIndex(index)).ok_or(ArchiveError::Forgotten { index: LaneIndex(index) })?;
                Ok((message.generation, message.message.clone()))
            })
            .collect::<Result<_, ArchiveError>>()?;
        Ok(RunProof { count, start, messages, siblings })
    }
}

/// Leaf count and the siblings of one leaf.
fn single(leaves: impl Iterator<Item = B256>, index: usize) -> Result<(u64, Vec<B256>), ProofError> {
    let mut tree = Tree::default();
    leaves.for_each(|leaf| tree.push(leaf));
    let count = tree.count();
    Ok((count, tree.prove(count, index as u64, 1)?))
}
