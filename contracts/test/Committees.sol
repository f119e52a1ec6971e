// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {Test} from "./Vm.sol";

/// @notice Committees of vectors/committee.json, which can sign because their secret keys are known.
abstract contract Committees is Test {
    bytes32 internal constant DOMAIN = keccak256("test domain");
    uint64 internal constant EPOCH = 5;
    /// @dev Of every committee in the vectors.
    uint64 internal constant VALID_UNTIL = 4_000_000_000;

    string private json;
    /// @dev Reading JSON is slow, and tests sign often.
    mapping(bytes32 committee => uint256[]) private secretsOf;
    mapping(bytes32 committeeAndAbsent => bytes) private keyOf;

    /// @notice The fields of a header; `certify` fills in the domain and the epoch of the signer.
    struct Header {
        uint64 epoch;
        uint64 height;
        uint64 timeMs;
        bytes32 rollupsRoot;
        bytes32 nextTableHash;
    }

    function table(string memory committee) internal returns (bytes memory) {
        return vm.parseJsonBytes(_json(), string.concat(".", committee, ".table"));
    }

    /// @notice The same keys and stakes, good until another time: anybody can write that table, and only its hash counts.
    function table(string memory committee, uint64 validUntil) internal returns (bytes memory) {
        return put(table(committee), 208, abi.encodePacked(validUntil));
    }

    /// @notice Which light client is tested.
    function lightClient() internal pure virtual returns (string memory) {
        return "LightClient";
    }

    function newLightClient(string memory committee) internal returns (ILightClient client) {
        bytes memory blob = table(committee);
        client = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(blob), address(0), uint32(0))));
        client.installTable(EPOCH, blob);
    }

    /// @notice The 192 bytes of a header that go into a certificate.
    function headerBytes(Header memory h) internal pure returns (bytes memory) {
        bytes memory numbers = abi.encodePacked(h.epoch, h.height, h.timeMs, uint64(23_456_789));
        return abi.encodePacked(
            numbers, keccak256("parent"), keccak256("origin"), h.rollupsRoot, keccak256("body"), h.nextTableHash
        );
    }

    function digestOf(bytes32 domain, uint8 kind, Header memory h) internal pure returns (bytes32) {
        bytes32 headerHash = keccak256(abi.encodePacked(domain, headerBytes(h)));
        return keccak256(abi.encodePacked(domain, kind, h.epoch, h.height, headerHash));
    }

    /// @notice A certificate in which all but `absent` sign. `absent` is a set that the vectors hold.
    function certify(string memory committee, Header memory h, bytes memory absent) internal returns (bytes memory) {
        return assemble(h, absent, signature(committee, digestOf(DOMAIN, 1, h), absent), digestOf(DOMAIN, 1, h), signersKey(committee, absent));
    }

    function assemble(Header memory h, bytes memory absent, bytes memory sig, bytes32 digest, bytes memory keyG2)
        internal
        view
        returns (bytes memory)
    {
        return abi.encodePacked(
            uint8(1), headerBytes(h), sig, hints(digest), uint8(absent.length), absent, absent.length == 0 ? bytes("") : keyG2
        );
    }

    /// @notice Root hint and step.
    function hints(bytes32 digest) internal view returns (bytes memory) {
        Bn254.G1 memory point = Bn254.hashToG1(digest);
        uint256 step = addmod(point.x, Bn254.P - uint256(digest) % Bn254.P, Bn254.P);
        // w = y^((p+1)/4); y is a square itself, being a power of one.
        return abi.encodePacked(power(point.y, (Bn254.P + 1) / 4), uint8(step));
    }

    function signature(string memory committee, bytes32 digest, bytes memory absent) internal returns (bytes memory) {
        Bn254.G1 memory s = Bn254.multiply(Bn254.hashToG1(digest), secretSum(committee, absent));
        return abi.encodePacked(s.x, s.y);
    }

    function secretSum(string memory committee, bytes memory absent) internal returns (uint256 sum) {
        bytes32 known = keccak256(bytes(committee));
        if (secretsOf[known].length == 0) {
            secretsOf[known] = vm.parseJsonUintArray(_json(), string.concat(".", committee, ".secrets"));
        }
        uint256[] memory secrets = secretsOf[known];
        for (uint256 i; i < absent.length; ++i) secrets[uint8(absent[i])] = 0;
        for (uint256 i; i < secrets.length; ++i) sum = addmod(sum, secrets[i], Bn254.R);
    }

    function signersKey(string memory committee, bytes memory absent) internal returns (bytes memory) {
        if (absent.length == 0) return "";
        bytes32 known = keccak256(abi.encode(committee, absent));
        if (keyOf[known].length == 0) keyOf[known] = _signersKey(committee, absent);
        return keyOf[known];
    }

    function _signersKey(string memory committee, bytes memory absent) private returns (bytes memory) {
        for (uint256 set; set < 8; ++set) {
            string memory path = string.concat(".", committee, ".absent[", vm.toString(set), "]");
            uint256[] memory indexes = vm.parseJsonUintArray(_json(), string.concat(path, ".indexes"));
            bytes memory packed;
            for (uint256 i; i < indexes.length; ++i) packed = abi.encodePacked(packed, uint8(indexes[i]));
            if (keccak256(packed) == keccak256(absent)) return vm.parseJsonBytes(_json(), string.concat(path, ".signers_g2"));
        }
        revert("no such set of absentees in the vectors");
    }

    function power(uint256 base, uint256 exponent) internal view returns (uint256 result) {
        (bool ok, bytes memory answer) = address(5).staticcall(abi.encode(32, 32, 32, base, exponent, Bn254.P));
        require(ok);
        return abi.decode(answer, (uint256));
    }

    function _json() private returns (string memory) {
        if (bytes(json).length == 0) json = vm.readFile("../vectors/committee.json");
        return json;
    }
}
