//! One task for gossip and certificates.

use super::{
    ingress::Message,
    state::{Outcome, Window},
};
use crate::{
    config::Network,
    operator::{
        application::Stalls,
        handle::{CERTIFICATES_MAX, Event, Reporter},
        records::Records,
    },
    runtime::{Runtime, moment, now},
    wire::Gossip,
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_bls::{Attestation, Certificate, Seat};
use hum_consensus::{PublicKey, Recipients, Wire, WireSender};
use hum_types::{Decode as _, Encode as _, Height, TimeMs};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tracing::{debug, error};

/// How often certificates are put on disk. A lost one is made again, or had from a peer.
const SYNC: Duration = Duration::from_secs(1);
/// Certificates written between two looks at what can be forgotten on disk.
const PRUNE_EVERY: u64 = 4096;

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) network: Arc<Network>,
    pub(crate) me: PublicKey,
    pub(crate) mailbox: mpsc::Receiver<Message>,
    pub(crate) records: Records<E>,
    pub(crate) stalls: Arc<Stalls>,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, wire: Wire) -> Handle<()> {
        let Self { context, network, me, mailbox, records, stalls, reporter } = self;
        context.spawn(move |context| async move {
            let Wire { sender, mut receiver } = wire;
            let seats: BTreeMap<PublicKey, Seat> =
                network.operators.iter().map(|operator| (operator.key.clone(), operator.seat)).collect();
            let others = seats.keys().filter(|key| **key != me).cloned().collect();
            let window = Window::new(network.committee.clone(), network.domain);
            let table = Table {
                context,
                window,
                seats,
                others,
                sender,
                records: Some(records),
                unsynced: None,
                written: 0,
                stalls,
                reporter,
            };
            table.run(mailbox, &mut receiver).await;
        })
    }
}

struct Table<E: Runtime> {
    context: E,
    window: Window,
    seats: BTreeMap<PublicKey, Seat>,
    others: Vec<PublicKey>,
    sender: WireSender,
    /// `None` once the disk has failed: certificates are then kept in memory only.
    records: Option<Records<E>>,
    unsynced: Option<(Height, TimeMs)>,
    written: u64,
    stalls: Arc<Stalls>,
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
                    let Some(Message { header, own }) = message else { return };
                    // Others wait for it; our own bookkeeping can wait.
                    if let Some(own) = own {
                        self.gossip(Recipients::Some(self.others.clone()), &Gossip::Attestations(vec![own]));
                        self.came(own);
                    }
                    for outcome in self.window.finalised(&header, own, now(&self.context)) {
                        self.act(None, outcome).await;
                    }
                },
                message = receiver.recv() => {
                    let Some((peer, bytes)) = message else { return };
                    self.receive(peer, &bytes).await;
                },
                _ = sleep => self.tick().await,
            }
        }
    }

    fn gossip(&self, to: Recipients, gossip: &Gossip) {
        self.sender.send(to, gossip.encode().into(), true);
    }

    async fn receive(&mut self, peer: PublicKey, bytes: &[u8]) {
        let Some(seat) = self.seats.get(&peer).copied() else { return };
        match Gossip::decode(bytes) {
            Ok(Gossip::Attestations(attestations)) => {
                for attestation in attestations {
                    // Everyone speaks for itself, so nobody can fill another's place with rubbish.
                    if attestation.seat == seat {
                        self.came(attestation);
                        let outcome = self.window.add(&attestation, now(&self.context));
                        self.act(Some(&peer), outcome).await;
                    }
                }
            }
            Ok(Gossip::Certificate(certificate)) => {
                if let Some(certificate) = self.window.adopt(*certificate) {
                    self.publish(certificate).await;
                }
            }
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

    async fn tick(&mut self) {
        let now = now(&self.context);
        for outcome in self.window.grow(now) {
            self.act(None, outcome).await;
        }
        let repeats = self.window.repeats(now);
        if !repeats.is_empty() {
            self.gossip(Recipients::Some(self.others.clone()), &Gossip::Attestations(repeats));
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
