// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IClaimJudge} from "../../src/interfaces/IClaimJudge.sol";
import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {Proud} from "./RollupRegistry.t.sol";
import {RollupWorld} from "./RollupWorld.sol";

contract ClaimJudgeTest is RollupWorld {
    uint256 private constant BOND = 0.1 ether;
    uint64 private constant ANSWER = 6 hours;
    address private constant EVE = address(0xe5e);
    IClaimJudge private court;

    function setUp() public override {
        super.setUp();
        court = IClaimJudge(judge("ClaimJudge", abi.encode(manager, tables, registry, BOND, ANSWER)));
        vm.deal(EVE, 1 ether);
    }

    receive() external payable {}

    function challenging(bytes memory evidence, bytes memory what) private pure returns (bytes memory) {
        return abi.encodeCall(IClaimJudge.challenge, (evidence, what));
    }

    function challenge(bytes memory evidence) private returns (bytes32 id) {
        vm.prank(EVE);
        id = court.challenge{value: BOND}(evidence, statement());
    }

    function subject() private view returns (IClaimJudge.Subject memory) {
        return IClaimJudge.Subject(says.chainId, says.registration, says.generation, says.number, says.blockHash);
    }

    function subjectHash() private view returns (bytes32) {
        return keccak256(abi.encodePacked(says.chainId, says.registration, says.generation, says.number, says.blockHash));
    }

    function digestOfAnswer(string memory label) private view returns (bytes32) {
        bytes memory front = abi.encodePacked(label, DOMAIN, says.chainId, says.registration);
        return keccak256(abi.encodePacked(front, says.generation, says.number, says.blockHash));
    }

    function answering(bytes32 id, bool retraction, bytes memory sig) private view returns (bytes memory) {
        return abi.encodeCall(IClaimJudge.answer, (id, subject(), retraction, sig));
    }

    function slashing(bytes memory evidence, bytes memory seats) private view returns (bytes memory) {
        return abi.encodeCall(IClaimJudge.slash, (evidence, statement(), seats));
    }

    function refusedChallenge(string memory what, bytes memory expected, bytes memory evidence, bytes memory about) private {
        refuses(what, expected, address(court), BOND, challenging(evidence, about));
    }

    // ---- Unanswered

    function test_unansweredSingle() public {
        bytes memory evidence = single(1, header());
        bytes32 id = challenge(evidence);
        framed("too early", err(IClaimJudge.ChallengeNotUnanswered.selector, id, bytes32(uint256(1))), address(court), slashing(evidence, ""));
        uint256 deadline = block.timestamp + ANSWER;
        vm.warp(deadline);
        framed("until the end", err(IClaimJudge.AnswerTimeNotOver.selector, deadline), address(court), abi.encodeCall(IClaimJudge.conclude, (id)));
        vm.warp(deadline + 1);
        framed("too late", err(IClaimJudge.AnswerTooLate.selector, deadline), address(court), answering(id, false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, says)));
        uint256 before = EVE.balance;
        court.conclude(id);
        eq("bond back", EVE.balance - before, BOND);
        court.slash(evidence, statement(), "");
        expectSlashed("slashed", 1, 3);
        eq("offence", manager.lastOffence(), keccak256(abi.encodePacked(uint8(3), operator(1), base.height, subjectHash())));
        framed("once", err(IEvidence.NothingToSlash.selector), address(court), slashing(evidence, ""));
        framed("concluded", err(IClaimJudge.ChallengeNotOpen.selector, id, bytes32(uint256(3))), address(court), abi.encodeCall(IClaimJudge.conclude, (id)));
        eq("bonds", address(court).balance, 0);
    }

    function test_unansweredCertificate() public {
        bytes memory evidence = certified(header(), hex"02");
        bytes32 id = challenge(evidence);
        vm.warp(block.timestamp + ANSWER + 1);
        court.conclude(id);
        framed("absent", err(IEvidence.SeatDidNotSign.selector, uint256(2)), address(court), slashing(evidence, hex"02"));
        framed("no seat", err(IEvidence.SeatDidNotSign.selector, uint256(4)), address(court), slashing(evidence, hex"04"));
        framed("no seats", err(IEvidence.SeatsWrong.selector, uint256(0)), address(court), slashing(evidence, ""));
        court.slash(evidence, statement(), hex"00");
        court.slash(evidence, statement(), hex"000103");
        eq("three", manager.slashes(), 3);
    }

    /// @notice A verdict reaches only those whose signatures were shown before it, not who signs the same header later.
    function test_laterSignersAreSafe() public {
        bytes32 id = challenge(single(1, header()));
        vm.warp(block.timestamp + ANSWER + 1);
        court.conclude(id);
        bytes memory honest = single(2, header());
        bytes32 none = keccak256(abi.encodePacked(keccak256(honest), keccak256(statement())));
        framed("honest", err(IClaimJudge.ChallengeNotUnanswered.selector, none, 0), address(court), slashing(honest, ""));
        // Challenged itself, it answers; then the first verdict changes nothing for it.
        bytes32 second = challenge(honest);
        court.answer(second, subject(), false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, says));
        framed("answered", err(IClaimJudge.ChallengeNotUnanswered.selector, second, bytes32(uint256(2))), address(court), slashing(honest, ""));
    }

    // ---- Answered

    function test_answered() public {
        bytes memory evidence = certified(header(), "");
        bytes32 id = challenge(evidence);
        uint256 before = address(this).balance;
        // The last moment.
        vm.warp(block.timestamp + ANSWER);
        court.answer(id, subject(), false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, says));
        eq("bond", address(this).balance - before, BOND);
        yes("shown", court.isShown(subjectHash()));
        vm.warp(block.timestamp + 1);
        framed("closed", err(IClaimJudge.ChallengeNotOpen.selector, id, bytes32(uint256(2))), address(court), abi.encodeCall(IClaimJudge.conclude, (id)));
        framed("not slashed", err(IClaimJudge.ChallengeNotUnanswered.selector, id, bytes32(uint256(2))), address(court), slashing(evidence, hex"00"));
        refusedChallenge("again", err(IClaimJudge.ClaimKnown.selector, subjectHash()), single(1, header()), statement());
    }

    /// @notice A head that a retraction kept was advanced without a claim in its generation.
    function test_answeredByRetraction() public {
        bytes32 id = challenge(single(1, header()));
        court.answer(id, subject(), true, sequencerSigns("hum/retraction/1", SEQUENCER_KEY, says));
        eq("bonds", address(court).balance, 0);
    }

    /// @notice One answer ends every challenge of the same head, even when its time is over.
    function test_answeredOnceForAll() public {
        bytes32 one = challenge(single(1, header()));
        bytes32 two = challenge(single(2, header()));
        framed("not yet", err(IClaimJudge.AnswerInvalid.selector, subjectHash()), address(court), abi.encodeCall(IClaimJudge.answerAgain, (two)));
        court.answer(one, subject(), false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, says));
        vm.warp(block.timestamp + ANSWER + 1);
        framed("known", err(IClaimJudge.ClaimKnown.selector, subjectHash()), address(court), abi.encodeCall(IClaimJudge.conclude, (two)));
        court.answerAgain(two);
        eq("bonds", address(court).balance, 0);
        framed("closed", err(IClaimJudge.ChallengeNotOpen.selector, two, bytes32(uint256(2))), address(court), abi.encodeCall(IClaimJudge.answerAgain, (two)));
    }

    function test_answersRefused() public {
        bytes32 id = challenge(single(1, header()));
        bytes memory wrong = err(IClaimJudge.AnswerInvalid.selector, digestOfAnswer("hum/claim/1"));
        bytes memory good = sequencerSigns("hum/claim/1", SEQUENCER_KEY, says);
        framed("another key", wrong, address(court), answering(id, false, sequencerSigns("hum/claim/1", SEQUENCER_KEY + 1, says)));
        framed("retraction as claim", wrong, address(court), answering(id, false, sequencerSigns("hum/retraction/1", SEQUENCER_KEY, says)));
        framed("claim as retraction", err(IClaimJudge.AnswerInvalid.selector, digestOfAnswer("hum/retraction/1")), address(court), answering(id, true, good));
        framed("short", wrong, address(court), answering(id, false, cut(good, 64)));
        framed("long", wrong, address(court), answering(id, false, abi.encodePacked(good, uint8(0))));
        framed("empty", wrong, address(court), answering(id, false, ""));
        framed("spoiled", wrong, address(court), answering(id, false, flip(good, 3)));
        bytes32 expected = subjectHash();
        Says memory kept = says;
        for (uint256 field; field < 5; ++field) {
            if (field == 0) says.chainId++;
            if (field == 1) says.registration = keccak256("other");
            if (field == 2) says.generation++;
            if (field == 3) says.number++;
            if (field == 4) says.blockHash = keccak256("other");
            bytes memory sig = sequencerSigns("hum/claim/1", SEQUENCER_KEY, says);
            framed("another head", err(IClaimJudge.SubjectWrong.selector, subjectHash(), expected), address(court), answering(id, false, sig));
            says = kept;
        }
        framed("no challenge", err(IClaimJudge.ChallengeNotOpen.selector, bytes32(uint256(5)), 0), address(court), answering(bytes32(uint256(5)), false, good));
    }

    // ---- What cannot be challenged

    function test_challengesRefused() public {
        bytes memory evidence = single(1, header());
        bytes memory s = statement();
        refuses("bond", err(IClaimJudge.BondWrong.selector, BOND - 1, BOND), address(court), BOND - 1, challenging(evidence, s));
        challenge(evidence);
        bytes32 id = keccak256(abi.encodePacked(keccak256(evidence), keccak256(s)));
        refusedChallenge("twice", err(IClaimJudge.ChallengeKnown.selector, id), evidence, s);
    }

    function test_inheritedHead() public {
        says.advancedAt = base.height - 1;
        refusedChallenge("inherited", err(IEvidence.HeadInherited.selector, base.height - 1, base.height), single(1, header()), statement());
    }

    function test_unknownRegistration() public {
        says.registration = keccak256("nobody's");
        refusedChallenge("unknown", err(IClaimJudge.RegistrationUnknown.selector, says.registration), single(1, header()), statement());
    }

    function test_anchorNeedsNoClaim() public {
        says.blockHash = keccak256(anchorHeader);
        refusedChallenge("anchor", err(IClaimJudge.AnchorNeedsNoClaim.selector, says.blockHash), single(1, header()), statement());
    }

    /// @notice Challenges outlive the registration: what was signed before can be answered after.
    function test_registrationThatLeft() public {
        registry.announceExit(registration);
        vm.warp(block.timestamp + 7 days);
        registry.withdrawBond(registration);
        bytes32 id = challenge(single(1, header()));
        court.answer(id, subject(), false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, says));
    }

    function test_evidenceRefused() public {
        bytes memory e = single(1, header());
        bytes memory s = statement();
        refusedChallenge("empty", err(IEvidence.EvidenceLength.selector, 0, 277), "", s);
        refusedChallenge("short", err(IEvidence.EvidenceLength.selector, 276, 277), cut(e, 276), s);
        refusedChallenge("long", err(IEvidence.EvidenceLength.selector, 278, 277), abi.encodePacked(e, uint8(0)), s);
        refusedChallenge("tag", err(IEvidence.UnknownEvidence.selector, uint256(2)), put(e, 0, hex"02"), s);
        refusedChallenge("short certificate", err(IEvidence.EvidenceLength.selector, 277, 324), put(e, 0, hex"01"), s);
        refusedChallenge("unknown", err(IEvidence.OperatorUnknown.selector, operator(9)), put(e, 1, abi.encodePacked(operator(9))), s);
        bytes memory invalid = abi.encodeWithSelector(IEvidence.AttestationInvalid.selector, operator(2), attestationDigest(header()));
        refusedChallenge("another operator", invalid, put(e, 1, abi.encodePacked(operator(2))), s);
        invalid = abi.encodeWithSelector(IEvidence.AttestationInvalid.selector, operator(1), attestationDigest(header()));
        bytes memory other = single(2, header());
        bytes memory signature_ = new bytes(64);
        for (uint256 i; i < 64; ++i) signature_[i] = other[213 + i];
        refusedChallenge("another signature", invalid, put(e, 213, signature_), s);
        refusedChallenge("identity", err(IEvidence.AttestationIdentity.selector), put(e, 213, new bytes(64)), s);
        refusedChallenge("off the curve", err(Bn254.PrecompileFailed.selector, 8), put(e, 213, abi.encodePacked(uint256(1), uint256(3))), s);
        bytes memory c = certified(header(), hex"00");
        (bool ok,) = address(court).call{value: BOND}(challenging(cut(c, c.length - 1), s));
        yes("certificate cut", !ok);
        refusedChallenge("certificate spoiled", err(ILightClient.SignatureInvalid.selector), put(c, 33 + 193, signature("four", 0, hex"00")), s);
    }

    /// @notice Each of the header's bytes is signed.
    function test_everyByteOfTheHeaderCounts() public {
        bytes memory e = single(1, header());
        for (uint256 i; i < 192; ++i) {
            (bool ok, bytes memory answer) = address(court).call{value: BOND}(challenging(flip(e, 21 + i), statement()));
            yes("refused", !ok && bytes4(answer) == IEvidence.AttestationInvalid.selector);
        }
    }

    function test_statementRefused() public {
        bytes memory e = single(1, header());
        bytes memory s = statement();
        refusedChallenge("empty", err(IEvidence.EvidenceLength.selector, 0, 147), e, "");
        refusedChallenge("short", err(IEvidence.EvidenceLength.selector, s.length - 1, s.length), e, cut(s, s.length - 1));
        refusedChallenge("long", err(IEvidence.EvidenceLength.selector, s.length + 1, s.length), e, abi.encodePacked(s, uint8(0)));
        refusedChallenge("index", err(IEvidence.LeafIndexOutOfRange.selector, 8, 3), e, put(s, 142, abi.encodePacked(uint32(8))));
        refusedChallenge("depth", err(IEvidence.EvidenceLength.selector, s.length, s.length + 32), e, put(s, 146, hex"04"));
        for (uint256 i; i < 142 + 4; i += 5) {
            (bool ok, bytes memory answer) = address(court).call{value: BOND}(challenging(e, flip(s, i)));
            yes("leaf", !ok && (bytes4(answer) == IEvidence.RollupProofWrong.selector || i >= 142));
        }
        for (uint256 i = 147; i < 243; i += 7) {
            (bool ok, bytes memory answer) = address(court).call{value: BOND}(challenging(e, flip(s, i)));
            yes("siblings", !ok && bytes4(answer) == IEvidence.RollupProofWrong.selector);
        }
        for (uint256 i = 243; i < 355; ++i) {
            (bool ok, bytes memory answer) = address(court).call{value: BOND}(challenging(e, flip(s, i)));
            yes("head part", !ok && bytes4(answer) == IEvidence.HeadPartWrong.selector);
        }
        says.confidence = 1;
        (bool ok_, bytes memory answer_) = address(court).call{value: BOND}(challenging(single(1, header()), statement()));
        yes("Safe is not Latest", !ok_ && bytes4(answer_) == IEvidence.HeadPartWrong.selector);
    }

    /// @notice A challenger that refuses its bond back does not save those whom it challenged.
    function test_challengerThatRefusesEther() public {
        Proud proud = new Proud();
        bytes memory evidence = single(1, header());
        proud.run{value: BOND}(address(court), challenging(evidence, statement()));
        vm.warp(block.timestamp + ANSWER + 1);
        court.conclude(keccak256(abi.encodePacked(keccak256(evidence), keccak256(statement()))));
        court.slash(evidence, statement(), "");
        expectSlashed("slashed", 1, 3);
        refuses("refuses", err(IClaimJudge.PaymentRefused.selector, address(proud)), address(court), abi.encodeCall(IClaimJudge.collect, (address(proud))));
        proud.take();
        court.collect(address(proud));
        court.collect(address(proud));
        eq("paid once", address(proud).balance, BOND);
    }

    function testFuzz_spoiledChallenges(uint256 where, uint8 bit) public {
        bytes memory e = single(1, header());
        bytes memory s = statement();
        where %= e.length + s.length;
        bytes memory spoiled = where < e.length ? e : s;
        uint256 offset = where < e.length ? where : where - e.length;
        spoiled[offset] = bytes1(uint8(spoiled[offset]) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(court).call{value: BOND}(challenging(e, s));
        yes("refused", !ok);
    }
}
