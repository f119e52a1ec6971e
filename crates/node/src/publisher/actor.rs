//! The publisher's one loop: it alone owns the journal, the wire and what is known of operators.

mod network;

use super::{
    Journal, JournalError, PublisherError, PublisherParts, PublisherSettings, Stage,
    claimed::Claimed,
    operators::Operators,
    task::{Done, Found, Tools, Trouble},
    view::Shared,
};
use crate::{
    lookout::Lookout,
    wire::{PublisherMessage, Submission},
};
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use futures::{
    FutureExt,
    future::{BoxFuture, Fuse, FusedFuture},
};
use hum_chain::Backoff;
use hum_consensus::{PublicKey, Recipients, Wire};
use hum_types::{BlockRef, Bytes, Encode, Generation, SignedClaim, TimeMs};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, UNIX_EPOCH},
};

/// Encoded submissions kept for sending again.
const CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How often the node's safe head is looked at.
const SAFE_INTERVAL_MS: u64 = 2_000;
/// Failures in a row after which people should look.
const FAILURES_ALARM: u32 = 5;

pub(super) struct Actor<E: Storage> {
    settings: PublisherSettings,
    tools: Tools,
    wire: Wire,
    journal: Journal<E>,
    shared: Shared,
    operators: Operators,
    lookout: Option<Lookout>,
    /// The lookout's version that `operators` is of.
    looked: Option<u64>,
    /// Encoded messages by block number, of the present generation.
    cache: BTreeMap<u64, Bytes>,
    cached_bytes: usize,
    /// Blocks to fetch again because the cache no longer has them, or an operator could not use what it got.
    rebuild: BTreeMap<u64, BTreeSet<PublicKey>>,
    /// Who waits for the block that is being fetched again.
    rebuilding: BTreeSet<PublicKey>,
    /// Grows with every block that an operator could not use: another node is asked first.
    rebuild_turn: usize,
    work: Fuse<BoxFuture<'static, Done>>,
    backoff: Backoff,
    /// Failures in a row.
    failures: u32,
    /// No work is begun before this time.
    resume_at_ms: u64,
    stage: Stage,
    diverged: bool,
    /// The head was just read, and the block above the mark can be claimed.
    ahead: bool,
    source: usize,
    head: Option<BlockRef>,
    /// The highest block of ours that was ever seen to be safe.
    safe: Option<u64>,
    safe_asked_ms: Option<u64>,
    asked_ms: Option<u64>,
    retraction_sent_ms: Option<u64>,
    now_ms: u64,
}

impl<E: Storage> std::fmt::Debug for Actor<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Actor")
            .field("stage", &self.stage)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

impl<E: Storage> Actor<E> {
    pub(super) fn new(
        settings: PublisherSettings,
        parts: PublisherParts,
        journal: Journal<E>,
        claimed: Claimed,
        shared: Shared,
    ) -> Self {
        let identity = settings.identity;
        let operators = Operators::new(identity.chain_id, settings.operators.iter().cloned());
        let first = Duration::from_millis(settings.poll_interval_ms.max(1).saturating_mul(2));
        Self {
            tools: Tools { identity, sources: parts.sources, signer: parts.signer, claimed },
            wire: parts.wire,
            backoff: Backoff::new(first, Duration::from_millis(settings.retry_most_ms)),
            settings,
            journal,
            shared,
            operators,
            lookout: parts.lookout,
            looked: None,
            cache: BTreeMap::new(),
            cached_bytes: 0,
            rebuild: BTreeMap::new(),
            rebuilding: BTreeSet::new(),
            rebuild_turn: 0,
            failures: 0,
            work: Fuse::terminated(),
            resume_at_ms: 0,
            stage: Stage::Joining,
            diverged: false,
            ahead: false,
            source: 0,
            head: None,
            safe: None,
            safe_asked_ms: None,
            asked_ms: None,
            retraction_sent_ms: None,
            now_ms: 0,
        }
    }

