// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {RestakingStore} from "./RestakingStore.sol";

/// @title Which contracts may order slashing
/// @notice A judge is for ever: who could remove it could also save a liar. The delay lets operators leave before a judge that
/// they do not believe in can touch them.
abstract contract Judges is RestakingStore {
    mapping(address judge => uint64 activeAt) private judges;

    /// @inheritdoc IServiceManager
    function announceJudge(address judge) external onlyOwner {
        if (judges[judge] != 0) revert JudgeKnown(judge, judges[judge]);
        uint64 activeAt = uint64(block.timestamp) + (everRegistered ? JUDGE_DELAY_SECONDS : 0);
        judges[judge] = activeAt;
        emit JudgeAnnounced(judge, activeAt);
    }

    /// @inheritdoc IServiceManager
    function isJudge(address judge) public view returns (bool) {
        return judges[judge] != 0 && judges[judge] <= block.timestamp;
    }
}
