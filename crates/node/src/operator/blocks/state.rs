//! All rollups together: who gets judged next, and what a proposal can carry.

use super::{
    data::{Arrived, BlockData},
    judged::{Judged, ValidBlock},
    own::{self, Judgements},
    track::{AHEAD_MAX, Next, Track},
};
use crate::{
    config::Network,
    members::Members,
    operator::judge::Task,
    wire::{BlockId, PublisherStatus, RefusalKind, Submission},
};
use commonware_utils::channel::oneshot;
use hum_consensus::PublicKey;
use hum_ledger::{RETRACTABLE_BLOCKS_MAX, Rollup, State};
use hum_types::{
    Advance, AdvancedBlock, AuthenticClaim, AuthenticRetraction, B256, BLOCKS_PER_ADVANCE_MAX, BlockRef,
    Body, ChainId, Change, Checkpoint, Class, Encode as _, Evidence, Generation, HeadClaim, InvalidReason,
    JudgementBundle, LaneId, LaneIndex, LaneMessage, SequencerSignature, SignedClaim, TimeMs,
};
use hum_verify::{Missing, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Verdicts that are worked out at the same time, at most one a rollup.
pub(crate) const JOBS_MAX: usize = 32;
/// Bytes of a body that a proposal fills; a header and the block that overshoots still fit a payload.
const BODY_BUDGET: usize = hum_types::BODY_BYTES_MAX - hum_types::HEADER_BYTES - 64;

/// What the actor has to do for the book.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Get this block from a peer, best from this one.
    Fetch { chain_id: ChainId, block: BlockRef, from: Option<PublicKey> },
    /// The first claim for a block was taken.
    Claimed { chain_id: ChainId, generation: Generation, block: BlockRef },
    /// A block has its verdict.
    Judged { chain_id: ChainId, block: BlockRef, judged: Judged },
    /// A block could not be judged again and again.
    Stuck { chain_id: ChainId, block: BlockRef, missing: Missing },
    /// A sequencer contradicted itself.
    Equivocation { chain_id: ChainId },
    /// Something about judges and own nodes that people should look at.
    Judges { what: String },
}

/// Messages that each lane has, while blocks are put on a state one by one.
#[derive(Debug, Default)]
pub(crate) struct LaneCounts(BTreeMap<LaneId, u64>);

impl LaneCounts {
    /// The messages of a block that follows, if their ids are what their places in the lanes make them. A gateway
    /// counts as we do, so another id means that another contract stands at its address.
    pub(crate) fn follow(
        &mut self,
        rollup: &Rollup,
        block: &ValidBlock,
    ) -> Result<Vec<LaneMessage>, InvalidReason> {
        let source = rollup.params().chain_id;
        for message in &block.messages {
            let lane = message.sent.lane;
            let count = self.0.entry(lane).or_insert_with(|| rollup.lane_count(&lane));
            if lane.message_id(source, LaneIndex(*count), message.sent.message.hash()) != message.send_id {
                return Err(InvalidReason::GatewayLog);
            }
            *count += 1;
        }
        Ok(block.messages.iter().map(|message| message.sent.clone()).collect())
    }
}

/// What is known of all rollups' blocks.
pub(crate) struct Book {
    members: Members,
    pub(super) state: State,
    pub(super) tracks: BTreeMap<ChainId, Track>,
    limits: BTreeMap<ChainId, (usize, usize)>,
    /// Where the round robin goes on.
    next: ChainId,
    running: usize,
    /// Of rollups that nobody re-executes.
    pub(super) judgements: BTreeMap<ChainId, Judgements>,
    pub(super) effects: Vec<Effect>,
    news: Vec<oneshot::Sender<()>>,
}

impl Book {
    pub(crate) fn new(network: &Network) -> Self {
        let mut book = Self {
            members: network.members.clone(),
            state: State::genesis(&network.genesis),
            tracks: BTreeMap::new(),
            limits: BTreeMap::new(),
            next: ChainId(0),
            running: 0,
            judgements: BTreeMap::new(),
            effects: Vec::new(),
            news: Vec::new(),
        };
        book.admit();
        book
    }

