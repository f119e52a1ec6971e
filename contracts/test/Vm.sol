// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

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
    function prank(address) external;
    function deal(address, uint256) external;
    function etch(address, bytes calldata) external;
    function load(address, bytes32) external view returns (bytes32);
    function store(address, bytes32, bytes32) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function readFile(string calldata) external view returns (string memory);
    function parseJsonBytes(string calldata, string calldata) external pure returns (bytes memory);
    function parseJsonBytes32(string calldata, string calldata) external pure returns (bytes32);
    function parseJsonUintArray(string calldata, string calldata) external pure returns (uint256[] memory);
    function mockCall(address, bytes calldata, bytes calldata) external;
    function clearMockedCalls() external;
    function toString(uint256) external pure returns (string memory);
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
    error WrongRevert(string what, bytes found, bytes4 expected);

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

    /// @notice The call must revert with this error, whatever its values, and change nothing.
    function refuses(string memory what, bytes4 expected, address target, bytes memory data) internal {
        refuses(what, expected, target, 0, data);
    }

    function refuses(string memory what, bytes4 expected, address target, uint256 value, bytes memory data) internal {
        (bool ok, bytes memory answer) = target.call{value: value}(data);
        if (ok) revert ShouldHaveReverted(what);
        if (answer.length < 4 || bytes4(answer) != expected) revert WrongRevert(what, answer, expected);
    }

    /// @notice The call must revert with exactly this.
    function refusesWith(string memory what, bytes memory expected, address target, bytes memory data) internal {
        (bool ok, bytes memory answer) = target.call(data);
        if (ok) revert ShouldHaveReverted(what);
        if (keccak256(answer) != keccak256(expected)) revert WrongRevert(what, answer, bytes4(expected));
    }
}
