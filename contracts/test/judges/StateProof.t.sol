// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {StateProof} from "../../src/judges/StateProof.sol";
import {Tries} from "./Tries.sol";

/// @notice Proofs of absence, beside OpenZeppelin's proofs of presence, over tries of every shape.
contract StateProofTest is Tries {
    function absent(bytes32 root, bytes32 key, bytes[] memory proof) external pure returns (bool) {
        return StateProof.isAbsent(root, key, proof);
    }

    function present(bytes32 root, bytes32 key, bytes[] memory proof) external pure returns (bytes memory) {
        return TrieProof.traverse(root, abi.encodePacked(key), proof);
    }

    /// @notice Keys that share `shared` leading nibbles with the seed, so that nodes come to lie inside their parents.
    function keysNear(bytes32 seed, uint256 count, uint256 shared) private pure returns (bytes32[] memory keys, bytes[] memory values) {
        keys = new bytes32[](count);
        values = new bytes[](count);
        uint256 mask = shared == 64 ? 0 : type(uint256).max >> (4 * shared);
        for (uint256 i; i < count; ++i) {
            keys[i] = bytes32((uint256(seed) & ~mask) | (uint256(keccak256(abi.encode(seed, i))) & mask));
            // Every key once: the last nibbles count.
            if (shared < 62) keys[i] = bytes32((uint256(keys[i]) & ~uint256(0xff)) | i);
            values[i] = abi.encodePacked(uint8(1 + i % 100));
        }
    }

    /// @notice Every key is present and not absent, everything else absent and not present.
    /// forge-config: default.fuzz.runs = 200
    function testFuzz_presentOrAbsent(bytes32 seed, uint256 count, uint256 shared, bytes32 other) public {
        (bytes32[] memory keys, bytes[] memory values) = keysNear(seed, 1 + count % 9, shared % 62);
        uint256 one = count % keys.length;
        (bytes32 root, bytes[] memory proof) = trie(keys, values, keys[one]);
        yes("present", keccak256(this.present(root, keys[one], proof)) == keccak256(values[one]));
        yes("not absent", !this.absent(root, keys[one], proof));

        bytes32[3] memory strangers = [other, bytes32(uint256(keys[one]) ^ 0x8000), bytes32(uint256(keys[one]) ^ (uint256(1) << (count % 256)))];
        for (uint256 i; i < 3; ++i) {
            bool known;
            for (uint256 k; k < keys.length; ++k) if (keys[k] == strangers[i]) known = true;
            if (known) continue;
            (root, proof) = trie(keys, values, strangers[i]);
            yes("absent", this.absent(root, strangers[i], proof));
            (bool ok,) = address(this).call(abi.encodeCall(this.present, (root, strangers[i], proof)));
            yes("not present", !ok);
        }
    }

    /// @notice No proof made for one key, whole, cut or spoiled, shows that a present key is absent.
    /// forge-config: default.fuzz.runs = 200
    function testFuzz_nothingShowsAPresentKeyAbsent(bytes32 seed, uint256 count, uint256 shared, uint256 where, uint8 bit) public {
        (bytes32[] memory keys, bytes[] memory values) = keysNear(seed, 2 + count % 7, shared % 62);
        (bytes32 root, bytes[] memory proof) = trie(keys, values, keys[where % keys.length]);
        for (uint256 k; k < keys.length; ++k) yes("whole", !shown(root, keys[k], proof));
        bytes[] memory shorter = new bytes[](proof.length - 1);
        for (uint256 i; i < shorter.length; ++i) shorter[i] = proof[i];
        for (uint256 k; k < keys.length; ++k) yes("cut", !shown(root, keys[k], shorter));
        uint256 node = where % proof.length;
        uint256 offset = (where >> 16) % proof[node].length;
        proof[node][offset] = bytes1(uint8(proof[node][offset]) ^ uint8(1 << (bit % 8)));
        for (uint256 k; k < keys.length; ++k) yes("spoiled", !shown(root, keys[k], proof));
    }

    function shown(bytes32 root, bytes32 key, bytes[] memory proof) private returns (bool) {
        (bool ok, bytes memory answer) = address(this).call(abi.encodeCall(this.absent, (root, key, proof)));
        return ok && abi.decode(answer, (bool));
    }

    function test_emptyTrie() public view {
        bytes[] memory none;
        yes("empty", this.absent(EMPTY, "k", none));
        yes("another root", !this.absent("r", "k", none));
        yes("more than nothing", !this.absent(EMPTY, "k", new bytes[](1)));
    }

    function test_nodesAfterTheEnd() public {
        (bytes32[] memory keys, bytes[] memory values) = keysNear("seed", 5, 0);
        (bytes32 root, bytes[] memory proof) = trie(keys, values, "stranger");
        bytes[] memory longer = new bytes[](proof.length + 1);
        for (uint256 i; i < proof.length; ++i) longer[i] = proof[i];
        longer[proof.length] = proof[0];
        yes("absent", this.absent(root, "stranger", proof));
        yes("more than is needed", !this.absent(root, "stranger", longer));
    }
}
