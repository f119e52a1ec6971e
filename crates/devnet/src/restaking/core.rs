//! EigenLayer's own core on a local L1, from the bytecode of a published package; or what stands in for a newer one.

use super::{Author, Draft, RestakingError, parameters};
use alloy::{
    primitives::{Address, Bytes, U256},
    sol,
    sol_types::{SolCall as _, SolValue as _},
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::LazyLock};

sol! {
    /// What deploying the core calls, beside what operators do: our own description of the public ABI.
    interface ICoreSetUp {
        function upgradeAndCall(address proxy, address implementation, bytes data) external payable;
        function upgrade(address proxy, address implementation) external;
        function initialize(address owner, uint256 pausedStatus) external;
    }
    interface IStrategyManagerSetUp {
        function initialize(address owner, address whitelister, uint256 pausedStatus) external;
    }
    interface IStrategyFactorySetUp {
        function initialize(address owner, uint256 pausedStatus, address beacon) external;
        function deployNewStrategy(address token) external returns (address strategy);
    }
}

/// The committed bytecode, and where it is from.
#[derive(Debug, Deserialize)]
pub struct CoreCode {
    /// The published package.
    #[serde(rename = "crate")]
    pub package: String,
    /// EigenLayer's release.
    pub version: String,
    /// SPDX name of the contracts' licence.
    pub licence: String,
    bytecode: BTreeMap<String, Bytes>,
}

static CODE: LazyLock<Result<CoreCode, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../contracts/eigenlayer/core.json"))
        .map_err(|error| error.to_string())
});

/// Which core a local L1 gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoreLine {
    /// EigenLayer's own, of the release line that packages ship.
    EigenLayer,
    /// Our stand-in for what newer releases changed (`contracts/test/eigenlayer/NewerCore.sol`). Only tests run on it, and
    /// bring its code: no program carries it.
    StandIn {
        /// Creation code of `NewerCore`.
        core: Bytes,
        /// Creation code of `NewerStrategy`.
        strategy: Bytes,
    },
}

/// Where the core's contracts stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// Who is delegated what.
    pub delegation_manager: Address,
    /// Who deposited what.
    pub strategy_manager: Address,
    /// Who can be slashed for what.
    pub allocation_manager: Address,
    /// Whether a set's slashed stake can go to someone.
    pub redistributes: bool,
    strategies: StrategyMaker,
}

/// How a strategy for a token is made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StrategyMaker {
    /// By EigenLayer's factory, which has made none so far.
    Factory(Address),
    /// From this code.
    Code(Bytes),
}

impl CoreCode {
    /// What its licence lets us do, in short; contracts/eigenlayer/README.md has more.
    pub const NOTICE: &'static str = "Copying, redistribution, derivative works and non-production use are allowed; production use only as the licence's \
        Additional Use Grant says. It becomes MIT on 2027-02-06 at the latest. Hum runs it on local networks and in tests only.";

    /// The code that this program carries.
    pub fn get() -> Result<&'static Self, RestakingError> {
        CODE.as_ref().map_err(|problem| RestakingError::CoreCode(problem.clone()))
    }

    fn of(&self, contract: &str, arguments: Vec<u8>) -> Result<Bytes, RestakingError> {
        let code = self.bytecode.get(contract);
        let code = code.ok_or_else(|| RestakingError::CoreCode(format!("no bytecode of {contract}")))?;
        Ok([code.as_ref(), &arguments].concat().into())
    }
}

impl Core {
    /// Write the transactions that deploy it.
    pub(super) fn draft(
        draft: &mut Draft<'_>,
        owner: &mut Author,
        line: &CoreLine,
    ) -> Result<Self, RestakingError> {
        match line {
            CoreLine::EigenLayer => Self::eigen_layer(draft, owner),
            CoreLine::StandIn { core, strategy } => {
                let arguments = (
                    parameters::DEALLOCATION_DELAY_BLOCKS,
                    parameters::ALLOCATION_CONFIGURATION_DELAY_BLOCKS,
                );
                let code = [core.as_ref(), &arguments.abi_encode_params()].concat();
                let all = draft.create(owner, "deploy the stand-in for a newer core", code.into())?;
                Ok(Self {
                    delegation_manager: all,
                    strategy_manager: all,
                    allocation_manager: all,
                    redistributes: true,
                    strategies: StrategyMaker::Code(strategy.clone()),
                })
            }
        }
    }

