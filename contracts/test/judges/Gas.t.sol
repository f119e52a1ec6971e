// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {RealCore} from "../eigenlayer/Cores.sol";
import {RestakedCourt} from "./RestakedCourt.sol";

/// @notice Whole transactions, down to the slash in EigenLayer's own core. Run with `--isolate`.
contract JudgesGasTest is RestakedCourt, RealCore {
    uint256 private constant TRANSACTION_MAX = 16_777_216;

    function spent(string memory what, uint256 most) private returns (uint256 gas) {
        gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        yes(what, gas <= most);
    }

    function test_singles() public {
        joinEqual(8, 1000 ether);
        uint256 worst;
        for (uint64 i = 1; i <= 8; ++i) {
            court.slashSingles(operatorAt(i - 1), 70 + i, attest(i, 5, 70 + i, "a"), attest(i, 6, 70 + i, "b"));
            uint256 gas = vm.lastCallGas().gasTotalUsed;
            if (gas > worst) worst = gas;
        }
        emit log_named_uint("two attestations, proven and slashed, worst of 8", worst);
        yes("two attestations", worst <= 700_000);
    }

    function test_hundred() public {
        joinEqual(100, 1000 ether);
        bytes memory blob = committee();
        tables.store(blob);
        spent("table of 100 stored", 2_000_000);
        bytes memory one = certify(5, 77, "a");
        bytes memory two = certify(5, 77, "b");
        uint256 before = manager.members().length;
        court.slashSigners(tableHash, one, tableHash, two, pairs(0, 1));
        uint256 first = spent("two certificates of 100, one slashed", 1_100_000);
        court.slashSigners(tableHash, one, tableHash, two, pairs(1, 30));
        uint256 thirty = spent("two certificates of 100, thirty slashed", TRANSACTION_MAX);
        court.slashSigners(tableHash, one, tableHash, two, pairs(31, 30));
        court.slashSigners(tableHash, one, tableHash, two, pairs(61, 39));
        spent("two certificates of 100, the last thirty-nine", TRANSACTION_MAX);
        emit log_named_uint("each further seat", (thirty - first) / 29);
        emit log_named_uint("seats in one transaction", (TRANSACTION_MAX - first) / ((thirty - first) / 29) + 1);
        eq("all", before - manager.members().length, 100);
    }
}
