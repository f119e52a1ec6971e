//! One lane's open messages: a bounded window over it.

use crate::{LaneRecord, LaneView, MessageStatus, MessageView, Outbox, Policy, TransactionId};
use hum_types::LaneIndex;
use std::collections::BTreeMap;

/// Where a message stands, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The destination must be asked.
    Unknown,
    /// Not called yet.
    Ready,
    /// In a transaction of ours.
    Sent(TransactionId),
    /// Its recipient refused it.
    Failed,
    /// Executed, as first seen in this block of the destination, and seen again half-way to being forgotten: between two
    /// looks it may have been undone and executed by somebody else, who can be undone too.
    Done { block: u64, again: Option<u64> },
}

impl State {
    /// The destination's block from which on a delivery is to be looked at again.
    pub(crate) fn look_from(self, policy: &Policy) -> Option<u64> {
        let Self::Done { block, again } = self else { return None };
        let half = policy.settle_blocks.div_ceil(2);
        Some(match again {
            None => block.saturating_add(half),
            Some(seen) => seen.saturating_add(half).max(block.saturating_add(policy.settle_blocks)),
        })
    }
}

/// A message that is watched.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) view: MessageView,
    pub(crate) state: State,
    /// When it may next be asked about or sent.
    pub(crate) due_ms: u64,
    /// The step that changed it last: older observations do not count.
    pub(crate) changed: u64,
    /// Calls that its recipient refused.
    pub(crate) tries: u32,
    /// Transactions with it that reverted in a row.
    pub(crate) reverts: u32,
    /// Whether a call of ours may have been made whose result is not known.
    pub(crate) called: bool,
}

/// What a new status means to the planner's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    /// Executed by a call of ours.
    Delivered,
    /// Refused by its recipient in a call of ours.
    Refused,
    /// Refused once too often.
    Left,
    /// Executed and old enough to forget.
    Settled,
}

impl Slot {
    fn set(&mut self, state: State, step: u64) {
        self.state = state;
        self.changed = step;
    }

    pub(crate) fn send(&mut self, id: TransactionId, step: u64) {
        self.called = true;
        self.set(State::Sent(id), step);
    }

    /// Ask the destination, from `due_ms` on.
    pub(crate) fn doubt(&mut self, due_ms: u64, step: u64) {
        self.due_ms = due_ms;
        self.set(State::Unknown, step);
    }

    /// It was not sent after all.
    pub(crate) fn unsend(&mut self, retry: bool, due_ms: u64, step: u64) {
        self.called = false;
        self.due_ms = due_ms;
        self.set(if retry { State::Failed } else { State::Ready }, step);
    }

    /// A call of ours was refused by its recipient.
    pub(crate) fn refuse(&mut self, now_ms: u64, step: u64, policy: &Policy) -> Change {
        self.called = false;
        self.reverts = 0;
        self.tries += 1;
        if self.tries > policy.retries_max {
            return Change::Left;
        }
        self.due_ms = now_ms.saturating_add(policy.backoff_ms(self.tries));
        self.set(State::Failed, step);
        Change::Refused
    }

    /// Take note of what the destination holds in `block`.
    pub(crate) fn learn(
        &mut self,
        status: MessageStatus,
        block: u64,
        now_ms: u64,
        step: u64,
        policy: &Policy,
    ) -> Change {
        match (status, self.state) {
            (MessageStatus::Done, State::Done { block: first, again }) => {
                if self.state.look_from(policy).is_none_or(|from| block < from) {
                    return Change::Nothing;
                }
                if again.is_some() {
                    return Change::Settled;
                }
                self.state = State::Done { block: first, again: Some(block) };
                Change::Nothing
            }
            (MessageStatus::Done, _) => {
                self.set(State::Done { block, again: None }, step);
                if std::mem::take(&mut self.called) { Change::Delivered } else { Change::Nothing }
            }
            (MessageStatus::Failed, State::Failed) => Change::Nothing,
            (MessageStatus::Failed, _) if self.called => self.refuse(now_ms, step, policy),
            (MessageStatus::Failed, _) => {
                self.due_ms = now_ms.saturating_add(policy.backoff_ms(self.tries.max(1)));
                self.set(State::Failed, step);
                Change::Nothing
            }
            (MessageStatus::None, State::Ready) => Change::Nothing,
            (MessageStatus::None, _) => {
                self.called = false;
                self.set(State::Ready, step);
                Change::Nothing
            }
        }
    }
}

/// A lane and the window of its messages that are not settled.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) view: LaneView,
    /// What the destination proves against; the outer `None` while it was never looked at.
    pub(crate) record: Option<Option<LaneRecord>>,
    /// Whether the destination allows the source.
    pub(crate) allowed: bool,
    pub(crate) record_changed: u64,
    /// Open messages by index.
    pub(crate) open: BTreeMap<u64, Slot>,
    /// The first message that never entered the window.
    pub(crate) next: u64,
    /// Messages below it may have been called before we came.
    horizon: u64,
    /// What the outbox was last told that it may forget.
    pub(crate) forgotten: u64,
}

impl Lane {
    pub(crate) const fn new(view: LaneView) -> Self {
        Self {
            view,
            record: None,
            allowed: true,
            record_changed: 0,
            open: BTreeMap::new(),
            next: 0,
            horizon: view.count,
            forgotten: 0,
        }
    }

    /// The lane as of a newer checkpoint; `kept` messages at its front are untouched since the last look.
    pub(crate) fn update(&mut self, view: LaneView, kept: u64) {
        if view.generation != self.view.generation {
            self.open.split_off(&kept);
            self.next = self.next.min(kept);
            self.forgotten = self.forgotten.min(kept);
            self.horizon = view.count;
        }
        self.view = view;
    }

    /// Let messages into the window.
    pub(crate) fn fill(&mut self, outbox: &impl Outbox, now_ms: u64, step: u64, policy: &Policy) {
        while self.next < self.view.count && self.open.len() < policy.window {
            let index = self.next;
            self.next += 1;
            // A message that was forgotten was delivered in our sight.
            let Some(view) = outbox.message(&self.view.key, LaneIndex(index)) else { continue };
            let old = index < self.horizon;
            let state = if old || policy.turn_ms > 0 { State::Unknown } else { State::Ready };
            let due_ms = if old { now_ms } else { now_ms.saturating_add(policy.turn_ms) };
            self.open.insert(
                index,
                Slot { view, state, due_ms, changed: step, tries: 0, reverts: 0, called: false },
            );
        }
    }

    /// A transaction of ours left this record.
    pub(crate) fn proved(&mut self, record: LaneRecord, step: u64) {
        let rank = |record: &LaneRecord| (record.generation, record.time_ms, record.count);
        let held = self.record.flatten().filter(|held| rank(held) > rank(&record));
        self.record = Some(Some(held.unwrap_or(record)));
        self.record_changed = step;
    }

    /// The first message whose content may still be needed.
    pub(crate) fn first_needed(&self) -> u64 {
        self.open.keys().next().copied().unwrap_or(self.next)
    }
}
