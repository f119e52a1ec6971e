// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Committee tables on L1, where judges read them
/// @notice A table is written once, by whoever needs it first, and only when the ServiceManager took a snapshot of it: so every
/// key in it has proven possession, and its sums and stakes are right.
interface ITableStore {
    event TableStored(bytes32 indexed tableHash, address table);

    /// @notice The ServiceManager never selected that committee.
    error TableUnknown(bytes32 tableHash);
    /// @notice The table is not stored yet: {store} it first.
    error TableNotStored(bytes32 tableHash);
    error TableStoredAlready(bytes32 tableHash);
    /// @notice The contract that should hold the table could not be created: bring more gas.
    error TableNotCreated();

    /// @notice Keeps a table for judges.
    /// @dev Callable by anyone. Emits {TableStored}. Reverts {TableUnknown}, {TableStoredAlready}, {TableNotCreated}.
    /// @param table bytes of docs/protocol.md
    function store(bytes calldata table) external returns (bytes32 tableHash);

    /// @notice Where a table lies, as code behind one zero byte, and how many operators it has. Reverts {TableNotStored}.
    function tableOf(bytes32 tableHash) external view returns (address table, uint256 operators);
}
