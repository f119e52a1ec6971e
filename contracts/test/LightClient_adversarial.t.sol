// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {Committees} from "./Committees.sol";
import {Reference} from "./Reference.sol";

/// @notice Each test takes a good certificate, or a good table, and spoils one thing.
contract LightClientAdversarialTest is Committees {
    ILightClient private client;
    Header private good = Header(EPOCH, 9, 1_000_009, keccak256("rollups"), 0);

    function setUp() public {
        client = newLightClient("four");
    }

    function refusesCertificate(string memory what, bytes memory expected, bytes memory c) private {
        refuses(what, expected, address(client), abi.encodeCall(client.submit, (c)));
        eq("nothing is kept", client.newestHeight(), 0);
    }

    /// @notice The certificate that carries this header but a signature made for something else.
    function mismatched(Header memory h, bytes memory sig, bytes memory absent) private returns (bytes memory) {
        return assemble(h, absent, sig, digestOf(DOMAIN, 1, h), signersKey("four", absent));
    }

    function test_everyByteOfTheHeaderCounts() public {
        bytes memory c = certify("four", good, "");
        bytes memory sig = signature("four", digestOf(DOMAIN, 1, good), "");
        for (uint256 i = 16; i < 193; ++i) {
            refusesCertificate("header byte, old hint", hintWrong(c), flip(c, i));
        }
        Header memory h = good;
        (h.height, h.timeMs, h.rollupsRoot, h.nextTableHash) = (10, good.timeMs, good.rollupsRoot, 0);
        refusesCertificate("height", err(ILightClient.SignatureInvalid.selector), mismatched(h, sig, ""));
        (h.height, h.timeMs) = (9, good.timeMs + 1);
        refusesCertificate("time", err(ILightClient.SignatureInvalid.selector), mismatched(h, sig, ""));
        (h.timeMs, h.rollupsRoot) = (good.timeMs, keccak256("others"));
        refusesCertificate("rollups root", err(ILightClient.SignatureInvalid.selector), mismatched(h, sig, ""));
        (h.rollupsRoot, h.nextTableHash) = (good.rollupsRoot, keccak256("table"));
        refusesCertificate("next table", err(ILightClient.SignatureInvalid.selector), mismatched(h, sig, ""));
    }

    function test_scheme() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("scheme 0", err(ILightClient.UnknownScheme.selector, uint256(0)), put(c, 0, hex"00"));
        refusesCertificate("scheme 2", err(ILightClient.UnknownScheme.selector, uint256(2)), put(c, 0, hex"02"));
    }

    function test_domain() public {
        bytes memory sig = signature("four", digestOf(keccak256("other domain"), 1, good), "");
        refusesCertificate("domain", err(ILightClient.SignatureInvalid.selector), mismatched(good, sig, ""));
    }

    function test_kind() public {
        for (uint8 kind = 2; kind <= 3; ++kind) {
            bytes memory sig = signature("four", digestOf(DOMAIN, kind, good), "");
            refusesCertificate("kind", err(ILightClient.SignatureInvalid.selector), mismatched(good, sig, ""));
        }
    }

    function test_epoch() public {
        Header memory h = good;
        h.epoch = EPOCH + 1;
        refusesCertificate("an epoch without a table", err(ILightClient.TableNotInstalled.selector, uint256(EPOCH + 1)), certify("four", h, ""));
        bytes memory sig = signature("four", digestOf(DOMAIN, 1, h), "");
        h.epoch = EPOCH;
        refusesCertificate("signed for another epoch", err(ILightClient.SignatureInvalid.selector), mismatched(h, sig, ""));
    }

    function test_otherCommittee() public {
        refusesCertificate("keys of others", err(ILightClient.SignatureInvalid.selector), certify("three", good, ""));
    }

    function test_signature() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("identity", err(ILightClient.IdentitySignature.selector), put(c, 193, new bytes(64)));
        refusesCertificate("x off the curve", err(ILightClient.PrecompileFailed.selector, uint256(8)), flip(c, 224));
        refusesCertificate("y off the curve", err(ILightClient.PrecompileFailed.selector, uint256(8)), flip(c, 256));
        refusesCertificate("another point", err(ILightClient.SignatureInvalid.selector), put(c, 193, abi.encode(1, 2)));
        uint256 y = uint256(Reference.word(c, 225));
        refusesCertificate("negated", err(ILightClient.SignatureInvalid.selector), put(c, 225, abi.encode(Bn254.P - y)));
        refusesCertificate("y + p", err(ILightClient.PrecompileFailed.selector, uint256(8)), put(c, 225, abi.encode(y + Bn254.P)));
    }

    /// @notice The hashed point: its sign is fixed, and a later point of the curve needs a signature of its own.
    function test_hashedPoint() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("hint", hintWrong(flip(c, 288)), flip(c, 288));
        refusesCertificate("hint 0", hintWrong(put(c, 257, new bytes(32))), put(c, 257, new bytes(32)));
        refusesCertificate("step", hintWrong(flip(c, 289)), flip(c, 289));

        Bn254.G1 memory point = Bn254.hashToG1(digestOf(DOMAIN, 1, good));
        yes("y is a square", power(point.y, (Bn254.P - 1) / 2) == 1);
        yes("-y is none, so no hint leads to it", power(Bn254.P - point.y, (Bn254.P - 1) / 2) == Bn254.P - 1);

        uint256 start = uint256(digestOf(DOMAIN, 1, good)) % Bn254.P;
        for (uint256 x = addmod(point.x, 1, Bn254.P);; x = addmod(x, 1, Bn254.P)) {
            uint256 square = addmod(mulmod(mulmod(x, x, Bn254.P), x, Bn254.P), 3, Bn254.P);
            uint256 y = power(square, (Bn254.P + 1) / 4);
            if (mulmod(y, y, Bn254.P) != square) continue;
            bytes memory later = abi.encodePacked(power(y, (Bn254.P + 1) / 4), uint8(x - start));
            refusesCertificate("a later point", err(ILightClient.SignatureInvalid.selector), put(c, 257, later));
            break;
        }
    }

    function test_length() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("empty", lengthWrong(0, 291), "");
        refusesCertificate("trailing byte", lengthWrong(292, 291), abi.encodePacked(c, uint8(0)));
        refusesCertificate("one short", lengthWrong(290, 291), cut(c, 290));
        refusesCertificate("absentees that are not there", lengthWrong(291, 420), put(c, 290, hex"01"));
        c = certify("four", good, hex"02");
        refusesCertificate("one more absentee", lengthWrong(420, 421), put(c, 290, hex"02"));
        refusesCertificate("none absent, key still there", lengthWrong(420, 291), put(c, 290, hex"00"));
        refusesCertificate("trailing byte", lengthWrong(421, 420), abi.encodePacked(c, uint8(0)));
        refusesCertificate("one short", lengthWrong(419, 420), cut(c, 419));
    }

    function lengthWrong(uint256 found, uint256 expected) private pure returns (bytes memory) {
        return err(ILightClient.CertificateLength.selector, found, expected);
    }

    function hintWrong(bytes memory c) private pure returns (bytes memory) {
        return err(ILightClient.RootHintWrong.selector, uint8(c[289]), uint256(Reference.word(c, 257)));
    }

    function test_quorum() public {
        bytes memory c = certify("four", good, hex"0001");
        refusesCertificate("half", err(ILightClient.QuorumNotReached.selector, 200, 400), c);
    }

    function test_absentees() public {
        bytes memory c = certify("four", good, hex"02");
        refusesCertificate("one past the end", err(ILightClient.AbsenteeOutOfRange.selector, uint256(4), uint256(4)), put(c, 291, hex"04"));
        refusesCertificate("far past the end", err(ILightClient.AbsenteeOutOfRange.selector, uint256(255), uint256(4)), put(c, 291, hex"ff"));
        refusesCertificate("another one", err(ILightClient.SignatureInvalid.selector), put(c, 291, hex"01"));
        c = certify("four", good, hex"0102");
        refusesCertificate("twice the same", err(ILightClient.AbsenteesNotAscending.selector, uint256(1), uint256(1)), put(c, 291, hex"0101"));
        refusesCertificate("descending", err(ILightClient.AbsenteesNotAscending.selector, uint256(2), uint256(1)), put(c, 291, hex"0201"));
        refusesCertificate("descending from past the end", err(ILightClient.AbsenteesNotAscending.selector, uint256(255), uint256(1)), put(c, 291, hex"ff01"));
    }

    /// @notice Every place of a long list, because it is read in groups of four.
    function test_absenteesInLongLists() public {
        client = newLightClient("hundred");
        bytes memory absent;
        for (uint8 i = 1; i < 99; i += 3) absent = abi.encodePacked(absent, i);
        bytes memory c = certify("hundred", good, absent);
        for (uint256 i = 1; i < 33; ++i) {
            bytes memory twice = err(ILightClient.AbsenteesNotAscending.selector, uint8(absent[i - 1]), uint8(absent[i - 1]));
            refusesCertificate("twice", twice, put(c, 291 + i, abi.encodePacked(absent[i - 1])));
        }
        refusesCertificate("past the end", err(ILightClient.AbsenteeOutOfRange.selector, uint256(100), uint256(100)), put(c, 291 + 32, hex"64"));
        yes("as it was", client.submit(c));
    }

    function test_signersKey() public {
        bytes memory c = certify("four", good, hex"02");
        uint256 key = 292;
        refusesCertificate("identity", err(ILightClient.IdentityKey.selector), put(c, key, new bytes(128)));
        refusesCertificate("off the curve", err(ILightClient.PrecompileFailed.selector, uint256(8)), flip(c, key + 31));
        refusesCertificate("other signers", err(ILightClient.SignatureInvalid.selector), put(c, key, signersKey("four", hex"01")));
    }

    /// @notice Who names both key and signature freely: a key of the forger's own, and its signature on the right point.
    function test_forgedKeyPair() public {
        bytes32 digest = digestOf(DOMAIN, 1, good);
        Bn254.G1 memory point = Bn254.hashToG1(digest);
        bytes memory generator = abi.encode(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);
        bytes memory c = assemble(good, hex"02", abi.encode(point.x, point.y), digest, generator);
        refusesCertificate("secret key 1", err(ILightClient.SignatureInvalid.selector), c);
    }

    /// @notice A forger who knew the factor `g` before choosing the signature would pass: for a key `G2` of its own, signature
    /// `H + g·(G1 - K1)`. The factor depends on the signature, so guesses of it (one, or all inputs but that) are refused.
    function test_forgedForAGuessedFactor() public {
        bytes32 digest = digestOf(DOMAIN, 1, good);
        Bn254.G1 memory hashed = Bn254.hashToG1(digest);
        Bn254.G1 memory one = Bn254.G1(1, 2);
        Bn254.G1 memory key = Bn254.multiply(one, secretSum("four", hex"02"));
        bytes memory generator = abi.encode(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);
        Bn254.G1 memory minus = Bn254.negate(key);
        uint256[2] memory guesses = [1, uint256(keccak256(abi.encode(minus, hashed, generator))) % Bn254.R];
        for (uint256 i; i < 2; ++i) {
            Bn254.G1 memory forged = Bn254.add(hashed, Bn254.multiply(Bn254.add(one, minus), guesses[i]));
            Bn254.G1 memory left = Bn254.negate(Bn254.add(forged, Bn254.multiply(key, guesses[i])));
            Bn254.G1 memory right = Bn254.add(hashed, Bn254.multiply(one, guesses[i]));
            yes("good for that factor", Bn254.pairsToOne(left, right, abi.decode(generator, (Bn254.G2))));
            bytes memory c = assemble(good, hex"02", abi.encode(forged), digest, generator);
            refusesCertificate("forged", err(ILightClient.SignatureInvalid.selector), c);
        }
    }

    function test_whoSignedIsWhoIsCounted() public {
        bytes32 digest = digestOf(DOMAIN, 1, good);
        bytes memory without = signature("four", digest, hex"02");
        refusesCertificate("an absentee left out", err(ILightClient.SignatureInvalid.selector), assemble(good, "", without, digest, ""));
        bytes memory withAll = signature("four", digest, "");
        bytes memory c = assemble(good, hex"02", withAll, digest, signersKey("four", hex"02"));
        refusesCertificate("a signer called absent", err(ILightClient.SignatureInvalid.selector), c);
    }

    /// @notice A chain without a precompile answers success and nothing.
    function test_missingPrecompiles() public {
        bytes memory all = certify("four", good, "");
        bytes memory some = certify("four", good, hex"02");
        for (uint160 precompile = 6; precompile <= 8; ++precompile) {
            vm.mockCall(address(precompile), "", "");
            // The curve's addition and multiplication are checked together, and named by the one that comes last.
            bytes memory failed = err(ILightClient.PrecompileFailed.selector, precompile);
            if (precompile == 8) refusesCertificate("all", failed, all);
            refusesCertificate("some", failed, some);
            vm.clearMockedCalls();
        }
    }

    function test_table() public {
        bytes memory t = table("four");
        bytes32 known = keccak256(t);
        ILightClient fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, known, address(0), uint32(0))));
        refusesTable(fresh, "another table", hashWrong(EPOCH, known, table("three")), EPOCH, table("three"));
        refusesTable(fresh, "another epoch", hashWrong(EPOCH + 1, 0, t), EPOCH + 1, t);
        for (uint256 i; i < t.length; i += 37) {
            refusesTable(fresh, "one bit", hashWrong(EPOCH, known, flip(t, i)), EPOCH, flip(t, i));
        }
        refusesTable(fresh, "short", err(ILightClient.TableLength.selector, 535), EPOCH, cut(t, 535));
        refusesTable(fresh, "trailing", err(ILightClient.TableLength.selector, 537), EPOCH, abi.encodePacked(t, uint8(0)));
        fresh.installTable(EPOCH, t);
        refusesTable(fresh, "again", err(ILightClient.TableAlreadyInstalled.selector, uint256(EPOCH)), EPOCH, t);
        refusesTable(fresh, "replaced", hashWrong(EPOCH, known, table("three")), EPOCH, table("three"));
    }

    function test_tableBounds() public {
        for (uint256 n; n <= 257; n = n == 0 ? 256 : n + 1) {
            bytes memory t = sized(n);
            ILightClient fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
            if (n == 256) fresh.installTable(EPOCH, t);
            else refusesTable(fresh, "operators", err(ILightClient.TableLength.selector, t.length), EPOCH, t);
        }
    }

    function test_tableStake() public {
        bytes memory t = put(table("four"), 207, hex"00");
        ILightClient fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        refusesTable(fresh, "total", err(ILightClient.TableStakeWrong.selector, 400, 256), EPOCH, t);
        t = new bytes(296);
        fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        refusesTable(fresh, "nothing", err(ILightClient.TableStakeWrong.selector, uint256(0), uint256(0)), EPOCH, t);
    }

    /// @notice A table of n operators with stake 1 each; its keys do not matter to `installTable`.
    function sized(uint256 n) private pure returns (bytes memory t) {
        t = put(new bytes(216 + 80 * n), 192, abi.encodePacked(uint128(n), VALID_UNTIL));
        for (uint256 i; i < n; ++i) t[216 + 80 * i + 79] = 0x01;
    }

    function hashWrong(uint64 epoch, bytes32 known, bytes memory t) private pure returns (bytes memory) {
        return err(ILightClient.TableHashMismatch.selector, epoch, known, keccak256(t));
    }

    function refusesTable(ILightClient target, string memory what, bytes memory expected, uint64 epoch, bytes memory t) private {
        refuses(what, expected, address(target), abi.encodeCall(target.installTable, (epoch, t)));
    }
}