    /// Work until the journal or the network fails.
    pub(super) async fn run<C>(mut self, context: C) -> PublisherError
    where
        C: Spawner + Clock + Metrics,
    {
        if let Some(lookout) = &self.lookout {
            lookout.start(&context);
        }
        let interval = Duration::from_millis(self.settings.poll_interval_ms.max(1));
        let mut tick = context.sleep(Duration::ZERO).boxed().fuse();
        loop {
            let step = futures::select_biased! {
                done = &mut self.work => {
                    self.set_now(&context);
                    self.finish(done).await
                }
                () = tick => {
                    tick = context.sleep(interval).boxed().fuse();
                    self.set_now(&context);
                    self.look_out();
                    self.chores();
                    Ok(())
                }
                message = self.wire.receiver.recv().fuse() => {
                    self.set_now(&context);
                    match message {
                        Some((from, bytes)) => {
                            self.hear(&from, &bytes);
                            Ok(())
                        }
                        None => return PublisherError::NetworkClosed,
                    }
                }
            };
            if let Err(error) = step {
                tracing::error!(%error, "publisher ends");
                return error.into();
            }
            self.begin();
        }
    }

    fn set_now(&mut self, clock: &impl Clock) {
        let now = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        self.now_ms = u64::try_from(now).unwrap_or(u64::MAX);
        self.shared.set_now(self.now_ms);
    }

    const fn now(&self) -> TimeMs {
        TimeMs(self.now_ms)
    }

    /// The highest of our blocks that operators have finalised in our generation; the kept one right after a retraction.
    fn settled(&self) -> u64 {
        let ours = |block: BlockRef| self.journal.block_at(block.number) == Some(block);
        let shared = self.operators.agreed_on(self.journal.generation(), ours);
        shared.unwrap_or(0).max(self.journal.floor().number)
    }

    /// Begin the most urgent task when none is running and no failure has to be waited out.
    fn begin(&mut self) {
        if !self.work.is_terminated() || self.now_ms < self.resume_at_ms {
            return;
        }
        let tools = self.tools();
        let (mark, generation) = (self.journal.mark(), self.journal.generation());
        if let Some(lost) = self.lost() {
            self.work = tools.locate(lost.reported, lost.needed).boxed().fuse();
            return;
        }
        if self.stage == Stage::Joining {
            return;
        }
        if self.diverged {
            let Some(next) = generation.next() else { return };
            let (known, settled) = (self.journal.known(), self.settled());
            self.work = tools.retract(known, settled, self.safe, next).boxed().fuse();
            return;
        }
        // One that fails is not tried again before it is due again: it must not keep new blocks waiting.
        while let Some((number, who)) = self.rebuild.pop_first() {
            if let Some(signed) = self.journal.claim(number) {
                let turn = self.source.wrapping_add(self.rebuild_turn);
                self.rebuilding = who;
                self.work = self.tools_from(turn).rebuild(*signed).boxed().fuse();
                return;
            }
        }
        if std::mem::take(&mut self.ahead) {
            self.work = tools.claim(mark, generation).boxed().fuse();
            return;
        }
        let ask_safe = self.safe_asked_ms.is_none_or(|at| self.now_ms.saturating_sub(at) >= SAFE_INTERVAL_MS);
        if ask_safe {
            self.safe_asked_ms = Some(self.now_ms);
        }
        let most = self.settled().saturating_add(self.settings.window);
        self.work = tools.look(mark, ask_safe, most).boxed().fuse();
    }

    /// What tasks use: the node in use first, then the others.
    fn tools(&self) -> Tools {
        self.tools_from(self.source)
    }

    fn tools_from(&self, source: usize) -> Tools {
        let mut tools = self.tools.clone();
        let count = tools.sources.len();
        if count > 0 {
            tools.sources.rotate_left(source % count);
        }
        tools
    }

