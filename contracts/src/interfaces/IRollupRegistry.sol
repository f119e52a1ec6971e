// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ISettlementAdapter} from "./ISettlementAdapter.sol";

/// @title Rollups, their sequencers, and the bonds that stand behind what sequencers sign
/// @notice Fault 5: two claims of one sequencer for one number in one generation, or a claim against final L1 data. The bond goes in
/// part to the reporter, the rest to a fund. A registration id commits to its sequencer (docs/protocol.md), so nobody can register
/// another sequencer under it; what is never forgotten here is who answers for it.
///
/// Who may register a chain id: the account that the owner authorised for it, `AUTHORISATION_DELAY_S` earlier. First come would let
/// anyone squat a chain id for the price of a bond. The owner can so refuse a chain, but cannot touch a registration that stands: a
/// chain id has one registration until that one's bond was taken or paid back. Authorisation by a chain's own L1 contract can be
/// put behind the owner's address without a change here.
interface IRollupRegistry {
    /// @notice A rollup's entry; kept for ever.
    struct Rollup {
        uint64 chainId;
        address sequencer;
        address registrant;
        bytes32 anchorHash;
        bytes32 specHash;
        uint256 bondWei;
        /// When the bond may be paid back, seconds since 1970; 0 while it does not leave.
        uint64 exitAt;
        /// The bond was taken.
        bool punished;
    }

    /// @notice A sequencer's signature on a block, or on the last block that a retraction keeps.
    /// @dev `signature` is `r 32 ‖ s 32 ‖ v 1`, low s, v in 0, 1.
    struct Signed {
        uint32 generation;
        uint64 number;
        bytes32 blockHash;
        bytes signature;
    }

    /// @notice `account` may register `chainId` from `activeAt` (seconds since 1970) on.
    event ChainAuthorised(uint64 indexed chainId, address indexed account, uint64 activeAt);
    event RollupRegistered(
        bytes32 indexed registration,
        uint64 indexed chainId,
        address indexed sequencer,
        bytes32 anchorHash,
        bytes32 specHash,
        address registrant,
        uint256 bondWei
    );
    /// @notice The rollup registered just before is judged by operators' own nodes, not re-executed.
    event OwnNodeRegistered(bytes32 indexed registration);
    event BondAdded(bytes32 indexed registration, uint256 bondWei);
    event ExitAnnounced(bytes32 indexed registration, uint64 exitAt);
    event BondReturned(bytes32 indexed registration, uint256 bondWei);
    /// @notice The bond was taken: `rewardWei` to `reporter`, the rest to the fund.
    event BondTaken(bytes32 indexed registration, uint32 generation, uint64 number, address reporter, uint256 rewardWei, uint256 fundWei);
    /// @notice A claim contradicts L1: unless a retraction is shown until `deadline`, the bond is taken.
    event ClaimAccused(bytes32 indexed registration, uint32 generation, uint64 number, bytes32 blockHash, address reporter, uint64 deadline);
    /// @notice Everything above `number` in `generation` was withdrawn by its sequencer.
    event RetractionShown(bytes32 indexed registration, uint32 generation, uint64 number);
    event AdapterAnnounced(address indexed adapter, uint64 activeAt);
    event AdapterRemoved(address indexed adapter);

    error ConstructorArguments(address owner, address fund, uint256 bondMinWei);
    error NotOwner(address caller);
    error NotRegistrant(address caller);
    /// @notice The caller is not authorised for the chain id, or not yet.
    error NotAuthorised(uint64 chainId, address caller);
    error ChainTaken(uint64 chainId, bytes32 registration);
    error RegistrationKnown(bytes32 registration);
    error RegistrationUnknown(bytes32 registration);
    error SequencerZero();
    error BondTooLow(uint256 foundWei, uint256 neededWei);
    error ExitNotAnnounced(bytes32 registration);
    error ExitAnnouncedAlready(bytes32 registration);
    error BondLocked(bytes32 registration, uint64 until);
    /// @notice The bond was taken or paid back already.
    error BondGone(bytes32 registration);
    /// @notice The two are one claim, or for different numbers or generations: no fault.
    error NoDoubleClaim();
    /// @notice The signature is not the sequencer's on this digest, or not in its one spelling.
    error SequencerSignatureInvalid(bytes32 digest);
    error AdapterNotActive(address adapter);
    error NotContradicted();
    error AccusedAlready(bytes32 accusation);
    error NoAccusation(bytes32 accusation);
    error TooEarly(uint64 until);
    /// @notice A retraction of the next generation keeps only what lies below: no fault.
    error ClaimRetracted(uint64 keptNumber);
    /// @notice The retraction withdraws nothing beyond what was shown before.
    error NothingRetracted();
    error PaymentRefused(address account);

