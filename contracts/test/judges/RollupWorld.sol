// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {JudgeWorld} from "./JudgeWorld.sol";

/// @notice A registered rollup, and headers that say of it what a test wants.
abstract contract RollupWorld is JudgeWorld {
    address internal constant OWNER = address(0x0ff1ce);
    uint64 internal constant CHAIN = 1001;
    uint256 internal constant SEQUENCER_KEY = 0x5e9;

    /// @notice What a header says of the rollup; tests change single fields.
    struct Says {
        uint64 chainId;
        bytes32 registration;
        uint32 generation;
        uint8 status;
        uint8 class;
        uint64 number;
        bytes32 blockHash;
        bytes32 stateRoot;
        uint64 advancedAt;
        bytes32 lanesRoot;
        uint8 confidence;
    }

    IRollupRegistry internal registry;
    bytes32 internal registration;
    bytes internal anchorHeader;
    Says internal says;

    function setUp() public virtual override {
        super.setUp();
        registry = IRollupRegistry(
            deploy("RollupRegistry", abi.encode(DOMAIN, OWNER, address(0xf00d), 1 ether, uint64(0), uint64(7 days), uint64(1 days)))
        );
        anchorHeader = blockHeader(3, anchorState());
        vm.prank(OWNER);
        registry.authorise(CHAIN, address(this));
        registration = registry.register{value: 1 ether}(CHAIN, jvm.addr(SEQUENCER_KEY), keccak256(anchorHeader), keccak256("spec"));
        (says.chainId, says.registration, says.generation) = (CHAIN, registration, 2);
        (says.number, says.blockHash, says.stateRoot) = (55, keccak256("block"), keccak256("state"));
        (says.advancedAt, says.lanesRoot) = (base.height, keccak256("lanes"));
    }

    /// @notice State root of the anchor block.
    function anchorState() internal virtual returns (bytes32) {
        return keccak256("anchor state");
    }

    function headPart() internal view returns (bytes memory) {
        return abi.encodePacked(says.number, says.blockHash, says.stateRoot, says.advancedAt, says.lanesRoot);
    }

    function rollupLeaf() internal view returns (bytes memory) {
        bytes32[3] memory parts = [keccak256("latest"), keccak256("safe"), keccak256("finalized")];
        parts[says.confidence] = keccak256(headPart());
        bytes memory front = abi.encodePacked(says.chainId, says.registration, says.generation, says.status, says.class);
        return abi.encodePacked(front, parts[0], parts[1], parts[2]);
    }

    /// @notice The rollup is the third of five.
    function statement() internal view returns (bytes memory) {
        (, bytes memory siblings) = treeProof("rollup", keccak256(rollupLeaf()));
        return abi.encodePacked(rollupLeaf(), uint32(2), uint8(siblings.length / 32), siblings, headPart());
    }

    /// @notice The header that says so.
    function header() internal view returns (WholeHeader memory h) {
        h = base;
        (h.rollupsRoot,) = treeProof("rollup", keccak256(rollupLeaf()));
    }

    /// @notice Root and siblings of `leaf`, the third of five.
    function treeProof(string memory what, bytes32 leaf) internal pure returns (bytes32 root, bytes memory siblings) {
        bytes32[5] memory l;
        for (uint256 i; i < 5; ++i) l[i] = i == 2 ? leaf : keccak256(abi.encode(what, i));
        bytes32 a = keccak256(abi.encodePacked(l[0], l[1]));
        bytes32 b = keccak256(abi.encodePacked(keccak256(abi.encodePacked(l[4], bytes32(0))), keccak256(new bytes(64))));
        siblings = abi.encodePacked(l[3], a, b);
        root = keccak256(abi.encodePacked(keccak256(abi.encodePacked(a, keccak256(abi.encodePacked(leaf, l[3])))), b));
    }

    // ---- RLP, as chains write it

    function rlp(bytes memory data) internal pure returns (bytes memory) {
        if (data.length == 1 && uint8(data[0]) < 0x80) return data;
        return abi.encodePacked(_length(data.length, 0x80), data);
    }

    function rlpList(bytes memory items) internal pure returns (bytes memory) {
        return abi.encodePacked(_length(items.length, 0xc0), items);
    }

    function rlpNumber(uint256 n) internal pure returns (bytes memory) {
        bytes memory digits;
        for (; n != 0; n >>= 8) digits = abi.encodePacked(uint8(n), digits);
        return rlp(digits);
    }

    function rlpWord(bytes32 w) internal pure returns (bytes memory) {
        return rlp(abi.encodePacked(w));
    }

    /// @notice An Ethereum block header with that number and state root.
    function blockHeader(uint256 number, bytes32 stateRoot) internal pure returns (bytes memory) {
        bytes memory front = abi.encodePacked(rlpWord(keccak256("p")), rlpWord(keccak256("o")), rlp(abi.encodePacked(address(7))));
        bytes memory roots = abi.encodePacked(rlpWord(stateRoot), rlpWord(keccak256("t")), rlpWord(keccak256("r")), rlp(new bytes(256)));
        bytes memory numbers = abi.encodePacked(rlpNumber(0), rlpNumber(number), rlpNumber(30_000_000), rlpNumber(21_000), rlpNumber(1_700_000_000));
        bytes memory rest = abi.encodePacked(rlp("extra"), rlpWord(keccak256("m")), rlp(new bytes(8)), rlpNumber(7));
        return rlpList(abi.encodePacked(front, roots, numbers, rest));
    }

    function _length(uint256 n, uint8 offset) private pure returns (bytes memory) {
        if (n <= 55) return abi.encodePacked(uint8(offset + n));
        bytes memory digits;
        for (; n != 0; n >>= 8) digits = abi.encodePacked(uint8(n), digits);
        return abi.encodePacked(uint8(offset + 55 + digits.length), digits);
    }

    /// @notice A sequencer's signature.
    function sequencerSigns(string memory label, uint256 key, Says memory s) internal pure returns (bytes memory) {
        bytes memory front = abi.encodePacked(label, DOMAIN, s.chainId, s.registration);
        bytes32 d = keccak256(abi.encodePacked(front, s.generation, s.number, s.blockHash));
        (uint8 v, bytes32 r, bytes32 s_) = jvm.sign(key, d);
        return abi.encodePacked(r, s_, v - 27);
    }
}
