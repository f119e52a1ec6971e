//! One rollup: its head, its recent blocks, its lanes, its standing.

use crate::{
    RETRACTABLE_BLOCKS_MAX, Refusal, Settled,
    history::History,
    lanes::{Entry, Lanes},
};
use hum_bls::OperatorId;
use hum_types::{
    Address, AdvancedBlock, B256, BlockRef, ChainId, Class, Confidence, Domain, Evidence, Generation,
    HeadClaim, HeadPart, Height, LaneId, LaneIndex, LaneLeaf, RegistrationId, RollupLeaf, RollupStatus,
    SignedClaim, SignedRetraction, TimeMs,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the network file or the registry says of a rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupParams {
    /// Its chain id.
    pub chain_id: ChainId,
    /// Its entry in the registry.
    pub registration: RegistrationId,
    /// Whose claims count.
    pub sequencer: Address,
    /// Its gateways, in the order of [`hum_types::Confidence::ALL`].
    pub facades: [Address; 3],
    /// How operators know its heads.
    pub class: Class,
    /// Whose word it is that its blocks follow, by ascending id: nobody's unless its class is [`Class::OwnNode`].
    pub judges: Vec<OperatorId>,
    /// The block that verification starts from.
    pub anchor: BlockRef,
    /// The anchor's state root.
    pub anchor_state_root: B256,
}

/// What is done about the sequencer's signatures under claims and retractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claims {
    /// Each must hold.
    Checked,
    /// None is looked at.
    Overlooked,
}

impl RollupParams {
    /// The gateway of a confidence.
    #[must_use]
    pub const fn facade(&self, confidence: Confidence) -> Address {
        self.facades[confidence as usize]
    }

    /// The confidence that a gateway of the rollup serves; `None` for any other account.
    #[must_use]
    pub fn confidence_of(&self, facade: Address) -> Option<Confidence> {
        Confidence::ALL.into_iter().find(|confidence| self.facade(*confidence) == facade)
    }
}

/// A certified block, or the anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRecord {
    /// Number and hash.
    pub block: BlockRef,
    /// Its state root.
    pub state_root: B256,
    /// Its timestamp; zero for the anchor.
    pub time_ms: TimeMs,
    pub(crate) lanes: Lanes,
    pub(crate) entries: Arc<[Entry]>,
}

/// A rollup's state after some checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    pub(crate) params: Arc<RollupParams>,
    pub(crate) generation: Generation,
    pub(crate) status: RollupStatus,
    pub(crate) advanced_at: Height,
    pub(crate) history: History,
    /// The lowest block that a retraction can keep; falls only where L1 cuts the chain below it.
    pub(crate) floor: u64,
    pub(crate) safe: Option<Settled>,
    pub(crate) finalized: Option<Settled>,
    /// What L1 holds instead of what was certified, until the chain is that one.
    pub(crate) reorged: Option<BlockRef>,
    /// Messages that retractions dropped, with their first generation: one that comes back unchanged keeps it.
    /// Forgotten once what stands at their place cannot be retracted any more.
    dropped: Arc<BTreeMap<(LaneId, LaneIndex, B256), Generation>>,
}

impl Rollup {
    /// A rollup that comes in at `height`.
    pub(crate) fn at_anchor(params: RollupParams, height: Height) -> Self {
        let anchor = BlockRecord {
            block: params.anchor,
            state_root: params.anchor_state_root,
            time_ms: TimeMs(0),
            lanes: Lanes::default(),
            entries: Arc::new([]),
        };
        Self {
            floor: params.anchor.number,
            params: Arc::new(params),
            generation: Generation(0),
            status: RollupStatus::Active,
            advanced_at: height,
            history: History::new(anchor),
            safe: None,
            finalized: None,
            reorged: None,
            dropped: Arc::default(),
        }
    }

    /// What is fixed about it.
    #[must_use]
    pub fn params(&self) -> &RollupParams {
        &self.params
    }

    /// The generation of its `Latest` head.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether its messages are accepted at `Latest`.
    #[must_use]
    pub const fn status(&self) -> RollupStatus {
        self.status
    }

    /// The newest certified block.
    #[must_use]
    pub fn head(&self) -> &BlockRecord {
        self.history.head()
    }

    /// A block of its certified chain that is still known: no older than the `Finalized` head, and among the newest
    /// [`crate::HISTORY_BLOCKS_MAX`], or one of the older ones that are kept (see [`Self::known_below`]); the anchor counts.
    #[must_use]
    pub fn block_at(&self, number: u64) -> Option<&BlockRecord> {
        self.history.get(number).map(Arc::as_ref)
    }

