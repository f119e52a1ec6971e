//! Why a checkpoint does not follow from its parent.

use crate::RosterError;
use hum_bls::BundleError;
use hum_types::{
    Address, B256, BlockRef, ChainId, ClaimError, Class, Confidence, Domain, Epoch, Generation, Height,
    L1Origin, LaneId, RollupStatus, TimeMs,
};

/// Why a body or a header cannot follow its parent. Every variant is the proposer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The header is for another deployment.
    #[error("header has domain {declared:?}, this deployment is {expected:?}")]
    Domain {
        /// What it declares.
        declared: Domain,
        /// What it should.
        expected: Domain,
    },
    /// The header is for another epoch.
    #[error("header has epoch {declared}, the committee's is {expected}")]
    Epoch {
        /// What it declares.
        declared: Epoch,
        /// What it should.
        expected: Epoch,
    },
    /// The header does not have the next height.
    #[error("header has height {declared}, {expected} follows")]
    Height {
        /// What it declares.
        declared: Height,
        /// What it should.
        expected: Height,
    },
    /// The header does not stand on its parent.
    #[error("header stands on {declared}, the parent is {computed}")]
    Parent {
        /// What it declares.
        declared: B256,
        /// The parent's hash.
        computed: B256,
    },
    /// Time does not rise.
    #[error("header is of {declared} ms, its parent of {parent} ms")]
    Time {
        /// What it declares.
        declared: TimeMs,
        /// The parent's.
        parent: TimeMs,
    },
    /// The L1 origin changes although the term goes on.
    #[error(
        "header at height {height} names L1 block {declared}, its parent {expected}; the term ends at {closing}"
    )]
    OriginMoved {
        /// The header's height.
        height: Height,
        /// Where it could change.
        closing: Height,
        /// What it declares.
        declared: L1Origin,
        /// The parent's.
        expected: L1Origin,
    },
    /// The L1 origin goes back.
    #[error("header names L1 block {declared}, its parent the later {parent}")]
    OriginBack {
        /// What it declares.
        declared: L1Origin,
        /// The parent's.
        parent: L1Origin,
    },
    /// Another L1 block of the same number.
    #[error("header names L1 block {declared}, its parent {parent} of the same number")]
    OriginHash {
        /// What it declares.
        declared: L1Origin,
        /// The parent's.
        parent: L1Origin,
    },
    /// The body is another one.
    #[error("header commits to body {declared}, the body hashes to {computed}")]
    BodyHash {
        /// What it declares.
        declared: B256,
        /// The body's hash.
        computed: B256,
    },
    /// The body does not lead to the declared rollups.
    #[error("header commits to rollups {declared}, the body leads to {computed}")]
    RollupsRoot {
        /// What it declares.
        declared: B256,
        /// Where the body leads.
        computed: B256,
    },
    /// The header announces another next table than its body.
    #[error("header announces table {declared}, its body makes {computed}")]
    NextTable {
        /// What it declares.
        declared: B256,
        /// Hash of the roster's table; zero without a roster.
        computed: B256,
    },
    /// A roster in a body that does not close a term.
    #[error("height {height} brings a roster, the term ends at {closing}")]
    RosterEarly {
        /// The header's height.
        height: Height,
        /// Where the term ends.
        closing: Height,
    },
    /// A roster beside something else. Whoever attests a handover has to judge L1 only, however far behind he is.
    #[error("a roster comes with {changes} other changes and {advances} advances, it comes alone")]
    RosterNotAlone {
        /// Changes beside it.
        changes: usize,
        /// Advances beside it.
        advances: usize,
    },
    /// A roster although the L1 origin stays: the parent's closing height has seen what L1 says there.
    #[error("a roster comes with L1 block {declared}, its parent's; it needs a later one than {parent}")]
    RosterStale {
        /// The header's origin.
        declared: L1Origin,
        /// The parent's.
        parent: L1Origin,
    },
    /// A roster that changes nothing.
    #[error("the roster's table {next} is the one of the present committee, {present}")]
    RosterSame {
        /// The roster's table.
        next: B256,
        /// The present table.
        present: B256,
    },
    /// A roster that makes no committee.
    #[error("roster: {0}")]
    Roster(#[from] RosterError),
    /// Advances are not in ascending order of chain id, one a rollup.
    #[error("advance of chain {next} follows that of chain {previous}")]
    Order {
        /// The earlier one.
        previous: ChainId,
        /// The later one.
        next: ChainId,
    },
    /// The chain is no member.
    #[error("chain {chain_id} is no member")]
    Unknown {
        /// The chain.
        chain_id: ChainId,
    },
    /// The rollup is set aside.
    #[error("chain {chain_id} is not active")]
    NotActive {
        /// The chain.
        chain_id: ChainId,
    },
    /// An advance without blocks.
    #[error("advance of chain {chain_id} has no block")]
    Empty {
        /// The chain.
        chain_id: ChainId,
    },
    /// Not one bundle of judgements for each block, or bundles where blocks are re-executed.
    #[error(
        "chain {chain_id} advances by {blocks} blocks with {declared} bundles of judgements, {expected} belong to them"
    )]
    Judgements {
        /// The chain.
        chain_id: ChainId,
        /// Blocks of the advance.
        blocks: usize,
        /// Bundles that it has.
        declared: usize,
        /// Bundles that it should have.
        expected: usize,
    },
    /// A bundle that is not two thirds of the judging stake's.
    #[error("chain {chain_id}, block {number}: {source}")]
    Judgement {
        /// The chain.
        chain_id: ChainId,
        /// The block's number.
        number: u64,
        /// Why.
        source: BundleError,
    },
    /// Judges of a rollup that is re-executed, none of one that is not, too many, or in no order.
    #[error(
        "chain {chain_id} is {class} and names {judges} judges: none where blocks are re-executed, else 1 to {most} in ascending order"
    )]
    Judges {
        /// The chain.
        chain_id: ChainId,
        /// How its heads are known.
        class: Class,
        /// Judges named.
        judges: usize,
        /// How many there can be.
        most: usize,
    },
    /// A block is called invalid that nobody re-executes.
    #[error("chain {chain_id} is judged by operators' own nodes: no block of it can be shown to be invalid")]
    NotReexecuted {
        /// The chain.
        chain_id: ChainId,
    },
    /// A gap, or a block that was passed.
    #[error("chain {chain_id} advances to block {declared}, {expected} follows")]
    Number {
        /// The chain.
        chain_id: ChainId,
        /// The number given.
        declared: u64,
        /// The number that follows.
        expected: u64,
    },
    /// The sequencer did not sign that.
    #[error("chain {chain_id}: {source}")]
    Claim {
        /// The chain.
        chain_id: ChainId,
        /// Why.
        source: ClaimError,
    },
    /// The claim or retraction names another registration of that chain.
    #[error("chain {chain_id} is registered as {expected}, the signed one is {declared}")]
    Registration {
        /// The chain.
        chain_id: ChainId,
        /// What was signed.
        declared: B256,
        /// What it should be.
        expected: B256,
    },
    /// A message of a façade that is not the rollup's.
    #[error("chain {chain_id}: {facade} is no gateway of ours")]
    Facade {
        /// The chain.
        chain_id: ChainId,
        /// The façade.
        facade: Address,
    },
    /// A lane cannot take more messages.
    #[error("chain {chain_id}: lane {lane:?} is full")]
    LaneFull {
        /// The chain.
        chain_id: ChainId,
        /// The lane.
        lane: LaneId,
    },
    /// A rollup is set aside twice.
    #[error("chain {chain_id} is quarantined already")]
    QuarantinedAlready {
        /// The chain.
        chain_id: ChainId,
    },
    /// The two claims are compatible.
    #[error("claims of chain {chain_id} for blocks {one:?} and {other:?} do not contradict each other")]
    NoEquivocation {
        /// The chain.
        chain_id: ChainId,
        /// One block.
        one: BlockRef,
        /// The other.
        other: BlockRef,
    },
    /// The signed thing belongs to a generation that is not the rollup's.
    #[error("chain {chain_id} is in generation {expected}, the signed one is {declared}")]
    Generation {
        /// The chain.
        chain_id: ChainId,
        /// What was signed.
        declared: Generation,
        /// What it should be.
        expected: Generation,
    },
    /// A retraction to a block that is not on the verified chain, or is too old.
    #[error("chain {chain_id} cannot go back to block {number} {hash}: none of its newest certified blocks")]
    Kept {
        /// The chain.
        chain_id: ChainId,
        /// The block's number.
        number: u64,
        /// The block's hash.
        hash: B256,
    },
    /// A retraction of what L1 holds.
    #[error(
        "chain {chain_id} cannot go back to block {} {}: its Safe head is {} {}",
        kept.number, kept.hash, safe.number, safe.hash
    )]
    KeptBelowSafe {
        /// The chain.
        chain_id: ChainId,
        /// What the retraction would keep.
        kept: BlockRef,
        /// The `Safe` head.
        safe: BlockRef,
    },
    /// Nothing happens to a rollup that left.
    #[error("chain {chain_id} has left, it stays as it is")]
    Left {
        /// The chain.
        chain_id: ChainId,
    },
    /// A chain id that is known joins: a member's, or that of a rollup that left.
    #[error("chain {chain_id} joins, it is known and {status}; a chain id that left does not come back")]
    KnownRollup {
        /// The chain.
        chain_id: ChainId,
        /// What it is now.
        status: RollupStatus,
    },
    /// No room for one more rollup.
    #[error("chain {chain_id} joins {members} rollups, there is room for {most}")]
    TooManyRollups {
        /// The chain.
        chain_id: ChainId,
        /// Rollups that have a leaf, those that left included.
        members: usize,
        /// How many can have one.
        most: usize,
    },
    /// A second join in one body.
    #[error("chains {first} and {second} join in one body, one can")]
    JoinTwice {
        /// The first.
        first: ChainId,
        /// The second.
        second: ChainId,
    },
    /// An anchor so high that numbers would run out.
    #[error("chain {chain_id} joins with anchor {declared}, at most {most} is possible")]
    AnchorNumber {
        /// The chain.
        chain_id: ChainId,
        /// The number given.
        declared: u64,
        /// The highest that there can be.
        most: u64,
    },
    /// A join or leave as of an L1 block below the header's L1 origin, or another one of its number.
    #[error("chain {chain_id} comes or goes by L1 block {declared}, the header's is {header}")]
    MembershipOrigin {
        /// The chain.
        chain_id: ChainId,
        /// The L1 block given.
        declared: L1Origin,
        /// The header's origin.
        header: L1Origin,
    },
    /// `Latest` is no settled confidence.
    #[error("chain {chain_id} settles block {} {} at Latest, which only advances", head.number, head.hash)]
    SettleLatest {
        /// The chain.
        chain_id: ChainId,
        /// The head given.
        head: BlockRef,
    },
    /// `Finalized` is settled at the header's L1 origin, `Safe` there or above.
    #[error("chain {chain_id} settles at {confidence} by L1 block {declared}, the header's is {header}")]
    SettleOrigin {
        /// The chain.
        chain_id: ChainId,
        /// The confidence.
        confidence: Confidence,
        /// The L1 block given.
        declared: L1Origin,
        /// The header's origin.
        header: L1Origin,
    },
    /// A settled head that does not rise.
    #[error(
        "chain {chain_id} settles block {} {} at {confidence}, its head there is {} {}",
        declared.number, declared.hash, present.number, present.hash
    )]
    SettleBack {
        /// The chain.
        chain_id: ChainId,
        /// The confidence.
        confidence: Confidence,
        /// The head given.
        declared: BlockRef,
        /// The present head, or the anchor while there is none.
        present: BlockRef,
    },
    /// A settled head that is not on the certified chain, or too old to be known.
    #[error("chain {chain_id} settles block {} {}, certified and known there is {held:?}", declared.number, declared.hash)]
    SettleUnknown {
        /// The chain.
        chain_id: ChainId,
        /// The head given.
        declared: BlockRef,
        /// The hash of the certified block of that number, while it is known.
        held: Option<B256>,
    },
    /// A chain that L1 contradicts has to come to what L1 holds before that can happen again.
    #[error(
        "chain {chain_id} is cut back for block {} {}, it has not come to {} {} yet",
        declared.number, declared.hash, present.number, present.hash
    )]
    ReorgedAlready {
        /// The chain.
        chain_id: ChainId,
        /// What L1 holds, by this change.
        declared: BlockRef,
        /// What L1 holds, by the one before.
        present: BlockRef,
    },
    /// Only what is final at the header's L1 origin cuts a chain back.
    #[error("chain {chain_id} is cut back by L1 block {declared}, the header's is {header}")]
    ReorgOrigin {
        /// The chain.
        chain_id: ChainId,
        /// The L1 block given.
        declared: L1Origin,
        /// The header's origin.
        header: L1Origin,
    },
    /// What L1 holds does not contradict what is certified.
    #[error(
        "chain {chain_id} is cut back to {kept} for block {} {}, certified is {} {}",
        declared.number, declared.hash, certified.number, certified.hash
    )]
    NoContradiction {
        /// The chain.
        chain_id: ChainId,
        /// The number of what would be kept.
        kept: u64,
        /// What L1 is said to hold.
        declared: BlockRef,
        /// The certified block of that number, or the head.
        certified: BlockRef,
    },
    /// Another block than the one that L1 holds there.
    #[error(
        "chain {chain_id} advances to block {} {}, L1 holds {} {}",
        declared.number, declared.hash, held.number, held.hash
    )]
    AgainstL1 {
        /// The chain.
        chain_id: ChainId,
        /// The block given.
        declared: BlockRef,
        /// What L1 holds.
        held: BlockRef,
    },
    /// An invalid block that this chain could not build on anyway.
    #[error("chain {chain_id}: evidence is about block {number}, the head is {head}")]
    EvidenceBlock {
        /// The chain.
        chain_id: ChainId,
        /// The block's number.
        number: u64,
        /// The head's number.
        head: u64,
    },
}
