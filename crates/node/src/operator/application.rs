//! The operator behind consensus: proposes, votes, and hands on what was finalised.
//!
//! ```text
//! propose   wait 200 ms after the parent, then for news, at most until a heartbeat is due ─▶ collect ─▶ seal
//! verify    ledger check ─▶ time ─▶ our own verdict on every block, fetched when it is not here ─▶ vote
//! ```
//!
//! Invariants: `false` is said only of what can never become true; what is merely missing keeps the vote waiting.

mod proposal;
mod stalls;
mod states;
mod terms;
mod vote;

pub(crate) use stalls::Stalls;
pub(crate) use states::States;

use super::{
    blocks, finaliser, handle::Reporter, membership::Membership, restaking::Restaking, settlement::Settling,
};
use crate::{
    config::Network,
    runtime::{Runtime, moment, now},
};
use commonware_utils::sync::Mutex;
use futures::{FutureExt as _, future::BoxFuture};
use hum_consensus::{Committee, Digest, Fault, Ordered, Recalling, Slot, WireSender};
use hum_types::{Term, TimeMs};
use proposal::LastProposal;
use std::sync::{Arc, OnceLock};
use tracing::warn;

/// Time limits of the application, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Least time between a checkpoint and the next.
    pub interval_ms: u64,
    /// Longest that a leader keeps an empty proposal back; below the engine's leader timeout.
    pub heartbeat_ms: u64,
    /// How far a checkpoint's time may be ahead of our clock before the vote waits.
    pub drift_ms: u64,
    /// How long a vote waits for data before it tells the proposer which rollup it waits for.
    pub stall_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        let heartbeat_ms = hum_consensus::Tuning::default().longest_silence_ms;
        Self { interval_ms: 200, heartbeat_ms, drift_ms: 500, stall_ms: 250 }
    }
}

pub(crate) struct Inner<E> {
    pub(crate) clock: E,
    pub(crate) network: Arc<Network>,
    /// The seats of every term.
    /// Of term 0.
    pub(crate) committee: Committee,
    pub(crate) restaking: Arc<Restaking<E>>,
    pub(crate) settling: Arc<Settling<E>>,
    pub(crate) membership: Arc<Membership<E>>,
    pub(crate) pace: Pace,
    pub(crate) states: Arc<States>,
    pub(crate) blocks: blocks::Mailbox,
    pub(crate) finaliser: finaliser::Mailbox,
    pub(crate) stalls: Arc<Stalls>,
    pub(crate) reporter: Reporter,
    /// Known once the network is up.
    pub(crate) gossip: OnceLock<WireSender>,
    pub(crate) last: Mutex<Option<LastProposal>>,
}

impl<E: Runtime> Inner<E> {
    fn now(&self) -> TimeMs {
        now(&self.clock)
    }

    async fn sleep_until(&self, time: TimeMs) {
        if time > self.now() {
            self.clock.sleep_until(moment(time)).await;
        }
    }
}

/// Cheap to clone: every question of consensus runs on its own clone.
pub(crate) struct Application<E>(pub(crate) Arc<Inner<E>>);

impl<E: Runtime> hum_consensus::Application for Application<E> {
    fn propose(&self, slot: Slot, ancestors: Vec<Ordered>) -> BoxFuture<'static, Option<bytes::Bytes>> {
        let inner = self.0.clone();
        async move { inner.propose(slot, &ancestors).await }.boxed()
    }

    fn verify(&self, ancestors: Vec<Ordered>, block: Ordered) -> BoxFuture<'static, bool> {
        let inner = self.0.clone();
        async move { inner.verify(&ancestors, block).await }.boxed()
    }

    fn known(&self, digest: &Digest) -> bool {
        self.0.states.contains(digest)
    }

    fn finalized(&self, block: Ordered) -> BoxFuture<'static, ()> {
        let inner = self.0.clone();
        async move { inner.finaliser.finalised(block).await }.boxed()
    }

    fn term(&self, term: u64) -> BoxFuture<'static, Committee> {
        let inner = self.0.clone();
        async move { inner.term(Term(term)).await }.boxed()
    }

    fn fault(&self, fault: Fault) {
        warn!(kind = ?fault.kind, signer = %fault.signer, view = fault.view, "an operator contradicted itself in consensus");
        let what =
            format!("operator {} contradicted itself in view {}: {:?}", fault.signer, fault.view, fault.kind);
        self.0.reporter.alarm(what, self.0.now());
    }

    fn recalling(&self, stands: Recalling) {
        let (board, now) = (self.0.reporter.handle().board(), self.0.now());
        match stands {
            Recalling::Voting { .. } => board.goes_on(),
            Recalling::Waiting { proven: true, .. } => {
                board.waits_for(stands.to_string(), now);
                self.0
                    .reporter
                    .alarm(format!("this disk is older than this key's votes; it waits for {stands}"), now);
            }
            Recalling::Waiting { .. } | Recalling::Asking { .. } | Recalling::Past { .. } => {
                board.waits_for(stands.to_string(), now)
            }
        }
    }
}
