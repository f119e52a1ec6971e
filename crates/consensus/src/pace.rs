//! Keeps the end of a term calm.
//!
//! Until the next term's engine starts, leaders propose the closing block again. Commonware does so at once, in views as
//! short as the network allows; when a committee is long in coming (its header waits for a certificate), that would
//! keep every disk busy for nothing.

use crate::{Digest, adapter::Adapter, block::Block};
use commonware_consensus::{
    Automaton, CertifiableAutomaton, Handoff, Heightable as _,
    marshal::{
        core::Mailbox,
        standard::{Deferred, Standard},
    },
    simplex::scheme::ed25519::Scheme,
    types::{FixedEpocher, Height, Round},
};
use commonware_runtime::{Clock, Metrics, Spawner};
use commonware_utils::channel::oneshot;
use futures::future::{Either, select};
use std::{pin::pin, sync::Arc, time::Duration};

/// About a checkpoint's interval: a closing block that was notarized but not finalised loses no more than any other.
const PAUSE: Duration = Duration::from_millis(200);

pub(crate) type Ordering<E> = Deferred<E, Scheme, Adapter, Block, FixedEpocher>;

/// The automaton of one term.
pub(crate) struct Paced<E>
where
    E: Spawner + Metrics + Clock,
{
    pub(crate) context: Arc<E>,
    pub(crate) inner: Ordering<E>,
    pub(crate) marshal: Mailbox<Scheme, Standard<Block>>,
    pub(crate) closing: Height,
}

impl<E: Spawner + Metrics + Clock> Clone for Paced<E> {
    fn clone(&self) -> Self {
        Self {
            context: self.context.clone(),
            inner: self.inner.clone(),
            marshal: self.marshal.clone(),
            closing: self.closing,
        }
    }
}

impl<E: Spawner + Metrics + Clock> Automaton for Paced<E> {
    type Context = <Ordering<E> as Automaton>::Context;
    type Digest = Digest;

    #[allow(clippy::async_yields_async)]
    async fn propose(&mut self, context: Self::Context) -> oneshot::Receiver<Digest> {
        let Self { inner, marshal, closing, .. } = self.clone();
        let (mut sender, receiver) = oneshot::channel();
        self.context.child("propose").spawn(move |clock| async move {
            let proposal = pin!(async move {
                let parent = marshal.get_block(&context.parent.1).await;
                if parent.is_some_and(|parent| parent.height() == closing) {
                    clock.sleep(PAUSE).await;
                }
                let mut inner = inner;
                inner.propose(context).await.await
            });
            // Consensus hangs up when it gives the view up.
            let proposed = match select(proposal, pin!(sender.closed())).await {
                Either::Left((Ok(digest), _)) => Some(digest),
                _ => None,
            };
            if let Some(digest) = proposed {
                let _ = sender.send(digest);
            }
        });
        receiver
    }

    async fn verify(&mut self, context: Self::Context, payload: Digest) -> oneshot::Receiver<bool> {
        self.inner.verify(context, payload).await
    }
}

impl<E: Spawner + Metrics + Clock> CertifiableAutomaton for Paced<E> {
    async fn prepare(&mut self, context: Self::Context) -> oneshot::Receiver<Handoff<Digest>> {
        self.inner.prepare(context).await
    }

    async fn certify(&mut self, round: Round, payload: Digest) -> oneshot::Receiver<bool> {
        self.inner.certify(round, payload).await
    }
}
