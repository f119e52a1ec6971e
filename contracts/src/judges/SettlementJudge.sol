// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ISettlementAdapter} from "../interfaces/ISettlementAdapter.sol";
import {ISettlementJudge} from "../interfaces/ISettlementJudge.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {Evidence} from "./Evidence.sol";
import {RollupEvidence} from "./RollupEvidence.sol";

/// @title Fault 2: an attested `Safe` or `Finalized` head, or next table, that contradicts L1
contract SettlementJudge is ISettlementJudge, RollupEvidence {
    uint8 private constant FAULT = 2;
    uint8 private constant SAFE = 1;
    uint8 private constant FINALIZED = 2;

    address public immutable OWNER;
    uint64 public immutable ADAPTER_DELAY_S;

    /// @inheritdoc ISettlementJudge
    mapping(address adapter => uint64) public adapterActiveAt;

    /// @param serviceManager that knows keys and slashes
    /// @param tables where committee tables lie
    /// @param owner announces adapters: the ServiceManager's
    /// @param adapterDelayS after which an announced adapter counts
    /// @param first adapters, active from the start; operators see them before they register
    constructor(
        IServiceManager serviceManager,
        ITableStore tables,
        address owner,
        uint64 adapterDelayS,
        ISettlementAdapter[] memory first
    ) Evidence(serviceManager, tables) {
        (OWNER, ADAPTER_DELAY_S) = (owner, adapterDelayS);
        for (uint256 i; i < first.length; ++i) {
            adapterActiveAt[address(first[i])] = uint64(block.timestamp);
            emit AdapterAnnounced(address(first[i]), uint64(block.timestamp));
        }
    }

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        _;
    }

    /// @inheritdoc ISettlementJudge
    function slashHeader(bytes calldata evidence, ISettlementAdapter adapter, bytes calldata proof, bytes calldata seats)
        external
    {
        Header memory h = _header(evidence);
        _check(evidence, h);
        ISettlementAdapter.Statement memory s;
        s.kind = ISettlementAdapter.Kind.NextTable;
        (s.originNumber, s.originHash, s.nextTableHash) = (h.originNumber, h.originHash, h.nextTableHash);
        _judge(adapter, s, proof);
        _slash(FAULT, h.height, keccak256(abi.encode(s)), _offenders(evidence, seats));
    }

    /// @inheritdoc ISettlementJudge
    function slashHead(
        bytes calldata evidence,
        bytes calldata statement,
        uint8 confidence,
        ISettlementAdapter adapter,
        bytes calldata proof,
        bytes calldata seats
    ) external {
        if (confidence != SAFE && confidence != FINALIZED) revert UnknownConfidence(confidence);
        Header memory h = _header(evidence);
        _check(evidence, h);
        ISettlementAdapter.Statement memory s = _statement(statement, h, confidence);
        _judge(adapter, s, proof);
        _slash(FAULT, h.height, keccak256(abi.encode(s)), _offenders(evidence, seats));
    }

    /// @inheritdoc ISettlementJudge
    function announceAdapter(address adapter) external onlyOwner {
        if (adapterActiveAt[adapter] != 0) revert AdapterKnown(adapter, adapterActiveAt[adapter]);
        uint64 activeAt = uint64(block.timestamp) + ADAPTER_DELAY_S;
        adapterActiveAt[adapter] = activeAt;
        emit AdapterAnnounced(adapter, activeAt);
    }

    /// @inheritdoc ISettlementJudge
    function removeAdapter(address adapter) external onlyOwner {
        delete adapterActiveAt[adapter];
        emit AdapterRemoved(adapter);
    }

    function _statement(bytes calldata statement, Header memory h, uint8 confidence)
        private
        pure
        returns (ISettlementAdapter.Statement memory s)
    {
        (Rollup memory r, Head memory head) = _advanced(statement, h, confidence);
        s.kind = confidence == SAFE ? ISettlementAdapter.Kind.SafeHead : ISettlementAdapter.Kind.FinalizedHead;
        (s.originNumber, s.originHash) = (h.originNumber, h.originHash);
        (s.chainId, s.registration, s.generation) = (r.chainId, r.registration, r.generation);
        (s.number, s.blockHash, s.stateRoot, s.lanesRoot) = (head.number, head.blockHash, head.stateRoot, head.lanesRoot);
    }

    function _judge(ISettlementAdapter adapter, ISettlementAdapter.Statement memory s, bytes calldata proof) private view {
        uint64 activeAt = adapterActiveAt[address(adapter)];
        if (activeAt == 0 || block.timestamp < activeAt) revert AdapterNotActive(address(adapter));
        if (!adapter.contradicts(s, proof)) revert NotContradicted();
    }
}
