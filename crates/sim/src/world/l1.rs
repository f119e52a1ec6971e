//! L1 as the operators' own nodes show it: a block a second, committees taken when the world's settings say so, and what
//! rollups post.

use super::{Context, Stage, cast::L1_ORIGIN, config::START};
use alloy_primitives::{B256, keccak256};
use commonware_runtime::Clock as _;
use futures::{FutureExt as _, future::BoxFuture};
use hum_batch::Batch;
use hum_bls::OperatorId;
use hum_chain::ReadError;
use hum_node::{
    membership::{Memberships, Moved, Movement},
    registry::{Registered, Registry, RestakingError, SnapshotRecord},
    runtime,
    settlement::{Place, Posted, Settlement, Span},
};
use hum_types::{BlockRef, ChainId, Confidence, L1Origin, Roster};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

/// Blocks that finality stays behind.
const FINALITY_BLOCKS: u64 = 2;

/// Blocks that `safe` stays behind.
const SAFE_BLOCKS: u64 = 1;

/// The L1 block with this number.
pub(super) fn l1_block(seed: u64, number: u64) -> L1Origin {
    if number == L1_ORIGIN.number {
        return L1_ORIGIN;
    }
    L1Origin { number, hash: keccak256(format!("{seed} L1 block {number}")) }
}

/// The newest L1 block at a time since the world began.
const fn newest_block(elapsed_ms: u64) -> u64 {
    L1_ORIGIN.number + elapsed_ms / 1_000
}

/// The newest L1 block that is safe at a time since the world began.
pub(super) const fn safe_block(elapsed_ms: u64) -> u64 {
    newest_block(elapsed_ms).saturating_sub(SAFE_BLOCKS)
}

/// What rollups posted, in L1's order. It outlives every process.
#[derive(Debug, Default)]
pub(super) struct SimInbox(Mutex<Vec<Posted>>);

impl SimInbox {
    fn lock(&self) -> MutexGuard<'_, Vec<Posted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A rollup's batches: their last blocks, with the L1 blocks that hold them.
    pub(super) fn batches(&self, chain_id: ChainId) -> Vec<(BlockRef, L1Origin)> {
        let posted = self.lock();
        let own = posted.iter().filter(|posted| posted.chain_id == chain_id);
        own.filter_map(|posted| Some((posted.span.as_ref().ok()?.last, posted.l1))).collect()
    }
}

/// Post what a chain has above its last batch, up to `depth` blocks below its head, in the next L1 block. Returns the last
/// block.
pub(super) fn post(stage: &Stage, index: usize, clock: &Context, depth: u64) -> Option<BlockRef> {
    let chain = &stage.cast.rollups[index].chain;
    let chain_id = chain.chain_id();
    let batches = stage.inbox.batches(chain_id);
    let tail = batches.last().map_or_else(|| chain.genesis_block(), |(last, _)| *last);
    let last = chain.head().number.checked_sub(depth).filter(|last| *last > tail.number)?;
    if !chain.is_canonical(tail) {
        // What is posted stays posted: a chain that left it has nothing more to say.
        return None;
    }
    let blocks: Vec<_> = (tail.number + 1..=last).filter_map(|number| chain.evidence(number)).collect();
    let blocks: Vec<_> = blocks.into_iter().map(|block| block.rlp).collect();
    let data = hum_batch::pack(tail.hash, &blocks).expect("the chain's blocks stand on each other");
    let unpacked = Batch::decode(data.data()).expect("what is packed unpacks");
    let (first, parent, last) = (unpacked.first().number, unpacked.parent, unpacked.last());
    let l1 = l1_block(stage.config.seed, newest_block(runtime::now(clock).0 - START * 1_000) + 1);
    let hashes = unpacked.blocks.iter().map(|block| block.block.hash).collect();
    let span = Ok(Span { first, parent, last, hashes });
    let posted = Posted { chain_id, index: batches.len() as u64, l1, span };
    stage.inbox.lock().push(posted);
    Some(last)
}

/// The L1 node of one operator, or of a process that does not order.
pub(super) struct L1Node {
    pub(super) stage: Arc<Stage>,
    pub(super) clock: Context,
    pub(super) operator: Option<usize>,
}

impl fmt::Debug for L1Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("L1Node").field("operator", &self.operator).finish_non_exhaustive()
    }
}

impl L1Node {
    fn elapsed_ms(&self) -> u64 {
        runtime::now(&self.clock).0 - START * 1_000
    }

    /// The node takes its time, or does not answer at all.
    async fn answers(&self) -> Result<(), ReadError> {
        self.clock.sleep(Duration::from_millis(self.stage.config.node_latency_ms)).await;
        let since_ms = self.elapsed_ms().saturating_sub(self.stage.begun_ms.load(Ordering::Relaxed));
        let down = self.stage.config.l1_outages.iter().any(|outage| {
            Some(outage.operator) == self.operator && (outage.from_ms..outage.to_ms).contains(&since_ms)
        });
        if down {
            return Err(ReadError::Timeout { method: "any", after_ms: 1 });
        }
        Ok(())
    }

    fn block(&self, number: u64) -> L1Origin {
        l1_block(self.stage.config.seed, number)
    }

    fn tagged(&self, tag: Confidence) -> L1Origin {
        let behind = [0, SAFE_BLOCKS, FINALITY_BLOCKS][tag as usize];
        // The first block is final from the beginning.
        self.block(newest_block(self.elapsed_ms()).saturating_sub(behind).max(L1_ORIGIN.number))
    }

    fn hash(&self, number: u64) -> Option<B256> {
        (number <= newest_block(self.elapsed_ms())).then(|| self.block(number).hash)
    }

