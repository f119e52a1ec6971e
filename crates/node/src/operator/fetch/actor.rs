//! One task for all questions; long answers are put together beside it.

use super::{
    handover::Handover,
    ingress::Message,
    state::{Ask, Searches},
};
use crate::{
    config::Network,
    operator::{
        aggregator, allowance::Allowances, blocks, blocks::Arrived, handle::Reporter, restaking::Roll,
    },
    runtime::{Runtime, moment, now},
    wire::{Answer, BlockId, CHECKPOINTS_BYTES_MAX, CHECKPOINTS_MAX, FetchMessage, Question, Submission},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_consensus::{Archive, PublicKey, Recipients, Wire, WireSender};
use hum_types::{ChainId, Checkpoint, Decode as _, Encode as _, Height};
use std::{sync::Arc, time::Duration};
use tracing::debug;

/// Questions and bytes that a peer gets in a second.
const QUESTIONS_PER_SECOND: u64 = 64;
const BYTES_PER_SECOND: u64 = 16 << 20;
/// Answers that are read from disk at the same time.
const READS_MAX: usize = 4;
const IDLE: Duration = Duration::from_secs(1);

pub(crate) struct Actor<E> {
    pub(crate) context: E,
    pub(crate) network: Arc<Network>,
    pub(crate) me: PublicKey,
    pub(crate) mailbox: mpsc::Receiver<Message>,
    pub(crate) roll: Roll,
    pub(crate) blocks: blocks::Mailbox,
    pub(crate) aggregator: aggregator::Mailbox,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, wire: Wire, archive: Archive) -> Handle<()> {
        let Self { context, network, me, mut mailbox, roll, blocks, aggregator, reporter } = self;
        context.spawn(move |context| async move {
            let Wire { sender, mut receiver } = wire;
            let (read, mut done) = mpsc::channel::<Read>(READS_MAX);
            let mut desk = Desk {
                context,
                network,
                me,
                roll,
                blocks,
                aggregator,
                reporter,
                sender,
                archive,
                read,
                reading: 0,
                searches: Searches::new(),
                handover: Handover::default(),
                allowances: Allowances::new(BYTES_PER_SECOND, QUESTIONS_PER_SECOND),
            };
            loop {
                let due = [desk.searches.next_due(), desk.handover.next_due()].into_iter().flatten().min();
                let until = due.map_or_else(|| desk.context.current() + IDLE, moment);
                let sleep = desk.context.sleep_until(until);
                select! {
                    message = receiver.recv() => {
                        let Some((peer, bytes)) = message else { return };
                        desk.receive(peer, &bytes).await;
                    },
                    want = mailbox.recv() => {
                        let Some(want) = want else { return };
                        desk.want(want);
                    },
                    read = done.recv() => {
                        let Some(Read { peer, id, answer }) = read else { return };
                        desk.reading -= 1;
                        desk.tell(peer, id, answer);
                    },
                    _ = sleep => {
                        let asks = desk.searches.tick(now(&desk.context));
                        desk.send(asks);
                        desk.ask_for_handover();
                    },
                }
            }
        })
    }
}

/// An answer that was read from disk.
struct Read {
    peer: PublicKey,
    id: u64,
    answer: Answer,
}

struct Desk<E> {
    context: E,
    network: Arc<Network>,
    me: PublicKey,
    roll: Roll,
    blocks: blocks::Mailbox,
    aggregator: aggregator::Mailbox,
    reporter: Reporter,
    sender: WireSender,
    archive: Archive,
    read: mpsc::Sender<Read>,
    reading: usize,
    searches: Searches,
    handover: Handover,
    allowances: Allowances,
}

impl<E: Runtime> Desk<E> {
    fn others(&self) -> Vec<PublicKey> {
        self.roll.keys().into_iter().filter(|key| *key != self.me).collect()
    }

    fn want(&mut self, message: Message) {
        let now = now(&self.context);
        match message {
            Message::Block(want) => {
                let ask = self.searches.want(want, self.others(), now);
                self.send(ask);
            }
            Message::Certificate(height) => self.handover.want(height, now),
        }
    }

    fn ask_for_handover(&mut self) {
        let (others, now, handle) = (self.others(), now(&self.context), self.reporter.handle());
        let asked = self.handover.tick(&others, |height| handle.is_certified(height), now);
        if let Some((peer, id, at_or_above)) = asked {
            let question = Question::Certificate { at_or_above };
            self.sender.send(Recipients::One(peer), FetchMessage::Ask { id, question }.encode().into(), true);
        }
    }

    fn send(&self, asks: impl IntoIterator<Item = Ask>) {
        for Ask { id, peer, chain_id, block } in asks {
            let question = Question::Block { chain_id, block: BlockId::Hash(block.hash) };
            self.sender.send(Recipients::One(peer), FetchMessage::Ask { id, question }.encode().into(), true);
        }
    }

