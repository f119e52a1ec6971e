//! What processes said and reported, over all their runs: the evidence that the checks are made on.
//!
//! An operator's own view ends with its process, and only shows what it believes now. The books keep what it ever said,
//! so that a contradiction between two runs of one process is found as well.

use super::Trace;
use commonware_runtime::{Spawner as _, deterministic::Context};
use commonware_utils::channel::mpsc;
use hum_bls::{Attestation, Seat};
use hum_node::{
    operator::Event,
    runtime,
    wire::{Gossip, PublisherMessage},
};
use hum_types::{
    B256, ChainId, Change, Checkpoint, Confidence, Decode as _, Epoch, Evidence, Generation, Height,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Violations that are told in words; more are only counted.
const TOLD_MAX: usize = 20;

/// A finalised checkpoint, as the world saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Its height.
    pub height: Height,
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it closes the epoch.
    pub hands_over: bool,
    /// When the first operator had finalised it, in milliseconds since the world began.
    pub at_ms: u64,
    /// When the first operator had a certificate of exactly this height.
    pub certified_ms: Option<u64>,
    /// Rollups that it sets aside.
    pub quarantined: Vec<ChainId>,
    /// Rollups that it opens a generation of.
    pub retracted: Vec<ChainId>,
    /// Rollups that it advances, with their new heads.
    pub advanced: Vec<(ChainId, u64)>,
    /// Heads that it settles.
    pub settled: Vec<(ChainId, Confidence, u64)>,
    /// Rollups that it takes in.
    pub joined: Vec<ChainId>,
    /// Rollups that it lets go.
    pub left: Vec<ChainId>,
    /// Rollups that L1 cut back, with the block that was kept.
    pub reorged: Vec<(ChainId, u64)>,
}

impl Beat {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_heartbeat(&self) -> bool {
        !self.hands_over
            && self.quarantined.is_empty()
            && self.retracted.is_empty()
            && self.advanced.is_empty()
            && self.settled.is_empty()
            && self.joined.is_empty()
            && self.left.is_empty()
    }
}

#[derive(Debug, Default)]
struct Pages {
    violations: Vec<String>,
    untold: usize,
    finalised: BTreeMap<Height, (Arc<Checkpoint>, u64)>,
    certified: BTreeMap<Height, (B256, u64)>,
    /// What each operator signed for a height, with the epoch and the seat.
    attested: BTreeMap<(usize, Height), (B256, Epoch, Seat)>,
    /// What each sequencer's publisher claimed for a number.
    claimed: BTreeMap<(ChainId, Generation, u64), B256>,
    /// What each generation was opened with.
    opened: BTreeMap<(ChainId, Generation), B256>,
    alarms: Vec<String>,
}

/// The books; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Books(Arc<Mutex<Pages>>);

impl Pages {
    fn blame(&mut self, what: String) {
        if self.violations.len() < TOLD_MAX {
            self.violations.push(what);
        } else {
            self.untold += 1;
        }
    }

    fn finalised(&mut self, who: &str, checkpoint: &Arc<Checkpoint>, at_ms: u64) {
        let height = checkpoint.header.height;
        let (known, _) = self.finalised.entry(height).or_insert_with(|| (checkpoint.clone(), at_ms));
        if known.header != checkpoint.header {
            self.blame(format!("{who} finalised another checkpoint than others at height {height}"));
        }
    }

    fn attested(&mut self, who: &str, operator: usize, said: &Attestation) {
        let (height, signed) = (said.height, (said.header_hash, said.epoch, said.seat));
        let known = *self.attested.entry((operator, height)).or_insert(signed);
        if known != signed {
            self.blame(format!("{who} attested two headers of height {height}: {known:?}, {signed:?}"));
        }
    }
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Write down what must not be.
    pub(super) fn blame(&self, what: String) {
        self.lock().blame(what);
    }

