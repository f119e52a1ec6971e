//! A role's directory: its file, its keys, its data.

use hum_consensus::PrivateKey;
use hum_types::B256;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyName {
    /// ed25519: identity on the network, vote in consensus.
    Network,
    /// BN254: attestations.
    Bls,
    /// secp256k1: claims and retractions.
    Sequencer,
    /// secp256k1: the account that pays for deliveries.
    Account,
    /// Opens the sequencer's desk to its publisher.
    Desk,
}

impl KeyName {
    const fn file(self) -> &'static str {
        match self {
            Self::Network => "network.key",
            Self::Bls => "bls.key",
            Self::Sequencer => "sequencer.key",
            Self::Account => "account.key",
            Self::Desk => "desk.key",
        }
    }
}

/// Why a role's directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The role's file does not parse.
    #[error("{path} is no role file: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A key file does not hold 32 bytes in hex.
    #[error("{path} does not hold a secret of 32 bytes in hex")]
    Secret {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version.
    #[error("{path} has version {found}, this binary reads {expected}")]
    Version {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: u32,
        /// What this binary reads.
        expected: u32,
    },
}

/// ```text
/// DIR/role.json      what the role is told
/// DIR/keys/*.key     secrets: 32 bytes in hex, readable by the owner only
/// DIR/data/          what it keeps
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDirectory(PathBuf);

impl RoleDirectory {
    /// The directory at `path`; nothing is touched yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the runtime keeps its files.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Where the role's file is.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.0.join("role.json")
    }

    fn key_path(&self, name: KeyName) -> PathBuf {
        self.0.join("keys").join(name.file())
    }

    /// Read the role's file.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, DirectoryError> {
        let path = self.file();
        let text =
            fs::read_to_string(&path).map_err(|source| DirectoryError::Io { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|source| DirectoryError::Json { path, source })
    }

    /// Write the role's file, making the directory where it is missing.
    pub fn write<T: Serialize>(&self, role: &T) -> Result<(), DirectoryError> {
        for path in [self.0.clone(), self.0.join("keys"), self.data()] {
            fs::create_dir_all(&path).map_err(|source| DirectoryError::Io { path, source })?;
        }
        let path = self.file();
        let json = serde_json::to_vec_pretty(role)
            .map_err(|source| DirectoryError::Json { path: path.clone(), source })?;
        fs::write(&path, json).map_err(|source| DirectoryError::Io { path, source })
    }

    /// Read a secret.
    pub fn read_key(&self, name: KeyName) -> Result<B256, DirectoryError> {
        let path = self.key_path(name);
        let text =
            fs::read_to_string(&path).map_err(|source| DirectoryError::Io { path: path.clone(), source })?;
        text.trim().parse().map_err(|_| DirectoryError::Secret { path })
    }

    /// Write a secret that only the owner can read. Never overwrites one.
    pub fn write_key(&self, name: KeyName, secret: B256) -> Result<(), DirectoryError> {
        let path = self.key_path(name);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(format!("{secret}\n").as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| DirectoryError::Io { path, source })
    }

    /// The identity on the network.
    pub fn network_key(&self) -> Result<PrivateKey, DirectoryError> {
        use commonware_codec::DecodeExt as _;
        let secret = self.read_key(KeyName::Network)?;
        PrivateKey::decode(bytes::Bytes::copy_from_slice(secret.as_slice()))
            .map_err(|_| DirectoryError::Secret { path: self.key_path(KeyName::Network) })
    }
}
