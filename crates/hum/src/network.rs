//! A network as a command sees it: its file, its operators' APIs, its chains.

use alloy::transports::http::reqwest;
use eyre::{WrapErr as _, bail, eyre};
use hum_chain::rpc::{RpcChain, RpcLimits};
use hum_node::{
    api::MemberView,
    config::{Network, NetworkFile, RollupEntry},
};
use hum_types::{B256, ChainId};
use serde::de::DeserializeOwned;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Where `hum up` puts a network unless told otherwise.
#[cfg(feature = "devnet")]
pub(crate) const DEFAULT_DIR: &str = "hum-local";
/// How long an operator may take to answer a person.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Which network; every command that asks one takes this.
#[derive(Debug, clap::Args)]
pub(crate) struct NetworkArgument {
    /// The network file that `hum up` wrote.
    #[arg(long, env = "HUM_NETWORK", default_value = "hum-local/network.json")]
    network: PathBuf,
}

/// A network file with connections.
#[derive(Debug)]
pub(crate) struct Client {
    path: PathBuf,
    pub(crate) network: Network,
    http: reqwest::Client,
}

impl NetworkArgument {
    pub(crate) fn open(&self) -> eyre::Result<Client> {
        Client::open(&self.network)
    }
}

impl Client {
    pub(crate) fn open(path: &Path) -> eyre::Result<Self> {
        let network = NetworkFile::load(path)?;
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).build()?;
        Ok(Self { path: path.to_owned(), network, http })
    }

    /// Learn of rollups that have joined since the network file was written. What an operator says of them has to give the
    /// registration that it names; nobody who knows no such thing is in the way.
    pub(crate) async fn learn(&self) {
        let Ok(Some(members)) = self.ask::<Vec<MemberView>>("/members").await else { return };
        for file in members.into_iter().filter_map(|member| member.joined) {
            let member = file.member(&self.network);
            if let Err(error) = member.and_then(|member| self.network.members.insert(member)) {
                tracing::warn!(chain_id = %file.chain_id, %error, "a rollup that joined is passed over");
            }
        }
    }

    /// The secret of the account that `hum up` gave funds to.
    pub(crate) fn dev_secret(&self) -> eyre::Result<B256> {
        let path = self.path.with_file_name("dev.key");
        let text = std::fs::read_to_string(&path).wrap_err_with(|| {
            format!("no key given and {} cannot be read; pass --key-file", path.display())
        })?;
        text.trim().parse().map_err(|_| eyre!("{} does not hold a secret of 32 bytes in hex", path.display()))
    }

    /// A member by name or chain id.
    pub(crate) fn rollup(&self, name: &str) -> eyre::Result<RollupEntry> {
        let members = self.network.members();
        let entries = || members.iter().map(|member| &member.entry);
        let named = entries().find(|entry| entry.name == name || entry.chain_id.to_string() == name);
        named.cloned().ok_or_else(|| {
            let known: Vec<_> =
                entries().map(|entry| format!("{} ({})", entry.name, entry.chain_id)).collect();
            eyre!("no rollup is called {name}; the network has {}", known.join(", "))
        })
    }

    pub(crate) fn name_of(&self, chain_id: ChainId) -> String {
        self.network.member(chain_id).map_or_else(|| chain_id.to_string(), |member| member.entry.name.clone())
    }

    pub(crate) fn chain(&self, entry: &RollupEntry) -> eyre::Result<RpcChain> {
        RpcChain::new(&entry.rpc, entry.chain_id, RpcLimits::default())
            .wrap_err_with(|| format!("the RPC URL of {} in the network file", entry.name))
    }

    /// Ask the operators in turn; `None` when those that answer do not know it.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, path: &str) -> eyre::Result<Option<T>> {
        let mut failures = Vec::new();
        let mut unknown = false;
        for operator in &self.network.operators {
            let api = &operator.entry.api;
            match self.http.get(format!("{api}{path}")).send().await {
                Ok(answer) if answer.status() == reqwest::StatusCode::NOT_FOUND => unknown = true,
                Ok(answer) => match answer.error_for_status() {
                    Ok(answer) => match answer.json().await {
                        Ok(value) => return Ok(Some(value)),
                        Err(error) => failures.push(format!("{api}: {error}")),
                    },
                    Err(error) => failures.push(format!("{api}: {error}")),
                },
                Err(error) => failures.push(format!("{api}: {error}")),
            }
        }
        if unknown {
            return Ok(None);
        }
        bail!("no operator answers; is the network running? ({})", failures.join("; "))
    }

    /// Ask one process.
    pub(crate) async fn ask_one<T: DeserializeOwned>(&self, api: &str, path: &str) -> eyre::Result<T> {
        let answer = self.http.get(format!("{api}{path}")).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }
}

/// Run a command that talks to others.
pub(crate) fn block_on<T>(command: impl Future<Output = eyre::Result<T>>) -> eyre::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
