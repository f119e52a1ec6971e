//! L1 as the operators' own nodes show it: a block a second, committees taken when the world's settings say so.

use super::{Context, Stage, cast::L1_ORIGIN, config::START};
use alloy_primitives::{B256, keccak256};
use commonware_runtime::Clock as _;
use futures::{FutureExt as _, future::BoxFuture};
use hum_bls::OperatorId;
use hum_chain::ReadError;
use hum_node::{
    registry::{Registered, Registry, RestakingError, SnapshotRecord},
    runtime,
};
use hum_types::{L1Origin, Roster};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Blocks that finality stays behind.
const FINALITY_BLOCKS: u64 = 2;

/// The L1 node of one operator, or of a process that does not order.
pub(super) struct SimRegistry {
    pub(super) stage: Arc<Stage>,
    pub(super) clock: Context,
    pub(super) operator: Option<usize>,
}

impl fmt::Debug for SimRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRegistry").field("operator", &self.operator).finish_non_exhaustive()
    }
}

impl SimRegistry {
    fn elapsed_ms(&self) -> u64 {
        runtime::now(&self.clock).0 - START * 1_000
    }

    /// The node takes its time, or does not answer at all.
    async fn answers(&self) -> Result<(), RestakingError> {
        self.clock.sleep(Duration::from_millis(self.stage.config.node_latency_ms)).await;
        let since_ms = self.elapsed_ms().saturating_sub(self.stage.begun_ms.load(Ordering::Relaxed));
        let down = self.stage.config.l1_outages.iter().any(|outage| {
            Some(outage.operator) == self.operator && (outage.from_ms..outage.to_ms).contains(&since_ms)
        });
        if down {
            return Err(ReadError::Timeout { method: "any", after_ms: 1 }.into());
        }
        Ok(())
    }

    fn hash(&self, number: u64) -> B256 {
        if number == L1_ORIGIN.number {
            return L1_ORIGIN.hash;
        }
        keccak256(format!("{} L1 block {number}", self.stage.config.seed))
    }

    /// Snapshots with the blocks in which they were taken.
    fn snapshots(&self) -> impl Iterator<Item = (usize, u64)> {
        let begun_ms = self.stage.begun_ms.load(Ordering::Relaxed);
        let taken = self.stage.config.snapshots.iter().filter(move |_| begun_ms > 0);
        taken.map(move |snapshot| L1_ORIGIN.number + (begun_ms + snapshot.at_ms) / 1_000).enumerate()
    }

    /// Its place among the planned ones; `None` for the first committee's.
    fn newest_at(&self, number: u64) -> Option<(usize, u64)> {
        self.snapshots().filter(|(_, taken)| *taken <= number).last()
    }

    fn roster_of(&self, planned: Option<usize>) -> Roster {
        self.stage.cast.roster(planned.and_then(|index| self.stage.config.snapshots.get(index)))
    }
}

impl Registry for SimRegistry {
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, RestakingError>> {
        async {
            self.answers().await?;
            let number = L1_ORIGIN.number + (self.elapsed_ms() / 1_000).saturating_sub(FINALITY_BLOCKS);
            Ok(L1Origin { number, hash: self.hash(number) })
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, RestakingError>> {
        async move {
            self.answers().await?;
            let newest = L1_ORIGIN.number + self.elapsed_ms() / 1_000;
            Ok((number <= newest).then(|| self.hash(number)))
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
