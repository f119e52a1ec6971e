//! The state after a checkpoint, and the two ways to the next one.

use crate::{Refusal, Rollup, RollupParams, SeatedRoster, rollup::Claims};
use hum_bls::Committee;
use hum_types::{
    B256, Body, ChainId, Change, Checkpoint, Domain, Epoch, Evidence, Header, Height, L1Origin, RollupLeaf,
    Roster, Terms, TimeMs, tree,
};
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

/// What everyone agrees on before the first checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The deployment.
    pub domain: Domain,
    /// The first committee, and the epoch that it signs in.
    pub seated: Arc<SeatedRoster>,
    /// How heights are cut into terms.
    pub terms: Terms,
    /// When the network starts.
    pub time_ms: TimeMs,
    /// The L1 block that committee and members were read at.
    pub l1_origin: L1Origin,
    /// The members.
    pub rollups: Vec<RollupParams>,
}

/// Everything that a header commits to. Cheap to clone: a clone shares each rollup until it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    header: Header,
    pub(crate) rollups: BTreeMap<ChainId, Arc<Rollup>>,
    /// Of the next height.
    seated: Arc<SeatedRoster>,
    terms: Terms,
}

impl State {
    /// The state that every replay starts from; its header has height 0 and is never certified.
    #[must_use]
    pub fn genesis(genesis: &Genesis) -> Self {
        let rollups: BTreeMap<_, _> = genesis
            .rollups
            .iter()
            .map(|p| (p.chain_id, Arc::new(Rollup::at_anchor(p.clone(), Height(0)))))
            .collect();
        let header = Header {
            domain: genesis.domain,
            epoch: genesis.seated.epoch(),
            height: Height(0),
            time_ms: genesis.time_ms,
            l1_origin: genesis.l1_origin,
            parent: B256::ZERO,
            rollups_root: B256::ZERO,
            body_hash: Body::default().hash(),
            next_table_hash: B256::ZERO,
        };
        let (seated, terms) = (genesis.seated.clone(), genesis.terms);
        let mut state = Self { header, rollups, seated, terms };
        state.header.rollups_root = state.rollups_root();
        state
    }

    /// The header that this is the state after.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The height that follows.
    #[must_use]
    pub const fn next_height(&self) -> Height {
        Height(self.header.height.0.saturating_add(1))
    }

