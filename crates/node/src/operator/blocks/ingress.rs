//! How others reach the book.

use super::{
    data::Arrived,
    judged::{Judged, ValidBlock},
    state::Book,
};
use crate::wire::{BlockId, PublisherStatus, RefusalKind, Submission};
use commonware_utils::channel::{mpsc, oneshot};
use hum_bls::SignedJudgement;
use hum_consensus::PublicKey;
use hum_ledger::State;
use hum_types::{AuthenticClaim, AuthenticRetraction, B256, Body, ChainId, Checkpoint, TimeMs};
use std::{collections::BTreeSet, sync::Arc};

/// Messages that may wait for the actor.
const CAPACITY: usize = 256;

pub(crate) enum Message {
    Offer { arrived: Box<Arrived>, reply: Option<oneshot::Sender<Result<(), RefusalKind>>> },
    Retract { retraction: AuthenticRetraction, reply: oneshot::Sender<Result<(), RefusalKind>> },
    Ensure { claim: AuthenticClaim, parent: B256, from: PublicKey, reply: oneshot::Sender<Judged> },
    Collect { state: State, view: u64, time_ms: TimeMs, reply: oneshot::Sender<Body> },
    News { reply: oneshot::Sender<()> },
    Settle { state: State, checkpoint: Arc<Checkpoint>, reply: oneshot::Sender<bool> },
    Find { chain_id: ChainId, block: BlockId, reply: oneshot::Sender<Option<Submission>> },
    Status { chain_id: ChainId, reply: oneshot::Sender<Option<PublisherStatus>> },
    Penalise { view: u64, chains: BTreeSet<ChainId> },
    Judged { signed: Box<SignedJudgement>, block: Box<ValidBlock> },
    Judgements { from: PublicKey, judgements: Vec<SignedJudgement> },
}

/// Where to reach the book. Every method answers `None` once the actor is gone.
#[derive(Clone)]
pub(crate) struct Mailbox(mpsc::Sender<Message>);

/// A mailbox and what it fills.
pub(crate) fn channel() -> (Mailbox, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Mailbox(sender), receiver)
}

impl Mailbox {
    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(message(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Hand in a claim with its block.
    pub(crate) async fn offer(&self, arrived: Arrived) -> Option<Result<(), RefusalKind>> {
        self.ask(|reply| Message::Offer { arrived: Box::new(arrived), reply: Some(reply) }).await
    }

    /// Hand in what was fetched; whatever is wrong with it, the book asks again.
    pub(crate) async fn found(&self, arrived: Arrived) {
        let _ = self.0.send(Message::Offer { arrived: Box::new(arrived), reply: None }).await;
    }

    /// Hand in a retraction.
    pub(crate) async fn retract(&self, retraction: AuthenticRetraction) -> Option<Result<(), RefusalKind>> {
        self.ask(|reply| Message::Retract { retraction, reply }).await
    }

    /// Wait for the verdict on a proposal's block.
    pub(crate) async fn ensure(
        &self,
        claim: AuthenticClaim,
        parent: B256,
        from: PublicKey,
    ) -> Option<Judged> {
        self.ask(|reply| Message::Ensure { claim, parent, from, reply }).await
    }

    /// What a checkpoint on top of `state` can say: [`Book::collect`].
    pub(crate) async fn collect(&self, state: State, view: u64, time_ms: TimeMs) -> Option<Body> {
        self.ask(|reply| Message::Collect { state, view, time_ms, reply }).await
    }

    /// Resolves when a proposal could say more than it could before this was called.
    pub(crate) async fn subscribe(&self) -> Option<oneshot::Receiver<()>> {
        let (reply, news) = oneshot::channel();
        self.0.send(Message::News { reply }).await.ok()?;
        Some(news)
    }

    /// Follow the finalised chain: [`Book::settle`].
    pub(crate) async fn settle(&self, state: State, checkpoint: Arc<Checkpoint>) -> Option<bool> {
        self.ask(|reply| Message::Settle { state, checkpoint, reply }).await
    }

    /// A block that is held or was advanced lately.
    pub(crate) async fn find(&self, chain_id: ChainId, block: BlockId) -> Option<Submission> {
        self.ask(|reply| Message::Find { chain_id, block, reply }).await.flatten()
    }

    /// How far we are with a rollup.
    pub(crate) async fn status(&self, chain_id: ChainId) -> Option<PublisherStatus> {
        self.ask(|reply| Message::Status { chain_id, reply }).await.flatten()
    }

    /// Hand in what our own node says of a block, and that we signed it.
    pub(crate) async fn judged(&self, signed: SignedJudgement, block: ValidBlock) {
        let _ = self.0.send(Message::Judged { signed: Box::new(signed), block: Box::new(block) }).await;
    }

    /// Hand in what another judge sent.
    pub(crate) async fn judgements(&self, from: PublicKey, judgements: Vec<SignedJudgement>) {
        let _ = self.0.send(Message::Judgements { from, judgements }).await;
    }

    /// Leave rollups out for a growing number of views.
    pub(crate) async fn penalise(&self, view: u64, chains: BTreeSet<ChainId>) {
        let _ = self.0.send(Message::Penalise { view, chains }).await;
    }
}

impl Message {
    /// Let the book act on it.
    pub(crate) fn handle(self, book: &mut Book, now: TimeMs) {
        // Whoever asked may have gone.
        match self {
            Self::Offer { arrived, reply } => {
                let taken = book.offer(*arrived);
                if let Some(reply) = reply {
                    let _ = reply.send(taken);
                }
            }
            Self::Retract { retraction, reply } => {
                let _ = reply.send(book.retract(retraction));
            }
            Self::Ensure { claim, parent, from, reply } => book.ensure(claim, parent, from, now, reply),
            Self::Collect { state, view, time_ms, reply } => {
                let _ = reply.send(book.collect(&state, view, time_ms));
            }
            Self::News { reply } => book.on_news(reply),
            Self::Settle { state, checkpoint, reply } => {
                let _ = reply.send(book.settle(state, &checkpoint));
            }
            Self::Find { chain_id, block, reply } => {
                let _ = reply.send(book.find(chain_id, block));
            }
            Self::Status { chain_id, reply } => {
                let _ = reply.send(book.status(chain_id));
            }
            Self::Judged { signed, block } => book.own_judged(&signed, *block),
            Self::Judgements { from, judgements } => {
                for signed in &judgements {
                    book.judgement(signed, &from);
                }
            }
            Self::Penalise { view, chains } => book.penalise(view, &chains),
        }
    }
}
