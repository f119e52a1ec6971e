// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Committees} from "./Committees.sol";
import {LightClientAdversarialTest} from "./LightClient_adversarial.t.sol";
import {LightClientAnchorTest} from "./LightClient_anchor.t.sol";
import {LightClientExpiryTest} from "./LightClient_expiry.t.sol";
import {LightClientRotateTest} from "./LightClient_rotate.t.sol";
import {LightClientSubmitTest} from "./LightClient_submit.t.sol";
import {Reference} from "./Reference.sol";

// The light client with tables in storage does and refuses what the other does.

contract InStorageAdversarialTest is LightClientAdversarialTest {
    function lightClient() internal pure override returns (string memory) {
        return "LightClientInStorage";
    }
}

contract InStorageAnchorTest is LightClientAnchorTest {
    function lightClient() internal pure override returns (string memory) {
        return "LightClientInStorage";
    }
}

contract InStorageExpiryTest is LightClientExpiryTest {
    function lightClient() internal pure override returns (string memory) {
        return "LightClientInStorage";
    }
}

contract InStorageRotateTest is LightClientRotateTest {
    function lightClient() internal pure override returns (string memory) {
        return "LightClientInStorage";
    }
}

contract InStorageSubmitTest is LightClientSubmitTest {
    function lightClient() internal pure override returns (string memory) {
        return "LightClientInStorage";
    }
}

abstract contract InStorage is Committees {
    function lightClient() internal pure override returns (string memory) {
        return "LightClientInStorage";
    }
}

interface ITableSlot {
    function tableSlot(uint64 epoch) external pure returns (uint256);
}

contract InStorageLayoutTest is InStorage {
    /// @notice The table's bytes in words; what else stands in the calldata is not among them.
    function test_layout() public {
        bytes memory t = table("hundred");
        ILightClient client =
            ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        bytes memory call_ = abi.encodeCall(ILightClient.installTable, (EPOCH, t));
        // The padding behind the table is not its own.
        for (uint256 i = 100 + t.length; i < call_.length; ++i) call_[i] = 0xff;
        (bool ok,) = address(client).call(call_);
        yes("installed", ok);
        uint256 slot = ITableSlot(address(client)).tableSlot(EPOCH);
        eq("slot", bytes32(slot), keccak256(abi.encode(uint256(EPOCH), uint256(69))));
        bytes memory found;
        for (uint256 i; i <= t.length / 32; ++i) found = bytes.concat(found, vm.load(address(client), bytes32(slot + i)));
        yes("the end lies within a word", t.length % 32 != 0);
        eq("table", Reference.slice(found, 0, t.length), t);
        for (uint256 i = t.length; i < found.length; ++i) eq("nothing else", uint8(found[i]), 0);
        eq("no further word", vm.load(address(client), bytes32(slot + t.length / 32 + 1)), 0);
        eq("where", client.tableAddress(EPOCH), address(client));
    }
}

/// @notice Whole transactions of 100 operators. Run with `--isolate`.
contract InStorageGasTest is InStorage {
    function spent(string memory what, uint256 most) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        yes(what, gas <= most);
    }

    function test_inStorage() public {
        bytes memory t = table("hundred");
        ILightClient client =
            ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        client.installTable(EPOCH, t);
        spent("table of 100 operators in storage", 6_200_000);
        for (uint64 i; i < 64; ++i) client.submit(certify("hundred", Header(EPOCH, 100 + i, 1, 0, 0), ""));
        client.submit(certify("hundred", Header(EPOCH, 1000, 1, 0, 0), ""));
        spent("certificate, table in storage", 180_000);
        bytes memory absent;
        for (uint8 i = 1; i < 99; i += 3) absent = abi.encodePacked(absent, i);
        client.submit(certify("hundred", Header(EPOCH, 1001, 1, 0, 0), absent));
        spent("certificate, table in storage, every third absent", 450_000);
    }
}
