//! Tells followers what was finalised and certified, as it happens, and watchers also what was signed.
//!
//! What a follower misses it fetches: the feed keeps no history and waits for nobody. Attestations that contradict a
//! finalised header are the exception: they are kept on disk, and every watcher that comes is told of them.

use super::{
    handle::{Event, Events, Reporter},
    records::Records,
};
use crate::{
    config::{Network, PeerRole},
    runtime::{Runtime, moment, now},
    wire::{FOLLOW_LEASE_MS, FeedEvent, FeedRequest, WATCH_BATCH_MAX},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use hum_bls::{Attestation, Seat};
use hum_consensus::{PublicKey, Recipients, Wire, WireSender};
use hum_types::{Decode as _, Encode as _, Epoch, SignedClaim, TimeMs};
use std::{collections::BTreeMap, sync::Arc};
use tracing::debug;

/// How long signed things are gathered for watchers before they are sent together.
const GATHER_MS: u64 = 50;
/// Contradicting attestations that are kept of one seat in one epoch: one is enough to take all of its stake.
const KEPT_PER_SEAT: usize = 4;
/// Contradicting attestations that are kept at all.
const KEPT_MAX: usize = 4096;
/// Longest sleep when nothing is due.
const IDLE_MS: u64 = 1_000;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) network: Arc<Network>,
    /// Contradicting attestations on disk, and those that it held at the start.
    pub(crate) contradictions: Contradictions<E>,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, wire: Wire) -> Handle<()> {
        let Self { context, network, contradictions, reporter } = self;
        context.spawn(move |context| async move {
            let Wire { sender, mut receiver } = wire;
            let mut events = reporter.handle().subscribe();
            let mut desk = Desk {
                sender,
                network,
                followers: BTreeMap::new(),
                watching: BTreeMap::new(),
                gathered: Gathered::default(),
                contradictions,
                reporter,
            };
            loop {
                let due = desk.gathered.due.unwrap_or_else(|| TimeMs(now(&context).0 + IDLE_MS));
                let sleep = context.sleep_until(moment(due));
                select! {
                    message = receiver.recv() => {
                        let Some((peer, bytes)) = message else { return };
                        desk.asked(peer, &bytes, now(&context));
                    },
                    event = events.recv() => {
                        events = desk.happened(event, events, now(&context)).await;
                    },
                    _ = sleep => {},
                }
                desk.flush(now(&context));
            }
        })
    }
}

/// Signed things on their way to watchers.
#[derive(Default)]
struct Gathered {
    attestations: Vec<Attestation>,
    claims: Vec<SignedClaim>,
    due: Option<TimeMs>,
}

impl Gathered {
    fn is_due(&self, now: TimeMs) -> bool {
        self.due.is_some_and(|due| due <= now)
            || self.attestations.len() >= WATCH_BATCH_MAX
            || self.claims.len() >= WATCH_BATCH_MAX
    }
}

struct Desk<E: Runtime> {
    sender: WireSender,
    /// Who may watch.
    network: Arc<Network>,
    followers: BTreeMap<PublicKey, TimeMs>,
    watching: BTreeMap<PublicKey, TimeMs>,
    gathered: Gathered,
    contradictions: Contradictions<E>,
    reporter: Reporter,
}

impl<E: Runtime> Desk<E> {
    fn is_watcher(&self, key: &PublicKey) -> bool {
        let peers = self.network.peers();
        peers.iter().any(|(peer, watcher)| peer.role == PeerRole::Watcher && watcher == key)
    }

    fn asked(&mut self, peer: PublicKey, bytes: &[u8], now: TimeMs) {
        let until = TimeMs(now.0 + FOLLOW_LEASE_MS);
        match FeedRequest::decode(bytes) {
            Ok(FeedRequest::Watch) if self.is_watcher(&peer) => {
                self.followers.insert(peer.clone(), until);
                if self.watching.insert(peer.clone(), until).is_none_or(|before| before <= now) {
                    self.tell_kept(&peer);
                }
            }
            Ok(FeedRequest::Follow | FeedRequest::Watch) => {
                self.followers.insert(peer, until);
            }
            Err(error) => {
                self.reporter.metrics().malformed.inc();
                debug!(%peer, %error, "a feed request does not decode");
            }
        }
    }

