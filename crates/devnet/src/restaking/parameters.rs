//! What a local deployment chooses, and why it is not what mainnet has.
//!
//! Mainnet's delays are weeks: nobody who tries a network out waits for them. Everything else is as it would be there.

/// Blocks for which an operator that gives up stake can still be slashed for it (mainnet 100,800, two weeks). Half an hour of
/// local blocks: longer than every demonstration, short enough to see somebody leave for good.
pub(super) const DEALLOCATION_DELAY_BLOCKS: u32 = 1_800;
/// Blocks between asking for a withdrawal and getting it (mainnet 100,800). Not shorter than the delay above: stake that
/// leaves sooner than it stops to be slashable backs nothing. The core of v1.3 subtracts it from the block number when it
/// slashes, so the chain must be older than this: that is what the local L1's past is for.
pub(super) const MIN_WITHDRAWAL_DELAY_BLOCKS: u32 = 1_800;
/// Blocks until an operator's choice of allocation delay counts (mainnet 126,000, 17.5 days). Each operator's way in waits
/// for it once.
pub(super) const ALLOCATION_CONFIGURATION_DELAY_BLOCKS: u32 = 1;
/// Blocks that the L1 has behind it when EigenLayer is deployed.
pub(super) const PAST_BLOCKS: u64 = MIN_WITHDRAWAL_DELAY_BLOCKS as u64 + 8;
