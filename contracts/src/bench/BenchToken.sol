// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A plain token whose transfers are measured; its balances are written into a chain's first state.
contract BenchToken is ERC20 {
    constructor() ERC20("Bench", "BENCH") {}
}
