// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {World} from "./World.sol";

/// @notice Recipients and relayers that mean harm. Whatever they do, a message runs at most once, none is "failed" for want
/// of gas, and the others arrive.
contract GatewayHostileTest is World {
    Caller private caller;

    function setUp() public override {
        super.setUp();
        caller = new Caller();
        push(address(caller), "to the caller");
        push(address(recipient), "to somebody else");
        record();
    }

    function deliverCaller() private {
        (uint256 delivered, uint256 failed) = gateway.deliver(run(0, 1));
        eq("the outer one", delivered, 1);
        eq("failed", failed, 0);
    }

    // ---- Reentrancy

    /// @notice Every way back into delivery is closed while a recipient runs: for its own message, for another, for none.
    function test_noWayBackIn() public {
        bytes[5] memory ways = [
            abi.encodeCall(gateway.deliver, (run(0, 1))),
            abi.encodeCall(gateway.deliver, (run(1, 1))),
            abi.encodeCall(gateway.retry, (run(0, 1))),
            abi.encodeCall(gateway.relay, ("", laneProof(), run(0, 2))),
            abi.encodeCall(gateway.relay, ("", "", ""))
        ];
        uint256 clean = vm.snapshotState();
        for (uint256 i; i < ways.length; ++i) {
            caller.aim(address(gateway), ways[i]);
            deliverCaller();
            yes("called back", caller.called() && !caller.ok());
            eq("refused", caller.answer(), err(IGateway.Reentered.selector));
            eq("the other one", status(1), 0);
            (uint256 delivered,) = gateway.deliver(run(0, 2));
            eq("the guard opens again", delivered, 1);
            vm.revertToState(clean);
        }
    }

    /// @notice A revert on the way in leaves the guard open for whoever comes next in the same transaction.
    function test_guardOpensAfterARevert() public {
        refusesDelivery("bad", err(IGateway.RunTruncated.selector, uint256(0)), "");
        bytes memory one = run(0, 1);
        (bool ok,) = address(gateway).call{gas: 100_000}(abi.encodeCall(gateway.deliver, (one)));
        yes("too little gas", !ok);
        deliverCaller();
    }

    /// @notice Sending from inside a delivery is what bridges do: one message, in its lane, under its sender's name.
    function test_sendsFromInside() public {
        bytes[] memory none;
        caller.aim(address(gateway), abi.encodeCall(gateway.sendMessage, (interop(A, SENDER), "answer", none)));
        deliverCaller();
        yes("sent", caller.ok());
        bytes32 hash = keccak256(abi.encodePacked(caller, SENDER, uint32(200_000), "answer"));
        bytes32 id = keccak256(abi.encodePacked(B, gateway, A, uint64(0), hash));
        eq("id", caller.answer(), abi.encode(id));
        (uint64 count,) = gateway.lane(A);
        eq("one", count, 1);
    }

    /// @notice What a recipient records counts from the next delivery on; the run that was proven goes on as it was.
    function test_recordsFromInside() public {
        next(100);
        says.status = 1;
        client.submit(certificate());
        bytes memory quarantine = rollupProof();
        --says.height;
        says.status = 0;
        caller.aim(address(gateway), abi.encodeCall(gateway.recordRollup, (quarantine)));
        (uint256 delivered,) = gateway.deliver(run(0, 2));
        eq("the whole run", delivered, 2);
        yes("recorded", caller.ok());
        refusesDelivery("from now on", err(IGateway.SourceNotActive.selector, 1), run(0, 1));
    }

    /// @notice The façades of other confidences are other contracts: what is delivered there leaves this one alone.
    function test_otherFacadeFromInside() public {
        IGateway latest = gateway;
        begin(2);
        (says.height, messages[0].recipient) = (11, address(recipient));
        record();
        IGateway finalized = gateway;
        bytes memory there = run(0, 2);
        (gateway, says.facade, messages[0].recipient) = (latest, address(latest), address(caller));
        (says.height, messages[0].gasLimit) = (12, 1_000_000);
        record();
        caller.aim(address(finalized), abi.encodeCall(finalized.deliver, (there)));
        deliverCaller();
        yes("delivered there", caller.ok());
        eq("not here", status(1), 0);
        eq("there", uint256(finalized.statusOf(REGISTRATION, says.generation, 1)), 2);
    }

    // ---- Recipients that are not what they seem

    /// @notice Nobody home yet: failed, not lost. Whoever deploys the recipient later lets a retry through.
    function test_recipientDeployedLater() public {
        address later = address(0x1a7e);
        push(later, "early");
        next(1);
        record();
        (, uint256 failed) = gateway.deliver(run(2, 1));
        eq("failed", failed, 1);
        refuses("still nobody", err(IGateway.RetryFailed.selector, messageId(2)), address(gateway), abi.encodeCall(gateway.retry, (run(2, 1))));
        vm.etch(later, address(caller).code);
        gateway.retry(run(2, 1));
        eq("done", status(2), 2);
    }

    /// @notice A recipient that destroys itself answers nothing, whoever it leaves its ether to.
    function test_selfdestructingRecipient() public {
        Mayfly mayfly = new Mayfly();
        vm.deal(address(mayfly), 1 ether);
        push(address(mayfly), "");
        next(1);
        record();
        (, uint256 failed) = gateway.deliver(run(2, 1));
        eq("failed", failed, 1);
        eq("forced upon the gateway", address(gateway).balance, 1 ether);
        deliverCaller();
    }

    /// @notice The protocol's own contracts, the precompiles and an account without code accept nothing.
    function test_recipientsThatCannotAccept() public {
        address[4] memory nobodies = [address(gateway), address(client), address(0xe0a), client.tableAddress(EPOCH)];
        for (uint256 i; i < nobodies.length; ++i) push(nobodies[i], "");
        for (uint160 i = 1; i <= 0x11; ++i) push(address(i), abi.encode(i));
        next(1);
        record();
        uint256 all = messages.length - 2;
        (uint256 delivered, uint256 failed) = gateway.deliver(run(2, all));
        eq("delivered", delivered, 0);
        eq("failed", failed, all);
    }

    /// @notice An answer of any length is read to 32 bytes, whether it accepts or not.
    function test_longAnswers() public {
        Shouter shouter = new Shouter();
        push(address(shouter), "");
        push(address(recipient), "");
        next(1);
        record();
        shouter.shout(100_000, true);
        uint256 before = gasleft();
        (uint256 delivered, uint256 failed) = gateway.deliver(run(2, 1));
        eq("accepted", delivered, 1);
        yes("cost", before - gasleft() < 400_000);
        next(1);
        push(address(shouter), "");
        record();
        shouter.shout(100_000, false);
        (delivered, failed) = gateway.deliver(run(3, 2));
        eq("the next one arrives", delivered, 1);
        eq("refused", failed, 1);
    }

    /// @notice Twenty that burn all they get: the relayer pays what the senders asked for and no more.
    function test_burnersCostTheirLimitAndNoMore() public {
        Spender spender = new Spender();
        for (uint256 i; i < 20; ++i) push(address(spender), "");
        push(address(recipient), "");
        next(1);
        record();
        bytes memory all = run(2, 21);
        uint256 before = gasleft();
        (uint256 delivered, uint256 failed) = gateway.deliver(all);
        eq("failed", failed, 20);
        eq("the last one", delivered, 1);
        yes("cost", before - gasleft() < 20 * 205_000 + 400_000);
    }

    // ---- Gas

    /// @notice Two cold accounts to load instead of one (EIP-7702), and the longest payload: the floor still holds.
    function test_delegatedRecipientGetsItsFloor() public {
        Exact exact = new Exact();
        address delegating = address(0xde1e6a7e);
        vm.etch(delegating, abi.encodePacked(hex"ef0100", exact));
        bytes memory payload = new bytes(16_384);
        payload[29] = 0x03;
        payload[30] = 0x0d;
        payload[31] = 0x40; // 200,000
        push(delegating, payload);
        next(1);
        record();
        bytes memory data = abi.encodeCall(gateway.deliver, (run(2, 1)));
        uint256 clean = vm.snapshotState();
        bool done;
        // A relayer that picks its gas, from far too little to plenty, in small steps.
        for (uint256 gas = 150_000; gas < 320_000; gas += 97) {
            vm.cool(delegating);
            vm.cool(address(exact));
            (bool ok, bytes memory answer) = address(gateway).call{gas: gas}(data);
            yes("never failed", status(2) != 1);
            if (ok) {
                eq("done", status(2), 2);
                done = true;
                vm.revertToState(clean);
            } else {
                yes("by the floor or dry", answer.length == 0 || insufficient(answer, 200_000));
            }
        }
        yes("delivered with plenty", done);
    }

    /// @notice Gas that suffices for the first of two: the whole call reverts, so the second is not "failed" either.
    function test_gasForTheFirstOnly() public {
        Exact exact = new Exact();
        push(address(exact), abi.encode(200_000));
        push(address(exact), abi.encode(200_000));
        next(1);
        record();
        bytes memory data = abi.encodeCall(gateway.deliver, (run(2, 2)));
        uint256 clean = vm.snapshotState();
        for (uint256 gas = 200_000; gas < 420_000; gas += 511) {
            (bool ok,) = address(gateway).call{gas: gas}(data);
            eq("both or none", status(2), status(3));
            eq("both or none", status(2), ok ? 2 : 0);
            vm.revertToState(clean);
        }
    }

    /// @notice A retry brings at least the floor too, and cannot be used to bury a message.
    function test_retryKeepsTheFloor() public {
        Exact exact = new Exact();
        push(address(exact), abi.encode(2_000_000)); // asks for more than its sender did
        next(1);
        record();
        (, uint256 failed) = gateway.deliver(run(2, 1));
        eq("failed", failed, 1);
        bytes memory data = abi.encodeCall(gateway.retry, (run(2, 1)));
        (bool ok, bytes memory answer) = address(gateway).call{gas: 200_000}(data);
        yes("under the floor", !ok && insufficient(answer, 200_000));
        (ok, answer) = address(gateway).call{gas: 1_000_000}(data);
        eq("over the floor, too little for it", answer, err(IGateway.RetryFailed.selector, messageId(2)));
        eq("still waits", status(2), 1);
        (ok,) = address(gateway).call{gas: 2_400_000}(data);
        yes("with enough", ok);
        eq("done", status(2), 2);
    }

    // ---- Those who come first

    /// @notice Who takes the parts of a pending relay and runs them alone, in any order, only saves it work.
    function test_frontRunningARelay() public {
        next(100);
        push(address(recipient), "third");
        bytes memory c = certificate();
        bytes memory lane = laneProof();
        bytes memory messages_ = run(0, 3);
        uint256 clean = vm.snapshotState();
        for (uint256 how; how < 4; ++how) {
            if (how >= 1) client.submit(c);
            if (how >= 2) gateway.recordLane(lane);
            if (how >= 3) gateway.deliver(run(1, 1));
            (uint256 delivered, uint256 failed) = gateway.relay(c, lane, messages_);
            eq("what was left", delivered, how == 3 ? 2 : 3);
            eq("failed", failed, 0);
            for (uint256 i; i < 3; ++i) eq("done", status(i), 2);
            vm.revertToState(clean);
        }
    }

    /// @notice A checkpoint gives its place to one 64 heights later; a proof against it is refused, a new one is not.
    function test_displacedCheckpoint() public {
        bytes memory old = laneProof();
        (uint64 height, uint64 timeMs) = (says.height, says.timeMs);
        (bytes32 root,) = rollups();
        says.height += 64;
        client.submit(certificate());
        bytes memory unknown = err(IGateway.CheckpointUnknown.selector, height, timeMs, uint256(root));
        refusesRecord("displaced", unknown, old);
        gateway.recordLane(laneProof());
        deliverCaller();
    }

    /// @notice The light client of another deployment certifies nothing here, however good its committee.
    function test_anotherDeploymentsCertificate() public {
        next(1);
        bytes memory foreign = assemble(
            header(), "", signature("four", digestOf(keccak256("other"), 1, header()), ""), digestOf(DOMAIN, 1, header()), ""
        );
        bytes memory data = abi.encodeCall(gateway.relay, (foreign, "", ""));
        refuses("foreign", err(ILightClient.SignatureInvalid.selector), address(gateway), data);
    }
}

/// @notice Makes one call from inside its delivery and accepts.
contract Caller {
    address private target;
    bytes private data;
    bool public called;
    bool public ok;
    bytes public answer;

    function aim(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        if (target != address(0)) {
            (ok, answer) = target.call(data);
            called = true;
        }
        return this.receiveMessage.selector;
    }
}

/// @notice Refuses when it gets less gas than its payload's first word says, less what its dispatch costs.
contract Exact {
    function receiveMessage(bytes32, bytes calldata, bytes calldata payload) external payable returns (bytes4) {
        require(gasleft() + 1_000 > uint256(bytes32(payload[:32])));
        return this.receiveMessage.selector;
    }
}

contract Mayfly {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4 nothing) {
        nothing;
        selfdestruct(payable(msg.sender));
    }
}

contract Shouter {
    uint256 private length;
    bool private accepts;

    function shout(uint256 length_, bool accepts_) external {
        (length, accepts) = (length_, accepts_);
    }

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        (uint256 n, bytes4 word) = (length, accepts ? this.receiveMessage.selector : bytes4(0));
        assembly {
            mstore(0, word)
            return(0, n)
        }
    }
}

contract Spender {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        while (true) {}
        return this.receiveMessage.selector;
    }
}
