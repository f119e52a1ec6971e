// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../../src/interfaces/IBatchInbox.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {Test} from "../Vm.sol";
import {Posting, PostingVm} from "./Posting.sol";

/// @notice Whole transactions, calldata included. Run with `--isolate`.
contract BatchesGasTest is Test, Posting {
    address private constant SEQUENCER = address(0x5e9);
    uint256 private constant DATA_BYTES_MAX = 120_000;
    uint256 private constant FLOOR = 40;
    uint256 private constant TRANSACTION_MAX = 16_777_216;

    IBatchInbox private inbox;
    bytes32 private id;

    function setUp() public {
        address registry =
            deploy("RollupRegistry", abi.encode(bytes32("domain"), this, this, 1 ether, uint64(0), uint64(0), uint64(0)));
        inbox = IBatchInbox(deploy("BatchInbox", abi.encode(registry)));
        vm.deal(address(this), 1 ether);
        vm.deal(SEQUENCER, 1000 ether);
        IRollupRegistry(registry).authorise(1001, address(this));
        id = IRollupRegistry(registry).register{value: 1 ether}(1001, SEQUENCER, keccak256("anchor"), keccak256("spec"));
    }

    function post(string memory what, uint64 first, uint256 length, uint256 most) private {
        bytes memory data = new bytes(length);
        for (uint256 i; i < length; ++i) data[i] = 0xa5;
        PostingVm(address(vm)).prank(SEQUENCER, SEQUENCER);
        inbox.post(id, first, first, "hash", data);
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint(what, gas);
        yes(what, gas <= most);
    }

    function test_post() public {
        post("first batch, 1,000 bytes", 1, 1_000, 200_000);
        post("batch of 1,000 bytes", 2, 1_000, 150_000);
        post("batch of 10,000 bytes", 3, 10_000, 21_000 + FLOOR * 10_300);
        post("batch of 120,000 bytes", 4, DATA_BYTES_MAX, 21_000 + FLOOR * (DATA_BYTES_MAX + 300));
        yes("fits a transaction", vm.lastCallGas().gasTotalUsed < TRANSACTION_MAX);
    }

    /// @notice What a look-up costs among many batches, cold.
    function test_lookUp() public {
        for (uint64 i = 1; i <= 1_000; ++i) postAs(SEQUENCER, inbox, id, i, i, "hash");
        ISettlementAdapter adapter = ISettlementAdapter(deploy("BatchAdapter", abi.encode(inbox)));
        ISettlementAdapter.Statement memory s;
        (s.kind, s.originNumber, s.registration) = (ISettlementAdapter.Kind.FinalizedHead, type(uint64).max, id);
        (s.number, s.blockHash) = (617, "another");
        yes("contradicted", adapter.contradicts(s, ""));
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        emit log_named_uint("a head among 1,000 batches", gas);
        yes("cheap", gas <= 150_000);
    }
}
