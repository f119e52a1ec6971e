// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {Reference} from "./Reference.sol";
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

    /// @notice How operators know a source's heads is what a recipient can ask for, and follows the newest checkpoint recorded.
    function test_theClassIsShown() public {
        recordRollup();
        eq("re-executed", gateway.source(REGISTRATION).class, 0);
        (says.class, says.height) = (1, 11);
        client.submit(certificate());
        gateway.recordLane(laneProof());
        IGateway.Source memory s = gateway.source(REGISTRATION);
        eq("own node", s.class, 1);
        eq("generation beside it", s.generation, 3);
        eq("count beside it", s.laneCount, 2);
        bytes memory proof = rollupProof();
        proof[48 + 45] = 0;
        (bool ok,) = address(gateway).call(abi.encodeCall(gateway.recordRollup, (proof)));
        yes("another class is another leaf", !ok);
    }

    function test_onlyTheOwnerDecides() public {
        bytes memory allowing = abi.encodeCall(gateway.allow, (5, keccak256("x")));
        bytes memory notOwner = err(IGateway.NotOwner.selector, address(this));
        refuses("allow", notOwner, address(gateway), allowing);
        refuses("deny", notOwner, address(gateway), abi.encodeCall(gateway.deny, (A)));
    }

    function invalid(string memory what, uint64 chainId, bytes32 registration) private {
        allowRefused(what, err(IGateway.SourceInvalid.selector, chainId, registration), chainId, registration);
    }

    function allowRefused(string memory what, bytes memory expected, uint64 chainId, bytes32 registration) private {
        refusesFrom(OWNER, what, expected, address(gateway), abi.encodeCall(gateway.allow, (chainId, registration)));
    }

    function test_policyBounds() public {
        bytes32 x = keccak256("x");
        invalid("chain 0", 0, x);
        invalid("registration 0", 5, 0);
        invalid("this chain", B, x);
        invalid("the registration of another chain", 5, REGISTRATION);
        allowRefused("a second registration", err(IGateway.ChainHasSource.selector, A, REGISTRATION), A, x);
        allowRefused("the same again", err(IGateway.ChainHasSource.selector, A, REGISTRATION), A, REGISTRATION);
        bytes memory none = err(IGateway.ChainHasNoSource.selector, uint256(5));
        refusesFrom(OWNER, "deny what is not allowed", none, address(gateway), abi.encodeCall(gateway.deny, (5)));
    }

    /// @notice A registration stays with its chain, except that a slip can be taken back before anything is recorded.
    function test_constructorBounds() public {
        bytes memory code = vm.parseJsonBytes(vm.readFile("artifacts/Gateway.json"), ".bytecode");
        address[3] memory clients = [address(client), address(0), address(client)];
        uint8[3] memory confidences = [3, 0, 0];
        address[3] memory owners = [OWNER, OWNER, address(0)];
        for (uint256 i; i < 3; ++i) {
            bytes memory values = abi.encode(clients[i], confidences[i], owners[i]);
            bytes memory expected = abi.encodePacked(IGateway.ConstructorArguments.selector, values);
            (bool ok, bytes memory answer) = address(this).call(abi.encodeCall(this.create, (abi.encodePacked(code, values))));
            yes("refused", !ok);
            eq("error", answer, expected);
        }
    }

    function create(bytes calldata initCode) external returns (address created) {
        bytes memory code = initCode;
        assembly ("memory-safe") {
            created := create(0, add(code, 32), mload(code))
            if iszero(created) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function test_registrationStaysWithItsChain() public {
        bytes32 x = keccak256("x");
        vm.prank(OWNER);
        gateway.allow(6, x);
        invalid("allowed for 6", 7, x);
        vm.prank(OWNER);
        gateway.deny(6);
        vm.prank(OWNER);
        gateway.allow(7, x);
        eq("moved", gateway.source(x).chainId, 7);

        record();
        vm.prank(OWNER);
        gateway.deny(A);
        invalid("recorded for A", 8, REGISTRATION);
    }

    /// @notice Another registration of a chain does not inherit the former one's lane, status or time.
    function test_nextRegistrationStartsWithNothing() public {
        record();
        bytes memory before = run(0, 1);
        bytes32 next_ = keccak256("second registration of A");
        vm.prank(OWNER);
        gateway.deny(A);
        vm.prank(OWNER);
        gateway.allow(A, next_);
        refusesDelivery("former registration", err(IGateway.SourceNotAllowed.selector, REGISTRATION), before);
        refusesDelivery("next registration", err(IGateway.LaneNotRecorded.selector, next_), put(before, 0, abi.encode(next_)));
        refusesRecord("former's proof", err(IGateway.SourceNotAllowed.selector, REGISTRATION), laneProof());
    }

    function test_deniedByDefaultAndAgain() public {
        record();
        vm.prank(OWNER);
        gateway.deny(A);
        refusesDelivery("denied", err(IGateway.SourceNotAllowed.selector, REGISTRATION), run(0, 1));
        refusesRecord("denied", err(IGateway.SourceNotAllowed.selector, REGISTRATION), laneProof());
        eq("registration", gateway.registrationOf(A), 0);

        vm.prank(OWNER);
        gateway.allow(A, REGISTRATION);
        eq("registration", gateway.registrationOf(A), REGISTRATION);
        refusesDelivery("its lane is forgotten", err(IGateway.LaneNotRecorded.selector, REGISTRATION), run(0, 1));
        --says.height;
        client.submit(certificate());
        refusesRecord("its height is not", err(IGateway.OlderThanRecorded.selector, 9, 10), laneProof());
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
            refusesDelivery("not active", err(IGateway.SourceNotActive.selector, status_), run(0, 1));
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
        refusesDelivery("not active", err(IGateway.SourceNotActive.selector, 1), run(0, 1));
    }

    function test_freshFor60Seconds() public {
        record();
        vm.warp(1_000_060);
        gateway.deliver(run(0, 1));
        vm.warp(1_000_061);
        refusesDelivery("61 s", err(IGateway.CheckpointStale.selector, 1_000_000_000, 1_000_061), run(1, 1));
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
        refusesDelivery("dead lane", err(IGateway.LaneNotRecorded.selector, REGISTRATION), run(0, 1));
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
        refusesRecord("height", err(IGateway.OlderThanRecorded.selector, 10, 11), older);
        refuses(
            "height", err(IGateway.OlderThanRecorded.selector, 10, 11), address(gateway), abi.encodeCall(gateway.recordRollup, (olderRollup))
        );
        next(100);
        (says.generation, says.laneGeneration) = (2, 2);
        client.submit(certificate());
        refusesRecord("generation", err(IGateway.WrongGeneration.selector, 2, 3), laneProof());
        bytes memory proof = rollupProof();
        refuses("generation", err(IGateway.WrongGeneration.selector, 2, 3), address(gateway), abi.encodeCall(gateway.recordRollup, (proof)));
    }

    /// @notice An older lane that is only proven, not recorded, must be of the recorded generation.
    function test_relayOfADeadGeneration() public {
        client.submit(certificate());
        bytes memory lane = laneProof();
        bytes memory messages_ = run(0, 2);
        next(100);
        (says.generation, says.laneGeneration) = (4, 4);
        record();
        refuses("dead", err(IGateway.WrongGeneration.selector, 3, 4), address(gateway), abi.encodeCall(gateway.relay, ("", lane, messages_)));
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
        refuses("quarantined", err(IGateway.SourceNotActive.selector, 1), address(gateway), abi.encodeCall(gateway.relay, ("", lane, messages_)));
    }

    // ---- Every field of the proof

    uint256 private constant HEAD = 195 + 96;
    uint256 private constant LANE = HEAD + 112;

    function unknown(bytes memory proof) private pure returns (bytes memory) {
        bytes32 root = Reference.word(proof, 16);
        return err(IGateway.CheckpointUnknown.selector, Reference.number(proof, 0, 8), Reference.number(proof, 8, 8), uint256(root));
    }

    /// @notice What the rollup leaf, as the proof has it, leads to, against the root that the proof names.
    function rollupWrong(bytes memory proof) private pure returns (bytes memory) {
        bytes32 leaf = keccak256(Reference.slice(proof, 48, 142));
        bytes32 computed = Reference.rootOf(leaf, Reference.number(proof, 190, 4), proof, 195, 3);
        return err(IGateway.RollupProofWrong.selector, computed, Reference.word(proof, 16));
    }

    function laneWrong(bytes memory proof) private pure returns (bytes memory) {
        bytes32 leaf = keccak256(Reference.slice(proof, LANE, 96));
        bytes32 computed = Reference.rootOf(leaf, Reference.number(proof, LANE + 96, 4), proof, LANE + 101, 2);
        return err(IGateway.LaneProofWrong.selector, computed, Reference.word(proof, LANE - 32));
    }

    function test_refusesWhatTheLightClientDoesNotKnow() public {
        refusesRecord("no certificate", unknown(laneProof()), laneProof());
        client.submit(certificate());
        bytes memory proof = laneProof();
        refusesRecord("height", unknown(flip(proof, 7)), flip(proof, 7));
        refusesRecord("time", unknown(flip(proof, 15)), flip(proof, 15));
        refusesRecord("time above 48 bits", unknown(flip(proof, 8)), flip(proof, 8));
        refusesRecord("rollups root", rollupWrong(flip(proof, 47)), flip(proof, 47));
    }

    /// @notice A time that does not fit its place is refused even when it is certified: cut off, it would be another time.
    function test_refusesTimesThatDoNotFit() public {
        says.timeMs = (1 << 48) + 1_000_000_000;
        client.submit(certificate());
        refusesRecord("49 bits", unknown(laneProof()), laneProof());
        next(1);
        says.timeMs = (1 << 48) - 1;
        record();
        eq("48 bits", gateway.source(REGISTRATION).timeMs, (1 << 48) - 1);
    }

    function test_refusesOtherRollupLeaves() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        refusesRecord("chain id", err(IGateway.WrongChain.selector, A, A ^ 1), flip(proof, 55));
        bytes32 other = Reference.word(flip(proof, 87), 56);
        refusesRecord("registration", err(IGateway.SourceNotAllowed.selector, other), flip(proof, 87));
        refusesRecord("unknown status", err(IGateway.UnknownStatus.selector, 4), put(proof, 92, hex"04"));
        // generation, status, class, the head parts' hashes, index, siblings
        uint256[10] memory fields = [uint256(91), 92, 93, 94, 126, 158, 193, 195, 227, 259];
        for (uint256 i; i < fields.length; ++i) {
            refusesRecord("field of the leaf or its proof", rollupWrong(flip(proof, fields[i])), flip(proof, fields[i]));
        }
        bytes memory beyond = err(IGateway.LeafIndexOutOfRange.selector, 2 + 8, 3);
        refusesRecord("index beyond the tree", beyond, put(proof, 190, abi.encodePacked(uint32(2 + 8))));
    }

    function test_refusesOtherHeads() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        bytes32 part = Reference.word(proof, 48 + 46);
        for (uint256 i; i < 112; i += 3) {
            bytes memory bad = flip(proof, HEAD + i);
            bytes32 computed = keccak256(Reference.slice(bad, HEAD, 112));
            refusesRecord("head", err(IGateway.HeadPartWrong.selector, computed, part), bad);
        }
    }

    function test_refusesOtherLanes() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        address other = address(uint160(address(gateway)) ^ uint160(1 << 152));
        refusesRecord("facade", err(IGateway.WrongFacade.selector, other), flip(proof, LANE));
        refusesRecord("destination", err(IGateway.WrongDestination.selector, B ^ 1), flip(proof, LANE + 27));
        refusesRecord("generation", err(IGateway.WrongLaneGeneration.selector, 2, 3), flip(proof, LANE + 31));
        // count, rolling, root, index, siblings
        uint256[6] memory fields = [LANE + 39, LANE + 40, LANE + 64, LANE + 99, LANE + 101, LANE + 133];
        for (uint256 i; i < fields.length; ++i) {
            refusesRecord("field of the leaf or its proof", laneWrong(flip(proof, fields[i])), flip(proof, fields[i]));
        }
        bytes memory beyond = err(IGateway.LeafIndexOutOfRange.selector, 1 + 4, 2);
        refusesRecord("index beyond the tree", beyond, put(proof, LANE + 96, abi.encodePacked(uint32(1 + 4))));
    }

    function lengthWrong(uint256 found, uint256 expected) private pure returns (bytes memory) {
        return err(IGateway.ProofLength.selector, found, expected);
    }

    function test_refusesOtherLengths() public {
        client.submit(certificate());
        bytes memory proof = laneProof();
        uint256 n = proof.length;
        refusesRecord("empty", lengthWrong(0, 195), "");
        refusesRecord("before the first count", lengthWrong(194, 195), cut(proof, 194));
        refusesRecord("before the second count", lengthWrong(LANE + 100, LANE + 101), cut(proof, LANE + 100));
        refusesRecord("trailing", lengthWrong(n + 1, n), abi.encodePacked(proof, uint8(0)));
        refusesRecord("short", lengthWrong(n - 1, n), cut(proof, n - 1));
        refusesRecord("no lane", lengthWrong(HEAD, LANE + 101), rollupProof());
        refusesRecord("one sibling more", lengthWrong(n, n + 32), put(proof, LANE + 100, hex"03"));
        refusesRecord("far too many siblings", lengthWrong(n, 195 + 32 * 255), put(proof, 194, hex"ff"));
        bytes memory rollup = abi.encodePacked(rollupProof(), uint8(0));
        refuses("trailing", lengthWrong(HEAD + 1, HEAD), address(gateway), abi.encodeCall(gateway.recordRollup, (rollup)));
    }

    /// @notice A tree of more than 32 levels has no place for the index that a proof names.
    function test_refusesDeepTrees() public {
        bytes memory front = Reference.slice(laneProof(), 0, 194);
        bytes memory deep = abi.encodePacked(front, uint8(33), new bytes(33 * 32));
        refusesRecord("33 levels", err(IGateway.LeafIndexOutOfRange.selector, 2, 33), deep);
    }

    // ---- Proofs that hold, for something else: certified lanes that are not for here

    function certifiedRefused(string memory what, bytes memory expected) private {
        next(1);
        client.submit(certificate());
        refusesRecord(what, expected, laneProof());
    }

    function test_certifiedButNotForHere() public {
        says.facade = address(0xfacade);
        certifiedRefused("another facade's lane", err(IGateway.WrongFacade.selector, address(0xfacade)));
        (says.facade, says.destination) = (address(gateway), B + 1);
        certifiedRefused("to another chain", err(IGateway.WrongDestination.selector, B + 1));
        (says.destination, says.laneGeneration) = (B, 2);
        certifiedRefused("an older generation's lane", err(IGateway.WrongLaneGeneration.selector, 2, 3));
        says.laneGeneration = 4;
        certifiedRefused("a later generation's lane", err(IGateway.WrongLaneGeneration.selector, 4, 3));
        (says.laneGeneration, says.registration) = (3, keccak256("another registration of A"));
        certifiedRefused("another registration", err(IGateway.SourceNotAllowed.selector, says.registration));
        (says.registration, says.chainId) = (REGISTRATION, 5);
        certifiedRefused("another chain", err(IGateway.WrongChain.selector, A, 5));
        (says.chainId, says.status) = (A, 9);
        certifiedRefused("unknown status", err(IGateway.UnknownStatus.selector, 9));
    }

    /// @notice One façade, one light client, one source, on a third chain: what was meant for B is nothing there.
    function test_sameAddressOnAThirdChain() public {
        client.submit(certificate());
        vm.chainId(B + 1);
        refusesRecord("B's lane on another chain", err(IGateway.WrongDestination.selector, B), laneProof());
        bytes memory lane = laneProof();
        bytes memory messages_ = run(0, 2);
        bytes memory wrong = err(IGateway.WrongDestination.selector, B);
        refuses("relayed", wrong, address(gateway), abi.encodeCall(gateway.relay, ("", lane, messages_)));
        refusesDelivery("delivered", err(IGateway.LaneNotRecorded.selector, REGISTRATION), messages_);
        vm.chainId(B);
        (uint256 delivered,) = gateway.relay("", lane, messages_);
        eq("where it belongs", delivered, 2);
    }

    /// @notice The source itself cannot be told that it is its own source.
    function test_sourceDoesNotDeliverToItself() public {
        client.submit(certificate());
        vm.chainId(A);
        refusesRecord("on the source", err(IGateway.WrongDestination.selector, B), laneProof());
        invalid("allowing itself", A, keccak256("x"));
    }

    // ---- Safe and Finalized

    function test_headNotDerived() public {
        for (uint8 confidence = 1; confidence <= 2; ++confidence) {
            begin(confidence);
            next(confidence);
            says.height += confidence;
            says.headHash = 0;
            client.submit(certificate());
            bytes memory notDerived = err(IGateway.HeadNotDerived.selector, confidence);
            refusesRecord("not derived", notDerived, laneProof());
            bytes memory call_ = abi.encodeCall(gateway.relay, ("", laneProof(), run(0, 1)));
            refuses("not derived", notDerived, address(gateway), call_);
            gateway.recordRollup(rollupProof());
            refusesDelivery("nothing to deliver", err(IGateway.LaneNotRecorded.selector, REGISTRATION), run(0, 1));
        }
    }

    /// @notice A lane certified under one confidence is nothing to the façade of another: its head part is not there.
    function test_confidencesDoNotMix() public {
        says.headHash = keccak256("latest only");
        client.submit(certificate());
        bytes memory latest = laneProof();
        bytes32 computed = keccak256(Reference.slice(latest, HEAD, 112));
        begin(2);
        refusesRecord("a Latest lane", err(IGateway.HeadPartWrong.selector, computed, keccak256("finalized")), latest);
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
        refusesDelivery("quarantined", err(IGateway.SourceNotActive.selector, 1), run(1, 1));
        next(100);
        (says.status, says.timeMs) = (0, 900_000_000);
        recordRollup();
        refusesDelivery("stale", err(IGateway.CheckpointStale.selector, 900_000_000, 1_000_000), run(1, 1));
    }
}
