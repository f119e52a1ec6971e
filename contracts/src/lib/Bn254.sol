// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title BN254 as the precompiles offer it, for places where gas does not matter
/// @notice A missing precompile answers success and no data, so the length of every answer is checked.
library Bn254 {
    struct G1 {
        uint256 x;
        uint256 y;
    }

    /// @dev In the order of the pairing precompile: `x = xImaginary·i + xReal`.
    struct G2 {
        uint256 xImaginary;
        uint256 xReal;
        uint256 yImaginary;
        uint256 yReal;
    }

    /// @dev Field modulus and group order.
    uint256 internal constant P = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// @dev Generator of G2.
    uint256 internal constant G2_X_IM = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 internal constant G2_X_RE = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 internal constant G2_Y_IM = 4082367875863433681332203403145435568316851327593401208105741076214120093531;
    uint256 internal constant G2_Y_RE = 8495653923123431417604973247489272438418190587263600148770280649306958101930;

    /// @notice A precompile refused its input (a coordinate out of range, a point off its curve) or this chain lacks it.
    error PrecompileFailed(uint256 precompile);

    /// @notice EigenLayer's try-and-increment: `x = digest mod P`, one up while `x³ + 3` is no square.
    function hashToG1(bytes32 digest) internal view returns (G1 memory point) {
        uint256 x = uint256(digest) % P;
        while (true) {
            uint256 square = addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
            uint256 y = _power(square, (P + 1) / 4);
            if (mulmod(y, y, P) == square) return G1(x, y);
            x = addmod(x, 1, P);
        }
    }

    function negate(G1 memory a) internal pure returns (G1 memory) {
        return G1(a.x, (P - a.y) % P);
    }

    function add(G1 memory a, G1 memory b) internal view returns (G1 memory sum) {
        (sum.x, sum.y) = abi.decode(_precompile(6, abi.encode(a.x, a.y, b.x, b.y), 64), (uint256, uint256));
    }

    function multiply(G1 memory a, uint256 scalar) internal view returns (G1 memory product) {
        (product.x, product.y) = abi.decode(_precompile(7, abi.encode(a.x, a.y, scalar), 64), (uint256, uint256));
    }

    /// @notice Whether `e(a, G2 generator) · e(b, key) = 1`.
    function pairsToOne(G1 memory a, G1 memory b, G2 memory key) internal view returns (bool) {
        bytes memory input = abi.encode(a.x, a.y, G2_X_IM, G2_X_RE, G2_Y_IM, G2_Y_RE, b, key);
        return abi.decode(_precompile(8, input, 32), (uint256)) == 1;
    }

    function _power(uint256 base, uint256 exponent) private view returns (uint256) {
        bytes memory input = abi.encode(uint256(32), uint256(32), uint256(32), base, exponent, P);
        return abi.decode(_precompile(5, input, 32), (uint256));
    }

    function _precompile(uint256 which, bytes memory input, uint256 length) private view returns (bytes memory output) {
        bool ok;
        (ok, output) = address(uint160(which)).staticcall(input);
        if (!ok || output.length != length) revert PrecompileFailed(which);
    }
}
