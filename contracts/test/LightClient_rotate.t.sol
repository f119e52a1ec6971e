// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Committees} from "./Committees.sol";

/// @notice From the committee "four" in epoch 5 to the committee "three" in epoch 6, by a certificate of the former.
contract LightClientRotateTest is Committees {
    ILightClient private client;

    function setUp() public {
        client = newLightClient("four");
    }

    function header(uint64 epoch, uint64 height, bytes32 next) private pure returns (Header memory) {
        return Header(epoch, height, 1_000_000 + height, keccak256("rollups"), next);
    }

    function close(uint64 height) private {
        client.submit(certify("four", header(EPOCH, height, keccak256(table("three"))), ""));
    }

    function submitRefused(string memory what, bytes memory expected, string memory committee, Header memory h) private {
        bytes memory c = certify(committee, h, "");
        refuses(what, expected, address(client), abi.encodeCall(client.submit, (c)));
    }

    function test_rotates() public {
        bytes memory next = table("three");
        refuses(
            "a table nobody named",
            err(ILightClient.TableHashMismatch.selector, EPOCH + 1, bytes32(0), keccak256(next)),
            address(client),
            abi.encodeCall(client.installTable, (EPOCH + 1, next))
        );
        close(20);
        yes("the closing checkpoint counts too", client.isKnown(20, 1_000_020, keccak256("rollups")));
        eq("hash", client.tableHash(EPOCH + 1), keccak256(next));
        (uint64 openedAbove, uint64 closedAt) = client.epochSpan(EPOCH);
        eq("opened", openedAbove, 0);
        eq("closed", closedAt, 20);
        (openedAbove, closedAt) = client.epochSpan(EPOCH + 1);
        eq("next opened", openedAbove, 20);
        eq("next closed", closedAt, 0);

        submitRefused("table not installed", err(ILightClient.TableNotInstalled.selector, uint256(EPOCH + 1)), "three", header(EPOCH + 1, 21, 0));
        client.installTable(EPOCH + 1, next);
        yes("next committee", client.submit(certify("three", header(EPOCH + 1, 21, 0), "")));
        yes("with one absent", client.submit(certify("three", header(EPOCH + 1, 22, 0), hex"01")));
    }

    function test_closedEpochEndsAtItsLastHeight() public {
        close(20);
        submitRefused("above the last height", err(ILightClient.HeightOutsideEpoch.selector, EPOCH, 21, 0, 20), "four", header(EPOCH, 21, 0));
        submitRefused("far above", err(ILightClient.HeightOutsideEpoch.selector, EPOCH, 1 << 39, 0, 20), "four", header(EPOCH, 1 << 39, 0));
        yes("below it, late", client.submit(certify("four", header(EPOCH, 19, 0), "")));
    }

    function test_nextEpochBeginsAboveIt() public {
        close(20);
        client.installTable(EPOCH + 1, table("three"));
        submitRefused("below the opening", err(ILightClient.HeightOutsideEpoch.selector, EPOCH + 1, 19, 20, 0), "three", header(EPOCH + 1, 19, 0));
        Header memory h = header(EPOCH + 1, 20, 0);
        h.rollupsRoot = keccak256("others");
        submitRefused("the closing height", err(ILightClient.CheckpointNotNewer.selector, uint256(20), uint256(20)), "three", h);
    }

    function test_committeesDoNotMix() public {
        close(20);
        client.installTable(EPOCH + 1, table("three"));
        submitRefused("former committee, next epoch", err(ILightClient.SignatureInvalid.selector), "four", header(EPOCH + 1, 21, 0));
        submitRefused("next committee, former epoch", err(ILightClient.SignatureInvalid.selector), "three", header(EPOCH, 19, 0));
    }

    /// @notice The same committee in two epochs: what it signed in one is nothing in the other, height by height.
    function test_sameCommitteeAgain() public {
        client.submit(certify("four", header(EPOCH, 20, keccak256(table("four"))), ""));
        client.installTable(EPOCH + 1, table("four"));
        Header memory old = header(EPOCH, 21, 0);
        Header memory claimed = header(EPOCH + 1, 21, 0);
        bytes32 claimedDigest = digestOf(DOMAIN, 1, claimed);
        bytes memory c = assemble(claimed, "", signature("four", digestOf(DOMAIN, 1, old), ""), claimedDigest, "");
        refuses("epoch", err(ILightClient.SignatureInvalid.selector), address(client), abi.encodeCall(client.submit, (c)));
        yes("signed for it", client.submit(certify("four", claimed, "")));
    }

    /// @notice An epoch that nothing opened cannot be jumped to, even by who signed for it.
    function test_noEpochIsSkipped() public {
        close(20);
        client.installTable(EPOCH + 1, table("three"));
        submitRefused(
            "two ahead", err(ILightClient.TableNotInstalled.selector, uint256(EPOCH + 2)), "three", header(EPOCH + 2, 21, 0)
        );
        bytes memory t = table("three");
        bytes memory unnamed = err(ILightClient.TableHashMismatch.selector, EPOCH + 2, bytes32(0), keccak256(t));
        refuses("its table", unnamed, address(client), abi.encodeCall(client.installTable, (EPOCH + 2, t)));
    }

    /// @notice Closing headers repeat until one is certified; what a later arriving one says changes nothing.
    function test_firstClosingCounts() public {
        close(20);
        client.submit(certify("four", header(EPOCH, 18, keccak256("other table")), ""));
        eq("hash", client.tableHash(EPOCH + 1), keccak256(table("three")));
        (, uint64 closedAt) = client.epochSpan(EPOCH);
        eq("closed", closedAt, 20);
    }

    function test_heightsFit() public {
        submitRefused("41 bits", err(ILightClient.HeightOutsideEpoch.selector, EPOCH, 1 << 40, 0, 0), "four", header(EPOCH, 1 << 40, 0));
        yes("40 bits", client.submit(certify("four", header(EPOCH, (1 << 40) - 1, 0), "")));
    }
}
