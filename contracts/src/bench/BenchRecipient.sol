// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The recipient of the gas figures: caller check, length check, count
contract BenchRecipient {
    /// @notice The only caller.
    address public immutable GATEWAY;
    /// @notice Messages accepted so far.
    uint256 public count;

    /// @notice Not the gateway.
    error WrongCaller(address caller);
    /// @notice The payload is not 64 bytes.
    error WrongLength(uint256 found);

    constructor(address gateway) {
        GATEWAY = gateway;
    }

    /// @notice Accepts a 64-byte payload from the gateway.
    function receiveMessage(bytes32, bytes calldata, bytes calldata payload) external payable returns (bytes4) {
        if (msg.sender != GATEWAY) revert WrongCaller(msg.sender);
        if (payload.length != 64) revert WrongLength(payload.length);
        unchecked {
            ++count;
        }
        return this.receiveMessage.selector;
    }
}
