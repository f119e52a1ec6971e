// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ISettlementAdapter} from "../interfaces/ISettlementAdapter.sol";

/// @title Next tables and L1 origins against the ServiceManager's snapshots
/// @notice Contradicted are: an origin that L1 has not reached yet; a next table that is not the newest snapshot at the origin. That a
/// header names no next table although it should is not judged here: L1 does not know which header closes a term, nor which
/// table is in force.
contract TableAdapter is ISettlementAdapter {
    IServiceManager public immutable SERVICE_MANAGER;

    /// @notice Snapshot `index` is not the newest one at the origin.
    error SnapshotNotNewest(uint256 index, uint64 originNumber);
    /// @notice The proof is 32 bytes.
    error ProofLength(uint256 found);

    /// @param serviceManager that takes the snapshots
    constructor(IServiceManager serviceManager) {
        SERVICE_MANAGER = serviceManager;
    }

    /// @inheritdoc ISettlementAdapter
    /// @param proof the index, 32 bytes, of the newest snapshot with `l1Block ≤ origin`; 2²⁵⁶ - 1 when there is none
    function contradicts(Statement calldata statement, bytes calldata proof) external view returns (bool) {
        if (statement.kind != Kind.NextTable) return false;
        // It was signed before now, and named a block of after now.
        if (statement.originNumber > block.number) return true;
        if (statement.nextTableHash == 0) return false;
        if (proof.length != 32) revert ProofLength(proof.length);
        uint256 index = uint256(bytes32(proof));
        uint256 count = SERVICE_MANAGER.snapshotCount();
        bool none = index == type(uint256).max;
        if (none ? count != 0 && _blockOf(0) <= statement.originNumber : index >= count) {
            revert SnapshotNotNewest(index, statement.originNumber);
        }
        if (none) return true;
        IServiceManager.Snapshot memory s = SERVICE_MANAGER.snapshotAt(index);
        bool newest = s.l1Block <= statement.originNumber
            && (index + 1 == count || _blockOf(index + 1) > statement.originNumber);
        if (!newest) revert SnapshotNotNewest(index, statement.originNumber);
        return s.tableHash != statement.nextTableHash;
    }

    function _blockOf(uint256 index) private view returns (uint64) {
        return SERVICE_MANAGER.snapshotAt(index).l1Block;
    }
}
