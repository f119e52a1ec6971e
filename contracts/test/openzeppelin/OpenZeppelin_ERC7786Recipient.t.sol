// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {Bridged} from "./Bridged.sol";

contract Stock is ERC7786Recipient {
    address private immutable trusted;
    bytes public sender;
    bytes public payload;

    constructor(address gateway) {
        trusted = gateway;
    }

    function _isAuthorizedGateway(address gateway, bytes calldata) internal view override returns (bool) {
        return gateway == trusted;
    }

    function _processMessage(address, bytes32, bytes calldata sender_, bytes calldata payload_) internal override {
        (sender, payload) = (sender_, payload_);
    }
}

contract OpenZeppelinRecipientTest is Bridged {
    bytes[] private none;

    function test_receives() public {
        Stock stock = new Stock(address(gateway));
        vm.prank(ALICE);
        gateway.sendMessage(interop(B, address(stock)), "hello", none);
        (uint256 delivered,) = carry();
        eq("delivered", delivered, 1);
        eq("sender", stock.sender(), interop(A, ALICE));
        eq("payload", stock.payload(), "hello");

        turn();
        Stock back = new Stock(address(gateway));
        vm.prank(BOB);
        gateway.sendMessage(interop(A, address(back)), "hello back", none);
        (delivered,) = carry();
        eq("delivered back", delivered, 1);
        eq("sender", back.sender(), interop(B, BOB));
        eq("payload", back.payload(), "hello back");
    }

    /// @notice Only the gateway gets through to the recipient, whatever an outsider claims.
    function test_onlyTheGatewayCalls() public {
        Stock stock = new Stock(address(gateway));
        bytes memory call_ = abi.encodeCall(stock.receiveMessage, (keccak256("id"), interop(A, ALICE), "forged"));
        bytes memory expected = abi.encodeWithSelector(
            ERC7786Recipient.ERC7786RecipientUnauthorizedGateway.selector, address(this), interop(A, ALICE)
        );
        refuses("anybody", expected, address(stock), call_);
    }

    /// @notice A recipient chooses its confidence by the gateway it trusts: this one trusts another façade.
    function test_refusesAnotherFacade() public {
        Stock stock = new Stock(address(0xfacade));
        gateway.sendMessage(interop(B, address(stock)), "hello", none);
        (uint256 delivered, uint256 failed) = carry();
        eq("delivered", delivered, 0);
        eq("failed", failed, 1);
        eq("payload", stock.payload(), "");
    }

    function test_demoInbox() public {
        address inbox = deploy("Inbox", abi.encode(gateway, address(1), address(2)));
        gateway.sendMessage(interop(B, inbox), "hello", none);
        (uint256 delivered,) = carry();
        eq("delivered", delivered, 1);
    }
}
