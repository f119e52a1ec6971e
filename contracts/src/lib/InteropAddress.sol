// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Canonical ERC-7930 addresses of EVM chains
/// @notice One byte string for one account: `0x0001 0000 ‖ n ‖ chain id in n bytes ‖ 0x14 ‖ address`, no leading zero in
/// the chain id, nothing after the address. Chain ids have at most 8 bytes here.
library InteropAddress {
    uint256 private constant CHAIN_ID = 5;

    /// @notice Reads a canonical address.
    /// @return refused 0 when canonical, else 1 + the offset of the first byte that is not
    function parse(bytes calldata a) internal pure returns (uint256 refused, uint64 chainId, address account) {
        // Version 1, chain type eip155: the leading 0x00010000.
        if (a.length < CHAIN_ID || bytes4(a[:4]) != 0x00010000) return (_firstDifference(a) + 1, 0, address(0));
        uint256 n = uint8(a[4]);
        if (n == 0 || n > 8) return (5, 0, address(0));
        if (a.length != CHAIN_ID + n + 21) {
            return ((a.length < CHAIN_ID + n + 21 ? a.length : CHAIN_ID + n + 21) + 1, 0, address(0));
        }
        if (a[CHAIN_ID] == 0) return (CHAIN_ID + 1, 0, address(0));
        if (a[CHAIN_ID + n] != 0x14) return (CHAIN_ID + n + 1, 0, address(0));
        chainId = uint64(bytes8(a[CHAIN_ID:CHAIN_ID + n]) >> (64 - 8 * n));
        account = address(bytes20(a[CHAIN_ID + n + 1:]));
    }

    /// @notice The bytes before the 20 of the address, for this chain id.
    /// @return prefix left-aligned
    /// @return length 6 + bytes of the chain id
    function prefixOf(uint64 chainId) internal pure returns (bytes32 prefix, uint256 length) {
        uint256 n = 1;
        while (n < 8 && chainId >> (8 * n) != 0) ++n;
        // version and type, then n, the chain id and 0x14 placed by shifts from the left end of the word
        prefix = bytes32(
            (uint256(0x00010000) << 224) | (n << 216) | (uint256(chainId) << (216 - 8 * n)) | (uint256(0x14) << (208 - 8 * n))
        );
        length = CHAIN_ID + n + 1;
    }

    /// @notice The canonical address of `account` on `chainId`.
    function format(uint64 chainId, address account) internal pure returns (bytes memory) {
        (bytes32 prefix, uint256 length) = prefixOf(chainId);
        bytes memory out = new bytes(length + 20);
        assembly ("memory-safe") {
            mstore(add(out, 32), prefix)
            // The account's 20 bytes end at the end of the string; the 12 zero bytes before them are written over.
            let end := add(add(out, 32), add(length, 20))
            mstore(sub(end, 20), shl(96, account))
        }
        return out;
    }

    function _firstDifference(bytes calldata a) private pure returns (uint256 offset) {
        bytes4 want = 0x00010000;
        while (offset < 4 && offset < a.length && a[offset] == want[offset]) ++offset;
    }
}
