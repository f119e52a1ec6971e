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

    function refused(string memory what, bytes memory expected, Bn254.G1 memory k, Bn254.G2 memory k2, Bn254.G1 memory p) private {
        refuses(what, expected, address(registry), abi.encodeCall(registry.register, (k, k2, p)));
        eq("nothing registered", registry.operatorIdOf(address(this)), 0);
    }

    function test_refuses() public {
        Bn254.G1 memory good = possession(address(this));
        refused("identity key", err(IKeyRegistry.IdentityPoint.selector), Bn254.G1(0, 0), keyG2, good);
        refused("identity key G2", err(IKeyRegistry.IdentityPoint.selector), key, Bn254.G2(0, 0, 0, 0), good);
        refused("identity signature", err(IKeyRegistry.IdentityPoint.selector), key, keyG2, Bn254.G1(0, 0));
        bytes memory unproven = err(IKeyRegistry.PossessionNotProven.selector, registry.possessionDigest(key, address(this)));
        refused("for another operator", unproven, key, keyG2, possession(address(1)));
        refused("negated", unproven, key, keyG2, Bn254.negate(good));
        Bn254.G2 memory otherG2 = Bn254.G2(keyG2.xImaginary, keyG2.xReal, Bn254.P - keyG2.yImaginary, Bn254.P - keyG2.yReal);
        refused("another key in G2", unproven, key, otherG2, good);
        Bn254.G1 memory other = Bn254.multiply(key, 5);
        bytes32 digest = registry.possessionDigest(other, address(this));
        refused("another key in G1", err(IKeyRegistry.PossessionNotProven.selector, digest), other, keyG2, Bn254.hashToG1(digest));
        refused("off the curve", err(Bn254.PrecompileFailed.selector, uint256(7)), Bn254.G1(1, 3), keyG2, good);
        refused("another spelling of x", err(Bn254.PrecompileFailed.selector, uint256(7)), Bn254.G1(1 + Bn254.P, 2), keyG2, good);
        refused("signature off the curve", err(Bn254.PrecompileFailed.selector, uint256(6)), key, keyG2, Bn254.G1(1, 3));
        refused("G2 off the curve", err(Bn254.PrecompileFailed.selector, uint256(8)), key, Bn254.G2(1, 2, 3, 4), good);
    }

    /// @notice A signature under another domain, or of another kind, is no proof of possession.
    function test_refusesOtherStatements() public {
        bytes32 subject = keccak256(abi.encodePacked(uint256(1), uint256(2), address(this)));
        bytes memory unproven = err(IKeyRegistry.PossessionNotProven.selector, registry.possessionDigest(key, address(this)));
        bytes32 digest = keccak256(abi.encodePacked(keccak256("other domain"), uint8(3), uint64(0), uint64(0), subject));
        refused("domain", unproven, key, keyG2, Bn254.hashToG1(digest));
        for (uint8 kind = 1; kind <= 2; ++kind) {
            digest = keccak256(abi.encodePacked(DOMAIN, kind, uint64(0), uint64(0), subject));
            refused("kind", unproven, key, keyG2, Bn254.hashToG1(digest));
        }
    }

    /// @notice Who copies a registration out of the mempool gets nothing, and takes nothing from its owner.
    function test_frontRunningRegistersNothing() public {
        address owner = address(0xa11ce);
        bytes memory call_ = abi.encodeCall(registry.register, (key, keyG2, possession(owner)));
        bytes memory unproven = err(IKeyRegistry.PossessionNotProven.selector, registry.possessionDigest(key, address(this)));
        refuses("the thief", unproven, address(registry), call_);
        vm.prank(owner);
        (bool ok,) = address(registry).call(call_);
        yes("the owner", ok);
        eq("operator", registry.operatorOf(keccak256(abi.encode(key))), owner);
    }

    /// @notice The sum of others' keys less one's own is nobody's key: possession cannot be shown for it.
    function test_rogueKey() public {
        Bn254.G1 memory victim = Bn254.multiply(key, 5);
        Bn254.G1 memory rogue = Bn254.add(key, Bn254.negate(victim));
        bytes32 digest = registry.possessionDigest(rogue, address(this));
        refused("rogue", err(IKeyRegistry.PossessionNotProven.selector, digest), rogue, keyG2, Bn254.hashToG1(digest));
    }

    function test_onceForEachOperatorAndKey() public {
        registry.register(key, keyG2, possession(address(this)));
        Bn254.G1 memory p = possession(address(this));
        bytes memory taken = err(IKeyRegistry.OperatorHasKey.selector, address(this));
        refuses("operator", taken, address(registry), abi.encodeCall(registry.register, (key, keyG2, p)));
        p = possession(address(7));
        bytes32 id = keccak256(abi.encode(key));
        taken = abi.encodeWithSelector(IKeyRegistry.KeyTaken.selector, id, address(this));
        refusesFrom(address(7), "key", taken, address(registry), abi.encodeCall(registry.register, (key, keyG2, p)));
    }
}
