// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Certificate} from "../src/lib/Certificate.sol";

/// @notice What weighing signers by stake costs: the certificate check's work on absentees as it is, and the same work as it
/// would be if every operator counted as one and tables held keys only. Everything else in a check does not know stakes.
contract StakeWeights {
    uint256 private constant P = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    /// @return spent gas, from the copy of the table to the sum of the signers' keys
    function weighted(bytes calldata absentees, address table, uint256 operators) external view returns (uint256 spent) {
        uint256 list;
        spent = gasleft();
        uint256 sums;
        uint256 input;
        assembly ("memory-safe") {
            let size := add(216, mul(80, operators))
            let copy := mload(0x40)
            extcodecopy(table, copy, 1, size)
            input := add(copy, size)
            sums := add(copy, 152)
            list := absentees.offset
        }
        Certificate._subtract(sums, list, absentees.length, input);
        spent -= gasleft();
    }

    /// @param table one zero byte, the sum of all keys 64, then each operator's key 64
    function unweighted(bytes calldata absentees, address table, uint256 operators) external view returns (uint256 spent) {
        spent = gasleft();
        uint256 absent = absentees.length;
        uint256 ok;
        assembly ("memory-safe") {
            let size := mul(64, add(operators, 1))
            let sums := mload(0x40)
            extcodecopy(table, sums, 1, size)
            let input := add(sums, size)
            let list := absentees.offset
            let end := add(list, absent)
            let x := mload(sums)
            let y := sub(P, mload(add(sums, 32)))
            let at := add(sums, mul(64, byte(0, calldataload(list))))
            mstore(at, x)
            mstore(add(at, 32), y)
            list := add(list, 1)
            ok := 1
            for { let fours := add(list, and(sub(absent, 1), not(3))) } lt(list, fours) { list := add(list, 4) } {
                let indexes := calldataload(list)
                let next := add(sums, mul(64, byte(0, indexes)))
                ok := and(and(gt(next, at), ok), staticcall(gas(), 6, at, 128, next, 64))
                at := add(sums, mul(64, byte(1, indexes)))
                ok := and(and(gt(at, next), ok), staticcall(gas(), 6, next, 128, at, 64))
                next := add(sums, mul(64, byte(2, indexes)))
                ok := and(and(gt(next, at), ok), staticcall(gas(), 6, at, 128, next, 64))
                at := add(sums, mul(64, byte(3, indexes)))
                ok := and(and(gt(at, next), ok), staticcall(gas(), 6, next, 128, at, 64))
            }
            for {} lt(list, end) { list := add(list, 1) } {
                let next := add(sums, mul(64, byte(0, calldataload(list))))
                ok := and(and(gt(next, at), ok), staticcall(gas(), 6, at, 128, next, 64))
                at := next
            }
            ok := and(staticcall(gas(), 6, at, 128, input, 64), ok)
            ok := and(and(ok, eq(returndatasize(), 64)), lt(at, sub(input, 127)))
        }
        unchecked {
            // Three thirds: who did not sign is at most one of them.
            require(ok == 1 && absent * 3 <= operators);
        }
        spent -= gasleft();
    }
}
