// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LightClientCore} from "./client/LightClientCore.sol";
import {Certificate} from "./lib/Certificate.sol";
import {CommitteeTable} from "./lib/CommitteeTable.sol";

/// @title The light client for a chain on which contracts cannot read code
/// @notice As {LightClient}, with tables in storage: it needs neither EXTCODECOPY nor a contract for each table. Dearer by a
/// storage read for each word of what a certificate needs: five when all sign, and up to four for each that does not.
///
/// Storage: slot 69 `words[epoch]`, the table's bytes in words from {tableSlot} on.
contract LightClientInStorage is LightClientCore {
    mapping(uint64 epoch => uint256) private words;

    /// @param domain of the operators' chain, docs/protocol.md
    /// @param genesisEpoch the first epoch that this client accepts
    /// @param genesisTableHash hash of that epoch's table; anyone may install the table itself
    /// @param owner who may re-anchor; 0 = nobody, ever
    /// @param reanchorDelayS seconds between the announcement of an anchor and its effect
    constructor(bytes32 domain, uint64 genesisEpoch, bytes32 genesisTableHash, address owner, uint32 reanchorDelayS)
        LightClientCore(domain, genesisEpoch, genesisTableHash, owner, reanchorDelayS)
    {}

    /// @notice The slot of the first word of an epoch's table; the others follow.
    function tableSlot(uint64 epoch) public pure returns (uint256 slot) {
        assembly ("memory-safe") {
            mstore(0, epoch)
            mstore(32, words.slot)
            slot := keccak256(0, 64)
        }
    }

    /// @dev Kept here: {tableAddress} is this very contract.
    function _keep(uint64 epoch, bytes calldata table) internal override returns (address) {
        uint256 slot = tableSlot(epoch);
        assembly ("memory-safe") {
            for { let at := 0 } lt(at, table.length) { at := add(at, 32) } {
                let word := calldataload(add(table.offset, at))
                // The last word may end within: nothing of what follows in the calldata is kept.
                let over := sub(add(at, 32), table.length)
                if sgt(over, 0) { word := shl(shl(3, over), shr(shl(3, over), word)) }
                sstore(add(slot, shr(5, at)), word)
            }
        }
        return address(this);
    }

    function _load(bytes calldata certificate, uint256 absent, uint64 epoch, uint256 e)
        internal
        view
        override
        returns (uint256 at)
    {
        uint256 slot = tableSlot(epoch);
        at = Certificate.room(absent);
        if (absent == 0) {
            assembly ("memory-safe") {
                // Words 2 to 6 are bytes 64 to 224: what is asked for, and 8 bytes more.
                for { let i := 0 } lt(i, 5) { i := add(i, 1) } {
                    mstore(add(at, shl(5, i)), sload(add(slot, add(2, i))))
                }
            }
            return at;
        }
        uint256 operators = e >> 240;
        assembly ("memory-safe") {
            function copy(to, first, from, past) {
                for { let i := shr(5, from) } lt(shl(5, i), past) { i := add(i, 1) } {
                    mstore(add(to, shl(5, i)), sload(add(first, i)))
                }
            }
            copy(at, slot, 0, 216)
            // Only what is subtracted: the entries of the absentees. Who is not in the table is refused later.
            let list := add(certificate.offset, 291)
            for { let i := 0 } lt(i, absent) { i := add(i, 1) } {
                let index := byte(0, calldataload(add(list, i)))
                if lt(index, operators) {
                    let from := add(216, mul(80, index))
                    copy(at, slot, from, add(from, 80))
                }
            }
        }
    }
}
