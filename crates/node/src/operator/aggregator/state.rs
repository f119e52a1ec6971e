//! The window of heights that attestations are collected for.

use crate::registry;
use hum_bls::{Aggregator, Attestation, AttestationRefused, Certificate, Committee, Seat};
use hum_consensus::PublicKey;
use hum_ledger::SeatedRoster;
use hum_types::{B256, Domain, Header, Height, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Heights that attestations are collected for.
pub(crate) const WINDOW: usize = 128;
/// Heights above the newest finalised one whose attestations are kept for later.
const EARLY: u64 = 64;
/// How long late attestations are gathered before they are checked together.
const GROW_MS: u64 = 100;
/// Age at which an uncertified attestation is said again, and how often.
const REPEAT_MS: u64 = 750;
/// Attestations that are repeated at once.
const REPEATS_MAX: usize = crate::wire::GOSSIP_BATCH_MAX;

/// What came of an attestation.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// A new or fuller certificate, checked.
    pub(crate) certificate: Option<Certificate>,
    /// A certificate that the sender lacks.
    pub(crate) lacks: Option<Certificate>,
    /// Attestations whose signature does not hold.
    pub(crate) bad: usize,
    /// The sender signed another header for a finalised height: it lied, and this proves it.
    pub(crate) lie: Option<Attestation>,
}

/// An epoch, as far as attestations need it.
pub(crate) struct Seats {
    pub(crate) committee: Arc<Committee>,
    /// By network key.
    pub(crate) seats: BTreeMap<PublicKey, Seat>,
}

impl Seats {
    pub(crate) fn new(seated: &SeatedRoster) -> Self {
        let mut seats = BTreeMap::new();
        for (seat, entry) in (0..).map(Seat).zip(&seated.roster().entries) {
            if let Some(key) = registry::network_key(entry.network_key) {
                seats.entry(key).or_insert(seat);
            }
        }
        Self { committee: seated.committee().clone(), seats }
    }
}

struct Entry {
    epoch: Arc<Seats>,
    aggregator: Aggregator,
    header_hash: B256,
    own: Option<Attestation>,
    /// When our own is said again, while the height has no certificate.
    repeat_at: TimeMs,
    grow_at: Option<TimeMs>,
    best: Option<Certificate>,
}

pub(crate) struct Window {
    domain: Domain,
    entries: BTreeMap<Height, Entry>,
    /// By the operator that sent them: whether it has that seat is known with the header.
    early: BTreeMap<(Height, PublicKey), Attestation>,
    newest: Height,
    certified: Height,
    liars: BTreeSet<(Height, Seat)>,
}

impl Window {
    pub(crate) const fn new(domain: Domain) -> Self {
        Self {
            domain,
            entries: BTreeMap::new(),
            early: BTreeMap::new(),
            newest: Height(0),
            certified: Height(0),
            liars: BTreeSet::new(),
        }
    }

    /// Collect for a finalised header of this epoch. Attestations that came before it are looked at now. May be told
    /// again, when our own attestation comes late.
    pub(crate) fn finalised(
        &mut self,
        header: &Header,
        epoch: &Arc<Seats>,
        own: Option<Attestation>,
        now: TimeMs,
    ) -> Vec<Outcome> {
        let (height, header_hash) = (header.height, header.hash());
        self.newest = self.newest.max(height);
        let entry = self.entries.entry(height).or_insert_with(|| Entry {
            epoch: epoch.clone(),
            aggregator: Aggregator::new(epoch.committee.clone(), self.domain, height, header_hash),
            header_hash,
            own: None,
            repeat_at: TimeMs(now.0 + REPEAT_MS),
            grow_at: None,
            best: None,
        });
        entry.own = own.or(entry.own);
        while self.entries.len() > WINDOW {
            self.entries.pop_first();
        }
        let due: Vec<_> = self.early.extract_if(.., |(early, _), _| *early <= height).collect();
        let mut outcomes: Vec<Outcome> = own.iter().map(|own| self.collect(own, now)).collect();
        outcomes.extend(due.into_iter().map(|((_, from), attestation)| self.add(&from, &attestation, now)));
        outcomes
    }

    /// Collect an attestation from an operator. Everyone speaks for itself, so that nobody can fill another's place with
    /// rubbish.
    pub(crate) fn add(&mut self, from: &PublicKey, attestation: &Attestation, now: TimeMs) -> Outcome {
        let height = attestation.height;
        match self.entries.get(&height) {
            Some(entry) if entry.epoch.seats.get(from) != Some(&attestation.seat) => Outcome::default(),
            Some(_) => self.collect(attestation, now),
            None if height > self.newest && height.0 <= self.newest.0.saturating_add(EARLY) => {
                self.early.entry((height, from.clone())).or_insert(*attestation);
                Outcome::default()
            }
            None => Outcome { lacks: self.covering(height), ..Outcome::default() },
        }
    }

