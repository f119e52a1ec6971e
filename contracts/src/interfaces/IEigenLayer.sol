// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title What Hum calls of EigenLayer's AllocationManager
/// @notice Our own description of the public ABI, as of core v1.3 to v1.12. `slashOperator` is declared without return values:
/// v1.3 returns nothing, v1.5 and later return `(uint256, uint256[])`, the selector is the same.
interface IAllocationManager {
    struct OperatorSet {
        address avs;
        uint32 id;
    }

    struct CreateSetParams {
        uint32 operatorSetId;
        address[] strategies;
    }

    struct SlashingParams {
        address operator;
        uint32 operatorSetId;
        address[] strategies;
        uint256[] wadsToSlash;
        string description;
    }

    struct DeregisterParams {
        address operator;
        address avs;
        uint32[] operatorSetIds;
    }

    /// @notice Announces the AVS; v1.3 demands it before a set can be created.
    function updateAVSMetadataURI(address avs, string calldata metadataURI) external;

    /// @notice Names the contract that hears of registrations. It is asked at once whether it supports the AVS.
    function setAVSRegistrar(address avs, address registrar) external;

    /// @notice Creates sets whose slashed stake is burned. From v1.9 on this makes the AVS itself the sole slasher, as before.
    function createOperatorSets(address avs, CreateSetParams[] calldata params) external;

    /// @notice Takes `wadsToSlash` (1e18 = all) of what the operator allocated to the set, strategy by strategy, ascending.
    /// Strategies of the set where nothing is allocated are passed over.
    function slashOperator(address avs, SlashingParams calldata params) external;

    /// @notice Takes an operator out of sets; callable by the AVS.
    function deregisterFromOperatorSets(DeregisterParams calldata params) external;

    /// @notice Operators registered for the set.
    function getMembers(OperatorSet calldata operatorSet) external view returns (address[] memory);

    /// @notice How many there are; during a registration the new one is counted.
    function getMemberCount(OperatorSet calldata operatorSet) external view returns (uint256);

    /// @notice Whether the operator is registered for the set.
    function isMemberOfOperatorSet(address operator, OperatorSet calldata operatorSet) external view returns (bool);

    /// @notice Whether the operator is registered, or left so recently that it can still be slashed.
    function isOperatorSlashable(address operator, OperatorSet calldata operatorSet) external view returns (bool);

    /// @notice For each operator and strategy, the stake that stays slashable until `futureBlock`.
    function getMinimumSlashableStake(
        OperatorSet calldata operatorSet,
        address[] calldata operators,
        address[] calldata strategies,
        uint32 futureBlock
    ) external view returns (uint256[][] memory);

    /// @notice For how many blocks stake stays slashable after it was taken away, or its operator left.
    function DEALLOCATION_DELAY() external view returns (uint32);
}

/// @title What the AllocationManager of a newer core (v1.5 and later) has beside that
interface IRedistributingAllocationManager {
    /// @notice Creates sets whose slashed stake goes to a recipient, fixed for ever.
    function createRedistributingOperatorSets(
        address avs,
        IAllocationManager.CreateSetParams[] calldata params,
        address[] calldata redistributionRecipients
    ) external;
}

/// @title What the AllocationManager calls on an AVS
interface IAVSRegistrar {
    /// @notice An operator asks to join sets of `avs`; a revert refuses it.
    function registerOperator(address operator, address avs, uint32[] calldata operatorSetIds, bytes calldata data) external;

    /// @notice An operator left sets of `avs`. A revert could keep it in, depending on the core.
    function deregisterOperator(address operator, address avs, uint32[] calldata operatorSetIds) external;

    /// @notice Whether this registrar serves `avs`.
    function supportsAVS(address avs) external view returns (bool);
}
