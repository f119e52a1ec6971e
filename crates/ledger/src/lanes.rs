//! The lanes of one rollup, as small as a speculative state needs them.

use hum_types::{
    Address, B256, ChainId, Generation, LaneId, LaneIndex, LaneLeaf, LaneSlot, message_leaf,
    tree::{self, Frontier},
};
use std::{collections::BTreeMap, sync::Arc};

/// One lane: its slot, the right edge of its tree, the newest generation in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) slot: LaneSlot,
    pub(crate) edge: Frontier,
}

/// Where a message entered its lane, kept while a retraction can still drop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) lane: LaneId,
    pub(crate) index: LaneIndex,
    pub(crate) hash: B256,
    pub(crate) generation: Generation,
}

/// All lanes of a rollup; clones share everything until one of them changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lanes {
    lanes: Arc<BTreeMap<LaneId, Lane>>,
}

impl Lanes {
    pub(crate) fn get(&self, lane: &LaneId) -> Option<&Lane> {
        self.lanes.get(lane)
    }

    /// Append a message; `None` when the lane can count no further.
    pub(crate) fn push(&mut self, lane: LaneId, hash: B256, generation: Generation) -> Option<Entry> {
        let entry = Arc::make_mut(&mut self.lanes).entry(lane).or_default();
        let index = LaneIndex(entry.slot.count);
        entry.slot = entry.slot.push(hash)?;
        entry.edge.push(message_leaf(generation, index, hash));
        Some(Entry { lane, index, hash, generation })
    }

    /// The next index of a lane.
    pub(crate) fn next_index(&self, lane: &LaneId) -> LaneIndex {
        LaneIndex(self.lanes.get(lane).map_or(0, |lane| lane.slot.count))
    }

    /// Leaves of one façade's lanes, by destination.
    pub(crate) fn leaves(&self, facade: Address, generation: Generation) -> Vec<LaneLeaf> {
        let from = LaneId { facade, destination: ChainId(0) };
        let to = LaneId { facade, destination: ChainId(u64::MAX) };
        self.lanes
            .range(from..=to)
            .map(|(id, lane)| LaneLeaf { lane: *id, generation, slot: lane.slot, root: lane.edge.root() })
            .collect()
    }

    /// Root over one façade's lanes.
    pub(crate) fn root(&self, facade: Address, generation: Generation) -> B256 {
        tree::root(self.leaves(facade, generation).iter().map(LaneLeaf::hash))
    }
}
