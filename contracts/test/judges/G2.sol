// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../../src/lib/Bn254.sol";

/// @title Arithmetic in G2 of BN254, which no precompile offers, so that tests can have any key; slow and plain
library G2 {
    uint256 private constant P = Bn254.P;

    function generator() internal pure returns (Bn254.G2 memory) {
        return Bn254.G2(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);
    }

    /// @notice The key in G2 of a secret; `scalar` is not zero and below the order.
    function multiply(Bn254.G2 memory a, uint256 scalar) internal view returns (Bn254.G2 memory sum) {
        for (uint256 i; i < 256; ++i) {
            uint256 bit = 255 - i;
            if (_isZero(sum)) {
                if ((scalar >> bit) & 1 == 1) sum = a;
                continue;
            }
            sum = add(sum, sum);
            if ((scalar >> bit) & 1 == 1) sum = add(sum, a);
        }
    }

    /// @notice The sum of two points that are not each other's negation.
    function add(Bn254.G2 memory a, Bn254.G2 memory b) internal view returns (Bn254.G2 memory c) {
        if (_isZero(a)) return b;
        uint256 re;
        uint256 im;
        if (a.xReal == b.xReal && a.xImaginary == b.xImaginary) {
            (re, im) = _multiply(a.xReal, a.xImaginary, a.xReal, a.xImaginary);
            (re, im) = (mulmod(3, re, P), mulmod(3, im, P));
            (re, im) = _divide(re, im, addmod(a.yReal, a.yReal, P), addmod(a.yImaginary, a.yImaginary, P));
        } else {
            (re, im) = _divide(
                _less(b.yReal, a.yReal), _less(b.yImaginary, a.yImaginary), _less(b.xReal, a.xReal), _less(b.xImaginary, a.xImaginary)
            );
        }
        (c.xReal, c.xImaginary) = _multiply(re, im, re, im);
        c.xReal = _less(c.xReal, addmod(a.xReal, b.xReal, P));
        c.xImaginary = _less(c.xImaginary, addmod(a.xImaginary, b.xImaginary, P));
        (re, im) = _multiply(re, im, _less(a.xReal, c.xReal), _less(a.xImaginary, c.xImaginary));
        (c.yReal, c.yImaginary) = (_less(re, a.yReal), _less(im, a.yImaginary));
    }

    function _isZero(Bn254.G2 memory a) private pure returns (bool) {
        return (a.xReal | a.xImaginary | a.yReal | a.yImaginary) == 0;
    }

    function _less(uint256 a, uint256 b) private pure returns (uint256) {
        return addmod(a, P - b, P);
    }

    function _multiply(uint256 aRe, uint256 aIm, uint256 bRe, uint256 bIm) private pure returns (uint256, uint256) {
        return (
            _less(mulmod(aRe, bRe, P), mulmod(aIm, bIm, P)), addmod(mulmod(aRe, bIm, P), mulmod(aIm, bRe, P), P)
        );
    }

    function _divide(uint256 aRe, uint256 aIm, uint256 bRe, uint256 bIm) private view returns (uint256, uint256) {
        uint256 norm = addmod(mulmod(bRe, bRe, P), mulmod(bIm, bIm, P), P);
        (bool ok, bytes memory answer) = address(5).staticcall(abi.encode(32, 32, 32, norm, P - 2, P));
        require(ok);
        uint256 inverse = abi.decode(answer, (uint256));
        return _multiply(aRe, aIm, mulmod(bRe, inverse, P), mulmod(P - bIm, inverse, P));
    }
}
