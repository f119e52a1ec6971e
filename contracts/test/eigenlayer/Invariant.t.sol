// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager} from "../../src/interfaces/IEigenLayer.sol";
import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {Test} from "../Vm.sol";
import {IOperatorCore, RealCore, StandInCore} from "./Cores.sol";
import {NewerCore} from "./NewerCore.sol";
import {Restaking} from "./Restaking.sol";

/// @notice Operators, judges, reporters and strangers of one ServiceManager, who act in any order.
abstract contract RestakingActors is Restaking {
    uint256 private constant OPERATORS = 7;
    mapping(address operator => bytes32) private idOf;
    mapping(address operator => uint256) private jailedAt;
    bytes32[] private offences;
    uint256 internal punished;
    uint256 private posted;
    uint256 private paid;
    uint256 private rewarded;

    constructor() {
        config.seatsMax = 4;
        setUp();
        joinEqual(3, 1000);
        for (uint256 i; i < 3; ++i) idOf[operatorAt(i)] = manager.operatorIdOf(operatorAt(i));
        posted = 3 * BOND;
    }

    receive() external payable {}

    // ---- Operators

    function enter(uint8 who, uint16 stake) external {
        address operator = operatorAt(who % OPERATORS);
        // Who lost all it had can have no stake again.
        if (IOperatorCore(address(core)).getMaxMagnitude(operator, strategy) != 0) deposit(operator, strategy, stake);
        later(ALLOCATION_CONFIGURATION_DELAY + 1);
        bytes memory call_ = registrationCall(operator, who % OPERATORS + 1);
        bool slashable = core.isOperatorSlashable(operator, set());
        bool bonded = manager.bondOf(operator) >= BOND;
        vm.prank(operator);
        (bool ok,) = address(core).call(call_);
        yes("who may register", ok == (!slashable && bonded && !manager.isJailed(operator)));
        if (ok) idOf[operator] = manager.operatorIdOf(operator);
    }

    function post(uint8 who) external {
        bond(operatorAt(who % OPERATORS));
        posted += BOND;
    }

    function magnitude(uint8 who, uint8 tenths) external {
        address operator = operatorAt(who % OPERATORS);
        if (!isOperator(operator)) return;
        // The core refuses what is more than there is left, or while another change is pending.
        try this.allocateFor(operator, uint64(tenths % 11) * 1e17) {} catch {}
    }

    function allocateFor(address operator, uint64 magnitude_) external {
        allocate(address(manager), operator, strategy, magnitude_);
    }

    function exit(uint8 who) external {
        address operator = operatorAt(who % OPERATORS);
        if (holds(manager.members(), operator)) leaveSet(address(manager), operator);
    }

    function withdraw(uint8 who) external {
        address operator = operatorAt(who % OPERATORS);
        uint256 held = manager.bondOf(operator);
        bool locked = core.isOperatorSlashable(operator, set());
        vm.prank(operator);
        (bool ok,) = address(manager).call(abi.encodeCall(IServiceManager.withdrawBond, ()));
        yes("who gets its bond back", ok == (held != 0 && !locked));
        if (ok) paid += held;
    }

    // ---- Committees

    function commit() external {
        (address[] memory seats, uint128[] memory stakes, bool due) = manager.preview();
        bytes memory call_ = abi.encodeCall(IServiceManager.takeSnapshot, (keySum(seats)));
        (bool ok,) = address(manager).call(call_);
        yes("when there is a snapshot", ok == (due && seats.length != 0));
        if (!ok) return;
        IServiceManager.Snapshot memory s = manager.snapshotAt(manager.snapshotCount() - 1);
        eq("block", s.l1Block, block.number);
        eq("table", s.tableHash, keccak256(tableOf(seats, stakes, s.validUntil)));
        // What the table says is what the core says, for this block and for as long as the table is good.
        uint256[][] memory now_ = core.getMinimumSlashableStake(set(), seats, strategies, uint32(block.number));
        uint32 until = uint32(block.number) + config.slashableWindowBlocks;
        uint256[][] memory then = core.getMinimumSlashableStake(set(), seats, strategies, until);
        for (uint256 i; i < seats.length; ++i) {
            eq("stake", stakes[i], then[i][0]);
            yes("no more than now", stakes[i] != 0 && stakes[i] <= now_[i][0]);
            yes("member", holds(manager.members(), seats[i]) && !manager.isJailed(seats[i]));
        }
    }

    // ---- Judges, reporters, strangers

    function slash(uint8 who, uint8 offence) external {
        address operator = operatorAt(who % OPERATORS);
        bytes32 id = bytes32(uint256(offence % 16) + 1);
        bool known = manager.isPunished(id);
        bool slashable = core.isOperatorSlashable(operator, set());
        uint256 held = manager.bondOf(operator);
        vm.prank(JUDGE);
        (bool ok,) = address(manager).call(abi.encodeCall(IServiceManager.slash, (operator, 1, id, REPORTER)));
        yes("who is slashed", ok == (!known && slashable));
        if (!ok) return;
        ++punished;
        offences.push(id);
        rewarded += held;
        if (jailedAt[operator] == 0) jailedAt[operator] = block.number;
        yes("left", !holds(manager.members(), operator));
    }

    function slashByStranger(address stranger, uint8 who, uint8 offence) external {
        if (stranger == JUDGE || stranger == address(vm)) return;
        uint256 before = sharesOf(operatorAt(who % OPERATORS), strategy);
        vm.prank(stranger);
        (bool ok,) = address(manager).call(
            abi.encodeCall(IServiceManager.slash, (operatorAt(who % OPERATORS), 1, keccak256(abi.encode(offence)), stranger))
        );
        yes("never", !ok && sharesOf(operatorAt(who % OPERATORS), strategy) == before);
    }

    function reward() external {
        uint256 owed = manager.rewardOf(REPORTER);
        vm.prank(REPORTER);
        (bool ok,) = address(manager).call(abi.encodeCall(IServiceManager.withdrawReward, ()));
        yes("who is rewarded", ok == (owed != 0));
        if (ok) paid += owed;
    }

    function wait(uint8 blocks) external {
        later(blocks % 60);
    }

    // ---- What always holds

    function check() external view {
        uint256 bonds = manager.rewardOf(REPORTER);
        for (uint256 i; i < OPERATORS; ++i) {
            address operator = operatorAt(i);
            bonds += manager.bondOf(operator);
            eq("keys never change", manager.operatorIdOf(operator), idOf[operator]);
            bool jailed = jailedAt[operator] != 0;
            yes("jailed are those who were slashed", manager.isJailed(operator) == jailed);
            yes("and they are out", !jailed || !holds(manager.members(), operator));
        }
        eq("ether", address(manager).balance, posted - paid);
        eq("all of it owed", address(manager).balance, bonds);
        eq("rewards", REPORTER.balance + manager.rewardOf(REPORTER), rewarded);
        for (uint256 i; i < offences.length; ++i) yes("punished", manager.isPunished(offences[i]));
        eq("each offence once", coreSlashes(), punished);
    }

    /// @dev How often the core slashed for us, where it counts.
    function coreSlashes() internal view virtual returns (uint256);
    function isOperator(address operator) internal view virtual returns (bool);

    function set() internal view returns (IAllocationManager.OperatorSet memory) {
        return IAllocationManager.OperatorSet(address(manager), 0);
    }
}

