// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Create3} from "@openzeppelin/contracts/utils/Create3.sol";
import {IEdgePolicy} from "./interfaces/IEdgePolicy.sol";
import {IGateway} from "./interfaces/IGateway.sol";
import {ILightClient} from "./interfaces/ILightClient.sol";
import {RollupProof} from "./lib/RollupProof.sol";

/// @title Whose messages a chain takes, to whom it sends, and who says so
/// @notice Parts are created so that their addresses follow from this one's and their salts alone: their arguments name this
/// contract, and the light client's code differs where code cannot be read.
contract EdgePolicy is IEdgePolicy, Ownable2Step {
    uint8 private constant CONFIDENCES = 3;
    /// @dev Salt of the light client; a gateway's is its confidence.
    bytes32 private constant LIGHT_CLIENT_SALT = bytes32(uint256(CONFIDENCES));
    /// @dev Enough for {readsCode}; where an instruction is unknown all that is given is lost.
    uint256 private constant READING_GAS = 50_000;

    bytes32 private immutable DOMAIN;
    uint64 private immutable GENESIS_EPOCH;
    bytes32 private immutable GENESIS_TABLE_HASH;
    uint32 private immutable REANCHOR_DELAY_S;
    bytes32 private immutable TABLE_IN_CODE;
    bytes32 private immutable TABLE_IN_STORAGE;
    bytes32 private immutable GATEWAY_CODE;
    address private immutable LATEST;
    address private immutable SAFE;
    address private immutable FINALIZED;
    /// @inheritdoc IEdgePolicy
    address public immutable LIGHT_CLIENT;
    /// @inheritdoc IEdgePolicy
    address public immutable BOOTSTRAP;
    /// @inheritdoc IEdgePolicy
    uint32 public immutable DELAY_S;

    struct Announced {
        bytes32 registration;
        uint64 readyAt;
    }

    /// @inheritdoc IEdgePolicy
    bool public claimed;
    /// @inheritdoc IEdgePolicy
    mapping(uint64 chainId => mapping(uint8 confidence => Announced)) public announced;

    constructor(Config memory c) Ownable(c.bootstrap) {
        (DOMAIN, GENESIS_EPOCH, GENESIS_TABLE_HASH) = (c.domain, c.genesisEpoch, c.genesisTableHash);
        (REANCHOR_DELAY_S, DELAY_S, BOOTSTRAP) = (c.reanchorDelayS, c.delayS, c.bootstrap);
        (TABLE_IN_CODE, TABLE_IN_STORAGE, GATEWAY_CODE) = (c.tableInCode, c.tableInStorage, c.gateway);
        LIGHT_CLIENT = Create3.computeAddress(LIGHT_CLIENT_SALT);
        LATEST = Create3.computeAddress(bytes32(uint256(0)));
        SAFE = Create3.computeAddress(bytes32(uint256(1)));
        FINALIZED = Create3.computeAddress(bytes32(uint256(2)));
    }

    // ---- Parts

    /// @inheritdoc IEdgePolicy
    function createLightClient(bytes calldata code) external returns (address created) {
        bool inCode;
        try this.readsCode{gas: READING_GAS}() returns (bool reads) {
            inCode = reads;
        } catch {}
        _checkCode(code, inCode ? TABLE_IN_CODE : TABLE_IN_STORAGE);
        bytes memory arguments = abi.encode(DOMAIN, GENESIS_EPOCH, GENESIS_TABLE_HASH, this, REANCHOR_DELAY_S);
        created = Create3.deploy(0, LIGHT_CLIENT_SALT, bytes.concat(code, arguments));
        emit LightClientCreated(created, inCode);
    }

    /// @inheritdoc IEdgePolicy
    function createGateway(uint8 confidence, bytes calldata code) external returns (address created) {
        _checkConfidence(confidence);
        _checkCode(code, GATEWAY_CODE);
        bytes memory arguments = abi.encode(LIGHT_CLIENT, confidence, this);
        created = Create3.deploy(0, bytes32(uint256(confidence)), bytes.concat(code, arguments));
        emit GatewayCreated(confidence, created);
    }

    // ---- Governance

    /// @inheritdoc IEdgePolicy
    function claim(
        bytes calldata certificate,
        bytes calldata rollup,
        address sequencer,
        bytes32 anchorHash,
        address governor,
        bytes32 profileHash
    ) external {
        if (claimed) revert ClaimedAlready();
        if (certificate.length != 0) ILightClient(LIGHT_CLIENT).submit(certificate);
        RollupProof.Leaf memory leaf = RollupProof.check(rollup, ILightClient(LIGHT_CLIENT));
        if (leaf.chainId != block.chainid) revert WrongChain(uint64(block.chainid), leaf.chainId);
        bytes32 specHash = keccak256(abi.encodePacked(governor, profileHash));
        bytes32 computed =
            keccak256(abi.encodePacked("hum/registration/1", leaf.chainId, sequencer, anchorHash, specHash));
        if (computed != leaf.registration) revert RegistrationOther(leaf.registration, computed);
        if (governor == address(0)) revert OwnableInvalidOwner(governor);
        claimed = true;
        // Also drops a handover that the bootstrap account may have begun.
        _transferOwnership(governor);
        emit Claimed(governor, leaf.registration);
    }

    /// @inheritdoc IEdgePolicy
    function announceAnchor(uint64 epoch, bytes32 tableHash) external onlyOwner {
        ILightClient(LIGHT_CLIENT).announceAnchor(epoch, tableHash);
    }

    // ---- Policy

    /// @inheritdoc IEdgePolicy
    function allow(uint64 chainId, bytes32 registration, uint8 confidence) external onlyOwner {
        address gateway = gatewayOf(confidence);
        if (!claimed) return IGateway(gateway).allow(chainId, registration);
        uint64 readyAt = uint64(block.timestamp) + DELAY_S;
        announced[chainId][confidence] = Announced(registration, readyAt);
        emit AllowanceAnnounced(chainId, confidence, registration, readyAt);
    }

    /// @inheritdoc IEdgePolicy
    function execute(uint64 chainId, uint8 confidence) external {
        address gateway = gatewayOf(confidence);
        Announced memory a = announced[chainId][confidence];
        if (a.readyAt == 0) revert NothingAnnounced(chainId, confidence);
        if (block.timestamp < a.readyAt) revert NotReady(a.readyAt, block.timestamp);
        delete announced[chainId][confidence];
        IGateway(gateway).allow(chainId, a.registration);
    }

    /// @inheritdoc IEdgePolicy
    function deny(uint64 chainId, uint8 confidence) external onlyOwner {
        IGateway gateway = IGateway(gatewayOf(confidence));
        Announced memory a = announced[chainId][confidence];
        if (a.readyAt != 0) {
            delete announced[chainId][confidence];
            emit AllowanceCancelled(chainId, confidence, a.registration);
            if (gateway.registrationOf(chainId) == 0) return;
        }
        gateway.deny(chainId);
    }

    /// @inheritdoc IEdgePolicy
    function closeLane(uint64 destination, uint8 confidence) external onlyOwner {
        IGateway(gatewayOf(confidence)).closeLane(destination);
    }

    /// @inheritdoc IEdgePolicy
    function openLane(uint64 destination, uint8 confidence) external onlyOwner {
        IGateway(gatewayOf(confidence)).openLane(destination);
    }

    /// @inheritdoc IEdgePolicy
    function pause(uint64[] calldata destinations) external onlyOwner {
        for (uint256 i; i < destinations.length; ++i) {
            for (uint8 c; c < CONFIDENCES; ++c) IGateway(gatewayOf(c)).closeLane(destinations[i]);
        }
    }

    /// @inheritdoc IEdgePolicy
    function resume(uint64[] calldata destinations) external onlyOwner {
        for (uint256 i; i < destinations.length; ++i) {
            for (uint8 c; c < CONFIDENCES; ++c) IGateway(gatewayOf(c)).openLane(destinations[i]);
        }
    }

    // ---- Views

    /// @inheritdoc IEdgePolicy
    function gatewayOf(uint8 confidence) public view returns (address) {
        _checkConfidence(confidence);
        return confidence == 0 ? LATEST : confidence == 1 ? SAFE : FINALIZED;
    }

    /// @inheritdoc IEdgePolicy
    function config() external view returns (Config memory c) {
        (c.domain, c.genesisEpoch, c.genesisTableHash) = (DOMAIN, GENESIS_EPOCH, GENESIS_TABLE_HASH);
        (c.reanchorDelayS, c.delayS, c.bootstrap) = (REANCHOR_DELAY_S, DELAY_S, BOOTSTRAP);
        (c.tableInCode, c.tableInStorage, c.gateway) = (TABLE_IN_CODE, TABLE_IN_STORAGE, GATEWAY_CODE);
    }

    /// @inheritdoc IEdgePolicy
    function readsCode() external view returns (bool reads) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0, 0, 32)
            codecopy(32, 0, 32)
            reads := eq(mload(0), mload(32))
        }
    }

    function _checkCode(bytes calldata code, bytes32 expected) private pure {
        bytes32 computed = keccak256(code);
        if (computed != expected) revert CodeWrong(computed, expected);
    }

    function _checkConfidence(uint8 confidence) private pure {
        if (confidence >= CONFIDENCES) revert ConfidenceUnknown(confidence);
    }
}
