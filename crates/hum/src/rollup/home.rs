//! The directory of a rollup that joins: what was decided, its keys, its roles.
//!
//! ```text
//! DIR/rollup.json        which network, which node
//! DIR/member.json        what is registered: profile, sequencer, governor
//! DIR/registrant/keys/   the account on L1 that registers
//! DIR/governor/keys/     the account on the rollup that deploys and decides whom it listens to
//! DIR/publisher, DIR/relayer: a role each; DIR/sequencer, DIR/genesis.json, DIR/spec.json where the rollup was launched
//! ```
//!
//! What is written is never changed: a registration commits to it.

use crate::network::Client;
use eyre::{WrapErr as _, ensure, eyre};
use hum_chain::{rpc::RpcChain, rpc::RpcLimits, stack::StackKind};
use hum_node::config::{KdfCost, KeyName, Member, MemberFile, Password, RoleDirectory};
use hum_types::{Address, B256, ChainId, SequencerKey};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of `rollup.json` that this binary writes and reads.
const VERSION: u32 = 1;

/// `rollup.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HomeFile {
    pub(super) version: u32,
    /// The network file.
    pub(super) network: PathBuf,
    /// JSON-RPC of the L1 node that its commands and roles ask; the network file's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) l1_rpc: Option<String>,
    /// JSON-RPC of the rollup's node.
    pub(super) rpc: String,
    pub(super) chain_id: ChainId,
    pub(super) stack: StackKind,
}

impl HomeFile {
    pub(super) fn new(
        network: PathBuf,
        l1_rpc: Option<String>,
        rpc: String,
        chain_id: ChainId,
        stack: StackKind,
    ) -> Self {
        Self { version: VERSION, network, l1_rpc, rpc, chain_id, stack }
    }
}

/// A rollup's directory.
#[derive(Debug, Clone)]
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self) -> PathBuf {
        self.0.join("rollup.json")
    }

    pub(super) fn member_file(&self) -> PathBuf {
        self.0.join("member.json")
    }

    pub(super) fn registrant(&self) -> RoleDirectory {
        RoleDirectory::new(self.0.join("registrant"))
    }

    pub(super) fn governor(&self) -> RoleDirectory {
        RoleDirectory::new(self.0.join("governor"))
    }

    /// The node of a rollup that was launched here.
    pub(super) fn sequencer(&self) -> RoleDirectory {
        RoleDirectory::new(self.0.join("sequencer"))
    }

    /// The rules of a rollup that was launched here: its node does not tell all of them.
    #[cfg(feature = "devnet")]
    pub(super) fn spec_file(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    pub(super) fn publisher(&self) -> RoleDirectory {
        RoleDirectory::new(self.0.join("publisher"))
    }

    pub(super) fn relayer(&self) -> RoleDirectory {
        RoleDirectory::new(self.0.join("relayer"))
    }

    /// What was decided when it was made; `None` where nothing was made yet.
    pub(super) fn read(&self) -> eyre::Result<Option<HomeFile>> {
        let path = self.file();
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        let file: HomeFile = serde_json::from_slice(&text).wrap_err_with(|| path.display().to_string())?;
        ensure!(
            file.version == VERSION,
            "{} has version {}, this binary reads {VERSION}",
            path.display(),
            file.version
        );
        Ok(Some(file))
    }

    /// The same of a rollup that must be here.
    pub(super) fn load(&self) -> eyre::Result<HomeFile> {
        self.read()?.ok_or_else(|| {
            eyre!("{} is no rollup's directory; `hum rollup join` makes one", self.0.display())
        })
    }

    pub(super) fn write(&self, file: &HomeFile) -> eyre::Result<()> {
        write_new(&self.file(), file)
    }

    /// What is registered; `None` while that is not decided.
    pub(super) fn read_member(&self) -> eyre::Result<Option<MemberFile>> {
        let path = self.member_file();
        Ok(if path.exists() { Some(MemberFile::read(&path)?) } else { None })
    }

    /// The same of a rollup that must have it.
    pub(super) fn load_member(&self) -> eyre::Result<MemberFile> {
        self.read_member()?.ok_or_else(|| {
            eyre!("{} says nothing of a registration yet; `hum rollup join` goes on", self.0.display())
        })
    }

    pub(super) fn write_member(&self, file: &MemberFile) -> eyre::Result<()> {
        write_new(&self.member_file(), file)
    }
}

/// Write JSON that is complete whenever it is there.
fn write_new(path: &Path, value: &impl Serialize) -> eyre::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).wrap_err_with(failed)?;
    }
    let draft = path.with_extension("draft");
    std::fs::write(&draft, serde_json::to_vec_pretty(value)?).wrap_err_with(failed)?;
    std::fs::rename(&draft, path).wrap_err_with(failed)
}

/// A rollup that is or was joining: its directory with connections.
pub(super) struct Place {
    pub(super) home: Home,
    pub(super) file: HomeFile,
    pub(super) client: Client,
    pub(super) member_file: MemberFile,
    pub(super) member: Member,
    pub(super) node: RpcChain,
    pub(super) l1: RpcChain,
}

impl Place {
    pub(super) async fn open(dir: &Path) -> eyre::Result<Self> {
        let home = Home::new(dir);
        let file = home.load()?;
        let client = Client::open(&file.network)?;
        client.learn().await;
        let member_file = home.load_member()?;
        let member = member_file.member(&client.network)?;
        let node = RpcChain::new(&file.rpc, file.chain_id, RpcLimits::default())?;
        let l1 = l1(&client, file.l1_rpc.as_deref())?;
        Ok(Self { home, file, client, member_file, member, node, l1 })
    }
}

/// The L1 node.
pub(super) fn l1(client: &Client, rpc: Option<&str>) -> eyre::Result<RpcChain> {
    let entry = &client.network.l1;
    RpcChain::new(rpc.unwrap_or(&entry.rpc), entry.chain_id, RpcLimits::default())
        .wrap_err("the L1 node's URL")
}

/// How secrets that are made are kept.
pub(super) struct Keeping {
    /// Opens keystores; secrets stay plain without one.
    pub(super) password: Option<Password>,
    /// Nothing is written.
    pub(super) dry_run: bool,
}

impl Keeping {
    /// The secret that the directory has, or `made`, which it has from then on.
    pub(super) fn key(
        &self,
        directory: RoleDirectory,
        name: KeyName,
        made: impl FnOnce() -> eyre::Result<B256>,
    ) -> eyre::Result<B256> {
        let directory = match &self.password {
            Some(password) => directory.unlock(password.clone()),
            None => directory,
        };
        if directory.form_of(name)?.is_some() {
            return Ok(directory.read_key(name)?);
        }
        let secret = made()?;
        if !self.dry_run {
            match &self.password {
                Some(password) => directory.write_keystore(name, secret, password, KdfCost::Standard)?,
                None => directory.write_key(name, secret)?,
            }
        }
        Ok(secret)
    }
}

/// A secret in a file: 32 bytes in hex.
pub(super) fn secret_in(path: &Path) -> eyre::Result<B256> {
    let text = std::fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let secret = text
        .trim()
        .parse()
        .map_err(|_| eyre!("{} does not hold a secret of 32 bytes in hex", path.display()))?;
    address_of(secret).wrap_err_with(|| path.display().to_string())?;
    Ok(secret)
}

/// The account of a secret.
pub(super) fn address_of(secret: B256) -> eyre::Result<Address> {
    let key = SequencerKey::from_secret(secret).ok_or_else(|| eyre!("the secret is no secp256k1 key"))?;
    Ok(key.address())
}
