// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";

/// @title One façade of Hum: the messages of one confidence, both ways
/// @notice Sending is ERC-7786 (`sendMessage`, `supportsAttribute`, {MessageSent}); recipients are ERC-7786 recipients.
/// The same address is the façade of the same confidence on every chain. docs/protocol.md is the law for every byte.
///
/// Proof of a lane as `recordLane` and `relay` take it (integers big-endian, offsets in bytes):
///
/// | offset | field | bytes |
/// |---|---|---|
/// | 0 | height of the checkpoint | 8 |
/// | 8 | its time, ms | 8 |
/// | 16 | its rollups root | 32 |
/// | 48 | rollup leaf, the 142 bytes of the protocol | 142 |
/// | 190 | index of the rollup leaf | 4 |
/// | 194 | `r`, its siblings | 1 |
/// | 195 | siblings, from the bottom | 32·r |
/// | 195 + 32r | head part of this façade's confidence, the 112 bytes of the protocol | 112 |
/// | 307 + 32r | lane leaf, the 96 bytes of the protocol | 96 |
/// | 403 + 32r | index of the lane leaf | 4 |
/// | 407 + 32r | `l`, its siblings | 1 |
/// | 408 + 32r | siblings, from the bottom | 32·l |
///
/// Proof of a rollup as `recordRollup` takes it: the first 195 + 32r bytes of the above.
///
/// Run of messages as `deliver`, `retry` and `relay` take it:
///
/// | offset | field | bytes |
/// |---|---|---|
/// | 0 | registration of the source | 32 |
/// | 32 | source chain id | 8 |
/// | 40 | count in the recorded lane leaf | 8 |
/// | 48 | index of the first message | 8 |
/// | 56 | `k`, number of messages, at least 1 | 2 |
/// | 58 | k messages, each: | |
/// | | tag: 0 = a route follows, other than the one before; 1 = the route of the message before | 1 |
/// | | route, only after tag 0: generation 4 ‖ sender 20 ‖ recipient 20 ‖ min gas limit 4 | 48 |
/// | | payload length, at most 16,384 | 2 |
/// | | payload | |
/// | | siblings of the run (protocol, Trees), exactly those needed | 32 each |
interface IGateway is IERC7786GatewaySource {
    /// @notice State of a message at its destination.
    /// None: not run yet. Failed: its recipient refused it, anyone may retry. Done: accepted, for ever.
    enum MessageStatus {
        None,
        Failed,
        Done
    }

    /// @notice What this façade knows of a source.
    /// @param allowed whether its messages are accepted
    /// @param chainId its chain; zero when it was never allowed
    /// @param generation at the checkpoint recorded last
    /// @param status at that checkpoint: 0 Active, 1 Quarantined, 2 Reorged, 3 Left
    /// @param height of that checkpoint
    /// @param timeMs of that checkpoint
    /// @param class how operators know its heads, as that checkpoint says: 0 re-executed by every operator, 1 by the word of judges
    /// with nodes of its stack, whom nobody checks. A recipient that accepts only what was re-executed asks here.
    /// @param laneCount messages of the lane recorded last
    /// @param laneCommitment first 24 bytes of `H(chain id 8 ‖ count 8 ‖ message tree root 32)` of that lane; zero when none
    struct Source {
        bool allowed;
        uint64 chainId;
        uint32 generation;
        uint8 status;
        uint8 class;
        uint64 height;
        uint64 timeMs;
        uint64 laneCount;
        bytes24 laneCommitment;
    }

    /// @notice The recipient accepted the message. Its payload is in the delivery's calldata.
    event Delivered(bytes32 indexed receiveId);
    /// @notice The recipient refused the message: it waits for anyone's `retry`.
    event Failed(bytes32 indexed receiveId);
    /// @notice Messages `0 .. count` of the source's lane can be delivered now.
    event LaneRecorded(bytes32 indexed registration, uint64 height, uint32 generation, uint64 count);
    /// @notice The source's status at `height` is known now.
    event RollupRecorded(bytes32 indexed registration, uint64 height, uint32 generation, uint8 status);
    /// @notice Messages of this source are accepted from now on.
    event SourceAllowed(uint64 indexed chainId, bytes32 indexed registration);
    /// @notice Messages of this source are not accepted any more.
    event SourceDenied(uint64 indexed chainId, bytes32 indexed registration);
    /// @notice Nothing more is sent to `destination`; what was sent is delivered.
    event LaneClosedForSends(uint64 indexed destination);
    /// @notice Messages to `destination` can be sent again.
    event LaneOpened(uint64 indexed destination);

    /// @notice No such confidence, or an address is zero.
    error ConstructorArguments(address lightClient, uint8 confidence, address owner);

    // Sending

