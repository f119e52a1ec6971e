// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../../src/interfaces/IBatchInbox.sol";

interface PostingVm {
    function prank(address sender, address origin) external;
    function roll(uint256) external;
    function blobhashes(bytes32[] calldata hashes) external;
}

/// @notice Posts batches as transactions do.
abstract contract Posting {
    PostingVm private constant pvm = PostingVm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function postAs(address account, IBatchInbox inbox, bytes32 registration, uint64 first, uint64 last, bytes32 lastHash) internal {
        pvm.prank(account, account);
        inbox.post(registration, first, last, lastHash, "data");
    }

    /// @notice As a transaction with this many blobs, as all that follow in the test until there are others.
    function withBlobs(uint256 count) internal {
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i; i < count; ++i) hashes[i] = bytes32(uint256(1) << 248 | i);
        pvm.blobhashes(hashes);
    }

    /// @notice The same in another L1 block.
    function postIn(uint256 l1Block, address account, IBatchInbox inbox, bytes32 registration, uint64 first, uint64 last, bytes32 lastHash)
        internal
    {
        uint256 now_ = block.number;
        pvm.roll(l1Block);
        postAs(account, inbox, registration, first, last, lastHash);
        pvm.roll(now_);
    }
}
