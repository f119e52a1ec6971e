// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";

/// @title The recipient that `hum up` deploys: accepts any message of three gateways and says so
contract Inbox is ERC7786Recipient {
    /// @notice Gateways whose messages are accepted, one for each confidence.
    address public immutable LATEST;
    address public immutable SAFE;
    address public immutable FINALIZED;

    /// @notice Messages accepted so far.
    uint256 public count;

    /// @notice A message arrived. `sender` is a canonical ERC-7930 address.
    event Received(bytes32 indexed receiveId, address indexed gateway, bytes sender, bytes payload);

    constructor(address latest, address safe, address finalized) {
        (LATEST, SAFE, FINALIZED) = (latest, safe, finalized);
    }

    function _isAuthorizedGateway(address gateway, bytes calldata) internal view override returns (bool) {
        return gateway == LATEST || gateway == SAFE || gateway == FINALIZED;
    }

    function _processMessage(address gateway, bytes32 receiveId, bytes calldata sender, bytes calldata payload)
        internal
        override
    {
        ++count;
        emit Received(receiveId, gateway, sender, payload);
    }
}