    /// @notice Messages carry no value.
    error ValueNotSupported(uint256 value);
    /// @notice The recipient is not `0x00010000 ‖ length ‖ chain id without leading zeros ‖ 0x14 ‖ address`, first at `offset`.
    error RecipientNotCanonical(uint256 offset);
    /// @notice The zero address receives nothing.
    error RecipientZero();
    /// @notice A message to this very chain needs no gateway.
    error DestinationIsSource(uint64 chainId);
    /// @notice The payload is longer than 16,384 bytes.
    error PayloadTooLong(uint256 found, uint256 most);
    /// @notice An attribute is its 4-byte key and one word.
    error AttributeLength(bytes4 selector, uint256 found);
    /// @notice The same attribute twice.
    error AttributeTwice(bytes4 selector);
    /// @notice `minGasLimit` is above what a delivery can promise.
    error GasLimitTooHigh(uint256 found, uint256 most);
    /// @notice The owner lets nobody send to this chain.
    error LaneClosed(uint64 destination);

    // Policy

    /// @notice Only the owner decides which sources are allowed, and which lanes are open.
    error NotOwner(address caller);
    /// @notice Another registration of this chain is allowed; deny it first.
    error ChainHasSource(uint64 chainId, bytes32 registration);
    /// @notice No registration of this chain is allowed.
    error ChainHasNoSource(uint64 chainId);
    /// @notice The registration belongs to another chain (it is allowed for that one, or something is recorded of it
    /// already), or the chain is this one, or either is zero.
    error SourceInvalid(uint64 chainId, bytes32 registration);
    /// @notice The registration is not allowed here.
    error SourceNotAllowed(bytes32 registration);

    // Records

    /// @notice A proof has `found` bytes where its own counts ask for `expected`.
    error ProofLength(uint256 found, uint256 expected);
    /// @notice A leaf's index does not exist in a tree of that depth.
    error LeafIndexOutOfRange(uint256 index, uint256 depth);
    /// @notice The light client holds no such checkpoint (any more).
    error CheckpointUnknown(uint64 height, uint64 timeMs, bytes32 rollupsRoot);
    /// @notice The rollup leaf does not lead to the checkpoint's rollups root.
    error RollupProofWrong(bytes32 computed, bytes32 rollupsRoot);
    /// @notice The allowed registration is of another chain than the rollup leaf says.
    error WrongChain(uint64 expected, uint64 found);
    /// @notice No such status.
    error UnknownStatus(uint8 found);
    /// @notice The checkpoint is older than the one recorded for this source.
    error OlderThanRecorded(uint64 height, uint64 recorded);
    /// @notice The generation is below the recorded one (or, for a lane proven at an older height, not the same).
    error WrongGeneration(uint32 found, uint32 recorded);
    /// @notice The source's head at this façade's confidence is not derived yet.
    error HeadNotDerived(uint8 confidence);
    /// @notice The head part is not the one in the rollup leaf at this façade's confidence.
    error HeadPartWrong(bytes32 computed, bytes32 expected);
    /// @notice The lane is another façade's.
    error WrongFacade(address found);
    /// @notice The lane leads to another chain.
    error WrongDestination(uint64 found);
    /// @notice The lane's generation cannot be in a rollup of that generation.
    error WrongLaneGeneration(uint32 lane, uint32 rollup);
    /// @notice The lane leaf does not lead to the head part's lanes root.
    error LaneProofWrong(bytes32 computed, bytes32 lanesRoot);

    // Delivery

    /// @notice A delivery is running.
    error Reentered();
    /// @notice No lane of this source is recorded (in its current generation).
    error LaneNotRecorded(bytes32 registration);
    /// @notice The newest checkpoint recorded for the source is older than 60 s.
    error CheckpointStale(uint64 timeMs, uint256 nowSeconds);
    /// @notice The source is not Active.
    error SourceNotActive(uint8 status);
    /// @notice The run ends inside a field, after `length` bytes.
    error RunTruncated(uint256 length);
    /// @notice A tag is 0 or 1: 1 exactly where the route is that of the message before.
    error RunTag(uint256 position, uint8 found);
    /// @notice The run is empty or reaches beyond the lane.
    error RunOutOfRange(uint64 start, uint256 length, uint64 count);
    /// @notice The run's siblings take `found` bytes where `expected` are needed.
    error RunSiblings(uint256 found, uint256 expected);
    /// @notice Root, count and chain id do not give the lane's commitment.
    error RunProofWrong(bytes32 computedRoot);
    /// @notice The gas left cannot give the recipient what the sender asked for.
    error InsufficientGas(uint256 needed, uint256 available);
    /// @notice `retry` takes one message.
    error RetryTakesOne(uint256 found);
    /// @notice `retry` is for a message that failed.
    error NotFailed(bytes32 receiveId, MessageStatus status);
    /// @notice The recipient refused the message again.
    error RetryFailed(bytes32 receiveId);

    // ---- Policy

