// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Canonical ERC-7930 addresses of EVM chains
/// @notice One byte string for one account: `0x0001 0000 ‖ n ‖ chain id in n bytes ‖ 0x14 ‖ address`, no leading zero in
/// the chain id, nothing after the address. Chain ids have at most 8 bytes here.
library InteropAddress {
    /// @dev Bytes before the chain id: version 2, chain type 2, length of the chain id 1.
    uint256 private constant CHAIN_ID = 5;

    /// @notice Reads a canonical address.
    /// @return refused 0 when canonical, else 1 + the offset of the first byte that is not
    function parse(bytes calldata a) internal pure returns (uint256 refused, uint64 chainId, address account) {
        unchecked {
            // All but the account lies in the first 14 bytes. Past the end this reads what is not ours; the length decides.
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(a.offset)
            }
            uint256 n = (word >> 216) & 0xff;
            if (a.length < CHAIN_ID || word >> 224 != 0x00010000) return (_firstDifference(a) + 1, 0, address(0));
            if (n == 0 || n > 8) return (5, 0, address(0));
            uint256 end = CHAIN_ID + n + 21;
            if (a.length != end) return ((a.length < end ? a.length : end) + 1, 0, address(0));
            if ((word >> 208) & 0xff == 0) return (CHAIN_ID + 1, 0, address(0));
            if ((word >> (208 - 8 * n)) & 0xff != 0x14) return (CHAIN_ID + n + 1, 0, address(0));
            chainId = uint64(word >> (216 - 8 * n)) & uint64((1 << (8 * n)) - 1);
            assembly ("memory-safe") {
                account := shr(96, calldataload(add(a.offset, add(n, 6))))
            }
        }
    }

    /// @notice The bytes before the 20 of the address, for this chain id.
    /// @return prefix left-aligned
    /// @return length 6 + bytes of the chain id
    function prefixOf(uint64 chainId) internal pure returns (bytes32 prefix, uint256 length) {
        unchecked {
            uint256 bits = 8;
            for (uint256 rest = chainId >> 8; rest != 0; rest >>= 8) bits += 8;
            // Version and type, length, chain id and 0x14, placed by shifts from the left end of the word.
            prefix = bytes32(
                (uint256(0x00010000) << 224) | (bits << 213) | (uint256(chainId) << (216 - bits)) | (uint256(0x14) << (208 - bits))
            );
            length = CHAIN_ID + 1 + bits / 8;
        }
    }

    /// @notice The canonical address of `account` on `chainId`.
    function format(uint64 chainId, address account) internal pure returns (bytes memory) {
        (bytes32 prefix, uint256 length) = prefixOf(chainId);
        bytes memory out;
        assembly ("memory-safe") {
            out := mload(0x40)
            mstore(0x40, add(out, 96)) // the length, and at most 34 bytes
            mstore(out, add(length, 20))
            mstore(add(out, 32), prefix)
            mstore(add(out, 64), 0)
            mstore(add(add(out, 32), length), shl(96, account))
        }
        return out;
    }

    function _firstDifference(bytes calldata a) private pure returns (uint256 offset) {
        bytes4 want = 0x00010000;
        while (offset < 4 && offset < a.length && a[offset] == want[offset]) ++offset;
    }
}
