//! From Commonware's reports to the application: finalised blocks in order, and evidence.

use crate::{
    Application, Digest, Fault, FaultKind, PublicKey,
    block::{Block, ordered, rising},
};
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::{
    Heightable as _, Reporter, Viewable as _,
    marshal::Update,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Activity, Attributable as _},
    },
    types::{Epoch, Round},
};
use commonware_cryptography::{Digested, certificate::Scheme as _};
use commonware_parallel::Sequential;
use commonware_runtime::{Handle, Spawner};
use commonware_utils::{
    acknowledgement::{Acknowledgement as _, Exact},
    channel::mpsc,
    sync::Mutex,
};
use rand_core::CryptoRng;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tracing::warn;

/// Hands marshal's updates to the task that awaits the application.
#[derive(Clone)]
pub(crate) struct Delivery {
    // Bounded by marshal: it waits for acknowledgements.
    queue: mpsc::UnboundedSender<(Digested<Block>, Exact)>,
    tip: Arc<AtomicU64>,
}

impl Delivery {
    /// Spawns the task that calls [`Application::finalized`], one block at a time.
    pub(crate) fn start<E: Spawner>(
        context: E,
        application: Arc<dyn Application>,
        tip: Arc<AtomicU64>,
        delivered: Arc<AtomicU64>,
    ) -> (Self, Handle<()>) {
        let (queue, mut blocks) = mpsc::unbounded_channel::<(Digested<Block>, Exact)>();
        let handle = context.spawn(move |_| async move {
            while let Some((block, acknowledgement)) = blocks.recv().await {
                let height = block.height().get();
                // The genesis is marshal's anchor and carries nothing.
                if height > 0 {
                    application.finalized(ordered(&block)).await;
                    delivered.fetch_max(height, Ordering::Relaxed);
                }
                acknowledgement.acknowledge();
            }
        });
        (Self { queue, tip }, handle)
    }
}

impl Reporter for Delivery {
    type Activity = Update<Block>;

    fn report(&mut self, update: Update<Block>) -> Feedback {
        match update {
            Update::Tip(_, height, _) => {
                self.tip.fetch_max(height.get(), Ordering::Relaxed);
                Feedback::Ok
            }
            Update::Block(block, acknowledgement) => match self.queue.send((block, acknowledgement)) {
                Ok(()) => Feedback::Ok,
                Err(_) => Feedback::Closed,
            },
        }
    }
}

/// Picks evidence out of Simplex's activity, verifies it and reports it.
pub(crate) struct Evidence<E> {
    context: Arc<Mutex<E>>,
    scheme: Scheme,
    term: u64,
    application: Arc<dyn Application>,
}

impl<E> Clone for Evidence<E> {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            scheme: self.scheme.clone(),
            term: self.term,
            application: self.application.clone(),
        }
    }
}

impl<E> Evidence<E> {
    pub(crate) fn new(context: E, scheme: Scheme, term: u64, application: Arc<dyn Application>) -> Self {
        Self { context: Arc::new(Mutex::new(context)), scheme, term, application }
    }
}

impl<E: CryptoRng + Send + 'static> Reporter for Evidence<E> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let (kind, signer, view) = match &activity {
            Activity::ConflictingNotarize(pair) => {
                (FaultKind::ConflictingNotarize, pair.signer(), pair.view())
            }
            Activity::ConflictingFinalize(pair) => {
                (FaultKind::ConflictingFinalize, pair.signer(), pair.view())
            }
            Activity::NullifyFinalize(pair) => (FaultKind::NullifyFinalize, pair.signer(), pair.view()),
            _ => return Feedback::Ok,
        };
        let Some(signer) = seat(&self.scheme, signer.get()) else { return Feedback::Ok };
        if !activity.verify(&mut *self.context.lock(), &self.scheme, &Sequential) {
            warn!(%signer, ?kind, "evidence does not verify");
            return Feedback::Ok;
        }
        let view = rising(Round::new(Epoch::new(self.term), view));
        self.application.fault(Fault { kind, signer, view, evidence: activity.encode() });
        Feedback::Ok
    }
}

fn seat(scheme: &Scheme, index: u32) -> Option<PublicKey> {
    scheme.participants().iter().nth(usize::try_from(index).ok()?).cloned()
}
