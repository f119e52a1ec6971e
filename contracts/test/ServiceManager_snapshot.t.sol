// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../src/interfaces/IServiceManager.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {Selection} from "../src/restaking/Selection.sol";
import {G2} from "./G2.sol";
import {StandInCore} from "./eigenlayer/Cores.sol";
import {Restaking} from "./eigenlayer/Restaking.sol";

/// @notice Selection as docs/protocol.md says it, without a thought for cost.
library PlainSelection {
    function choose(Selection.Candidate[] memory all, uint256 seatsMax)
        internal
        pure
        returns (Selection.Candidate[] memory seats)
    {
        bool[] memory taken = new bool[](all.length);
        uint256 n = all.length < seatsMax ? all.length : seatsMax;
        uint256 total;
        for (uint256 k; k < n; ++k) {
            uint256 best = type(uint256).max;
            for (uint256 i; i < all.length; ++i) {
                if (taken[i]) continue;
                if (best == type(uint256).max || all[i].stake > all[best].stake) best = i;
                else if (all[i].stake == all[best].stake && all[i].operatorId < all[best].operatorId) best = i;
            }
            taken[best] = true;
            total += all[best].stake;
        }
        uint256 count;
        for (uint256 i; i < all.length; ++i) {
            if (taken[i] && uint256(all[i].stake) * 4 * n < total) taken[i] = false;
            if (taken[i]) ++count;
        }
        seats = new Selection.Candidate[](count);
        for (uint256 k; k < count; ++k) {
            uint256 least = type(uint256).max;
            for (uint256 i; i < all.length; ++i) {
                if (taken[i] && (least == type(uint256).max || all[i].operatorId < all[least].operatorId)) least = i;
            }
            (seats[k], taken[least]) = (all[least], false);
        }
    }
}

