//! Our contracts: bindings, addresses that follow from their arguments, and deployment that can be repeated.
//!
//! ```text
//! Deployment ─addresses()▶ the same on every chain (CREATE2 through the deterministic deployer)
//!            ─deploy()───▶ what is missing there: code, committee table, allowed sources
//! ```

use crate::{At, Call, Chain, ReadError, Submit, SubmitError};
use alloy_primitives::{Address, B256, Bytes, U256, address, b256, keccak256};
use alloy_sol_types::{SolCall as _, SolConstructor as _, SolValue as _};
use futures::future::{BoxFuture, try_join_all};
use hum_types::{ChainId, Confidence, Domain, Epoch, RegistrationId};

#[allow(missing_docs, missing_debug_implementations, clippy::all)]
mod bindings {
    alloy_sol_types::sol!(LightClient, "../../contracts/artifacts/LightClient.json");
    alloy_sol_types::sol!(Gateway, "../../contracts/artifacts/Gateway.json");
    alloy_sol_types::sol!(Inbox, "../../contracts/artifacts/Inbox.json");
    alloy_sol_types::sol!(BatchInbox, "../../contracts/artifacts/BatchInbox.json");
    alloy_sol_types::sol!(RollupProfiles, "../../contracts/artifacts/RollupProfiles.json");
    alloy_sol_types::sol!(RollupRegistry, "../../contracts/artifacts/RollupRegistry.json");
}
pub use bindings::{
    BatchInbox, Gateway, IRollupRegistry, Inbox, LightClient, RollupProfiles, RollupRegistry,
};

/// The deterministic deployer: calldata `salt 32 ‖ init code`, at this address on every chain that has it.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
/// "hum1".
const SALT: B256 = b256!("0000000000000000000000000000000000000000000000000000000068756d31");
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
    /// Who decides, on each chain, which sources its gateways accept, and names a committee to a light client that slept
    /// until all it knew had expired.
    pub owner: Address,
    /// Seconds that everybody has to bring a living committee to such a light client first.
    pub reanchor_delay_s: u32,
}

/// Where the contracts stand, on every chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The light client.
    pub light_client: Address,
    /// Gateways, in the order of [`Confidence::ALL`].
    pub gateways: [Address; 3],
    /// The demo recipient.
    pub inbox: Address,
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
    /// The chain lacks the deterministic deployer.
    #[error(
        "chain {chain_id} has no deterministic deployer at {CREATE2_DEPLOYER}; deploy it first (its transaction is public and pre-signed)"
    )]
    NoDeployer {
        /// The chain.
        chain_id: ChainId,
    },
}

impl Deployment {
    fn light_client_code(&self) -> Vec<u8> {
        let arguments = LightClient::constructorCall {
            domain: self.domain.0,
            genesisEpoch: self.epoch.0,
            genesisTableHash: self.table_hash,
            owner: self.owner,
            reanchorDelayS: self.reanchor_delay_s,
        };
        init_code(&LightClient::BYTECODE, &arguments.abi_encode())
    }

    fn gateway_code(&self, light_client: Address, confidence: Confidence) -> Vec<u8> {
        init_code(
            &Gateway::BYTECODE,
            &(light_client, U256::from(confidence as u8), self.owner).abi_encode_params(),
        )
    }

    fn inbox_code(gateways: [Address; 3]) -> Vec<u8> {
        let [latest, safe, finalized] = gateways;
        init_code(&Inbox::BYTECODE, &(latest, safe, finalized).abi_encode_params())
    }

    /// Where everything stands.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let light_client = create2(&self.light_client_code());
        let gateways =
            Confidence::ALL.map(|confidence| create2(&self.gateway_code(light_client, confidence)));
        let inbox = inbox_address(gateways);
        Addresses { light_client, gateways, inbox }
    }

    /// Deploy on a member what it lacks, install the committee's `table`, and let its gateways accept `sources`.
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
        let mut code = vec![(addresses.light_client, self.light_client_code())];
        for (confidence, gateway) in Confidence::ALL.into_iter().zip(addresses.gateways) {
            code.push((gateway, self.gateway_code(addresses.light_client, confidence)));
        }
        code.push((addresses.inbox, Self::inbox_code(addresses.gateways)));
        site.create_all(code).await?;

        let mut calls: Vec<BoxFuture<'_, Result<(), DeployError>>> = Vec::new();
        let table_address = LightClient::tableAddressCall { epoch: self.epoch.0 };
        let answer = site.view(addresses.light_client, table_address.abi_encode()).await?;
        let table_address = Address::from_word(B256::from_slice(answer.get(..32).unwrap_or(&[0; 32])));
        if site.is_empty(table_address).await? {
            let install = LightClient::installTableCall { epoch: self.epoch.0, table: table.clone() };
            let call = site.call(
                "install the committee table",
                addresses.light_client,
                install.abi_encode(),
                TABLE_GAS,
            );
            calls.push(Box::pin(call));
        }
        for gateway in addresses.gateways {
            for (source, registration) in sources {
                let allowed = Gateway::registrationOfCall { chainId: source.0 };
                let found = site.view(gateway, allowed.abi_encode()).await?;
                if found.as_ref() != registration.0.as_slice() {
                    let allow = Gateway::allowCall { chainId: source.0, registration: registration.0 };
                    calls.push(Box::pin(site.call("allow a source", gateway, allow.abi_encode(), ALLOW_GAS)));
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

    async fn check_deployer(&self) -> Result<(), DeployError> {
        if self.is_empty(CREATE2_DEPLOYER).await? {
            return Err(DeployError::NoDeployer { chain_id: self.chain.chain_id() });
        }
        Ok(())
    }

    /// All at once: none of them needs another's code to exist.
    async fn create_all(&self, codes: Vec<(Address, Vec<u8>)>) -> Result<(), DeployError> {
        let mut calls = Vec::new();
        for (address, code) in codes {
            if self.is_empty(address).await? {
                calls.push(self.call(
                    "deploy a contract",
                    CREATE2_DEPLOYER,
                    [SALT.as_slice(), &code].concat(),
                    DEPLOY_GAS,
                ));
            }
        }
        try_join_all(calls).await?;
        Ok(())
    }

    async fn call(
        &self,
        what: &'static str,
        to: Address,
        data: Vec<u8>,
        gas: u64,
    ) -> Result<(), DeployError> {
        let chain_id = self.chain.chain_id();
        let call = Call { gas_limit: Some(gas), ..Call::new(to, data.into()) };
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
