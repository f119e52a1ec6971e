// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAttestationJudge} from "../interfaces/IAttestationJudge.sol";
import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {Bn254} from "../lib/Bn254.sol";
import {Certificate} from "../lib/Certificate.sol";
import {Evidence} from "./Evidence.sol";

/// @title Fault 1: two attestations by one key for one height
contract AttestationJudge is IAttestationJudge, Evidence {
    uint8 private constant FAULT = 1;

    /// @param serviceManager that knows keys and slashes
    /// @param tables where committee tables lie
    constructor(IServiceManager serviceManager, ITableStore tables) Evidence(serviceManager, tables) {}

    /// @inheritdoc IAttestationJudge
    function slashSingles(address operator, uint64 height, Attestation calldata one, Attestation calldata other) external {
        if (one.headerHash == other.headerHash) revert SameHeader(one.headerHash);
        _checkBoth(operator, height, one, other);
        _slashOne(operator, height);
    }

    /// @inheritdoc IAttestationJudge
    function slashSigners(
        bytes32 oneTable,
        bytes calldata one,
        bytes32 otherTable,
        bytes calldata other,
        SeatPair[] calldata seats
    ) external {
        if (seats.length == 0) revert SeatsWrong(0);
        Header memory a = _certified(oneTable, one);
        Header memory b = _certified(otherTable, other);
        if (a.height != b.height) revert OtherHeight(a.height, b.height);
        if (a.hash == b.hash) revert SameHeader(a.hash);
        address[] memory operators = new address[](seats.length);
        for (uint256 i; i < seats.length; ++i) {
            bytes32 id = _signerId(oneTable, one, seats[i].one);
            bytes32 otherId = _signerId(otherTable, other, seats[i].other);
            if (id != otherId) revert OtherKey(id, otherId);
            operators[i] = _operatorOf(id);
        }
        _slash(FAULT, a.height, 0, operators);
    }

    /// @inheritdoc IAttestationJudge
    function slashMixed(Attestation calldata one, bytes32 table, bytes calldata certificate, uint8 seat) external {
        Header memory h = _certified(table, certificate);
        if (h.hash == one.headerHash) revert SameHeader(h.hash);
        address operator = _operatorOf(_signerId(table, certificate, seat));
        _checkSingle(operator, _digest(one.epoch, h.height, one.headerHash), one.signature);
        _slashOne(operator, h.height);
    }

    /// @inheritdoc IAttestationJudge
    function offenceOf(address operator, uint64 height) external pure returns (bytes32) {
        return _offence(FAULT, operator, height, 0);
    }

    function _slashOne(address operator, uint64 height) private {
        address[] memory operators = new address[](1);
        operators[0] = operator;
        _slash(FAULT, height, 0, operators);
    }

    /// @dev The header of a certificate that holds.
    function _certified(bytes32 table, bytes calldata certificate) private view returns (Header memory h) {
        Certificate.checkShape(certificate);
        h = _parseHeader(certificate[Certificate.HEADER:][:HEADER_BYTES]);
        _checkCertificate(table, certificate, h);
    }

    /// @dev Both signatures in one pairing: `e(s1 + g·s2, -G2) · e(H1 + g·H2, K) = 1` with `g` from all inputs holds only when
    /// each signature is the key's, save for a `g` that nobody can aim at.
    function _checkBoth(address operator, uint64 height, Attestation calldata one, Attestation calldata other) private view {
        Bn254.G2 memory keyG2 = _keyOf(operator);
        if ((one.signature.x | one.signature.y) == 0 || (other.signature.x | other.signature.y) == 0) {
            revert AttestationIdentity();
        }
        bytes32 digest = _digest(one.epoch, height, one.headerHash);
        bytes32 otherDigest = _digest(other.epoch, height, other.headerHash);
        uint256 g = uint256(keccak256(abi.encode(keyG2, one.signature, other.signature, digest, otherDigest))) % Bn254.R;
        Bn254.G1 memory signatures = Bn254.add(one.signature, Bn254.multiply(other.signature, g));
        Bn254.G1 memory hashed = Bn254.add(Bn254.hashToG1(digest), Bn254.multiply(Bn254.hashToG1(otherDigest), g));
        if (!Bn254.pairsToOne(Bn254.negate(signatures), hashed, keyG2)) revert AttestationInvalid(operator, digest);
    }
}
