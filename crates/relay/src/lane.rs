//! One lane's open messages: a bounded window over it.

use crate::{Call, LaneRecord, LaneView, MessageStatus, MessageView, Outbox, Policy, TransactionId};
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
    Sent(TransactionId, Call),
    /// Its recipient refused it.
    Failed,
    /// Executed, as first seen in this block of the destination.
    Done { block: u64 },
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
    /// Our last call of it, while its result is not known.
    pub(crate) called: Option<Call>,
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

    pub(crate) fn send(&mut self, id: TransactionId, call: Call, step: u64) {
        self.called = Some(call);
        self.set(State::Sent(id, call), step);
    }

    /// Ask the destination, from `due_ms` on.
    pub(crate) fn doubt(&mut self, due_ms: u64, step: u64) {
        self.due_ms = due_ms;
        self.set(State::Unknown, step);
    }

    /// It was not sent after all.
    pub(crate) fn unsend(&mut self, call: Call, due_ms: u64, step: u64) {
        self.called = None;
        self.due_ms = due_ms;
        self.set(if call == Call::Retry { State::Failed } else { State::Ready }, step);
    }

    /// Take note of what the destination holds in `block`.
    pub(crate) fn learn(&mut self, status: MessageStatus, block: u64, now_ms: u64, step: u64, policy: &Policy) -> Change {
        match (status, self.state) {
            (MessageStatus::Done, State::Done { block: first }) => {
                if block >= first.saturating_add(policy.settle_blocks) {
                    return Change::Settled;
                }
                Change::Nothing
            }
            (MessageStatus::Done, _) => {
                let ours = self.called.take().is_some();
                self.set(State::Done { block }, step);
                if ours { Change::Delivered } else { Change::Nothing }
            }
            (MessageStatus::Failed, State::Failed) => Change::Nothing,
            (MessageStatus::Failed, _) => {
                let ours = self.called.take().is_some();
                self.reverts = 0;
                self.tries += u32::from(ours);
                if self.tries > policy.retries_max {
                    return Change::Left;
                }
                self.due_ms = now_ms.saturating_add(policy.backoff_ms(self.tries.max(1)));
                self.set(State::Failed, step);
                if ours { Change::Refused } else { Change::Nothing }
            }
            (MessageStatus::None, State::Ready) => Change::Nothing,
            (MessageStatus::None, _) => {
                self.called = None;
                self.set(State::Ready, step);
                Change::Nothing
            }
        }
    }

    /// How it would be sent now, if it may be.
    pub(crate) const fn sendable(&self, now_ms: u64) -> Option<Call> {
        match self.state {
            State::Ready if self.due_ms <= now_ms => Some(Call::Deliver),
            State::Failed if self.due_ms <= now_ms => Some(Call::Retry),
            _ => None,
        }
    }
}

/// A lane and the window of its messages that are not settled.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) view: LaneView,
    /// What the destination proves against; the outer `None` while it was never looked at.
    pub(crate) record: Option<Option<LaneRecord>>,
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
                Slot { view, state, due_ms, changed: step, tries: 0, reverts: 0, called: None },
            );
        }
    }

    /// The first message whose content may still be needed.
    pub(crate) fn first_needed(&self) -> u64 {
        self.open.keys().next().copied().unwrap_or(self.next)
    }
}
