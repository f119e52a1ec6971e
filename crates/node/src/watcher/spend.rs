//! Caps on what is spent in an hour, and on what is put at stake.

use super::docket::EvidenceNumber;
use hum_types::TimeMs;
use std::collections::BTreeMap;

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

/// Bonds of challenges: those that are out, and those that were lost in the present hour, stay below a cap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bonds {
    cap_wei: u128,
    out: BTreeMap<EvidenceNumber, u128>,
    period: u64,
    lost_wei: u128,
    total_lost_wei: u128,
}

impl Bonds {
    pub(crate) fn new(cap_wei: u128) -> Self {
        Self { cap_wei, ..Self::default() }
    }

    /// What one more bond may be, in wei.
    pub(crate) fn left(&self, now: TimeMs) -> u128 {
        let lost_wei = if now.0 / PERIOD_MS > self.period { 0 } else { self.lost_wei };
        self.cap_wei.saturating_sub(lost_wei).saturating_sub(self.out_wei())
    }

    /// A challenge is open.
    pub(crate) fn is_out(&mut self, number: EvidenceNumber, bond_wei: u128) {
        self.out.insert(number, bond_wei);
    }

    /// A challenge ended and its bond came back.
    pub(crate) fn is_back(&mut self, number: EvidenceNumber) {
        self.out.remove(&number);
    }

    /// A challenge was answered at `at`.
    pub(crate) fn is_lost(&mut self, number: EvidenceNumber, bond_wei: u128, at: TimeMs) {
        self.out.remove(&number);
        let period = at.0 / PERIOD_MS;
        if period > self.period {
            (self.period, self.lost_wei) = (period, 0);
        }
        if period == self.period {
            self.lost_wei = self.lost_wei.saturating_add(bond_wei);
        }
        self.total_lost_wei = self.total_lost_wei.saturating_add(bond_wei);
    }

    /// The bond of a challenge that is out.
    pub(crate) fn of(&self, number: EvidenceNumber) -> u128 {
        self.out.get(&number).copied().unwrap_or(0)
    }

    /// Bonds that are out, in wei.
    pub(crate) fn out_wei(&self) -> u128 {
        self.out.values().fold(0, |sum, bond| sum.saturating_add(*bond))
    }

    /// Bonds that were lost, as far back as the evidence on disk goes, in wei.
    pub(crate) const fn total_lost_wei(&self) -> u128 {
        self.total_lost_wei
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bonds_that_are_out_or_were_lost_in_the_hour_stay_below_the_cap() {
        let (one, two, now) = (EvidenceNumber(1), EvidenceNumber(2), TimeMs(5));
        let mut bonds = Bonds::new(10);
        bonds.is_out(one, 4);
        bonds.is_out(one, 4);
        bonds.is_out(two, 4);
        assert_eq!((bonds.left(now), bonds.out_wei()), (2, 8));
        bonds.is_back(one);
        bonds.is_lost(two, 4, now);
        assert_eq!((bonds.left(now), bonds.out_wei(), bonds.total_lost_wei()), (6, 0, 4));
        assert_eq!(bonds.left(TimeMs(PERIOD_MS)), 10, "the next hour");
        bonds.is_lost(one, 1, TimeMs(PERIOD_MS));
        bonds.is_lost(two, 9, now);
        assert_eq!(bonds.left(TimeMs(PERIOD_MS)), 9, "an earlier hour's loss does not count in this one");
    }

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
