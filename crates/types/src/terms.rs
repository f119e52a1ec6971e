//! Terms: heights are cut into runs of one length, and a committee changes only between two of them.

use crate::{Height, Term};

/// The shortest term, in heights.
pub const TERM_HEIGHTS_MIN: u64 = 4;

/// A term length that the protocol does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a term has {declared} heights, at least {TERM_HEIGHTS_MIN} are needed")]
pub struct TooShort {
    /// The length given.
    pub declared: u64,
}

/// How heights are cut: term `t` has the heights from `t · length` to `t · length + length - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    heights: u64,
}

impl Terms {
    /// Terms of so many heights.
    pub const fn of(heights: u64) -> Result<Self, TooShort> {
        if heights < TERM_HEIGHTS_MIN { Err(TooShort { declared: heights }) } else { Ok(Self { heights }) }
    }

    /// Heights in a term.
    #[must_use]
    pub const fn heights(self) -> u64 {
        self.heights
    }

    /// The term that a height lies in.
    #[must_use]
    pub const fn term_of(self, height: Height) -> Term {
        Term(height.0 / self.heights)
    }

    /// The last height of a term, after which its committee can change.
    #[must_use]
    pub const fn closing_of(self, term: Term) -> Height {
        Height(term.0.saturating_mul(self.heights).saturating_add(self.heights - 1))
    }

    /// Whether this is the last height of its term.
    #[must_use]
    pub const fn is_closing(self, height: Height) -> bool {
        height.0 % self.heights == self.heights - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_cut_heights_without_gap_or_overlap() {
        let terms = Terms::of(5).unwrap();
        let closing: Vec<u64> =
            (0..16).map(Height).filter(|height| terms.is_closing(*height)).map(|height| height.0).collect();
        assert_eq!(closing, [4, 9, 14]);
        for height in (0..16).map(Height) {
            let term = terms.term_of(height);
            assert!(height <= terms.closing_of(term));
            assert_eq!(terms.term_of(terms.closing_of(term)), term);
        }
        assert_eq!(terms.closing_of(Term(u64::MAX)), Height(u64::MAX));
        assert_eq!(Terms::of(3), Err(TooShort { declared: 3 }));
    }
}
