//! One Simplex engine a term.
//!
//! ```text
//! term t:   engine t ──────────── closing height finalised ── re-proposed ──┐ stops
//!                                        │                                  │
//!           Application::term(t + 1) ────┴── header certified ── committee ─┤
//!           lobby of t + 1: holds early votes; who sends them is ahead      ▼
//!                                                                     engine t + 1
//! ```
//!
//! A node that missed the end of a term hears its peers speak in a later one and asks them for the closing height,
//! which marshal checks against the committee of the term that it closes. So a node that was away, or begins with an
//! empty disk, walks term by term and never believes a committee that the one before did not finalise.

use crate::{
    Application, Committee, Digest, PrivateKey, PublicKey, Tuning,
    block::Block,
    delivery::Evidence,
    engine::{MAILBOX, milliseconds, positive},
    lobby::Lobby,
    pace::{Ordering, Paced},
    peers::Peers,
    schemes::Schemes,
};
use commonware_consensus::{
    Reporters,
    marshal::{core::Mailbox, standard::Standard},
    simplex::{
        self, SkipBudget,
        config::{Floor, ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
        scheme::ed25519::Scheme,
    },
    types::{Epoch, Height, ViewDelta},
};
use commonware_cryptography::{Digestible as _, Sha256, certificate::Scheme as _};
use commonware_p2p::{
    Blocker, Message, Sender,
    utils::mux::{self, MuxHandle},
};
use commonware_parallel::Sequential;
use commonware_runtime::{Clock, Handle, Metrics, Spawner, Storage, buffer::paged::CacheRef};
use commonware_utils::{NZUsize, channel::mpsc, vec::NonEmptyVec};
use futures::{FutureExt as _, pin_mut, select_biased};
use rand_core::CryptoRng;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use thiserror::Error;
use tracing::{debug, error, info, warn};

/// How often to look for a closing block that the application spoke of before marshal had it.
const CLOSING_POLL: Duration = Duration::from_millis(50);

/// What the engines of all terms have in common.
pub(crate) struct Terms<E, B, S: Sender>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
{
    pub(crate) context: E,
    pub(crate) blocker: B,
    pub(crate) key: PrivateKey,
    pub(crate) genesis: Committee,
    pub(crate) term_heights: u64,
    /// Prefix of the journals' partitions.
    pub(crate) partition: String,
    pub(crate) tuning: Tuning,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) peers: Peers,
    pub(crate) schemes: Schemes,
    pub(crate) marshal: Mailbox<Scheme, Standard<Block>>,
    pub(crate) deferred: Ordering<E>,
    pub(crate) pages: CacheRef,
    /// Highest height known to be finalised.
    pub(crate) tip: Arc<AtomicU64>,
    pub(crate) votes: MuxHandle<S>,
    pub(crate) certificates: MuxHandle<S>,
    pub(crate) resolver: MuxHandle<S>,
    /// Votes of terms that are neither running nor next.
    pub(crate) astray: mpsc::Receiver<(u64, Message<PublicKey>)>,
}

/// Early messages of a term.
struct Lobbies<S: Sender> {
    votes: Lobby<S>,
    certificates: Lobby<S>,
}

/// Why a committee cannot order here.
#[derive(Debug, Error)]
enum Misfit {
    #[error("it belongs to another domain")]
    Domain,
    #[error("the seats of term 0 are not the genesis'")]
    Genesis,
    #[error("{seats} seats exceed the maximum of {max} operators")]
    Seats { seats: usize, max: usize },
}

/// Peers that speak in later terms than ours, with the latest that each spoke in.
#[derive(Default)]
struct Ahead(BTreeMap<PublicKey, u64>);

impl Ahead {
    fn heard(&mut self, peer: &PublicKey, term: u64) {
        let latest = self.0.entry(peer.clone()).or_default();
        *latest = term.max(*latest);
    }

    fn beyond(&mut self, term: u64) -> Vec<PublicKey> {
        self.0.retain(|_, latest| *latest > term);
        self.0.keys().cloned().collect()
    }
}

