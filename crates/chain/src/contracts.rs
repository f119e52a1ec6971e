//! Our contracts: bindings, addresses that follow from their arguments, and deployment that can be repeated.
//!
//! ```text
//! Deployment ─addresses()▶ the same on every chain: the policy by CREATE2 through the deterministic deployer, its parts by
//!            │             the policy
//!            ├creations()▶ what creates each of them, in order, for whoever has no chain yet
//!            └deploy()───▶ what is missing there: code, committee table, allowed sources
//! ```

mod probe;

pub use probe::{Answer, Feature, Need, Probe};

use crate::{At, Call, Chain, ReadError, Submit, SubmitError};
use alloy_primitives::{Address, B256, Bytes, address, b256, keccak256};
use alloy_sol_types::{SolCall as _, SolConstructor as _, SolValue as _};
use futures::future::{BoxFuture, try_join_all};
use hum_types::{ChainId, Confidence, Domain, Epoch, RegistrationId};

#[allow(missing_docs, missing_debug_implementations, clippy::all)]
mod bindings {
    alloy_sol_types::sol!(LightClient, "../../contracts/artifacts/LightClient.json");
    alloy_sol_types::sol!(Gateway, "../../contracts/artifacts/Gateway.json");
    alloy_sol_types::sol!(Inbox, "../../contracts/artifacts/Inbox.json");
    alloy_sol_types::sol!(FinalSnapshots, "../../contracts/artifacts/FinalSnapshots.json");
    alloy_sol_types::sol!(EdgePolicy, "../../contracts/artifacts/EdgePolicy.json");
    alloy_sol_types::sol!(BatchInbox, "../../contracts/artifacts/BatchInbox.json");
    alloy_sol_types::sol!(RollupProfiles, "../../contracts/artifacts/RollupProfiles.json");
    alloy_sol_types::sol!(RollupRegistry, "../../contracts/artifacts/RollupRegistry.json");
}
use bindings::IEdgePolicy;
pub use bindings::{
    BatchInbox, EdgePolicy, FinalSnapshots, Gateway, IFinalSnapshots, IRollupRegistry, Inbox, LightClient,
    RollupProfiles, RollupRegistry,
};

/// The deterministic deployer: calldata `salt 32 ‖ init code`, at this address on every chain that has it.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// The light client for chains on which contracts cannot read code; it is called as the other one is.
mod in_storage {
    #[allow(missing_docs, missing_debug_implementations, clippy::all)]
    mod bindings {
        alloy_sol_types::sol!(LightClientInStorage, "../../contracts/artifacts/LightClientInStorage.json");
    }
    pub(super) use bindings::LightClientInStorage;
}
use in_storage::LightClientInStorage;

/// "hum1".
const SALT: B256 = b256!("0000000000000000000000000000000000000000000000000000000068756d31");
/// Salt of the light client; a gateway's is its confidence (`EdgePolicy.sol`).
const LIGHT_CLIENT_SALT: u8 = 3;
/// Hash of the creation code of OpenZeppelin's Create3 proxy.
const PROXY_CODE_HASH: B256 = b256!("57a34f6e879358dd76825d6700df87013ad6a3fb43c0d0c602f70a8772c153bd");
/// Gas for a deployment: 200 a byte of code and what the constructor does, below EIP-7825's cap.
const DEPLOY_GAS: u64 = 9_000_000;
/// Gas for installing a table of 256 operators.
const TABLE_GAS: u64 = 6_000_000;
/// Gas for allowing a source.
const ALLOW_GAS: u64 = 150_000;

/// What the contracts' addresses commit to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// The operators' chain.
    pub domain: Domain,
    /// The first epoch that light clients accept.
    pub epoch: Epoch,
    /// Hash of that epoch's table.
    pub table_hash: B256,
    /// Who owns each chain's policy until the rollup's own governor claims it: decides which sources its gateways accept, and
    /// names a committee to a light client that slept until all it knew had expired.
    pub bootstrap: Address,
    /// Seconds that everybody has to bring a living committee to such a light client first.
    pub reanchor_delay_s: u32,
    /// Seconds between a governor's word that a source is allowed and its effect.
    pub policy_delay_s: u32,
}

