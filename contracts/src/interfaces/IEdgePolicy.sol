// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Whose messages a chain takes, to whom it sends, and who says so
/// @notice The owner of a chain's light client and of its three gateways, which it creates. Its address commits to the whole
/// deployment and names nothing of a chain, so it and they stand at the same addresses everywhere, whoever deploys them. That
/// whoever cannot choose anything: the code of each part is fixed here by its hash.
///
/// Until the rollup's own governor is known, the deployment's bootstrap account owns this contract, and what it allows counts at
/// once. The first {claim} makes the governor that the rollup's registration commits to its owner; the bootstrap account has no
/// power from then on, and what is allowed is announced first and waits. A member of the network file, whose registration names no
/// governor, keeps the bootstrap account.
///
/// What closes takes effect at once: {deny}, {closeLane}, {pause}. Ownership is handed over in two steps (OpenZeppelin's Ownable2Step:
/// `owner`, `transferOwnership`, `acceptOwnership`).
interface IEdgePolicy {
    /// @notice What the address commits to.
    /// @param domain of the operators' chain, docs/protocol.md
    /// @param genesisEpoch the first epoch that the light client accepts
    /// @param genesisTableHash hash of that epoch's table
    /// @param reanchorDelayS of the light client
    /// @param bootstrap owner until the first claim
    /// @param delayS between the announcement of a source and its effect, once a governor owns this
    /// @param tableInCode hash of the creation code of the light client that keeps tables as code
    /// @param tableInStorage of the one for chains that cannot read code
    /// @param gateway hash of the gateway's creation code
    struct Config {
        bytes32 domain;
        uint64 genesisEpoch;
        bytes32 genesisTableHash;
        uint32 reanchorDelayS;
        address bootstrap;
        uint32 delayS;
        bytes32 tableInCode;
        bytes32 tableInStorage;
        bytes32 gateway;
    }

    event LightClientCreated(address lightClient, bool tableInCode);
    event GatewayCreated(uint8 indexed confidence, address gateway);
    /// @notice The governor of this chain's registration owns this from now on.
    event Claimed(address indexed governor, bytes32 indexed registration);
    /// @notice From `readyAt` (seconds since 1970) on anyone may {execute} it.
    event AllowanceAnnounced(uint64 indexed chainId, uint8 indexed confidence, bytes32 registration, uint64 readyAt);
    event AllowanceCancelled(uint64 indexed chainId, uint8 indexed confidence, bytes32 registration);

    /// @notice Other code than this deployment's.
    error CodeWrong(bytes32 computed, bytes32 expected);
    error ConfidenceUnknown(uint8 found);
    error ClaimedAlready();
    /// @notice The leaf is another chain's.
    error WrongChain(uint64 expected, uint64 found);
    /// @notice These five do not give the registration that operators certified.
    error RegistrationOther(bytes32 certified, bytes32 computed);
    error NothingAnnounced(uint64 chainId, uint8 confidence);
    error NotReady(uint64 readyAt, uint256 now_);

    // ---- Parts

    /// @notice Creates the light client. Anyone, once; its constructor's arguments are this deployment's. On a chain that can
    /// read code the one with tables in code, else the other: nobody chooses.
    /// @dev Emits {LightClientCreated}. Reverts {CodeWrong}; as Create2 does when it stands already.
    /// @param code creation code, without arguments
    function createLightClient(bytes calldata code) external returns (address);

    /// @notice Creates the gateway of a confidence. Anyone, once.
    /// @dev Emits {GatewayCreated}. Reverts {ConfidenceUnknown}, {CodeWrong}; as Create2 does when it stands already.
    /// @param code creation code, without arguments
    function createGateway(uint8 confidence, bytes calldata code) external returns (address);

    // ---- Governance

    /// @notice Makes the governor of this chain's registration the owner. Anyone, once: nothing here is the caller's choice.
    /// @dev Emits {Claimed}. Reverts {ClaimedAlready}, {WrongChain}, {RegistrationOther}, as ILightClient.submit, with the errors
    /// of a gateway's records that are about a rollup's proof, and OpenZeppelin's OwnableInvalidOwner for no governor.
    /// @param certificate of the checkpoint, as ILightClient.submit takes it; empty when the light client holds it
    /// @param rollup proof of this chain's leaf, as IGateway.recordRollup takes it
    /// @param sequencer of the registration
    /// @param anchorHash of the registration
    /// @param governor that the registration's spec hash commits to
    /// @param profileHash of the profile that it commits to
    function claim(
        bytes calldata certificate,
        bytes calldata rollup,
        address sequencer,
        bytes32 anchorHash,
        address governor,
        bytes32 profileHash
    ) external;

    /// @notice ILightClient.announceAnchor. Owner only.
    function announceAnchor(uint64 epoch, bytes32 tableHash) external;

    // ---- Policy

    /// @notice Lets a gateway take messages of `registration`, which is the member `chainId`: at once while nobody has claimed, else
    /// by {execute} after {DELAY_S}. An earlier announcement for the chain and confidence is replaced. Owner only.
    /// @dev Emits {AllowanceAnnounced}, or IGateway.SourceAllowed. Reverts {ConfidenceUnknown}, as IGateway.allow.
    function allow(uint64 chainId, bytes32 registration, uint8 confidence) external;

    /// @notice Does what was announced. Anyone, once it is ready. A source that another registration of the chain holds must be
    /// denied first.
    /// @dev Reverts {ConfidenceUnknown}, {NothingAnnounced}, {NotReady}, as IGateway.allow.
    function execute(uint64 chainId, uint8 confidence) external;

    /// @notice Takes no more messages of a chain, and cancels what was announced for it. Owner only.
    /// @dev Emits {AllowanceCancelled}, IGateway.SourceDenied. Reverts {ConfidenceUnknown}, IGateway.ChainHasNoSource when there
    /// is neither.
    function deny(uint64 chainId, uint8 confidence) external;

    /// @notice IGateway.closeLane of a confidence's gateway. Owner only.
    function closeLane(uint64 destination, uint8 confidence) external;
    /// @notice IGateway.openLane of a confidence's gateway. Owner only.
    function openLane(uint64 destination, uint8 confidence) external;
    /// @notice Closes the lanes to these chains at all gateways. Owner only.
    function pause(uint64[] calldata destinations) external;
    /// @notice Opens the lanes to these chains at all gateways. Owner only.
    function resume(uint64[] calldata destinations) external;

    // ---- Views

    /// @notice Whether the rollup's own governor has taken over.
    function claimed() external view returns (bool);
    /// @notice What waits; zeros when nothing does.
    function announced(uint64 chainId, uint8 confidence) external view returns (bytes32 registration, uint64 readyAt);
    /// @notice Where the light client is, or will be.
    function LIGHT_CLIENT() external view returns (address);
    /// @notice Where the gateway of a confidence is, or will be.
    function gatewayOf(uint8 confidence) external view returns (address);
    /// @notice Seconds between announcement and effect.
    function DELAY_S() external view returns (uint32);
    /// @notice Owner until the first claim.
    function BOOTSTRAP() external view returns (address);
    /// @notice What the address commits to: with it anyone can deploy the same elsewhere.
    function config() external view returns (Config memory);
    /// @notice Whether contracts can read code as data on this chain, which tables in code need.
    function readsCode() external view returns (bool);
}
