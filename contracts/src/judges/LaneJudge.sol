// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {ILaneJudge} from "../interfaces/ILaneJudge.sol";
import {IRollupRegistry} from "../interfaces/IRollupRegistry.sol";
import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {Evidence} from "./Evidence.sol";
import {RollupEvidence} from "./RollupEvidence.sol";
import {StateProof} from "./StateProof.sol";

/// @title Fault 4: an attested lane that contradicts the state it stands on
contract LaneJudge is ILaneJudge, RollupEvidence {
    using RLP for *;

    uint8 private constant FAULT = 4;
    uint8 private constant LATEST = 0;
    uint256 private constant LEAF_BYTES = 96;
    uint256 private constant SIBLINGS = 101;
    /// @dev Slot 0 of a façade holds the lanes by destination: {GatewayStore}.
    uint256 private constant LANES_SLOT = 0;
    /// @dev The bit of a lane's slot that says that nobody may send: the owner's to set, at any time, and no part of the lane.
    uint256 private constant CLOSED = 1 << 255;
    /// @dev Place of the state root in an Ethereum block header.
    uint256 private constant STATE_ROOT = 3;

    /// @inheritdoc ILaneJudge
    uint256 public constant MESSAGES_MAX = 2048;
    IRollupRegistry public immutable REGISTRY;

    mapping(bytes32 lane => bool) private emptyAtAnchor;

    struct Lane {
        address facade;
        uint64 destination;
        uint32 generation;
        uint64 count;
        bytes24 rolling;
        bytes32 root;
    }

    /// @param serviceManager that knows keys and slashes
    /// @param tables where committee tables lie
    /// @param registry that knows anchors
    constructor(IServiceManager serviceManager, ITableStore tables, IRollupRegistry registry)
        Evidence(serviceManager, tables)
    {
        REGISTRY = registry;
    }

    /// @inheritdoc ILaneJudge
    function proveAnchor(
        bytes32 registration,
        address facade,
        uint64 destination,
        bytes calldata header,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external {
        bytes32 anchorHash = REGISTRY.anchorOf(registration);
        if (anchorHash == 0) revert RegistrationUnknown(registration);
        bytes32 computed = keccak256(header);
        if (computed != anchorHash) revert AnchorHashWrong(computed, anchorHash);
        bytes32 stateRoot = RLP.decodeList(header)[STATE_ROOT].readBytes32();
        (bytes32 storageRoot, bytes32 codeHash) = StateProof.accountAt(stateRoot, facade, accountProof);
        // Without code there, only the façade's own can come: its address commits to it. What is there must be that code.
        if (codeHash != StateProof.EMPTY_CODE && codeHash != facade.codehash) {
            revert FacadeCodeWrong(codeHash, facade.codehash);
        }
        uint256 word = _laneAt(storageRoot, destination, storageProof);
        if (word != 0) revert LaneNotEmptyAtAnchor(word);
        emptyAtAnchor[_key(registration, facade, destination)] = true;
        emit AnchorProven(registration, facade, destination);
    }

    /// @inheritdoc ILaneJudge
    function slashSlot(
        bytes calldata evidence,
        bytes calldata statement,
        bytes calldata lane,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof,
        bytes calldata seats
    ) external {
        Header memory h = _checkedHeader(evidence);
        (Rollup memory r, Head memory head) = _advanced(statement, h, LATEST);
        if (!REGISTRY.isReexecuted(r.registration)) revert NotReexecuted(r.registration);
        Lane memory l = _lane(lane, head.lanesRoot);
        if (!emptyAtAnchor[_key(r.registration, l.facade, l.destination)]) {
            revert AnchorNotProven(r.registration, l.facade, l.destination);
        }
        (bytes32 storageRoot,) = StateProof.accountAt(head.stateRoot, l.facade, accountProof);
        uint256 word = _laneAt(storageRoot, l.destination, storageProof);
        if (word == (uint256(l.count) << 192) | uint192(l.rolling)) revert SlotAgrees(word);
        _slash(FAULT, h.height, keccak256(lane[:LEAF_BYTES]), _offenders(evidence, seats));
    }

    /// @inheritdoc ILaneJudge
    function slashRoot(
        bytes calldata evidence,
        bytes calldata statement,
        bytes calldata lane,
        bytes calldata messageHashes,
        bytes calldata seats
    ) external {
        Header memory h = _checkedHeader(evidence);
        (, Head memory head) = _advanced(statement, h, LATEST);
        Lane memory l = _lane(lane, head.lanesRoot);
        if (l.generation != 0) revert LaneGeneration(l.generation);
        if (l.count > MESSAGES_MAX || messageHashes.length != 32 * uint256(l.count)) {
            revert MessagesWrong(messageHashes.length, 32 * uint256(l.count));
        }
        (bytes24 rolling, bytes32 root) = _replay(messageHashes);
        if (rolling != l.rolling) revert RollingWrong(rolling, l.rolling);
        if (root == l.root) revert RootAgrees(root);
        _slash(FAULT, h.height, keccak256(lane[:LEAF_BYTES]), _offenders(evidence, seats));
    }

    /// @inheritdoc ILaneJudge
    function isEmptyAtAnchor(bytes32 registration, address facade, uint64 destination) external view returns (bool) {
        return emptyAtAnchor[_key(registration, facade, destination)];
    }

    function _checkedHeader(bytes calldata evidence) private view returns (Header memory h) {
        h = _header(evidence);
        _check(evidence, h);
    }

    /// @dev A lane leaf under a lanes root.
    function _lane(bytes calldata lane, bytes32 lanesRoot) private pure returns (Lane memory) {
        if (lane.length < SIBLINGS) revert LaneLength(lane.length, SIBLINGS);
        uint256 depth = uint8(lane[SIBLINGS - 1]);
        if (lane.length != SIBLINGS + 32 * depth) revert LaneLength(lane.length, SIBLINGS + 32 * depth);
        uint256 index = uint32(bytes4(lane[LEAF_BYTES:SIBLINGS - 1]));
        bytes32 computed = _rootOf(keccak256(lane[:LEAF_BYTES]), index, depth, lane[SIBLINGS:]);
        if (computed != lanesRoot) revert LaneProofWrong(computed, lanesRoot);
        return Lane(
            address(bytes20(lane[0:20])),
            uint64(bytes8(lane[20:28])),
            uint32(bytes4(lane[28:32])),
            uint64(bytes8(lane[32:40])),
            bytes24(lane[40:64]),
            bytes32(lane[64:96])
        );
    }

    /// @dev Rolling hash and tree root, in generation 0, of messages.
    function _replay(bytes calldata messageHashes) private pure returns (bytes24 rolling, bytes32) {
        uint256 count = messageHashes.length / 32;
        if (count == 0) return (0, 0);
        uint256 width = 1;
        while (width < count) width *= 2;
        bytes32[] memory level = new bytes32[](width);
        for (uint256 i; i < count; ++i) {
            bytes32 messageHash = bytes32(messageHashes[32 * i:32 * i + 32]);
            rolling = bytes24(keccak256(abi.encodePacked(rolling, messageHash)));
            level[i] = keccak256(abi.encodePacked(uint32(0), uint64(i), messageHash));
        }
        for (; width > 1; width /= 2) {
            for (uint256 i; i < width / 2; ++i) level[i] = keccak256(abi.encodePacked(level[2 * i], level[2 * i + 1]));
        }
        return (rolling, level[0]);
    }

    /// @dev `count 8 ‖ rolling 24` as a state has it, whether the lane is closed or not.
    function _laneAt(bytes32 storageRoot, uint64 destination, bytes[] calldata proof) private pure returns (uint256) {
        return StateProof.wordAt(storageRoot, keccak256(abi.encode(destination, LANES_SLOT)), proof) & ~CLOSED;
    }

    function _key(bytes32 registration, address facade, uint64 destination) private pure returns (bytes32) {
        return keccak256(abi.encode(registration, facade, destination));
    }
}