/// Where the contracts stand, on every chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The policy, which owns the others.
    pub policy: Address,
    /// The light client.
    pub light_client: Address,
    /// Gateways, in the order of [`Confidence::ALL`].
    pub gateways: [Address; 3],
    /// The demo recipient.
    pub inbox: Address,
    /// On L1: the last states of rollups that left.
    pub final_snapshots: Address,
}

/// Why a deployment stopped. It can be started again: what is there stays.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The node could not be asked.
    #[error("cannot read chain {chain_id}: {source}")]
    Read {
        /// The chain.
        chain_id: ChainId,
        /// Why.
        source: ReadError,
    },
    /// A transaction was not included.
    #[error("{what} on chain {chain_id}: {source}")]
    Submit {
        /// What it was for.
        what: &'static str,
        /// The chain.
        chain_id: ChainId,
        /// Why.
        source: SubmitError,
    },
    /// A transaction was included and reverted.
    #[error("{what} on chain {chain_id} reverted in transaction {tx_hash}")]
    Reverted {
        /// What it was for.
        what: &'static str,
        /// The chain.
        chain_id: ChainId,
        /// The transaction.
        tx_hash: B256,
    },
    /// The chain's machine cannot do what the contracts need.
    #[error("chain {chain_id} lacks {what}, which the contracts need")]
    Lacks {
        /// The chain.
        chain_id: ChainId,
        /// What it lacks.
        what: &'static str,
    },
    /// There is no policy of this deployment at that address.
    #[error("{policy} on chain {chain_id} is no policy of this program's contracts: {detail}")]
    NoPolicy {
        /// The chain.
        chain_id: ChainId,
        /// Where it was looked for.
        policy: Address,
        /// What is wrong.
        detail: String,
    },
    /// The chain lacks the deterministic deployer.
    #[error(
        "chain {chain_id} has no deterministic deployer at {CREATE2_DEPLOYER}; deploy it first (its transaction is public and pre-signed)"
    )]
    NoDeployer {
        /// The chain.
        chain_id: ChainId,
    },
}

/// A transaction that creates a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creation {
    /// Where the contract stands afterwards.
    pub address: Address,
    /// Whom to call: the deterministic deployer, or the policy.
    pub to: Address,
    /// With what.
    pub data: Bytes,
    /// Gas that is enough.
    pub gas: u64,
}

impl Creation {
    fn by_deployer(init_code: &[u8]) -> Self {
        Self {
            address: create2(init_code),
            to: CREATE2_DEPLOYER,
            data: [SALT.as_slice(), init_code].concat().into(),
            gas: DEPLOY_GAS,
        }
    }
}

/// A part's address: its salt's proxy is created by the policy, and the part by that proxy, as its first contract.
fn part(policy: Address, salt: u8) -> Address {
    policy.create2(B256::with_last_byte(salt), PROXY_CODE_HASH).create(1)
}

impl Deployment {
    fn policy_code(&self) -> Vec<u8> {
        let arguments = EdgePolicy::constructorCall {
            c: IEdgePolicy::Config {
                domain: self.domain.0,
                genesisEpoch: self.epoch.0,
                genesisTableHash: self.table_hash,
                reanchorDelayS: self.reanchor_delay_s,
                bootstrap: self.bootstrap,
                delayS: self.policy_delay_s,
                tableInCode: keccak256(&LightClient::BYTECODE),
                tableInStorage: keccak256(&LightClientInStorage::BYTECODE),
                gateway: keccak256(&Gateway::BYTECODE),
            },
        };
        init_code(&EdgePolicy::BYTECODE, &arguments.abi_encode())
    }

    fn inbox_code(gateways: [Address; 3]) -> Vec<u8> {
        let [latest, safe, finalized] = gateways;
        init_code(&Inbox::BYTECODE, &(latest, safe, finalized).abi_encode_params())
    }

    fn final_snapshots_code(light_client: Address) -> Vec<u8> {
        let arguments = FinalSnapshots::constructorCall { lightClient: light_client };
        init_code(&FinalSnapshots::BYTECODE, &arguments.abi_encode())
    }