contract ActorsOnEigenLayer is RestakingActors, RealCore {
    function coreSlashes() internal view override returns (uint256) {
        return punished;
    }

    function isOperator(address operator) internal view override returns (bool) {
        return registered[operator];
    }
}

contract ActorsOnNewerCore is RestakingActors, StandInCore {
    function coreSlashes() internal view override returns (uint256) {
        return NewerCore(address(core)).getSlashCount(set());
    }

    function isOperator(address) internal pure override returns (bool) {
        return true;
    }
}

abstract contract RestakingInvariant is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    RestakingActors internal actors;

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(actors);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[14] memory weighed = [
            RestakingActors.enter.selector,
            RestakingActors.enter.selector,
            RestakingActors.post.selector,
            RestakingActors.post.selector,
            RestakingActors.magnitude.selector,
            RestakingActors.magnitude.selector,
            RestakingActors.exit.selector,
            RestakingActors.withdraw.selector,
            RestakingActors.commit.selector,
            RestakingActors.commit.selector,
            RestakingActors.slash.selector,
            RestakingActors.slashByStranger.selector,
            RestakingActors.reward.selector,
            RestakingActors.wait.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(actors);
        list[0].selectors = new bytes4[](weighed.length);
        for (uint256 i; i < weighed.length; ++i) list[0].selectors[i] = weighed[i];
    }

    /// @notice Tables hold the core's stakes, ether adds up, offences count once, strangers slash nobody.
    function invariant_books() public view {
        actors.check();
    }
}

contract InvariantOnEigenLayerTest is RestakingInvariant {
    function setUp() public {
        actors = new ActorsOnEigenLayer();
    }
}

contract InvariantOnNewerCoreTest is RestakingInvariant {
    function setUp() public {
        actors = new ActorsOnNewerCore();
    }
}
