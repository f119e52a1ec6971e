//! Secrets in the standard encrypted form: Web3 Secret Storage, version 3.
//!
//! The same form for every secret of 32 bytes, whatever its curve. Files that other tools wrote are read with scrypt or
//! PBKDF2; we write scrypt. Parameters are bounded before they are used: a file cannot ask for all memory.

use alloy_primitives::{B256, hex, keccak256};
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128>;

/// Memory that scrypt may take, in bytes: four times what the standard cost needs.
const SCRYPT_BYTES_MAX: u64 = 1 << 30;
/// Scrypt's `p`, and rounds of PBKDF2, that a file may ask for.
const SCRYPT_P_MAX: u32 = 64;
const PBKDF2_ROUNDS_MAX: u32 = 16_777_216;
/// Bytes of the derived key: half of the first 32 encrypts, half authenticates.
const DERIVED_BYTES: usize = 32;

/// What opens keystores. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// As typed.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether nothing was typed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// How much work a guess of the password costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KdfCost {
    /// 256 MiB and about a second: scrypt with `n` = 2¹⁸, as other Ethereum tools do.
    #[default]
    Standard,
    /// 4 MiB and milliseconds, for throw-away keys: scrypt with `n` = 2¹².
    Light,
}

/// Why a keystore does not give its secret.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// Not the JSON of a keystore.
    #[error("no keystore: {0}")]
    Json(#[from] serde_json::Error),
    /// A version other than 3.
    #[error("keystore has version {found}, only 3 is known")]
    Version {
        /// In the file.
        found: u32,
    },
    /// A cipher or a pseudo-random function other than the standard's.
    #[error("keystore uses {found}, only {expected} is known")]
    Algorithm {
        /// In the file.
        found: String,
        /// What is known.
        expected: &'static str,
    },
    /// A parameter that no honest keystore has.
    #[error("keystore's {field} is {found}, {expected} expected")]
    Parameter {
        /// Which.
        field: &'static str,
        /// In the file.
        found: u64,
        /// What may be there.
        expected: &'static str,
    },
    /// The password is another one, or the file was changed.
    #[error("wrong password, or a damaged keystore")]
    Password,
    /// What came out does not belong to the public key in the file.
    #[error("keystore declares public key {declared}, its secret has {computed}")]
    Public {
        /// In the file.
        declared: String,
        /// Of the secret.
        computed: String,
    },
}

/// A keystore file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keystore {
    /// The account's address in hex, for secp256k1 keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The public key in hex, for other keys: an addition of ours that other tools ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
    #[serde(default)]
    id: String,
    /// BLS keys as EigenLayer's tools write them have none.
    #[serde(default = "version_3")]
    version: u32,
}

