//! What contradicts what. Pure: everything that is heard goes in, evidence comes out.
//!
//! A signature is checked when something depends on it: when its statement contradicts another one, or what was
//! finalised. So what all honest operators say costs a comparison, and what nobody signed accuses nobody.
//!
//! ```text
//! attestation, certificate ─▶ by height, by operator ─(another header of that height)─▶ check both ─▶ evidence
//! finalised header ─────────▶                        ─(another header than this)─────▶ check ──────▶ wrong
//! claim ────────────────────▶ by rollup, generation, number ─(another block)─────────────────────▶ evidence
//! ```

mod seen;

use super::{
    answers::Shown,
    committees::Committees,
    evidence::{Charge, DueTable, Fault, FaultEvidence, HeadStatement, Statement},
    judges::subject_of,
};
use hum_bls::{Attestation, Certificate, Committee, PossessedKey, Seat};
use hum_types::{
    Address, B256, BlockRef, ChainId, Domain, Epoch, Generation, Header, Height, RegistrationId, SignedClaim,
    SignedRetraction,
};
use seen::{Falsehood, Seen, Single, member};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Heights below the highest certified one that are remembered.
const BELOW: u64 = 16_384;
/// Heights above it whose attestations are looked at: nobody honest is farther ahead.
const ABOVE: u64 = 1_024;
/// Attestations that are held at all; the lowest heights lose theirs first, their certificates stay.
const SINGLES_MAX: usize = 262_144;
/// Headers, certificates and attestations of one operator that are held for one height.
const PER_HEIGHT_MAX: usize = 4;
/// Things that are false in headers of one height.
const FALSEHOODS_MAX: usize = 16;
/// Attestations of epochs whose committee is not known yet.
const WAITING_MAX: usize = 4_096;
/// Block numbers of one rollup whose claims are held.
const CLAIMS_MAX: usize = 65_536;
/// Blocks of one rollup that L1 holds and that claims are held against.
const BATCHES_MAX: usize = 16_384;
/// Retractions that are held.
const RETRACTIONS_MAX: usize = 4_096;
/// Offences of one kind that are kept of one operator: the first takes all that it has.
const OFFENCES_MAX: usize = 4;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "findings are rare and handled one at a time")]
pub enum Finding {
    /// Somebody can be punished.
    Evidence(FaultEvidence),
    /// An operator attested what was not finalised, or is false. By itself the first proves a lie to people, not to L1.
    Wrong {
        /// The operator.
        operator: Address,
        /// Its seat.
        seat: Seat,
        /// In which committee.
        epoch: Epoch,
        /// For which height.
        height: Height,
        /// What it signed.
        header_hash: B256,
        /// What is false in it; nothing that is known when it was merely not finalised.
        why: Option<Fault>,
    },
    /// Whoever passed it on passed on what nobody signed.
    Forged,
}

/// Everything heard, bounded.
#[derive(Debug)]
pub struct Detector {
    domain: Domain,
    committees: Committees,
    sequencers: BTreeMap<ChainId, (RegistrationId, Address)>,
    heights: BTreeMap<Height, Seen>,
    singles: usize,
    /// The highest height that a checked certificate is for.
    certified: Height,
    waiting: VecDeque<Attestation>,
    claims: BTreeMap<ChainId, BTreeMap<(Generation, u64), Vec<SignedClaim>>>,
    /// By the generation that they open.
    retractions: BTreeMap<(ChainId, Generation), SignedRetraction>,
    /// Offences for which evidence that L1 can read was found.
    found: BTreeMap<(Fault, Address), BTreeSet<(Height, B256)>>,
    /// Offences for which only a header is missing.
    incomplete: BTreeSet<(Address, Height)>,
    accused_sequencers: BTreeSet<(RegistrationId, Generation)>,
    /// The last blocks of what rollups posted, in L1's final blocks.
    batches: BTreeMap<ChainId, BTreeMap<u64, B256>>,
    /// Sequencers accused of a claim that L1 contradicts.
    contradicted: BTreeSet<(RegistrationId, Generation)>,
}

impl Detector {
    /// Nothing was heard yet. `committees` holds at least the first one; `sequencers` are the members'.
    #[must_use]
    pub fn new(
        domain: Domain,
        committees: Committees,
        sequencers: BTreeMap<ChainId, (RegistrationId, Address)>,
    ) -> Self {
        Self {
            domain,
            committees,
            sequencers,
            heights: BTreeMap::new(),
            singles: 0,
            certified: Height(0),
            waiting: VecDeque::new(),
            claims: BTreeMap::new(),
            retractions: BTreeMap::new(),
            found: BTreeMap::new(),
            incomplete: BTreeSet::new(),
            accused_sequencers: BTreeSet::new(),
            batches: BTreeMap::new(),
            contradicted: BTreeSet::new(),
        }
    }

