// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LightClientCore} from "./client/LightClientCore.sol";
import {Certificate} from "./lib/Certificate.sol";
import {CommitteeTable} from "./lib/CommitteeTable.sol";

/// @title The operators' chain as another chain sees it
/// @notice One for each chain, at one address everywhere. While any committee lives there is no owner and no switch: what a
/// quorum signed is believed, nothing else. When all that this client knows have expired, and only then, the owner can
/// name a new one, after a delay that everybody can watch.
///
/// Tables are kept as code.
contract LightClient is LightClientCore {
    /// @param domain of the operators' chain, docs/protocol.md
    /// @param genesisEpoch the first epoch that this client accepts
    /// @param genesisTableHash hash of that epoch's table; anyone may install the table itself
    /// @param owner who may re-anchor; 0 = nobody, ever
    /// @param reanchorDelayS seconds between the announcement of an anchor and its effect
    constructor(bytes32 domain, uint64 genesisEpoch, bytes32 genesisTableHash, address owner, uint32 reanchorDelayS)
        LightClientCore(domain, genesisEpoch, genesisTableHash, owner, reanchorDelayS)
    {}

    function _keep(uint64, bytes calldata table) internal override returns (address) {
        return CommitteeTable.write(table);
    }

    function _load(bytes calldata, uint256 absent, uint64, uint256 e) internal view override returns (uint256) {
        return Certificate.fromCode(address(uint160(e)), absent, e >> 240);
    }
}
