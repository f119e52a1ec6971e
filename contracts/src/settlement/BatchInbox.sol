// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../interfaces/IBatchInbox.sol";
import {IRollupRegistry} from "../interfaces/IRollupRegistry.sol";

/// @title Where rollups post their blocks to L1, in batches
contract BatchInbox is IBatchInbox {
    /// @inheritdoc IBatchInbox
    IRollupRegistry public immutable REGISTRY;

    /// @dev One slot.
    struct Line {
        /// Zero: the sequencer.
        address batcher;
        uint64 openedAt;
    }

    /// @dev Two slots; where it starts follows from the batch before.
    struct Posted {
        uint64 last;
        uint64 l1Block;
        bytes32 lastHash;
    }

    mapping(bytes32 registration => Line) private lines;
    /// @dev Where a rollup's first batch starts.
    mapping(bytes32 registration => uint64) private firsts;
    /// @dev Both `last` and `l1Block` ascend, the latter not strictly.
    mapping(bytes32 registration => Posted[]) private batches;

    /// @param registry of rollups and their sequencers
    constructor(IRollupRegistry registry) {
        REGISTRY = registry;
    }

    /// @inheritdoc IBatchInbox
    function setBatcher(bytes32 registration, address account) external {
        if (_standing(registration).registrant != msg.sender) revert NotRegistrant(registration, msg.sender);
        Line storage line = lines[registration];
        line.batcher = account;
        _open(line);
        emit BatcherSet(registration, account);
    }

    /// @inheritdoc IBatchInbox
    function post(bytes32 registration, uint64 first, uint64 last, bytes32 lastHash, bytes calldata) external {
        _post(registration, first, last, lastHash);
    }

    /// @inheritdoc IBatchInbox
    function postBlobs(bytes32 registration, uint64 first, uint64 last, bytes32 lastHash) external {
        if (blobhash(0) == 0) revert NoBlob();
        _post(registration, first, last, lastHash);
    }

    /// @inheritdoc IBatchInbox
    function batcherOf(bytes32 registration) external view returns (address) {
        address named = lines[registration].batcher;
        return named == address(0) ? REGISTRY.sequencerOf(registration) : named;
    }

    /// @inheritdoc IBatchInbox
    function openedAt(bytes32 registration) external view returns (uint64) {
        return lines[registration].openedAt;
    }

    /// @inheritdoc IBatchInbox
    function batchCount(bytes32 registration) external view returns (uint256) {
        return batches[registration].length;
    }

    /// @inheritdoc IBatchInbox
    function batchAt(bytes32 registration, uint256 index) external view returns (Batch memory) {
        Posted[] storage posted = batches[registration];
        if (index >= posted.length) revert NoBatch(registration, index);
        Posted memory p = posted[index];
        uint64 first = index == 0 ? firsts[registration] : posted[index - 1].last + 1;
        return Batch(first, p.last, p.l1Block, p.lastHash);
    }

    /// @inheritdoc IBatchInbox
    function batchCountAt(bytes32 registration, uint64 l1Block) external view returns (uint256 low) {
        Posted[] storage posted = batches[registration];
        uint256 high = posted.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (posted[middle].l1Block <= l1Block) low = middle + 1;
            else high = middle;
        }
    }

    /// @inheritdoc IBatchInbox
    function batchOf(bytes32 registration, uint64 number) external view returns (uint256 low) {
        Posted[] storage posted = batches[registration];
        uint256 high = posted.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (posted[middle].last < number) low = middle + 1;
            else high = middle;
        }
    }

    function _post(bytes32 registration, uint64 first, uint64 last, bytes32 lastHash) private {
        address sequencer = _standing(registration).sequencer;
        Line storage line = lines[registration];
        address named = line.batcher;
        if (msg.sender != (named == address(0) ? sequencer : named)) revert NotBatcher(registration, msg.sender);
        // Nothing is allowed by this: it only keeps a batcher from posting what operators will not find.
        if (msg.sender != tx.origin) revert NotATransaction(msg.sender, tx.origin);
        if (last < first) revert BatchEmpty(first, last);
        Posted[] storage posted = batches[registration];
        uint256 index = posted.length;
        if (index == 0) {
            firsts[registration] = first;
            _open(line);
        } else {
            uint256 expected = uint256(posted[index - 1].last) + 1;
            if (first != expected) revert BatchNotNext(first, expected);
        }
        posted.push(Posted(last, uint64(block.number), lastHash));
        emit BatchPosted(registration, index, first, last, lastHash);
    }

    function _open(Line storage line) private {
        if (line.openedAt == 0) line.openedAt = uint64(block.number);
    }

    /// @dev An entry whose chain is still its own.
    function _standing(bytes32 registration) private view returns (IRollupRegistry.Rollup memory r) {
        r = REGISTRY.rollup(registration);
        if (REGISTRY.registrationOf(r.chainId) != registration) revert RegistrationGone(registration);
    }
}
