// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../../src/lib/Bn254.sol";
import {G2} from "../G2.sol";
import {RealCore} from "./Cores.sol";
import {Restaking} from "./Restaking.sol";

/// @notice The committees of vectors/committee.json register on EigenLayer's core with their stakes, and the contract builds
/// from that, byte for byte, the tables that Rust and py_ecc know.
contract RestakingVectorsTest is Restaking, RealCore {
    string private json;

    function table(string memory committee) private {
        string memory path = string.concat(".", committee);
        uint256[] memory secrets = vm.parseJsonUintArray(json, string.concat(path, ".secrets"));
        uint256[] memory stakes = vm.parseJsonUintArray(json, string.concat(path, ".stakes"));
        uint256 validUntil = vm.parseJsonUint(json, string.concat(path, ".valid_until"));
        address[] memory operators = new address[](secrets.length);
        begin(1);
        // Not in the order of ids, and nobody's first operator.
        for (uint256 i; i < operators.length; ++i) operators[i] = address(uint160(uint256(keccak256(abi.encode(committee, i)))));
        join(operators, stakes, secrets);
        vm.warp(validUntil - config.slashableWindowSeconds);
        bytes32 found = manager.snapshotAt(snapshot()).tableHash;
        eq(committee, found, vm.parseJsonBytes32(json, string.concat(path, ".table_hash")));
        eq(committee, found, keccak256(vm.parseJsonBytes(json, string.concat(path, ".table"))));
    }

    function test_tables() public {
        json = vm.readFile("../vectors/committee.json");
        table("one");
        table("three");
        table("four");
        table("uneven");
    }

    function test_hundred() public {
        json = vm.readFile("../vectors/committee.json");
        table("hundred");
    }

    /// @notice In a call of its own: memory costs more the more of it was used.
    function keyG2(uint256 secret) internal view override returns (Bn254.G2 memory) {
        return this.multiply(secret);
    }

    function multiply(uint256 secret) external view returns (Bn254.G2 memory) {
        return G2.multiply(G2.generator(), secret);
    }
}
