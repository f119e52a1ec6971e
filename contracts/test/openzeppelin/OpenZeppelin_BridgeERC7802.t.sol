// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BridgeERC7802} from "@openzeppelin/contracts/crosschain/bridges/BridgeERC7802.sol";
import {IERC7802} from "@openzeppelin/contracts/interfaces/draft-IERC7802.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Bridgeable} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC20Bridgeable.sol";
import {Bridged, Linkable} from "./Bridged.sol";

contract Bridgeable is ERC20("Token", "T"), ERC20Bridgeable {
    address private bridge;

    constructor(address to, uint256 amount) {
        _mint(to, amount);
    }

    function trust(address bridge_) external {
        bridge = bridge_;
    }

    function _checkTokenBridge(address caller) internal view override {
        require(caller == bridge);
    }
}

contract Erc7802Bridge is BridgeERC7802, Linkable {
    constructor(IERC7802 token_) BridgeERC7802(token_) {}
}

contract OpenZeppelinBridgeERC7802Test is Bridged {
    function test_burnsAndMints() public {
        Bridgeable tokenA = new Bridgeable(ALICE, 1000);
        Bridgeable tokenB = new Bridgeable(ALICE, 0);
        Erc7802Bridge onA = new Erc7802Bridge(tokenA);
        Erc7802Bridge onB = new Erc7802Bridge(tokenB);
        tokenA.trust(address(onA));
        tokenB.trust(address(onB));
        linkBoth(onA, onB);

        vm.prank(ALICE);
        onA.crosschainTransfer(interop(B, BOB), 400);
        (uint256 delivered,) = carry();
        eq("delivered", delivered, 1);
        eq("burned", tokenA.totalSupply(), 600);
        eq("minted", tokenB.balanceOf(BOB), 400);

        turn();
        vm.prank(BOB);
        onB.crosschainTransfer(interop(A, BOB), 400);
        (delivered,) = carry();
        eq("delivered back", delivered, 1);
        eq("burned back", tokenB.totalSupply(), 0);
        eq("minted back", tokenA.balanceOf(BOB), 400);
    }

    /// @notice The token does not trust its bridge yet: nothing is minted until it does, and then once.
    function test_untrustedBridgeIsRetried() public {
        Bridgeable tokenA = new Bridgeable(ALICE, 1000);
        Bridgeable tokenB = new Bridgeable(ALICE, 0);
        Erc7802Bridge onA = new Erc7802Bridge(tokenA);
        Erc7802Bridge onB = new Erc7802Bridge(tokenB);
        tokenA.trust(address(onA));
        linkBoth(onA, onB);
        vm.prank(ALICE);
        onA.crosschainTransfer(interop(B, BOB), 400);
        (, uint256 failed) = carry();
        eq("failed", failed, 1);
        retryFails(0);
        eq("nothing minted", tokenB.totalSupply(), 0);
        tokenB.trust(address(onB));
        retry(0);
        eq("minted", tokenB.balanceOf(BOB), 400);
    }
}
