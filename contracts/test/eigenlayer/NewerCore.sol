// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager, IAVSRegistrar} from "../../src/interfaces/IEigenLayer.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";

/// @title A strategy of the stand-in: a share is a token
contract NewerStrategy {
    address public immutable underlyingToken;

    constructor(address token) {
        underlyingToken = token;
    }

    function sharesToUnderlyingView(uint256 shares) external pure returns (uint256) {
        return shares;
    }
}

/// @title Stand-in for a core of v1.9 and later
/// @notice For tests only, in our own words: no published package holds a newer core. It behaves as newer releases say they do in
/// what concerns an AVS and its operators: `slashOperator` answers; one stored slasher a set, changed with delay; second forms of
/// the calls that create sets; redistribution in two steps; a new operator's allocation delay counts at once. What a core's
/// AllocationManager, DelegationManager and StrategyManager do, this one contract does. It holds all tokens itself, and every
/// staker is its own operator: nobody delegates to another.
contract NewerCore {
    using EnumerableSet for EnumerableSet.AddressSet;
    using EnumerableSet for EnumerableSet.Bytes32Set;

    struct CreateSetParamsV2 {
        uint32 operatorSetId;
        address[] strategies;
        address slasher;
    }

    struct AllocateParams {
        IAllocationManager.OperatorSet operatorSet;
        address[] strategies;
        uint64[] newMagnitudes;
    }

    struct RegisterParams {
        address avs;
        uint32[] operatorSetIds;
        bytes data;
    }

    /// @notice As {getAllocation} answers.
    struct Allocation {
        uint64 currentMagnitude;
        int128 pendingDiff;
        uint32 effectBlock;
    }

    struct Delay {
        bool isSet;
        uint32 current;
        uint32 afterwards;
        uint32 effectBlock;
    }

    struct OperatorSetState {
        bool exists;
        address slasher;
        address nextSlasher;
        uint32 nextSlasherBlock;
        address recipient;
        uint256 slashes;
        EnumerableSet.AddressSet strategies;
        EnumerableSet.AddressSet members;
    }

    struct Held {
        uint64 current;
        uint64 afterwards;
        uint32 effectBlock;
    }

    uint64 private constant WAD = 1e18;
    address private constant BURN = 0x00000000000000000000000000000000000E16E4;
    uint32 public immutable DEALLOCATION_DELAY;
    uint32 public immutable ALLOCATION_CONFIGURATION_DELAY;

    mapping(address avs => bool) private announced;
    mapping(address avs => address) private registrars;
    mapping(bytes32 set => OperatorSetState) private sets;
    mapping(address operator => mapping(bytes32 set => uint32)) private slashableUntil;
    mapping(address operator => mapping(bytes32 set => mapping(address strategy => Held))) private allocations;
    mapping(address operator => mapping(address strategy => EnumerableSet.Bytes32Set)) private setsOf;
    mapping(address operator => bool) public isOperator;
    mapping(address operator => Delay) private delays;
    mapping(address staker => mapping(address strategy => uint256)) public stakerDepositShares;
    mapping(address staker => mapping(address strategy => uint256)) private shares;
    mapping(address operator => mapping(address strategy => uint64)) private slashedMagnitude;
    mapping(bytes32 set => mapping(uint256 slashId => mapping(address strategy => uint256))) private slashedShares;

    event OperatorSlashed(
        address operator, IAllocationManager.OperatorSet operatorSet, address[] strategies, uint256[] wadSlashed, string description
    );

    error InvalidCaller();
    error InvalidOperatorSet();
    error InvalidAVSRegistrar();
    error InvalidWadToSlash();
    error InvalidRedistributionRecipient();
    error AlreadyMemberOfSet();
    error NotMemberOfSet();
    error OperatorNotSlashable();
    error NonexistentAVSMetadata();
    error StrategiesMustBeInAscendingOrder();
    error StrategyNotInOperatorSet();
    error InsufficientMagnitude();
    error InputArrayLengthMismatch();
    error InvalidOperator();
    error ActivelyDelegated();
    error UninitializedAllocationDelay();
    error ModificationAlreadyPending();
    error SameMagnitude();
    error InvalidToken();
    error FullySlashed();

    constructor(uint32 deallocationDelay, uint32 configurationDelay) {
        (DEALLOCATION_DELAY, ALLOCATION_CONFIGURATION_DELAY) = (deallocationDelay, configurationDelay);
    }

    modifier only(address account) {
        if (msg.sender != account) revert InvalidCaller();
        _;
    }

    // ---- What an AVS calls

    function updateAVSMetadataURI(address avs, string calldata) external only(avs) {
        announced[avs] = true;
    }

    function setAVSRegistrar(address avs, address registrar) external only(avs) {
        if (!IAVSRegistrar(registrar).supportsAVS(avs)) revert InvalidAVSRegistrar();
        registrars[avs] = registrar;
    }

    function createOperatorSets(address avs, IAllocationManager.CreateSetParams[] calldata params) external only(avs) {
        for (uint256 i; i < params.length; ++i) _create(avs, params[i].operatorSetId, params[i].strategies, avs, BURN);
    }

    function createOperatorSets(address avs, CreateSetParamsV2[] calldata params) external only(avs) {
        for (uint256 i; i < params.length; ++i) {
            _create(avs, params[i].operatorSetId, params[i].strategies, params[i].slasher, BURN);
        }
    }

    function createRedistributingOperatorSets(
        address avs,
        IAllocationManager.CreateSetParams[] calldata params,
        address[] calldata recipients
    ) external only(avs) {
        for (uint256 i; i < params.length; ++i) {
            if (recipients[i] == address(0) || recipients[i] == BURN) revert InvalidRedistributionRecipient();
            _create(avs, params[i].operatorSetId, params[i].strategies, avs, recipients[i]);
        }
    }

    function createRedistributingOperatorSets(
        address avs,
        CreateSetParamsV2[] calldata params,
        address[] calldata recipients
    ) external only(avs) {
        for (uint256 i; i < params.length; ++i) {
            if (recipients[i] == address(0) || recipients[i] == BURN) revert InvalidRedistributionRecipient();
            _create(avs, params[i].operatorSetId, params[i].strategies, params[i].slasher, recipients[i]);
        }
    }

    function updateSlasher(IAllocationManager.OperatorSet calldata operatorSet, address slasher) external only(operatorSet.avs) {
        OperatorSetState storage set = _existing(operatorSet.avs, operatorSet.id);
        set.slasher = getSlasher(operatorSet);
        (set.nextSlasher, set.nextSlasherBlock) = (slasher, uint32(block.number) + ALLOCATION_CONFIGURATION_DELAY + 1);
    }

    function slashOperator(address avs, IAllocationManager.SlashingParams calldata params)
        external
        returns (uint256 slashId, uint256[] memory taken)
    {
        IAllocationManager.OperatorSet memory operatorSet = IAllocationManager.OperatorSet(avs, params.operatorSetId);
        OperatorSetState storage set = _existing(avs, params.operatorSetId);
        if (msg.sender != getSlasher(operatorSet)) revert InvalidCaller();
        if (!isOperatorSlashable(params.operator, operatorSet)) revert OperatorNotSlashable();
        if (params.strategies.length != params.wadsToSlash.length) revert InputArrayLengthMismatch();
        slashId = ++set.slashes;
        taken = new uint256[](params.strategies.length);
        for (uint256 i; i < taken.length; ++i) {
            address strategy = params.strategies[i];
            if (i > 0 && strategy <= params.strategies[i - 1]) revert StrategiesMustBeInAscendingOrder();
            if (params.wadsToSlash[i] == 0 || params.wadsToSlash[i] > WAD) revert InvalidWadToSlash();
            if (!set.strategies.contains(strategy)) revert StrategyNotInOperatorSet();
            taken[i] = _take(params.operator, _key(operatorSet), strategy, params.wadsToSlash[i]);
            slashedShares[_key(operatorSet)][slashId][strategy] = taken[i];
        }
        emit OperatorSlashed(params.operator, operatorSet, params.strategies, params.wadsToSlash, params.description);
    }

    /// @notice Second step of a slash, by anyone: burns what was taken, or gives it to the set's recipient.
    function clearBurnOrRedistributableShares(IAllocationManager.OperatorSet calldata operatorSet, uint256 slashId) external {
        OperatorSetState storage set = _existing(operatorSet.avs, operatorSet.id);
        for (uint256 i; i < set.strategies.length(); ++i) {
            address strategy = set.strategies.at(i);
            uint256 amount = slashedShares[_key(operatorSet)][slashId][strategy];
            slashedShares[_key(operatorSet)][slashId][strategy] = 0;
            if (amount != 0) require(IERC20(NewerStrategy(strategy).underlyingToken()).transfer(set.recipient, amount));
        }
    }

    // ---- What an operator calls

    function depositIntoStrategy(address strategy, address token, uint256 amount) external returns (uint256) {
        if (token != NewerStrategy(strategy).underlyingToken()) revert InvalidToken();
        if (getMaxMagnitude(msg.sender, strategy) == 0) revert FullySlashed();
        require(IERC20(token).transferFrom(msg.sender, address(this), amount));
        stakerDepositShares[msg.sender][strategy] += amount;
        shares[msg.sender][strategy] += amount;
        return amount;
    }

    function registerAsOperator(address, uint32 allocationDelay, string calldata) external {
        if (isOperator[msg.sender]) revert ActivelyDelegated();
        isOperator[msg.sender] = true;
        // Before v1.9 this, too, waited for the configuration delay.
        delays[msg.sender] = Delay(true, allocationDelay, allocationDelay, 0);
    }

    function setAllocationDelay(address operator, uint32 delay) external only(operator) {
        if (!isOperator[operator]) revert InvalidOperator();
        (, uint32 now_) = getAllocationDelay(operator);
        delays[operator] = Delay(true, now_, delay, uint32(block.number) + ALLOCATION_CONFIGURATION_DELAY + 1);
    }

    function modifyAllocations(address operator, AllocateParams[] calldata params) external only(operator) {
        (bool isSet, uint32 delay) = getAllocationDelay(operator);
        if (!isSet) revert UninitializedAllocationDelay();
        for (uint256 i; i < params.length; ++i) {
            _existing(params[i].operatorSet.avs, params[i].operatorSet.id);
            for (uint256 k; k < params[i].strategies.length; ++k) {
                _modify(operator, params[i].operatorSet, params[i].strategies[k], params[i].newMagnitudes[k], delay);
            }
        }
    }

    function registerForOperatorSets(address operator, RegisterParams calldata params) external only(operator) {
        if (!isOperator[operator]) revert InvalidOperator();
        for (uint256 i; i < params.operatorSetIds.length; ++i) {
            OperatorSetState storage set = _existing(params.avs, params.operatorSetIds[i]);
            IAllocationManager.OperatorSet memory operatorSet = IAllocationManager.OperatorSet(params.avs, params.operatorSetIds[i]);
            if (isOperatorSlashable(operator, operatorSet)) revert AlreadyMemberOfSet();
            set.members.add(operator);
        }
        IAVSRegistrar(registrars[params.avs]).registerOperator(operator, params.avs, params.operatorSetIds, params.data);
    }

    function deregisterFromOperatorSets(IAllocationManager.DeregisterParams calldata params) external {
        if (msg.sender != params.operator && msg.sender != params.avs) revert InvalidCaller();
        for (uint256 i; i < params.operatorSetIds.length; ++i) {
            OperatorSetState storage set = _existing(params.avs, params.operatorSetIds[i]);
            if (!set.members.remove(params.operator)) revert NotMemberOfSet();
            bytes32 key = _key(IAllocationManager.OperatorSet(params.avs, params.operatorSetIds[i]));
            slashableUntil[params.operator][key] = uint32(block.number) + DEALLOCATION_DELAY;
        }
        IAVSRegistrar(registrars[params.avs]).deregisterOperator(params.operator, params.avs, params.operatorSetIds);
    }

    // ---- Views

    function getSlasher(IAllocationManager.OperatorSet memory operatorSet) public view returns (address) {
        OperatorSetState storage set = sets[_key(operatorSet)];
        return set.nextSlasherBlock != 0 && block.number >= set.nextSlasherBlock ? set.nextSlasher : set.slasher;
    }

    function getRedistributionRecipient(IAllocationManager.OperatorSet calldata operatorSet) external view returns (address) {
        return sets[_key(operatorSet)].recipient;
    }

    function isRedistributingOperatorSet(IAllocationManager.OperatorSet calldata operatorSet) external view returns (bool) {
        return sets[_key(operatorSet)].exists && sets[_key(operatorSet)].recipient != BURN;
    }

    function getSlashCount(IAllocationManager.OperatorSet calldata operatorSet) external view returns (uint256) {
        return sets[_key(operatorSet)].slashes;
    }

    function getMembers(IAllocationManager.OperatorSet calldata operatorSet) external view returns (address[] memory) {
        return sets[_key(operatorSet)].members.values();
    }

    function getMemberCount(IAllocationManager.OperatorSet calldata operatorSet) external view returns (uint256) {
        return sets[_key(operatorSet)].members.length();
    }

    function isMemberOfOperatorSet(address operator, IAllocationManager.OperatorSet memory operatorSet) public view returns (bool) {
        return sets[_key(operatorSet)].members.contains(operator);
    }

    function isOperatorSlashable(address operator, IAllocationManager.OperatorSet memory operatorSet) public view returns (bool) {
        return isMemberOfOperatorSet(operator, operatorSet) || slashableUntil[operator][_key(operatorSet)] >= block.number;
    }

    function getMaxMagnitude(address operator, address strategy) public view returns (uint64) {
        return WAD - slashedMagnitude[operator][strategy];
    }

    function getAllocatableMagnitude(address operator, address strategy) public view returns (uint64 free) {
        free = getMaxMagnitude(operator, strategy);
        bytes32[] memory all = setsOf[operator][strategy].values();
        for (uint256 i; i < all.length; ++i) {
            Held storage a = allocations[operator][all[i]][strategy];
            uint64 now_ = _magnitude(a, uint32(block.number));
            // What is on its way out is not free before it is out.
            free -= now_ > a.afterwards ? now_ : a.afterwards;
        }
    }

    function getAllocation(address operator, IAllocationManager.OperatorSet calldata operatorSet, address strategy)
        external
        view
        returns (Allocation memory)
    {
        Held storage a = allocations[operator][_key(operatorSet)][strategy];
        uint64 now_ = _magnitude(a, uint32(block.number));
        if (block.number >= a.effectBlock) return Allocation(now_, 0, 0);
        return Allocation(now_, int128(uint128(a.afterwards)) - int128(uint128(now_)), a.effectBlock);
    }

    function getAllocationDelay(address operator) public view returns (bool isSet, uint32 delay) {
        Delay storage d = delays[operator];
        return (d.isSet, block.number < d.effectBlock ? d.current : d.afterwards);
    }

    function operatorShares(address operator, address strategy) public view returns (uint256) {
        return isOperator[operator] ? shares[operator][strategy] : 0;
    }

    function getMinimumSlashableStake(
        IAllocationManager.OperatorSet calldata operatorSet,
        address[] calldata operators,
        address[] calldata strategies,
        uint32 futureBlock
    ) external view returns (uint256[][] memory stake) {
        stake = new uint256[][](operators.length);
        for (uint256 i; i < operators.length; ++i) {
            stake[i] = new uint256[](strategies.length);
            if (!isOperatorSlashable(operators[i], operatorSet)) continue;
            for (uint256 k; k < strategies.length; ++k) {
                uint64 most = getMaxMagnitude(operators[i], strategies[k]);
                if (most == 0) continue;
                Held storage a = allocations[operators[i]][_key(operatorSet)][strategies[k]];
                // Of now and then, the less.
                uint256 held = Math.min(_magnitude(a, uint32(block.number)), _magnitude(a, futureBlock));
                stake[i][k] = Math.mulDiv(operatorShares(operators[i], strategies[k]), held, most);
            }
        }
    }

    // ----

    function _create(address avs, uint32 id, address[] calldata strategies, address slasher, address recipient) private {
        if (!announced[avs]) revert NonexistentAVSMetadata();
        OperatorSetState storage set = sets[_key(IAllocationManager.OperatorSet(avs, id))];
        if (set.exists || slasher == address(0)) revert InvalidOperatorSet();
        (set.exists, set.slasher, set.recipient) = (true, slasher, recipient);
        for (uint256 i; i < strategies.length; ++i) set.strategies.add(strategies[i]);
    }

    function _modify(
        address operator,
        IAllocationManager.OperatorSet calldata operatorSet,
        address strategy,
        uint64 next,
        uint32 delay
    ) private {
        bytes32 set = _key(operatorSet);
        Held storage a = allocations[operator][set][strategy];
        if (block.number < a.effectBlock) revert ModificationAlreadyPending();
        uint64 now_ = a.afterwards;
        if (next == now_) revert SameMagnitude();
        uint32 effectBlock = uint32(block.number) + delay;
        if (next > now_) {
            if (next - now_ > getAllocatableMagnitude(operator, strategy)) revert InsufficientMagnitude();
        } else {
            // Slashable stake leaves after the delay, other stake at once.
            effectBlock = isOperatorSlashable(operator, operatorSet) ? uint32(block.number) + DEALLOCATION_DELAY + 1 : 0;
        }
        (a.current, a.afterwards, a.effectBlock) = (now_, next, effectBlock);
        setsOf[operator][strategy].add(set);
    }

    function _take(address operator, bytes32 set, address strategy, uint256 wad) private returns (uint256 taken) {
        Held storage a = allocations[operator][set][strategy];
        uint64 held = _magnitude(a, uint32(block.number));
        if (held == 0) return 0;
        uint64 lost = uint64(Math.mulDiv(held, wad, WAD, Math.Rounding.Ceil));
        taken = Math.mulDiv(operatorShares(operator, strategy), lost, getMaxMagnitude(operator, strategy));
        shares[operator][strategy] -= taken;
        slashedMagnitude[operator][strategy] += lost;
        a.current = held - lost;
        if (block.number >= a.effectBlock) a.afterwards = a.current;
        else if (a.afterwards > held) a.afterwards -= lost;
        else if (a.afterwards > a.current) a.afterwards = a.current;
    }

    function _magnitude(Held storage a, uint32 atBlock) private view returns (uint64) {
        return atBlock < a.effectBlock ? a.current : a.afterwards;
    }

    function _existing(address avs, uint32 id) private view returns (OperatorSetState storage set) {
        set = sets[_key(IAllocationManager.OperatorSet(avs, id))];
        if (!set.exists) revert InvalidOperatorSet();
    }

    function _key(IAllocationManager.OperatorSet memory operatorSet) private pure returns (bytes32) {
        return keccak256(abi.encode(operatorSet));
    }
}
