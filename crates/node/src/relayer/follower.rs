//! Keeps up with the operators: whom to follow, what to ask, whom to ask next.

use crate::wire::{Answer, CHECKPOINTS_MAX, FOLLOW_LEASE_MS, Question};
use hum_consensus::PublicKey;
use hum_relay::{CertifiedChain, OfferError, Offered, Outbox as _};
use hum_types::Height;

/// How long an operator that sent what cannot be true is not listened to.
const MUTED_MS: u64 = 30_000;
/// How soon an operator from which no news come is asked to send some again: it may have been away, or started anew.
const FOLLOW_AGAIN_MS: u64 = 500;
/// A gap above this many heights is closed by certificates in between.
const STRIDE: u64 = CHECKPOINTS_MAX as u64;

#[derive(Debug)]
struct Operator {
    key: PublicKey,
    muted_until_ms: u64,
    /// When it was last asked for news.
    followed_ms: Option<u64>,
    /// When it last sent some.
    news_ms: u64,
}

impl Operator {
    /// Whether to ask it for news now.
    fn due(&self, now_ms: u64) -> bool {
        let silent_ms = now_ms.saturating_sub(self.news_ms);
        let every_ms = if silent_ms < FOLLOW_AGAIN_MS { FOLLOW_LEASE_MS / 3 } else { FOLLOW_AGAIN_MS };
        self.followed_ms.is_none_or(|at| now_ms.saturating_sub(at) >= every_ms)
    }
}

#[derive(Debug)]
struct Asked {
    id: u64,
    operator: usize,
    question: Question,
    until_ms: u64,
}

/// What came of a message.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Nothing that the planner needs to know.
    Nothing,
    /// A newer height is certified.
    Advanced,
    /// A peer sent what cannot be true.
    Lie(OfferError),
    /// Two thirds of the stake signed what cannot be true.
    CommitteeLied(OfferError),
}

/// Whom to ask what. One question is open at a time.
#[derive(Debug)]
pub(crate) struct Follower {
    operators: Vec<Operator>,
    follow: usize,
    answer_timeout_ms: u64,
    quiet_ms: u64,
    /// The operator that is asked next, and the first that is followed.
    turn: usize,
    asked: Option<Asked>,
    /// Where the page that an answer left unfinished goes on.
    resume: Option<Height>,
    questions: u64,
    advanced_ms: u64,
    /// Questions in a row that led nowhere.
    fruitless: u32,
    /// The last certificate that an operator answered with is of a later epoch than we know.
    beyond: bool,
}

impl Follower {
    pub(crate) fn new(
        operators: Vec<PublicKey>,
        follow: usize,
        answer_timeout_ms: u64,
        quiet_ms: u64,
    ) -> Self {
        let operator = |key| Operator { key, muted_until_ms: 0, followed_ms: None, news_ms: 0 };
        let operators = operators.into_iter().map(operator).collect();
        Self {
            operators,
            follow,
            answer_timeout_ms,
            quiet_ms,
            turn: 0,
            asked: None,
            resume: None,
            questions: 0,
            advanced_ms: 0,
            fruitless: 0,
            beyond: false,
        }
    }

    /// Follow `follow` of these from now on; what is known of those that stay is kept.
    pub(crate) fn set_operators(&mut self, operators: Vec<PublicKey>, follow: usize) {
        let mut known = std::mem::take(&mut self.operators);
        let operator = |key: PublicKey| match known.iter().position(|operator| operator.key == key) {
            Some(index) => known.swap_remove(index),
            None => Operator { key, muted_until_ms: 0, followed_ms: None, news_ms: 0 },
        };
        self.operators = operators.into_iter().map(operator).collect();
        self.follow = follow;
        // Places have changed: the question that is open is asked anew.
        (self.turn, self.asked, self.resume) = (0, None, None);
    }

    /// Whether to listen to this peer.
    pub(crate) fn listens_to(&self, peer: &PublicKey, now_ms: u64) -> bool {
        self.operators.iter().any(|operator| operator.key == *peer && operator.muted_until_ms <= now_ms)
    }

    /// All of them.
    pub(crate) fn operators(&self) -> impl Iterator<Item = &PublicKey> {
        self.operators.iter().map(|operator| &operator.key)
    }

    /// Operators whose news should be asked for again now.
    pub(crate) fn follow(&mut self, now_ms: u64) -> Vec<PublicKey> {
        let first = self.turn.min(self.operators.len());
        let (before, from) = self.operators.split_at_mut(first);
        let followed = from.iter_mut().chain(before).filter(|operator| operator.muted_until_ms <= now_ms);
        let mut due = Vec::new();
        for operator in followed.take(self.follow).filter(|operator| operator.due(now_ms)) {
            operator.followed_ms = Some(now_ms);
            due.push(operator.key.clone());
        }
        due
    }

    /// News came from this operator, whatever they are.
    pub(crate) fn news_from(&mut self, peer: &PublicKey, now_ms: u64) {
        for operator in self.operators.iter_mut().filter(|operator| operator.key == *peer) {
            operator.news_ms = now_ms;
        }
    }

