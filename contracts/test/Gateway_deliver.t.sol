// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../src/interfaces/IGateway.sol";
import {Vm} from "./Vm.sol";
import {World} from "./World.sol";

contract GatewayDeliverTest is World {
    function test_deliversOne() public {
        push(address(recipient), "hello");
        record();
        vm.recordLogs();
        (uint256 delivered, uint256 failed) = gateway.deliver(run(0, 1));
        eq("delivered", delivered, 1);
        eq("failed", failed, 0);
        eq("status", status(0), 2);
        eq("id", recipient.lastId(), messageId(0));
        eq("sender", recipient.lastSender(), interop(A, SENDER));
        eq("payload", recipient.lastPayload(), "hello");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        eq("event", logs[0].topics[0], IGateway.Delivered.selector);
        eq("event id", logs[0].topics[1], messageId(0));
    }

    /// @notice Every run of every lane up to nine messages: the tree's shapes, and payloads of different lengths.
    function test_deliversEveryRun() public {
        for (uint256 n = 1; n <= 9; ++n) {
            push(address(recipient), new bytes(n * 13));
            uint256 state = vm.snapshotState();
            next(1);
            record();
            for (uint256 start; start < n; ++start) {
                for (uint256 length = 1; start + length <= n; ++length) {
                    uint256 before = vm.snapshotState();
                    (uint256 delivered,) = gateway.deliver(run(start, length));
                    eq("delivered", delivered, length);
                    eq("last id", recipient.lastId(), messageId(start + length - 1));
                    eq("last payload", recipient.lastPayload(), messages[start + length - 1].payload);
                    vm.revertToState(before);
                }
            }
            vm.revertToState(state);
        }
    }

    function test_skipsWhatIsDone() public {
        for (uint256 i; i < 5; ++i) push(address(recipient), abi.encode(i));
        record();
        gateway.deliver(run(1, 2));
        (uint256 delivered, uint256 failed) = gateway.deliver(run(0, 5));
        eq("delivered", delivered, 3);
        eq("failed", failed, 0);
        eq("each once", recipient.count(), 5);
        (delivered, failed) = gateway.deliver(run(0, 5));
        eq("nothing left", delivered + failed, 0);
        eq("each still once", recipient.count(), 5);
    }

    /// @notice 300 messages: three words of statuses.
    function test_statusesAcrossWords() public {
        for (uint256 i; i < 300; ++i) push(address(recipient), "");
        record();
        gateway.deliver(run(120, 150));
        for (uint256 i; i < 300; ++i) eq("status", status(i), i < 120 || i >= 270 ? 0 : 2);
    }

    /// @notice One that fails holds up nobody, is skipped by batches, and waits for anyone's retry.
    function test_failedWaitsForRetry() public {
        Recipient_ bad = new Recipient_();
        push(address(recipient), "a");
        push(address(bad), "b");
        push(address(recipient), "c");
        record();
        vm.recordLogs();
        (uint256 delivered, uint256 failed) = gateway.deliver(run(0, 3));
        eq("delivered", delivered, 2);
        eq("failed", failed, 1);
        eq("status", status(1), 1);
        eq("event", vm.getRecordedLogs()[1].topics[0], IGateway.Failed.selector);
        (delivered, failed) = gateway.deliver(run(0, 3));
        eq("skipped", delivered + failed, 0);

        bytes memory again = run(1, 1);
        refuses("still bad", err(IGateway.RetryFailed.selector, messageId(1)), address(gateway), abi.encodeCall(gateway.retry, (again)));
        eq("still failed", status(1), 1);
        bad.mend();
        gateway.retry(again);
        eq("done", status(1), 2);
        refuses("done already", err(IGateway.NotFailed.selector, uint256(messageId(1)), 2), address(gateway), abi.encodeCall(gateway.retry, (again)));
    }

    function test_retryNeedsAFailure() public {
        push(address(recipient), "a");
        push(address(recipient), "b");
        record();
        bytes memory one = run(0, 1);
        bytes memory two = run(0, 2);
        refuses("never tried", err(IGateway.NotFailed.selector, uint256(messageId(0)), uint256(0)), address(gateway), abi.encodeCall(gateway.retry, (one)));
        refuses("two", err(IGateway.RetryTakesOne.selector, 2), address(gateway), abi.encodeCall(gateway.retry, (two)));
    }

    /// @notice A message that ran out of gas is saved by a retry that brings more.
    function test_retryBringsAllItsGas() public {
        Hungry hungry = new Hungry();
        push(address(hungry), "");
        record();
        (, uint256 failed) = gateway.deliver(run(0, 1));
        eq("failed", failed, 1);
        gateway.retry{gas: 3_000_000}(run(0, 1));
        eq("done", status(0), 2);
    }

    function test_givesExactlyTheGasAsked() public {
        push(address(recipient), "");
        messages[0].gasLimit = 123_456;
        record();
        gateway.deliver(run(0, 1));
        yes("less than asked", recipient.lastGas() < 123_456);
        yes("by the dispatch only", recipient.lastGas() > 123_456 - 1_000);
    }

    /// @notice Whatever gas a delivery gets: it reverts, or the recipient had its floor. Never "failed" for want of gas.
    /// For a status word that is written for the first time, and for one that is not; short payload and long.
    function test_tooLittleGasReverts() public {
        Picky picky = new Picky();
        push(address(picky), "");
        push(address(picky), new bytes(16_384));
        record();
        for (uint256 i; i < 3; ++i) {
            sweep(run(i % 2, 1), i % 2);
            if (i == 1) gateway.deliver(run(1, 1));
        }
    }

    function sweep(bytes memory packed, uint256 index) private {
        bytes memory data = abi.encodeCall(gateway.deliver, (packed));
        uint256 clean = vm.snapshotState();
        bool sawFloor;
        bool sawDone;
        for (uint256 gas = 150_000; gas < 310_000; gas += 149) {
            (bool ok, bytes memory answer) = address(gateway).call{gas: gas}(data);
            if (ok) {
                eq("done", status(index), 2);
                sawDone = true;
                vm.revertToState(clean);
            } else {
                yes("reverts by the floor or dry", answer.length == 0 || insufficient(answer, 200_000));
                if (answer.length != 0) sawFloor = true;
                eq("untouched", status(index), 0);
            }
        }
        yes("both seen", sawFloor && sawDone);
    }

    /// @notice Only the magic value, alone in its word, is acceptance.
    function test_onlyTheMagicValueAccepts() public {
        bytes[5] memory answers;
        answers[1] = hex"2432ef26";
        answers[2] = abi.encode(bytes4(0x2432ef27));
        answers[3] = abi.encode(uint256(1));
        answers[4] = abi.encodePacked(bytes4(0x2432ef26), bytes28(uint224(1)));
        for (uint256 i; i < 6; ++i) push(address(recipient), "");
        push(address(0xdead), "nobody there");
        push(address(4), "the identity precompile answers with the call itself");
        record();
        for (uint256 i; i < 6; ++i) {
            if (i < 5) recipient.answerWith(answers[i]);
            else recipient.revertFrom(true);
            (, uint256 failed) = gateway.deliver(run(i, 1));
            eq("failed", failed, 1);
            eq("status", status(i), 1);
        }
        (, uint256 refused) = gateway.deliver(run(6, 2));
        eq("no acceptance", refused, 2);
    }

    /// @notice An endless answer costs the recipient its own gas and the relayer nothing more.
    function test_answersAreBounded() public {
        Bomb bomb = new Bomb();
        push(address(bomb), "");
        record();
        uint256 before = gasleft();
        (, uint256 failed) = gateway.deliver(run(0, 1));
        eq("failed", failed, 1);
        yes("cost", before - gasleft() < 700_000);
    }

    /// @notice The guard: a recipient cannot deliver, retry or relay inside its call; it can send.
    function test_noDeliveryInsideADelivery() public {
        Reenterer inner = new Reenterer(gateway);
        push(address(inner), "");
        push(address(recipient), "");
        record();
        inner.aim(abi.encodeCall(gateway.deliver, (run(1, 1))));
        (uint256 delivered,) = gateway.deliver(run(0, 1));
        eq("outer", delivered, 1);
        eq("inner refused", inner.seen(), IGateway.Reentered.selector);
        eq("inner did nothing", status(1), 0);
        gateway.deliver(run(1, 1));
        eq("the guard opens again", status(1), 2);
    }

    /// @notice A run may hold messages of several generations; each keeps the state of its own.
    function test_generationsHaveTheirOwnStates() public {
        push(address(recipient), "kept");
        push(address(recipient), "kept too");
        messages[0].generation = 1;
        messages[1].generation = 2;
        push(address(recipient), "new");
        record();
        (uint256 delivered,) = gateway.deliver(run(0, 3));
        eq("delivered", delivered, 3);
        eq("generation 1", uint256(gateway.statusOf(REGISTRATION, 1, 0)), 2);
        eq("generation 3 at that index", uint256(gateway.statusOf(REGISTRATION, 3, 0)), 0);
        eq("generation 2", uint256(gateway.statusOf(REGISTRATION, 2, 1)), 2);
        eq("generation 3", uint256(gateway.statusOf(REGISTRATION, 3, 2)), 2);
    }

    function test_relayDoesAllAtOnce() public {
        for (uint256 i; i < 20; ++i) push(address(recipient), abi.encode(i, i));
        bytes memory c = certificate();
        (uint256 delivered, uint256 failed) = gateway.relay(c, laneProof(), run(0, 20));
        eq("delivered", delivered, 20);
        eq("failed", failed, 0);
    }

    /// @notice Two relayers: whoever comes second finds everything done and does not fail, even with an older checkpoint.
    function test_twoRelayersDoNoHarm() public {
        for (uint256 i; i < 4; ++i) push(address(recipient), abi.encode(i));
        bytes memory c1 = certificate();
        bytes memory lane1 = laneProof();
        bytes memory run1 = run(0, 4);
        next(500);
        for (uint256 i; i < 4; ++i) push(address(recipient), abi.encode(i));
        bytes memory c2 = certificate();
        gateway.relay(c2, laneProof(), run(2, 4));
        (uint256 delivered, uint256 failed) = gateway.relay(c1, lane1, run1);
        eq("what the faster one left", delivered, 2);
        eq("failed", failed, 0);
        eq("newer record stays", gateway.source(REGISTRATION).height, says.height);
        (delivered,) = gateway.relay(c1, lane1, run1);
        eq("again", delivered, 0);
        eq("each once", recipient.count(), 6);
    }

    /// @notice A payload of the greatest length.
    function test_longestPayload() public {
        push(address(recipient), new bytes(16_384));
        messages[0].gasLimit = 15_000_000;
        record();
        (uint256 delivered,) = gateway.deliver(run(0, 1));
        eq("delivered", delivered, 1);
        eq("length", recipient.lastPayload().length, 16_384);
    }
}

contract Recipient_ {
    bool private good;

    function mend() external {
        good = true;
    }

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        require(good, "not yet");
        return this.receiveMessage.selector;
    }
}

/// @notice Refuses when it gets less than the 200,000 gas asked for, less what its dispatch costs.
contract Picky {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        require(gasleft() > 199_000);
        return this.receiveMessage.selector;
    }
}

contract Hungry {
    mapping(uint256 => uint256) private eaten;

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        for (uint256 i; i < 30; ++i) eaten[i] = 1;
        return this.receiveMessage.selector;
    }
}

contract Bomb {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        assembly {
            revert(0, 150000)
        }
    }
}

contract Reenterer {
    IGateway private immutable gateway;
    bytes private data;
    bytes32 public seen;

    constructor(IGateway gateway_) {
        gateway = gateway_;
    }

    function aim(bytes calldata data_) external {
        data = data_;
    }

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        (, bytes memory answer) = address(gateway).call(data);
        seen = bytes4(answer);
        return this.receiveMessage.selector;
    }
}
