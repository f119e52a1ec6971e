// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IClaimJudge} from "../../src/interfaces/IClaimJudge.sol";
import {ILaneJudge} from "../../src/interfaces/ILaneJudge.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {IStateRootJudge} from "../../src/interfaces/IStateRootJudge.sol";
import {RollupWorld} from "./RollupWorld.sol";

/// @notice Whole transactions without the slash itself, which {JudgesGasTest} measures. Run with `--isolate`.
contract ProofsGasTest is RollupWorld {
    uint256 private constant SLASH = 400_000;
    uint256 private constant TRANSACTION_MAX = 16_777_216;

    receive() external payable {}

    function spent(string memory what, uint256 most) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        yes(what, gas <= most);
    }

    function test_challenge() public {
        IClaimJudge court = IClaimJudge(judge("ClaimJudge", abi.encode(manager, tables, registry, 1 ether, uint64(100))));
        bytes memory evidence = single(1, header());
        bytes32 id = court.challenge{value: 1 ether}(evidence, statement());
        spent("challenge a head", 450_000);
        IClaimJudge.Subject memory s =
            IClaimJudge.Subject(says.chainId, says.registration, says.generation, says.number, says.blockHash);
        court.answer(id, s, false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, says));
        spent("answer with the claim", 120_000);
        evidence = single(2, header());
        says.number++;
        evidence = single(2, header());
        id = court.challenge{value: 1 ether}(evidence, statement());
        vm.warp(block.timestamp + 101);
        court.conclude(id);
        spent("conclude unanswered", 80_000);
        court.slash(evidence, statement(), "");
        spent("slash for a head without a claim, less the slash", 250_000);
    }

    function test_stateRoot() public {
        IStateRootJudge court = IStateRootJudge(judge("StateRootJudge", abi.encode(manager, tables, registry)));
        bytes memory block_ = blockHeader(55, keccak256("another state"));
        says.blockHash = keccak256(block_);
        court.slash(single(1, header()), statement(), 0, block_, "");
        spent("state root, less the slash", TRANSACTION_MAX - SLASH);
    }

    /// @notice The longest lane whose tree can be judged.
    function test_longestLane() public {
        ILaneJudge court = ILaneJudge(judge("LaneJudge", abi.encode(manager, tables, registry)));
        bytes memory hashes;
        bytes24 rolling;
        for (uint256 i; i < 64; ++i) hashes = abi.encodePacked(hashes, keccak256(abi.encode(i)));
        for (uint256 n = 64; n < court.MESSAGES_MAX(); n *= 2) hashes = abi.encodePacked(hashes, hashes);
        for (uint256 i; i < court.MESSAGES_MAX(); ++i) {
            rolling = bytes24(keccak256(abi.encodePacked(rolling, keccak256(abi.encode(i % 64)))));
        }
        bytes memory leaf = abi.encodePacked(address(1), uint64(2), uint32(0), uint64(court.MESSAGES_MAX()), rolling, keccak256("a lie"));
        bytes memory siblings;
        (says.lanesRoot, siblings) = treeProof("lane", keccak256(leaf));
        bytes memory lane = abi.encodePacked(leaf, uint32(2), uint8(3), siblings);
        court.slashRoot(single(1, header()), statement(), lane, hashes, "");
        spent("tree of 2,048 messages, less the slash", TRANSACTION_MAX - SLASH);
    }

    function test_doubleClaim() public {
        Says memory s = says;
        IRollupRegistry.Signed[2] memory two;
        for (uint256 i; i < 2; ++i) {
            s.blockHash = bytes32(i);
            two[i] = IRollupRegistry.Signed(2, 55, bytes32(i), sequencerSigns("hum/claim/1", SEQUENCER_KEY, s));
        }
        registry.reportDoubleClaim(registration, two[0], two[1]);
        spent("two claims for one number", 150_000);
    }
}
