// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../lib/Bn254.sol";
import {IOperatorKeys} from "./IOperatorKeys.sol";

/// @title Hum on L1: the AVS, its operators' keys, its committees and its only slasher
/// @notice One operator set, id 0. Committees are snapshots of slashable stake, taken here by anyone; docs/protocol.md says how
/// operators follow them. Slashing is ordered by judges, contracts that have checked a proof; nobody else can order it, the
/// owner neither.
///
/// An operator's way in: {postBond}, then the AllocationManager's `registerForOperatorSets` with an ABI-encoded
/// {Registration} as data: one transaction binds stake, key, proof of possession and endpoint. Its way out:
/// `deregisterFromOperatorSets` there, and {withdrawBond} when it can no longer be slashed.
interface IServiceManager is IOperatorKeys {
    /// @notice What is fixed at deployment, beside the core, the owner and the strategies.
    struct Config {
        /// @dev 1 to 256; at most 100 where certificates shall stay cheap.
        uint16 seatsMax;
        /// @dev Stake counts when it stays slashable for that many blocks; at most the core's deallocation delay.
        uint32 slashableWindowBlocks;
        /// @dev For how long a committee may certify. The window above, less the time that evidence needs to be mined.
        uint32 slashableWindowSeconds;
        uint32 snapshotIntervalBlocks;
        uint32 judgeDelaySeconds;
        uint96 bondWei;
        /// @dev Who gets slashed stake, on cores from v1.5 on; zero: it is burned.
        address redistributionRecipient;
    }

    /// @notice A committee as it was selected in an L1 block. `validUntil` in seconds since 1970.
    struct Snapshot {
        bytes32 tableHash;
        uint64 l1Block;
        uint64 validUntil;
        uint16 seats;
    }

    /// @notice `operator` joined or left the set: the next snapshot may be taken at once. So it may after {Slashed}.
    event MembershipChanged(address indexed operator, bool member);
    /// @notice A committee was selected. `seats` by seat, `stakes` likewise.
    event SnapshotTaken(
        uint256 indexed index, bytes32 indexed tableHash, uint64 validUntil, address[] seats, uint128[] stakes
    );
    /// @notice `operator` was slashed for `offence` and left the set for ever. `rewardWei` waits for `reporter`.
    event Slashed(
        address indexed operator, uint8 indexed fault, bytes32 indexed offence, address reporter, uint256 rewardWei
    );
    /// @notice The bond of `operator` is `bondWei` now.
    event BondPosted(address indexed operator, uint256 bondWei);
    event BondReturned(address indexed operator, uint256 bondWei);
    event RewardWithdrawn(address indexed reporter, uint256 rewardWei);
    /// @notice `judge` may order slashing from `activeAt` (seconds since 1970) on.
    event JudgeAnnounced(address indexed judge, uint64 activeAt);

    /// @notice The constructor was given a value outside its bounds, or one that does not fit the core.
    error ConfigInvalid(string field);
    error NotAllocationManager(address caller);
    error NotOwner(address caller);
    error NotJudge(address caller);
    error AlreadySetUp();
    error JudgeKnown(address judge, uint64 activeAt);
    error WrongAvs(address found);
    /// @notice There is one operator set, 0. For lists of another length than one: their first element, or 0 when empty.
    error WrongOperatorSet(uint32 found);
    error BondMissing(address operator, uint256 heldWei, uint256 neededWei);
    /// @notice The operator can still be slashed, says the core.
    error BondLocked(address operator);
    /// @notice There is no bond, or reward, of the caller.
    error NothingOwed(address caller);
    error OperatorSetFull(uint256 members);
    error OperatorJailed(address operator);
    error OffenceKnown(bytes32 offence);
    error NotSlashable(address operator);
    /// @notice The slash had too little gas to take the operator out of the set.
    error EjectionFailed(address operator);
    error SnapshotTooEarly(uint64 l1Block, uint64 earliest);
    error CommitteeEmpty();
    /// @notice `keySum` in G2 does not belong to the seats' keys in G1.
    error KeySumWrong();
    error SnapshotUnknown(uint256 index);

    // ---- Setting up

