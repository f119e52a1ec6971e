// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager, IAVSRegistrar} from "../../src/interfaces/IEigenLayer.sol";
import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {RealCore, StandInCore} from "./Cores.sol";
import {IOperatorCore} from "./Cores.sol";
import {Restaking} from "./Restaking.sol";

/// @notice From the deposit to the slash, on each core.
abstract contract Story is Restaking {
    function test_story() public {
        joinEqual(4, 1000 ether);
        address liar = operatorAt(2);
        eq("members", manager.members().length, 4);
        uint256 index = snapshot();
        (address[] memory seats, uint128[] memory stakes,) = manager.preview();
        eq("seats", seats.length, 4);
        IServiceManager.Snapshot memory s = manager.snapshotAt(index);
        eq("table", s.tableHash, keccak256(tableOf(seats, stakes, s.validUntil)));
        eq("block", s.l1Block, block.number);
        eq("valid until", s.validUntil, block.timestamp + config.slashableWindowSeconds);
        eq("known", manager.snapshotOf(s.tableHash), index + 1);

        slashes(liar, "offence");
        eq("stake", sharesOf(liar, strategy), 0);
        eq("magnitude", IOperatorCore(address(core)).getMaxMagnitude(liar, strategy), 0);
        yes("jailed", manager.isJailed(liar));
        yes("punished", manager.isPunished("offence"));
        yes("left the set", !holds(manager.members(), liar));
        eq("bond", manager.bondOf(liar), 0);
        eq("reward", manager.rewardOf(REPORTER), BOND);
        vm.prank(REPORTER);
        manager.withdrawReward();
        eq("paid", REPORTER.balance, BOND);

        // At once, though the interval is not over.
        snapshot();
        (seats,,) = manager.preview();
        eq("seats", seats.length, 3);
        yes("no seat", !holds(seats, liar));

        // Nor ever again.
        later(DEALLOCATION_DELAY + 1);
        bond(liar);
        bytes memory jailed = err(IServiceManager.OperatorJailed.selector, liar);
        refusesFrom(liar, "back", jailed, address(core), registrationCall(liar, 3));
    }

    function test_leavesSlashable() public {
        joinEqual(2, 1000);
        address operator = operatorAt(0);
        leaveSet(address(manager), operator);
        (address[] memory seats,,) = manager.preview();
        yes("no seat", !holds(seats, operator));
        later(DEALLOCATION_DELAY - 1);
        slashes(operator, "offence");
        eq("stake", sharesOf(operator, strategy), 0);
        yes("jailed", manager.isJailed(operator));
    }

    function test_leavesForGood() public {
        joinEqual(2, 1000);
        address operator = operatorAt(0);
        leaveSet(address(manager), operator);
        bytes memory withdraw = abi.encodeCall(IServiceManager.withdrawBond, ());
        later(DEALLOCATION_DELAY);
        bytes memory locked = err(IServiceManager.BondLocked.selector, operator);
        refusesFrom(operator, "still slashable", locked, address(manager), withdraw);
        later(1);
        vm.prank(JUDGE);
        refuses(
            "too late",
            err(IServiceManager.NotSlashable.selector, operator),
            address(manager),
            abi.encodeCall(IServiceManager.slash, (operator, 1, "offence", REPORTER))
        );
        yes("not punished", !manager.isPunished("offence"));
        vm.prank(operator);
        manager.withdrawBond();
        eq("bond", operator.balance, BOND);
        eq("kept", manager.bondOf(operator), 0);

        // It may come back, with its key and a bond.
        bytes memory missing = abi.encodeWithSelector(IServiceManager.BondMissing.selector, operator, 0, BOND);
        refusesFrom(operator, "no bond", missing, address(core), registrationCall(operator, 1));
        bond(operator);
        register(operator, 1);
        yes("member", holds(manager.members(), operator));
    }

    function test_bondIsLockedWhileRegistered() public {
        joinEqual(1, 1000);
        bytes memory locked = err(IServiceManager.BondLocked.selector, operatorAt(0));
        refusesFrom(operatorAt(0), "member", locked, address(manager), abi.encodeCall(IServiceManager.withdrawBond, ()));
    }

    /// @notice Stake that is on its way out does not count for a committee that would outlive it, and can be slashed meanwhile.
    function test_deallocation() public {
        joinEqual(2, 1000);
        allocate(address(manager), operatorAt(0), strategy, 0.4e18);
        (address[] memory seats, uint128[] memory stakes,) = manager.preview();
        eq("still in the window", stakes[seats[0] == operatorAt(0) ? 0 : 1], 1000);
        later(DEALLOCATION_DELAY - config.slashableWindowBlocks + 1);
        (seats, stakes,) = manager.preview();
        eq("leaves the window", stakes[seats[0] == operatorAt(0) ? 0 : 1], 400);
        slashes(operatorAt(0), "offence");
        eq("all of it", sharesOf(operatorAt(0), strategy), 0);
    }

    function test_slashTakesWhatIsAllocatedHere() public {
        joinEqual(1, 1000);
        later(1);
        allocate(address(manager), operatorAt(0), strategy, 0.25e18);
        later(DEALLOCATION_DELAY + 1);
        slashes(operatorAt(0), "offence");
        eq("the rest stays", sharesOf(operatorAt(0), strategy), 750);
        // A second offence of an operator that can still be slashed is known too; nothing is left to take.
        slashes(operatorAt(0), "another");
        eq("the rest stays", sharesOf(operatorAt(0), strategy), 750);
    }

    /// @notice An operator that allocated nothing can register, has no seat, and can be slashed of nothing.
    function test_withoutStake() public {
        uint256[] memory stakes = new uint256[](3);
        (stakes[0], stakes[1]) = (1000, 1000);
        join(stakes);
        (address[] memory seats,,) = manager.preview();
        eq("seats", seats.length, 2);
        slashes(operatorAt(2), "offence");
        yes("left", !holds(manager.members(), operatorAt(2)));
    }

    function test_strangersAreRefused() public {
        joinEqual(2, 1000);
        address operator = operatorAt(0);
        address stranger = address(0xbad);
        bytes memory slash_ = abi.encodeCall(IServiceManager.slash, (operator, 1, "offence", REPORTER));
        refusesFrom(stranger, "slash", err(IServiceManager.NotJudge.selector, stranger), address(manager), slash_);
        refuses("slash by the owner", err(IServiceManager.NotJudge.selector, address(this)), address(manager), slash_);
        bytes memory announce = abi.encodeCall(IServiceManager.announceJudge, (stranger));
        bytes memory notOwner = err(IServiceManager.NotOwner.selector, stranger);
        refusesFrom(stranger, "judge", notOwner, address(manager), announce);
        refusesFrom(stranger, "set up", notOwner, address(manager), abi.encodeCall(IServiceManager.setUp, ("")));
        bytes memory notCore = err(IServiceManager.NotAllocationManager.selector, stranger);
        bytes memory data = abi.encode(registrationOf(stranger, 9));
        bytes memory register = abi.encodeCall(IAVSRegistrar.registerOperator, (stranger, address(manager), new uint32[](1), data));
        refusesFrom(stranger, "register", notCore, address(manager), register);
        bytes memory out = abi.encodeCall(IAVSRegistrar.deregisterOperator, (operator, address(manager), new uint32[](1)));
        refusesFrom(stranger, "deregister", notCore, address(manager), out);

        // Nor does the core obey them.
        uint256[] memory wads = new uint256[](1);
        wads[0] = 1e18;
        address[] memory strategies = new address[](1);
        strategies[0] = strategy;
        vm.prank(stranger);
        (bool ok,) = address(core).call(
            abi.encodeCall(
                IAllocationManager.slashOperator,
                (address(manager), IAllocationManager.SlashingParams(operator, 0, strategies, wads, ""))
            )
        );
        yes("slash at the core", !ok);
        vm.prank(JUDGE);
        (ok,) = address(core).call(
            abi.encodeCall(
                IAllocationManager.slashOperator,
                (address(manager), IAllocationManager.SlashingParams(operator, 0, strategies, wads, ""))
            )
        );
        yes("slash at the core by a judge", !ok);
        vm.prank(stranger);
        (ok,) = address(core).call(
            abi.encodeCall(
                IAllocationManager.deregisterFromOperatorSets,
                (IAllocationManager.DeregisterParams(operator, address(manager), new uint32[](1)))
            )
        );
        yes("eject at the core", !ok);
        vm.prank(stranger);
        (ok,) = address(core).call(
            abi.encodeCall(IAllocationManager.setAVSRegistrar, (address(manager), stranger))
        );
        yes("registrar at the core", !ok);
        eq("stake", sharesOf(operator, strategy), 1000);
        yes("member", holds(manager.members(), operator));
        yes("registered", !manager.isJailed(operator));
    }
}

contract StoryOnEigenLayerTest is Story, RealCore {}

contract StoryOnNewerCoreTest is Story, StandInCore {}
