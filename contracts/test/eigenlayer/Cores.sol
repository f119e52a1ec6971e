// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager} from "../../src/interfaces/IEigenLayer.sol";
import {Test} from "../Vm.sol";
import {NewerCore, NewerStrategy} from "./NewerCore.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice What operators call of the core; the same on every version.
interface IOperatorCore {
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

    function modifyAllocations(address operator, AllocateParams[] calldata params) external;
    function registerForOperatorSets(address operator, RegisterParams calldata params) external;
    function getMaxMagnitude(address operator, address strategy) external view returns (uint64);
}

interface ICoreParts {
    // ProxyAdmin
    function upgradeAndCall(address proxy, address implementation, bytes calldata data) external payable;
    function upgrade(address proxy, address implementation) external;
    // DelegationManager, AllocationManager
    function initialize(address owner, uint256 paused) external;
    function registerAsOperator(address approver, uint32 allocationDelay, string calldata metadataURI) external;
    function operatorShares(address operator, address strategy) external view returns (uint256);
    // StrategyManager, StrategyFactory
    function initialize(address owner, address whitelister, uint256 paused) external;
    function initialize(address owner, uint256 paused, address beacon) external;
    function deployNewStrategy(address token) external returns (address);
    function depositIntoStrategy(address strategy, address token, uint256 amount) external returns (uint256);
    // AllocationManager, as Pausable
    function pause(uint256 newPausedStatus) external;
}

