//! What L1 says of settled heads.

use super::{
    line::{Line, stands},
    proven::ProvenLine,
    track::Head,
};
use crate::{
    config::{Member, Network},
    operator::handle::Reporter,
    runtime::{Runtime, moment, now},
    settlement::{Posted, Settlement},
};
use commonware_utils::sync::Mutex;
use hum_chain::{Disposition, ReadError};
use hum_ledger::State;
use hum_types::{BlockRef, Body, ChainId, Change, Confidence, L1Origin, RollupStatus, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tracing::debug;

/// How long a head must have been known before it is proposed: others' nodes see it a little later.
const SETTLE_MS: u64 = 1_000;
/// Pause before a vote looks again.
pub(super) const AGAIN_MS: u64 = 100;
/// How long nothing is proposed after a proposal that settles has failed; twice as long each time that it fails again.
const PAUSE_MS: u64 = 5_000;
/// The longest such pause.
const PAUSE_MS_MAX: u64 = 300_000;
/// Changes that one proposal settles at most.
const CHANGES_MAX: usize = 16;
/// Pause before blocks are read again in which the node left something out.
const LOST_MS: u64 = 10_000;
/// How often that may happen in a row until people should look.
const LOST_ALARM: u32 = 3;
/// L1 blocks that one question covers at most.
const RANGE: u64 = 500;

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) finalized: L1Origin,
    safe: L1Origin,
    /// The node's heads when it was last read through.
    asked: Option<(L1Origin, L1Origin)>,
    /// Everything up to here is in `settled`, but for what the node left out.
    scanned: u64,
    /// When the blocks from this one on are read again, because something is missing in them.
    again: Option<(TimeMs, u64)>,
    lines: BTreeMap<ChainId, Line>,
    pub(super) proven: BTreeMap<ChainId, ProvenLine>,
    /// The newest finalised state; none while old checkpoints are replayed.
    pub(super) ledger: Option<State>,
    /// An origin at which our chain was found to have the same block.
    agreed: Option<L1Origin>,
    /// The height at which settled heads were last proposed, and in which views.
    tried: (u64, Vec<u64>),
    /// Until when nothing is proposed, and for how long that was.
    pause: (TimeMs, u64),
}

impl Known {
    /// A proposal that settles something came to nothing.
    fn fails(&mut self, now: TimeMs) {
        let pause_ms = (self.pause.1 * 2).clamp(PAUSE_MS, PAUSE_MS_MAX);
        self.pause = (TimeMs(now.0 + pause_ms), pause_ms);
    }
}

/// What a body says of a rollup by what L1 holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claimed {
    pub(super) chain_id: ChainId,
    pub(super) head: BlockRef,
    pub(super) l1: L1Origin,
    pub(super) what: What,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// The head is settled.
    Settles(Confidence),
    /// The head contradicts what was certified above this block.
    Cuts(BlockRef),
}

impl What {
    /// What L1 has to say of the block that was named.
    const fn confidence(self) -> Confidence {
        match self {
            Self::Settles(confidence) => confidence,
            Self::Cuts(_) => Confidence::Finalized,
        }
    }
}

fn settles(body: &Body) -> impl Iterator<Item = Claimed> {
    body.changes.iter().filter_map(|change| match *change {
        Change::Settle { chain_id, confidence, head, l1 } => {
            Some(Claimed { chain_id, head, l1, what: What::Settles(confidence) })
        }
        Change::Reorg { chain_id, kept, head, l1 } => {
            Some(Claimed { chain_id, head, l1, what: What::Cuts(kept) })
        }
        Change::Quarantine { .. }
        | Change::Retract { .. }
        | Change::NextCommittee { .. }
        | Change::Join { .. }
        | Change::Leave { .. } => None,
    })
}

/// What can be said of a settled head now.
pub(super) enum Answer {
    Holds,
    /// It holds if our own chain has the L1 block that is named; it was found in this one.
    Found(L1Origin),
    /// Our own L1 says otherwise.
    Contradicted(String),
    /// Our own L1 node is behind.
    Behind(String),
}

