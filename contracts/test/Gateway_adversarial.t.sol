// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {Reference} from "./Reference.sol";
import {World} from "./World.sol";

/// @notice Each test takes a good run of messages and spoils one thing.
contract GatewayAdversarialTest is World {
    uint256 private constant MESSAGES = 58;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 6; ++i) push(address(recipient), abi.encode(i));
        record();
    }

    /// @notice Messages 2 and 3 of 6: the run has a sibling on the left and, higher up, one on the right.
    function good() private view returns (bytes memory) {
        return run(2, 2);
    }

    function refusedRun(string memory what, bytes memory expected, bytes memory packed) private {
        refusesDelivery(what, expected, packed);
        refuses(what, expected, address(gateway), abi.encodeCall(gateway.relay, ("", "", packed)));
        for (uint256 i; i < messages.length; ++i) eq("untouched", status(i), 0);
    }

    /// @notice Refused because it leads to another root than the lane's.
    function unproven(string memory what, bytes memory packed) private {
        refusedRun(what, err(IGateway.RunProofWrong.selector, Reference.rootOfRun(packed)), packed);
    }

    function outOfRange(string memory what, bytes memory packed) private {
        uint256 start = Reference.number(packed, 48, 8);
        uint256 count = Reference.number(packed, 40, 8);
        refusedRun(what, err(IGateway.RunOutOfRange.selector, start, Reference.number(packed, 56, 2), count), packed);
    }

    function wrongTag(string memory what, uint256 position, uint256 tag, bytes memory packed) private {
        refusedRun(what, err(IGateway.RunTag.selector, position, tag), packed);
    }

    function truncated(string memory what, bytes memory packed) private {
        refusedRun(what, err(IGateway.RunTruncated.selector, packed.length), packed);
    }

    function test_head() public {
        bytes memory r = good();
        refusedRun("registration", err(IGateway.SourceNotAllowed.selector, Reference.word(flip(r, 31), 0)), flip(r, 31));
        unproven("chain id", flip(r, 39));
        unproven("count", put(r, 47, hex"05"));
        unproven("count 8", put(r, 47, hex"08"));
        unproven("start", put(r, 55, hex"00"));
        unproven("start 4", put(r, 55, hex"04"));
    }

    function test_range() public {
        bytes memory r = good();
        outOfRange("none", put(r, 57, hex"00"));
        outOfRange("start at the end", put(r, 55, hex"06"));
        outOfRange("ends past the end", put(r, 55, hex"05"));
        outOfRange("start near 2^64", put(r, 48, hex"ffffffffffffffff"));
        outOfRange("count 0", put(r, 40, hex"0000000000000000"));
        outOfRange("more messages than the lane has", put(r, 56, hex"ffff"));
    }

    /// @notice The zero leaves that fill the tree up are no messages, whatever count the caller names.
    function test_paddingIsNoMessage() public {
        bytes memory r = run(5, 1);
        outOfRange("index 6 of 6", put(r, 55, hex"06"));
        unproven("index 6 of 8", put(put(r, 55, hex"06"), 47, hex"08"));
    }

    function test_messageFields() public {
        bytes memory r = good();
        uint256 route = MESSAGES + 1;
        unproven("generation", flip(r, route + 3));
        unproven("sender", flip(r, route + 4));
        unproven("sender's end", flip(r, route + 23));
        unproven("recipient", flip(r, route + 24));
        unproven("recipient's end", flip(r, route + 43));
        unproven("gas limit", flip(r, route + 47));
        unproven("payload", flip(r, route + 50));
        unproven("payload of the second", flip(r, route + 50 + 32 + 3));
    }

    function test_tags() public {
        bytes memory r = good();
        wrongTag("tag 2", 0, 2, put(r, MESSAGES, hex"02"));
        wrongTag("first message without a route", 0, 1, put(r, MESSAGES, hex"01"));
        uint256 second = MESSAGES + 1 + 48 + 2 + 32;
        eq("second tag", uint8(r[second]), 1);
        wrongTag("tag 255 at the second", 1, 255, put(r, second, hex"ff"));
        // The route of the first written out again: another spelling of the same run.
        bytes memory route = Reference.slice(r, MESSAGES + 1, 48);
        bytes memory rest = Reference.slice(r, second + 1, r.length - second - 1);
        wrongTag("a route that repeats", 1, 0, abi.encodePacked(cut(r, second), uint8(0), route, rest));
    }

    function test_lengths() public {
        bytes memory r = good();
        uint256 length = MESSAGES + 1 + 48;
        refusedRun("longer than allowed", err(IGateway.PayloadTooLong.selector, 16_385, 16_384), put(r, length, hex"4001"));
        truncated("payload past the end", put(r, length, hex"4000"));
        refusesDelivery("empty", err(IGateway.RunTruncated.selector, uint256(0)), "");
        for (uint256 n = 1; n < length + 2; ++n) truncated("cut", cut(r, n));
        truncated("a message short", cut(r, length + 2 + 32));
    }

    function test_siblings() public {
        bytes memory r = good();
        uint256 n = r.length;
        siblings("one byte more", 65, abi.encodePacked(r, uint8(0)));
        siblings("one more", 96, abi.encodePacked(r, bytes32(0)));
        siblings("one less", 32, cut(r, n - 32));
        siblings("one byte less", 63, cut(r, n - 1));
        siblings("none", 0, cut(r, n - 64));
        unproven("the last", flip(r, n - 1));
        unproven("the one before", flip(r, n - 33));
    }

    function siblings(string memory what, uint256 found, bytes memory packed) private {
        refusedRun(what, err(IGateway.RunSiblings.selector, found, 64), packed);
    }

    /// @notice A proof with no siblings at all for a lane of one, and for a lane of more.
    function test_emptyProof() public {
        delete messages;
        push(address(recipient), "only");
        next(1);
        record();
        bytes memory r = run(0, 1);
        bytes memory two = put(r, 47, hex"02");
        refusedRun("count 2 needs a sibling", err(IGateway.RunSiblings.selector, uint256(0), uint256(32)), two);
        gateway.deliver(r);
    }

    function test_proofAgainstAnOlderLane() public {
        bytes memory older = good();
        push(address(recipient), "seventh");
        next(1);
        record();
        unproven("older count", older);
    }

    /// @notice The lane that is recorded for this source does not hold a message of another.
    function test_otherLane() public {
        messages[2].recipient = address(0xbad);
        unproven("a message that was never sent", good());
    }

    /// @notice A message of a generation that ended does not pass for one of the present, nor the other way round.
    function test_otherGeneration() public {
        messages[2].generation = 2;
        unproven("an older generation", run(2, 1));
        messages[2].generation = 4;
        unproven("a later generation", run(2, 1));
    }

    /// @notice A run proven under one source's lane cannot be passed off as another source's.
    function test_otherSource() public {
        bytes32 other = keccak256("registration of C");
        vm.prank(OWNER);
        gateway.allow(4004, other);
        bytes memory r = put(good(), 0, abi.encode(other));
        refusedRun("nothing recorded of it", err(IGateway.LaneNotRecorded.selector, other), r);
        // Nor does the lane that the same transaction proves for A count for C.
        next(1);
        client.submit(certificate());
        bytes memory call_ = abi.encodeCall(gateway.relay, ("", laneProof(), r));
        refuses("in one transaction", err(IGateway.LaneNotRecorded.selector, other), address(gateway), call_);
    }

    function test_otherFacade() public {
        bytes memory r = good();
        begin(0);
        bytes memory nothing = err(IGateway.LaneNotRecorded.selector, REGISTRATION);
        refusedRun("nothing recorded", nothing, r);
        vm.chainId(B + 1);
        refusedRun("nothing recorded", nothing, r);
    }

    function test_twice() public {
        gateway.deliver(good());
        (uint256 delivered, uint256 failed) = gateway.deliver(good());
        eq("nothing", delivered + failed, 0);
        eq("count", recipient.count(), 2);
    }

    /// @notice The state is set before the call: whoever looks from inside sees the message done.
    function test_stateBeforeTheCall() public {
        Looker looker = new Looker(gateway, REGISTRATION, says.generation, uint64(messages.length));
        push(address(looker), "");
        next(1);
        record();
        gateway.deliver(run(6, 1));
        eq("seen from inside", uint256(looker.seen()), uint256(IGateway.MessageStatus.Done));
    }

    /// @notice A batch that has gas for some of its messages does none rather than failing the rest.
    function test_batchWithTooLittleGas() public {
        for (uint256 i; i < 6; ++i) messages[i].gasLimit = 1_000_000;
        next(1);
        record();
        bytes memory data = abi.encodeCall(gateway.deliver, (run(0, 6)));
        (bool ok, bytes memory answer) = address(gateway).call{gas: 1_100_000}(data);
        yes("by the floor", !ok && insufficient(answer, 1_000_000));
        for (uint256 i; i < 6; ++i) eq("untouched", status(i), 0);
    }

    /// @notice The recipient's own hunger cannot be passed off as a lack of gas, nor the other way round.
    function test_gasBurner() public {
        Burner burner = new Burner();
        push(address(burner), "");
        push(address(recipient), "");
        next(1);
        record();
        (uint256 delivered, uint256 failed) = gateway.deliver(run(6, 2));
        eq("failed", failed, 1);
        eq("the next one", delivered, 1);
    }

    function test_nobodySendsValue() public {
        vm.deal(address(this), 1 ether);
        (bool ok,) = address(gateway).call{value: 1}("");
        yes("plain value", !ok);
        (ok,) = address(gateway).call{value: 1}(abi.encodeCall(gateway.deliver, (good())));
        yes("with a delivery", !ok);
    }
}

contract Looker {
    IGateway private immutable gateway;
    bytes32 private immutable registration;
    uint32 private immutable generation;
    uint64 private immutable index;
    IGateway.MessageStatus public seen;

    constructor(IGateway gateway_, bytes32 registration_, uint32 generation_, uint64 index_) {
        (gateway, registration, generation, index) = (gateway_, registration_, generation_, index_);
    }

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        seen = gateway.statusOf(registration, generation, index);
        return this.receiveMessage.selector;
    }
}

contract Burner {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        while (true) {}
        return this.receiveMessage.selector;
    }
}
