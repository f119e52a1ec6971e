//! One task that applies checkpoints in order.

use super::{ingress::Message, signer::Signer};
use crate::{
    config::Network,
    operator::{
        aggregator,
        application::States,
        blocks, fetch,
        handle::{Event, Reporter},
        membership::Membership,
        metrics::Metrics,
        restaking::{Restaking, Roll},
        settlement::Settling,
    },
    runtime::{Runtime, now},
};
use commonware_macros::select;
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use futures::{FutureExt as _, future::BoxFuture};
use hum_bls::Attestation;
use hum_consensus::{Archive, Ordered};
use hum_ledger::State;
use hum_types::{Change, Checkpoint, Decode as _, Header, Height};
use std::{sync::Arc, time::Duration};
use tracing::{error, info};

/// Heights below the newest known finalised one that are still worth an attestation: later ones cover the rest.
const WORTH_ATTESTING: u64 = 32;
/// How often to look for a block that must come.
const POLL: Duration = Duration::from_millis(50);

pub(crate) struct Actor<E: Runtime> {
    pub(crate) context: E,
    pub(crate) mailbox: mpsc::Receiver<Message>,
    pub(crate) signer: Signer<E>,
    pub(crate) states: Arc<States>,
    pub(crate) blocks: blocks::Mailbox,
    pub(crate) aggregator: aggregator::Mailbox,
    pub(crate) restaking: Arc<Restaking<E>>,
    pub(crate) settling: Arc<Settling<E>>,
    pub(crate) membership: Arc<Membership<E>>,
    pub(crate) roll: Roll,
    pub(crate) fetch: fetch::Mailbox,
    pub(crate) network: Arc<Network>,
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, archive: Archive) -> Handle<()> {
        let Self {
            context,
            mailbox,
            signer,
            states,
            blocks,
            aggregator,
            restaking,
            settling,
            membership,
            roll,
            fetch,
            network,
            reporter,
        } = self;
        context.spawn(move |context| {
            Running {
                context,
                signer: Some(signer),
                states,
                blocks,
                aggregator,
                restaking,
                settling,
                membership,
                roll,
                fetch,
                network,
                reporter,
                archive,
                applied: 0,
                owed: None,
            }
            .run(mailbox)
        })
    }
}

/// Why the chain cannot be followed.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error("finalised payload at height {0} is no checkpoint: {1}")]
    Payload(u64, hum_types::DecodeError),
    #[error("finalised checkpoint at height {0} is refused: {1}")]
    Refused(u64, hum_ledger::ArchiveError),
    #[error("the operator is stopping")]
    Stopping,
}

struct Running<E: Runtime> {
    context: E,
    /// `None` once the disk has failed: what cannot be written down must not be signed.
    signer: Option<Signer<E>>,
    states: Arc<States>,
    blocks: blocks::Mailbox,
    aggregator: aggregator::Mailbox,
    restaking: Arc<Restaking<E>>,
    settling: Arc<Settling<E>>,
    membership: Arc<Membership<E>>,
    roll: Roll,
    fetch: fetch::Mailbox,
    network: Arc<Network>,
    reporter: Reporter,
    archive: Archive,
    applied: u64,
    /// A handover that we have not attested because our L1 node has not told what we need. Nothing follows before it is
    /// certified, so nothing later can stand in for it.
    owed: Option<BoxFuture<'static, Header>>,
}

impl<E: Runtime> Running<E> {
    async fn run(mut self, mailbox: mpsc::Receiver<Message>) {
        if let Err(halt) = self.follow(mailbox).await {
            error!(%halt, "this operator stops following the chain");
            let at = now(&self.context);
            self.reporter.alarm(halt.to_string(), at);
            self.reporter.handle().board().waits_for("a human: the chain cannot be followed", at);
            // Dropping the mailbox would be no different; staying keeps the API up to say why.
            std::future::pending::<()>().await;
        }
    }

    async fn follow(&mut self, mut mailbox: mpsc::Receiver<Message>) -> Result<(), Halt> {
        // What was acknowledged before a restart does not come again.
        while let Some(block) = self.archive.block(self.applied + 1).await {
            self.apply(block, false).await?;
        }
        self.reporter.handle().archive(|archive| self.settling.begin(archive.newest()));
        if self.applied > 0 {
            info!(height = self.applied, "replayed the finalised chain from disk");
        }
        loop {
            let message = select! {
                message = mailbox.recv() => message,
                header = due(&mut self.owed) => {
                    self.owed = None;
                    if let Some(own) = self.attest(&header).await {
                        self.aggregator.finalised(header, Some(own)).await;
                    }
                    continue;
                },
            };
            let Some(Message { block, done }) = message else { return Err(Halt::Stopping) };
            while self.applied + 1 < block.height {
                match self.archive.block(self.applied + 1).await {
                    Some(below) => self.apply(below, false).await?,
                    None => self.context.sleep(POLL).await,
                }
            }
            if block.height > self.applied {
                self.apply(block, true).await?;
            }
            let _ = done.send(());
        }
    }

