// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager} from "../interfaces/IEigenLayer.sol";
import {IServiceManager} from "../interfaces/IServiceManager.sol";

/// @title What the parts of the {ServiceManager} share: what is fixed at deployment, and two marks
abstract contract RestakingStore is IServiceManager {
    uint32 internal constant OPERATOR_SET = 0;
    /// @notice Members at once. With these two bounds a snapshot fits one transaction in every case.
    uint256 public constant MEMBERS_MAX = 200;
    uint256 public constant STRATEGIES_MAX = 2;

    IAllocationManager public immutable ALLOCATION_MANAGER;
    /// @notice Who sets up and announces judges.
    address public immutable OWNER;
    uint16 public immutable SEATS_MAX;
    uint32 public immutable SLASHABLE_WINDOW_BLOCKS;
    uint32 public immutable SLASHABLE_WINDOW_SECONDS;
    uint32 public immutable SNAPSHOT_INTERVAL_BLOCKS;
    uint32 public immutable JUDGE_DELAY_SECONDS;
    uint96 public immutable BOND_WEI;
    address public immutable REDISTRIBUTION_RECIPIENT;

    address[] private _strategies;
    /// @dev Whether anybody ever registered: from then on judges come with delay.
    bool internal everRegistered;
    /// @dev Whether members or stakes changed by our knowledge since the last snapshot.
    bool internal changed;

    constructor(IAllocationManager allocationManager, address owner, address[] memory strategies_, Config memory config) {
        if (owner == address(0)) revert ConfigInvalid("owner");
        if (config.seatsMax == 0 || config.seatsMax > 256) revert ConfigInvalid("seatsMax");
        uint32 blocks = config.slashableWindowBlocks;
        if (blocks == 0 || blocks > allocationManager.DEALLOCATION_DELAY()) revert ConfigInvalid("slashableWindowBlocks");
        if (config.slashableWindowSeconds == 0) revert ConfigInvalid("slashableWindowSeconds");
        if (strategies_.length == 0 || strategies_.length > STRATEGIES_MAX) revert ConfigInvalid("strategies");
        for (uint256 i; i < strategies_.length; ++i) {
            if (strategies_[i] <= (i == 0 ? address(0) : strategies_[i - 1])) revert ConfigInvalid("strategies");
        }
        ALLOCATION_MANAGER = allocationManager;
        OWNER = owner;
        SEATS_MAX = config.seatsMax;
        SLASHABLE_WINDOW_BLOCKS = blocks;
        SLASHABLE_WINDOW_SECONDS = config.slashableWindowSeconds;
        SNAPSHOT_INTERVAL_BLOCKS = config.snapshotIntervalBlocks;
        JUDGE_DELAY_SECONDS = config.judgeDelaySeconds;
        BOND_WEI = config.bondWei;
        REDISTRIBUTION_RECIPIENT = config.redistributionRecipient;
        _strategies = strategies_;
    }

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        _;
    }

    /// @inheritdoc IServiceManager
    function strategies() public view returns (address[] memory) {
        return _strategies;
    }

    function _operatorSet() internal view returns (IAllocationManager.OperatorSet memory) {
        return IAllocationManager.OperatorSet(address(this), OPERATOR_SET);
    }
}
