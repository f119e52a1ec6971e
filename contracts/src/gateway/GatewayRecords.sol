// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../interfaces/IGateway.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {MerkleTree} from "../lib/MerkleTree.sol";
import {GatewayStore} from "./GatewayStore.sol";

/// @title Which sources are allowed, and what checkpoints say of them
/// @notice Denied by default. Proof layouts: {IGateway}. Everything is read from proven bytes, nothing from event data.
abstract contract GatewayRecords is GatewayStore {
    /// @dev Offsets in a proof; what follows the siblings of the rollup leaf is relative to their end.
    uint256 private constant LEAF = 48;
    uint256 private constant LEAF_BYTES = 142;
    uint256 private constant LEAF_INDEX = 190;
    uint256 private constant LEAF_SIBLINGS = 195;
    uint256 private constant HEAD_BYTES = 112;
    uint256 private constant LANE_BYTES = 96;
    uint256 private constant DEPTH_MAX = 32;

    /// @dev What a proof says, all of it checked against the light client.
    struct Proven {
        bytes32 registration;
        uint64 chainId;
        uint64 height;
        uint64 timeMs;
        uint32 generation;
        uint8 status;
        uint8 class;
        uint64 laneCount;
        uint256 commitment;
        uint256 end;
    }

    /// @inheritdoc IGateway
    function allow(uint64 chainId, bytes32 registration) external {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        Progress memory p = _progress(registration);
        if (chainId == 0 || registration == 0 || chainId == block.chainid) revert SourceInvalid(chainId, registration);
        // A registration stays with its chain; only one that was denied before anything was recorded can have been a slip.
        if (p.chainId != 0 && p.chainId != chainId && (p.height != 0 || sources[registration] & 1 == 1)) {
            revert SourceInvalid(chainId, registration);
        }
        if (registrations[chainId] != 0) revert ChainHasSource(chainId, registrations[chainId]);
        registrations[chainId] = registration;
        sources[registration] = 1;
        p.chainId = chainId;
        p.laneCount = 0;
        _storeProgress(registration, p);
        emit SourceAllowed(chainId, registration);
    }

    /// @inheritdoc IGateway
    function deny(uint64 chainId) external {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        bytes32 registration = registrations[chainId];
        if (registration == 0) revert ChainHasNoSource(chainId);
        registrations[chainId] = 0;
        sources[registration] = 0;
        emit SourceDenied(chainId, registration);
    }

    /// @inheritdoc IGateway
    function recordLane(bytes calldata proof) external {
        Proven memory p = _proveLane(proof);
        Progress memory recorded = _progress(p.registration);
        if (p.height < recorded.height) revert OlderThanRecorded(p.height, recorded.height);
        _storeLane(p, recorded);
    }

    /// @inheritdoc IGateway
    function recordRollup(bytes calldata proof) external {
        Proven memory p = _proveRollup(proof);
        if (proof.length != p.end) revert ProofLength(proof.length, p.end);
        Progress memory recorded = _progress(p.registration);
        if (p.height < recorded.height) revert OlderThanRecorded(p.height, recorded.height);
        if (p.generation < recorded.generation) revert WrongGeneration(p.generation, recorded.generation);

        uint256 commitment = sources[p.registration] >> 64;
        if (p.generation != recorded.generation && CONFIDENCE != FINALIZED) {
            commitment = 0;
            recorded.laneCount = 0;
        }
        recorded.height = p.height;
        recorded.generation = p.generation;
        _store(p, recorded, commitment);
    }

    /// @dev Records the lane, or, when a later checkpoint is recorded already, only proves it.
    /// @return registration of the source
    /// @return commitment of the proven lane
    function _recordOrProveLane(bytes calldata proof) internal returns (bytes32 registration, uint256 commitment) {
        Proven memory p = _proveLane(proof);
        Progress memory recorded = _progress(p.registration);
        if (p.height >= recorded.height) {
            _storeLane(p, recorded);
        } else if (p.generation != recorded.generation && CONFIDENCE != FINALIZED) {
            revert WrongGeneration(p.generation, recorded.generation);
        }
        return (p.registration, p.commitment);
    }

    function _storeLane(Proven memory p, Progress memory recorded) private {
        if (p.generation < recorded.generation) revert WrongGeneration(p.generation, recorded.generation);
        recorded.height = p.height;
        recorded.generation = p.generation;
        recorded.laneCount = p.laneCount;
        _store(p, recorded, p.commitment);
        emit LaneRecorded(p.registration, p.height, p.generation, p.laneCount);
    }

    function _store(Proven memory p, Progress memory progress_, uint256 commitment) private {
        progress_.class = p.class;
        sources[p.registration] = (commitment << 64) | (uint256(p.timeMs) << 16) | (uint256(p.status) << 8) | 1;
        _storeProgress(p.registration, progress_);
        emit RollupRecorded(p.registration, p.height, p.generation, p.status);
    }

    /// @dev The rollup leaf under a checkpoint that the light client holds. `end` is where its siblings end.
    function _proveRollup(bytes calldata proof) private view returns (Proven memory p) {
        if (proof.length < LEAF_SIBLINGS) revert ProofLength(proof.length, LEAF_SIBLINGS);
        uint256 depth = uint8(proof[LEAF_SIBLINGS - 1]);
        p.end = LEAF_SIBLINGS + 32 * depth;
        if (proof.length < p.end) revert ProofLength(proof.length, p.end);

        p.height = uint64(bytes8(proof[0:8]));
        p.timeMs = uint64(bytes8(proof[8:16]));
        p.chainId = uint64(bytes8(proof[LEAF:LEAF + 8]));
        p.registration = bytes32(proof[LEAF + 8:LEAF + 40]);
        p.generation = uint32(bytes4(proof[LEAF + 40:LEAF + 44]));
        p.status = uint8(proof[LEAF + 44]);
        p.class = uint8(proof[LEAF + 45]);

        if (sources[p.registration] & 1 == 0) revert SourceNotAllowed(p.registration);
        uint64 allowedChain = _progress(p.registration).chainId;
        if (p.chainId != allowedChain) revert WrongChain(allowedChain, p.chainId);
        if (p.status > 3) revert UnknownStatus(p.status);

        bytes32 rollupsRoot = bytes32(proof[16:48]);
        bytes32 computed = _rootOf(
            keccak256(proof[LEAF:LEAF + LEAF_BYTES]),
            uint32(bytes4(proof[LEAF_INDEX:LEAF_INDEX + 4])),
            depth,
            proof[LEAF_SIBLINGS:p.end]
        );
        if (computed != rollupsRoot) revert RollupProofWrong(computed, rollupsRoot);
        // Six bytes of milliseconds last for 8,900 years; a longer time could not be stored and is no time.
        if (p.timeMs > type(uint48).max || !ILightClient(LIGHT_CLIENT).isKnown(p.height, p.timeMs, rollupsRoot)) {
            revert CheckpointUnknown(p.height, p.timeMs, rollupsRoot);
        }
    }

    /// @dev The lane leaf under this façade's head under the rollup leaf.
    function _proveLane(bytes calldata proof) private view returns (Proven memory p) {
        p = _proveRollup(proof);
        uint256 head = p.end;
        uint256 leaf = head + HEAD_BYTES;
        uint256 siblings = leaf + LANE_BYTES + 5;
        if (proof.length < siblings) revert ProofLength(proof.length, siblings);
        uint256 depth = uint8(proof[siblings - 1]);
        p.end = siblings + 32 * depth;
        if (proof.length != p.end) revert ProofLength(proof.length, p.end);

        // The head parts' hashes are the last three words of the rollup leaf, in the order of the confidences.
        bytes32 part = bytes32(proof[LEAF + 46 + 32 * uint256(CONFIDENCE):][:32]);
        bytes32 computed = keccak256(proof[head:leaf]);
        if (computed != part) revert HeadPartWrong(computed, part);
        if (bytes8(proof[head:head + 8]) == 0 && bytes32(proof[head + 8:head + 40]) == 0) {
            revert HeadNotDerived(CONFIDENCE);
        }

        bytes calldata lane_ = proof[leaf:leaf + LANE_BYTES];
        if (address(bytes20(lane_[0:20])) != address(this)) revert WrongFacade(address(bytes20(lane_[0:20])));
        if (uint64(bytes8(lane_[20:28])) != block.chainid) revert WrongDestination(uint64(bytes8(lane_[20:28])));
        uint32 generation = uint32(bytes4(lane_[28:32]));
        // A Latest lane restarts with its rollup; what is Safe or Finalized may stem from an earlier generation.
        if (CONFIDENCE == LATEST ? generation != p.generation : generation > p.generation) {
            revert WrongLaneGeneration(generation, p.generation);
        }
        p.laneCount = uint64(bytes8(lane_[32:40]));

        bytes32 lanesRoot = bytes32(proof[leaf - 32:leaf]);
        uint256 index = uint32(bytes4(proof[leaf + LANE_BYTES:leaf + LANE_BYTES + 4]));
        computed = _rootOf(keccak256(lane_), index, depth, proof[siblings:p.end]);
        if (computed != lanesRoot) revert LaneProofWrong(computed, lanesRoot);
        p.commitment = uint256(keccak256(abi.encodePacked(p.chainId, p.laneCount, bytes32(lane_[64:96])))) >> 64;
    }

    function _rootOf(bytes32 leaf, uint256 index, uint256 depth, bytes calldata siblings) private pure returns (bytes32) {
        if (depth > DEPTH_MAX || index >> depth != 0) revert LeafIndexOutOfRange(index, depth);
        return MerkleTree.rootOf(leaf, index, siblings);
    }
}
