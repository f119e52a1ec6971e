// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IGateway} from "../interfaces/IGateway.sol";
import {InteropAddress} from "../lib/InteropAddress.sol";
import {GatewayStore} from "./GatewayStore.sol";

/// @title Sending: one event and one lane slot
/// @notice No fee and no value: stock ERC-7786 senders attach neither.
abstract contract GatewayOutbound is GatewayStore {
    /// @dev `minGasLimit(uint256)` of ERC-7985.
    bytes4 internal constant MIN_GAS_LIMIT = 0x39f87ba1;
    uint256 internal constant GAS_LIMIT_DEFAULT = 200_000;
    /// @dev Fits one transaction under EIP-7825's cap together with a certificate and its proofs.
    uint256 internal constant GAS_LIMIT_MAX = 10_000_000;

    /// @inheritdoc IERC7786GatewaySource
    function supportsAttribute(bytes4 selector) external pure returns (bool) {
        return selector == MIN_GAS_LIMIT;
    }

    /// @inheritdoc IERC7786GatewaySource
    /// @dev Callable by anyone. `sendId` is the message id of docs/protocol.md, the `receiveId` at the destination.
    /// Emits {MessageSent}. Reverts with the errors under "Sending" and {UnsupportedAttribute}.
    function sendMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        returns (bytes32 sendId)
    {
        if (msg.value != 0) revert ValueNotSupported(msg.value);
        if (payload.length > PAYLOAD_MAX) revert PayloadTooLong(payload.length, PAYLOAD_MAX);
        (uint256 refused, uint64 destination, address account) = InteropAddress.parse(recipient);
        if (refused != 0) revert RecipientNotCanonical(refused - 1);
        if (account == address(0)) revert RecipientZero();
        if (destination == block.chainid) revert DestinationIsSource(destination);
        uint256 gasLimit = attributes.length == 0 ? GAS_LIMIT_DEFAULT : _gasLimit(attributes);

        sendId = _push(destination, account, gasLimit, payload);
        emit MessageSent(
            sendId, InteropAddress.format(uint64(block.chainid), msg.sender), recipient, payload, 0, attributes
        );
    }

    /// @inheritdoc IGateway
    function closeLane(uint64 destination) external {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        uint256 word = lanes[destination];
        if (word & CLOSED != 0) return;
        lanes[destination] = word | CLOSED;
        emit LaneClosedForSends(destination);
    }

    /// @inheritdoc IGateway
    function openLane(uint64 destination) external {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        uint256 word = lanes[destination];
        if (word & CLOSED == 0) return;
        lanes[destination] = word & ~CLOSED;
        emit LaneOpened(destination);
    }

    /// @dev Appends the message to its lane.
    function _push(uint64 destination, address account, uint256 gasLimit, bytes calldata payload)
        private
        returns (bytes32 sendId)
    {
        uint256 word = lanes[destination];
        if (word & CLOSED != 0) revert LaneClosed(destination);
        assembly ("memory-safe") {
            let m := mload(0x40)
            // sender 20 ‖ recipient 20 ‖ min gas limit 4 ‖ payload
            mstore(m, shl(96, caller()))
            mstore(add(m, 20), shl(96, account))
            mstore(add(m, 40), shl(224, gasLimit))
            calldatacopy(add(m, 44), payload.offset, payload.length)
            let messageHash := keccak256(m, add(44, payload.length))
            // id: source 8 ‖ façade 20 ‖ destination 8 ‖ index 8 ‖ message hash 32
            mstore(m, shl(192, chainid()))
            mstore(add(m, 8), shl(96, address()))
            mstore(add(m, 28), shl(192, destination))
            mstore(add(m, 36), shl(192, shr(192, word)))
            mstore(add(m, 44), messageHash)
            sendId := keccak256(m, 76)
            // rolling 24 ‖ message hash 32
            mstore(m, shl(64, word))
            mstore(add(m, 24), messageHash)
            word := or(shl(192, add(shr(192, word), 1)), shr(64, keccak256(m, 56)))
        }
        lanes[destination] = word;
    }

    function _gasLimit(bytes[] calldata attributes) private pure returns (uint256 limit) {
        for (uint256 i; i < attributes.length; ++i) {
            bytes calldata attribute = attributes[i];
            bytes4 key = bytes4(attribute);
            if (key != MIN_GAS_LIMIT) revert UnsupportedAttribute(key);
            if (attribute.length != 36) revert AttributeLength(key, attribute.length);
            if (i != 0) revert AttributeTwice(key);
            limit = uint256(bytes32(attribute[4:]));
            if (limit > GAS_LIMIT_MAX) revert GasLimitTooHigh(limit, GAS_LIMIT_MAX);
        }
    }
}
