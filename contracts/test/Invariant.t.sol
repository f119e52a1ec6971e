// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {Test} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice Counts how often each message ran; accepts or refuses as told.
contract Counter {
    mapping(bytes32 id => uint256) public ran;
    bool public refuses;

    function refuse(bool refuses_) external {
        refuses = refuses_;
    }

    function receiveMessage(bytes32 id, bytes calldata, bytes calldata) external payable returns (bytes4) {
        require(!refuses);
        ++ran[id];
        return this.receiveMessage.selector;
    }
}

/// @notice Source, operators, relayers and owner of one façade, who act in any order.
contract Actors is World {
    struct Sent {
        bytes32 id;
        uint32 generation;
        uint64 index;
    }

    Counter[2] private counters;
    Sent[] private sent;
    uint64 private greatestHeight;
    uint32 private greatestGeneration;
    bool private dirty;

    constructor() {
        setUp();
        (counters[0], counters[1]) = (new Counter(), new Counter());
        client.submit(certificate());
    }

    // ---- The source and its operators

    function send(uint8 to, uint8 size) external {
        if (messages.length >= 24) return;
        // No two alike: what is sent again unchanged keeps its first generation, which operators see to.
        push(address(counters[to % 2]), abi.encodePacked(sent.length, new bytes(size)));
        uint64 index = uint64(messages.length - 1);
        sent.push(Sent(messageId(index), says.generation, index));
        dirty = true;
    }

    /// @notice The sequencer withdraws blocks: the lane is cut back and a new generation begins.
    function retract(uint8 kept) external {
        if (says.generation > 8 || messages.length == 0) return;
        kept = uint8(kept % (messages.length + 1));
        while (messages.length > kept) messages.pop();
        (says.generation, says.laneGeneration) = (says.generation + 1, says.laneGeneration + 1);
        says.status = 0;
        dirty = true;
    }

    function quarantine(uint8 one) external {
        says.status = one % 4 == 0 ? 1 : 0;
        dirty = true;
    }

    function certify(uint8 absent) external {
        next(200);
        client.submit(certify("four", header(), absent % 5 == 4 ? bytes("") : abi.encodePacked(absent % 5)));
        dirty = false;
    }

    // ---- The destination

    function record(bool lane) external {
        if (dirty) return;
        (bool ok, bytes memory answer) = address(gateway).call(
            lane ? abi.encodeCall(gateway.recordLane, (laneProof())) : abi.encodeCall(gateway.recordRollup, (rollupProof()))
        );
        if (gateway.source(REGISTRATION).allowed) yes("an honest record", ok);
        else eq("denied", answer, err(IGateway.SourceNotAllowed.selector, REGISTRATION));
    }

    /// @notice A run with a checkpoint of its own, or under whatever is recorded.
    function deliver(uint8 start, uint8 length, bool fresh, uint24 gas) external {
        if (messages.length == 0) return;
        start = uint8(start % messages.length);
        length = uint8(1 + length % (messages.length - start));
        bytes memory c;
        bytes memory lane;
        if (fresh) {
            next(200);
            (c, lane, dirty) = (certificate(), laneProof(), false);
        }
        bytes memory data = abi.encodeCall(gateway.relay, (c, lane, run(start, length)));
        (bool ok,) = address(gateway).call{gas: 300_000 + uint256(gas)}(data);
        if (ok) accepted();
        else if (fresh) dirty = true;
    }

    function retry(uint8 index) external {
        if (messages.length == 0) return;
        index = uint8(index % messages.length);
        uint256 before = status(index);
        (bool ok,) = address(gateway).call(abi.encodeCall(gateway.retry, (run(index, 1))));
        if (!ok) return;
        eq("only what failed", before, 1);
        eq("done", status(index), 2);
        accepted();
    }

    /// @dev A delivery went through: the source was allowed, Active and fresh.
    function accepted() private view {
        IGateway.Source memory s = gateway.source(REGISTRATION);
        yes("allowed", s.allowed);
        eq("active", s.status, 0);
        yes("fresh", block.timestamp <= s.timeMs / 1000 + 60);
    }

    function change(uint8 to, bool refuses_) external {
        counters[to % 2].refuse(refuses_);
    }

    function wait(uint8 seconds_) external {
        vm.warp(block.timestamp + seconds_ % 45);
        says.timeMs = uint64(block.timestamp * 1000);
        dirty = true;
    }

    function allow(uint8 one) external {
        bool wanted = one % 4 != 0;
        if ((gateway.registrationOf(A) != 0) == wanted) return;
        vm.prank(OWNER);
        wanted ? gateway.allow(A, REGISTRATION) : gateway.deny(A);
    }

    // ---- What always holds

    function check() external {
        for (uint256 i; i < sent.length; ++i) {
            uint256 ran = counters[0].ran(sent[i].id) + counters[1].ran(sent[i].id);
            uint256 state = uint256(gateway.statusOf(REGISTRATION, sent[i].generation, sent[i].index));
            yes("at most once", ran <= 1);
            // Two messages of one generation never share an index, so the state is this message's own.
            eq("done exactly when it ran", ran, state == 2 ? 1 : 0);
        }
        IGateway.Source memory s = gateway.source(REGISTRATION);
        yes("never back in height", s.height >= greatestHeight && s.height <= says.height);
        yes("never back in generation", s.generation >= greatestGeneration && s.generation <= says.generation);
        (greatestHeight, greatestGeneration) = (s.height, s.generation);
        yes("nothing allowed by itself", s.allowed == (gateway.registrationOf(A) == REGISTRATION));
    }
}

contract InvariantTest is Test {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Actors private actors;

    function setUp() public {
        actors = new Actors();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(actors);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[16] memory weighed = [
            Actors.send.selector,
            Actors.send.selector,
            Actors.certify.selector,
            Actors.certify.selector,
            Actors.record.selector,
            Actors.certify.selector,
            Actors.certify.selector,
            Actors.record.selector,
            Actors.deliver.selector,
            Actors.deliver.selector,
            Actors.retry.selector,
            Actors.retract.selector,
            Actors.quarantine.selector,
            Actors.change.selector,
            Actors.wait.selector,
            Actors.allow.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(actors);
        list[0].selectors = new bytes4[](weighed.length);
        for (uint256 i; i < weighed.length; ++i) list[0].selectors[i] = weighed[i];
    }

    /// @notice Each message at most once, "done" exactly when it ran, and nothing recorded goes back in time.
    function invariant_messagesRunAtMostOnce() public {
        actors.check();
    }
}
