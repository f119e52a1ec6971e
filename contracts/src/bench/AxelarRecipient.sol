// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAxelarValidation} from "./IAxelarValidation.sol";
import {PeerRecipient} from "./PeerRecipient.sol";

/// @title The recipient of Axelar's gas figures
contract AxelarRecipient is PeerRecipient {
    /// @notice The gateway has not approved it.
    error NotApproved(bytes32 commandId);

    constructor(address gateway) PeerRecipient(gateway) {}

    /// @notice Accepts a 64-byte payload that the gateway has approved.
    function execute(
        bytes32 commandId,
        string calldata sourceChain,
        string calldata sourceAddress,
        bytes calldata payload
    ) external {
        if (!IAxelarValidation(PEER).validateContractCall(commandId, sourceChain, sourceAddress, keccak256(payload))) {
            revert NotApproved(commandId);
        }
        _accept(payload);
    }
}
