// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {RealCore} from "./Cores.sol";
import {Restaking} from "./Restaking.sol";

/// @notice Whole transactions on EigenLayer's own core. Run with `--isolate`.
contract RestakingGasTest is Restaking, RealCore {
    uint256 private constant TRANSACTION_MAX = 16_777_216;

    function spent(string memory what, uint256 most) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        yes(what, gas <= most);
    }

    function snapshotOf(string memory what, uint256 most) private {
        (address[] memory seats,,) = manager.preview();
        Bn254.G2 memory sum = keySum(seats);
        manager.takeSnapshot(sum);
        spent(what, most);
    }

    function test_registration() public {
        joinEqual(4, 1000);
        deposit(operatorAt(4), strategy, 1000);
        later(ALLOCATION_CONFIGURATION_DELAY + 1);
        allocate(address(manager), operatorAt(4), strategy, 1e18);
        bond(operatorAt(4));
        register(operatorAt(4), 5);
        spent("register: set, key, possession, endpoint", 700_000);
    }

    function test_four() public {
        joinEqual(4, 1000);
        snapshotOf("first snapshot of 4", 450_000);
        later(config.snapshotIntervalBlocks);
        snapshotOf("snapshot of 4", 450_000);
        vm.prank(JUDGE);
        manager.slash(operatorAt(0), 1, "offence", REPORTER);
        spent("slash", 410_000);
    }

    function test_hundred() public {
        joinEqual(100, 1000);
        snapshotOf("first snapshot of 100", 4_300_000);
        later(config.snapshotIntervalBlocks);
        snapshotOf("snapshot of 100", 4_300_000);
    }

    /// @notice As many members as there may be, of different stakes, for 100 seats.
    function test_full() public {
        uint256[] memory stakes = new uint256[](200);
        for (uint256 i; i < 200; ++i) stakes[i] = 1000 + uint256(keccak256(abi.encode(i))) % 1000;
        join(stakes);
        snapshotOf("snapshot of 100 among 200", TRANSACTION_MAX);
    }

    /// @notice The worst order for sorting that members could make: each has less stake than the one before it.
    function test_fullSorted() public {
        begin(2);
        uint256[] memory stakes = new uint256[](200);
        for (uint256 i; i < 200; ++i) stakes[i] = 2000 - i;
        join(stakes);
        snapshotOf("snapshot of 100 among 200, 2 strategies, sorted", TRANSACTION_MAX);
    }
}
