// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../../src/interfaces/IBatchInbox.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {Test, Vm} from "../Vm.sol";
import {Posting, PostingVm} from "./Posting.sol";

contract BatchInboxTest is Test, Posting {
    address private constant OWNER = address(0x0ff1ce);
    address private constant FUND = address(0xf00d);
    address private constant REGISTRANT = address(0xa11ce);
    address private constant SEQUENCER = address(0x5e9);
    address private constant BATCHER = address(0xba7c);
    address private constant EVE = address(0xe5e);
    uint64 private constant CHAIN = 1001;
    uint64 private constant EXIT = 14 days;
    bytes32 private constant UNKNOWN = keccak256("unknown");

    IRollupRegistry private registry;
    IBatchInbox private inbox;
    bytes32 private id;

    function setUp() public {
        vm.warp(1_000_000);
        vm.roll(100);
        registry = IRollupRegistry(
            deploy("RollupRegistry", abi.encode(bytes32("domain"), OWNER, FUND, 1 ether, uint64(0), EXIT, uint64(0)))
        );
        inbox = IBatchInbox(deploy("BatchInbox", abi.encode(registry)));
        vm.deal(REGISTRANT, 10 ether);
        id = register(CHAIN);
    }

    function register(uint64 chain) private returns (bytes32) {
        vm.prank(OWNER);
        registry.authorise(chain, REGISTRANT);
        vm.prank(REGISTRANT);
        return registry.register{value: 1 ether}(chain, SEQUENCER, keccak256("anchor"), keccak256("spec"));
    }

    function leave() private {
        vm.prank(REGISTRANT);
        registry.announceExit(id);
        vm.warp(block.timestamp + EXIT);
        vm.prank(REGISTRANT);
        registry.withdrawBond(id);
    }

    function name(address account) private {
        vm.prank(REGISTRANT);
        inbox.setBatcher(id, account);
    }

    function call_(bytes32 registration, uint64 first, uint64 last) private pure returns (bytes memory) {
        return abi.encodeCall(IBatchInbox.post, (registration, first, last, keccak256("last"), "data"));
    }

    /// @notice Refused as a transaction of `from`.
    function refused(address from, string memory what, bytes memory expected, bytes memory data) private {
        PostingVm(address(vm)).prank(from, from);
        refuses(what, expected, address(inbox), data);
    }

    function word(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    // ---- Posting

    function test_batchesFollowOneAnother() public {
        eq("nobody posted", inbox.batchCount(id), 0);
        eq("closed", inbox.openedAt(id), 0);
        vm.recordLogs();
        postAs(SEQUENCER, inbox, id, 8, 12, "twelve");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("one event", logs.length, 1);
        eq("which", logs[0].topics[0], IBatchInbox.BatchPosted.selector);
        eq("whose", logs[0].topics[1], id);
        eq("what", logs[0].data, abi.encode(uint256(0), uint64(8), uint64(12), bytes32("twelve")));
        vm.roll(103);
        postAs(SEQUENCER, inbox, id, 13, 13, "thirteen");
        postAs(SEQUENCER, inbox, id, 14, 20, "twenty");
        eq("three", inbox.batchCount(id), 3);
        eq("first", abi.encode(inbox.batchAt(id, 0)), abi.encode(IBatchInbox.Batch(8, 12, 100, "twelve")));
        eq("second", abi.encode(inbox.batchAt(id, 1)), abi.encode(IBatchInbox.Batch(13, 13, 103, "thirteen")));
        eq("third", abi.encode(inbox.batchAt(id, 2)), abi.encode(IBatchInbox.Batch(14, 20, 103, "twenty")));
        refuses("fourth", err(IBatchInbox.NoBatch.selector, id, bytes32(uint256(3))), address(inbox), abi.encodeCall(IBatchInbox.batchAt, (id, 3)));
        eq("open since", inbox.openedAt(id), 100);
        uint8[5] memory stood = [0, 1, 1, 3, 3];
        uint64[5] memory blocks = [uint64(99), 100, 102, 103, type(uint64).max];
        for (uint256 i; i < 5; ++i) eq("stood", inbox.batchCountAt(id, blocks[i]), stood[i]);
        uint8[8] memory which = [0, 0, 0, 1, 2, 2, 3, 3];
        uint64[8] memory numbers = [uint64(0), 8, 12, 13, 14, 20, 21, type(uint64).max];
        for (uint256 i; i < 8; ++i) eq("batch of", inbox.batchOf(id, numbers[i]), which[i]);
    }

    function test_postsRefused() public {
        postAs(SEQUENCER, inbox, id, 8, 12, "twelve");
        refused(SEQUENCER, "unknown", err(IRollupRegistry.RegistrationUnknown.selector, UNKNOWN), call_(UNKNOWN, 13, 14));
        refused(EVE, "somebody", err(IBatchInbox.NotBatcher.selector, id, word(EVE)), call_(id, 13, 14));
        refused(REGISTRANT, "the registrant", err(IBatchInbox.NotBatcher.selector, id, word(REGISTRANT)), call_(id, 13, 14));
        refused(SEQUENCER, "no block", err(IBatchInbox.BatchEmpty.selector, 13, 12), call_(id, 13, 12));
        refused(SEQUENCER, "a gap", err(IBatchInbox.BatchNotNext.selector, 14, 13), call_(id, 14, 14));
        refused(SEQUENCER, "an overlap", err(IBatchInbox.BatchNotNext.selector, 12, 13), call_(id, 12, 14));
        PostingVm(address(vm)).prank(SEQUENCER, EVE);
        refuses("within another's", err(IBatchInbox.NotATransaction.selector, word(SEQUENCER), word(EVE)), address(inbox), call_(id, 13, 14));
        uint256 world = vm.snapshotState();
        leave();
        refused(SEQUENCER, "gone", err(IBatchInbox.RegistrationGone.selector, id), call_(id, 13, 14));
        vm.revertToState(world);
        eq("as before", inbox.batchCount(id), 1);
        postAs(SEQUENCER, inbox, id, 13, type(uint64).max, "the end");
        refused(SEQUENCER, "nothing after", err(IBatchInbox.BatchNotNext.selector, 0, 1 << 64), call_(id, 0, 1));
    }

    // ---- Blobs

    function blobs_(bytes32 registration, uint64 first, uint64 last) private pure returns (bytes memory) {
        return abi.encodeCall(IBatchInbox.postBlobs, (registration, first, last, keccak256("last")));
    }

    function test_blobsAreOneLineWithTheRest() public {
        postAs(SEQUENCER, inbox, id, 8, 12, "twelve");
        withBlobs(6);
        vm.roll(105);
        vm.recordLogs();
        PostingVm(address(vm)).prank(SEQUENCER, SEQUENCER);
        inbox.postBlobs(id, 13, 20, "twenty");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("one event", logs.length, 1);
        eq("which", logs[0].topics[0], IBatchInbox.BatchPosted.selector);
        eq("whose", logs[0].topics[1], id);
        eq("what", logs[0].data, abi.encode(uint256(1), uint64(13), uint64(20), bytes32("twenty")));
        eq("kept", abi.encode(inbox.batchAt(id, 1)), abi.encode(IBatchInbox.Batch(13, 20, 105, "twenty")));
        withBlobs(0);
        postAs(SEQUENCER, inbox, id, 21, 21, "next");
        eq("three", inbox.batchCount(id), 3);
    }

    function test_theFirstBlobOpens() public {
        withBlobs(1);
        PostingVm(address(vm)).prank(SEQUENCER, SEQUENCER);
        inbox.postBlobs(id, 8, 9, "nine");
        eq("open since", inbox.openedAt(id), 100);
    }

    function test_blobsRefused() public {
        postAs(SEQUENCER, inbox, id, 8, 12, "twelve");
        refused(SEQUENCER, "none", err(IBatchInbox.NoBlob.selector), blobs_(id, 13, 14));
        withBlobs(1);
        refused(SEQUENCER, "unknown", err(IRollupRegistry.RegistrationUnknown.selector, UNKNOWN), blobs_(UNKNOWN, 13, 14));
        refused(EVE, "somebody", err(IBatchInbox.NotBatcher.selector, id, word(EVE)), blobs_(id, 13, 14));
        refused(SEQUENCER, "no block", err(IBatchInbox.BatchEmpty.selector, 13, 12), blobs_(id, 13, 12));
        refused(SEQUENCER, "a gap", err(IBatchInbox.BatchNotNext.selector, 14, 13), blobs_(id, 14, 14));
        PostingVm(address(vm)).prank(SEQUENCER, EVE);
        refuses("within another's", err(IBatchInbox.NotATransaction.selector, word(SEQUENCER), word(EVE)), address(inbox), blobs_(id, 13, 14));
        leave();
        refused(SEQUENCER, "gone", err(IBatchInbox.RegistrationGone.selector, id), blobs_(id, 13, 14));
        eq("as before", inbox.batchCount(id), 1);
    }

    /// @notice A contract as batcher would post where operators do not look.
    function test_contractsPostNothing() public {
        name(address(this));
        PostingVm(address(vm)).prank(address(this), EVE);
        refuses("a contract", err(IBatchInbox.NotATransaction.selector, word(address(this)), word(EVE)), address(inbox), call_(id, 1, 2));
    }

    // ---- Batchers

    function test_batchers() public {
        eq("the sequencer", inbox.batcherOf(id), SEQUENCER);
        eq("unknown", inbox.batcherOf(UNKNOWN), address(0));
        vm.recordLogs();
        name(BATCHER);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("which", logs[0].topics[0], IBatchInbox.BatcherSet.selector);
        eq("whose", logs[0].topics[1], id);
        eq("who", logs[0].data, abi.encode(BATCHER));
        eq("open since", inbox.openedAt(id), 100);
        eq("named", inbox.batcherOf(id), BATCHER);
        vm.roll(200);
        refused(SEQUENCER, "the sequencer", err(IBatchInbox.NotBatcher.selector, id, word(SEQUENCER)), call_(id, 1, 2));
        postAs(BATCHER, inbox, id, 1, 2, "two");
        eq("still", inbox.openedAt(id), 100);
        name(address(0));
        eq("back", inbox.batcherOf(id), SEQUENCER);
        refused(BATCHER, "no longer", err(IBatchInbox.NotBatcher.selector, id, word(BATCHER)), call_(id, 3, 4));
        postAs(SEQUENCER, inbox, id, 3, 4, "four");
        eq("since then", inbox.openedAt(id), 100);
    }

    function test_namingRefused() public {
        bytes memory data = abi.encodeCall(IBatchInbox.setBatcher, (id, EVE));
        refused(EVE, "somebody", err(IBatchInbox.NotRegistrant.selector, id, word(EVE)), data);
        refused(SEQUENCER, "the sequencer", err(IBatchInbox.NotRegistrant.selector, id, word(SEQUENCER)), data);
        refused(REGISTRANT, "unknown", err(IRollupRegistry.RegistrationUnknown.selector, UNKNOWN), abi.encodeCall(IBatchInbox.setBatcher, (UNKNOWN, EVE)));
        leave();
        refused(REGISTRANT, "gone", err(IBatchInbox.RegistrationGone.selector, id), data);
        eq("closed", inbox.openedAt(id), 0);
    }

    // ---- Any order of calls

    /// @notice Two rollups, any posts: what stands is contiguous and ascends, and no rollup moves another.
    function testFuzz_whateverIsPosted(uint256 seed, uint8 count) public {
        bytes32[2] memory ids = [id, register(2002)];
        bytes32[2] memory seen;
        uint64[2] memory next;
        for (uint256 i; i < count % 40; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 which = seed & 1;
            vm.roll(block.number + (seed >> 1) % 3);
            // Mostly where the last one ended, sometimes beside it.
            uint64 first = next[which] + uint64((seed >> 8) % 4 == 0 ? (seed >> 16) % 3 : 0);
            uint64 last = first + uint64((seed >> 24) % 5);
            if (last != 0 && (seed >> 32) % 8 == 0) last = first == 0 ? 0 : first - 1;
            uint256 before = inbox.batchCount(ids[which]);
            PostingVm(address(vm)).prank(SEQUENCER, SEQUENCER);
            (bool ok,) = address(inbox).call(call_(ids[which], first, last));
            yes("taken when it fits", ok == (last >= first && (before == 0 || first == next[which])));
            if (ok) (next[which], seen[which]) = (last + 1, keccak256(abi.encode(seen[which], first, last, block.number)));
            eq("one more, or none", inbox.batchCount(ids[which]), before + (ok ? 1 : 0));
        }
        for (uint256 which; which < 2; ++which) check(ids[which], seen[which]);
    }

    function check(bytes32 registration, bytes32 seen) private view {
        bytes32 found;
        IBatchInbox.Batch memory before;
        for (uint256 i; i < inbox.batchCount(registration); ++i) {
            IBatchInbox.Batch memory b = inbox.batchAt(registration, i);
            yes("has a block", b.first <= b.last);
            yes("contiguous", i == 0 || b.first == before.last + 1);
            yes("ascends", b.l1Block >= before.l1Block);
            found = keccak256(abi.encode(found, b.first, b.last, uint256(b.l1Block)));
            before = b;
        }
        eq("all that was posted", found, seen);
    }
}
