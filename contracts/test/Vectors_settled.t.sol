// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {World} from "./World.sol";
import {Echo} from "./Vectors_messages.t.sol";

/// @notice What `crates/relay` submits for heads that L1 holds (deliveries.json, `settled`), on the committed gateways of
/// `Safe` and `Finalized`.
contract VectorsSettledTest is World {
    string private json;
    IGateway[3] private gateways;

    function item(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".settled.deliveries[", vm.toString(i), "].", field);
    }

    function num(uint256 i, string memory field) private view returns (uint256) {
        return vm.parseJsonUint(json, item(i, field));
    }

    function part(uint256 i, string memory field) private view returns (bytes memory) {
        return vm.parseJsonBytes(json, item(i, field));
    }

    function open() private {
        json = vm.readFile("../vectors/deliveries.json");
        bytes memory t = vm.parseJsonBytes(json, ".table");
        bytes32 domain = vm.parseJsonBytes32(json, ".domain");
        uint64 epoch = uint64(vm.parseJsonUint(json, ".epoch"));
        client = ILightClient(deploy("LightClient", abi.encode(domain, epoch, keccak256(t), address(0), uint32(0))));
        client.installTable(epoch, t);
        vm.etch(vm.parseJsonAddress(json, ".recipient"), type(Echo).runtimeCode);
        vm.chainId(vm.parseJsonUint(json, ".destination_chain_id"));
        bytes32 registration = vm.parseJsonBytes32(json, item(0, "registration"));
        for (uint256 k; k < 3; ++k) {
            address facade = vm.parseJsonAddress(json, string.concat(".settled.facades[", vm.toString(k), "]"));
            vm.etch(facade, deploy("Gateway", abi.encode(client, k, OWNER)).code);
            gateways[k] = IGateway(facade);
            vm.prank(OWNER);
            gateways[k].allow(uint64(num(0, "source_chain_id")), registration);
        }
    }

    /// @notice One after the other: each arrives at the gateway of its confidence, in the generation that first sent it,
    /// under a lane that may be of an earlier generation than the source.
    function test_settledDeliveries() public {
        open();
        uint256 i;
        bool older;
        for (; vm.keyExistsJson(json, string.concat(".settled.deliveries[", vm.toString(i), "]")); ++i) {
            vm.warp(num(i, "time_ms") / 1000);
            IGateway to = gateways[num(i, "confidence")];
            bytes32 registration = vm.parseJsonBytes32(json, item(i, "registration"));
            (uint256 delivered, uint256 failed) = to.relay(part(i, "certificate"), part(i, "lane"), part(i, "run"));
            // The second safe one was delivered with the first.
            eq("delivered", delivered, i == 2 ? 0 : num(i, "count"));
            eq("failed", failed, 0);
            IGateway.Source memory s = to.source(registration);
            eq("generation", s.generation, num(i, "generation"));
            eq("status of the source", s.status, num(i, "status"));
            eq("lane count", s.laneCount, num(i, "lane_count"));
            older = older || num(i, "lane_generation") < num(i, "generation");
            string memory list = string.concat("deliveries[", vm.toString(i), "].messages");
            for (uint256 k; k < num(i, "count"); ++k) {
                string memory m = string.concat("messages[", vm.toString(k), "].");
                uint32 generation = uint32(num(i, string.concat(m, "generation")));
                uint64 index = uint64(num(i, string.concat(m, "index")));
                eq(list, uint256(to.statusOf(registration, generation, index)), 2);
            }
        }
        eq("all read", i, 4);
        yes("a lane of an earlier generation was among them", older);
    }

    /// @notice A minute later nothing safe is taken, and what is final is; a quarantine stops the one and not the other.
    function test_freshnessAndQuarantine() public {
        open();
        vm.warp(num(0, "time_ms") / 1000 + 61);
        (bytes memory certificate, bytes memory lane_, bytes memory run) =
            (part(0, "certificate"), part(0, "lane"), part(0, "run"));
        bytes memory stale =
            abi.encodeWithSelector(IGateway.CheckpointStale.selector, num(0, "time_ms"), block.timestamp);
        refuses("stale", stale, address(gateways[1]), abi.encodeCall(gateways[1].relay, (certificate, lane_, run)));
        (certificate, lane_, run) = (part(3, "certificate"), part(3, "lane"), part(3, "run"));
        eq("set aside", num(3, "status"), 1);
        (uint256 delivered,) = gateways[2].relay(certificate, lane_, run);
        eq("delivered", delivered, 1);
    }

    /// @notice A lane of one gateway is none of another, although both stand under the same checkpoint.
    function test_laneOfAnotherGateway() public {
        open();
        client.submit(part(1, "certificate"));
        bytes memory lane_ = part(1, "lane");
        (bool ok, bytes memory answer) = address(gateways[1]).call(abi.encodeCall(gateways[1].recordLane, (lane_)));
        yes("refused", !ok && bytes4(answer) == IGateway.HeadPartWrong.selector);
        gateways[2].recordLane(lane_);
    }
}
