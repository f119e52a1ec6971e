// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Knows one kind of fact on L1 and says when a signed statement contradicts it
/// @notice Allow-listed, with delay, by the owner of the contract that asks ({ISettlementJudge}, {IRollupRegistry}): a
/// contradiction that an adapter reports takes stake or bond, so an adapter is trusted like the judge itself. Rules for adapters:
///
/// - Read L1 itself, never a caller's word: storage of contracts that the adapter names in its constructor, block hashes, proofs.
/// - Count only what is final by its own rules: settlement that is proven, or past its challenge.
/// - A head is judged by what L1 held at the statement's origin, not by what came later. When that cannot be told, it is no
///   contradiction.
/// - Judge registrations that it names, not whatever the statement says: `OwnNode` rollups are exempt until they can be judged, so no
///   adapter is listed for them. The class in a leaf decides nothing: whoever is accused wrote it.
/// - Answer false, or revert, when in doubt. An honest signer must never be contradicted.
interface ISettlementAdapter {
    enum Kind {
        NextTable, // a header names the next committee table, or an L1 origin
        SafeHead,
        FinalizedHead,
        Claim // a sequencer's claim; no origin
    }

    /// @notice What was signed. Fields that the kind does not have are zero.
    struct Statement {
        Kind kind;
        uint64 originNumber;
        bytes32 originHash;
        bytes32 nextTableHash;
        uint64 chainId;
        bytes32 registration;
        uint32 generation;
        uint64 number;
        bytes32 blockHash;
        bytes32 stateRoot;
        bytes32 lanesRoot;
    }

    /// @notice Whether L1 contradicts the statement.
    /// @param proof whatever this adapter asks for
    function contradicts(Statement calldata statement, bytes calldata proof) external view returns (bool);
}
