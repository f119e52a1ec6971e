// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title What sequencers sign: claims and retractions of docs/protocol.md
library SequencerSignature {
    string internal constant CLAIM = "hum/claim/1";
    string internal constant RETRACTION = "hum/retraction/1";

    /// @notice The digest under `label`.
    function digest(
        string memory label,
        bytes32 domain,
        uint64 chainId,
        bytes32 registration,
        uint32 generation,
        uint64 number,
        bytes32 blockHash
    ) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(label, domain, chainId, registration, generation, number, blockHash));
    }

    /// @notice Whether `signature` (`r 32 ‖ s 32 ‖ v 1`, low s, v in 0, 1) is the sequencer's. Never for the zero address.
    function isBy(address sequencer, bytes32 digest_, bytes calldata signature) internal pure returns (bool) {
        if (sequencer == address(0) || signature.length != 65 || uint8(signature[64]) > 1) return false;
        (address signer, ECDSA.RecoverError error_,) = ECDSA.tryRecover(
            digest_, 27 + uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64])
        );
        return error_ == ECDSA.RecoverError.NoError && signer == sequencer;
    }
}
