// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IGateway} from "../src/interfaces/IGateway.sol";
import {ILightClient} from "../src/interfaces/ILightClient.sol";
import {Bn254} from "../src/lib/Bn254.sol";
import {MerkleTree} from "../src/lib/MerkleTree.sol";
import {Reference} from "./Reference.sol";
import {World} from "./World.sol";

/// @notice Spoiled in any way, bytes are refused or mean exactly what they meant: for every parser there is one spelling.
contract FuzzTest is World {
    bytes[] private none;
    bytes private goodCertificate;
    bytes private goodLane;

    function setUp() public override {
        super.setUp();
        for (uint256 i; i < 7; ++i) {
            push(i == 4 ? address(0xe0a) : address(recipient), abi.encodePacked(keccak256(abi.encode(i)), new bytes(i * 5)));
        }
        goodCertificate = certificate();
        goodLane = laneProof();
    }

    /// @notice One of eight ways to spoil bytes, and the place, from one number.
    function spoil(bytes memory data, uint256 seed) private pure returns (bytes memory) {
        uint256 way = seed % 8;
        uint256 place = (seed >> 8) % data.length;
        uint8 value = uint8(seed >> 128);
        bytes memory front = cut(data, place);
        bytes memory tail = Reference.slice(data, place, data.length - place);
        if (way == 0) {
            data[place] ^= bytes1(uint8(1 << (value % 8)));
        } else if (way == 1) {
            data[place] = bytes1(value);
        } else if (way == 2) {
            return front;
        } else if (way == 3) {
            return abi.encodePacked(data, new bytes(1 + uint256(value)));
        } else if (way == 4) {
            return abi.encodePacked(front, Reference.slice(tail, 1, tail.length - 1));
        } else if (way == 5) {
            return abi.encodePacked(front, value, tail);
        } else if (way == 6) {
            return abi.encodePacked(tail, front);
        } else {
            for (uint256 i = place; i < data.length && i < place + 32; ++i) data[i] = bytes1(value);
        }
        return data;
    }

    // ---- ERC-7930

    function testFuzz_anyAddress(bytes memory to) public {
        sendTo(to);
    }

    function testFuzz_spoiledAddress(uint64 chainId, address account, uint256 seed) public {
        sendTo(spoil(InteroperableAddress.formatEvmV1(chainId, account), seed));
    }

    function testFuzz_canonicalAddress(uint64 chainId, address account) public {
        sendTo(InteroperableAddress.formatEvmV1(chainId, account));
        eq("format", interop(chainId, account), InteroperableAddress.formatEvmV1(chainId, account));
    }

    /// @notice Taken exactly when the plain reading finds it canonical; and then for the chain that OpenZeppelin reads too.
    function sendTo(bytes memory to) private {
        vm.chainId(A);
        (bool canonical, uint64 chainId, address account) = Reference.interopAddress(to);
        bool takes = canonical && account != address(0) && chainId != A;
        (bool ok, bytes memory answer) = address(gateway).call(abi.encodeCall(gateway.sendMessage, (to, "x", none)));
        eq("taken", ok ? 1 : 0, takes ? 1 : 0);
        (uint64 count,) = gateway.lane(chainId);
        eq("lane", count, ok ? 1 : 0);
        if (ok) {
            (uint256 read, address readAccount) = InteroperableAddress.parseEvmV1(to);
            eq("chain", read, chainId);
            eq("account", readAccount, account);
        } else if (!canonical) {
            eq("error", bytes4(answer), IGateway.RecipientNotCanonical.selector);
        }
    }

    // ---- Runs

    /// @notice Whatever is done to a run: it is refused, or it is the one spelling of messages that were sent.
    function testFuzz_spoiledRun(uint8 start, uint8 length, uint256 seed, uint256 again) public {
        record();
        start %= 7;
        length = 1 + length % (7 - start);
        bytes memory r = spoil(run(start, length), seed);
        if (again % 3 == 0) r = r.length == 0 ? r : spoil(r, again);
        (bool ok, bytes memory answer) = address(gateway).call(abi.encodeCall(gateway.deliver, (r)));
        if (ok) {
            uint256 s = Reference.number(r, 48, 8);
            uint256 n = Reference.number(r, 56, 2);
            eq("one spelling", r, run(s, n));
            for (uint256 i; i < 7; ++i) eq("status", status(i), i < s || i >= s + n ? 0 : i == 4 ? 1 : 2);
        } else {
            yes("with an error that says why", answer.length >= 4);
            eq("nothing arrived", recipient.count(), 0);
            for (uint256 i; i < 7; ++i) eq("nothing changed", status(i), 0);
        }
    }

    function testFuzz_anyRun(bytes memory r) public {
        record();
        (bool ok,) = address(gateway).call(abi.encodeCall(gateway.deliver, (r)));
        yes("refused", !ok);
    }

    /// @notice The batched root is the plain one, for every shape of run and tree.
    function testFuzz_rootOfRun(uint16 count, uint16 start, uint16 length, uint256 seed) public view {
        count = 1 + count % 300;
        start %= count;
        length = 1 + length % (count - start);
        bytes32[] memory all = new bytes32[](count);
        for (uint256 i; i < count; ++i) all[i] = keccak256(abi.encode(seed, i));
        (bytes32 root, bytes memory siblings) = prove(all, start, length);
        bytes32[] memory leaves_ = new bytes32[](uint256(length) + 2);
        for (uint256 i; i < length; ++i) leaves_[i + 1] = all[start + i];
        (bytes32 computed, uint256 used) = this.rootOfRun(leaves_, start, count, siblings);
        eq("root", computed, root);
        eq("siblings", used, siblings.length);
    }

    function rootOfRun(bytes32[] memory leaves_, uint256 start, uint256 count, bytes calldata siblings)
        external
        pure
        returns (bytes32 root, uint256 used)
    {
        uint256 first;
        uint256 offset;
        assembly ("memory-safe") {
            first := add(leaves_, 64)
            offset := siblings.offset
        }
        (root, used) = MerkleTree.rootOfRun(first, start, leaves_.length - 2, count, offset);
        used -= offset;
    }

    /// @notice A recipient is called with the one ABI encoding of what was sent: nothing of a longer message before it, nor
    /// of a longer sender, is left in between.
    function testFuzz_whatTheRecipientSees(uint64 chainId, address sender, uint8 size, uint256 seed) public {
        chainId >>= 8 * (seed % 8);
        if (chainId == 0 || chainId == A || chainId == B) chainId = 77;
        begin(0);
        (says.chainId, says.registration) = (chainId, keccak256("registration of any chain"));
        vm.prank(OWNER);
        gateway.allow(chainId, says.registration);
        delete messages;
        Mirror mirror = new Mirror();
        for (uint256 i; i < 4; ++i) {
            bytes memory payload = new bytes(uint256(keccak256(abi.encode(seed, i))) % (1 + uint256(size)));
            for (uint256 k; k < payload.length; ++k) payload[k] = 0xff;
            messages.push(Message(uint32(1 + i % 2), sender, address(mirror), 200_000, payload));
        }
        says.height = 20;
        record();
        gateway.deliver(run(0, 4));
        for (uint256 i; i < 4; ++i) {
            bytes memory from = InteroperableAddress.formatEvmV1(chainId, sender);
            bytes memory expected = abi.encodeCall(mirror.receiveMessage, (messageId(i), from, messages[i].payload));
            eq("seen", mirror.seen(i), keccak256(expected));
            eq("done", uint256(gateway.statusOf(says.registration, messages[i].generation, uint64(i))), 2);
        }
    }

    // ---- Proofs

    function testFuzz_spoiledLaneProof(uint256 seed) public {
        client.submit(goodCertificate);
        bytes memory proof = spoil(goodLane, seed);
        (bool ok, bytes memory answer) = address(gateway).call(abi.encodeCall(gateway.recordLane, (proof)));
        eq("only the proof itself", ok ? 1 : 0, keccak256(proof) == keccak256(goodLane) ? 1 : 0);
        yes("with an error that says why", ok || answer.length >= 36);
        eq("nothing recorded", gateway.source(REGISTRATION).height, ok ? says.height : 0);
    }

    function testFuzz_spoiledRollupProof(uint256 seed) public {
        client.submit(goodCertificate);
        bytes memory good = rollupProof();
        bytes memory proof = spoil(bytes.concat(good), seed);
        (bool ok,) = address(gateway).call(abi.encodeCall(gateway.recordRollup, (proof)));
        eq("only the proof itself", ok ? 1 : 0, keccak256(proof) == keccak256(good) ? 1 : 0);
    }

    // ---- Certificates and tables

    /// @notice One spelling, but for the root hint: a root of `y` and its negative, in any of their spellings.
    function testFuzz_spoiledCertificate(uint8 who, uint256 seed) public {
        bytes memory good = who % 5 == 4 ? goodCertificate : certify("four", header(), abi.encodePacked(who % 5));
        bytes memory c = spoil(bytes.concat(good), seed);
        (bool ok,) = address(client).call{gas: 2_000_000}(abi.encodeCall(client.submit, (c)));
        if (ok && keccak256(c) != keccak256(good)) {
            eq("length", c.length, good.length);
            uint256 w = uint256(Reference.word(good, 257));
            uint256 found = uint256(Reference.word(c, 257));
            eq("a root of the same", mulmod(found, found, Bn254.P), mulmod(w, w, Bn254.P));
            eq("all the rest", put(c, 257, abi.encode(w)), good);
        }
        (uint64 held,) = client.checkpointAt(says.height);
        eq("held", held, ok ? says.height : 0);
        (bytes32 root,) = rollups();
        eq("known", client.isKnown(says.height, says.timeMs, root) ? 1 : 0, ok ? 1 : 0);
    }

    function test_eitherRootWillDo() public {
        uint256 w = uint256(Reference.word(goodCertificate, 257));
        yes("the negative", client.submit(put(goodCertificate, 257, abi.encode(Bn254.P - w))));
        yes("the same checkpoint", !client.submit(goodCertificate));
    }

    function testFuzz_anyCertificate(bytes memory c) public {
        (bool ok,) = address(client).call(abi.encodeCall(client.submit, (c)));
        yes("refused", !ok);
    }

    function testFuzz_spoiledTable(uint256 seed) public {
        bytes memory t = table("four");
        ILightClient fresh = ILightClient(deploy("LightClient", abi.encode(DOMAIN, EPOCH, keccak256(t), address(0), uint32(0))));
        bytes memory other = spoil(bytes.concat(t), seed);
        (bool ok,) = address(fresh).call(abi.encodeCall(fresh.installTable, (EPOCH, other)));
        eq("only the table itself", ok ? 1 : 0, keccak256(other) == keccak256(t) ? 1 : 0);
        eq("table", fresh.tableAddress(EPOCH) == address(0) ? 0 : 1, ok ? 1 : 0);
    }

    // ---- Gas

    /// @notice Any gas, any floor, any payload: the message is done or untouched, never failed.
    function testFuzz_gas(uint256 gas, uint32 limit, uint16 size, bool cold) public {
        Strict strict = new Strict();
        limit = 3_000 + limit % 3_000_000;
        size = 32 + size % (16_384 - 32);
        delete messages;
        push(address(strict), abi.encodePacked(uint256(limit), new bytes(size - 32)));
        messages[0].gasLimit = limit;
        record();
        bytes memory data = abi.encodeCall(gateway.deliver, (run(0, 1)));
        // Half of the cases close to the floor, where it is decided.
        gas = gas % 2 == 0 ? limit + gas % 60_000 : gas % 4_000_000;
        if (cold) vm.cool(address(strict));
        (bool ok, bytes memory answer) = address(gateway).call{gas: gas}(data);
        eq("done or untouched", status(0), ok ? 2 : 0);
        yes("by the floor or dry", ok || answer.length == 0 || insufficient(answer, limit));
    }
}

/// @notice Refuses when it gets less gas than its payload's first word says, less what its dispatch costs.
contract Strict {
    function receiveMessage(bytes32, bytes calldata, bytes calldata payload) external payable returns (bytes4) {
        require(gasleft() + 1_000 > uint256(bytes32(payload[:32])));
        return this.receiveMessage.selector;
    }
}

/// @notice Remembers the calls it gets, byte by byte.
contract Mirror {
    bytes32[] public seen;

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        seen.push(keccak256(msg.data));
        return this.receiveMessage.selector;
    }
}
