// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Committees} from "./Committees.sol";

/// @notice Tables that end, and clients that slept. Epoch `EPOCH + i` belongs to "four" and "three" in turn, and its table
/// is good until `START + 100·(i + 2)`: each overlaps with the next.
contract LightClientExpiryTest is Committees {
    uint64 private constant START = 1_000_000;
    ILightClient private client;

    function setUp() public {
        vm.warp(START);
        client = newLightClient(tableOf(0));
    }

    function newLightClient(bytes memory first) private returns (ILightClient fresh) {
        fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(first), address(0), uint32(0))));
        fresh.installTable(EPOCH, first);
    }

    function committeeOf(uint64 i) private pure returns (string memory) {
        return i % 2 == 0 ? "four" : "three";
    }

    function validUntil(uint64 i) private pure returns (uint64) {
        return START + 100 * (i + 2);
    }

    function tableOf(uint64 i) private returns (bytes memory) {
        return table(committeeOf(i), validUntil(i));
    }

    function header(uint64 i, uint64 height, bytes32 next) private pure returns (Header memory) {
        return Header(EPOCH + i, height, 1_000_000 + height, keccak256("rollups"), next);
    }

    /// @notice The certificate that ends epoch `EPOCH + i`, at height `10·(i + 1)`.
    function closing(uint64 i) private returns (bytes memory) {
        return certify(committeeOf(i), header(i, 10 * (i + 1), keccak256(tableOf(i + 1))), "");
    }

    function expired(uint64 i, uint256 time) private pure returns (bytes memory) {
        return err(ILightClient.TableExpired.selector, uint256(EPOCH + i), validUntil(i), time);
    }

    function submitRefused(string memory what, bytes memory expected, bytes memory c) private {
        refuses(what, expected, address(client), abi.encodeCall(client.submit, (c)));
    }

    function test_tableIsGoodUpToItsLastSecond() public {
        vm.warp(validUntil(0));
        yes("all sign", client.submit(certify("four", header(0, 1, 0), "")));
        yes("one absent", client.submit(certify("four", header(0, 2, 0), hex"02")));
        vm.warp(validUntil(0) + 1);
        submitRefused("all sign", expired(0, validUntil(0) + 1), certify("four", header(0, 3, 0), ""));
        submitRefused("one absent", expired(0, validUntil(0) + 1), certify("four", header(0, 3, 0), hex"02"));
        submitRefused("a closing one", expired(0, validUntil(0) + 1), closing(0));
        eq("nothing was named", client.tableHash(EPOCH + 1), bytes32(0));
        yes("what was certified stays known", client.isKnown(2, 1_000_002, keccak256("rollups")));
        yes("and is no error", !client.submit(certify("four", header(0, 2, 0), hex"02")));
    }

    /// @notice 0 is a time like any other, and so is the last one that fits.
    function test_edgesOfTime() public {
        bytes memory never = table("four", 0);
        ILightClient fresh = ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(never), address(0), uint32(0))));
        bytes memory refused = err(ILightClient.TableExpired.selector, uint256(EPOCH), 0, START);
        refuses("0", refused, address(fresh), abi.encodeCall(fresh.installTable, (EPOCH, never)));
        fresh = newLightClient(table("four", type(uint64).max));
        vm.warp(type(uint64).max);
        yes("for ever", fresh.submit(certify("four", header(0, 1, 0), hex"02")));
        eq("usable", fresh.usableUntil(), type(uint64).max);
    }

    function test_expiredTableIsNotInstalled() public {
        client.submit(closing(0));
        bytes memory data = abi.encodeCall(client.installTable, (EPOCH + 1, tableOf(1)));
        vm.warp(validUntil(1) + 1);
        refuses("a second late", expired(1, validUntil(1) + 1), address(client), data);
        eq("no table", client.tableAddress(EPOCH + 1), address(0));
        vm.warp(validUntil(1));
        client.installTable(EPOCH + 1, tableOf(1));
        eq("usable", client.usableUntil(), validUntil(1));
    }

    /// @notice The table's own time counts, not one that somebody writes into a copy of it.
    function test_timeCannotBeChanged() public {
        client.submit(closing(0));
        for (uint256 i = 208; i < 216; ++i) {
            bytes memory other = flip(tableOf(1), i);
            refuses(
                "a byte of the time",
                err(ILightClient.TableHashMismatch.selector, EPOCH + 1, keccak256(tableOf(1)), keccak256(other)),
                address(client),
                abi.encodeCall(client.installTable, (EPOCH + 1, other))
            );
        }
    }

    /// @notice Asleep for five epochs while the first table is still good; then the chain, pair by pair.
    function test_sleepingClientCatchesUpOverFiveEpochs() public {
        // Closed at heights 10 to 50; it wakes when the sixth committee is at height 57.
        vm.warp(validUntil(0));
        for (uint64 i; i < 5; ++i) {
            eq("epoch", client.newestEpoch(), EPOCH + i);
            yes("closing certificate", client.submit(closing(i)));
            submitRefused(
                "not before the table", err(ILightClient.TableNotInstalled.selector, uint256(EPOCH + i + 1)),
                certify(committeeOf(i + 1), header(i + 1, 57, 0), "")
            );
            client.installTable(EPOCH + i + 1, tableOf(i + 1));
        }
        yes("the newest checkpoint", client.submit(certify(committeeOf(5), header(5, 57, 0), hex"01")));
        eq("epoch", client.newestEpoch(), EPOCH + 5);
        eq("usable", client.usableUntil(), validUntil(5));
        submitRefused(
            "a former committee", err(ILightClient.HeightOutsideEpoch.selector, EPOCH + 4, 58, 40, 50),
            certify(committeeOf(4), header(4, 58, 0), "")
        );
    }

    /// @notice Pairs may come late, as long as each finds its table good.
    function test_catchesUpWhileTimePasses() public {
        for (uint64 i; i < 5; ++i) {
            vm.warp(validUntil(i));
            client.submit(closing(i));
            client.installTable(EPOCH + i + 1, tableOf(i + 1));
        }
        yes("certified", client.submit(certify(committeeOf(5), header(5, 57, 0), "")));
    }

    function test_expiredChainIsRefused() public {
        vm.warp(validUntil(0) + 1);
        submitRefused("the first link has expired", expired(0, validUntil(0) + 1), closing(0));
        bytes memory unnamed = err(ILightClient.TableHashMismatch.selector, EPOCH + 1, bytes32(0), keccak256(tableOf(1)));
        refuses("and its table was not named", unnamed, address(client), abi.encodeCall(client.installTable, (EPOCH + 1, tableOf(1))));
    }

    function test_chainThatExpiresHalfwayIsRefused() public {
        for (uint64 i; i < 2; ++i) {
            client.submit(closing(i));
            client.installTable(EPOCH + i + 1, tableOf(i + 1));
        }
        vm.warp(validUntil(2) + 1);
        submitRefused("the third link has expired", expired(2, validUntil(2) + 1), closing(2));
        submitRefused("so have the former", expired(0, validUntil(2) + 1), certify("four", header(0, 9, 0), ""));
        eq("epoch", client.newestEpoch(), EPOCH + 2);
    }

    /// @notice Whoever was first, the others change nothing, in whatever order they come.
    function test_severalBringTheSameLinks() public {
        client.submit(closing(0));
        yes("certificate again", !client.submit(closing(0)));
        client.installTable(EPOCH + 1, tableOf(1));
        bytes memory again = err(ILightClient.TableAlreadyInstalled.selector, uint256(EPOCH + 1));
        refuses("table again", again, address(client), abi.encodeCall(client.installTable, (EPOCH + 1, tableOf(1))));
        client.submit(closing(1));
        yes("the first again", !client.submit(closing(0)));
        eq("epoch", client.newestEpoch(), EPOCH + 2);
    }
}
