// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAttestationJudge} from "../../src/interfaces/IAttestationJudge.sol";
import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {ITableStore} from "../../src/interfaces/ITableStore.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {JudgeWorld} from "./JudgeWorld.sol";

contract AttestationJudgeTest is JudgeWorld {
    IAttestationJudge private court;
    WholeHeader private other;

    function setUp() public override {
        super.setUp();
        court = IAttestationJudge(judge("AttestationJudge", abi.encode(manager, tables)));
        other = base;
        other.rollupsRoot = keccak256("a lie");
    }

    function attest(uint256 seat, WholeHeader memory h) private view returns (IAttestationJudge.Attestation memory) {
        return IAttestationJudge.Attestation(h.epoch, hashOf(h), sign(secrets[seat], attestationDigest(h)));
    }

    function singles(uint256 seat, uint64 height, IAttestationJudge.Attestation memory a, IAttestationJudge.Attestation memory b)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeCall(IAttestationJudge.slashSingles, (operator(seat), height, a, b));
    }

    function pairs(bytes memory seats) private pure returns (IAttestationJudge.SeatPair[] memory list) {
        list = new IAttestationJudge.SeatPair[](seats.length);
        for (uint256 i; i < seats.length; ++i) list[i] = IAttestationJudge.SeatPair(uint8(seats[i]), uint8(seats[i]));
    }

    function signers(bytes memory one, bytes memory two, bytes memory seats) private view returns (bytes memory) {
        return abi.encodeCall(IAttestationJudge.slashSigners, (tableHash, one, tableHash, two, pairs(seats)));
    }

    // ---- Two single attestations

    function test_singles() public {
        court.slashSingles(operator(1), 77, attest(1, base), attest(1, other));
        expectSlashed("slashed", 1, 1);
        eq("offence", manager.lastOffence(), keccak256(abi.encodePacked(uint8(1), operator(1), uint64(77), bytes32(0))));
        eq("the same", court.offenceOf(operator(1), 77), manager.lastOffence());
        eq("nobody else", manager.slashes(), 1);
    }

    function test_singlesOfTwoEpochs() public {
        other.epoch = EPOCH + 1;
        court.slashSingles(operator(2), 77, attest(2, base), attest(2, other));
        expectSlashed("slashed", 2, 1);
    }

    /// @notice A third header is the same offence.
    function test_punishedOnce() public {
        court.slashSingles(operator(1), 77, attest(1, base), attest(1, other));
        WholeHeader memory third = other;
        third.bodyHash = keccak256("another lie");
        framed("again", err(IEvidence.NothingToSlash.selector), address(court), singles(1, 77, attest(1, base), attest(1, other)));
        framed("third", err(IEvidence.NothingToSlash.selector), address(court), singles(1, 77, attest(1, third), attest(1, other)));
    }

    function test_singlesRefused() public {
        IAttestationJudge.Attestation memory a = attest(1, base);
        IAttestationJudge.Attestation memory b = attest(1, other);
        framed("same header", err(IAttestationJudge.SameHeader.selector, hashOf(base)), address(court), singles(1, 77, a, a));
        // Even in two epochs: one header is one statement.
        a.epoch = EPOCH + 1;
        framed("same header, epochs", err(IAttestationJudge.SameHeader.selector, hashOf(base)), address(court), singles(1, 77, a, attest(1, base)));
        invalid("epoch of one", 1, 77, a, b);
        a = attest(1, base);
        b.epoch = EPOCH + 1;
        invalid("epoch of other", 1, 77, a, b);
        b = attest(1, other);
        invalid("height", 1, 78, a, b);
        a.headerHash = keccak256("x");
        invalid("hash of one", 1, 77, a, b);
        a = attest(1, base);
        b.headerHash = keccak256("x");
        invalid("hash of other", 1, 77, a, b);
        b = attest(1, other);
        invalid("another operator's", 2, 77, a, b);
        b.signature = attest(2, other).signature;
        invalid("one of another operator", 1, 77, a, b);
        b.signature = Bn254.negate(attest(1, other).signature);
        invalid("negated", 1, 77, a, b);
        b.signature = Bn254.G1(0, 0);
        framed("identity", err(IEvidence.AttestationIdentity.selector), address(court), singles(1, 77, a, b));
        framed("identity first", err(IEvidence.AttestationIdentity.selector), address(court), singles(1, 77, b, a));
        b.signature = Bn254.G1(1, 3);
        framed("off the curve", err(Bn254.PrecompileFailed.selector, uint256(7)), address(court), singles(1, 77, a, b));
        b = attest(1, other);
        b.signature.y += Bn254.P;
        framed("another spelling", err(Bn254.PrecompileFailed.selector, uint256(7)), address(court), singles(1, 77, a, b));
        a.signature = Bn254.G1(1, 3);
        framed("one off the curve", err(Bn254.PrecompileFailed.selector, uint256(6)), address(court), singles(1, 77, a, attest(1, other)));
        framed("unknown operator", err(IEvidence.OperatorUnknown.selector, operator(9)), address(court), singles(9, 77, attest(1, base), attest(1, other)));
    }

    function invalid(string memory what, uint256 seat, uint64 height, IAttestationJudge.Attestation memory a, IAttestationJudge.Attestation memory b)
        private
    {
        bytes32 d = digest(1, a.epoch, height, a.headerHash);
        bytes memory expected = abi.encodeWithSelector(IEvidence.AttestationInvalid.selector, operator(seat), d);
        framed(what, expected, address(court), singles(seat, height, a, b));
    }

    /// @notice What an honest operator signed for other heights, as other kinds of statement, or for another deployment.
    function test_otherStatements() public {
        IAttestationJudge.Attestation memory a = attest(1, base);
        IAttestationJudge.Attestation memory b = attest(1, base);
        b.headerHash = hashOf(other);
        WholeHeader memory later = other;
        later.height = 78;
        b.signature = attest(1, later).signature;
        invalid("the next height's", 1, 77, a, b);
        for (uint8 kind = 2; kind <= 3; ++kind) {
            b.signature = sign(secrets[1], digest(kind, EPOCH, 77, hashOf(other)));
            invalid("another kind", 1, 77, a, b);
        }
        // The possession: its subject taken for a header hash, epoch and height zero.
        bytes32 subject = keccak256(abi.encodePacked(keyG1(secrets[1]).x, keyG1(secrets[1]).y, operator(1)));
        b = IAttestationJudge.Attestation(0, subject, sign(secrets[1], digest(3, 0, 0, subject)));
        invalid("possession", 1, 0, IAttestationJudge.Attestation(0, 0, sign(secrets[1], digest(1, 0, 0, 0))), b);
        bytes32 elsewhere = keccak256(abi.encodePacked(keccak256("other domain"), uint8(1), EPOCH, uint64(77), hashOf(other)));
        b = IAttestationJudge.Attestation(EPOCH, hashOf(other), sign(secrets[1], elsewhere));
        invalid("another deployment's", 1, 77, a, b);
    }

    /// @notice Errors that would cancel in a plain sum, and a sum of other signatures, do not pass the random factor.
    function test_signaturesDoNotCancel() public {
        IAttestationJudge.Attestation memory a = attest(1, base);
        IAttestationJudge.Attestation memory b = attest(1, other);
        Bn254.G1 memory d = Bn254.G1(1, 2);
        a.signature = Bn254.add(a.signature, d);
        b.signature = Bn254.add(b.signature, Bn254.negate(d));
        invalid("cancelling", 1, 77, a, b);
        (a.signature, b.signature) = (attest(1, other).signature, attest(1, base).signature);
        invalid("swapped", 1, 77, a, b);
    }

    /// @notice With the victim's one honest attestation and any other point, whatever the factor.
    function testFuzz_oneHonestAttestationFramesNobody(uint256 scalar, bytes32 lie) public {
        IAttestationJudge.Attestation memory a = attest(1, base);
        IAttestationJudge.Attestation memory b = a;
        b = IAttestationJudge.Attestation(EPOCH, lie, Bn254.multiply(a.signature, scalar % (Bn254.R - 1) + 1));
        invalid("scaled", 1, 77, a, b);
    }

    /// @notice Any bit of the evidence flipped: refused.
    function testFuzz_spoiledSingles(uint256 where, uint8 bit) public {
        bytes memory data = singles(1, 77, attest(1, base), attest(1, other));
        where = 4 + where % (data.length - 4);
        data[where] = bytes1(uint8(data[where]) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(court).call(data);
        yes("refused", !ok);
        eq("nobody", manager.slashes(), 0);
    }

    function test_onlyJudgesSlash() public {
        address stranger = deploy("AttestationJudge", abi.encode(manager, tables));
        framed("not listed", err(IServiceManager.NotJudge.selector, stranger), stranger, singles(1, 77, attest(1, base), attest(1, other)));
    }

    // ---- Two certificates

    function test_certificates() public {
        bytes memory one = certificateOf(base, hex"00");
        bytes memory two = certificateOf(other, hex"03");
        court.slashSigners(tableHash, one, tableHash, two, pairs(hex"0102"));
        expectSlashed("second", 2, 1);
        yes("first", manager.isJailed(operator(1)));
        eq("both", manager.slashes(), 2);
    }

    function test_certificatesInParts() public {
        bytes memory one = certificateOf(base, "");
        bytes memory two = certificateOf(other, hex"03");
        court.slashSigners(tableHash, one, tableHash, two, pairs(hex"00"));
        // Who is out already is passed over, and one seat twice is one slash.
        court.slashSigners(tableHash, one, tableHash, two, pairs(hex"00010202"));
        eq("three", manager.slashes(), 3);
        framed("nobody is left", err(IEvidence.NothingToSlash.selector), address(court), signers(one, two, hex"000102"));
    }

    /// @notice Whoever is out for another offence does not stop the others' slash.
    function test_certificatesWithOneThatIsOut() public {
        court.slashSingles(operator(1), 77, attest(1, base), attest(1, other));
        (base.height, other.height) = (78, 78);
        court.slashSigners(tableHash, certificateOf(base, ""), tableHash, certificateOf(other, hex"03"), pairs(hex"0102"));
        expectSlashed("the other", 2, 1);
        eq("two", manager.slashes(), 2);
        yes("one offence", !manager.isPunished(court.offenceOf(operator(1), 78)));
    }

    function test_certificatesRefused() public {
        bytes memory one = certificateOf(base, hex"00");
        bytes memory two = certificateOf(other, hex"03");
        bytes memory didNot = err(IEvidence.SeatDidNotSign.selector, uint256(0));
        framed("absent in one", didNot, address(court), signers(one, two, hex"00"));
        framed("absent beside a signer", didNot, address(court), signers(one, two, hex"0100"));
        framed("absent in other", err(IEvidence.SeatDidNotSign.selector, uint256(3)), address(court), signers(one, two, hex"03"));
        framed("no seat", err(IEvidence.SeatDidNotSign.selector, uint256(4)), address(court), signers(one, two, hex"04"));
        framed("no seats", err(IEvidence.SeatsWrong.selector, uint256(0)), address(court), signers(one, two, ""));
        framed("same header", err(IAttestationJudge.SameHeader.selector, hashOf(base)), address(court), signers(one, certificateOf(base, hex"03"), hex"01"));
        WholeHeader memory later = other;
        later.height = 78;
        framed("heights", err(IAttestationJudge.OtherHeight.selector, 77, 78), address(court), signers(one, certificateOf(later, hex"03"), hex"01"));
        framed("short", err(ILightClient.CertificateLength.selector, one.length - 1, one.length), address(court), signers(cut(one, one.length - 1), two, hex"01"));
        framed("empty", err(ILightClient.CertificateLength.selector, 0, 291), address(court), signers("", two, hex"01"));
        framed("scheme", err(ILightClient.UnknownScheme.selector, uint256(0)), address(court), signers(put(one, 0, hex"00"), two, hex"01"));
        framed("signature", err(ILightClient.SignatureInvalid.selector), address(court), signers(put(one, 193, signature("four", bytes32(uint256(1)), hex"00")), two, hex"01"));
        IAttestationJudge.SeatPair[] memory two_ = new IAttestationJudge.SeatPair[](1);
        two_[0] = IAttestationJudge.SeatPair(1, 2);
        bytes memory expected =
            err(IAttestationJudge.OtherKey.selector, keccak256(abi.encode(keyG1(secrets[1]))), keccak256(abi.encode(keyG1(secrets[2]))));
        framed("other key", expected, address(court), abi.encodeCall(IAttestationJudge.slashSigners, (tableHash, one, tableHash, two, two_)));
    }

    /// @notice Any bit of two certificates, their tables and seats flipped: refused, or it was padding and means the same.
    /// forge-config: default.fuzz.runs = 150
    function testFuzz_spoiledCertificates(uint256 where, uint8 bit) public {
        bytes memory data = signers(certificateOf(base, hex"00"), certificateOf(other, hex"03"), hex"01");
        where = 4 + where % (data.length - 4);
        bytes1 before = data[where];
        data[where] = bytes1(uint8(before) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(court).call(data);
        eq("only the guilty", manager.slashes(), ok ? 1 : 0);
        yes("padding", !ok || (before == 0 && manager.isJailed(operator(1))));
    }

    /// @notice A third of the stake cannot make a certificate; it must be shown by its single attestations.
    function test_quorum() public {
        bytes memory few = pack(other, hex"0001", signature("four", attestationDigest(other), hex"0001"), signersKey("four", hex"0001"));
        (bool ok, bytes memory answer) = address(court).call(signers(certificateOf(base, ""), few, hex"02"));
        yes("refused", !ok && bytes4(answer) == ILightClient.QuorumNotReached.selector);
    }

    /// @notice Epochs have other tables: the same operator sits elsewhere.
    function test_certificatesOfTwoTables() public {
        uint256[] memory keys = new uint256[](2);
        (keys[0], keys[1]) = (secrets[2], secrets[3]);
        bytes memory blob = tableOf(keys);
        manager.addSnapshot(keccak256(blob), 20);
        tables.store(blob);
        other.epoch = EPOCH + 1;
        Bn254.G1 memory s = sign(sumOf(keys), attestationDigest(other));
        bytes memory two = pack(other, "", abi.encodePacked(s.x, s.y), "");
        IAttestationJudge.SeatPair[] memory seats = new IAttestationJudge.SeatPair[](1);
        seats[0] = IAttestationJudge.SeatPair(3, 1);
        court.slashSigners(tableHash, certificateOf(base, hex"00"), keccak256(blob), two, seats);
        expectSlashed("slashed", 3, 1);
    }

    /// @notice An attacker's own table: the victim's key, and a rogue one that makes the sum the attacker's.
    function test_tableThatNeverWas() public {
        uint256 mine = 12345;
        Bn254.G1 memory rogue = Bn254.add(keyG1(mine), Bn254.negate(keyG1(secrets[1])));
        Bn254.G2 memory sum2 = keyG2(mine);
        Bn254.G1 memory victim = keyG1(secrets[1]);
        bytes memory head = abi.encodePacked(keyG1(mine).x, keyG1(mine).y, sum2.xImaginary, sum2.xReal, sum2.yImaginary, sum2.yReal);
        bytes memory blob = abi.encodePacked(
            head, uint128(200), VALID_UNTIL, victim.x, victim.y, uint128(100), rogue.x, rogue.y, uint128(100)
        );
        bytes32 hash = keccak256(blob);
        framed("not stored", err(ITableStore.TableUnknown.selector, hash), address(tables), abi.encodeCall(ITableStore.store, (blob)));
        bytes[2] memory forged;
        for (uint256 i; i < 2; ++i) {
            WholeHeader memory h = i == 0 ? base : other;
            Bn254.G1 memory s = sign(mine, attestationDigest(h));
            forged[i] = pack(h, "", abi.encodePacked(s.x, s.y), "");
        }
        bytes memory call_ = abi.encodeCall(IAttestationJudge.slashSigners, (hash, forged[0], hash, forged[1], pairs(hex"00")));
        framed("not used", err(ITableStore.TableNotStored.selector, hash), address(court), call_);
    }

    // ---- One of each

    function test_mixed() public {
        court.slashMixed(attest(3, other), tableHash, certificateOf(base, hex"00"), 3);
        expectSlashed("slashed", 3, 1);
    }

    function mixed(IAttestationJudge.Attestation memory a, bytes memory c, uint8 seat) private view returns (bytes memory) {
        return abi.encodeCall(IAttestationJudge.slashMixed, (a, tableHash, c, seat));
    }

    function test_mixedRefused() public {
        bytes memory c = certificateOf(base, hex"00");
        framed("same", err(IAttestationJudge.SameHeader.selector, hashOf(base)), address(court), mixed(attest(3, base), c, 3));
        framed("absent", err(IEvidence.SeatDidNotSign.selector, uint256(0)), address(court), mixed(attest(0, other), c, 0));
        bytes memory expected = abi.encodeWithSelector(IEvidence.AttestationInvalid.selector, operator(2), attestationDigest(other));
        framed("another's", expected, address(court), mixed(attest(3, other), c, 2));
        IAttestationJudge.Attestation memory a = attest(3, other);
        a.signature = Bn254.G1(0, 0);
        framed("identity", err(IEvidence.AttestationIdentity.selector), address(court), mixed(a, c, 3));
        a = attest(3, other);
        a.signature.y += Bn254.P;
        framed("spelling", err(Bn254.PrecompileFailed.selector, uint256(8)), address(court), mixed(a, c, 3));
        framed("certificate", err(ILightClient.SignatureInvalid.selector), address(court), mixed(attest(3, other), put(c, 193, signature("four", 0, hex"00")), 3));
    }

    // ---- Tables

    function test_tablesRefused() public {
        bytes memory blob = table("four");
        framed("again", err(ITableStore.TableStoredAlready.selector, tableHash), address(tables), abi.encodeCall(ITableStore.store, (blob)));
        bytes memory spoiled = flip(blob, 215);
        framed("spoiled", err(ITableStore.TableUnknown.selector, keccak256(spoiled)), address(tables), abi.encodeCall(ITableStore.store, (spoiled)));
        framed("none", err(ITableStore.TableNotStored.selector, bytes32(0)), address(tables), abi.encodeCall(ITableStore.tableOf, (0)));
    }
}
