//! Everything that L1 knows of one operator, as registration, status and the doctor need it.

use super::{
    Contracts, IAllocationManager, IDelegationManager, IErc20, INewerAllocationManager, IServiceManager,
    IStrategy, IStrategyManager, Reader, RestakingError, SnapshotRecord, reader::ask,
};
use crate::{At, Chain};
use alloy_primitives::U256;
use futures::future::try_join_all;
use hum_bls::OperatorId;
use hum_types::{Address, B256, BlockRef, Domain, Endpoint};
use std::sync::Arc;

/// What an operator allocated to our set out of one strategy. Magnitudes are parts of 10¹⁸.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocation {
    /// In force.
    pub current: u64,
    /// What it becomes.
    pub next: u64,
    /// The L1 block from which `next` is in force; 0 when nothing is pending.
    pub effect_block: u32,
    /// What is left for allocations to anyone.
    pub allocatable: u64,
    /// All that there is: 10¹⁸ less what was slashed.
    pub max: u64,
}

impl Allocation {
    /// Whether a change waits for its block.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.effect_block != 0
    }
}

/// One strategy from an operator's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrategyView {
    /// The strategy.
    pub strategy: Address,
    /// What it holds.
    pub token: Address,
    /// The token's name.
    pub symbol: String,
    /// Decimals of the token.
    pub decimals: u8,
    /// Tokens that the operator's account has.
    pub balance: U256,
    /// Tokens that the strategy manager may take from it.
    pub allowance: U256,
    /// Tokens that the operator's account has deposited itself.
    pub deposited: U256,
    /// Shares delegated to the operator, its own included.
    pub shares: U256,
    /// What it allocated to our set.
    pub allocation: Allocation,
    /// What of it can be slashed now.
    pub slashable: U256,
}

/// What the service manager has of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlsRegistration {
    /// Hash of the BLS key that is registered for it; it never changes.
    pub id: Option<OperatorId>,
    /// Who holds our BLS key: this operator, another one, or nobody.
    pub holder: Option<Address>,
    /// Its network key; zero when there is none.
    pub network_key: B256,
    /// Where peers find it.
    pub endpoint: Endpoint,
}

/// What the core says of our set that depends on its release: recognised by what it answers, configured nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CoreRules {
    /// Whether it answers what releases from v1.5 on answer. Of those, Hum has run on a stand-in only.
    pub is_newer: bool,
    /// Who alone may slash, where the core keeps it (v1.9 and later); before, it is the service manager.
    pub slasher: Option<Address>,
    /// Who gets slashed stake; `None` when it is burned.
    pub recipient: Option<Address>,
}

/// An operator at one L1 block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorView {
    /// The operator's account.
    pub operator: Address,
    /// The block that this was read at.
    pub block: BlockRef,
    /// Ether of the account, in wei.
    pub balance_wei: U256,
    /// Whether EigenLayer knows it as an operator.
    pub is_operator: bool,
    /// Blocks until an allocation counts; `None` until EigenLayer lets it allocate at all.
    pub allocation_delay_blocks: Option<u32>,
    /// Blocks that a new or changed allocation delay waits (v1.9 and later: not a new operator's first one).
    pub configuration_delay_blocks: u32,
    /// Blocks for which stake that is taken back stays slashable.
    pub deallocation_delay_blocks: u32,
    /// What the core does with who is slashed.
    pub core: CoreRules,
    /// By strategy, in the order of the contracts.
    pub strategies: Vec<StrategyView>,
    /// Whether it is registered for the set.
    pub is_member: bool,
    /// Whether what it allocated can be slashed now, also for a while after it left.
    pub is_slashable: bool,
    /// Whether it was slashed out for ever.
    pub is_jailed: bool,
    /// Its bond in wei.
    pub bond_wei: U256,
    /// The bond that registration asks for, in wei.
    pub bond_needed_wei: U256,
    /// Its key and its address.
    pub registration: BlsRegistration,
    /// The newest snapshot, and the operator's seat in it.
    pub newest: Option<SnapshotRecord>,
}