    /// Follow one run of an operator.
    pub(super) fn follow(
        &self,
        context: Context,
        who: String,
        mut events: mpsc::Receiver<Event>,
        trace: Trace,
    ) {
        let books = self.clone();
        context.spawn(move |context| async move {
            let mut expected = Height(1);
            while let Some(event) = events.recv().await {
                let at_ms = runtime::now(&context).0 - super::START * 1_000;
                let mut pages = books.lock();
                match event {
                    Event::Finalised { checkpoint, .. } => {
                        let height = checkpoint.header.height;
                        if height != expected {
                            pages.blame(format!("{who} finalised height {height}, {expected} was next"));
                        }
                        expected = Height(height.0 + 1);
                        pages.finalised(&who, &checkpoint, at_ms);
                        trace.note(&context, format_args!("{who} finalised {height}"));
                    }
                    Event::Certified { certificate, .. } => {
                        let (height, hash) = (certificate.height, certificate.header_hash);
                        let (known, _) = *pages.certified.entry(height).or_insert((hash, at_ms));
                        if known != hash {
                            pages.blame(format!("two headers of height {height} are certified"));
                        }
                    }
                    Event::Alarm { what, .. } => pages.alarms.push(format!("{who}: {what}")),
                    Event::Claimed { .. }
                    | Event::Judged { .. }
                    | Event::Attested { .. }
                    | Event::Contradicted { .. }
                    | Event::Signed { .. } => {}
                }
            }
        });
    }

