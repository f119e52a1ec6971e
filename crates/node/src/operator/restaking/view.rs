//! What L1 says at an origin.

use crate::{
    operator::handle::Reporter,
    registry::{Registry, RestakingError, SnapshotRecord},
    runtime::{Runtime, moment, now},
};
use commonware_utils::sync::Mutex;
use hum_chain::Disposition;
use hum_ledger::State;
use hum_types::{B256, Header, L1Origin, Roster, TimeMs};
use std::{collections::VecDeque, sync::Arc};
use tracing::debug;

/// Origins that are remembered.
const LOOKED_MAX: usize = 32;
/// How long an origin must have been known before it is proposed: others' nodes see it a little later.
const SETTLE_MS: u64 = 500;
/// Pause before L1 is asked again.
const AGAIN_MS: u64 = 100;

/// What L1 says at an origin.
#[derive(Debug, Clone)]
struct Looked {
    origin: L1Origin,
    /// When we first knew.
    at: TimeMs,
    record: Option<SnapshotRecord>,
    /// Read only when the record's table is not the present committee's.
    roster: Option<Arc<Roster>>,
}

/// An answer about an origin.
enum Answer {
    Looked(Looked),
    /// Our node has not finalised it yet.
    Ahead(L1Origin),
    /// Our node's finalised block of that number is another one.
    Other(B256),
}

#[derive(Debug, Default)]
struct Known {
    head: Option<L1Origin>,
    /// Ascending.
    looked: VecDeque<Looked>,
    /// The closing height at which moved origins were last proposed, and in which views.
    tried: (u64, Vec<u64>),
}

/// Asks our own L1 node, and remembers. Without a registry the first committee stays for ever.
pub(crate) struct Restaking<E> {
    clock: E,
    registry: Option<Arc<dyn Registry>>,
    reporter: Reporter,
    known: Mutex<Known>,
}

impl<E: Runtime> Restaking<E> {
    pub(crate) fn new(clock: E, registry: Option<Arc<dyn Registry>>, reporter: Reporter) -> Self {
        Self { clock, registry, reporter, known: Mutex::default() }
    }

    pub(crate) const fn registry(&self) -> Option<&Arc<dyn Registry>> {
        self.registry.as_ref()
    }

    /// A proposal for this closing height moves the origin.
    pub(crate) fn tried(&self, height: u64, view: u64) {
        let mut known = self.known.lock();
        if known.tried.0 != height {
            known.tried = (height, Vec::new());
        }
        if !known.tried.1.contains(&view) {
            known.tried.1.push(view);
        }
    }

    /// The origin to propose on top of `before`, and the roster that belongs to it. Where proposals that move the origin
    /// have failed twice at this height, too many L1 nodes are away: the chain must not wait for them.
    pub(crate) fn proposal(&self, before: &State) -> (L1Origin, Option<Roster>) {
        let parent = before.header().l1_origin;
        if !before.closes_next() {
            return (parent, None);
        }
        let (known, now) = (self.known.lock(), now(&self.clock));
        if known.tried.0 == before.next_height().0 && known.tried.1.len() > 1 {
            return (parent, None);
        }
        let present = before.committee().table().hash();
        let newest = known.looked.iter().rev().find_map(|looked| {
            let settled = looked.origin.number > parent.number && looked.at.0 + SETTLE_MS <= now.0;
            match (&looked.record, &looked.roster) {
                _ if !settled => None,
                (Some(record), _) if record.table_hash == present => Some((looked.origin, None)),
                (None, _) => Some((looked.origin, None)),
                (Some(_), Some(roster)) => Some((looked.origin, Some((**roster).clone()))),
                (Some(_), None) => None,
            }
        });
        newest.unwrap_or((parent, None))
    }

