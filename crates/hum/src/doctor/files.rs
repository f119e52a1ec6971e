//! The role's file, the network file, the secrets.

use super::finding::Finding;
use crate::operator::site::id_of_public;
use hum_bls::OperatorId;
use hum_node::config::{
    DirectoryError, KeyForm, KeyName, KeystoreError, NETWORK_VERSION, NetworkError, NetworkFile,
    OperatorConfig, PublisherConfig, RelayerConfig, RoleDirectory, WatcherConfig,
};
use hum_types::{Address, B256};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What is common to the files of all roles.
#[derive(Debug, Clone)]
pub(super) struct RoleFile {
    pub(super) role: &'static str,
    network: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) api: SocketAddr,
    /// An operator's own.
    pub(super) operator: Option<OperatorConfig>,
    /// Secrets that it needs.
    needs: Vec<KeyName>,
}

/// What the files say, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) role: Option<RoleFile>,
    pub(super) network: Option<NetworkFile>,
    /// The operator's account on L1.
    pub(super) account: Option<Address>,
    /// Hash of its BLS key.
    pub(super) id: Option<OperatorId>,
    /// Its ed25519 key.
    pub(super) network_key: Option<B256>,
}

impl Files {
    pub(super) fn read(directory: &RoleDirectory, findings: &mut Vec<Finding>) -> Self {
        let role = match role_file(directory) {
            Ok(role) => {
                findings.push(Finding::good(
                    "role file",
                    format!("{} of role {}", directory.file().display(), role.role),
                ));
                role
            }
            Err(error) => {
                let next = match &error {
                    DirectoryError::Version { .. } => {
                        "use the binary that wrote it, or write it anew with `hum operator init`"
                    }
                    DirectoryError::Io { .. } => {
                        "name the role's directory with --dir, or make one with `hum operator init`"
                    }
                    _ => "mend the file; its fields are described in docs/operating.md",
                };
                findings.push(Finding::fault("role file", "role-file", error.to_string(), next));
                return Self::default();
            }
        };
        let network = network_file(&role.network, findings);
        let mut files = Self { network, ..Self::default() };
        for name in &role.needs {
            files.secret(directory, *name, findings);
        }
        if role.operator.is_some() {
            files.operators_account(directory, findings);
        }
        files.role = Some(role);
        files
    }

    fn secret(&mut self, directory: &RoleDirectory, name: KeyName, findings: &mut Vec<Finding>) {
        const CHECK: &str = "secrets";
        match directory.form_of(name) {
            Ok(Some(_)) => {}
            Ok(None) => {
                let path = directory.key_path(name, KeyForm::Plain);
                let dir = directory.path().display();
                findings.push(Finding::fault(
                    CHECK,
                    "key-missing",
                    format!("neither {} nor the same with .json is there", path.display()),
                    format!(
                        "bring it back from your copy, or make it: hum operator keys new --dir {dir} {}",
                        name.stem()
                    ),
                ));
                return;
            }
            Err(error) => {
                findings.push(Finding::fault(
                    CHECK,
                    "key-twice",
                    error.to_string(),
                    "keep the one that counts",
                ));
                return;
            }
        }
        let unusable = match directory.read_key(name) {
            Ok(secret) if name.public_of(secret).is_some() => None,
            Ok(_) => {
                Some(("key-unreadable", format!("{} is no secret of its kind", name.stem()), String::new()))
            }
            Err(error) => Some(unreadable(&error)),
        };
        match unusable {
            None => findings.push(Finding::good(CHECK, format!("{} is there and private", name.stem()))),
            Some(("locked", what, _)) => {
                findings.push(Finding::note(
                    CHECK,
                    what,
                    "pass --password-file to have the password checked too",
                ));
            }
            Some((fault, what, next)) => {
                let next =
                    if next.is_empty() { "bring the right one back from your copy".to_owned() } else { next };
                findings.push(Finding::fault(CHECK, fault, what, next));
            }
        }
        let public = directory.public_of(name).ok().flatten();
        match (name, public) {
            (KeyName::Bls, Some(public)) => self.id = id_of_public(&public),
            (KeyName::Network, Some(public)) => self.network_key = public.parse().ok(),
            _ => {}
        }
    }

