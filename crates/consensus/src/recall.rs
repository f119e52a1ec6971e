//! What a returning operator asks its peers before it votes.
//!
//! A vote that this key has cast may be missing on this disk: the disk is new, or older than it says. Peers have it: each
//! remembers the latest votes of every seat, in the running term and the one before.
//!
//! ```text
//! process starts ─▶ term ─▶ journal: what does the disk know? ─▶ ask the other seats (a quorum's worth must answer)
//!                    ▲                                            │
//!                    │     most say the term is over: follow it, without a vote
//!                    │     a vote of ours that the disk does not have: follow until something above it is final, then vote
//!                    └──── nothing of the kind: vote
//! ```
//!
//! Whatever counts is signed: our own votes by ourselves, certificates by a quorum. So a liar cannot keep anybody
//! silent, nor make a vote disappear that an honest peer has. A network whose operators all restart finds nothing
//! that their disks do not have, and goes on.
//!
//! The views: whoever votes in view `v` has seen a certificate of view `v - 1`, and one of those who made it is among
//! those who answer. So nothing was ever voted above the highest certified view and one. What is final at that view or
//! above is where the engine begins again; it never looks below.

mod journal;
mod message;
mod presence;
mod question;

pub(crate) use journal::{Own, read};
pub use presence::Presence;
pub(crate) use question::{Conclusion, Decision, Question};

use crate::{Digest, PrivateKey, PublicKey, Recipients, Signer as _, WireReceiver, WireSender};
use bytes::Bytes;
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::{
    Reporter, Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Activity, Attributable as _, Certificate, Finalization, Vote},
    },
};
use commonware_cryptography::certificate::Scheme as _;
use commonware_runtime::Clock;
use commonware_utils::{
    Participant,
    channel::{mpsc, oneshot},
    sync::Mutex,
};
use futures::{FutureExt as _, pin_mut, select_biased};
use message::{Answer, Message};
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tracing::debug;

/// How often a process says that it is there.
const BEAT: Duration = Duration::from_secs(2);

/// Terms whose votes are remembered: the running one and the one before.
const TERMS_KEPT: usize = 2;

/// Where an operator stands with its own past votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recalling {
    /// It asks its peers what this key has voted.
    Asking {
        /// In this term.
        term: u64,
        /// Other seats that must answer.
        needed: usize,
    },
    /// It follows a term that is over for its peers.
    Past {
        /// Which.
        term: u64,
    },
    /// This key voted, or may have, and this disk does not know: it follows until that is behind.
    Waiting {
        /// In this term.
        term: u64,
        /// A view at or above this one must be final first.
        view: u64,
        /// The highest view that the disk knows of; 0 for none.
        own: u64,
        /// Whether a peer has shown such a vote. Otherwise the disk is new, and nobody watched the term from its
        /// beginning who could say that there was none.
        proven: bool,
    },
    /// It votes, where it has a seat.
    Voting {
        /// From this term on.
        term: u64,
    },
}

impl fmt::Display for Recalling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asking { needed, .. } => {
                write!(f, "{needed} other operators to say what this key has voted")
            }
            Self::Past { term } => write!(f, "the end of term {term}, which is over for its peers"),
            Self::Waiting { view, proven: false, .. } => {
                write!(f, "view {view} to be final: the disk is new, and this key may have voted up to there")
            }
            Self::Waiting { view, own, .. } => write!(
                f,
                "view {view} to be final: this key voted up to there, as its peers know and this disk does not (it \
                 knows of view {own})"
            ),
            Self::Voting { term } => write!(f, "nothing: it votes from term {term} on"),
        }
    }
}

/// Another process with the same key, up for longer than this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// For how long it has run.
    pub up: Duration,
}

/// What is done about a key, each not too often.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum About {
    NewLink,
    Call,
    Alive,
}

/// What is remembered of one term.
struct Memory {
    scheme: Scheme,
    whole: bool,
    /// By seat.
    votes: BTreeMap<u32, Vec<Vote<Scheme, Digest>>>,
    certificate: Option<Certificate<Scheme, Digest>>,
    finalization: Option<Finalization<Scheme, Digest>>,
}

impl Memory {
    fn vote(&mut self, seat: u32, vote: Vote<Scheme, Digest>) {
        let votes = self.votes.entry(seat).or_default();
        match votes.first().map(|last| last.view()) {
            Some(last) if last > vote.view() => {}
            Some(last) if last == vote.view() => {
                let known = votes.iter().any(|known| known.encode() == vote.encode());
                if votes.len() < message::VOTES_MAX && !known {
                    votes.push(vote);
                }
            }
            _ => *votes = vec![vote],
        }
    }

