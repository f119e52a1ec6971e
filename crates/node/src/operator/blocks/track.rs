//! One rollup's claims, blocks and verdicts.

use super::{
    data::BlockData,
    judged::{Judged, ValidBlock},
    left_out::LeftOut,
};
use crate::wire::RefusalKind;
use commonware_utils::channel::oneshot;
use hum_consensus::PublicKey;
use hum_ledger::{RETRACTABLE_BLOCKS_MAX, Rollup};
use hum_types::{
    AuthenticClaim, AuthenticRetraction, B256, BlockRef, Evidence, Generation, InvalidReason, SignedClaim,
    TimeMs,
};
use hum_verify::{CertifiedHeader, Verdict};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Numbers above the finalised head that are taken.
pub(crate) const AHEAD_MAX: u64 = 256;
/// Bytes of blocks that wait for a checkpoint.
pub(crate) const HELD_BYTES_MAX: usize = 64 << 20;
/// Bytes of advanced blocks that are kept for those who missed them.
pub(crate) const SERVED_BYTES_MAX: usize = 24 << 20;
/// Seconds' worth of a gas budget that may pass at once.
const BURST_MS: u64 = 10_000;
/// First pause before a block is asked for again; doubles up to [`RETRY_MS_MAX`].
const RETRY_MS: u64 = 250;
const RETRY_MS_MAX: u64 = 8_000;
/// Witnesses that do not do, after which people should look.
const UNDECIDED_ALARM: u32 = 4;

/// A block and the parent that it is judged on.
pub(crate) type Pair = (B256, B256);

struct Waiter {
    block: BlockRef,
    parent: B256,
    reply: oneshot::Sender<Judged>,
}

struct Wanted {
    block: BlockRef,
    /// Only its header is needed: the block is finalised.
    header_only: bool,
    from: Option<PublicKey>,
    due: TimeMs,
    attempts: u32,
}

struct Held {
    claim: SignedClaim,
    data: BlockData,
    /// A header that its witness was searched for in vain: a witness is long, and is asked about with every message.
    lacks: Option<B256>,
}

/// One rollup.
pub(crate) struct Track {
    gas_per_second: u64,
    /// At most two for a number in a generation: a third adds nothing to the evidence.
    claims: BTreeMap<(Generation, u64), Vec<AuthenticClaim>>,
    held: BTreeMap<B256, Held>,
    held_bytes: usize,
    served: VecDeque<Held>,
    served_bytes: usize,
    verdicts: BTreeMap<Pair, (u64, Judged)>,
    headers: BTreeMap<B256, CertifiedHeader>,
    running: Option<Pair>,
    waiters: Vec<Waiter>,
    wanted: BTreeMap<B256, Wanted>,
    /// How often a block could not be judged.
    undecided: BTreeMap<B256, (u64, u32)>,
    equivocation: Option<(SignedClaim, SignedClaim)>,
    retraction: Option<AuthenticRetraction>,
    /// When the gas of what was judged so far is paid for.
    paid_until: TimeMs,
    left_out: LeftOut,
}

/// What a rollup can do next.
pub(crate) enum Next {
    /// Judge this block on this parent.
    Job {
        /// The block.
        block: BlockRef,
        /// Its parent.
        parent: Box<CertifiedHeader>,
        /// The bytes.
        data: BlockData,
    },
    /// Nothing before this time.
    Wait(TimeMs),
    /// Nothing before something arrives.
    Idle,
}

impl Track {
    pub(crate) fn new(anchor: CertifiedHeader, gas_per_second: u64) -> Self {
        Self {
            gas_per_second: gas_per_second.max(1),
            claims: BTreeMap::new(),
            held: BTreeMap::new(),
            held_bytes: 0,
            served: VecDeque::new(),
            served_bytes: 0,
            verdicts: BTreeMap::new(),
            headers: BTreeMap::from([(anchor.hash(), anchor)]),
            running: None,
            waiters: Vec::new(),
            wanted: BTreeMap::new(),
            undecided: BTreeMap::new(),
            equivocation: None,
            retraction: None,
            paid_until: TimeMs(0),
            left_out: LeftOut::default(),
        }
    }

