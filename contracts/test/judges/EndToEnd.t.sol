// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAttestationJudge} from "../../src/interfaces/IAttestationJudge.sol";
import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {ISettlementJudge} from "../../src/interfaces/ISettlementJudge.sol";
import {ITableStore} from "../../src/interfaces/ITableStore.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {RealCore, StandInCore} from "../eigenlayer/Cores.sol";
import {listOf} from "./Listed.sol";
import {RestakedCourt} from "./RestakedCourt.sol";

/// @notice From what an operator signed to its stake, on a core.
abstract contract EndToEnd is RestakedCourt {
    ISettlementJudge private settlement;
    ISettlementAdapter private byTables;

    function setUp() public override {
        super.setUp();
        byTables = ISettlementAdapter(deploy("TableAdapter", abi.encode(manager)));
        settlement = ISettlementJudge(deploy("SettlementJudge", abi.encode(manager, tables, this, uint64(30 days), listOf(byTables))));
        manager.announceJudge(address(settlement));
        joinEqual(4, 1000 ether);
        tables.store(committee());
    }

    function refused(string memory what, bytes memory expected, address operator, uint256 secret) private {
        bytes memory data = abi.encodeCall(
            IAttestationJudge.slashSingles, (operator, 77, attest(secret, 5, 77, "a"), attest(secret, 5, 77, "b"))
        );
        refuses(what, expected, address(court), data);
    }

    function test_singlesTakeTheStake() public {
        address liar = operatorAt(2);
        (IAttestationJudge.Attestation memory one, IAttestationJudge.Attestation memory other) =
            (attest(3, 5, 77, "a"), attest(3, 5, 77, "b"));
        vm.prank(REPORTER);
        court.slashSingles(liar, 77, one, other);
        eq("stake", sharesOf(liar, strategy), 0);
        yes("punished", manager.isPunished(court.offenceOf(liar, 77)));
        yes("out of the set", !holds(manager.members(), liar));
        vm.prank(REPORTER);
        manager.withdrawReward();
        eq("reporter", REPORTER.balance, BOND);
        committee();
        eq("next table", seated.length, 3);
        yes("no seat", !holds(seated, liar));
        eq("others keep theirs", sharesOf(operatorAt(1), strategy), 1000 ether);
        refused("again", err(IEvidence.NothingToSlash.selector), liar, 3);
    }

    /// @notice The committee changed between the two certificates; the liars sat in both.
    function test_certificatesOfTwoEpochs() public {
        bytes32 first = tableHash;
        bytes memory one = certify(5, 77, "a");
        address[] memory before = seated;
        leaveSet(address(manager), operatorAt(0));
        tables.store(committee());
        eq("three", seated.length, 3);
        bytes memory two = certify(6, 77, "b");
        IAttestationJudge.SeatPair[] memory list = new IAttestationJudge.SeatPair[](3);
        for (uint8 i; i < 3; ++i) {
            uint8 old;
            while (before[old] != seated[i]) ++old;
            list[i] = IAttestationJudge.SeatPair(old, i);
        }
        court.slashSigners(first, one, tableHash, two, list);
        for (uint256 i = 1; i < 4; ++i) eq("stake", sharesOf(operatorAt(i), strategy), 0);
        eq("who left before did nothing", sharesOf(operatorAt(0), strategy), 1000 ether);
    }

    function test_whoLeftStaysSlashableForTheWindow() public {
        leaveSet(address(manager), operatorAt(0));
        leaveSet(address(manager), operatorAt(1));
        later(DEALLOCATION_DELAY - 1);
        court.slashSingles(operatorAt(0), 77, attest(1, 5, 77, "a"), attest(1, 5, 77, "b"));
        eq("stake", sharesOf(operatorAt(0), strategy), 0);
        later(2);
        refused("too late", err(IServiceManager.NotSlashable.selector, operatorAt(1)), operatorAt(1), 2);
    }

    /// @notice A judge that the owner did not announce, and a table that was never selected.
    function test_strangers() public {
        address stranger = deploy("AttestationJudge", abi.encode(manager, tables));
        bytes memory data = abi.encodeCall(
            IAttestationJudge.slashSingles, (operatorAt(0), 77, attest(1, 5, 77, "a"), attest(1, 5, 77, "b"))
        );
        refuses("judge", err(IServiceManager.NotJudge.selector, stranger), stranger, data);
        bytes memory blob = tableOf(seated, new uint128[](4), type(uint64).max);
        refuses("table", err(ITableStore.TableUnknown.selector, keccak256(blob)), address(tables), abi.encodeCall(ITableStore.store, (blob)));
        refused("another's signatures", abi.encodeWithSelector(IEvidence.AttestationInvalid.selector, operatorAt(1), digestOf(5, 77, header(5, 77, "a"))), operatorAt(1), 1);
    }

    function single(uint256 secret, bytes32 nextTableHash, uint64 origin) private view returns (bytes memory) {
        bytes memory numbers = abi.encodePacked(uint64(5), uint64(77), uint64(1), origin);
        bytes memory h = abi.encodePacked(numbers, "p", new bytes(31), "o", new bytes(31), "r", new bytes(31), "b", new bytes(31), nextTableHash);
        Bn254.G1 memory s = Bn254.multiply(Bn254.hashToG1(digestOf(5, 77, h)), secret);
        return abi.encodePacked(uint8(0), operatorAt(secret - 1), h, s.x, s.y);
    }

    /// @notice A header that names a next table, against the ServiceManager's own snapshots.
    function test_nextTable() public {
        uint64 first = manager.snapshotAt(0).l1Block;
        bytes32 older = tableHash;
        leaveSet(address(manager), operatorAt(0));
        later(1);
        committee();
        uint64 second = manager.snapshotAt(1).l1Block;
        yes("later", second > first);
        bytes memory no = err(ISettlementJudge.NotContradicted.selector);
        settles("the older one before", no, single(2, older, second - 1), 0);
        settles("the newer one", no, single(2, tableHash, second), 1);
        settlement.slashHeader(single(2, older, second), byTables, abi.encode(1), "");
        eq("the older one after", sharesOf(operatorAt(1), strategy), 0);
        settlement.slashHeader(single(3, tableHash, second - 1), byTables, abi.encode(0), "");
        eq("the newer one before", sharesOf(operatorAt(2), strategy), 0);
        settlement.slashHeader(single(4, 0, uint64(block.number + 1)), byTables, "", "");
        eq("an origin in the future", sharesOf(operatorAt(3), strategy), 0);
    }

    function settles(string memory what, bytes memory expected, bytes memory evidence, uint256 index) private {
        bytes memory data = abi.encodeCall(ISettlementJudge.slashHeader, (evidence, byTables, abi.encode(index), ""));
        refuses(what, expected, address(settlement), data);
    }
}

contract JudgesOnEigenLayerTest is EndToEnd, RealCore {}

contract JudgesOnNewerCoreTest is EndToEnd, StandInCore {}