    fn certified(&mut self, found: Certificate<Scheme, Digest>) {
        if self.certificate.as_ref().is_none_or(|last| last.view() < found.view()) {
            self.certificate = Some(found);
        }
    }

    fn finalized(&mut self, found: Finalization<Scheme, Digest>) -> bool {
        let newer = self.finalization.as_ref().is_none_or(|last| last.view() < found.view());
        if newer {
            self.finalization = Some(found);
        }
        newer
    }
}

#[derive(Default)]
struct State {
    /// The term that this process is in.
    present: Option<u64>,
    memories: BTreeMap<u64, Memory>,
    /// Answers to the question about this term.
    asked: Option<u64>,
    answers: BTreeMap<PublicKey, Answer>,
    /// The processes at the other end of our connections: number, and when they last spoke.
    linked: BTreeMap<PublicKey, (u64, SystemTime)>,
    /// When something about a key was last answered or passed on.
    busy: BTreeMap<(PublicKey, About), SystemTime>,
    /// Who waits for a sign of another process: its key, whom it is to have heard of.
    calls: Vec<(PublicKey, u64, oneshot::Sender<Bytes>)>,
    /// Where the round of named processes continues.
    turn: usize,
    heard: bool,
    twin: Option<Twin>,
    younger: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl State {
    fn ring(&mut self) {
        for waiting in self.waiting.drain(..) {
            // Whoever hung up has stopped waiting.
            let _ = waiting.send(());
        }
    }
}

struct Shared {
    key: PrivateKey,
    me: PublicKey,
    namespace: Vec<u8>,
    instance: u64,
    started: SystemTime,
    now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    seats_max: usize,
    wire: WireSender,
    /// Tells of peers that are in later terms.
    ahead: mpsc::Sender<(PublicKey, u64)>,
    state: Mutex<State>,
}

/// What all parts of a process share of this. Clones share it.
#[derive(Clone)]
pub(crate) struct Recall(Arc<Shared>);

/// What a process is given to recall with.
pub(crate) struct Parts {
    pub(crate) key: PrivateKey,
    pub(crate) namespace: Vec<u8>,
    /// Drawn by this process.
    pub(crate) instance: u64,
    pub(crate) now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) seats_max: usize,
    pub(crate) wire: WireSender,
    pub(crate) ahead: mpsc::Sender<(PublicKey, u64)>,
}

