//! ABIs, written by hand: of EigenLayer's core only what we call and every release since v1.3 has.

#![allow(missing_docs, missing_debug_implementations, clippy::all)]

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    interface IAllocationManager {
        struct OperatorSet { address avs; uint32 id; }
        struct Allocation { uint64 currentMagnitude; int128 pendingDiff; uint32 effectBlock; }
        struct AllocateParams { OperatorSet operatorSet; address[] strategies; uint64[] newMagnitudes; }
        struct RegisterParams { address avs; uint32[] operatorSetIds; bytes data; }
        struct DeregisterParams { address operator; address avs; uint32[] operatorSetIds; }

        function modifyAllocations(address operator, AllocateParams[] params) external;
        function registerForOperatorSets(address operator, RegisterParams params) external;
        function deregisterFromOperatorSets(DeregisterParams params) external;
        function setAllocationDelay(address operator, uint32 delay) external;
        function getAllocation(address operator, OperatorSet operatorSet, address strategy)
            external view returns (Allocation);
        function getAllocationDelay(address operator) external view returns (bool isSet, uint32 delay);
        function getAllocatableMagnitude(address operator, address strategy) external view returns (uint64);
        function getMaxMagnitude(address operator, address strategy) external view returns (uint64);
        function getMinimumSlashableStake(OperatorSet operatorSet, address[] operators, address[] strategies, uint32 futureBlock)
            external view returns (uint256[][]);
        function getMembers(OperatorSet operatorSet) external view returns (address[]);
        function isMemberOfOperatorSet(address operator, OperatorSet operatorSet) external view returns (bool);
        function isOperatorSlashable(address operator, OperatorSet operatorSet) external view returns (bool);
        function ALLOCATION_CONFIGURATION_DELAY() external view returns (uint32);
        function DEALLOCATION_DELAY() external view returns (uint32);

        error AlreadyMemberOfSet();
        error InsufficientMagnitude();
        error InvalidCaller();
        error InvalidOperator();
        error InvalidOperatorSet();
        error InvalidPermissions();
        error ModificationAlreadyPending();
        error NotMemberOfSet();
        error SameMagnitude();
        error UninitializedAllocationDelay();
    }

    /// What releases before v1.5, or before v1.9, do not answer. Asked, never needed.
    #[derive(Debug, PartialEq, Eq)]
    interface INewerAllocationManager {
        // v1.5 and later.
        function isRedistributingOperatorSet(IAllocationManager.OperatorSet operatorSet) external view returns (bool);
        function getRedistributionRecipient(IAllocationManager.OperatorSet operatorSet) external view returns (address);
        // v1.9 and later.
        function getSlasher(IAllocationManager.OperatorSet operatorSet) external view returns (address);
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IDelegationManager {
        function registerAsOperator(address initDelegationApprover, uint32 allocationDelay, string metadataURI) external;
        function isOperator(address operator) external view returns (bool);
        function operatorShares(address operator, address strategy) external view returns (uint256);

        error ActivelyDelegated();
        error CurrentlyPaused();
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IStrategyManager {
        function depositIntoStrategy(address strategy, address token, uint256 amount) external returns (uint256 shares);
        function stakerDepositShares(address user, address strategy) external view returns (uint256 shares);

        error StrategyNotWhitelisted();
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IStrategy {
        function underlyingToken() external view returns (address);
        function sharesToUnderlyingView(uint256 amountShares) external view returns (uint256);
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IErc20 {
        function balanceOf(address account) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 amount) external returns (bool);
        function decimals() external view returns (uint8);
        function symbol() external view returns (string);
    }
}

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    interface IServiceManager {
        struct G1 { uint256 x; uint256 y; }
        struct G2 { uint256 xImaginary; uint256 xReal; uint256 yImaginary; uint256 yReal; }
        struct Registration { G1 key; G2 keyG2; G1 possession; bytes32 networkKey; string endpoint; }
        struct SnapshotRecord { bytes32 tableHash; uint64 l1Block; uint64 validUntil; uint16 seats; }

        event SnapshotTaken(uint256 indexed index, bytes32 indexed tableHash, uint64 validUntil, address[] seats, uint128[] stakes);

        error BondLocked(address operator);
        error BondMissing(address operator, uint256 heldWei, uint256 neededWei);
        error EndpointInvalid(uint256 length);
        error KeyTaken(bytes32 operatorId, address operator);
        error NetworkKeyTaken(bytes32 networkKey, address operator);
        error OperatorHasKey(address operator, bytes32 held);
        error OperatorJailed(address operator);
        error OperatorSetFull(uint256 members);
        error PossessionNotProven(bytes32 digest);

        function BOND_WEI() external view returns (uint96);
        function DOMAIN() external view returns (bytes32);
        function operatorIdOf(address operator) external view returns (bytes32);
        function operatorOf(bytes32 operatorId) external view returns (address);
        function keyOf(address operator) external view returns (G1 key, G2 keyG2, G1 possession);
        // A string on chain: read as bytes, because nobody there checked that it is text.
        function endpointOf(address operator) external view returns (bytes32 networkKey, bytes endpoint);
        function members() external view returns (address[]);
        function isJailed(address operator) external view returns (bool);
        function setEndpoint(bytes32 networkKey, string endpoint) external;
        function postBond(address operator) external payable;
        function withdrawBond() external;
        function bondOf(address operator) external view returns (uint256);
        function preview() external view returns (address[] seats, uint128[] stakes, bool due);
        function takeSnapshot(G2 keySum) external returns (uint256 index);
        function snapshotCount() external view returns (uint256);
        function snapshotAt(uint256 index) external view returns (SnapshotRecord);
        function snapshotOf(bytes32 tableHash) external view returns (uint256 indexPlusOne);
    }
}

/// What revert data of the core or of the service manager says; `None` when it is none of the errors that we know.
#[must_use]
pub fn explain_revert(data: &[u8]) -> Option<String> {
    use alloy_sol_types::SolInterface as _;
    let by_service_manager =
        IServiceManager::IServiceManagerErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let by_allocation_manager =
        || IAllocationManager::IAllocationManagerErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let by_delegation_manager =
        || IDelegationManager::IDelegationManagerErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let by_strategy_manager =
        || IStrategyManager::IStrategyManagerErrors::abi_decode(data).map(|error| format!("{error:?}"));
    by_service_manager
        .or_else(|_| by_allocation_manager())
        .or_else(|_| by_delegation_manager())
        .or_else(|_| by_strategy_manager())
        .ok()
}

impl IServiceManager::G1 {
    /// `x 32 ‖ y 32`.
    #[must_use]
    pub fn bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (chunk, word) in bytes.chunks_exact_mut(32).zip([self.x, self.y]) {
            chunk.copy_from_slice(&word.to_be_bytes::<32>());
        }
        bytes
    }

    /// The point with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let [x, y] = words(bytes);
        Self { x, y }
    }
}

impl IServiceManager::G2 {
    /// `x.c1 32 ‖ x.c0 32 ‖ y.c1 32 ‖ y.c0 32`.
    #[must_use]
    pub fn bytes(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        let words = [self.xImaginary, self.xReal, self.yImaginary, self.yReal];
        for (chunk, word) in bytes.chunks_exact_mut(32).zip(words) {
            chunk.copy_from_slice(&word.to_be_bytes::<32>());
        }
        bytes
    }

    /// The point with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 128]) -> Self {
        let [x_imaginary, x_real, y_imaginary, y_real] = words(bytes);
        Self { xImaginary: x_imaginary, xReal: x_real, yImaginary: y_imaginary, yReal: y_real }
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [alloy_primitives::U256; N] {
    let mut words = [alloy_primitives::U256::ZERO; N];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(32)) {
        *word = alloy_primitives::U256::from_be_slice(chunk);
    }
    words
}