    /// @notice Lets `account` register `chainId`, after the delay. Owner only. Zero takes an authorisation back at once.
    function authorise(uint64 chainId, address account) external;

    /// @notice Registers a rollup with the value as its bond. The caller becomes its registrant.
    /// @dev Emits {RollupRegistered}. Reverts {NotAuthorised}, {SequencerZero}, {BondTooLow}, {ChainTaken}, {RegistrationKnown}.
    /// @return registration `H("hum/registration/1" ‖ chain_id 8 ‖ sequencer 20 ‖ anchor hash 32 ‖ chain spec hash 32)`
    function register(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
        external
        payable
        returns (bytes32 registration);

    /// @notice As {register}, for a rollup of a stack whose rules nobody re-executes (Nitro, ZKsync): operators take it in as `OwnNode`,
    /// and no judge slashes anybody for what its state says.
    /// @dev Emits {RollupRegistered}, then {OwnNodeRegistered}. Reverts as {register} does.
    function registerOwnNode(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
        external
        payable
        returns (bytes32 registration);

    /// @notice Adds the value to a bond that stands. Anyone.
    function addBond(bytes32 registration) external payable;
    /// @notice Starts the registrant's way out: the bond stays liable for `EXIT_DELAY_S` more.
    function announceExit(bytes32 registration) external;
    /// @notice Pays the bond back to the registrant, after the delay; the chain id is free then. Registrant only.
    function withdrawBond(bytes32 registration) external;

    /// @notice Takes the bond for two claims for one number in one generation. Anyone; the caller is the reporter.
    /// @dev Emits {BondTaken}. Reverts {RegistrationUnknown}, {BondGone}, {NoDoubleClaim}, {SequencerSignatureInvalid}.
    function reportDoubleClaim(bytes32 registration, Signed calldata one, Signed calldata other) external;

    /// @notice Accuses a claim that an active adapter says L1 contradicts. A sequencer may withdraw its own unsafe blocks: it, or
    /// anyone, shows the retraction within `ANSWER_TIME_S` ({showRetraction}); else {concludeAccusation} takes the bond. Meanwhile
    /// the bond cannot be paid back.
    /// @dev Emits {ClaimAccused}. Reverts {RegistrationUnknown}, {BondGone}, {ClaimRetracted}, {SequencerSignatureInvalid},
    /// {AccusedAlready}, {AdapterNotActive}, {NotContradicted}.
    function accuseClaim(bytes32 registration, Signed calldata claim, ISettlementAdapter adapter, bytes calldata proof)
        external
        returns (bytes32 accusation);
    /// @notice Shows the retraction that opened `retraction.generation`: claims of the generation before it, above the kept block,
    /// cost nothing. Anyone.
    function showRetraction(bytes32 registration, Signed calldata retraction) external;
    /// @notice Takes the bond for an accusation whose time is over and whose claim was not retracted. Anyone; the accuser is paid.
    function concludeAccusation(bytes32 accusation) external;

    /// @notice Announces an adapter; active after `AUTHORISATION_DELAY_S`. Owner only.
    function announceAdapter(address adapter) external;
    /// @notice Stops an adapter at once. Owner only.
    function removeAdapter(address adapter) external;

    /// @notice Pays `account` (the fund, or an accuser) what it is owed. Anyone. A double claim's reporter is paid at once.
    function collect(address account) external;
    /// @notice What `account` is owed.
    function owedWei(address account) external view returns (uint256);

    /// @notice An entry; reverts {RegistrationUnknown}.
    function rollup(bytes32 registration) external view returns (Rollup memory);
    /// @notice Whoever signs for the registration, also after it left; zero when unknown.
    function sequencerOf(bytes32 registration) external view returns (address);
    /// @notice The block that the registration starts at; zero when unknown.
    function anchorOf(bytes32 registration) external view returns (bytes32);
    /// @notice Whether operators re-execute its blocks, as Ethereum's rules or the OP Stack's say. All that {register} takes are such,
    /// none that {registerOwnNode} takes: operators follow no other as `Reexecuted`, and no such as `OwnNode`. Judges ask here, because
    /// a leaf's class is written by whoever is accused.
    function isReexecuted(bytes32 registration) external view returns (bool);
    /// @notice The chain's standing registration, zero when it has none.
    function registrationOf(uint64 chainId) external view returns (bytes32);
    /// @notice The id that these four give.
    function registrationId(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash) external pure returns (bytes32);
    /// @notice Digest that a sequencer signs for a claim.
    function claimDigest(uint64 chainId, bytes32 registration, uint32 generation, uint64 number, bytes32 blockHash)
        external
        view
        returns (bytes32);
    /// @notice Digest that a sequencer signs for a retraction.
    function retractionDigest(uint64 chainId, bytes32 registration, uint32 generation, uint64 number, bytes32 blockHash)
        external
        view
        returns (bytes32);
}
