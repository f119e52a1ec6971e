//! What was looked at, and what was found.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    Good,
    /// Not wrong, but somebody should know.
    Note,
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) health: Health,
    /// The fault's name, for programs: never changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
    /// What was found.
    pub(super) what: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

impl Finding {
    pub(super) fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, health: Health::Good, fault: None, what: what.into(), next: None }
    }

    pub(super) fn note(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, health: Health::Note, fault: None, what: what.into(), next: Some(next.into()) }
    }

    pub(super) fn fault(
        check: &'static str,
        fault: &'static str,
        what: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self { check, health: Health::Fault, fault: Some(fault), what: what.into(), next: Some(next.into()) }
    }

    pub(super) fn print(&self) {
        let mark = match self.health {
            Health::Good => "ok   ",
            Health::Note => "note ",
            Health::Fault => "FAULT",
        };
        println!("{mark} {:<14} {}", self.check, self.what);
        if let Some(fault) = self.fault {
            println!("      {:<14} {fault}", "name");
        }
        if let Some(next) = &self.next {
            println!("      {:<14} {next}", "next");
        }
    }
}
