// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {Committees} from "./Committees.sol";

/// @notice Each test takes a good certificate, or a good table, and spoils one thing.
contract LightClientAdversarialTest is Committees {
    ILightClient private client;
    Header private good = Header(EPOCH, 9, 1_000_009, keccak256("rollups"), 0);

    function setUp() public {
        client = newLightClient("four");
    }

    function refusesCertificate(string memory what, bytes4 expected, bytes memory c) private {
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
            refusesCertificate("header byte, old hint", ILightClient.RootHintWrong.selector, flip(c, i));
        }
        Header memory h = good;
        (h.height, h.timeMs, h.rollupsRoot, h.nextTableHash) = (10, good.timeMs, good.rollupsRoot, 0);
        refusesCertificate("height", ILightClient.SignatureInvalid.selector, mismatched(h, sig, ""));
        (h.height, h.timeMs) = (9, good.timeMs + 1);
        refusesCertificate("time", ILightClient.SignatureInvalid.selector, mismatched(h, sig, ""));
        (h.timeMs, h.rollupsRoot) = (good.timeMs, keccak256("others"));
        refusesCertificate("rollups root", ILightClient.SignatureInvalid.selector, mismatched(h, sig, ""));
        (h.rollupsRoot, h.nextTableHash) = (good.rollupsRoot, keccak256("table"));
        refusesCertificate("next table", ILightClient.SignatureInvalid.selector, mismatched(h, sig, ""));
    }

    function test_scheme() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("scheme 0", ILightClient.UnknownScheme.selector, put(c, 0, hex"00"));
        refusesCertificate("scheme 2", ILightClient.UnknownScheme.selector, put(c, 0, hex"02"));
    }

    function test_domain() public {
        bytes memory sig = signature("four", digestOf(keccak256("other domain"), 1, good), "");
        refusesCertificate("domain", ILightClient.SignatureInvalid.selector, mismatched(good, sig, ""));
    }

    function test_kind() public {
        for (uint8 kind = 2; kind <= 3; ++kind) {
            bytes memory sig = signature("four", digestOf(DOMAIN, kind, good), "");
            refusesCertificate("kind", ILightClient.SignatureInvalid.selector, mismatched(good, sig, ""));
        }
    }

    function test_epoch() public {
        Header memory h = good;
        h.epoch = EPOCH + 1;
        refusesCertificate("an epoch without a table", ILightClient.TableNotInstalled.selector, certify("four", h, ""));
        bytes memory sig = signature("four", digestOf(DOMAIN, 1, h), "");
        h.epoch = EPOCH;
        refusesCertificate("signed for another epoch", ILightClient.SignatureInvalid.selector, mismatched(h, sig, ""));
    }

    function test_otherCommittee() public {
        refusesCertificate("keys of others", ILightClient.SignatureInvalid.selector, certify("three", good, ""));
    }

    function test_signature() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("identity", ILightClient.IdentitySignature.selector, put(c, 193, new bytes(64)));
        refusesCertificate("x off the curve", ILightClient.PrecompileFailed.selector, flip(c, 224));
        refusesCertificate("y off the curve", ILightClient.PrecompileFailed.selector, flip(c, 256));
        refusesCertificate("another point", ILightClient.SignatureInvalid.selector, put(c, 193, abi.encode(1, 2)));
        uint256 y = uint256(bytes32(this.part(c, 225)));
        refusesCertificate("negated", ILightClient.SignatureInvalid.selector, put(c, 225, abi.encode(Bn254.P - y)));
        refusesCertificate("y + p", ILightClient.PrecompileFailed.selector, put(c, 225, abi.encode(y + Bn254.P)));
    }

    /// @notice The hashed point: its sign is fixed, and a later point of the curve needs a signature of its own.
    function test_hashedPoint() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("hint", ILightClient.RootHintWrong.selector, flip(c, 288));
        refusesCertificate("hint 0", ILightClient.RootHintWrong.selector, put(c, 257, new bytes(32)));
        refusesCertificate("step", ILightClient.RootHintWrong.selector, flip(c, 289));

        Bn254.G1 memory point = Bn254.hashToG1(digestOf(DOMAIN, 1, good));
        yes("y is a square", power(point.y, (Bn254.P - 1) / 2) == 1);
        yes("-y is none, so no hint leads to it", power(Bn254.P - point.y, (Bn254.P - 1) / 2) == Bn254.P - 1);

        uint256 start = uint256(digestOf(DOMAIN, 1, good)) % Bn254.P;
        for (uint256 x = addmod(point.x, 1, Bn254.P);; x = addmod(x, 1, Bn254.P)) {
            uint256 square = addmod(mulmod(mulmod(x, x, Bn254.P), x, Bn254.P), 3, Bn254.P);
            uint256 y = power(square, (Bn254.P + 1) / 4);
            if (mulmod(y, y, Bn254.P) != square) continue;
            bytes memory later = abi.encodePacked(power(y, (Bn254.P + 1) / 4), uint8(x - start));
            refusesCertificate("a later point", ILightClient.SignatureInvalid.selector, put(c, 257, later));
            break;
        }
    }

    function test_length() public {
        bytes memory c = certify("four", good, "");
        refusesCertificate("empty", ILightClient.CertificateLength.selector, "");
        refusesCertificate("trailing byte", ILightClient.CertificateLength.selector, abi.encodePacked(c, uint8(0)));
        refusesCertificate("one short", ILightClient.CertificateLength.selector, this.cut(c, c.length - 1));
        refusesCertificate("absentees that are not there", ILightClient.CertificateLength.selector, put(c, 290, hex"01"));
        c = certify("four", good, hex"02");
        refusesCertificate("one more absentee", ILightClient.CertificateLength.selector, put(c, 290, hex"02"));
        refusesCertificate("none absent, key still there", ILightClient.CertificateLength.selector, put(c, 290, hex"00"));
        refusesCertificate("trailing byte", ILightClient.CertificateLength.selector, abi.encodePacked(c, uint8(0)));
        refusesCertificate("one short", ILightClient.CertificateLength.selector, this.cut(c, c.length - 1));
    }

    function test_quorum() public {
        bytes memory c = certify("four", good, hex"0001");
        refusesWith(
            "half", abi.encodeWithSelector(ILightClient.QuorumNotReached.selector, 200, 400), address(client), abi.encodeCall(client.submit, (c))
        );
    }

    function test_absentees() public {
        bytes memory c = certify("four", good, hex"02");
        refusesCertificate("one past the end", ILightClient.AbsenteeOutOfRange.selector, put(c, 291, hex"04"));
        refusesCertificate("far past the end", ILightClient.AbsenteeOutOfRange.selector, put(c, 291, hex"ff"));
        refusesCertificate("another one", ILightClient.SignatureInvalid.selector, put(c, 291, hex"01"));
        c = certify("four", good, hex"0102");
        refusesCertificate("twice the same", ILightClient.AbsenteesNotAscending.selector, put(c, 291, hex"0101"));
        refusesCertificate("descending", ILightClient.AbsenteesNotAscending.selector, put(c, 291, hex"0201"));
        refusesCertificate("descending from past the end", ILightClient.AbsenteesNotAscending.selector, put(c, 291, hex"ff01"));
    }

    /// @notice Every place of a long list, because it is read in groups of four.
    function test_absenteesInLongLists() public {
        client = newLightClient("hundred");
        bytes memory absent;
        for (uint8 i = 1; i < 99; i += 3) absent = abi.encodePacked(absent, i);
        bytes memory c = certify("hundred", good, absent);
        for (uint256 i = 1; i < 33; ++i) {
            refusesCertificate("twice", ILightClient.AbsenteesNotAscending.selector, put(c, 291 + i, abi.encodePacked(absent[i - 1])));
        }
        refusesCertificate("past the end", ILightClient.AbsenteeOutOfRange.selector, put(c, 291 + 32, hex"64"));
        yes("as it was", client.submit(c));
    }

    function test_signersKey() public {
        bytes memory c = certify("four", good, hex"02");
        uint256 key = 292;
        refusesCertificate("identity", ILightClient.IdentityKey.selector, put(c, key, new bytes(128)));
        refusesCertificate("off the curve", ILightClient.PrecompileFailed.selector, flip(c, key + 31));
        refusesCertificate("other signers", ILightClient.SignatureInvalid.selector, put(c, key, signersKey("four", hex"01")));
    }

    /// @notice Who names both key and signature freely: a key of the forger's own, and its signature on the right point.
    function test_forgedKeyPair() public {
        bytes32 digest = digestOf(DOMAIN, 1, good);
        Bn254.G1 memory point = Bn254.hashToG1(digest);
        bytes memory generator = abi.encode(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);
        bytes memory c = assemble(good, hex"02", abi.encode(point.x, point.y), digest, generator);
        refusesCertificate("secret key 1", ILightClient.SignatureInvalid.selector, c);
    }

    function test_whoSignedIsWhoIsCounted() public {
        bytes32 digest = digestOf(DOMAIN, 1, good);
        bytes memory without = signature("four", digest, hex"02");
        refusesCertificate("an absentee left out", ILightClient.SignatureInvalid.selector, assemble(good, "", without, digest, ""));
        bytes memory withAll = signature("four", digest, "");
        bytes memory c = assemble(good, hex"02", withAll, digest, signersKey("four", hex"02"));
        refusesCertificate("a signer called absent", ILightClient.SignatureInvalid.selector, c);
    }

    /// @notice A chain without a precompile answers success and nothing.
    function test_missingPrecompiles() public {
        bytes memory all = certify("four", good, "");
        bytes memory some = certify("four", good, hex"02");
        for (uint160 precompile = 6; precompile <= 8; ++precompile) {
            vm.mockCall(address(precompile), "", "");
            if (precompile == 8) refusesCertificate("all", ILightClient.PrecompileFailed.selector, all);
            refusesCertificate("some", ILightClient.PrecompileFailed.selector, some);
            vm.clearMockedCalls();
        }
    }

    function test_table() public {
        bytes memory t = table("four");
        ILightClient fresh = ILightClient(deploy("LightClient", abi.encode(DOMAIN, EPOCH, keccak256(t))));
        refusesTable(fresh, "another table", ILightClient.TableHashMismatch.selector, EPOCH, table("three"));
        refusesTable(fresh, "another epoch", ILightClient.TableHashMismatch.selector, EPOCH + 1, t);
        for (uint256 i; i < t.length; i += 37) {
            refusesTable(fresh, "one bit", ILightClient.TableHashMismatch.selector, EPOCH, flip(t, i));
        }
        refusesTable(fresh, "short", ILightClient.TableLength.selector, EPOCH, this.cut(t, t.length - 1));
        refusesTable(fresh, "trailing", ILightClient.TableLength.selector, EPOCH, abi.encodePacked(t, uint8(0)));
        fresh.installTable(EPOCH, t);
        refusesTable(fresh, "again", ILightClient.TableAlreadyInstalled.selector, EPOCH, t);
    }

    function test_tableBounds() public {
        for (uint256 n; n <= 257; n = n == 0 ? 256 : n + 1) {
            bytes memory t = sized(n);
            ILightClient fresh = ILightClient(deploy("LightClient", abi.encode(DOMAIN, EPOCH, keccak256(t))));
            if (n == 256) fresh.installTable(EPOCH, t);
            else refusesTable(fresh, "operators", ILightClient.TableLength.selector, EPOCH, t);
        }
    }

    function test_tableStake() public {
        bytes memory t = put(table("four"), 207, hex"00");
        ILightClient fresh = ILightClient(deploy("LightClient", abi.encode(DOMAIN, EPOCH, keccak256(t))));
        refusesTable(fresh, "total", ILightClient.TableStakeWrong.selector, EPOCH, t);
        t = new bytes(288);
        fresh = ILightClient(deploy("LightClient", abi.encode(DOMAIN, EPOCH, keccak256(t))));
        refusesTable(fresh, "nothing", ILightClient.TableStakeWrong.selector, EPOCH, t);
    }

    /// @notice A table of n operators with stake 1 each; its keys do not matter to `installTable`.
    function sized(uint256 n) private pure returns (bytes memory t) {
        t = put(new bytes(208 + 80 * n), 192, abi.encodePacked(uint128(n)));
        for (uint256 i; i < n; ++i) t[208 + 80 * i + 79] = 0x01;
    }

    function refusesTable(ILightClient target, string memory what, bytes4 expected, uint64 epoch, bytes memory t) private {
        refuses(what, expected, address(target), abi.encodeCall(target.installTable, (epoch, t)));
    }

    function part(bytes calldata data, uint256 offset) external pure returns (bytes memory) {
        return data[offset:offset + 32];
    }

    function cut(bytes calldata data, uint256 length) external pure returns (bytes memory) {
        return data[:length];
    }
}
