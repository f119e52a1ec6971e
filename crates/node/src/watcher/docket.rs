//! Who is accused of what, and how far the case is. Pure: says what to do next, and is told what came of it.

use super::{
    committees::Committees,
    evidence::{AccusedOperator, Fault, FaultEvidence},
};
use hum_types::{Address, B256, RegistrationId, TimeMs};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// Cases that are held; an operator is accused of few, because the first takes all that it has.
const CASES_MAX: usize = 4_096;
/// First pause after a failure; doubles up to [`RETRY_MS_MAX`].
const RETRY_MS: u64 = 500;
const RETRY_MS_MAX: u64 = 60_000;
/// Times that L1 may refuse a case before it is given up, until the next start.
const REFUSALS_MAX: u32 = 8;
/// Accused that one transaction names: below what EIP-7825's cap on gas allows.
pub(crate) const ACCUSED_PER_TRANSACTION: usize = 16;

/// Evidence by the order in which it was found; the same after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EvidenceNumber(pub u32);

/// Who is accused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Defendant {
    /// An operator.
    Operator(Address),
    /// The sequencer of a registration.
    Sequencer(RegistrationId),
}

/// How far a case is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Stage {
    /// On disk, not submitted.
    Seen,
    /// On disk; what L1 needs beside it is not there yet.
    Incomplete,
    /// No judge for this stands on L1: people have to act on it.
    NoJudge,
    /// Submitted; no answer yet.
    Submitted,
    /// L1 has punished it, in our transaction if there is one.
    Punished {
        /// Our transaction.
        tx_hash: Option<B256>,
    },
    /// L1 refuses it, or the transaction failed; it is tried again unless it was refused too often.
    Refused {
        /// Why.
        why: String,
        /// Whether it was given up.
        given_up: bool,
    },
}

/// One accusation.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) number: EvidenceNumber,
    pub(crate) evidence: Arc<FaultEvidence>,
    pub(crate) defendant: Defendant,
    /// For operators.
    pub(crate) accused: Option<AccusedOperator>,
    pub(crate) stage: Stage,
    pub(crate) seen_at: TimeMs,
    /// When its newest stage began.
    pub(crate) at: TimeMs,
    refusals: u32,
    failures: u32,
    due: TimeMs,
    /// The punishment is in L1's final state, and on our disk.
    settled: bool,
}

/// What a person reads of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// The evidence, by the order in which it was found.
    pub number: EvidenceNumber,
    /// Hash of the evidence.
    pub evidence: B256,
    /// The rule that was broken.
    pub fault: Fault,
    /// Who broke it.
    pub defendant: Defendant,
    /// Height, or block number.
    pub position: u64,
    /// How far it is.
    #[serde(flatten)]
    pub stage: Stage,
    /// When the evidence was found.
    pub seen_ms: TimeMs,
    /// When it got as far as it is.
    pub at_ms: TimeMs,
}

/// Cases of one piece of evidence that can go into one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Filing {
    pub(crate) number: EvidenceNumber,
    pub(crate) evidence: Arc<FaultEvidence>,
    pub(crate) defendants: Vec<(Defendant, Option<AccusedOperator>)>,
}

/// What came of looking at a filing's defendants, or of sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// L1 has punished the offence.
    Punished(Option<B256>),
    /// L1 would refuse, or has refused, the transaction.
    Refused(String),
    /// It may or may not be tried again later: the node, or the money, was at fault.
    Failed(String),
    /// No contract judges this.
    NoJudge,
}

/// All cases.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    cases: BTreeMap<(EvidenceNumber, Defendant), Case>,
    next: u32,
}

impl Docket {
    /// Open the cases of new evidence. `None` when there is no room for more.
    pub(crate) fn open(
        &mut self,
        evidence: FaultEvidence,
        committees: &Committees,
        now: TimeMs,
    ) -> Option<EvidenceNumber> {
        if self.cases.len() >= CASES_MAX {
            return None;
        }
        let number = EvidenceNumber(self.next);
        self.restore(number, evidence, committees, now);
        Some(number)
    }

    /// Open the cases of evidence that has its number.
    pub(crate) fn restore(
        &mut self,
        number: EvidenceNumber,
        evidence: FaultEvidence,
        committees: &Committees,
        now: TimeMs,
    ) {
        self.next = self.next.max(number.0.saturating_add(1));
        let stage = if evidence.is_whole() { Stage::Seen } else { Stage::Incomplete };
        let evidence = Arc::new(evidence);
        let defendants = match &*evidence {
            FaultEvidence::DoubleClaim { one, .. } => {
                vec![(Defendant::Sequencer(one.claim.registration), None)]
            }
            _ => evidence
                .accused(committees)
                .into_iter()
                .map(|accused| (Defendant::Operator(accused.operator), Some(accused)))
                .collect(),
        };
        for (defendant, accused) in defendants {
            self.cases.insert(
                (number, defendant),
                Case {
                    number,
                    evidence: evidence.clone(),
                    defendant,
                    accused,
                    stage: stage.clone(),
                    seen_at: now,
                    at: now,
                    refusals: 0,
                    failures: 0,
                    due: now,
                    settled: false,
                },
            );
        }
    }

