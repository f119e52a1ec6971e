// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../../src/interfaces/IBatchInbox.sol";
import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {ISettlementJudge} from "../../src/interfaces/ISettlementJudge.sol";
import {BatchAdapter} from "../../src/judges/BatchAdapter.sol";
import {Posting} from "../settlement/Posting.sol";
import {listOf} from "./Listed.sol";
import {RollupWorld} from "./RollupWorld.sol";

/// @notice A rollup with four batches; headers of L1 origin 900, the chain at block 1000.
contract BatchAdapterTest is RollupWorld, Posting {
    uint8 private constant SAFE = 1;
    uint8 private constant FINALIZED = 2;
    address private constant EVE = address(0xe5e);

    IBatchInbox private inbox;
    ISettlementAdapter private adapter;
    ISettlementJudge private court;
    bytes private no = err(ISettlementJudge.NotContradicted.selector);

    function setUp() public override {
        super.setUp();
        inbox = IBatchInbox(deploy("BatchInbox", abi.encode(registry)));
        adapter = ISettlementAdapter(deploy("BatchAdapter", abi.encode(inbox)));
        court = ISettlementJudge(judge("SettlementJudge", abi.encode(manager, tables, OWNER, uint64(30 days), listOf(adapter))));
        vm.prank(OWNER);
        registry.announceAdapter(address(adapter));
        posted(880, 10, 40, "forty");
        posted(890, 41, 55, says.blockHash);
        posted(890, 56, 60, "sixty");
        posted(950, 61, 70, "seventy");
    }

    function posted(uint256 l1Block, uint64 first, uint64 last, bytes32 lastHash) private {
        postIn(l1Block, jvm.addr(SEQUENCER_KEY), inbox, registration, first, last, lastHash);
    }

    // ---- Heads

    function signed(uint8 confidence, uint64 origin, uint64 number, bytes32 blockHash) private returns (bytes memory) {
        (says.confidence, says.number, says.blockHash, base.originNumber) = (confidence, number, blockHash, origin);
        return abi.encodeCall(ISettlementJudge.slashHead, (single(1, header()), statement(), confidence, adapter, "", ""));
    }

    function lie(string memory what, uint8 confidence, uint64 origin, uint64 number, bytes32 blockHash) private {
        uint256 snapshot = vm.snapshotState();
        (bool ok, bytes memory answer) = address(court).call(signed(confidence, origin, number, blockHash));
        if (!ok) revert WrongRevert(what, answer, "");
        expectSlashed(what, 1, 2);
        vm.revertToState(snapshot);
    }

    function fine(string memory what, uint8 confidence, uint64 origin, uint64 number, bytes32 blockHash) private {
        framed(what, no, address(court), signed(confidence, origin, number, blockHash));
    }

    function test_finalisedHeads() public {
        bytes32 block_ = says.blockHash;
        fine("the last of a batch", FINALIZED, 900, 55, block_);
        lie("another hash", FINALIZED, 900, 55, "another");
        lie("another batch's hash", FINALIZED, 900, 55, "sixty");
        lie("within a batch", FINALIZED, 900, 54, block_);
        lie("the first of the next", FINALIZED, 900, 56, block_);
        fine("the second of one L1 block", FINALIZED, 890, 60, "sixty");
        lie("its other number", FINALIZED, 890, 59, "sixty");
        fine("posted at the origin", FINALIZED, 890, 55, block_);
        lie("posted after the origin", FINALIZED, 889, 55, block_);
        fine("an older one", FINALIZED, 900, 40, "forty");
        lie("not posted at the origin", FINALIZED, 949, 70, "seventy");
        fine("posted at a later one", FINALIZED, 950, 70, "seventy");
        lie("never posted", FINALIZED, 950, 71, "nothing");
        lie("before the first batch", FINALIZED, 900, 9, "nine");
        fine("at the first", FINALIZED, 880, 40, "forty");
        fine("before it was open", FINALIZED, 879, 40, "anything");
        fine("the anchor", FINALIZED, 900, 3, keccak256(anchorHeader));
    }

    function test_safeHeads() public {
        bytes32 block_ = says.blockHash;
        fine("the last of a batch", SAFE, 900, 55, block_);
        lie("another hash", SAFE, 900, 55, "another");
        lie("within a batch", SAFE, 900, 54, block_);
        lie("before the first batch", SAFE, 900, 9, "nine");
        // Whatever came after the origin, it may have been another L1 block that it stood in.
        fine("posted after the origin", SAFE, 949, 70, "seventy");
        fine("another than was posted later", SAFE, 949, 70, "another");
        lie("another than had been posted", SAFE, 950, 70, "another");
        fine("never posted", SAFE, 950, 71, "nothing");
        fine("before it was open", SAFE, 879, 40, "anything");
        fine("the anchor", SAFE, 900, 3, keccak256(anchorHeader));
    }

    function test_certificate() public {
        (says.confidence, says.blockHash) = (FINALIZED, "another");
        bytes memory evidence = certified(header(), hex"03");
        court.slashHead(evidence, statement(), FINALIZED, adapter, "", hex"02");
        court.slashHead(evidence, statement(), FINALIZED, adapter, "", hex"0001");
        eq("three", manager.slashes(), 3);
        bytes memory again = abi.encodeCall(ISettlementJudge.slashHead, (evidence, statement(), FINALIZED, adapter, "", hex"00"));
        framed("once", err(IEvidence.NothingToSlash.selector), address(court), again);
    }

    /// @notice What is inherited, and what is of another rollup, is nobody's fault here.
    function test_headsRefused() public {
        says.advancedAt = base.height - 1;
        framed("inherited", err(IEvidence.HeadInherited.selector, base.height - 1, base.height), address(court), signed(FINALIZED, 900, 55, "x"));
        says.advancedAt = base.height;
        (says.confidence, says.blockHash) = (FINALIZED, "another");
        bytes memory call_ = abi.encodeCall(ISettlementJudge.slashHead, (single(1, header()), statement(), FINALIZED, adapter, hex"00", ""));
        framed("a proof", err(BatchAdapter.ProofLength.selector, uint256(1)), address(court), call_);
        says.registration = keccak256("not here");
        fine("another registration", FINALIZED, 900, 55, "another");
    }

    /// @notice A rollup that is settled in another way is not judged by batches that it has not; nor for what was signed before it
    /// opened.
    function test_openedLater() public {
        uint64 chain = 2002;
        vm.prank(OWNER);
        registry.authorise(chain, address(this));
        bytes32 other = registry.register{value: 1 ether}(chain, jvm.addr(SEQUENCER_KEY), keccak256("a"), keccak256("s"));
        (says.chainId, says.registration) = (chain, other);
        fine("closed", FINALIZED, 900, 55, "settled elsewhere");
        jvm.roll(895);
        inbox.setBatcher(other, EVE);
        jvm.roll(1000);
        fine("signed before", FINALIZED, 894, 55, "settled elsewhere");
        lie("open, with no batch at all", FINALIZED, 895, 55, "settled by nothing");
        fine("Safe, with no batch at all", SAFE, 900, 55, "whatever");
        postIn(905, EVE, inbox, other, 1, 55, "true");
        lie("open, no batch yet", FINALIZED, 904, 55, "true");
        fine("open, posted", FINALIZED, 905, 55, "true");
    }

    function test_tablesAreNotJudged() public view {
        ISettlementAdapter.Statement memory s;
        (s.originNumber, s.registration, s.nextTableHash) = (900, registration, "table");
        yes("no", !adapter.contradicts(s, ""));
    }

    // ---- The model

    struct Model {
        uint64 first;
        uint64 last;
        uint256 l1Block;
        bytes32 lastHash;
    }

    /// @notice Random batches, origins and heads: contradicted is what the words of {BatchAdapter} say, looked up one by one, and
    /// never what an honest operator signs.
    function testFuzz_asTheModelSays(uint256 seed, uint8 count) public {
        uint256 opened = 1000 + seed % 4;
        jvm.roll(opened);
        inbox = IBatchInbox(deploy("BatchInbox", abi.encode(registry)));
        adapter = ISettlementAdapter(deploy("BatchAdapter", abi.encode(inbox)));
        inbox.setBatcher(registration, EVE);
        Model[] memory batches = new Model[](count % 12);
        uint64 next = uint64(seed >> 8) % 6;
        for (uint256 i; i < batches.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            jvm.roll(block.number + seed % 3);
            batches[i] = Model(next, next + uint64(seed >> 8) % 4, block.number, keccak256(abi.encode("hash", i)));
            postAs(EVE, inbox, registration, batches[i].first, batches[i].last, batches[i].lastHash);
            next = batches[i].last + 1;
        }
        ISettlementAdapter.Statement memory s;
        (s.registration, s.chainId) = (registration, CHAIN);
        for (uint256 i; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            s.originNumber = uint64(998 + seed % (block.number - 996));
            s.number = uint64(seed >> 16) % (next + 3);
            s.blockHash = keccak256(abi.encode("hash", (seed >> 32) % 12));
            // Often the hash of the batch that has the number, so that the number decides.
            if ((seed >> 48) % 3 != 0) s.blockHash = _hashOf(batches, s.number, s.blockHash);
            (bool finalised, bool safe, bool claim) = _judged(batches, s);
            if (s.originNumber < opened) (finalised, safe) = (false, false);
            s.kind = ISettlementAdapter.Kind.FinalizedHead;
            yes("Finalized", adapter.contradicts(s, "") == finalised);
            s.kind = ISettlementAdapter.Kind.SafeHead;
            yes("Safe", adapter.contradicts(s, "") == safe);
            s.kind = ISettlementAdapter.Kind.Claim;
            yes("claim", adapter.contradicts(s, "") == claim);
        }
        for (uint256 i; i < batches.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            (s.number, s.blockHash) = (batches[i].last, batches[i].lastHash);
            s.kind = ISettlementAdapter.Kind.SafeHead;
            s.originNumber = uint64(seed);
            yes("an honest Safe head", !adapter.contradicts(s, ""));
            s.kind = ISettlementAdapter.Kind.Claim;
            yes("an honest claim", !adapter.contradicts(s, ""));
            s.kind = ISettlementAdapter.Kind.FinalizedHead;
            s.originNumber = uint64(batches[i].l1Block + seed % 1000);
            yes("an honest Finalized head", !adapter.contradicts(s, ""));
        }
    }

    function _hashOf(Model[] memory batches, uint64 number, bytes32 otherwise) private pure returns (bytes32) {
        for (uint256 i; i < batches.length; ++i) {
            if (batches[i].first <= number && number <= batches[i].last) return batches[i].lastHash;
        }
        return otherwise;
    }

    function _judged(Model[] memory batches, ISettlementAdapter.Statement memory s)
        private
        pure
        returns (bool finalised, bool safe, bool claim)
    {
        bool settled;
        for (uint256 i; i < batches.length; ++i) {
            Model memory b = batches[i];
            bool stood = b.l1Block <= s.originNumber;
            bool here = b.last == s.number && b.lastHash == s.blockHash;
            bool has = b.last >= s.number && (i == 0 || b.first <= s.number);
            settled = settled || (stood && here);
            safe = safe || (stood && has && !here);
            claim = claim || (b.last == s.number && b.lastHash != s.blockHash);
        }
        finalised = !settled;
    }

    // ---- Claims

    function claimed(uint32 generation, uint64 number, bytes32 blockHash) private returns (IRollupRegistry.Signed memory) {
        return signedBy("hum/claim/1", generation, number, blockHash);
    }

    function signedBy(string memory label, uint32 generation, uint64 number, bytes32 blockHash)
        private
        returns (IRollupRegistry.Signed memory)
    {
        (says.generation, says.number, says.blockHash) = (generation, number, blockHash);
        return IRollupRegistry.Signed(generation, number, blockHash, sequencerSigns(label, SEQUENCER_KEY, says));
    }

    function accuse(uint64 number, bytes32 blockHash, bytes memory proof) private returns (bytes memory) {
        return abi.encodeCall(IRollupRegistry.accuseClaim, (registration, claimed(2, number, blockHash), adapter, proof));
    }

    function test_claimAgainstABatchTakesTheBond() public {
        bytes memory call_ = accuse(60, "another", "");
        vm.prank(EVE);
        (bool ok, bytes memory answer) = address(registry).call(call_);
        yes("accused", ok);
        vm.warp(block.timestamp + 1 days);
        registry.concludeAccusation(abi.decode(answer, (bytes32)));
        yes("punished", registry.rollup(registration).punished);
        eq("accuser", registry.owedWei(EVE), 0.1 ether);
        bytes memory late = abi.encodeCall(IBatchInbox.post, (registration, 71, 72, "x", ""));
        address sequencer = jvm.addr(SEQUENCER_KEY);
        refusesFrom(sequencer, "no batch of who is out", err(IBatchInbox.RegistrationGone.selector, registration), address(inbox), late);
    }

    function test_claimsThatNoBatchContradicts() public {
        bytes memory none = err(IRollupRegistry.NotContradicted.selector);
        refuses("the posted one", none, address(registry), accuse(60, "sixty", ""));
        refuses("within a batch", none, address(registry), accuse(59, "another", ""));
        refuses("not posted", none, address(registry), accuse(71, "another", ""));
        refuses("a proof", err(BatchAdapter.ProofLength.selector, uint256(32)), address(registry), accuse(60, "another", new bytes(32)));
    }

    /// @notice Withdrawn before it was posted anew: that is what generations are for.
    function test_retractedClaimCostsNothing() public {
        bytes memory call_ = accuse(60, "another", "");
        (bool ok, bytes memory answer) = address(registry).call(call_);
        yes("accused", ok);
        registry.showRetraction(registration, signedBy("hum/retraction/1", 3, 58, "kept"));
        registry.concludeAccusation(abi.decode(answer, (bytes32)));
        yes("stands", !registry.rollup(registration).punished);
        refuses("nor again", err(IRollupRegistry.ClaimRetracted.selector, 58), address(registry), call_);
    }

    /// @notice A retraction that keeps the claim is no answer.
    function test_retractionThatKeepsTheClaim() public {
        (bool ok, bytes memory answer) = address(registry).call(accuse(60, "another", ""));
        yes("accused", ok);
        registry.showRetraction(registration, signedBy("hum/retraction/1", 3, 60, "kept"));
        vm.warp(block.timestamp + 1 days);
        registry.concludeAccusation(abi.decode(answer, (bytes32)));
        yes("punished", registry.rollup(registration).punished);
    }
}
