// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "./IEvidence.sol";

/// @title Fault 6: an attested head whose number or state root is not its own block's
/// @notice A block hash commits to number and state root. Without this, whoever attests could put a false state root beside a hash that
/// the sequencer did sign, and every lane proof would be measured against it. Re-executed rollups only: their block hash is that of
/// an Ethereum header. Which those are the registry says, not the leaf: its class was written by whoever is accused.
interface IStateRootJudge is IEvidence {
    /// @notice The registry does not know it as a rollup whose blocks operators re-execute.
    error NotReexecuted(bytes32 registration);
    /// @notice The header is another block's.
    error BlockHashWrong(bytes32 computed, bytes32 attested);
    /// @notice Number and state root are the block's: no fault.
    error HeadAgrees(uint64 number, bytes32 stateRoot);
    error UnknownConfidence(uint8 found);

    /// @notice Slashes for a head that contradicts its own block.
    /// @dev Callable by anyone; the caller is the reporter. Reverts as {IEvidence} says, {NotReexecuted}, {BlockHashWrong},
    /// {HeadAgrees}, `RLPInvalidEncoding`.
    /// @param confidence which of the leaf's heads the statement's head part is: 0 Latest, 1 Safe, 2 Finalized
    /// @param blockHeader RLP of the header whose hash was attested
    function slash(
        bytes calldata evidence,
        bytes calldata statement,
        uint8 confidence,
        bytes calldata blockHeader,
        bytes calldata seats
    ) external;
}
