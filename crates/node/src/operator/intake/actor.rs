//! One task between publishers and the book.

use super::Want;
use crate::{
    config::{Network, PeerRole},
    operator::{blocks, blocks::Arrived, handle::Reporter},
    runtime::Runtime,
    wire::{PublisherMessage, PublisherReply, RefusalKind, Submission},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_consensus::{PublicKey, Recipients, Wire, WireSender};
use hum_types::{ChainId, Decode as _, Encode as _, SignedRetraction};
use std::{collections::BTreeMap, sync::Arc};
use tracing::debug;

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
        context.spawn(move |_| async move {
            let Wire { sender, mut receiver } = wire;
            let mut door = Door { network, blocks, reporter, sender, publishers: BTreeMap::new() };
            loop {
                select! {
                    message = receiver.recv() => {
                        let Some((peer, bytes)) = message else { return };
                        door.receive(peer, &bytes).await;
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
    /// Who last sent something true for a rollup.
    publishers: BTreeMap<ChainId, PublicKey>,
}

impl Door {
    async fn receive(&mut self, peer: PublicKey, bytes: &[u8]) {
        let message = match PublisherMessage::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.reporter.metrics().malformed.inc();
                debug!(%peer, %error, "a publisher's message does not decode");
                return;
            }
        };
        let reply = match message {
            PublisherMessage::Submit(submission) => self.submit(&peer, submission).await,
            PublisherMessage::Retract(retraction) => self.retract(retraction).await,
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

    async fn submit(&mut self, peer: &PublicKey, submission: Submission) -> Option<PublisherReply> {
        let claim = submission.claim.claim;
        let (chain_id, generation, block) = (claim.chain_id, claim.generation, claim.block);
        let refused = |kind| Some(PublisherReply::Refused { chain_id, generation, block, kind });
        let Some(sequencer) = self.network.member(chain_id).map(|member| member.entry.sequencer) else {
            return refused(RefusalKind::UnknownRollup);
        };
        let arrived = match Arrived::check(submission, self.network.domain, sequencer) {
            Ok(arrived) => arrived,
            Err(kind) => return refused(kind),
        };
        self.publishers.insert(chain_id, peer.clone());
        match self.blocks.offer(arrived).await? {
            Ok(()) => Some(PublisherReply::Accepted { chain_id, generation, block }),
            Err(kind) => refused(kind),
        }
    }

    async fn retract(&self, signed: SignedRetraction) -> Option<PublisherReply> {
        let said = signed.retraction;
        let (chain_id, generation) = (said.chain_id, said.generation);
        let refused = |kind| Some(PublisherReply::Refused { chain_id, generation, block: said.kept, kind });
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
                    .peers
                    .iter()
                    .filter(|(peer, _)| peer.role == PeerRole::Publisher)
                    .map(|(_, key)| key.clone())
                    .collect(),
            ),
        };
        self.sender.send(recipients, PublisherReply::Wanted { chain_id, block }.encode().into(), false);
    }
}
