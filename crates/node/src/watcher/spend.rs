//! A cap on what is spent in an hour.

use hum_types::TimeMs;

/// Milliseconds of the period that the cap is for.
const PERIOD_MS: u64 = 3_600_000;

/// What was spent in the present hour. What a transaction may cost at most counts while it is under way.
#[derive(Debug, Clone)]
pub(crate) struct Spend {
    cap_wei: u128,
    period: u64,
    spent_wei: u128,
    total_wei: u128,
}

impl Spend {
    pub(crate) const fn new(cap_wei: u128) -> Self {
        Self { cap_wei, period: 0, spent_wei: 0, total_wei: 0 }
    }

    /// Set aside all that is left; it is given back by [`Self::settle`].
    pub(crate) fn reserve(&mut self, now: TimeMs) -> u128 {
        let period = now.0 / PERIOD_MS;
        if period > self.period {
            (self.period, self.spent_wei) = (period, 0);
        }
        let left = self.cap_wei.saturating_sub(self.spent_wei);
        self.spent_wei = self.spent_wei.saturating_add(left);
        left
    }

    /// Of what was reserved, only `fee_wei` were needed.
    pub(crate) fn settle(&mut self, reserved_wei: u128, fee_wei: u128) {
        self.spent_wei = self.spent_wei.saturating_sub(reserved_wei).saturating_add(fee_wei);
        self.total_wei = self.total_wei.saturating_add(fee_wei);
    }

    /// Fees of all hours, in wei.
    pub(crate) const fn total_wei(&self) -> u128 {
        self.total_wei
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_holds_for_each_hour_and_what_is_under_way_counts() {
        let mut spend = Spend::new(100);
        let now = TimeMs(5);
        assert_eq!(spend.reserve(now), 100);
        assert_eq!(spend.reserve(now), 0, "all of it is under way");
        spend.settle(100, 30);
        assert_eq!(spend.reserve(now), 70);
        spend.settle(70, 70);
        assert_eq!(spend.reserve(now), 0);
        spend.settle(0, 0);
        assert_eq!(spend.reserve(TimeMs(PERIOD_MS)), 100, "the next hour");
        assert_eq!(spend.total_wei(), 100);
    }
}
