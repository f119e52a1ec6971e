// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../interfaces/ILightClient.sol";
import {CommitteeTable} from "./CommitteeTable.sol";

/// @title Checks one certificate against one committee table
/// @notice Layout of the bytes: {ILightClient}. What holds afterwards: the signers are the table without the absentees,
/// they hold two thirds of its stake, and their keys' sum signed the digest.
///
/// Why a hinted point is as good as `hashToG1`'s. The specification takes the first `x ≥ digest` on the curve; proving
/// on chain that the passed ones are not on it would cost up to 7,000 gas. Instead any step `k < 256` is taken. Honest
/// signers sign the specification's point only, so a signature on another point would need a second digest within 256
/// of a signed one: 2⁻²⁴⁵ for each pair of digests, as hopeless as a collision of keccak256. The sign of `y` is not
/// free: -1 is no square (p = 3 mod 4), so exactly one of `y`, `-y` is a square, and it is the one that the power
/// `(p + 1) / 4` gives. Asking for `y = w²` fixes it.
///
/// Why the random factor. When somebody is absent the caller names the signers' G2 sum. With
/// `g = H(all inputs)`, `e(sig + g·K1, -G2) · e(H + g·G1, K2) = 1` holds only when K2 belongs to K1 and sig to both.
/// When nobody is absent the G2 sum is in the certified table and one pairing equation suffices.
library Certificate {
    /// @dev Offsets in a certificate.
    uint256 internal constant HEADER = 1;
    uint256 internal constant HEADER_BYTES = 192;
    uint256 internal constant SIGNATURE = 193;
    uint256 internal constant ROOT_HINT = 257;
    uint256 internal constant STEP = 289;
    uint256 internal constant ABSENT_COUNT = 290;
    uint256 internal constant ABSENTEES = 291;
    uint256 internal constant G2_BYTES = 128;

    uint256 private constant P = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant G2_X_IM = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 private constant G2_X_RE = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 private constant G2_Y_IM = 4082367875863433681332203403145435568316851327593401208105741076214120093531;
    uint256 private constant G2_Y_RE = 8495653923123431417604973247489272438418190587263600148770280649306958101930;

    /// @notice Refuses a certificate whose length or scheme is not what it says.
    function checkShape(bytes calldata c) internal pure {
        uint256 expected = ABSENTEES;
        if (c.length >= ABSENTEES) {
            uint256 absent = uint8(c[ABSENT_COUNT]);
            if (absent != 0) expected += absent + G2_BYTES;
        }
        if (c.length != expected) revert ILightClient.CertificateLength(c.length, expected);
        if (uint8(c[0]) != 1) revert ILightClient.UnknownScheme(uint8(c[0]));
    }

    /// @notice Reverts unless the certificate's signers signed `digest` with two thirds of the table's stake.
    /// @param c a certificate that passed {checkShape}
    /// @param epoch whose committee signs; its table is read
    function verify(bytes calldata c, uint64 epoch, bytes32 digest) internal view {
        address table = CommitteeTable.addressOf(epoch);
        uint256 size = table.code.length;
        if (size == 0) revert ILightClient.TableNotInstalled(epoch);

        (uint256 hashedX, uint256 hashedY) = _hashedPoint(c, digest);
        uint256 input; // where the pairing's 12 words lie
        uint256 failed; // 0, or the precompile that did not do its work
        if (uint8(c[ABSENT_COUNT]) == 0) {
            assembly ("memory-safe") {
                input := mload(0x40)
                // -signature. A y that is not below p becomes a point the pairing refuses.
                mstore(input, calldataload(add(c.offset, SIGNATURE)))
                mstore(add(input, 0x20), sub(P, calldataload(add(c.offset, add(SIGNATURE, 32)))))
                mstore(add(input, 0xc0), hashedX)
                mstore(add(input, 0xe0), hashedY)
                // G2 sum of all: bytes 64 to 192 of entry 0, after the one zero byte.
                extcodecopy(table, add(input, 0x100), 65, 128)
            }
        } else {
            uint256 operators = (size - 1 - CommitteeTable.HEAD) / CommitteeTable.ENTRY;
            (input, failed) = _withoutAbsentees(c, table, operators, hashedX, hashedY);
        }

        bool holds;
        assembly ("memory-safe") {
            mstore(add(input, 0x40), G2_X_IM)
            mstore(add(input, 0x60), G2_X_RE)
            mstore(add(input, 0x80), G2_Y_IM)
            mstore(add(input, 0xa0), G2_Y_RE)
            let ok := staticcall(gas(), 8, input, 0x180, 0, 0x20)
            // A chain without the precompile answers success and no data.
            if iszero(or(failed, and(ok, eq(returndatasize(), 0x20)))) { failed := 8 }
            holds := eq(mload(0), 1)
        }
        if (failed != 0) revert ILightClient.PrecompileFailed(failed);
        if (!holds) revert ILightClient.SignatureInvalid();
    }

    /// @dev The point that was signed, from its hints; also refuses a signature that is no point at all.
    function _hashedPoint(bytes calldata c, bytes32 digest) private pure returns (uint256 x, uint256 y) {
        uint256 step = uint8(c[STEP]);
        uint256 hint;
        bool onCurve;
        bool identity;
        assembly ("memory-safe") {
            hint := calldataload(add(c.offset, ROOT_HINT))
            x := addmod(digest, step, P)
            y := mulmod(hint, hint, P)
            onCurve := eq(mulmod(y, y, P), addmod(mulmod(mulmod(x, x, P), x, P), 3, P))
            let signature := add(c.offset, SIGNATURE)
            identity := iszero(or(calldataload(signature), calldataload(add(signature, 32))))
        }
        if (!onCurve) revert ILightClient.RootHintWrong(step, hint);
        if (identity) revert ILightClient.IdentitySignature();
    }

    /// @dev Takes the absentees out, checks the quorum and lays out `-(sig + g·K1)`, `H + g·G1` and K2 for the pairing.
    function _withoutAbsentees(bytes calldata c, address table, uint256 operators, uint256 hashedX, uint256 hashedY)
        private
        view
        returns (uint256 input, uint256 failed)
    {
        uint256 absent = uint8(c[ABSENT_COUNT]);
        // Ascending order is checked below, so it is enough to bound the last one here.
        uint256 last = uint8(c[ABSENTEES + absent - 1]);
        if (last >= operators) revert ILightClient.AbsenteeOutOfRange(last, operators);

        uint256 totalStake;
        uint256 absentStake;
        uint256 previous;
        uint256 disordered = 256; // an index that did not ascend; 256 = none
        assembly ("memory-safe") {
            let entries := mload(0x40)
            let list := add(c.offset, ABSENTEES)
            extcodecopy(table, entries, 1, add(208, mul(80, operators)))
            totalStake := shr(128, mload(add(entries, 192)))
            input := add(entries, add(208, mul(80, operators)))
            // The running sum, which starts as -(sum of all keys), is always written just before the next absentee's key,
            // over bytes that nobody reads any more, so that both operands of the addition lie side by side.
            let sumX := mload(entries)
            let sumY := sub(P, mload(add(entries, 32)))
            entries := add(entries, 208)
            previous := byte(0, calldataload(list))
            let at := add(entries, mul(80, previous))
            mstore(sub(at, 64), sumX)
            mstore(sub(at, 32), sumY)
            let ok := 1
            for { let end := add(list, absent) } 1 {} {
                absentStake := add(absentStake, shr(128, mload(add(at, 64))))
                list := add(list, 1)
                if eq(list, end) { break }
                let index := byte(0, calldataload(list))
                if iszero(gt(index, previous)) {
                    disordered := index
                    break
                }
                let next := add(entries, mul(80, index))
                ok := and(ok, staticcall(gas(), 6, sub(at, 64), 128, sub(next, 64), 64))
                previous := index
                at := next
            }
            // The last sum, -K1, goes to `input`.
            ok := and(ok, staticcall(gas(), 6, sub(at, 64), 128, input, 64))
            if iszero(and(ok, eq(returndatasize(), 64))) { failed := 6 }
        }
        if (disordered != 256) revert ILightClient.AbsenteesNotAscending(previous, disordered);
        // Signed × 3 ≥ total × 2 is the same as total ≥ absent × 3; stakes have 128 bits, so neither side overflows.
        if (absentStake * 3 > totalStake) {
            revert ILightClient.QuorumNotReached(totalStake - (absentStake < totalStake ? absentStake : totalStake), totalStake);
        }

        bool identity;
        assembly ("memory-safe") {
            let signature := add(c.offset, SIGNATURE)
            let key := add(add(c.offset, ABSENTEES), absent)
            // g = H(-K1 ‖ signature ‖ hashed point ‖ K2) mod r
            calldatacopy(add(input, 0x40), signature, 0x40)
            mstore(add(input, 0x80), hashedX)
            mstore(add(input, 0xa0), hashedY)
            calldatacopy(add(input, 0xc0), key, 0x80)
            identity := iszero(
                or(or(mload(add(input, 0xc0)), mload(add(input, 0xe0))), or(mload(add(input, 0x100)), mload(add(input, 0x120))))
            )
            let g := mod(keccak256(input, 0x140), R)
            // input: g·(-K1) - signature
            mstore(add(input, 0x40), g)
            let ok := staticcall(gas(), 7, input, 0x60, input, 0x40)
            ok := and(ok, eq(returndatasize(), 0x40))
            mstore(add(input, 0x40), calldataload(signature))
            mstore(add(input, 0x60), sub(P, calldataload(add(signature, 32))))
            ok := and(ok, staticcall(gas(), 6, input, 0x80, input, 0x40))
            // input + 0xc0: g·G1 + hashed point
            mstore(add(input, 0xc0), 1)
            mstore(add(input, 0xe0), 2)
            mstore(add(input, 0x100), g)
            ok := and(ok, staticcall(gas(), 7, add(input, 0xc0), 0x60, add(input, 0xc0), 0x40))
            mstore(add(input, 0x100), hashedX)
            mstore(add(input, 0x120), hashedY)
            ok := and(ok, staticcall(gas(), 6, add(input, 0xc0), 0x80, add(input, 0xc0), 0x40))
            calldatacopy(add(input, 0x100), key, 0x80)
            if iszero(or(ok, failed)) { failed := 7 }
        }
        if (identity) revert ILightClient.IdentityKey();
    }
}