impl OperatorView {
    /// Read everything at one block. `id` is that of the BLS key in the operator's directory.
    pub async fn read(
        chain: Arc<dyn Chain>,
        contracts: &Contracts,
        domain: Domain,
        (operator, id): (Address, OperatorId),
        block: BlockRef,
    ) -> Result<Self, RestakingError> {
        let at = At::Hash(block.hash);
        let Contracts { service_manager, allocation_manager, delegation_manager, .. } = *contracts;
        let chain_ref = &*chain;
        let reader = Reader::new(chain.clone(), service_manager, domain);
        let set = || IAllocationManager::OperatorSet { avs: service_manager, id: 0 };

        let is_operator = IDelegationManager::isOperatorCall { operator };
        let delay = IAllocationManager::getAllocationDelayCall { operator };
        let member = IAllocationManager::isMemberOfOperatorSetCall { operator, operatorSet: set() };
        let slashable = IAllocationManager::isOperatorSlashableCall { operator, operatorSet: set() };
        let (is_operator, delay, is_member, is_slashable, configuration, deallocation) = futures::try_join!(
            ask(chain_ref, delegation_manager, is_operator, at),
            ask(chain_ref, allocation_manager, delay, at),
            ask(chain_ref, allocation_manager, member, at),
            ask(chain_ref, allocation_manager, slashable, at),
            ask(chain_ref, allocation_manager, IAllocationManager::ALLOCATION_CONFIGURATION_DELAYCall {}, at),
            ask(chain_ref, allocation_manager, IAllocationManager::DEALLOCATION_DELAYCall {}, at),
        )?;

        let own = IServiceManager::operatorIdOfCall { operator };
        let holder = IServiceManager::operatorOfCall { operatorId: id.0 };
        let endpoint = IServiceManager::endpointOfCall { operator };
        let (own, holder, endpoint, is_jailed, bond_wei, bond_needed) = futures::try_join!(
            ask(chain_ref, service_manager, own, at),
            ask(chain_ref, service_manager, holder, at),
            ask(chain_ref, service_manager, endpoint, at),
            ask(chain_ref, service_manager, IServiceManager::isJailedCall { operator }, at),
            ask(chain_ref, service_manager, IServiceManager::bondOfCall { operator }, at),
            ask(chain_ref, service_manager, IServiceManager::BOND_WEICall {}, at),
        )?;
        let strategies = contracts
            .strategies
            .iter()
            .map(|strategy| StrategyView::read(chain_ref, contracts, operator, *strategy, block));
        let (core, strategies, newest, balance_wei) = futures::try_join!(
            CoreRules::read(chain_ref, contracts, at),
            try_join_all(strategies),
            reader.newest(at),
            async { Ok(chain.balance(operator).await?) },
        )?;
        Ok(Self {
            operator,
            block,
            balance_wei,
            is_operator,
            allocation_delay_blocks: delay.isSet.then_some(delay.delay),
            configuration_delay_blocks: configuration,
            deallocation_delay_blocks: deallocation,
            core,
            strategies,
            is_member,
            is_slashable,
            is_jailed,
            bond_wei,
            bond_needed_wei: U256::from(bond_needed),
            registration: BlsRegistration {
                id: (!own.is_zero()).then_some(OperatorId(own)),
                holder: (!holder.is_zero()).then_some(holder),
                network_key: endpoint.networkKey,
                endpoint: Endpoint::new(endpoint.endpoint.to_vec()).unwrap_or_default(),
            },
            newest,
        })
    }
}

