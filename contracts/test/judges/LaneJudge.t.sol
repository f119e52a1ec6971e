// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {IEvidence} from "../../src/interfaces/IEvidence.sol";
import {ILaneJudge} from "../../src/interfaces/ILaneJudge.sol";
import {Tries} from "./Tries.sol";

contract LaneJudgeTest is Tries {
    address private constant FACADE = address(0xfacade);
    uint64 private constant DESTINATION = 70_002;
    ILaneJudge private court;

    struct LaneSays {
        address facade;
        uint64 destination;
        uint32 generation;
        uint64 count;
        bytes24 rolling;
        bytes32 root;
    }

    LaneSays private lane;
    bytes32[] private messages;
    bytes[] private accountProof;
    bytes[] private storageProof;

    function setUp() public override {
        super.setUp();
        court = ILaneJudge(judge("LaneJudge", abi.encode(manager, tables, registry)));
        for (uint256 i; i < 5; ++i) messages.push(keccak256(abi.encode("message", i)));
        (bytes24 rolling, bytes32 root) = truth();
        lane = LaneSays(FACADE, DESTINATION, 2, 5, rolling, root);
        stand(5, rolling);
        proveAnchor();
    }

    // ---- The rollup's state

    function anchorState() internal override returns (bytes32 root) {
        root = state(0);
    }

    /// @notice A state in which the façade's storage has that root; no façade when it is zero. Its proof is kept.
    function state(bytes32 storageRoot) private returns (bytes32 root) {
        return state(storageRoot, keccak256("code"));
    }

    function state(bytes32 storageRoot, bytes32 codeHash) private returns (bytes32 root) {
        uint256 others = 6;
        bytes32[] memory keys = new bytes32[](storageRoot == 0 ? others : others + 1);
        bytes[] memory values = new bytes[](keys.length);
        for (uint256 i; i < keys.length; ++i) {
            keys[i] = keccak256(abi.encodePacked(i == others ? FACADE : address(uint160(0xacc0 + i))));
            bytes32 storage_ = i == others ? storageRoot : EMPTY;
            values[i] = rlpList(abi.encodePacked(rlpNumber(i), rlpNumber(1 ether), rlpWord(storage_), rlpWord(codeHash)));
        }
        (root, accountProof) = trie(keys, values, keccak256(abi.encodePacked(FACADE)));
    }

    /// @notice The façade's storage: its lane, unless the word is zero, and other slots.
    function slots(uint256 word) private returns (bytes32 root) {
        uint256 others = 9;
        bytes32[] memory keys = new bytes32[](word == 0 ? others : others + 1);
        bytes[] memory values = new bytes[](keys.length);
        for (uint256 i; i < keys.length; ++i) {
            bytes32 slot = i == others ? keccak256(abi.encode(DESTINATION, uint256(0))) : keccak256(abi.encode(i, uint256(1)));
            keys[i] = keccak256(abi.encode(slot));
            values[i] = rlpNumber(i == others ? word : i + 1);
        }
        (root, storageProof) = trie(keys, values, keccak256(abi.encode(keccak256(abi.encode(DESTINATION, uint256(0))))));
    }

    /// @notice The head's state: the lane's slot holds this.
    function stand(uint64 count, bytes24 rolling) private {
        says.stateRoot = state(slots((uint256(count) << 192) | uint192(rolling)));
    }

    function truth() private view returns (bytes24 rolling, bytes32 root) {
        bytes32[] memory level = new bytes32[](8);
        for (uint256 i; i < messages.length; ++i) {
            rolling = bytes24(keccak256(abi.encodePacked(rolling, messages[i])));
            level[i] = keccak256(abi.encodePacked(uint32(0), uint64(i), messages[i]));
        }
        for (uint256 width = 8; width > 1; width /= 2) {
            for (uint256 i; i < width / 2; ++i) level[i] = keccak256(abi.encodePacked(level[2 * i], level[2 * i + 1]));
        }
        root = level[0];
    }

    function proveAnchor() private {
        bytes[] memory account = accountProof;
        bytes[] memory slot = storageProof;
        state(0);
        bytes[] memory none;
        court.proveAnchor(registration, FACADE, DESTINATION, anchorHeader, accountProof, none);
        (accountProof, storageProof) = (account, slot);
    }

    // ---- What operators attest

    function laneLeaf() private view returns (bytes memory) {
        return abi.encodePacked(lane.facade, lane.destination, lane.generation, lane.count, lane.rolling, lane.root);
    }

    function laneProof() private view returns (bytes memory) {
        (, bytes memory siblings) = treeProof("lane", keccak256(laneLeaf()));
        return abi.encodePacked(laneLeaf(), uint32(2), uint8(siblings.length / 32), siblings);
    }

    function attested(uint256 seat) private returns (bytes memory) {
        (says.lanesRoot,) = treeProof("lane", keccak256(laneLeaf()));
        return single(seat, header());
    }

    function slot_(bytes memory evidence) private view returns (bytes memory) {
        return abi.encodeCall(ILaneJudge.slashSlot, (evidence, statement(), laneProof(), accountProof, storageProof, ""));
    }

    function root_(bytes memory evidence, bytes memory hashes) private view returns (bytes memory) {
        return abi.encodeCall(ILaneJudge.slashRoot, (evidence, statement(), laneProof(), hashes, ""));
    }

    function slashed(string memory what, bytes memory data) private {
        uint256 snapshot = vm.snapshotState();
        (bool ok, bytes memory answer) = address(court).call(data);
        if (!ok) revert WrongRevert(what, answer, "");
        expectSlashed(what, 1, 4);
        vm.revertToState(snapshot);
    }

    // ---- The slot

    function test_truthIsNoFault() public {
        bytes memory agrees = err(ILaneJudge.SlotAgrees.selector, (uint256(5) << 192) | uint192(lane.rolling));
        framed("slot", agrees, address(court), slot_(attested(1)));
    }

    /// @notice What judges with own nodes brought, nobody is slashed for: not even for a state that contradicts the lane.
    function test_ownNodeIsExempt() public {
        lane.count += 1;
        slashed("re-executed", slot_(attested(1)));
        vm.prank(OWNER);
        registry.authorise(CHAIN + 1, address(this));
        (says.chainId, says.class) = (CHAIN + 1, 1);
        says.registration = registry.registerOwnNode{value: 1 ether}(CHAIN + 1, jvm.addr(SEQUENCER_KEY), keccak256(anchorHeader), keccak256("spec"));
        bytes memory exempt = err(ILaneJudge.NotReexecuted.selector, says.registration);
        framed("own node", exempt, address(court), slot_(attested(1)));
        says.class = 0;
        framed("whatever class the leaf says", exempt, address(court), slot_(attested(1)));
    }

    /// @notice Whether a lane is closed says nothing of its messages.
    function test_closedLane() public {
        uint64 closed = 1 << 63;
        (bytes24 rolling,) = truth();
        stand(closed | 5, rolling);
        bytes memory agrees = err(ILaneJudge.SlotAgrees.selector, (uint256(5) << 192) | uint192(lane.rolling));
        framed("closed", agrees, address(court), slot_(attested(1)));
        stand(closed | 6, rolling);
        slashed("closed, another count", slot_(attested(1)));
        stand(closed, 0);
        slashed("closed, empty", slot_(attested(1)));
        (lane.count, lane.rolling) = (0, 0);
        framed("closed before the first", err(ILaneJudge.SlotAgrees.selector, uint256(0)), address(court), slot_(attested(1)));
        stand(5, rolling);
        lane.count = closed | 5;
        lane.rolling = rolling;
        slashed("a count that no lane has", slot_(attested(1)));
    }

    function test_falseSlots() public {
        (bytes24 rolling,) = truth();
        lane.count = 6;
        slashed("count too high", slot_(attested(1)));
        lane.count = 4;
        slashed("count too low", slot_(attested(1)));
        lane.count = 5;
        lane.rolling = bytes24(uint192(rolling) ^ 1);
        slashed("rolling", slot_(attested(1)));
        lane.rolling = rolling;
        stand(0, 0);
        slashed("no such slot", slot_(attested(1)));
        says.stateRoot = state(EMPTY);
        delete storageProof;
        slashed("no storage", slot_(attested(1)));
        says.stateRoot = state(0);
        slashed("no such account", slot_(attested(1)));
        // An empty lane that is not there is the truth.
        (lane.count, lane.rolling) = (0, 0);
        framed("empty", err(ILaneJudge.SlotAgrees.selector, uint256(0)), address(court), slot_(attested(1)));
    }

    function test_falseSlotInACertificate() public {
        lane.count = 6;
        (says.lanesRoot,) = treeProof("lane", keccak256(laneLeaf()));
        bytes memory evidence = certified(header(), hex"00");
        court.slashSlot(evidence, statement(), laneProof(), accountProof, storageProof, hex"01");
        court.slashSlot(evidence, statement(), laneProof(), accountProof, storageProof, hex"010203");
        eq("three", manager.slashes(), 3);
        expectSlashed("last", 3, 4);
        bytes memory call_ = abi.encodeCall(ILaneJudge.slashSlot, (evidence, statement(), laneProof(), accountProof, storageProof, hex"00"));
        framed("absent", err(IEvidence.SeatDidNotSign.selector, uint256(0)), address(court), call_);
    }

    /// @notice Once for each operator and lane.
    function test_once() public {
        lane.count = 6;
        bytes memory data = slot_(attested(1));
        (bool ok,) = address(court).call(data);
        yes("slashed", ok);
        framed("again", err(IEvidence.NothingToSlash.selector), address(court), data);
    }

    /// @notice An operator answers for what its height advanced, not for what it inherited.
    function test_inheritedLane() public {
        lane.count = 6;
        says.advancedAt = base.height - 1;
        framed("inherited", err(IEvidence.HeadInherited.selector, base.height - 1, base.height), address(court), slot_(attested(1)));
        says.advancedAt = base.height + 1;
        framed("later", err(IEvidence.HeadInherited.selector, base.height + 1, base.height), address(court), slot_(attested(1)));
    }

    /// @notice Operators count from the anchor. A lane that had messages there says nothing.
    function test_anchorNotProven() public {
        lane.count = 6;
        lane.destination = DESTINATION + 1;
        bytes memory no = abi.encodeWithSelector(ILaneJudge.AnchorNotProven.selector, registration, FACADE, lane.destination);
        framed("destination", no, address(court), slot_(attested(1)));
        (lane.destination, lane.facade) = (DESTINATION, address(1));
        no = abi.encodeWithSelector(ILaneJudge.AnchorNotProven.selector, registration, address(1), DESTINATION);
        framed("facade", no, address(court), slot_(attested(1)));
        (lane.facade, says.registration) = (FACADE, keccak256("other"));
        no = err(ILaneJudge.NotReexecuted.selector, says.registration);
        framed("registration that nobody made", no, address(court), slot_(attested(1)));
    }

    function test_anchorsRefused() public {
        bytes[] memory none;
        bytes memory call_ = abi.encodeCall(ILaneJudge.proveAnchor, ("other", FACADE, DESTINATION, anchorHeader, accountProof, none));
        framed("registration", err(ILaneJudge.RegistrationUnknown.selector, bytes32("other")), address(court), call_);
        bytes memory another = blockHeader(4, says.stateRoot);
        call_ = abi.encodeCall(ILaneJudge.proveAnchor, (registration, FACADE, DESTINATION, another, accountProof, storageProof));
        framed("header", err(ILaneJudge.AnchorHashWrong.selector, keccak256(another), keccak256(anchorHeader)), address(court), call_);
        call_ = abi.encodeCall(ILaneJudge.proveAnchor, (registration, FACADE, DESTINATION, anchorHeader, accountProof, storageProof));
        bytes memory invalidRoot = err(TrieProof.TrieProofTraversalError.selector, uint256(TrieProof.ProofError.INVALID_ROOT));
        framed("another state", invalidRoot, address(court), call_);
        yes("proven", court.isEmptyAtAnchor(registration, FACADE, DESTINATION));
        yes("not proven", !court.isEmptyAtAnchor("other", FACADE, DESTINATION));
    }

    function anchored(bytes memory header_) private returns (bytes32) {
        vm.prank(OWNER);
        registry.authorise(CHAIN + 1, address(this));
        return registry.register{value: 1 ether}(CHAIN + 1, address(1), keccak256(header_), 0);
    }

    function anchoring(bytes32 late, bytes memory header_) private view returns (bytes memory) {
        return abi.encodeCall(ILaneJudge.proveAnchor, (late, FACADE, DESTINATION, header_, accountProof, storageProof));
    }

    /// @notice A rollup that was anchored after its first messages: operators count from there, the slot does not.
    function test_anchoredLate() public {
        uint256 word = (uint256(5) << 192) | uint192(lane.rolling);
        vm.etch(FACADE, "the facade's code");
        bytes memory header_ = blockHeader(4, state(slots(word), FACADE.codehash));
        bytes32 late = anchored(header_);
        framed("not empty", err(ILaneJudge.LaneNotEmptyAtAnchor.selector, word), address(court), anchoring(late, header_));
    }

    /// @notice Closed before its first message: it is empty all the same.
    function test_anchoredClosed() public {
        vm.etch(FACADE, "the facade's code");
        bytes memory header_ = blockHeader(4, state(slots(1 << 255), FACADE.codehash));
        bytes32 late = anchored(header_);
        (bool ok,) = address(court).call(anchoring(late, header_));
        yes("proven", ok && court.isEmptyAtAnchor(late, FACADE, DESTINATION));
    }

    /// @notice With the façade at its address already, and no message.
    function test_anchoredAfterTheFacade() public {
        bytes memory header_ = blockHeader(4, state(slots(0), keccak256("the facade's code")));
        bytes32 late = anchored(header_);
        bytes memory expected = err(ILaneJudge.FacadeCodeWrong.selector, keccak256("the facade's code"), bytes32(0));
        framed("nobody deployed it on L1", expected, address(court), anchoring(late, header_));
        vm.etch(FACADE, "the facade's code");
        (bool ok,) = address(court).call(anchoring(late, header_));
        yes("proven", ok && court.isEmptyAtAnchor(late, FACADE, DESTINATION));
    }

    /// @notice A chain whose first block holds other code at the façade's address, code that may send events and count nothing:
    /// operators that follow its events cannot be framed.
    function test_anotherCodeAtTheFacade() public {
        vm.etch(FACADE, "the facade's code");
        bytes memory header_ = blockHeader(4, state(slots(0), keccak256("an impostor's code")));
        bytes32 late = anchored(header_);
        bytes memory expected = err(ILaneJudge.FacadeCodeWrong.selector, keccak256("an impostor's code"), FACADE.codehash);
        framed("impostor", expected, address(court), anchoring(late, header_));
    }

    /// @notice An account that was only paid has no code: the façade can still come.
    function test_anchoredBeforeTheFacade() public {
        bytes memory header_ = blockHeader(4, state(EMPTY, keccak256("")));
        bytes32 late = anchored(header_);
        delete storageProof;
        (bool ok,) = address(court).call(anchoring(late, header_));
        yes("proven", ok && court.isEmptyAtAnchor(late, FACADE, DESTINATION));
    }

    function test_proofsOfOtherStates() public {
        lane.count = 6;
        bytes memory evidence = attested(1);
        bytes memory root = err(TrieProof.TrieProofTraversalError.selector, uint256(TrieProof.ProofError.INVALID_ROOT));
        (bytes[] memory account, bytes[] memory slot) = (accountProof, storageProof);
        slots(7);
        framed("storage", root, address(court), slot_(evidence));
        storageProof = slot;
        state(keccak256("x"));
        framed("account", root, address(court), slot_(evidence));
        accountProof = account;
        delete storageProof;
        bytes memory none = err(TrieProof.TrieProofTraversalError.selector, uint256(TrieProof.ProofError.INVALID_PROOF));
        framed("nothing", none, address(court), slot_(evidence));
        storageProof = slot;
        storageProof.pop();
        framed("cut", none, address(court), slot_(evidence));
        (accountProof, storageProof) = (slot, slot);
        framed("the wrong proof", root, address(court), slot_(evidence));
    }

    function test_lanesRefused() public {
        lane.count = 6;
        bytes memory e = attested(1);
        bytes memory l = laneProof();
        lanes("empty", err(ILaneJudge.LaneLength.selector, 0, 101), e, "");
        lanes("short", err(ILaneJudge.LaneLength.selector, l.length - 1, l.length), e, cut(l, l.length - 1));
        lanes("long", err(ILaneJudge.LaneLength.selector, l.length + 1, l.length), e, abi.encodePacked(l, uint8(0)));
        lanes("index", err(IEvidence.LeafIndexOutOfRange.selector, 8, 3), e, put(l, 96, abi.encodePacked(uint32(8))));
        for (uint256 i; i < l.length; ++i) {
            if (i >= 96 && i < 101) continue;
            bytes memory data = abi.encodeCall(ILaneJudge.slashSlot, (e, statement(), flip(l, i), accountProof, storageProof, ""));
            (bool ok, bytes memory answer) = address(court).call(data);
            yes("spoiled", !ok && bytes4(answer) == ILaneJudge.LaneProofWrong.selector);
        }
    }

    function lanes(string memory what, bytes memory expected, bytes memory e, bytes memory l) private {
        framed(what, expected, address(court), abi.encodeCall(ILaneJudge.slashSlot, (e, statement(), l, accountProof, storageProof, "")));
    }

    // ---- The tree

    function test_falseTree() public {
        lane.generation = 0;
        lane.root = keccak256("a lie");
        slashed("root", root_(attested(1), abi.encodePacked(messages)));
        lane.count = 0;
        lane.rolling = 0;
        slashed("root of nothing", root_(attested(1), ""));
    }

    function test_treesRefused() public {
        lane.generation = 0;
        (, bytes32 root) = truth();
        framed("true", err(ILaneJudge.RootAgrees.selector, root), address(court), root_(attested(1), abi.encodePacked(messages)));
        lane.root = keccak256("a lie");
        bytes memory e = attested(1);
        framed("too few", err(ILaneJudge.MessagesWrong.selector, 128, 160), address(court), root_(e, cut(abi.encodePacked(messages), 128)));
        framed("too many", err(ILaneJudge.MessagesWrong.selector, 161, 160), address(court), root_(e, abi.encodePacked(messages, uint8(0))));
        bytes32 kept = messages[3];
        messages[3] = keccak256("never sent");
        (bytes24 rolling,) = truth();
        bytes memory expected = abi.encodeWithSelector(ILaneJudge.RollingWrong.selector, rolling, lane.rolling);
        framed("other messages", expected, address(court), root_(e, abi.encodePacked(messages)));
        messages[3] = kept;
        // A message may have kept an earlier generation: the tree of such a lane cannot be judged.
        lane.generation = 1;
        framed("generation", err(ILaneJudge.LaneGeneration.selector, uint256(1)), address(court), root_(attested(1), abi.encodePacked(messages)));
        (lane.generation, lane.count) = (0, 2049);
        bytes memory many = new bytes(32 * 2049);
        framed("too long", err(ILaneJudge.MessagesWrong.selector, many.length, many.length), address(court), root_(attested(1), many));
        (lane.count, says.advancedAt) = (5, 1);
        framed("inherited", err(IEvidence.HeadInherited.selector, 1, base.height), address(court), root_(attested(1), abi.encodePacked(messages)));
    }

    /// @notice Whatever bit of a true lane's evidence is spoiled, nobody honest is slashed.
    function testFuzz_honestLaneCannotBeFramed(uint256 where, uint8 bit) public {
        bytes memory data = slot_(attested(1));
        where = 4 + where % (data.length - 4);
        data[where] = bytes1(uint8(data[where]) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(court).call(data);
        yes("refused", !ok);
        eq("nobody", manager.slashes(), 0);
    }

    /// @notice Of a false lane too, only the truth about it passes.
    function testFuzz_spoiledEvidence(uint256 where, uint8 bit) public {
        lane.count = 6;
        bytes memory data = slot_(attested(1));
        where = 4 + where % (data.length - 4);
        bytes1 before = data[where];
        data[where] = bytes1(uint8(data[where]) ^ uint8(1 << (bit % 8)));
        (bool ok,) = address(court).call(data);
        yes("refused, or the padding of bytes", !ok || (before == 0 && manager.isJailed(operator(1))));
    }
}
