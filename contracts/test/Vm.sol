// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Reference} from "./Reference.sol";

/// @notice The cheat codes that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory);
    function toString(bytes32) external pure returns (string memory);
    function chainId(uint256) external;
    function warp(uint256) external;
    function roll(uint256) external;
    function startPrank(address) external;
    function stopPrank() external;
    function prank(address) external;
    function deal(address, uint256) external;
    function etch(address, bytes calldata) external;
    function cool(address) external;
    function load(address, bytes32) external view returns (bytes32);
    function store(address, bytes32, bytes32) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function readFile(string calldata) external view returns (string memory);
    function parseJsonBytes(string calldata, string calldata) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata, string calldata) external pure returns (bytes32);
    function parseJsonUintArray(string calldata, string calldata) external pure returns (uint256[] memory);
    function mockCall(address, bytes calldata, bytes calldata) external;
    function mockCallRevert(address, bytes calldata, bytes calldata) external;
    function clearMockedCalls() external;
    function toString(uint256) external pure returns (string memory);
    function keyExistsJson(string calldata, string calldata) external view returns (bool);
    function parseJsonUint(string calldata, string calldata) external pure returns (uint256);
    function parseJsonAddress(string calldata, string calldata) external pure returns (address);
    function parseJsonString(string calldata, string calldata) external pure returns (string memory);
    function parseJsonBytes32Array(string calldata, string calldata) external pure returns (bytes32[] memory);
    function snapshotState() external returns (uint256);
    function revertToState(uint256) external returns (bool);
}

/// @notice Assertions and refusals, without a test library.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bool public constant IS_TEST = true;

    event log_named_uint(string key, uint256 value);

    error NotEqual(string what, uint256 found, uint256 expected);
    error ShouldHaveReverted(string what);
    error WrongRevert(string what, bytes found, bytes expected);

    /// @notice Deploys what is committed in artifacts/: tests run the bytes that ship.
    function deploy(string memory name, bytes memory arguments) internal returns (address deployed) {
        bytes memory code = vm.parseJsonBytes(vm.readFile(string.concat("artifacts/", name, ".json")), ".bytecode");
        code = abi.encodePacked(code, arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        yes(name, deployed != address(0));
    }

    function eq(string memory what, uint256 found, uint256 expected) internal pure {
        if (found != expected) revert NotEqual(what, found, expected);
    }

    function eq(string memory what, bytes32 found, bytes32 expected) internal pure {
        eq(what, uint256(found), uint256(expected));
    }

    function eq(string memory what, address found, address expected) internal pure {
        eq(what, uint160(found), uint160(expected));
    }

    function eq(string memory what, bytes memory found, bytes memory expected) internal pure {
        eq(what, keccak256(found), keccak256(expected));
    }

    function yes(string memory what, bool holds) internal pure {
        eq(what, holds ? 1 : 0, 1);
    }

    /// @notice The call must revert with exactly this.
    function refuses(string memory what, bytes memory expected, address target, bytes memory data) internal {
        refuses(what, expected, target, 0, data);
    }

    function refuses(string memory what, bytes memory expected, address target, uint256 value, bytes memory data) internal {
        (bool ok, bytes memory answer) = target.call{value: value}(data);
        if (ok) revert ShouldHaveReverted(what);
        if (keccak256(answer) != keccak256(expected)) revert WrongRevert(what, answer, expected);
    }

    /// @notice The same, called by `from`.
    function refusesFrom(address from, string memory what, bytes memory expected, address target, bytes memory data) internal {
        vm.prank(from);
        refuses(what, expected, target, data);
    }

    // ---- Errors with their values, each a word

    function err(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodePacked(selector);
    }

    function err(bytes4 selector, uint256 a) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a);
    }

    function err(bytes4 selector, bytes32 a) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a);
    }

    function err(bytes4 selector, address a) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a);
    }

    function err(bytes4 selector, uint256 a, uint256 b) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b);
    }

    function err(bytes4 selector, bytes32 a, bytes32 b) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b);
    }

    function err(bytes4 selector, uint256 a, bytes32 b) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b);
    }

    function err(bytes4 selector, uint256 a, uint256 b, uint256 c) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b, c);
    }

    function err(bytes4 selector, uint256 a, bytes32 b, bytes32 c) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b, c);
    }

    function err(bytes4 selector, uint256 a, uint256 b, uint256 c, uint256 d) internal pure returns (bytes memory) {
        return abi.encodePacked(selector, a, b, c, d);
    }

    // ---- Bytes

    /// @notice `data` with one bit of the byte at `offset` flipped.
    function flip(bytes memory data, uint256 offset) internal pure returns (bytes memory copy) {
        copy = bytes.concat(data);
        copy[offset] ^= 0x01;
    }

    /// @notice `data` with `part` written at `offset`.
    function put(bytes memory data, uint256 offset, bytes memory part) internal pure returns (bytes memory copy) {
        copy = bytes.concat(data);
        for (uint256 i; i < part.length; ++i) copy[offset + i] = part[i];
    }

    /// @notice The first `length` bytes of `data`.
    function cut(bytes memory data, uint256 length) internal pure returns (bytes memory copy) {
        return Reference.slice(data, 0, length);
    }
}
