// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../interfaces/ILightClient.sol";
import {MerkleTree} from "./MerkleTree.sol";

/// @title A rollup's leaf under a checkpoint that a light client holds
/// @notice Layout: "Proof of a rollup" of {IGateway}.
library RollupProof {
    uint256 private constant LEAF = 48;
    uint256 private constant LEAF_BYTES = 142;
    uint256 private constant LEAF_INDEX = 190;
    uint256 private constant SIBLINGS = 195;
    uint256 private constant DEPTH_MAX = 32;

    /// @notice What a proof says. `finalized` is the hash of that head part.
    struct Leaf {
        uint64 height;
        uint64 timeMs;
        uint64 chainId;
        bytes32 registration;
        uint32 generation;
        uint8 status;
        bytes32 finalized;
    }

    /// @notice A proof has `found` bytes where its own counts ask for `expected`.
    error ProofLength(uint256 found, uint256 expected);
    /// @notice A leaf's index does not exist in a tree of that depth.
    error LeafIndexOutOfRange(uint256 index, uint256 depth);
    /// @notice The rollup leaf does not lead to the checkpoint's rollups root.
    error RollupProofWrong(bytes32 computed, bytes32 rollupsRoot);
    /// @notice The light client holds no such checkpoint (any more).
    error CheckpointUnknown(uint64 height, uint64 timeMs, bytes32 rollupsRoot);

    /// @notice The leaf, if `client` holds its checkpoint; reverts if not.
    function check(bytes calldata proof, ILightClient client) internal view returns (Leaf memory l) {
        if (proof.length < SIBLINGS) revert ProofLength(proof.length, SIBLINGS);
        uint256 depth = uint8(proof[SIBLINGS - 1]);
        if (proof.length != SIBLINGS + 32 * depth) revert ProofLength(proof.length, SIBLINGS + 32 * depth);
        uint256 index = uint32(bytes4(proof[LEAF_INDEX:LEAF_INDEX + 4]));
        if (depth > DEPTH_MAX || index >> depth != 0) revert LeafIndexOutOfRange(index, depth);

        bytes32 rollupsRoot = bytes32(proof[16:48]);
        bytes calldata leaf = proof[LEAF:LEAF + LEAF_BYTES];
        bytes32 computed = MerkleTree.rootOf(keccak256(leaf), index, proof[SIBLINGS:]);
        if (computed != rollupsRoot) revert RollupProofWrong(computed, rollupsRoot);
        l.height = uint64(bytes8(proof[0:8]));
        l.timeMs = uint64(bytes8(proof[8:16]));
        if (!client.isKnown(l.height, l.timeMs, rollupsRoot)) revert CheckpointUnknown(l.height, l.timeMs, rollupsRoot);

        l.chainId = uint64(bytes8(leaf[0:8]));
        l.registration = bytes32(leaf[8:40]);
        l.generation = uint32(bytes4(leaf[40:44]));
        l.status = uint8(leaf[44]);
        l.finalized = bytes32(leaf[110:142]);
    }
}
