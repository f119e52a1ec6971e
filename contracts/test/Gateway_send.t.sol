// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IGateway} from "../src/interfaces/IGateway.sol";
import {Vm} from "./Vm.sol";
import {World} from "./World.sol";

contract GatewaySendTest is World {
    bytes[] private none;
    address private constant TO = 0x1111222233334444555566667777888899990000;

    function setUp() public override {
        super.setUp();
        vm.chainId(A);
    }

    function sendRefused(string memory what, bytes memory expected, bytes memory to, bytes memory payload, bytes[] memory attributes) private {
        refuses(what, expected, address(gateway), abi.encodeCall(gateway.sendMessage, (to, payload, attributes)));
        (uint64 count,) = gateway.lane(B);
        eq("lane untouched", count, 0);
    }

    function attribute(bytes memory a) private pure returns (bytes[] memory list) {
        list = new bytes[](1);
        list[0] = a;
    }

    /// @notice The event, the id, the lane slot and the rolling hash, message after message.
    function test_sends() public {
        bytes24 rolling;
        for (uint64 i; i < 4; ++i) {
            bytes memory payload = new bytes(i * 31);
            bytes32 hash = keccak256(abi.encodePacked(SENDER, TO, uint32(200_000), payload));
            bytes32 id = keccak256(abi.encodePacked(A, address(gateway), B, i, hash));
            vm.recordLogs();
            vm.prank(SENDER);
            eq("send id", gateway.sendMessage(interop(B, TO), payload, none), id);
            Vm.Log memory log = vm.getRecordedLogs()[0];
            eq("topic", log.topics[0], 0x7446eaa0a0dda80670b3bfe972bfbefab659bcfb67abad4e0b64dc4630a70481);
            eq("event id", log.topics[1], id);
            eq("event", log.data, abi.encode(interop(A, SENDER), interop(B, TO), payload, uint256(0), none));
            rolling = bytes24(keccak256(abi.encodePacked(rolling, hash)));
            (uint64 count, bytes24 found) = gateway.lane(B);
            eq("count", count, i + 1);
            eq("rolling", bytes32(found), bytes32(rolling));
        }
    }

    /// @notice Slot 0's mapping, which state proofs rely on: `count 8 ‖ rolling 24` at keccak256(destination ‖ 0).
    function test_storageOfTheLane() public {
        vm.prank(SENDER);
        gateway.sendMessage(interop(B, TO), "x", none);
        bytes32 slot = keccak256(abi.encode(uint256(B), uint256(0)));
        eq("slot", gateway.laneSlot(B), slot);
        (uint64 count, bytes24 rolling) = gateway.lane(B);
        eq("word", vm.load(address(gateway), slot), bytes32(abi.encodePacked(count, rolling)));
        eq("count", count, 1);
    }

    /// @notice A closed lane keeps what it has, and goes on there.
    function test_closedLane() public {
        vm.startPrank(SENDER);
        gateway.sendMessage(interop(B, TO), "x", none);
        vm.stopPrank();
        (uint64 count, bytes24 rolling) = gateway.lane(B);
        bytes32 word = vm.load(address(gateway), gateway.laneSlot(B));
        yes("open", !gateway.isLaneClosed(B));
        for (uint256 i; i < 2; ++i) {
            vm.recordLogs();
            vm.prank(OWNER);
            gateway.closeLane(B);
            Vm.Log[] memory logs = vm.getRecordedLogs();
            eq("told once", logs.length, 1 - i);
            if (i == 0) eq("closed", logs[0].topics[0], IGateway.LaneClosedForSends.selector);
            if (i == 0) eq("which", logs[0].topics[1], bytes32(uint256(B)));
        }
        yes("closed", gateway.isLaneClosed(B));
        yes("that one only", !gateway.isLaneClosed(5));
        bytes memory send_ = abi.encodeCall(gateway.sendMessage, (interop(B, TO), "y", none));
        refuses("closed", err(IGateway.LaneClosed.selector, uint256(B)), address(gateway), send_);
        gateway.sendMessage(interop(5, TO), "y", none);
        (uint64 still, bytes24 same) = gateway.lane(B);
        yes("untouched", still == count && same == rolling);
        eq("one bit", vm.load(address(gateway), gateway.laneSlot(B)), word | bytes32(uint256(1 << 255)));

        for (uint256 i; i < 2; ++i) {
            vm.recordLogs();
            vm.prank(OWNER);
            gateway.openLane(B);
            Vm.Log[] memory logs = vm.getRecordedLogs();
            eq("told once", logs.length, 1 - i);
            if (i == 0) eq("opened", logs[0].topics[0], IGateway.LaneOpened.selector);
            if (i == 0) eq("which", logs[0].topics[1], bytes32(uint256(B)));
        }
        eq("as before", vm.load(address(gateway), gateway.laneSlot(B)), word);
        bytes32 hash = keccak256(abi.encodePacked(SENDER, TO, uint32(200_000), "z"));
        vm.prank(SENDER);
        gateway.sendMessage(interop(B, TO), "z", none);
        (still, same) = gateway.lane(B);
        eq("goes on", still, count + 1);
        eq("rolling", bytes32(same), bytes32(bytes24(keccak256(abi.encodePacked(rolling, hash)))));
    }

    function test_onlyTheOwnerCloses() public {
        refuses("close", err(IGateway.NotOwner.selector, address(this)), address(gateway), abi.encodeCall(gateway.closeLane, (B)));
        yes("open", !gateway.isLaneClosed(B));
        vm.prank(OWNER);
        gateway.closeLane(B);
        refuses("open", err(IGateway.NotOwner.selector, address(this)), address(gateway), abi.encodeCall(gateway.openLane, (B)));
        yes("closed", gateway.isLaneClosed(B));
    }

    /// @notice What comes in does not ask which lanes go out.
    function test_closedLaneDelivers() public {
        vm.chainId(B);
        vm.prank(OWNER);
        gateway.closeLane(A);
        push(address(recipient), "in");
        record();
        (uint256 delivered,) = gateway.deliver(run(0, 1));
        eq("delivered", delivered, 1);
    }

    function test_lanesAreSeparate() public {
        gateway.sendMessage(interop(B, TO), "x", none);
        gateway.sendMessage(interop(5, TO), "x", none);
        gateway.sendMessage(interop(5, TO), "x", none);
        (uint64 count,) = gateway.lane(B);
        eq("B", count, 1);
        (count,) = gateway.lane(5);
        eq("5", count, 2);
    }

    function test_supportsAttribute() public view {
        yes("minGasLimit(uint256)", gateway.supportsAttribute(bytes4(keccak256("minGasLimit(uint256)"))));
        yes("nothing else", !gateway.supportsAttribute(0) && !gateway.supportsAttribute(bytes4(keccak256("deliverBefore(uint256)"))));
    }

    function test_minGasLimit() public {
        vm.prank(SENDER);
        bytes32 id = gateway.sendMessage(interop(B, TO), "x", attribute(abi.encodeWithSelector(0x39f87ba1, 1_234_567)));
        bytes32 hash = keccak256(abi.encodePacked(SENDER, TO, uint32(1_234_567), "x"));
        eq("in the hash", id, keccak256(abi.encodePacked(A, address(gateway), B, uint64(0), hash)));
    }

    function test_refusesAttributes() public {
        bytes memory to = interop(B, TO);
        bytes memory good = abi.encodeWithSelector(0x39f87ba1, 50_000);
        sendRefused("unknown", unsupported(0x3e97d7ee), to, "", attribute(abi.encodeWithSelector(0x3e97d7ee, 1)));
        sendRefused("empty", unsupported(0), to, "", attribute(""));
        sendRefused("three bytes", unsupported(0x39f87b00), to, "", attribute(hex"39f87b"));
        sendRefused("key only", lengthWrong(4), to, "", attribute(hex"39f87ba1"));
        sendRefused("one short", lengthWrong(35), to, "", attribute(cut(good, 35)));
        sendRefused("trailing byte", lengthWrong(37), to, "", attribute(abi.encodePacked(good, uint8(0))));
        for (uint256 i; i < 3; ++i) {
            uint256 limit = [uint256(10_000_001), 1 << 32, type(uint256).max][i];
            bytes memory tooHigh = err(IGateway.GasLimitTooHigh.selector, limit, 10_000_000);
            sendRefused("too much", tooHigh, to, "", attribute(abi.encodeWithSelector(0x39f87ba1, limit)));
        }
        bytes[] memory two = new bytes[](2);
        (two[0], two[1]) = (good, good);
        sendRefused("twice", abi.encodeWithSelector(IGateway.AttributeTwice.selector, bytes4(0x39f87ba1)), to, "", two);
        two[1] = hex"deadbeef";
        sendRefused("second unknown", unsupported(0xdeadbeef), to, "", two);
    }

    function unsupported(bytes4 selector) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC7786GatewaySource.UnsupportedAttribute.selector, selector);
    }

    function lengthWrong(uint256 found) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IGateway.AttributeLength.selector, bytes4(0x39f87ba1), found);
    }

    function test_refusesValue() public {
        vm.deal(address(this), 1 ether);
        bytes memory to = interop(B, TO);
        refuses("value", err(IGateway.ValueNotSupported.selector, 1), address(gateway), 1, abi.encodeCall(gateway.sendMessage, (to, "x", none)));
    }

    function test_payloadBound() public {
        gateway.sendMessage(interop(7, TO), new bytes(16_384), none);
        sendRefused("one more", err(IGateway.PayloadTooLong.selector, 16_385, 16_384), interop(B, TO), new bytes(16_385), none);
    }

    /// @notice One byte string for one account: everything else that OpenZeppelin's parser lets pass is refused.
    function test_refusesWhatIsNotCanonical() public {
        bytes memory good = interop(B, TO);
        eq("as OpenZeppelin writes it", good, InteroperableAddress.formatEvmV1(B, TO));
        bytes memory account = abi.encodePacked(TO);
        not("version", 1, flip(good, 1));
        not("chain type", 3, flip(good, 3));
        not("other chain type", 2, flip(good, 2));
        not("leading zero", 5, abi.encodePacked(hex"0001000004", uint32(B), hex"14", account));
        not("no chain id", 4, abi.encodePacked(hex"000100000014", account));
        not("chain id of 9 bytes", 4, abi.encodePacked(hex"00010000090100000000000000ff", hex"14", account));
        not("address of 19 bytes", 8, abi.encodePacked(hex"0001000003", uint24(B), hex"13", account));
        not("trailing byte", 29, abi.encodePacked(good, uint8(0)));
        not("one short", 28, cut(good, 28));
        not("chain identifier", 9, abi.encodePacked(hex"0001000003", uint24(B), hex"00"));
        not("empty", 0, "");
        not("prefix only", 4, hex"00010000");
        sendRefused("zero address", err(IGateway.RecipientZero.selector), interop(B, address(0)), "", none);
        sendRefused("to itself", err(IGateway.DestinationIsSource.selector, uint256(A)), interop(A, TO), "", none);
    }

    function not(string memory what, uint256 offset, bytes memory to) private {
        sendRefused(what, err(IGateway.RecipientNotCanonical.selector, offset), to, "x", none);
    }

    /// @notice Chain ids of every length give what OpenZeppelin's formatter gives, and are read back.
    function test_chainIdsOfEveryLength() public {
        for (uint256 n = 1; n <= 8; ++n) {
            uint64 least = uint64(1 << (8 * n - 8));
            uint64 most = n == 8 ? type(uint64).max : uint64((1 << (8 * n)) - 1);
            for (uint256 k; k < 2; ++k) {
                uint64 chainId = k == 0 ? least : most;
                bytes memory to = InteroperableAddress.formatEvmV1(chainId, TO);
                eq("format", interop(chainId, TO), to);
                gateway.sendMessage(to, "x", none);
                (uint64 count,) = gateway.lane(chainId);
                eq("lane", count, 1);
            }
        }
        not("chain id 0", 5, interop(0, TO));
    }
}
