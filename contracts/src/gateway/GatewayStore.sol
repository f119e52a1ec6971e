// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "../interfaces/ILightClient.sol";
import {IGateway} from "../interfaces/IGateway.sol";

/// @title What a façade stores, and nothing else
/// @notice Storage, fixed because other chains prove it by storage proofs:
///
/// | slot | holds |
/// |---|---|
/// | 0 | `lanes[destination]`: closed 1 bit ‖ count 63 bits ‖ rolling 24 |
/// | 1 | `sources[registration]`: lane commitment 24 ‖ time ms 6 ‖ status 1 ‖ allowed 1 (all that a delivery reads) |
/// | 2 | `progress[registration]`: chain id 8 ‖ height 8 ‖ lane count 8 ‖ generation 4 ‖ class 1 ‖ zero 3 |
/// | 3 | `registrations[chain id]` |
/// | 4 | `statuses[H(registration 32 ‖ generation 4 ‖ index / 128 8)]`: 2 bits for each of 128 messages, from the low end |
///
/// Lane commitment = first 24 bytes of `H(chain id 8 ‖ count 8 ‖ message tree root 32)`.
abstract contract GatewayStore is IGateway {
    uint8 internal constant LATEST = 0;
    uint8 internal constant FINALIZED = 2;
    /// @dev Rollup status in which `Latest` and `Safe` messages are accepted.
    uint8 internal constant ACTIVE = 0;
    /// @dev Longest payload of a message.
    uint256 internal constant PAYLOAD_MAX = 16_384;

    /// @dev Of a lane's slot: nobody may send. No lane has 2⁶³ messages.
    uint256 internal constant CLOSED = 1 << 255;

    mapping(uint64 destination => uint256) internal lanes;
    mapping(bytes32 registration => uint256) internal sources;
    mapping(bytes32 registration => uint256) internal progress;
    mapping(uint64 chainId => bytes32) internal registrations;
    mapping(bytes32 bucket => uint256) internal statuses;

    /// @inheritdoc IGateway
    uint8 public immutable CONFIDENCE;
    /// @inheritdoc IGateway
    address public immutable LIGHT_CLIENT;
    /// @inheritdoc IGateway
    address public immutable OWNER;

    /// @dev A recorded or proven state of a source.
    struct Progress {
        uint64 chainId;
        uint64 height;
        uint64 laneCount;
        uint32 generation;
        uint8 class;
    }

    constructor(address lightClient, uint8 confidence, address owner) {
        if (confidence > FINALIZED || lightClient == address(0) || owner == address(0)) {
            revert ConstructorArguments(lightClient, confidence, owner);
        }
        LIGHT_CLIENT = lightClient;
        CONFIDENCE = confidence;
        OWNER = owner;
    }

    /// @inheritdoc IGateway
    function source(bytes32 registration) external view returns (Source memory s) {
        uint256 word = sources[registration];
        Progress memory p = _progress(registration);
        s.allowed = word & 1 == 1;
        s.status = uint8(word >> 8);
        s.timeMs = uint48(word >> 16);
        s.laneCommitment = bytes24(uint192(word >> 64));
        (s.chainId, s.height, s.laneCount) = (p.chainId, p.height, p.laneCount);
        (s.generation, s.class) = (p.generation, p.class);
    }

    /// @inheritdoc IGateway
    function registrationOf(uint64 chainId) external view returns (bytes32) {
        return registrations[chainId];
    }

    /// @inheritdoc IGateway
    function statusOf(bytes32 registration, uint32 generation, uint64 index) external view returns (MessageStatus) {
        bytes32 bucket = keccak256(abi.encodePacked(registration, generation, index / 128));
        return MessageStatus((statuses[bucket] >> (2 * (index % 128))) & 3);
    }

    /// @inheritdoc IGateway
    function lane(uint64 destination) external view returns (uint64 count, bytes24 rolling) {
        uint256 word = lanes[destination] & ~CLOSED;
        return (uint64(word >> 192), bytes24(uint192(word)));
    }

    /// @inheritdoc IGateway
    function isLaneClosed(uint64 destination) external view returns (bool) {
        return lanes[destination] & CLOSED != 0;
    }

    /// @inheritdoc IGateway
    function laneSlot(uint64 destination) external pure returns (bytes32 slot) {
        return keccak256(abi.encode(destination, uint256(0)));
    }

    function _progress(bytes32 registration) internal view returns (Progress memory p) {
        uint256 word = progress[registration];
        (p.chainId, p.height) = (uint64(word >> 192), uint64(word >> 128));
        (p.laneCount, p.generation, p.class) = (uint64(word >> 64), uint32(word >> 32), uint8(word >> 24));
    }

    function _storeProgress(bytes32 registration, Progress memory p) internal {
        progress[registration] = (uint256(p.chainId) << 192) | (uint256(p.height) << 128) | (uint256(p.laneCount) << 64)
            | (uint256(p.generation) << 32) | (uint256(p.class) << 24);
    }
}