    /// The next filing that is due: cases of one evidence together. One is out at a time.
    pub(crate) fn next(&mut self, now: TimeMs) -> Option<Filing> {
        if self.cases.values().any(|case| case.stage == Stage::Submitted) {
            return None;
        }
        let first = self.cases.values().find(|case| case.is_open() && case.due <= now)?;
        let (number, evidence) = (first.number, first.evidence.clone());
        let mut defendants = Vec::new();
        for case in self.cases.values_mut().filter(|case| case.number == number) {
            if case.is_open() && case.due <= now && defendants.len() < ACCUSED_PER_TRANSACTION {
                (case.stage, case.at) = (Stage::Submitted, now);
                defendants.push((case.defendant, case.accused));
            }
        }
        Some(Filing { number, evidence, defendants })
    }

    /// What came of a case that was out.
    pub(crate) fn conclude(
        &mut self,
        number: EvidenceNumber,
        defendant: Defendant,
        verdict: Verdict,
        now: TimeMs,
    ) {
        let Some(case) = self.cases.get_mut(&(number, defendant)) else { return };
        case.at = now;
        match verdict {
            Verdict::Punished(tx_hash) => case.stage = Stage::Punished { tx_hash },
            Verdict::Refused(why) => {
                case.refusals += 1;
                case.stage = Stage::Refused { why, given_up: case.refusals >= REFUSALS_MAX };
                case.due = pause(now, case.refusals);
            }
            Verdict::Failed(why) => {
                case.failures = case.failures.saturating_add(1);
                case.stage = Stage::Refused { why, given_up: false };
                case.due = pause(now, case.failures);
            }
            Verdict::NoJudge => case.stage = Stage::NoJudge,
        }
    }

    /// Punished cases that L1's final state may not hold yet, by evidence.
    pub(crate) fn unsettled(&self) -> Vec<Filing> {
        let mut filings: BTreeMap<EvidenceNumber, Filing> = BTreeMap::new();
        let open = |case: &&Case| !case.settled && matches!(case.stage, Stage::Punished { .. });
        for case in self.cases.values().filter(open) {
            let (number, evidence) = (case.number, case.evidence.clone());
            let filing =
                filings.entry(number).or_insert_with(|| Filing { number, evidence, defendants: Vec::new() });
            filing.defendants.push((case.defendant, case.accused));
        }
        filings.into_values().collect()
    }

    /// L1's final state holds the punishment. The transaction to write down; `None` when that was done.
    pub(crate) fn settled(&mut self, number: EvidenceNumber, defendant: Defendant) -> Option<Option<B256>> {
        let case = self.cases.get_mut(&(number, defendant)).filter(|case| !case.settled)?;
        let Stage::Punished { tx_hash } = case.stage else { return None };
        case.settled = true;
        Some(tx_hash)
    }

    /// The disk says that it was punished.
    pub(crate) fn settle(&mut self, number: EvidenceNumber, defendant: Defendant, tx_hash: Option<B256>) {
        if let Some(case) = self.cases.get_mut(&(number, defendant)) {
            (case.stage, case.settled) = (Stage::Punished { tx_hash }, true);
        }
    }

    /// L1 does not hold a punishment any more: it dropped the block. It is taken up again.
    pub(crate) fn reopen(&mut self, number: EvidenceNumber, defendant: Defendant, now: TimeMs) {
        if let Some(case) = self.cases.get_mut(&(number, defendant))
            && !case.settled
            && matches!(case.stage, Stage::Punished { .. })
        {
            (case.stage, case.at, case.due) = (Stage::Seen, now, now);
        }
    }

    /// Whether nothing is under way or due.
    pub(crate) fn is_idle(&self) -> bool {
        !self.cases.values().any(|case| case.is_open() || case.stage == Stage::Submitted)
    }

    /// One case.
    #[cfg(test)]
    pub(crate) fn case(&self, number: EvidenceNumber, defendant: Defendant) -> Option<&Case> {
        self.cases.get(&(number, defendant))
    }

    /// All cases, as people read them.
    pub(crate) fn view(&self) -> Vec<CaseView> {
        self.cases.values().map(Case::view).collect()
    }
}

fn pause(now: TimeMs, attempts: u32) -> TimeMs {
    let doubled = RETRY_MS.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    TimeMs(now.0.saturating_add(doubled.min(RETRY_MS_MAX)))
}

impl Case {
    fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Seen | Stage::Refused { given_up: false, .. })
    }

    fn view(&self) -> CaseView {
        CaseView {
            number: self.number,
            evidence: self.evidence.id(),
            fault: self.evidence.fault(),
            defendant: self.defendant,
            position: self.evidence.position(),
            stage: self.stage.clone(),
            seen_ms: self.seen_at,
            at_ms: self.at,
        }
    }
}

#[cfg(test)]
mod tests;