    /// Remember a claim; `true` when it contradicts another one.
    pub(crate) fn note(&mut self, claim: AuthenticClaim) -> bool {
        let signed = *claim.signed();
        let place = (signed.claim.generation, signed.claim.block.number);
        let claims = self.claims.entry(place).or_default();
        if claims.iter().any(|known| known.get().block.hash == signed.claim.block.hash) {
            return claims.len() > 1;
        }
        let Some(first) = claims.first() else {
            claims.push(claim);
            return false;
        };
        let pair = (*first.signed(), signed);
        if claims.len() < 2 {
            claims.push(claim);
        }
        if self.equivocation.is_none() {
            self.equivocation = Some(pair);
        }
        true
    }

    /// Take a block, or its header when that is all that is missing.
    pub(crate) fn hold(&mut self, claim: AuthenticClaim, data: BlockData) -> Result<(), RefusalKind> {
        let block = claim.get().block;
        if self.held.contains_key(&block.hash) {
            return Ok(());
        }
        self.wanted.remove(&block.hash);
        self.held_bytes += data.byte_len();
        self.held.insert(block.hash, Held { claim: *claim.signed(), data, lacks: None });
        while self.held_bytes > HELD_BYTES_MAX {
            // The farthest one will be offered again once there is room.
            let Some(farthest) =
                self.held.iter().max_by_key(|(_, held)| held.claim.claim.block.number).map(|(hash, _)| *hash)
            else {
                break;
            };
            self.drop_held(farthest);
        }
        if self.held.contains_key(&block.hash) { Ok(()) } else { Err(RefusalKind::TooFarAhead) }
    }

    /// Take the header of a finalised block that we did not judge; `false` when there is no need of it.
    pub(crate) fn take_header(&mut self, data: &BlockData, rollup: &Rollup) -> bool {
        let Some(header) = data.header.as_deref() else { return false };
        let certified = CertifiedHeader::from_anchor(header.clone());
        let finalised =
            rollup.block_at(header.number).is_some_and(|record| record.block == certified.block());
        let needed = finalised && !self.headers.contains_key(&certified.hash());
        if needed {
            self.wanted.remove(&certified.hash());
            self.headers.insert(certified.hash(), certified);
        }
        needed
    }

    fn drop_held(&mut self, hash: B256) -> Option<Held> {
        let held = self.held.remove(&hash)?;
        self.held_bytes -= held.data.byte_len();
        Some(held)
    }

    /// Remember a retraction.
    pub(crate) fn retract(&mut self, retraction: AuthenticRetraction) {
        self.retraction = Some(retraction);
    }

    /// A retraction that opens the generation after `generation`.
    pub(crate) fn retraction_after(&self, generation: Generation) -> Option<&AuthenticRetraction> {
        self.retraction.as_ref().filter(|retraction| Some(retraction.get().generation) == generation.next())
    }

    /// Two contradicting claims of this generation.
    pub(crate) fn equivocation_in(&self, generation: Generation) -> Option<Evidence> {
        let (one, other) = self.equivocation.filter(|(one, _)| one.claim.generation == generation)?;
        Some(Evidence::Equivocation { one, other })
    }

    /// Claims for a number in a generation.
    pub(crate) fn claims(&self, generation: Generation, number: u64) -> &[AuthenticClaim] {
        self.claims.get(&(generation, number)).map_or(&[], Vec::as_slice)
    }

    /// The verdict on a block on a parent.
    pub(crate) fn verdict(&self, block: B256, parent: B256) -> Option<&Judged> {
        self.verdicts.get(&(block, parent)).map(|(_, judged)| judged)
    }

