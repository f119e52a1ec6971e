// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager, IAVSRegistrar} from "../src/interfaces/IEigenLayer.sol";
import {IServiceManager} from "../src/interfaces/IServiceManager.sol";
import {StandInCore} from "./eigenlayer/Cores.sol";
import {Restaking} from "./eigenlayer/Restaking.sol";

/// @notice Takes no ether.
contract Refuser {
    function withdrawReward(IServiceManager manager) external {
        manager.withdrawReward();
    }
}

/// @notice Asks again while it is being paid.
contract Greedy {
    IServiceManager private immutable MANAGER;

    constructor(IServiceManager manager) {
        MANAGER = manager;
    }

    function take() external {
        MANAGER.withdrawReward();
    }

    receive() external payable {
        try MANAGER.withdrawReward() {} catch {}
        try MANAGER.withdrawBond() {} catch {}
    }
}

/// @notice Everything that {ServiceManager} refuses, one thing spoiled each, and where ether goes. Selection and snapshots have
/// files of their own; the whole way through the core is in eigenlayer/.
contract ServiceManagerTest is Restaking, StandInCore {
    function refusesFromCore(string memory what, bytes memory expected, bytes memory call_) private {
        refusesFrom(address(core), what, expected, address(manager), call_);
    }

    // ---- Construction and setting up

    function constructs(string memory field, address owner, address[] memory list, IServiceManager.Config memory c) private {
        bytes memory code = vm.parseJsonBytes(vm.readFile("artifacts/ServiceManager.json"), ".bytecode");
        code = abi.encodePacked(code, abi.encode(core, owner, list, c));
        address deployed;
        bytes memory answer;
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
            answer := mload(0x40)
            mstore(answer, returndatasize())
            returndatacopy(add(answer, 32), 0, returndatasize())
            mstore(0x40, add(answer, and(add(returndatasize(), 63), not(31))))
        }
        eq(field, deployed, address(0));
        eq(field, answer, abi.encodeWithSelector(IServiceManager.ConfigInvalid.selector, field));
    }

    function test_refusesConfigs() public {
        IServiceManager.Config memory c = config;
        constructs("owner", address(0), strategies, c);
        constructs("strategies", address(this), new address[](0), c);
        constructs("strategies", address(this), new address[](1), c);
        address[] memory two = new address[](2);
        (two[0], two[1]) = (address(2), address(1));
        constructs("strategies", address(this), two, c);
        (two[0], two[1]) = (address(2), address(2));
        constructs("strategies", address(this), two, c);
        address[] memory three = new address[](3);
        (three[0], three[1], three[2]) = (address(1), address(2), address(3));
        constructs("strategies", address(this), three, c);
        c.seatsMax = 0;
        constructs("seatsMax", address(this), strategies, c);
        c.seatsMax = 257;
        constructs("seatsMax", address(this), strategies, c);
        c.seatsMax = 256;
        c.slashableWindowBlocks = 0;
        constructs("slashableWindowBlocks", address(this), strategies, c);
        c.slashableWindowBlocks = DEALLOCATION_DELAY + 1;
        constructs("slashableWindowBlocks", address(this), strategies, c);
        c.slashableWindowBlocks = DEALLOCATION_DELAY;
        c.slashableWindowSeconds = 0;
        constructs("slashableWindowSeconds", address(this), strategies, c);
        c.slashableWindowSeconds = 1;
        deploy("ServiceManager", abi.encode(core, this, strategies, c));
    }

    function test_setUpOnce() public {
        refuses("twice", err(IServiceManager.AlreadySetUp.selector), address(manager), abi.encodeCall(manager.setUp, ("")));
    }

    function test_supportsItselfOnly() public view {
        yes("itself", IAVSRegistrar(address(manager)).supportsAVS(address(manager)));
        yes("nobody else", !IAVSRegistrar(address(manager)).supportsAVS(address(this)));
    }

    function test_judges() public {
        address late = address(0x1a7e);
        yes("at once while nobody registered", manager.isJudge(JUDGE));
        bytes memory again = abi.encodeCall(IServiceManager.announceJudge, (JUDGE));
        bytes memory known = abi.encodeWithSelector(IServiceManager.JudgeKnown.selector, JUDGE, block.timestamp);
        refuses("twice", known, address(manager), again);
        joinEqual(1, 1000);
        leaveSet(address(manager), operatorAt(0));
        manager.announceJudge(late);
        vm.warp(block.timestamp + config.judgeDelaySeconds - 1);
        yes("not yet", !manager.isJudge(late));
        bytes memory slash_ = abi.encodeCall(IServiceManager.slash, (operatorAt(0), 1, "offence", REPORTER));
        refusesFrom(late, "not yet", err(IServiceManager.NotJudge.selector, late), address(manager), slash_);
        vm.warp(block.timestamp + 1);
        yes("now", manager.isJudge(late));
        vm.prank(late);
        manager.slash(operatorAt(0), 1, "offence", REPORTER);
        yes("strangers never", !manager.isJudge(address(7)) && !manager.isJudge(address(0)));
    }

    // ---- Registration

    function registerCall(address operator, address avs, uint32[] memory sets) private returns (bytes memory) {
        return abi.encodeCall(IAVSRegistrar.registerOperator, (operator, avs, sets, abi.encode(registrationOf(operator, 1))));
    }

    function test_refusesRegistrations() public {
        address operator = operatorAt(0);
        bond(operator);
        bytes memory wrong = err(IServiceManager.WrongAvs.selector, address(this));
        refusesFromCore("AVS", wrong, registerCall(operator, address(this), new uint32[](1)));
        uint32[] memory sets = new uint32[](1);
        sets[0] = 1;
        wrong = err(IServiceManager.WrongOperatorSet.selector, uint256(1));
        refusesFromCore("set", wrong, registerCall(operator, address(manager), sets));
        wrong = err(IServiceManager.WrongOperatorSet.selector, uint256(0));
        refusesFromCore("no set", wrong, registerCall(operator, address(manager), new uint32[](0)));
        refusesFromCore("two sets", wrong, registerCall(operator, address(manager), new uint32[](2)));
        bytes memory junk = abi.encodeCall(IAVSRegistrar.registerOperator, (operator, address(manager), new uint32[](1), hex"00"));
        refusesFromCore("no registration", "", junk);
        bytes memory good = registerCall(operator, address(manager), new uint32[](1));
        vm.prank(address(core));
        (bool ok,) = address(manager).call(good);
        yes("the good one", ok);
    }

    function test_refusesWithoutBond() public {
        address operator = operatorAt(0);
        deposit(operator, strategy, 0);
        bytes memory call_ = registrationCall(operator, 1);
        manager.postBond{value: BOND - 1}(operator);
        bytes memory missing = abi.encodeWithSelector(IServiceManager.BondMissing.selector, operator, BOND - 1, BOND);
        refusesFrom(operator, "a wei short", missing, address(core), call_);
        manager.postBond{value: 1}(operator);
        register(operator, 1);
    }

    function test_refusesWhenFull() public {
        joinEqual(200, 1000);
        deposit(operatorAt(200), strategy, 0);
        bond(operatorAt(200));
        bytes memory full = err(IServiceManager.OperatorSetFull.selector, uint256(201));
        bytes memory call_ = registrationCall(operatorAt(200), 201);
        refusesFrom(operatorAt(200), "full", full, address(core), call_);
        leaveSet(address(manager), operatorAt(7));
        register(operatorAt(200), 201);
    }

    function test_deregistrationNeverReverts() public {
        uint32[] memory none = new uint32[](0);
        vm.startPrank(address(core));
        IAVSRegistrar r = IAVSRegistrar(address(manager));
        r.deregisterOperator(address(7), address(manager), new uint32[](1));
        r.deregisterOperator(address(0), address(manager), new uint32[](300));
        r.deregisterOperator(address(7), address(this), new uint32[](1));
        r.deregisterOperator(address(7), address(manager), none);
    }

    // ---- Slashing

    function test_refusesSlashes() public {
        joinEqual(2, 1000);
        bytes memory never = abi.encodeCall(IServiceManager.slash, (address(7), 1, "offence", REPORTER));
        refusesFrom(JUDGE, "never registered", err(IServiceManager.NotSlashable.selector, address(7)), address(manager), never);
        slashes(operatorAt(0), "offence");
        bytes memory known = err(IServiceManager.OffenceKnown.selector, bytes32("offence"));
        bytes memory again = abi.encodeCall(IServiceManager.slash, (operatorAt(0), 1, "offence", REPORTER));
        refusesFrom(JUDGE, "again", known, address(manager), again);
        // An offence names its operator, so judges never ask this; a nullifier is one all the same.
        again = abi.encodeCall(IServiceManager.slash, (operatorAt(1), 2, "offence", REPORTER));
        refusesFrom(JUDGE, "of another", known, address(manager), again);
        eq("untouched", sharesOf(operatorAt(1), strategy), 1000);
    }

    /// @notice What the core refuses is not punished: it can be tried again.
    function test_coreRefusesSlash() public {
        joinEqual(1, 1000);
        vm.mockCallRevert(address(core), abi.encodeWithSelector(IAllocationManager.slashOperator.selector), "paused");
        bytes memory slash_ = abi.encodeCall(IServiceManager.slash, (operatorAt(0), 1, "offence", REPORTER));
        refusesFrom(JUDGE, "core", "paused", address(manager), slash_);
        yes("not punished", !manager.isPunished("offence") && !manager.isJailed(operatorAt(0)));
        eq("bond", manager.bondOf(operatorAt(0)), BOND);
        vm.clearMockedCalls();
        slashes(operatorAt(0), "offence");
    }

    /// @notice A core that does not let anybody leave for now cannot save a liar; one that says nothing had too little gas.
    function test_ejectionFails() public {
        joinEqual(2, 1000);
        bytes memory deregister = abi.encodeWithSelector(IAllocationManager.deregisterFromOperatorSets.selector);
        vm.mockCallRevert(address(core), deregister, "");
        bytes memory slash_ = abi.encodeCall(IServiceManager.slash, (operatorAt(0), 1, "offence", REPORTER));
        bytes memory failed = err(IServiceManager.EjectionFailed.selector, operatorAt(0));
        refusesFrom(JUDGE, "says nothing", failed, address(manager), slash_);
        vm.mockCallRevert(address(core), deregister, "paused");
        slashes(operatorAt(0), "offence");
        yes("still a member", holds(manager.members(), operatorAt(0)));
        yes("jailed", manager.isJailed(operatorAt(0)));
        (address[] memory seats,,) = manager.preview();
        eq("one seat", seats.length, 1);
        yes("not its", !holds(seats, operatorAt(0)));
        vm.clearMockedCalls();
        // It still sits in the set, and a second offence ends that.
        slashes(operatorAt(0), "another");
        yes("no member", !holds(manager.members(), operatorAt(0)));
    }

    // ---- Ether

    function test_bondsAddUp() public {
        address operator = operatorAt(0);
        vm.deal(address(this), 5);
        manager.postBond{value: 2}(operator);
        manager.postBond{value: 3}(operator);
        eq("bond", manager.bondOf(operator), 5);
        vm.prank(operator);
        manager.withdrawBond();
        eq("who never registered takes it back", operator.balance, 5);
        bytes memory nothing = err(IServiceManager.NothingOwed.selector, operator);
        refusesFrom(operator, "no bond", nothing, address(manager), abi.encodeCall(IServiceManager.withdrawBond, ()));
        refusesFrom(operator, "no reward", nothing, address(manager), abi.encodeCall(IServiceManager.withdrawReward, ()));
    }

    function test_reporterCannotStopASlash() public {
        joinEqual(2, 1000);
        Refuser refuser = new Refuser();
        vm.prank(JUDGE);
        manager.slash(operatorAt(0), 1, "offence", address(refuser));
        yes("slashed", manager.isJailed(operatorAt(0)));
        eq("reward", manager.rewardOf(address(refuser)), BOND);
        (bool ok,) = address(refuser).call(abi.encodeCall(refuser.withdrawReward, (manager)));
        yes("not paid", !ok);
        eq("reward kept", manager.rewardOf(address(refuser)), BOND);
        vm.prank(JUDGE);
        manager.slash(operatorAt(1), 1, "another", address(0));
        eq("nobody's", manager.rewardOf(address(0)), BOND);
    }

    function test_paidOnce() public {
        joinEqual(2, 1000);
        Greedy greedy = new Greedy(manager);
        vm.prank(JUDGE);
        manager.slash(operatorAt(0), 1, "offence", address(greedy));
        vm.deal(address(this), 5);
        manager.postBond{value: 5}(address(greedy));
        greedy.take();
        eq("reward and bond, once", address(greedy).balance, BOND + 5);
        eq("the other's bond", address(manager).balance, BOND);
    }

    /// @notice Who reports itself gets the bond, not the stake.
    function test_selfReport() public {
        joinEqual(1, 1000);
        vm.prank(JUDGE);
        manager.slash(operatorAt(0), 1, "offence", operatorAt(0));
        eq("reward", manager.rewardOf(operatorAt(0)), BOND);
        eq("stake", sharesOf(operatorAt(0), strategy), 0);
    }
}
