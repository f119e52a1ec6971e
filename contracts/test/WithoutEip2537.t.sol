// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GatewayDeliverTest} from "./Gateway_deliver.t.sol";
import {LightClientSubmitTest} from "./LightClient_submit.t.sol";
import {OperatorKeysTest} from "./OperatorKeys.t.sol";
import {VectorsTest} from "./Vectors.t.sol";
import {Vm} from "./Vm.sol";

/// @notice Nothing needs the precompiles of BLS12-381 (EIP-2537), which many chains lack: here whoever calls one fails.
abstract contract WithoutEip2537 {
    Vm private constant own = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    error Used();
    error StillThere(uint160 precompile);

    constructor() {
        for (uint160 at = 0x0b; at <= 0x11; ++at) {
            own.mockCallRevert(address(at), "", abi.encodeWithSelector(Used.selector));
        }
    }

    /// @notice They are still gone when a test runs.
    function test_taken() public {
        for (uint160 at = 0x0b; at <= 0x11; ++at) {
            (bool ok, bytes memory answer) = address(at).staticcall(new bytes(256));
            if (ok || bytes4(answer) != Used.selector) revert StillThere(at);
        }
    }
}

contract WithoutEip2537VectorsTest is WithoutEip2537, VectorsTest {}

contract WithoutEip2537SubmitTest is WithoutEip2537, LightClientSubmitTest {}

contract WithoutEip2537DeliverTest is WithoutEip2537, GatewayDeliverTest {}

contract WithoutEip2537KeysTest is WithoutEip2537, OperatorKeysTest {}