    /// Wait for a verdict.
    pub(crate) fn wait(
        &mut self,
        block: BlockRef,
        parent: B256,
        from: PublicKey,
        now: TimeMs,
        reply: oneshot::Sender<Judged>,
    ) {
        if let Some(judged) = self.verdict(block.hash, parent) {
            let _ = reply.send(judged.clone());
            return;
        }
        if !self.held.contains_key(&block.hash) && !self.is_running(block.hash) {
            self.want(block, false, Some(from), now);
        }
        self.waiters.push(Waiter { block, parent, reply });
    }

    fn is_running(&self, block: B256) -> bool {
        self.running.is_some_and(|(running, _)| running == block)
    }

    fn want(&mut self, block: BlockRef, header_only: bool, from: Option<PublicKey>, now: TimeMs) {
        let wanted = self.wanted.entry(block.hash).or_insert(Wanted {
            block,
            header_only,
            from: None,
            due: now,
            attempts: 0,
        });
        wanted.header_only &= header_only;
        if from.is_some() {
            // Someone who has it: ask at once.
            wanted.from = from;
            wanted.due = wanted.due.min(now);
        }
    }

    /// Blocks to ask for now; each is due again later.
    pub(crate) fn due(&mut self, now: TimeMs) -> Vec<(BlockRef, Option<PublicKey>)> {
        self.waiters.retain(|waiter| !waiter.reply.is_closed());
        let mut asked = Vec::new();
        for wanted in self.wanted.values_mut().filter(|wanted| wanted.due <= now) {
            asked.push((wanted.block, wanted.from.clone()));
            let pause = RETRY_MS.saturating_mul(1 << wanted.attempts.min(10)).min(RETRY_MS_MAX);
            wanted.attempts = wanted.attempts.saturating_add(1);
            wanted.due = TimeMs(now.0 + pause);
        }
        asked
    }

    /// When [`Self::due`] has something to say next.
    pub(crate) fn next_due(&self) -> Option<TimeMs> {
        self.wanted.values().map(|wanted| wanted.due).min()
    }

    /// What to judge next.
    pub(crate) fn next(&mut self, rollup: &Rollup, now: TimeMs) -> Next {
        if self.running.is_some() {
            return Next::Idle;
        }
        if self.paid_until > now {
            return if self.candidate(rollup, now).is_some() {
                Next::Wait(self.paid_until)
            } else {
                Next::Idle
            };
        }
        let Some((block, parent)) = self.candidate(rollup, now) else { return Next::Idle };
        let (Some(parent), Some(held)) = (self.headers.get(&parent), self.held.get(&block.hash)) else {
            return Next::Idle;
        };
        let (parent, data) = (parent.clone(), held.data.clone());
        let price = data.gas().saturating_mul(1000) / self.gas_per_second;
        let from = self.paid_until.0.max(now.0.saturating_sub(BURST_MS));
        self.paid_until = TimeMs(from.saturating_add(price));
        self.running = Some((block.hash, parent.hash()));
        Next::Job { block, parent: Box::new(parent), data }
    }

