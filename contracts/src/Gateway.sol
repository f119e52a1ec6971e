// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GatewayInbound} from "./gateway/GatewayInbound.sol";
import {GatewayOutbound} from "./gateway/GatewayOutbound.sol";
import {GatewayStore} from "./gateway/GatewayStore.sol";

/// @title One façade of Hum
/// @notice Deployed once for each confidence on every chain, at the same address everywhere: the address follows from
/// the constructor's arguments, which name nothing of the chain. Immutable: an upgrade is a new gateway with new lanes.
contract Gateway is GatewayOutbound, GatewayInbound {
    /// @param lightClient whose checkpoints count
    /// @param confidence 0 Latest, 1 Safe, 2 Finalized
    /// @param owner who decides which sources are allowed
    constructor(address lightClient, uint8 confidence, address owner) GatewayStore(lightClient, confidence, owner) {}
}