    /// Where everything stands.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let policy = create2(&self.policy_code());
        let gateways = Confidence::ALL.map(|confidence| part(policy, confidence as u8));
        let light_client = part(policy, LIGHT_CLIENT_SALT);
        let final_snapshots = create2(&Self::final_snapshots_code(light_client));
        Addresses { policy, light_client, gateways, inbox: inbox_address(gateways), final_snapshots }
    }

    /// What creates everything that a rollup has, in an order that works: the policy, its parts, the demo recipient. Who sends
    /// them does not matter. They need the deterministic deployer. On a chain where contracts cannot read code (`reads_code` of
    /// the policy) the light client has other code, at the same address.
    #[must_use]
    pub fn creations(&self, reads_code: bool) -> Vec<Creation> {
        let [policy, inbox] = self.independent();
        let mut all = vec![policy];
        all.extend(self.parts(reads_code));
        all.push(inbox);
        all
    }

    /// What needs nothing but the deterministic deployer.
    fn independent(&self) -> [Creation; 2] {
        let gateways = self.addresses().gateways;
        [Creation::by_deployer(&self.policy_code()), Creation::by_deployer(&Self::inbox_code(gateways))]
    }

    /// What the policy creates.
    fn parts(&self, reads_code: bool) -> Vec<Creation> {
        let Addresses { policy: to, light_client, gateways, .. } = self.addresses();
        let code = if reads_code { &LightClient::BYTECODE } else { &LightClientInStorage::BYTECODE };
        let call = EdgePolicy::createLightClientCall { code: code.clone() };
        let mut parts =
            vec![Creation { address: light_client, to, data: call.abi_encode().into(), gas: DEPLOY_GAS }];
        for (confidence, address) in Confidence::ALL.into_iter().zip(gateways) {
            let call = EdgePolicy::createGatewayCall {
                confidence: confidence as u8,
                code: Gateway::BYTECODE.clone(),
            };
            parts.push(Creation { address, to, data: call.abi_encode().into(), gas: DEPLOY_GAS });
        }
        parts
    }

    /// The deployment that a policy belongs to, as a chain that has it shows it: whoever joins deploys the same. What the chain
    /// says is held against the policy's address, which commits to all of it.
    pub async fn read(chain: &dyn Chain, policy: Address) -> Result<Self, DeployError> {
        let chain_id = chain.chain_id();
        let answer = chain.call(policy, EdgePolicy::configCall {}.abi_encode().into(), At::LATEST).await;
        let answer = answer.map_err(|source| DeployError::Read { chain_id, source })?;
        let config = EdgePolicy::configCall::abi_decode_returns(&answer)
            .map_err(|error| DeployError::NoPolicy { chain_id, policy, detail: error.to_string() })?;
        let found = Self {
            domain: Domain(config.domain),
            epoch: Epoch(config.genesisEpoch),
            table_hash: config.genesisTableHash,
            bootstrap: config.bootstrap,
            reanchor_delay_s: config.reanchorDelayS,
            policy_delay_s: config.delayS,
        };
        let computed = found.addresses().policy;
        if computed != policy {
            let detail = format!("its words and this program's contracts give {computed}");
            return Err(DeployError::NoPolicy { chain_id, policy, detail });
        }
        Ok(found)
    }

    /// Deploy on L1 what it lacks: the same as on a rollup, which judges compare, and where final snapshots are kept.
    pub async fn deploy_on_l1(
        &self,
        chain: &dyn Chain,
        submit: &dyn Submit,
        table: &Bytes,
    ) -> Result<Addresses, DeployError> {
        let addresses = self.deploy(chain, submit, table, &[]).await?;
        let code = Self::final_snapshots_code(addresses.light_client);
        Site { chain, submit }.create_all(vec![Creation::by_deployer(&code)]).await?;
        Ok(addresses)
    }

    /// Deploy what a chain lacks, install the committee's `table`, and let its gateways accept `sources`. Anyone may deploy; to
    /// allow a source `submit` must be the bootstrap account, before a governor has claimed.
    pub async fn deploy(
        &self,
        chain: &dyn Chain,
        submit: &dyn Submit,
        table: &Bytes,
        sources: &[(ChainId, RegistrationId)],
    ) -> Result<Addresses, DeployError> {
        let addresses = self.addresses();
        let site = Site { chain, submit };
        site.check_deployer().await?;
        if let Some(feature) = Probe::of(chain).await.map_err(|error| site.read(error))?.lacking().next() {
            return Err(DeployError::Lacks { chain_id: chain.chain_id(), what: feature.name() });
        }
        site.create_all(self.independent().into()).await?;
        let reads_code = site.reads_code(addresses.policy).await?;
        site.create_all(self.parts(reads_code)).await?;

        let mut calls: Vec<BoxFuture<'_, Result<(), DeployError>>> = Vec::new();
        let table_address = LightClient::tableAddressCall { epoch: self.epoch.0 };
        let answer = site.view(addresses.light_client, table_address.abi_encode()).await?;
        let table_address = Address::from_word(B256::from_slice(answer.get(..32).unwrap_or(&[0; 32])));
        if site.is_empty(table_address).await? {
            let install = LightClient::installTableCall { epoch: self.epoch.0, table: table.clone() };
            let call = site.call(
                "install the committee table",
                addresses.light_client,
                install.abi_encode().into(),
                TABLE_GAS,
            );
            calls.push(Box::pin(call));
        }
        for (confidence, gateway) in Confidence::ALL.into_iter().zip(addresses.gateways) {
            for (source, registration) in sources {
                let allowed = Gateway::registrationOfCall { chainId: source.0 };
                let found = site.view(gateway, allowed.abi_encode()).await?;
                if found.as_ref() != registration.0.as_slice() {
                    let allow = EdgePolicy::allowCall {
                        chainId: source.0,
                        registration: registration.0,
                        confidence: confidence as u8,
                    };
                    let data = allow.abi_encode().into();
                    calls.push(Box::pin(site.call("allow a source", addresses.policy, data, ALLOW_GAS)));
                }
            }
        }
        try_join_all(calls).await?;
        Ok(addresses)
    }
}