    /// The account need not be on the machine that runs the role.
    fn operators_account(&mut self, directory: &RoleDirectory, findings: &mut Vec<Finding>) {
        let listed = self
            .network
            .as_ref()
            .and_then(|network| network.operators.iter().find(|operator| Some(operator.id) == self.id));
        let listed = listed.map(|operator| operator.operator);
        match directory.form_of(KeyName::Account) {
            Ok(None) => {
                self.account = listed;
                findings.push(Finding::note(
                    "secrets",
                    "the account's secret is not here; the operator runs without it",
                    "`hum operator register` and `exit` need it: hum operator keys import account FILE",
                ));
            }
            _ => {
                self.secret(directory, KeyName::Account, findings);
                let public = directory.public_of(KeyName::Account).ok().flatten();
                self.account = public.and_then(|public| public.parse().ok()).or(listed);
            }
        }
    }
}

fn unreadable(error: &DirectoryError) -> (&'static str, String, String) {
    let what = error.to_string();
    match error {
        DirectoryError::Exposed { path, .. } => {
            ("key-exposed", what, format!("chmod 600 {}", path.display()))
        }
        DirectoryError::Locked { path } => {
            ("locked", format!("{} is encrypted", path.display()), String::new())
        }
        DirectoryError::Keystore { source: KeystoreError::Password, .. } => {
            ("key-password", what, "give the password that it was made with".to_owned())
        }
        _ => ("key-unreadable", what, String::new()),
    }
}

fn role_file(directory: &RoleDirectory) -> Result<RoleFile, DirectoryError> {
    // Each role's file has fields that the others refuse; an operator's error is the one to tell.
    let error = match OperatorConfig::load(directory) {
        Ok(config) => {
            return Ok(RoleFile {
                role: "operator",
                network: config.network.clone(),
                listen: config.listen,
                api: config.api,
                operator: Some(config),
                needs: vec![KeyName::Network, KeyName::Bls],
            });
        }
        Err(error) => error,
    };
    if let Ok(config) = PublisherConfig::load(directory) {
        let signer = if config.sequencer.is_some() { KeyName::Desk } else { KeyName::Sequencer };
        let PublisherConfig { network, listen, api, .. } = config;
        let mut needs = vec![KeyName::Network, signer];
        needs.extend(config.batcher.is_some().then_some(KeyName::Batcher));
        return Ok(RoleFile { role: "publisher", network, listen, api, operator: None, needs });
    }
    if let Ok(RelayerConfig { network, listen, api, .. }) = RelayerConfig::load(directory) {
        let needs = vec![KeyName::Network, KeyName::Account];
        return Ok(RoleFile { role: "relayer", network, listen, api, operator: None, needs });
    }
    if let Ok(WatcherConfig { network, listen, api, .. }) = WatcherConfig::load(directory) {
        let needs = vec![KeyName::Network, KeyName::Account];
        return Ok(RoleFile { role: "watcher", network, listen, api, operator: None, needs });
    }
    Err(error)
}

fn network_file(path: &Path, findings: &mut Vec<Finding>) -> Option<NetworkFile> {
    const CHECK: &str = "network file";
    if let Err(error) = NetworkFile::load(path) {
        let finding = if matches!(error, NetworkError::Version { .. }) {
            Finding::fault(
                CHECK,
                "network-version",
                format!("{}: {error}; this binary reads {NETWORK_VERSION}", path.display()),
                "use the binary that the network runs, or fetch the network's present file",
            )
        } else {
            Finding::fault(
                CHECK,
                "network-file",
                error.to_string(),
                format!("fetch the network's file again and put it at {}", path.display()),
            )
        };
        findings.push(finding);
        return None;
    }
    // Checked above; what follows needs it as it is written.
    let file: NetworkFile = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    findings.push(Finding::good(CHECK, format!("{} of network {}", path.display(), file.name)));
    Some(file)
}
