// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice What operators of a local network restake: a plain token, all of it minted at once.
contract StakeToken is ERC20 {
    /// @param holder who gets it all
    /// @param supply in the token's smallest unit
    constructor(address holder, uint256 supply) ERC20("Local stake", "STAKE") {
        _mint(holder, supply);
    }
}