/// Asks our own L1 node, and remembers. Without a source nothing settles.
pub(crate) struct Settling<E> {
    pub(super) clock: E,
    source: Option<Arc<dyn Settlement>>,
    pub(super) reporter: Reporter,
    pub(super) known: Mutex<Known>,
}

impl<E: Runtime> Settling<E> {
    pub(crate) fn new(
        clock: E,
        network: &Network,
        source: Option<Arc<dyn Settlement>>,
        reporter: Reporter,
    ) -> Self {
        let members = network.members();
        let lines: BTreeMap<ChainId, Line> = members.iter().filter_map(|member| Line::of(member)).collect();
        let proven = members.iter().filter_map(|member| ProvenLine::of(member)).collect();
        let scanned = lines.values().map(|line| line.from.saturating_sub(1)).min().unwrap_or_default();
        let known = Known { scanned, lines, proven, ..Known::default() };
        Self { clock, source, reporter, known: Mutex::new(known) }
    }

    /// A rollup has joined: what it has posted is read from its first block on.
    pub(crate) fn admit(&self, member: &Member) {
        if let Some((chain_id, line)) = ProvenLine::of(member) {
            self.known.lock().proven.entry(chain_id).or_insert(line);
        }
        let Some((chain_id, line)) = Line::of(member) else { return };
        let mut known = self.known.lock();
        let known = &mut *known;
        if known.lines.contains_key(&chain_id) {
            return;
        }
        let scanned = line.from.saturating_sub(1);
        known.scanned = if known.lines.is_empty() { scanned } else { known.scanned.min(scanned) };
        known.lines.insert(chain_id, line);
        known.asked = None;
    }

    /// Where to ask.
    pub(crate) fn source(&self) -> Option<Arc<dyn Settlement>> {
        self.source.clone()
    }

    /// Whether no member settles on L1, so far.
    pub(crate) fn is_idle(&self) -> bool {
        let known = self.known.lock();
        known.lines.is_empty() && known.proven.is_empty()
    }

    /// A proposal for this height settles something.
    pub(crate) fn tried(&self, height: u64, view: u64, body: &Body) {
        if settles(body).next().is_none() {
            return;
        }
        let mut known = self.known.lock();
        if known.tried.0 != height {
            known.tried = (height, Vec::new());
        }
        if !known.tried.1.contains(&view) {
            known.tried.1.push(view);
            if known.tried.1.len() == 2 {
                known.fails(now(&self.clock));
            }
        }
    }

    /// The checkpoints on disk are replayed: from here on L1 is read.
    pub(crate) fn begin(&self, state: &State) {
        self.known.lock().ledger = Some(state.clone());
    }

    /// A body was finalised at this height. When it settles nothing although one that does was proposed, that has failed.
    pub(crate) fn finalised(&self, height: u64, state: &State, body: &Body) {
        let mut known = self.known.lock();
        if let Some(ledger) = &mut known.ledger {
            *ledger = state.clone();
        }
        if settles(body).next().is_some() {
            known.pause = (TimeMs(0), 0);
        } else if known.tried.0 == height && known.tried.1.len() == 1 {
            known.fails(now(&self.clock));
        }
    }

