// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupRegistry} from "./IRollupRegistry.sol";

/// @title What a registered rollup is, in full, where operators find it
/// @notice A registration commits by its spec hash to a governor and to the bytes of a profile (docs/protocol.md); here those bytes are
/// published, once. Operators of the network read them from the event and admit the rollup. What is in the profile nobody looks at here:
/// one that operators cannot read has no effect.
interface IRollupProfiles {
    /// @notice The profile of a registration. `governor` decides later, on the rollup, whose messages it takes.
    event ProfilePublished(bytes32 indexed registration, address governor, bytes profile);

    /// @notice Its bond was taken or paid back, or it announced its exit.
    error RegistrationGone(bytes32 registration);
    error GovernorZero();
    error ProfileTooLong(uint256 length, uint256 most);
    /// @notice The registration commits to other bytes, or to another governor.
    error ProfileOther(bytes32 declared, bytes32 computed);
    error PublishedAlready(bytes32 registration, uint64 l1Block);

    /// @notice Publishes what a registration commits to. Anyone: nothing else than the registrant's own words is taken.
    /// @dev Emits {ProfilePublished}. Reverts {IRollupRegistry.RegistrationUnknown}, {RegistrationGone}, {GovernorZero},
    /// {ProfileTooLong}, {ProfileOther}, {PublishedAlready}.
    /// @param profile JSON, at most {PROFILE_BYTES_MAX}
    function publish(bytes32 registration, address governor, bytes calldata profile) external;

    /// @notice Where registrations are known.
    function REGISTRY() external view returns (IRollupRegistry);
    /// @notice Longest profile.
    function PROFILE_BYTES_MAX() external view returns (uint256);
    /// @notice The L1 block that has a registration's profile; 0 when none has.
    function publishedAt(bytes32 registration) external view returns (uint64);
    /// @notice The spec hash that these two give: `H(governor 20 ‖ H(profile) 32)`.
    function specHash(address governor, bytes calldata profile) external pure returns (bytes32);
}
