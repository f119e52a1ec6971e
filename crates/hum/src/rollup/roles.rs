//! The processes of a rollup that joins: its publisher and its relayer, on this machine.
//!
//! A role that runs holds its directory's lock, and the lock names the process. So no other record of what runs is kept: it would be
//! wrong after a crash.

use super::home::{Home, HomeFile};
use eyre::{WrapErr as _, bail, ensure, eyre};
use hum_node::config::{
    BatchData, BatcherConfig, DirectoryError, PeerEntry, PeerRole, PublisherConfig, ROLE_VERSION,
    RelayerConfig, RoleDirectory,
};
use hum_types::{B256, ChainId};
use std::{
    fs::OpenOptions,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How often a batcher posts what there is.
const BATCH_INTERVAL_MS: u64 = 2_000;
/// Most bytes of a batch: an L1 transaction holds 128 KiB.
const BATCH_DATA_BYTES_MAX: usize = 120_000;
/// Blocks that stay out of a batch, so that what is taken back at once was not posted.
const BATCH_DEPTH: u64 = 2;
/// Wei that a role may spend in an hour on one chain: ten ether.
const SPEND_CAP_WEI: u128 = 10_000_000_000_000_000_000;
/// Wei below which a role raises an alarm: a tenth of an ether.
const LOW_BALANCE_WEI: u128 = 100_000_000_000_000_000;
/// How long a process that was told to end may take.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a process that was started may take to hold its directory.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
/// Lines of a log that are shown when its process ended.
const LAST_WORDS: usize = 5;

/// Where a role listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) peer: SocketAddr,
    pub(super) api: SocketAddr,
}

/// Free ports on `host` for publisher and relayer.
pub(super) fn free_ports(host: IpAddr) -> eyre::Result<[Ports; 2]> {
    // Held until all are chosen, so that no two are the same.
    let bind = |ip: IpAddr| TcpListener::bind((ip, 0)).wrap_err_with(|| format!("cannot listen on {ip}"));
    let local = IpAddr::from([127, 0, 0, 1]);
    let held = [bind(host)?, bind(local)?, bind(host)?, bind(local)?];
    let address = |index: usize| -> eyre::Result<SocketAddr> {
        Ok(held.get(index).map(TcpListener::local_addr).transpose()?.unwrap_or((local, 0).into()))
    };
    Ok([Ports { peer: address(0)?, api: address(1)? }, Ports { peer: address(2)?, api: address(3)? }])
}

/// A role's entry in the profile.
pub(super) fn peer(role: PeerRole, rollup: &str, key: B256, ports: Ports, chain_id: ChainId) -> PeerEntry {
    let (name, chain_id) = match role {
        PeerRole::Publisher => (format!("publisher-{rollup}"), Some(chain_id)),
        PeerRole::Relayer => (format!("relayer-{rollup}"), None),
        PeerRole::Watcher => (format!("watcher-{rollup}"), None),
    };
    PeerEntry { name, role, key, address: ports.peer, chain_id, api: Some(format!("http://{}", ports.api)) }
}

/// Write both roles' files, where they are missing.
pub(super) fn write(home: &Home, file: &HomeFile, ports: [Ports; 2], batches: bool) -> eyre::Result<()> {
    let [publisher, relayer] = ports;
    let member = std::path::absolute(home.member_file())?;
    let private = |ports: Ports| is_private(ports.peer.ip());
    if !home.publisher().file().exists() {
        home.publisher().write(&PublisherConfig {
            version: ROLE_VERSION,
            network: file.network.clone(),
            chain_id: file.chain_id,
            member: Some(member.clone()),
            rpc: file.rpc.clone(),
            sequencer: None,
            l1_rpc: file.l1_rpc.clone(),
            listen: publisher.peer,
            api: publisher.api,
            batcher: batches.then_some(BatcherConfig {
                l1_rpc: None,
                data: BatchData::Auto,
                interval_ms: BATCH_INTERVAL_MS,
                data_bytes_max: BATCH_DATA_BYTES_MAX,
                depth: BATCH_DEPTH,
                spend_cap_wei: SPEND_CAP_WEI,
                low_balance_wei: LOW_BALANCE_WEI,
            }),
            private_addresses: private(publisher),
        })?;
    }
    if !home.relayer().file().exists() {
        home.relayer().write(&RelayerConfig {
            version: ROLE_VERSION,
            network: file.network.clone(),
            members: vec![member],
            // Others deliver elsewhere; who joins brings what is sent to itself.
            destinations: Some(vec![file.chain_id]),
            l1_rpc: file.l1_rpc.clone(),
            listen: relayer.peer,
            api: relayer.api,
            spend_cap_wei: SPEND_CAP_WEI,
            low_balance_wei: LOW_BALANCE_WEI,
            private_addresses: private(relayer),
        })?;
    }
    Ok(())
}

/// Whether an address is on this machine or in a private network: then the other peers are, too.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Which process runs from a directory.
pub(super) fn running(directory: &RoleDirectory) -> eyre::Result<Option<u32>> {
    if !directory.file().exists() {
        return Ok(None);
    }
    match directory.lock() {
        Ok(_free) => Ok(None),
        Err(DirectoryError::Held { holder, .. }) => {
            let pid = holder.strip_prefix("process ").and_then(|pid| pid.parse().ok());
            Ok(Some(pid.ok_or_else(|| eyre!("{} is held by {holder}", directory.path().display()))?))
        }
        Err(error) => Err(error.into()),
    }
}

