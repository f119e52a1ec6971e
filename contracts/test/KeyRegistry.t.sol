// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IKeyRegistry} from "../src/interfaces/IKeyRegistry.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {Test} from "./Vm.sol";

/// @notice Secret key 1: its keys are the generators and its signature is the hashed point.
contract KeyRegistryTest is Test {
    bytes32 private constant DOMAIN = keccak256("test domain");
    IKeyRegistry private registry;
    Bn254.G1 private key = Bn254.G1(1, 2);
    Bn254.G2 private keyG2 = Bn254.G2(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);

    function setUp() public {
        registry = IKeyRegistry(deploy("KeyRegistry", abi.encode(DOMAIN)));
    }

    function possession(address operator) private view returns (Bn254.G1 memory) {
        return Bn254.hashToG1(registry.possessionDigest(key, operator));
    }

    function test_registers() public {
        registry.register(key, keyG2, possession(address(this)));
        bytes32 id = keccak256(abi.encodePacked(uint256(1), uint256(2)));
        eq("id", registry.operatorIdOf(address(this)), id);
        eq("operator", registry.operatorOf(id), address(this));
    }

    function test_digest() public view {
        bytes32 subject = keccak256(abi.encodePacked(uint256(1), uint256(2), address(this)));
        bytes32 digest = keccak256(abi.encodePacked(DOMAIN, uint8(3), uint64(0), uint64(0), subject));
        eq("digest", registry.possessionDigest(key, address(this)), digest);
    }

    function refused(string memory what, bytes4 expected, Bn254.G1 memory k, Bn254.G2 memory k2, Bn254.G1 memory p) private {
        refuses(what, expected, address(registry), abi.encodeCall(registry.register, (k, k2, p)));
        eq("nothing registered", registry.operatorIdOf(address(this)), 0);
    }

    function test_refuses() public {
        Bn254.G1 memory good = possession(address(this));
        refused("identity key", IKeyRegistry.IdentityPoint.selector, Bn254.G1(0, 0), keyG2, good);
        refused("identity key G2", IKeyRegistry.IdentityPoint.selector, key, Bn254.G2(0, 0, 0, 0), good);
        refused("identity signature", IKeyRegistry.IdentityPoint.selector, key, keyG2, Bn254.G1(0, 0));
        refused("for another operator", IKeyRegistry.PossessionNotProven.selector, key, keyG2, possession(address(1)));
        refused("negated", IKeyRegistry.PossessionNotProven.selector, key, keyG2, Bn254.negate(good));
        refused("off the curve", Bn254.PrecompileFailed.selector, Bn254.G1(1, 3), keyG2, good);
        refused("G2 off the curve", Bn254.PrecompileFailed.selector, key, Bn254.G2(1, 2, 3, 4), good);
        Bn254.G1 memory other = Bn254.multiply(key, 5);
        refused("another key in G1", IKeyRegistry.PossessionNotProven.selector, other, keyG2, Bn254.hashToG1(registry.possessionDigest(other, address(this))));
        Bn254.G2 memory otherG2 = Bn254.G2(keyG2.xImaginary, keyG2.xReal, Bn254.P - keyG2.yImaginary, Bn254.P - keyG2.yReal);
        refused("another key in G2", IKeyRegistry.PossessionNotProven.selector, key, otherG2, good);
    }

    function test_onceForEachOperatorAndKey() public {
        registry.register(key, keyG2, possession(address(this)));
        Bn254.G1 memory p = possession(address(this));
        refuses("operator", IKeyRegistry.OperatorHasKey.selector, address(registry), abi.encodeCall(registry.register, (key, keyG2, p)));
        p = possession(address(7));
        bytes memory call_ = abi.encodeCall(registry.register, (key, keyG2, p));
        vm.prank(address(7));
        (bool ok, bytes memory answer) = address(registry).call(call_);
        yes("key", !ok && bytes4(answer) == IKeyRegistry.KeyTaken.selector);
    }
}
