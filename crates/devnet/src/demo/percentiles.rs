//! Percentiles by nearest rank: always a value that was measured.

/// The value that `percent` of all values do not exceed; `None` of nothing.
pub(super) fn percentile(values: &mut [u64], percent: usize) -> Option<u64> {
    values.sort_unstable();
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}
