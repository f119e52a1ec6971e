// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IOperatorKeys} from "../interfaces/IOperatorKeys.sol";
import {Bn254} from "../lib/Bn254.sol";

/// @title BLS keys of operators, each with proof of possession, and where peers find them
/// @notice Without possession somebody could register the difference of other keys and sign for all of them. A key stays
/// bound to its operator: what it signed remains its own.
abstract contract OperatorKeys is IOperatorKeys {
    struct Keys {
        Bn254.G1 key;
        Bn254.G2 keyG2;
        Bn254.G1 possession;
    }

    struct Endpoint {
        bytes32 networkKey;
        string endpoint;
    }

    uint256 private constant ENDPOINT_MAX = 64;

    /// @inheritdoc IOperatorKeys
    bytes32 public immutable DOMAIN;

    /// @inheritdoc IOperatorKeys
    mapping(address operator => bytes32) public operatorIdOf;
    /// @inheritdoc IOperatorKeys
    mapping(bytes32 operatorId => address) public operatorOf;
    /// @inheritdoc IOperatorKeys
    mapping(address operator => Keys) public keyOf;
    /// @inheritdoc IOperatorKeys
    mapping(address operator => Endpoint) public endpointOf;
    mapping(bytes32 networkKey => address) private networkKeyOwners;

    constructor(bytes32 domain) {
        DOMAIN = domain;
    }

    /// @inheritdoc IOperatorKeys
    function setEndpoint(bytes32 networkKey, string calldata endpoint) external {
        if (operatorIdOf[msg.sender] == 0) revert NotOperator(msg.sender);
        _setEndpoint(msg.sender, networkKey, endpoint);
    }

    /// @inheritdoc IOperatorKeys
    function possessionDigest(Bn254.G1 memory key, address operator) public view returns (bytes32) {
        bytes32 subject = keccak256(abi.encodePacked(key.x, key.y, operator));
        return keccak256(abi.encodePacked(DOMAIN, uint8(3), uint64(0), uint64(0), subject));
    }

    /// @dev An operator that registers again brings the key that it has; what was proven then is not looked at again.
    function _register(address operator, Registration memory r) internal {
        Bn254.G2 memory k2 = r.keyG2;
        if (
            (r.key.x | r.key.y) == 0 || (r.possession.x | r.possession.y) == 0
                || (k2.xImaginary | k2.xReal | k2.yImaginary | k2.yReal) == 0
        ) revert IdentityPoint();
        bytes32 id = keccak256(abi.encode(r.key));
        bytes32 held = operatorIdOf[operator];
        if (held == 0) {
            if (operatorOf[id] != address(0)) revert KeyTaken(id, operatorOf[id]);
            bytes32 digest = possessionDigest(r.key, operator);
            if (!_proven(r.key, k2, r.possession, digest)) revert PossessionNotProven(digest);
            operatorIdOf[operator] = id;
            operatorOf[id] = operator;
            keyOf[operator] = Keys(r.key, k2, r.possession);
            emit KeyRegistered(operator, id, r.key, k2, r.possession);
        } else if (held != id) {
            revert OperatorHasKey(operator, held);
        }
        _setEndpoint(operator, r.networkKey, r.endpoint);
    }

    function _setEndpoint(address operator, bytes32 networkKey, string memory endpoint) private {
        if (networkKey == 0) revert NetworkKeyMissing();
        _checkEndpoint(bytes(endpoint));
        address holder = networkKeyOwners[networkKey];
        if (holder != operator) {
            if (holder != address(0)) revert NetworkKeyTaken(networkKey, holder);
            networkKeyOwners[networkKey] = operator;
        }
        endpointOf[operator] = Endpoint(networkKey, endpoint);
        emit EndpointSet(operator, networkKey, endpoint);
    }

    /// @dev Rosters carry endpoints, so everyone must be able to write down each one that stands here.
    function _checkEndpoint(bytes memory endpoint) private pure {
        uint256 length = endpoint.length;
        if (length == 0 || length > ENDPOINT_MAX) revert EndpointInvalid(length);
        for (uint256 i; i < length; ++i) {
            if (endpoint[i] < 0x21 || endpoint[i] > 0x7e) revert EndpointInvalid(length);
        }
    }

    /// @dev `e(sig + g·K1, -G2) · e(H + g·G1, K2) = 1` with `g` from all inputs: the signature and the two forms at once.
    function _proven(Bn254.G1 memory key, Bn254.G2 memory keyG2, Bn254.G1 memory signature, bytes32 digest)
        private
        view
        returns (bool)
    {
        Bn254.G1 memory hashed = Bn254.hashToG1(digest);
        uint256 g = uint256(keccak256(abi.encode(key, keyG2, signature, hashed))) % Bn254.R;
        Bn254.G1 memory left = Bn254.negate(Bn254.add(signature, Bn254.multiply(key, g)));
        return Bn254.pairsToOne(left, Bn254.add(hashed, Bn254.multiply(Bn254.G1(1, 2), g)), keyG2);
    }
}