    /// What has to be done since this was last asked.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Resolves when a proposal could say more than it could before.
    pub(crate) fn on_news(&mut self, reply: oneshot::Sender<()>) {
        self.news.retain(|waiting| !waiting.is_closed());
        self.news.push(reply);
    }

    pub(super) fn tell_news(&mut self) {
        for waiting in self.news.drain(..) {
            let _ = waiting.send(());
        }
    }

    /// Take a claim with its block.
    pub(crate) fn offer(&mut self, arrived: Arrived) -> Result<(), RefusalKind> {
        let Arrived { claim, data } = arrived;
        let HeadClaim { chain_id, registration, generation, block } = *claim.get();
        let (Some(rollup), Some(track), Some((block_bytes, witness_bytes))) =
            (self.state.rollup(chain_id), self.tracks.get_mut(&chain_id), self.limits.get(&chain_id))
        else {
            return Err(RefusalKind::UnknownRollup);
        };
        if registration != rollup.params().registration {
            return Err(RefusalKind::Registration);
        }
        if track.take_header(&data, rollup) {
            return Ok(());
        }
        let current = rollup.generation();
        if generation < current || generation.0 > current.0.saturating_add(1) {
            return Err(RefusalKind::Generation);
        }
        let head = rollup.head().block.number;
        if block.number > head.saturating_add(AHEAD_MAX) {
            return Err(RefusalKind::TooFarAhead);
        }
        if data.block.len() > *block_bytes || data.witness.len() > *witness_bytes {
            return Err(RefusalKind::TooLarge);
        }
        // What can no longer be retracted is no evidence either; it would only fill memory.
        if block.number < head.saturating_sub(RETRACTABLE_BLOCKS_MAX as u64) {
            return Err(RefusalKind::Settled);
        }
        let known = track.claims(generation, block.number).iter().any(|known| known.get().block == block);
        if track.note(claim) && !known {
            self.effects.push(Effect::Equivocation { chain_id });
            self.tell_news();
            return Err(RefusalKind::Equivocation);
        }
        if generation == current && block.number <= head {
            return Err(RefusalKind::Settled);
        }
        if generation == current && !rollup.advances() {
            return Err(RefusalKind::Quarantined);
        }
        track.hold(claim, data)?;
        if !known {
            self.effects.push(Effect::Claimed { chain_id, generation, block });
        }
        Ok(())
    }

    /// Take a retraction.
    pub(crate) fn retract(&mut self, retraction: AuthenticRetraction) -> Result<(), RefusalKind> {
        let said = *retraction.get();
        let (Some(rollup), Some(track)) =
            (self.state.rollup(said.chain_id), self.tracks.get_mut(&said.chain_id))
        else {
            return Err(RefusalKind::UnknownRollup);
        };
        if said.registration != rollup.params().registration {
            return Err(RefusalKind::Registration);
        }
        if Some(said.generation) != rollup.generation().next() {
            return Err(RefusalKind::Generation);
        }
        if !rollup.is_retractable_to(said.kept) {
            return Err(RefusalKind::Kept);
        }
        track.retract(retraction);
        self.tell_news();
        Ok(())
    }

    /// Judge a block of a proposal on its parent; fetch it from `from` when it is not here.
    pub(crate) fn ensure(
        &mut self,
        claim: AuthenticClaim,
        parent: B256,
        from: PublicKey,
        now: TimeMs,
        reply: oneshot::Sender<Judged>,
    ) {
        let HeadClaim { chain_id, block, .. } = *claim.get();
        let Some(track) = self.tracks.get_mut(&chain_id) else { return };
        if track.note(claim) {
            self.effects.push(Effect::Equivocation { chain_id });
            self.tell_news();
        }
        if let Some(track) = self.tracks.get_mut(&chain_id) {
            track.wait(block, parent, from, now, reply);
        }
    }

    /// Blocks to ask for now, as effects; and when there will be more.
    pub(crate) fn tick(&mut self, now: TimeMs) -> Option<TimeMs> {
        for (chain_id, track) in &mut self.tracks {
            for (block, from) in track.due(now) {
                self.effects.push(Effect::Fetch { chain_id: *chain_id, block, from });
            }
        }
        self.tracks.values().filter_map(Track::next_due).min()
    }