    /// The next block that is here, is not judged on its parent, and whose parent is here.
    fn candidate(&mut self, rollup: &Rollup, now: TimeMs) -> Option<(BlockRef, B256)> {
        let (mut missing, mut lacking) = (Vec::new(), Vec::new());
        let (mut found, mut shown) = (None, None);
        let awaited = self.waiters.iter().map(|waiter| (waiter.block, waiter.parent));
        // What is not above the head is finalised, or lost to it.
        let above = rollup.head().block.number.saturating_add(1);
        let claimed =
            self.claims.range((rollup.generation(), above)..).flat_map(|(_, claims)| claims).filter_map(
                |claim| {
                    let held = self.held.get(&claim.get().block.hash)?;
                    Some((claim.get().block, self.parent_of(rollup, claim, &held.data)?))
                },
            );
        for (block, parent) in awaited.chain(claimed) {
            if self.verdicts.contains_key(&(block.hash, parent)) || !self.held.contains_key(&block.hash) {
                continue;
            }
            if self.headers.contains_key(&parent) {
                found = Some((block, parent));
                break;
            }
            let below = block.number.checked_sub(1).and_then(|number| rollup.block_at(number));
            if let Some(record) = below.filter(|record| record.block.hash == parent) {
                // A header is what its hash says, and this hash is certified. Without this, operators that all
                // started anew at once would wait for each other for ever.
                let held = self.held.get(&block.hash).filter(|held| held.lacks != Some(parent));
                shown = held.and_then(|held| held.data.shown(parent));
                if shown.is_some() {
                    found = Some((block, parent));
                    break;
                }
                lacking.push((block.hash, parent));
                missing.push(record.block);
            }
        }
        self.headers.extend(shown.map(|header| (header.hash(), header)));
        for (block, parent) in lacking {
            if let Some(held) = self.held.get_mut(&block) {
                held.lacks = Some(parent);
            }
        }
        for block in missing {
            self.want(block, true, None, now);
        }
        found
    }

    /// The parent that a claimed block is to be judged on.
    fn parent_of(&self, rollup: &Rollup, claim: &AuthenticClaim, data: &BlockData) -> Option<B256> {
        let claim = claim.get();
        let head = rollup.head().block;
        // On the head there is no choice: whatever its header says, it has to follow.
        if claim.generation == rollup.generation() && Some(claim.block.number) == head.number.checked_add(1) {
            return Some(head.hash);
        }
        let parent = data.parent()?;
        let below = claim.block.number.checked_sub(1)?;
        let judged = self.headers.get(&parent).is_some_and(|header| header.block().number == below);
        let certified = rollup.block_at(below).is_some_and(|record| record.block.hash == parent);
        (judged || certified).then_some(parent)
    }

    /// Take what the judge says.
    pub(crate) fn finish(
        &mut self,
        block: BlockRef,
        parent: B256,
        verdict: Verdict,
        now: TimeMs,
    ) -> Option<Judged> {
        self.running = None;
        let judged = match verdict {
            // A gateway of ours cannot log what is no message: another contract stands at its address.
            Verdict::Valid(summary) if !summary.malformed_gateway_logs.is_empty() => {
                Judged::Invalid(InvalidReason::GatewayLog)
            }
            Verdict::Valid(summary) => {
                self.headers.insert(block.hash, summary.header.clone());
                Judged::Valid(Arc::new(ValidBlock { header: summary.header, messages: summary.messages }))
            }
            Verdict::Invalid(reason) => Judged::Invalid(reason.class()),
            Verdict::Undecided(_) => {
                self.drop_held(block.hash);
                self.undecided.entry(block.hash).or_insert((block.number, 0)).1 += 1;
                self.want(block, false, None, now);
                // What was asked once must not be asked in a tight circle.
                if let Some(wanted) = self.wanted.get_mut(&block.hash) {
                    wanted.attempts = wanted.attempts.saturating_add(1);
                    wanted.due = TimeMs(now.0 + RETRY_MS);
                }
                return None;
            }
        };
        self.verdicts.insert((block.hash, parent), (block.number, judged.clone()));
        let (told, waiting) = std::mem::take(&mut self.waiters)
            .into_iter()
            .partition(|waiter| waiter.block.hash == block.hash && waiter.parent == parent);
        self.waiters = waiting;
        let told: Vec<Waiter> = told;
        for waiter in told {
            let _ = waiter.reply.send(judged.clone());
        }
        Some(judged)
    }

    /// Take what our own node says of a block that nobody re-executes.
    pub(crate) fn take_own(&mut self, block: BlockRef, parent: B256, valid: ValidBlock) {
        self.verdicts.insert((block.hash, parent), (block.number, Judged::Valid(Arc::new(valid))));
    }

    /// Whether a block has just now been without a verdict too often.
    pub(crate) fn is_stuck(&self, block: B256) -> bool {
        self.undecided.get(&block).is_some_and(|(_, times)| *times == UNDECIDED_ALARM)
    }

