// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IGateway} from "../src/interfaces/IGateway.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {InteropAddress} from "../src/lib/InteropAddress.sol";
import {Committees} from "./Committees.sol";
import {Reference} from "./Reference.sol";

/// @notice A recipient that does what it is told and remembers what it got.
contract Recipient is IERC7786Recipient {
    uint256 public count;
    bytes32 public lastId;
    bytes public lastSender;
    bytes public lastPayload;
    uint256 public lastGas;
    bytes public answer;
    bool public reverts;

    constructor() {
        answer = abi.encode(IERC7786Recipient.receiveMessage.selector);
    }

    function answerWith(bytes memory answer_) external {
        answer = answer_;
    }

    function revertFrom(bool reverts_) external {
        reverts = reverts_;
    }

    function receiveMessage(bytes32 id, bytes calldata sender, bytes calldata payload) external payable returns (bytes4) {
        lastGas = gasleft();
        require(!reverts);
        ++count;
        (lastId, lastSender, lastPayload) = (id, sender, payload);
        bytes memory a = answer;
        assembly ("memory-safe") {
            return(add(a, 32), mload(a))
        }
    }
}

/// @notice Two chains in one EVM: the same gateway is source on chain A and destination on chain B, told apart by
/// `vm.chainId`, as the same address would be on both. What operators compute off chain is computed here.
abstract contract World is Committees {
    uint64 internal constant A = 1001;
    uint64 internal constant B = 70_002;
    bytes32 internal constant REGISTRATION = keccak256("registration of A");
    address internal constant OWNER = address(0x0ff1ce);
    address internal constant SENDER = 0x5e4dE25E4dE25E4de25e4De25e4de25E4de25E4D;

    struct Message {
        uint32 generation;
        address sender;
        address recipient;
        uint32 gasLimit;
        bytes payload;
    }

    /// @notice What a checkpoint says of A and its lane; tests change single fields.
    struct Says {
        uint64 height;
        uint64 timeMs;
        uint64 chainId;
        bytes32 registration;
        uint32 generation;
        uint8 status;
        uint64 headNumber;
        bytes32 headHash;
        address facade;
        uint64 destination;
        uint32 laneGeneration;
        uint8 class;
    }

    ILightClient internal client;
    IGateway internal gateway;
    Recipient internal recipient;
    Says internal says;
    Message[] internal messages;

    function setUp() public virtual {
        vm.warp(1_000_000);
        client = newLightClient("four");
        begin(0);
        recipient = new Recipient();
    }

    /// @notice A fresh façade of this confidence on chain B that allows A.
    function begin(uint8 confidence) internal {
        gateway = IGateway(deploy("Gateway", abi.encode(client, confidence, OWNER)));
        vm.chainId(B);
        vm.prank(OWNER);
        gateway.allow(A, REGISTRATION);
        says = Says(10, 1_000_000_000, A, REGISTRATION, 3, 0, 55, keccak256("block"), address(gateway), B, 3, 0);
    }

    // ---- What operators compute

    function messageHash(Message memory m) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(m.sender, m.recipient, m.gasLimit, m.payload));
    }

    function messageId(uint256 index) internal view returns (bytes32) {
        bytes memory lane = abi.encodePacked(says.chainId, says.facade, says.destination);
        return keccak256(abi.encodePacked(lane, uint64(index), messageHash(messages[index])));
    }

    function push(address to, bytes memory payload) internal {
        messages.push(Message(says.generation, SENDER, to, 200_000, payload));
    }

    function leaves() internal view returns (bytes32[] memory all) {
        all = new bytes32[](messages.length);
        for (uint256 i; i < all.length; ++i) {
            all[i] = keccak256(abi.encodePacked(messages[i].generation, uint64(i), messageHash(messages[i])));
        }
    }

    /// @notice Root over the leaves and the siblings of the run `start .. start + length`, level by level.
    function prove(bytes32[] memory all, uint256 start, uint256 length)
        internal
        pure
        returns (bytes32 root, bytes memory siblings)
    {
        if (all.length == 0) return (0, "");
        uint256 width = 1;
        while (width < all.length) width *= 2;
        bytes32[] memory level = new bytes32[](width);
        for (uint256 i; i < all.length; ++i) level[i] = all[i];
        uint256 end = start + length; // exclusive
        for (; width > 1; width /= 2) {
            if (start % 2 == 1) siblings = abi.encodePacked(siblings, level[start - 1]);
            if (end % 2 == 1) siblings = abi.encodePacked(siblings, level[end]);
            for (uint256 i; i < width / 2; ++i) level[i] = keccak256(abi.encodePacked(level[2 * i], level[2 * i + 1]));
            (start, end) = (start / 2, (end + 1) / 2);
        }
        root = level[0];
    }

    /// @notice The rolling hash of the lane's slot, from its messages.
    function rolling() internal view returns (bytes24 hash) {
        for (uint256 i; i < messages.length; ++i) hash = bytes24(keccak256(abi.encodePacked(hash, messageHash(messages[i]))));
    }

    function laneLeaf() internal view returns (bytes memory) {
        (bytes32 root,) = prove(leaves(), 0, messages.length);
        return abi.encodePacked(
            says.facade, says.destination, says.laneGeneration, uint64(messages.length), rolling(), root
        );
    }

    /// @notice Lanes tree: the lane is the second of three.
    function lanes() internal view returns (bytes32 root, bytes memory siblings) {
        bytes32[] memory all = new bytes32[](3);
        (all[0], all[1], all[2]) = (keccak256("lane 0"), keccak256(laneLeaf()), keccak256("lane 2"));
        return prove(all, 1, 1);
    }

    function headPart() internal view returns (bytes memory) {
        if (says.headHash == 0) return new bytes(112);
        (bytes32 lanesRoot,) = lanes();
        return abi.encodePacked(says.headNumber, says.headHash, keccak256("state"), uint64(9), lanesRoot);
    }

    function rollupLeaf() internal view returns (bytes memory) {
        bytes32[3] memory parts = [keccak256("latest"), keccak256("safe"), keccak256("finalized")];
        parts[gateway.CONFIDENCE()] = keccak256(headPart());
        bytes memory front = abi.encodePacked(says.chainId, says.registration, says.generation, says.status, says.class);
        return abi.encodePacked(front, parts[0], parts[1], parts[2]);
    }

    /// @notice Rollups tree: A is the third of five.
    function rollups() internal view returns (bytes32 root, bytes memory siblings) {
        bytes32[] memory all = new bytes32[](5);
        for (uint256 i; i < 5; ++i) all[i] = keccak256(abi.encodePacked("rollup", i));
        all[2] = keccak256(rollupLeaf());
        return prove(all, 2, 1);
    }

    function header() internal view returns (Header memory) {
        (bytes32 root,) = rollups();
        return Header(EPOCH, says.height, says.timeMs, root, 0);
    }

    // ---- Packed arguments

    function certificate() internal returns (bytes memory) {
        return certify("four", header(), "");
    }

    function rollupProof() internal view returns (bytes memory) {
        (bytes32 root, bytes memory siblings) = rollups();
        return abi.encodePacked(
            says.height, says.timeMs, root, rollupLeaf(), uint32(2), uint8(siblings.length / 32), siblings
        );
    }

    function laneProof() internal view returns (bytes memory) {
        (, bytes memory siblings) = lanes();
        return abi.encodePacked(rollupProof(), headPart(), laneLeaf(), uint32(1), uint8(siblings.length / 32), siblings);
    }

    function run(uint256 start, uint256 length) internal view returns (bytes memory packed) {
        (, bytes memory siblings) = prove(leaves(), start, length);
        packed = abi.encodePacked(says.registration, says.chainId, uint64(messages.length), uint64(start), uint16(length));
        for (uint256 i = start; i < start + length; ++i) {
            Message memory m = messages[i];
            bytes memory route = abi.encodePacked(m.generation, m.sender, m.recipient, m.gasLimit);
            bool same = i > start && keccak256(route) == keccak256(_route(i - 1));
            packed = abi.encodePacked(
                packed, same ? abi.encodePacked(uint8(1)) : abi.encodePacked(uint8(0), route), uint16(m.payload.length), m.payload
            );
        }
        return abi.encodePacked(packed, siblings);
    }

    // ---- What relayers do

    function record() internal {
        client.submit(certificate());
        gateway.recordLane(laneProof());
    }

    function status(uint256 index) internal view returns (uint256) {
        return uint256(gateway.statusOf(REGISTRATION, messages[index].generation, uint64(index)));
    }

    /// @notice The next checkpoint, `afterMs` later.
    function next(uint64 afterMs) internal {
        ++says.height;
        says.timeMs += afterMs;
    }

    function refusesDelivery(string memory what, bytes memory expected, bytes memory packed) internal {
        refuses(what, expected, address(gateway), abi.encodeCall(IGateway.deliver, (packed)));
    }

    function refusesRecord(string memory what, bytes memory expected, bytes memory packed) internal {
        refuses(what, expected, address(gateway), abi.encodeCall(IGateway.recordLane, (packed)));
    }

    /// @notice Whether a revert says that the floor of a message was not there, with the floor exactly.
    function insufficient(bytes memory answer, uint256 gasLimit) internal pure returns (bool) {
        if (answer.length != 68 || bytes4(answer) != IGateway.InsufficientGas.selector) return false;
        uint256 needed = Reference.number(answer, 4, 32);
        return needed == gasLimit + gasLimit / 63 + 10_000 && Reference.number(answer, 36, 32) < needed;
    }

    function interop(uint64 chainId, address account) internal pure returns (bytes memory) {
        return InteropAddress.format(chainId, account);
    }

    function _route(uint256 i) private view returns (bytes memory) {
        Message memory m = messages[i];
        return abi.encodePacked(m.generation, m.sender, m.recipient, m.gasLimit);
    }
}
