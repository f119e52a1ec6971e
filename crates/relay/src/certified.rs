//! The part of the operators' chain that is certified, replayed.

use crate::{Certified, CommitteeView, LaneKey, LaneView, MessageView, Outbox};
use hum_bls::{Certificate, CertificateError, CommitteeTable, VerifiedCertificate};
use hum_ledger::{Archive, ArchiveError, Genesis, State};
use hum_types::{
    B256, ChainId, Change, Checkpoint, Confidence, Domain, Encode, Epoch, Generation, Header, Height, LaneId,
    LaneIndex,
};
use std::collections::{BTreeMap, BTreeSet};

/// How far above the newest certified height checkpoints are held.
const AHEAD_MAX: u64 = 1024;
/// Different checkpoints that are held for one height: of those that peers send, one is true.
const PER_HEIGHT_MAX: usize = 4;
/// Bytes of checkpoints that are held before a certificate covers them.
const HELD_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Certificates held for heights that were not reached yet.
const TARGETS_MAX: usize = 16;
/// Generations of a lane whose cuts are remembered.
const CUTS_MAX: usize = 32;

/// Why something that a peer sent was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// The body is not the one that the header commits to.
    #[error("checkpoint {height} commits to body {declared}, the body hashes to {computed}")]
    Body {
        /// Its height.
        height: Height,
        /// What the header says.
        declared: B256,
        /// The body's hash.
        computed: B256,
    },
    /// The header is of another deployment.
    #[error("checkpoint {height} is of domain {}, ours is {}", declared.0, expected.0)]
    Domain {
        /// Its height.
        height: Height,
        /// What it says.
        declared: Domain,
        /// Ours.
        expected: Domain,
    },
    /// More checkpoints than anyone honest could send.
    #[error("too many other checkpoints are held to take one more for height {height}")]
    Crowded {
        /// The height.
        height: Height,
    },
    /// The certificate does not hold.
    #[error("certificate for height {height}: {source}")]
    Certificate {
        /// Its height.
        height: Height,
        /// Why.
        source: Box<CertificateError>,
    },
    /// Two thirds of the stake signed two chains.
    #[error("certificate for height {height} leads to {found} at height {at}, ours is {ours}")]
    Fork {
        /// The certificate's height.
        height: Height,
        /// The newest height that we hold as certified.
        at: Height,
        /// Where the certificate's chain leads to there.
        found: B256,
        /// What we hold.
        ours: B256,
    },
    /// Two thirds of the stake of a committee signed after its epoch had ended.
    #[error("certificate for height {height} is of epoch {epoch}, which ended at height {closed}")]
    AfterClosing {
        /// The certificate's height.
        height: Height,
        /// Its epoch.
        epoch: Epoch,
        /// The last height of that epoch, which the certificate's own chain holds.
        closed: Height,
    },
    /// Two thirds of the stake signed what the ledger refuses. Nothing above it will be taken.
    #[error("certified checkpoint {height} refused: {source}")]
    Refused {
        /// Its height.
        height: Height,
        /// Why.
        source: Box<ArchiveError>,
    },
}

impl OfferError {
    /// Whether it shows that the committee lied, and not merely a peer.
    #[must_use]
    pub const fn is_committees(&self) -> bool {
        matches!(self, Self::Fork { .. } | Self::AfterClosing { .. } | Self::Refused { .. })
    }
}

/// What a checkpoint or certificate changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// Nothing: known, too old, or too far ahead.
    Ignored,
    /// It is held until what it needs arrives.
    Held,
    /// A newer height is certified and replayed.
    Advanced,
}

/// The end of an epoch: what light clients ask for before they believe the next committee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The epoch's last header; it names the next table.
    pub header: Header,
    /// Its own certificate. There is one: the next epoch does not begin before.
    pub certificate: VerifiedCertificate,
}

#[derive(Debug)]
struct Held {
    checkpoint: Checkpoint,
    bytes: usize,
}

/// Certified checkpoints only: what peers send is held, unbelieved, until a certificate's chain of parents covers it.
#[derive(Debug)]
pub struct CertifiedChain {
    archive: Archive,
    domain: Domain,
    /// Lanes to other chains are replayed, but their messages are not kept.
    destinations: BTreeSet<ChainId>,
    held: BTreeMap<Height, BTreeMap<B256, Held>>,
    targets: BTreeMap<Height, VerifiedCertificate>,
    certificate: Option<VerifiedCertificate>,
    /// For each epoch that has ended.
    closings: BTreeMap<Epoch, Closing>,
    /// For each lane and generation, how many messages its retraction left untouched.
    cuts: BTreeMap<LaneKey, BTreeMap<Generation, u64>>,
    refused: Option<Height>,
    /// Who has joined or left since that was last asked.
    moved: Vec<Change>,
}

