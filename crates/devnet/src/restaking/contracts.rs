//! Our contracts on the local L1, on top of EigenLayer's core.

use super::{Author, Core, Draft, RestakingError, parameters};
use crate::CREATE2_DEPLOYER;
use alloy::{
    primitives::{Address, B256, Bytes, U256, b256, keccak256},
    sol_types::{SolCall as _, SolConstructor},
};
use hum_chain::restaking::Contracts;
use hum_types::{ChainId, Domain, RegistrationId};

/// Each in a module of its own: their ABIs share types.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
mod bindings {
    pub mod manager {
        alloy::sol!(ServiceManager, "../../contracts/artifacts/ServiceManager.json");
    }
    pub mod tables {
        alloy::sol!(TableStore, "../../contracts/artifacts/TableStore.json");
    }
    pub mod attestation {
        alloy::sol!(AttestationJudge, "../../contracts/artifacts/AttestationJudge.json");
    }
    pub mod claim {
        alloy::sol!(ClaimJudge, "../../contracts/artifacts/ClaimJudge.json");
    }
    pub mod lane {
        alloy::sol!(LaneJudge, "../../contracts/artifacts/LaneJudge.json");
    }
    pub mod settlement {
        alloy::sol!(SettlementJudge, "../../contracts/artifacts/SettlementJudge.json");
    }
    pub mod state_root {
        alloy::sol!(StateRootJudge, "../../contracts/artifacts/StateRootJudge.json");
    }
    pub mod adapter {
        alloy::sol!(TableAdapter, "../../contracts/artifacts/TableAdapter.json");
    }
    pub mod batches {
        alloy::sol!(BatchAdapter, "../../contracts/artifacts/BatchAdapter.json");
    }
    pub mod inbox {
        alloy::sol!(BatchInbox, "../../contracts/artifacts/BatchInbox.json");
    }
    pub mod profiles {
        alloy::sol!(RollupProfiles, "../../contracts/artifacts/RollupProfiles.json");
    }
    pub mod registry {
        alloy::sol!(RollupRegistry, "../../contracts/artifacts/RollupRegistry.json");
    }
    pub mod fund {
        alloy::sol!(VictimsFund, "../../contracts/artifacts/VictimsFund.json");
    }
    pub mod token {
        alloy::sol!(StakeToken, "../../contracts/artifacts/StakeToken.json");
    }
}
use bindings::{
    adapter::TableAdapter,
    attestation::AttestationJudge,
    batches::BatchAdapter,
    claim::ClaimJudge,
    fund::VictimsFund,
    inbox::BatchInbox,
    lane::LaneJudge,
    manager::{IServiceManager::Config, ServiceManager},
    profiles::RollupProfiles,
    registry::RollupRegistry,
    settlement::SettlementJudge,
    state_root::StateRootJudge,
    tables::TableStore,
    token::StakeToken,
};

/// "hum1", as everywhere.
const SALT: B256 = b256!("0000000000000000000000000000000000000000000000000000000068756d31");
/// What EigenLayer is told about our AVS.
const METADATA_URI: &str = "https://hum.invalid/local-network.json";

/// Where everything stands on the local L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restaking {
    /// EigenLayer's core and our service manager.
    pub contracts: Contracts,
    /// What keeps this deployment's signatures apart from all others.
    pub domain: Domain,
    /// What is restaked.
    pub token: Address,
    /// Who may order slashing.
    pub judges: Judges,
    /// Rollups and the bonds of their sequencers.
    pub rollup_registry: Address,
    /// Where the rollups' batches are posted.
    pub batch_inbox: Address,
    /// Where profiles of rollups that join are published.
    pub rollup_profiles: Address,
    /// Where forfeited bonds of sequencers go, and slashed stake on a core that redistributes it: EigenLayer's own that runs
    /// here burns it. Its owner is the deployment's.
    pub victims_fund: Address,
}

/// The contracts that check a proof and order slashing, by fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judges {
    /// Keeps committee tables for all of them.
    pub table_store: Address,
    /// Two attestations for one height.
    pub attestation: Address,
    /// A head that no sequencer claimed.
    pub claim: Address,
    /// A lane that contradicts an attested state.
    pub lane: Address,
    /// A next table, or a settled head, that contradicts L1.
    pub settlement: Address,
    /// Tells that judge of tables.
    pub table_adapter: Address,
    /// Tells that judge, and the registry of rollups, of batches.
    pub batch_adapter: Address,
    /// A state root that is not its block's.
    pub state_root: Address,
}

