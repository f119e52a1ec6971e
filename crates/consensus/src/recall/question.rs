//! The question itself, and what follows from the answers.

use super::{Answer, Message, Own, Recall, seat_of};
use crate::{Digest, PublicKey, Recipients};
use commonware_consensus::{
    Epochable as _, Viewable as _,
    simplex::{
        scheme::ed25519::Scheme,
        types::{Attributable as _, Certificate, Finalization, Vote},
    },
};
use commonware_cryptography::certificate::Scheme as _;
use commonware_parallel::Sequential;
use commonware_runtime::Clock;
use commonware_utils::Participant;
use futures::{FutureExt as _, pin_mut, select_biased};
use rand_core::CryptoRng;
use std::{collections::BTreeMap, time::Duration};

/// How often those who have not answered are asked again: they may not be connected yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How long the last seats may take where the disk knows nothing of the term.
const GRACE: Duration = Duration::from_millis(300);

/// How a term is begun.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// The term is over for others: no vote.
    Past,
    /// Vote, above what is final as far as known.
    Vote(Option<Finalization<Scheme, Digest>>),
    /// Vote when a view at or above this one is final; `proven`, when a vote is known that the disk has not.
    Wait { view: u64, proven: bool },
}

/// What is asked about one term.
pub(crate) struct Question {
    pub(crate) term: u64,
    pub(crate) scheme: Scheme,
    pub(crate) own: Own,
    /// Whether the disk has never seen a finalised block.
    pub(crate) fresh: bool,
    /// Other seats that must answer.
    pub(crate) needed: usize,
}

/// The answers' conclusion, and the latest term in which this key can have voted before this process began.
pub(crate) struct Conclusion {
    pub(crate) decision: Decision,
    pub(crate) latest: u64,
}

impl Question {
    fn others(&self) -> Vec<PublicKey> {
        let me = seat_of(&self.scheme);
        let seats = self.scheme.participants().iter().enumerate();
        let other = |index: usize| u32::try_from(index).map(Participant::new).ok() != me;
        seats.filter(|(index, _)| other(*index)).map(|(_, key)| key.clone()).collect()
    }

    /// Asks until enough have answered.
    pub(crate) async fn ask<E: Clock + CryptoRng>(self, recall: Recall, mut clock: E) -> Conclusion {
        let others = self.others();
        if self.needed == 0 {
            return Conclusion { decision: Decision::Vote(None), latest: self.term };
        }
        {
            let mut state = recall.0.state.lock();
            (state.asked, state.answers) = (Some(self.term), BTreeMap::new());
        }
        let begun = clock.current();
        let mut next = begun;
        loop {
            let changed = recall.changed();
            let answers: Vec<(PublicKey, Answer)> = {
                let state = recall.0.state.lock();
                let of = |key: &PublicKey| state.answers.get(key).map(|answer| (key.clone(), answer.clone()));
                // Who is not in the term yet has not seen what its next engine will.
                others.iter().filter_map(of).filter(|(_, answer)| answer.present >= self.term).collect()
            };
            let past = answers.iter().filter(|(_, answer)| answer.present > self.term).count();
            let waited = clock.current().duration_since(begun).unwrap_or_default();
            let enough = answers.len() >= self.needed && (self.own.any || waited >= GRACE);
            let over = past > others.len() / 3;
            if over || enough || answers.len() == others.len() {
                recall.0.state.lock().asked = None;
                let latest = answers.iter().map(|(_, answer)| answer.present).max().unwrap_or(self.term);
                let answers: Vec<Answer> = answers.into_iter().map(|(_, answer)| answer).collect();
                let decision = if over { Decision::Past } else { self.decide(&recall, &mut clock, &answers) };
                return Conclusion { decision, latest: latest.saturating_add(1) };
            }
            if clock.current() >= next {
                next = clock.current() + ASK_AGAIN;
                let open = others.iter().filter(|key| !answers.iter().any(|(answered, _)| answered == *key));
                let ask = Message::Ask { term: self.term, instance: recall.0.instance };
                recall.send(Recipients::Some(open.cloned().collect()), &ask);
            }
            let (again, changed) = (clock.sleep_until(next).fuse(), changed.fuse());
            pin_mut!(again, changed);
            select_biased! {
                _ = changed => {}
                () = again => {}
            }
        }
    }

    fn decide(&self, recall: &Recall, rng: &mut impl CryptoRng, answers: &[Answer]) -> Decision {
        let me = seat_of(&self.scheme);
        let mut forgotten = answers
            .iter()
            .flat_map(|answer| &answer.votes)
            .filter(|vote| Some(signer(vote)) == me && self.own.endangers(vote))
            .filter(|vote| self.holds(vote, rng))
            .map(|vote| vote.view().get())
            .max();
        let finalization = self.highest(
            answers.iter().filter_map(|answer| answer.finalization.clone()).map(Certificate::Finalization),
            rng,
        );
        let certificates = answers.iter().filter_map(|answer| answer.certificate.clone());
        let certificate = self.highest(certificates.chain(finalization.clone()), rng);
        // A quorum's signatures are votes too.
        if let Some(certificate) = &certificate {
            let view = certificate.view().get();
            let signers = match certificate {
                Certificate::Notarization(found) => &found.certificate.signers,
                Certificate::Nullification(found) => &found.certificate.signers,
                Certificate::Finalization(found) => &found.certificate.signers,
            };
            if view > self.own.voted.max(self.own.finalized()) && signers.iter().any(|seat| Some(seat) == me)
            {
                forgotten = forgotten.max(Some(view));
            }
        }
        let certified = certificate.as_ref().map(|certificate| certificate.view().get());
        let watched = answers.iter().filter(|answer| answer.whole).count();
        let unknown = self.fresh && !self.own.any && certified.is_some() && watched < self.needed;
        if forgotten.is_some() || unknown {
            let beyond = certified.map(|view| view.saturating_add(1));
            return Decision::Wait { view: forgotten.max(beyond).unwrap_or(1), proven: forgotten.is_some() };
        }
        if !self.own.any && certificate.is_none() {
            recall.watched_from_the_start(self.term);
        }
        let floor = finalization.and_then(|found| match found {
            Certificate::Finalization(found) => Some(found),
            _ => None,
        });
        Decision::Vote(floor.filter(|floor| floor.view().get() > self.own.finalized()))
    }

    fn holds(&self, vote: &Vote<Scheme, Digest>, rng: &mut impl CryptoRng) -> bool {
        vote.epoch().get() == self.term
            && match vote {
                Vote::Notarize(vote) => vote.verify(rng, &self.scheme, &Sequential),
                Vote::Nullify(vote) => vote.verify::<_, Digest>(rng, &self.scheme, &Sequential),
                Vote::Finalize(vote) => vote.verify(rng, &self.scheme, &Sequential),
            }
    }

    /// Of those that hold, the one with the highest view.
    fn highest(
        &self,
        certificates: impl Iterator<Item = Certificate<Scheme, Digest>>,
        rng: &mut impl CryptoRng,
    ) -> Option<Certificate<Scheme, Digest>> {
        let mut certificates: Vec<_> = certificates
            .filter(|found| found.epoch().get() == self.term && !found.view().is_zero())
            .collect();
        certificates.sort_by_key(|found| std::cmp::Reverse(found.view()));
        certificates.into_iter().find(|found| found.verify(rng, &self.scheme, &Sequential))
    }
}

fn signer(vote: &Vote<Scheme, Digest>) -> Participant {
    match vote {
        Vote::Notarize(vote) => vote.signer(),
        Vote::Nullify(vote) => vote.signer(),
        Vote::Finalize(vote) => vote.signer(),
    }
}
