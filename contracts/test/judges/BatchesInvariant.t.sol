// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../../src/interfaces/IBatchInbox.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {Posting} from "../settlement/Posting.sol";
import {Test} from "../Vm.sol";

/// @notice L1 goes on, batches are posted, and all the while operators settle: honest ones by what they read, liars whatever they like.
/// What was signed once is judged again and again, by an L1 that has more batches each time.
contract Quay is Test, Posting {
    address private constant SEQUENCER = address(0x5e9);
    /// @dev L1 blocks that an origin lies behind at least.
    uint256 private constant DEPTH = 4;
    uint256 private constant KEPT = 24;

    IBatchInbox private inbox;
    ISettlementAdapter private adapter;
    bytes32 private id;
    ISettlementAdapter.Statement[] private honest;
    ISettlementAdapter.Statement[] private lies;

    constructor() {
        vm.roll(100);
        address registry =
            deploy("RollupRegistry", abi.encode(bytes32("domain"), this, this, 1 ether, uint64(0), uint64(0), uint64(0)));
        inbox = IBatchInbox(deploy("BatchInbox", abi.encode(registry)));
        adapter = ISettlementAdapter(deploy("BatchAdapter", abi.encode(inbox)));
        vm.deal(address(this), 1 ether);
        IRollupRegistry(registry).authorise(1001, address(this));
        id = IRollupRegistry(registry).register{value: 1 ether}(1001, SEQUENCER, keccak256("anchor"), keccak256("spec"));
        inbox.setBatcher(id, SEQUENCER);
        vm.roll(100 + DEPTH);
    }

    function wait(uint8 blocks) external {
        vm.roll(block.number + blocks % 6);
    }

    /// @notice The block of a number, as the sequencer claimed it.
    function hashOf(uint64 number) private pure returns (bytes32) {
        return keccak256(abi.encode("block", number));
    }

    function post(uint8 blocks) external {
        uint256 count = inbox.batchCount(id);
        uint64 first = count == 0 ? 1 : inbox.batchAt(id, count - 1).last + 1;
        uint64 last = first + blocks % 5;
        postAs(SEQUENCER, inbox, id, first, last, hashOf(last));
    }

    function _origin(uint64 behind) private view returns (uint64) {
        uint64 opened = inbox.openedAt(id);
        uint64 newest = uint64(block.number - DEPTH);
        return opened + uint64(behind) % (newest - opened + 1);
    }

    function _sign(ISettlementAdapter.Statement[] storage list, ISettlementAdapter.Kind kind, uint64 origin, uint64 number, bytes32 hash)
        private
    {
        ISettlementAdapter.Statement memory s;
        (s.kind, s.originNumber, s.registration, s.number, s.blockHash) = (kind, origin, id, number, hash);
        if (list.length < KEPT) list.push(s);
        else list[uint256(keccak256(abi.encode(s))) % KEPT] = s;
    }

    /// @notice The last block of a batch that stood at the origin.
    function settleFinalized(uint64 behind, uint256 which) external {
        uint64 origin = _origin(behind);
        uint256 stood = inbox.batchCountAt(id, origin);
        if (stood == 0) return;
        uint64 last = inbox.batchAt(id, which % stood).last;
        _sign(honest, ISettlementAdapter.Kind.FinalizedHead, origin, last, hashOf(last));
    }

    /// @notice The last block of any batch; or of one on a fork of L1 that was left, above what stood at the origin.
    function settleSafe(uint64 behind, uint256 which, bool forked) external {
        uint64 origin = _origin(behind);
        uint256 count = inbox.batchCount(id);
        uint256 stood = inbox.batchCountAt(id, origin);
        uint64 last;
        if (forked) last = (stood == 0 ? 0 : inbox.batchAt(id, stood - 1).last) + 1 + uint64(which % 9);
        else if (count == 0) return;
        else last = inbox.batchAt(id, which % count).last;
        _sign(honest, ISettlementAdapter.Kind.SafeHead, origin, last, hashOf(last));
    }

    /// @notice A head that no batch at the origin ends with; a `Safe` one only where a batch had its number.
    function lie(uint64 behind, uint64 number, bool safe, bool hash) external {
        uint64 origin = _origin(behind);
        uint256 stood = inbox.batchCountAt(id, origin);
        uint64 reached = stood == 0 ? 0 : inbox.batchAt(id, stood - 1).last;
        number = safe ? number % (reached + 1) : number % (reached + 20);
        uint256 index = inbox.batchOf(id, number);
        bool true_ = index < stood && inbox.batchAt(id, index).last == number && hash;
        if (true_ || (safe && stood == 0)) return;
        bytes32 blockHash = hash ? hashOf(number) : bytes32("nobody's");
        _sign(lies, safe ? ISettlementAdapter.Kind.SafeHead : ISettlementAdapter.Kind.FinalizedHead, origin, number, blockHash);
    }

    function check() external view {
        for (uint256 i; i < honest.length; ++i) yes("no honest head is contradicted", !adapter.contradicts(honest[i], ""));
        for (uint256 i; i < lies.length; ++i) yes("a lie stays one", adapter.contradicts(lies[i], ""));
    }
}

contract BatchesInvariantTest is Test {
    Quay private quay;

    function setUp() public {
        quay = new Quay();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(quay);
    }

    /// @notice What was signed honestly is never contradicted, however much is posted later; what was a lie always is.
    function invariant_honestHeadsStand() public view {
        quay.check();
    }
}
