//! Child processes that cannot outlive this one.
//!
//! A child is given a pipe as its standard input and told, by an argument, to stop when the pipe closes. The pipe
//! closes when this process ends, however it ends.

use std::{
    fs::{File, OpenOptions},
    io,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};

/// The argument that ties a role's life to its standard input.
pub const TIED_ARGUMENT: &str = "--until-stdin-closes";

/// How long a child may take to end well.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A role in a process of its own.
#[derive(Debug)]
pub struct Process {
    name: String,
    binary: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Start `binary arguments…`, with everything it prints appended to `log`.
    pub(crate) fn start(
        name: String,
        binary: PathBuf,
        arguments: Vec<String>,
        log: PathBuf,
    ) -> io::Result<Self> {
        let mut process = Self { name, binary, arguments, log, child: None };
        process.restart()?;
        Ok(process)
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its output goes.
    #[must_use]
    pub const fn log(&self) -> &PathBuf {
        &self.log
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Start it again after [`Self::kill`]; nothing happens while it runs.
    pub fn restart(&mut self) -> io::Result<()> {
        if self.exited()?.is_none() && self.child.is_some() {
            return Ok(());
        }
        let log: File = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.binary)
            .args(&self.arguments)
            .arg(TIED_ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.child.as_mut().map_or(Ok(None), Child::try_wait)
    }

    /// SIGKILL, and wait until it is gone.
    pub async fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Let it end by itself; SIGKILL when it does not within three seconds.
    pub(crate) async fn stop(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        drop(child.stdin.take());
        match tokio::time::timeout(STOP_TIMEOUT, child.wait()).await {
            Ok(status) => status.map(drop),
            Err(_) => child.kill().await,
        }
    }

    /// Its last lines, for an error message.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 5;
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(LINES).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
