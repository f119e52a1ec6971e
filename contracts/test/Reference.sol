// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title What docs/protocol.md says, in the plainest way and byte by byte: tests compare the contracts with it
library Reference {
    /// @notice Root over one leaf of `depth` siblings that lie at `offset` of `data`.
    function rootOf(bytes32 leaf, uint256 index, bytes memory data, uint256 offset, uint256 depth)
        internal
        pure
        returns (bytes32)
    {
        for (uint256 level; level < depth; ++level) {
            bytes32 sibling = word(data, offset + 32 * level);
            leaf = (index >> level) % 2 == 0 ? keccak256(abi.encodePacked(leaf, sibling)) : keccak256(abi.encodePacked(sibling, leaf));
        }
        return leaf;
    }

    /// @notice Root that a well-formed run of messages leads to; its siblings must be as many as are needed.
    function rootOfRun(bytes memory run) internal pure returns (bytes32) {
        uint256 length = number(run, 56, 2);
        bytes32[] memory nodes = new bytes32[](length);
        uint256 next = 58;
        uint256 route;
        for (uint256 i; i < length; ++i) {
            uint256 tag = uint8(run[next++]);
            if (tag == 0) (route, next) = (next, next + 48);
            uint256 size = number(run, next, 2);
            bytes32 hash = keccak256(abi.encodePacked(slice(run, route + 4, 44), slice(run, next + 2, size)));
            nodes[i] = keccak256(abi.encodePacked(slice(run, route, 4), uint64(number(run, 48, 8) + i), hash));
            next += 2 + size;
        }
        return _climb(nodes, number(run, 48, 8), number(run, 40, 8), run, next);
    }

    function _climb(bytes32[] memory nodes, uint256 start, uint256 count, bytes memory data, uint256 next)
        private
        pure
        returns (bytes32)
    {
        uint256 width = 1;
        while (width < count) width *= 2;
        for (; width > 1; width /= 2) {
            uint256 left = start % 2;
            uint256 right = (start + nodes.length) % 2;
            bytes32[] memory padded = new bytes32[](left + nodes.length + right);
            if (left == 1) (padded[0], next) = (word(data, next), next + 32);
            for (uint256 i; i < nodes.length; ++i) padded[left + i] = nodes[i];
            if (right == 1) (padded[padded.length - 1], next) = (word(data, next), next + 32);
            nodes = new bytes32[](padded.length / 2);
            for (uint256 i; i < nodes.length; ++i) nodes[i] = keccak256(abi.encodePacked(padded[2 * i], padded[2 * i + 1]));
            start /= 2;
        }
        return nodes[0];
    }

    /// @notice Whether `a` is the one canonical ERC-7930 address of an EVM account, and whose.
    function interopAddress(bytes memory a) internal pure returns (bool canonical, uint64 chainId, address account) {
        if (a.length < 27 || a.length > 34) return (false, 0, address(0));
        uint256 n = a.length - 26;
        if (number(a, 0, 4) != 0x00010000 || uint8(a[4]) != n || a[5] == 0 || uint8(a[5 + n]) != 20) {
            return (false, 0, address(0));
        }
        return (true, uint64(number(a, 5, n)), address(uint160(number(a, 6 + n, 20))));
    }

    function word(bytes memory data, uint256 offset) internal pure returns (bytes32) {
        return bytes32(number(data, offset, 32));
    }

    function number(bytes memory data, uint256 offset, uint256 length) internal pure returns (uint256 n) {
        for (uint256 i; i < length; ++i) n = (n << 8) | uint8(data[offset + i]);
    }

    function slice(bytes memory data, uint256 offset, uint256 length) internal pure returns (bytes memory copy) {
        copy = new bytes(length);
        for (uint256 i; i < length; ++i) copy[i] = data[offset + i];
    }
}
