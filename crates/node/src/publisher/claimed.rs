//! What the publisher and its batcher agree on: which blocks are claimed, and that none is taken back once it is posted.

use super::Journal;
use commonware_runtime::Storage;
use hum_types::{B256, BlockRef, Generation};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Claimed blocks that are remembered; what is below is found by going down from them.
const BLOCKS_MAX: usize = 4_096;
/// How long a post that may or may not be on its way counts as one.
const UNSURE_MS: u64 = 300_000;

/// Why blocks are not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Posted {
    /// L1 was not asked yet.
    Unknown,
    /// Up to this block.
    UpTo(u64),
}

/// Claimed blocks of the present generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) generation: Generation,
    /// Contiguous, the newest.
    pub(super) blocks: BTreeMap<u64, B256>,
}

#[derive(Debug)]
struct Inner {
    chain: Chain,
    guard: Option<Guard>,
}

/// Keeps posting and taking back apart.
#[derive(Debug, Default)]
struct Guard {
    /// The last block that a process before this one may have posted: what it knew of it is gone.
    before: Option<u64>,
    /// The last block that L1 has, as last seen.
    posted: Option<u64>,
    /// The same with its hash.
    on_l1: Option<BlockRef>,
    /// The last block of the post under way.
    sending: Option<u64>,
    /// The last block of a post that may be under way, and when it is given up.
    unsure: Option<(u64, u64)>,
    /// Blocks above this one are being taken back.
    taking_back: Option<u64>,
    now_ms: u64,
}

impl Guard {
    fn doubt(&mut self, last: u64) {
        let until_ms = self.now_ms.saturating_add(UNSURE_MS);
        self.unsure = Some((self.unsure.map_or(last, |(before, _)| before.max(last)), until_ms));
    }
}

/// How a post ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// L1 has it, or had a look at it and refused it.
    Included,
    /// It never left.
    NotSent,
    /// It may still be included.
    Unknown,
}

/// Shared by the two. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Claimed(Arc<Mutex<Inner>>);

impl Claimed {
    /// What a journal holds. Where there is a batcher, it leaves this many of the newest blocks alone.
    pub(super) fn new<E: Storage>(journal: &Journal<E>, depth: Option<u64>) -> Self {
        let chain = Chain { generation: journal.generation(), blocks: known(journal) };
        let newest = chain.blocks.last_key_value().map(|(newest, _)| *newest);
        let guard = depth.map(|depth| Guard {
            before: newest.map(|newest| newest.saturating_sub(depth)),
            ..Guard::default()
        });
        Self(Arc::new(Mutex::new(Inner { chain, guard })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is a plain assignment, so a poisoned one is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block was claimed.
    pub(super) fn claim(&self, block: BlockRef) {
        let mut inner = self.lock();
        inner.chain.blocks.insert(block.number, block.hash);
        while inner.chain.blocks.len() > BLOCKS_MAX {
            inner.chain.blocks.pop_first();
        }
    }

    /// The journal goes on elsewhere: blocks were taken back, or it took over from the network.
    pub(super) fn set<E: Storage>(&self, journal: &Journal<E>) {
        let mut inner = self.lock();
        inner.chain = Chain { generation: journal.generation(), blocks: known(journal) };
        if let Some(guard) = &mut inner.guard {
            guard.taking_back = None;
        }
    }

    /// What is claimed.
    pub(super) fn chain(&self) -> Chain {
        self.lock().chain.clone()
    }

    /// Begin to take back what is above `standing`; from now on nothing above is posted, until [`Self::set`] or
    /// [`Self::stands`].
    pub(super) fn take_back(&self, standing: u64) -> Result<(), Posted> {
        let mut inner = self.lock();
        let Some(guard) = &mut inner.guard else { return Ok(()) };
        let posted = guard.posted.ok_or(Posted::Unknown)?;
        let unsure = guard.unsure.map(|(last, _)| last);
        let last = [guard.sending, unsure].into_iter().flatten().fold(posted, u64::max);
        if last > standing {
            return Err(Posted::UpTo(last));
        }
        guard.taking_back = Some(standing);
        Ok(())
    }

    /// Nothing is taken back after all.
    pub(super) fn stands(&self) {
        if let Some(guard) = &mut self.lock().guard {
            guard.taking_back = None;
        }
    }

    /// The last block that L1 has, as last seen: a chain that holds it takes nothing back that is posted.
    pub(super) fn on_l1(&self) -> Option<BlockRef> {
        self.lock().guard.as_ref()?.on_l1
    }

    /// L1's last block is this one.
    pub(super) fn holds_on_l1(&self, block: BlockRef) {
        if let Some(guard) = &mut self.lock().guard {
            guard.on_l1 = Some(block);
        }
    }

    /// L1 has blocks up to this one.
    pub(super) fn saw(&self, posted: u64, now_ms: u64) {
        let Some(guard) = &mut self.lock().guard else { return };
        guard.now_ms = now_ms;
        guard.unsure = guard.unsure.filter(|(last, until_ms)| *last > posted && *until_ms > now_ms);
        // What a reorganisation of L1 drops usually comes back, and what was sent before a crash may still be on its way.
        if let Some(before) = guard.posted.or(guard.before.take()).filter(|before| *before > posted) {
            guard.doubt(before);
        }
        guard.posted = Some(posted);
    }

    /// Begin to post up to `block`: whether it is claimed and not being taken back.
    pub(super) fn begin(&self, generation: Generation, block: BlockRef) -> bool {
        let mut inner = self.lock();
        let claimed = inner.chain.generation == generation
            && inner.chain.blocks.last_key_value().is_some_and(|(newest, _)| *newest >= block.number)
            && inner.chain.blocks.get(&block.number).is_none_or(|hash| *hash == block.hash);
        let Some(guard) = &mut inner.guard else { return false };
        if !claimed || guard.taking_back.is_some_and(|standing| standing < block.number) {
            return false;
        }
        guard.sending = Some(block.number);
        true
    }

    /// The post that was begun has ended.
    pub(super) fn end(&self, end: End) {
        let Some(guard) = &mut self.lock().guard else { return };
        let sent = guard.sending.take();
        match end {
            // Whatever else was under way starts where this one did: L1 refuses it.
            End::Included => guard.unsure = None,
            End::NotSent => {}
            End::Unknown => sent.into_iter().for_each(|last| guard.doubt(last)),
        }
    }
}

/// The newest blocks of a journal without gap.
fn known<E: Storage>(journal: &Journal<E>) -> BTreeMap<u64, B256> {
    let mut blocks = BTreeMap::new();
    for block in journal.known().into_iter().rev() {
        let next =
            blocks.first_key_value().is_none_or(|(lowest, _)| block.number.checked_add(1) == Some(*lowest));
        if next && blocks.len() < BLOCKS_MAX {
            blocks.insert(block.number, block.hash);
        }
    }
    blocks
}
