//! False heads: suspects replayed, heads held against their chains, claims asked for.

use super::{Actor, Done, Finding};
use crate::{
    runtime::Runtime,
    watcher::{
        answers::Challenge,
        docket::EvidenceNumber,
        evidence::{Charge, FaultEvidence, HeadStatement},
        heads::HeadCheck,
        posted::PostedCheck,
    },
    wire::{BlockId, FetchMessage, Question, Submission},
};
use futures::FutureExt as _;
use hum_chain::ReadError;
use hum_consensus::Recipients;
use hum_types::{Checkpoint, Confidence, Encode as _, Header, Height};

/// Numbers of questions that are asked of all operators: above those of the follower.
const ASKED: u64 = 1 << 63;
/// Suspects that are replayed in one turn.
const TRIALS_AT_ONCE: usize = 4;

impl<E: Runtime> Actor<E> {
    /// Replay checkpoints that somebody signed and nobody finalised.
    pub(super) async fn try_suspects(&mut self) {
        for _ in 0..TRIALS_AT_ONCE {
            let (archive, detector) = (self.chain.archive(), &self.detector);
            let newest = archive.newest().header().height;
            let is_ready = |suspect: &Checkpoint| {
                let header = &suspect.header;
                let parent = header.height.0.checked_sub(1).map(|below| archive.state_at(Height(below)));
                let stands = parent
                    .is_some_and(|state| state.is_ok_and(|state| state.header().hash() == header.parent));
                stands && detector.is_signed(header.height, header.hash())
            };
            let Some(suspect) = self.suspects.next(newest, self.now, is_ready) else { return };
            self.try_suspect(&suspect).await;
        }
    }

    async fn try_suspect(&mut self, suspect: &Checkpoint) {
        let header = suspect.header;
        let parent = Height(header.height.0.saturating_sub(1));
        let Ok(before) = self.chain.archive().state_at(parent) else { return };
        // What does not follow even so means nothing that can be shown.
        let Ok(state) = before.check_unclaimed(suspect) else { return };
        let (claims, retractions) = super::super::bodies::signatures(&suspect.body, &state);
        let mut findings = Vec::new();
        for claim in claims {
            let found = self.detector.claim(claim);
            findings.extend(found.into_iter().filter(|finding| *finding != Finding::Forged));
        }
        retractions.into_iter().for_each(|retraction| self.detector.retraction(retraction));
        for rollup in state.rollups() {
            let (params, part) = (rollup.params(), rollup.latest());
            if part.advanced_at != header.height || part.block == params.anchor {
                continue;
            }
            let shown = self.detector.shown(params.chain_id, rollup.generation(), part.block);
            let head = HeadStatement::of(&state, params.chain_id, Confidence::Latest);
            if let Some(head) = head.filter(|_| shown.is_none()) {
                findings.extend(self.detector.false_head(&header, head, Charge::NoClaim));
            }
        }
        self.heads.add(HeadCheck::all(&state));
        self.posted.add(PostedCheck::all(&state));
        self.found(None, findings).await;
    }

    /// Hold heads against their chains.
    pub(super) fn look_at_heads(&mut self) {
        while let Some((check, chain)) = self.heads.next(self.now) {
            let work = async move {
                let result = check.run(&*chain).await;
                Done::Head(Box::new(check), result)
            };
            self.work.push(work.boxed());
        }
    }

    pub(super) async fn head_judged(&mut self, check: HeadCheck, result: Result<Option<Charge>, ReadError>) {
        let (chain_id, header, head) = (check.chain_id(), check.header, check.head.clone());
        match result {
            Ok(charge) => {
                self.heads.done(chain_id);
                let Some(charge) = charge else { return };
                let what = format!("checkpoint {}: {} of chain {chain_id}", header.height, charge.fault());
                self.shared.alarm(self.now, &what);
                let findings = self.detector.false_head(&header, head, charge);
                self.found(None, findings).await;
            }
            Err(error) => {
                let number = head.part.block.number;
                self.shared.trouble(Some(format!("chain {chain_id}, block {number}: {error}")));
                if !self.heads.again(check, self.now) {
                    let what = format!("chain {chain_id} could not be looked at: {error}");
                    self.shared.alarm(self.now, &what);
                }
                self.shared.passed_over(self.heads.passed_over());
            }
        }
    }