    fn collect(&mut self, attestation: &Attestation, now: TimeMs) -> Outcome {
        let height = attestation.height;
        let Some(entry) = self.entries.get_mut(&height) else { return Outcome::default() };
        match entry.aggregator.add(attestation) {
            Ok(true) => self.aggregate(height),
            Ok(false) => {
                if entry.best.is_some() && entry.grow_at.is_none() {
                    entry.grow_at = Some(TimeMs(now.0 + GROW_MS));
                }
                Outcome::default()
            }
            Err(AttestationRefused::Duplicate(_)) => {
                Outcome { lacks: self.covering(height), ..Outcome::default() }
            }
            Err(AttestationRefused::Header { .. }) => self.contradicted(attestation),
            Err(_) => Outcome { bad: 1, ..Outcome::default() },
        }
    }

    fn contradicted(&mut self, attestation: &Attestation) -> Outcome {
        if self.liars.contains(&(attestation.height, attestation.seat)) {
            return Outcome::default();
        }
        let committee = self.entries.get(&attestation.height).map(|entry| &entry.epoch.committee);
        if committee.is_none_or(|committee| attestation.verify(committee, self.domain).is_err()) {
            return Outcome { bad: 1, ..Outcome::default() };
        }
        self.liars.insert((attestation.height, attestation.seat));
        while self.liars.len() > WINDOW {
            self.liars.pop_first();
        }
        Outcome { lie: Some(*attestation), ..Outcome::default() }
    }

    fn aggregate(&mut self, height: Height) -> Outcome {
        let Some(entry) = self.entries.get_mut(&height) else { return Outcome::default() };
        entry.grow_at = None;
        let made = entry.aggregator.aggregate();
        let bad = made.bad.len();
        let certificate = made.certificate.filter(|new| grows(entry.best.as_ref(), new));
        if let Some(certificate) = &certificate {
            entry.best = Some(certificate.clone());
            self.certified = self.certified.max(height);
        }
        Outcome { certificate, bad, ..Outcome::default() }
    }

    /// Take a certificate that someone else made.
    pub(crate) fn adopt(&mut self, certificate: Certificate) -> Option<Certificate> {
        let entry = self.entries.get_mut(&certificate.height)?;
        if entry.header_hash != certificate.header_hash || !grows(entry.best.as_ref(), &certificate) {
            return None;
        }
        let verified = certificate.verify(entry.epoch.committee.table(), self.domain).ok()?;
        let certificate = verified.certificate().clone();
        entry.best = Some(certificate.clone());
        self.certified = self.certified.max(certificate.height);
        Some(certificate)
    }

    /// The lowest certificate at or above a height.
    fn covering(&self, height: Height) -> Option<Certificate> {
        self.entries.range(height..).find_map(|(_, entry)| entry.best.clone())
    }

    /// Check what was gathered, where it is time.
    pub(crate) fn grow(&mut self, now: TimeMs) -> Vec<Outcome> {
        let due: Vec<Height> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.grow_at.is_some_and(|at| at <= now))
            .map(|(height, _)| *height)
            .collect();
        due.into_iter().map(|height| self.aggregate(height)).collect()
    }

    /// Our own attestations that no certificate covers although it is time: they may have been lost.
    pub(crate) fn repeats(&mut self, now: TimeMs) -> Vec<Attestation> {
        let certified = self.certified;
        self.entries
            .range_mut(Height(certified.0 + 1)..)
            .rev()
            .filter(|(_, entry)| entry.repeat_at <= now)
            .filter_map(|(_, entry)| {
                entry.repeat_at = TimeMs(now.0 + REPEAT_MS);
                entry.own
            })
            .take(REPEATS_MAX)
            .collect()
    }

    /// When [`Self::grow`] or [`Self::repeats`] has something to do next.
    pub(crate) fn next_due(&self) -> Option<TimeMs> {
        let grow = self.entries.values().filter_map(|entry| entry.grow_at).min();
        let uncertified = self.entries.range(Height(self.certified.0 + 1)..).map(|(_, entry)| entry);
        let repeat = uncertified.filter(|entry| entry.own.is_some()).map(|entry| entry.repeat_at).min();
        [grow, repeat].into_iter().flatten().min()
    }
}

fn grows(best: Option<&Certificate>, new: &Certificate) -> bool {
    best.is_none_or(|best| best.signers.count() < new.signers.count())
}
