// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "./IEvidence.sol";

/// @title Fault 4: an attested lane that contradicts the state it stands on
/// @notice A lane travels as `lane leaf 96 ‖ index 4 ‖ d 1 ‖ siblings 32·d`, under the lanes root of a `Latest` head that was advanced
/// at the header's own height. The statement's head part is `Latest`'s.
///
/// Two things can be proven. {slashSlot}: the leaf's count or rolling hash is not what the façade's slot holds under the attested
/// state root. Operators count from a rollup's anchor, so this says something only of lanes that were empty there: {proveAnchor}
/// comes first, once for each lane. It also shows that nothing but the façade's own code ever ran at its address: whoever makes a
/// chain can put anything at any address of its first block, and code that sends events without counting them in the slot would
/// make every honest operator look like a liar. The right code is what L1 itself holds at the façade's address, which the address
/// commits to (CREATE2, same everywhere); anyone can deploy it there. An address without code at the anchor needs no such proof.
/// {slashRoot}: the messages whose hashes roll up to the leaf's rolling hash do not make its message
/// tree, in a lane of generation 0 with at most `MESSAGES_MAX` messages. In a later generation a message may have kept an
/// earlier one (docs/protocol.md), which neither leaf nor state shows, so its tree cannot be judged from them.
interface ILaneJudge is IEvidence {
    /// @notice The lane was empty at the registration's anchor.
    event AnchorProven(bytes32 indexed registration, address indexed facade, uint64 indexed destination);

    error LaneLength(uint256 found, uint256 expected);
    error LaneProofWrong(bytes32 computed, bytes32 lanesRoot);
    error RegistrationUnknown(bytes32 registration);
    /// @notice The header is not the anchor's.
    error AnchorHashWrong(bytes32 computed, bytes32 anchorHash);
    /// @notice The code at the façade's address is not the façade's. `onL1` is zero when nobody deployed it on L1.
    error FacadeCodeWrong(bytes32 found, bytes32 onL1);
    /// @notice The lane had messages at the anchor: its slot says nothing of what operators count.
    error LaneNotEmptyAtAnchor(uint256 slot);
    /// @notice Judges with nodes of its stack brought that state, not everyone who attested it.
    error NotReexecuted(bytes32 registration);
    /// @notice {proveAnchor} first.
    error AnchorNotProven(bytes32 registration, address facade, uint64 destination);
    /// @notice The slot holds what the leaf says: no fault.
    error SlotAgrees(uint256 slot);
    /// @notice Only lanes of generation 0 can be judged by their messages.
    error LaneGeneration(uint32 found);
    error MessagesWrong(uint256 found, uint256 expected);
    /// @notice These are not the lane's messages.
    error RollingWrong(bytes24 computed, bytes24 attested);
    /// @notice The messages make the tree that the leaf says: no fault.
    error RootAgrees(bytes32 root);

    /// @notice Proves that a lane's slot was zero, and nothing but the façade at its address, in the state of the registration's
    /// anchor block.
    /// @dev Callable by anyone. Emits {AnchorProven}. Reverts {RegistrationUnknown}, {AnchorHashWrong}, {FacadeCodeWrong},
    /// {LaneNotEmptyAtAnchor}, and as {slashSlot} on proofs.
    /// @param header RLP of the anchor block's header
    function proveAnchor(
        bytes32 registration,
        address facade,
        uint64 destination,
        bytes calldata header,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external;

    /// @notice Slashes for a lane leaf that is not what the slot says.
    /// @dev Callable by anyone; the caller is the reporter. Proofs as `eth_getProof` gives them at the head's block, for the façade
    /// and `laneSlot(destination)`. A proof of absence proves zero; the storage proof is empty when the account is absent or has no
    /// storage. Reverts as {IEvidence} says, {LaneLength}, {LaneProofWrong}, {AnchorNotProven}, {SlotAgrees}, OpenZeppelin's
    /// `TrieProofTraversalError` or `RLPInvalidEncoding`.
    function slashSlot(
        bytes calldata evidence,
        bytes calldata statement,
        bytes calldata lane,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof,
        bytes calldata seats
    ) external;

    /// @notice Slashes for a message tree root that is not the messages'.
    /// @dev Callable by anyone; the caller is the reporter. Reverts as {IEvidence} says, {LaneLength}, {LaneProofWrong},
    /// {LaneGeneration}, {MessagesWrong}, {RollingWrong}, {RootAgrees}.
    /// @param messageHashes of all messages of the lane, in order, 32 bytes each
    function slashRoot(
        bytes calldata evidence,
        bytes calldata statement,
        bytes calldata lane,
        bytes calldata messageHashes,
        bytes calldata seats
    ) external;

    function isEmptyAtAnchor(bytes32 registration, address facade, uint64 destination) external view returns (bool);
    function MESSAGES_MAX() external view returns (uint256);
}
