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
/// How often an open challenge is looked at.
const FOLLOW_MS: u64 = 2_000;
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
    /// Challenged on L1 with a bond; who is challenged has time to answer.
    Challenged,
    /// The challenge was answered, or would have been: nobody is punished.
    Acquitted {
        /// Whether it cost our bond.
        bond_lost: bool,
    },
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
    /// A challenge is open.
    Challenged,
    /// The sequencer's signature was shown: no fault.
    Acquitted {
        /// Whether it cost our bond.
        bond_lost: bool,
    },
}

/// All cases.
#[derive(Debug, Default)]
pub(crate) struct Docket {
    cases: BTreeMap<(EvidenceNumber, Defendant), Case>,
    next: u32,
    claim_wait_ms: u64,
}

impl Docket {
    /// No case yet. A head that nobody claimed is challenged after `claim_wait_ms` at the earliest.
    pub(crate) fn new(claim_wait_ms: u64) -> Self {
        Self { claim_wait_ms, ..Self::default() }
    }

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
        let wait_ms = if evidence.fault() == Fault::NoClaim { self.claim_wait_ms } else { 0 };
        let due = TimeMs(now.0.saturating_add(wait_ms));
        let evidence = Arc::new(evidence);
        let defendants = match evidence.registration() {
            Some(registration) => vec![(Defendant::Sequencer(registration), None)],
            None => evidence
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
                    due,
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
        let open = |case: &&Case| case.is_open() && case.due <= now && !self.waits_for_another(case);
        let first = self.cases.values().find(open)?;
        // One bond reaches all who signed one certificate: the more, the better.
        let widest = |case: &&Case| self.of(case.number).count();
        let rivals =
            self.cases.values().filter(|case| case.is_claimless() && case.defendant == first.defendant);
        let wider = rivals.filter(open).max_by_key(widest).filter(|_| first.is_claimless());
        let first = wider.unwrap_or(first);
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

    /// Cases of one piece of evidence.
    fn of(&self, number: EvidenceNumber) -> impl Iterator<Item = &Case> {
        self.cases.values().filter(move |case| case.number == number)
    }

    /// Whether the same defendant has a challenge to answer under other evidence: one bond is enough to find out.
    fn waits_for_another(&self, case: &Case) -> bool {
        let same = |other: &Case| other.defendant == case.defendant && other.number != case.number;
        let mut cases = self.cases.values();
        case.is_claimless()
            && case.stage != Stage::Challenged
            && cases.any(|other| other.stage == Stage::Challenged && same(other))
    }

    /// Evidence of heads that nobody claimed which is not settled, and whether it was challenged.
    pub(crate) fn claimless(&self) -> BTreeMap<EvidenceNumber, Arc<FaultEvidence>> {
        let open = self
            .cases
            .values()
            .filter(|case| case.is_claimless() && (case.is_open() || matches!(case.stage, Stage::Submitted)));
        open.map(|case| (case.number, case.evidence.clone())).collect()
    }

    /// Whether a challenge of this evidence is open, as far as is known.
    pub(crate) fn is_challenged(&self, number: EvidenceNumber) -> bool {
        self.of(number).any(|case| matches!(case.stage, Stage::Challenged | Stage::Submitted))
    }

    /// Whether anything is to be done about this evidence.
    pub(crate) fn is_open(&self, number: EvidenceNumber) -> bool {
        self.of(number).any(Case::is_open)
    }

    /// Nobody is punished for it.
    pub(crate) fn acquit(&mut self, number: EvidenceNumber, bond_lost: bool) {
        let open = |case: &&mut Case| !matches!(case.stage, Stage::Punished { .. });
        for case in self.cases.values_mut().filter(|case| case.number == number).filter(open) {
            case.stage = Stage::Acquitted { bond_lost };
        }
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
            Verdict::Challenged => {
                (case.stage, case.due) = (Stage::Challenged, TimeMs(now.0.saturating_add(FOLLOW_MS)));
            }
            Verdict::Acquitted { bond_lost } => case.stage = Stage::Acquitted { bond_lost },
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
        matches!(self.stage, Stage::Seen | Stage::Challenged | Stage::Refused { given_up: false, .. })
    }

    fn is_claimless(&self) -> bool {
        self.evidence.fault() == Fault::NoClaim
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