contract TestToken is ERC20 {
    constructor() ERC20("test stake", "STAKE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice A core to run on, and how operators get stake there.
abstract contract Cores is Test {
    uint32 internal constant DEALLOCATION_DELAY = 50;
    uint32 internal constant ALLOCATION_CONFIGURATION_DELAY = 2;
    IAllocationManager internal core;

    /// @dev Deploys it; the chain has some history then.
    function startCore() internal virtual;
    /// @dev A strategy whose shares are worth a token each.
    function newStrategy() internal virtual returns (address strategy);
    /// @dev Makes the account an operator, if it is none, with that much more stake.
    function deposit(address operator, address strategy, uint256 amount) internal virtual;
    function sharesOf(address operator, address strategy) internal view virtual returns (uint256);

    function later(uint256 blocks) internal {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + 12 * blocks);
    }

    function allocate(address avs, address operator, address strategy, uint64 magnitude) internal {
        IOperatorCore.AllocateParams[] memory params = new IOperatorCore.AllocateParams[](1);
        params[0].operatorSet = IAllocationManager.OperatorSet(avs, 0);
        params[0].strategies = new address[](1);
        params[0].strategies[0] = strategy;
        params[0].newMagnitudes = new uint64[](1);
        params[0].newMagnitudes[0] = magnitude;
        vm.prank(operator);
        IOperatorCore(address(core)).modifyAllocations(operator, params);
    }

    function registration(address avs, address operator, bytes memory data) internal pure returns (bytes memory) {
        return abi.encodeCall(
            IOperatorCore.registerForOperatorSets, (operator, IOperatorCore.RegisterParams(avs, new uint32[](1), data))
        );
    }

    function leaveSet(address avs, address operator) internal {
        vm.prank(operator);
        core.deregisterFromOperatorSets(IAllocationManager.DeregisterParams(operator, avs, new uint32[](1)));
    }
}

/// @notice EigenLayer's own core, from eigenlayer/core.json.
abstract contract RealCore is Cores {
    string private json;
    address private delegation;
    address private strategyManager;
    ICoreParts private factory;
    mapping(address strategy => TestToken) private tokens;
    mapping(address operator => bool) internal registered;

    function startCore() internal override {
        // A young chain's slashing underflows.
        vm.roll(1000);
        vm.warp(1_000_000);
        json = vm.readFile("eigenlayer/core.json");
        address admin = part("ProxyAdmin", "");
        bytes memory proxy = abi.encode(part("EmptyContract", ""), admin, bytes(""));
        delegation = part("TransparentUpgradeableProxy", proxy);
        strategyManager = part("TransparentUpgradeableProxy", proxy);
        core = IAllocationManager(part("TransparentUpgradeableProxy", proxy));
        address permissions = part("TransparentUpgradeableProxy", proxy);
        factory = ICoreParts(part("TransparentUpgradeableProxy", proxy));
        address pods = part("TransparentUpgradeableProxy", proxy);
        address[] memory pausers = new address[](1);
        pausers[0] = address(this);
        address pauser = part("PauserRegistry", abi.encode(pausers, this));
        string memory version = vm.parseJsonString(json, ".version");

        // Implementations take the proxies' addresses.
        ICoreParts a = ICoreParts(admin);
        address code = part("DelegationManager", abi.encode(strategyManager, pods, core, pauser, permissions, DEALLOCATION_DELAY, version));
        a.upgradeAndCall(delegation, code, abi.encodeWithSignature("initialize(address,uint256)", this, 0));
        code = part("StrategyManager", abi.encode(delegation, pauser, version));
        a.upgradeAndCall(
            strategyManager, code, abi.encodeWithSignature("initialize(address,address,uint256)", this, factory, 0)
        );
        code = part(
            "AllocationManager",
            abi.encode(delegation, pauser, permissions, DEALLOCATION_DELAY, ALLOCATION_CONFIGURATION_DELAY, version)
        );
        a.upgradeAndCall(address(core), code, abi.encodeWithSignature("initialize(address,uint256)", this, 0));
        a.upgrade(permissions, part("PermissionController", abi.encode(version)));
        address beacon = part("UpgradeableBeacon", abi.encode(part("StrategyBase", abi.encode(strategyManager, pauser, version))));
        code = part("StrategyFactory", abi.encode(strategyManager, pauser, version));
        a.upgradeAndCall(
            address(factory), code, abi.encodeWithSignature("initialize(address,uint256,address)", this, 0, beacon)
        );
        // No beacon chain: a bare EigenPodManager answers what the DelegationManager asks.
        a.upgrade(pods, part("EigenPodManager", abi.encode(address(0), beacon, delegation, pauser, version)));
    }

    function newStrategy() internal override returns (address strategy) {
        TestToken token = new TestToken();
        strategy = factory.deployNewStrategy(address(token));
        tokens[strategy] = token;
    }

    function deposit(address operator, address strategy, uint256 amount) internal override {
        tokens[strategy].mint(operator, amount);
        vm.startPrank(operator);
        tokens[strategy].approve(strategyManager, amount);
        if (amount != 0) ICoreParts(strategyManager).depositIntoStrategy(strategy, address(tokens[strategy]), amount);
        if (!registered[operator]) ICoreParts(delegation).registerAsOperator(address(0), 0, "");
        vm.stopPrank();
        registered[operator] = true;
    }

    function sharesOf(address operator, address strategy) internal view override returns (uint256) {
        return ICoreParts(delegation).operatorShares(operator, strategy);
    }

    function part(string memory name, bytes memory arguments) private returns (address deployed) {
        bytes memory code = abi.encodePacked(vm.parseJsonBytes(json, string.concat(".bytecode.", name)), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 32), mload(code))
        }
        yes(name, deployed != address(0));
    }
}

/// @notice Our stand-in for a newer core.
abstract contract StandInCore is Cores {
    function startCore() internal override {
        vm.roll(1000);
        vm.warp(1_000_000);
        core = IAllocationManager(address(new NewerCore(DEALLOCATION_DELAY, ALLOCATION_CONFIGURATION_DELAY)));
    }

    function newStrategy() internal override returns (address) {
        return address(new NewerStrategy(address(new TestToken())));
    }

    /// @notice What the strategy holds.
    function tokenOf(address strategy) internal view returns (TestToken) {
        return TestToken(NewerStrategy(strategy).underlyingToken());
    }

    function deposit(address operator, address strategy, uint256 amount) internal override {
        NewerCore newer = NewerCore(address(core));
        TestToken token = tokenOf(strategy);
        token.mint(operator, amount);
        vm.startPrank(operator);
        token.approve(address(core), amount);
        if (amount != 0) newer.depositIntoStrategy(strategy, address(token), amount);
        if (!newer.isOperator(operator)) newer.registerAsOperator(address(0), 0, "");
        vm.stopPrank();
    }

    function sharesOf(address operator, address strategy) internal view override returns (uint256) {
        return NewerCore(address(core)).operatorShares(operator, strategy);
    }
}