    async fn apply(&mut self, block: Ordered, live: bool) -> Result<(), Halt> {
        let height = block.height;
        let checkpoint = Checkpoint::decode(&block.payload).map_err(|error| Halt::Payload(height, error))?;
        let checkpoint = Arc::new(checkpoint);
        let (before, messages, state) = self
            .reporter
            .handle()
            .archive_mut(|archive| {
                let before = archive.newest().clone();
                archive.apply(&checkpoint).map(|messages| (before, messages, archive.newest().clone()))
            })
            .map_err(|error| Halt::Refused(height, error))?;
        self.applied = height;
        self.states.finalised(block.digest, state.clone());
        self.seated(&state);
        self.take_in(&checkpoint);
        self.membership.finalised(height, &checkpoint.body);
        self.settling.finalised(height, &state, &checkpoint.body);
        let judged = self.blocks.settle(state, checkpoint.clone()).await.ok_or(Halt::Stopping)?;
        self.owed = None;
        let own = if checkpoint.body.next_committee().is_some() {
            self.hand_over(before, &checkpoint).await
        } else {
            let late = self.archive.tip().saturating_sub(height) > WORTH_ATTESTING;
            // What we could not find out about L1 is covered by the next height.
            let agrees = || self.restaking.agrees(&before, &checkpoint.header, None).now_or_never();
            let settled = || self.settling.agrees(&before, &checkpoint.body).now_or_never();
            let moved = || self.membership.agrees(&before, &checkpoint.body).now_or_never();
            let told = || agrees() == Some(true) && settled() == Some(Ok(())) && moved() == Some(Ok(()));
            if live && judged && !late && told() { self.attest(&checkpoint.header).await } else { None }
        };
        self.aggregator.finalised(checkpoint.header, own).await;
        let at = now(&self.context);
        self.reporter.publish(Event::Finalised { checkpoint, messages: messages.into(), at });
        Ok(())
    }

    /// Take in who joins, and see off who leaves. Everyone else asks the members when they meet a rollup.
    fn take_in(&self, checkpoint: &Checkpoint) {
        let version = self.network.members.version();
        for change in &checkpoint.body.changes {
            match change {
                Change::Join { join } => match self.network.members.admit(join) {
                    Ok(member) => {
                        let (chain_id, name) = (join.chain_id, &member.entry.name);
                        info!(%chain_id, %name, height = %checkpoint.header.height, "a rollup has joined");
                        self.settling.admit(&member);
                    }
                    Err(error) => {
                        let what = format!("chain {} has joined, we cannot judge it: {error}", join.chain_id);
                        self.reporter.alarm(what, now(&self.context));
                    }
                },
                Change::Leave { chain_id, .. } => {
                    info!(%chain_id, height = %checkpoint.header.height, "a rollup has left");
                    self.network.members.left(*chain_id);
                }
                _ => {}
            }
        }
        if self.network.members.version() != version
            && let Err(error) = self.roll.admit(&self.network)
        {
            self.reporter.alarm(format!("not connected with every peer: {error}"), now(&self.context));
        }
    }

    /// Keep the transport and the metrics up to date with who sits.
    fn seated(&self, state: &State) {
        let own = self.signer.as_ref().map(Signer::public_key);
        let seat = own.and_then(|key| state.committee().seat_of(&key));
        let metrics = self.reporter.metrics();
        Metrics::set(&metrics.seated, u64::from(seat.is_some()));
        Metrics::set(&metrics.epoch, state.epoch().0);
        if state.epoch() != state.header().epoch || state.header().height == Height(1) {
            let (epoch, seats) = (state.epoch(), state.seated().roster().entries.len());
            info!(%epoch, seats, seat = ?seat.map(|seat| seat.0), "an epoch begins");
            if let Err(error) = self.roll.seat(state.seated()) {
                let what = format!("not connected with every operator: {error}");
                self.reporter.alarm(what, now(&self.context));
            }
        }
    }

    /// Attest the end of an epoch, now or when our L1 node has told what we need for it; and get its certificate.
    async fn hand_over(&mut self, before: State, checkpoint: &Arc<Checkpoint>) -> Option<Attestation> {
        let header = checkpoint.header;
        if self.reporter.handle().is_certified(header.height) {
            return None;
        }
        self.fetch.certificate(header.height);
        if self.signer.as_ref().is_some_and(|signer| signer.has_signed(&header)) {
            return self.attest(&header).await;
        }
        let (restaking, checkpoint) = (self.restaking.clone(), checkpoint.clone());
        let mut owed = async move {
            let next = checkpoint.body.next_committee();
            if !restaking.agrees(&before, &checkpoint.header, next).await {
                // Two thirds of the votes were for what our own L1 contradicts.
                restaking.contradicted(&checkpoint.header);
                std::future::pending::<()>().await;
            }
            checkpoint.header
        }
        .boxed();
        match (&mut owed).now_or_never() {
            Some(header) => self.attest(&header).await,
            None => {
                self.owed = Some(owed);
                None
            }
        }
    }

    /// Sign a header that we have judged, if its epoch gives us a seat.
    async fn attest(&mut self, header: &Header) -> Option<Attestation> {
        let mut signer = self.signer.take()?;
        let key = signer.public_key();
        let seat = self
            .reporter
            .handle()
            .archive(|archive| archive.epoch(header.epoch)?.seated.committee().seat_of(&key));
        let Some(seat) = seat else {
            self.signer = Some(signer);
            return None;
        };
        match signer.attest(header, seat).await {
            Ok(own) => {
                if let Some(highest) = signer.highest() {
                    Metrics::set(&self.reporter.metrics().attested, highest.0);
                }
                self.signer = Some(signer);
                own
            }
            Err(error) => {
                error!(%error, "attestations cannot be written down; none will be made until a restart");
                self.reporter
                    .alarm(format!("attestations cannot be written down: {error}"), now(&self.context));
                None
            }
        }
    }
}

/// Resolves with what is owed; never, when nothing is.
async fn due(owed: &mut Option<BoxFuture<'static, Header>>) -> Header {
    match owed {
        Some(owed) => owed.await,
        None => std::future::pending().await,
    }
}