    async fn finish(&mut self, done: Done) -> Result<(), JournalError> {
        // A safe block of a branch that is not ours says nothing of what we claimed.
        if let Some(safe) = done.safe.filter(|safe| self.journal.block_at(safe.number) == Some(*safe)) {
            self.safe = self.safe.max(Some(safe.number));
        }
        if let Some(head) = done.head {
            self.see(head);
        }
        match done.result {
            Ok(found) => {
                // Having seen a block is not yet having claimed it, nor is a fork a step on: its retraction may be refused.
                if !matches!(found, Found::Ahead | Found::Diverged) {
                    self.backoff.reset();
                    self.failures = 0;
                }
                self.found(found).await
            }
            Err(trouble) => {
                self.suffer(&trouble);
                Ok(())
            }
        }
    }

    async fn found(&mut self, found: Found) -> Result<(), JournalError> {
        match found {
            Found::Quiet => {
                self.pause(self.settings.poll_interval_ms);
                self.shared.waits(match self.head {
                    Some(head) if head.number > self.journal.mark().number => {
                        "operators to finalise what was claimed"
                    }
                    _ => "the next block",
                });
                // A node may drop blocks without having made others above them yet.
                if let Some(head) = self.head
                    && self.journal.block_at(head.number).is_some_and(|own| own.hash != head.hash)
                {
                    self.diverge();
                }
            }
            Found::Ahead => self.ahead = true,
            Found::Claimed(signed, submission) => self.publish(signed, &submission).await?,
            Found::Rebuilt(submission) => {
                let block = submission.claim.claim.block;
                let who = std::mem::take(&mut self.rebuilding);
                if self.journal.block_at(block.number) == Some(block) {
                    self.keep(block.number, encoded(submission));
                    self.shared.resent();
                    self.send_to(block.number, Recipients::Some(who.into_iter().collect()), false);
                }
            }
            Found::Diverged => self.diverge(),
            Found::Retracted(signed) => {
                self.journal.record_retraction(signed).await?;
                self.tools.claimed.set(&self.journal);
                let kept = signed.retraction.kept;
                self.diverged = false;
                self.enter(Stage::Publishing);
                self.forget();
                self.operators.restart(kept.number);
                self.shared.retracted(self.journal.generation(), self.journal.mark());
                let what =
                    format!("retracted to block {}, generation {}", kept.number, self.journal.generation());
                tracing::warn!("{what}");
                self.shared.did(what);
                self.send_retraction();
            }
            Found::Located { held } => self.recover(held).await?,
        }
        Ok(())
    }

    /// On disk first, then to everyone.
    async fn publish(&mut self, signed: SignedClaim, submission: &Submission) -> Result<(), JournalError> {
        let (generation, block) = (signed.claim.generation, signed.claim.block);
        // The task began before a retraction or a recovery: what it found is not the next block any more.
        if generation != self.journal.generation()
            || block.number != self.journal.mark().number.saturating_add(1)
        {
            return Ok(());
        }
        self.journal.record_claim(signed).await?;
        self.tools.claimed.claim(block);
        self.enter(Stage::Publishing);
        self.keep(block.number, encoded(submission.clone()));
        self.operators.sent_to_all(block.number, self.now_ms);
        self.send_to(block.number, Recipients::Some(self.operators.keys()), true);
        self.shared.claimed(generation, block);
        self.shared.time(block.number, self.now(), |times| &mut times.sent_ms);
        self.shared.did(format!("claimed block {}", block.number));
        Ok(())
    }

    /// The journal lacks something that the network has: go on where the network is, or open a generation in which
    /// nothing was ever signed.
    async fn recover(&mut self, held: Option<BlockRef>) -> Result<(), JournalError> {
        let Some(agreed) = self.operators.agreed() else { return Ok(()) };
        let highest = agreed.generation.max(self.journal.generation());
        match held {
            // The signer remembers what it signed, and the chain holds what operators finalised.
            Some(held) if self.tools.signer.vouches() && held.number >= agreed.head => {
                self.journal.adopt(highest, held).await?;
                self.tools.claimed.set(&self.journal);
                self.forget();
                self.operators.restart(held.number);
                self.enter(Stage::Publishing);
                self.shared.position(self.journal.generation(), self.journal.mark());
                self.shared.did(format!("took over at block {} from the network", held.number));
            }
            _ => {
                self.shared.alarm("operators have claims that the journal does not: it was lost or restored");
                if !self.may_retract() {
                    return Ok(());
                }
                let Some(next) = highest.next() else { return Ok(()) };
                let known: Vec<BlockRef> = held.into_iter().collect();
                let work = self.tools().retract(known, agreed.head, self.safe, next);
                self.work = work.boxed().fuse();
            }
        }
        Ok(())
    }

