// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IOperatorKeys} from "../../src/interfaces/IOperatorKeys.sol";
import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {G2} from "../G2.sol";
import {Cores} from "./Cores.sol";

/// @notice The committed {ServiceManager} on a core, with operators that can join it.
abstract contract Restaking is Cores {
    uint96 internal constant BOND = 1 ether;
    address internal constant JUDGE = address(0x10d6e);
    address internal constant REPORTER = address(0x4e9);
    IServiceManager internal manager;
    /// @dev The set's strategies, ascending; most tests have one.
    address[] internal strategies;
    address internal strategy;
    IServiceManager.Config internal config =
        IServiceManager.Config(100, 40, 400, 20, 3600, BOND, address(0));
    /// @dev Secret keys 1, 2, 3, …; the operator of secret `k` is `operatorAt(k - 1)`, unless a test says otherwise.
    Bn254.G2[] private keysG2;

    function setUp() public virtual {
        startCore();
        begin(1);
    }

    /// @notice A fresh set with so many fresh strategies.
    function begin(uint256 strategyCount) internal {
        strategies = new address[](strategyCount);
        for (uint256 i; i < strategyCount; ++i) {
            strategies[i] = newStrategy();
            for (uint256 k = i; k > 0 && strategies[k] < strategies[k - 1]; --k) {
                (strategies[k], strategies[k - 1]) = (strategies[k - 1], strategies[k]);
            }
        }
        strategy = strategies[0];
        manager = IServiceManager(deploy("ServiceManager", abi.encode(core, this, strategies, config)));
        manager.setUp("https://hum.example/avs.json");
        manager.announceJudge(JUDGE);
    }

    function operatorAt(uint256 i) internal pure returns (address) {
        return address(uint160(0x1000 + i));
    }

    function keyG2(uint256 secret) internal virtual returns (Bn254.G2 memory) {
        if (secret > 1000) return G2.multiply(G2.generator(), secret);
        for (uint256 k = keysG2.length; k < secret; ++k) {
            keysG2.push(k == 0 ? G2.generator() : G2.add(keysG2[k - 1], G2.generator()));
        }
        return keysG2[secret - 1];
    }

    function registrationOf(address operator, uint256 secret) internal returns (IOperatorKeys.Registration memory r) {
        r.key = Bn254.multiply(Bn254.G1(1, 2), secret);
        r.keyG2 = keyG2(secret);
        r.possession = Bn254.multiply(Bn254.hashToG1(manager.possessionDigest(r.key, operator)), secret);
        r.networkKey = keccak256(abi.encode("network key", operator));
        r.endpoint = "127.0.0.1:4000";
    }

    function registrationCall(address operator, uint256 secret) internal returns (bytes memory) {
        return registration(address(manager), operator, abi.encode(registrationOf(operator, secret)));
    }

    /// @notice Everything on the way into the set: stake in each strategy, allocation of all of it, bond, registration.
    function join(address[] memory operators, uint256[] memory stakes, uint256[] memory secrets) internal {
        for (uint256 i; i < operators.length; ++i) {
            for (uint256 k; k < strategies.length; ++k) deposit(operators[i], strategies[k], stakes[i]);
        }
        later(ALLOCATION_CONFIGURATION_DELAY + 1);
        for (uint256 i; i < operators.length; ++i) {
            for (uint256 k; k < strategies.length && stakes[i] != 0; ++k) {
                allocate(address(manager), operators[i], strategies[k], 1e18);
            }
            bond(operators[i]);
            register(operators[i], secrets[i]);
        }
        later(1);
    }

    function join(uint256[] memory stakes) internal {
        address[] memory operators = new address[](stakes.length);
        uint256[] memory secrets = new uint256[](stakes.length);
        for (uint256 i; i < stakes.length; ++i) (operators[i], secrets[i]) = (operatorAt(i), i + 1);
        join(operators, stakes, secrets);
    }

    /// @notice `n` operators with that stake each.
    function joinEqual(uint256 n, uint256 stake) internal {
        uint256[] memory stakes = new uint256[](n);
        for (uint256 i; i < n; ++i) stakes[i] = stake;
        join(stakes);
    }

    function register(address operator, uint256 secret) internal {
        bytes memory call_ = registrationCall(operator, secret);
        vm.prank(operator);
        (bool ok,) = address(core).call(call_);
        yes("registered", ok);
    }

    function bond(address operator) internal {
        vm.deal(address(this), BOND);
        manager.postBond{value: BOND}(operator);
    }

    function keySum(address[] memory seats) internal view returns (Bn254.G2 memory sum) {
        for (uint256 i; i < seats.length; ++i) {
            (, Bn254.G2 memory key,) = manager.keyOf(seats[i]);
            sum = G2.add(sum, key);
        }
    }

    function snapshot() internal returns (uint256 index) {
        (address[] memory seats,,) = manager.preview();
        return manager.takeSnapshot(keySum(seats));
    }

    /// @notice docs/protocol.md, by the letter.
    function tableOf(address[] memory seats, uint128[] memory stakes, uint64 validUntil) internal view returns (bytes memory) {
        Bn254.G1 memory sum;
        uint128 total;
        bytes memory entries;
        for (uint256 i; i < seats.length; ++i) {
            (Bn254.G1 memory key,,) = manager.keyOf(seats[i]);
            sum = Bn254.add(sum, key);
            total += stakes[i];
            entries = bytes.concat(entries, abi.encodePacked(key.x, key.y, stakes[i]));
        }
        return bytes.concat(abi.encode(sum, keySum(seats)), abi.encodePacked(total, validUntil), entries);
    }

    function holds(address[] memory list, address account) internal pure returns (bool) {
        for (uint256 i; i < list.length; ++i) if (list[i] == account) return true;
        return false;
    }

    function slashes(address operator, bytes32 offence) internal {
        vm.prank(JUDGE);
        manager.slash(operator, 1, offence, REPORTER);
    }
}