/// @notice Of tables that are kept as code.
contract LightClientInCodeTest is Committees {
    /// @notice Gas for the work but not for the new contract: refused, and a later call with more succeeds.
    function test_tableNotCreated() public {
        bytes memory t = sized(256);
        ILightClient fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        bytes memory data = abi.encodeCall(fresh.installTable, (EPOCH, t));
        bool seen;
        for (uint256 gas = 3_000_000; gas < 5_000_000; gas += 50_000) {
            (bool ok, bytes memory answer) = address(fresh).call{gas: gas}(data);
            if (ok) break;
            eq("no table", fresh.tableAddress(EPOCH), address(0));
            if (answer.length != 0) {
                eq("error", answer, err(ILightClient.TableNotCreated.selector));
                seen = true;
            }
        }
        yes("refused by name", seen);
        yes("created in the end", fresh.tableAddress(EPOCH) != address(0));
    }

    /// @notice Whoever runs a table as a contract finds it stopped, and it stays as it was written.
    function test_tableIsNoProgram() public {
        ILightClient client = newLightClient("four");
        address blob = client.tableAddress(EPOCH);
        eq("code", blob.code, abi.encodePacked(uint8(0), table("four")));
        (bool ok, bytes memory answer) = blob.call("anything");
        yes("stops at once", ok && answer.length == 0);
        eq("still there", blob.code, abi.encodePacked(uint8(0), table("four")));
    }

    /// @notice A table of n operators with stake 1 each; its keys do not matter to `installTable`.
    function sized(uint256 n) private pure returns (bytes memory t) {
        t = put(new bytes(216 + 80 * n), 192, abi.encodePacked(uint128(n), VALID_UNTIL));
        for (uint256 i; i < n; ++i) t[216 + 80 * i + 79] = 0x01;
    }
}
