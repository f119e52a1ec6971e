// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {ITableStore} from "../../src/interfaces/ITableStore.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {Committees} from "../Committees.sol";
import {G2} from "../G2.sol";
import {Recorder} from "./Recorder.sol";

/// @notice More cheat codes.
interface JudgeVm {
    function sign(uint256 secret, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function addr(uint256 secret) external pure returns (address);
    function roll(uint256) external;
    function startPrank(address) external;
    function stopPrank() external;
}

/// @notice The committee "four" of the vectors, known to a ServiceManager, and operators that sign whatever a test wants.
abstract contract JudgeWorld is Committees {
    JudgeVm internal constant jvm = JudgeVm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant N = 4;

    /// @notice A whole header.
    struct WholeHeader {
        uint64 epoch;
        uint64 height;
        uint64 timeMs;
        uint64 originNumber;
        bytes32 parent;
        bytes32 originHash;
        bytes32 rollupsRoot;
        bytes32 bodyHash;
        bytes32 nextTableHash;
    }

    Recorder internal manager;
    ITableStore internal tables;
    bytes32 internal tableHash;
    uint256[N] internal secrets;
    WholeHeader internal base;

    function setUp() public virtual {
        vm.warp(1_000_000);
        jvm.roll(1000);
        manager = new Recorder(DOMAIN);
        tables = ITableStore(deploy("TableStore", abi.encode(manager)));
        bytes memory blob = table("four");
        tableHash = keccak256(blob);
        manager.addSnapshot(tableHash, 10);
        tables.store(blob);
        for (uint8 i; i < N; ++i) {
            bytes memory others;
            for (uint8 j; j < N; ++j) if (j != i) others = abi.encodePacked(others, j);
            secrets[i] = secretSum("four", others);
            manager.register(operator(i), keyG1(secrets[i]), keyG2(secrets[i]));
        }
        base = WholeHeader(EPOCH, 77, 123, 900, keccak256("parent"), keccak256("origin"), keccak256("rollups"), keccak256("body"), 0);
    }

    function judge(string memory name, bytes memory arguments) internal returns (address deployed) {
        deployed = deploy(name, arguments);
        manager.trust(deployed);
    }

    function operator(uint256 seat) internal pure returns (address) {
        return address(uint160(0xa000 + seat));
    }

    function keyG1(uint256 secret) internal view returns (Bn254.G1 memory) {
        return Bn254.multiply(Bn254.G1(1, 2), secret);
    }

    function keyG2(uint256 secret) internal view returns (Bn254.G2 memory) {
        return G2.multiply(G2.generator(), secret);
    }

    // ---- What operators sign

    function bytesOf(WholeHeader memory h) internal pure returns (bytes memory) {
        bytes memory numbers = abi.encodePacked(h.epoch, h.height, h.timeMs, h.originNumber, h.parent, h.originHash);
        return abi.encodePacked(numbers, h.rollupsRoot, h.bodyHash, h.nextTableHash);
    }

    function hashOf(WholeHeader memory h) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(DOMAIN, bytesOf(h)));
    }

    function digest(uint8 kind, uint64 epoch, uint64 height, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(DOMAIN, kind, epoch, height, subject));
    }

    function attestationDigest(WholeHeader memory h) internal pure returns (bytes32) {
        return digest(1, h.epoch, h.height, hashOf(h));
    }

    function sign(uint256 secret, bytes32 d) internal view returns (Bn254.G1 memory) {
        return Bn254.multiply(Bn254.hashToG1(d), secret);
    }

    /// @notice Evidence of one attestation.
    function single(uint256 seat, WholeHeader memory h) internal view returns (bytes memory) {
        Bn254.G1 memory s = sign(secrets[seat], attestationDigest(h));
        return abi.encodePacked(uint8(0), operator(seat), bytesOf(h), s.x, s.y);
    }

    /// @notice A certificate of "four"; `absent` is a set that the vectors hold.
    function certificateOf(WholeHeader memory h, bytes memory absent) internal returns (bytes memory) {
        bytes32 d = attestationDigest(h);
        return pack(h, absent, signature("four", d, absent), signersKey("four", absent));
    }

    function pack(WholeHeader memory h, bytes memory absent, bytes memory sig, bytes memory key) internal view returns (bytes memory) {
        bytes memory front = abi.encodePacked(uint8(1), bytesOf(h), sig, hints(attestationDigest(h)));
        return abi.encodePacked(front, uint8(absent.length), absent, key);
    }

    /// @notice Evidence of a certificate.
    function certified(WholeHeader memory h, bytes memory absent) internal returns (bytes memory) {
        return abi.encodePacked(uint8(1), tableHash, certificateOf(h, absent));
    }

    /// @notice The table of other committees: these secrets, ascending by operator id, one stake for all.
    function tableOf(uint256[] memory keys) internal view returns (bytes memory blob) {
        Bn254.G1 memory sum;
        uint256 secret;
        for (uint256 i; i < keys.length; ++i) {
            Bn254.G1 memory key = keyG1(keys[i]);
            sum = Bn254.add(sum, key);
            secret = addmod(secret, keys[i], Bn254.R);
            blob = abi.encodePacked(blob, key.x, key.y, uint128(100));
        }
        Bn254.G2 memory g2 = keyG2(secret);
        bytes memory head = abi.encodePacked(sum.x, sum.y, g2.xImaginary, g2.xReal, g2.yImaginary, g2.yReal);
        return abi.encodePacked(head, uint128(100 * keys.length), VALID_UNTIL, blob);
    }

    function sumOf(uint256[] memory keys) internal pure returns (uint256 secret) {
        for (uint256 i; i < keys.length; ++i) secret = addmod(secret, keys[i], Bn254.R);
    }

    // ---- What follows

    function expectSlashed(string memory what, uint256 seat, uint8 fault) internal view {
        yes(what, manager.isJailed(operator(seat)));
        eq(what, manager.lastFault(), fault);
        eq(what, manager.lastOperator(), operator(seat));
        eq(what, manager.lastReporter(), address(this));
    }

    /// @notice Refused with exactly this, and nobody slashed.
    function framed(string memory what, bytes memory expected, address target, bytes memory data) internal {
        uint256 before = manager.slashes();
        refuses(what, expected, target, data);
        eq(what, manager.slashes(), before);
    }
}
