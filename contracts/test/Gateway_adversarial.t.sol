// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
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

    function refusedRun(string memory what, bytes4 expected, bytes memory packed) private {
        refusesDelivery(what, expected, packed);
        refuses(what, expected, address(gateway), abi.encodeCall(gateway.relay, ("", "", packed)));
        for (uint256 i; i < messages.length; ++i) eq("untouched", status(i), 0);
    }

    function test_head() public {
        bytes memory r = good();
        refusedRun("registration", IGateway.SourceNotAllowed.selector, flip(r, 31));
        refusedRun("chain id", IGateway.RunProofWrong.selector, flip(r, 39));
        refusedRun("count", IGateway.RunProofWrong.selector, put(r, 47, hex"05"));
        refusedRun("count 8", IGateway.RunProofWrong.selector, put(r, 47, hex"08"));
        refusedRun("start", IGateway.RunProofWrong.selector, put(r, 55, hex"00"));
        refusedRun("start 4", IGateway.RunProofWrong.selector, put(r, 55, hex"04"));
    }

    function test_range() public {
        bytes memory r = good();
        refusedRun("none", IGateway.RunOutOfRange.selector, put(r, 57, hex"00"));
        refusedRun("start at the end", IGateway.RunOutOfRange.selector, put(r, 55, hex"06"));
        refusedRun("ends past the end", IGateway.RunOutOfRange.selector, put(r, 55, hex"05"));
        refusedRun("start near 2^64", IGateway.RunOutOfRange.selector, put(r, 48, hex"ffffffffffffffff"));
        refusedRun("count 0", IGateway.RunOutOfRange.selector, put(r, 40, hex"0000000000000000"));
    }

    /// @notice The zero leaves that fill the tree up are no messages, whatever count the caller names.
    function test_paddingIsNoMessage() public {
        bytes memory r = run(5, 1);
        refusedRun("index 6 of 6", IGateway.RunOutOfRange.selector, put(r, 55, hex"06"));
        refusedRun("index 6 of 8", IGateway.RunProofWrong.selector, put(put(r, 55, hex"06"), 47, hex"08"));
    }

    function test_messageFields() public {
        bytes memory r = good();
        uint256 route = MESSAGES + 1;
        refusedRun("generation", IGateway.RunProofWrong.selector, flip(r, route + 3));
        refusedRun("sender", IGateway.RunProofWrong.selector, flip(r, route + 4));
        refusedRun("sender's end", IGateway.RunProofWrong.selector, flip(r, route + 23));
        refusedRun("recipient", IGateway.RunProofWrong.selector, flip(r, route + 24));
        refusedRun("recipient's end", IGateway.RunProofWrong.selector, flip(r, route + 43));
        refusedRun("gas limit", IGateway.RunProofWrong.selector, flip(r, route + 47));
        refusedRun("payload", IGateway.RunProofWrong.selector, flip(r, route + 50));
        refusedRun("payload of the second", IGateway.RunProofWrong.selector, flip(r, route + 50 + 32 + 3));
    }

    function test_tags() public {
        bytes memory r = good();
        refusedRun("tag 2", IGateway.RunTag.selector, put(r, MESSAGES, hex"02"));
        refusedRun("first message without a route", IGateway.RunTag.selector, put(r, MESSAGES, hex"01"));
        uint256 second = MESSAGES + 1 + 48 + 2 + 32;
        eq("second tag", uint8(r[second]), 1);
        refusedRun("tag 255 at the second", IGateway.RunTag.selector, put(r, second, hex"ff"));
    }

    function test_lengths() public {
        bytes memory r = good();
        uint256 length = MESSAGES + 1 + 48;
        refusedRun("payload longer than allowed", IGateway.PayloadTooLong.selector, put(r, length, hex"4001"));
        refusedRun("payload past the end", IGateway.RunTruncated.selector, put(r, length, hex"4000"));
        refusesDelivery("empty", IGateway.RunTruncated.selector, "");
        for (uint256 n = 1; n < length + 2; ++n) refusedRun("cut", IGateway.RunTruncated.selector, this.cut(r, n));
        refusesDelivery("a message short", IGateway.RunTruncated.selector, this.cut(r, length + 2 + 32));
    }

    function test_siblings() public {
        bytes memory r = good();
        uint256 n = r.length;
        refusedRun("one byte more", IGateway.RunSiblings.selector, abi.encodePacked(r, uint8(0)));
        refusedRun("one more", IGateway.RunSiblings.selector, abi.encodePacked(r, bytes32(0)));
        refusedRun("one less", IGateway.RunSiblings.selector, this.cut(r, n - 32));
        refusedRun("one byte less", IGateway.RunSiblings.selector, this.cut(r, n - 1));
        refusedRun("the last", IGateway.RunProofWrong.selector, flip(r, n - 1));
        refusedRun("the one before", IGateway.RunProofWrong.selector, flip(r, n - 33));
    }

    /// @notice A proof with no siblings at all for a lane of one, and for a lane of more.
    function test_emptyProof() public {
        delete messages;
        push(address(recipient), "only");
        next(1);
        record();
        bytes memory r = run(0, 1);
        refusedRun("count 2 needs a sibling", IGateway.RunSiblings.selector, put(r, 47, hex"02"));
        gateway.deliver(r);
    }

    /// @notice An inner node does not pass for a leaf: no payload makes a message of one.
    function test_proofAgainstAnOlderLane() public {
        bytes memory older = good();
        push(address(recipient), "seventh");
        next(1);
        record();
        refusedRun("older count", IGateway.RunProofWrong.selector, older);
    }

    /// @notice A message of another lane, source or façade: the lane that is recorded for this source does not hold it.
    function test_otherLane() public {
        messages[2].recipient = address(0xbad);
        refusedRun("a message that was never sent", IGateway.RunProofWrong.selector, good());
    }

    function test_otherFacade() public {
        bytes memory r = good();
        begin(0);
        refusedRun("nothing recorded", IGateway.LaneNotRecorded.selector, r);
        vm.chainId(B + 1);
        refusedRun("nothing recorded", IGateway.LaneNotRecorded.selector, r);
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
        yes("by the floor", !ok && bytes4(answer) == IGateway.InsufficientGas.selector);
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

    function cut(bytes calldata data, uint256 length) external pure returns (bytes memory) {
        return data[:length];
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
