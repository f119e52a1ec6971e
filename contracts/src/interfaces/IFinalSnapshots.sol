// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILightClient} from "./ILightClient.sol";

/// @title The last state of rollups that left
/// @notice On L1. A rollup that left the network, and settled its last block before, leaves number, hash and state root of that block
/// here, for ever: whoever held something in it can prove that against L1 after its own node is gone. It is the operators' word, as
/// their certificates are.
///
/// Proof as {settle} takes it: "Proof of a rollup" of IGateway, and behind it the head part of `Finalized`, 112 bytes:
/// `number 8 ‖ block hash 32 ‖ state root 32 ‖ advanced at height 8 ‖ lanes root 32`.
interface IFinalSnapshots {
    /// @notice A rollup's last final block. `height`: of the checkpoint that says so.
    struct Snapshot {
        uint64 chainId;
        uint64 number;
        uint64 height;
        bytes32 blockHash;
        bytes32 stateRoot;
    }

    event SnapshotSettled(
        bytes32 indexed registration, uint64 indexed chainId, uint64 number, bytes32 blockHash, bytes32 stateRoot
    );

    /// @notice Status 3 is Left.
    error NotLeft(bytes32 registration, uint8 status);
    /// @notice No block of it is final.
    error NothingFinal(bytes32 registration);
    /// @notice The head part is not the one in the rollup's leaf.
    error HeadPartWrong(bytes32 computed, bytes32 expected);
    error SettledAlready(bytes32 registration);
    error SnapshotUnknown(bytes32 registration);

    /// @notice Keeps the last final block of a rollup that left. Anyone, once for each registration: after it left nothing moves it.
    /// @dev Emits {SnapshotSettled}. Reverts {NotLeft}, {NothingFinal}, {HeadPartWrong}, {SettledAlready}, as ILightClient.submit, and
    /// with the errors of a gateway's records that are about a rollup's proof.
    /// @param certificate of the checkpoint, as ILightClient.submit takes it; empty when the light client holds it
    /// @param proof packed as above
    function settle(bytes calldata certificate, bytes calldata proof) external;

    /// @notice A rollup's last final block; reverts {SnapshotUnknown}.
    function snapshotOf(bytes32 registration) external view returns (Snapshot memory);
    /// @notice Whose checkpoints count.
    function LIGHT_CLIENT() external view returns (ILightClient);
}
