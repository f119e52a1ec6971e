// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bn254} from "../src/lib/Bn254.sol";

/// @title Addition in G2, which no precompile offers: tests make keys with it and sum them
/// @notice Affine formulas over F_p² = F_p[i], i² = -1. The point at infinity is four zeros.
library G2 {
    uint256 private constant P = Bn254.P;

    struct F2 {
        uint256 im;
        uint256 re;
    }

    function generator() internal pure returns (Bn254.G2 memory) {
        return Bn254.G2(Bn254.G2_X_IM, Bn254.G2_X_RE, Bn254.G2_Y_IM, Bn254.G2_Y_RE);
    }

    function add(Bn254.G2 memory a, Bn254.G2 memory b) internal view returns (Bn254.G2 memory) {
        if (isZero(a)) return b;
        if (isZero(b)) return a;
        (F2 memory ax, F2 memory ay) = (F2(a.xImaginary, a.xReal), F2(a.yImaginary, a.yReal));
        (F2 memory bx, F2 memory by) = (F2(b.xImaginary, b.xReal), F2(b.yImaginary, b.yReal));
        F2 memory slope;
        if (ax.im == bx.im && ax.re == bx.re) {
            if (ay.im != by.im || ay.re != by.re) return Bn254.G2(0, 0, 0, 0);
            F2 memory square = mul(ax, ax);
            slope = mul(sum(sum(square, square), square), invert(sum(ay, ay)));
        } else {
            slope = mul(sub(by, ay), invert(sub(bx, ax)));
        }
        F2 memory x = sub(sub(mul(slope, slope), ax), bx);
        F2 memory y = sub(mul(slope, sub(ax, x)), ay);
        return Bn254.G2(x.im, x.re, y.im, y.re);
    }

    function multiply(Bn254.G2 memory a, uint256 scalar) internal view returns (Bn254.G2 memory product) {
        for (; scalar != 0; scalar >>= 1) {
            if (scalar & 1 == 1) product = add(product, a);
            a = add(a, a);
        }
    }

    function isZero(Bn254.G2 memory a) internal pure returns (bool) {
        return (a.xImaginary | a.xReal | a.yImaginary | a.yReal) == 0;
    }

    function sum(F2 memory a, F2 memory b) private pure returns (F2 memory) {
        return F2(addmod(a.im, b.im, P), addmod(a.re, b.re, P));
    }

    function sub(F2 memory a, F2 memory b) private pure returns (F2 memory) {
        return F2(addmod(a.im, P - b.im, P), addmod(a.re, P - b.re, P));
    }

    function mul(F2 memory a, F2 memory b) private pure returns (F2 memory) {
        uint256 re = addmod(mulmod(a.re, b.re, P), P - mulmod(a.im, b.im, P), P);
        return F2(addmod(mulmod(a.re, b.im, P), mulmod(a.im, b.re, P), P), re);
    }

    function invert(F2 memory a) private view returns (F2 memory) {
        uint256 norm = addmod(mulmod(a.re, a.re, P), mulmod(a.im, a.im, P), P);
        (bool ok, bytes memory answer) = address(5).staticcall(abi.encode(32, 32, 32, norm, P - 2, P));
        require(ok);
        uint256 inverse = abi.decode(answer, (uint256));
        return F2(mulmod(P - a.im, inverse, P), mulmod(a.re, inverse, P));
    }
}