    /// @notice Accepts messages of `registration`, which is the member `chainId`. Owner only.
    /// @dev Emits {SourceAllowed}. Reverts {NotOwner}, {SourceInvalid}, {ChainHasSource}. What was recorded before a
    /// denial keeps its height and generation, so that nothing goes back in time. What was delivered is remembered for
    /// each registration: another registration of the same chain starts with every message of its lanes undelivered.
    function allow(uint64 chainId, bytes32 registration) external;

    /// @notice Stops accepting messages of `chainId`'s registration. Owner only.
    /// @dev Emits {SourceDenied}. Reverts {NotOwner}, {ChainHasNoSource}.
    function deny(uint64 chainId) external;

    /// @notice Lets nobody send to `destination` any more. What was sent stays and is delivered: a rollup that leaves closes its
    /// lanes first. Owner only.
    /// @dev Emits {LaneClosedForSends} unless it is closed. Reverts {NotOwner}.
    function closeLane(uint64 destination) external;

    /// @notice Lets everyone send to `destination` again; the lane goes on where it stood. Owner only.
    /// @dev Emits {LaneOpened} unless it is open. Reverts {NotOwner}.
    function openLane(uint64 destination) external;

    // ---- Records

    /// @notice Records a source's status and its lane to here, proven against a checkpoint the light client holds.
    /// @dev Callable by anyone. Emits {RollupRecorded}, then {LaneRecorded}. Reverts {SourceNotAllowed} and with the errors
    /// under "Records".
    /// @param lane packed as in the table above
    function recordLane(bytes calldata lane) external;

    /// @notice Records a source's status only: pushes a quarantine, or shows that it is still Active.
    /// @dev Callable by anyone. Emits {RollupRecorded}. At `Latest` and `Safe` a new generation also drops the recorded
    /// lane, which was the old one's. Reverts {SourceNotAllowed} and with the errors under "Records" that are not about a lane.
    /// @param rollup packed as in the table above
    function recordRollup(bytes calldata rollup) external;

    // ---- Delivery

    /// @notice Delivers a run of messages of a recorded lane: each at most once, in order, none holding up the next.
    /// @dev Callable by anyone. A message already done, or failed before, is skipped. Emits {Delivered} or {Failed} for
    /// each message run. Reverts {SourceNotAllowed}, {PayloadTooLong} and with the errors under "Delivery" that are not about
    /// `retry`; too little gas reverts the whole call. A recipient may send and record from inside its message, but not
    /// deliver here: {Reentered}.
    /// @param run packed as in the table above
    /// @return delivered messages accepted by their recipient in this call
    /// @return failed messages refused by their recipient in this call
    function deliver(bytes calldata run) external returns (uint256 delivered, uint256 failed);

    /// @notice Runs one failed message again, with all the gas of this call (at least its gas floor).
    /// @dev Callable by anyone. Emits {Delivered}. Reverts as {deliver}, and {RetryTakesOne}, {NotFailed}, {RetryFailed}.
    /// @param run packed as in the table above, with k = 1
    function retry(bytes calldata run) external;

    /// @notice Certificate, lane and messages in one transaction. An empty part is left out.
    /// @dev Callable by anyone. When a later checkpoint of the source is recorded already, the lane is only proven, and
    /// the run delivered against it: that somebody else was faster does no harm. Emits and reverts as ILightClient.submit,
    /// {recordLane} and {deliver}.
    /// @param certificate as ILightClient.submit takes it
    /// @param lane as {recordLane} takes it
    /// @param run as {deliver} takes it
    function relay(bytes calldata certificate, bytes calldata lane, bytes calldata run)
        external
        returns (uint256 delivered, uint256 failed);

    // ---- Views

    /// @notice What became of a message here. None for a message that does not exist.
    function statusOf(bytes32 registration, uint32 generation, uint64 index) external view returns (MessageStatus);

    /// @notice What is recorded of a source.
    function source(bytes32 registration) external view returns (Source memory);

    /// @notice The registration allowed for a chain; zero when none is.
    function registrationOf(uint64 chainId) external view returns (bytes32);

    /// @notice The lane to `destination`: messages sent so far, and the rolling hash over them.
    function lane(uint64 destination) external view returns (uint64 count, bytes24 rolling);

    /// @notice Whether sending to `destination` reverts with {LaneClosed}.
    function isLaneClosed(uint64 destination) external view returns (bool);

    /// @notice The storage slot of the lane to `destination` (`closed 1 bit ‖ count 63 bits ‖ rolling 24`), for storage proofs.
    function laneSlot(uint64 destination) external pure returns (bytes32);

    /// @notice 0 Latest, 1 Safe, 2 Finalized.
    function CONFIDENCE() external view returns (uint8);

    /// @notice The light client whose checkpoints count here.
    function LIGHT_CLIENT() external view returns (address);

    /// @notice Who decides which sources are allowed, and which lanes are open.
    function OWNER() external view returns (address);
}