    /// The newest known block of its certified chain that is not above `number`. Of what is older than the newest
    /// [`crate::HISTORY_BLOCKS_MAX`] there are `Safe` heads, and blocks at even distances.
    #[must_use]
    pub fn known_below(&self, number: u64) -> Option<&BlockRecord> {
        self.history.newest_below(number).map(Arc::as_ref)
    }

    /// Whether a retraction can go back to this block: it stands on the certified chain, no lower than `Safe`, among the
    /// newest [`RETRACTABLE_BLOCKS_MAX`].
    #[must_use]
    pub fn is_retractable_to(&self, kept: BlockRef) -> bool {
        kept.number >= self.floor && self.block_at(kept.number).is_some_and(|record| record.block == kept)
    }

    /// The `Latest` head part.
    #[must_use]
    pub fn latest(&self) -> HeadPart {
        let head = self.head();
        HeadPart {
            block: head.block,
            state_root: head.state_root,
            advanced_at: self.advanced_at,
            lanes_root: head.lanes.root(self.params.facades[0], self.generation),
        }
    }

    /// The lanes of one façade as of the head of its confidence, by destination; none while that head is not settled.
    #[must_use]
    pub fn lanes(&self, confidence: Confidence) -> Vec<LaneLeaf> {
        let facade = self.params.facade(confidence);
        match confidence {
            Confidence::Latest => self.head().lanes.leaves(facade, self.generation),
            Confidence::Safe | Confidence::Finalized => self
                .settled(confidence)
                .map_or_else(Vec::new, |settled| settled.block.lanes.leaves(facade, settled.generation)),
        }
    }

    /// Messages in a lane so far, whichever façade it belongs to.
    #[must_use]
    pub fn lane_count(&self, lane: &LaneId) -> u64 {
        self.head().lanes.get(lane).map_or(0, |lane| lane.slot.count)
    }

    /// The leaf that a header commits to. The parts of `Safe` and `Finalized` are zero until they are settled.
    #[must_use]
    pub fn leaf(&self) -> RollupLeaf {
        RollupLeaf {
            chain_id: self.params.chain_id,
            registration: self.params.registration,
            generation: self.generation,
            status: self.status,
            class: self.params.class,
            heads: [
                self.latest(),
                self.settled_part(Confidence::Safe),
                self.settled_part(Confidence::Finalized),
            ],
        }
    }

    /// Where the messages of a known block stand: lane, index, generation, hash; in log order.
    pub(crate) fn entries_of(&self, number: u64) -> &[Entry] {
        self.block_at(number).map_or(&[], |record| &record.entries)
    }

    /// Put one more block on the head.
    pub(crate) fn advance(
        &mut self,
        domain: Domain,
        height: Height,
        block: &AdvancedBlock,
        claims: Claims,
    ) -> Result<(), Refusal> {
        let chain_id = self.params.chain_id;
        let head = self.head();
        let expected = head.block.number + 1;
        if block.block.number != expected {
            return Err(Refusal::Number { chain_id, declared: block.block.number, expected });
        }
        self.allows(block.block)?;
        let claim = HeadClaim {
            chain_id,
            registration: self.params.registration,
            generation: self.generation,
            block: block.block,
        };
        if claims == Claims::Checked {
            SignedClaim { claim, signature: block.signature }
                .authenticate(domain, self.params.sequencer)
                .map_err(|source| Refusal::Claim { chain_id, source })?;
        }
        let mut lanes = head.lanes.clone();
        let mut entries = Vec::with_capacity(block.messages.len());
        for sent in &block.messages {
            if !self.params.facades.contains(&sent.lane.facade) {
                return Err(Refusal::Facade { chain_id, facade: sent.lane.facade });
            }
            let hash = sent.message.hash();
            let place = (sent.lane, lanes.next_index(&sent.lane), hash);
            let generation = self.dropped.get(&place).copied().unwrap_or(self.generation);
            let entry = lanes
                .push(sent.lane, hash, generation)
                .ok_or(Refusal::LaneFull { chain_id, lane: sent.lane })?;
            entries.push(entry);
        }
        self.history.push(BlockRecord {
            block: block.block,
            state_root: block.state_root,
            time_ms: block.time_ms,
            lanes,
            entries: entries.into(),
        });
        self.keep_from((expected + 1).saturating_sub(RETRACTABLE_BLOCKS_MAX as u64));
        self.advanced_at = height;
        Ok(())
    }

