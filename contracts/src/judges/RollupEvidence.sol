// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {MerkleTree} from "../lib/MerkleTree.sol";
import {Evidence} from "./Evidence.sol";

/// @title What an attested header says of a rollup
/// @notice Layout: {IEvidence}.
abstract contract RollupEvidence is Evidence {
    uint256 private constant LEAF_BYTES = 142;
    uint256 private constant SIBLINGS = 147;
    uint256 private constant HEAD_BYTES = 112;
    uint256 private constant DEPTH_MAX = 32;

    struct Rollup {
        uint64 chainId;
        bytes32 registration;
        uint32 generation;
    }

    struct Head {
        uint64 number;
        bytes32 blockHash;
        bytes32 stateRoot;
        uint64 advancedAt;
        bytes32 lanesRoot;
    }

    /// @dev A head of `confidence` that was advanced at the header's own height: operators answer for no other.
    function _advanced(bytes calldata statement, Header memory h, uint8 confidence)
        internal
        pure
        returns (Rollup memory r, Head memory head)
    {
        if (statement.length < SIBLINGS) revert EvidenceLength(statement.length, SIBLINGS);
        uint256 depth = uint8(statement[SIBLINGS - 1]);
        uint256 end = SIBLINGS + 32 * depth;
        if (statement.length != end + HEAD_BYTES) revert EvidenceLength(statement.length, end + HEAD_BYTES);
        bytes calldata leaf = statement[:LEAF_BYTES];
        uint256 index = uint32(bytes4(statement[LEAF_BYTES:SIBLINGS - 1]));
        bytes32 computed = _rootOf(keccak256(leaf), index, depth, statement[SIBLINGS:end]);
        if (computed != h.rollupsRoot) revert RollupProofWrong(computed, h.rollupsRoot);

        bytes calldata part = statement[end:];
        bytes32 attested = bytes32(leaf[46 + 32 * uint256(confidence):][:32]);
        computed = keccak256(part);
        if (computed != attested) revert HeadPartWrong(computed, attested);
        r = Rollup(uint64(bytes8(leaf[0:8])), bytes32(leaf[8:40]), uint32(bytes4(leaf[40:44])));
        head = Head(
            uint64(bytes8(part[0:8])),
            bytes32(part[8:40]),
            bytes32(part[40:72]),
            uint64(bytes8(part[72:80])),
            bytes32(part[80:112])
        );
        if (head.advancedAt != h.height) revert HeadInherited(head.advancedAt, h.height);
    }

    function _rootOf(bytes32 leaf, uint256 index, uint256 depth, bytes calldata siblings) internal pure returns (bytes32) {
        if (depth > DEPTH_MAX || index >> depth != 0) revert LeafIndexOutOfRange(index, depth);
        return MerkleTree.rootOf(leaf, index, siblings);
    }
}
