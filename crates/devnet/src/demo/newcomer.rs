//! A chain that we did not make, and its way in: anvil, joined by the command that people use.

use super::{
    DemoError,
    scene::{Scene, Site, until},
};
use hum_chain::{
    Chain as _,
    contracts::inbox_address,
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_node::config::{MemberFile, PublisherConfig, RoleDirectory};
use hum_types::{B256, ChainId, Confidence};
use serde_json::Value;
use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
};

/// Its chain id.
const CHAIN_ID: ChainId = ChainId(31_337);
/// The first account that anvil gives funds to, by the mnemonic that its documentation shows.
const ANVIL_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
/// The second: who sends messages there.
const ANVIL_OTHER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
/// How long anvil may take to answer.
const START: Duration = Duration::from_secs(20);
/// How long joining may take at most.
const JOIN: Duration = Duration::from_secs(180);

/// An anvil that is a member, and the command that keeps its publisher and relayer running.
pub(super) struct Newcomer {
    /// Its place among the scene's sites.
    pub(super) site: usize,
    /// Where the command keeps its files.
    pub(super) dir: PathBuf,
    /// What the command said.
    pub(super) joined: Value,
    /// What the scene had: its URL.
    pub(super) owner_key: PathBuf,
    _anvil: Child,
    command: Child,
}

impl Newcomer {
    /// Start anvil and join; the scene has one more site from then on.
    pub(super) async fn join(scene: &mut Scene) -> Result<Self, DemoError> {
        let failed = |what: &str, problem: String| DemoError::Role { what: what.to_owned(), problem };
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| failed("find a free port", error.to_string()))?
            .port();
        let chain_id = CHAIN_ID.to_string();
        let anvil = Command::new(anvil()?)
            .args(["--port", &port.to_string(), "--chain-id", &chain_id, "--block-time", "1", "--silent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("start anvil", error.to_string()))?;
        let rpc = format!("http://127.0.0.1:{port}");
        let reader = RpcChain::new(&rpc, CHAIN_ID, RpcLimits::default())
            .map_err(|error| failed("reach anvil", error.to_string()))?;
        let answers = until(START, async || Ok(reader.head(Confidence::Latest).await.ok())).await?;
        if answers.is_none() {
            return Err(DemoError::Waited { what: "anvil".to_owned(), seconds: START.as_secs() });
        }
        scene.tell(format!("anvil runs as chain {CHAIN_ID}, with a block a second: nothing of it is ours"));

        let root = scene.network.path().with_file_name("");
        let dir = root.join("anvil");
        let key = |name: &str, secret: &str| -> Result<PathBuf, DemoError> {
            let path = root.join(name);
            std::fs::write(&path, secret).map_err(|error| failed("write a key", error.to_string()))?;
            Ok(path)
        };
        let account = key("joiner.key", &scene.network.dev_secret().to_string())?;
        let rollup_account = key("anvil.key", ANVIL_KEY)?;
        let owner_key = key("owner.key", &scene.network.owner_secret().to_string())?;
        let mut command = Command::new(scene.network.hum());
        command.args(["rollup", "join", "--json", "--foreground", "--name", "anvil", "--rpc", &rpc]);
        for (flag, path) in [
            ("--network", scene.network.path()),
            ("--dir", dir.clone()),
            ("--account", account),
            ("--rollup-account", rollup_account),
            ("--authority", owner_key.clone()),
        ] {
            command.arg(flag).arg(path);
        }
        let mut command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("run hum rollup join", error.to_string()))?;
        let line = tokio::time::timeout(JOIN, first_line(&mut command)).await;
        let Some(line) = line.ok().flatten() else {
            let mut said = String::new();
            let _ = command.start_kill();
            if let Some(mut stderr) = command.stderr.take() {
                let _ = stderr.read_to_string(&mut said).await;
            }
            return Err(failed("hum rollup join", said.trim().to_owned()));
        };
        let joined: Value = serde_json::from_str(&line)
            .map_err(|error| failed("hum rollup join", format!("{error}: {line}")))?;
        let site = site(scene, &dir, reader)?;
        let mut sites = Vec::new();
        std::mem::swap(
            &mut sites,
            Arc::get_mut(&mut scene.sites)
                .ok_or_else(|| failed("add the newcomer", "somebody still sends messages".to_owned()))?,
        );
        sites.push(site);
        let place = sites.len() - 1;
        scene.sites = Arc::new(sites);
        Ok(Self { site: place, dir, joined, owner_key, _anvil: anvil, command })
    }

    /// Stop publisher and relayer, if they still run, and anvil.
    pub(super) async fn stop(mut self) {
        let _ = self.command.start_kill();
        let _ = self.command.wait().await;
        // What it started ends when its standard input closes, and holds its directory until then.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn first_line(command: &mut Child) -> Option<String> {
    let stdout = command.stdout.take()?;
    let mut lines = BufReader::new(stdout).lines();
    lines.next_line().await.ok().flatten()
}

fn site(scene: &Scene, dir: &Path, reader: RpcChain) -> Result<Site, DemoError> {
    let failed = |problem: String| DemoError::Role { what: "read what joined".to_owned(), problem };
    let file = MemberFile::read(&dir.join("member.json")).map_err(|error| failed(error.to_string()))?;
    let member = file.member(&scene.checked).map_err(|error| failed(error.to_string()))?;
    let config = PublisherConfig::load(&RoleDirectory::new(dir.join("publisher")))
        .map_err(|error| failed(error.to_string()))?;
    let secret: B256 = ANVIL_OTHER_KEY.parse().map_err(|_| failed("anvil's key".to_owned()))?;
    let policy = SubmitPolicy { in_flight_max: 1_024, poll_interval_ms: 500, ..SubmitPolicy::default() };
    let submit = RpcSubmit::new(reader.clone(), secret, policy)
        .ok_or_else(|| failed("anvil's key is no key".to_owned()))?;
    let facades = member.entry.gateways.facades();
    Ok(Site {
        name: member.entry.name.clone(),
        chain_id: member.entry.chain_id,
        registration: member.entry.registration,
        reader,
        submit,
        gateway: facades[scene.confidence as usize],
        inbox: inbox_address(facades),
        publisher_api: format!("http://{}", config.api),
    })
}

/// Where anvil is: as `HUM_ANVIL` says, where `npm ci` puts it beside the contracts, or on the path.
fn anvil() -> Result<PathBuf, DemoError> {
    const BESIDE_CONTRACTS: &str = "contracts/node_modules/.bin/anvil";
    if let Some(path) = std::env::var_os("HUM_ANVIL") {
        return Ok(path.into());
    }
    if Path::new(BESIDE_CONTRACTS).exists() {
        return Ok(BESIDE_CONTRACTS.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join("anvil")).find(|path| path.exists()).ok_or_else(|| {
        DemoError::Role {
            what: "find anvil".to_owned(),
            problem: "`npm ci` in contracts/ puts it there; run this beside it, or set HUM_ANVIL".to_owned(),
        }
    })
}
