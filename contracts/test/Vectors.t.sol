// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {MerkleTree} from "../src/lib/MerkleTree.sol";
import {IOperatorKeys} from "../src/interfaces/IOperatorKeys.sol";
import {OperatorKeys} from "../src/restaking/OperatorKeys.sol";
import {Committees} from "./Committees.sol";
import {Reference} from "./Reference.sol";

/// @notice Keys under the vectors' domain, which no ServiceManager of these tests has.
contract KeysOfAnyDomain is OperatorKeys {
    constructor(bytes32 domain) OperatorKeys(domain) {}

    function register(address operator, Registration calldata registration) external {
        _register(operator, registration);
    }
}

/// @notice What Rust and py_ecc wrote into vectors/: curve, possession, certificates, trees, header.
contract VectorsTest is Committees {
    string private json;

    function open(string memory name) private {
        json = vm.readFile(string.concat("../vectors/", name));
    }

    function item(string memory list, uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(i), "].", field);
    }

    function has(string memory list, uint256 i) private view returns (bool) {
        return vm.keyExistsJson(json, string.concat(".", list, "[", vm.toString(i), "]"));
    }

    function word(string memory path) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, path);
    }

    function num(string memory path) private view returns (uint256) {
        return vm.parseJsonUint(json, path);
    }

    function raw(string memory path) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, path);
    }

    function test_domain() public {
        open("bn254.json");
        uint64 chainId = uint64(num(".domain.l1_chain_id"));
        address manager = vm.parseJsonAddress(json, ".domain.service_manager");
        uint32 set = uint32(num(".domain.operator_set"));
        eq("domain", keccak256(abi.encodePacked("hum/domain/1", chainId, manager, set)), word(".domain.hash"));
    }

    /// @notice py_ecc's points: by the specification's loop, and by the hints that a certificate carries.
    function test_hashToCurve() public {
        open("bn254.json");
        uint256 i;
        for (; has("hash_to_g1", i); ++i) {
            bytes32 digest = word(item("hash_to_g1", i, "digest"));
            bytes memory expected = raw(item("hash_to_g1", i, "point"));
            Bn254.G1 memory point = Bn254.hashToG1(digest);
            eq("point", abi.encodePacked(point.x, point.y), expected);
            uint256 step = num(item("hash_to_g1", i, "step"));
            bytes32 root = word(item("hash_to_g1", i, "root"));
            eq("step and root", hints(digest), abi.encodePacked(root, uint8(step)));
        }
        yes("all read", i >= 16);
    }

    /// @notice A registration takes py_ecc's proofs of possession, each for its operator only.
    function test_possession() public {
        open("bn254.json");
        bytes32 domain = word(".domain.hash");
        uint256 i;
        for (; has("keys", i); ++i) {
            KeysOfAnyDomain keys = new KeysOfAnyDomain(domain);
            Bn254.G1 memory key = abi.decode(raw(item("keys", i, "g1")), (Bn254.G1));
            Bn254.G2 memory keyG2 = abi.decode(raw(item("keys", i, "g2")), (Bn254.G2));
            Bn254.G1 memory possession = abi.decode(raw(item("keys", i, "possession")), (Bn254.G1));
            address operator = vm.parseJsonAddress(json, item("keys", i, "operator"));
            eq("digest", keys.possessionDigest(key, operator), word(item("keys", i, "possession_digest")));
            keys.register(operator, IOperatorKeys.Registration(key, keyG2, possession, bytes32(uint256(1)), "127.0.0.1:1"));
            eq("operator id", keys.operatorIdOf(operator), word(item("keys", i, "operator_id")));
        }
        yes("all read", i >= 6);
    }

    /// @notice What `crates/bls` writes for `submit` is taken, and says what the off-chain certificate says.
    function test_certificates() public {
        open("certificates.json");
        bytes32 domain = word(".domain");
        uint64 epoch = uint64(num(".epoch"));
        uint256 i;
        for (; has("certificates", i); ++i) {
            bytes memory t = table(vm.parseJsonString(json, item("certificates", i, "committee")));
            ILightClient client = ILightClient(deploy("LightClient", abi.encode(domain, epoch, keccak256(t), address(0), uint32(0))));
            client.installTable(epoch, t);
            bytes memory submission = raw(item("certificates", i, "submission"));
            yes("accepted", client.submit(submission));
            uint64 height = uint64(num(item("certificates", i, "height")));
            uint64 timeMs = uint64(num(item("certificates", i, "time_ms")));
            yes("known", client.isKnown(height, timeMs, word(item("certificates", i, "rollups_root"))));

            bytes memory header = abi.encodePacked(domain, Reference.slice(submission, 1, 192));
            eq("header", header, raw(item("certificates", i, "header")));
            bytes32 hash = keccak256(header);
            eq("header hash", hash, word(item("certificates", i, "header_hash")));
            bytes32 digest = keccak256(abi.encodePacked(domain, uint8(1), epoch, height, hash));
            eq("digest", digest, word(item("certificates", i, "digest")));
            eq("hints", Reference.slice(submission, 257, 33), hints(digest));
            sameSigners(i, submission, raw(item("certificates", i, "certificate")), hash);
        }
        yes("all read", i >= 4);
    }

    /// @notice The off-chain bytes of docs/protocol.md against the on-chain ones.
    function sameSigners(uint256 i, bytes memory submission, bytes memory certificate, bytes32 headerHash) private view {
        uint256[] memory absent = vm.parseJsonUintArray(json, item("certificates", i, "absent"));
        eq("absentees", uint8(submission[290]), absent.length);
        bytes memory front = abi.encodePacked(uint8(1), Reference.slice(submission, 1, 16), headerHash);
        eq("scheme, epoch, height, header", cut(certificate, 49), front);
        uint256 operators = Reference.number(certificate, 49, 2);
        bytes memory bitmap = new bytes((operators + 7) / 8);
        for (uint256 seat; seat < operators; ++seat) bitmap[seat / 8] |= bytes1(uint8(1 << (seat % 8)));
        for (uint256 k; k < absent.length; ++k) {
            eq("absentee", uint8(submission[291 + k]), absent[k]);
            bitmap[absent[k] / 8] ^= bytes1(uint8(1 << (absent[k] % 8)));
        }
        eq("bitmap", Reference.slice(certificate, 51, bitmap.length), bitmap);
        uint256 signature_ = 51 + bitmap.length;
        eq("signature", Reference.slice(certificate, signature_, 64), Reference.slice(submission, 193, 64));
        bytes memory keySum = Reference.slice(certificate, signature_ + 64, 128);
        eq("length", certificate.length, signature_ + 192);
        if (absent.length != 0) eq("G2 sum", Reference.slice(submission, 291 + absent.length, 128), keySum);
    }

    /// @notice Every proof of a run that Rust made leads to Rust's root, with no sibling to spare.
    function test_trees() public {
        open("tree.json");
        uint256 i;
        for (; has("trees", i); ++i) {
            uint256 count = num(item("trees", i, "count"));
            bytes32 root = word(item("trees", i, "root"));
            for (uint256 k;; ++k) {
                string memory path = item("trees", i, string.concat("proofs[", vm.toString(k), "]"));
                if (!vm.keyExistsJson(json, path)) break;
                uint256 start = num(string.concat(path, ".start"));
                uint256 length = num(string.concat(path, ".length"));
                bytes32[] memory siblings = vm.parseJsonBytes32Array(json, string.concat(path, ".siblings"));
                bytes memory packed = abi.encodePacked(siblings);
                (bytes32 computed, uint256 used) = this.rootOfRun(count, start, length, packed);
                eq("root", computed, root);
                eq("siblings used", used, packed.length);
                if (length == 1) {
                    eq("single", this.rootOf(keccak256(abi.encodePacked(uint64(start))), start, packed), root);
                }
            }
        }
        yes("all read", i >= 7);
    }

    function rootOf(bytes32 leaf, uint256 index, bytes calldata siblings) external pure returns (bytes32) {
        return MerkleTree.rootOf(leaf, index, siblings);
    }

    function rootOfRun(uint256 count, uint256 start, uint256 length, bytes calldata siblings)
        external
        pure
        returns (bytes32 root, uint256 used)
    {
        bytes32[] memory leaves = new bytes32[](length + 2);
        for (uint256 i; i < length; ++i) leaves[i + 1] = keccak256(abi.encodePacked(uint64(start + i)));
        uint256 first;
        uint256 offset;
        assembly ("memory-safe") {
            first := add(leaves, 64)
            offset := siblings.offset
        }
        (root, used) = MerkleTree.rootOfRun(first, start, length, count, offset);
        used -= offset;
    }

    function test_header() public {
        open("header.json");
        bytes memory h = abi.encodePacked(
            word(".header.domain"), uint64(num(".header.epoch")), uint64(num(".header.height")), uint64(num(".header.time_ms"))
        );
        h = abi.encodePacked(h, uint64(num(".header.l1_origin_number")), word(".header.parent"), word(".header.l1_origin_hash"));
        h = abi.encodePacked(h, word(".header.rollups_root"), word(".header.body_hash"), word(".header.next_table_hash"));
        eq("header", h, raw(".header.bytes"));
        eq("hash", keccak256(h), word(".header.hash"));
        bytes memory parts;
        for (uint256 i; i < 3; ++i) {
            bytes memory part = raw(item("head_parts", i, "bytes"));
            eq("head part", keccak256(part), word(item("head_parts", i, "hash")));
            parts = abi.encodePacked(parts, keccak256(part));
        }
        bytes memory leaf = abi.encodePacked(
            uint64(num(".rollup_leaf.chain_id")), word(".rollup_leaf.registration"), uint32(num(".rollup_leaf.generation"))
        );
        leaf = abi.encodePacked(leaf, uint8(num(".rollup_leaf.status")), uint8(num(".rollup_leaf.class")), parts);
        eq("rollup leaf", leaf, raw(".rollup_leaf.preimage"));
        eq("leaf hash", keccak256(leaf), word(".rollup_leaf.hash"));
    }
}
