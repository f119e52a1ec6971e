//! What every command about an operator works on: its directory, its network, its L1 node.

use crate::{password::PasswordArgument, plan::Purse};
use eyre::{WrapErr as _, ensure, eyre};
use hum_bls::{G1, OperatorId, SecretKey};
use hum_chain::{
    Chain, ReadError,
    restaking::{Contracts, OperatorView, RestakingError, holder_of},
    rpc::{RpcChain, RpcLimits},
};
use hum_consensus::Signer as _;
use hum_node::config::{KeyName, NetworkFile, OperatorConfig, RestakingEntry, RoleDirectory};
use hum_types::{Address, B256, Confidence, Domain, SequencerKey, keccak256};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// Which operator; every command about one takes this.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SiteArgument {
    /// The operator's directory.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) password: PasswordArgument,
}

/// An operator's identity: what it registers.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Its account on L1.
    pub(crate) operator: Address,
    /// Its BLS key.
    pub(crate) key: SecretKey,
    /// Its ed25519 key.
    pub(crate) network_key: B256,
    /// Where peers reach it.
    pub(crate) endpoint: SocketAddr,
}

impl Identity {
    pub(crate) fn id(&self) -> OperatorId {
        OperatorId::of(self.key.public_key().g1())
    }
}

/// An operator in its network, seen from its L1 node. Nothing secret.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) config: OperatorConfig,
    pub(crate) network: NetworkFile,
    pub(crate) contracts: Contracts,
    pub(crate) chain: RpcChain,
    pub(crate) operator: Address,
    pub(crate) id: OperatorId,
}

/// What only the operator has; never shown.
pub(crate) struct Secrets {
    pub(crate) identity: Identity,
    account: B256,
}

impl SiteArgument {
    /// To act: with every secret.
    pub(crate) fn open(&self) -> eyre::Result<(Site, Secrets)> {
        let directory = self.password.unlock(RoleDirectory::new(&self.dir))?;
        let config = OperatorConfig::load(&directory)?;
        let account = directory.read_key(KeyName::Account).wrap_err(
            "the operator's account on L1 is needed; `hum operator keys import account FILE` brings one",
        )?;
        let identity = identity(&directory, &config, account)?;
        let site = Site::new(config, identity.operator, identity.id())?;
        Ok((site, Secrets { identity, account }))
    }

    /// To look: without any secret. The account need not be in the directory; then L1 says whose the BLS key is.
    pub(crate) async fn look(&self) -> eyre::Result<Site> {
        let directory = RoleDirectory::new(&self.dir);
        let config = OperatorConfig::load(&directory)?;
        let public = directory.public_of(KeyName::Bls)?.unwrap_or_default();
        let id = id_of_public(&public).ok_or_else(|| {
            eyre!("the BLS key in {} does not say its public half; import it again", self.dir.display())
        })?;
        let account = match directory.form_of(KeyName::Account)? {
            Some(_) => directory.public_of(KeyName::Account)?.and_then(|public| public.parse().ok()),
            None => None,
        };
        let mut site = Site::new(config, account.unwrap_or_default(), id)?;
        if account.is_none() {
            let holder =
                holder_of(&site.chain, site.contracts.service_manager, id, hum_chain::At::LATEST).await?;
            site.operator = holder.ok_or_else(|| {
                eyre!("neither the directory nor L1 says which account the operator has: the key is not registered")
            })?;
        }
        Ok(site)
    }
}

/// The operator id of a BLS key's public half as key files have it.
pub(crate) fn id_of_public(public: &str) -> Option<OperatorId> {
    let bytes = alloy_primitives::hex::decode(public).ok()?;
    (bytes.len() == G1::BYTES).then(|| OperatorId(keccak256(bytes)))
}

/// The network file, checked.
pub(crate) fn read_network(config: &OperatorConfig) -> eyre::Result<NetworkFile> {
    let text = std::fs::read_to_string(&config.network)
        .wrap_err_with(|| format!("cannot read the network file {}", config.network.display()))?;
    NetworkFile::load(&config.network)?;
    serde_json::from_str(&text).wrap_err_with(|| config.network.display().to_string())
}

/// Where everything stands on L1.
pub(crate) fn contracts(network: &NetworkFile, entry: &RestakingEntry) -> Contracts {
    Contracts {
        service_manager: network.deployment.service_manager,
        allocation_manager: entry.allocation_manager,
        delegation_manager: entry.delegation_manager,
        strategy_manager: entry.strategy_manager,
        strategies: entry.strategies.clone(),
    }
}

/// The operator's L1 node.
pub(crate) fn l1(config: &OperatorConfig, network: &NetworkFile) -> Result<RpcChain, ReadError> {
    let endpoint = config.l1_rpc.as_ref().unwrap_or(&network.l1.rpc);
    RpcChain::new(endpoint, network.l1.chain_id, RpcLimits::default())
}

/// What the directory's secrets amount to.
pub(crate) fn identity(
    directory: &RoleDirectory,
    config: &OperatorConfig,
    account: B256,
) -> eyre::Result<Identity> {
    let operator = SequencerKey::from_secret(account)
        .ok_or_else(|| eyre!("the account's secret is no secp256k1 key"))?
        .address();
    let key = SecretKey::from_secret(directory.read_key(KeyName::Bls)?).wrap_err("the BLS secret")?;
    let network_key = directory.network_key()?.public_key();
    let endpoint = config.endpoint();
    Ok(Identity { operator, key, network_key: B256::from_slice(network_key.as_ref()), endpoint })
}

impl Site {
    fn new(config: OperatorConfig, operator: Address, id: OperatorId) -> eyre::Result<Self> {
        let network = read_network(&config)?;
        let restaking = network.restaking.as_ref().ok_or_else(|| {
            eyre!(
                "{} names no restaking contracts: this network's committee is fixed, nobody can register",
                config.network.display()
            )
        })?;
        let contracts = contracts(&network, restaking);
        let chain = l1(&config, &network)?;
        Ok(Self { config, network, contracts, chain, operator, id })
    }

    pub(crate) fn domain(&self) -> Domain {
        self.network.domain
    }

    /// L1's view of the operator, at the node's newest block.
    pub(crate) async fn view(&self) -> Result<OperatorView, RestakingError> {
        let block = self.chain.head(Confidence::Latest).await?;
        let who = (self.operator, self.id);
        OperatorView::read(Arc::new(self.chain.clone()), &self.contracts, self.domain(), who, block).await
    }

    /// Refuse to go on where the contracts are not what the network file says.
    pub(crate) async fn check(&self) -> eyre::Result<()> {
        let at = hum_chain::At::LATEST;
        let domain = hum_chain::restaking::domain_of(&self.chain, self.contracts.service_manager, at).await?;
        ensure!(
            domain == self.domain(),
            "the service manager at {} has domain {}, the network file says {}: one of them is of another network",
            self.contracts.service_manager,
            domain.0,
            self.domain().0
        );
        Ok(())
    }
}

impl Secrets {
    /// Pays for the operator's transactions.
    pub(crate) fn purse(&self, chain: &RpcChain) -> eyre::Result<Purse> {
        Purse::new(super::proceed::OPERATOR, chain, self.account)
    }
}