    /// Write the transaction that makes the first strategy, of this token; where it will stand.
    pub(super) fn strategy(
        &self,
        draft: &mut Draft<'_>,
        owner: &mut Author,
        token: Address,
    ) -> Result<Address, RestakingError> {
        match &self.strategies {
            StrategyMaker::Factory(factory) => {
                let call = IStrategyFactorySetUp::deployNewStrategyCall { token };
                draft.call(owner, "make a strategy", *factory, call.abi_encode())?;
                // The factory's first creation: contracts count from one.
                Ok(factory.create(1))
            }
            StrategyMaker::Code(code) => draft.create(
                owner,
                "make a strategy",
                [code.as_ref(), &(token,).abi_encode_params()].concat().into(),
            ),
        }
    }

    /// Proxies come first: the implementations are told each other's addresses.
    fn eigen_layer(draft: &mut Draft<'_>, owner: &mut Author) -> Result<Self, RestakingError> {
        let code = CoreCode::get()?;
        let me = owner.address();
        let version = code.version.clone();
        let mut create = |owner: &mut Author, contract: &str, arguments: Vec<u8>| {
            draft.create(owner, contract, code.of(contract, arguments)?)
        };
        let admin = create(owner, "ProxyAdmin", Vec::new())?;
        let empty = create(owner, "EmptyContract", Vec::new())?;
        let mut proxy = |owner: &mut Author| {
            let arguments = (empty, admin, Bytes::new()).abi_encode_params();
            create(owner, "TransparentUpgradeableProxy", arguments)
        };
        let delegation = proxy(owner)?;
        let strategies = proxy(owner)?;
        let allocation = proxy(owner)?;
        let permissions = proxy(owner)?;
        let factory = proxy(owner)?;
        let pods = proxy(owner)?;
        let pauser = create(owner, "PauserRegistry", (vec![me], me).abi_encode_params())?;
        let arguments = (
            strategies,
            pods,
            allocation,
            pauser,
            permissions,
            parameters::MIN_WITHDRAWAL_DELAY_BLOCKS,
            version.clone(),
        );
        let delegation_code = create(owner, "DelegationManager", arguments.abi_encode_params())?;
        let arguments = (delegation, pauser, version.clone());
        let strategies_code = create(owner, "StrategyManager", arguments.abi_encode_params())?;
        let arguments = (
            delegation,
            pauser,
            permissions,
            parameters::DEALLOCATION_DELAY_BLOCKS,
            parameters::ALLOCATION_CONFIGURATION_DELAY_BLOCKS,
            version.clone(),
        );
        let allocation_code = create(owner, "AllocationManager", arguments.abi_encode_params())?;
        let permissions_code = create(owner, "PermissionController", (version.clone(),).abi_encode_params())?;
        let arguments = (strategies, pauser, version.clone()).abi_encode_params();
        let factory_code = create(owner, "StrategyFactory", arguments.clone())?;
        let strategy_code = create(owner, "StrategyBase", arguments)?;
        let beacon = create(owner, "UpgradeableBeacon", (strategy_code,).abi_encode_params())?;
        // Nobody restakes on the beacon chain here: this one only answers what the DelegationManager asks.
        let arguments = (Address::ZERO, beacon, delegation, pauser, version);
        let pods_code = create(owner, "EigenPodManager", arguments.abi_encode_params())?;

        let open = U256::ZERO;
        let plain = ICoreSetUp::initializeCall { owner: me, pausedStatus: open }.abi_encode();
        let strategies_start =
            IStrategyManagerSetUp::initializeCall { owner: me, whitelister: factory, pausedStatus: open };
        let factory_start = IStrategyFactorySetUp::initializeCall { owner: me, pausedStatus: open, beacon };
        for (proxy, implementation, data) in [
            (delegation, delegation_code, plain.clone()),
            (strategies, strategies_code, strategies_start.abi_encode()),
            (allocation, allocation_code, plain),
            (factory, factory_code, factory_start.abi_encode()),
        ] {
            let call = ICoreSetUp::upgradeAndCallCall { proxy, implementation, data: data.into() };
            draft.call(owner, "upgradeAndCall", admin, call.abi_encode())?;
        }
        for (proxy, implementation) in [(permissions, permissions_code), (pods, pods_code)] {
            let call = ICoreSetUp::upgradeCall { proxy, implementation };
            draft.call(owner, "upgrade", admin, call.abi_encode())?;
        }
        Ok(Self {
            delegation_manager: delegation,
            strategy_manager: strategies,
            allocation_manager: allocation,
            redistributes: false,
            strategies: StrategyMaker::Factory(factory),
        })
    }
}
