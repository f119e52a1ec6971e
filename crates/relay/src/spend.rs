//! A spend cap that holds whatever becomes of what was sent.

/// Spending at one destination in the current period, in wei.
///
/// The most that a transaction can cost counts from before it is sent until its fee is known, so the cap holds even
/// when every transaction is included at its worst.
#[derive(Debug, Clone)]
pub struct SpendBook {
    cap_wei: u128,
    period_ms: u64,
    period: u64,
    spent_wei: u128,
    /// Fees of all periods.
    total_wei: u128,
}

impl SpendBook {
    /// At most `cap_wei` in each `period_ms`.
    #[must_use]
    pub const fn new(cap_wei: u128, period_ms: u64) -> Self {
        Self { cap_wei, period_ms, period: 0, spent_wei: 0, total_wei: 0 }
    }

    /// What may still be reserved.
    pub fn left_wei(&mut self, now_ms: u64) -> u128 {
        self.turn(now_ms);
        self.cap_wei.saturating_sub(self.spent_wei)
    }

    /// Set `wei` aside; returns the period that it counts in.
    pub fn reserve(&mut self, now_ms: u64, wei: u128) -> u64 {
        self.turn(now_ms);
        self.spent_wei = self.spent_wei.saturating_add(wei);
        self.period
    }

    /// Of `reserved` wei only `fee` were needed.
    pub fn settle(&mut self, period: u64, reserved_wei: u128, fee_wei: u128) {
        self.total_wei = self.total_wei.saturating_add(fee_wei);
        if period == self.period {
            self.spent_wei = self.spent_wei.saturating_sub(reserved_wei).saturating_add(fee_wei);
        }
    }

    /// Fees so far.
    #[must_use]
    pub const fn total_wei(&self) -> u128 {
        self.total_wei
    }

    /// When the current period ends.
    #[must_use]
    pub const fn period_end_ms(&self) -> u64 {
        self.period.saturating_add(1).saturating_mul(self.period_ms)
    }

    fn turn(&mut self, now_ms: u64) {
        let period = now_ms / self.period_ms.max(1);
        if period > self.period {
            self.period = period;
            self.spent_wei = 0;
        }
    }
}
