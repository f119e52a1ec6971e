// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {Test} from "../Vm.sol";
import {JudgeVm} from "./JudgeWorld.sol";

/// @notice Says what it was told to say.
contract ToldAdapter is ISettlementAdapter {
    bool public says;

    function tell(bool says_) external {
        says = says_;
    }

    function contradicts(Statement calldata, bytes calldata) external view returns (bool) {
        return says;
    }
}

/// @notice Takes no ether until it is told to.
contract Proud {
    bool public takes;

    function take() external {
        takes = true;
    }

    function run(address target, bytes calldata data) external payable {
        (bool ok, bytes memory answer) = target.call{value: msg.value}(data);
        if (!ok) assembly {
            revert(add(answer, 32), mload(answer))
        }
    }

    receive() external payable {
        require(takes);
    }
}

contract RollupRegistryTest is Test {
    JudgeVm private constant jvm = JudgeVm(address(vm));
    bytes32 private constant DOMAIN = keccak256("test domain");
    address private constant OWNER = address(0x0ff1ce);
    address private constant FUND = address(0xf00d);
    address private constant ALICE = address(0xa11ce);
    address private constant BOB = address(0xb0b);
    uint64 private constant CHAIN = 1001;
    uint256 private constant KEY = 0x5e9;
    bytes32 private constant ANCHOR = keccak256("anchor");
    bytes32 private constant SPEC = keccak256("spec");
    uint256 private constant BOND = 5 ether;
    uint64 private constant DELAY = 1 days;
    uint64 private constant EXIT = 14 days;
    uint64 private constant ANSWER = 12 hours;
    uint256 private constant HALF = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    IRollupRegistry private registry;
    ToldAdapter private adapter;
    bytes32 private id;

    function setUp() public {
        vm.warp(1_000_000);
        registry = IRollupRegistry(deploy("RollupRegistry", abi.encode(DOMAIN, OWNER, FUND, BOND, DELAY, EXIT, ANSWER)));
        adapter = new ToldAdapter();
        vm.deal(ALICE, 100 ether);
        vm.deal(BOB, 100 ether);
        id = register(CHAIN);
    }

    function register(uint64 chain) private returns (bytes32) {
        vm.prank(OWNER);
        registry.authorise(chain, ALICE);
        vm.warp(block.timestamp + DELAY);
        vm.prank(ALICE);
        return registry.register{value: BOND}(chain, jvm.addr(KEY), ANCHOR, SPEC);
    }

    function signed(string memory label, uint256 key, uint32 generation, uint64 number, bytes32 hash)
        private
        view
        returns (IRollupRegistry.Signed memory)
    {
        bytes32 digest = keccak256(abi.encodePacked(label, DOMAIN, CHAIN, id, generation, number, hash));
        (uint8 v, bytes32 r, bytes32 s) = jvm.sign(key, digest);
        return IRollupRegistry.Signed(generation, number, hash, abi.encodePacked(r, s, v - 27));
    }

    function claim(uint32 generation, uint64 number, bytes32 hash) private view returns (IRollupRegistry.Signed memory) {
        return signed("hum/claim/1", KEY, generation, number, hash);
    }

    function retraction(uint32 generation, uint64 number, bytes32 hash) private view returns (IRollupRegistry.Signed memory) {
        return signed("hum/retraction/1", KEY, generation, number, hash);
    }

    function refused(address from, string memory what, bytes memory expected, bytes memory data) private {
        uint256 held = address(registry).balance;
        refusesFrom(from, what, expected, address(registry), data);
        eq(what, address(registry).balance, held);
    }

    // ---- Registering

    function test_idIsTheProtocols() public view {
        bytes32 expected = keccak256(abi.encodePacked("hum/registration/1", CHAIN, jvm.addr(KEY), ANCHOR, SPEC));
        eq("id", id, expected);
        eq("of chain", registry.registrationOf(CHAIN), id);
        eq("sequencer", registry.sequencerOf(id), jvm.addr(KEY));
        eq("anchor", registry.anchorOf(id), ANCHOR);
        eq("bond", registry.rollup(id).bondWei, BOND);
        eq("claim", registry.claimDigest(CHAIN, id, 3, 9, SPEC), keccak256(abi.encodePacked("hum/claim/1", DOMAIN, CHAIN, id, uint32(3), uint64(9), SPEC)));
        eq("retraction", registry.retractionDigest(CHAIN, id, 3, 9, SPEC), keccak256(abi.encodePacked("hum/retraction/1", DOMAIN, CHAIN, id, uint32(3), uint64(9), SPEC)));
    }

    function test_ownNode() public {
        yes("re-executed", registry.isReexecuted(id));
        yes("unknown", !registry.isReexecuted(keccak256("nobody")));
        vm.prank(OWNER);
        registry.authorise(7, ALICE);
        vm.warp(block.timestamp + DELAY);
        bytes memory call_ = abi.encodeCall(IRollupRegistry.registerOwnNode, (7, jvm.addr(KEY), ANCHOR, SPEC));
        refused(BOB, "not authorised", abi.encodeWithSelector(IRollupRegistry.NotAuthorised.selector, uint64(7), BOB), call_);
        vm.prank(ALICE);
        bytes32 own = registry.registerOwnNode{value: BOND}(7, jvm.addr(KEY), ANCHOR, SPEC);
        eq("id", own, registry.registrationId(7, jvm.addr(KEY), ANCHOR, SPEC));
        yes("not re-executed", !registry.isReexecuted(own));
        eq("sequencer answers all the same", registry.sequencerOf(own), jvm.addr(KEY));
        eq("of chain", registry.registrationOf(7), own);
    }

    function test_noSquatting() public {
        bytes memory call_ = abi.encodeCall(IRollupRegistry.register, (7, BOB, ANCHOR, SPEC));
        bytes memory no = abi.encodeWithSelector(IRollupRegistry.NotAuthorised.selector, uint64(7), BOB);
        refused(BOB, "never authorised", no, call_);
        refused(BOB, "not the owner", err(IRollupRegistry.NotOwner.selector, BOB), abi.encodeCall(IRollupRegistry.authorise, (7, BOB)));
        vm.prank(OWNER);
        registry.authorise(7, BOB);
        refused(BOB, "too early", no, call_);
        vm.warp(block.timestamp + DELAY);
        vm.prank(OWNER);
        registry.authorise(7, address(0));
        refused(BOB, "taken back", no, call_);
    }

    function test_registeringRefused() public {
        vm.prank(OWNER);
        registry.authorise(CHAIN, BOB);
        vm.warp(block.timestamp + DELAY);
        vm.prank(BOB);
        (bool ok, bytes memory answer) =
            address(registry).call{value: BOND}(abi.encodeCall(IRollupRegistry.register, (CHAIN, BOB, ANCHOR, SPEC)));
        eq("taken", answer, abi.encodeWithSelector(IRollupRegistry.ChainTaken.selector, CHAIN, id));
        refused(BOB, "bond", err(IRollupRegistry.BondTooLow.selector, 0, BOND), abi.encodeCall(IRollupRegistry.register, (CHAIN, BOB, ANCHOR, SPEC)));
        refused(BOB, "zero", err(IRollupRegistry.SequencerZero.selector), abi.encodeCall(IRollupRegistry.register, (CHAIN, address(0), ANCHOR, SPEC)));
        yes("refused", !ok);
    }

    // ---- Double claims

    function report(IRollupRegistry.Signed memory a, IRollupRegistry.Signed memory b) private view returns (bytes memory) {
        return abi.encodeCall(IRollupRegistry.reportDoubleClaim, (id, a, b));
    }

    function test_doubleClaim() public {
        uint256 before = BOB.balance;
        vm.prank(BOB);
        registry.reportDoubleClaim(id, claim(2, 9, "a"), claim(2, 9, "b"));
        eq("reporter", BOB.balance - before, BOND / 10);
        eq("fund waits", registry.owedWei(FUND), BOND - BOND / 10);
        registry.collect(FUND);
        eq("fund", FUND.balance, BOND - BOND / 10);
        eq("nothing left", address(registry).balance, 0);
        yes("marked", registry.rollup(id).punished);
        eq("chain is free", registry.registrationOf(CHAIN), 0);
        eq("still known", registry.sequencerOf(id), jvm.addr(KEY));
        bytes memory gone = err(IRollupRegistry.BondGone.selector, id);
        refused(BOB, "twice", gone, report(claim(2, 9, "a"), claim(2, 9, "b")));
        refused(ALICE, "exit", gone, abi.encodeCall(IRollupRegistry.announceExit, (id)));
        refused(ALICE, "bond", gone, abi.encodeCall(IRollupRegistry.withdrawBond, (id)));
        registry.collect(FUND);
        eq("once", FUND.balance, BOND - BOND / 10);
    }

    function test_doubleClaimRefused() public {
        IRollupRegistry.Signed memory a = claim(2, 9, "a");
        bytes memory none = err(IRollupRegistry.NoDoubleClaim.selector);
        refused(BOB, "the same", none, report(a, a));
        refused(BOB, "numbers", none, report(a, claim(2, 10, "b")));
        refused(BOB, "generations", none, report(a, claim(3, 9, "b")));
        IRollupRegistry.Signed memory b = claim(2, 9, "b");
        spoiled("another block", a, IRollupRegistry.Signed(2, 9, "c", b.signature));
        spoiled("another key", a, signed("hum/claim/1", KEY + 1, 2, 9, "b"));
        spoiled("a retraction", a, signed("hum/retraction/1", KEY, 2, 9, "b"));
        spoiled("short", a, IRollupRegistry.Signed(2, 9, "b", cut(b.signature, 64)));
        spoiled("v of 27", a, IRollupRegistry.Signed(2, 9, "b", put(b.signature, 64, abi.encodePacked(uint8(b.signature[64]) + 27))));
        uint256 s = uint256(bytes32(word(b.signature, 32)));
        yes("low", s <= HALF);
        bytes memory high = put(put(b.signature, 32, abi.encodePacked(ORDER - s)), 64, abi.encodePacked(1 - uint8(b.signature[64])));
        spoiled("high s", a, IRollupRegistry.Signed(2, 9, "b", high));
        IRollupRegistry.Signed memory first = IRollupRegistry.Signed(2, 9, "c", a.signature);
        bytes32 digest = registry.claimDigest(CHAIN, id, 2, 9, "c");
        refused(BOB, "the first", err(IRollupRegistry.SequencerSignatureInvalid.selector, digest), report(first, b));
        refused(BOB, "unknown", err(IRollupRegistry.RegistrationUnknown.selector, SPEC), abi.encodeCall(IRollupRegistry.reportDoubleClaim, (SPEC, a, b)));
    }

    function word(bytes memory data, uint256 offset) private pure returns (bytes32 w) {
        assembly {
            w := mload(add(add(data, 32), offset))
        }
    }

    function spoiled(string memory what, IRollupRegistry.Signed memory a, IRollupRegistry.Signed memory b) private {
        bytes32 digest = registry.claimDigest(CHAIN, id, b.generation, b.number, b.blockHash);
        refused(BOB, what, err(IRollupRegistry.SequencerSignatureInvalid.selector, digest), report(a, b));
    }

    function testFuzz_spoiledReports(uint256 where, uint8 bit) public {
        bytes memory data = report(claim(2, 9, "a"), claim(2, 9, "b"));
        where = 4 + where % (data.length - 4);
        data[where] = bytes1(uint8(data[where]) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(registry).call(data);
        // The bytes that pad a signature to whole words mean nothing.
        yes("refused, or padding", !ok == !registry.rollup(id).punished && (!ok || data[where] == bytes1(uint8(1 << (bit % 8)))));
    }

    // ---- Leaving

    function test_leaving() public {
        bytes memory withdraw = abi.encodeCall(IRollupRegistry.withdrawBond, (id));
        refused(BOB, "whose", err(IRollupRegistry.NotRegistrant.selector, BOB), abi.encodeCall(IRollupRegistry.announceExit, (id)));
        refused(ALICE, "at once", err(IRollupRegistry.ExitNotAnnounced.selector, id), withdraw);
        vm.prank(ALICE);
        registry.announceExit(id);
        refused(ALICE, "announced", err(IRollupRegistry.ExitAnnouncedAlready.selector, id), abi.encodeCall(IRollupRegistry.announceExit, (id)));
        uint64 exitAt = uint64(block.timestamp) + EXIT;
        vm.warp(exitAt - 1);
        refused(ALICE, "early", err(IRollupRegistry.BondLocked.selector, id, bytes32(uint256(exitAt))), withdraw);
        vm.warp(exitAt);
        refused(BOB, "somebody else", err(IRollupRegistry.NotRegistrant.selector, BOB), withdraw);
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        registry.withdrawBond(id);
        eq("bond", ALICE.balance - before, BOND);
        refused(ALICE, "twice", err(IRollupRegistry.BondGone.selector, id), withdraw);
        refused(BOB, "late report", err(IRollupRegistry.BondGone.selector, id), report(claim(2, 9, "a"), claim(2, 9, "b")));
        bytes memory used = abi.encodeWithSelector(IRollupRegistry.NotAuthorised.selector, CHAIN, ALICE);
        refused(ALICE, "authorised once", used, abi.encodeCall(IRollupRegistry.register, (CHAIN, ALICE, SPEC, SPEC)));
        // Another anchor, another registration.
        vm.prank(OWNER);
        registry.authorise(CHAIN, ALICE);
        vm.warp(block.timestamp + DELAY);
        vm.prank(ALICE);
        (bool ok, bytes memory answer) =
            address(registry).call{value: BOND}(abi.encodeCall(IRollupRegistry.register, (CHAIN, jvm.addr(KEY), ANCHOR, SPEC)));
        yes("not the same again", !ok);
        eq("known", answer, err(IRollupRegistry.RegistrationKnown.selector, id));
        vm.prank(ALICE);
        yes("new", registry.register{value: BOND}(CHAIN, jvm.addr(KEY), SPEC, SPEC) != id);
    }

    /// @notice Who leaves stays liable for the window.
    function test_reportedWhileLeaving() public {
        vm.prank(ALICE);
        registry.announceExit(id);
        vm.warp(block.timestamp + EXIT - 1);
        registry_report();
        vm.warp(block.timestamp + 1);
        refused(ALICE, "gone", err(IRollupRegistry.BondGone.selector, id), abi.encodeCall(IRollupRegistry.withdrawBond, (id)));
    }

    function registry_report() private {
        vm.prank(BOB);
        registry.reportDoubleClaim(id, claim(2, 9, "a"), claim(2, 9, "b"));
    }

    function test_moreBond() public {
        vm.prank(BOB);
        registry.addBond{value: 1 ether}(id);
        registry_report();
        eq("all of it", registry.owedWei(FUND), (BOND + 1 ether) * 9 / 10);
        refused(BOB, "gone", err(IRollupRegistry.BondGone.selector, id), abi.encodeCall(IRollupRegistry.addBond, (id)));
    }

    // ---- Against L1

    function list() private {
        vm.prank(OWNER);
        registry.announceAdapter(address(adapter));
        vm.warp(block.timestamp + DELAY);
        adapter.tell(true);
    }

    function accuse(IRollupRegistry.Signed memory s) private view returns (bytes memory) {
        return abi.encodeCall(IRollupRegistry.accuseClaim, (id, s, adapter, ""));
    }

    function test_accused() public {
        list();
        vm.prank(BOB);
        bytes32 accusation = registry.accuseClaim(id, claim(2, 9, "a"), adapter, "");
        uint256 deadline = block.timestamp + ANSWER;
        refused(BOB, "early", err(IRollupRegistry.TooEarly.selector, deadline), abi.encodeCall(IRollupRegistry.concludeAccusation, (accusation)));
        refused(BOB, "again", err(IRollupRegistry.AccusedAlready.selector, accusation), accuse(claim(2, 9, "a")));
        vm.prank(ALICE);
        registry.announceExit(id);
        vm.warp(block.timestamp + EXIT);
        refused(ALICE, "locked", err(IRollupRegistry.BondLocked.selector, id, bytes32(block.timestamp)), abi.encodeCall(IRollupRegistry.withdrawBond, (id)));
        registry.concludeAccusation(accusation);
        uint256 before = BOB.balance;
        registry.collect(BOB);
        eq("accuser", BOB.balance - before, BOND / 10);
        registry.collect(FUND);
        eq("fund", FUND.balance, BOND - BOND / 10);
        refused(BOB, "twice", err(IRollupRegistry.NoAccusation.selector, accusation), abi.encodeCall(IRollupRegistry.concludeAccusation, (accusation)));
    }

    /// @notice A sequencer may withdraw its own unsafe blocks: what L1 says of them later is no fault.
    function test_retractedClaimCostsNothing() public {
        list();
        vm.prank(BOB);
        bytes32 accusation = registry.accuseClaim(id, claim(2, 9, "a"), adapter, "");
        registry.showRetraction(id, retraction(3, 8, "kept"));
        registry.concludeAccusation(accusation);
        eq("bond stands", registry.rollup(id).bondWei, BOND);
        eq("nobody is paid", registry.owedWei(BOB), 0);
        uint256 world = vm.snapshotState();
        vm.prank(ALICE);
        registry.announceExit(id);
        vm.warp(block.timestamp + EXIT);
        vm.prank(ALICE);
        registry.withdrawBond(id);
        vm.revertToState(world);
        refused(BOB, "nor again", err(IRollupRegistry.ClaimRetracted.selector, 8), accuse(claim(2, 9, "a")));
        refused(BOB, "nor above", err(IRollupRegistry.ClaimRetracted.selector, 8), accuse(claim(2, 10, "b")));
        // What it kept it still answers for, and so it does for the other generation.
        vm.prank(BOB);
        registry.accuseClaim(id, claim(2, 8, "a"), adapter, "");
        vm.prank(BOB);
        registry.accuseClaim(id, claim(3, 9, "a"), adapter, "");
    }

    function test_retractionThatKeepsTheClaim() public {
        list();
        vm.prank(BOB);
        bytes32 accusation = registry.accuseClaim(id, claim(2, 9, "a"), adapter, "");
        registry.showRetraction(id, retraction(3, 9, "kept"));
        vm.warp(block.timestamp + ANSWER);
        registry.concludeAccusation(accusation);
        yes("punished", registry.rollup(id).punished);
    }

    function test_retractionsRefused() public {
        bytes memory none = err(IRollupRegistry.NothingRetracted.selector);
        refused(BOB, "generation 0", none, abi.encodeCall(IRollupRegistry.showRetraction, (id, retraction(0, 1, "k"))));
        registry.showRetraction(id, retraction(3, 8, "kept"));
        refused(BOB, "the same", none, abi.encodeCall(IRollupRegistry.showRetraction, (id, retraction(3, 8, "kept"))));
        IRollupRegistry.Signed memory s = claim(3, 7, "kept");
        bytes32 digest = registry.retractionDigest(CHAIN, id, 3, 7, "kept");
        refused(BOB, "a claim", err(IRollupRegistry.SequencerSignatureInvalid.selector, digest), abi.encodeCall(IRollupRegistry.showRetraction, (id, s)));
        refused(BOB, "unknown", err(IRollupRegistry.RegistrationUnknown.selector, SPEC), abi.encodeCall(IRollupRegistry.showRetraction, (SPEC, s)));
    }

    function test_accusingRefused() public {
        IRollupRegistry.Signed memory a = claim(2, 9, "a");
        bytes memory inactive = err(IRollupRegistry.AdapterNotActive.selector, address(adapter));
        adapter.tell(true);
        refused(BOB, "not listed", inactive, accuse(a));
        refused(BOB, "listed by a stranger", err(IRollupRegistry.NotOwner.selector, BOB), abi.encodeCall(IRollupRegistry.announceAdapter, (address(adapter))));
        vm.prank(OWNER);
        registry.announceAdapter(address(adapter));
        refused(BOB, "too early", inactive, accuse(a));
        vm.warp(block.timestamp + DELAY);
        adapter.tell(false);
        refused(BOB, "true", err(IRollupRegistry.NotContradicted.selector), accuse(a));
        adapter.tell(true);
        a.blockHash = "b";
        refused(BOB, "not claimed", err(IRollupRegistry.SequencerSignatureInvalid.selector, registry.claimDigest(CHAIN, id, 2, 9, "b")), accuse(a));
        refused(BOB, "removed by a stranger", err(IRollupRegistry.NotOwner.selector, BOB), abi.encodeCall(IRollupRegistry.removeAdapter, (address(adapter))));
        vm.prank(OWNER);
        registry.removeAdapter(address(adapter));
        refused(BOB, "removed", inactive, accuse(claim(2, 9, "a")));
    }

    /// @notice A bond is taken once: an accusation that ends after another report took it only ends, and whoever has the chain
    /// now keeps it.
    function test_accusationOutlivesTheBond() public {
        list();
        vm.prank(BOB);
        bytes32 accusation = registry.accuseClaim(id, claim(2, 10, "c"), adapter, "");
        registry_report();
        uint256 fund = registry.owedWei(FUND);
        vm.prank(OWNER);
        registry.authorise(CHAIN, ALICE);
        vm.warp(block.timestamp + DELAY);
        vm.prank(ALICE);
        bytes32 successor = registry.register{value: BOND}(CHAIN, jvm.addr(KEY), SPEC, SPEC);
        vm.recordLogs();
        registry.concludeAccusation(accusation);
        eq("no second event", vm.getRecordedLogs().length, 0);
        eq("the chain is its successor's", registry.registrationOf(CHAIN), successor);
        eq("nothing for the accuser", registry.owedWei(BOB), 0);
        eq("nothing more for the fund", registry.owedWei(FUND), fund);
        eq("the successor's bond stands", registry.rollup(successor).bondWei, BOND);
        refused(BOB, "ended", err(IRollupRegistry.NoAccusation.selector, accusation), abi.encodeCall(IRollupRegistry.concludeAccusation, (accusation)));
    }

    /// @notice Accusations after the bond is gone pay nobody, and one that refuses ether saves no bond.
    function test_accuserThatRefusesEther() public {
        list();
        Proud proud = new Proud();
        proud.run(address(registry), accuse(claim(2, 9, "a")));
        vm.prank(BOB);
        bytes32 second = registry.accuseClaim(id, claim(2, 10, "b"), adapter, "");
        bytes32 first = keccak256(abi.encode(id, uint32(2), uint64(9), bytes32("a")));
        vm.warp(block.timestamp + ANSWER);
        registry.concludeAccusation(first);
        registry.concludeAccusation(second);
        eq("only the first", registry.owedWei(BOB), 0);
        refused(BOB, "refuses", err(IRollupRegistry.PaymentRefused.selector, address(proud)), abi.encodeCall(IRollupRegistry.collect, (address(proud))));
        proud.take();
        registry.collect(address(proud));
        eq("paid", address(proud).balance, BOND / 10);
    }
}
