// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "../interfaces/IEvidence.sol";
import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {Bn254} from "../lib/Bn254.sol";
import {Certificate} from "../lib/Certificate.sol";
import {CommitteeTable} from "../lib/CommitteeTable.sol";

/// @title What all judges share: who signed which header, and the slash
/// @notice Keys come from the ServiceManager or from a table that it selected, the domain from the ServiceManager: nothing that
/// decides is taken from the caller.
abstract contract Evidence is IEvidence {
    IServiceManager public immutable SERVICE_MANAGER;
    ITableStore public immutable TABLES;
    bytes32 public immutable DOMAIN;

    /// @dev Bytes of a header without its domain.
    uint256 internal constant HEADER_BYTES = 192;
    uint256 private constant SINGLE_BYTES = 277;
    uint256 private constant CERTIFICATE = 33;

    /// @dev A header's fields, and its hash under this deployment's domain.
    struct Header {
        uint64 epoch;
        uint64 height;
        uint64 originNumber;
        bytes32 originHash;
        bytes32 rollupsRoot;
        bytes32 nextTableHash;
        bytes32 hash;
    }

    constructor(IServiceManager serviceManager, ITableStore tables) {
        SERVICE_MANAGER = serviceManager;
        TABLES = tables;
        DOMAIN = serviceManager.DOMAIN();
    }

    /// @dev The header that the evidence is about; its signatures are checked by {_check}.
    function _header(bytes calldata evidence) internal view returns (Header memory) {
        if (evidence.length == 0) revert EvidenceLength(0, SINGLE_BYTES);
        uint8 tag = uint8(evidence[0]);
        if (tag == 0) {
            if (evidence.length != SINGLE_BYTES) revert EvidenceLength(evidence.length, SINGLE_BYTES);
            return _parseHeader(evidence[21:213]);
        }
        if (tag != 1) revert UnknownEvidence(tag);
        uint256 least = CERTIFICATE + Certificate.ABSENTEES;
        if (evidence.length < least) revert EvidenceLength(evidence.length, least);
        return _parseHeader(evidence[CERTIFICATE + Certificate.HEADER:][:HEADER_BYTES]);
    }

    /// @dev Reverts unless what the evidence says was signed. `h` is its {_header}, which checked its length.
    function _check(bytes calldata evidence, Header memory h) internal view {
        if (evidence[0] == 0) {
            address operator = address(bytes20(evidence[1:21]));
            Bn254.G1 memory signature = Bn254.G1(uint256(bytes32(evidence[213:245])), uint256(bytes32(evidence[245:277])));
            _checkSingle(operator, _digest(h.epoch, h.height, h.hash), signature);
        } else {
            _checkCertificate(bytes32(evidence[1:CERTIFICATE]), evidence[CERTIFICATE:], h);
        }
    }

    /// @dev The operators that `seats` name. The evidence has passed {_check}.
    function _offenders(bytes calldata evidence, bytes calldata seats) internal view returns (address[] memory operators) {
        if (evidence[0] == 0) {
            if (seats.length != 0) revert SeatsWrong(seats.length);
            operators = new address[](1);
            operators[0] = address(bytes20(evidence[1:21]));
            return operators;
        }
        if (seats.length == 0) revert SeatsWrong(0);
        operators = new address[](seats.length);
        bytes32 table = bytes32(evidence[1:CERTIFICATE]);
        for (uint256 i; i < seats.length; ++i) {
            operators[i] = _operatorOf(_signerId(table, evidence[CERTIFICATE:], uint8(seats[i])));
        }
    }

    /// @dev Slashes all of them that are not out already; the caller is the reporter.
    function _slash(uint8 fault, uint64 height, bytes32 subject, address[] memory operators) internal {
        uint256 slashed;
        for (uint256 i; i < operators.length; ++i) {
            bytes32 offence = _offence(fault, operators[i], height, subject);
            if (SERVICE_MANAGER.isPunished(offence) || SERVICE_MANAGER.isJailed(operators[i])) continue;
            SERVICE_MANAGER.slash(operators[i], fault, offence, msg.sender);
            ++slashed;
        }
        if (slashed == 0) revert NothingToSlash();
    }

    function _offence(uint8 fault, address operator, uint64 height, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(fault, operator, height, subject));
    }

    /// @dev What an operator signs for a header: kind 1 of docs/protocol.md.
    function _digest(uint64 epoch, uint64 height, bytes32 headerHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(DOMAIN, uint8(1), epoch, height, headerHash));
    }

    /// @dev `bytes` are the 192 of a header without its domain.
    function _parseHeader(bytes calldata b) internal view returns (Header memory h) {
        (h.epoch, h.height) = (uint64(bytes8(b[0:8])), uint64(bytes8(b[8:16])));
        h.originNumber = uint64(bytes8(b[24:32]));
        (h.originHash, h.rollupsRoot) = (bytes32(b[64:96]), bytes32(b[96:128]));
        h.nextTableHash = bytes32(b[160:192]);
        h.hash = keccak256(abi.encodePacked(DOMAIN, b));
    }

    /// @dev The key that an operator registered, with proof of possession.
    function _keyOf(address operator) internal view returns (Bn254.G2 memory keyG2) {
        if (SERVICE_MANAGER.operatorIdOf(operator) == 0) revert OperatorUnknown(operator);
        (, keyG2,) = SERVICE_MANAGER.keyOf(operator);
    }

    function _checkSingle(address operator, bytes32 digest, Bn254.G1 memory signature) internal view {
        Bn254.G2 memory keyG2 = _keyOf(operator);
        if ((signature.x | signature.y) == 0) revert AttestationIdentity();
        if (signature.y >= Bn254.P) revert Bn254.PrecompileFailed(8);
        if (!Bn254.pairsToOne(Bn254.negate(signature), Bn254.hashToG1(digest), keyG2)) {
            revert AttestationInvalid(operator, digest);
        }
    }

    /// @dev `h` is the header in the certificate.
    function _checkCertificate(bytes32 tableHash, bytes calldata certificate, Header memory h) internal view {
        uint256 absent = Certificate.checkShape(certificate);
        (address table, uint256 operators) = TABLES.tableOf(tableHash);
        bytes32 digest = _digest(h.epoch, h.height, h.hash);
        Certificate.verify(certificate, absent, Certificate.fromCode(table, absent, operators), operators, digest);
    }

    /// @dev The id of a seat that is not among the absentees of a checked certificate.
    function _signerId(bytes32 tableHash, bytes calldata certificate, uint256 seat) internal view returns (bytes32) {
        (address table, uint256 operators) = TABLES.tableOf(tableHash);
        if (seat >= operators) revert SeatDidNotSign(seat);
        uint256 end = Certificate.ABSENTEES + uint8(certificate[Certificate.ABSENT_COUNT]);
        for (uint256 i = Certificate.ABSENTEES; i < end; ++i) {
            if (uint8(certificate[i]) == seat) revert SeatDidNotSign(seat);
        }
        bytes32 id;
        uint256 offset = 1 + CommitteeTable.HEAD + CommitteeTable.ENTRY * seat;
        assembly ("memory-safe") {
            extcodecopy(table, 0, offset, 64)
            id := keccak256(0, 64)
        }
        return id;
    }

    function _operatorOf(bytes32 operatorId) internal view returns (address operator) {
        operator = SERVICE_MANAGER.operatorOf(operatorId);
        if (operator == address(0)) revert SeatUnknown(operatorId);
    }
}
