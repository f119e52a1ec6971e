// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Committees} from "./Committees.sol";

contract LightClientSubmitTest is Committees {
    function header(uint64 height) internal pure returns (Header memory) {
        return Header(EPOCH, height, 1_000_000 + height, keccak256("rollups"), 0);
    }

    function test_acceptsWhenAllSign() public {
        ILightClient client = newLightClient("four");
        yes("accepted", client.submit(certify("four", header(9), "")));
        yes("known", client.isKnown(9, 1_000_009, keccak256("rollups")));
        yes("other time", !client.isKnown(9, 1_000_010, keccak256("rollups")));
        yes("other root", !client.isKnown(9, 1_000_009, keccak256("other")));
        yes("other height", !client.isKnown(10, 1_000_009, keccak256("rollups")));
        eq("newest", client.newestHeight(), 9);
    }

    function test_acceptsEveryOneAbsentee() public {
        ILightClient client = newLightClient("four");
        for (uint8 i; i < 4; ++i) {
            yes("accepted", client.submit(certify("four", header(1 + i), abi.encodePacked(i))));
        }
    }

    function test_acceptsExactlyTwoThirds() public {
        ILightClient client = newLightClient("three");
        for (uint8 i; i < 3; ++i) {
            yes("accepted", client.submit(certify("three", header(1 + i), abi.encodePacked(i))));
        }
    }

    function test_acceptsByStakeNotByHead() public {
        ILightClient client = newLightClient("uneven");
        yes("two of four absent, 70 of 100", client.submit(certify("uneven", header(1), hex"0001")));
        bytes memory oneAbsent = certify("uneven", header(2), hex"03");
        refuses(
            "one of four absent, 60 of 100",
            abi.encodeWithSelector(ILightClient.QuorumNotReached.selector, 60, 100),
            address(client),
            abi.encodeCall(client.submit, (oneAbsent))
        );
    }

    function test_acceptsOneOperator() public {
        ILightClient client = newLightClient("one");
        yes("accepted", client.submit(certify("one", header(1), "")));
    }

    function test_acceptsHundred() public {
        ILightClient client = newLightClient("hundred");
        bytes memory scattered;
        for (uint8 i = 1; i < 99; i += 3) scattered = abi.encodePacked(scattered, i);
        bytes memory front;
        for (uint8 i; i < 33; ++i) front = abi.encodePacked(front, i);
        yes("all", client.submit(certify("hundred", header(1), "")));
        yes("33 scattered", client.submit(certify("hundred", header(2), scattered)));
        yes("33 neighbours", client.submit(certify("hundred", header(3), front)));
        yes("the last", client.submit(certify("hundred", header(4), hex"63")));
    }

    /// @notice Two relayers with the same certificate: the second changes nothing and does not fail.
    function test_sameAgainIsNoError() public {
        ILightClient client = newLightClient("four");
        bytes memory certificate = certify("four", header(9), "");
        yes("first", client.submit(certificate));
        yes("again", !client.submit(certificate));
    }

    /// @notice A proof against a height stays good when others certify later heights, and earlier ones that were skipped.
    function test_keepsTheNewestOfEachPlace() public {
        ILightClient client = newLightClient("four");
        client.submit(certify("four", header(70), ""));
        client.submit(certify("four", header(71), ""));
        client.submit(certify("four", header(69), ""));
        yes("70", client.isKnown(70, 1_000_070, keccak256("rollups")));
        yes("69", client.isKnown(69, 1_000_069, keccak256("rollups")));
        eq("newest", client.newestHeight(), 71);
        bytes memory older = certify("four", header(6), "");
        refuses(
            "an older height of the same place",
            abi.encodeWithSelector(ILightClient.CheckpointNotNewer.selector, 6, 70),
            address(client),
            abi.encodeCall(client.submit, (older))
        );
        client.submit(certify("four", header(134), ""));
        yes("70 made room", !client.isKnown(70, 1_000_070, keccak256("rollups")));
    }

    function test_refusesHeightZero() public {
        ILightClient client = newLightClient("four");
        bytes memory certificate = certify("four", header(0), "");
        bytes memory expected = err(ILightClient.CheckpointNotNewer.selector, uint256(0), uint256(0));
        refuses("height 0", expected, address(client), abi.encodeCall(client.submit, (certificate)));
        yes("nothing is known at 0", !client.isKnown(0, 0, 0));
    }
}
