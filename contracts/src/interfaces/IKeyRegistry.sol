// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../lib/Bn254.sol";

/// @title BLS keys of operators, each with proof of possession
interface IKeyRegistry {
    /// @notice `operator` signs with this key from now on. `operatorId` = `H(G1 key)`.
    event KeyRegistered(address indexed operator, bytes32 indexed operatorId, Bn254.G1 key, Bn254.G2 keyG2);

    /// @notice The key, or the signature, is the identity.
    error IdentityPoint();
    /// @notice The operator has a key already.
    error OperatorHasKey(address operator);
    /// @notice The key belongs to `operator` already.
    error KeyTaken(bytes32 operatorId, address operator);
    /// @notice The signature is not this key's, not for this operator, or the two forms of the key differ.
    error PossessionNotProven(bytes32 digest);

    /// @notice Registers the caller's key. Once for each operator and each key.
    /// @dev Callable by anyone, for itself only: the possession names the caller, so a copied one is worth nothing.
    /// Emits {KeyRegistered}. Reverts, in this order: {IdentityPoint}, {OperatorHasKey}, {KeyTaken},
    /// {Bn254.PrecompileFailed} for a coordinate out of range or a point off its curve, {PossessionNotProven}.
    /// @param key in G1
    /// @param keyG2 the same key in G2
    /// @param possession signature over {possessionDigest} of the key and the caller
    function register(Bn254.G1 calldata key, Bn254.G2 calldata keyG2, Bn254.G1 calldata possession) external;

    /// @notice What an operator signs to prove possession: kind 3 of docs/protocol.md.
    function possessionDigest(Bn254.G1 calldata key, address operator) external view returns (bytes32);

    /// @notice Id of the operator's key; zero when it has none.
    function operatorIdOf(address operator) external view returns (bytes32);

    /// @notice Whose key that is; zero when nobody's.
    function operatorOf(bytes32 operatorId) external view returns (address);
}
