// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Keeps a committee table as the code of a contract
/// @notice A certificate check then costs one EXTCODECOPY, whatever the number of operators. A chain without that
/// instruction has {LightClientInStorage}.
library CommitteeTable {
    /// @dev Bytes of entry 0, and of each operator's entry.
    uint256 internal constant HEAD = 216;
    uint256 internal constant ENTRY = 80;
    uint256 internal constant OPERATORS_MAX = 256;

    /// @notice Writes `blob` behind one zero byte (STOP, so that nobody can run a table).
    /// @return table its address, or zero when it could not be created
    function write(bytes calldata blob) internal returns (address table) {
        // Init code: push2 size, dup1, push1 10, returndatasize, codecopy, returndatasize, return; then a zero byte.
        bytes memory init = abi.encodePacked(hex"61", uint16(blob.length + 1), hex"80600a3d393df300", blob);
        assembly ("memory-safe") {
            table := create(0, add(init, 32), mload(init))
        }
    }
}