impl<E, B, S> Terms<E, B, S>
where
    E: Clock + CryptoRng + Spawner + Storage + Metrics,
    B: Blocker<PublicKey = PublicKey> + Sync,
    S: Sender<PublicKey = PublicKey>,
{
    /// Runs engines from the term of `processed` on: the last height that the application has finished. That term may be
    /// over; its engine then serves peers until the next one may start.
    pub(crate) async fn run(mut self, processed: u64) {
        let term = processed / self.term_heights;
        if self.engines(term).await.is_err() {
            debug!("the network has shut down");
        }
    }

    async fn engines(&mut self, mut term: u64) -> Result<(), mux::Error> {
        let mut oldest = self.oldest_journal(term).await;
        let mut ahead = Ahead::default();
        let mut lobbies = self.lobbies(term).await?;
        let mut committee = self.application.term(term).await;
        loop {
            if let Err(error) = self.check(term, &committee) {
                error!(term, %error, "the application names an impossible committee");
                return Ok(());
            }
            self.peers.seat(&committee);
            let scheme = self.schemes.insert(term, committee.scheme(&self.key));
            let floor = self.floor(term).await;
            let mut engine = self.engine(term, &scheme, floor, lobbies).await?;
            info!(
                term,
                seats = committee.operators().len(),
                votes = scheme.me().is_some_and(|member| member.signer().is_some()),
                "term begins"
            );
            oldest = self.forget_journals(oldest).await;
            self.catch_up(term, ahead.beyond(term));

            let mut next = self.lobbies(term + 1).await?;
            let mut answer = self.application.term(term + 1).fuse();
            committee = loop {
                let (peer, heard) = {
                    let ended = (&mut engine).fuse();
                    let vote = next.votes.enter().fuse();
                    let certificate = next.certificates.enter().fuse();
                    let astray = self.astray.recv().fuse();
                    pin_mut!(ended, vote, certificate, astray);
                    select_biased! {
                        committee = answer => break committee,
                        _ = ended => {
                            error!(term, "the engine of a term has stopped");
                            return Ok(());
                        }
                        peer = vote => (peer?, term + 1),
                        peer = certificate => (peer?, term + 1),
                        astray = astray => {
                            let (term, (peer, _)) = astray.ok_or(mux::Error::Closed)?;
                            (peer, term)
                        }
                    }
                };
                if heard > term {
                    ahead.heard(&peer, heard);
                    self.catch_up(term, vec![peer]);
                }
            };
            // Peers that still run the term before get its closing height from marshal.
            engine.abort();
            let _ = engine.await;
            lobbies = next;
            term += 1;
        }
    }

    /// What the application says must fit what the process was started with: otherwise this operator would silently
    /// speak with nobody, or send what no peer takes.
    fn check(&self, term: u64, committee: &Committee) -> Result<(), Misfit> {
        let (seats, max) = (committee.operators().len(), self.peers.max());
        if committee.domain() != self.genesis.domain() {
            return Err(Misfit::Domain);
        }
        if term == 0 && committee.set() != self.genesis.set() {
            return Err(Misfit::Genesis);
        }
        if seats > max {
            return Err(Misfit::Seats { seats, max });
        }
        Ok(())
    }

    fn closing(&self, term: u64) -> u64 {
        // Saturating: no chain gets there.
        term.saturating_add(1).saturating_mul(self.term_heights) - 1
    }

    /// Asks peers that are ahead for the end of our term.
    fn catch_up(&self, term: u64, peers: Vec<PublicKey>) {
        let closing = self.closing(term);
        if self.tip.load(Relaxed) >= closing {
            return;
        }
        if let Ok(peers) = NonEmptyVec::try_from(peers) {
            self.marshal.hint_finalized(Height::new(closing), peers);
        }
    }

    /// The block that a term builds on: the one that closed the term before.
    async fn floor(&self, term: u64) -> Digest {
        if term == 0 {
            return self.genesis.genesis();
        }
        let closing = Height::new(self.closing(term - 1));
        loop {
            if let Some(block) = self.marshal.get_block(closing).await {
                return block.digest();
            }
            warn!(term, %closing, "a term may start whose predecessor's closing block is not here");
            self.context.sleep(CLOSING_POLL).await;
        }
    }

    async fn lobbies(&mut self, term: u64) -> Result<Lobbies<S>, mux::Error> {
        let votes = Lobby::new(self.votes.register(term).await?);
        let certificates = Lobby::new(self.certificates.register(term).await?);
        Ok(Lobbies { votes, certificates })
    }

    async fn engine(
        &mut self,
        term: u64,
        scheme: &Scheme,
        floor: Digest,
        lobbies: Lobbies<S>,
    ) -> Result<Handle<()>, mux::Error> {
        let resolver = self.resolver.register(term).await?;
        let closing = self.closing(term);
        let Self { context, tuning, deferred, .. } = self;
        let evidence =
            Evidence::new(context.child("evidence"), scheme.clone(), term, self.application.clone());
        let automaton = Paced {
            context: Arc::new(context.child("pace").with_attribute("term", term)),
            inner: deferred.clone(),
            marshal: self.marshal.clone(),
            closing: Height::new(closing),
        };
        let engine = simplex::Engine::new(
            context.child("engine").with_attribute("term", term),
            simplex::Config {
                scheme: scheme.clone(),
                elector: RoundRobin::<Sha256>::default(),
                blocker: self.blocker.clone(),
                automaton,
                relay: deferred.clone(),
                reporter: Reporters::from((deferred.clone(), evidence)),
                // Without them evidence is lost as soon as a view has its certificate.
                track_historical_votes: true,
                strategy: Sequential,
                partition: journal(&self.partition, term),
                mailbox_size: NZUsize!(MAILBOX),
                epoch: Epoch::new(term),
                floor: Floor::Genesis(floor),
                replay_buffer: NZUsize!(1 << 16),
                write_buffer: NZUsize!(1 << 16),
                page_cache: self.pages.clone(),
                leader_timeout: milliseconds(tuning.leader_timeout_ms),
                certification_timeout: milliseconds(tuning.certification_timeout_ms),
                timeout_retry: milliseconds(tuning.retry_ms),
                view_retention: ViewDelta::new(tuning.retained_views),
                skip: SkipPolicy::Enabled {
                    timeout: milliseconds(tuning.skip_after_ms),
                    budget: SkipBudget::Participants,
                },
                fetch_timeout: positive(tuning.fetch_timeout_ms),
                fetch_retry_delay: milliseconds(tuning.fetch_retry_ms),
                // An operator that missed the block gets it with the next view instead of having to ask.
                forward: ForwardPolicy::SilentVoters,
            },
        );
        Ok(engine.start(lobbies.votes.open(), lobbies.certificates.open(), resolver))
    }

    /// The first term whose journal is still on disk; those up to `term` follow without a gap.
    async fn oldest_journal(&self, term: u64) -> u64 {
        let mut oldest = term;
        while oldest > 0 && self.context.scan(&journal(&self.partition, oldest - 1)).await.is_ok() {
            oldest -= 1;
        }
        oldest
    }

    /// Removes journals of terms that cannot run again, even after a crash; returns the first that is left. What marshal
    /// has recorded as processed is where a restart begins.
    async fn forget_journals(&self, mut oldest: u64) -> u64 {
        let Some(processed) = self.marshal.get_processed().await else { return oldest };
        let needed = processed.height().get() / self.term_heights;
        while oldest < needed {
            match self.context.remove(&journal(&self.partition, oldest), None).await {
                Ok(()) | Err(commonware_runtime::Error::PartitionMissing(_)) => oldest += 1,
                Err(error) => {
                    warn!(term = oldest, %error, "cannot remove a journal that nobody needs; tried again later");
                    return oldest;
                }
            }
        }
        oldest
    }
}

/// Where the engine of a term keeps its votes.
fn journal(partition: &str, term: u64) -> String {
    format!("{partition}-simplex-{term}")
}
