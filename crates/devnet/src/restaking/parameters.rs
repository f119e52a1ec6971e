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
pub(crate) const PAST_BLOCKS: u64 = MIN_WITHDRAWAL_DELAY_BLOCKS as u64 + 8;

/// Seats of a committee: room for everyone who joins a local network, and small enough to install within one transaction.
pub(crate) const SEATS_MAX: u16 = 16;
/// Operators of a local network that may be registered at once, with or without a seat.
pub(crate) const OPERATORS_MAX: u16 = 32;
/// Stake counts for a seat when it stays slashable for that many blocks: the deallocation delay less five minutes, in which
/// evidence of what the committee last signed is found and mined.
pub(super) const SLASHABLE_WINDOW_BLOCKS: u32 = DEALLOCATION_DELAY_BLOCKS - 300;
/// For how many seconds a committee may certify: the window at one block a second. A chain that misses a tick is slower, so
/// the table always ends before the stake can leave.
pub(super) const SLASHABLE_WINDOW_S: u32 = SLASHABLE_WINDOW_BLOCKS;
/// Blocks between two snapshots when nobody joined, left or was slashed. Ten times in a table's life: renewals are seen, and
/// cost the rollups one table each time.
pub const SNAPSHOT_INTERVAL_BLOCKS: u32 = SLASHABLE_WINDOW_BLOCKS / 10;
/// Seconds until a judge that is announced later may order slashing: those of the network are announced before anybody
/// registers, and count at once.
pub(super) const JUDGE_DELAY_S: u32 = 60;
/// What an operator posts for whoever proves its fault: one ether, in wei.
pub(super) const OPERATOR_BOND_WEI: u128 = 1_000_000_000_000_000_000;
/// What a rollup's sequencer posts: ten ether, in wei.
pub(super) const SEQUENCER_BOND_WEI: u128 = 10_000_000_000_000_000_000;
/// Seconds between the registry owner's word and its effect: none, the network registers its rollups while it starts.
pub(super) const AUTHORISATION_DELAY_S: u64 = 0;
/// Seconds for which a rollup that leaves stays liable; longer than any answer takes.
pub(super) const EXIT_DELAY_S: u64 = 600;
/// Seconds between the announcement of a payout to a victim and its payment: time to object, if only to see how it goes.
pub(super) const PAYOUT_DELAY_S: u64 = 60;
/// Seconds for an answer to an accusation: enough to see it in three L1 blocks and answer in the fourth, short enough to wait
/// for.
pub(super) const ANSWER_TIME_S: u64 = 20;
/// What a challenger of an attested head puts down, more than an answer costs: a tenth of an ether, in wei.
pub(super) const CHALLENGE_BOND_WEI: u128 = 100_000_000_000_000_000;
/// Blocks until an operator's allocation counts: at once. What an operator gives up still waits for the delay above.
pub(super) const ALLOCATION_DELAY_BLOCKS: u32 = 0;
/// What each operator restakes, in the token's smallest unit: 32 whole tokens.
pub(super) const STAKE: u128 = 32_000_000_000_000_000_000;
/// The same as whoever joins later says it, in whole tokens.
pub(crate) const STAKE_TOKENS: &str = "32";
/// What each operator's account is given: enough for it to add to its stake later.
pub(super) const TOKENS_EACH: u128 = 10 * STAKE;
/// Everything that is minted.
pub(super) const SUPPLY: u128 = 1_000 * TOKENS_EACH;
/// All of an operator's stake, as a part of 10¹⁸.
pub(super) const ALL_MAGNITUDE: u64 = 1_000_000_000_000_000_000;