    /// Whether L1 says at the header's origin what the header and its body say. Pending while that cannot be known.
    pub(crate) async fn agrees(&self, before: &State, header: &Header, next: Option<&Roster>) -> bool {
        let parent = before.header().l1_origin;
        if header.l1_origin == parent {
            // The ledger takes no roster here, and what L1 said at this origin was seen when it became ours.
            return next.is_none();
        }
        let Some(registry) = &self.registry else { return false };
        let present = before.committee().table().hash();
        loop {
            let waits_for = match self.look(registry, header.l1_origin, present).await {
                Ok(Answer::Looked(looked)) => {
                    let expected = looked.record.filter(|record| record.table_hash != present);
                    return match (expected, &looked.roster) {
                        (None, _) => next.is_none(),
                        (Some(_), Some(roster)) => next == Some(&**roster),
                        // Unreachable: a roster is read with its record.
                        (Some(_), None) => false,
                    };
                }
                Ok(Answer::Other(hash)) => {
                    debug!(origin = %header.l1_origin, own = %hash, "our L1 has another block there");
                    return false;
                }
                Ok(Answer::Ahead(head)) => {
                    format!(
                        "own L1 node, finalised {}, to reach block {}",
                        head.number, header.l1_origin.number
                    )
                }
                Err(error) => {
                    self.failed(&error);
                    format!("own L1 node: {error}")
                }
            };
            let now = now(&self.clock);
            self.reporter.handle().board().waits_for(waits_for, now);
            self.clock.sleep_until(moment(TimeMs(now.0 + AGAIN_MS))).await;
        }
    }

    /// Look at our node's finalised head.
    pub(crate) async fn refresh(
        &self,
        registry: &Arc<dyn Registry>,
        present: B256,
    ) -> Result<L1Origin, RestakingError> {
        let head = registry.finalised().await?;
        self.known.lock().head = Some(head);
        // A roster may be missing of a head that is known: the committee has changed since.
        self.look(registry, head, present).await?;
        Ok(head)
    }

    /// A handover was finalised that our own L1 contradicts: we must not attest it, and people should know.
    pub(crate) fn contradicted(&self, header: &Header) {
        let (height, table) = (header.height, header.next_table_hash);
        let what = format!(
            "own L1 node contradicts the handover at height {height} to table {table} at L1 block {}",
            header.l1_origin
        );
        self.reporter.alarm(what, now(&self.clock));
    }

    pub(crate) fn failed(&self, error: &RestakingError) {
        self.reporter.metrics().l1_errors.inc();
        if error.disposition() == Disposition::Distrust {
            self.reporter.alarm(format!("own L1 node: {error}"), now(&self.clock));
        }
    }

    async fn look(
        &self,
        registry: &Arc<dyn Registry>,
        origin: L1Origin,
        present: B256,
    ) -> Result<Answer, RestakingError> {
        let known = {
            let known = self.known.lock();
            known.looked.iter().find(|looked| looked.origin == origin).cloned()
        };
        let mut looked = match known {
            Some(looked) => looked,
            None => {
                let mut head = self.known.lock().head;
                if head.is_none_or(|head| head.number < origin.number) {
                    head = Some(registry.finalised().await?);
                    self.known.lock().head = head;
                }
                let head = head.unwrap_or_default();
                if head.number < origin.number {
                    return Ok(Answer::Ahead(head));
                }
                let hash = if head.number == origin.number {
                    head.hash
                } else {
                    match registry.hash_of(origin.number).await? {
                        Some(hash) => hash,
                        None => return Ok(Answer::Ahead(head)),
                    }
                };
                if hash != origin.hash {
                    return Ok(Answer::Other(hash));
                }
                let record = registry.newest(origin).await?;
                Looked { origin, at: now(&self.clock), record, roster: None }
            }
        };
        if let Some(record) = looked.record.filter(|record| record.table_hash != present)
            && looked.roster.is_none()
        {
            looked.roster = Some(Arc::new(registry.roster(record, origin).await?));
        }
        self.remember(looked.clone());
        Ok(Answer::Looked(looked))
    }

    fn remember(&self, looked: Looked) {
        let mut known = self.known.lock();
        known.looked.retain(|other| other.origin != looked.origin);
        let place = known.looked.partition_point(|other| other.origin.number < looked.origin.number);
        known.looked.insert(place, looked);
        while known.looked.len() > LOOKED_MAX {
            known.looked.pop_front();
        }
    }
}
