// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IGateway} from "../src/interfaces/IGateway.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Reference} from "./Reference.sol";
import {Vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice Accepts everything and says what it got; without storage, so that it can be put at any address.
contract Echo {
    event Got(bytes32 id, bytes sender, bytes payload);

    function receiveMessage(bytes32 id, bytes calldata sender, bytes calldata payload) external payable returns (bytes4) {
        emit Got(id, sender, payload);
        return this.receiveMessage.selector;
    }
}

/// @notice Messages, addresses and whole deliveries that Rust wrote into vectors/, on the committed gateway, which stands
/// at the address that the vectors name.
contract VectorsMessagesTest is World {
    string private json;
    bytes[] private none;

    function open(string memory name) private {
        json = vm.readFile(string.concat("../vectors/", name));
    }

    function path(string memory list, uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(i), "].", field);
    }

    function has(string memory list, uint256 i) private view returns (bool) {
        return vm.keyExistsJson(json, string.concat(".", list, "[", vm.toString(i), "]"));
    }

    function word(string memory p) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, p);
    }

    function num(string memory p) private view returns (uint256) {
        return vm.parseJsonUint(json, p);
    }

    function raw(string memory p) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, p);
    }

    /// @notice Puts the gateway's code, immutables included, at the vectors' façade.
    function standAt(address facade) private {
        vm.etch(facade, address(gateway).code);
        gateway = IGateway(facade);
    }

    /// @notice Sending Rust's messages gives Rust's ids and lane slots; its leaves give its lane leaf.
    function test_messages() public {
        open("messages.json");
        standAt(vm.parseJsonAddress(json, ".facade"));
        (uint64 source, uint64 destination) = (uint64(num(".source_chain_id")), uint64(num(".destination_chain_id")));
        vm.chainId(source);
        uint256 i;
        for (; has("messages", i); ++i) {
            Message memory m = Message(
                uint32(num(path("messages", i, "generation"))),
                vm.parseJsonAddress(json, path("messages", i, "sender")),
                vm.parseJsonAddress(json, path("messages", i, "recipient")),
                uint32(num(path("messages", i, "min_gas_limit"))),
                raw(path("messages", i, "payload"))
            );
            messages.push(m);
            bytes[] memory attributes = new bytes[](m.gasLimit == 200_000 ? 0 : 1);
            if (attributes.length == 1) attributes[0] = abi.encodeWithSelector(0x39f87ba1, m.gasLimit);
            vm.prank(m.sender);
            bytes32 id = gateway.sendMessage(interop(destination, m.recipient), m.payload, attributes);
            eq("hash", messageHash(m), word(path("messages", i, "hash")));
            eq("id", id, word(path("messages", i, "id")));
            eq("slot", vm.load(address(gateway), gateway.laneSlot(destination)), word(path("messages", i, "slot_after")));
            eq("leaf", leaves()[i], word(path("messages", i, "leaf")));
        }
        yes("all read", i >= 3);
        (bytes32 root,) = prove(leaves(), 0, i);
        eq("root", root, word(".lane.root"));
        (uint64 count, bytes24 rolling) = gateway.lane(destination);
        bytes memory leaf = abi.encodePacked(gateway, destination, uint32(num(".lane.generation")), count, rolling, root);
        eq("lane leaf", leaf, raw(".lane.leaf_preimage"));
        eq("lane leaf hash", keccak256(leaf), word(".lane.leaf"));
    }

    /// @notice The addresses that Rust takes and writes are taken and written here; those that it refuses are refused.
    function test_interopAddresses() public {
        open("interop_address.json");
        address account = vm.parseJsonAddress(json, ".account");
        vm.chainId(31_337);
        uint256 i;
        for (; has("accepted", i); ++i) {
            uint64 chainId = uint64(bytes8(raw(path("accepted", i, "chain_id"))));
            bytes memory expected = raw(path("accepted", i, "bytes"));
            eq("written", interop(chainId, account), expected);
            eq("as OpenZeppelin writes it", InteroperableAddress.formatEvmV1(chainId, account), expected);
            (bool canonical, uint64 foundChain, address found) = Reference.interopAddress(expected);
            yes("canonical", canonical && foundChain == chainId && found == account);
            gateway.sendMessage(expected, "x", none);
            (uint64 count,) = gateway.lane(chainId);
            yes("taken", count >= 1);
        }
        yes("all accepted read", i >= 18);
        for (i = 0; has("refused", i); ++i) {
            bytes memory to = raw(path("refused", i, "bytes"));
            (bool canonical,,) = Reference.interopAddress(to);
            yes("not canonical", !canonical);
            (bool ok, bytes memory answer) = address(gateway).call(abi.encodeCall(gateway.sendMessage, (to, "x", none)));
            yes(vm.parseJsonString(json, path("refused", i, "what")), !ok && answer.length == 36);
            eq("error", bytes4(answer), IGateway.RecipientNotCanonical.selector);
        }
        yes("all refused read", i >= 16);
    }

    // ---- deliveries.json: what `crates/relay` submits

    function openDeliveries() private {
        open("deliveries.json");
        bytes memory t = raw(".table");
        uint64 epoch = uint64(num(".epoch"));
        client = ILightClient(deploy("LightClient", abi.encode(word(".domain"), epoch, keccak256(t), address(0), uint32(0))));
        client.installTable(epoch, t);
        gateway = IGateway(deploy("Gateway", abi.encode(client, 0, OWNER)));
        standAt(vm.parseJsonAddress(json, ".facade"));
        vm.etch(vm.parseJsonAddress(json, ".recipient"), type(Echo).runtimeCode);
        vm.chainId(num(".destination_chain_id"));
        for (uint256 i; has("deliveries", i); ++i) {
            uint64 source = uint64(num(path("deliveries", i, "source_chain_id")));
            if (gateway.registrationOf(source) != 0) continue;
            vm.prank(OWNER);
            gateway.allow(source, word(path("deliveries", i, "registration")));
        }
    }

    function part(uint256 i, string memory field) private view returns (bytes memory) {
        return raw(path("deliveries", i, field));
    }

    /// @notice The messages that the vectors list, from `first` on, arrived as the vectors say, and nothing else did.
    function checkArrived(uint256 i, uint256 first) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 seen;
        for (uint256 k; k < logs.length; ++k) {
            if (logs[k].topics[0] != Echo.Got.selector) continue;
            string memory list = string.concat("deliveries[", vm.toString(i), "].messages");
            uint256 at_ = first + seen++;
            (bytes32 id, bytes memory sender, bytes memory payload) = abi.decode(logs[k].data, (bytes32, bytes, bytes));
            eq("id", id, word(path(list, at_, "id")));
            eq("sender", sender, raw(path(list, at_, "sender")));
            eq("payload", payload, raw(path(list, at_, "payload")));
            uint32 generation = uint32(num(path(list, at_, "generation")));
            uint64 index = uint64(num(path(list, at_, "index")));
            bytes32 registration = word(path("deliveries", i, "registration"));
            eq("status", uint256(gateway.statusOf(registration, generation, index)), 2);
        }
        eq("arrived", first + seen, vm.parseJsonUint(json, path("deliveries", i, "count")));
    }

    /// @notice One after the other on one chain: what came before is skipped.
    function test_deliveriesInOrder() public {
        openDeliveries();
        uint256[4] memory skipped = [uint256(0), 0, 0, 2];
        uint256 i;
        for (; has("deliveries", i); ++i) {
            vm.warp(num(path("deliveries", i, "time_ms")) / 1000);
            vm.recordLogs();
            (, uint256 failed) = gateway.relay(part(i, "certificate"), part(i, "lane"), part(i, "run"));
            eq("failed", failed, 0);
            checkArrived(i, skipped[i]);
        }
        eq("all read", i, 4);
    }

    /// @notice Each alone, by the four calls that `relay` joins.
    function test_deliveriesStepByStep() public {
        openDeliveries();
        uint256 clean = vm.snapshotState();
        for (uint256 i; has("deliveries", i); ++i) {
            vm.warp(num(path("deliveries", i, "time_ms")) / 1000);
            client.submit(part(i, "certificate"));
            gateway.recordRollup(part(i, "rollup"));
            gateway.recordLane(part(i, "lane"));
            IGateway.Source memory s = gateway.source(word(path("deliveries", i, "registration")));
            eq("height", s.height, num(path("deliveries", i, "height")));
            eq("time", s.timeMs, num(path("deliveries", i, "time_ms")));
            eq("generation", s.generation, num(path("deliveries", i, "generation")));
            eq("lane count", s.laneCount, num(path("deliveries", i, "lane_count")));
            vm.recordLogs();
            gateway.deliver(part(i, "run"));
            checkArrived(i, 0);
            vm.revertToState(clean);
        }
    }
}