/// A rollup that is registered with a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RollupFacts {
    pub(crate) chain_id: ChainId,
    pub(crate) sequencer: Address,
    pub(crate) anchor_hash: B256,
    pub(crate) spec_hash: B256,
    /// Who posts its batches.
    pub(crate) batcher: Address,
}

impl RollupFacts {
    /// Its entry in the registry.
    pub(crate) fn registration(&self) -> RegistrationId {
        let Self { chain_id, sequencer, anchor_hash, spec_hash, batcher: _ } = *self;
        RegistrationId::derive(chain_id, sequencer, anchor_hash, spec_hash)
    }
}

impl Restaking {
    /// Write the transactions that deploy everything of ours, register `rollups`, and give `operators` what they restake.
    pub(super) fn draft(
        draft: &mut Draft<'_>,
        owner: &mut Author,
        chain_id: ChainId,
        core: &Core,
        (seats_max, snapshot_interval_blocks): (u16, u32),
        rollups: &[RollupFacts],
        operators: &[Address],
    ) -> Result<Self, RestakingError> {
        let me = owner.address();
        let arguments =
            StakeToken::constructorCall { holder: me, supply: U256::from(parameters::SUPPLY) }.abi_encode();
        let code = [StakeToken::BYTECODE.as_ref(), &arguments].concat().into();
        let token = draft.create(owner, "deploy the token", code)?;
        let strategy = core.strategy(draft, owner, token)?;
        let arguments = VictimsFund::constructorCall { owner: me, delaySeconds: parameters::PAYOUT_DELAY_S };
        let victims_fund = deploy(draft, owner, "the victims' fund", &VictimsFund::BYTECODE, &arguments)?;

        let arguments = ServiceManager::constructorCall {
            allocationManager: core.allocation_manager,
            owner: me,
            strategies_: vec![strategy],
            config: Config {
                seatsMax: seats_max,
                slashableWindowBlocks: parameters::SLASHABLE_WINDOW_BLOCKS,
                slashableWindowSeconds: parameters::SLASHABLE_WINDOW_S,
                snapshotIntervalBlocks: snapshot_interval_blocks,
                judgeDelaySeconds: parameters::JUDGE_DELAY_S,
                bondWei: alloy::primitives::Uint::from(parameters::OPERATOR_BOND_WEI),
                // On a core that knows no redistribution, setting a set with a recipient up would revert.
                redistributionRecipient: if core.redistributes { victims_fund } else { Address::ZERO },
            },
        };
        let service_manager =
            deploy(draft, owner, "the service manager", &ServiceManager::BYTECODE, &arguments)?;
        let domain = Domain::new(chain_id, service_manager, 0);
        let call = ServiceManager::setUpCall { metadataURI: METADATA_URI.to_owned() };
        draft.call(owner, "set the service manager up", service_manager, call.abi_encode())?;

        let arguments = RollupRegistry::constructorCall {
            domain: domain.0,
            owner: me,
            fund: victims_fund,
            bondMinWei: U256::from(parameters::SEQUENCER_BOND_WEI),
            authorisationDelayS: parameters::AUTHORISATION_DELAY_S,
            exitDelayS: parameters::EXIT_DELAY_S,
            answerTimeS: parameters::ANSWER_TIME_S,
        };
        let rollup_registry = deploy(draft, owner, "the registry", &RollupRegistry::BYTECODE, &arguments)?;
        let arguments = BatchInbox::constructorCall { registry: rollup_registry };
        let batch_inbox = deploy(draft, owner, "the inbox of batches", &BatchInbox::BYTECODE, &arguments)?;
        let arguments = RollupProfiles::constructorCall { registry: rollup_registry };
        let rollup_profiles = deploy(draft, owner, "the profiles", &RollupProfiles::BYTECODE, &arguments)?;
        let judges = Judges::draft(draft, owner, service_manager, rollup_registry, batch_inbox)?;
        for rollup in rollups {
            let call = RollupRegistry::authoriseCall { chainId: rollup.chain_id.0, account: me };
            draft.call(owner, "authorise a rollup", rollup_registry, call.abi_encode())?;
            let call = RollupRegistry::registerCall {
                chainId: rollup.chain_id.0,
                sequencer: rollup.sequencer,
                anchorHash: rollup.anchor_hash,
                specHash: rollup.spec_hash,
            };
            let bond = U256::from(parameters::SEQUENCER_BOND_WEI);
            draft.pay(owner, "register a rollup", rollup_registry, call.abi_encode(), bond)?;
            let (registration, account) = (rollup.registration().0, rollup.batcher);
            let call = BatchInbox::setBatcherCall { registration, account };
            draft.call(owner, "name a batcher", batch_inbox, call.abi_encode())?;
        }
        for operator in operators {
            let call = StakeToken::transferCall { to: *operator, value: U256::from(parameters::TOKENS_EACH) };
            draft.call(owner, "give an operator tokens", token, call.abi_encode())?;
        }
        let contracts = Contracts {
            service_manager,
            allocation_manager: core.allocation_manager,
            delegation_manager: core.delegation_manager,
            strategy_manager: core.strategy_manager,
            strategies: vec![strategy],
        };
        Ok(Self {
            contracts,
            domain,
            token,
            judges,
            rollup_registry,
            batch_inbox,
            rollup_profiles,
            victims_fund,
        })
    }
}

