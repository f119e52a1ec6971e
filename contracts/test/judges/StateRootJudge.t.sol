// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {IStateRootJudge} from "../../src/interfaces/IStateRootJudge.sol";
import {RollupWorld} from "./RollupWorld.sol";

contract StateRootJudgeTest is RollupWorld {
    IStateRootJudge private court;
    bytes private block_;

    function setUp() public override {
        super.setUp();
        court = IStateRootJudge(judge("StateRootJudge", abi.encode(manager, tables, registry)));
        block_ = blockHeader(55, keccak256("state"));
        says.blockHash = keccak256(block_);
    }

    function slashing(bytes memory evidence, bytes memory header_) private view returns (bytes memory) {
        return abi.encodeCall(IStateRootJudge.slash, (evidence, statement(), says.confidence, header_, ""));
    }

    function slashes(string memory what, uint256 seat) private {
        court.slash(single(seat, header()), statement(), says.confidence, block_, "");
        expectSlashed(what, seat, 6);
    }

    function test_falseStateRoot() public {
        says.stateRoot = keccak256("a lie");
        slashes("slashed", 1);
        framed("once", err(IEvidence.NothingToSlash.selector), address(court), slashing(single(1, header()), block_));
    }

    function test_falseNumber() public {
        says.number = 56;
        slashes("slashed", 1);
    }

    function test_everyConfidence() public {
        says.stateRoot = keccak256("a lie");
        for (says.confidence = 0; says.confidence < 3; ++says.confidence) slashes("slashed", says.confidence);
    }

    /// @notice The leaf's class was written by whoever lied: it saves nobody.
    function test_classSavesNobody() public {
        (says.stateRoot, says.class) = (keccak256("a lie"), 1);
        slashes("slashed", 1);
    }

    function test_certificate() public {
        says.stateRoot = keccak256("a lie");
        court.slash(certified(header(), hex"00"), statement(), 0, block_, hex"010203");
        eq("three", manager.slashes(), 3);
    }

    function test_refused() public {
        bytes memory agrees = err(IStateRootJudge.HeadAgrees.selector, uint256(55), keccak256("state"));
        framed("true", agrees, address(court), slashing(single(1, header()), block_));
        says.stateRoot = keccak256("a lie");
        bytes memory other = blockHeader(55, keccak256("another state"));
        framed("another block", err(IStateRootJudge.BlockHashWrong.selector, keccak256(other), keccak256(block_)), address(court), slashing(single(1, header()), other));
        says.registration = keccak256("a rollup of another stack");
        framed("not re-executed", err(IStateRootJudge.NotReexecuted.selector, says.registration), address(court), slashing(single(1, header()), block_));
        (says.registration, says.advancedAt) = (registration, base.height - 1);
        framed("inherited", err(IEvidence.HeadInherited.selector, base.height - 1, base.height), address(court), slashing(single(1, header()), block_));
        says.advancedAt = base.height;
        bytes memory call_ = abi.encodeCall(IStateRootJudge.slash, (single(1, header()), statement(), 3, block_, ""));
        framed("confidence", err(IStateRootJudge.UnknownConfidence.selector, uint256(3)), address(court), call_);
        call_ = abi.encodeCall(IStateRootJudge.slash, (single(1, header()), statement(), 0, block_, hex"01"));
        framed("seats of one", err(IEvidence.SeatsWrong.selector, uint256(1)), address(court), call_);
    }

    function testFuzz_honestHeadCannotBeFramed(uint256 where, uint8 bit) public {
        bytes memory data = slashing(single(1, header()), block_);
        where = 4 + where % (data.length - 4);
        data[where] = bytes1(uint8(data[where]) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(court).call(data);
        yes("refused", !ok);
    }
}
