//! One task for gossip and certificates.

use super::{
    ingress::Message,
    state::{Outcome, Seats, Window},
};
use crate::{
    config::Network,
    operator::{
        application::Stalls,
        blocks,
        handle::{CERTIFICATES_MAX, Event, Reporter, closes_epoch},
        records::Records,
        restaking::Roll,
    },
    runtime::{Runtime, moment, now},
    wire::Gossip,
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_bls::{Attestation, Certificate};
use hum_consensus::{PublicKey, Recipients, Wire, WireSender};
use hum_types::{Decode as _, Encode as _, Epoch, Height, TimeMs};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tracing::{debug, error};

/// How often certificates are put on disk. A lost one is made again, or had from a peer.
const SYNC: Duration = Duration::from_secs(1);
/// Certificates written between two looks at what can be forgotten on disk.
const PRUNE_EVERY: u64 = 4096;
/// Epochs whose attestations are taken.
const EPOCHS_MAX: usize = 2;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) network: Arc<Network>,
    pub(crate) me: PublicKey,
    pub(crate) mailbox: mpsc::Receiver<Message>,
    pub(crate) roll: Roll,
    pub(crate) records: Records<E>,
    /// Certificates of headers that close an epoch; none is ever forgotten.
    pub(crate) handovers: Records<E>,
    pub(crate) stalls: Arc<Stalls>,
    pub(crate) blocks: blocks::Mailbox,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, wire: Wire) -> Handle<()> {
        let Self { context, network, me, mailbox, roll, records, handovers, stalls, blocks, reporter } = self;
        context.spawn(move |context| async move {
            let Wire { sender, mut receiver } = wire;
            let table = Table {
                context,
                window: Window::new(network.domain),
                epochs: BTreeMap::new(),
                roll,
                me,
                sender,
                records: Some(records),
                handovers: Some(handovers),
                unsynced: None,
                written: 0,
                stalls,
                blocks,
                reporter,
            };
            table.run(mailbox, &mut receiver).await;
        })
    }
}

struct Table<E: Runtime> {
    context: E,
    window: Window,
    /// The newest, and the one before.
    epochs: BTreeMap<Epoch, Arc<Seats>>,
    roll: Roll,
    me: PublicKey,
    sender: WireSender,
    /// `None` once the disk has failed: certificates are then kept in memory only.
    records: Option<Records<E>>,
    handovers: Option<Records<E>>,
    unsynced: Option<(Height, TimeMs)>,
    written: u64,
    stalls: Arc<Stalls>,
    blocks: blocks::Mailbox,
    reporter: Reporter,
}

impl<E: Runtime> Table<E> {
    async fn run(mut self, mut mailbox: mpsc::Receiver<Message>, receiver: &mut hum_consensus::WireReceiver) {
        loop {
            let sync = self.unsynced.map(|(_, since)| TimeMs(since.0 + SYNC.as_millis() as u64));
            let due = [self.window.next_due(), sync].into_iter().flatten().min();
            let sleep = self.context.sleep_until(due.map_or_else(|| self.context.current() + SYNC, moment));
            select! {
                message = mailbox.recv() => {
                    let Some(message) = message else { return };
                    self.told(message).await;
                },
                message = receiver.recv() => {
                    let Some((peer, bytes)) = message else { return };
                    self.receive(peer, &bytes).await;
                },
                _ = sleep => self.tick().await,
            }
        }
    }

    async fn told(&mut self, message: Message) {
        let (header, own) = match message {
            Message::Finalised { header, own } => (header, own),
            Message::Fetched(certificate) => {
                if let Some(certificate) = self.window.adopt(*certificate) {
                    self.publish(certificate).await;
                }
                return;
            }
        };
        // Others wait for it; our own bookkeeping can wait.
        if let Some(own) = own {
            self.gossip(self.others(), &Gossip::Attestations(vec![own]));
            self.came(own);
        }
        let Some(epoch) = self.epoch(header.epoch) else { return };
        for outcome in self.window.finalised(&header, &epoch, own, now(&self.context)) {
            self.act(None, outcome).await;
        }
    }

    /// An epoch of a finalised header.
    fn epoch(&mut self, epoch: Epoch) -> Option<Arc<Seats>> {
        if let Some(known) = self.epochs.get(&epoch) {
            return Some(known.clone());
        }
        let found = self.reporter.handle().archive(|archive| archive.epoch(epoch).cloned())?;
        let seats = Arc::new(Seats::new(&found.seated));
        self.epochs.insert(epoch, seats.clone());
        while self.epochs.len() > EPOCHS_MAX {
            self.epochs.pop_first();
        }
        Some(seats)
    }

    fn others(&self) -> Recipients {
        Recipients::Some(self.roll.keys().into_iter().filter(|key| *key != self.me).collect())
    }