    /// The next block to judge, rollups in turn; or when to ask again.
    pub(crate) fn next_job(&mut self, now: TimeMs) -> Result<Task, Option<TimeMs>> {
        if self.running >= JOBS_MAX {
            return Err(None);
        }
        let mut wake: Option<TimeMs> = None;
        let order: Vec<ChainId> =
            self.tracks.range(self.next..).chain(self.tracks.range(..self.next)).map(|(id, _)| *id).collect();
        for chain_id in order {
            let (Some(rollup), Some(track)) = (self.state.rollup(chain_id), self.tracks.get_mut(&chain_id))
            else {
                continue;
            };
            if rollup.params().class == Class::OwnNode {
                continue;
            }
            match track.next(rollup, now) {
                Next::Job { block, parent, data } => {
                    self.running += 1;
                    self.next = ChainId(chain_id.0.wrapping_add(1));
                    let BlockData { block: bytes, witness, .. } = data;
                    return Ok(Task { chain_id, parent: *parent, claimed: block, block: bytes, witness });
                }
                Next::Wait(until) => wake = Some(wake.map_or(until, |earlier| earlier.min(until))),
                Next::Idle => {}
            }
        }
        Err(wake)
    }

    /// Take what the judge says.
    pub(crate) fn finish(
        &mut self,
        chain_id: ChainId,
        block: BlockRef,
        parent: B256,
        verdict: Verdict,
        now: TimeMs,
    ) {
        self.running = self.running.saturating_sub(1);
        let Some(track) = self.tracks.get_mut(&chain_id) else { return };
        let missing = match &verdict {
            Verdict::Undecided(missing) => Some(missing.clone()),
            Verdict::Valid(_) | Verdict::Invalid(_) => None,
        };
        if let Some(judged) = track.finish(block, parent, verdict, now) {
            self.effects.push(Effect::Judged { chain_id, block, judged });
            self.tell_news();
        } else if let Some(missing) = missing.filter(|_| track.is_stuck(block.hash)) {
            self.effects.push(Effect::Stuck { chain_id, block, missing });
        }
    }

    /// Keep track of rollups that have joined. One whose member nobody knows has a profile that we cannot read.
    fn admit(&mut self) {
        for rollup in self.state.rollups() {
            let chain_id = rollup.params().chain_id;
            if self.tracks.contains_key(&chain_id) {
                continue;
            }
            let Some(member) = self.members.get(chain_id) else { continue };
            let bounds = member.entry.limits;
            self.tracks.insert(chain_id, Track::new(member.anchor.clone(), bounds.gas_per_second));
            self.limits.insert(chain_id, (bounds.block_bytes, bounds.witness_bytes));
        }
    }

    /// Follow the finalised chain. `true` when we have judged all that this checkpoint advanced and set aside.
    pub(crate) fn settle(&mut self, state: State, checkpoint: &Checkpoint) -> bool {
        let before = std::mem::replace(&mut self.state, state);
        self.admit();
        let mut judged = true;
        // Claims are authentic here: the ledger has checked them.
        let domain = checkpoint.header.domain;
        for change in &checkpoint.body.changes {
            if let Change::Quarantine { evidence: Evidence::InvalidBlock { claim, reason } } = change {
                judged &= self.agrees_invalid(&before, claim, *reason);
            }
        }
        let mut advanced: BTreeMap<ChainId, Vec<AuthenticClaim>> = BTreeMap::new();
        for advance in &checkpoint.body.advances {
            let Some(rollup) = self.state.rollup(advance.chain_id) else { continue };
            let (generation, params) = (rollup.generation(), rollup.params().clone());
            let first = advance.blocks.first().and_then(|block| block.block.number.checked_sub(1));
            let mut parent = first.and_then(|number| rollup.block_at(number)).map(|record| record.block.hash);
            for block in &advance.blocks {
                // What judges brought the ledger has checked: nobody else has more to say.
                judged &= params.class == Class::OwnNode
                    || parent.is_some_and(|parent| self.is_valid(advance.chain_id, block.block.hash, parent));
                parent = Some(block.block.hash);
                let claim = claim_of(advance.chain_id, &params, generation, block.block, block.signature);
                if let Ok(claim) = claim.authenticate(domain, params.sequencer) {
                    advanced.entry(advance.chain_id).or_default().push(claim);
                }
            }
        }
        own::settle(&mut self.judgements, &self.state);
        for (chain_id, track) in &mut self.tracks {
            if let Some(rollup) = self.state.rollup(*chain_id) {
                track.settle(rollup, advanced.get(chain_id).map_or(&[], Vec::as_slice));
            }
        }
        judged
    }

