// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IGateway} from "../interfaces/IGateway.sol";
import {ILightClient} from "../interfaces/ILightClient.sol";
import {InteropAddress} from "../lib/InteropAddress.sol";
import {MerkleTree} from "../lib/MerkleTree.sol";
import {GatewayRecords} from "./GatewayRecords.sol";

/// @title Delivery: each message at most once, and never "failed" for want of gas
/// @notice A run is first read and proven as a whole, then run message by message. Run layout: {IGateway}.
abstract contract GatewayInbound is GatewayRecords {
    /// @dev How old the newest recorded checkpoint of a source may be, in seconds, at `Latest` and `Safe`.
    uint256 internal constant FRESH_S = 60;
    /// @dev Gas beyond what the recipient gets: at most 2,000 to lay out the longest payload and 5,200 for a cold account
    /// that delegates to a cold one (EIP-7702) before the call; 1,600 for the state and the event of a failed message after it.
    uint256 internal constant GAS_RESERVE = 10_000;

    /// @dev Offsets in a run.
    uint256 private constant RUN_MESSAGES = 58;
    /// @dev Bytes of a route; the 44 after the generation are what the message hash covers before the payload.
    uint256 private constant ROUTE_BYTES = 48;

    /// @dev Selector of `receiveMessage`, which is also the exact answer that accepts a message.
    bytes4 private constant MAGIC = 0x2432ef26;
    /// @dev topic0 of {Delivered} and {Failed}.
    bytes32 private constant DELIVERED = keccak256("Delivered(bytes32)");
    bytes32 private constant FAILED = keccak256("Failed(bytes32)");
    /// @dev Transient slot of the guard over `deliver`, `retry` and `relay`.
    bytes32 private constant GUARD = keccak256("hum.gateway.guard");

    /// @dev A run that was read and proven. Memory addresses and calldata offsets.
    struct Run {
        bytes32 registration;
        uint64 chainId;
        uint256 start;
        uint256 length;
        /// ids[i] at `ids + 32·i`; places[i] = route << 64 | payload << 16 | payload length, at `places + 32·i`.
        uint256 ids;
        uint256 places;
        uint256 longestPayload;
    }

    modifier guarded() {
        bytes32 slot = GUARD;
        bool running;
        assembly ("memory-safe") {
            running := tload(slot)
            tstore(slot, 1)
        }
        if (running) revert Reentered();
        _;
        assembly ("memory-safe") {
            tstore(slot, 0)
        }
    }

    /// @inheritdoc IGateway
    function deliver(bytes calldata run) external guarded returns (uint256 delivered, uint256 failed) {
        return _execute(_proveRun(run, 0, 0), false);
    }

    /// @inheritdoc IGateway
    function retry(bytes calldata run) external guarded {
        Run memory r = _proveRun(run, 0, 0);
        if (r.length != 1) revert RetryTakesOne(r.length);
        _execute(r, true);
    }

    /// @inheritdoc IGateway
    function relay(bytes calldata certificate, bytes calldata lane_, bytes calldata run)
        external
        guarded
        returns (uint256 delivered, uint256 failed)
    {
        bytes32 registration;
        uint256 commitment;
        if (certificate.length != 0) ILightClient(LIGHT_CLIENT).submit(certificate);
        if (lane_.length != 0) (registration, commitment) = _recordOrProveLane(lane_);
        if (run.length != 0) return _execute(_proveRun(run, registration, commitment), false);
    }

    /// @dev Refuses unless messages of the source are accepted now.
    /// @param proven commitment of a lane that this transaction proved itself, or 0
    /// @return commitment of the lane that counts: the proven, else the recorded one
    function _accepted(bytes32 registration, uint256 proven) private view returns (uint256 commitment) {
        uint256 word = sources[registration];
        if (word & 1 == 0) revert SourceNotAllowed(registration);
        commitment = proven != 0 ? proven : word >> 64;
        if (commitment == 0) revert LaneNotRecorded(registration);
        // What is final stays deliverable whatever becomes of its rollup.
        if (CONFIDENCE != FINALIZED) {
            uint8 status = uint8(word >> 8);
            if (status != ACTIVE) revert SourceNotActive(status);
            uint64 timeMs = uint48(word >> 16);
            if (block.timestamp > timeMs / 1000 + FRESH_S) revert CheckpointStale(timeMs, block.timestamp);
        }
    }

    /// @dev Reads the whole run, proves it under the lane, and leaves ids and places of its messages in memory.
    /// @param provenSource source whose lane this transaction proved itself, or 0
    /// @param provenLane that lane's commitment, which counts instead of the recorded one
    function _proveRun(bytes calldata run, bytes32 provenSource, uint256 provenLane) private view returns (Run memory r) {
        if (run.length < RUN_MESSAGES) revert RunTruncated(run.length);
        uint256 count;
        {
            bytes32 registration;
            uint256 numbers; // chain id 8 ‖ count 8 ‖ first index 8 ‖ length 2
            assembly ("memory-safe") {
                registration := calldataload(run.offset)
                numbers := calldataload(add(run.offset, 32))
            }
            r.registration = registration;
            r.chainId = uint64(numbers >> 192);
            count = uint64(numbers >> 128);
            r.start = uint64(numbers >> 64);
            r.length = uint16(numbers >> 48);
        }
        uint256 commitment = _accepted(r.registration, r.registration == provenSource ? provenLane : 0);
        unchecked {
            if (r.length == 0 || r.start + r.length > count) revert RunOutOfRange(uint64(r.start), r.length, uint64(count));
        }

        (uint256 leaves, uint256 siblings) = _readMessages(run, r);
        (bytes32 root, uint256 used) = MerkleTree.rootOfRun(leaves, r.start, r.length, count, siblings);
        uint256 end;
        assembly ("memory-safe") {
            end := add(run.offset, run.length)
        }
        if (used != end) revert RunSiblings(end - siblings, used - siblings);

        uint256 computed;
        assembly ("memory-safe") {
            // chain id 8 ‖ count 8 ‖ root 32, the first two straight from the run
            mstore(0, calldataload(add(run.offset, 32)))
            mstore(16, root)
            computed := shr(64, keccak256(0, 48))
        }
        if (computed != commitment) revert RunProofWrong(root);
    }

    /// @dev Hashes every message to its id and its leaf.
    /// @return leaves memory address of the leaves, a free word before and after them
    /// @return next calldata offset after the last message
    function _readMessages(bytes calldata run, Run memory r) private view returns (uint256 leaves, uint256 next) {
        uint256 length = r.length;
        uint256 start = r.start;
        uint256 chainId = r.chainId;
        uint256 ids;
        uint256 position; // of the first message that is not well-formed; `length` when all are
        uint256 tag;
        uint256 payloadLength;
        uint256 longest;
        assembly ("memory-safe") {
            ids := mload(0x40)
            let size := shl(5, length)
            leaves := add(add(ids, shl(1, size)), 32)
            let idInput := add(add(leaves, size), 32)
            let leafInput := add(idInput, 96)
            let message := add(leafInput, 64)
            mstore(0x40, idInput) // what lies from here on is used in this block only
            // source 8 ‖ façade 20 ‖ destination 8; index 8 ‖ message hash 32 follow for each message
            mstore(idInput, shl(192, chainId))
            mstore(add(idInput, 8), shl(96, address()))
            mstore(add(idInput, 28), shl(192, chainid()))

            next := add(run.offset, RUN_MESSAGES)
            let end := add(run.offset, run.length)
            let route := 0
            let at := ids
            for {} lt(position, length) { position := add(position, 1) } {
                tag := byte(0, calldataload(next))
                next := add(next, 1)
                switch tag
                case 0 {
                    // A route that repeats is written as tag 1: one byte string for one run.
                    if route {
                        if iszero(
                            or(
                                xor(calldataload(route), calldataload(next)),
                                xor(calldataload(add(route, 16)), calldataload(add(next, 16)))
                            )
                        ) { break }
                    }
                    route := next
                    next := add(next, ROUTE_BYTES)
                }
                case 1 { if iszero(route) { break } }
                default { break }
                payloadLength := shr(240, calldataload(next))
                if gt(payloadLength, longest) {
                    if gt(payloadLength, PAYLOAD_MAX) { break }
                    longest := payloadLength
                }
                let payload := add(next, 2)
                next := add(payload, payloadLength)
                // One comparison for all the fields of the message: they lie before `next`.
                if gt(next, end) { break }

                calldatacopy(message, add(route, 4), 44)
                calldatacopy(add(message, 44), payload, payloadLength)
                let messageHash := keccak256(message, add(44, payloadLength))
                let index := shl(192, add(start, position))
                mstore(add(idInput, 36), index)
                mstore(add(idInput, 44), messageHash)
                mstore(at, keccak256(idInput, 76))
                mstore(add(at, size), or(or(shl(64, route), shl(16, payload)), payloadLength))
                // leaf: generation 4 ‖ index 8 ‖ message hash 32
                mstore(leafInput, calldataload(route))
                mstore(add(leafInput, 4), index)
                mstore(add(leafInput, 12), messageHash)
                mstore(add(leaves, shl(5, position)), keccak256(leafInput, 44))
                at := add(at, 32)
            }
        }
        if (position != length) {
            uint256 offset;
            assembly ("memory-safe") {
                offset := sub(next, run.offset)
            }
            if (offset > run.length) revert RunTruncated(run.length);
            if (payloadLength > PAYLOAD_MAX) revert PayloadTooLong(payloadLength, PAYLOAD_MAX);
            revert RunTag(position, uint8(tag));
        }
        r.longestPayload = longest;
        r.ids = ids;
        r.places = ids + 32 * length;
    }

    /// @dev Runs the messages in order. `again`: the one message must have failed, and gets all the gas.
    function _execute(Run memory r, bool again) private returns (uint256 delivered, uint256 failed) {
        (uint256 call_, uint256 senderAt, uint256 payloadAt) = _callBuffer(r.chainId, r.longestPayload);
        uint256 bucketOf = type(uint256).max; // generation and index / 128 of the bucket that `slot` and `word` are
        bytes32 slot;
        uint256 word;
        for (uint256 i; i < r.length; ++i) {
            uint256 index;
            unchecked {
                index = r.start + i;
            }
            bytes32 id;
            uint256 place;
            uint256 generation;
            uint256 gasLimit;
            {
                (uint256 ids, uint256 places) = (r.ids, r.places);
                assembly ("memory-safe") {
                    id := mload(add(ids, shl(5, i)))
                    place := mload(add(places, shl(5, i)))
                    generation := shr(224, calldataload(shr(64, place)))
                    gasLimit := shr(224, calldataload(add(shr(64, place), 44)))
                }
            }
            uint256 bucket = (generation << 64) | (index >> 7);
            if (bucket != bucketOf) {
                bucketOf = bucket;
                (slot, word) = _bucket(r.registration, uint32(generation), uint64(index >> 7));
            }
            uint256 shift = 2 * (index & 127);
            uint256 status = (word >> shift) & 3;
            if (again) {
                if (status != uint256(MessageStatus.Failed)) revert NotFailed(id, MessageStatus(status));
            } else if (status != uint256(MessageStatus.None)) {
                continue;
            }

            // Done before the call; only a refusal, seen after it, makes it failed.
            word = (word & ~(uint256(3) << shift)) | (uint256(MessageStatus.Done) << shift);
            _store(slot, word);
            // After the last dear step before the call. CALL hands over at most 63/64 of what is left; asking for 1/63
            // more keeps the promise.
            uint256 needed;
            unchecked {
                needed = gasLimit + gasLimit / 63 + GAS_RESERVE;
            }
            if (gasleft() < needed) revert InsufficientGas(needed, gasleft());

            bool accepted = _call(call_, senderAt, payloadAt, place, id, again ? gasleft() : gasLimit);
            bytes32 topic = DELIVERED;
            if (accepted) {
                ++delivered;
            } else {
                if (again) revert RetryFailed(id);
                ++failed;
                word ^= uint256(3) << shift; // Done (2) to Failed (1)
                _store(slot, word);
                topic = FAILED;
            }
            assembly ("memory-safe") {
                log2(0, 0, topic, id)
            }
        }
    }

    /// @dev Calls the recipient; true only for the exact magic value. At most 32 bytes of its answer are copied.
    function _call(uint256 call_, uint256 senderAt, uint256 payloadAt, uint256 place, bytes32 id, uint256 gasLimit)
        private
        returns (bool accepted)
    {
        assembly ("memory-safe") {
            let route := shr(64, place)
            let payload := and(shr(16, place), 0xffffffffffff)
            let length := and(place, 0xffff)
            mstore(add(call_, 4), id)
            // The sender's 20 bytes; the 12 zeros after them are padding or are written over by the payload's length.
            mstore(senderAt, shl(96, shr(96, calldataload(add(route, 4)))))
            mstore(payloadAt, length)
            calldatacopy(add(payloadAt, 32), payload, length)
            // Padding of the payload, whatever a longer one left there before.
            mstore(add(add(payloadAt, 32), length), 0)
            let size := sub(add(payloadAt, add(32, and(add(length, 31), not(31)))), call_)
            let recipient := shr(96, calldataload(add(route, 24)))
            accepted := call(gasLimit, recipient, 0, call_, size, 0, 32)
            accepted := and(accepted, and(gt(returndatasize(), 31), eq(mload(0), MAGIC)))
        }
    }

    /// @dev Lays out `receiveMessage(id, sender, payload)` once for all messages of the run.
    /// @return call_ where the call data begins
    /// @return senderAt where each sender's 20 bytes go
    /// @return payloadAt where the payload's length goes
    function _callBuffer(uint64 chainId, uint256 longestPayload)
        private
        pure
        returns (uint256 call_, uint256 senderAt, uint256 payloadAt)
    {
        (bytes32 prefix, uint256 prefixLength) = InteropAddress.prefixOf(chainId);
        assembly ("memory-safe") {
            call_ := mload(0x40)
            let senderLength := add(prefixLength, 20)
            let senderPadded := and(add(senderLength, 31), not(31))
            mstore(call_, MAGIC)
            mstore(add(call_, 36), 0x60) // offset of sender
            mstore(add(call_, 68), add(0x80, senderPadded)) // offset of payload
            mstore(add(call_, 100), senderLength)
            mstore(add(call_, 132), prefix)
            mstore(add(call_, 164), 0) // padding of a sender of more than 32 bytes
            senderAt := add(add(call_, 132), prefixLength)
            payloadAt := add(add(call_, 132), senderPadded)
            mstore(0x40, add(payloadAt, add(longestPayload, 96))) // the length, the payload, padding
        }
    }

    function _bucket(bytes32 registration, uint32 generation, uint64 group) private view returns (bytes32 slot, uint256 word) {
        bytes32 key;
        assembly ("memory-safe") {
            mstore(0, registration)
            mstore(32, or(shl(224, generation), shl(160, group)))
            key := keccak256(0, 44)
        }
        mapping(bytes32 => uint256) storage map = statuses;
        assembly ("memory-safe") {
            mstore(0, key)
            mstore(32, map.slot)
            slot := keccak256(0, 64)
            word := sload(slot)
        }
    }

    function _store(bytes32 slot, uint256 word) private {
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }
}
