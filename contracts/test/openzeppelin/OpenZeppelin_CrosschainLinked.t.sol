// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../../src/interfaces/IGateway.sol";
import {Bridged, Linkable} from "./Bridged.sol";

contract Linked is Linkable {
    bytes public got;

    function send(bytes memory chain, bytes memory payload) external returns (bytes32) {
        return _sendMessageToCounterpart(chain, payload, new bytes[](0));
    }

    function _processMessage(address, bytes32, bytes calldata, bytes calldata payload) internal override {
        got = payload;
    }
}

contract OpenZeppelinLinkedTest is Bridged {
    Linked private onA;
    Linked private onB;

    function setUp() public override {
        super.setUp();
        (onA, onB) = (new Linked(), new Linked());
        linkBoth(onA, onB);
    }

    function chain(uint64 id) private pure returns (bytes memory) {
        return id == A ? abi.encodePacked(hex"0001000002", uint16(A), hex"00") : abi.encodePacked(hex"0001000003", uint24(B), hex"00");
    }

    function test_thereAndBack() public {
        onA.send(chain(B), "there");
        (uint256 delivered,) = carry();
        eq("delivered", delivered, 1);
        eq("there", onB.got(), "there");
        turn();
        onB.send(chain(A), "back");
        (delivered,) = carry();
        eq("delivered back", delivered, 1);
        eq("back", onA.got(), "back");
    }

    /// @notice The sender is compared byte for byte: ours is canonical, and only the counterpart's passes.
    function test_onlyTheCounterpart() public {
        bytes[] memory none;
        vm.prank(ALICE);
        gateway.sendMessage(interop(B, address(onB)), "forged", none);
        (uint256 delivered, uint256 failed) = carry();
        eq("delivered", delivered, 0);
        eq("failed", failed, 1);
        eq("nothing", onB.got(), "");
    }

    /// @notice A side that registered its counterpart in another spelling hears nothing from it: senders are canonical.
    function test_anotherSpellingHearsNothing() public {
        Linked deaf = new Linked();
        deaf.link(address(gateway), abi.encodePacked(hex"0001000003", uint24(A), hex"14", address(onA)));
        bytes[] memory none;
        vm.prank(address(onA));
        gateway.sendMessage(interop(B, address(deaf)), "x", none);
        (, uint256 failed) = carry();
        eq("failed", failed, 1);
        eq("nothing", deaf.got(), "");
    }

    /// @notice The gateway is compared too: who trusts another façade takes nothing from this one.
    function test_anotherFacadeIsNotTrusted() public {
        address safe = deploy("Gateway", abi.encode(client, 1, OWNER));
        Linked onSafe = new Linked();
        onSafe.link(safe, interop(A, address(onA)));
        bytes[] memory none;
        vm.prank(address(onA));
        gateway.sendMessage(interop(B, address(onSafe)), "x", none);
        (, uint256 failed) = carry();
        eq("failed", failed, 1);
        eq("nothing", onSafe.got(), "");
    }

    /// @notice A counterpart that was registered with another spelling of its address could never be reached: refused on send.
    function test_anotherSpellingCannotBeSentTo() public {
        Linked other = new Linked();
        bytes memory spelled = abi.encodePacked(hex"0001000004", uint32(B), hex"14", address(onB));
        other.link(address(gateway), spelled);
        bytes memory padded = abi.encodePacked(hex"0001000004", uint32(B), hex"00");
        bytes memory leadingZero = err(IGateway.RecipientNotCanonical.selector, uint256(5));
        refuses("leading zero", leadingZero, address(other), abi.encodeCall(other.send, (padded, "x")));
        spelled = abi.encodePacked(interop(B, address(onB)), uint8(0));
        other = new Linked();
        other.link(address(gateway), spelled);
        bytes memory trailing = err(IGateway.RecipientNotCanonical.selector, uint256(29));
        refuses("trailing byte", trailing, address(other), abi.encodeCall(other.send, (chain(B), "x")));
    }
}