impl CoreRules {
    async fn read(chain: &dyn Chain, contracts: &Contracts, at: At) -> Result<Self, RestakingError> {
        let allocator = contracts.allocation_manager;
        let set = || IAllocationManager::OperatorSet { avs: contracts.service_manager, id: 0 };
        let redistributes = INewerAllocationManager::isRedistributingOperatorSetCall { operatorSet: set() };
        let recipient = INewerAllocationManager::getRedistributionRecipientCall { operatorSet: set() };
        let slasher = INewerAllocationManager::getSlasherCall { operatorSet: set() };
        let (redistributes, recipient, slasher) = futures::try_join!(
            optional(chain, allocator, redistributes, at),
            optional(chain, allocator, recipient, at),
            optional(chain, allocator, slasher, at),
        )?;
        Ok(Self {
            is_newer: redistributes.is_some() || slasher.is_some(),
            slasher,
            // Where nothing is redistributed, newer cores name the address that burns.
            recipient: recipient.filter(|_| redistributes == Some(true)),
        })
    }
}

impl StrategyView {
    async fn read(
        chain: &dyn Chain,
        contracts: &Contracts,
        operator: Address,
        strategy: Address,
        block: BlockRef,
    ) -> Result<Self, RestakingError> {
        let at = At::Hash(block.hash);
        let allocator = contracts.allocation_manager;
        let set = || IAllocationManager::OperatorSet { avs: contracts.service_manager, id: 0 };
        let allocation = IAllocationManager::getAllocationCall { operator, operatorSet: set(), strategy };
        let allocatable = IAllocationManager::getAllocatableMagnitudeCall { operator, strategy };
        let max = IAllocationManager::getMaxMagnitudeCall { operator, strategy };
        let slashable = IAllocationManager::getMinimumSlashableStakeCall {
            operatorSet: set(),
            operators: vec![operator],
            strategies: vec![strategy],
            futureBlock: u32::try_from(block.number).unwrap_or(u32::MAX),
        };
        let shares = IDelegationManager::operatorSharesCall { operator, strategy };
        let (allocation, allocatable, max, slashable, shares, token) = futures::try_join!(
            ask(chain, allocator, allocation, at),
            ask(chain, allocator, allocatable, at),
            ask(chain, allocator, max, at),
            ask(chain, allocator, slashable, at),
            ask(chain, contracts.delegation_manager, shares, at),
            ask(chain, strategy, IStrategy::underlyingTokenCall {}, at),
        )?;
        let deposit = IStrategyManager::stakerDepositSharesCall { user: operator, strategy };
        let deposit = ask(chain, contracts.strategy_manager, deposit, at).await?;
        let worth = IStrategy::sharesToUnderlyingViewCall { amountShares: deposit };
        let allowance = IErc20::allowanceCall { owner: operator, spender: contracts.strategy_manager };
        let (deposited, balance, allowance, decimals, symbol) = futures::try_join!(
            ask(chain, strategy, worth, at),
            ask(chain, token, IErc20::balanceOfCall { account: operator }, at),
            ask(chain, token, allowance, at),
            optional(chain, token, IErc20::decimalsCall {}, at),
            optional(chain, token, IErc20::symbolCall {}, at),
        )?;
        let next = i128::from(allocation.currentMagnitude).saturating_add(allocation.pendingDiff);
        Ok(Self {
            strategy,
            token,
            symbol: symbol.unwrap_or_else(|| "tokens".to_owned()),
            decimals: decimals.unwrap_or(0),
            balance,
            allowance,
            deposited,
            shares,
            allocation: Allocation {
                current: allocation.currentMagnitude,
                next: u64::try_from(next).unwrap_or_default(),
                effect_block: if allocation.pendingDiff == 0 { 0 } else { allocation.effectBlock },
                allocatable,
                max,
            },
            slashable: slashable.first().and_then(|row| row.first()).copied().unwrap_or_default(),
        })
    }
}

/// What a token, or an older core, need not have.
async fn optional<C: alloy_sol_types::SolCall>(
    chain: &dyn Chain,
    contract: Address,
    call: C,
    at: At,
) -> Result<Option<C::Return>, RestakingError> {
    match ask(chain, contract, call, at).await {
        Ok(found) => Ok(Some(found)),
        Err(RestakingError::Answer { .. } | RestakingError::Read(crate::ReadError::Reverted { .. })) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
