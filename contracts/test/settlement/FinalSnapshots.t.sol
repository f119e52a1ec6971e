// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IFinalSnapshots} from "../../src/interfaces/IFinalSnapshots.sol";
import {ILightClient} from "../../src/interfaces/ILightClient.sol";
import {RollupProof} from "../../src/lib/RollupProof.sol";
import {Vm} from "../Vm.sol";
import {World} from "../World.sol";

contract FinalSnapshotsTest is World {
    uint8 private constant LEFT = 3;
    address private constant EVE = address(0xe5e);

    IFinalSnapshots private snapshots;

    function setUp() public override {
        super.setUp();
        begin(2);
        says.status = LEFT;
        vm.chainId(1);
        snapshots = IFinalSnapshots(deploy("FinalSnapshots", abi.encode(client)));
    }

    function proof() private view returns (bytes memory) {
        return bytes.concat(rollupProof(), headPart());
    }

    function settle(bytes memory certificate_, bytes memory proof_) private pure returns (bytes memory) {
        return abi.encodeCall(IFinalSnapshots.settle, (certificate_, proof_));
    }

    function refused(string memory what, bytes memory expected, bytes memory data) private {
        refuses(what, expected, address(snapshots), data);
        bytes memory unknown = err(IFinalSnapshots.SnapshotUnknown.selector, says.registration);
        refuses("nothing kept", unknown, address(snapshots), abi.encodeCall(IFinalSnapshots.snapshotOf, (says.registration)));
    }

    function test_settles() public {
        eq("light client", address(snapshots.LIGHT_CLIENT()), address(client));
        vm.recordLogs();
        vm.prank(EVE);
        snapshots.settle(certificate(), proof());
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory log = logs[logs.length - 1];
        eq("event", log.topics[0], IFinalSnapshots.SnapshotSettled.selector);
        eq("registration", log.topics[1], says.registration);
        eq("chain", log.topics[2], bytes32(uint256(A)));
        eq("block", log.data, abi.encode(says.headNumber, says.headHash, keccak256("state")));
        IFinalSnapshots.Snapshot memory kept = IFinalSnapshots.Snapshot(A, says.headNumber, says.height, says.headHash, keccak256("state"));
        eq("kept", abi.encode(snapshots.snapshotOf(says.registration)), abi.encode(kept));
        // For ever, also when a later checkpoint says the same.
        next(1000);
        bytes memory again = err(IFinalSnapshots.SettledAlready.selector, says.registration);
        refuses("again", again, address(snapshots), settle(certificate(), proof()));
        eq("still", abi.encode(snapshots.snapshotOf(says.registration)), abi.encode(kept));
    }

    function test_whoStays() public {
        for (uint8 status_; status_ < LEFT; ++status_) {
            says.status = status_;
            next(1);
            refused("stays", err(IFinalSnapshots.NotLeft.selector, uint256(says.registration), uint256(status_)), settle(certificate(), proof()));
        }
    }

    function test_nothingFinal() public {
        says.headHash = 0;
        refused("nothing final", err(IFinalSnapshots.NothingFinal.selector, says.registration), settle(certificate(), proof()));
    }

    /// @notice The head of another confidence is not the last state.
    function test_otherHeads() public {
        client.submit(certificate());
        bytes memory part = headPart();
        bytes memory leaf = rollupProof();
        for (uint256 at; at < part.length; at += 11) {
            bytes memory other = flip(part, at);
            bytes memory wrong = err(IFinalSnapshots.HeadPartWrong.selector, keccak256(other), keccak256(part));
            refused("spoiled", wrong, settle("", bytes.concat(leaf, other)));
        }
        for (uint8 confidence; confidence < 2; ++confidence) {
            begin(confidence);
            (says.status, says.height) = (LEFT, 20 + confidence);
            client.submit(certificate());
            bytes memory wrong = err(IFinalSnapshots.HeadPartWrong.selector, keccak256(headPart()), keccak256("finalized"));
            refused("another confidence", wrong, settle("", proof()));
        }
    }

    function test_spoiledProofs() public {
        bytes memory p = proof();
        (bytes32 root,) = rollups();
        bytes memory unknown = abi.encodeWithSelector(RollupProof.CheckpointUnknown.selector, says.height, says.timeMs, root);
        refused("no certificate", unknown, settle("", p));
        bytes memory c = certificate();
        (bool ok,) = address(snapshots).call(settle(flip(c, 40), p));
        yes("spoiled certificate", !ok);
        client.submit(c);
        refused("short", err(RollupProof.ProofLength.selector, 111, 112), settle("", cut(p, 111)));
        refused("no leaf", err(RollupProof.ProofLength.selector, 194, 195), settle("", cut(p, 194 + 112)));
        refused("trailing", err(RollupProof.ProofLength.selector, p.length - 111, p.length - 112), settle("", bytes.concat(p, hex"00")));
        refused("index", err(RollupProof.LeafIndexOutOfRange.selector, 8, 3), settle("", put(p, 190, hex"00000008")));
        unknown = abi.encodeWithSelector(RollupProof.CheckpointUnknown.selector, says.height + 1, says.timeMs, root);
        refused("height", unknown, settle("", put(p, 0, abi.encodePacked(says.height + 1))));
        unknown = abi.encodeWithSelector(RollupProof.CheckpointUnknown.selector, says.height, says.timeMs + 1, root);
        refused("time", unknown, settle("", put(p, 8, abi.encodePacked(says.timeMs + 1))));
        for (uint256 at = 16; at < p.length - 112; at += 5) {
            if (at >= 190 && at < 195) continue;
            bytes memory answer;
            (ok, answer) = address(snapshots).call(settle("", flip(p, at)));
            yes("refused", !ok && bytes4(answer) == RollupProof.RollupProofWrong.selector);
        }
    }
}