    fn is_valid(&self, chain_id: ChainId, block: B256, parent: B256) -> bool {
        let track = self.tracks.get(&chain_id);
        track.is_some_and(|track| matches!(track.verdict(block, parent), Some(Judged::Valid(_))))
    }

    fn agrees_invalid(&self, before: &State, claim: &SignedClaim, reason: InvalidReason) -> bool {
        let HeadClaim { chain_id, block, .. } = claim.claim;
        let (Some(rollup), Some(track)) = (before.rollup(chain_id), self.tracks.get(&chain_id)) else {
            return false;
        };
        match track.verdict(block.hash, rollup.head().block.hash) {
            Some(Judged::Invalid(ours)) => *ours == reason,
            Some(Judged::Valid(valid)) => LaneCounts::default().follow(rollup, valid) == Err(reason),
            None => false,
        }
    }

    /// What a checkpoint on top of `state` can say in this view. `time_ms` is the checkpoint's.
    pub(crate) fn collect(&self, state: &State, view: u64, time_ms: TimeMs) -> Body {
        let origin = state.header().l1_origin;
        let mut body = Body::default();
        let mut middle = state.clone();
        for change in self.changes(state) {
            body.changes.push(change);
            match state.seal(&body, time_ms, origin) {
                Ok((_, after)) => middle = after,
                Err(_) => {
                    body.changes.pop();
                }
            }
        }
        let mut budget = BODY_BUDGET.saturating_sub(body.encode().len());
        let mut lines: Vec<Line<'_>> = self
            .tracks
            .iter()
            .filter(|(_, track)| !track.is_left_out(view))
            .filter_map(|(chain_id, track)| {
                let rollup = middle.rollup(*chain_id)?;
                let judgements = self.judgements.get(chain_id).filter(|of| of.epoch() == middle.epoch());
                rollup.advances().then(|| Line::new(rollup, track, judgements))
            })
            .collect();
        // One block of each rollup in turn, so that a full body is shared.
        let mut grew = true;
        while grew {
            grew = false;
            for line in &mut lines {
                grew |= line.take(&mut budget);
            }
        }
        body.advances.extend(
            lines.into_iter().filter(|line| !line.advance.blocks.is_empty()).map(|line| line.advance),
        );
        body
    }

    fn changes(&self, state: &State) -> Vec<Change> {
        let mut changes = Vec::new();
        for (chain_id, track) in &self.tracks {
            let Some(rollup) = state.rollup(*chain_id) else { continue };
            if rollup.advances()
                && let Some(evidence) = evidence(rollup, track)
            {
                changes.push(Change::Quarantine { evidence });
            }
            if let Some(retraction) = track.retraction_after(rollup.generation()) {
                changes.push(Change::Retract { retraction: *retraction.signed() });
            }
        }
        changes
    }

    /// A block that is held or was advanced lately.
    pub(crate) fn find(&self, chain_id: ChainId, block: BlockId) -> Option<Submission> {
        let track = self.tracks.get(&chain_id)?;
        let hash = match block {
            BlockId::Hash(hash) => hash,
            BlockId::Number(number) => track.newest_claim(number)?,
        };
        let (claim, data) = track.find(hash)?;
        Some(Submission { claim, block: data.block.clone(), witness: data.witness.clone() })
    }

    /// How far we are with a rollup.
    pub(crate) fn status(&self, chain_id: ChainId) -> Option<PublisherStatus> {
        let (rollup, track) = (self.state.rollup(chain_id)?, self.tracks.get(&chain_id)?);
        Some(PublisherStatus {
            chain_id,
            generation: rollup.generation(),
            status: rollup.status(),
            head: rollup.head().block,
            height: self.state.header().height,
            held: track.contiguous(rollup),
        })
    }

