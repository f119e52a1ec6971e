// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BridgeERC20} from "@openzeppelin/contracts/crosschain/bridges/BridgeERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {Bridged, Linkable} from "./Bridged.sol";

contract Token is ERC20("Token", "T") {
    constructor(address to) {
        _mint(to, 1000);
    }
}

contract Erc20Bridge is BridgeERC20, Linkable {
    constructor(ERC20 token_) BridgeERC20(token_) {}
}

contract OpenZeppelinBridgeERC20Test is Bridged {
    function test_custodyToCustody() public {
        Token tokenA = new Token(ALICE);
        Erc20Bridge onA = new Erc20Bridge(tokenA);
        Token tokenB = new Token(address(this));
        Erc20Bridge onB = new Erc20Bridge(tokenB);
        tokenB.transfer(address(onB), 500);
        linkBoth(onA, onB);

        vm.prank(ALICE);
        tokenA.approve(address(onA), 300);
        vm.prank(ALICE);
        onA.crosschainTransfer(interop(B, BOB), 300);
        eq("locked", tokenA.balanceOf(address(onA)), 300);
        (uint256 delivered,) = carry();
        eq("delivered", delivered, 1);
        eq("released", tokenB.balanceOf(BOB), 300);

        turn();
        vm.prank(BOB);
        tokenB.approve(address(onB), 100);
        vm.prank(BOB);
        onB.crosschainTransfer(interop(A, ALICE), 100);
        (delivered,) = carry();
        eq("delivered back", delivered, 1);
        eq("released back", tokenA.balanceOf(ALICE), 800);
    }

    /// @notice Custody too small at first: the message fails, holds up nobody, and a retry pays it out later.
    function test_emptyCustodyIsRetried() public {
        Token tokenA = new Token(ALICE);
        Erc20Bridge onA = new Erc20Bridge(tokenA);
        Token tokenB = new Token(address(this));
        Erc20Bridge onB = new Erc20Bridge(tokenB);
        linkBoth(onA, onB);
        vm.prank(ALICE);
        tokenA.approve(address(onA), 300);
        vm.prank(ALICE);
        onA.crosschainTransfer(interop(B, BOB), 300);
        (, uint256 failed) = carry();
        eq("failed", failed, 1);
        retryFails(0);
        tokenB.transfer(address(onB), 300);
        retry(0);
        eq("released", tokenB.balanceOf(BOB), 300);
        bytes memory done = err(IGateway.NotFailed.selector, uint256(messageId(0)), 2);
        refuses("no second payout", done, address(gateway), abi.encodeCall(gateway.retry, (run(0, 1))));
    }
}
