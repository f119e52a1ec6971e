// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";

/// @notice A list of one.
function listOf(ISettlementAdapter adapter) pure returns (ISettlementAdapter[] memory list) {
    list = new ISettlementAdapter[](1);
    list[0] = adapter;
}
