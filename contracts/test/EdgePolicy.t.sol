// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {IEdgePolicy} from "../src/interfaces/IEdgePolicy.sol";
import {IGateway} from "../src/interfaces/IGateway.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {RollupProof} from "../src/lib/RollupProof.sol";
import {Committees} from "./Committees.sol";
import {Reference} from "./Reference.sol";
import {Vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice Chain A is the rollup that this policy stands on; its leaf is the third of five.
contract EdgePolicyTest is World {
    address private constant BOOTSTRAP = address(0xb007);
    address private constant GOVERNOR = address(0x90e);
    address private constant SEQUENCER = address(0x5e9);
    address private constant EVE = address(0xe5e);
    bytes32 private constant ANCHOR = keccak256("anchor");
    bytes32 private constant PROFILE = keccak256("profile");
    bytes32 private constant OTHER = keccak256("registration of B");
    uint32 private constant DELAY = 2 days;
    uint32 private constant REANCHOR = 1 days;

    IEdgePolicy private policy;

    function setUp() public override {
        vm.warp(1_000_000);
        vm.chainId(A);
        policy = IEdgePolicy(deploy("EdgePolicy", abi.encode(config())));
        policy.createLightClient(code("LightClient"));
        for (uint8 c; c < 3; ++c) policy.createGateway(c, code("Gateway"));
        client = ILightClient(policy.LIGHT_CLIENT());
        client.installTable(EPOCH, table("four"));
        gateway = IGateway(policy.gatewayOf(0));
        says = Says(10, 1_000_000_000, A, registration(SEQUENCER, ANCHOR, GOVERNOR, PROFILE), 0, 0, 55, keccak256("block"), address(gateway), B, 0, 0);
    }

    function code(string memory name) private view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile(string.concat("artifacts/", name, ".json")), ".bytecode");
    }

    function config() private returns (IEdgePolicy.Config memory c) {
        (c.domain, c.genesisEpoch, c.genesisTableHash) = (DOMAIN, EPOCH, keccak256(table("four")));
        (c.reanchorDelayS, c.delayS, c.bootstrap) = (REANCHOR, DELAY, BOOTSTRAP);
        (c.tableInCode, c.gateway) = (keccak256(code("LightClient")), keccak256(code("Gateway")));
        c.tableInStorage = keccak256(code("LightClientInStorage"));
    }

    function registration(address sequencer, bytes32 anchor, address governor, bytes32 profile) private pure returns (bytes32) {
        bytes32 spec = keccak256(abi.encodePacked(governor, profile));
        return keccak256(abi.encodePacked("hum/registration/1", A, sequencer, anchor, spec));
    }

    function claim(bytes memory certificate_, bytes memory rollup) private pure returns (bytes memory) {
        return abi.encodeCall(IEdgePolicy.claim, (certificate_, rollup, SEQUENCER, ANCHOR, GOVERNOR, PROFILE));
    }

    function claimed() private {
        vm.prank(EVE);
        policy.claim(certificate(), rollupProof(), SEQUENCER, ANCHOR, GOVERNOR, PROFILE);
    }

    function owner() private view returns (address) {
        return Ownable(address(policy)).owner();
    }

    function stranger(address from, string memory what, bytes memory data) private {
        refusesFrom(from, what, err(Ownable.OwnableUnauthorizedAccount.selector, from), address(policy), data);
    }

    function refused(address from, string memory what, bytes memory expected, bytes memory data) private {
        refusesFrom(from, what, expected, address(policy), data);
    }

    function allow_(uint64 chainId, bytes32 id, uint8 confidence) private pure returns (bytes memory) {
        return abi.encodeCall(IEdgePolicy.allow, (chainId, id, confidence));
    }

    // ---- Parts

    function test_partsAreThisDeployments() public {
        eq("domain", client.DOMAIN(), DOMAIN);
        eq("owner", client.OWNER(), address(policy));
        eq("delay", client.REANCHOR_DELAY_S(), REANCHOR);
        eq("epoch", client.newestEpoch(), EPOCH);
        eq("table", client.tableHash(EPOCH), keccak256(table("four")));
        for (uint8 c; c < 3; ++c) {
            IGateway g = IGateway(policy.gatewayOf(c));
            eq("confidence", g.CONFIDENCE(), c);
            eq("owner", g.OWNER(), address(policy));
            eq("light client", g.LIGHT_CLIENT(), address(client));
        }
        eq("config", abi.encode(policy.config()), abi.encode(config()));
        eq("bootstrap", policy.BOOTSTRAP(), BOOTSTRAP);
        eq("owner", owner(), BOOTSTRAP);
        eq("delay", policy.DELAY_S(), DELAY);
        yes("reads code", policy.readsCode());
        yes("unclaimed", !policy.claimed());
    }

    function test_partsOnce() public {
        bytes memory failed = err(Errors.FailedDeployment.selector);
        refuses("light client", failed, address(policy), abi.encodeCall(IEdgePolicy.createLightClient, (code("LightClient"))));
        for (uint8 c; c < 3; ++c) {
            refuses("gateway", failed, address(policy), abi.encodeCall(IEdgePolicy.createGateway, (c, code("Gateway"))));
        }
    }

    function test_partsOfOtherCode() public {
        IEdgePolicy fresh = IEdgePolicy(deploy("EdgePolicy", abi.encode(config())));
        bytes memory client_ = code("LightClient");
        bytes memory gateway_ = code("Gateway");
        bytes memory other = flip(client_, 1000);
        bytes memory wrong = err(IEdgePolicy.CodeWrong.selector, keccak256(other), keccak256(client_));
        refuses("light client", wrong, address(fresh), abi.encodeCall(IEdgePolicy.createLightClient, (other)));
        other = flip(gateway_, 1000);
        wrong = err(IEdgePolicy.CodeWrong.selector, keccak256(other), keccak256(gateway_));
        refuses("gateway", wrong, address(fresh), abi.encodeCall(IEdgePolicy.createGateway, (1, other)));
        wrong = err(IEdgePolicy.ConfidenceUnknown.selector, uint256(3));
        refuses("confidence", wrong, address(fresh), abi.encodeCall(IEdgePolicy.createGateway, (3, gateway_)));
        refuses("no such gateway", wrong, address(fresh), abi.encodeCall(IEdgePolicy.gatewayOf, (3)));
        // In any order, whoever sends them.
        vm.prank(EVE);
        eq("finalized", fresh.createGateway(2, gateway_), fresh.gatewayOf(2));
        eq("light client", fresh.createLightClient(client_), fresh.LIGHT_CLIENT());
        eq("latest", fresh.createGateway(0, gateway_), fresh.gatewayOf(0));
    }

    /// @notice Little gas does not make a chain look as if it could not read code.
    function testFuzz_gasChoosesNothing(uint256 gas) public {
        IEdgePolicy fresh = IEdgePolicy(deploy("EdgePolicy", abi.encode(config())));
        bytes memory data = abi.encodeCall(IEdgePolicy.createLightClient, (code("LightClient")));
        (bool ok,) = address(fresh).call{gas: gas % 2_500_000}(data);
        yes("the right one or none", !ok || fresh.LIGHT_CLIENT().code.length == address(client).code.length);
        // The other code is never taken.
        (ok,) = address(fresh).call{gas: gas % 2_500_000}(abi.encodeCall(IEdgePolicy.createLightClient, (code("LightClientInStorage"))));
        yes("not the other", !ok);
    }

    /// @notice Where code cannot be read only the other light client is taken, at the same address.
    function test_chainThatReadsNoCode() public {
        IEdgePolicy fresh = IEdgePolicy(deploy("EdgePolicy", abi.encode(config())));
        bytes memory inCode = abi.encodeCall(IEdgePolicy.createLightClient, (code("LightClient")));
        bytes memory inStorage = abi.encodeCall(IEdgePolicy.createLightClient, (code("LightClientInStorage")));
        bytes memory readsCode = abi.encodeCall(IEdgePolicy.readsCode, ());
        bytes memory wrong = err(IEdgePolicy.CodeWrong.selector, keccak256(code("LightClientInStorage")), keccak256(code("LightClient")));
        refuses("here", wrong, address(fresh), inStorage);
        address here = fresh.LIGHT_CLIENT();
        for (uint256 i; i < 2; ++i) {
            uint256 snapshot = vm.snapshotState();
            // An instruction that is not known, or one that gives zeros.
            if (i == 0) vm.mockCallRevert(address(fresh), readsCode, "");
            else vm.mockCall(address(fresh), readsCode, abi.encode(false));
            wrong = err(IEdgePolicy.CodeWrong.selector, keccak256(code("LightClient")), keccak256(code("LightClientInStorage")));
            refuses("there", wrong, address(fresh), inCode);
            (bool ok, bytes memory answer) = address(fresh).call(inStorage);
            yes("created", ok);
            eq("same address", abi.decode(answer, (address)), here);
            vm.clearMockedCalls();
            vm.revertToState(snapshot);
        }
    }

    // ---- Governance

    function test_claim() public {
        vm.recordLogs();
        claimed();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("event", logs[logs.length - 1].topics[0], IEdgePolicy.Claimed.selector);
        eq("governor", logs[logs.length - 1].topics[1], bytes32(uint256(uint160(GOVERNOR))));
        eq("registration", logs[logs.length - 1].topics[2], says.registration);
        eq("owner", owner(), GOVERNOR);
        yes("claimed", policy.claimed());
        stranger(BOOTSTRAP, "the bootstrap account", allow_(B, OTHER, 0));
        refused(EVE, "again", err(IEdgePolicy.ClaimedAlready.selector), claim("", rollupProof()));
    }

    /// @notice The light client may hold the checkpoint already.
    function test_claimWithoutCertificate() public {
        refused(EVE, "unknown", abi.encodeWithSelector(RollupProof.CheckpointUnknown.selector, says.height, says.timeMs, header().rollupsRoot), claim("", rollupProof()));
        client.submit(certificate());
        (bool ok,) = address(policy).call(claim("", rollupProof()));
        yes("claimed", ok && policy.claimed());
    }

    /// @notice A handover that the bootstrap account began ends with the claim.
    function test_claimEndsHandover() public {
        vm.prank(BOOTSTRAP);
        Ownable2Step(address(policy)).transferOwnership(EVE);
        claimed();
        stranger(EVE, "accept", abi.encodeCall(Ownable2Step.acceptOwnership, ()));
        eq("owner", owner(), GOVERNOR);
    }

    /// @notice Also when it handed over, or gave up.
    function test_claimAfterRenouncing() public {
        vm.prank(BOOTSTRAP);
        Ownable(address(policy)).renounceOwnership();
        eq("nobody", owner(), address(0));
        claimed();
        eq("owner", owner(), GOVERNOR);
    }

    function test_otherWordsClaimNothing() public {
        client.submit(certificate());
        bytes memory proof = rollupProof();
        address[2] memory sequencers = [EVE, SEQUENCER];
        bytes32[2] memory anchors = [ANCHOR, keccak256("other anchor")];
        otherWords("sequencer", proof, sequencers[0], ANCHOR, GOVERNOR, PROFILE);
        otherWords("anchor", proof, SEQUENCER, anchors[1], GOVERNOR, PROFILE);
        otherWords("governor", proof, SEQUENCER, ANCHOR, EVE, PROFILE);
        otherWords("profile", proof, SEQUENCER, ANCHOR, GOVERNOR, keccak256("other profile"));
    }

    function otherWords(string memory what, bytes memory proof, address sequencer, bytes32 anchor, address governor, bytes32 profile) private {
        bytes32 computed = registration(sequencer, anchor, governor, profile);
        bytes memory expected = err(IEdgePolicy.RegistrationOther.selector, says.registration, computed);
        refused(EVE, what, expected, abi.encodeCall(IEdgePolicy.claim, ("", proof, sequencer, anchor, governor, profile)));
        eq("owner", owner(), BOOTSTRAP);
    }

    /// @notice A registration without governor keeps the bootstrap account.
    function test_noGovernorClaimsNothing() public {
        says.registration = registration(SEQUENCER, ANCHOR, address(0), PROFILE);
        client.submit(certificate());
        bytes memory data = abi.encodeCall(IEdgePolicy.claim, ("", rollupProof(), SEQUENCER, ANCHOR, address(0), PROFILE));
        refused(EVE, "nobody", err(Ownable.OwnableInvalidOwner.selector, address(0)), data);
    }

    /// @notice A leaf of another chain that registered the same words.
    function test_anotherChainsLeaf() public {
        says.chainId = B;
        bytes32 spec = keccak256(abi.encodePacked(GOVERNOR, PROFILE));
        says.registration = keccak256(abi.encodePacked("hum/registration/1", B, SEQUENCER, ANCHOR, spec));
        client.submit(certificate());
        refused(EVE, "B's", err(IEdgePolicy.WrongChain.selector, uint256(A), uint256(B)), claim("", rollupProof()));
        vm.chainId(B);
        (bool ok,) = address(policy).call(claim("", rollupProof()));
        yes("there", ok);
    }

    function test_spoiledProofs() public {
        client.submit(certificate());
        bytes memory proof = rollupProof();
        (bytes32 root,) = rollups();
        refused(EVE, "short", err(RollupProof.ProofLength.selector, 194, 195), claim("", cut(proof, 194)));
        refused(EVE, "no siblings", err(RollupProof.ProofLength.selector, proof.length - 1, proof.length), claim("", cut(proof, proof.length - 1)));
        refused(EVE, "trailing", err(RollupProof.ProofLength.selector, proof.length + 1, proof.length), claim("", bytes.concat(proof, hex"00")));
        refused(EVE, "index", err(RollupProof.LeafIndexOutOfRange.selector, 8, 3), claim("", put(proof, 190, hex"00000008")));
        bytes memory unknown = abi.encodeWithSelector(RollupProof.CheckpointUnknown.selector, says.height + 1, says.timeMs, root);
        refused(EVE, "height", unknown, claim("", put(proof, 0, abi.encodePacked(says.height + 1))));
        unknown = abi.encodeWithSelector(RollupProof.CheckpointUnknown.selector, says.height, says.timeMs + 1, root);
        refused(EVE, "time", unknown, claim("", put(proof, 8, abi.encodePacked(says.timeMs + 1))));
        // Every other byte shows as another root.
        for (uint256 at = 16; at < proof.length; at += 7) {
            if (at >= 190 && at < 195) continue;
            (bool ok, bytes memory answer) = address(policy).call(claim("", flip(proof, at)));
            yes("refused", !ok && bytes4(answer) == RollupProof.RollupProofWrong.selector);
        }
        yes("unclaimed", !policy.claimed());
    }

    function test_spoiledCertificate() public {
        bytes memory c = certificate();
        bytes memory proof = rollupProof();
        (bool ok, bytes memory answer) = address(policy).call(claim(flip(c, 30), proof));
        yes("refused", !ok && (bytes4(answer) == ILightClient.RootHintWrong.selector || bytes4(answer) == ILightClient.SignatureInvalid.selector));
        yes("unclaimed", !policy.claimed());
    }

    // ---- Policy

    function test_bootstrapAllowsAtOnce() public {
        for (uint8 c; c < 3; ++c) {
            vm.prank(BOOTSTRAP);
            policy.allow(B, OTHER, c);
            eq("allowed", IGateway(policy.gatewayOf(c)).registrationOf(B), OTHER);
            (, uint64 readyAt) = policy.announced(B, c);
            eq("nothing waits", readyAt, 0);
        }
        refused(BOOTSTRAP, "confidence", err(IEdgePolicy.ConfidenceUnknown.selector, uint256(3)), allow_(B, OTHER, 3));
        refused(BOOTSTRAP, "taken", err(IGateway.ChainHasSource.selector, uint256(B), OTHER), allow_(B, keccak256("another"), 0));
        vm.prank(BOOTSTRAP);
        policy.deny(B, 1);
        eq("denied", IGateway(policy.gatewayOf(1)).registrationOf(B), 0);
        eq("the others not", IGateway(policy.gatewayOf(2)).registrationOf(B), OTHER);
        refused(BOOTSTRAP, "nothing to deny", err(IGateway.ChainHasNoSource.selector, uint256(B)), abi.encodeCall(IEdgePolicy.deny, (B, 1)));
    }

    function test_governorWaits() public {
        claimed();
        vm.recordLogs();
        vm.prank(GOVERNOR);
        policy.allow(B, OTHER, 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("announced", logs[0].topics[0], IEdgePolicy.AllowanceAnnounced.selector);
        uint64 readyAt = uint64(block.timestamp) + DELAY;
        eq("what", logs[0].data, abi.encode(OTHER, readyAt));
        eq("not yet", gateway.registrationOf(B), 0);
        bytes memory execute = abi.encodeCall(IEdgePolicy.execute, (B, 0));
        refused(EVE, "early", err(IEdgePolicy.NotReady.selector, readyAt, block.timestamp), execute);
        refused(EVE, "another confidence", err(IEdgePolicy.NothingAnnounced.selector, uint256(B), uint256(1)), abi.encodeCall(IEdgePolicy.execute, (B, 1)));
        refused(EVE, "another chain", err(IEdgePolicy.NothingAnnounced.selector, uint256(B) + 1, uint256(0)), abi.encodeCall(IEdgePolicy.execute, (B + 1, 0)));
        refused(EVE, "no confidence", err(IEdgePolicy.ConfidenceUnknown.selector, uint256(3)), abi.encodeCall(IEdgePolicy.execute, (B, 3)));
        vm.warp(readyAt - 1);
        refused(EVE, "a second early", err(IEdgePolicy.NotReady.selector, readyAt, readyAt - 1), execute);
        vm.warp(readyAt);
        vm.prank(EVE);
        policy.execute(B, 0);
        eq("allowed", gateway.registrationOf(B), OTHER);
        refused(EVE, "once", err(IEdgePolicy.NothingAnnounced.selector, uint256(B), uint256(0)), execute);
    }

    function test_announcingAgainWaitsAgain() public {
        claimed();
        vm.prank(GOVERNOR);
        policy.allow(B, OTHER, 0);
        vm.warp(block.timestamp + DELAY - 1);
        bytes32 another = keccak256("another");
        vm.prank(GOVERNOR);
        policy.allow(B, another, 0);
        vm.warp(block.timestamp + 1);
        refused(EVE, "anew", err(IEdgePolicy.NotReady.selector, block.timestamp - 1 + DELAY, block.timestamp), abi.encodeCall(IEdgePolicy.execute, (B, 0)));
        vm.warp(block.timestamp + DELAY);
        policy.execute(B, 0);
        eq("the last word", gateway.registrationOf(B), another);
    }

    function test_denyCancels() public {
        claimed();
        vm.prank(GOVERNOR);
        policy.allow(B, OTHER, 0);
        vm.recordLogs();
        vm.prank(GOVERNOR);
        policy.deny(B, 0);
        eq("cancelled", vm.getRecordedLogs()[0].topics[0], IEdgePolicy.AllowanceCancelled.selector);
        vm.warp(block.timestamp + DELAY);
        refused(EVE, "nothing", err(IEdgePolicy.NothingAnnounced.selector, uint256(B), uint256(0)), abi.encodeCall(IEdgePolicy.execute, (B, 0)));
        // One that stands and one that waits go together.
        vm.startPrank(GOVERNOR);
        policy.allow(B, OTHER, 0);
        vm.warp(block.timestamp + DELAY);
        policy.execute(B, 0);
        policy.allow(B, keccak256("another"), 0);
        policy.deny(B, 0);
        vm.stopPrank();
        eq("denied", gateway.registrationOf(B), 0);
        refused(GOVERNOR, "neither", err(IGateway.ChainHasNoSource.selector, uint256(B)), abi.encodeCall(IEdgePolicy.deny, (B, 0)));
    }

    function test_lanesAtOnce() public {
        claimed();
        vm.startPrank(GOVERNOR);
        policy.closeLane(B, 1);
        yes("that one", IGateway(policy.gatewayOf(1)).isLaneClosed(B) && !gateway.isLaneClosed(B));
        uint64[] memory list = new uint64[](2);
        (list[0], list[1]) = (B, 5);
        policy.pause(list);
        for (uint8 c; c < 3; ++c) {
            IGateway g = IGateway(policy.gatewayOf(c));
            yes("paused", g.isLaneClosed(B) && g.isLaneClosed(5) && !g.isLaneClosed(6));
        }
        policy.openLane(B, 2);
        yes("opened", !IGateway(policy.gatewayOf(2)).isLaneClosed(B) && gateway.isLaneClosed(B));
        policy.resume(list);
        for (uint8 c; c < 3; ++c) {
            IGateway g = IGateway(policy.gatewayOf(c));
            yes("resumed", !g.isLaneClosed(B) && !g.isLaneClosed(5));
        }
        vm.stopPrank();
        bytes memory unknown = err(IEdgePolicy.ConfidenceUnknown.selector, uint256(3));
        refused(GOVERNOR, "close", unknown, abi.encodeCall(IEdgePolicy.closeLane, (B, 3)));
        refused(GOVERNOR, "open", unknown, abi.encodeCall(IEdgePolicy.openLane, (B, 3)));
        refused(GOVERNOR, "deny", unknown, abi.encodeCall(IEdgePolicy.deny, (B, 3)));
    }

    function test_onlyTheOwner() public {
        uint64[] memory list = new uint64[](1);
        bytes[8] memory calls = [
            allow_(B, OTHER, 0),
            abi.encodeCall(IEdgePolicy.deny, (B, 0)),
            abi.encodeCall(IEdgePolicy.closeLane, (B, 0)),
            abi.encodeCall(IEdgePolicy.openLane, (B, 0)),
            abi.encodeCall(IEdgePolicy.pause, (list)),
            abi.encodeCall(IEdgePolicy.resume, (list)),
            abi.encodeCall(IEdgePolicy.announceAnchor, (EPOCH + 1, OTHER)),
            abi.encodeCall(Ownable.transferOwnership, (EVE))
        ];
        for (uint256 i; i < calls.length; ++i) stranger(EVE, "stranger", calls[i]);
        stranger(GOVERNOR, "not yet", calls[0]);
        claimed();
        for (uint256 i; i < calls.length; ++i) stranger(BOOTSTRAP, "bootstrap", calls[i]);
    }

    function test_handover() public {
        claimed();
        vm.prank(GOVERNOR);
        Ownable2Step(address(policy)).transferOwnership(SENDER);
        eq("not yet", owner(), GOVERNOR);
        stranger(EVE, "another accepts", abi.encodeCall(Ownable2Step.acceptOwnership, ()));
        vm.prank(SENDER);
        Ownable2Step(address(policy)).acceptOwnership();
        eq("handed over", owner(), SENDER);
        stranger(GOVERNOR, "the old one", allow_(B, OTHER, 0));
    }

    /// @notice A light client that slept is re-anchored through its owner.
    function test_anchor() public {
        bytes memory data = abi.encodeCall(IEdgePolicy.announceAnchor, (EPOCH + 1, OTHER));
        refused(BOOTSTRAP, "it lives", err(ILightClient.CommitteeLives.selector, VALID_UNTIL, block.timestamp), data);
        vm.warp(uint256(VALID_UNTIL) + 1);
        vm.prank(BOOTSTRAP);
        policy.announceAnchor(EPOCH + 1, OTHER);
        eq("announced", client.announcedAnchor().tableHash, OTHER);
    }
}
