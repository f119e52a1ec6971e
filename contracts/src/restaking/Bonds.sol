// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IServiceManager} from "../interfaces/IServiceManager.sol";
import {RestakingStore} from "./RestakingStore.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Ether that operators post, and that whoever proves their fault earns
/// @notice Everything here is paid to who asks for it, after the books are closed: nobody's payment depends on another's.
abstract contract Bonds is RestakingStore {
    /// @inheritdoc IServiceManager
    mapping(address operator => uint256) public bondOf;
    /// @inheritdoc IServiceManager
    mapping(address reporter => uint256) public rewardOf;

    /// @inheritdoc IServiceManager
    function postBond(address operator) external payable {
        bondOf[operator] += msg.value;
        emit BondPosted(operator, bondOf[operator]);
    }

    /// @inheritdoc IServiceManager
    function withdrawBond() external {
        if (ALLOCATION_MANAGER.isOperatorSlashable(msg.sender, _operatorSet())) revert BondLocked(msg.sender);
        uint256 bond = bondOf[msg.sender];
        if (bond == 0) revert NothingOwed(msg.sender);
        bondOf[msg.sender] = 0;
        emit BondReturned(msg.sender, bond);
        Address.sendValue(payable(msg.sender), bond);
    }

    /// @inheritdoc IServiceManager
    function withdrawReward() external {
        uint256 reward = rewardOf[msg.sender];
        if (reward == 0) revert NothingOwed(msg.sender);
        rewardOf[msg.sender] = 0;
        emit RewardWithdrawn(msg.sender, reward);
        Address.sendValue(payable(msg.sender), reward);
    }

    function _checkBond(address operator) internal view {
        if (bondOf[operator] < BOND_WEI) revert BondMissing(operator, bondOf[operator], BOND_WEI);
    }

    /// @dev The bond changes hands.
    function _forfeit(address operator, address reporter) internal returns (uint256 bond) {
        bond = bondOf[operator];
        bondOf[operator] = 0;
        rewardOf[reporter] += bond;
    }
}