contract ServiceManagerSnapshotTest is Restaking, StandInCore {
    function setUp() public override {
        config.seatsMax = 5;
        super.setUp();
    }

    function uints(uint256 a, uint256 b, uint256 c, uint256 d) private pure returns (uint256[] memory list) {
        list = new uint256[](4);
        (list[0], list[1], list[2], list[3]) = (a, b, c, d);
    }

    // ---- When

    function take() private view returns (bytes memory) {
        (address[] memory seats,,) = manager.preview();
        return abi.encodeCall(IServiceManager.takeSnapshot, (keySum(seats)));
    }

    function test_interval() public {
        joinEqual(2, 1000);
        snapshot();
        uint256 first = block.number;
        uint256 earliest = first + config.snapshotIntervalBlocks;
        vm.roll(earliest - 1);
        bytes memory early = err(IServiceManager.SnapshotTooEarly.selector, earliest - 1, earliest);
        refuses("early", early, address(manager), take());
        (,, bool due) = manager.preview();
        yes("not due", !due);
        vm.roll(earliest);
        (,, due) = manager.preview();
        yes("due", due);
        bytes memory call_ = take();
        vm.prank(address(0xbad));
        (bool ok,) = address(manager).call(call_);
        yes("anyone", ok);
        eq("both", manager.snapshotCount(), 2);
        eq("the first stays", manager.snapshotAt(0).l1Block, first);
    }

    function test_atOnceAfterChanges() public {
        joinEqual(3, 1000);
        snapshot();
        address[] memory one = new address[](1);
        uint256[] memory stake = new uint256[](1);
        uint256[] memory secret = new uint256[](1);
        (one[0], stake[0], secret[0]) = (operatorAt(3), 1000, 4);
        join(one, stake, secret);
        snapshot();
        leaveSet(address(manager), operatorAt(0));
        snapshot();
        slashes(operatorAt(1), "offence");
        snapshot();
        leaveSet(address(manager), operatorAt(2));
        snapshot();
        slashes(operatorAt(2), "after it left");
        snapshot();
        eq("snapshots", manager.snapshotCount(), 6);
        deposit(operatorAt(3), strategy, 1000);
        uint256 earliest = block.number + config.snapshotIntervalBlocks;
        bytes memory early = err(IServiceManager.SnapshotTooEarly.selector, block.number, earliest);
        refuses("more stake waits", early, address(manager), take());
    }

    // ---- With what

    function test_refusesKeySums() public {
        joinEqual(3, 1000);
        (address[] memory seats,,) = manager.preview();
        bytes memory wrong = err(IServiceManager.KeySumWrong.selector);
        Bn254.G2 memory sum = keySum(seats);
        Bn254.G2 memory other = G2.add(sum, G2.generator());
        refuses("another", wrong, address(manager), abi.encodeCall(IServiceManager.takeSnapshot, (other)));
        other = Bn254.G2(0, 0, 0, 0);
        refuses("none", wrong, address(manager), abi.encodeCall(IServiceManager.takeSnapshot, (other)));
        other = Bn254.G2(sum.xImaginary, sum.xReal, Bn254.P - sum.yImaginary, Bn254.P - sum.yReal);
        refuses("negated", wrong, address(manager), abi.encodeCall(IServiceManager.takeSnapshot, (other)));
        bytes memory off = err(Bn254.PrecompileFailed.selector, uint256(8));
        other = Bn254.G2(1, 2, 3, 4);
        refuses("off the curve", off, address(manager), abi.encodeCall(IServiceManager.takeSnapshot, (other)));
        eq("none taken", manager.snapshotCount(), 0);
        snapshot();
    }

    function test_refusesEmpty() public {
        bytes memory empty = err(IServiceManager.CommitteeEmpty.selector);
        refuses("nobody", empty, address(manager), abi.encodeCall(IServiceManager.takeSnapshot, (Bn254.G2(0, 0, 0, 0))));
        joinEqual(1, 0);
        refuses("no stake", empty, address(manager), abi.encodeCall(IServiceManager.takeSnapshot, (Bn254.G2(0, 0, 0, 0))));
        bytes memory unknown = err(IServiceManager.SnapshotUnknown.selector, uint256(0));
        refuses("unknown", unknown, address(manager), abi.encodeCall(IServiceManager.snapshotAt, (0)));
        eq("unknown", manager.snapshotOf("table"), 0);
    }

    // ---- Who

    function stakeOf(address operator) private view returns (uint256) {
        (address[] memory seats, uint128[] memory stakes,) = manager.preview();
        for (uint256 i; i < seats.length; ++i) if (seats[i] == operator) return stakes[i];
        return 0;
    }

    /// @notice The mean of 100, 100, 100, x is 75 + x/4: a quarter of it is 20 for x = 20.
    function test_floor() public {
        join(uints(100, 100, 100, 20));
        eq("on the floor", stakeOf(operatorAt(3)), 20);
        begin(1);
        join(uints(100, 100, 100, 19));
        eq("below", stakeOf(operatorAt(3)), 0);
        (address[] memory seats,,) = manager.preview();
        eq("seats", seats.length, 3);
    }

    function test_mostStakeFirst() public {
        uint256[] memory stakes = new uint256[](7);
        for (uint256 i; i < 7; ++i) stakes[i] = 100 + i;
        join(stakes);
        eq("the two with least have no seat", stakeOf(operatorAt(0)) + stakeOf(operatorAt(1)), 0);
        for (uint256 i = 2; i < 7; ++i) eq("seat", stakeOf(operatorAt(i)), 100 + i);
    }

    /// @notice At equal stake the smaller id wins; seats are in the order of ids.
    function test_orderOfIds() public {
        joinEqual(7, 100);
        (address[] memory seats,,) = manager.preview();
        eq("seats", seats.length, 5);
        for (uint256 i; i < 4; ++i) yes("ascending", manager.operatorIdOf(seats[i]) < manager.operatorIdOf(seats[i + 1]));
        for (uint256 i; i < 7; ++i) {
            bool smaller = manager.operatorIdOf(operatorAt(i)) <= manager.operatorIdOf(seats[4]);
            yes("the smaller ids", holds(seats, operatorAt(i)) == smaller);
        }
    }

    /// @notice Slashed while the core lets nobody leave: it has no seat, though it allocates stake that it had kept apart.
    function test_jailedMember() public {
        begin(2);
        address liar = operatorAt(0);
        for (uint256 k; k < 2; ++k) deposit(liar, strategies[k], 100);
        allocate(address(manager), liar, strategies[0], 1e18);
        bond(liar);
        register(liar, 1);
        joinEqualFrom(2);
        bytes4 deregister = bytes4(keccak256("deregisterFromOperatorSets((address,address,uint32[]))"));
        vm.mockCallRevert(address(core), abi.encodePacked(deregister), "paused");
        slashes(liar, "offence");
        allocate(address(manager), liar, strategies[1], 1e18);
        yes("member", holds(manager.members(), liar));
        (address[] memory seats,,) = manager.preview();
        eq("seats", seats.length, 2);
        yes("no seat", !holds(seats, liar));
    }

    function test_twoStrategies() public {
        begin(2);
        join(uints(100, 200, 300, 400));
        eq("summed", stakeOf(operatorAt(1)), 400);
        deposit(operatorAt(1), strategies[1], 50);
        eq("either counts", stakeOf(operatorAt(1)), 450);
        slashes(operatorAt(1), "offence");
        eq("both are slashed", sharesOf(operatorAt(1), strategies[0]) + sharesOf(operatorAt(1), strategies[1]), 0);
    }

    /// @notice Two operators whose keys cancel each other are a committee of a zero key that certifies nothing; nobody else
    /// is hindered by them.
    function test_keysThatCancel() public {
        address[] memory operators = new address[](2);
        uint256[] memory stakes = new uint256[](2);
        uint256[] memory secrets = new uint256[](2);
        (operators[0], stakes[0], secrets[0]) = (operatorAt(0), 100, 5);
        (operators[1], stakes[1], secrets[1]) = (operatorAt(1), 100, Bn254.R - 5);
        join(operators, stakes, secrets);
        snapshot();
        joinEqualFrom(2);
        snapshot();
        eq("snapshots", manager.snapshotCount(), 2);
    }

    function joinEqualFrom(uint256 first) private {
        address[] memory operators = new address[](2);
        uint256[] memory stakes = new uint256[](2);
        uint256[] memory secrets = new uint256[](2);
        for (uint256 i; i < 2; ++i) (operators[i], stakes[i], secrets[i]) = (operatorAt(first + i), 100, 7 + i);
        join(operators, stakes, secrets);
    }

    // ---- Against the plain rule

    function same(Selection.Candidate[] memory all, uint256 seatsMax) private pure {
        bytes memory expected = abi.encode(PlainSelection.choose(all, seatsMax));
        eq("selection", abi.encode(Selection.choose(all, seatsMax)), expected);
    }

    function testFuzz_selection(uint256 seed, uint8 count, uint8 seatsMax, uint128 spread) public pure {
        Selection.Candidate[] memory all = new Selection.Candidate[](uint256(count) % 48);
        for (uint256 i; i < all.length; ++i) {
            bytes32 id = keccak256(abi.encode(seed, i));
            uint128 stake = uint128(uint256(keccak256(abi.encode(id))) % (uint256(spread) + 1)) / uint128(all.length) + 1;
            all[i] = Selection.Candidate(address(uint160(i + 1)), id, stake);
        }
        same(all, uint256(seatsMax) % 40 + 1);
    }

    /// @notice Stakes that are equal, or just at the floor, more often than chance makes them.
    function testFuzz_selectionOfLikes(uint256 seed, uint8 count, uint8 seatsMax) public pure {
        Selection.Candidate[] memory all = new Selection.Candidate[](uint256(count) % 48);
        uint128[4] memory stakes = [uint128(20), 19, 100, 101];
        for (uint256 i; i < all.length; ++i) {
            bytes32 id = keccak256(abi.encode(seed, i));
            all[i] = Selection.Candidate(address(uint160(i + 1)), id, stakes[uint8(bytes1(id)) % 4]);
        }
        same(all, uint256(seatsMax) % 40 + 1);
    }

    function test_selectionOfMost() public pure {
        Selection.Candidate[] memory all = new Selection.Candidate[](256);
        for (uint256 i; i < 256; ++i) {
            uint128 stake = uint128(type(uint128).max / 256 - (i * 7919) % 100);
            all[i] = Selection.Candidate(address(uint160(i + 1)), keccak256(abi.encode(i)), stake);
        }
        same(all, 256);
        same(all, 100);
        same(all, 1);
    }
}

contract ServiceManagerCommitteeTest is Restaking, StandInCore {
    function setUp() public override {
        config.seatsMax = 5;
        super.setUp();
        joinEqual(8, 1);
    }

    /// @notice The contract itself, with whatever stake its members get.
    function testFuzz_committee(uint64[8] memory more) public {
        Selection.Candidate[] memory all = new Selection.Candidate[](8);
        for (uint256 i; i < 8; ++i) {
            address operator = operatorAt(i);
            deposit(operator, strategy, more[i]);
            all[i] = Selection.Candidate(operator, manager.operatorIdOf(operator), uint128(more[i]) + 1);
        }
        Selection.Candidate[] memory expected = PlainSelection.choose(all, config.seatsMax);
        (address[] memory seats, uint128[] memory stakes,) = manager.preview();
        eq("seats", seats.length, expected.length);
        for (uint256 i; i < seats.length; ++i) {
            eq("seat", seats[i], expected[i].operator);
            eq("stake", stakes[i], expected[i].stake);
        }
        IServiceManager.Snapshot memory s = manager.snapshotAt(snapshot());
        eq("table", s.tableHash, keccak256(tableOf(seats, stakes, s.validUntil)));
        eq("seats", s.seats, seats.length);
    }
}