    /// A rollup has joined. A member's sequencer never changes.
    pub fn admit(&mut self, chain_id: ChainId, registration: RegistrationId, sequencer: Address) {
        self.sequencers.entry(chain_id).or_insert((registration, sequencer));
    }

    /// Committees known so far.
    #[must_use]
    pub const fn committees(&self) -> &Committees {
        &self.committees
    }

    /// The sequencer of a member.
    #[must_use]
    pub fn sequencer(&self, chain_id: ChainId) -> Option<(RegistrationId, Address)> {
        self.sequencers.get(&chain_id).copied()
    }

    /// Evidence that was found before a restart: it is not found again.
    pub fn remember(&mut self, evidence: &FaultEvidence) {
        if let FaultEvidence::DoubleClaim { one, .. } = evidence {
            self.accused_sequencers.insert((one.claim.registration, one.claim.generation));
        }
        if let FaultEvidence::FalseClaim { claim } = evidence {
            self.contradicted.insert((claim.claim.registration, claim.claim.generation));
        }
        if evidence.is_whole() {
            for accused in evidence.accused(&self.committees) {
                self.note(evidence, accused.operator);
            }
        }
    }

    /// The committee in force from height `first` on. Attestations that waited for it are looked at now.
    pub fn committee(&mut self, committee: Arc<Committee>, first: Height) -> Vec<Finding> {
        self.committees.insert(committee, first);
        let waiting = std::mem::take(&mut self.waiting);
        let findings = waiting.into_iter().flat_map(|attestation| self.attestation(attestation));
        // Nobody can be blamed any more for what was forged.
        findings.filter(|finding| *finding != Finding::Forged).collect()
    }

    /// An attestation, from anyone.
    pub fn attestation(&mut self, attestation: Attestation) -> Vec<Finding> {
        let Attestation { epoch, height, header_hash, seat, .. } = attestation;
        let Some(committee) = self.committees.get(epoch).cloned() else {
            let newest = self.committees.newest().map(|committee| committee.table().epoch());
            if newest.is_none_or(|newest| epoch > newest) {
                self.waiting.push_back(attestation);
                if self.waiting.len() > WAITING_MAX {
                    self.waiting.pop_front();
                }
            }
            return Vec::new();
        };
        let Some(operator) = member(&committee, seat).map(PossessedKey::operator) else {
            return vec![Finding::Forged];
        };
        if height.0.saturating_add(BELOW) < self.certified.0
            || height.0 > self.certified.0.saturating_add(ABOVE)
        {
            return Vec::new();
        }
        let covered = self.committees.covers(epoch, height);
        let seen = self.heights.entry(height).or_default();
        let held = seen.singles.entry(operator).or_default();
        if held.iter().any(|single| single.attestation == attestation) {
            return Vec::new();
        }
        let said = (epoch, header_hash);
        let alone = !held.is_empty()
            || !covered
            || seen.falsehoods.iter().any(|(header, _)| header.hash() == header_hash)
            || seen.finalised.is_some_and(|finalised| finalised != header_hash)
            || seen.certificates.iter().any(|certificate| certificate.header_hash != header_hash);
        if alone && attestation.verify(&committee, self.domain).is_err() {
            return vec![Finding::Forged];
        }
        let single = Single { attestation, checked: alone };
        let said_before =
            |single: &Single| (single.attestation.epoch, single.attestation.header_hash) == said;
        if let Some(before) = held.iter_mut().find(|single| said_before(single)) {
            // There is one true signature on each statement, and this is it.
            *before = single;
        } else if held.len() < PER_HEIGHT_MAX {
            held.push(single);
            self.singles += 1;
        }
        let mut findings = Vec::new();
        if alone {
            if !covered && seen.finalised.is_none_or(|finalised| finalised == header_hash) {
                findings.extend(seen.count_wrong((operator, seat), epoch, height, header_hash, None));
            }
            findings.extend(self.compare(height, operator));
        }
        self.forget();
        findings
    }