impl Recall {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { key, namespace, instance, now, seats_max, wire, ahead } = parts;
        let (me, started, state) = (key.public_key(), now(), Mutex::new(State::default()));
        Self(Arc::new(Shared { key, me, namespace, instance, started, now, seats_max, wire, ahead, state }))
    }

    fn up(&self) -> Duration {
        (self.0.now)().duration_since(self.0.started).unwrap_or_default()
    }

    /// Remembers a term from now on; `whole`, when this process has seen the end of the one before.
    pub(crate) fn enter(&self, term: u64, scheme: Scheme, whole: bool, own: Own) {
        let mut memory = Memory {
            votes: BTreeMap::new(),
            certificate: own.certificate,
            finalization: own.finalization,
            scheme,
            whole,
        };
        if let Some(seat) = seat_of(&memory.scheme) {
            memory.votes.insert(seat.get(), own.votes);
        }
        let mut state = self.0.state.lock();
        state.present = Some(term);
        state.memories.insert(term, memory);
        while state.memories.len() > TERMS_KEPT {
            state.memories.pop_first();
        }
        state.ring();
    }

    /// Nobody can have voted before this process began to watch.
    fn watched_from_the_start(&self, term: u64) {
        if let Some(memory) = self.0.state.lock().memories.get_mut(&term) {
            memory.whole = true;
        }
    }

    /// What the engine of a term tells.
    pub(crate) fn reporter(&self, term: u64) -> Remember {
        Remember { recall: self.clone(), term }
    }

    fn changed(&self) -> oneshot::Receiver<()> {
        let (tell, changed) = oneshot::channel();
        let mut state = self.0.state.lock();
        state.waiting.retain(|waiting| !waiting.is_closed());
        state.waiting.push(tell);
        changed
    }

    /// Resolves when a view at or above `view` is final in that term, as the engine has seen it.
    pub(crate) async fn final_beyond(&self, term: u64, view: u64) -> Finalization<Scheme, Digest> {
        loop {
            let changed = self.changed();
            {
                let state = self.0.state.lock();
                let found = state.memories.get(&term).and_then(|memory| memory.finalization.as_ref());
                if let Some(found) = found.filter(|found| found.view().get() >= view) {
                    return found.clone();
                }
            }
            // Rung, or replaced by a later call: look again.
            let _ = changed.await;
        }
    }

    /// Resolves when another process of this key goes before this one.
    pub(crate) async fn twin(&self) -> Twin {
        loop {
            let changed = self.changed();
            if let Some(twin) = self.0.state.lock().twin {
                return twin;
            }
            let _ = changed.await;
        }
    }

    /// Answers peers, and says that this process is there, until the network has shut down.
    pub(crate) async fn serve<E: Clock>(self, clock: E, mut wire: WireReceiver) {
        loop {
            self.beat();
            let next = clock.current() + BEAT;
            loop {
                let beat = clock.sleep_until(next).fuse();
                let heard = wire.recv().fuse();
                pin_mut!(beat, heard);
                let heard = select_biased! {
                    () = beat => break,
                    heard = heard => heard,
                };
                let Some((peer, bytes)) = heard else { return };
                match Message::decode(bytes, self.0.seats_max) {
                    Ok(message) => self.hear(&peer, message),
                    Err(error) => debug!(%peer, %error, "a peer said nothing sensible about recalled votes"),
                }
            }
        }
    }

    fn send(&self, to: Recipients, message: &Message) {
        self.0.wire.send(to, message.encode(), true);
    }

    fn hear(&self, peer: &PublicKey, message: Message) {
        self.0.state.lock().heard = true;
        match message {
            Message::Ask { term, instance } => {
                self.link(peer, instance);
                self.answer(peer, term);
            }
            Message::Answer(answer) => {
                let mut state = self.0.state.lock();
                if state.asked == Some(answer.asked) {
                    state.answers.insert(peer.clone(), *answer);
                    state.ring();
                }
            }
            Message::Call { key, instance } if key == *peer => self.link(peer, instance),
            Message::Call { key, instance } if key == self.0.me => {
                if let Some(alive) = self.alive(instance) {
                    self.send(Recipients::One(peer.clone()), &Message::Alive(alive));
                }
            }
            Message::Call { key, instance } => {
                let linked = self.0.state.lock().linked.get(&key).map(|(instance, _)| *instance);
                if linked.is_some_and(|linked| linked != instance) && self.pause(&key, About::Call) {
                    self.send(Recipients::One(key.clone()), &Message::Call { key, instance });
                }
            }
            Message::Alive(alive) => self.another(alive),
        }
    }

    fn answer(&self, peer: &PublicKey, term: u64) {
        let answer = {
            let state = self.0.state.lock();
            let Some(present) = state.present else { return };
            if term > present {
                // A full queue has enough of them.
                let _ = self.0.ahead.try_send((peer.clone(), term));
            }
            let mut answer = Answer {
                asked: term,
                present,
                whole: false,
                votes: Vec::new(),
                certificate: None,
                finalization: None,
            };
            if let Some(memory) = state.memories.get(&term) {
                let seat = memory.scheme.participants().position(peer);
                let seat = seat.and_then(|seat| u32::try_from(seat).ok());
                answer.whole = memory.whole;
                answer.votes = seat.and_then(|seat| memory.votes.get(&seat).cloned()).unwrap_or_default();
                answer.certificate = memory.certificate.clone();
                answer.finalization = memory.finalization.clone();
            }
            answer
        };
        self.send(Recipients::One(peer.clone()), &Message::Answer(Box::new(answer)));
    }
}

/// The seat that this process votes in.
fn seat_of(scheme: &Scheme) -> Option<Participant> {
    scheme.me().and_then(|member| member.signer())
}

/// Remembers what the engine of a term reports.
#[derive(Clone)]
pub(crate) struct Remember {
    recall: Recall,
    term: u64,
}

impl Reporter for Remember {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let mut state = self.recall.0.state.lock();
        let Some(memory) = state.memories.get_mut(&self.term) else { return Feedback::Ok };
        let newly_final = match activity {
            // Votes come from the peers that they name: who signs rubbish spoils its own record only.
            Activity::Notarize(vote) => {
                memory.vote(vote.signer().get(), Vote::Notarize(vote));
                false
            }
            Activity::Nullify(vote) => {
                memory.vote(vote.signer().get(), Vote::Nullify(vote));
                false
            }
            Activity::Finalize(vote) => {
                memory.vote(vote.signer().get(), Vote::Finalize(vote));
                false
            }
            Activity::Notarization(found) => {
                memory.certified(Certificate::Notarization(found));
                false
            }
            Activity::Nullification(found) => {
                memory.certified(Certificate::Nullification(found));
                false
            }
            Activity::Finalization(found) => {
                memory.certified(Certificate::Finalization(found.clone()));
                memory.finalized(found)
            }
            _ => false,
        };
        if newly_final {
            state.ring();
        }
        Feedback::Ok
    }
}

#[cfg(test)]
mod tests;