impl CertifiedChain {
    /// Nothing but the genesis. Messages to `destinations` are kept until they are forgotten.
    #[must_use]
    pub fn new(genesis: &Genesis, destinations: BTreeSet<ChainId>) -> Self {
        Self {
            archive: Archive::new(State::genesis(genesis)),
            domain: genesis.domain,
            destinations,
            held: BTreeMap::new(),
            targets: BTreeMap::new(),
            certificate: None,
            closings: BTreeMap::new(),
            cuts: BTreeMap::new(),
            refused: None,
            moved: Vec::new(),
        }
    }

    /// Keep messages to this chain from now on. Those that were carried before are gone: who wants them names the chain at the
    /// start.
    pub fn deliver_to(&mut self, destination: ChainId) {
        self.destinations.insert(destination);
    }

    /// The joins and leaves that were replayed since this was last called.
    pub fn take_moved(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.moved)
    }

    /// The replayed chain.
    #[must_use]
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The newest header that is certified and replayed; the genesis before.
    #[must_use]
    pub const fn header(&self) -> &Header {
        self.archive.newest().header()
    }

    /// The certificate of [`Self::header`]; `None` while that is the genesis.
    #[must_use]
    pub const fn certificate(&self) -> Option<&VerifiedCertificate> {
        self.certificate.as_ref()
    }

    /// How an epoch ended; `None` while it lasts.
    #[must_use]
    pub fn closing(&self, epoch: Epoch) -> Option<&Closing> {
        self.closings.get(&epoch)
    }

    /// The table of an epoch that has begun.
    #[must_use]
    pub fn table(&self, epoch: Epoch) -> Option<&CommitteeTable> {
        self.archive.epoch(epoch).map(|record| record.seated.committee().table())
    }

    /// Heights of the checkpoints that are missing below the lowest certificate held, first and last.
    #[must_use]
    pub fn missing(&self) -> Option<(Height, Height)> {
        let (_, target) = self.targets.first_key_value()?;
        let newest = self.header().height.0;
        let (mut height, mut hash) = (target.certificate().height, target.certificate().header_hash);
        while let Some(held) = self.held.get(&height).and_then(|held| held.get(&hash)) {
            hash = held.checkpoint.header.parent;
            height = Height(height.0.saturating_sub(1));
        }
        (height.0 > newest).then_some((Height(newest + 1), height))
    }

    /// Take a checkpoint from anyone.
    pub fn offer(&mut self, checkpoint: Checkpoint) -> Result<Offered, OfferError> {
        let header = checkpoint.header;
        let height = header.height;
        let newest = self.header().height.0;
        if height.0 <= newest || height.0 - newest > AHEAD_MAX || self.refused.is_some() {
            return Ok(Offered::Ignored);
        }
        if header.domain != self.domain {
            return Err(OfferError::Domain { height, declared: header.domain, expected: self.domain });
        }
        let hash = header.hash();
        let held = self.held.get(&height);
        if held.is_some_and(|held| held.contains_key(&hash)) {
            return Ok(Offered::Ignored);
        }
        let computed = checkpoint.body.hash();
        if header.body_hash != computed {
            return Err(OfferError::Body { height, declared: header.body_hash, computed });
        }
        let bytes = checkpoint.encode().len();
        let total: usize = self.held.values().flat_map(BTreeMap::values).map(|held| held.bytes).sum();
        let crowded = held.is_some_and(|held| held.len() >= PER_HEIGHT_MAX) || total + bytes > HELD_BYTES_MAX;
        if crowded && !self.is_certified(&header, hash) {
            return Err(OfferError::Crowded { height });
        }
        self.held.entry(height).or_default().insert(hash, Held { checkpoint, bytes });
        self.advance()
    }

    /// Take a certificate from anyone.
    pub fn certify(&mut self, certificate: Certificate) -> Result<Offered, OfferError> {
        let height = certificate.height;
        let newest = self.header().height;
        if height < newest || self.refused.is_some() {
            return Ok(Offered::Ignored);
        }
        let (epoch, held) = if height == newest {
            (self.header().epoch, self.certificate.as_ref())
        } else {
            (self.archive.newest().epoch(), self.targets.get(&height))
        };
        // Whoever signs in a later epoch is known once this one's closing checkpoint is replayed.
        let Some(table) = self.table(epoch).filter(|_| certificate.epoch <= epoch) else {
            return Ok(Offered::Ignored);
        };
        let stake = table.signed_stake(&certificate.signers);
        if held.is_some_and(|held| stake <= held.signed_stake()) {
            return Ok(Offered::Ignored);
        }
        let verified = certificate
            .verify(table, self.domain)
            .map_err(|source| OfferError::Certificate { height, source: Box::new(source) })?;
        if height == newest {
            let (found, ours) = (verified.certificate().header_hash, self.header().hash());
            if found != ours {
                return Err(OfferError::Fork { height, at: height, found, ours });
            }
            self.certificate = Some(verified);
            self.close();
            return Ok(Offered::Ignored);
        }
        self.targets.insert(height, verified);
        if self.targets.len() > TARGETS_MAX {
            // The lowest is what catching up needs, the highest is where it leads.
            let spare = self.targets.keys().nth(TARGETS_MAX / 2).copied();
            spare.map(|spare| self.targets.remove(&spare));
        }
        self.advance()
    }

    /// The messages of the lane below `index` are not needed any more.
    pub fn forget(&mut self, key: &LaneKey, index: LaneIndex) {
        self.archive.forget(key.source, key.lane, index);
    }

    /// Whether a certificate held, or a checkpoint under one, names this header.
    fn is_certified(&self, header: &Header, hash: B256) -> bool {
        let named =
            self.targets.get(&header.height).is_some_and(|target| target.certificate().header_hash == hash);
        let above = Height(header.height.0 + 1);
        named
            || self
                .held
                .get(&above)
                .is_some_and(|held| held.values().any(|child| child.checkpoint.header.parent == hash))
    }

    /// Replay up to the highest certificate whose whole chain is here.
    fn advance(&mut self) -> Result<Offered, OfferError> {
        let (newest, ours) = (self.header().height, self.header().hash());
        let heights: Vec<Height> = self.targets.keys().rev().copied().collect();
        for target in heights {
            let Some(certificate) = self.targets.get(&target) else { continue };
            let (mut height, mut hash) = (target, certificate.certificate().header_hash);
            let mut path = Vec::new();
            while height > newest {
                let Some(held) = self.held.get(&height).and_then(|held| held.get(&hash)) else { break };
                let header = &held.checkpoint.header;
                if height < target && header.next_table_hash != B256::ZERO {
                    let epoch = header.epoch;
                    self.targets.remove(&target);
                    return Err(OfferError::AfterClosing { height: target, epoch, closed: height });
                }
                path.push((height, hash));
                hash = held.checkpoint.header.parent;
                height = Height(height.0.saturating_sub(1));
            }
            if height > newest {
                continue;
            }
            if hash != ours {
                self.targets.remove(&target);
                return Err(OfferError::Fork { height: target, at: newest, found: hash, ours });
            }
            for (height, hash) in path.into_iter().rev() {
                let Some(held) = self.held.get_mut(&height).and_then(|held| held.remove(&hash)) else {
                    break;
                };
                self.replay(&held.checkpoint)?;
            }
            self.certificate = self.targets.remove(&target);
            let above = Height(target.0 + 1);
            self.held = self.held.split_off(&above);
            self.targets = self.targets.split_off(&above);
            self.close();
            return Ok(Offered::Advanced);
        }
        Ok(Offered::Held)
    }

    /// Keep what light clients ask for when the newest header ends its epoch.
    fn close(&mut self) {
        let header = *self.header();
        let Some(certificate) = self.certificate.clone() else { return };
        if header.next_table_hash == B256::ZERO {
            return;
        }
        self.closings.insert(header.epoch, Closing { header, certificate });
        // Certificates of that epoch for later heights are lies.
        let epoch = self.archive.newest().epoch();
        self.targets.retain(|_, target| target.certificate().epoch == epoch);
    }

    fn replay(&mut self, checkpoint: &Checkpoint) -> Result<(), OfferError> {
        let height = checkpoint.header.height;
        let retracted: BTreeSet<ChainId> = checkpoint
            .body
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Retract { retraction } => Some(retraction.retraction.chain_id),
                Change::Reorg { chain_id, .. } => Some(*chain_id),
                Change::Quarantine { .. }
                | Change::NextCommittee { .. }
                | Change::Settle { .. }
                | Change::Join { .. }
                | Change::Leave { .. } => None,
            })
            .collect();
        let before: Vec<(LaneKey, u64)> = self
            .archive
            .lanes()
            .filter(|(source, lane)| retracted.contains(source) && !self.is_settled(*source, lane))
            .map(|(source, lane)| (LaneKey { source, lane }, self.count(source, &lane)))
            .collect();
        let carried = self.archive.apply(checkpoint).map_err(|source| {
            self.refused = Some(height);
            OfferError::Refused { height, source: Box::new(source) }
        })?;
        for (key, count) in before {
            let Some(rollup) = self.archive.newest().rollup(key.source) else { continue };
            let rewritten = carried
                .iter()
                .filter(|message| message.source == key.source && message.lane == key.lane)
                .map(|message| message.index.0);
            let kept = rewritten.chain([count, rollup.lane_count(&key.lane)]).min().unwrap_or(0);
            let cuts = self.cuts.entry(key).or_default();
            cuts.insert(rollup.generation(), kept);
            if cuts.len() > CUTS_MAX {
                cuts.pop_first();
            }
        }
        let moved = checkpoint.body.changes.iter();
        let moved = moved.filter(|change| matches!(change, Change::Join { .. } | Change::Leave { .. }));
        self.moved.extend(moved.cloned());
        for message in carried {
            if !self.destinations.contains(&message.lane.destination) {
                self.archive.forget(
                    message.source,
                    message.lane,
                    LaneIndex(message.index.0.saturating_add(1)),
                );
            }
        }
        Ok(())
    }

    /// Whether the lane is one of `Safe` or `Finalized`, which no retraction cuts.
    fn is_settled(&self, source: ChainId, lane: &LaneId) -> bool {
        let rollup = self.archive.newest().rollup(source);
        let confidence = rollup.and_then(|rollup| rollup.params().confidence_of(lane.facade));
        confidence.is_some_and(|confidence| confidence != Confidence::Latest)
    }

    fn count(&self, source: ChainId, lane: &LaneId) -> u64 {
        self.archive.newest().rollup(source).map_or(0, |rollup| rollup.lane_count(lane))
    }
}

