// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../interfaces/ILightClient.sol";
import {Certificate} from "../lib/Certificate.sol";
import {CommitteeTable} from "../lib/CommitteeTable.sol";

/// @title A light client, wherever its tables lie
/// @notice Storage: slot 0 `epochs`, slot 1 `tableHashes`, slots 2 to 65 the ring of checkpoints
/// (`height 8 ‖ first 24 bytes of H(time 8 ‖ rollups root 32)` each), slot 66 newest epoch and usable until, slots 67 and 68
/// the announced anchor. What keeps tables may use those from 69 on.
abstract contract LightClientCore is ILightClient {
    /// @dev Where the epoch's table is, and what it may certify: heights in `(openedAbove, closedAt]`, without an end while
    /// `closedAt` is 0. One slot, read once for each certificate; 40 bits of heights last for 6,900 years at 5 a second.
    struct Epoch {
        address table;
        uint40 openedAbove;
        uint40 closedAt;
        uint16 operators;
    }

    uint256 private constant PLACES = 64;

    /// @inheritdoc ILightClient
    bytes32 public immutable DOMAIN;
    /// @inheritdoc ILightClient
    address public immutable OWNER;
    /// @inheritdoc ILightClient
    uint32 public immutable REANCHOR_DELAY_S;

    mapping(uint64 epoch => Epoch) private epochs;
    mapping(uint64 epoch => bytes32) private tableHashes;
    uint256[PLACES] private ring;
    /// @inheritdoc ILightClient
    uint64 public newestEpoch;
    /// @inheritdoc ILightClient
    uint64 public usableUntil;
    Anchor private announced;

    /// @param domain of the operators' chain, docs/protocol.md
    /// @param genesisEpoch the first epoch that this client accepts
    /// @param genesisTableHash hash of that epoch's table; anyone may install the table itself
    /// @param owner who may re-anchor; 0 = nobody, ever
    /// @param reanchorDelayS seconds between the announcement of an anchor and its effect
    constructor(bytes32 domain, uint64 genesisEpoch, bytes32 genesisTableHash, address owner, uint32 reanchorDelayS) {
        DOMAIN = domain;
        OWNER = owner;
        REANCHOR_DELAY_S = reanchorDelayS;
        tableHashes[genesisEpoch] = genesisTableHash;
        newestEpoch = genesisEpoch;
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
        uint256 total = uint128(bytes16(table[192:208]));
        uint256 sum;
        for (uint256 entry = CommitteeTable.HEAD; entry < table.length; entry += CommitteeTable.ENTRY) {
            sum += uint128(bytes16(table[entry + 64:entry + 80]));
        }
        if (sum == 0 || sum != total) revert TableStakeWrong(sum, total);
        if (epochs[epoch].table != address(0)) revert TableAlreadyInstalled(epoch);
        uint64 validUntil = uint64(bytes8(table[208:216]));
        if (block.timestamp > validUntil) revert TableExpired(epoch, validUntil, block.timestamp);
        address written = _keep(epoch, table);
        if (written == address(0)) revert TableNotCreated();
        (epochs[epoch].table, epochs[epoch].operators) = (written, uint16(n));
        if (validUntil > usableUntil) usableUntil = validUntil;
        emit TableInstalled(epoch, written);
        // A committee that lives: nobody needs the anchor any more.
        if (announced.tableHash != 0) {
            emit AnchorCancelled(announced.epoch);
            delete announced;
        }
    }

    /// @inheritdoc ILightClient
    function announceAnchor(uint64 epoch, bytes32 tableHash_) external {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        if (block.timestamp <= usableUntil) revert CommitteeLives(usableUntil, block.timestamp);
        if (epoch <= newestEpoch) revert AnchorNotNewer(epoch, newestEpoch);
        if (tableHash_ == 0) revert AnchorWithoutTable();
        uint64 readyAt = uint64(block.timestamp + REANCHOR_DELAY_S);
        announced = Anchor(epoch, readyAt, tableHash_);
        emit AnchorAnnounced(epoch, tableHash_, readyAt);
    }

    /// @inheritdoc ILightClient
    function anchor() external {
        Anchor memory a = announced;
        if (a.tableHash == 0) revert AnchorNotAnnounced();
        if (block.timestamp < a.readyAt) revert AnchorNotReady(a.readyAt, block.timestamp);
        delete announced;
        // Whatever has a table here has expired, or the anchor would be void. What was named and never brought must not come
        // to life beside the anchor.
        uint64 abandoned = newestEpoch;
        if (epochs[abandoned].table == address(0)) delete tableHashes[abandoned];
        (tableHashes[a.epoch], newestEpoch) = (a.tableHash, a.epoch);
        emit Anchored(a.epoch, a.tableHash);
    }

    /// @inheritdoc ILightClient
    function submit(bytes calldata certificate) external returns (bool accepted) {
        uint256 absent = Certificate.checkShape(certificate);
        uint64 epoch;
        uint64 height;
        uint256 place;
        uint256 word;
        assembly ("memory-safe") {
            // The first 8 bytes of each word are the field.
            epoch := shr(192, calldataload(add(certificate.offset, 1)))
            height := shr(192, calldataload(add(certificate.offset, 9)))
            place := add(ring.slot, mod(height, PLACES))
            // As in {_word}: time 8 and rollups root 32.
            mstore(0, calldataload(add(certificate.offset, 17)))
            mstore(8, calldataload(add(certificate.offset, 97)))
            word := or(shl(192, height), shr(64, keccak256(0, 40)))
        }
        uint256 held;
        assembly ("memory-safe") {
            held := sload(place)
        }
        if (held == word) return false;
        if (held >> 192 >= height) revert CheckpointNotNewer(height, uint64(held >> 192));

        // table 20, openedAbove 5, closedAt 5, operators 2, from the low end
        uint256 e;
        Epoch storage slot = epochs[epoch];
        assembly ("memory-safe") {
            e := sload(slot.slot)
        }
        if (uint160(e) == 0) revert TableNotInstalled(epoch);
        uint256 closedAt = uint40(e >> 200);
        if (height <= uint40(e >> 160) || height > (closedAt == 0 ? type(uint40).max : closedAt)) {
            revert HeightOutsideEpoch(epoch, height, uint40(e >> 160), uint40(closedAt));
        }
        bytes32 digest = _digest(certificate, epoch, height);
        uint256 table = _load(certificate, absent, epoch, e);
        uint256 validUntil = Certificate.verify(certificate, absent, table, e >> 240, digest);
        if (block.timestamp > validUntil) revert TableExpired(epoch, uint64(validUntil), block.timestamp);

        assembly ("memory-safe") {
            sstore(place, word)
        }
        if (closedAt == 0) {
            bytes32 nextTableHash;
            assembly ("memory-safe") {
                nextTableHash := calldataload(add(certificate.offset, 161))
            }
            if (nextTableHash != 0) _close(epoch, uint40(height), nextTableHash);
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
        return epochs[epoch].table;
    }

    /// @inheritdoc ILightClient
    function epochSpan(uint64 epoch) external view returns (uint64 openedAbove, uint64 closedAt) {
        return (epochs[epoch].openedAbove, epochs[epoch].closedAt);
    }

    /// @inheritdoc ILightClient
    function announcedAnchor() external view returns (Anchor memory) {
        return announced;
    }

    /// @inheritdoc ILightClient
    function RING() external pure returns (uint256) {
        return PLACES;
    }

    /// @dev Keeps a table.
    /// @return where it is: not zero, unless it could not be kept
    function _keep(uint64 epoch, bytes calldata table) internal virtual returns (address where);

    /// @dev Copies what {Certificate} needs of a table to where it asks for it.
    /// @param e the epoch's slot: table 20 from the low end, operators 2 from the high end
    /// @return at memory address, as {Certificate.room} gives it
    function _load(bytes calldata certificate, uint256 absent, uint64 epoch, uint256 e)
        internal
        view
        virtual
        returns (uint256 at);

    /// @dev The first certified header that names the next table ends its epoch.
    function _close(uint64 epoch, uint40 height, bytes32 nextTableHash) private {
        epochs[epoch].closedAt = height;
        epochs[epoch + 1].openedAbove = height;
        tableHashes[epoch + 1] = nextTableHash;
        newestEpoch = epoch + 1;
        emit EpochClosed(epoch, height, nextTableHash);
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
