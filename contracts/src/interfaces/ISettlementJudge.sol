// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "./IEvidence.sol";
import {ISettlementAdapter} from "./ISettlementAdapter.sol";

/// @title Fault 2: an attested `Safe` or `Finalized` head, or next table, that contradicts L1 as it stood at the header's L1 origin
/// @notice What L1 says is told by adapters. The owner announces them; they count after `ADAPTER_DELAY_S`, so that operators who do not
/// believe in one can leave first. Whatever an adapter says, this judge itself holds operators only to heads that were advanced at
/// the header's own height.
interface ISettlementJudge is IEvidence {
    event AdapterAnnounced(address indexed adapter, uint64 activeAt);
    event AdapterRemoved(address indexed adapter);

    error NotOwner(address caller);
    error AdapterKnown(address adapter, uint64 activeAt);
    error AdapterNotActive(address adapter);
    /// @notice The adapter sees no contradiction: no fault.
    error NotContradicted();
    /// @notice Only `Safe` (1) and `Finalized` (2) heads can be settled.
    error UnknownConfidence(uint8 found);

    /// @notice Slashes for a header's next table hash or L1 origin.
    /// @dev Callable by anyone; the caller is the reporter. Reverts as {IEvidence} says, {AdapterNotActive}, {NotContradicted}, and as
    /// the adapter does.
    function slashHeader(bytes calldata evidence, ISettlementAdapter adapter, bytes calldata proof, bytes calldata seats) external;

    /// @notice Slashes for a `Safe` or `Finalized` head.
    /// @dev As {slashHeader}, and {HeadInherited}, {UnknownConfidence}.
    /// @param confidence which of the leaf's heads the statement's head part is
    function slashHead(
        bytes calldata evidence,
        bytes calldata statement,
        uint8 confidence,
        ISettlementAdapter adapter,
        bytes calldata proof,
        bytes calldata seats
    ) external;

    /// @notice Announces an adapter. Owner only. One that was removed may be announced again, with the delay.
    function announceAdapter(address adapter) external;
    /// @notice Stops an adapter at once. Owner only.
    function removeAdapter(address adapter) external;
    /// @notice When an adapter is active, seconds since 1970; 0 when it is not listed.
    function adapterActiveAt(address adapter) external view returns (uint64);
}
