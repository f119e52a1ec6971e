//! What a network finds on its L1 before anything else of it exists: the deployment, and the first committee.

use super::{LocalConfig, NetworkError, Secrets, lay_out::Seat};
use crate::{
    DevChain,
    restaking::{Founder, Parties, Restaking, RollupFacts},
};
use alloy::primitives::Address;
use hum_bls::{Committee, PossessedKey};
use hum_chain::{
    At,
    restaking::{Reader, Snapshot},
    rpc::{RpcChain, RpcLimits},
};
use hum_node::config::{JudgesEntry, OperatorEntry, RestakingEntry};
use hum_types::{BlockRef, Bytes, Encode as _, Epoch, Stake};
use std::sync::Arc;

/// Accounts with ether and tokens for operators who join while the network runs.
pub(super) const SPARE_OPERATORS: usize = 8;

/// A deployment on L1, as a node of that L1 shows it.
pub(super) struct OnL1 {
    pub(super) restaking: Restaking,
    /// The first committee.
    pub(super) snapshot: Snapshot,
    /// A final block that has all of it.
    pub(super) origin: BlockRef,
}

impl OnL1 {
    /// Deploy everything and let the first operators in.
    pub(super) async fn set_up(
        config: &LocalConfig,
        secrets: Secrets,
        l1: &DevChain,
        rollups: &[RollupFacts],
        founders: &[Founder],
    ) -> Result<Self, NetworkError> {
        let spares: Vec<Address> = spares(config, secrets).collect();
        let parties = Parties {
            owner: secrets.secret("owner", 0),
            seats_max: config.seats_max(),
            snapshot_interval_blocks: config.snapshot_interval_blocks,
            rollups,
            founders,
            spares: &spares,
        };
        let restaking = Restaking::set_up(l1, parties).await?;
        let chain_id = l1.config().chain_id;
        let chain = RpcChain::new(&l1.rpc_url(), chain_id, RpcLimits::default())
            .map_err(|source| NetworkError::Rpc { chain_id, source })?;
        let reader = Reader::new(Arc::new(chain), restaking.contracts.service_manager, restaking.domain);
        let origin = reader.finalised().await?;
        let snapshot = reader.snapshot_at(At::Hash(origin.hash)).await?;
        let snapshot = snapshot
            .ok_or_else(|| NetworkError::Committee(format!("L1 block {} has no snapshot", origin.number)))?;
        Ok(Self { restaking, snapshot, origin })
    }

    /// The first committee's table.
    pub(super) fn table(&self, operators: &[OperatorEntry]) -> Result<Bytes, NetworkError> {
        let domain = self.restaking.domain;
        let members = operators.iter().map(|entry| {
            PossessedKey::check(domain, entry.bls_key, entry.operator, &entry.possession)
                .map(|member| (member, entry.stake))
        });
        let members =
            members.collect::<Result<_, _>>().map_err(|error| NetworkError::Committee(error.to_string()))?;
        let committee = Committee::new(Epoch(0), self.snapshot.record.valid_until, members)
            .map_err(|error| NetworkError::Committee(error.to_string()))?;
        let (declared, computed) = (self.snapshot.record.table_hash, committee.table().hash());
        if declared != computed {
            let problem = format!("L1 has table {declared}, the operators give {computed}");
            return Err(NetworkError::Committee(problem));
        }
        Ok(committee.table().encode().into())
    }

    /// What the network file says of it.
    pub(super) fn entry(&self) -> RestakingEntry {
        let Restaking { contracts, judges, rollup_registry, batch_inbox, rollup_profiles, .. } =
            &self.restaking;
        RestakingEntry {
            allocation_manager: contracts.allocation_manager,
            delegation_manager: contracts.delegation_manager,
            strategy_manager: contracts.strategy_manager,
            strategies: contracts.strategies.clone(),
            judges: JudgesEntry {
                attestation: Some(judges.attestation),
                claim: Some(judges.claim),
                lane: Some(judges.lane),
                settlement: Some(judges.settlement),
                table_adapter: Some(judges.table_adapter),
                state_root: Some(judges.state_root),
                table_store: Some(judges.table_store),
                batch_adapter: Some(judges.batch_adapter),
            },
            rollup_registry: Some(*rollup_registry),
            batch_inbox: Some(*batch_inbox),
            rollup_profiles: Some(*rollup_profiles),
        }
    }

    /// A founder as others see it.
    pub(super) fn operator(
        &self,
        (index, founder): (usize, &Founder),
        seat: &Seat,
        secrets: Secrets,
    ) -> Result<OperatorEntry, NetworkError> {
        let operator = secrets.address("operator", index);
        let bls_key = founder.bls.public_key();
        let possession = founder.bls.prove_possession(self.restaking.domain, operator);
        let seated = self.snapshot.roster.entries.iter().find(|entry| entry.operator == operator);
        let stake: Stake = seated
            .map(|entry| entry.stake)
            .ok_or_else(|| NetworkError::Committee(format!("{operator} has no seat")))?;
        Ok(OperatorEntry {
            name: Some(format!("operator-{index}")),
            id: hum_bls::OperatorId::of(bls_key.g1()),
            operator,
            bls_key,
            possession,
            stake,
            api: format!("http://{}", seat.api),
            key: seat.public,
            address: seat.address,
        })
    }
}

/// Accounts of operators who may join later.
pub(super) fn spares(config: &LocalConfig, secrets: Secrets) -> impl Iterator<Item = Address> {
    (config.operators..config.operators + SPARE_OPERATORS)
        .map(move |index| secrets.address("operator", index))
}
