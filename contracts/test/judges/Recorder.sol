// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../../src/interfaces/IServiceManager.sol";
import {Bn254} from "../../src/lib/Bn254.sol";

/// @notice Stands in for the ServiceManager where a test is about a judge: it believes what it is told and records slashes, with
/// the ServiceManager's own rules for them.
contract Recorder {
    bytes32 public immutable DOMAIN;
    address public lastOperator;
    uint8 public lastFault;
    bytes32 public lastOffence;
    address public lastReporter;
    uint256 public slashes;

    mapping(address operator => bytes32) public operatorIdOf;
    mapping(bytes32 operatorId => address) public operatorOf;
    mapping(bytes32 offence => bool) public isPunished;
    mapping(address operator => bool) public isJailed;
    mapping(address judge => bool) public isJudge;
    mapping(bytes32 tableHash => uint256) public snapshotOf;
    mapping(address operator => Bn254.G1) private keys;
    mapping(address operator => Bn254.G2) private keysG2;
    IServiceManager.Snapshot[] private snapshots;

    constructor(bytes32 domain) {
        DOMAIN = domain;
    }

    function register(address operator, Bn254.G1 calldata key, Bn254.G2 calldata keyG2) external {
        (keys[operator], keysG2[operator]) = (key, keyG2);
        bytes32 id = keccak256(abi.encode(key));
        (operatorIdOf[operator], operatorOf[id]) = (id, operator);
    }

    function trust(address judge) external {
        isJudge[judge] = true;
    }

    function addSnapshot(bytes32 tableHash, uint64 l1Block) external {
        snapshots.push(IServiceManager.Snapshot(tableHash, l1Block, type(uint64).max, 4));
        snapshotOf[tableHash] = snapshots.length;
    }

    function keyOf(address operator) external view returns (Bn254.G1 memory, Bn254.G2 memory, Bn254.G1 memory) {
        return (keys[operator], keysG2[operator], Bn254.G1(0, 0));
    }

    function snapshotCount() external view returns (uint256) {
        return snapshots.length;
    }

    function snapshotAt(uint256 index) external view returns (IServiceManager.Snapshot memory) {
        if (index >= snapshots.length) revert IServiceManager.SnapshotUnknown(index);
        return snapshots[index];
    }

    function slash(address operator, uint8 fault, bytes32 offence, address reporter) external {
        if (!isJudge[msg.sender]) revert IServiceManager.NotJudge(msg.sender);
        if (isPunished[offence]) revert IServiceManager.OffenceKnown(offence);
        if (isJailed[operator]) revert IServiceManager.NotSlashable(operator);
        isPunished[offence] = true;
        isJailed[operator] = true;
        ++slashes;
        (lastOperator, lastFault, lastOffence, lastReporter) = (operator, fault, offence, reporter);
    }
}