    /// What can be settled on top of `before` under a header of this origin. Where that has failed, too many L1 nodes are
    /// away or behind: the chain must not wait for them at each height that follows.
    pub(crate) fn proposal(&self, before: &State, origin: L1Origin) -> Vec<Change> {
        let (known, now) = (self.known.lock(), now(&self.clock));
        if now < known.pause.0 || known.tried.0 == before.next_height().0 && known.tried.1.len() > 1 {
            return Vec::new();
        }
        let mut changes = Vec::new();
        for (chain_id, line) in &known.lines {
            let Some(rollup) = before.rollup(*chain_id) else { continue };
            if rollup.status() == RollupStatus::Left {
                continue;
            }
            let parting = line.parting(rollup, origin.number);
            let mut floor = rollup.finalized().map(|settled| settled.block.block.number);
            let due = |head: &Head, above: Option<u64>| {
                head.seen.0 + SETTLE_MS <= now.0
                    && above.is_none_or(|above| head.block.number > above)
                    && stands(rollup, head.block)
            };
            let chain_id = *chain_id;
            if let Some(head) = line.newest(origin.number, |head| due(head, floor)) {
                let (confidence, head) = (Confidence::Finalized, head.block);
                changes.push(Change::Settle { chain_id, confidence, head, l1: origin });
                floor = Some(head.number);
            }
            floor = floor.max(rollup.safe().map(|settled| settled.block.block.number));
            let above =
                line.newest(known.safe.number, |head| head.l1.number > origin.number && due(head, floor));
            if let Some(Head { block: head, l1, .. }) = above {
                changes.push(Change::Settle { chain_id, confidence: Confidence::Safe, head, l1 });
            }
            if let Some(Head { block: head, below: kept, seen, .. }) = parting
                && seen.0 + SETTLE_MS <= now.0
                && rollup.reorged().is_none()
                && rollup.is_cut_to(kept)
            {
                changes.push(Change::Reorg { chain_id, kept, head, l1: origin });
            }
        }
        let proven = known.proven.iter().filter_map(|(chain_id, line)| {
            let rollup = before.rollup(*chain_id).filter(|rollup| rollup.status() != RollupStatus::Left)?;
            line.change(rollup, origin, TimeMs(now.0.saturating_sub(SETTLE_MS)))
        });
        changes.extend(proven);
        changes.truncate(CHANGES_MAX);
        changes
    }

    /// Whether our L1 holds every head that the body settles, and contradicts what it cuts back of `before`. Pending while
    /// that cannot be known.
    pub(crate) async fn agrees(&self, before: &State, body: &Body) -> Result<(), String> {
        for claimed in settles(body) {
            let mut down = None;
            loop {
                match self.look(before, claimed, &mut down).await {
                    Answer::Holds | Answer::Found(_) => break,
                    Answer::Contradicted(why) => return Err(why),
                    Answer::Behind(waits_for) => {
                        let now = now(&self.clock);
                        self.reporter.handle().board().waits_for(waits_for, now);
                        self.clock.sleep_until(moment(TimeMs(now.0 + AGAIN_MS))).await;
                    }
                }
            }
        }
        Ok(())
    }

    async fn look(&self, before: &State, claimed: Claimed, down: &mut Option<ReadError>) -> Answer {
        let Claimed { chain_id, l1, what, .. } = claimed;
        let Some(source) = &self.source else {
            return Answer::Contradicted(format!(
                "chain {chain_id} settles nothing that this operator can read"
            ));
        };
        let (tag, reached) = {
            let known = self.known.lock();
            match what.confidence() {
                Confidence::Finalized => ("finalised", known.finalized),
                Confidence::Latest | Confidence::Safe => ("safe", known.safe),
            }
        };
        if reached.number < l1.number {
            let why = down.take().map(|error| format!(" ({error})")).unwrap_or_default();
            return Answer::Behind(format!(
                "own L1 node, {tag} {}, to reach block {}{why}",
                reached.number, l1.number
            ));
        }
        let contracts = self.look_proven(source, before, claimed).await;
        let same = {
            let mut known = self.known.lock();
            let found = match (contracts, known.lines.get(&chain_id)) {
                (Some(Answer::Found(at)), _) => Ok(at),
                (Some(answer), _) => Err(answer),
                (None, Some(line)) => held(line, before, claimed),
                (None, None) => {
                    return Answer::Contradicted(format!("chain {chain_id} settles nothing on L1"));
                }
            };
            match found {
                Ok(own) => own == l1 || l1 == reached || known.agreed == Some(l1),
                Err(answer) => {
                    if matches!(answer, Answer::Behind(_)) {
                        known.asked = None;
                    }
                    return answer;
                }
            }
        };
        if same {
            return Answer::Holds;
        }
        match source.hash_of(l1.number).await {
            Ok(Some(hash)) if hash == l1.hash => {
                self.known.lock().agreed = Some(l1);
                Answer::Holds
            }
            Ok(Some(hash)) => Answer::Contradicted(format!(
                "own L1 has {tag} block {hash} at {}, proposed is {}",
                l1.number, l1.hash
            )),
            Ok(None) => Answer::Behind(format!("own L1 node to show block {}", l1.number)),
            Err(error) => {
                self.failed(&error);
                let waits_for = format!("own L1 node: {error}");
                *down = Some(error);
                Answer::Behind(waits_for)
            }
        }
    }

