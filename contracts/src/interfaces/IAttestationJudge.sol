// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../lib/Bn254.sol";
import {IEvidence} from "./IEvidence.sol";

/// @title Fault 1: two attestations by one key for one height
/// @notice Honest operators attest what consensus finalised, once for each height. Every function here can be called by anyone;
/// the caller is the reporter. One offence for each operator and height, however many headers it signed there.
interface IAttestationJudge is IEvidence {
    /// @notice What an operator signed for a height, without the height.
    struct Attestation {
        uint64 epoch;
        bytes32 headerHash;
        Bn254.G1 signature;
    }

    /// @notice A seat in the first table and the same operator's seat in the second.
    struct SeatPair {
        uint8 one;
        uint8 other;
    }

    /// @notice Both say the same header: no fault.
    error SameHeader(bytes32 headerHash);
    /// @notice The two are for different heights: no fault.
    error OtherHeight(uint64 one, uint64 other);
    /// @notice The two seats belong to different keys.
    error OtherKey(bytes32 one, bytes32 other);

    /// @notice Slashes an operator for two of its attestations. Their epochs may differ.
    /// @dev Reverts {SameHeader}, {OperatorUnknown}, {AttestationIdentity}, {Bn254.PrecompileFailed}, {AttestationInvalid} (the
    /// digest is the first one's), {NothingToSlash}, and as {IServiceManager.slash} does.
    function slashSingles(address operator, uint64 height, Attestation calldata one, Attestation calldata other) external;

    /// @notice Slashes operators that signed both certificates (layout: {ILightClient}). Their tables may differ.
    /// @dev The certificates are checked anew in every call, so a long list is cut into as many calls as the gas of a transaction
    /// needs. Reverts {SeatsWrong}, {ITableStore.TableNotStored}, as {ILightClient.submit} does on a certificate, {OtherHeight},
    /// {SameHeader}, {SeatDidNotSign}, {OtherKey}, {SeatUnknown}, {NothingToSlash}, and as {IServiceManager.slash} does.
    function slashSigners(
        bytes32 oneTable,
        bytes calldata one,
        bytes32 otherTable,
        bytes calldata other,
        SeatPair[] calldata seats
    ) external;

    /// @notice Slashes a signer of a certificate that attested another header by itself.
    /// @dev Reverts as the other two do. The height is the certificate's.
    /// @param seat of the operator in the table
    function slashMixed(Attestation calldata one, bytes32 table, bytes calldata certificate, uint8 seat) external;

    /// @notice The nullifier under which {IServiceManager.isPunished} knows the offence.
    function offenceOf(address operator, uint64 height) external pure returns (bytes32);
}
