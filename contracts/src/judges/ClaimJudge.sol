// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IClaimJudge} from "../interfaces/IClaimJudge.sol";
import {IRollupRegistry} from "../interfaces/IRollupRegistry.sol";
import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {ITableStore} from "../interfaces/ITableStore.sol";
import {Evidence} from "./Evidence.sol";
import {RollupEvidence} from "./RollupEvidence.sol";
import {SequencerSignature} from "./SequencerSignature.sol";

/// @title Fault 3: an attested `Latest` head for which nobody produces the sequencer's signature
contract ClaimJudge is IClaimJudge, RollupEvidence {
    uint8 private constant FAULT = 3;
    uint8 private constant LATEST = 0;

    IRollupRegistry public immutable REGISTRY;
    /// @inheritdoc IClaimJudge
    uint256 public immutable BOND_WEI;
    /// @inheritdoc IClaimJudge
    uint64 public immutable ANSWER_TIME_S;

    mapping(bytes32 id => Challenge) private challenges;
    /// @inheritdoc IClaimJudge
    mapping(bytes32 subject => bool) public isShown;
    /// @inheritdoc IClaimJudge
    mapping(address account => uint256) public owedWei;

    /// @param serviceManager that knows keys and slashes
    /// @param tables where committee tables lie
    /// @param registry that knows sequencers; of the same domain
    /// @param bondWei of a challenger: what an answer costs its sender, at the least
    /// @param answerTimeS for an answer; must leave time to slash within the slashable window
    constructor(
        IServiceManager serviceManager,
        ITableStore tables,
        IRollupRegistry registry,
        uint256 bondWei,
        uint64 answerTimeS
    ) Evidence(serviceManager, tables) {
        (REGISTRY, BOND_WEI, ANSWER_TIME_S) = (registry, bondWei, answerTimeS);
    }

    /// @inheritdoc IClaimJudge
    function challenge(bytes calldata evidence, bytes calldata statement) external payable returns (bytes32 id) {
        if (msg.value != BOND_WEI) revert BondWrong(msg.value, BOND_WEI);
        Header memory h = _header(evidence);
        _check(evidence, h);
        (Rollup memory r, Head memory head) = _advanced(statement, h, LATEST);
        if (REGISTRY.sequencerOf(r.registration) == address(0)) revert RegistrationUnknown(r.registration);
        if (head.blockHash == REGISTRY.anchorOf(r.registration)) revert AnchorNeedsNoClaim(head.blockHash);
        bytes32 subject = keccak256(abi.encodePacked(r.chainId, r.registration, r.generation, head.number, head.blockHash));
        if (isShown[subject]) revert ClaimKnown(subject);
        id = _id(evidence, statement);
        if (challenges[id].state != State.None) revert ChallengeKnown(id);
        uint64 deadline = uint64(block.timestamp) + ANSWER_TIME_S;
        challenges[id] = Challenge(msg.sender, deadline, State.Open, subject);
        emit Challenged(id, subject, r.chainId, r.registration, r.generation, head.number, head.blockHash, deadline);
    }

    /// @inheritdoc IClaimJudge
    function answer(bytes32 id, Subject calldata subject, bool retraction, bytes calldata signature) external {
        Challenge storage c = _open(id);
        if (block.timestamp > c.deadline) revert AnswerTooLate(c.deadline);
        bytes32 computed = keccak256(
            abi.encodePacked(subject.chainId, subject.registration, subject.generation, subject.number, subject.blockHash)
        );
        if (computed != c.subject) revert SubjectWrong(computed, c.subject);
        bytes32 digest = SequencerSignature.digest(
            retraction ? SequencerSignature.RETRACTION : SequencerSignature.CLAIM,
            DOMAIN,
            subject.chainId,
            subject.registration,
            subject.generation,
            subject.number,
            subject.blockHash
        );
        if (!SequencerSignature.isBy(REGISTRY.sequencerOf(subject.registration), digest, signature)) {
            revert AnswerInvalid(digest);
        }
        isShown[computed] = true;
        _answered(id, c);
    }

    /// @inheritdoc IClaimJudge
    function answerAgain(bytes32 id) external {
        Challenge storage c = _open(id);
        if (!isShown[c.subject]) revert AnswerInvalid(c.subject);
        _answered(id, c);
    }

    /// @inheritdoc IClaimJudge
    function conclude(bytes32 id) external {
        Challenge storage c = _open(id);
        if (block.timestamp <= c.deadline) revert AnswerTimeNotOver(c.deadline);
        if (isShown[c.subject]) revert ClaimKnown(c.subject);
        c.state = State.Unanswered;
        emit Unanswered(id, c.subject);
        // A challenger that refuses its bond must not save those whom it challenged.
        (bool ok,) = c.challenger.call{value: BOND_WEI}("");
        if (!ok) owedWei[c.challenger] += BOND_WEI;
    }

    /// @inheritdoc IClaimJudge
    function collect(address account) external {
        uint256 amountWei = owedWei[account];
        owedWei[account] = 0;
        _pay(account, amountWei);
    }

    /// @inheritdoc IClaimJudge
    function slash(bytes calldata evidence, bytes calldata statement, bytes calldata seats) external {
        bytes32 id = _id(evidence, statement);
        State state = challenges[id].state;
        if (state != State.Unanswered) revert ChallengeNotUnanswered(id, state);
        // The same bytes passed every check when the challenge was made.
        _slash(FAULT, _header(evidence).height, challenges[id].subject, _offenders(evidence, seats));
    }

    /// @inheritdoc IClaimJudge
    function challengeAt(bytes32 id) external view returns (Challenge memory) {
        return challenges[id];
    }

    function _id(bytes calldata evidence, bytes calldata statement) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(keccak256(evidence), keccak256(statement)));
    }

    function _open(bytes32 id) private view returns (Challenge storage c) {
        c = challenges[id];
        if (c.state != State.Open) revert ChallengeNotOpen(id, c.state);
    }

    function _answered(bytes32 id, Challenge storage c) private {
        c.state = State.Answered;
        emit Answered(id, c.subject, msg.sender);
        _pay(msg.sender, BOND_WEI);
    }

    /// @dev What is paid was written off before.
    function _pay(address account, uint256 amountWei) private {
        (bool ok,) = account.call{value: amountWei}("");
        if (!ok) revert PaymentRefused(account);
    }
}
