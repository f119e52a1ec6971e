// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {World} from "./World.sol";

contract GatewayRecordTest is World {
    function setUp() public override {
        super.setUp();
        push(address(recipient), "a");
        push(address(recipient), "b");
    }

    function recordRollup() private {
        client.submit(certificate());
        gateway.recordRollup(rollupProof());
    }

    function test_recordsWhatTheCheckpointSays() public {
        record();
        IGateway.Source memory s = gateway.source(REGISTRATION);
        yes("allowed", s.allowed);
        eq("chain", s.chainId, A);
        eq("height", s.height, 10);
        eq("time", s.timeMs, 1_000_000_000);
        eq("generation", s.generation, 3);
        eq("status", s.status, 0);
        eq("count", s.laneCount, 2);
        (bytes32 root,) = prove(leaves(), 0, 2);
        eq("commitment", bytes32(s.laneCommitment), bytes32(bytes24(keccak256(abi.encodePacked(A, uint64(2), root)))));
    }

    function test_onlyTheOwnerDecides() public {
        bytes memory allowing = abi.encodeCall(gateway.allow, (5, keccak256("x")));
        refuses("allow", IGateway.NotOwner.selector, address(gateway), allowing);
        refuses("deny", IGateway.NotOwner.selector, address(gateway), abi.encodeCall(gateway.deny, (A)));
    }

    function allowRefused(string memory what, bytes4 expected, uint64 chainId, bytes32 registration) private {
        bytes memory call_ = abi.encodeCall(gateway.allow, (chainId, registration));
        vm.prank(OWNER);
        (bool ok, bytes memory answer) = address(gateway).call(call_);
        yes(what, !ok && bytes4(answer) == expected);
    }

    function test_policyBounds() public {
        allowRefused("chain 0", IGateway.SourceInvalid.selector, 0, keccak256("x"));
        allowRefused("registration 0", IGateway.SourceInvalid.selector, 5, 0);
        allowRefused("this chain", IGateway.SourceInvalid.selector, B, keccak256("x"));
        allowRefused("a second registration", IGateway.ChainHasSource.selector, A, keccak256("x"));
        allowRefused("the registration of another chain", IGateway.SourceInvalid.selector, 5, REGISTRATION);
        vm.prank(OWNER);
        (bool ok, bytes memory answer) = address(gateway).call(abi.encodeCall(gateway.deny, (5)));
        yes("deny what is not allowed", !ok && bytes4(answer) == IGateway.ChainHasNoSource.selector);
    }

    function test_deniedByDefaultAndAgain() public {
        record();
        vm.prank(OWNER);
        gateway.deny(A);
        refusesDelivery("denied", IGateway.SourceNotAllowed.selector, run(0, 1));
        refusesRecord("denied", IGateway.SourceNotAllowed.selector, laneProof());
        eq("registration", gateway.registrationOf(A), 0);

        vm.prank(OWNER);
        gateway.allow(A, REGISTRATION);
        eq("registration", gateway.registrationOf(A), REGISTRATION);
        refusesDelivery("its lane is forgotten", IGateway.LaneNotRecorded.selector, run(0, 1));
        --says.height;
        client.submit(certificate());
        refusesRecord("its height is not", IGateway.OlderThanRecorded.selector, laneProof());
        ++says.height;
        gateway.recordLane(laneProof());
        gateway.deliver(run(0, 1));
    }

    /// @notice A quarantine that anyone pushes stops Latest at once; Active again resumes by itself.
    function test_quarantineStopsAndResumes() public {
        record();
        for (uint8 status_ = 1; status_ <= 3; ++status_) {
            next(100);
            says.status = status_;
            recordRollup();
            refusesDelivery("not active", IGateway.SourceNotActive.selector, run(0, 1));
        }
        next(100);
        says.status = 0;
        recordRollup();
        (uint256 delivered,) = gateway.deliver(run(0, 2));
        eq("the lane was still there", delivered, 2);
    }

    function test_laneOfAQuarantinedRollup() public {
        says.status = 1;
        record();
        refusesDelivery("not active", IGateway.SourceNotActive.selector, run(0, 1));
    }

    function test_freshFor60Seconds() public {
        record();
        vm.warp(1_000_060);
        gateway.deliver(run(0, 1));
        vm.warp(1_000_061);
        refusesDelivery("61 s", IGateway.CheckpointStale.selector, run(1, 1));
        next(30_000);
        recordRollup();
        gateway.deliver(run(1, 1));
    }

    /// @notice A new generation at Latest: the recorded lane is dead until the new one's is recorded.
    function test_newGenerationDropsTheLane() public {
        record();
        next(100);
        says.generation = 4;
        says.laneGeneration = 4;
        recordRollup();
        refusesDelivery("dead lane", IGateway.LaneNotRecorded.selector, run(0, 1));
        eq("count", gateway.source(REGISTRATION).laneCount, 0);
        gateway.recordLane(laneProof());
        (uint256 delivered,) = gateway.deliver(run(0, 2));
        eq("new lane", delivered, 2);
    }

    function test_neverBack() public {
        record();
        bytes memory older = laneProof();
        bytes memory olderRollup = rollupProof();
        next(100);
        record();
        refusesRecord("height", IGateway.OlderThanRecorded.selector, older);
        refuses(
            "height", IGateway.OlderThanRecorded.selector, address(gateway), abi.encodeCall(gateway.recordRollup, (olderRollup))
        );
        next(100);
        (says.generation, says.laneGeneration) = (2, 2);
        client.submit(certificate());
        refusesRecord("generation", IGateway.WrongGeneration.selector, laneProof());
        bytes memory proof = rollupProof();
        refuses("generation", IGateway.WrongGeneration.selector, address(gateway), abi.encodeCall(gateway.recordRollup, (proof)));
    }

    /// @notice An older lane that is only proven, not recorded, must be of the recorded generation.
    function test_relayOfADeadGeneration() public {
        client.submit(certificate());
        bytes memory lane = laneProof();
        bytes memory messages_ = run(0, 2);
        next(100);
        (says.generation, says.laneGeneration) = (4, 4);
        record();
        refuses("dead", IGateway.WrongGeneration.selector, address(gateway), abi.encodeCall(gateway.relay, ("", lane, messages_)));
        eq("nothing", recipient.count(), 0);
    }

    /// @notice And its source must still be Active, however good the older checkpoint was.
    function test_relayOfAQuarantinedSource() public {
        client.submit(certificate());
        bytes memory lane = laneProof();
        bytes memory messages_ = run(0, 2);
        next(100);
        says.status = 1;
        recordRollup();
        refuses("quarantined", IGateway.SourceNotActive.selector, address(gateway), abi.encodeCall(gateway.relay, ("", lane, messages_)));
    }

    // ---- Every field of the proof

    function test_refusesWhatTheLightClientDoesNotKnow() public {
        refusesRecord("no certificate", IGateway.CheckpointUnknown.selector, laneProof());
        client.submit(certificate());
        bytes memory proof = laneProof();
        refusesRecord("height", IGateway.CheckpointUnknown.selector, flip(proof, 7));
        refusesRecord("time", IGateway.CheckpointUnknown.selector, flip(proof, 15));
        refusesRecord("time above 48 bits", IGateway.CheckpointUnknown.selector, flip(proof, 8));
        refusesRecord("rollups root", IGateway.RollupProofWrong.selector, flip(proof, 47));
    }

    function test_refusesOtherRollupLeaves() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        refusesRecord("chain id", IGateway.WrongChain.selector, flip(proof, 55));
        refusesRecord("registration", IGateway.SourceNotAllowed.selector, flip(proof, 87));
        refusesRecord("generation", IGateway.RollupProofWrong.selector, flip(proof, 91));
        refusesRecord("status", IGateway.RollupProofWrong.selector, flip(proof, 92));
        refusesRecord("unknown status", IGateway.UnknownStatus.selector, put(proof, 92, hex"04"));
        refusesRecord("class", IGateway.RollupProofWrong.selector, flip(proof, 93));
        refusesRecord("latest", IGateway.RollupProofWrong.selector, flip(proof, 94));
        refusesRecord("safe", IGateway.RollupProofWrong.selector, flip(proof, 126));
        refusesRecord("finalized", IGateway.RollupProofWrong.selector, flip(proof, 158));
        refusesRecord("index", IGateway.RollupProofWrong.selector, flip(proof, 193));
        refusesRecord("index beyond the tree", IGateway.LeafIndexOutOfRange.selector, put(proof, 190, abi.encodePacked(uint32(2 + 8))));
        for (uint256 i; i < 3; ++i) refusesRecord("sibling", IGateway.RollupProofWrong.selector, flip(proof, 195 + 32 * i));
    }

    function test_refusesOtherHeads() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        uint256 head = 195 + 96;
        for (uint256 i; i < 112; i += 3) refusesRecord("head", IGateway.HeadPartWrong.selector, flip(proof, head + i));
    }

    function test_refusesOtherLanes() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        uint256 leaf = 195 + 96 + 112;
        refusesRecord("facade", IGateway.WrongFacade.selector, flip(proof, leaf));
        refusesRecord("destination", IGateway.WrongDestination.selector, flip(proof, leaf + 27));
        refusesRecord("generation", IGateway.WrongLaneGeneration.selector, flip(proof, leaf + 31));
        refusesRecord("count", IGateway.LaneProofWrong.selector, flip(proof, leaf + 39));
        refusesRecord("rolling", IGateway.LaneProofWrong.selector, flip(proof, leaf + 40));
        refusesRecord("root", IGateway.LaneProofWrong.selector, flip(proof, leaf + 64));
        refusesRecord("index", IGateway.LaneProofWrong.selector, flip(proof, leaf + 99));
        refusesRecord("index beyond the tree", IGateway.LeafIndexOutOfRange.selector, put(proof, leaf + 96, abi.encodePacked(uint32(1 + 4))));
        for (uint256 i; i < 2; ++i) refusesRecord("sibling", IGateway.LaneProofWrong.selector, flip(proof, leaf + 101 + 32 * i));
    }

    function test_refusesOtherLengths() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        refusesRecord("empty", IGateway.ProofLength.selector, "");
        refusesRecord("trailing", IGateway.ProofLength.selector, abi.encodePacked(proof, uint8(0)));
        refusesRecord("short", IGateway.ProofLength.selector, this.cut(proof, proof.length - 1));
        refusesRecord("no lane", IGateway.ProofLength.selector, rollupProof());
        refusesRecord("one sibling more", IGateway.ProofLength.selector, flip(proof, 195 + 96 + 112 + 100));
        refusesRecord("far too many siblings", IGateway.ProofLength.selector, put(proof, 194, hex"ff"));
        bytes memory rollup = rollupProof();
        refuses(
            "trailing", IGateway.ProofLength.selector, address(gateway), abi.encodeCall(gateway.recordRollup, (abi.encodePacked(rollup, uint8(0))))
        );
    }

    // ---- Proofs that hold, for something else: certified lanes that are not for here

    function certifiedRefused(string memory what, bytes4 expected) private {
        next(1);
        client.submit(certificate());
        refusesRecord(what, expected, laneProof());
    }

    function test_certifiedButNotForHere() public {
        says.facade = address(0xfacade);
        certifiedRefused("another facade's lane", IGateway.WrongFacade.selector);
        (says.facade, says.destination) = (address(gateway), B + 1);
        certifiedRefused("to another chain", IGateway.WrongDestination.selector);
        (says.destination, says.laneGeneration) = (B, 2);
        certifiedRefused("an older generation's lane", IGateway.WrongLaneGeneration.selector);
        says.laneGeneration = 4;
        certifiedRefused("a later generation's lane", IGateway.WrongLaneGeneration.selector);
        (says.laneGeneration, says.registration) = (3, keccak256("another registration of A"));
        certifiedRefused("another registration", IGateway.SourceNotAllowed.selector);
        (says.registration, says.chainId) = (REGISTRATION, 5);
        certifiedRefused("another chain", IGateway.WrongChain.selector);
        (says.chainId, says.status) = (A, 9);
        certifiedRefused("unknown status", IGateway.UnknownStatus.selector);
    }

    // ---- Safe and Finalized

    function test_headNotDerived() public {
        for (uint8 confidence = 1; confidence <= 2; ++confidence) {
            begin(confidence);
            next(confidence);
            says.height += confidence;
            says.headHash = 0;
            client.submit(certificate());
            refusesWith(
                "not derived",
                abi.encodeWithSelector(IGateway.HeadNotDerived.selector, confidence),
                address(gateway),
                abi.encodeCall(gateway.recordLane, (laneProof()))
            );
            gateway.recordRollup(rollupProof());
            refusesDelivery("nothing to deliver", IGateway.LaneNotRecorded.selector, run(0, 1));
        }
    }

    /// @notice What is final stays deliverable: no freshness, no status, no generation.
    function test_finalizedIsNeverStopped() public {
        begin(2);
        says.height = 11;
        says.laneGeneration = 1;
        record();
        next(100);
        (says.status, says.generation) = (2, 4);
        recordRollup();
        vm.warp(2_000_000);
        (uint256 delivered,) = gateway.deliver(run(0, 2));
        eq("delivered", delivered, 2);
    }

    function test_safeIsStopped() public {
        begin(1);
        says.height = 11;
        says.laneGeneration = 2;
        record();
        gateway.deliver(run(0, 1));
        next(100);
        says.status = 1;
        recordRollup();
        refusesDelivery("quarantined", IGateway.SourceNotActive.selector, run(1, 1));
        next(100);
        (says.status, says.timeMs) = (0, 900_000_000);
        recordRollup();
        refusesDelivery("stale", IGateway.CheckpointStale.selector, run(1, 1));
    }

    function cut(bytes calldata data, uint256 length) external pure returns (bytes memory) {
        return data[:length];
    }
}
