// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The one tree of docs/protocol.md: leaves padded with zero hashes to the next power of two
/// @notice An inner node hashes 64 bytes and no leaf does, so a node never passes for a leaf.
library MerkleTree {
    /// @notice Root over one leaf and its siblings. The caller has checked `index < 2^(siblings)`.
    /// @param siblings 32 bytes each, from the bottom
    function rootOf(bytes32 leaf, uint256 index, bytes calldata siblings) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            root := leaf
            let at := siblings.offset
            for { let end := add(at, siblings.length) } lt(at, end) { at := add(at, 32) } {
                // An odd node is the right one of its pair: its place in the 64 bytes is 32.
                let place := shl(5, and(index, 1))
                mstore(place, root)
                mstore(xor(place, 32), calldataload(at))
                root := keccak256(0, 64)
                index := shr(1, index)
            }
        }
    }

    /// @notice Root over a run of leaves that lie in memory, which is used up.
    /// @dev The word before the leaves and the word after them must be free for siblings. The caller has checked
    /// `length ≥ 1` and `start + length ≤ count`.
    /// @param leaves memory address of the first leaf
    /// @param count leaves in the whole tree
    /// @param siblings calldata offset of the first sibling; the caller compares `next` with their end
    /// @return root of the tree
    /// @return next calldata offset after the last sibling that was used
    function rootOfRun(uint256 leaves, uint256 start, uint256 length, uint256 count, uint256 siblings)
        internal
        pure
        returns (bytes32 root, uint256 next)
    {
        assembly ("memory-safe") {
            // As many levels as `count - 1` has bits.
            count := sub(count, 1)
            for {} and(gt(count, 0), gt(length, 1)) { count := shr(1, count) } {
                let from := leaves
                // The run begins with a right node: its left sibling goes before it.
                if and(start, 1) {
                    from := sub(from, 32)
                    mstore(from, calldataload(siblings))
                    siblings := add(siblings, 32)
                    length := add(length, 1)
                }
                // Now it begins with a left node; if it also ends with one, the right sibling goes after it.
                if and(length, 1) {
                    mstore(add(from, shl(5, length)), calldataload(siblings))
                    siblings := add(siblings, 32)
                    length := add(length, 1)
                }
                start := shr(1, start)
                length := shr(1, length)
                // Parent i is written at or before the pair 2i that it came from, and after pair i - 1 was read.
                let to := leaves
                for { let end := add(leaves, shl(5, length)) } lt(to, end) { to := add(to, 32) } {
                    mstore(to, keccak256(from, 64))
                    from := add(from, 64)
                }
            }
            // One node is left: as in {rootOf}.
            root := mload(leaves)
            for {} count { count := shr(1, count) } {
                let place := shl(5, and(start, 1))
                mstore(place, root)
                mstore(xor(place, 32), calldataload(siblings))
                root := keccak256(0, 64)
                siblings := add(siblings, 32)
                start := shr(1, start)
            }
            next := siblings
        }
    }
}
