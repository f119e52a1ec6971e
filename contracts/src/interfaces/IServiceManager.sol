// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../lib/Bn254.sol";

/// @title Hum on L1: the AVS, its operators' keys, its committees and its only slasher
/// @notice One operator set, id 0. Committees are snapshots of slashable stake, taken here by anyone; docs/protocol.md says how
/// operators follow them. Slashing is ordered by judges, contracts that have checked a proof; nobody else can order it.
interface IServiceManager {
    /// @notice What an operator brings when it registers for the operator set, ABI-encoded as the registration's data.
    struct Registration {
        Bn254.G1 key;
        Bn254.G2 keyG2;
        Bn254.G1 possession;
        bytes32 networkKey;
        string endpoint;
    }

    /// @notice A committee as it was selected in an L1 block.
    struct Snapshot {
        bytes32 tableHash;
        uint64 l1Block;
        uint64 validUntil;
        uint16 seats;
    }

    /// @notice `operator` holds this key; `operatorId` = `H(G1 key)`.
    event KeyRegistered(address indexed operator, bytes32 indexed operatorId, Bn254.G1 key, Bn254.G2 keyG2, Bn254.G1 possession);
    /// @notice Peers find `operator` there from now on.
    event EndpointSet(address indexed operator, bytes32 networkKey, string endpoint);
    /// @notice The set's members changed, or somebody's stake was taken: the next snapshot may be taken at once.
    event MembershipChanged(address indexed operator, bool member);
    /// @notice A committee was selected. `seats` by seat, `stakes` likewise.
    event SnapshotTaken(uint256 indexed index, bytes32 indexed tableHash, uint64 validUntil, address[] seats, uint128[] stakes);
    /// @notice `operator` was slashed for `offence` and left the set for ever.
    event Slashed(address indexed operator, uint8 indexed fault, bytes32 indexed offence, address reporter, uint256 rewardWei);
    event BondPosted(address indexed operator, uint256 bondWei);
    event BondReturned(address indexed operator, uint256 bondWei);
    /// @notice `judge` may order slashing from `activeAt` (seconds since 1970) on.
    event JudgeAnnounced(address indexed judge, uint64 activeAt);

    error NotAllocationManager(address caller);
    error NotOwner(address caller);
    error NotJudge(address caller);
    error WrongAvs(address found);
    error WrongOperatorSet(uint32 found);
    /// @notice The key, or the signature, is the identity.
    error IdentityPoint();
    /// @notice The operator registered with key `held` and cannot take another.
    error OperatorHasKey(address operator, bytes32 held);
    /// @notice The key belongs to `operator` already.
    error KeyTaken(bytes32 operatorId, address operator);
    /// @notice The signature is not this key's, not for this operator, or the two forms of the key differ.
    error PossessionNotProven(bytes32 digest);
    /// @notice An endpoint is 1 to 64 bytes, a network key not zero and nobody else's.
    error EndpointInvalid(uint256 length);
    error NetworkKeyTaken(bytes32 networkKey, address operator);
    error BondMissing(address operator, uint256 heldWei, uint256 neededWei);
    error BondLocked(address operator, uint64 until);
    error OperatorSetFull(uint256 members);
    error OperatorJailed(address operator);
    error OffenceKnown(bytes32 offence);
    error NotSlashable(address operator);
    error SnapshotTooEarly(uint64 l1Block, uint64 earliest);
    error CommitteeEmpty();
    /// @notice `keySum` in G2 does not belong to the seats' keys in G1.
    error KeySumWrong();
    error SnapshotUnknown(uint256 index);

    /// @notice What an operator signs to prove possession: kind 3 of docs/protocol.md.
    function possessionDigest(Bn254.G1 calldata key, address operator) external view returns (bytes32);
    /// @notice Id of the operator's key; zero when it has none. Never changes.
    function operatorIdOf(address operator) external view returns (bytes32);
    /// @notice Whose key that is; zero when nobody's.
    function operatorOf(bytes32 operatorId) external view returns (address);
    /// @notice The operator's key and its proof of possession; zeros when it has none.
    function keyOf(address operator) external view returns (Bn254.G1 memory key, Bn254.G2 memory keyG2, Bn254.G1 memory possession);
    /// @notice Where peers find the operator.
    function endpointOf(address operator) external view returns (bytes32 networkKey, string memory endpoint);
    /// @notice Registered operators, in no order.
    function members() external view returns (address[] memory);
    function isJailed(address operator) external view returns (bool);

    /// @notice Changes where peers find the caller, a registered operator. Another network key counts from the next committee on.
    function setEndpoint(bytes32 networkKey, string calldata endpoint) external;

    /// @notice Adds ether to the bond of `operator`.
    function postBond(address operator) external payable;
    /// @notice Pays the caller's bond back, once it has left the set and can no longer be slashed.
    function withdrawBond() external;
    function bondOf(address operator) external view returns (uint256 bondWei);

    /// @notice The committee that a snapshot taken in this block would select, by seat, and whether one may be taken now.
    function preview() external view returns (address[] memory seats, uint128[] memory stakes, bool due);
    /// @notice Takes a snapshot. `keySum`: sum of the seats' keys in G2.
    function takeSnapshot(Bn254.G2 calldata keySum) external returns (uint256 index);
    function snapshotCount() external view returns (uint256);
    function snapshotAt(uint256 index) external view returns (Snapshot memory);
    /// @notice One more than the index of the newest snapshot with that table; 0 when there is none.
    function snapshotOf(bytes32 tableHash) external view returns (uint256 indexPlusOne);

    /// @notice Slashes all that `operator` allocated, takes it out of the set for ever, and pays its bond to `reporter`.
    /// @dev Callable by judges. Once for each `offence`.
    function slash(address operator, uint8 fault, bytes32 offence, address reporter) external;
    /// @notice Whether the offence was punished.
    function isPunished(bytes32 offence) external view returns (bool);
    /// @notice Whether `judge` may order slashing now.
    function isJudge(address judge) external view returns (bool);

    function DOMAIN() external view returns (bytes32);
}
