// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {IRollupRegistry} from "../interfaces/IRollupRegistry.sol";
import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {IStateRootJudge} from "../interfaces/IStateRootJudge.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {Evidence} from "./Evidence.sol";
import {RollupEvidence} from "./RollupEvidence.sol";

/// @title Fault 6: an attested head whose number or state root is not its own block's
contract StateRootJudge is IStateRootJudge, RollupEvidence {
    using RLP for *;

    uint8 private constant FAULT = 6;
    uint8 private constant FINALIZED = 2;
    /// @dev Places in an Ethereum block header.
    uint256 private constant STATE_ROOT = 3;
    uint256 private constant NUMBER = 8;

    IRollupRegistry public immutable REGISTRY;

    /// @param serviceManager that knows keys and slashes
    /// @param tables where committee tables lie
    /// @param registry that knows which rollups are re-executed
    constructor(IServiceManager serviceManager, ITableStore tables, IRollupRegistry registry)
        Evidence(serviceManager, tables)
    {
        REGISTRY = registry;
    }

    /// @inheritdoc IStateRootJudge
    function slash(
        bytes calldata evidence,
        bytes calldata statement,
        uint8 confidence,
        bytes calldata blockHeader,
        bytes calldata seats
    ) external {
        if (confidence > FINALIZED) revert UnknownConfidence(confidence);
        Header memory h = _header(evidence);
        _check(evidence, h);
        (Rollup memory r, Head memory head) = _advanced(statement, h, confidence);
        if (!REGISTRY.isReexecuted(r.registration)) revert NotReexecuted(r.registration);
        bytes32 computed = keccak256(blockHeader);
        if (computed != head.blockHash) revert BlockHashWrong(computed, head.blockHash);
        Memory.Slice[] memory fields = RLP.decodeList(blockHeader);
        if (fields[NUMBER].readUint256() == head.number && fields[STATE_ROOT].readBytes32() == head.stateRoot) {
            revert HeadAgrees(head.number, head.stateRoot);
        }
        _slash(FAULT, h.height, keccak256(abi.encode(r.registration, confidence, computed)), _offenders(evidence, seats));
    }
}
