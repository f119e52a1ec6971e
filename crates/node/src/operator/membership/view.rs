//! What L1 says of memberships.

use super::register::Register;
use crate::{
    config::Network,
    membership::Memberships,
    operator::handle::Reporter,
    runtime::{Runtime, moment, now},
};
use commonware_utils::sync::Mutex;
use hum_chain::{Disposition, ReadError};
use hum_ledger::State;
use hum_types::{Body, Change, L1Origin, TimeMs};
use std::sync::Arc;
use tracing::debug;

/// How long something must have been known before it is proposed: others' nodes see it a little later.
const SETTLE_MS: u64 = 1_000;
/// Pause before a vote looks again.
const AGAIN_MS: u64 = 100;
/// How long nothing is proposed after a proposal has failed; twice as long each time that it fails again.
const PAUSE_MS: u64 = 5_000;
/// The longest such pause.
const PAUSE_MS_MAX: u64 = 300_000;
/// L1 blocks that one question covers at most.
const RANGE: u64 = 500;

#[derive(Debug, Default)]
struct Known {
    finalised: L1Origin,
    /// Everything up to here is in `register`.
    scanned: u64,
    register: Register,
    /// A block at which our chain was found to have the same one.
    agreed: Option<L1Origin>,
    /// The height at which something was last proposed, and in which views.
    tried: (u64, Vec<u64>),
    /// Until when nothing is proposed, and for how long that was.
    pause: (TimeMs, u64),
}

impl Known {
    /// Whether L1, as far as we have read it, has what a change says; else what is wrong.
    fn says(&self, before: &State, change: &Change) -> Result<(), String> {
        match change {
            Change::Join { join } => self.register.joins(join),
            Change::Leave { chain_id, l1 } => match before.rollup(*chain_id) {
                Some(rollup) => self.register.leaves(rollup.params().registration, *l1),
                // The ledger has refused it before.
                None => Err(format!("chain {chain_id} is no member")),
            },
            _ => Ok(()),
        }
    }

    fn fails(&mut self, now: TimeMs) {
        let pause_ms = (self.pause.1 * 2).clamp(PAUSE_MS, PAUSE_MS_MAX);
        self.pause = (TimeMs(now.0 + pause_ms), pause_ms);
    }
}

/// A join or a leave, with the L1 block that it goes by.
fn moves(body: &Body) -> impl Iterator<Item = (&Change, L1Origin)> {
    body.changes.iter().filter_map(|change| match change {
        Change::Join { join } => Some((change, join.l1)),
        Change::Leave { l1, .. } => Some((change, *l1)),
        _ => None,
    })
}

/// What can be said of a membership now.
enum Answer {
    Holds,
    /// Our own L1 says otherwise.
    Contradicted(String),
    /// Our own L1 node is behind.
    Behind(String),
}

/// Asks our own L1 node, and remembers. Without a source nobody comes or goes.
pub(crate) struct Membership<E> {
    clock: E,
    source: Option<Arc<dyn Memberships>>,
    reporter: Reporter,
    known: Mutex<Known>,
}

impl<E: Runtime> Membership<E> {
    pub(crate) fn new(
        clock: E,
        network: &Network,
        source: Option<Arc<dyn Memberships>>,
        reporter: Reporter,
    ) -> Self {
        let scanned = network.l1.origin.number;
        Self { clock, source, reporter, known: Mutex::new(Known { scanned, ..Known::default() }) }
    }

    pub(crate) const fn source(&self) -> Option<&Arc<dyn Memberships>> {
        self.source.as_ref()
    }

    /// A proposal for this height on `before` takes somebody in or lets somebody go. It counts only when our own L1 has what it
    /// says: then others' nodes are away or behind if it fails. What a liar makes up must keep nobody out.
    pub(crate) fn tried(&self, height: u64, view: u64, before: &State, body: &Body) {
        let mut known = self.known.lock();
        if moves(body).next().is_none() || moves(body).any(|(change, _)| known.says(before, change).is_err())
        {
            return;
        }
        if known.tried.0 != height {
            known.tried = (height, Vec::new());
        }
        if !known.tried.1.contains(&view) {
            known.tried.1.push(view);
            if known.tried.1.len() == 2 {
                known.fails(now(&self.clock));
            }
        }
    }

