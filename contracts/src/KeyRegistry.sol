// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IKeyRegistry} from "./interfaces/IKeyRegistry.sol";
import {Bn254} from "./lib/Bn254.sol";

/// @title BLS keys of operators, each with proof of possession
/// @notice On L1. Without possession somebody could register the difference of other keys and sign for all of them.
contract KeyRegistry is IKeyRegistry {
    /// @notice The domain of all digests, fixed at deployment.
    bytes32 public immutable DOMAIN;

    /// @inheritdoc IKeyRegistry
    mapping(address operator => bytes32) public operatorIdOf;
    /// @inheritdoc IKeyRegistry
    mapping(bytes32 operatorId => address) public operatorOf;

    /// @param domain of the operators' chain, docs/protocol.md
    constructor(bytes32 domain) {
        DOMAIN = domain;
    }

    /// @inheritdoc IKeyRegistry
    function register(Bn254.G1 calldata key, Bn254.G2 calldata keyG2, Bn254.G1 calldata possession) external {
        if (
            (key.x | key.y) == 0 || (possession.x | possession.y) == 0
                || (keyG2.xImaginary | keyG2.xReal | keyG2.yImaginary | keyG2.yReal) == 0
        ) revert IdentityPoint();
        if (operatorIdOf[msg.sender] != 0) revert OperatorHasKey(msg.sender);
        bytes32 id = keccak256(abi.encode(key));
        if (operatorOf[id] != address(0)) revert KeyTaken(id, operatorOf[id]);

        bytes32 digest = possessionDigest(key, msg.sender);
        if (!_proven(key, keyG2, possession, digest)) revert PossessionNotProven(digest);
        operatorIdOf[msg.sender] = id;
        operatorOf[id] = msg.sender;
        emit KeyRegistered(msg.sender, id, key, keyG2);
    }

    /// @inheritdoc IKeyRegistry
    function possessionDigest(Bn254.G1 calldata key, address operator) public view returns (bytes32) {
        bytes32 subject = keccak256(abi.encodePacked(key.x, key.y, operator));
        return keccak256(abi.encodePacked(DOMAIN, uint8(3), uint64(0), uint64(0), subject));
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