/// Both roles, running.
pub(super) struct Staying {
    /// What was found or started.
    pub(super) lines: Vec<String>,
    /// Those that end with this process: name, log, process.
    children: Vec<(&'static str, PathBuf, Child)>,
}

impl Staying {
    /// Start what does not run yet: in processes that go on without this one, or as its children.
    pub(super) fn begin(home: &Home, password_file: Option<&Path>, foreground: bool) -> eyre::Result<Self> {
        let mut staying = Self { lines: Vec::new(), children: Vec::new() };
        for (command, directory) in [("publisher", home.publisher()), ("relayer", home.relayer())] {
            if let Some(pid) = running(&directory)? {
                staying.lines.push(format!("{command} runs already, process {pid}"));
                continue;
            }
            let log = directory.path().join("log");
            let mut process = command_of(command, &directory, password_file, &log)?;
            if foreground {
                process.arg("--until-stdin-closes").stdin(Stdio::piped());
            } else {
                // Ctrl-C at the terminal that started it is not meant for it.
                process.stdin(Stdio::null()).process_group(0);
            }
            let child = process.spawn().wrap_err_with(|| format!("cannot start the {command}"))?;
            staying.lines.push(format!("{command} runs, process {}; log {}", child.id(), log.display()));
            staying.children.push((command, log, child));
            let api = api_of(command, &directory)?;
            let deadline = Instant::now() + START_TIMEOUT;
            // Not by its lock: asking for that could take it away from the process that starts.
            while TcpStream::connect(api).is_err() {
                staying.check()?;
                ensure!(
                    Instant::now() < deadline,
                    "the {command} does not answer at {api}; its log says why"
                );
                std::thread::sleep(POLL);
            }
        }
        if !foreground {
            staying.children.clear();
        }
        Ok(staying)
    }

    /// Fail when one of them has ended.
    fn check(&mut self) -> eyre::Result<()> {
        for (command, log, child) in &mut self.children {
            if let Some(status) = child.try_wait()? {
                bail!("the {command} ended ({status}):\n{}", last_words(log));
            }
        }
        Ok(())
    }

    /// Wait for Ctrl-C, SIGTERM, or the end of a child; nothing where there is none.
    pub(super) async fn stay(mut self) -> eyre::Result<()> {
        if self.children.is_empty() {
            return Ok(());
        }
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        loop {
            // `hum rollup leave` ends them well.
            let ended = |(_, _, child): &mut (_, _, Child)| matches!(child.try_wait(), Ok(Some(status)) if status.success());
            if self.children.iter_mut().any(ended) {
                break;
            }
            self.check()?;
            tokio::select! {
                interrupted = &mut interrupted => { interrupted?; break; }
                _ = terminated.recv() => break,
                () = tokio::time::sleep(POLL) => {}
            }
        }
        // They end when their standard input closes.
        for (_, _, child) in &mut self.children {
            drop(child.stdin.take());
        }
        let deadline = Instant::now() + STOP_TIMEOUT;
        for (_, _, child) in &mut self.children {
            while child.try_wait()?.is_none() && Instant::now() < deadline {
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }
}

/// Where a role's status is served.
pub(super) fn api_of(command: &str, directory: &RoleDirectory) -> eyre::Result<SocketAddr> {
    Ok(if command == "publisher" {
        PublisherConfig::load(directory)?.api
    } else {
        RelayerConfig::load(directory)?.api
    })
}

pub(super) fn command_of(
    command: &str,
    directory: &RoleDirectory,
    password_file: Option<&Path>,
    log: &Path,
) -> eyre::Result<Command> {
    let hum: PathBuf = std::env::current_exe().wrap_err("cannot find my own binary")?;
    let open = OpenOptions::new().create(true).append(true).open(log);
    let log = open.wrap_err_with(|| format!("cannot write {}", log.display()))?;
    let mut process = Command::new(hum);
    process.arg(command).arg("--dir").arg(directory.path()).stdout(log.try_clone()?).stderr(log);
    if let Some(path) = password_file {
        process.arg("--password-file").arg(path);
    }
    Ok(process)
}

/// End the process that runs from a directory; whether there was one.
pub(super) fn stop(directory: &RoleDirectory) -> eyre::Result<bool> {
    let Some(pid) = running(directory)? else { return Ok(false) };
    // The lock that was just found held names it, so the number is not somebody else's.
    let sent = Command::new("kill").arg(pid.to_string()).status().wrap_err("cannot run kill")?;
    ensure!(sent.success(), "cannot end process {pid}, which runs from {}", directory.path().display());
    let deadline = Instant::now() + STOP_TIMEOUT;
    while running(directory)?.is_some() {
        ensure!(
            Instant::now() < deadline,
            "process {pid} does not end; it runs from {}",
            directory.path().display()
        );
        std::thread::sleep(POLL);
    }
    Ok(true)
}

pub(super) fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().rev().take(LAST_WORDS).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
