//! What must hold for any bytes.

use crate::{Fuzzed, liars};
use hum_node::{
    watcher::{Committees, EvidenceRecord, FaultEvidence},
    wire::FeedEvent,
};
use hum_types::{Decode, DecodeError, Domain, Encode};

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub what: String,
    /// For which input.
    pub input: Vec<u8>,
}

/// How a decoder ended. A new end is a new way through it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Whether anything decoded.
    pub decoded: bool,
    pub(crate) ends: Vec<String>,
}

/// Everything that evidence is read by.
#[derive(Debug)]
pub struct Target {
    committees: Committees,
    domain: Domain,
    /// Evidence that may still be held against the committee's keys, which takes milliseconds each.
    checks: u64,
}

impl Target {
    /// Hold what decodes against these committees, at most `checks` times.
    #[must_use]
    pub const fn new(committees: Committees, domain: Domain, checks: u64) -> Self {
        Self { committees, domain, checks }
    }
}

impl Fuzzed for Target {
    fn one(&mut self, input: &[u8]) -> Result<End, Broken> {
        let broken = |what: &str| Broken { what: what.to_owned(), input: input.to_vec() };
        let record = EvidenceRecord::decode(input);
        let evidence = FaultEvidence::decode(input);
        let event = FeedEvent::decode(input);
        let decoded = record.is_ok() || evidence.is_ok() || event.is_ok();
        let ends = vec![end(&record), end(&evidence), end(&event)];
        same(&record, input).map_err(|()| broken("a record has two encodings"))?;
        same(&evidence, input).map_err(|()| broken("evidence has two encodings"))?;
        same(&event, input).map_err(|()| broken("a feed event has two encodings"))?;
        let inner = match record {
            Ok(EvidenceRecord::Found { evidence, .. }) => Some(evidence),
            _ => evidence.ok(),
        };
        if let Some(evidence) = inner.filter(|_| self.checks > 0) {
            self.checks -= 1;
            if evidence.check(&self.committees, self.domain).is_ok() {
                let accused = evidence.accused(&self.committees);
                if accused.is_empty() || accused.iter().any(|accused| !liars().contains(&accused.operator)) {
                    return Err(broken("evidence that holds accuses someone who did not lie"));
                }
            }
        }
        Ok(End { decoded, ends })
    }
}

fn same<T: Encode>(decoded: &Result<T, DecodeError>, input: &[u8]) -> Result<(), ()> {
    match decoded {
        Ok(value) if value.encode() != input => Err(()),
        _ => Ok(()),
    }
}

fn end<T>(decoded: &Result<T, DecodeError>) -> String {
    decoded.as_ref().err().map_or_else(|| "decoded".to_owned(), end_of)
}

/// The end without its numbers, of which there are too many.
pub(crate) fn end_of(error: &DecodeError) -> String {
    match error {
        DecodeError::Truncated { field, .. } => format!("{field} truncated"),
        DecodeError::Trailing { what, .. } => format!("bytes after {what}"),
        DecodeError::TooLong { field, .. } => format!("{field} too long"),
        DecodeError::Value { field, .. } => format!("{field} unknown"),
        DecodeError::Malformed { field, reason } => format!("{field} {reason}"),
    }
}