    /// A body was finalised at this height. When nobody moves in it although that was proposed, it has failed.
    pub(crate) fn finalised(&self, height: u64, body: &Body) {
        let mut known = self.known.lock();
        if moves(body).next().is_some() {
            known.pause = (TimeMs(0), 0);
        } else if known.tried.0 == height && known.tried.1.len() == 1 {
            known.fails(now(&self.clock));
        }
    }

    /// What can follow `before` under a header of this origin. Where that has failed, too many L1 nodes are away or behind:
    /// the chain must not wait for them at each height that follows.
    pub(crate) fn proposal(&self, before: &State, origin: L1Origin) -> Vec<Change> {
        let (known, now) = (self.known.lock(), now(&self.clock));
        if now < known.pause.0 || known.tried.0 == before.next_height().0 && known.tried.1.len() > 1 {
            return Vec::new();
        }
        known.register.due(before, origin, TimeMs(now.0.saturating_sub(SETTLE_MS)))
    }

    /// Whether our L1 has everything that the body says of memberships after `before`. Pending while that cannot be known.
    pub(crate) async fn agrees(&self, before: &State, body: &Body) -> Result<(), String> {
        for (change, l1) in moves(body) {
            loop {
                match self.look(before, change, l1).await {
                    Answer::Holds => break,
                    Answer::Contradicted(why) => return Err(why),
                    Answer::Behind(waits_for) => {
                        let now = now(&self.clock);
                        self.reporter.handle().board().waits_for(waits_for, now);
                        self.clock.sleep_until(moment(TimeMs(now.0 + AGAIN_MS))).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn look(&self, before: &State, change: &Change, l1: L1Origin) -> Answer {
        let Some(source) = &self.source else {
            return Answer::Contradicted("no rollup comes or goes that this operator can read".to_owned());
        };
        let same = {
            let known = self.known.lock();
            let reached = known.finalised.number.min(known.scanned);
            if reached < l1.number {
                return Answer::Behind(format!("own L1 node, final {reached}, to reach block {}", l1.number));
            }
            if let Err(why) = known.says(before, change) {
                return Answer::Contradicted(why);
            }
            known.finalised == l1 || known.agreed == Some(l1) || before.header().l1_origin == l1
        };
        if same {
            return Answer::Holds;
        }
        match source.hash_of(l1.number).await {
            Ok(Some(hash)) if hash == l1.hash => {
                self.known.lock().agreed = Some(l1);
                Answer::Holds
            }
            Ok(Some(hash)) => Answer::Contradicted(format!(
                "own L1 has block {hash} at {}, proposed is {}",
                l1.number, l1.hash
            )),
            Ok(None) => Answer::Behind(format!("own L1 node to show block {}", l1.number)),
            Err(error) => {
                self.failed(&error);
                Answer::Behind(format!("own L1 node: {error}"))
            }
        }
    }

    /// Look at our node's final head and at what is new below it.
    pub(crate) async fn refresh(&self, source: &Arc<dyn Memberships>) -> Result<(), ReadError> {
        let finalised = source.finalised().await?;
        let mut scanned = self.known.lock().scanned;
        while scanned < finalised.number {
            let to = finalised.number.min(scanned.saturating_add(RANGE));
            let moved = source.moved(scanned + 1, to).await?;
            let (mut known, now) = (self.known.lock(), now(&self.clock));
            for moved in &moved {
                if let Some(why) = known.register.push(moved, now) {
                    self.reporter.alarm(why, now);
                }
            }
            scanned = to;
            known.scanned = to;
        }
        self.known.lock().finalised = finalised;
        debug!(%finalised, "memberships on own L1");
        Ok(())
    }

    pub(crate) fn failed(&self, error: &ReadError) {
        self.reporter.metrics().l1_errors.inc();
        if error.disposition() == Disposition::Distrust {
            self.reporter.alarm(format!("own L1 node: {error}"), now(&self.clock));
        }
    }
}
