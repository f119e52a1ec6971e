// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupRegistry} from "./IRollupRegistry.sol";

/// @title Where rollups post their blocks to L1, in batches
/// @notice A batch's blocks are in the calldata of the transaction that posts it, or in its blobs; kept is which blocks it says it has, and
/// since when.
/// What is in the data nobody looks at here: operators rebuild the blocks, and settle a batch only when it gives the very blocks that
/// they certified. A rollup's batches follow one another without gap or overlap, and never change.
///
/// A registration is open from its first {setBatcher}, {post} or {postBlobs} on. An open one is settled by its batches and by nothing else: that is
/// what {BatchAdapter} holds operators to, and whoever could settle it otherwise must not.
interface IBatchInbox {
    struct Batch {
        /// Its first block.
        uint64 first;
        /// Its last block.
        uint64 last;
        /// The L1 block that has it.
        uint64 l1Block;
        /// Hash of its last block.
        bytes32 lastHash;
    }

    /// @notice Who posts from now on; zero: the sequencer, as before anybody was named.
    event BatcherSet(bytes32 indexed registration, address account);
    event BatchPosted(bytes32 indexed registration, uint256 index, uint64 first, uint64 last, bytes32 lastHash);

    error NotRegistrant(bytes32 registration, address caller);
    error NotBatcher(bytes32 registration, address caller);
    /// @notice Its bond was taken or paid back: another registration has the chain, or none.
    error RegistrationGone(bytes32 registration);
    /// @notice A contract called in between: data that is not a transaction's own would be found by nobody.
    error NotATransaction(address caller, address sender);
    /// @notice A batch must have a block.
    error BatchEmpty(uint64 first, uint64 last);
    /// @notice A batch must start where the one before ended.
    error BatchNotNext(uint64 first, uint256 expected);
    /// @notice The transaction has no blobs.
    error NoBlob();
    error NoBatch(bytes32 registration, uint256 index);

    /// @notice Lets `account` post for a rollup, instead of its sequencer; zero takes that back. Registrant only.
    /// @dev Emits {BatcherSet}. Reverts {IRollupRegistry.RegistrationUnknown}, {RegistrationGone}, {NotRegistrant}.
    function setBatcher(bytes32 registration, address account) external;

    /// @notice Posts blocks `first` to `last` of a rollup. Batcher only, in a transaction of its own to this contract. The first batch
    /// starts wherever it says: L1 does not know the anchor's number, and operators settle nothing of a rollup whose first batch does
    /// not start above it.
    /// @dev Emits {BatchPosted}. Reverts {IRollupRegistry.RegistrationUnknown}, {RegistrationGone}, {NotBatcher}, {NotATransaction},
    /// {BatchEmpty}, {BatchNotNext}.
    /// @param lastHash hash of block `last`
    /// @param data the blocks; docs/protocol.md says how
    function post(bytes32 registration, uint64 first, uint64 last, bytes32 lastHash, bytes calldata data) external;

    /// @notice The same, with the blocks in the blobs of the transaction: all of them, in their order, are the batch's. Batcher only, in a
    /// transaction of its own to this contract.
    /// @dev Emits {BatchPosted}. Reverts {NoBlob}, and as {post} does.
    /// @param lastHash hash of block `last`
    function postBlobs(bytes32 registration, uint64 first, uint64 last, bytes32 lastHash) external;

    /// @notice Where registrations and their sequencers are known.
    function REGISTRY() external view returns (IRollupRegistry);
    /// @notice Who may post; zero for an unknown registration.
    function batcherOf(bytes32 registration) external view returns (address);
    /// @notice The L1 block since which a registration is open; 0 when it is not.
    function openedAt(bytes32 registration) external view returns (uint64);
    /// @notice How many batches a rollup has posted.
    function batchCount(bytes32 registration) external view returns (uint256);
    /// @notice A batch; reverts {NoBatch}.
    function batchAt(bytes32 registration, uint256 index) external view returns (Batch memory);
    /// @notice How many batches stood at the end of an L1 block.
    function batchCountAt(bytes32 registration, uint64 l1Block) external view returns (uint256);
    /// @notice Index of the first batch that reaches block `number`; {batchCount} when none does.
    function batchOf(bytes32 registration, uint64 number) external view returns (uint256);
}
