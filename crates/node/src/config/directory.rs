//! A role's directory: its file, its keys, its data.

use super::keystore::{KdfCost, Keystore, KeystoreError, Password};
use hum_consensus::{PrivateKey, Signer as _};
use hum_types::{Address, B256, Encode as _, SequencerKey};
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
    /// secp256k1: the account that pays: a relayer's for deliveries, an operator's own account on L1.
    Account,
    /// Opens the sequencer's desk to its publisher.
    Desk,
    /// secp256k1: the account on L1 that posts a rollup's batches.
    Batcher,
}

impl KeyName {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Network, Self::Bls, Self::Sequencer, Self::Account, Self::Desk, Self::Batcher];

    /// Its file's name without the ending.
    #[must_use]
    pub const fn stem(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Bls => "bls",
            Self::Sequencer => "sequencer",
            Self::Account => "account",
            Self::Desk => "desk",
            Self::Batcher => "batcher",
        }
    }

    /// What may be told of a secret: an address for secp256k1, the public key otherwise, nothing for a token. `None`
    /// when it is no secret of this kind.
    #[must_use]
    pub fn public_of(self, secret: B256) -> Option<String> {
        match self {
            Self::Network => network_key(secret).map(|key| key.public_key().to_string()),
            Self::Bls => {
                let key = hum_bls::SecretKey::from_secret(secret).ok()?;
                Some(alloy_primitives::hex::encode_prefixed(key.public_key().g1().encode()))
            }
            Self::Sequencer | Self::Account | Self::Batcher => {
                Some(SequencerKey::from_secret(secret)?.address().to_string())
            }
            Self::Desk => Some(String::new()),
        }
    }

    /// A new secret of this kind, from the system's randomness.
    #[must_use]
    pub fn random(self) -> B256 {
        loop {
            let secret = B256::from(rand::random::<[u8; 32]>());
            // A fifth of all 32 bytes are below the order of the smallest group.
            if self.public_of(secret).is_some() {
                return secret;
            }
        }
    }

    const fn is_account(self) -> bool {
        matches!(self, Self::Sequencer | Self::Account | Self::Batcher)
    }
}

fn network_key(secret: B256) -> Option<PrivateKey> {
    use commonware_codec::DecodeExt as _;
    PrivateKey::decode(bytes::Bytes::copy_from_slice(secret.as_slice())).ok()
}

/// How a secret is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// 32 bytes in hex.
    Plain,
    /// A keystore, which a password opens.
    Encrypted,
}

impl KeyForm {
    const fn ending(self) -> &'static str {
        match self {
            Self::Plain => "key",
            Self::Encrypted => "json",
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
    /// Others can read a secret.
    #[error("{path} can be read by others (mode {mode:o}); make it yours alone: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A secret is there twice, and nobody says which one counts.
    #[error("{plain} and {encrypted} both exist; remove the one that does not count")]
    Twice {
        /// In hex.
        plain: PathBuf,
        /// As a keystore.
        encrypted: PathBuf,
    },
    /// A keystore, and no password.
    #[error(
        "{path} is encrypted and no password was given; pass --password-file, or start it from a terminal"
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A keystore does not open.
    #[error("{path}: {source}")]
    Keystore {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeystoreError,
    },
    /// Another process runs from the directory.
    #[error(
        "{path} is held by {holder}; two processes with the same keys could sign two things: stop that one first"
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as far as it says.
        holder: String,
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
/// DIR/role.json       what the role is told
/// DIR/keys/NAME.key   a secret: 32 bytes in hex, readable by the owner only
/// DIR/keys/NAME.json  or the same, encrypted
/// DIR/data/           what it keeps
/// DIR/lock            held by the process that runs from here
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDirectory {
    path: PathBuf,
    password: Option<Password>,
}

/// Held for as long as a process runs from a directory; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: fs::File,
}

impl RoleDirectory {
    /// The directory at `path`; nothing is touched yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), password: None }
    }

