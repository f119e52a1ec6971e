//! The first operators' way in, all at once: what `hum operator register` does for one, in as few blocks as it takes.

use super::{Author, Draft, Restaking, RestakingError, parameters};
use crate::DevChain;
use alloy::{
    primitives::{Address, B256, U256},
    sol_types::{SolCall as _, SolValue as _},
};
use hum_bls::{Committee, PossessedKey, SecretKey};
use hum_chain::restaking::{
    IAllocationManager, IDelegationManager, IErc20, IServiceManager, IStrategyManager,
};
use hum_types::{Encode as _, Epoch, Stake, TimeS};
use std::net::SocketAddr;

/// An operator that takes part from the start.
#[derive(Debug)]
pub(crate) struct Founder {
    /// Secret of its account on L1, which has sent nothing yet.
    pub(crate) account: B256,
    pub(crate) bls: SecretKey,
    /// Its ed25519 key.
    pub(crate) network_key: B256,
    pub(crate) endpoint: SocketAddr,
}

impl Restaking {
    /// Let all founders deposit, register, allocate and join, and take the first snapshot.
    pub(super) async fn enrol(
        &self,
        l1: &DevChain,
        anybody: &mut Author,
        founders: &[Founder],
    ) -> Result<(), RestakingError> {
        let mut authors = Vec::with_capacity(founders.len());
        for founder in founders {
            authors.push(Author::new(founder.account, 0)?);
        }
        let mut draft = Draft::new(l1);
        for author in &mut authors {
            self.deposit(&mut draft, author)?;
        }
        draft.mine().await?;
        l1.mine(u64::from(parameters::ALLOCATION_CONFIGURATION_DELAY_BLOCKS) + 1).await?;

        let mut members = Vec::with_capacity(founders.len());
        for (founder, author) in founders.iter().zip(&mut authors) {
            members.push((self.join(&mut draft, author, founder)?, Stake(parameters::STAKE)));
        }
        let committee = Committee::new(Epoch(0), TimeS(0), members)
            .map_err(|error| RestakingError::Committee(error.to_string()))?;
        let key_sum = IServiceManager::G2::from_bytes(&fixed(&committee.table().sum_g2().encode())?);
        let call = IServiceManager::takeSnapshotCall { keySum: key_sum };
        draft.call(anybody, "take the first snapshot", self.contracts.service_manager, call.abi_encode())?;
        draft.mine().await
    }

    fn deposit(&self, draft: &mut Draft<'_>, author: &mut Author) -> Result<(), RestakingError> {
        let contracts = &self.contracts;
        let amount = U256::from(parameters::STAKE);
        let call = IErc20::approveCall { spender: contracts.strategy_manager, amount };
        draft.call(author, "approve the deposit", self.token, call.abi_encode())?;
        for strategy in &contracts.strategies {
            let call =
                IStrategyManager::depositIntoStrategyCall { strategy: *strategy, token: self.token, amount };
            draft.call(author, "deposit", contracts.strategy_manager, call.abi_encode())?;
        }
        let call = IDelegationManager::registerAsOperatorCall {
            initDelegationApprover: Address::ZERO,
            allocationDelay: parameters::ALLOCATION_DELAY_BLOCKS,
            metadataURI: String::new(),
        };
        draft.call(author, "register with EigenLayer", contracts.delegation_manager, call.abi_encode())?;
        let bond = IServiceManager::postBondCall { operator: author.address() }.abi_encode();
        let value = U256::from(parameters::OPERATOR_BOND_WEI);
        draft.pay(author, "post the bond", contracts.service_manager, bond, value)
    }

    fn join(
        &self,
        draft: &mut Draft<'_>,
        author: &mut Author,
        founder: &Founder,
    ) -> Result<PossessedKey, RestakingError> {
        let contracts = &self.contracts;
        let operator = author.address();
        let set = || IAllocationManager::OperatorSet { avs: contracts.service_manager, id: 0 };
        let call = IAllocationManager::modifyAllocationsCall {
            operator,
            params: vec![IAllocationManager::AllocateParams {
                operatorSet: set(),
                strategies: contracts.strategies.clone(),
                newMagnitudes: vec![parameters::ALL_MAGNITUDE; contracts.strategies.len()],
            }],
        };
        draft.call(author, "allocate the stake", contracts.allocation_manager, call.abi_encode())?;

        let key = founder.bls.public_key();
        let possession = founder.bls.prove_possession(self.domain, operator);
        let member = PossessedKey::check(self.domain, key, operator, &possession)
            .map_err(|error| RestakingError::Committee(error.to_string()))?;
        let registration = IServiceManager::Registration {
            key: IServiceManager::G1::from_bytes(&fixed(&key.g1().encode())?),
            keyG2: IServiceManager::G2::from_bytes(&fixed(&key.g2().encode())?),
            possession: IServiceManager::G1::from_bytes(&fixed(&possession.encode())?),
            networkKey: founder.network_key,
            endpoint: founder.endpoint.to_string(),
        };
        let call = IAllocationManager::registerForOperatorSetsCall {
            operator,
            params: IAllocationManager::RegisterParams {
                avs: contracts.service_manager,
                operatorSetIds: vec![0],
                data: registration.abi_encode().into(),
            },
        };
        draft.call(author, "join the operator set", contracts.allocation_manager, call.abi_encode())?;
        Ok(member)
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], RestakingError> {
    bytes.try_into().map_err(|_| RestakingError::Committee(format!("a point of {} bytes", bytes.len())))
}