    /// What L1 says of a settled head; nothing while our node is behind the header's origin.
    pub(super) async fn posted_judged(
        &mut self,
        check: PostedCheck,
        result: Result<Option<bool>, ReadError>,
    ) {
        let (height, chain_id) = (check.header.height, check.head.chain_id());
        match result {
            Ok(Some(contradicted)) => {
                self.posted.done();
                if contradicted {
                    let what = format!(
                        "checkpoint {height}: L1 has no {} head of chain {chain_id}",
                        check.confidence
                    );
                    self.shared.alarm(self.now, &what);
                    let charge = Charge::Settled { confidence: check.confidence };
                    let findings = self.detector.false_head(&check.header, check.head, charge);
                    self.found(None, findings).await;
                }
            }
            Ok(None) => self.posted.again(check, self.now),
            Err(error) => {
                let what = format!("settled head of chain {chain_id} at height {height}: {error}");
                self.shared.trouble(Some(what));
                self.posted.again(check, self.now);
            }
        }
    }

    /// Ask everyone for the claims of heads that seem to have none.
    pub(super) fn ask_for_claims(&mut self) {
        if !self.asking.is_due(self.now) {
            return;
        }
        for (number, evidence) in self.docket.claimless() {
            let FaultEvidence::FalseHead { head, .. } = &*evidence else { continue };
            let question =
                Question::Block { chain_id: head.chain_id(), block: BlockId::Hash(head.part.block.hash) };
            let message = FetchMessage::Ask { id: ASKED | u64::from(number.0), question };
            let operators = self.follower.operators().cloned().collect();
            self.fetch.sender.send(Recipients::Some(operators), message.encode().into(), true);
        }
    }

    /// An operator had the block of a head that was asked for.
    pub(super) async fn claim_told(&mut self, submission: Submission) {
        let findings = self.detector.claim(submission.claim);
        let real = findings.into_iter().filter(|finding| *finding != Finding::Forged).collect();
        self.found(None, real).await;
    }

    /// Heads whose claims have turned up are nobody's fault. What L1 has to say of those already challenged it says.
    pub(super) async fn acquit_claimed(&mut self) {
        for (number, evidence) in self.docket.claimless() {
            let FaultEvidence::FalseHead { head, .. } = &*evidence else { continue };
            let shown = self.detector.shown(head.chain_id(), head.generation(), head.part.block);
            if shown.is_some() && !self.docket.is_challenged(number) {
                self.acquit(number, 0).await;
            }
        }
    }

    /// Nobody is punished for this evidence; it cost us this much.
    pub(super) async fn acquit(&mut self, number: EvidenceNumber, lost_wei: u128) {
        self.docket.acquit(number, lost_wei > 0);
        self.bonds.is_lost(number, lost_wei, self.now);
        if let Err(error) = self.store.acquitted(number, self.now, lost_wei).await {
            self.shared.alarm(self.now, &format!("evidence cannot be kept on disk: {error}"));
        }
        self.shared.did(self.now, format!("evidence {}: it was answered, nobody is punished", number.0));
        self.shared.bonds(&self.bonds);
        self.shared.cases(self.docket.view());
    }

    /// Evidence of ours that a challenge on L1 is about.
    pub(super) fn own_challenge(&self, challenge: &Challenge) -> Option<EvidenceNumber> {
        let claimless = self.docket.claimless();
        let about = |evidence: &FaultEvidence| match evidence {
            FaultEvidence::FalseHead { head, .. } => {
                (head.chain_id(), head.generation(), head.part.block)
                    == (challenge.chain_id, challenge.generation, challenge.block)
            }
            _ => false,
        };
        claimless.into_iter().find(|(_, evidence)| about(evidence)).map(|(number, _)| number)
    }

    /// A finalised header's heads are looked at too.
    pub(super) fn finalised_heads(&mut self, header: &Header) {
        self.suspects.finalised(header.height, header.hash());
        if let Ok(state) = self.chain.archive().state_at(header.height) {
            self.heads.add(HeadCheck::all(state));
            self.posted.add(PostedCheck::all(state));
        }
    }
}
