// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PeerRecipient} from "./PeerRecipient.sol";

/// @title The recipient of Hyperlane's gas figures
contract HyperlaneRecipient is PeerRecipient {
    constructor(address mailbox) PeerRecipient(mailbox) {}

    /// @notice Accepts a 64-byte body from the mailbox.
    function handle(uint32, bytes32, bytes calldata body) external payable {
        if (msg.sender != PEER) revert WrongCaller(msg.sender);
        _accept(body);
    }
}