    async fn happened(&mut self, event: Option<Event>, events: Events, now: TimeMs) -> Events {
        let Some(event) = event else {
            // Fell behind: followers fetch what they missed.
            return self.reporter.handle().subscribe();
        };
        match event {
            Event::Finalised { checkpoint, .. } => {
                self.tell_followers(&FeedEvent::Finalised((*checkpoint).clone()), now);
            }
            Event::Certified { certificate, .. } => {
                self.tell_followers(&FeedEvent::Certified((*certificate).clone()), now);
            }
            Event::Attested { attestation, .. } => self.gather(now, |gathered| {
                gathered.attestations.push(attestation);
            }),
            Event::Signed { claim, .. } => self.gather(now, |gathered| gathered.claims.push(claim)),
            Event::Contradicted { attestation, .. } => {
                self.gather(now, |gathered| gathered.attestations.push(attestation));
                if let Err(error) = self.contradictions.keep(attestation).await {
                    let what = format!("a contradicting attestation cannot be kept on disk: {error}");
                    self.reporter.alarm(what, now);
                }
            }
            Event::Claimed { .. } | Event::Judged { .. } | Event::Alarm { .. } => {}
        }
        events
    }

    fn gather(&mut self, now: TimeMs, put: impl FnOnce(&mut Gathered)) {
        if self.watching.is_empty() {
            return;
        }
        put(&mut self.gathered);
        self.gathered.due.get_or_insert(TimeMs(now.0 + GATHER_MS));
        if self.gathered.is_due(now) {
            self.flush(now);
        }
    }

    fn tell_followers(&mut self, event: &FeedEvent, now: TimeMs) {
        self.followers.retain(|_, until| *until > now);
        self.tell(self.followers.keys().cloned().collect(), event);
    }

    fn tell(&self, to: Vec<PublicKey>, event: &FeedEvent) {
        if !to.is_empty() {
            self.sender.send(Recipients::Some(to), event.encode().into(), false);
        }
    }

    /// Send watchers what was gathered, if it is time.
    fn flush(&mut self, now: TimeMs) {
        if !self.gathered.is_due(now) {
            return;
        }
        self.watching.retain(|_, until| *until > now);
        let Gathered { attestations, claims, due: _ } = std::mem::take(&mut self.gathered);
        let to: Vec<_> = self.watching.keys().cloned().collect();
        for batch in attestations.chunks(WATCH_BATCH_MAX) {
            self.tell(to.clone(), &FeedEvent::Attested(batch.to_vec()));
        }
        for batch in claims.chunks(WATCH_BATCH_MAX) {
            self.tell(to.clone(), &FeedEvent::Claimed(batch.to_vec()));
        }
    }

    /// Tell a watcher that has just come what contradicts.
    fn tell_kept(&self, watcher: &PublicKey) {
        for batch in self.contradictions.kept.chunks(WATCH_BATCH_MAX) {
            self.tell(vec![watcher.clone()], &FeedEvent::Attested(batch.to_vec()));
        }
    }
}

/// Attestations on headers that were not finalised, on disk: their signers lied, and this proves it.
pub(crate) struct Contradictions<E: Runtime> {
    records: Records<E>,
    kept: Vec<Attestation>,
    counts: BTreeMap<(Epoch, Seat), usize>,
}

impl<E: Runtime> Contradictions<E> {
    /// Those on disk.
    pub(crate) async fn open(context: E, partition: String) -> Result<Self, super::RecordsError> {
        let (records, read) = Records::open(context, partition).await?;
        let mut kept = Self { records, kept: Vec::new(), counts: BTreeMap::new() };
        for record in read {
            // A record that does not decode was being written when the power went.
            if let Ok(attestation) = Attestation::decode(&record) {
                kept.remember(attestation);
            }
        }
        Ok(kept)
    }

    /// `false` when it adds nothing.
    fn remember(&mut self, attestation: Attestation) -> bool {
        let count = self.counts.entry((attestation.epoch, attestation.seat)).or_default();
        if *count >= KEPT_PER_SEAT || self.kept.len() >= KEPT_MAX || self.kept.contains(&attestation) {
            return false;
        }
        *count += 1;
        self.kept.push(attestation);
        true
    }

    async fn keep(&mut self, attestation: Attestation) -> Result<(), super::RecordsError> {
        if !self.remember(attestation) {
            return Ok(());
        }
        self.records.append(attestation.height, attestation.encode()).await?;
        self.records.sync(attestation.height).await
    }
}
