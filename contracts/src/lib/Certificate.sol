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
    /// @return absent number of absentees
    function checkShape(bytes calldata c) internal pure returns (uint256 absent) {
        uint256 scheme;
        assembly ("memory-safe") {
            // Past the end these read zeros, and the length is refused below.
            scheme := byte(0, calldataload(c.offset))
            absent := byte(0, calldataload(add(c.offset, ABSENT_COUNT)))
        }
        unchecked {
            uint256 expected = absent == 0 || c.length < ABSENTEES ? ABSENTEES : ABSENTEES + G2_BYTES + absent;
            if (c.length != expected) revert ILightClient.CertificateLength(c.length, expected);
        }
        if (scheme != 1) revert ILightClient.UnknownScheme(uint8(scheme));
    }

    /// @notice Where {verify} wants a table. When all sign: bytes 64 to 216 of it, the G2 sum of all, total stake and valid until,
    /// where the pairing reads them. Else: the table from its first byte on, of which entry 0 and the absentees' are read.
    function room(uint256 absent) internal pure returns (uint256 at) {
        assembly ("memory-safe") {
            at := add(mload(0x40), shl(8, iszero(absent)))
        }
    }

    /// @notice Copies a table there that {CommitteeTable} wrote.
    function fromCode(address table, uint256 absent, uint256 operators) internal view returns (uint256 at) {
        at = room(absent);
        assembly ("memory-safe") {
            // After the one zero byte.
            switch absent
            case 0 { extcodecopy(table, at, 65, 152) }
            default { extcodecopy(table, at, 1, add(216, mul(80, operators))) }
        }
    }

    /// @notice Reverts unless the certificate's signers signed `digest` with two thirds of the table's stake.
    /// @param c a certificate that passed {checkShape}, which gave `absent`
    /// @param table memory address of the committee's table, as {room} says; nothing was allocated since
    /// @param operators in that table
    /// @return validUntil until when the table is good, in seconds since 1970: whether that is over is for the caller to ask
    function verify(bytes calldata c, uint256 absent, uint256 table, uint256 operators, bytes32 digest)
        internal
        view
        returns (uint256 validUntil)
    {
        (uint256 hashedX, uint256 hashedY) = _hashedPoint(c, digest);
        uint256 input; // where the pairing's 12 words lie
        if (absent == 0) {
            assembly ("memory-safe") {
                input := sub(table, 0x100)
                // -signature. A y that is not below p becomes a point the pairing refuses.
                mstore(input, calldataload(add(c.offset, SIGNATURE)))
                mstore(add(input, 0x20), sub(P, calldataload(add(c.offset, 225))))
                mstore(add(input, 0xc0), hashedX)
                mstore(add(input, 0xe0), hashedY)
                // The G2 sum of all is in place; past what the pairing reads are total stake and valid until.
                validUntil := shr(192, mload(add(table, 0x90)))
            }
        } else {
            uint256 sums;
            uint256 list;
            assembly ("memory-safe") {
                validUntil := shr(192, mload(add(table, 208)))
                input := add(table, add(216, mul(80, operators)))
                sums := add(table, 152)
                list := add(c.offset, ABSENTEES)
            }
            _subtract(sums, list, absent, input);
            _addConsistency(input, c, absent, hashedX, hashedY);
        }

        uint256 result; // 0 not answered, 1 does not hold, 2 holds
        assembly ("memory-safe") {
            mstore(add(input, 0x40), G2_X_IM)
            mstore(add(input, 0x60), G2_X_RE)
            mstore(add(input, 0x80), G2_Y_IM)
            mstore(add(input, 0xa0), G2_Y_RE)
            let ok := staticcall(gas(), 8, input, 0x180, 0, 0x20)
            // A chain without the precompile answers success and no data.
            result := mul(and(ok, eq(returndatasize(), 0x20)), add(1, eq(mload(0), 1)))
        }
        if (result == 2) return validUntil;
        if (result == 0) revert ILightClient.PrecompileFailed(8);
        revert ILightClient.SignatureInvalid();
    }

    /// @dev The point that was signed, from its hints; also refuses a signature that is no point at all.
    function _hashedPoint(bytes calldata c, bytes32 digest) private pure returns (uint256 x, uint256 y) {
        uint256 wrong; // 1 hint, 2 signature
        assembly ("memory-safe") {
            x := addmod(digest, byte(0, calldataload(add(c.offset, STEP))), P)
            y := calldataload(add(c.offset, ROOT_HINT))
            y := mulmod(y, y, P)
            wrong := iszero(eq(mulmod(y, y, P), addmod(mulmod(mulmod(x, x, P), x, P), 3, P)))
            if iszero(or(calldataload(add(c.offset, SIGNATURE)), calldataload(add(c.offset, 225)))) { wrong := 2 }
        }
        if (wrong == 0) return (x, y);
        if (wrong == 2) revert ILightClient.IdentitySignature();
        revert ILightClient.RootHintWrong(uint8(c[STEP]), uint256(bytes32(c[ROOT_HINT:STEP])));
    }

    /// @dev Checks the absentees and the quorum, and leaves `absentees' keys - sum of all keys`, which is -K1, at `input`.
    /// The running sum is always written just before the next absentee's key, over bytes that nobody reads any more, so
    /// that both operands of an addition lie side by side and nothing is moved.
    /// @param sums memory address in a copy of the table, 64 bytes before the first operator's entry
    /// @param list calldata offset of the absentees
    /// @param absent how many there are, at least 1
    /// @param input memory address of the end of the copy
    function _subtract(uint256 sums, uint256 list, uint256 absent, uint256 input) internal view {
        uint256 stake; // its low 128 bits are the absentees' stake; what lies above them is rubbish
        uint256 total;
        uint256 ok;
        assembly ("memory-safe") {
            total := shr(128, mload(add(sums, 40)))
            let end := add(list, absent)
            // Start with -(sum of all keys), which entry 0 holds.
            let x := mload(sub(sums, 152))
            let y := sub(P, mload(sub(sums, 120)))
            let at := add(sums, mul(80, byte(0, calldataload(list))))
            mstore(at, x)
            mstore(add(at, 32), y)
            // The entry's key lies at `at + 64`; its 16 bytes of stake end at `at + 144`.
            stake := mload(add(at, 112))
            list := add(list, 1)
            ok := 1
            for { let fours := add(list, and(sub(absent, 1), not(3))) } lt(list, fours) { list := add(list, 4) } {
                // Four at a time, from `at` to `next` and back to `at`, so that no variable is moved either.
                let indexes := calldataload(list)
                let next := add(sums, mul(80, byte(0, indexes)))
                stake := add(stake, mload(add(next, 112)))
                ok := and(and(gt(next, at), ok), staticcall(gas(), 6, at, 128, next, 64))
                at := add(sums, mul(80, byte(1, indexes)))
                stake := add(stake, mload(add(at, 112)))
                ok := and(and(gt(at, next), ok), staticcall(gas(), 6, next, 128, at, 64))
                next := add(sums, mul(80, byte(2, indexes)))
                stake := add(stake, mload(add(next, 112)))
                ok := and(and(gt(next, at), ok), staticcall(gas(), 6, at, 128, next, 64))
                at := add(sums, mul(80, byte(3, indexes)))
                stake := add(stake, mload(add(at, 112)))
                ok := and(and(gt(at, next), ok), staticcall(gas(), 6, next, 128, at, 64))
            }
            for {} lt(list, end) { list := add(list, 1) } {
                let next := add(sums, mul(80, byte(0, calldataload(list))))
                stake := add(stake, mload(add(next, 112)))
                ok := and(and(gt(next, at), ok), staticcall(gas(), 6, at, 128, next, 64))
                at := next
            }
            ok := and(staticcall(gas(), 6, at, 128, input, 64), ok)
            // The last absentee's entry ends within the table, hence, as they ascend, so do all.
            ok := and(and(ok, eq(returndatasize(), 64)), lt(at, sub(input, 143)))
            // The sum of all stakes fits 128 bits, which is checked when a table is installed.
            stake := and(stake, 0xffffffffffffffffffffffffffffffff)
        }
        unchecked {
            if (ok == 0) {
                _refuseAbsentees(list - absent, absent, (input - sums - 64) / CommitteeTable.ENTRY);
            }
            // Signed × 3 ≥ total × 2 is the same as total ≥ absent × 3.
            if (stake * 3 <= total) return;
            revert ILightClient.QuorumNotReached(total - stake, total);
        }
    }

    /// @dev Says what is wrong with a list of absentees that did not add up.
    function _refuseAbsentees(uint256 list, uint256 absent, uint256 operators) private pure {
        uint256 previous;
        for (uint256 i; i < absent; ++i) {
            uint256 index;
            assembly ("memory-safe") {
                index := byte(0, calldataload(add(list, i)))
            }
            if (i != 0 && index <= previous) revert ILightClient.AbsenteesNotAscending(previous, index);
            previous = index;
        }
        if (previous >= operators) revert ILightClient.AbsenteeOutOfRange(previous, operators);
        revert ILightClient.PrecompileFailed(6);
    }

    /// @dev From -K1 at `input`: lays out `-(sig + g·K1)` and `H + g·G1` and K2.
    function _addConsistency(uint256 input, bytes calldata c, uint256 absent, uint256 hashedX, uint256 hashedY)
        private
        view
    {
        uint256 wrong; // 1 precompile, 2 identity
        assembly ("memory-safe") {
            let signature := add(c.offset, SIGNATURE)
            let key := add(add(c.offset, ABSENTEES), absent)
            // g = H(-K1 ‖ signature ‖ hashed point ‖ K2) mod r
            calldatacopy(add(input, 0x40), signature, 0x40)
            mstore(add(input, 0x80), hashedX)
            mstore(add(input, 0xa0), hashedY)
            let second := add(input, 0xc0)
            calldatacopy(second, key, 0x80)
            let g := mod(keccak256(input, 0x140), R)
            // input: g·(-K1) - signature
            mstore(add(input, 0x40), g)
            let ok := staticcall(gas(), 7, input, 0x60, input, 0x40)
            ok := and(ok, eq(returndatasize(), 0x40))
            mstore(add(input, 0x40), calldataload(signature))
            mstore(add(input, 0x60), sub(P, calldataload(add(signature, 32))))
            ok := and(ok, staticcall(gas(), 6, input, 0x80, input, 0x40))
            // second: g·G1 + hashed point
            mstore(second, 1)
            mstore(add(second, 0x20), 2)
            mstore(add(second, 0x40), g)
            ok := and(ok, staticcall(gas(), 7, second, 0x60, second, 0x40))
            mstore(add(second, 0x40), hashedX)
            mstore(add(second, 0x60), hashedY)
            wrong := iszero(and(ok, staticcall(gas(), 6, second, 0x80, second, 0x40)))
            calldatacopy(add(second, 0x40), key, 0x80)
            if iszero(or(or(mload(add(second, 0x40)), mload(add(second, 0x60))), or(mload(add(second, 0x80)), mload(add(second, 0xa0))))) {
                wrong := 2
            }
        }
        if (wrong == 0) return;
        if (wrong == 2) revert ILightClient.IdentityKey();
        revert ILightClient.PrecompileFailed(7);
    }
}
