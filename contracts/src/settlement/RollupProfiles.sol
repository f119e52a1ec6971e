// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupProfiles} from "../interfaces/IRollupProfiles.sol";
import {IRollupRegistry} from "../interfaces/IRollupRegistry.sol";

/// @title What a registered rollup is, in full, where operators find it
contract RollupProfiles is IRollupProfiles {
    /// @inheritdoc IRollupProfiles
    uint256 public constant PROFILE_BYTES_MAX = 24_576;

    /// @inheritdoc IRollupProfiles
    IRollupRegistry public immutable REGISTRY;

    /// @inheritdoc IRollupProfiles
    mapping(bytes32 registration => uint64) public publishedAt;

    /// @param registry of rollups and their sequencers
    constructor(IRollupRegistry registry) {
        REGISTRY = registry;
    }

    /// @inheritdoc IRollupProfiles
    function publish(bytes32 registration, address governor, bytes calldata profile) external {
        IRollupRegistry.Rollup memory r = REGISTRY.rollup(registration);
        if (r.exitAt != 0 || REGISTRY.registrationOf(r.chainId) != registration) revert RegistrationGone(registration);
        if (governor == address(0)) revert GovernorZero();
        if (profile.length > PROFILE_BYTES_MAX) revert ProfileTooLong(profile.length, PROFILE_BYTES_MAX);
        bytes32 computed = specHash(governor, profile);
        if (computed != r.specHash) revert ProfileOther(r.specHash, computed);
        uint64 published = publishedAt[registration];
        if (published != 0) revert PublishedAlready(registration, published);
        publishedAt[registration] = uint64(block.number);
        emit ProfilePublished(registration, governor, profile);
    }

    /// @inheritdoc IRollupProfiles
    function specHash(address governor, bytes calldata profile) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(governor, keccak256(profile)));
    }
}