    fn gossip(&self, to: Recipients, gossip: &Gossip) {
        self.sender.send(to, gossip.encode().into(), true);
    }

    async fn receive(&mut self, peer: PublicKey, bytes: &[u8]) {
        let seated = self.epochs.values().any(|epoch| epoch.seats.contains_key(&peer));
        if !seated && !self.roll.contains(&peer) {
            return;
        }
        match Gossip::decode(bytes) {
            Ok(Gossip::Attestations(attestations)) => {
                for attestation in attestations {
                    let seats = self.epochs.get(&attestation.epoch).map(|epoch| &epoch.seats);
                    if seats.is_none_or(|seats| seats.get(&peer) == Some(&attestation.seat)) {
                        self.came(attestation);
                        let outcome = self.window.add(&peer, &attestation, now(&self.context));
                        self.act(Some(&peer), outcome).await;
                    }
                }
            }
            Ok(Gossip::Certificate(certificate)) => {
                if let Some(certificate) = self.window.adopt(*certificate) {
                    self.publish(certificate).await;
                }
            }
            Ok(Gossip::Judgements(judgements)) => self.blocks.judgements(peer, judgements).await,
            Ok(Gossip::Stalled { view, chains }) => self.stalls.report(view, peer, chains),
            Err(error) => {
                self.reporter.metrics().malformed.inc();
                debug!(%peer, %error, "gossip does not decode");
            }
        }
    }

    async fn act(&mut self, peer: Option<&PublicKey>, outcome: Outcome) {
        let Outcome { certificate, lacks, bad, lie } = outcome;
        if bad > 0 {
            self.reporter.metrics().bad_attestations.inc_by(bad as u64);
        }
        if let (Some(peer), Some(certificate)) = (peer, lacks) {
            self.gossip(Recipients::One(peer.clone()), &Gossip::Certificate(Box::new(certificate)));
        }
        if let Some(lie) = lie {
            let what = format!("seat {} attested another header at height {}: {lie}", lie.seat, lie.height);
            let at = now(&self.context);
            self.reporter.alarm(what, at);
            self.reporter.publish(Event::Contradicted { attestation: lie, at });
        }
        if let Some(certificate) = certificate {
            self.publish(certificate).await;
        }
    }

    /// Watchers see every attestation, whether anyone here needs it or not.
    fn came(&self, attestation: Attestation) {
        self.reporter.publish(Event::Attested { attestation, at: now(&self.context) });
    }

    async fn publish(&mut self, certificate: Certificate) {
        let (at, height) = (now(&self.context), certificate.height);
        let record = certificate.encode();
        if self.reporter.handle().archive(|archive| closes_epoch(archive, height)) {
            self.keep_handover(height, record.clone()).await;
        }
        self.reporter.publish(Event::Certified { certificate: Arc::new(certificate), at });
        if let Some(mut records) = self.records.take() {
            match records.append(height, record).await {
                Ok(()) => self.records = Some(records),
                Err(error) => self.disk_failed(&error),
            }
        }
        self.written += 1;
        self.unsynced =
            Some(self.unsynced.map_or((height, at), |(highest, since)| (highest.max(height), since)));
    }

    /// On disk at once: a node that comes back to this boundary starts its next term from it.
    async fn keep_handover(&mut self, height: Height, record: Vec<u8>) {
        let Some(mut handovers) = self.handovers.take() else { return };
        let mut done = handovers.append(height, record).await;
        if done.is_ok() {
            done = handovers.sync(height).await;
        }
        match done {
            Ok(()) => self.handovers = Some(handovers),
            Err(error) => self.disk_failed(&error),
        }
    }

    async fn tick(&mut self) {
        let now = now(&self.context);
        for outcome in self.window.grow(now) {
            self.act(None, outcome).await;
        }
        let repeats = self.window.repeats(now);
        if !repeats.is_empty() {
            self.gossip(self.others(), &Gossip::Attestations(repeats));
        }
        if let Some((height, since)) = self.unsynced
            && since.0 + SYNC.as_millis() as u64 <= now.0
        {
            self.unsynced = None;
            self.sync(height).await;
        }
    }

    async fn sync(&mut self, height: Height) {
        let Some(mut records) = self.records.take() else { return };
        let mut done = records.sync(height).await;
        if done.is_ok() && self.written >= PRUNE_EVERY {
            self.written = 0;
            done = records.prune(Height(height.0.saturating_sub(CERTIFICATES_MAX as u64))).await;
        }
        match done {
            Ok(()) => self.records = Some(records),
            Err(error) => self.disk_failed(&error),
        }
    }

    fn disk_failed(&self, error: &super::super::records::RecordsError) {
        error!(%error, "certificates cannot be kept on disk");
        self.reporter.alarm(format!("certificates cannot be kept on disk: {error}"), now(&self.context));
    }
}
