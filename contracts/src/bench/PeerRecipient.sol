// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title What the recipients of peers' messages share: the caller, the length, the count
abstract contract PeerRecipient {
    /// @notice The only caller, or whom to ask.
    address public immutable PEER;
    /// @notice Messages accepted so far.
    uint256 public count;

    /// @notice Not the peer.
    error WrongCaller(address caller);
    /// @notice The payload is not 64 bytes.
    error WrongLength(uint256 found);

    constructor(address peer) {
        PEER = peer;
    }

    function _accept(bytes calldata payload) internal {
        if (payload.length != 64) revert WrongLength(payload.length);
        unchecked {
            ++count;
        }
    }
}