    fn diverge(&mut self) {
        if self.may_retract() {
            self.diverged = true;
        }
    }

    fn may_retract(&mut self) -> bool {
        if self.settings.auto_retract {
            return true;
        }
        self.enter(Stage::Stopped);
        self.shared.waits("the chain to hold what was claimed again, or permission to retract");
        self.wait_out();
        false
    }

    /// A failure: say so, wait longer each time, and ask another node where the signer tells forks apart.
    fn suffer(&mut self, trouble: &Trouble) {
        self.failures = self.failures.saturating_add(1);
        self.shared.failed();
        self.tools.claimed.stands();
        if trouble.is_alarm() {
            self.shared.alarm(&trouble.to_string());
        } else if self.failures == FAILURES_ALARM {
            self.shared.alarm(&format!("failed {FAILURES_ALARM} times in a row: {trouble}"));
        } else {
            tracing::debug!(%trouble, "publisher waits");
        }
        if matches!(
            trouble,
            Trouble::Sign(_)
                | Trouble::BelowSafe { .. }
                | Trouble::BelowPosted { .. }
                | Trouble::TooLarge { .. }
        ) {
            self.enter(Stage::Stopped);
        }
        // Whether it really diverged is found out anew, perhaps by another node.
        self.diverged = false;
        if self.tools.signer.vouches() && self.tools.sources.len() > 1 {
            self.source = (self.source + 1) % self.tools.sources.len();
            let source = self.source;
            self.shared.change(|view| view.source = source);
        }
        self.shared.waits(trouble.to_string());
        self.wait_out();
    }

    fn wait_out(&mut self) {
        let wait = u64::try_from(self.backoff.next_wait().as_millis()).unwrap_or(u64::MAX);
        self.pause(wait);
    }

    const fn pause(&mut self, wait_ms: u64) {
        self.resume_at_ms = self.now_ms.saturating_add(wait_ms);
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.shared.change(|view| view.stage = stage);
    }

    fn see(&mut self, head: BlockRef) {
        let seen = self.head.map_or(self.journal.mark().number, |known| known.number);
        // A node that was far ahead is being caught up with: the times of those blocks mean nothing.
        for number in
            seen.saturating_add(1).max(head.number.saturating_sub(self.settings.window))..=head.number
        {
            self.shared.time(number, self.now(), |times| &mut times.seen_ms);
        }
        self.head = Some(head);
        self.shared.head(head);
    }

    fn keep(&mut self, number: u64, message: Bytes) {
        self.cached_bytes += message.len();
        if let Some(old) = self.cache.insert(number, message) {
            self.cached_bytes -= old.len();
        }
        // The newest are the ones that operators ask for; what is settled nobody needs.
        let settled = self.settled();
        while let Some((oldest, message)) = self.cache.first_key_value()
            && (*oldest <= settled || self.cached_bytes > CACHE_BYTES_MAX && *oldest != number)
        {
            self.cached_bytes -= message.len();
            self.cache.pop_first();
        }
    }

    fn forget(&mut self) {
        self.cache.clear();
        self.cached_bytes = 0;
        self.rebuild.clear();
        self.head = None;
    }
}

fn encoded(submission: Submission) -> Bytes {
    PublisherMessage::Submit(submission).encode().into()
}

/// Whether a generation is behind another.
const fn older(generation: Generation, than: Generation) -> bool {
    generation.0 < than.0
}
