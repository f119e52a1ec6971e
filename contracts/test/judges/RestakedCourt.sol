// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAttestationJudge} from "../../src/interfaces/IAttestationJudge.sol";
import {ITableStore} from "../../src/interfaces/ITableStore.sol";
import {Bn254} from "../../src/lib/Bn254.sol";
import {Restaking} from "../eigenlayer/Restaking.sol";

/// @notice Judges over the committed ServiceManager on a core, and operators of its snapshots that lie. The operator with secret `k`
/// sits at `operatorAt(k - 1)`.
abstract contract RestakedCourt is Restaking {
    IAttestationJudge internal court;
    ITableStore internal tables;
    bytes32 internal tableHash;
    /// @dev Secrets by seat.
    uint256[] internal secrets;
    address[] internal seated;

    function setUp() public virtual override {
        super.setUp();
        tables = ITableStore(deploy("TableStore", abi.encode(manager)));
        court = IAttestationJudge(deploy("AttestationJudge", abi.encode(manager, tables)));
        manager.announceJudge(address(court));
    }

    /// @notice The newest snapshot's committee and table, as bytes.
    function committee() internal returns (bytes memory blob) {
        uint256 index = snapshot();
        uint128[] memory stakes;
        (seated, stakes,) = manager.preview();
        delete secrets;
        for (uint256 i; i < seated.length; ++i) secrets.push(uint160(seated[i]) - 0x1000 + 1);
        blob = tableOf(seated, stakes, manager.snapshotAt(index).validUntil);
        tableHash = keccak256(blob);
    }

    function header(uint64 epoch, uint64 height, bytes32 nonce) internal pure returns (bytes memory) {
        bytes memory numbers = abi.encodePacked(epoch, height, uint64(1), uint64(900));
        return abi.encodePacked(numbers, nonce, nonce, nonce, nonce, bytes32(0));
    }

    function hashOf(bytes memory h) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(manager.DOMAIN(), h));
    }

    function digestOf(uint64 epoch, uint64 height, bytes memory h) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(manager.DOMAIN(), uint8(1), epoch, height, hashOf(h)));
    }

    function attest(uint256 secret, uint64 epoch, uint64 height, bytes32 nonce)
        internal
        view
        returns (IAttestationJudge.Attestation memory a)
    {
        bytes memory h = header(epoch, height, nonce);
        a = IAttestationJudge.Attestation(
            epoch, hashOf(h), Bn254.multiply(Bn254.hashToG1(digestOf(epoch, height, h)), secret)
        );
    }

    /// @notice All of the committee sign.
    function certify(uint64 epoch, uint64 height, bytes32 nonce) internal view returns (bytes memory) {
        bytes memory h = header(epoch, height, nonce);
        bytes32 digest = digestOf(epoch, height, h);
        uint256 sum;
        for (uint256 i; i < secrets.length; ++i) sum = addmod(sum, secrets[i], Bn254.R);
        Bn254.G1 memory point = Bn254.hashToG1(digest);
        Bn254.G1 memory s = Bn254.multiply(point, sum);
        uint256 step = addmod(point.x, Bn254.P - uint256(digest) % Bn254.P, Bn254.P);
        (, bytes memory root) = address(5).staticcall(abi.encode(32, 32, 32, point.y, (Bn254.P + 1) / 4, Bn254.P));
        return abi.encodePacked(uint8(1), h, s.x, s.y, root, uint8(step), uint8(0));
    }

    function pairs(uint256 from, uint256 count) internal pure returns (IAttestationJudge.SeatPair[] memory list) {
        list = new IAttestationJudge.SeatPair[](count);
        for (uint256 i; i < count; ++i) list[i] = IAttestationJudge.SeatPair(uint8(from + i), uint8(from + i));
    }
}
