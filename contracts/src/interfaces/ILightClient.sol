// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The operators' chain as another chain sees it
/// @notice Holds the committee tables of the epochs and the newest checkpoints that a quorum has certified. Anyone may
/// feed it; it believes signatures only. docs/protocol.md is the law for every byte here.
///
/// Certificate as `submit` takes it (integers big-endian, offsets in bytes, `a` = number of absentees):
///
/// | offset | field | bytes |
/// |---|---|---|
/// | 0 | scheme, 1 = BLS on BN254 | 1 |
/// | 1 | header without its domain: bytes 32 to 224 of the protocol's header | 192 |
/// | 193 | signature, sum over the signers, G1 `x ‖ y` | 64 |
/// | 257 | root hint `w`: `w² = y` of the hashed point; either root will do, nothing is made of it | 32 |
/// | 289 | step `k`: the hashed point has `x = digest + k mod p` | 1 |
/// | 290 | `a`, number of absentees | 1 |
/// | 291 | absentees: indexes into the table (0 = first operator), strictly ascending | a |
/// | 291 + a | only when `a > 0`: signers' G2 key sum `x.c1 ‖ x.c0 ‖ y.c1 ‖ y.c0` | 128 |
interface ILightClient {
    /// @notice A committee that the owner named: it begins at `readyAt` (seconds since 1970), unless another turns up alive.
    struct Anchor {
        uint64 epoch;
        uint64 readyAt;
        bytes32 tableHash;
    }

    /// @notice The table of `epoch` is now readable by `submit`.
    event TableInstalled(uint64 indexed epoch, address table);
    /// @notice `epoch` accepts nothing above `lastHeight`; the next epoch's table hashes to `nextTableHash`.
    event EpochClosed(uint64 indexed epoch, uint64 lastHeight, bytes32 nextTableHash);
    /// @notice Nothing installed is good any more; from `readyAt` on anyone may begin `epoch` with the table of this hash.
    event AnchorAnnounced(uint64 indexed epoch, bytes32 tableHash, uint64 readyAt);
    /// @notice The announced anchor at `epoch` is void: a table that is good was installed.
    event AnchorCancelled(uint64 indexed epoch);
    /// @notice The client goes on at `epoch`, whose table must hash to `tableHash`.
    event Anchored(uint64 indexed epoch, bytes32 tableHash);

    /// @notice The certificate has `found` bytes where its own counts ask for `expected`.
    error CertificateLength(uint256 found, uint256 expected);
    /// @notice Only scheme 1 is known here.
    error UnknownScheme(uint8 found);
    /// @notice The place for `height` already holds `held`, which is newer, or the same height with other content.
    error CheckpointNotNewer(uint64 height, uint64 held);
    /// @notice `height` lies outside what `epoch` may certify: above `openedAbove` and, once closed, up to `closedAt`.
    error HeightOutsideEpoch(uint64 epoch, uint64 height, uint64 openedAbove, uint64 closedAt);
    /// @notice No table of `epoch` is installed.
    error TableNotInstalled(uint64 epoch);
    /// @notice The table of `epoch` was good until `validUntil`, and it is `now_` (both in seconds since 1970).
    error TableExpired(uint64 epoch, uint64 validUntil, uint256 now_);
    /// @notice The table of `epoch` is installed already.
    error TableAlreadyInstalled(uint64 epoch);
    /// @notice No certificate has named a table for `epoch`, or the one it named hashes to `known`, not to `computed`.
    error TableHashMismatch(uint64 epoch, bytes32 known, bytes32 computed);
    /// @notice A table is 216 + 80·n bytes, n from 1 to 256.
    error TableLength(uint256 found);
    /// @notice The operators' stakes add up to `sum`, not to the total in entry 0, or to nothing.
    error TableStakeWrong(uint256 sum, uint256 total);
    /// @notice Only the owner announces an anchor.
    error NotOwner(address caller);
    /// @notice A table is installed that is good until `usableUntil`, and it is `now_`: there is nothing to re-anchor.
    error CommitteeLives(uint64 usableUntil, uint256 now_);
    /// @notice An anchor must lie above `newestEpoch`, so that it replaces no table that a certificate named.
    error AnchorNotNewer(uint64 epoch, uint64 newestEpoch);
    /// @notice An anchor needs a table.
    error AnchorWithoutTable();
    /// @notice No anchor is announced.
    error AnchorNotAnnounced();
    /// @notice The announced anchor waits until `readyAt`, and it is `now_`.
    error AnchorNotReady(uint64 readyAt, uint256 now_);
    /// @notice The contract that should hold the table could not be created.
    error TableNotCreated();
    /// @notice Absentees must ascend strictly, which also rules out naming one twice.
    error AbsenteesNotAscending(uint256 previous, uint256 found);
    /// @notice The absentee is not in a table of `operators`.
    error AbsenteeOutOfRange(uint256 index, uint256 operators);
    /// @notice Signed stake × 3 is below total stake × 2.
    error QuorumNotReached(uint256 signedStake, uint256 totalStake);
    /// @notice The signature is the identity of G1.
    error IdentitySignature();
    /// @notice The signers' G2 key sum is the identity of G2.
    error IdentityKey();
    /// @notice `hint² = y` and `y² = x³ + 3` do not both hold at `x = digest + step`.
    error RootHintWrong(uint256 step, uint256 hint);
    /// @notice The pairing does not hold: another message, other signers, or a G2 sum that is not theirs.
    error SignatureInvalid();
    /// @notice A precompile refused its input (a point off its curve) or this chain lacks it.
    error PrecompileFailed(uint256 precompile);

