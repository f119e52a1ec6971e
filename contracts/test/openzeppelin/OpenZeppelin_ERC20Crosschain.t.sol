// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Crosschain} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Crosschain.sol";
import {Bridged, Linkable} from "./Bridged.sol";

contract CrosschainToken is ERC20Crosschain, Linkable {
    constructor(address to, uint256 amount) ERC20("Token", "T") {
        _mint(to, amount);
    }
}

contract OpenZeppelinERC20CrosschainTest is Bridged {
    function test_batchOfTransfers() public {
        CrosschainToken onA = new CrosschainToken(ALICE, 1000);
        CrosschainToken onB = new CrosschainToken(ALICE, 0);
        linkBoth(onA, onB);
        for (uint256 i = 1; i <= 5; ++i) {
            vm.prank(ALICE);
            onA.crosschainTransfer(interop(B, BOB), i * 10);
        }
        (uint256 delivered,) = carry();
        eq("delivered", delivered, 5);
        eq("minted", onB.balanceOf(BOB), 150);
        eq("supply", onA.totalSupply() + onB.totalSupply(), 1000);

        turn();
        vm.prank(BOB);
        onB.approve(ALICE, 50);
        vm.prank(ALICE);
        onB.crosschainTransferFrom(BOB, interop(A, ALICE), 50);
        (delivered,) = carry();
        eq("delivered back", delivered, 1);
        eq("minted back", onA.balanceOf(ALICE), 900);
        eq("supply", onA.totalSupply() + onB.totalSupply(), 1000);
    }

    /// @notice The other side is not linked yet: nothing is minted, and nothing lost, until it is.
    function test_unlinkedIsRetried() public {
        CrosschainToken onA = new CrosschainToken(ALICE, 1000);
        CrosschainToken onB = new CrosschainToken(ALICE, 0);
        onA.link(address(gateway), interop(B, address(onB)));
        vm.prank(ALICE);
        onA.crosschainTransfer(interop(B, BOB), 10);
        vm.prank(ALICE);
        onA.crosschainTransfer(interop(B, BOB), 20);
        (uint256 delivered, uint256 failed) = carry();
        eq("delivered", delivered, 0);
        eq("failed", failed, 2);
        onB.link(address(gateway), interop(A, address(onA)));
        retry(1);
        eq("in any order", onB.balanceOf(BOB), 20);
        retry(0);
        eq("all", onB.balanceOf(BOB), 30);
        eq("supply", onA.totalSupply() + onB.totalSupply(), 1000);
    }

    /// @notice A mint that the counterpart did not send: the same payload from anyone else.
    function test_forgedMint() public {
        CrosschainToken onA = new CrosschainToken(ALICE, 1000);
        CrosschainToken onB = new CrosschainToken(ALICE, 0);
        linkBoth(onA, onB);
        bytes[] memory none;
        vm.prank(BOB);
        gateway.sendMessage(interop(B, address(onB)), abi.encode(interop(A, BOB), abi.encodePacked(BOB), 500), none);
        (uint256 delivered, uint256 failed) = carry();
        eq("delivered", delivered, 0);
        eq("failed", failed, 1);
        retryFails(0);
        eq("nothing minted", onB.totalSupply(), 0);
    }
}