    /// The epoch of the height that follows.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.seated.epoch()
    }

    /// Who signs the height that follows.
    #[must_use]
    pub fn committee(&self) -> &Arc<Committee> {
        self.seated.committee()
    }

    /// The roster behind [`Self::committee`].
    #[must_use]
    pub const fn seated(&self) -> &Arc<SeatedRoster> {
        &self.seated
    }

    /// How heights are cut into terms.
    #[must_use]
    pub const fn terms(&self) -> Terms {
        self.terms
    }

    /// Whether the height that follows is the last of its term: its checkpoint may move the L1 origin and bring a roster.
    #[must_use]
    pub const fn closes_next(&self) -> bool {
        self.terms.is_closing(self.next_height())
    }

    /// A member.
    #[must_use]
    pub fn rollup(&self, chain_id: ChainId) -> Option<&Rollup> {
        self.rollups.get(&chain_id).map(Arc::as_ref)
    }

    /// All members, by chain id.
    pub fn rollups(&self) -> impl Iterator<Item = &Rollup> {
        self.rollups.values().map(Arc::as_ref)
    }

    /// All leaves, by chain id.
    #[must_use]
    pub fn leaves(&self) -> Vec<RollupLeaf> {
        self.rollups().map(Rollup::leaf).collect()
    }

    /// Root over all rollup leaves.
    #[must_use]
    pub fn rollups_root(&self) -> B256 {
        tree::root(self.leaves().iter().map(RollupLeaf::hash))
    }

    /// The next checkpoint's header and state, made from a body. `time_ms` must be above the parent's; a roster, and an
    /// L1 origin other than the parent's, belong to closing heights.
    pub fn seal(&self, body: &Body, time_ms: TimeMs, l1_origin: L1Origin) -> Result<(Header, Self), Refusal> {
        let height = self.next_height();
        let mut header = Header {
            epoch: self.epoch(),
            height,
            time_ms,
            l1_origin,
            parent: self.header.hash(),
            body_hash: body.hash(),
            next_table_hash: B256::ZERO,
            ..self.header
        };
        self.follows(&header)?;
        let mut next = self.apply(height, l1_origin, body, Claims::Checked)?;
        header.rollups_root = next.rollups_root();
        header.next_table_hash = self.next_table_hash(&next);
        next.header = header;
        Ok((header, next))
    }

    /// The state after `checkpoint`, if it follows from this one.
    pub fn check(&self, checkpoint: &Checkpoint) -> Result<Self, Refusal> {
        self.check_with(checkpoint, Claims::Checked)
    }

    /// The state after `checkpoint` as whoever signed its header means it: no sequencer's signature in its body is looked
    /// at. Of use only to those who accuse: it says what heads an attested header has, not that they are anyone's.
    pub fn check_unclaimed(&self, checkpoint: &Checkpoint) -> Result<Self, Refusal> {
        self.check_with(checkpoint, Claims::Overlooked)
    }

    fn check_with(&self, checkpoint: &Checkpoint, claims: Claims) -> Result<Self, Refusal> {
        let (header, body) = (checkpoint.header, &checkpoint.body);
        self.follows(&header)?;
        let computed = body.hash();
        if header.body_hash != computed {
            return Err(Refusal::BodyHash { declared: header.body_hash, computed });
        }
        let mut next = self.apply(header.height, header.l1_origin, body, claims)?;
        let computed = self.next_table_hash(&next);
        if header.next_table_hash != computed {
            return Err(Refusal::NextTable { declared: header.next_table_hash, computed });
        }
        let computed = next.rollups_root();
        if header.rollups_root != computed {
            return Err(Refusal::RollupsRoot { declared: header.rollups_root, computed });
        }
        next.header = header;
        Ok(next)
    }

    /// What the header between this state and `next` announces.
    fn next_table_hash(&self, next: &Self) -> B256 {
        if next.epoch() == self.epoch() { B256::ZERO } else { next.committee().table().hash() }
    }

    /// The rules that need the two headers only.
    fn follows(&self, header: &Header) -> Result<(), Refusal> {
        let parent = &self.header;
        if header.domain != parent.domain {
            return Err(Refusal::Domain { declared: header.domain, expected: parent.domain });
        }
        let expected = self.epoch();
        if header.epoch != expected {
            return Err(Refusal::Epoch { declared: header.epoch, expected });
        }
        let expected = self.next_height();
        if header.height != expected {
            return Err(Refusal::Height { declared: header.height, expected });
        }
        let computed = parent.hash();
        if header.parent != computed {
            return Err(Refusal::Parent { declared: header.parent, computed });
        }
        if header.time_ms <= parent.time_ms {
            return Err(Refusal::Time { declared: header.time_ms, parent: parent.time_ms });
        }
        self.origin_follows(header.l1_origin)
    }

    fn origin_follows(&self, declared: L1Origin) -> Result<(), Refusal> {
        let (parent, height) = (self.header.l1_origin, self.next_height());
        if declared == parent {
            return Ok(());
        }
        if !self.terms.is_closing(height) {
            let closing = self.terms.closing_of(self.terms.term_of(height));
            return Err(Refusal::OriginMoved { height, closing, declared, expected: parent });
        }
        match declared.number.cmp(&parent.number) {
            Ordering::Less => Err(Refusal::OriginBack { declared, parent }),
            Ordering::Equal => Err(Refusal::OriginHash { declared, parent }),
            Ordering::Greater => Ok(()),
        }
    }

    fn apply(
        &self,
        height: Height,
        l1_origin: L1Origin,
        body: &Body,
        claims: Claims,
    ) -> Result<Self, Refusal> {
        let domain = self.header.domain;
        let mut next = self.clone();
        let mut joined = None;
        for change in &body.changes {
            match change {
                Change::Quarantine { evidence } => {
                    let chain_id = match evidence {
                        Evidence::Equivocation { one, .. } => one.claim.chain_id,
                        Evidence::InvalidBlock { claim, .. } => claim.claim.chain_id,
                    };
                    next.rollup_mut(chain_id)?.quarantine(domain, evidence)?;
                }
                Change::Retract { retraction } => {
                    let rollup = next.rollup_mut(retraction.retraction.chain_id)?;
                    rollup.retract(domain, height, retraction, claims)?;
                }
                Change::NextCommittee { roster } => {
                    next.seated = self.next_seated(height, l1_origin, body, roster)?;
                }
                Change::Settle { chain_id, confidence, head, l1 } => {
                    next.rollup_mut(*chain_id)?.settle(height, l1_origin, *confidence, *head, *l1)?;
                }
                Change::Join { join } => {
                    let second = join.chain_id;
                    if let Some(first) = joined.replace(second) {
                        return Err(Refusal::JoinTwice { first, second });
                    }
                    next.join(height, l1_origin, join)?;
                }
                Change::Leave { chain_id, l1 } => next.leave(l1_origin, *chain_id, *l1)?,
                Change::Reorg { chain_id, kept, head, l1 } => {
                    next.rollup_mut(*chain_id)?.reorg(height, l1_origin, *kept, *head, *l1)?;
                }
            }
        }
        let (mut previous, seated) = (None, next.seated.clone());
        for advance in &body.advances {
            let chain_id = advance.chain_id;
            if let Some(previous) = previous.filter(|previous| *previous >= chain_id) {
                return Err(Refusal::Order { previous, next: chain_id });
            }
            previous = Some(chain_id);
            let rollup = next.rollup_mut(chain_id)?;
            if !rollup.advances() {
                return Err(Refusal::NotActive { chain_id });
            }
            if advance.blocks.is_empty() {
                return Err(Refusal::Empty { chain_id });
            }
            rollup.check_judgements(domain, &seated, advance, claims)?;
            for block in &advance.blocks {
                rollup.advance(domain, height, block, claims)?;
            }
        }
        Ok(next)
    }

    /// The committee of the next epoch, which a closing height brings.
    fn next_seated(
        &self,
        height: Height,
        l1_origin: L1Origin,
        body: &Body,
        roster: &Roster,
    ) -> Result<Arc<SeatedRoster>, Refusal> {
        if !self.terms.is_closing(height) {
            let closing = self.terms.closing_of(self.terms.term_of(height));
            return Err(Refusal::RosterEarly { height, closing });
        }
        let parent = self.header.l1_origin;
        if l1_origin == parent {
            return Err(Refusal::RosterStale { declared: l1_origin, parent });
        }
        if body.changes.len() > 1 || !body.advances.is_empty() {
            let (changes, advances) = (body.changes.len().saturating_sub(1), body.advances.len());
            return Err(Refusal::RosterNotAlone { changes, advances });
        }
        let epoch = Epoch(self.epoch().0.saturating_add(1));
        let seated = SeatedRoster::check(self.header.domain, epoch, roster.clone(), Some(&self.seated))?;
        let (next, present) = (seated.committee().table().hash(), self.committee().table().hash());
        if next == present {
            return Err(Refusal::RosterSame { next, present });
        }
        Ok(Arc::new(seated))
    }

    pub(crate) fn rollup_mut(&mut self, chain_id: ChainId) -> Result<&mut Rollup, Refusal> {
        self.rollups.get_mut(&chain_id).map(Arc::make_mut).ok_or(Refusal::Unknown { chain_id })
    }
}
