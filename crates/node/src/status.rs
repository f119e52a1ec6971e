//! What a role last did and what it waits for, so that no process looks healthy while it does nothing.

use commonware_utils::sync::Mutex;
use hum_types::TimeMs;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, sync::Arc};

/// Alarms that are remembered.
const ALARMS_MAX: usize = 64;

/// Something that happened, or that is waited for since then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What, in words.
    pub what: String,
    /// When, by the role's clock.
    pub at_ms: TimeMs,
}

/// A role in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleStatus {
    /// `operator`, `publisher`, `relayer`, …
    pub role: String,
    /// What it last did; nothing yet when absent.
    pub last: Option<Note>,
    /// What it waits for now; nothing when absent.
    pub waiting_for: Option<Note>,
    /// What people should look at, newest last.
    pub alarms: VecDeque<Note>,
    /// Alarms so far, forgotten ones included.
    pub alarms_total: u64,
}

impl RoleStatus {
    /// A role that has done nothing yet.
    #[must_use]
    pub fn new(role: &str) -> Self {
        Self {
            role: role.to_owned(),
            last: None,
            waiting_for: None,
            alarms: VecDeque::new(),
            alarms_total: 0,
        }
    }

    /// The role did something.
    pub fn did(&mut self, what: impl Into<String>, at_ms: TimeMs) {
        self.last = Some(Note { what: what.into(), at_ms });
    }

    /// The role waits for something. The time is that of the first time in a row that it said so.
    pub fn waits_for(&mut self, what: impl Into<String>, at_ms: TimeMs) {
        let what = what.into();
        if self.waiting_for.as_ref().is_none_or(|note| note.what != what) {
            self.waiting_for = Some(Note { what, at_ms });
        }
    }

    /// People should look at this. Repeated at once it is counted, not listed again; `true` when it is listed.
    pub fn alarm(&mut self, what: impl Into<String>, at_ms: TimeMs) -> bool {
        let what = what.into();
        self.alarms_total += 1;
        let repeated = self.alarms.back().is_some_and(|last| last.what == what);
        if repeated {
            self.alarms.pop_back();
        }
        self.alarms.push_back(Note { what, at_ms });
        if self.alarms.len() > ALARMS_MAX {
            self.alarms.pop_front();
        }
        !repeated
    }

    /// What it last did, in words; empty before it did anything.
    #[must_use]
    pub fn last_did(&self) -> &str {
        self.last.as_ref().map_or("", |note| &note.what)
    }

    /// What it waits for, in words; empty when for nothing.
    #[must_use]
    pub fn waits(&self) -> &str {
        self.waiting_for.as_ref().map_or("", |note| &note.what)
    }

    /// The newest alarm, in words.
    #[must_use]
    pub fn last_alarm(&self) -> Option<&str> {
        self.alarms.back().map(|note| &*note.what)
    }
}

/// Where a role writes its status and others read it. Clones share it.
#[derive(Debug, Clone)]
pub struct StatusBoard(Arc<Mutex<RoleStatus>>);

impl StatusBoard {
    /// An empty board.
    #[must_use]
    pub fn new(role: &str) -> Self {
        Self(Arc::new(Mutex::new(RoleStatus::new(role))))
    }

    /// The role did something.
    pub fn did(&self, what: impl Into<String>, at_ms: TimeMs) {
        self.0.lock().did(what, at_ms);
    }

    /// The role waits for something. The time is that of the first time in a row that it said so.
    pub fn waits_for(&self, what: impl Into<String>, at_ms: TimeMs) {
        self.0.lock().waits_for(what, at_ms);
    }

    /// The role waits for nothing.
    pub fn goes_on(&self) {
        self.0.lock().waiting_for = None;
    }

    /// People should look at this. Repeated at once it is counted, not listed again; `true` when it is listed.
    pub fn alarm(&self, what: impl Into<String>, at_ms: TimeMs) -> bool {
        self.0.lock().alarm(what, at_ms)
    }

    /// The status as it is now.
    #[must_use]
    pub fn snapshot(&self) -> RoleStatus {
        self.0.lock().clone()
    }
}
