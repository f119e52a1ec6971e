//! The window of heights that attestations are collected for.

use hum_bls::{Aggregator, Attestation, AttestationRefused, Certificate, Committee, Seat};
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

struct Entry {
    aggregator: Aggregator,
    header_hash: B256,
    own: Option<Attestation>,
    /// When our own is said again, while the height has no certificate.
    repeat_at: TimeMs,
    grow_at: Option<TimeMs>,
    best: Option<Certificate>,
}

pub(crate) struct Window {
    committee: Arc<Committee>,
    domain: Domain,
    entries: BTreeMap<Height, Entry>,
    early: BTreeMap<(Height, Seat), Attestation>,
    newest: Height,
    certified: Height,
    liars: BTreeSet<(Height, Seat)>,
}

impl Window {
    pub(crate) const fn new(committee: Arc<Committee>, domain: Domain) -> Self {
        Self {
            committee,
            domain,
            entries: BTreeMap::new(),
            early: BTreeMap::new(),
            newest: Height(0),
            certified: Height(0),
            liars: BTreeSet::new(),
        }
    }

    /// Collect for a finalised header. Attestations that came before it are looked at now.
    pub(crate) fn finalised(
        &mut self,
        header: &Header,
        own: Option<Attestation>,
        now: TimeMs,
    ) -> Vec<Outcome> {
        let (height, header_hash) = (header.height, header.hash());
        self.newest = self.newest.max(height);
        self.entries.entry(height).or_insert_with(|| Entry {
            aggregator: Aggregator::new(self.committee.clone(), self.domain, height, header_hash),
            header_hash,
            own,
            repeat_at: TimeMs(now.0 + REPEAT_MS),
            grow_at: None,
            best: None,
        });
        while self.entries.len() > WINDOW {
            self.entries.pop_first();
        }
        let early = self.early.split_off(&(Height(height.0 + 1), Seat(0)));
        let due = std::mem::replace(&mut self.early, early);
        own.into_iter().chain(due.into_values()).map(|attestation| self.add(&attestation, now)).collect()
    }

    /// Collect an attestation.
    pub(crate) fn add(&mut self, attestation: &Attestation, now: TimeMs) -> Outcome {
        let height = attestation.height;
        let Some(entry) = self.entries.get_mut(&height) else {
            if height > self.newest && height.0 <= self.newest.0.saturating_add(EARLY) {
                self.early.entry((height, attestation.seat)).or_insert(*attestation);
                return Outcome::default();
            }
            return Outcome { lacks: self.covering(height), ..Outcome::default() };
        };
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
        if attestation.verify(&self.committee, self.domain).is_err() {
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
        let verified = certificate.verify(self.committee.table(), self.domain).ok()?;
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