    /// A certificate, from anyone.
    pub fn certificate(&mut self, certificate: &Certificate) -> Vec<Finding> {
        let Certificate { epoch, height, header_hash, .. } = *certificate;
        let Some(committee) = self.committees.get(epoch).cloned() else { return Vec::new() };
        if height.0.saturating_add(BELOW) < self.certified.0 {
            return Vec::new();
        }
        if let Some(seen) = self.heights.get(&height)
            && let Some(held) = seen.certificates.iter().find(|held| held.header_hash == header_hash)
            && held.signers.count() >= certificate.signers.count()
        {
            return Vec::new();
        }
        if certificate.clone().verify(committee.table(), self.domain).is_err() {
            return vec![Finding::Forged];
        }
        self.certified = self.certified.max(height);
        let seen = self.heights.entry(height).or_default();
        if let Some(held) = seen.certificates.iter_mut().find(|held| held.header_hash == header_hash) {
            *held = certificate.clone();
        } else if seen.certificates.len() < PER_HEIGHT_MAX {
            seen.certificates.push(certificate.clone());
        }
        let signers: Vec<Address> = certificate
            .signers
            .present()
            .filter_map(|seat| member(&committee, seat).map(PossessedKey::operator))
            .collect();
        let findings = signers.into_iter().flat_map(|operator| self.compare(height, operator)).collect();
        self.forget();
        findings
    }

    /// A header that somebody sent; it may be what a certificate is about.
    pub fn header(&mut self, header: &Header) -> Vec<Finding> {
        let (height, hash) = (header.height, header.hash());
        if height.0.saturating_add(BELOW) < self.certified.0
            || height.0 > self.certified.0.saturating_add(ABOVE)
        {
            return Vec::new();
        }
        let seen = self.heights.entry(height).or_default();
        let named = seen.certificates.iter().any(|certificate| certificate.header_hash == hash);
        if !named && seen.headers.len() >= PER_HEIGHT_MAX {
            return Vec::new();
        }
        seen.headers.insert(hash, *header);
        let missing: Vec<Address> =
            self.incomplete.iter().filter(|(_, at)| *at == height).map(|(operator, _)| *operator).collect();
        missing.into_iter().flat_map(|operator| self.compare(height, operator)).collect()
    }

    /// A header that is certified, by itself or by one above it, and replayed.
    pub fn finalised(&mut self, header: &Header) -> Vec<Finding> {
        let height = header.height;
        let mut findings = self.header(header);
        if height.0.saturating_add(BELOW) < self.certified.0 {
            return findings;
        }
        let seen = self.heights.entry(height).or_default();
        let hash = header.hash();
        seen.finalised = Some(hash);
        seen.headers.insert(hash, *header);
        let differs = |single: &Single| single.attestation.header_hash != hash;
        let mut suspects: BTreeSet<Address> = seen
            .singles
            .iter()
            .filter(|(_, held)| held.iter().any(differs))
            .map(|(operator, _)| *operator)
            .collect();
        for certificate in seen.certificates.iter().filter(|certificate| certificate.header_hash != hash) {
            let Some(committee) = self.committees.get(certificate.epoch) else { continue };
            let signers = certificate.signers.present().filter_map(|seat| member(committee, seat));
            suspects.extend(signers.map(PossessedKey::operator));
        }
        findings.extend(suspects.into_iter().flat_map(|operator| self.compare(height, operator)));
        findings
    }

    /// A finalised closing header announces another table than L1 had at its origin.
    pub fn false_table(&mut self, header: &Header, expected: DueTable) -> Vec<Finding> {
        self.falsehood(header, Falsehood::Table(expected))
    }

    /// A header has a false head. Whoever signed it, or is heard to have signed it later, is accused.
    pub fn false_head(&mut self, header: &Header, head: HeadStatement, charge: Charge) -> Vec<Finding> {
        self.falsehood(header, Falsehood::Head(head, charge))
    }

    fn falsehood(&mut self, header: &Header, falsehood: Falsehood) -> Vec<Finding> {
        let seen = self.heights.entry(header.height).or_default();
        let known = seen.falsehoods.iter().any(|(before, what)| before == header && *what == falsehood);
        if known || seen.falsehoods.len() >= FALSEHOODS_MAX {
            return Vec::new();
        }
        seen.falsehoods.push((*header, falsehood));
        let signers = seen.signers(header.hash(), &self.committees);
        signers.into_iter().flat_map(|operator| self.compare(header.height, operator)).collect()
    }

    /// Whether anybody is known to have signed this header.
    #[must_use]
    pub fn is_signed(&self, height: Height, header_hash: B256) -> bool {
        self.heights.get(&height).is_some_and(|seen| seen.is_signed(header_hash))
    }

