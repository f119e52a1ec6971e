// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Committees} from "./Committees.sol";
import {Vm} from "./Vm.sol";

/// @notice A client that slept past every table it knows: "four" in epoch 5, good until `END`. Its owner re-anchors it at
/// epoch 12, whose committee is "three".
contract LightClientAnchorTest is Committees {
    uint64 private constant START = 1_000_000;
    uint64 private constant END = START + 1_000;
    uint32 private constant DELAY = 600;
    uint64 private constant ANCHOR = 12;
    address private constant OWNER = address(0x0ff1ce);

    ILightClient private client;

    function setUp() public {
        vm.warp(START);
        client = fresh(OWNER, DELAY);
        client.installTable(EPOCH, first());
    }

    function fresh(address owner, uint32 delay) private returns (ILightClient) {
        return ILightClient(deploy(lightClient(), abi.encode(DOMAIN, EPOCH, keccak256(first()), owner, delay)));
    }

    function first() private returns (bytes memory) {
        return table("four", END);
    }

    function next() private returns (bytes memory) {
        return table("three", END + 10_000);
    }

    function header(uint64 epoch, uint64 height, bytes32 named) private pure returns (Header memory) {
        return Header(epoch, height, 1_000_000 + height, keccak256("rollups"), named);
    }

    function announce(uint64 epoch, bytes32 hash) private {
        vm.prank(OWNER);
        client.announceAnchor(epoch, hash);
    }

    function announceRefused(address from, string memory what, bytes memory expected, uint64 epoch, bytes32 hash) private {
        refusesFrom(from, what, expected, address(client), abi.encodeCall(client.announceAnchor, (epoch, hash)));
    }

    function anchorRefused(string memory what, bytes memory expected) private {
        refuses(what, expected, address(client), abi.encodeCall(client.anchor, ()));
    }

    /// @notice The one event that the client emitted since `vm.recordLogs`.
    function emitted(string memory what, bytes32 signature, uint64 epoch, bytes memory data) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq(what, logs.length, 1);
        eq(what, logs[0].topics[0], signature);
        eq(what, uint256(logs[0].topics[1]), epoch);
        eq(what, logs[0].data, data);
    }

    function test_goesOnWithTheCommitteeThatTheOwnerNames() public {
        client.submit(certify("four", header(EPOCH, 41, 0), ""));
        vm.warp(END + 1);
        bytes32 hash = keccak256(next());
        vm.recordLogs();
        announce(ANCHOR, hash);
        emitted("announced", keccak256("AnchorAnnounced(uint64,bytes32,uint64)"), ANCHOR, abi.encode(hash, END + 1 + DELAY));
        ILightClient.Anchor memory a = client.announcedAnchor();
        eq("epoch", a.epoch, ANCHOR);
        eq("hash", a.tableHash, hash);
        eq("ready", a.readyAt, END + 1 + DELAY);
        eq("nothing yet", client.tableHash(ANCHOR), bytes32(0));

        vm.warp(END + DELAY);
        anchorRefused("a second early", err(ILightClient.AnchorNotReady.selector, uint256(END + DELAY + 1), uint256(END + DELAY)));
        vm.warp(END + 1 + DELAY);
        vm.recordLogs();
        client.anchor();
        emitted("anchored", keccak256("Anchored(uint64,bytes32)"), ANCHOR, abi.encode(hash));
        anchorRefused("once", err(ILightClient.AnchorNotAnnounced.selector));
        eq("newest", client.newestEpoch(), ANCHOR);

        client.installTable(ANCHOR, next());
        yes("certified", client.submit(certify("three", header(ANCHOR, 1_000, 0), hex"01")));
        yes("what was certified before stays", client.isKnown(41, 1_000_041, keccak256("rollups")));
        // And on from there, by certificates.
        yes("closes", client.submit(certify("three", header(ANCHOR, 1_001, keccak256(table("four"))), "")));
        client.installTable(ANCHOR + 1, table("four"));
        yes("certified", client.submit(certify("four", header(ANCHOR + 1, 1_002, 0), "")));
    }

    function test_onlyTheOwner() public {
        vm.warp(END + 1);
        bytes32 hash = keccak256(next());
        announceRefused(address(this), "a stranger", err(ILightClient.NotOwner.selector, address(this)), ANCHOR, hash);
        client = fresh(address(0), 0);
        announceRefused(OWNER, "no owner", err(ILightClient.NotOwner.selector, OWNER), ANCHOR, hash);
        eq("owner", client.OWNER(), address(0));
    }

    /// @notice While a committee is good, to its last second, its owner is nobody.
    function test_cannotReplaceALivingCommittee() public {
        bytes32 hash = keccak256(next());
        announceRefused(OWNER, "alive", err(ILightClient.CommitteeLives.selector, END, START), ANCHOR, hash);
        vm.warp(END);
        announceRefused(OWNER, "its last second", err(ILightClient.CommitteeLives.selector, END, END), ANCHOR, hash);
        anchorRefused("nothing was announced", err(ILightClient.AnchorNotAnnounced.selector));
    }

    /// @notice A closed epoch's table may be good for longer than that of the epoch after it: still alive.
    function test_anyGoodTableIsALivingCommittee() public {
        bytes memory shorter = table("three", END - 500);
        client.submit(certify("four", header(EPOCH, 40, keccak256(shorter)), ""));
        client.installTable(EPOCH + 1, shorter);
        vm.warp(END - 499);
        bytes memory lives = err(ILightClient.CommitteeLives.selector, END, END - 499);
        announceRefused(OWNER, "the former", lives, ANCHOR, keccak256(next()));
    }

    /// @notice The next table was named in time, and nobody brought it: whoever does while the owner waits, wins.
    function test_aGoodTableVoidsTheAnnouncement() public {
        client.submit(certify("four", header(EPOCH, 40, keccak256(next())), ""));
        vm.warp(END + 1);
        announce(ANCHOR, keccak256(table("four")));
        vm.recordLogs();
        client.installTable(EPOCH + 1, next());
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("installed and cancelled", logs.length, 2);
        eq("cancelled", logs[1].topics[0], keccak256("AnchorCancelled(uint64)"));
        eq("which", uint256(logs[1].topics[1]), ANCHOR);
        vm.warp(END + 1 + DELAY);
        anchorRefused("void", err(ILightClient.AnchorNotAnnounced.selector));
        bytes memory lives = err(ILightClient.CommitteeLives.selector, END + 10_000, END + 1 + DELAY);
        announceRefused(OWNER, "alive again", lives, ANCHOR, keccak256(table("four")));
        // Nor does it come back when that one has expired.
        vm.warp(END + 10_001);
        anchorRefused("void for ever", err(ILightClient.AnchorNotAnnounced.selector));
    }

    /// @notice An expired table is no reason to wait: it cannot be installed, so it voids nothing.
    function test_anExpiredTableVoidsNothing() public {
        bytes memory shorter = table("three", END);
        client.submit(certify("four", header(EPOCH, 40, keccak256(shorter)), ""));
        vm.warp(END + 1);
        announce(ANCHOR, keccak256(next()));
        bytes memory late = err(ILightClient.TableExpired.selector, EPOCH + 1, END, END + 1);
        refuses("late", late, address(client), abi.encodeCall(client.installTable, (EPOCH + 1, shorter)));
        vm.warp(END + 1 + DELAY);
        client.anchor();
    }

    /// @notice What was named and never brought does not come to life beside the anchor.
    function test_forgetsWhatWasNamedAndNeverBrought() public {
        client.submit(certify("four", header(EPOCH, 40, keccak256(table("four"))), ""));
        vm.warp(END + 1);
        announce(ANCHOR, keccak256(next()));
        vm.warp(END + 1 + DELAY);
        client.anchor();
        bytes memory forgotten = err(ILightClient.TableHashMismatch.selector, EPOCH + 1, bytes32(0), keccak256(table("four")));
        refuses("named", forgotten, address(client), abi.encodeCall(client.installTable, (EPOCH + 1, table("four"))));
        eq("the installed one stays named", client.tableHash(EPOCH), keccak256(first()));
        client.installTable(ANCHOR, next());
        yes("certified", client.submit(certify("three", header(ANCHOR, 1_000, 0), "")));
    }

    function test_anchorLiesAboveWhatIsKnown() public {
        client.submit(certify("four", header(EPOCH, 40, keccak256(next())), ""));
        vm.warp(END + 1);
        bytes32 hash = keccak256(table("four"));
        bytes memory older = err(ILightClient.AnchorNotNewer.selector, EPOCH + 1, EPOCH + 1);
        announceRefused(OWNER, "the named one", older, EPOCH + 1, hash);
        older = err(ILightClient.AnchorNotNewer.selector, EPOCH, EPOCH + 1);
        announceRefused(OWNER, "the expired one", older, EPOCH, hash);
        announceRefused(OWNER, "no table", err(ILightClient.AnchorWithoutTable.selector), ANCHOR, 0);
        announce(EPOCH + 2, hash);
    }

    function test_announcingAgainStartsTheDelayAnew() public {
        vm.warp(END + 1);
        announce(ANCHOR, keccak256(table("four")));
        vm.warp(END + 501);
        announce(ANCHOR + 1, keccak256(next()));
        vm.warp(END + 1 + DELAY);
        anchorRefused("the first", err(ILightClient.AnchorNotReady.selector, END + 501 + DELAY, END + 1 + DELAY));
        vm.warp(END + 501 + DELAY);
        client.anchor();
        eq("the second", client.tableHash(ANCHOR + 1), keccak256(next()));
        eq("not the first", client.tableHash(ANCHOR), bytes32(0));
    }

    /// @notice A mistake that is not good any more when its time comes can be made good.
    function test_anchorThatExpiredIsFollowedByAnother() public {
        vm.warp(END + 1);
        announce(ANCHOR, keccak256(table("three", END + 2)));
        vm.warp(END + 1 + DELAY);
        client.anchor();
        bytes memory late = err(ILightClient.TableExpired.selector, ANCHOR, END + 2, END + 1 + DELAY);
        bytes memory data = abi.encodeCall(client.installTable, (ANCHOR, table("three", END + 2)));
        refuses("late", late, address(client), data);
        announce(ANCHOR + 1, keccak256(next()));
        vm.warp(END + 1 + 2 * DELAY);
        client.anchor();
        client.installTable(ANCHOR + 1, next());
    }

    /// @notice Time, certificates, tables, owner and strangers in any order: an anchor takes effect only when nothing
    /// installed is good, the newest epoch never falls, and what has a table keeps its hash.
    function testFuzz_neverAgainstALivingCommittee(uint256 seed) public {
        uint64 newest = EPOCH;
        bytes memory named = first();
        bytes memory wanted;
        for (uint256 i; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            bool good = block.timestamp <= client.usableUntil();
            bytes memory other = table(newest % 2 == 0 ? "four" : "three", uint64(block.timestamp + 1 + (seed >> 8) % 2_000));
            uint256 action = seed % 6;
            bool ok;
            if (action == 0) vm.warp(block.timestamp + (seed >> 8) % 1_500);
            if (action == 1) {
                vm.prank(OWNER);
                (ok,) = address(client).call(abi.encodeCall(client.announceAnchor, (newest + 2, keccak256(other))));
                eq("announced when nothing is good", ok ? 1 : 0, good ? 0 : 1);
                if (ok) wanted = other;
            }
            if (action == 2) {
                (ok,) = address(client).call(abi.encodeCall(client.anchor, ()));
                yes("never against a living committee", !ok || !good);
                if (ok) (newest, named) = (newest + 2, wanted);
            }
            if (action == 3 || action == 4) {
                (ok,) = address(client).call(abi.encodeCall(client.installTable, (newest, named)));
                if (ok) yes("good", block.timestamp <= client.usableUntil());
                if (ok) eq("no anchor waits any more", client.announcedAnchor().tableHash, bytes32(0));
            }
            if (action == 5) {
                string memory who = keccak256(named) == keccak256(table("four", _until(named))) ? "four" : "three";
                bytes memory c = certify(who, header(newest, uint64(100 + i), keccak256(other)), "");
                (ok,) = address(client).call(abi.encodeCall(client.submit, (c)));
                yes("only by a table that is good", !ok || good);
                if (ok) (newest, named) = (newest + 1, other);
            }
            eq("newest", client.newestEpoch(), newest);
            eq("its table", client.tableHash(newest), keccak256(named));
        }
        eq("the first keeps its hash", client.tableHash(EPOCH), keccak256(first()));
    }

    function _until(bytes memory t) private pure returns (uint64 until) {
        assembly ("memory-safe") {
            until := shr(192, mload(add(t, 240)))
        }
    }
}