    /// The same, opening keystores with `password`.
    #[must_use]
    pub fn unlock(self, password: Password) -> Self {
        Self { password: Some(password), ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the runtime keeps its files.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where the role's file is.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.path.join("role.json")
    }

    /// Where a secret is, or would be.
    #[must_use]
    pub fn key_path(&self, name: KeyName, form: KeyForm) -> PathBuf {
        self.path.join("keys").join(format!("{}.{}", name.stem(), form.ending()))
    }

    /// Take the directory for this process; nobody else can until the lock is dropped.
    pub fn lock(&self) -> Result<DirectoryLock, DirectoryError> {
        let path = self.path.join("lock");
        let failed = |source| DirectoryError::Io { path: path.clone(), source };
        let mut options = fs::OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                let read = std::io::Read::read_to_string(&mut std::io::Read::take(&mut file, 32), &mut text);
                let pid = read.ok().and_then(|_| text.trim().parse::<u32>().ok());
                let holder = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
                return Err(DirectoryError::Held { path: self.path.clone(), holder });
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Only for people: who holds it.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(DirectoryLock { _file: file })
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
        for path in [self.path.clone(), self.path.join("keys"), self.data()] {
            fs::create_dir_all(&path).map_err(|source| DirectoryError::Io { path, source })?;
        }
        let path = self.file();
        let json = serde_json::to_vec_pretty(role)
            .map_err(|source| DirectoryError::Json { path: path.clone(), source })?;
        fs::write(&path, json).map_err(|source| DirectoryError::Io { path, source })
    }

    /// How a secret is kept here; `None` when it is not.
    pub fn form_of(&self, name: KeyName) -> Result<Option<KeyForm>, DirectoryError> {
        let [plain, encrypted] = [KeyForm::Plain, KeyForm::Encrypted].map(|form| self.key_path(name, form));
        match (plain.exists(), encrypted.exists()) {
            (true, true) => Err(DirectoryError::Twice { plain, encrypted }),
            (true, false) => Ok(Some(KeyForm::Plain)),
            (false, true) => Ok(Some(KeyForm::Encrypted)),
            (false, false) => Ok(None),
        }
    }

    /// Whether some secret here needs a password.
    pub fn needs_password(&self) -> Result<bool, DirectoryError> {
        for name in KeyName::ALL {
            if self.form_of(name)? == Some(KeyForm::Encrypted) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Read a secret. Refused when others can read its file.
    pub fn read_key(&self, name: KeyName) -> Result<B256, DirectoryError> {
        let form = self.form_of(name)?.unwrap_or(KeyForm::Plain);
        let path = self.key_path(name, form);
        let bytes = read_private(&path)?;
        match form {
            KeyForm::Plain => {
                let text = std::str::from_utf8(&bytes).map(str::trim);
                let secret = text.ok().and_then(|text| text.parse().ok());
                secret.ok_or(DirectoryError::Secret { path })
            }
            KeyForm::Encrypted => {
                let password =
                    self.password.as_ref().ok_or_else(|| DirectoryError::Locked { path: path.clone() })?;
                open_keystore(name, &bytes, password)
                    .map_err(|source| DirectoryError::Keystore { path, source })
            }
        }
    }

    /// What a keystore says of its secret without a password, or what a plain secret has.
    pub fn public_of(&self, name: KeyName) -> Result<Option<String>, DirectoryError> {
        let path = self.key_path(name, KeyForm::Encrypted);
        if self.form_of(name)? != Some(KeyForm::Encrypted) {
            return Ok(name.public_of(self.read_key(name)?));
        }
        let keystore = Keystore::parse(&read_private(&path)?)
            .map_err(|source| DirectoryError::Keystore { path, source })?;
        // The standard writes addresses without prefix and checksum.
        let address = keystore.address.map(|text| match text.parse::<Address>() {
            Ok(address) => address.to_string(),
            Err(_) => text,
        });
        Ok(address.or(keystore.public_key))
    }

    /// Write a secret that only the owner can read. Never overwrites one.
    pub fn write_key(&self, name: KeyName, secret: B256) -> Result<(), DirectoryError> {
        self.write_private(name, KeyForm::Plain, format!("{secret}\n").as_bytes())
    }

    /// Write a secret, encrypted. Never overwrites one.
    pub fn write_keystore(
        &self,
        name: KeyName,
        secret: B256,
        password: &Password,
        cost: KdfCost,
    ) -> Result<(), DirectoryError> {
        let path = self.key_path(name, KeyForm::Encrypted);
        let public = name.public_of(secret).ok_or_else(|| DirectoryError::Secret { path: path.clone() })?;
        let mut keystore = Keystore::encrypt(secret, password, cost)
            .map_err(|source| DirectoryError::Keystore { path: path.clone(), source })?;
        if name.is_account() {
            keystore.address = Some(public.trim_start_matches("0x").to_lowercase());
        } else if name != KeyName::Desk {
            keystore.public_key = Some(public);
        }
        let json =
            serde_json::to_vec_pretty(&keystore).map_err(|source| DirectoryError::Json { path, source })?;
        self.write_private(name, KeyForm::Encrypted, &json)
    }

    fn write_private(&self, name: KeyName, form: KeyForm, bytes: &[u8]) -> Result<(), DirectoryError> {
        let path = self.key_path(name, form);
        let failed = |path: &Path, source| DirectoryError::Io { path: path.to_owned(), source };
        if let Some(found) = self.form_of(name)? {
            let path = self.key_path(name, found);
            return Err(failed(&path, std::io::ErrorKind::AlreadyExists.into()));
        }
        let keys = self.path.join("keys");
        fs::create_dir_all(&keys).map_err(|source| failed(&keys, source))?;
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|source| failed(&path, source))
    }

    /// The identity on the network.
    pub fn network_key(&self) -> Result<PrivateKey, DirectoryError> {
        let secret = self.read_key(KeyName::Network)?;
        network_key(secret)
            .ok_or_else(|| DirectoryError::Secret { path: self.key_path(KeyName::Network, KeyForm::Plain) })
    }
}

/// A secret's bytes: refused when others can read the file.
fn read_private(path: &Path) -> Result<Vec<u8>, DirectoryError> {
    let failed = |source| DirectoryError::Io { path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(failed)?;
    #[cfg(unix)]
    {
        let permissions = file.metadata().map_err(failed)?.permissions();
        let mode = std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777;
        if mode & 0o077 != 0 {
            return Err(DirectoryError::Exposed { path: path.to_owned(), mode });
        }
    }
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// The password in a file: its text up to the end of the first line. Refused when others can read the file.
pub fn read_password(path: &Path) -> Result<Password, DirectoryError> {
    let bytes = read_private(path)?;
    let text = String::from_utf8(bytes).map_err(|_| DirectoryError::Io {
        path: path.to_owned(),
        source: std::io::Error::new(std::io::ErrorKind::InvalidData, "a password is UTF-8 text"),
    })?;
    Ok(Password::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn open_keystore(name: KeyName, json: &[u8], password: &Password) -> Result<B256, KeystoreError> {
    let keystore = Keystore::parse(json)?;
    let secret = keystore.decrypt(password)?;
    let computed = name.public_of(secret).unwrap_or_default();
    let bare = |text: &str| text.trim_start_matches("0x").to_lowercase();
    match keystore.address.or(keystore.public_key) {
        Some(declared) if bare(&declared) != bare(&computed) => {
            Err(KeystoreError::Public { declared, computed })
        }
        _ => Ok(secret),
    }
}
