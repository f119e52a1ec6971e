// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Keeps a committee table as the code of a contract whose address needs no storage to find
/// @notice The calling contract creates, by CREATE2 with the epoch as salt, a fixed 8-byte forwarder; the forwarder
/// creates the table's contract as its first one. So the address follows from the caller and the epoch alone and
/// reading a table costs no storage slot. A chain without EXTCODECOPY needs another back end behind these two functions.
library CommitteeTable {
    /// @dev Bytes of entry 0, and of each operator's entry.
    uint256 internal constant HEAD = 208;
    uint256 internal constant ENTRY = 80;
    uint256 internal constant OPERATORS_MAX = 256;

    /// @dev Forwarder: `calldatacopy(0, 0, calldatasize()); create(callvalue(), 0, calldatasize())`, 8 bytes of code that
    /// the 8 bytes after them put in memory and return.
    bytes internal constant FORWARDER = hex"67363d3d37363d34f03d5260086018f3";
    bytes32 internal constant FORWARDER_HASH = keccak256(FORWARDER);

    /// @notice Where the table of `epoch` is or will be.
    function addressOf(uint64 epoch) internal view returns (address table) {
        bytes32 forwarder = keccak256(abi.encodePacked(bytes1(0xff), address(this), uint256(epoch), FORWARDER_HASH));
        // The address of a contract's first creation is the hash of rlp([address, 1]).
        bytes32 first = keccak256(abi.encodePacked(bytes2(0xd694), address(uint160(uint256(forwarder))), bytes1(0x01)));
        return address(uint160(uint256(first)));
    }

    /// @notice Writes `blob` behind one zero byte (STOP, so that nobody can run a table).
    /// @return table its address, or zero when it could not be created
    function write(uint64 epoch, bytes calldata blob) internal returns (address table) {
        bytes memory forwarderCode = FORWARDER;
        // Init code: push2 size, dup1, push1 10, returndatasize, codecopy, returndatasize, return.
        bytes memory init = abi.encodePacked(hex"61", uint16(blob.length + 1), hex"80600a3d393df300", blob);
        address forwarder;
        assembly ("memory-safe") {
            forwarder := create2(0, add(forwarderCode, 32), mload(forwarderCode), epoch)
        }
        if (forwarder == address(0)) return address(0);
        (bool ok,) = forwarder.call(init);
        table = addressOf(epoch);
        if (!ok || table.code.length != blob.length + 1) return address(0);
    }
}
