// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../../src/interfaces/IBatchInbox.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {ISettlementJudge} from "../../src/interfaces/ISettlementJudge.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {RealCore, StandInCore} from "../eigenlayer/Cores.sol";
import {Posting} from "../settlement/Posting.sol";
import {listOf} from "./Listed.sol";
import {RestakedCourt} from "./RestakedCourt.sol";

/// @notice From a settled head that no batch holds to the stake of who attested it, on a core.
abstract contract Batches is RestakedCourt, Posting {
    uint64 private constant CHAIN = 1001;
    address private constant SEQUENCER = address(0x5e9);

    ISettlementJudge private settlement;
    ISettlementAdapter private adapter;
    IRollupRegistry private registry;
    IBatchInbox private inbox;
    bytes32 private id;
    uint64 private origin;

    function setUp() public override {
        super.setUp();
        bytes memory arguments = abi.encode(manager.DOMAIN(), this, this, 1 ether, uint64(0), uint64(7 days), uint64(1 days));
        registry = IRollupRegistry(deploy("RollupRegistry", arguments));
        inbox = IBatchInbox(deploy("BatchInbox", abi.encode(registry)));
        adapter = ISettlementAdapter(deploy("BatchAdapter", abi.encode(inbox)));
        settlement =
            ISettlementJudge(deploy("SettlementJudge", abi.encode(manager, tables, this, uint64(30 days), listOf(adapter))));
        manager.announceJudge(address(settlement));
        registry.authorise(CHAIN, address(this));
        vm.deal(address(this), 1 ether);
        id = registry.register{value: 1 ether}(CHAIN, SEQUENCER, keccak256("anchor"), keccak256("spec"));
        joinEqual(4, 1000 ether);
        tables.store(committee());
        postAs(SEQUENCER, inbox, id, 1, 55, "true");
        origin = uint64(block.number);
        later(5);
        postAs(SEQUENCER, inbox, id, 56, 60, "later");
    }

    /// @notice What the operator with this secret signed of the rollup, and the call that brings it.
    function head(uint256 secret, uint8 confidence, uint64 number, bytes32 blockHash) private view returns (bytes memory) {
        bytes memory part = abi.encodePacked(number, blockHash, keccak256("state"), uint64(77), keccak256("lanes"));
        bytes32[3] memory parts;
        parts[confidence] = keccak256(part);
        bytes memory leaf = abi.encodePacked(CHAIN, id, uint32(0), uint8(0), uint8(0), parts[0], parts[1], parts[2]);
        bytes memory numbers = abi.encodePacked(uint64(5), uint64(77), uint64(1), origin, bytes32("p"), bytes32("o"));
        bytes memory h = abi.encodePacked(numbers, keccak256(leaf), bytes32("b"), bytes32(0));
        Bn254.G1 memory s = Bn254.multiply(Bn254.hashToG1(digestOf(5, 77, h)), secret);
        bytes memory evidence = abi.encodePacked(uint8(0), operatorAt(secret - 1), h, s.x, s.y);
        bytes memory statement = abi.encodePacked(leaf, uint32(0), uint8(0), part);
        return abi.encodeCall(ISettlementJudge.slashHead, (evidence, statement, confidence, adapter, "", ""));
    }

    function taken(string memory what, uint256 secret, bytes memory call_) private {
        vm.prank(REPORTER);
        (bool ok, bytes memory answer) = address(settlement).call(call_);
        if (!ok) revert WrongRevert(what, answer, "");
        eq(what, sharesOf(operatorAt(secret - 1), strategy), 0);
        yes(what, !holds(manager.members(), operatorAt(secret - 1)));
    }

    function test_liesTakeTheStake() public {
        taken("Finalized, another hash", 1, head(1, 2, 55, "another"));
        taken("Finalized, posted after the origin", 2, head(2, 2, 60, "later"));
        taken("Safe, another hash", 3, head(3, 1, 55, "another"));
        eq("the honest one's", sharesOf(operatorAt(3), strategy), 1000 ether);
        vm.prank(REPORTER);
        manager.withdrawReward();
        eq("reporter", REPORTER.balance, 3 * BOND);
    }

    function test_truthTakesNothing() public {
        bytes memory no = err(ISettlementJudge.NotContradicted.selector);
        refuses("Finalized", no, address(settlement), head(1, 2, 55, "true"));
        refuses("Safe", no, address(settlement), head(2, 1, 55, "true"));
        refuses("Safe, posted after the origin", no, address(settlement), head(3, 1, 60, "later"));
        for (uint256 i; i < 4; ++i) eq("stake", sharesOf(operatorAt(i), strategy), 1000 ether);
    }
}

contract BatchesOnEigenLayerTest is Batches, RealCore {}

contract BatchesOnNewerCoreTest is Batches, StandInCore {}