impl Judges {
    fn draft(
        draft: &mut Draft<'_>,
        owner: &mut Author,
        manager: Address,
        registry: Address,
        inbox: Address,
    ) -> Result<Self, RestakingError> {
        let me = owner.address();
        let arguments = TableStore::constructorCall { serviceManager: manager };
        let tables = deploy(draft, owner, "the table store", &TableStore::BYTECODE, &arguments)?;
        let arguments = AttestationJudge::constructorCall { serviceManager: manager, tables };
        let attestation =
            deploy(draft, owner, "the judge of attestations", &AttestationJudge::BYTECODE, &arguments)?;
        let arguments = ClaimJudge::constructorCall {
            serviceManager: manager,
            tables,
            registry,
            bondWei: U256::from(parameters::CHALLENGE_BOND_WEI),
            answerTimeS: parameters::ANSWER_TIME_S,
        };
        let claim = deploy(draft, owner, "the judge of claims", &ClaimJudge::BYTECODE, &arguments)?;
        let arguments = LaneJudge::constructorCall { serviceManager: manager, tables, registry };
        let lane = deploy(draft, owner, "the judge of lanes", &LaneJudge::BYTECODE, &arguments)?;
        let arguments = TableAdapter::constructorCall { serviceManager: manager };
        let table_adapter =
            deploy(draft, owner, "the adapter of tables", &TableAdapter::BYTECODE, &arguments)?;
        let arguments = BatchAdapter::constructorCall { inbox };
        let batch_adapter =
            deploy(draft, owner, "the adapter of batches", &BatchAdapter::BYTECODE, &arguments)?;
        let call = RollupRegistry::announceAdapterCall { adapter: batch_adapter };
        draft.call(owner, "announce the adapter of batches", registry, call.abi_encode())?;
        let arguments = SettlementJudge::constructorCall {
            serviceManager: manager,
            tables,
            owner: me,
            adapterDelayS: u64::from(parameters::JUDGE_DELAY_S),
            first: vec![table_adapter, batch_adapter],
        };
        let settlement =
            deploy(draft, owner, "the judge of settlement", &SettlementJudge::BYTECODE, &arguments)?;
        let arguments = StateRootJudge::constructorCall { serviceManager: manager, tables, registry };
        let state_root =
            deploy(draft, owner, "the judge of state roots", &StateRootJudge::BYTECODE, &arguments)?;
        for judge in [attestation, claim, lane, settlement, state_root] {
            let call = ServiceManager::announceJudgeCall { judge };
            draft.call(owner, "announce a judge", manager, call.abi_encode())?;
        }
        let table_store = tables;
        Ok(Self {
            table_store,
            attestation,
            claim,
            lane,
            settlement,
            table_adapter,
            batch_adapter,
            state_root,
        })
    }
}

/// Deploy at the address that code and arguments give, on whatever chain.
fn deploy<C: SolConstructor>(
    draft: &mut Draft<'_>,
    author: &mut Author,
    what: &str,
    code: &Bytes,
    arguments: &C,
) -> Result<Address, RestakingError> {
    let code = [code.as_ref(), &arguments.abi_encode()].concat();
    let address = CREATE2_DEPLOYER.create2(SALT, keccak256(&code));
    draft.call(author, &format!("deploy {what}"), CREATE2_DEPLOYER, [SALT.as_slice(), &code].concat())?;
    Ok(address)
}