    /// @notice Announces the AVS to the core, makes this contract its registrar, creates operator set 0. Once.
    /// @dev Callable by the owner. Reverts: {NotOwner}, {AlreadySetUp}. With a redistribution recipient it needs a core of
    /// v1.5 or later.
    function setUp(string calldata metadataURI) external;

    /// @notice Lets `judge` order slashing: at once while nobody ever registered, later after the delay. For ever.
    /// @dev Callable by the owner. Emits {JudgeAnnounced}. Reverts: {NotOwner}, {JudgeKnown}.
    function announceJudge(address judge) external;

    /// @notice Whether `judge` may order slashing now.
    function isJudge(address judge) external view returns (bool);

    // ---- Operators

    /// @notice Registered operators, in no order.
    function members() external view returns (address[] memory);

    /// @notice Whether the operator was slashed: it cannot come back, and has no seat in any later committee.
    function isJailed(address operator) external view returns (bool);

    // ---- Bonds and rewards

    /// @notice Adds ether to the bond of `operator`.
    /// @dev Callable by anyone; the bond is the operator's from then on. Emits {BondPosted}.
    function postBond(address operator) external payable;

    /// @notice Pays the caller's bond back, once it has left the set and can no longer be slashed.
    /// @dev Emits {BondReturned}. Reverts: {BondLocked}, {NothingOwed}, or when the caller does not take ether.
    function withdrawBond() external;

    function bondOf(address operator) external view returns (uint256 bondWei);

    /// @notice Pays what slashes earned the caller.
    /// @dev A reporter fetches its reward, so that one that refuses ether cannot stop a slash. Emits {RewardWithdrawn}.
    /// Reverts: {NothingOwed}, or when the caller does not take ether.
    function withdrawReward() external;

    function rewardOf(address reporter) external view returns (uint256 rewardWei);

    // ---- Committees

    /// @notice The committee that a snapshot taken in this block would select, by seat, and whether one may be taken now.
    /// @dev Candidates are the members with slashable stake that are not jailed. Of them the `SEATS_MAX` with most stake (the
    /// smaller operator id at equal stake) count; who has less than a quarter of their mean has no seat. Seats are in
    /// ascending order of operator ids. Stake is summed over the strategies, share by share.
    function preview() external view returns (address[] memory seats, uint128[] memory stakes, bool due);

    /// @notice Takes a snapshot: selects the committee, builds its table as docs/protocol.md lays it out, keeps the hash.
    /// @dev Callable by anyone, once each interval; at once when the set's members changed or a slash happened since the last.
    /// Emits {SnapshotTaken}. Reverts: {SnapshotTooEarly}, {CommitteeEmpty}, {Bn254.PrecompileFailed} for a sum off its curve,
    /// {KeySumWrong}.
    /// @param keySum sum of the seats' keys in G2; the curve's precompiles cannot add there, but they can check
    function takeSnapshot(Bn254.G2 calldata keySum) external returns (uint256 index);

    function snapshotCount() external view returns (uint256);

    /// @dev Reverts with {SnapshotUnknown}.
    function snapshotAt(uint256 index) external view returns (Snapshot memory);

    /// @notice One more than the index of the newest snapshot with that table; 0 when there is none.
    function snapshotOf(bytes32 tableHash) external view returns (uint256 indexPlusOne);

    // ---- Slashing

    /// @notice Slashes all that `operator` allocated, takes it out of the set for ever, and owes its bond to `reporter`.
    /// @dev Callable by judges. Once for each `offence`. An operator that left can be slashed for as long as the core allows.
    /// Emits {Slashed}, {MembershipChanged} when it was a member. Reverts: {NotJudge}, {OffenceKnown}, {NotSlashable},
    /// {EjectionFailed}, and as the core does. When the core's registration is paused, the operator stays a member in name:
    /// jailed, without a seat.
    function slash(address operator, uint8 fault, bytes32 offence, address reporter) external;

    /// @notice Whether the offence was punished.
    function isPunished(bytes32 offence) external view returns (bool);

    // ---- Fixed at deployment

    /// @notice What stake counts, in ascending order.
    function strategies() external view returns (address[] memory);
}