const fn version_3() -> u32 {
    3
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: HexBytes,
    #[serde(flatten)]
    kdf: Kdf,
    mac: HexBytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CipherParams {
    iv: HexBytes,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Kdf {
    Scrypt { dklen: u32, n: u64, p: u32, r: u32, salt: HexBytes },
    Pbkdf2 { c: u32, dklen: u32, prf: String, salt: HexBytes },
}

/// Hex without prefix, as the standard writes it; a prefix is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HexBytes(Vec<u8>);

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Keystore {
    /// Read a keystore's JSON.
    pub fn parse(json: &[u8]) -> Result<Self, KeystoreError> {
        let keystore: Self = serde_json::from_slice(json)?;
        if keystore.version == 3 {
            Ok(keystore)
        } else {
            Err(KeystoreError::Version { found: keystore.version })
        }
    }

    /// Encrypt `secret`.
    pub fn encrypt(secret: B256, password: &Password, cost: KdfCost) -> Result<Self, KeystoreError> {
        let salt: [u8; 32] = rand::random();
        let n = match cost {
            KdfCost::Standard => 1 << 18,
            KdfCost::Light => 1 << 12,
        };
        let kdf = Kdf::Scrypt { dklen: 32, n, p: 1, r: 8, salt: HexBytes(salt.to_vec()) };
        let derived = kdf.derive(password)?;
        let iv: [u8; 16] = rand::random();
        let mut ciphertext = secret.to_vec();
        apply_cipher(&derived, &iv, &mut ciphertext);
        let mac = HexBytes(mac(&derived, &ciphertext).to_vec());
        let cipherparams = CipherParams { iv: HexBytes(iv.to_vec()) };
        let crypto = Crypto {
            cipher: "aes-128-ctr".to_owned(),
            cipherparams,
            ciphertext: HexBytes(ciphertext),
            kdf,
            mac,
        };
        Ok(Self { address: None, public_key: None, crypto, id: uuid_v4(rand::random()), version: 3 })
    }

    /// The secret.
    pub fn decrypt(&self, password: &Password) -> Result<B256, KeystoreError> {
        let Crypto { cipher, cipherparams, ciphertext, kdf, mac: declared } = &self.crypto;
        if cipher != "aes-128-ctr" {
            return Err(KeystoreError::Algorithm { found: cipher.clone(), expected: "aes-128-ctr" });
        }
        let length = |field, bytes: &HexBytes, expected| KeystoreError::Parameter {
            field,
            found: bytes.0.len() as u64,
            expected,
        };
        let iv: [u8; 16] = cipherparams
            .iv
            .0
            .as_slice()
            .try_into()
            .map_err(|_| length("iv length", &cipherparams.iv, "16 bytes"))?;
        let mut secret: [u8; 32] = ciphertext
            .0
            .as_slice()
            .try_into()
            .map_err(|_| length("secret's length", ciphertext, "32 bytes"))?;
        let derived = kdf.derive(password)?;
        if declared.0 != mac(&derived, &secret).as_slice() {
            return Err(KeystoreError::Password);
        }
        apply_cipher(&derived, &iv, &mut secret);
        Ok(secret.into())
    }
}

impl Kdf {
    fn derive(&self, password: &Password) -> Result<[u8; DERIVED_BYTES], KeystoreError> {
        let parameter = |field, found, expected| Err(KeystoreError::Parameter { field, found, expected });
        let mut derived = [0; DERIVED_BYTES];
        let (Self::Scrypt { dklen, .. } | Self::Pbkdf2 { dklen, .. }) = self;
        if *dklen != 32 {
            return parameter("dklen", u64::from(*dklen), "32");
        }
        match self {
            Self::Scrypt { n, p, r, salt, .. } => {
                let memory = n.checked_mul(u64::from(*r)).and_then(|blocks| blocks.checked_mul(128));
                if !n.is_power_of_two() || *n < 2 || memory.is_none_or(|bytes| bytes > SCRYPT_BYTES_MAX) {
                    return parameter("n", *n, "a power of two that needs at most 1 GiB");
                }
                if !(1..=SCRYPT_P_MAX).contains(p) {
                    return parameter("p", u64::from(*p), "1 to 64");
                }
                // A power of two below 2³⁰ has an exponent of one byte.
                let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
                let params = scrypt::Params::new(log_n, *r, *p);
                let done = params
                    .ok()
                    .map(|params| scrypt::scrypt(password.0.as_bytes(), &salt.0, &params, &mut derived));
                if !matches!(done, Some(Ok(()))) {
                    return parameter("r", u64::from(*r), "one that goes with n and p");
                }
            }
            Self::Pbkdf2 { c, prf, salt, .. } => {
                if prf != "hmac-sha256" {
                    return Err(KeystoreError::Algorithm { found: prf.clone(), expected: "hmac-sha256" });
                }
                if !(1..=PBKDF2_ROUNDS_MAX).contains(c) {
                    return parameter("c", u64::from(*c), "1 to 16777216");
                }
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.0.as_bytes(), &salt.0, *c, &mut derived);
            }
        }
        Ok(derived)
    }
}

fn apply_cipher(derived: &[u8; DERIVED_BYTES], iv: &[u8; 16], bytes: &mut [u8]) {
    let mut key = [0; 16];
    key.copy_from_slice(&derived[..16]);
    Aes128Ctr::new(&key.into(), iv.into()).apply_keystream(bytes);
}

fn mac(derived: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> B256 {
    keccak256([&derived[16..], ciphertext].concat())
}

/// A random UUID (RFC 9562, version 4) from random bytes.
fn uuid_v4(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let text = hex::encode(random);
    let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests;
