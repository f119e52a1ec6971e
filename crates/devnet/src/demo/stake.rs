//! What L1 says of stakes, bonds and the victims' fund: nobody else's word for it.

use super::{DemoError, scene::Scene};
use crate::network::connect;
use alloy::{sol, sol_types::SolCall};
use hum_chain::{
    At, Call, Chain as _, Submit as _,
    restaking::{Contracts, IAllocationManager},
    rpc::{RpcChain, RpcSubmit},
};
use hum_types::{Address, RegistrationId};

sol! {
    /// What of the registry of rollups is asked here.
    interface IRegistry {
        struct Rollup {
            uint64 chainId;
            address sequencer;
            address registrant;
            bytes32 anchorHash;
            bytes32 specHash;
            uint256 bondWei;
            uint64 exitAt;
            bool punished;
        }
        function rollup(bytes32 registration) external view returns (Rollup memory);
        function collect(address account) external;
    }
}

/// A look at L1.
pub(super) struct Stakes {
    l1: RpcChain,
    /// An account that anybody could have.
    submit: RpcSubmit,
    contracts: Contracts,
    registry: Address,
    /// Where forfeited bonds of sequencers go.
    pub(super) fund: Address,
}

impl Stakes {
    pub(super) fn open(scene: &Scene) -> Result<Self, DemoError> {
        let (l1, submit) = connect(&scene.network.l1, scene.network.dev_secret())?;
        let restaking = scene.network.restaking();
        let (registry, fund) = (restaking.rollup_registry, restaking.victims_fund);
        Ok(Self { l1, submit, contracts: restaking.contracts.clone(), registry, fund })
    }

    /// What of an operator's stake can be slashed now, over all strategies.
    pub(super) async fn of(&self, operator: Address) -> Result<u128, DemoError> {
        let now = self.l1.head(hum_types::Confidence::Latest).await.map_err(read)?;
        let call = IAllocationManager::getMinimumSlashableStakeCall {
            operatorSet: IAllocationManager::OperatorSet { avs: self.contracts.service_manager, id: 0 },
            operators: vec![operator],
            strategies: self.contracts.strategies.clone(),
            futureBlock: u32::try_from(now.number).unwrap_or(u32::MAX),
        };
        let stakes = self.ask(self.contracts.allocation_manager, call).await?;
        Ok(stakes.iter().flatten().map(|stake| stake.saturating_to::<u128>()).sum())
    }

    /// The bond behind a rollup's sequencer in wei, and whether it was taken.
    pub(super) async fn bond(&self, registration: RegistrationId) -> Result<(u128, bool), DemoError> {
        let rollup = self.ask(self.registry, IRegistry::rollupCall { registration: registration.0 }).await?;
        Ok((rollup.bondWei.saturating_to(), rollup.punished))
    }

    /// Have the registry pay the fund, as anybody may; what the fund holds then, in wei.
    pub(super) async fn collect(&self) -> Result<u128, DemoError> {
        let call = IRegistry::collectCall { account: self.fund }.abi_encode();
        let failed = |problem: String| DemoError::Role { what: "collect for the fund".to_owned(), problem };
        let sent = self.submit.send(Call::new(self.registry, call.into())).await;
        let outcome = sent.map_err(|error| failed(error.to_string()))?;
        if !outcome.success {
            return Err(failed("the registry refused".to_owned()));
        }
        Ok(self.l1.balance(self.fund).await.map_err(read)?.saturating_to())
    }

    async fn ask<C: SolCall>(&self, contract: Address, call: C) -> Result<C::Return, DemoError> {
        let answer = self.l1.call(contract, call.abi_encode().into(), At::LATEST).await.map_err(read)?;
        C::abi_decode_returns(&answer).map_err(|error| DemoError::Role {
            what: format!("read {} of {contract}", C::SIGNATURE),
            problem: error.to_string(),
        })
    }
}

fn read(source: hum_chain::ReadError) -> DemoError {
    DemoError::Read { name: "l1".to_owned(), source }
}
