//! Operators who come and go while the network runs, by the same commands as anywhere.

use super::{LocalNetwork, NetworkError, Process, lay_out::Ports};
use crate::restaking::STAKE_TOKENS;
use hum_node::config::{KeyName, OperatorConfig, ROLE_VERSION, RoleDirectory};
use hum_types::Address;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// How long a command about an operator may take: a handful of L1 blocks for each of its transactions.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(90);

/// An operator of the local network, from its start or joined later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalOperator {
    /// Its process and its directory.
    pub name: String,
    /// Its account on L1.
    pub operator: Address,
    /// URL of its HTTP API.
    pub api: String,
}

impl LocalNetwork {
    /// Everyone who is or was an operator here, in the order in which they came.
    #[must_use]
    pub fn operators(&self) -> &[LocalOperator] {
        &self.operators
    }

    /// Let one more operator in: its directory, `hum operator register`, its process. It gets a seat with the next snapshot.
    pub async fn add_operator(&mut self) -> Result<LocalOperator, NetworkError> {
        let index = self.operators.len();
        if index >= self.accounts {
            let (what, least) = ("the number of operators who ever joined", 1);
            return Err(NetworkError::Count { what, found: index + 1, least, most: self.accounts });
        }
        let mut ports = Ports::default();
        let seat = ports.seat(self.secrets, "operator-key", index)?;
        let name = format!("operator-{index}");
        let directory = RoleDirectory::new(self.dir.join(&name));
        directory.write(&OperatorConfig {
            version: ROLE_VERSION,
            network: std::path::absolute(self.path())
                .map_err(|source| NetworkError::Io { what: "find the working directory".into(), source })?,
            listen: seat.address,
            endpoint: None,
            l1_rpc: Some(self.l1.rpc_url()),
            l1_beacon: Some(self.l1.beacon_url()),
            api: seat.api,
            nodes: Default::default(),
            threads: 2,
            private_addresses: true,
        })?;
        directory.write_key(KeyName::Network, seat.key)?;
        directory.write_key(KeyName::Bls, self.secrets.bls(index).expose_secret())?;
        directory.write_key(KeyName::Account, self.secrets.secret("operator", index))?;
        let operator = LocalOperator {
            operator: self.secrets.address("operator", index),
            api: format!("http://{}", seat.api),
            name,
        };
        // Even when registering fails, its account has been used.
        self.operators.push(operator.clone());
        self.about(directory.path(), &["register", "--wait", "--deposit", STAKE_TOKENS]).await?;
        ports.release();
        let dir = directory.path().display().to_string();
        let arguments = vec!["operator".to_owned(), "--dir".to_owned(), dir];
        let log = directory.path().join("log");
        let process = Process::start(operator.name.clone(), self.hum.clone(), arguments, log)
            .map_err(|source| NetworkError::Io { what: format!("start {}", operator.name), source })?;
        self.processes.push(process);
        Ok(operator)
    }

    /// Let an operator leave: `hum operator exit`, as far as it goes without waiting. Its process goes on: the committee that it
    /// sits in needs it until the next one has taken over.
    pub async fn retire_operator(&self, name: &str) -> Result<(), NetworkError> {
        self.about(&self.dir.join(name), &["exit"]).await
    }

    /// Stop a process for good.
    pub async fn dismiss(&mut self, name: &str) -> Result<(), NetworkError> {
        let Some(place) = self.processes.iter().position(|process| process.name() == name) else {
            return Ok(());
        };
        let mut process = self.processes.remove(place);
        process.stop().await.map_err(|source| NetworkError::Io { what: format!("stop {name}"), source })
    }

    /// A `hum operator` command on a directory.
    async fn about(&self, directory: &Path, arguments: &[&str]) -> Result<(), NetworkError> {
        let mut command = Command::new(&self.hum);
        command.arg("operator").args(arguments).arg("--dir").arg(directory);
        command.stdin(Stdio::null()).kill_on_drop(true);
        let failed = |said: String| NetworkError::Command { arguments: arguments.join(" "), said };
        let output = tokio::time::timeout(COMMAND_TIMEOUT, command.output())
            .await
            .map_err(|_| failed(format!("nothing for {} s", COMMAND_TIMEOUT.as_secs())))?
            .map_err(|source| NetworkError::Io { what: "run hum operator".into(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(failed(String::from_utf8_lossy(&said).trim().to_owned()))
    }
}
