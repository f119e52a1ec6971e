//! The process of a launched rollup's own node.

use super::{
    home::{Home, HomeFile},
    roles::{self, Ports, command_of, last_words, running},
};
use eyre::{bail, ensure};
use hum_chain::{
    Chain as _,
    rpc::{RpcChain, RpcLimits},
};
use hum_node::config::{PublisherConfig, RoleDirectory};
use hum_types::{ChainId, Confidence};
use std::{
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

/// How long it may take to come back: it executes every block that it made.
const START_TIMEOUT: Duration = Duration::from_secs(600);
/// How long its first block may take.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);

/// `hum sequencer`, running.
pub(super) struct SequencerProcess {
    /// What was found or started.
    pub(super) line: String,
    /// Where it ends with this process.
    child: Option<Child>,
}

impl SequencerProcess {
    /// Start it where it does not run: in a process that goes on without this one, or as its child.
    pub(super) fn begin(
        directory: &RoleDirectory,
        api: SocketAddr,
        password_file: Option<&Path>,
        foreground: bool,
    ) -> eyre::Result<Self> {
        if let Some(pid) = running(directory)? {
            return Ok(Self { line: format!("sequencer runs already, process {pid}"), child: None });
        }
        let log = directory.path().join("log");
        let mut process = command_of("sequencer", directory, password_file, &log)?;
        if foreground {
            process.arg("--until-stdin-closes").stdin(Stdio::piped());
        } else {
            // Ctrl-C at the terminal that started it is not meant for it.
            process.stdin(Stdio::null()).process_group(0);
        }
        let mut child = process.spawn()?;
        let deadline = Instant::now() + START_TIMEOUT;
        // Not by its lock: asking for that could take it away from the process that starts.
        while TcpStream::connect(api).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("the sequencer ended ({status}):\n{}", last_words(&log));
            }
            ensure!(
                Instant::now() < deadline,
                "the sequencer does not answer at {api}; see {}",
                log.display()
            );
            std::thread::sleep(POLL);
        }
        let line = format!("sequencer runs, process {}; log {}", child.id(), log.display());
        Ok(Self { line, child: foreground.then_some(child) })
    }

    /// End it, where it ends with this process.
    pub(super) fn end(self) {
        let Some(mut child) = self.child else { return };
        // It ends when its standard input closes.
        drop(child.stdin.take());
        let deadline = Instant::now() + STOP_TIMEOUT;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
    }
}

/// Wait until the rollup has a block above its genesis.
pub(super) async fn first_block(rpc: &str, chain_id: ChainId) -> eyre::Result<()> {
    let node = RpcChain::new(rpc, chain_id, RpcLimits::default())?;
    let deadline = Instant::now() + BLOCK_TIMEOUT;
    while node.head(Confidence::Latest).await?.number == 0 {
        ensure!(
            Instant::now() < deadline,
            "no block in {} s; the sequencer's log says why",
            BLOCK_TIMEOUT.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Write the files of publisher and relayer; the publisher has its claims signed at the sequencer's desk.
pub(super) fn write_roles(home: &Home, file: &HomeFile, ports: [Ports; 2], desk: String) -> eyre::Result<()> {
    for directory in [home.publisher(), home.relayer()] {
        // Left by a launch that decided nothing in the end.
        match std::fs::remove_file(directory.file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    roles::write(home, file, ports, true)?;
    let publisher = PublisherConfig::load(&home.publisher())?;
    Ok(home.publisher().write(&PublisherConfig { sequencer: Some(desk), ..publisher })?)
}
