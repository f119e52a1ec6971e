// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager} from "../../src/interfaces/IEigenLayer.sol";
import {StandInCore} from "./Cores.sol";
import {NewerCore} from "./NewerCore.sol";
import {Restaking} from "./Restaking.sol";

/// @notice What newer releases changed for an AVS that made its set the old way.
contract NewerCoreTest is Restaking, StandInCore {
    function set() private view returns (IAllocationManager.OperatorSet memory) {
        return IAllocationManager.OperatorSet(address(manager), 0);
    }

    /// @notice The set's slasher is the AVS itself, and only the AVS could name another: the contract has no way to.
    function test_soleSlasher() public {
        NewerCore newer = NewerCore(address(core));
        eq("slasher", newer.getSlasher(set()), address(manager));
        yes("burns", !newer.isRedistributingOperatorSet(set()));
        bytes memory update = abi.encodeCall(NewerCore.updateSlasher, (set(), address(this)));
        refuses("owner", err(NewerCore.InvalidCaller.selector), address(core), update);
        refusesFrom(JUDGE, "judge", err(NewerCore.InvalidCaller.selector), address(core), update);
        later(ALLOCATION_CONFIGURATION_DELAY + 1);
        eq("slasher", newer.getSlasher(set()), address(manager));
    }

    function test_burns() public {
        joinEqual(1, 1000);
        slashes(operatorAt(0), "offence");
        NewerCore(address(core)).clearBurnOrRedistributableShares(set(), 1);
        eq("burned", tokenOf(strategy).balanceOf(0x00000000000000000000000000000000000E16E4), 1000);
    }

    /// @notice An AVS of today's calls: a set made the second way, with a slasher of its own, changed with delay.
    function test_secondForms() public {
        NewerCore newer = NewerCore(address(core));
        address[] memory list = new address[](1);
        list[0] = strategy;
        NewerCore.CreateSetParamsV2[] memory sets = new NewerCore.CreateSetParamsV2[](1);
        sets[0] = NewerCore.CreateSetParamsV2(7, list, JUDGE);
        newer.updateAVSMetadataURI(address(this), "uri");
        newer.createOperatorSets(address(this), sets);
        IAllocationManager.OperatorSet memory own = IAllocationManager.OperatorSet(address(this), 7);
        eq("slasher", newer.getSlasher(own), JUDGE);
        newer.updateSlasher(own, REPORTER);
        later(ALLOCATION_CONFIGURATION_DELAY);
        eq("not yet", newer.getSlasher(own), JUDGE);
        later(1);
        eq("now", newer.getSlasher(own), REPORTER);
        sets[0].operatorSetId = 8;
        address[] memory recipients = new address[](1);
        bytes memory invalid = err(NewerCore.InvalidRedistributionRecipient.selector);
        bytes4 create = bytes4(keccak256("createRedistributingOperatorSets(address,(uint32,address[],address)[],address[])"));
        refuses("no recipient", invalid, address(core), abi.encodeWithSelector(create, this, sets, recipients));
        recipients[0] = address(0xf00d);
        newer.createRedistributingOperatorSets(address(this), sets, recipients);
        own.id = 8;
        eq("recipient", newer.getRedistributionRecipient(own), recipients[0]);
    }
}