    async fn receive(&mut self, peer: PublicKey, bytes: &[u8]) {
        match FetchMessage::decode(bytes) {
            Ok(FetchMessage::Ask { id, question }) => self.asked(peer, id, question).await,
            Ok(FetchMessage::Tell { id, answer }) => self.told(peer, id, answer).await,
            Err(error) => {
                self.reporter.metrics().malformed.inc();
                debug!(%peer, %error, "a fetch message does not decode");
            }
        }
    }

    async fn told(&mut self, peer: PublicKey, id: u64, answer: Answer) {
        if let Some(height) = self.handover.answered(id, &peer) {
            if let Answer::Certificate(Some(certificate)) = answer
                && certificate.height == height
            {
                self.aggregator.fetched(*certificate).await;
            }
            return;
        }
        let Some((chain_id, block)) = self.searches.answered(id, &peer) else { return };
        let arrived = match answer {
            Answer::Block(Some(submission)) => self.check(chain_id, submission),
            _ => None,
        };
        match arrived.filter(|arrived| arrived.claim.get().block == block) {
            Some(arrived) => {
                self.searches.found(chain_id, block.hash);
                self.blocks.found(arrived).await;
            }
            None => {
                let ask = self.searches.failed(chain_id, block.hash, now(&self.context));
                self.send(ask);
            }
        }
    }

    fn check(&self, chain_id: ChainId, submission: Submission) -> Option<Arrived> {
        let member = self.network.member(chain_id).filter(|_| submission.claim.claim.chain_id == chain_id)?;
        Arrived::check(submission, self.network.domain, member.entry.sequencer, member.entry.class).ok()
    }

    async fn asked(&mut self, peer: PublicKey, id: u64, question: Question) {
        if !self.allowances.take(&peer, now(&self.context)) {
            self.reporter.metrics().busy.inc();
            self.tell(peer, id, Answer::Busy);
            return;
        }
        let answer = match question {
            Question::Checkpoints { from, count } => {
                let count = usize::from(count).clamp(1, CHECKPOINTS_MAX);
                match self.recent(from, count) {
                    Some(checkpoints) => Answer::Checkpoints(checkpoints),
                    None => return self.read(peer, id, from, count),
                }
            }
            Question::Certificate { at_or_above } => {
                let certificate = self.reporter.handle().certificate(at_or_above);
                Answer::Certificate(certificate.map(|certificate| Box::new((*certificate).clone())))
            }
            Question::Block { chain_id, block } => Answer::Block(self.blocks.find(chain_id, block).await),
            Question::Status => Answer::Status(self.reporter.handle().node_status()),
        };
        self.tell(peer, id, answer);
    }

    fn tell(&mut self, peer: PublicKey, id: u64, answer: Answer) {
        let bytes = FetchMessage::Tell { id, answer }.encode();
        self.allowances.charge(&peer, bytes.len() as u64);
        self.sender.send(Recipients::One(peer), bytes.into(), false);
    }

    /// Checkpoints from memory; `None` when the first of them is only on disk.
    fn recent(&self, from: Height, count: usize) -> Option<Vec<Checkpoint>> {
        let handle = self.reporter.handle();
        if from > handle.header().height {
            return Some(Vec::new());
        }
        let found = handle.checkpoints(from, count);
        (!found.is_empty()).then(|| bounded(found.iter().map(|checkpoint| (**checkpoint).clone())))
    }

    fn read(&mut self, peer: PublicKey, id: u64, from: Height, count: usize) {
        if self.reading == READS_MAX {
            self.reporter.metrics().busy.inc();
            self.tell(peer, id, Answer::Busy);
            return;
        }
        self.reading += 1;
        let (archive, read) = (self.archive.clone(), self.read.clone());
        self.context.child("read").spawn(move |_| async move {
            let (mut found, mut bytes) = (Vec::new(), 0);
            for height in (from.0.max(1)..).take(count) {
                let Some(ordered) = archive.block(height).await else { break };
                let Ok(checkpoint) = Checkpoint::decode(&ordered.payload) else { break };
                bytes += ordered.payload.len();
                found.push(checkpoint);
                if bytes > CHECKPOINTS_BYTES_MAX {
                    break;
                }
            }
            let _ = read.send(Read { peer, id, answer: Answer::Checkpoints(found) }).await;
        });
    }
}

/// As many as an answer takes.
fn bounded(checkpoints: impl Iterator<Item = Checkpoint>) -> Vec<Checkpoint> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for checkpoint in checkpoints {
        bytes += checkpoint.encode().len();
        taken.push(checkpoint);
        if bytes > CHECKPOINTS_BYTES_MAX {
            break;
        }
    }
    taken
}
