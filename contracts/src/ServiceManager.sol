// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager, IAVSRegistrar, IRedistributingAllocationManager} from "./interfaces/IEigenLayer.sol";
import {IServiceManager} from "./interfaces/IServiceManager.sol";
import {Bonds} from "./restaking/Bonds.sol";
import {Judges} from "./restaking/Judges.sol";
import {OperatorKeys} from "./restaking/OperatorKeys.sol";
import {RestakingStore} from "./restaking/RestakingStore.sol";
import {Snapshots} from "./restaking/Snapshots.sol";

/// @title Hum on L1: the AVS, its operators' keys, its committees and its only slasher
contract ServiceManager is Judges, Bonds, Snapshots, IAVSRegistrar {
    uint256 private constant ALL_WAD = 1e18;

    /// @inheritdoc IServiceManager
    mapping(bytes32 offence => bool) public isPunished;
    bool private isSetUp;

    /// @param allocationManager EigenLayer's, from core v1.3 on
    /// @param owner sets up and announces judges; cannot slash, select or take anything
    /// @param strategies_ whose shares count as stake, ascending; a share of each must be worth the same
    constructor(IAllocationManager allocationManager, address owner, address[] memory strategies_, Config memory config)
        RestakingStore(allocationManager, owner, strategies_, config)
        OperatorKeys(keccak256(abi.encodePacked("hum/domain/1", uint64(block.chainid), address(this), OPERATOR_SET)))
    {}

    modifier onlyAllocationManager() {
        if (msg.sender != address(ALLOCATION_MANAGER)) revert NotAllocationManager(msg.sender);
        _;
    }

    /// @inheritdoc IServiceManager
    function setUp(string calldata metadataURI) external onlyOwner {
        if (isSetUp) revert AlreadySetUp();
        isSetUp = true;
        ALLOCATION_MANAGER.updateAVSMetadataURI(address(this), metadataURI);
        ALLOCATION_MANAGER.setAVSRegistrar(address(this), address(this));
        IAllocationManager.CreateSetParams[] memory sets = new IAllocationManager.CreateSetParams[](1);
        sets[0] = IAllocationManager.CreateSetParams(OPERATOR_SET, strategies());
        if (REDISTRIBUTION_RECIPIENT == address(0)) {
            ALLOCATION_MANAGER.createOperatorSets(address(this), sets);
        } else {
            address[] memory recipients = new address[](1);
            recipients[0] = REDISTRIBUTION_RECIPIENT;
            IRedistributingAllocationManager(address(ALLOCATION_MANAGER))
                .createRedistributingOperatorSets(address(this), sets, recipients);
        }
    }

    /// @inheritdoc IAVSRegistrar
    /// @dev Callable by the AllocationManager. Emits {KeyRegistered} the first time, {EndpointSet}, {MembershipChanged}.
    /// Reverts, in this order: {NotAllocationManager}, {WrongAvs}, {WrongOperatorSet}, {OperatorJailed}, {OperatorSetFull},
    /// {BondMissing}, without data when `data` is no {Registration}, {IdentityPoint}, {OperatorHasKey} or {KeyTaken},
    /// {Bn254.PrecompileFailed} for a coordinate out of range or a point off its curve, {PossessionNotProven},
    /// {NetworkKeyMissing}, {EndpointInvalid}, {NetworkKeyTaken}.
    function registerOperator(address operator, address avs, uint32[] calldata operatorSetIds, bytes calldata data)
        external
        onlyAllocationManager
    {
        if (avs != address(this)) revert WrongAvs(avs);
        if (operatorSetIds.length != 1 || operatorSetIds[0] != OPERATOR_SET) {
            revert WrongOperatorSet(operatorSetIds.length == 0 ? 0 : operatorSetIds[0]);
        }
        if (isJailed[operator]) revert OperatorJailed(operator);
        uint256 count = ALLOCATION_MANAGER.getMemberCount(_operatorSet());
        if (count > MEMBERS_MAX) revert OperatorSetFull(count);
        _checkBond(operator);
        _register(operator, abi.decode(data, (Registration)));
        (everRegistered, changed) = (true, true);
        emit MembershipChanged(operator, true);
    }

    /// @inheritdoc IAVSRegistrar
    /// @dev Callable by the AllocationManager. Never reverts on it: who wants to leave, leaves. Emits {MembershipChanged}.
    function deregisterOperator(address operator, address avs, uint32[] calldata operatorSetIds)
        external
        onlyAllocationManager
    {
        if (avs != address(this) || operatorSetIds.length == 0) return;
        changed = true;
        emit MembershipChanged(operator, false);
    }

    /// @inheritdoc IServiceManager
    function slash(address operator, uint8 fault, bytes32 offence, address reporter) external {
        if (!isJudge(msg.sender)) revert NotJudge(msg.sender);
        if (isPunished[offence]) revert OffenceKnown(offence);
        if (!ALLOCATION_MANAGER.isOperatorSlashable(operator, _operatorSet())) revert NotSlashable(operator);
        isPunished[offence] = true;
        isJailed[operator] = true;
        changed = true;
        emit Slashed(operator, fault, offence, reporter, _forfeit(operator, reporter));

        address[] memory all = strategies();
        uint256[] memory wads = new uint256[](all.length);
        for (uint256 i; i < wads.length; ++i) wads[i] = ALL_WAD;
        ALLOCATION_MANAGER.slashOperator(
            address(this),
            IAllocationManager.SlashingParams(operator, OPERATOR_SET, all, wads, "Hum: a fault proven on L1")
        );
        if (ALLOCATION_MANAGER.isMemberOfOperatorSet(operator, _operatorSet())) _eject(operator);
    }

    /// @inheritdoc IServiceManager
    function members() external view returns (address[] memory) {
        return ALLOCATION_MANAGER.getMembers(_operatorSet());
    }

    /// @inheritdoc IAVSRegistrar
    function supportsAVS(address avs) external view returns (bool) {
        return avs == address(this);
    }

    /// @dev A core whose registration is paused says so, and cannot keep a liar from being slashed. A call that ran out of gas
    /// says nothing: then the whole slash is undone, so that no reporter can leave the operator in by giving little.
    function _eject(address operator) private {
        uint32[] memory sets = new uint32[](1);
        sets[0] = OPERATOR_SET;
        try ALLOCATION_MANAGER.deregisterFromOperatorSets(
            IAllocationManager.DeregisterParams(operator, address(this), sets)
        ) {} catch (bytes memory reason) {
            if (reason.length == 0) revert EjectionFailed(operator);
        }
    }
}
