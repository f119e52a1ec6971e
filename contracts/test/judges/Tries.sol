// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {RollupWorld} from "./RollupWorld.sol";

/// @notice Merkle-Patricia tries and their proofs, made the plain way.
abstract contract Tries is RollupWorld {
    bytes32 internal constant EMPTY = keccak256(hex"80");

    bytes[] private path;

    /// @notice Root of a trie, and the proof of `target`, of its presence or of its absence.
    function trie(bytes32[] memory keys, bytes[] memory values, bytes32 target) internal returns (bytes32, bytes[] memory) {
        delete path;
        if (keys.length == 0) return (EMPTY, path);
        bytes memory root = _node(keys, values, 0, target, true);
        bytes[] memory proof = new bytes[](path.length);
        for (uint256 i; i < proof.length; ++i) proof[i] = path[proof.length - 1 - i];
        return (keccak256(root), proof);
    }

    /// @dev `onPath`: the target's way leads here.
    function _node(bytes32[] memory keys, bytes[] memory values, uint256 depth, bytes32 target, bool onPath)
        private
        returns (bytes memory node)
    {
        uint256 shared = keys.length == 1 ? 64 - depth : _shared(keys, depth);
        if (keys.length == 1) {
            node = rlpList(abi.encodePacked(rlp(_hexPrefix(keys[0], depth, 64 - depth, true)), rlp(values[0])));
        } else if (shared != 0) {
            bool on = onPath && _agree(keys[0], target, depth, shared);
            bytes memory child = _node(keys, values, depth + shared, target, on);
            node = rlpList(abi.encodePacked(rlp(_hexPrefix(keys[0], depth, shared, false)), _reference(child)));
        } else {
            bytes memory items;
            for (uint256 n; n < 16; ++n) items = abi.encodePacked(items, _child(keys, values, depth, n, target, onPath));
            node = rlpList(abi.encodePacked(items, hex"80"));
        }
        if (onPath && (node.length >= 32 || depth == 0)) path.push(node);
    }

    function _child(bytes32[] memory keys, bytes[] memory values, uint256 depth, uint256 n, bytes32 target, bool onPath)
        private
        returns (bytes memory)
    {
        onPath = onPath && _nibble(target, depth) == n;
        (keys, values) = _below(keys, values, depth, n);
        if (keys.length == 0) return hex"80";
        return _reference(_node(keys, values, depth + 1, target, onPath));
    }

    function _below(bytes32[] memory keys, bytes[] memory values, uint256 depth, uint256 n)
        private
        pure
        returns (bytes32[] memory k, bytes[] memory v)
    {
        uint256 count;
        for (uint256 i; i < keys.length; ++i) if (_nibble(keys[i], depth) == n) ++count;
        (k, v) = (new bytes32[](count), new bytes[](count));
        for (uint256 i; i < keys.length; ++i) {
            if (_nibble(keys[i], depth) == n) {
                --count;
                (k[count], v[count]) = (keys[i], values[i]);
            }
        }
    }

    function _reference(bytes memory node) private pure returns (bytes memory) {
        return node.length < 32 ? node : rlpWord(keccak256(node));
    }

    function _shared(bytes32[] memory keys, uint256 depth) private pure returns (uint256 n) {
        for (; depth + n < 64; ++n) {
            for (uint256 i = 1; i < keys.length; ++i) if (_nibble(keys[i], depth + n) != _nibble(keys[0], depth + n)) return n;
        }
    }

    function _agree(bytes32 a, bytes32 b, uint256 depth, uint256 length) private pure returns (bool) {
        for (uint256 i = depth; i < depth + length; ++i) if (_nibble(a, i) != _nibble(b, i)) return false;
        return true;
    }

    function _hexPrefix(bytes32 key, uint256 depth, uint256 length, bool leaf) private pure returns (bytes memory out) {
        uint8 flag = leaf ? 2 : 0;
        uint256 i = depth;
        if (length % 2 == 1) out = abi.encodePacked(uint8((flag + 1) * 16 + _nibble(key, i++)));
        else out = abi.encodePacked(uint8(flag * 16));
        for (; i < depth + length; i += 2) out = abi.encodePacked(out, uint8(_nibble(key, i) * 16 + _nibble(key, i + 1)));
    }

    function _nibble(bytes32 key, uint256 i) private pure returns (uint256) {
        return (uint256(key) >> (252 - 4 * i)) & 15;
    }
}
