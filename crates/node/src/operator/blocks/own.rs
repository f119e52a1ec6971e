//! Judgements of one rollup that nobody re-executes, until two thirds of its judging stake agree on a block.

use super::{
    judged::ValidBlock,
    state::{Book, Effect},
    track::AHEAD_MAX,
};
use crate::registry::network_key;
use hum_bls::{Judges, Seat, SignedJudgement, Tally};
use hum_consensus::PublicKey;
use hum_ledger::State;
use hum_types::{B256, ChainId, Class, Domain, Epoch, Generation, JudgementBundle};
use std::collections::BTreeMap;

/// What became of a judgement.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Added {
    /// Two thirds of the judging stake agree since.
    pub(crate) bundled: bool,
    /// The judge has said something else about that number before: the first word counts.
    pub(crate) contradicts: bool,
    /// Judges whose signatures do not hold.
    pub(crate) bad: Vec<Seat>,
}

/// The judgements of one rollup in one epoch.
pub(crate) struct Judgements {
    judges: Judges,
    tallies: BTreeMap<(Generation, u64), BTreeMap<B256, Tally>>,
    bundles: BTreeMap<B256, (u64, JudgementBundle)>,
}

impl Judgements {
    pub(crate) const fn new(judges: Judges) -> Self {
        Self { judges, tallies: BTreeMap::new(), bundles: BTreeMap::new() }
    }

    /// The epoch that it collects for.
    pub(crate) fn epoch(&self) -> Epoch {
        self.judges.epoch()
    }

    /// Take a judgement that its own seat sent.
    pub(crate) fn add(&mut self, domain: Domain, signed: &SignedJudgement) -> Added {
        let SignedJudgement { seat, judgement, signature, .. } = *signed;
        let (number, subject) = (judgement.block.number, judgement.subject());
        if !self.judges.seats().contains(&seat) {
            return Added::default();
        }
        let place = self.tallies.entry((judgement.generation, number)).or_default();
        let others = place.iter().filter(|(other, _)| **other != subject);
        if others.into_iter().any(|(_, tally)| tally.seats().any(|other| other == seat)) {
            return Added { contradicts: true, ..Added::default() };
        }
        let tally = place.entry(subject).or_insert_with(|| Tally::new(judgement));
        tally.add(seat, signature);
        if self.bundles.contains_key(&subject) {
            return Added::default();
        }
        let (bundle, bad) = tally.bundle(domain, &self.judges);
        let bundled = bundle.is_some();
        if let Some(bundle) = bundle {
            self.bundles.insert(subject, (number, JudgementBundle::from(&bundle)));
        }
        Added { bundled, contradicts: false, bad }
    }

    /// The bundle for a judgement, once there is one.
    pub(crate) fn bundle(&self, subject: B256) -> Option<&JudgementBundle> {
        self.bundles.get(&subject).map(|(_, bundle)| bundle)
    }

    /// Forget what is finalised, and what belongs to an earlier generation.
    pub(crate) fn settle(&mut self, generation: Generation, head: u64) {
        self.tallies.retain(|(of, number), _| *of >= generation && *number > head);
        self.bundles.retain(|_, (number, _)| *number > head);
    }
}

/// Follow the finalised chain.
pub(super) fn settle(all: &mut BTreeMap<ChainId, Judgements>, state: &State) {
    for (chain_id, judgements) in all {
        if let Some(rollup) = state.rollup(*chain_id) {
            judgements.settle(rollup.generation(), rollup.head().block.number);
        }
    }
}

impl Book {
    /// Take what our own node says of a block, with our word on it.
    pub(crate) fn own_judged(&mut self, signed: &SignedJudgement, block: ValidBlock) {
        let judgement = signed.judgement;
        let chain_id = judgement.chain_id;
        let Some(track) = self.tracks.get_mut(&chain_id) else { return };
        let claims = track.claims(judgement.generation, judgement.block.number);
        let agreed = claims.is_empty() || claims.iter().any(|claim| claim.get().block == judgement.block);
        let claimed = claims.first().map(|claim| claim.get().block).filter(|_| !agreed);
        track.take_own(judgement.block, judgement.parent, block);
        if let Some(claimed) = claimed {
            let own = judgement.block;
            let what = format!("chain {chain_id}: its sequencer claims block {claimed}, own node has {own}");
            self.effects.push(Effect::Judges { what });
        }
        self.add_judgement(signed);
    }

    /// Take another judge's word. It counts only from the seat's own process, so that nobody speaks for another.
    pub(crate) fn judgement(&mut self, signed: &SignedJudgement, from: &PublicKey) {
        let seats = &self.state.seated().roster().entries;
        let sender = seats.get(usize::from(signed.seat.0)).and_then(|entry| network_key(entry.network_key));
        if sender.as_ref() == Some(from) {
            self.add_judgement(signed);
        }
    }

    fn add_judgement(&mut self, signed: &SignedJudgement) {
        let judgement = &signed.judgement;
        let chain_id = judgement.chain_id;
        let Some(rollup) = self.state.rollup(chain_id) else { return };
        let (head, generation) = (rollup.head().block.number, rollup.generation());
        let number = judgement.block.number;
        let near = number > head && number <= head.saturating_add(AHEAD_MAX);
        let present = judgement.generation == generation || Some(judgement.generation) == generation.next();
        let known = judgement.registration == rollup.params().registration
            && rollup.params().class == Class::OwnNode
            && signed.epoch == self.state.epoch();
        if !near || !present || !known {
            return;
        }
        let domain = self.state.header().domain;
        let judges = || rollup.judges(self.state.seated());
        let judgements = self.judgements.entry(chain_id).or_insert_with(|| Judgements::new(judges()));
        if judgements.epoch() != signed.epoch {
            *judgements = Judgements::new(judges());
        }
        let Added { bundled, contradicts, bad } = judgements.add(domain, signed);
        if contradicts {
            let (seat, block) = (signed.seat, judgement.block);
            let what = format!(
                "chain {chain_id}: the judge in seat {seat} judged number {number} twice, now as {block}"
            );
            self.effects.push(Effect::Judges { what });
        }
        for seat in bad {
            let what =
                format!("chain {chain_id}: the judge in seat {seat} sends signatures that do not hold");
            self.effects.push(Effect::Judges { what });
        }
        if bundled {
            self.tell_news();
        }
    }
}