    /// Listen to what an operator gossips.
    pub(super) fn hear_operator(
        &self,
        who: String,
        operator: usize,
    ) -> impl Fn(&bytes::Bytes) + Send + Sync + 'static {
        let books = self.clone();
        move |message| match Gossip::decode(message) {
            Ok(Gossip::Attestations(attestations)) => {
                let mut pages = books.lock();
                for attestation in attestations {
                    pages.attested(&who, operator, &attestation);
                }
            }
            Ok(_) => {}
            Err(error) => books.blame(format!("{who} gossips what does not decode: {error}")),
        }
    }

    /// Listen to what a publisher submits.
    pub(super) fn hear_publisher(&self, who: String) -> impl Fn(&bytes::Bytes) + Send + Sync + 'static {
        let books = self.clone();
        move |message| {
            let mut pages = books.lock();
            match PublisherMessage::decode(message) {
                Ok(PublisherMessage::Submit(submission)) => {
                    let said = submission.claim.claim;
                    let place = (said.chain_id, said.generation, said.block.number);
                    let known = *pages.claimed.entry(place).or_insert(said.block.hash);
                    if known != said.block.hash {
                        pages.blame(format!("{who} claimed two blocks for {place:?}"));
                    }
                }
                Ok(PublisherMessage::Retract(signed)) => {
                    let said = signed.retraction;
                    let place = (said.chain_id, said.generation);
                    let known = *pages.opened.entry(place).or_insert(said.kept.hash);
                    if known != said.kept.hash {
                        pages.blame(format!("{who} opened {place:?} twice"));
                    }
                }
                Ok(PublisherMessage::Ask { .. }) => {}
                Err(error) => pages.blame(format!("{who} submits what does not decode: {error}")),
            }
        }
    }

    /// What was finalised, by height.
    pub(super) fn checkpoints(&self) -> Vec<Arc<Checkpoint>> {
        self.lock().finalised.values().map(|(checkpoint, _)| checkpoint.clone()).collect()
    }

    /// Which operator signed which height in which epoch and seat.
    pub(super) fn attested(&self) -> Vec<(usize, Height, Epoch, Seat)> {
        let pages = self.lock();
        let attested = pages.attested.iter();
        attested.map(|((who, height), (_, epoch, seat))| (*who, *height, *epoch, *seat)).collect()
    }

    /// Alarms that operators raised.
    pub(super) fn alarms(&self) -> Vec<String> {
        self.lock().alarms.clone()
    }

    /// What must not be: everything noted on the way, and what the whole shows.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut pages = self.lock();
        let hashes: BTreeMap<Height, B256> = pages
            .finalised
            .iter()
            .map(|(height, (checkpoint, _))| (*height, checkpoint.header.hash()))
            .collect();
        let mut found = Vec::new();
        // An operator attests a moment before it tells that it finalised.
        let newest = hashes.keys().next_back().copied().unwrap_or(Height(0));
        let other = |height: &Height, hash: &B256| hashes.get(height) != Some(hash) && *height <= newest;
        for (height, _) in pages.certified.iter().filter(|(height, (hash, _))| other(height, hash)) {
            found.push(format!("height {height} is certified with a header that was not finalised"));
        }
        let attested = pages.attested.iter();
        for ((who, height), _) in attested.filter(|((_, height), (hash, ..))| other(height, hash)) {
            found.push(format!("operator {who} attested a header of height {height} that was not finalised"));
        }
        found.into_iter().for_each(|what| pages.blame(what));
        let mut violations = pages.violations.clone();
        if pages.untold > 0 {
            violations.push(format!("and {} more", pages.untold));
        }
        violations
    }

    /// The finalised checkpoints with their times.
    pub(super) fn beats(&self) -> Vec<Beat> {
        let pages = self.lock();
        let beat = |(height, (checkpoint, at_ms)): (&Height, &(Arc<Checkpoint>, u64))| {
            let body = &checkpoint.body;
            let quarantined =
                body.changes.iter().filter_map(|change| match change {
                    Change::Quarantine {
                        evidence:
                            Evidence::Equivocation { one: claim, .. } | Evidence::InvalidBlock { claim, .. },
                    } => Some(claim.claim.chain_id),
                    Change::Retract { .. }
                    | Change::NextCommittee { .. }
                    | Change::Settle { .. }
                    | Change::Join { .. }
                    | Change::Leave { .. }
                    | Change::Reorg { .. } => None,
                });
            let retracted = body.changes.iter().filter_map(|change| match change {
                Change::Retract { retraction } => Some(retraction.retraction.chain_id),
                Change::Quarantine { .. }
                | Change::NextCommittee { .. }
                | Change::Settle { .. }
                | Change::Join { .. }
                | Change::Leave { .. }
                | Change::Reorg { .. } => None,
            });
            let reorged = body.changes.iter().filter_map(|change| match change {
                Change::Reorg { chain_id, kept, .. } => Some((*chain_id, kept.number)),
                Change::Quarantine { .. }
                | Change::Retract { .. }
                | Change::NextCommittee { .. }
                | Change::Settle { .. }
                | Change::Join { .. }
                | Change::Leave { .. } => None,
            });
            let settled = body.changes.iter().filter_map(|change| match change {
                Change::Settle { chain_id, confidence, head, .. } => {
                    Some((*chain_id, *confidence, head.number))
                }
                Change::Quarantine { .. }
                | Change::Retract { .. }
                | Change::NextCommittee { .. }
                | Change::Join { .. }
                | Change::Leave { .. }
                | Change::Reorg { .. } => None,
            });
            let joined = body.changes.iter().filter_map(|change| match change {
                Change::Join { join } => Some(join.chain_id),
                _ => None,
            });
            let left = body.changes.iter().filter_map(|change| match change {
                Change::Leave { chain_id, .. } => Some(*chain_id),
                _ => None,
            });
            let advanced = body
                .advances
                .iter()
                .filter_map(|advance| Some((advance.chain_id, advance.blocks.last()?.block.number)));
            Beat {
                height: *height,
                epoch: checkpoint.header.epoch,
                hands_over: checkpoint.header.next_table_hash != B256::ZERO,
                at_ms: *at_ms,
                certified_ms: pages.certified.get(height).map(|(_, at_ms)| *at_ms),
                quarantined: quarantined.collect(),
                retracted: retracted.collect(),
                advanced: advanced.collect(),
                settled: settled.collect(),
                joined: joined.collect(),
                left: left.collect(),
                reorged: reorged.collect(),
            }
        };
        pages.finalised.iter().map(beat).collect()
    }
}
