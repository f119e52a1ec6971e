//! One task between publishers and the book.

use super::Want;
use crate::{
    config::{Network, PeerEntry, PeerRole},
    operator::{
        allowance::Allowances,
        blocks,
        blocks::Arrived,
        handle::{Event, Reporter},
    },
    runtime::{Runtime, now},
    wire::{PublisherMessage, PublisherReply, RefusalKind, Submission},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_consensus::{PublicKey, Recipients, Wire, WireSender};
use hum_types::{ChainId, Decode as _, Encode as _, SignedRetraction, TimeMs};
use std::{collections::BTreeMap, sync::Arc};
use tracing::debug;

/// Bytes and messages that a publisher gets in a second: a full block several times over, and questions.
const BYTES_PER_SECOND: u64 = 32 << 20;
const MESSAGES_PER_SECOND: u64 = 256;

pub(crate) struct Actor<E> {
    pub(crate) context: E,
    pub(crate) network: Arc<Network>,
    pub(crate) mailbox: mpsc::Receiver<Want>,
    pub(crate) blocks: blocks::Mailbox,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, wire: Wire) -> Handle<()> {
        let Self { context, network, mut mailbox, blocks, reporter } = self;
        context.spawn(move |context| async move {
            let Wire { sender, mut receiver } = wire;
            let allowances = Allowances::new(BYTES_PER_SECOND, MESSAGES_PER_SECOND);
            let mut door =
                Door { network, blocks, reporter, sender, allowances, publishers: BTreeMap::new() };
            loop {
                select! {
                    message = receiver.recv() => {
                        let Some((peer, bytes)) = message else { return };
                        door.receive(peer, &bytes, now(&context)).await;
                    },
                    want = mailbox.recv() => {
                        let Some(want) = want else { return };
                        door.ask(want);
                    },
                }
            }
        })
    }
}

struct Door {
    network: Arc<Network>,
    blocks: blocks::Mailbox,
    reporter: Reporter,
    sender: WireSender,
    allowances: Allowances,
    /// Who last sent something true for a rollup.
    publishers: BTreeMap<ChainId, PublicKey>,
}

impl Door {
    async fn receive(&mut self, peer: PublicKey, bytes: &[u8], now: TimeMs) {
        if !self.network.peers().iter().any(|(entry, key)| entry.role == PeerRole::Publisher && *key == peer)
        {
            self.reporter.metrics().strangers.inc();
            debug!(%peer, "no publisher, and sends what publishers send");
            return;
        }
        let busy = !self.allowances.take(&peer, now);
        if !busy {
            self.allowances.charge(&peer, bytes.len() as u64);
        }
        let message = match PublisherMessage::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.reporter.metrics().malformed.inc();
                debug!(%peer, %error, "a publisher's message does not decode");
                return;
            }
        };
        let reply = match message {
            PublisherMessage::Submit(submission) => self.submit(&peer, submission, busy, now).await,
            PublisherMessage::Retract(retraction) => self.retract(&peer, retraction, busy).await,
            PublisherMessage::Ask { .. } if busy => None,
            PublisherMessage::Ask { chain_id } => {
                self.blocks.status(chain_id).await.map(PublisherReply::Status)
            }
        };
        if let Some(reply) = reply {
            if let PublisherReply::Refused { chain_id, block, kind, .. } = reply {
                self.reporter.metrics().refused.inc();
                debug!(%peer, %chain_id, number = block.number, ?kind, "refused");
            }
            self.sender.send(Recipients::One(peer), reply.encode().into(), false);
        }
    }

    /// Why this peer's word on the rollup is not even looked at.
    fn turned_away(&self, peer: &PublicKey, chain_id: ChainId, busy: bool) -> Option<RefusalKind> {
        let publishes = |(entry, key): &(PeerEntry, PublicKey)| *key == *peer && entry.publishes(chain_id);
        if self.network.member(chain_id).is_none() {
            Some(RefusalKind::UnknownRollup)
        } else if !self.network.peers().iter().any(publishes) {
            Some(RefusalKind::Stranger)
        } else if busy {
            Some(RefusalKind::Busy)
        } else {
            None
        }
    }

    async fn submit(
        &mut self,
        peer: &PublicKey,
        submission: Submission,
        busy: bool,
        now: TimeMs,
    ) -> Option<PublisherReply> {
        let claim = submission.claim.claim;
        let (chain_id, generation, block) = (claim.chain_id, claim.generation, claim.block);
        let refused = |kind| Some(PublisherReply::Refused { chain_id, generation, block, kind });
        if let Some(kind) = self.turned_away(peer, chain_id, busy) {
            return refused(kind);
        }
        let entry = self.network.member(chain_id).map(|member| (member.entry.sequencer, member.entry.class));
        let Some((sequencer, class)) = entry else {
            return refused(RefusalKind::UnknownRollup);
        };
        let arrived = match Arrived::check(submission, self.network.domain, sequencer, class) {
            Ok(arrived) => arrived,
            Err(kind) => return refused(kind),
        };
        self.publishers.insert(chain_id, peer.clone());
        self.reporter.publish(Event::Signed { claim: *arrived.claim.signed(), at: now });
        match self.blocks.offer(arrived).await? {
            Ok(()) => Some(PublisherReply::Accepted { chain_id, generation, block }),
            Err(kind) => refused(kind),
        }
    }

    async fn retract(
        &self,
        peer: &PublicKey,
        signed: SignedRetraction,
        busy: bool,
    ) -> Option<PublisherReply> {
        let said = signed.retraction;
        let (chain_id, generation) = (said.chain_id, said.generation);
        let refused = |kind| Some(PublisherReply::Refused { chain_id, generation, block: said.kept, kind });
        if let Some(kind) = self.turned_away(peer, chain_id, busy) {
            return refused(kind);
        }
        let Some(member) = self.network.member(chain_id) else {
            return refused(RefusalKind::UnknownRollup);
        };
        let Ok(retraction) = signed.authenticate(self.network.domain, member.entry.sequencer) else {
            return refused(RefusalKind::Signature);
        };
        match self.blocks.retract(retraction).await? {
            Ok(()) => Some(PublisherReply::Retracting { chain_id, generation }),
            Err(kind) => refused(kind),
        }
    }

    /// Ask the rollup's publisher, or all of them while it is not known.
    fn ask(&self, Want { chain_id, block }: Want) {
        let recipients = match self.publishers.get(&chain_id) {
            Some(publisher) => Recipients::One(publisher.clone()),
            None => Recipients::Some(
                self.network
                    .peers()
                    .into_iter()
                    .filter(|(peer, _)| peer.publishes(chain_id))
                    .map(|(_, key)| key)
                    .collect(),
            ),
        };
        self.sender.send(recipients, PublisherReply::Wanted { chain_id, block }.encode().into(), false);
    }
}