    /// Look at our node's heads and at what is new below them.
    pub(crate) async fn refresh(&self, source: &Arc<dyn Settlement>) -> Result<(), ReadError> {
        if self.known.lock().ledger.is_none() {
            return Ok(());
        }
        let finalized = source.head(Confidence::Finalized).await?;
        let safe = source.head(Confidence::Safe).await?;
        self.place(source, finalized).await?;
        let at = now(&self.clock);
        let mut scanned = {
            let mut known = self.known.lock();
            if let Some((_, from)) = known.again.take_if(|(due, _)| *due <= at) {
                known.scanned = known.scanned.min(from.saturating_sub(1));
            } else if known.asked == Some((finalized, safe)) {
                return Ok(());
            }
            known.scanned
        };
        while scanned < finalized.number {
            let to = finalized.number.min(scanned.saturating_add(RANGE));
            let posted = source.posted(scanned + 1, to).await?;
            self.take_in(&posted);
            scanned = to;
            self.known.lock().scanned = to;
        }
        // A node that falls this far behind finality has other worries; what lies above comes as it becomes final.
        let reach = finalized.number.saturating_add(RANGE);
        let recent = if safe.number > finalized.number {
            source.posted(finalized.number + 1, safe.number.min(reach)).await?
        } else {
            Vec::new()
        };
        let (mut known, at) = (self.known.lock(), now(&self.clock));
        for (chain_id, line) in &mut known.lines {
            let mut fresh = line.settled.onward();
            for posted in recent.iter().filter(|posted| posted.chain_id == *chain_id) {
                if let Err(skipped) = fresh.push(posted, Some(&line.recent), at) {
                    debug!(%chain_id, %skipped, "not final yet");
                    break;
                }
            }
            line.recent = fresh;
        }
        known.asked = Some((finalized, safe));
        known.finalized = finalized;
        known.safe = if safe.number > reach { finalized } else { safe };
        drop(known);
        self.tell_partings(finalized);
        debug!(finalized = %finalized, safe = %safe, "own L1");
        Ok(())
    }

    /// Lines begin where the ledger's `Finalized` heads stand: after a restart nobody reads all again.
    async fn place(&self, source: &Arc<dyn Settlement>, finalized: L1Origin) -> Result<(), ReadError> {
        let open: Vec<(ChainId, Option<BlockRef>)> = {
            let known = self.known.lock();
            let settled = |chain_id| Some(known.ledger.as_ref()?.rollup(chain_id)?.finalized()?.block.block);
            let open = known.lines.iter().filter(|(_, line)| !line.placed);
            open.map(|(chain_id, _)| (*chain_id, settled(*chain_id))).collect()
        };
        if open.is_empty() {
            return Ok(());
        }
        let mut places = Vec::new();
        for (chain_id, head) in open {
            let place = match head {
                Some(head) => {
                    source.place(chain_id, head, finalized.number).await?.map(|place| (head, place))
                }
                None => None,
            };
            places.push((chain_id, place));
        }
        let mut known = self.known.lock();
        let known = &mut *known;
        // Only right after the start, when nothing has been read: who comes later has settled nothing.
        let begins = places.iter().any(|(_, place)| place.is_some());
        for (chain_id, place) in places {
            let Some(line) = known.lines.get_mut(&chain_id) else { continue };
            line.placed = true;
            if let Some((head, place)) = place {
                debug!(%chain_id, %head, next = place.next, "goes on where it was settled");
                line.begin_at(head, place);
            }
        }
        if begins {
            let first = known.lines.values().map(|line| line.from).min();
            known.scanned = first.unwrap_or_default().saturating_sub(1);
        }
        known.asked = None;
        Ok(())
    }

