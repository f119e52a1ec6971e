// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {CommitteeTable} from "../lib/CommitteeTable.sol";

/// @title Committee tables on L1, where judges read them
contract TableStore is ITableStore {
    IServiceManager public immutable SERVICE_MANAGER;

    mapping(bytes32 tableHash => address) private tables;

    /// @param serviceManager whose snapshots are the only tables kept here
    constructor(IServiceManager serviceManager) {
        SERVICE_MANAGER = serviceManager;
    }

    /// @inheritdoc ITableStore
    function store(bytes calldata table) external returns (bytes32 tableHash) {
        tableHash = keccak256(table);
        if (SERVICE_MANAGER.snapshotOf(tableHash) == 0) revert TableUnknown(tableHash);
        if (tables[tableHash] != address(0)) revert TableStoredAlready(tableHash);
        address written = CommitteeTable.write(table);
        if (written == address(0)) revert TableNotCreated();
        tables[tableHash] = written;
        emit TableStored(tableHash, written);
    }

    /// @inheritdoc ITableStore
    function tableOf(bytes32 tableHash) external view returns (address table, uint256 operators) {
        table = tables[tableHash];
        if (table == address(0)) revert TableNotStored(tableHash);
        operators = (table.code.length - 1 - CommitteeTable.HEAD) / CommitteeTable.ENTRY;
    }
}
