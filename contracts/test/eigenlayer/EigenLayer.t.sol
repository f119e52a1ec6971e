// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager} from "../../src/interfaces/IEigenLayer.sol";
import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {ICoreParts, IOperatorCore, RealCore} from "./Cores.sol";
import {Restaking} from "./Restaking.sol";

/// @notice What only EigenLayer's own core can show.
contract EigenLayerTest is Restaking, RealCore {
    /// @dev Bits of the AllocationManager's pause status.
    uint256 private constant SLASHING = 1 << 1;
    uint256 private constant REGISTRATION = 1 << 2;

    /// @notice Whoever pauses registration at the core cannot save a liar.
    function test_slashedWhileRegistrationIsPaused() public {
        joinEqual(3, 1000);
        ICoreParts(address(core)).pause(REGISTRATION);
        slashes(operatorAt(0), "offence");
        eq("stake", sharesOf(operatorAt(0), strategy), 0);
        yes("member in name", holds(manager.members(), operatorAt(0)));
        yes("jailed", manager.isJailed(operatorAt(0)));
        (address[] memory seats,,) = manager.preview();
        yes("no seat", !holds(seats, operatorAt(0)));
        snapshot();
    }

    function test_slashingPausedIsTriedAgain() public {
        joinEqual(1, 1000);
        ICoreParts(address(core)).pause(SLASHING);
        vm.prank(JUDGE);
        (bool ok,) = address(manager).call(abi.encodeCall(IServiceManager.slash, (operatorAt(0), 1, "offence", REPORTER)));
        yes("refused", !ok);
        yes("not punished", !manager.isPunished("offence") && !manager.isJailed(operatorAt(0)));
    }

    /// @notice However little gas a slash gets: it does nothing, or everything.
    function test_noGasLeavesALiarIn() public {
        joinEqual(2, 1000);
        bytes memory slash_ = abi.encodeCall(IServiceManager.slash, (operatorAt(0), 1, "offence", REPORTER));
        uint256 before = vm.snapshotState();
        bool failed;
        bool done;
        for (uint256 gas = 100_000; gas < 600_000; gas += 997) {
            vm.prank(JUDGE);
            (bool ok,) = address(manager).call{gas: gas}(slash_);
            eq("left the set", ok ? 1 : 0, holds(manager.members(), operatorAt(0)) ? 0 : 1);
            eq("stake", sharesOf(operatorAt(0), strategy), ok ? 0 : 1000);
            (failed, done) = (failed || !ok, done || ok);
            vm.revertToState(before);
        }
        yes("both happened", failed && done);
    }

    /// @notice Two strategies, one of them allocated: the other is passed over, and stays.
    function test_slashOfOneOfTwoStrategies() public {
        begin(2);
        for (uint256 k; k < 2; ++k) deposit(operatorAt(0), strategies[k], 1000);
        later(ALLOCATION_CONFIGURATION_DELAY + 1);
        allocate(address(manager), operatorAt(0), strategies[1], 1e18);
        bond(operatorAt(0));
        register(operatorAt(0), 1);
        later(1);
        (, uint128[] memory stakes,) = manager.preview();
        eq("what is allocated counts", stakes[0], 1000);
        slashes(operatorAt(0), "offence");
        eq("not allocated", sharesOf(operatorAt(0), strategies[0]), 1000);
        eq("allocated", sharesOf(operatorAt(0), strategies[1]), 0);
        eq("magnitude", IOperatorCore(address(core)).getMaxMagnitude(operatorAt(0), strategies[0]), 1e18);
    }

    /// @notice However little gas somebody leaves with: it stays, or it is gone and a new committee is due.
    function test_nobodyLeavesUnseen() public {
        joinEqual(2, 1000);
        snapshot();
        bytes memory call_ = abi.encodeCall(
            IAllocationManager.deregisterFromOperatorSets,
            (IAllocationManager.DeregisterParams(operatorAt(0), address(manager), new uint32[](1)))
        );
        uint256 before = vm.snapshotState();
        bool failed;
        bool done;
        for (uint256 gas = 2000; gas < 60_000; gas += 97) {
            vm.prank(operatorAt(0));
            (bool ok,) = address(core).call{gas: gas}(call_);
            eq("left", ok ? 1 : 0, holds(manager.members(), operatorAt(0)) ? 0 : 1);
            (,, bool due) = manager.preview();
            yes("due", due == ok);
            (failed, done) = (failed || !ok, done || ok);
            vm.revertToState(before);
        }
        yes("both happened", failed && done);
    }
}
