// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager, IAVSRegistrar} from "../src/interfaces/IEigenLayer.sol";
import {IServiceManager} from "../src/interfaces/IServiceManager.sol";
import {IOperatorKeys} from "../src/interfaces/IOperatorKeys.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {Test} from "./Vm.sol";

/// @notice Registrations alone: this contract is the core that passes them on. Secret key 1: its keys are the generators and
/// its signature is the hashed point.
contract OperatorKeysTest is Test {
    bytes32 private constant NETWORK_KEY = keccak256("network key");
    IServiceManager private manager;
    Bn254.G1 private key = Bn254.G1(1, 2);
    Bn254.G2 private keyG2 = Bn254.G2(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);
    address private operator = address(0x0b);

    // ---- What a core answers

    function DEALLOCATION_DELAY() external pure returns (uint32) {
        return 100;
    }

    function getMemberCount(IAllocationManager.OperatorSet calldata) external pure returns (uint256) {
        return 1;
    }

    function setUp() public {
        address[] memory strategies = new address[](1);
        strategies[0] = address(1);
        IServiceManager.Config memory config = IServiceManager.Config(4, 50, 600, 10, 60, 0, address(0));
        manager = IServiceManager(deploy("ServiceManager", abi.encode(this, this, strategies, config)));
    }

    function possession(address who) private view returns (Bn254.G1 memory) {
        return Bn254.hashToG1(manager.possessionDigest(key, who));
    }

    function good() private view returns (IOperatorKeys.Registration memory) {
        return IOperatorKeys.Registration(key, keyG2, possession(operator), NETWORK_KEY, "127.0.0.1:4000");
    }

    function call_(address who, IOperatorKeys.Registration memory r) private view returns (bytes memory) {
        return abi.encodeCall(IAVSRegistrar.registerOperator, (who, address(manager), new uint32[](1), abi.encode(r)));
    }

    function register(address who, IOperatorKeys.Registration memory r) private {
        (bool ok,) = address(manager).call(call_(who, r));
        yes("registered", ok);
    }

    function refused(string memory what, bytes memory expected, IOperatorKeys.Registration memory r) private {
        refuses(what, expected, address(manager), call_(operator, r));
        eq("nothing registered", manager.operatorIdOf(operator), 0);
    }

    function test_registers() public {
        register(operator, good());
        bytes32 id = keccak256(abi.encodePacked(uint256(1), uint256(2)));
        eq("id", manager.operatorIdOf(operator), id);
        eq("operator", manager.operatorOf(id), operator);
        (Bn254.G1 memory k, Bn254.G2 memory k2, Bn254.G1 memory p) = manager.keyOf(operator);
        eq("keys", abi.encode(k, k2, p), abi.encode(key, keyG2, possession(operator)));
        (bytes32 networkKey, string memory endpoint) = manager.endpointOf(operator);
        eq("network key", networkKey, NETWORK_KEY);
        eq("endpoint", bytes(endpoint), "127.0.0.1:4000");
    }

    function test_digest() public view {
        bytes32 domain = keccak256(abi.encodePacked("hum/domain/1", uint64(block.chainid), address(manager), uint32(0)));
        eq("domain", manager.DOMAIN(), domain);
        bytes32 subject = keccak256(abi.encodePacked(uint256(1), uint256(2), operator));
        bytes32 digest = keccak256(abi.encodePacked(domain, uint8(3), uint64(0), uint64(0), subject));
        eq("digest", manager.possessionDigest(key, operator), digest);
    }

    function test_refusesKeys() public {
        IOperatorKeys.Registration memory r = good();
        r.key = Bn254.G1(0, 0);
        refused("identity key", err(IOperatorKeys.IdentityPoint.selector), r);
        r = good();
        r.keyG2 = Bn254.G2(0, 0, 0, 0);
        refused("identity key G2", err(IOperatorKeys.IdentityPoint.selector), r);
        r = good();
        r.keyG2 = Bn254.G2(keyG2.xImaginary, keyG2.xReal, Bn254.P - keyG2.yImaginary, Bn254.P - keyG2.yReal);
        bytes memory unproven = err(IOperatorKeys.PossessionNotProven.selector, manager.possessionDigest(key, operator));
        refused("another key in G2", unproven, r);
        r = good();
        r.key = Bn254.multiply(key, 5);
        bytes32 digest = manager.possessionDigest(r.key, operator);
        refused("another key in G1", err(IOperatorKeys.PossessionNotProven.selector, digest), r);
        r = good();
        r.key = Bn254.G1(1, 3);
        refused("off the curve", err(Bn254.PrecompileFailed.selector, uint256(7)), r);
        r = good();
        r.key = Bn254.G1(1 + Bn254.P, 2);
        refused("another spelling of x", err(Bn254.PrecompileFailed.selector, uint256(7)), r);
        r = good();
        r.keyG2 = Bn254.G2(1, 2, 3, 4);
        refused("G2 off the curve", err(Bn254.PrecompileFailed.selector, uint256(8)), r);
    }

    function test_refusesPossessions() public {
        bytes memory unproven = err(IOperatorKeys.PossessionNotProven.selector, manager.possessionDigest(key, operator));
        IOperatorKeys.Registration memory r = good();
        r.possession = Bn254.G1(0, 0);
        refused("identity signature", err(IOperatorKeys.IdentityPoint.selector), r);
        r.possession = possession(address(1));
        refused("for another operator", unproven, r);
        r.possession = Bn254.negate(possession(operator));
        refused("negated", unproven, r);
        r.possession = Bn254.G1(1, 3);
        refused("signature off the curve", err(Bn254.PrecompileFailed.selector, uint256(6)), r);
    }

    /// @notice A signature under another domain, or of another kind, is no proof of possession.
    function test_refusesOtherStatements() public {
        bytes32 subject = keccak256(abi.encodePacked(uint256(1), uint256(2), operator));
        bytes memory unproven = err(IOperatorKeys.PossessionNotProven.selector, manager.possessionDigest(key, operator));
        IOperatorKeys.Registration memory r = good();
        bytes32 digest = keccak256(abi.encodePacked(keccak256("other domain"), uint8(3), uint64(0), uint64(0), subject));
        r.possession = Bn254.hashToG1(digest);
        refused("domain", unproven, r);
        for (uint8 kind = 1; kind <= 2; ++kind) {
            digest = keccak256(abi.encodePacked(manager.DOMAIN(), kind, uint64(0), uint64(0), subject));
            r.possession = Bn254.hashToG1(digest);
            refused("kind", unproven, r);
        }
    }

    /// @notice Who copies a registration out of the mempool gets nothing, and takes nothing from its owner.
    function test_frontRunningRegistersNothing() public {
        bytes memory unproven = err(IOperatorKeys.PossessionNotProven.selector, manager.possessionDigest(key, address(7)));
        refuses("the thief", unproven, address(manager), call_(address(7), good()));
        register(operator, good());
        eq("operator", manager.operatorOf(keccak256(abi.encode(key))), operator);
    }

    /// @notice The sum of others' keys less one's own is nobody's key: possession cannot be shown for it.
    function test_rogueKey() public {
        IOperatorKeys.Registration memory r = good();
        r.key = Bn254.add(key, Bn254.negate(Bn254.multiply(key, 5)));
        bytes32 digest = manager.possessionDigest(r.key, operator);
        r.possession = Bn254.hashToG1(digest);
        refused("rogue", err(IOperatorKeys.PossessionNotProven.selector, digest), r);
    }

    function test_aKeyIsOneOperators() public {
        register(operator, good());
        IOperatorKeys.Registration memory r = good();
        r.possession = possession(address(7));
        bytes memory taken = abi.encodeWithSelector(IOperatorKeys.KeyTaken.selector, keccak256(abi.encode(key)), operator);
        refuses("key", taken, address(manager), call_(address(7), r));
    }

    /// @notice Whoever comes back brings the key that it had, though perhaps another endpoint.
    function test_keysNeverChange() public {
        register(operator, good());
        bytes32 held = manager.operatorIdOf(operator);
        IOperatorKeys.Registration memory r = good();
        r.key = Bn254.multiply(key, 2);
        bytes memory expected = abi.encodeWithSelector(IOperatorKeys.OperatorHasKey.selector, operator, held);
        refuses("another key", expected, address(manager), call_(operator, r));
        eq("id", manager.operatorIdOf(operator), held);

        r = good();
        (r.keyG2, r.possession, r.endpoint) = (Bn254.G2(1, 2, 3, 4), Bn254.G1(9, 9), "127.0.0.1:4001");
        register(operator, r);
        (Bn254.G1 memory k, Bn254.G2 memory k2, Bn254.G1 memory p) = manager.keyOf(operator);
        eq("what was proven stays", abi.encode(k, k2, p), abi.encode(key, keyG2, possession(operator)));
        (, string memory endpoint) = manager.endpointOf(operator);
        eq("endpoint", bytes(endpoint), "127.0.0.1:4001");
    }

    function test_refusesEndpoints() public {
        IOperatorKeys.Registration memory r = good();
        r.networkKey = 0;
        refused("no network key", err(IOperatorKeys.NetworkKeyMissing.selector), r);
        r = good();
        r.endpoint = "";
        refused("empty", err(IOperatorKeys.EndpointInvalid.selector, uint256(0)), r);
        r.endpoint = string(new bytes(65));
        refused("long", err(IOperatorKeys.EndpointInvalid.selector, uint256(65)), r);
        bytes1[4] memory bad = [bytes1(0x00), 0x20, 0x7f, 0xc3];
        for (uint256 i; i < bad.length; ++i) {
            r.endpoint = string(abi.encodePacked("127.0.0.1:400", bad[i]));
            refused("not printable", err(IOperatorKeys.EndpointInvalid.selector, uint256(14)), r);
        }
    }

    function test_setEndpoint() public {
        bytes32 other = keccak256("other");
        bytes memory set = abi.encodeCall(IOperatorKeys.setEndpoint, (other, "10.0.0.1:1"));
        refusesFrom(operator, "nobody yet", err(IOperatorKeys.NotOperator.selector, operator), address(manager), set);
        register(operator, good());
        vm.prank(operator);
        manager.setEndpoint(other, "10.0.0.1:1");
        (bytes32 networkKey, string memory endpoint) = manager.endpointOf(operator);
        eq("network key", networkKey, other);
        eq("endpoint", bytes(endpoint), "10.0.0.1:1");
        // Its first key is its own still.
        vm.prank(operator);
        manager.setEndpoint(NETWORK_KEY, "10.0.0.1:1");

        IOperatorKeys.Registration memory r = good();
        r.key = Bn254.multiply(key, 2);
        bytes32 digest = manager.possessionDigest(r.key, address(7));
        r.possession = Bn254.multiply(Bn254.hashToG1(digest), 2);
        r.networkKey = other;
        r.keyG2 = Bn254.G2(
            0x203e205db4f19b37b60121b83a7333706db86431c6d835849957ed8c3928ad79,
            0x27dc7234fd11d3e8c36c59277c3e6f149d5cd3cfa9a62aee49f8130962b4b3b9,
            0x195e8aa5b7827463722b8c153931579d3505566b4edf48d498e185f0509de152,
            0x04bb53b8977e5f92a0bc372742c4830944a59b4fe6b1c0466e2a6dad122b5d2e
        );
        bytes memory taken = abi.encodeWithSelector(IOperatorKeys.NetworkKeyTaken.selector, other, operator);
        refuses("network key", taken, address(manager), call_(address(7), r));
    }
}
