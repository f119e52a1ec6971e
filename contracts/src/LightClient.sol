// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "./interfaces/ILightClient.sol";
import {Certificate} from "./lib/Certificate.sol";
import {CommitteeTable} from "./lib/CommitteeTable.sol";

/// @title The operators' chain as another chain sees it
/// @notice One for each chain, at one address everywhere. No owner, no switch: what a quorum signed is believed, nothing else.
///
/// Storage: slot 0 `epochs`, slot 1 `tableHashes`, slots 2 to 65 the ring of checkpoints
/// (`height 8 ‖ first 24 bytes of H(time 8 ‖ rollups root 32)` each).
contract LightClient is ILightClient {
    /// @dev What an epoch may certify: heights in `(openedAbove, closedAt]`, without an end while `closedAt` is 0.
    struct Span {
        uint64 openedAbove;
        uint64 closedAt;
    }

    uint256 private constant PLACES = 64;

    /// @inheritdoc ILightClient
    bytes32 public immutable DOMAIN;

    mapping(uint64 epoch => Span) private epochs;
    mapping(uint64 epoch => bytes32) private tableHashes;
    uint256[PLACES] private ring;

    /// @param domain of the operators' chain, docs/protocol.md
    /// @param genesisEpoch the first epoch that this client accepts
    /// @param genesisTableHash hash of that epoch's table; anyone may install the table itself
    constructor(bytes32 domain, uint64 genesisEpoch, bytes32 genesisTableHash) {
        DOMAIN = domain;
        tableHashes[genesisEpoch] = genesisTableHash;
    }

    /// @inheritdoc ILightClient
    function installTable(uint64 epoch, bytes calldata table) external {
        uint256 n = table.length < CommitteeTable.HEAD ? 0 : (table.length - CommitteeTable.HEAD) / CommitteeTable.ENTRY;
        if (n == 0 || n > CommitteeTable.OPERATORS_MAX || table.length != CommitteeTable.HEAD + n * CommitteeTable.ENTRY) {
            revert TableLength(table.length);
        }
        bytes32 known = tableHashes[epoch];
        bytes32 computed = keccak256(table);
        if (known == 0 || known != computed) revert TableHashMismatch(epoch, known, computed);
        if (uint128(bytes16(table[192:208])) == 0) revert TableWithoutStake();
        if (CommitteeTable.addressOf(epoch).code.length != 0) revert TableAlreadyInstalled(epoch);
        address written = CommitteeTable.write(epoch, table);
        if (written == address(0)) revert TableNotCreated();
        emit TableInstalled(epoch, written);
    }

    /// @inheritdoc ILightClient
    function submit(bytes calldata certificate) external returns (bool accepted) {
        Certificate.checkShape(certificate);
        uint64 epoch;
        uint64 height;
        uint64 timeMs;
        bytes32 rollupsRoot;
        bytes32 nextTableHash;
        assembly ("memory-safe") {
            // The first 8 bytes of each word are the field.
            epoch := shr(192, calldataload(add(certificate.offset, 1)))
            height := shr(192, calldataload(add(certificate.offset, 9)))
            timeMs := shr(192, calldataload(add(certificate.offset, 17)))
            rollupsRoot := calldataload(add(certificate.offset, 97))
            nextTableHash := calldataload(add(certificate.offset, 161))
        }

        uint256 place = height % PLACES;
        uint256 word = _word(height, timeMs, rollupsRoot);
        {
            uint256 held = ring[place];
            if (held == word) return false;
            if (held >> 192 >= height) revert CheckpointNotNewer(height, uint64(held >> 192));
        }
        Span memory span = epochs[epoch];
        if (height <= span.openedAbove || (span.closedAt != 0 && height > span.closedAt)) {
            revert HeightOutsideEpoch(epoch, height, span.openedAbove, span.closedAt);
        }
        Certificate.verify(certificate, epoch, _digest(certificate, epoch, height));

        ring[place] = word;
        emit CheckpointAccepted(height, rollupsRoot);
        if (nextTableHash != 0 && span.closedAt == 0) {
            epochs[epoch].closedAt = height;
            epochs[epoch + 1].openedAbove = height;
            tableHashes[epoch + 1] = nextTableHash;
            emit EpochClosed(epoch, height, nextTableHash);
        }
        return true;
    }

    /// @inheritdoc ILightClient
    function isKnown(uint64 height, uint64 timeMs, bytes32 rollupsRoot) external view returns (bool) {
        return height != 0 && ring[height % PLACES] == _word(height, timeMs, rollupsRoot);
    }

    /// @inheritdoc ILightClient
    function newestHeight() external view returns (uint64 newest) {
        for (uint256 place; place < PLACES; ++place) {
            uint64 held = uint64(ring[place] >> 192);
            if (held > newest) newest = held;
        }
    }

    /// @inheritdoc ILightClient
    function checkpointAt(uint64 height) external view returns (uint64 held, bytes24 commitment) {
        uint256 word = ring[height % PLACES];
        return (uint64(word >> 192), bytes24(uint192(word)));
    }

    /// @inheritdoc ILightClient
    function tableHash(uint64 epoch) external view returns (bytes32) {
        return tableHashes[epoch];
    }

    /// @inheritdoc ILightClient
    function tableAddress(uint64 epoch) external view returns (address) {
        return CommitteeTable.addressOf(epoch);
    }

    /// @inheritdoc ILightClient
    function epochSpan(uint64 epoch) external view returns (uint64 openedAbove, uint64 closedAt) {
        Span memory span = epochs[epoch];
        return (span.openedAbove, span.closedAt);
    }

    /// @inheritdoc ILightClient
    function RING() external pure returns (uint256) {
        return PLACES;
    }

    /// @dev What a place holds for a checkpoint.
    function _word(uint64 height, uint64 timeMs, bytes32 rollupsRoot) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            mstore(0, shl(192, timeMs))
            mstore(8, rollupsRoot)
            word := or(shl(192, height), shr(64, keccak256(0, 40)))
        }
    }

    /// @dev `H(domain ‖ kind ‖ epoch ‖ height ‖ H(header))`, with the domain of this contract in both places.
    function _digest(bytes calldata certificate, uint64 epoch, uint64 height) private view returns (bytes32 digest) {
        bytes32 domain = DOMAIN;
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, domain)
            calldatacopy(add(m, 32), add(certificate.offset, 1), 192)
            let headerHash := keccak256(m, 224)
            mstore8(add(m, 32), 1) // kind: attestation
            mstore(add(m, 33), shl(192, epoch))
            mstore(add(m, 41), shl(192, height))
            mstore(add(m, 49), headerHash)
            digest := keccak256(m, 81)
        }
    }
}
