// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEvidence} from "./IEvidence.sol";

/// @title Fault 3: an attested `Latest` head for which nobody produces the sequencer's signature
/// @notice Anyone challenges with a bond. Within `ANSWER_TIME_S` anyone answers with the sequencer's claim for the head's block in
/// the leaf's generation, or with the retraction that opened this generation and keeps that block, and takes the bond. Unanswered,
/// the bond goes back and those who signed the evidence are slashed.
///
/// Honest operators have the signature before they attest: it stands in the checkpoint's body. A challenge reaches only what was
/// signed before it, the evidence that it brought: a claim that comes later frames nobody. Heads of a registration that
/// {IRollupRegistry} does not know cannot be challenged, because nobody could say whose signature answers; gateways do not accept
/// them either. Nor can a registration's anchor block, which no claim precedes.
interface IClaimJudge is IEvidence {
    enum State {
        None,
        Open,
        Answered,
        Unanswered
    }

    struct Challenge {
        address challenger;
        uint64 deadline;
        State state;
        bytes32 subject;
    }

    /// @notice `subject` = `H(chain id 8 ‖ registration 32 ‖ generation 4 ‖ number 8 ‖ block hash 32)`. `challenge` =
    /// `H(H(evidence) ‖ H(statement))`.
    event Challenged(
        bytes32 indexed challenge,
        bytes32 indexed subject,
        uint64 chainId,
        bytes32 registration,
        uint32 generation,
        uint64 number,
        bytes32 blockHash,
        uint64 deadline
    );
    event Answered(bytes32 indexed challenge, bytes32 indexed subject, address answerer);
    event Unanswered(bytes32 indexed challenge, bytes32 indexed subject);

    error BondWrong(uint256 foundWei, uint256 expectedWei);
    error RegistrationUnknown(bytes32 registration);
    error AnchorNeedsNoClaim(bytes32 anchorHash);
    /// @notice The sequencer's signature was shown already.
    error ClaimKnown(bytes32 subject);
    error ChallengeKnown(bytes32 challenge);
    error ChallengeNotOpen(bytes32 challenge, State state);
    error ChallengeNotUnanswered(bytes32 challenge, State state);
    error AnswerTooLate(uint64 deadline);
    error AnswerTimeNotOver(uint64 deadline);
    error AnswerInvalid(bytes32 digest);
    error SubjectWrong(bytes32 found, bytes32 expected);
    error PaymentRefused(address account);

    /// @notice The signed block of a head.
    struct Subject {
        uint64 chainId;
        bytes32 registration;
        uint32 generation;
        uint64 number;
        bytes32 blockHash;
    }

    /// @notice Challenges the `Latest` head of a rollup under an attested header. The value is the bond, `BOND_WEI`.
    /// @dev Callable by anyone. Emits {Challenged}. Layouts: {IEvidence}; the head part is `Latest`'s. Reverts {BondWrong}, as
    /// {IEvidence} says on evidence and statement, {HeadInherited}, {RegistrationUnknown}, {AnchorNeedsNoClaim}, {ClaimKnown},
    /// {ChallengeKnown}.
    function challenge(bytes calldata evidence, bytes calldata statement) external payable returns (bytes32 id);

    /// @notice Shows the sequencer's signature and takes the bond.
    /// @dev Callable by anyone. Emits {Answered}. Reverts {ChallengeNotOpen}, {AnswerTooLate}, {SubjectWrong}, {AnswerInvalid}.
    /// @param subject what the challenge is about, as {Challenged} said
    /// @param retraction the signature is over the retraction that keeps the block, not over its claim
    /// @param signature `r 32 ‖ s 32 ‖ v 1`
    function answer(bytes32 id, Subject calldata subject, bool retraction, bytes calldata signature) external;

    /// @notice Ends a challenge whose time is over: bond back to the challenger.
    /// @dev Callable by anyone. Emits {Unanswered}. Reverts {ChallengeNotOpen}, {AnswerTimeNotOver}, {ClaimKnown} (then any
    /// answer given to another challenge answers this one: {answerAgain}).
    function conclude(bytes32 id) external;

    /// @notice Ends a challenge whose signature was shown to another challenge; the bond goes to the caller.
    /// @dev Callable by anyone, at any time. Emits {Answered}. Reverts {ChallengeNotOpen}, {AnswerInvalid} with the subject when it
    /// was not shown.
    function answerAgain(bytes32 id) external;

    /// @notice Slashes signers of the evidence of an unanswered challenge, in as many calls as gas needs.
    /// @dev Callable by anyone; the caller is the reporter. Reverts {ChallengeNotUnanswered}, as {IEvidence} says on seats.
    function slash(bytes calldata evidence, bytes calldata statement, bytes calldata seats) external;

    /// @notice Pays a challenger the bond that it refused when its challenge was concluded. Anyone.
    function collect(address account) external;
    /// @notice What {collect} would pay.
    function owedWei(address account) external view returns (uint256);
    function challengeAt(bytes32 id) external view returns (Challenge memory);
    /// @notice Whether the sequencer's signature for this head was shown.
    function isShown(bytes32 subject) external view returns (bool);
    function BOND_WEI() external view returns (uint256);
    function ANSWER_TIME_S() external view returns (uint64);
}