    /// No retraction can go below this block any more.
    pub(crate) fn keep_from(&mut self, number: u64) {
        let from = self.floor;
        self.floor = from.max(number);
        if self.dropped.is_empty() {
            return;
        }
        let passed = (from..self.floor).flat_map(|number| self.entries_of(number));
        let places: BTreeSet<_> = passed.map(|entry| (entry.lane, entry.index)).collect();
        if !places.is_empty() {
            Arc::make_mut(&mut self.dropped).retain(|(lane, index, _), _| !places.contains(&(*lane, *index)));
        }
    }

    /// Set the rollup aside.
    pub(crate) fn quarantine(&mut self, domain: Domain, evidence: &Evidence) -> Result<(), Refusal> {
        let chain_id = self.present()?;
        if self.status == RollupStatus::Quarantined {
            return Err(Refusal::QuarantinedAlready { chain_id });
        }
        match evidence {
            Evidence::Equivocation { one, other } => {
                self.authenticate(domain, one)?;
                self.authenticate(domain, other)?;
                let (a, b) = (one.claim, other.claim);
                if a.block.number != b.block.number || a.block.hash == b.block.hash {
                    return Err(Refusal::NoEquivocation { chain_id, one: a.block, other: b.block });
                }
            }
            Evidence::InvalidBlock { claim, .. } => {
                // No reader of the chain could tell, and no judge gives a reason.
                if self.params.class == Class::OwnNode {
                    return Err(Refusal::NotReexecuted { chain_id });
                }
                self.authenticate(domain, claim)?;
                let (number, head) = (claim.claim.block.number, self.head().block.number);
                if number != head + 1 {
                    return Err(Refusal::EvidenceBlock { chain_id, number, head });
                }
            }
        }
        self.status = RollupStatus::Quarantined;
        Ok(())
    }

    fn authenticate(&self, domain: Domain, signed: &SignedClaim) -> Result<(), Refusal> {
        let (chain_id, claim) = (self.params.chain_id, signed.claim);
        self.registered(claim.registration)?;
        if claim.generation != self.generation {
            return Err(Refusal::Generation {
                chain_id,
                declared: claim.generation,
                expected: self.generation,
            });
        }
        signed
            .authenticate(domain, self.params.sequencer)
            .map_err(|source| Refusal::Claim { chain_id, source })?;
        Ok(())
    }

    fn registered(&self, declared: RegistrationId) -> Result<(), Refusal> {
        let (chain_id, expected) = (self.params.chain_id, self.params.registration);
        if declared == expected {
            Ok(())
        } else {
            Err(Refusal::Registration { chain_id, declared: declared.0, expected: expected.0 })
        }
    }

    /// Cut the chain back and open the next generation.
    pub(crate) fn retract(
        &mut self,
        domain: Domain,
        height: Height,
        signed: &SignedRetraction,
        claims: Claims,
    ) -> Result<(), Refusal> {
        let (chain_id, retraction) = (self.present()?, signed.retraction);
        self.registered(retraction.registration)?;
        let expected = Generation(self.generation.0.saturating_add(1));
        if retraction.generation != expected {
            return Err(Refusal::Generation { chain_id, declared: retraction.generation, expected });
        }
        if claims == Claims::Checked {
            signed
                .authenticate(domain, self.params.sequencer)
                .map_err(|source| Refusal::Claim { chain_id, source })?;
        }
        let kept = retraction.kept;
        if let Some(safe) = self.safe.as_ref().map(|safe| safe.block.block)
            && kept.number < safe.number
        {
            return Err(Refusal::KeptBelowSafe { chain_id, kept, safe });
        }
        if !self.is_retractable_to(kept) {
            return Err(Refusal::Kept { chain_id, number: kept.number, hash: kept.hash });
        }
        self.cut_back(height, kept.number, expected);
        self.status = self.standing();
        Ok(())
    }

    /// Messages of a block that is dropped: they may come back.
    pub(crate) fn note_dropped(&mut self, record: &BlockRecord) {
        if !record.entries.is_empty() {
            let dropped = Arc::make_mut(&mut self.dropped);
            for entry in record.entries.iter() {
                dropped.insert((entry.lane, entry.index, entry.hash), entry.generation);
            }
        }
    }
}
