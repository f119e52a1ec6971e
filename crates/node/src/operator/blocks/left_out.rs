//! Leaving a rollup out of proposals for a while, after its data have stalled one.

/// Views that a rollup is left out for after its first stall; doubles with each further one.
const VIEWS: u64 = 2;
const STRIKES_MAX: u32 = 8;

/// Until when a rollup is left out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeftOut {
    strikes: u32,
    until: u64,
}

impl LeftOut {
    /// Leave the rollup out for a growing number of views.
    pub(crate) fn penalise(&mut self, view: u64) {
        self.strikes = (self.strikes + 1).min(STRIKES_MAX);
        self.until = view.saturating_add(VIEWS << self.strikes);
    }

    /// Whether the rollup is left out of a proposal in this view.
    pub(crate) const fn covers(&self, view: u64) -> bool {
        view < self.until
    }
}
