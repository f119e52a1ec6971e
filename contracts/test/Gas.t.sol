// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {IGateway} from "../src/interfaces/IGateway.sol";
import {Reference} from "./Reference.sol";
import {StakeWeights} from "./StakeWeights.sol";
import {World} from "./World.sol";

/// @notice Whole transactions, 100 operators, 64-byte payloads, steady state. Run with `--isolate`, which makes every call
/// of a test a transaction of its own; without it the figures are lower and the bounds say little.
contract GasTest is World {
    address private sink;

    function setUp() public override {
        vm.warp(1_000_000);
        client = newLightClient("hundred");
        begin(0);
        sink = deploy("BenchRecipient", abi.encode(gateway));
    }

    function spent(string memory what, uint256 most) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        yes(what, gas <= most);
    }

    function certifyHundred(bytes memory absent) private returns (bytes memory) {
        return certify("hundred", header(), absent);
    }

    function payload(uint256 i) private pure returns (bytes memory) {
        return abi.encodePacked(keccak256(abi.encode(i)), keccak256(abi.encode(i, "b")));
    }

    function third() private pure returns (bytes memory absent) {
        for (uint8 i; i < 33; ++i) absent = abi.encodePacked(absent, i);
    }

    function scattered() private pure returns (bytes memory absent) {
        for (uint8 i = 1; i < 99; i += 3) absent = abi.encodePacked(absent, i);
    }

    /// @notice 1,000 digests, after every place of the ring was used once.
    function test_certificate() public {
        for (uint64 i; i < 64; ++i) {
            says.height = 100 + i;
            client.submit(certifyHundred(""));
        }
        uint256[3] memory worst;
        bytes[3] memory absent = [bytes(""), third(), scattered()];
        for (uint64 i; i < 1000; ++i) {
            says.height = 8_000_000 + i;
            bytes memory c = certifyHundred(absent[i % 3]);
            client.submit(c);
            uint256 gas = vm.lastCallGas().gasTotalUsed;
            if (gas > worst[i % 3]) worst[i % 3] = gas;
        }
        emit log_named_uint("certificate", worst[0]);
        emit log_named_uint("certificate, first 33 absent", worst[1]);
        emit log_named_uint("certificate, every third absent", worst[2]);
        yes("certificate", worst[0] <= 165_000);
        yes("certificate, 33 absent", worst[1] <= 180_000 && worst[2] <= 180_000);
    }

    function test_installTable() public {
        bytes memory t = table("hundred");
        ILightClient fresh = ILightClient(deploy("LightClient", abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        fresh.installTable(EPOCH, t);
        spent("table of 100 operators", 2_000_000);
        // And the one that follows it.
        bytes memory longer = table("hundred", VALID_UNTIL + 1);
        fresh.submit(certify("hundred", Header(EPOCH, 1, 1, 0, keccak256(longer)), ""));
        spent("closing certificate", 300_000);
        fresh.installTable(EPOCH + 1, longer);
        spent("next table of 100 operators", 2_000_000);
    }

    /// @notice What of the check grows with stakes: nothing when all sign, and with 33 absent this.
    function test_stakeWeights() public {
        StakeWeights weights = new StakeWeights();
        bytes memory t = table("hundred");
        bytes memory keys = abi.encodePacked(uint8(0), Reference.slice(t, 0, 64));
        for (uint256 i; i < 100; ++i) keys = abi.encodePacked(keys, Reference.slice(t, 216 + 80 * i, 64));
        address keysOnly = address(uint160(uint256(keccak256("keys only"))));
        vm.etch(keysOnly, keys);
        bytes[2] memory absent = [third(), scattered()];
        for (uint256 i; i < 2; ++i) {
            uint256 by = weights.weighted(absent[i], client.tableAddress(EPOCH), 100);
            uint256 without = weights.unweighted(absent[i], keysOnly, 100);
            emit log_named_uint("33 absent, by stake", by);
            emit log_named_uint("33 absent, by head", without);
            emit log_named_uint("stake weights", by - without);
            yes("stake weights", by > without && by - without <= 3_000);
        }
    }

    function test_send() public {
        bytes memory to = interop(B, address(0xbeef));
        vm.chainId(A);
        bytes[] memory none;
        for (uint256 i; i < 3; ++i) gateway.sendMessage(to, payload(i), none);
        spent("send", 36_000);
    }

    function test_deliverOneKnown() public {
        for (uint256 size = 1024; size <= 4096; size *= 2) {
            for (uint256 i = messages.length; i < size; ++i) push(sink, payload(i));
            next(100);
            client.submit(certifyHundred(""));
            gateway.recordLane(laneProof());
            bytes memory one = run(size - 10, 1);
            gateway.deliver(one);
            one = run(size - 9, 1);
            gateway.deliver(one);
            spent("deliver one known", 53_000 + 800 * (size / 1024 - 1));
        }
    }

    function test_deliverHundred() public {
        for (uint256 i; i < 1024; ++i) push(sink, payload(i));
        for (uint64 i; i < 64; ++i) {
            next(1);
            client.submit(certifyHundred(""));
        }
        gateway.recordLane(laneProof());
        gateway.deliver(run(0, 20));
        next(1);
        bytes memory c = certifyHundred("");
        bytes memory lane = laneProof();
        bytes memory batch = run(500, 100);
        (uint256 delivered,) = gateway.relay(c, lane, batch);
        emit log_named_uint("100 delivered, each", vm.lastCallGas().gasTotalUsed / 100);
        eq("delivered", delivered, 100);
        spent("deliver 100", 1_600_000);
    }
}
