// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";

/// @title Accounts and storage slots under a state root, present or proven absent
/// @notice Presence is OpenZeppelin's {TrieProof}. It cannot tell "absent" from "badly proven", so absence has a walk of its own: down
/// the same hash-linked nodes until an empty child, or a path that leaves the key's.
library StateProof {
    using Memory for Memory.Slice;
    using RLP for *;

    /// @dev Root of a trie without entries: `H(0x80)`.
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;
    /// @dev Code hash of an account without code: `H("")`.
    bytes32 internal constant EMPTY_CODE = 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470;
    uint256 private constant NIBBLES = 64;
    /// @dev RLP of the empty string: a branch's child that is not there.
    bytes1 private constant EMPTY_CHILD = 0x80;

    /// @notice An account's storage root and code hash; those of nothing when it is proven absent. Reverts on a proof that proves
    /// neither.
    function accountAt(bytes32 stateRoot, address account, bytes[] calldata proof)
        internal
        pure
        returns (bytes32 storageRoot, bytes32 codeHash)
    {
        (bool found, bytes memory value) = _get(stateRoot, keccak256(abi.encodePacked(account)), proof);
        if (!found) return (EMPTY_ROOT, EMPTY_CODE);
        Memory.Slice[] memory fields = value.decodeList();
        return (fields[2].readBytes32(), fields[3].readBytes32());
    }

    /// @notice The word in a slot; zero when it is proven absent. Reverts on a proof that proves neither.
    function wordAt(bytes32 storageRoot, bytes32 slot, bytes[] calldata proof) internal pure returns (uint256) {
        (bool found, bytes memory value) = _get(storageRoot, keccak256(abi.encode(slot)), proof);
        return found ? value.decodeUint256() : 0;
    }

    function _get(bytes32 root, bytes32 key, bytes[] memory proof) private pure returns (bool, bytes memory) {
        if (isAbsent(root, key, proof)) return (false, "");
        return (true, TrieProof.traverse(root, abi.encodePacked(key), proof));
    }

    /// @notice Whether the proof shows that nothing is kept under `key`. False says nothing.
    function isAbsent(bytes32 root, bytes32 key, bytes[] memory proof) internal pure returns (bool) {
        if (root == EMPTY_ROOT) return proof.length == 0;
        uint256 depth; // nibbles of the key gone down
        for (uint256 i; i < proof.length; ++i) {
            if (keccak256(proof[i]) != root) return false;
            Memory.Slice[] memory node = proof[i].decodeList();
            // Nodes below 32 bytes lie inside their parents.
            for (bool inside = true; inside;) {
                Memory.Slice child;
                if (node.length == 17) {
                    if (depth == NIBBLES) return false;
                    child = node[_nibble(key, depth)];
                    ++depth;
                } else if (node.length == 2) {
                    bytes memory path = node[0].readBytes();
                    (bool leaves, uint256 length) = _compare(path, key, depth);
                    if (leaves) return i + 1 == proof.length;
                    // A leaf on the key's own path: it is there.
                    if (length == 0 || uint8(path[0]) >= 0x20) return false;
                    depth += length;
                    child = node[1];
                } else {
                    return false;
                }
                if (child.length() == 1) return i + 1 == proof.length && bytes1(child.load(0)) == EMPTY_CHILD;
                inside = child.length() < 33;
                if (inside) node = child.readList();
                else root = child.readBytes32();
            }
        }
        return false;
    }

    /// @dev Whether a node's path (hex prefix encoding) differs from the key's nibbles from `depth` on; else its length.
    function _compare(bytes memory path, bytes32 key, uint256 depth) private pure returns (bool leaves, uint256 length) {
        if (path.length == 0 || uint8(path[0]) >= 0x40) return (false, 0);
        // The low nibble of the first byte belongs to the path when the length is odd.
        uint256 first = uint8(path[0]) & 0x10 != 0 ? 1 : 2;
        length = 2 * path.length - first;
        if (length > NIBBLES - depth) return (false, 0);
        for (uint256 i; i < length; ++i) {
            uint256 place = first + i;
            uint256 nibble = place % 2 == 0 ? uint8(path[place / 2]) >> 4 : uint8(path[place / 2]) & 0x0f;
            if (nibble != _nibble(key, depth + i)) return (true, length);
        }
    }

    function _nibble(bytes32 key, uint256 index) private pure returns (uint256) {
        return (uint256(key) >> (252 - 4 * index)) & 0x0f;
    }
}