impl Outbox for CertifiedChain {
    fn certified(&self) -> Option<Certified> {
        self.certificate.as_ref()?;
        let Header { height, time_ms, epoch, .. } = *self.header();
        Some(Certified { height, time_ms, epoch })
    }

    fn epoch(&self) -> Epoch {
        self.archive.newest().epoch()
    }

    fn committee(&self, epoch: Epoch) -> Option<CommitteeView> {
        let table = self.table(epoch)?;
        Some(CommitteeView { operators: table.operators(), valid_until: table.valid_until() })
    }

    fn lanes(&self) -> Vec<LaneView> {
        let mut lanes: Vec<LaneView> = Vec::new();
        for rollup in self.archive.newest().rollups() {
            for confidence in Confidence::ALL {
                lanes.extend(rollup.lanes(confidence).into_iter().map(|leaf| LaneView {
                    key: LaneKey { source: rollup.params().chain_id, lane: leaf.lane },
                    confidence,
                    generation: rollup.generation(),
                    count: leaf.slot.count,
                    status: rollup.status(),
                }));
            }
        }
        lanes.sort_by_key(|lane| lane.key);
        lanes
    }

    fn message(&self, key: &LaneKey, index: LaneIndex) -> Option<MessageView> {
        self.archive.message(key.source, key.lane, index).map(|pending| MessageView {
            generation: pending.generation,
            min_gas_limit: pending.message.min_gas_limit,
            payload_bytes: pending.message.payload.len(),
        })
    }

    fn kept(&self, key: &LaneKey, since: Generation) -> u64 {
        let Some(rollup) = self.archive.newest().rollup(key.source) else { return 0 };
        if self.is_settled(key.source, &key.lane) {
            return u64::MAX;
        }
        let opened = u64::from(rollup.generation().0.saturating_sub(since.0));
        let cuts = self
            .cuts
            .get(key)
            .into_iter()
            .flat_map(|cuts| cuts.range(Generation(since.0.saturating_add(1))..));
        // A generation whose cut we did not see may have touched everything.
        let (seen, kept) = cuts.fold((0, u64::MAX), |(seen, kept), (_, cut)| (seen + 1, kept.min(*cut)));
        if seen == opened { kept } else { 0 }
    }
}

#[cfg(test)]
mod tests;
