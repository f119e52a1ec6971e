// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {ISettlementJudge} from "../../src/interfaces/ISettlementJudge.sol";
import {TableAdapter} from "../../src/judges/TableAdapter.sol";
import {listOf} from "./Listed.sol";
import {RollupWorld} from "./RollupWorld.sol";

/// @notice Knows one settled head, as an adapter of a rollup's L1 contracts would.
contract SettledHead is ISettlementAdapter {
    uint64 private immutable NUMBER;
    bytes32 private immutable STATE_ROOT;
    uint64 private immutable SETTLED_AT;

    constructor(uint64 number, bytes32 stateRoot, uint64 settledAt) {
        (NUMBER, STATE_ROOT, SETTLED_AT) = (number, stateRoot, settledAt);
    }

    function contradicts(Statement calldata s, bytes calldata) external view returns (bool) {
        if (s.kind != Kind.FinalizedHead || s.number != NUMBER || s.originNumber < SETTLED_AT) return false;
        return s.stateRoot != STATE_ROOT;
    }
}

contract SettlementJudgeTest is RollupWorld {
    uint64 private constant DELAY = 30 days;
    address private constant EVE = address(0xe5e);
    ISettlementJudge private court;
    ISettlementAdapter private byTables;
    ISettlementAdapter private byHead;
    bytes32 private newer = keccak256("newer table");

    /// @dev Snapshots: index 0 at L1 block 10 (the table of "four"), 1 at 500, 2 at 500 (a slash in the same block), 3 at 800.
    function setUp() public override {
        super.setUp();
        byTables = ISettlementAdapter(deploy("TableAdapter", abi.encode(manager)));
        court = ISettlementJudge(judge("SettlementJudge", abi.encode(manager, tables, OWNER, DELAY, listOf(byTables))));
        manager.addSnapshot(keccak256("older table"), 500);
        manager.addSnapshot(keccak256("same block"), 500);
        manager.addSnapshot(newer, 800);
        byHead = new SettledHead(55, keccak256("state"), 900);
        says.confidence = 2;
    }

    function table_(WholeHeader memory h, uint256 index) private view returns (bytes memory) {
        return abi.encodeCall(ISettlementJudge.slashHeader, (single(1, h), byTables, abi.encode(index), ""));
    }

    function slashed(string memory what, bytes memory data) private {
        uint256 snapshot = vm.snapshotState();
        (bool ok, bytes memory answer) = address(court).call(data);
        if (!ok) revert WrongRevert(what, answer, "");
        expectSlashed(what, 1, 2);
        vm.revertToState(snapshot);
    }

    // ---- Tables

    function test_falseTable() public {
        WholeHeader memory h = base;
        h.nextTableHash = keccak256("nobody's table");
        slashed("nobody's", table_(h, 3));
        h.nextTableHash = tableHash;
        slashed("an older one", table_(h, 3));
        // At the origin, the newest was another.
        (h.originNumber, h.nextTableHash) = (799, newer);
        slashed("one from after the origin", table_(h, 2));
        (h.originNumber, h.nextTableHash) = (500, keccak256("older table"));
        slashed("the first of two in one block", table_(h, 2));
        (h.originNumber, h.nextTableHash) = (9, tableHash);
        slashed("before there was any", table_(h, type(uint256).max));
    }

    function test_trueTables() public {
        bytes memory no = err(ISettlementJudge.NotContradicted.selector);
        WholeHeader memory h = base;
        framed("no next table", no, address(court), table_(h, 3));
        h.nextTableHash = newer;
        framed("newest", no, address(court), table_(h, 3));
        h.originNumber = 800;
        framed("on its block", no, address(court), table_(h, 3));
        (h.originNumber, h.nextTableHash) = (799, keccak256("same block"));
        framed("just before", no, address(court), table_(h, 2));
        (h.originNumber, h.nextTableHash) = (10, tableHash);
        framed("the first", no, address(court), table_(h, 0));
        // L1 goes on; what was right stays right.
        manager.addSnapshot(keccak256("later"), 950);
        h = base;
        h.nextTableHash = newer;
        framed("later", no, address(court), table_(h, 3));
    }

    /// @notice The index that the caller names must be the newest at the origin: no other can frame anybody.
    /// forge-config: default.fuzz.runs = 150
    function testFuzz_trueTableCannotBeFramed(uint64 origin, uint256 index, uint8 small) public {
        WholeHeader memory h = base;
        h.originNumber = 10 + origin % 990;
        uint256 right = h.originNumber >= 800 ? 3 : h.originNumber >= 500 ? 2 : 0;
        h.nextTableHash = manager.snapshotAt(right).tableHash;
        (bool ok,) = address(court).call(table_(h, index));
        yes("any", !ok);
        index = small % 5;
        bytes memory expected = index == right
            ? err(ISettlementJudge.NotContradicted.selector)
            : err(TableAdapter.SnapshotNotNewest.selector, index, uint256(h.originNumber));
        framed("a near one", expected, address(court), table_(h, index));
        expected = err(TableAdapter.SnapshotNotNewest.selector, type(uint256).max, uint256(h.originNumber));
        framed("none", expected, address(court), table_(h, type(uint256).max));
    }

    /// @notice The very block of a snapshot belongs to it, not to the one before.
    function test_onTheBlockOfASnapshot() public {
        WholeHeader memory h = base;
        (h.originNumber, h.nextTableHash) = (800, newer);
        framed("before", err(TableAdapter.SnapshotNotNewest.selector, 2, 800), address(court), table_(h, 2));
        (h.originNumber, h.nextTableHash) = (500, keccak256("same block"));
        framed("the first", err(TableAdapter.SnapshotNotNewest.selector, 0, 500), address(court), table_(h, 0));
        framed("the first of two", err(TableAdapter.SnapshotNotNewest.selector, 1, 500), address(court), table_(h, 1));
    }

    function test_tablesSayNothingOfHeads() public view {
        ISettlementAdapter.Statement memory s;
        for (uint8 kind = 1; kind < 4; ++kind) {
            (s.kind, s.originNumber) = (ISettlementAdapter.Kind(kind), 1001);
            yes("no", !byTables.contradicts(s, ""));
        }
    }

    function test_originInTheFuture() public {
        WholeHeader memory h = base;
        h.originNumber = 1001;
        slashed("future", table_(h, 0));
        h.originNumber = 1000;
        framed("now", err(ISettlementJudge.NotContradicted.selector), address(court), table_(h, 0));
        jvm.roll(1001);
        h.originNumber = 1001;
        framed("reached", err(ISettlementJudge.NotContradicted.selector), address(court), table_(h, 0));
    }

    function test_tableProofsRefused() public {
        WholeHeader memory h = base;
        h.nextTableHash = newer;
        bytes memory call_ = abi.encodeCall(ISettlementJudge.slashHeader, (single(1, h), byTables, "", ""));
        framed("length", err(TableAdapter.ProofLength.selector, uint256(0)), address(court), call_);
        call_ = abi.encodeCall(ISettlementJudge.slashHeader, (single(1, h), byTables, new bytes(33), ""));
        framed("long", err(TableAdapter.ProofLength.selector, uint256(33)), address(court), call_);
    }

    function test_certificateInParts() public {
        WholeHeader memory h = base;
        h.nextTableHash = keccak256("nobody's table");
        bytes memory evidence = certified(h, hex"03");
        court.slashHeader(evidence, byTables, abi.encode(3), hex"02");
        court.slashHeader(evidence, byTables, abi.encode(3), hex"000102");
        eq("three", manager.slashes(), 3);
        bytes memory call_ = abi.encodeCall(ISettlementJudge.slashHeader, (evidence, byTables, abi.encode(3), hex"00"));
        framed("once", err(IEvidence.NothingToSlash.selector), address(court), call_);
    }

    // ---- Heads

    function head(uint256 seat) private view returns (bytes memory) {
        return abi.encodeCall(ISettlementJudge.slashHead, (single(seat, header()), statement(), says.confidence, byHead, "", ""));
    }

    function list() private {
        vm.prank(OWNER);
        court.announceAdapter(address(byHead));
        vm.warp(block.timestamp + DELAY);
    }

    function test_falseHead() public {
        list();
        framed("true", err(ISettlementJudge.NotContradicted.selector), address(court), head(1));
        says.stateRoot = keccak256("a lie");
        slashed("false", head(1));
        base.originNumber = 899;
        framed("L1 did not say so yet", err(ISettlementJudge.NotContradicted.selector), address(court), head(1));
    }

    function test_headsRefused() public {
        list();
        says.stateRoot = keccak256("a lie");
        says.advancedAt = base.height - 1;
        framed("inherited", err(IEvidence.HeadInherited.selector, base.height - 1, base.height), address(court), head(1));
        (says.advancedAt, says.confidence) = (base.height, 0);
        framed("Latest", err(ISettlementJudge.UnknownConfidence.selector, uint256(0)), address(court), head(1));
        bytes memory call_ = abi.encodeCall(ISettlementJudge.slashHead, (single(1, header()), statement(), 3, byHead, "", ""));
        framed("none", err(ISettlementJudge.UnknownConfidence.selector, uint256(3)), address(court), call_);
        says.confidence = 1;
        framed("not this adapter's", err(ISettlementJudge.NotContradicted.selector), address(court), head(1));
    }

    // ---- Adapters

    /// @notice A settlement contract under the attacker's control says what the attacker wants.
    function test_attackersAdapter() public {
        SettledHead hers = new SettledHead(55, keccak256("what she wants"), 0);
        bytes memory no = err(ISettlementJudge.AdapterNotActive.selector, address(hers));
        bytes memory call_ = abi.encodeCall(ISettlementJudge.slashHead, (single(1, header()), statement(), 2, hers, "", ""));
        framed("not listed", no, address(court), call_);
        framed("nor for tables", no, address(court), abi.encodeCall(ISettlementJudge.slashHeader, (single(1, base), hers, "", "")));
        refusesFrom(EVE, "listing it herself", err(ISettlementJudge.NotOwner.selector, EVE), address(court), abi.encodeCall(ISettlementJudge.announceAdapter, (address(hers))));
        refusesFrom(EVE, "removing", err(ISettlementJudge.NotOwner.selector, EVE), address(court), abi.encodeCall(ISettlementJudge.removeAdapter, (address(byTables))));
    }

    function test_adaptersWait() public {
        says.stateRoot = keccak256("a lie");
        bytes memory no = err(ISettlementJudge.AdapterNotActive.selector, address(byHead));
        vm.prank(OWNER);
        court.announceAdapter(address(byHead));
        vm.warp(block.timestamp + DELAY - 1);
        framed("early", no, address(court), head(1));
        bytes memory known = abi.encodeWithSelector(ISettlementJudge.AdapterKnown.selector, address(byHead), court.adapterActiveAt(address(byHead)));
        refusesFrom(OWNER, "twice", known, address(court), abi.encodeCall(ISettlementJudge.announceAdapter, (address(byHead))));
        vm.warp(block.timestamp + 1);
        slashed("active", head(1));
        vm.prank(OWNER);
        court.removeAdapter(address(byHead));
        framed("removed", no, address(court), head(1));
        vm.prank(OWNER);
        court.announceAdapter(address(byHead));
        framed("again with delay", no, address(court), head(1));
    }
}