    /// @notice Checks a certificate and keeps its checkpoint.
    /// @dev Callable by anyone. Checkpoints have `RING` places, chosen by height, so that a proof against one height
    /// stays good when others certify the next. A place only ever moves to a greater height.
    /// Emits {EpochClosed} when the header names the next table for the first time; else no event, for gas: ask {checkpointAt}.
    /// Reverts {CertificateLength}, {UnknownScheme}, {CheckpointNotNewer}, {TableNotInstalled},
    /// {HeightOutsideEpoch}, {IdentitySignature}, {RootHintWrong}, {AbsenteesNotAscending}, {AbsenteeOutOfRange},
    /// {QuorumNotReached}, {IdentityKey}, {PrecompileFailed}, {SignatureInvalid}, {TableExpired}. What is wrong with the domain or the kind
    /// of a statement shows as {SignatureInvalid}: neither is in the bytes.
    /// @param certificate packed as in the table above
    /// @return accepted false when exactly this checkpoint was held already (nothing is checked or changed then)
    function submit(bytes calldata certificate) external returns (bool accepted);

    /// @notice Makes the committee table of an epoch readable. The bytes must hash to what genesis or a certificate named,
    /// so it does not matter who brings them, or who is first. A client that slept catches up by the certificates that closed
    /// the epochs it missed and their tables, one after the other, each still good at that moment.
    /// @dev Callable by anyone, once for each epoch. Emits {TableInstalled}, and {AnchorCancelled} when an anchor was
    /// announced. Reverts, in this order: {TableLength}, {TableHashMismatch}, {TableStakeWrong}, {TableAlreadyInstalled},
    /// {TableExpired}, {TableNotCreated} (bring more gas).
    /// @param epoch whose table it is
    /// @param table `entry 0 ‖ entries` as in docs/protocol.md
    function installTable(uint64 epoch, bytes calldata table) external;

    /// @notice Names the committee with which this client goes on, when it slept so long that no table it knows is good. Takes
    /// the place of an earlier announcement, and starts the delay anew. Choose a table that is good beyond the delay.
    /// @dev Callable by {OWNER} only: a person, a governor, or the aliased address of a contract on L1, so that a chain whose
    /// native bridge reaches it can be re-anchored by a message from L1 that reads the committee there. Emits
    /// {AnchorAnnounced}. Reverts {NotOwner}, {CommitteeLives}, {AnchorNotNewer}, {AnchorWithoutTable}.
    /// @param epoch that goes on, above {newestEpoch}
    /// @param tableHash of that epoch's table
    function announceAnchor(uint64 epoch, bytes32 tableHash) external;

    /// @notice Begins the announced epoch: anyone may install its table afterwards. Checkpoints that are held stay.
    /// A table that was named before and never installed is forgotten.
    /// @dev Callable by anyone from the announced time on. Whoever can install a table that is good has the whole delay to do
    /// it, which voids the announcement: so an anchor never replaces a committee that lives. Emits {Anchored}.
    /// Reverts {AnchorNotAnnounced}, {AnchorNotReady}.
    function anchor() external;

    /// @notice Whether a quorum certified exactly this and the place was not taken by a later height since.
    /// @param height of the checkpoint
    /// @param timeMs its header's time in ms since 1970
    /// @param rollupsRoot its header's root over all rollups
    function isKnown(uint64 height, uint64 timeMs, bytes32 rollupsRoot) external view returns (bool);

    /// @notice The greatest height held; 0 when none is. Reads every place: meant for people, not for contracts.
    function newestHeight() external view returns (uint64);

    /// @notice What is held in the place of `height`.
    /// @return held the height in that place, which may be another one
    /// @return commitment first 24 bytes of `H(time 8 ‖ rollups root 32)`
    function checkpointAt(uint64 height) external view returns (uint64 held, bytes24 commitment);

    /// @notice The hash that the table of `epoch` must have; zero when nothing named one yet.
    function tableHash(uint64 epoch) external view returns (bytes32);

    /// @notice Where the table of `epoch` is kept, as code after one zero byte; zero until installed.
    function tableAddress(uint64 epoch) external view returns (address);

    /// @notice What `epoch` may certify: heights above `openedAbove`, up to `closedAt` (0 = still open).
    function epochSpan(uint64 epoch) external view returns (uint64 openedAbove, uint64 closedAt);

    /// @notice The newest epoch whose table was named. Where it has no table yet, that is what this client waits for; where
    /// it has, the next thing it needs is the certificate that closes it.
    function newestEpoch() external view returns (uint64);

    /// @notice Until when some installed table is good, in seconds since 1970: the greatest of all `valid until`.
    function usableUntil() external view returns (uint64);

    /// @notice The anchor that waits; all zero when none does.
    function announcedAnchor() external view returns (Anchor memory);

    /// @notice Who may announce an anchor; 0 = nobody.
    function OWNER() external view returns (address);

    /// @notice Seconds between the announcement of an anchor and its effect.
    function REANCHOR_DELAY_S() external view returns (uint32);

    /// @notice The domain of all digests, fixed at deployment and never taken from a caller.
    function DOMAIN() external view returns (bytes32);

    /// @notice Number of places for checkpoints.
    function RING() external view returns (uint256);
}
