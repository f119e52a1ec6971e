// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CrosschainLinked} from "@openzeppelin/contracts/crosschain/CrosschainLinked.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IGateway} from "../../src/interfaces/IGateway.sol";
import {Vm} from "../Vm.sol";
import {World} from "../World.sol";

/// @notice Lets a test say which gateway and counterpart a stock contract trusts, once both have addresses.
abstract contract Linkable is CrosschainLinked {
    constructor() CrosschainLinked(new Link[](0)) {}

    function link(address gateway, bytes memory counterpart) external {
        _setLink(gateway, counterpart, false);
    }
}

/// @notice Carries what stock OpenZeppelin contracts send, from the gateway's event to the recipient, in both directions,
/// under certificates of the committee "four".
abstract contract Bridged is World {
    bytes32 internal constant REGISTRATION_B = keccak256("registration of B");
    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);

    Message[] private otherMessages;
    bool private reversed;

    function setUp() public virtual override {
        super.setUp();
        vm.chainId(A);
        vm.prank(OWNER);
        gateway.allow(B, REGISTRATION_B);
        vm.recordLogs();
    }

    function linkBoth(Linkable onA, Linkable onB) internal {
        onA.link(address(gateway), interop(B, address(onB)));
        onB.link(address(gateway), interop(A, address(onA)));
    }

    /// @notice Delivers every message sent on this side since the last call; ends on the other side. What is certified is
    /// what the source's lane slot holds, and what was delivered is not delivered again.
    function carry() internal returns (uint256 delivered, uint256 failed) {
        uint256 first = messages.length;
        take();
        (uint64 count, bytes24 hash) = gateway.lane(says.destination);
        eq("lane count", count, messages.length);
        eq("lane hash", bytes32(hash), bytes32(rolling()));
        vm.chainId(says.destination);
        next(100);
        bytes memory c = certificate();
        bytes memory lane = laneProof();
        bytes memory packed = run(first, messages.length - first);
        (delivered, failed) = gateway.relay(c, lane, packed);
        (uint256 again, uint256 failedAgain) = gateway.deliver(packed);
        eq("nothing twice", again + failedAgain, 0);
    }

    /// @notice Runs the message with this index again; it failed before.
    function retry(uint256 index) internal {
        gateway.retry(run(index, 1));
    }

    /// @notice Retrying must fail, and the message stays as it is.
    function retryFails(uint256 index) internal {
        bytes memory expected = err(IGateway.RetryFailed.selector, messageId(index));
        refuses("still refused", expected, address(gateway), abi.encodeCall(gateway.retry, (run(index, 1))));
    }

    /// @notice Reads the gateway's events as an operator does.
    function take() internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter != address(gateway) || logs[i].topics[0] != IERC7786GatewaySource.MessageSent.selector) continue;
            (bytes memory sender, bytes memory to, bytes memory payload, uint256 value, bytes[] memory attributes) =
                abi.decode(logs[i].data, (bytes, bytes, bytes, uint256, bytes[]));
            eq("value", value, 0);
            eq("attributes", attributes.length, 0);
            messages.push(Message(says.generation, last20(sender), last20(to), 200_000, payload));
            eq("send id", logs[i].topics[1], messageId(messages.length - 1));
            eq("sender", sender, interop(says.chainId, last20(sender)));
            eq("recipient", to, interop(says.destination, last20(to)));
        }
    }

    /// @notice Turns source and destination around.
    function turn() internal {
        Message[] memory mine = messages;
        Message[] memory others = otherMessages;
        delete messages;
        delete otherMessages;
        for (uint256 i; i < others.length; ++i) messages.push(others[i]);
        for (uint256 i; i < mine.length; ++i) otherMessages.push(mine[i]);
        reversed = !reversed;
        (says.chainId, says.registration, says.destination) =
            reversed ? (B, REGISTRATION_B, A) : (A, REGISTRATION, B);
        vm.chainId(says.chainId);
    }

    function last20(bytes memory a) internal pure returns (address account) {
        assembly ("memory-safe") {
            account := shr(96, mload(add(add(a, 12), mload(a))))
        }
    }
}