    /// Leave rollups out of our proposals for a growing number of views.
    pub(crate) fn penalise(&mut self, view: u64, chains: &BTreeSet<ChainId>) {
        for chain_id in chains {
            if let Some(track) = self.tracks.get_mut(chain_id) {
                track.left_out().penalise(view);
            }
        }
    }

    /// Bytes and number of blocks that wait, over all rollups.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        self.tracks.values().map(Track::backlog).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

fn evidence(rollup: &Rollup, track: &Track) -> Option<Evidence> {
    let generation = rollup.generation();
    if let Some(evidence) = track.equivocation_in(generation) {
        return Some(evidence);
    }
    if rollup.params().class == Class::OwnNode {
        return None;
    }
    let head = rollup.head().block;
    for claim in track.claims(generation, head.number.checked_add(1)?) {
        let reason = match track.verdict(claim.get().block.hash, head.hash) {
            Some(Judged::Invalid(reason)) => Some(*reason),
            Some(Judged::Valid(valid)) => LaneCounts::default().follow(rollup, valid).err(),
            None => None,
        };
        if let Some(reason) = reason {
            return Some(Evidence::InvalidBlock { claim: *claim.signed(), reason });
        }
    }
    None
}

/// The claim that a finalised block carries the signature of.
pub(crate) const fn claim_of(
    chain_id: ChainId,
    params: &hum_ledger::RollupParams,
    generation: Generation,
    block: BlockRef,
    signature: SequencerSignature,
) -> SignedClaim {
    SignedClaim {
        claim: HeadClaim { chain_id, registration: params.registration, generation, block },
        signature,
    }
}

/// One rollup's part of a body while it is put together.
struct Line<'a> {
    rollup: &'a Rollup,
    track: &'a Track,
    /// Of a rollup that nobody re-executes.
    judgements: Option<&'a Judgements>,
    head: BlockRef,
    counts: LaneCounts,
    advance: Advance,
    done: bool,
}

impl<'a> Line<'a> {
    fn new(rollup: &'a Rollup, track: &'a Track, judgements: Option<&'a Judgements>) -> Self {
        let advance =
            Advance { chain_id: rollup.params().chain_id, blocks: Vec::new(), judgements: Vec::new() };
        let head = rollup.head().block;
        Self { rollup, track, judgements, head, counts: LaneCounts::default(), advance, done: false }
    }

    /// Put one more block on, if there is one and it fits.
    fn take(&mut self, budget: &mut usize) -> bool {
        if self.done || self.advance.blocks.len() == BLOCKS_PER_ADVANCE_MAX {
            return false;
        }
        let taken = self.block().and_then(|block| {
            let bundle = self.bundle(&block)?;
            let bytes = block.encode().len() + bundle.as_ref().map_or(0, |bundle| bundle.encode().len()) + 16;
            (bytes <= *budget).then_some((block, bundle, bytes))
        });
        let Some((block, bundle, bytes)) = taken else {
            self.done = true;
            return false;
        };
        *budget -= bytes;
        self.head = block.block;
        self.advance.blocks.push(block);
        self.advance.judgements.extend(bundle);
        true
    }

    /// What judges signed for the block: `None` while they have not, and nothing where blocks are re-executed.
    fn bundle(&self, block: &AdvancedBlock) -> Option<Option<JudgementBundle>> {
        let params = self.rollup.params();
        if params.class == Class::Reexecuted {
            return Some(None);
        }
        let judgement = params.judgement(self.rollup.generation(), self.head.hash, block);
        Some(Some(self.judgements?.bundle(judgement.subject())?.clone()))
    }

    fn block(&mut self) -> Option<AdvancedBlock> {
        let number = self.head.number.checked_add(1)?;
        for claim in self.track.claims(self.rollup.generation(), number) {
            let block = claim.get().block;
            if !self.rollup.may_hold(block) {
                continue;
            }
            if let Some(Judged::Valid(valid)) = self.track.verdict(block.hash, self.head.hash) {
                let messages = self.counts.follow(self.rollup, valid).ok()?;
                let header = valid.header.header();
                return Some(AdvancedBlock {
                    block,
                    state_root: header.state_root,
                    time_ms: TimeMs(header.timestamp.saturating_mul(1000)),
                    signature: claim.signed().signature,
                    messages,
                });
            }
        }
        None
    }
}
