//! What is done about a term, one after the other: its question, its engine.

use super::Lobbies;
use crate::{Digest, PublicKey, recall::Conclusion};
use commonware_consensus::simplex::{scheme::ed25519::Scheme, types::Finalization};
use commonware_p2p::{Sender, utils::mux};
use commonware_runtime::Handle;
use futures::{FutureExt as _, future::BoxFuture, pin_mut, select_biased};

/// What is done about a term.
pub(super) enum Stage<S: Sender> {
    /// Peers are asked what our key has voted; what comes for the engine is held.
    Asking(Lobbies<S>, BoxFuture<'static, Conclusion>),
    /// The engine runs; a follower's ends when it may vote.
    Running(Handle<()>, BoxFuture<'static, Finalization<Scheme, Digest>>),
    /// Neither, for a moment.
    Over,
}

pub(super) enum Step<S: Sender> {
    Held,
    Heard(PublicKey, u64),
    Concluded(Lobbies<S>, Conclusion),
    Beyond(Finalization<Scheme, Digest>),
    Stopped,
}

impl<S: Sender<PublicKey = PublicKey>> Stage<S> {
    /// The next thing that happens in the stage. Safe to cancel; a stage that concluded is over.
    pub(super) async fn step(&mut self) -> Result<Step<S>, mux::Error> {
        let conclusion = match self {
            Self::Asking(lobbies, question) => {
                let vote = lobbies.votes.enter().fuse();
                let certificate = lobbies.certificates.enter().fuse();
                let question = question.fuse();
                pin_mut!(vote, certificate, question);
                select_biased! {
                    conclusion = question => conclusion,
                    peer = vote => {
                        peer?;
                        return Ok(Step::Held);
                    }
                    peer = certificate => {
                        peer?;
                        return Ok(Step::Held);
                    }
                }
            }
            Self::Running(engine, beyond) => {
                let (ended, beyond) = (engine.fuse(), beyond.fuse());
                pin_mut!(ended, beyond);
                return Ok(select_biased! {
                    _ = ended => Step::Stopped,
                    finalization = beyond => Step::Beyond(finalization),
                });
            }
            Self::Over => return Ok(Step::Stopped),
        };
        match std::mem::replace(self, Self::Over) {
            Self::Asking(lobbies, _) => Ok(Step::Concluded(lobbies, conclusion)),
            Self::Running(..) | Self::Over => Ok(Step::Stopped),
        }
    }

    /// Ends the engine, and waits until it has ended.
    pub(super) async fn stop(&mut self) {
        if let Self::Running(engine, _) = std::mem::replace(self, Self::Over) {
            engine.abort();
            let _ = engine.await;
        }
    }
}