/// Where the demo recipient of these gateways stands.
#[must_use]
pub fn inbox_address(gateways: [Address; 3]) -> Address {
    create2(&Deployment::inbox_code(gateways))
}

fn init_code(bytecode: &Bytes, arguments: &[u8]) -> Vec<u8> {
    [bytecode.as_ref(), arguments].concat()
}

fn create2(init_code: &[u8]) -> Address {
    CREATE2_DEPLOYER.create2(SALT, keccak256(init_code))
}

/// A chain that is being deployed to.
#[derive(Clone, Copy)]
struct Site<'a> {
    chain: &'a dyn Chain,
    submit: &'a dyn Submit,
}

impl Site<'_> {
    fn read(&self, source: ReadError) -> DeployError {
        DeployError::Read { chain_id: self.chain.chain_id(), source }
    }

    async fn is_empty(&self, account: Address) -> Result<bool, DeployError> {
        let code = self.chain.code(account, At::LATEST).await.map_err(|error| self.read(error))?;
        Ok(code.is_empty())
    }

    async fn view(&self, to: Address, data: Vec<u8>) -> Result<Bytes, DeployError> {
        self.chain.call(to, data.into(), At::LATEST).await.map_err(|error| self.read(error))
    }

    /// Whether contracts can read code there. A node that cannot run the instruction answers with an error.
    async fn reads_code(&self, policy: Address) -> Result<bool, DeployError> {
        match self.chain.call(policy, EdgePolicy::readsCodeCall {}.abi_encode().into(), At::LATEST).await {
            Ok(answer) => Ok(answer.last() == Some(&1)),
            // Were it a mere failure, the policy would refuse the other code.
            Err(ReadError::Reverted { .. } | ReadError::Node { .. }) => Ok(false),
            Err(error) => Err(self.read(error)),
        }
    }

    async fn check_deployer(&self) -> Result<(), DeployError> {
        if self.is_empty(CREATE2_DEPLOYER).await? {
            return Err(DeployError::NoDeployer { chain_id: self.chain.chain_id() });
        }
        Ok(())
    }

    /// All at once: none of them needs another's code to exist.
    async fn create_all(&self, creations: Vec<Creation>) -> Result<(), DeployError> {
        let mut calls = Vec::new();
        for Creation { address, to, data, gas } in creations {
            if self.is_empty(address).await? {
                calls.push(self.call("deploy a contract", to, data, gas));
            }
        }
        try_join_all(calls).await?;
        Ok(())
    }

    async fn call(&self, what: &'static str, to: Address, data: Bytes, gas: u64) -> Result<(), DeployError> {
        let chain_id = self.chain.chain_id();
        let call = Call { gas_limit: Some(gas), ..Call::new(to, data) };
        let outcome =
            self.submit.send(call).await.map_err(|source| DeployError::Submit { what, chain_id, source })?;
        if outcome.success {
            Ok(())
        } else {
            Err(DeployError::Reverted { what, chain_id, tx_hash: outcome.tx_hash })
        }
    }
}

#[cfg(test)]
mod tests;