    /// A claim, from anyone.
    pub fn claim(&mut self, signed: SignedClaim) -> Vec<Finding> {
        let claim = signed.claim;
        let Some((registration, sequencer)) = self.sequencer(claim.chain_id) else { return Vec::new() };
        if claim.registration != registration {
            return Vec::new();
        }
        let claims = self.claims.entry(claim.chain_id).or_default();
        let place = (claim.generation, claim.block.number);
        let known = |held: &SignedClaim| held.claim.block.hash == claim.block.hash;
        if claims.get(&place).is_some_and(|held| held.iter().any(known)) {
            return Vec::new();
        }
        if signed.authenticate(self.domain, sequencer).is_err() {
            return vec![Finding::Forged];
        }
        let held = claims.entry(place).or_default();
        let before = held.first().copied();
        if held.len() < PER_HEIGHT_MAX {
            held.push(signed);
        }
        while claims.len() > CLAIMS_MAX {
            claims.pop_first();
        }
        let double = before.filter(|_| self.accused_sequencers.insert((registration, claim.generation)));
        let double = double.map(|one| FaultEvidence::DoubleClaim { one, other: signed });
        let contradicted = self.contradicted(signed);
        double.into_iter().chain(contradicted).map(Finding::Evidence).collect()
    }

    /// What a rollup posted ends with this block, in a final block of L1.
    pub(crate) fn batch(&mut self, registration: RegistrationId, last: BlockRef) -> Vec<Finding> {
        let Some(chain_id) = self.member_of(registration) else { return Vec::new() };
        let batches = self.batches.entry(chain_id).or_default();
        batches.insert(last.number, last.hash);
        while batches.len() > BATCHES_MAX {
            batches.pop_first();
        }
        let claims = self.claims.get(&chain_id).into_iter().flatten();
        let there = claims.filter(|((_, number), _)| *number == last.number);
        let claims: Vec<SignedClaim> = there.flat_map(|(_, held)| held).copied().collect();
        let found = claims.into_iter().filter_map(|claim| self.contradicted(claim));
        found.map(Finding::Evidence).collect()
    }

    /// Evidence, when L1 holds another block in this claim's place and the claim was not taken back; one a generation.
    fn contradicted(&mut self, signed: SignedClaim) -> Option<FaultEvidence> {
        let claim = signed.claim;
        let posted = self.batches.get(&claim.chain_id)?.get(&claim.block.number)?;
        if *posted == claim.block.hash
            || self.withdrawal(claim.chain_id, claim.generation, claim.block.number).is_some()
            || !self.contradicted.insert((claim.registration, claim.generation))
        {
            return None;
        }
        Some(FaultEvidence::FalseClaim { claim: signed })
    }

    /// The retraction that took back what was claimed in a generation at this number.
    pub(crate) fn withdrawal(
        &self,
        chain_id: ChainId,
        generation: Generation,
        number: u64,
    ) -> Option<SignedRetraction> {
        let opened = Generation(generation.0.checked_add(1)?);
        let retraction = self.retractions.get(&(chain_id, opened))?;
        (retraction.retraction.kept.number < number).then_some(*retraction)
    }

    /// The member that has this registration.
    pub(crate) fn member_of(&self, registration: RegistrationId) -> Option<ChainId> {
        self.sequencers.iter().find(|(_, (own, _))| *own == registration).map(|(chain_id, _)| *chain_id)
    }

    /// A retraction, from anyone.
    pub fn retraction(&mut self, signed: SignedRetraction) {
        let said = signed.retraction;
        let Some((registration, sequencer)) = self.sequencer(said.chain_id) else { return };
        if said.registration == registration && signed.authenticate(self.domain, sequencer).is_ok() {
            self.retractions.insert((said.chain_id, said.generation), signed);
            while self.retractions.len() > RETRACTIONS_MAX {
                self.retractions.pop_first();
            }
        }
    }

    /// The sequencer's signature on a block in a generation: on its claim, or on the retraction that kept it.
    pub(crate) fn shown(&self, chain_id: ChainId, generation: Generation, block: BlockRef) -> Option<Shown> {
        let claims = self.claims.get(&chain_id).and_then(|claims| claims.get(&(generation, block.number)));
        let mut claims = claims.into_iter().flatten().filter(|held| held.claim.block == block);
        let retraction = self.retractions.get(&(chain_id, generation));
        let retraction = retraction.filter(|held| held.retraction.kept == block);
        let claimed = claims.next().map(|held| Shown::Claim(held.signature));
        claimed.or_else(|| retraction.map(|held| Shown::Retraction(held.signature)))
    }