    /// The next question, and to whom.
    pub(crate) fn ask(&mut self, chain: &CertifiedChain, now_ms: u64) -> Option<(PublicKey, u64, Question)> {
        if self.asked.as_ref().is_some_and(|asked| asked.until_ms > now_ms) {
            return None;
        }
        if self.asked.take().is_some() {
            self.failed();
        }
        let newest = chain.header().height.0;
        // Above the end of an epoch sign those whom we do not know yet; at the end of one there always is a certificate.
        // So a question that stays within the term leads on.
        let state = chain.archive().newest();
        let terms = state.terms();
        let closing = terms.closing_of(terms.term_of(state.next_height()));
        let above = |stride: u64| {
            let height = Height(newest.saturating_add(stride));
            Question::Certificate { at_or_above: if self.beyond { height.min(closing) } else { height } }
        };
        let question = match chain.missing() {
            // Alternate, so that an operator without the certificate in between cannot stop us.
            Some((from, to)) if to.0 - from.0 > 2 * STRIDE && self.fruitless.is_multiple_of(2) => {
                above(STRIDE)
            }
            // From the top: what stands right below a certificate can be told from what does not.
            Some((from, to)) => {
                let page = Height(to.0.saturating_sub(STRIDE - 1)).max(from);
                let from = self.resume.filter(|resume| *resume >= page && *resume <= to).unwrap_or(page);
                let count = (to.0 - from.0).saturating_add(1);
                Question::Checkpoints { from, count: u16::try_from(count).unwrap_or(u16::MAX) }
            }
            None if now_ms.saturating_sub(self.advanced_ms) < self.quiet_ms => return None,
            // The farther up the answer, the more it covers: from far above down to the very next, where it stays
            // until there is one.
            None => above((STRIDE >> self.fruitless.min(63)).max(1)),
        };
        let count = self.operators.len().max(1);
        let operator = (0..count).map(|step| (self.turn + step) % count).find(|index| {
            self.operators.get(*index).is_some_and(|operator| operator.muted_until_ms <= now_ms)
        })?;
        let key = self.operators.get(operator)?.key.clone();
        self.questions += 1;
        let until_ms = now_ms.saturating_add(self.answer_timeout_ms);
        self.asked = Some(Asked { id: self.questions, operator, question, until_ms });
        Some((key, self.questions, question))
    }

    /// An answer came.
    pub(crate) fn hear(
        &mut self,
        from: &PublicKey,
        id: u64,
        answer: Answer,
        chain: &mut CertifiedChain,
        now_ms: u64,
    ) -> Vec<Heard> {
        let expected = self.asked.as_ref().is_some_and(|asked| {
            asked.id == id && self.operators.get(asked.operator).is_some_and(|operator| operator.key == *from)
        });
        if !expected {
            return Vec::new();
        }
        let Some(asked) = self.asked.take() else { return Vec::new() };
        let (before, newest, advanced_ms) = (chain.missing(), chain.header().height, self.advanced_ms);
        let mut resume = None;
        let offered: Vec<Result<Offered, OfferError>> = match (asked.question, answer) {
            (Question::Checkpoints { from, count }, Answer::Checkpoints(checkpoints)) => {
                // Answers are bounded in bytes too: the rest of the page is asked for next.
                let last = checkpoints.last().map(|checkpoint| checkpoint.header.height);
                let end = from.0.saturating_add(count.into());
                resume = last.filter(|last| *last >= from && last.0 + 1 < end).and_then(Height::next);
                checkpoints.into_iter().map(|checkpoint| chain.offer(checkpoint)).collect()
            }
            (Question::Certificate { .. }, Answer::Certificate(Some(certificate))) => {
                self.beyond = certificate.epoch > chain.epoch();
                vec![chain.certify(*certificate)]
            }
            _ => Vec::new(),
        };
        let heard: Vec<Heard> = offered.into_iter().map(|result| self.judge(from, result, now_ms)).collect();
        self.resume = resume;
        if resume.is_some()
            || heard.iter().any(|heard| matches!(heard, Heard::Advanced))
            || chain.missing() != before
        {
            self.fruitless = 0;
            // What we had to ask for is no sign that news reach us: there may be more to ask for.
            self.advanced_ms = advanced_ms;
        } else {
            self.failed();
            // Nothing above the newest is no reason to ask again at once.
            if Some(asked.question) == newest.next().map(|at_or_above| Question::Certificate { at_or_above })
            {
                self.advanced_ms = now_ms;
            }
        }
        heard
    }

    /// What an offer means for the operator that made it.
    pub(crate) fn judge(
        &mut self,
        from: &PublicKey,
        result: Result<Offered, OfferError>,
        now_ms: u64,
    ) -> Heard {
        match result {
            Ok(Offered::Advanced) => {
                self.advanced_ms = now_ms;
                self.fruitless = 0;
                Heard::Advanced
            }
            Ok(Offered::Held | Offered::Ignored) => Heard::Nothing,
            Err(error) if error.is_committees() => Heard::CommitteeLied(error),
            // Others may have crowded out what this one sent in good faith.
            Err(OfferError::Crowded { .. }) => Heard::Nothing,
            Err(error) => {
                self.mute(from, now_ms);
                Heard::Lie(error)
            }
        }
    }

    /// Do not listen to this operator for a while.
    pub(crate) fn mute(&mut self, peer: &PublicKey, now_ms: u64) {
        for operator in self.operators.iter_mut().filter(|operator| operator.key == *peer) {
            operator.muted_until_ms = now_ms.saturating_add(MUTED_MS);
        }
    }

    fn failed(&mut self) {
        self.resume = None;
        self.fruitless = self.fruitless.saturating_add(1);
        self.turn = (self.turn + 1) % self.operators.len().max(1);
    }
}

#[cfg(test)]
mod tests;
