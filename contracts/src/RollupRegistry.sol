// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupRegistry} from "./interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "./interfaces/ISettlementAdapter.sol";
import {SequencerSignature} from "./judges/SequencerSignature.sol";

/// @title Rollups, their sequencers, and the bonds that stand behind what sequencers sign
contract RollupRegistry is IRollupRegistry {
    /// @dev The reporter's part of a bond. Far from all of it: a sequencer that reports itself must lose.
    uint256 private constant REWARD_PERCENT = 10;

    bytes32 public immutable DOMAIN;
    address public immutable OWNER;
    /// @notice Where the rest of a taken bond goes.
    address public immutable FUND;
    uint256 public immutable BOND_MIN_WEI;
    uint64 public immutable AUTHORISATION_DELAY_S;
    uint64 public immutable EXIT_DELAY_S;
    uint64 public immutable ANSWER_TIME_S;

    struct Authorisation {
        address account;
        uint64 activeAt;
    }

    struct Accusation {
        bytes32 registration;
        address reporter;
        uint64 deadline;
        uint32 generation;
        uint64 number;
    }

    /// @notice Who may register a chain id, and from when on.
    mapping(uint64 chainId => Authorisation) public authorisationOf;
    /// @inheritdoc IRollupRegistry
    mapping(uint64 chainId => bytes32) public registrationOf;
    /// @notice When an adapter is active; 0 when it is not listed.
    mapping(address adapter => uint64) public adapterActiveAt;
    /// @notice An open accusation; its registration is zero when there is none.
    mapping(bytes32 accusation => Accusation) public accusationOf;
    /// @inheritdoc IRollupRegistry
    mapping(address account => uint256) public owedWei;

    mapping(bytes32 registration => Rollup) private rollups;
    /// @dev Open accusations against a registration: while there is one its bond stays.
    mapping(bytes32 registration => uint256) private openAccusations;
    /// @dev One more than the number that the generation's retraction keeps; 0 when none was shown. A claim above it is withdrawn.
    mapping(bytes32 registration => mapping(uint32 generation => uint256)) private keptPlusOne;
    mapping(bytes32 registration => bool) private isOwnNode;

    /// @param domain of the operators' chain, docs/protocol.md
    /// @param owner authorises chain ids and announces adapters
    /// @param fund gets what reporters do not
    /// @param bondMinWei least bond
    /// @param authorisationDelayS between the owner's word and its effect
    /// @param exitDelayS for which a leaving sequencer stays liable
    /// @param answerTimeS for showing a retraction
    constructor(
        bytes32 domain,
        address owner,
        address fund,
        uint256 bondMinWei,
        uint64 authorisationDelayS,
        uint64 exitDelayS,
        uint64 answerTimeS
    ) {
        if (owner == address(0) || fund == address(0) || bondMinWei == 0) revert ConstructorArguments(owner, fund, bondMinWei);
        (DOMAIN, OWNER, FUND, BOND_MIN_WEI) = (domain, owner, fund, bondMinWei);
        (AUTHORISATION_DELAY_S, EXIT_DELAY_S, ANSWER_TIME_S) = (authorisationDelayS, exitDelayS, answerTimeS);
    }

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        _;
    }

    /// @inheritdoc IRollupRegistry
    function authorise(uint64 chainId, address account) external onlyOwner {
        uint64 activeAt = uint64(block.timestamp) + AUTHORISATION_DELAY_S;
        authorisationOf[chainId] = Authorisation(account, activeAt);
        emit ChainAuthorised(chainId, account, activeAt);
    }

    /// @inheritdoc IRollupRegistry
    function register(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
        external
        payable
        returns (bytes32 registration)
    {
        return _register(chainId, sequencer, anchorHash, specHash);
    }

    /// @inheritdoc IRollupRegistry
    function registerOwnNode(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
        external
        payable
        returns (bytes32 registration)
    {
        registration = _register(chainId, sequencer, anchorHash, specHash);
        isOwnNode[registration] = true;
        emit OwnNodeRegistered(registration);
    }

    function _register(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
        private
        returns (bytes32 registration)
    {
        Authorisation memory a = authorisationOf[chainId];
        if (a.account != msg.sender || block.timestamp < a.activeAt) revert NotAuthorised(chainId, msg.sender);
        if (sequencer == address(0)) revert SequencerZero();
        if (msg.value < BOND_MIN_WEI) revert BondTooLow(msg.value, BOND_MIN_WEI);
        if (registrationOf[chainId] != 0) revert ChainTaken(chainId, registrationOf[chainId]);
        registration = registrationId(chainId, sequencer, anchorHash, specHash);
        if (rollups[registration].sequencer != address(0)) revert RegistrationKnown(registration);

        delete authorisationOf[chainId];
        registrationOf[chainId] = registration;
        rollups[registration] = Rollup(chainId, sequencer, msg.sender, anchorHash, specHash, msg.value, 0, false);
        emit RollupRegistered(registration, chainId, sequencer, anchorHash, specHash, msg.sender, msg.value);
    }

    /// @inheritdoc IRollupRegistry
    function addBond(bytes32 registration) external payable {
        _standing(registration).bondWei += msg.value;
        emit BondAdded(registration, msg.value);
    }

    /// @inheritdoc IRollupRegistry
    function announceExit(bytes32 registration) external {
        Rollup storage r = _standing(registration);
        if (msg.sender != r.registrant) revert NotRegistrant(msg.sender);
        if (r.exitAt != 0) revert ExitAnnouncedAlready(registration);
        r.exitAt = uint64(block.timestamp) + EXIT_DELAY_S;
        emit ExitAnnounced(registration, r.exitAt);
    }

    /// @inheritdoc IRollupRegistry
    function withdrawBond(bytes32 registration) external {
        Rollup storage r = _standing(registration);
        if (msg.sender != r.registrant) revert NotRegistrant(msg.sender);
        if (r.exitAt == 0) revert ExitNotAnnounced(registration);
        if (block.timestamp < r.exitAt || openAccusations[registration] != 0) revert BondLocked(registration, r.exitAt);
        uint256 bondWei = r.bondWei;
        r.bondWei = 0;
        delete registrationOf[r.chainId];
        emit BondReturned(registration, bondWei);
        _pay(msg.sender, bondWei);
    }

    /// @inheritdoc IRollupRegistry
    function reportDoubleClaim(bytes32 registration, Signed calldata one, Signed calldata other) external {
        Rollup storage r = _standing(registration);
        if (one.generation != other.generation || one.number != other.number || one.blockHash == other.blockHash) {
            revert NoDoubleClaim();
        }
        _checkSigned(SequencerSignature.CLAIM, r, registration, one);
        _checkSigned(SequencerSignature.CLAIM, r, registration, other);
        _takeBond(registration, one.generation, one.number, msg.sender);
        collect(msg.sender);
    }

    /// @inheritdoc IRollupRegistry
    function accuseClaim(bytes32 registration, Signed calldata claim, ISettlementAdapter adapter, bytes calldata proof)
        external
        returns (bytes32 accusation)
    {
        Rollup storage r = _standing(registration);
        _checkNotRetracted(registration, claim.generation, claim.number);
        _checkSigned(SequencerSignature.CLAIM, r, registration, claim);
        accusation = keccak256(abi.encode(registration, claim.generation, claim.number, claim.blockHash));
        if (accusationOf[accusation].registration != 0) revert AccusedAlready(accusation);
        uint64 activeAt = adapterActiveAt[address(adapter)];
        if (activeAt == 0 || block.timestamp < activeAt) revert AdapterNotActive(address(adapter));
        ISettlementAdapter.Statement memory statement;
        statement.kind = ISettlementAdapter.Kind.Claim;
        (statement.chainId, statement.registration, statement.generation) = (r.chainId, registration, claim.generation);
        (statement.number, statement.blockHash) = (claim.number, claim.blockHash);
        if (!adapter.contradicts(statement, proof)) revert NotContradicted();

        uint64 deadline = uint64(block.timestamp) + ANSWER_TIME_S;
        accusationOf[accusation] = Accusation(registration, msg.sender, deadline, claim.generation, claim.number);
        ++openAccusations[registration];
        emit ClaimAccused(registration, claim.generation, claim.number, claim.blockHash, msg.sender, deadline);
    }

    /// @inheritdoc IRollupRegistry
    function showRetraction(bytes32 registration, Signed calldata retraction) external {
        Rollup storage r = rollups[registration];
        if (r.sequencer == address(0)) revert RegistrationUnknown(registration);
        _checkSigned(SequencerSignature.RETRACTION, r, registration, retraction);
        // A retraction opens a generation, so it ends the one before; generation 0 is opened by none.
        if (retraction.generation == 0) revert NothingRetracted();
        uint32 generation = retraction.generation - 1;
        uint256 known = keptPlusOne[registration][generation];
        if (known != 0 && known <= uint256(retraction.number) + 1) revert NothingRetracted();
        keptPlusOne[registration][generation] = uint256(retraction.number) + 1;
        emit RetractionShown(registration, generation, retraction.number);
    }

    /// @inheritdoc IRollupRegistry
    function concludeAccusation(bytes32 accusation) external {
        Accusation memory a = accusationOf[accusation];
        if (a.registration == 0) revert NoAccusation(accusation);
        uint256 kept = keptPlusOne[a.registration][a.generation];
        bool retracted = kept != 0 && a.number >= kept;
        // Cleared at once when it was answered, so that no bond stays locked.
        if (!retracted && block.timestamp < a.deadline) revert TooEarly(a.deadline);
        delete accusationOf[accusation];
        --openAccusations[a.registration];
        // Another report may have taken the bond meanwhile.
        if (!retracted && !rollups[a.registration].punished) _takeBond(a.registration, a.generation, a.number, a.reporter);
    }

    /// @inheritdoc IRollupRegistry
    function announceAdapter(address adapter) external onlyOwner {
        uint64 activeAt = uint64(block.timestamp) + AUTHORISATION_DELAY_S;
        adapterActiveAt[adapter] = activeAt;
        emit AdapterAnnounced(adapter, activeAt);
    }

    /// @inheritdoc IRollupRegistry
    function removeAdapter(address adapter) external onlyOwner {
        delete adapterActiveAt[adapter];
        emit AdapterRemoved(adapter);
    }

    /// @inheritdoc IRollupRegistry
    function collect(address account) public {
        uint256 amountWei = owedWei[account];
        owedWei[account] = 0;
        _pay(account, amountWei);
    }

    /// @inheritdoc IRollupRegistry
    function rollup(bytes32 registration) external view returns (Rollup memory r) {
        r = rollups[registration];
        if (r.sequencer == address(0)) revert RegistrationUnknown(registration);
    }

    /// @inheritdoc IRollupRegistry
    function sequencerOf(bytes32 registration) external view returns (address) {
        return rollups[registration].sequencer;
    }

    /// @inheritdoc IRollupRegistry
    function anchorOf(bytes32 registration) external view returns (bytes32) {
        return rollups[registration].anchorHash;
    }

    /// @inheritdoc IRollupRegistry
    function isReexecuted(bytes32 registration) external view returns (bool) {
        return rollups[registration].sequencer != address(0) && !isOwnNode[registration];
    }

    /// @inheritdoc IRollupRegistry
    function registrationId(uint64 chainId, address sequencer, bytes32 anchorHash, bytes32 specHash)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked("hum/registration/1", chainId, sequencer, anchorHash, specHash));
    }

    /// @inheritdoc IRollupRegistry
    function claimDigest(uint64 chainId, bytes32 registration, uint32 generation, uint64 number, bytes32 blockHash)
        external
        view
        returns (bytes32)
    {
        return SequencerSignature.digest(
            SequencerSignature.CLAIM, DOMAIN, chainId, registration, generation, number, blockHash
        );
    }

    /// @inheritdoc IRollupRegistry
    function retractionDigest(uint64 chainId, bytes32 registration, uint32 generation, uint64 number, bytes32 blockHash)
        external
        view
        returns (bytes32)
    {
        return SequencerSignature.digest(
            SequencerSignature.RETRACTION, DOMAIN, chainId, registration, generation, number, blockHash
        );
    }

    /// @dev A registration whose bond is still here.
    function _standing(bytes32 registration) private view returns (Rollup storage r) {
        r = rollups[registration];
        if (r.sequencer == address(0)) revert RegistrationUnknown(registration);
        if (registrationOf[r.chainId] != registration) revert BondGone(registration);
    }

    function _checkSigned(string memory label, Rollup storage r, bytes32 registration, Signed calldata s) private view {
        bytes32 digest =
            SequencerSignature.digest(label, DOMAIN, r.chainId, registration, s.generation, s.number, s.blockHash);
        if (!SequencerSignature.isBy(r.sequencer, digest, s.signature)) revert SequencerSignatureInvalid(digest);
    }

    function _checkNotRetracted(bytes32 registration, uint32 generation, uint64 number) private view {
        uint256 kept = keptPlusOne[registration][generation];
        if (kept != 0 && number >= kept) revert ClaimRetracted(uint64(kept - 1));
    }

    /// @dev Nobody is paid here: an account that refuses ether must not save a bond.
    function _takeBond(bytes32 registration, uint32 generation, uint64 number, address reporter) private {
        Rollup storage r = rollups[registration];
        uint256 bondWei = r.bondWei;
        uint256 rewardWei = bondWei * REWARD_PERCENT / 100;
        (r.bondWei, r.punished) = (0, true);
        delete registrationOf[r.chainId];
        owedWei[reporter] += rewardWei;
        owedWei[FUND] += bondWei - rewardWei;
        emit BondTaken(registration, generation, number, reporter, rewardWei, bondWei - rewardWei);
    }

    function _pay(address account, uint256 amountWei) private {
        (bool ok,) = account.call{value: amountWei}("");
        if (!ok) revert PaymentRefused(account);
    }
}
