// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../lib/Bn254.sol";

/// @title BLS keys of operators, each with proof of possession, and where peers find them
/// @notice Keys come with an operator's registration and never change.
interface IOperatorKeys {
    /// @notice What an operator brings when it registers for the operator set, ABI-encoded as the registration's data.
    struct Registration {
        Bn254.G1 key;
        Bn254.G2 keyG2;
        Bn254.G1 possession;
        bytes32 networkKey;
        string endpoint;
    }

    /// @notice `operator` holds this key for ever; `operatorId` = `H(G1 key)`.
    event KeyRegistered(
        address indexed operator, bytes32 indexed operatorId, Bn254.G1 key, Bn254.G2 keyG2, Bn254.G1 possession
    );
    /// @notice Peers find `operator` there from now on.
    event EndpointSet(address indexed operator, bytes32 networkKey, string endpoint);

    /// @notice The caller never registered.
    error NotOperator(address caller);
    /// @notice The key, or the signature, is the identity.
    error IdentityPoint();
    /// @notice The operator registered with key `held` and cannot take another.
    error OperatorHasKey(address operator, bytes32 held);
    /// @notice The key belongs to `operator` already.
    error KeyTaken(bytes32 operatorId, address operator);
    /// @notice The signature is not this key's, not for this operator, or the two forms of the key differ.
    error PossessionNotProven(bytes32 digest);
    /// @notice An endpoint is 1 to 64 printable ASCII characters without spaces.
    error EndpointInvalid(uint256 length);
    error NetworkKeyMissing();
    /// @notice A network key belongs for ever to who named it first.
    error NetworkKeyTaken(bytes32 networkKey, address operator);

    /// @notice Changes where peers find the caller. Another network key counts from the next committee on.
    /// @dev Callable by whoever ever registered. Emits {EndpointSet}. Reverts: {NotOperator}, {NetworkKeyMissing},
    /// {EndpointInvalid}, {NetworkKeyTaken}.
    function setEndpoint(bytes32 networkKey, string calldata endpoint) external;

    /// @notice The domain of all digests, docs/protocol.md.
    function DOMAIN() external view returns (bytes32);

    /// @notice What an operator signs to prove possession: kind 3 of docs/protocol.md.
    function possessionDigest(Bn254.G1 calldata key, address operator) external view returns (bytes32);

    /// @notice Id of the operator's key; zero when it has none. Never changes.
    function operatorIdOf(address operator) external view returns (bytes32);

    /// @notice Whose key that is; zero when nobody's.
    function operatorOf(bytes32 operatorId) external view returns (address);

    /// @notice The operator's key and its proof of possession; zeros when it has none.
    function keyOf(address operator)
        external
        view
        returns (Bn254.G1 memory key, Bn254.G2 memory keyG2, Bn254.G1 memory possession);

    /// @notice Where peers find the operator.
    function endpointOf(address operator) external view returns (bytes32 networkKey, string memory endpoint);
}
