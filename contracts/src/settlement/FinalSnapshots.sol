// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IFinalSnapshots} from "../interfaces/IFinalSnapshots.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {RollupProof} from "../lib/RollupProof.sol";

/// @title The last state of rollups that left
contract FinalSnapshots is IFinalSnapshots {
    uint8 private constant LEFT = 3;
    uint256 private constant HEAD_BYTES = 112;

    /// @inheritdoc IFinalSnapshots
    ILightClient public immutable LIGHT_CLIENT;

    mapping(bytes32 registration => Snapshot) private snapshots;

    /// @param lightClient whose checkpoints count
    constructor(ILightClient lightClient) {
        LIGHT_CLIENT = lightClient;
    }

    /// @inheritdoc IFinalSnapshots
    function settle(bytes calldata certificate, bytes calldata proof) external {
        if (certificate.length != 0) LIGHT_CLIENT.submit(certificate);
        if (proof.length < HEAD_BYTES) revert RollupProof.ProofLength(proof.length, HEAD_BYTES);
        uint256 end = proof.length - HEAD_BYTES;
        RollupProof.Leaf memory leaf = RollupProof.check(proof[:end], LIGHT_CLIENT);
        if (leaf.status != LEFT) revert NotLeft(leaf.registration, leaf.status);
        bytes calldata head = proof[end:];
        bytes32 computed = keccak256(head);
        if (computed != leaf.finalized) revert HeadPartWrong(computed, leaf.finalized);
        // The part of a rollup that settled nothing is zero throughout.
        bytes32 blockHash = bytes32(head[8:40]);
        if (blockHash == 0) revert NothingFinal(leaf.registration);
        if (snapshots[leaf.registration].blockHash != 0) revert SettledAlready(leaf.registration);

        uint64 number = uint64(bytes8(head[0:8]));
        bytes32 stateRoot = bytes32(head[40:72]);
        snapshots[leaf.registration] = Snapshot(leaf.chainId, number, leaf.height, blockHash, stateRoot);
        emit SnapshotSettled(leaf.registration, leaf.chainId, number, blockHash, stateRoot);
    }

    /// @inheritdoc IFinalSnapshots
    function snapshotOf(bytes32 registration) external view returns (Snapshot memory s) {
        s = snapshots[registration];
        if (s.blockHash == 0) revert SnapshotUnknown(registration);
    }
}
