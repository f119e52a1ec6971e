//! One task that applies checkpoints in order.

use super::{ingress::Message, signer::Signer};
use crate::{
    operator::{
        aggregator,
        application::States,
        blocks,
        handle::{Event, Reporter},
        metrics::Metrics,
    },
    runtime::{Runtime, now},
};
use commonware_runtime::Handle;
use commonware_utils::channel::mpsc;
use hum_consensus::{Archive, Ordered};
use hum_types::{Checkpoint, Decode as _};
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
    pub(crate) reporter: Reporter,
}

impl<E: Runtime> Actor<E> {
    pub(crate) fn start(self, archive: Archive) -> Handle<()> {
        let Self { context, mailbox, signer, states, blocks, aggregator, reporter } = self;
        context.spawn(move |context| {
            Running {
                context,
                signer: Some(signer),
                states,
                blocks,
                aggregator,
                reporter,
                archive,
                applied: 0,
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
    reporter: Reporter,
    archive: Archive,
    applied: u64,
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
        if self.applied > 0 {
            info!(height = self.applied, "replayed the finalised chain from disk");
        }
        while let Some(Message { block, done }) = mailbox.recv().await {
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
        Err(Halt::Stopping)
    }

    async fn apply(&mut self, block: Ordered, live: bool) -> Result<(), Halt> {
        let height = block.height;
        let checkpoint = Checkpoint::decode(&block.payload).map_err(|error| Halt::Payload(height, error))?;
        let checkpoint = Arc::new(checkpoint);
        let (messages, state) = self
            .reporter
            .handle()
            .archive_mut(|archive| {
                archive.apply(&checkpoint).map(|messages| (messages, archive.newest().clone()))
            })
            .map_err(|error| Halt::Refused(height, error))?;
        self.applied = height;
        self.states.finalised(block.digest, state.clone());
        let judged = self.blocks.settle(state, checkpoint.clone()).await.ok_or(Halt::Stopping)?;
        let own = if live && judged && self.archive.tip().saturating_sub(height) <= WORTH_ATTESTING {
            self.attest(&checkpoint).await
        } else {
            None
        };
        self.aggregator.finalised(checkpoint.header, own).await;
        let at = now(&self.context);
        self.reporter.publish(Event::Finalised { checkpoint, messages: messages.into(), at });
        Ok(())
    }

    async fn attest(&mut self, checkpoint: &Checkpoint) -> Option<hum_bls::Attestation> {
        let mut signer = self.signer.take()?;
        match signer.attest(&checkpoint.header).await {
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