    /// Follow the finalised chain. `advanced` are the blocks that this checkpoint put on it.
    pub(crate) fn settle(&mut self, rollup: &Rollup, advanced: &[AuthenticClaim]) {
        let (head, generation) = (rollup.head().block, rollup.generation());
        for claim in advanced {
            self.note(*claim);
            let block = claim.get().block;
            if let Some(held) = self.drop_held(block.hash) {
                if !self.headers.contains_key(&block.hash) {
                    self.take_header(&held.data, rollup);
                }
                self.serve(held);
            }
        }
        if !advanced.is_empty() {
            self.left_out = LeftOut::default();
        }
        let oldest = head.number.saturating_sub(RETRACTABLE_BLOCKS_MAX as u64);
        self.claims.retain(|(claimed_in, number), _| *claimed_in >= generation && *number >= oldest);
        self.verdicts.retain(|_, (number, _)| *number >= oldest);
        self.undecided.retain(|_, (number, _)| *number > head.number);
        self.headers.retain(|_, header| header.block().number >= oldest);
        let running = self.running;
        let stale: Vec<B256> = self
            .held
            .iter()
            .filter(|(hash, held)| {
                let claim = held.claim.claim;
                let behind = claim.generation == generation && claim.block.number <= head.number;
                (claim.generation < generation || behind)
                    && running.is_none_or(|(running, _)| running != **hash)
            })
            .map(|(hash, _)| *hash)
            .collect();
        for hash in stale {
            self.drop_held(hash);
        }
        self.wanted.retain(|_, wanted| {
            if wanted.header_only { wanted.block.number >= oldest } else { wanted.block.number > head.number }
        });
        if self.equivocation.is_some_and(|(one, _)| one.claim.generation < generation) {
            self.equivocation = None;
        }
        if self.retraction.is_some_and(|retraction| retraction.get().generation <= generation) {
            self.retraction = None;
        }
    }

    fn serve(&mut self, held: Held) {
        self.served_bytes += held.data.byte_len();
        self.served.push_back(held);
        while self.served_bytes > SERVED_BYTES_MAX {
            let Some(oldest) = self.served.pop_front() else { break };
            self.served_bytes -= oldest.data.byte_len();
        }
    }

    /// A block that is held or was advanced lately.
    pub(crate) fn find(&self, hash: B256) -> Option<(SignedClaim, &BlockData)> {
        self.held
            .get(&hash)
            .or_else(|| self.served.iter().rev().find(|held| held.claim.claim.block.hash == hash))
            .map(|held| (held.claim, &held.data))
    }

    /// The newest generation's claim for a number.
    pub(crate) fn newest_claim(&self, number: u64) -> Option<B256> {
        self.claims
            .iter()
            .rev()
            .find(|((_, claimed), _)| *claimed == number)
            .and_then(|(_, claims)| claims.first())
            .map(|claim| claim.get().block.hash)
    }

    /// The highest block that is here without a gap above the head, in the head's generation.
    pub(crate) fn contiguous(&self, rollup: &Rollup) -> BlockRef {
        let mut highest = rollup.head().block;
        while let Some(number) = highest.number.checked_add(1)
            && let Some(claim) = self
                .claims(rollup.generation(), number)
                .iter()
                .find(|claim| self.held.contains_key(&claim.get().block.hash))
        {
            highest = claim.get().block;
        }
        highest
    }

    /// When the rollup is left out of proposals.
    pub(crate) const fn left_out(&mut self) -> &mut LeftOut {
        &mut self.left_out
    }

    /// Whether the rollup is left out of a proposal in this view.
    pub(crate) const fn is_left_out(&self, view: u64) -> bool {
        self.left_out.covers(view)
    }

    /// Bytes and number of blocks that wait for a checkpoint.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        (self.held_bytes, self.held.len())
    }
}