    /// Snapshots with the blocks in which they were taken.
    fn snapshots(&self) -> impl Iterator<Item = (usize, u64)> {
        let begun_ms = self.stage.begun_ms.load(Ordering::Relaxed);
        let taken = self.stage.config.snapshots.iter().filter(move |_| begun_ms > 0);
        taken.map(move |snapshot| L1_ORIGIN.number + (begun_ms + snapshot.at_ms) / 1_000).enumerate()
    }

    /// What of the rollup that joins this node shows, ever.
    fn movements(&self) -> Vec<Moved> {
        let begun_ms = self.stage.begun_ms.load(Ordering::Relaxed);
        let (Some(joining), Some(member)) = (&self.stage.config.joining, &self.stage.cast.joining) else {
            return Vec::new();
        };
        let shown = &joining.shown_to;
        let hidden = !shown.is_empty() && self.operator.is_none_or(|index| !shown.contains(&index));
        if hidden || begun_ms == 0 {
            return Vec::new();
        }
        let registration = member.entry.registration;
        let at = |at_ms: u64| self.block(L1_ORIGIN.number + (begun_ms + at_ms) / 1_000);
        let (chain_id, member) = (member.entry.chain_id, Ok(Arc::new(member.clone())));
        let published = Movement::Published { chain_id, member };
        let joins = Moved { registration, l1: at(joining.at_ms), what: published };
        let leaves = joining.leaves_ms.map(|ms| Moved { registration, l1: at(ms), what: Movement::Exit });
        [Some(joins), leaves].into_iter().flatten().collect()
    }

    /// Its place among the planned ones; `None` for the first committee's.
    fn newest_at(&self, number: u64) -> Option<(usize, u64)> {
        self.snapshots().filter(|(_, taken)| *taken <= number).last()
    }

    fn roster_of(&self, planned: Option<usize>) -> Roster {
        self.stage.cast.roster(planned.and_then(|index| self.stage.config.snapshots.get(index)))
    }
}

impl Registry for L1Node {
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, RestakingError>> {
        async {
            self.answers().await?;
            Ok(self.tagged(Confidence::Finalized))
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, RestakingError>> {
        async move {
            self.answers().await?;
            Ok(self.hash(number))
        }
        .boxed()
    }

    fn newest(&self, origin: L1Origin) -> BoxFuture<'_, Result<Option<SnapshotRecord>, RestakingError>> {
        async move {
            self.answers().await?;
            let planned = self.newest_at(origin.number);
            let roster = self.roster_of(planned.map(|(index, _)| index));
            let (valid_until, seats) = (roster.valid_until, roster.entries.len());
            let index = planned.map_or(0, |(index, _)| index + 1);
            Ok(Some(SnapshotRecord {
                index: index as u64,
                table_hash: self.stage.cast.table_hash(index),
                l1_block: planned.map_or(L1_ORIGIN.number, |(_, taken)| taken),
                valid_until,
                seats: seats as u16,
            }))
        }
        .boxed()
    }

    fn roster(&self, record: SnapshotRecord, _: L1Origin) -> BoxFuture<'_, Result<Roster, RestakingError>> {
        async move {
            self.answers().await?;
            Ok(self.roster_of(record.index.checked_sub(1).map(|index| index as usize)))
        }
        .boxed()
    }

    /// Who sits, and who will with the next snapshot: one registers first.
    fn registered(&self, origin: L1Origin) -> BoxFuture<'_, Result<Vec<Registered>, RestakingError>> {
        async move {
            self.answers().await?;
            let newest = self.newest_at(origin.number).map(|(index, _)| index);
            let next = newest.map_or(0, |index| index + 1);
            let mut entries = self.roster_of(newest).entries;
            if next < self.stage.config.snapshots.len() {
                entries.extend(self.roster_of(Some(next)).entries);
            }
            let registered = entries.into_iter().map(|entry| Registered {
                operator: entry.operator,
                id: OperatorId(keccak256(entry.key_g1)),
                network_key: entry.network_key,
                endpoint: entry.endpoint,
            });
            Ok(registered.collect())
        }
        .boxed()
    }
}

impl Memberships for L1Node {
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, ReadError>> {
        async {
            self.answers().await?;
            Ok(self.tagged(Confidence::Finalized))
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>> {
        async move {
            self.answers().await?;
            Ok(self.hash(number))
        }
        .boxed()
    }

    fn moved(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Moved>, ReadError>> {
        async move {
            self.answers().await?;
            let all = self.movements().into_iter();
            Ok(all.filter(|moved| (from..=to).contains(&moved.l1.number)).collect())
        }
        .boxed()
    }
}

impl Settlement for L1Node {
    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<L1Origin, ReadError>> {
        async move {
            self.answers().await?;
            Ok(self.tagged(tag))
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, ReadError>> {
        async move {
            self.answers().await?;
            Ok(self.hash(number))
        }
        .boxed()
    }

    fn place(
        &self,
        chain_id: ChainId,
        head: BlockRef,
        l1_number: u64,
    ) -> BoxFuture<'_, Result<Option<Place>, ReadError>> {
        async move {
            self.answers().await?;
            let batches = self.stage.inbox.batches(chain_id);
            let found = batches.iter().position(|(last, l1)| *last == head && l1.number <= l1_number);
            let place = |index: usize| Place { next: index as u64 + 1, l1_block: batches[index].1.number };
            Ok(found.map(place))
        }
        .boxed()
    }

    fn posted(&self, from: u64, to: u64) -> BoxFuture<'_, Result<Vec<Posted>, ReadError>> {
        async move {
            self.answers().await?;
            let to = to.min(newest_block(self.elapsed_ms()));
            let posted = self.stage.inbox.lock();
            Ok(posted.iter().filter(|posted| (from..=to).contains(&posted.l1.number)).cloned().collect())
        }
        .boxed()
    }
}
