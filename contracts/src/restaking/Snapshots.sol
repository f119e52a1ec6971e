// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {Bn254} from "../lib/Bn254.sol";
import {OperatorKeys} from "./OperatorKeys.sol";
import {RestakingStore} from "./RestakingStore.sol";
import {Selection} from "./Selection.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Committees: selected from slashable stake, in one transaction, by nobody's word
abstract contract Snapshots is RestakingStore, OperatorKeys {
    Snapshot[] private snapshots;
    /// @inheritdoc IServiceManager
    mapping(bytes32 tableHash => uint256 indexPlusOne) public snapshotOf;
    /// @inheritdoc IServiceManager
    mapping(address operator => bool) public isJailed;

    /// @inheritdoc IServiceManager
    function takeSnapshot(Bn254.G2 calldata keySum) external returns (uint256 index) {
        uint64 earliest = _earliest();
        if (block.number < earliest) revert SnapshotTooEarly(uint64(block.number), earliest);
        Selection.Candidate[] memory chosen = _choose();
        if (chosen.length == 0) revert CommitteeEmpty();
        uint64 validUntil = uint64(block.timestamp) + SLASHABLE_WINDOW_SECONDS;
        bytes32 tableHash = keccak256(_table(chosen, keySum, validUntil));
        index = snapshots.length;
        snapshots.push(Snapshot(tableHash, uint64(block.number), validUntil, uint16(chosen.length)));
        snapshotOf[tableHash] = index + 1;
        changed = false;
        (address[] memory seats, uint128[] memory stakes) = _columns(chosen);
        emit SnapshotTaken(index, tableHash, validUntil, seats, stakes);
    }

    /// @inheritdoc IServiceManager
    function preview() external view returns (address[] memory seats, uint128[] memory stakes, bool due) {
        (seats, stakes) = _columns(_choose());
        due = block.number >= _earliest();
    }

    /// @inheritdoc IServiceManager
    function snapshotCount() external view returns (uint256) {
        return snapshots.length;
    }

    /// @inheritdoc IServiceManager
    function snapshotAt(uint256 index) external view returns (Snapshot memory) {
        if (index >= snapshots.length) revert SnapshotUnknown(index);
        return snapshots[index];
    }

    /// @dev The first block in which a snapshot may be taken.
    function _earliest() private view returns (uint64) {
        uint256 count = snapshots.length;
        return changed || count == 0 ? 0 : snapshots[count - 1].l1Block + SNAPSHOT_INTERVAL_BLOCKS;
    }

    function _choose() private view returns (Selection.Candidate[] memory) {
        address[] memory all = ALLOCATION_MANAGER.getMembers(_operatorSet());
        uint32 until = SafeCast.toUint32(block.number) + SLASHABLE_WINDOW_BLOCKS;
        uint256[][] memory stakes = ALLOCATION_MANAGER.getMinimumSlashableStake(_operatorSet(), all, strategies(), until);
        Selection.Candidate[] memory candidates = new Selection.Candidate[](all.length);
        uint256 count;
        for (uint256 i; i < all.length; ++i) {
            uint256 stake;
            for (uint256 k; k < stakes[i].length; ++k) stake += stakes[i][k];
            if (stake == 0 || isJailed[all[i]]) continue;
            candidates[count++] = Selection.Candidate(all[i], operatorIdOf[all[i]], SafeCast.toUint128(stake));
        }
        assembly ("memory-safe") {
            mstore(candidates, count)
        }
        return Selection.choose(candidates, SEATS_MAX);
    }

    /// @dev The table of docs/protocol.md. The sum in G2 is checked by `e(-sum in G1, G2) · e(G1, sum in G2) = 1`.
    function _table(Selection.Candidate[] memory seats, Bn254.G2 memory keySum, uint64 validUntil)
        private
        view
        returns (bytes memory)
    {
        bytes memory entries = new bytes(seats.length * 80);
        Bn254.G1 memory sum;
        uint128 total;
        for (uint256 i; i < seats.length; ++i) {
            Bn254.G1 memory key = keyOf[seats[i].operator].key;
            sum = Bn254.add(sum, key);
            total += seats[i].stake;
            (uint256 x, uint256 y, uint256 stake) = (key.x, key.y, seats[i].stake);
            assembly ("memory-safe") {
                let entry := add(add(entries, 32), mul(i, 80))
                mstore(entry, x)
                mstore(add(entry, 32), y)
                // The word ends with the stake's sixteen bytes; before them are the last sixteen of y again.
                mstore(add(entry, 48), or(shl(128, y), stake))
            }
        }
        if (!Bn254.pairsToOne(Bn254.negate(sum), Bn254.G1(1, 2), keySum)) revert KeySumWrong();
        return abi.encodePacked(
            abi.encodePacked(sum.x, sum.y, keySum.xImaginary, keySum.xReal, keySum.yImaginary, keySum.yReal),
            total,
            validUntil,
            entries
        );
    }

    function _columns(Selection.Candidate[] memory chosen)
        private
        pure
        returns (address[] memory seats, uint128[] memory stakes)
    {
        (seats, stakes) = (new address[](chosen.length), new uint128[](chosen.length));
        for (uint256 i; i < chosen.length; ++i) (seats[i], stakes[i]) = (chosen[i].operator, chosen[i].stake);
    }
}
