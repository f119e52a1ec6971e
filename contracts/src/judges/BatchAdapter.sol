// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IBatchInbox} from "../interfaces/IBatchInbox.sol";
import {ISettlementAdapter} from "../interfaces/ISettlementAdapter.sol";

/// @title Settled heads and claims against the batches of a {BatchInbox}
/// @notice Settled is only the last block of a batch. Contradicted are, of registrations that were open at the origin:
///
/// - a `Finalized` head that no batch reached at the origin; one that is not the last block of the batch that has its number; one with
///   another hash than that batch names;
/// - a `Safe` head that a batch reached at the origin and that is not its last block, or has another hash. Batches after the origin say
///   nothing: a `Safe` head rests on a newer L1 block, which its header does not name.
///
/// Contradicted is, whenever it was signed, a claim for the last block of a batch with another hash than the batch names. A sequencer
/// answers for its batcher.
///
/// What a batch's data hold is not seen here: a batch with a true hash and spoiled data contradicts nothing, and settles nothing.
contract BatchAdapter is ISettlementAdapter {
    IBatchInbox public immutable INBOX;

    /// @notice All that is asked for is in the statement.
    error ProofLength(uint256 found);

    /// @param inbox that the rollups which are judged post to
    constructor(IBatchInbox inbox) {
        INBOX = inbox;
    }

    /// @inheritdoc ISettlementAdapter
    /// @param proof nothing: batches are looked up
    function contradicts(Statement calldata s, bytes calldata proof) external view returns (bool) {
        if (proof.length != 0) revert ProofLength(proof.length);
        if (s.kind == Kind.NextTable) return false;
        uint256 index = INBOX.batchOf(s.registration, s.number);
        if (s.kind == Kind.Claim) {
            if (index == INBOX.batchCount(s.registration)) return false;
            IBatchInbox.Batch memory b = INBOX.batchAt(s.registration, index);
            return b.last == s.number && b.lastHash != s.blockHash;
        }
        uint64 openedAt = INBOX.openedAt(s.registration);
        if (openedAt == 0 || s.originNumber < openedAt) return false;
        // Where a rollup starts is not settled by anything.
        if (INBOX.REGISTRY().anchorOf(s.registration) == s.blockHash) return false;
        if (index >= INBOX.batchCountAt(s.registration, s.originNumber)) return s.kind == Kind.FinalizedHead;
        IBatchInbox.Batch memory batch = INBOX.batchAt(s.registration, index);
        return batch.last != s.number || batch.lastHash != s.blockHash;
    }
}
