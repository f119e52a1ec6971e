// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title "These operators attested this header", and what every judge refuses
/// @notice Integers big-endian, offsets in bytes. A header travels without its domain: the domain is this deployment's, never the
/// caller's. Evidence is one of:
///
/// | offset | single attestation | bytes |
/// |---|---|---|
/// | 0 | 0 | 1 |
/// | 1 | operator's address | 20 |
/// | 21 | header, bytes 32 to 224 of the protocol's | 192 |
/// | 213 | signature, G1 `x ‖ y` | 64 |
///
/// | offset | certificate | bytes |
/// |---|---|---|
/// | 0 | 1 | 1 |
/// | 1 | hash of the committee table; it lies in {ITableStore} | 32 |
/// | 33 | certificate as {ILightClient} takes it | ≥ 291 |
///
/// `seats` says which of a certificate's signers are slashed in this transaction: one byte each, an index into the table. It is
/// empty for a single attestation. Operators that were punished for the offence, or that were slashed out before, are passed over.
///
/// Offence id = `H(fault 1 ‖ operator 20 ‖ height 8 ‖ subject 32)`. Faults: 1 two attestations for one height (subject 0), 2
/// settlement, 3 head without a claim, 4 lane, 6 state root (5 is the sequencers': {IRollupRegistry}).
///
/// A statement of a rollup, under the header's rollups root:
///
/// | offset | field | bytes |
/// |---|---|---|
/// | 0 | rollup leaf as hashed | 142 |
/// | 142 | its index | 4 |
/// | 146 | `d`, number of siblings, at most 32 | 1 |
/// | 147 | siblings, from the bottom | 32·d |
/// | 147 + 32·d | head part as hashed | 112 |
interface IEvidence {
    /// @notice The bytes end before or after their last field.
    error EvidenceLength(uint256 found, uint256 expected);
    /// @notice The first byte says neither single attestation nor certificate.
    error UnknownEvidence(uint8 found);
    /// @notice That account has no key.
    error OperatorUnknown(address operator);
    /// @notice The signature is the identity of G1.
    error AttestationIdentity();
    /// @notice That operator's key did not sign this.
    error AttestationInvalid(address operator, bytes32 digest);
    /// @notice The seat is not in the table, or did not sign.
    error SeatDidNotSign(uint256 seat);
    /// @notice A certificate needs seats, a single attestation takes none.
    error SeatsWrong(uint256 found);
    /// @notice The table has a key that is nobody's.
    error SeatUnknown(bytes32 operatorId);
    /// @notice Everyone that these seats name was slashed before.
    error NothingToSlash();
    error LeafIndexOutOfRange(uint256 index, uint256 depth);
    error RollupProofWrong(bytes32 computed, bytes32 rollupsRoot);
    error HeadPartWrong(bytes32 computed, bytes32 part);
    /// @notice The head was advanced at another height than the header's: whoever signed this header does not answer for it.
    error HeadInherited(uint64 advancedAt, uint64 height);
}