    /// People should look where final data contradict what is certified.
    fn tell_partings(&self, finalized: L1Origin) {
        let (mut known, now) = (self.known.lock(), now(&self.clock));
        let Known { lines, ledger: Some(state), .. } = &mut *known else { return };
        for (chain_id, line) in lines {
            let Some(rollup) = state.rollup(*chain_id) else { continue };
            if let Some(settled) = rollup.finalized() {
                line.settled.agreed(settled.block.block.number);
            }
            let Some(parting) = line.parting(rollup, finalized.number) else { continue };
            if line.told.replace(parting.block) == Some(parting.block) {
                continue;
            }
            let (head, l1, kept) = (parting.block, parting.l1, parting.below);
            let then = if rollup.is_cut_to(kept) {
                format!("it is cut back to {kept}")
            } else {
                format!("{kept}, where they part, is Safe or too long ago: people have to decide")
            };
            let what = format!(
                "chain {chain_id}: L1 block {l1} has data up to {head} that contradict what is certified; {then}"
            );
            self.reporter.alarm(what, now);
        }
    }

    /// Take in what is final. Where the node left a posting out, its line waits and is read again from its last one on; the
    /// others go on.
    fn take_in(&self, posted: &[Posted]) {
        let (mut known, now) = (self.known.lock(), now(&self.clock));
        let known = &mut *known;
        let mut skipping = BTreeSet::new();
        for posted in posted {
            let chain_id = posted.chain_id;
            let Some(line) = known.lines.get_mut(&chain_id).filter(|_| !skipping.contains(&chain_id)) else {
                continue;
            };
            let told = line.settled.broken().is_some();
            let pushed = line.settled.push(posted, Some(&line.recent), now);
            if let Err(skipped) = pushed {
                skipping.insert(chain_id);
                line.lost = line.lost.saturating_add(1);
                if line.lost == LOST_ALARM {
                    self.reporter.alarm(format!("chain {chain_id} settles no further: {skipped}"), now);
                }
                let from = line.settled.last().map_or(line.from, |head| head.l1.number);
                let (due, from) =
                    known.again.map_or((now.0 + LOST_MS, from), |(due, other)| (due.0, from.min(other)));
                known.again = Some((TimeMs(due), from));
                continue;
            }
            if pushed == Ok(true) {
                line.lost = 0;
            }
            if let Some(broken) = line.settled.broken().filter(|_| !told) {
                self.reporter.alarm(format!("chain {chain_id} settles no further: {broken}"), now);
            }
        }
    }

    pub(crate) fn failed(&self, error: &ReadError) {
        self.reporter.metrics().l1_errors.inc();
        if error.disposition() == Disposition::Distrust {
            self.reporter.alarm(format!("own L1 node: {error}"), now(&self.clock));
        }
    }
}

/// The L1 block in which our own L1 has what is claimed.
fn held(line: &Line, before: &State, claimed: Claimed) -> Result<L1Origin, Answer> {
    let Claimed { chain_id, head, l1, what } = claimed;
    let waits = || Answer::Behind(format!("own L1 node to show data of chain {chain_id} that end at {head}"));
    let found = match what {
        What::Settles(_) => line.at(head.number),
        What::Cuts(_) => line.settled.at(head.number),
    };
    let Some(own) = found else {
        if line.may_go_on(head.number) {
            return Err(waits());
        }
        return Err(Answer::Contradicted(format!(
            "own L1 has no data of chain {chain_id} that end at {head}"
        )));
    };
    if own.block != head || own.l1.number > l1.number {
        let (block, at) = (own.block, own.l1);
        return Err(Answer::Contradicted(format!(
            "own L1 has data of chain {chain_id} that end at {block}, in its block {at}; proposed is {head} at {l1}"
        )));
    }
    let What::Cuts(kept) = what else { return Ok(own.l1) };
    if own.below != kept {
        return Err(Answer::Contradicted(format!(
            "own L1 has data of chain {chain_id} that end at {head} and stand on {}, proposed is {kept}",
            own.below
        )));
    }
    match before.rollup(chain_id).and_then(|rollup| line.contradicts(own, rollup)) {
        Some(true) => Ok(own.l1),
        Some(false) => Err(Answer::Contradicted(format!(
            "what L1 has of chain {chain_id} up to {head} does not contradict what is certified"
        ))),
        None => Err(waits()),
    }
}
