// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupProfiles} from "../../src/interfaces/IRollupProfiles.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {JudgeVm} from "../judges/JudgeWorld.sol";
import {Test, Vm} from "../Vm.sol";

contract RollupProfilesTest is Test {
    address private constant FUND = address(0xf00d);
    address private constant SEQUENCER = address(0x5e9);
    address private constant GOVERNOR = address(0x90e);
    uint64 private constant CHAIN = 1001;
    uint64 private constant EXIT = 14 days;
    bytes32 private constant UNKNOWN = keccak256("unknown");
    bytes private constant PROFILE = "{\"name\":\"newcomer\"}";

    JudgeVm private constant jvm = JudgeVm(address(uint160(uint256(keccak256("hevm cheat code")))));

    IRollupRegistry private registry;
    IRollupProfiles private profiles;
    bytes32 private id;

    receive() external payable {}

    function setUp() public {
        vm.warp(1_000_000);
        vm.roll(100);
        vm.deal(address(this), 10 ether);
        registry = IRollupRegistry(
            deploy("RollupRegistry", abi.encode(bytes32("domain"), this, FUND, 1 ether, uint64(0), EXIT, uint64(0)))
        );
        profiles = IRollupProfiles(deploy("RollupProfiles", abi.encode(registry)));
        id = register(CHAIN, keccak256(abi.encodePacked(GOVERNOR, keccak256(PROFILE))));
    }

    function register(uint64 chain, bytes32 specHash) private returns (bytes32) {
        registry.authorise(chain, address(this));
        return registry.register{value: 1 ether}(chain, SEQUENCER, keccak256("anchor"), specHash);
    }

    function publish(bytes32 registration, address governor, bytes memory profile) private pure returns (bytes memory) {
        return abi.encodeCall(IRollupProfiles.publish, (registration, governor, profile));
    }

    function refused(string memory what, bytes memory expected, bytes memory data) private {
        refuses(what, expected, address(profiles), data);
        eq("nothing published", profiles.publishedAt(id), 0);
    }

    function test_whatIsPublished() public {
        eq("registry", address(profiles.REGISTRY()), address(registry));
        eq("not yet", profiles.publishedAt(id), 0);
        eq("spec hash", profiles.specHash(GOVERNOR, PROFILE), registry.rollup(id).specHash);
        vm.roll(117);
        vm.recordLogs();
        vm.prank(address(0xe5e));
        profiles.publish(id, GOVERNOR, PROFILE);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("one event", logs.length, 1);
        eq("where", logs[0].emitter, address(profiles));
        eq("which", logs[0].topics[0], IRollupProfiles.ProfilePublished.selector);
        eq("whose", logs[0].topics[1], id);
        eq("what", logs[0].data, abi.encode(GOVERNOR, PROFILE));
        eq("since", profiles.publishedAt(id), 117);
        vm.roll(118);
        refuses("twice", err(IRollupProfiles.PublishedAlready.selector, id, bytes32(uint256(117))), address(profiles), publish(id, GOVERNOR, PROFILE));
        eq("still", profiles.publishedAt(id), 117);
    }

    function test_refusesOtherWords() public {
        bytes32 declared = registry.rollup(id).specHash;
        bytes memory other = bytes.concat(PROFILE, " ");
        refused("unknown", err(IRollupRegistry.RegistrationUnknown.selector, UNKNOWN), publish(UNKNOWN, GOVERNOR, PROFILE));
        refused("another governor", err(IRollupProfiles.ProfileOther.selector, declared, profiles.specHash(FUND, PROFILE)), publish(id, FUND, PROFILE));
        refused("another profile", err(IRollupProfiles.ProfileOther.selector, declared, profiles.specHash(GOVERNOR, other)), publish(id, GOVERNOR, other));
        bytes32 second = register(2002, profiles.specHash(GOVERNOR, other));
        refused("another's", err(IRollupProfiles.ProfileOther.selector, profiles.specHash(GOVERNOR, other), declared), publish(second, GOVERNOR, PROFILE));
    }

    /// @notice A spec hash that commits to them does not help.
    function test_refusesWhatCannotBe() public {
        bytes32 governed = register(2002, profiles.specHash(address(0), PROFILE));
        refused("no governor", err(IRollupProfiles.GovernorZero.selector), publish(governed, address(0), PROFILE));
        uint256 most = profiles.PROFILE_BYTES_MAX();
        bytes memory longest = new bytes(most);
        bytes memory longer = new bytes(most + 1);
        profiles.publish(register(3003, profiles.specHash(GOVERNOR, longest)), GOVERNOR, longest);
        bytes32 long = register(4004, profiles.specHash(GOVERNOR, longer));
        refused("too long", err(IRollupProfiles.ProfileTooLong.selector, most + 1, most), publish(long, GOVERNOR, longer));
    }

    function test_refusesWhoLeft() public {
        registry.announceExit(id);
        refused("leaves", err(IRollupProfiles.RegistrationGone.selector, id), publish(id, GOVERNOR, PROFILE));
        vm.warp(block.timestamp + EXIT);
        registry.withdrawBond(id);
        refused("left", err(IRollupProfiles.RegistrationGone.selector, id), publish(id, GOVERNOR, PROFILE));
    }

    /// @notice Whose bond was taken did not announce an exit.
    function test_refusesWhoWasPunished() public {
        (uint256 key, IRollupRegistry.Signed[2] memory two) = (7, [claim("one"), claim("other")]);
        registry.authorise(5005, address(this));
        bytes32 spec = profiles.specHash(GOVERNOR, PROFILE);
        bytes32 registration = registry.register{value: 1 ether}(5005, jvm.addr(key), keccak256("anchor"), spec);
        for (uint256 i; i < 2; ++i) {
            bytes32 digest = registry.claimDigest(5005, registration, 0, 9, two[i].blockHash);
            (uint8 v, bytes32 r, bytes32 s) = jvm.sign(key, digest);
            two[i].signature = abi.encodePacked(r, s, v - 27);
        }
        registry.reportDoubleClaim(registration, two[0], two[1]);
        refused("punished", err(IRollupProfiles.RegistrationGone.selector, registration), publish(registration, GOVERNOR, PROFILE));
    }

    function claim(bytes32 blockHash) private pure returns (IRollupRegistry.Signed memory) {
        return IRollupRegistry.Signed(0, 9, blockHash, "");
    }
}