    /// Compare everything that one operator signed for a height, checking what was not checked yet.
    fn compare(&mut self, height: Height, operator: Address) -> Vec<Finding> {
        let Some(seen) = self.heights.get_mut(&height).filter(|seen| seen.is_disputed(operator)) else {
            return Vec::new();
        };
        let (committees, domain) = (&self.committees, self.domain);
        let mut findings = Vec::new();
        if let Some(held) = seen.singles.get_mut(&operator) {
            let before = held.len();
            held.retain_mut(|single| {
                let holds = single.checked
                    || committees
                        .get(single.attestation.epoch)
                        .is_some_and(|committee| single.attestation.verify(committee, domain).is_ok());
                single.checked = holds;
                holds
            });
            self.singles = self.singles.saturating_sub(before - held.len());
        }
        let statements = seen.statements(operator, committees);
        for (seat, statement) in &statements {
            let (epoch, header_hash) = (statement.epoch(), statement.header_hash());
            let said = seen.falsehoods.iter().filter(|(header, _)| header.hash() == header_hash);
            let mut reasons: Vec<Option<Fault>> = said.map(|(_, what)| Some(what.fault())).collect();
            if seen.finalised.is_some_and(|finalised| finalised != header_hash) {
                reasons.push(None);
            }
            for why in reasons {
                findings.extend(seen.count_wrong((operator, *seat), epoch, height, header_hash, why));
            }
        }
        let pairs = statements.iter().enumerate().flat_map(|(index, (_, one))| {
            statements.iter().skip(index + 1).map(move |(_, other)| (one, other))
        });
        let contradicting = pairs.filter(|(one, other)| one.header_hash() != other.header_hash());
        // Single attestations come first: they are the cheapest to judge, and need no header.
        let pair = contradicting.min_by_key(|(one, other)| !(one.is_whole() && other.is_whole()));
        let double = pair
            .map(|(one, other)| FaultEvidence::DoubleAttestation { one: one.clone(), other: other.clone() });
        let heads = seen.falsehoods.iter().filter_map(|(header, falsehood)| {
            let hash = header.hash();
            // A certificate, the last one, accuses all of its signers at once.
            let (_, statement) = statements.iter().rfind(|(_, signed)| signed.header_hash() == hash)?;
            Some(falsehood.against(Statement { header: Some(*header), ..statement.clone() }))
        });
        let all: Vec<FaultEvidence> = double.into_iter().chain(heads).collect();
        for evidence in all {
            if self.is_new(&evidence, operator, height) {
                findings.push(Finding::Evidence(evidence));
            }
        }
        findings
    }

    /// Whether evidence tells more of this operator than what was found before. Then it is noted for all that it accuses.
    fn is_new(&mut self, evidence: &FaultEvidence, operator: Address, height: Height) -> bool {
        let fault = evidence.fault();
        let found = self.found.get(&(fault, operator));
        let offence = (height, subject_of(evidence));
        if found.is_some_and(|found| found.contains(&offence) || found.len() >= OFFENCES_MAX) {
            return false;
        }
        if !evidence.is_whole() {
            let mut new = false;
            for accused in evidence.accused(&self.committees) {
                new |= self.incomplete.insert((accused.operator, height));
            }
            while self.incomplete.len() > WAITING_MAX {
                self.incomplete.pop_first();
            }
            return new;
        }
        for accused in evidence.accused(&self.committees) {
            self.incomplete.remove(&(accused.operator, height));
            self.note(evidence, accused.operator);
        }
        true
    }

    fn note(&mut self, evidence: &FaultEvidence, operator: Address) {
        let offence = (Height(evidence.position()), subject_of(evidence));
        self.found.entry((evidence.fault(), operator)).or_default().insert(offence);
    }

    /// Keep memory bounded: old heights go, then the attestations of the lowest ones.
    fn forget(&mut self) {
        let lowest = Height(self.certified.0.saturating_sub(BELOW));
        while let Some(entry) = self.heights.first_entry().filter(|entry| *entry.key() < lowest) {
            let seen = entry.remove();
            self.singles = self.singles.saturating_sub(seen.singles.values().map(Vec::len).sum());
        }
        if self.singles <= SINGLES_MAX {
            return;
        }
        // Well below the bound, so that this is not done for each attestation.
        for seen in self.heights.values_mut() {
            if self.singles <= SINGLES_MAX - SINGLES_MAX / 8 {
                break;
            }
            self.singles = self.singles.saturating_sub(seen.singles.values().map(Vec::len).sum());
            seen.singles.clear();
        }
    }
}

#[cfg(test)]
mod tests;
