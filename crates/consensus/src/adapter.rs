//! Commonware's generic application, answered by the trait object.

use crate::{
    Application, MAX_PAYLOAD, Ordered, Slot,
    block::{Block, BlockContext, ordered, rising},
};
use commonware_consensus::{Heightable as _, marshal::ancestry::Ancestry, simplex::scheme::ed25519::Scheme};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_parallel::Sequential;
use commonware_runtime::Clock;
use futures::StreamExt as _;
use std::{sync::Arc, time::Duration};
use tracing::error;

/// More unknown ancestors than this, and the application is behind the finalised chain rather than missing a few
/// unfinalised blocks: it is left to catch up first.
const MAX_ANCESTORS: usize = 64;

/// How often to look whether it has caught up.
const CATCH_UP_POLL: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Adapter(pub(crate) Arc<dyn Application>);

impl Adapter {
    /// The blocks down to the nearest known one, oldest first. `None` when the chain ends before.
    async fn unknown<E: Clock>(&self, clock: &E, ancestry: impl Ancestry<Block>) -> Option<Vec<Ordered>> {
        loop {
            let mut stream = ancestry.clone();
            let mut found = Vec::new();
            while found.len() < MAX_ANCESTORS {
                let block = stream.next().await?;
                if block.height().is_zero() || self.0.known(&block.digest()) {
                    found.reverse();
                    return Some(found);
                }
                found.push(ordered(&block));
            }
            drop(stream);
            clock.sleep(CATCH_UP_POLL).await;
        }
    }
}

impl<E: Clock + Send + Sync + 'static> commonware_consensus::Application<E> for Adapter {
    type SigningScheme = Scheme;
    type Context = BlockContext;
    type Block = Block;
    type Input = ();

    async fn propose(
        &mut self,
        (clock, context): (E, BlockContext),
        ancestry: impl Ancestry<Block>,
        _: (),
    ) -> Option<Digested<Block>> {
        let parent = ancestry.peek()?.clone();
        let height = parent.height().next();
        let ancestors = self.unknown(&clock, ancestry).await?;
        let slot = Slot { height: height.get(), view: rising(context.round), parent: parent.digest() };
        let payload = self.0.propose(slot, ancestors).await?;
        if payload.len() > MAX_PAYLOAD {
            error!(length = payload.len(), max = MAX_PAYLOAD, "payload exceeds what a block carries");
            return None;
        }
        let block = Block { context, parent: parent.digest(), height, payload };
        Some(Digested::compute(block, &Sequential).await)
    }

    async fn verify(&mut self, (clock, _): (E, BlockContext), mut ancestry: impl Ancestry<Block>) -> bool {
        let verdict = async {
            let block = ordered(&ancestry.next().await?);
            let ancestors = self.unknown(&clock, ancestry).await?;
            Some(self.0.verify(ancestors, block).await)
        };
        match verdict.await {
            Some(verdict) => verdict,
            // The ancestors cannot be had: no opinion until the view's deadline cancels the question.
            None => std::future::pending().await,
        }
    }
}
