//! Whether another process runs under our key.
//!
//! Peers keep the first session of a key, so a second process reaches few of them or none. Every process draws a number
//! when it starts. Peers pass numbers on; a process that hears its key called with a number that is not its own signs
//! *"I am here too, since so long, and I have heard of you"*. Only the key's holder can sign that, and only while the
//! other process runs, because nobody knew its number before. So no peer can stop a process with a lie, and no lingering
//! connection of a process that has ended can either. Of two, the one that has been up for less time stops.

use crate::{PrivateKey, PublicKey, Signer as _};
use bytes::Bytes;
use commonware_codec::{Buf, Encode as _, Error, FixedSize, Read, ReadExt as _, Write};
use commonware_cryptography::{Verifier as _, ed25519::Signature};
use commonware_runtime::BufMut;
use std::time::Duration;

/// Two that have been up for as long, give or take this, are told apart by their numbers.
const SAME_AGE: Duration = Duration::from_secs(2);

/// *"I run under this key, and have heard of that other process."*
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alive {
    pub(super) key: PublicKey,
    /// Who says so.
    pub(super) instance: u64,
    /// For how long it has run, in milliseconds.
    pub(super) up_ms: u64,
    /// Whom it has heard of.
    pub(super) other: u64,
    signature: Signature,
}

impl Alive {
    pub(super) fn sign(namespace: &[u8], key: &PrivateKey, instance: u64, up: Duration, other: u64) -> Self {
        let up_ms = u64::try_from(up.as_millis()).unwrap_or(u64::MAX);
        let signature = key.sign(namespace, &statement(instance, up_ms, other));
        Self { key: key.public_key(), instance, up_ms, other, signature }
    }

    pub(super) fn verify(&self, namespace: &[u8]) -> bool {
        self.key.verify(namespace, &statement(self.instance, self.up_ms, self.other), &self.signature)
    }

    pub(super) fn up(&self) -> Duration {
        Duration::from_millis(self.up_ms)
    }

    /// Whether the process that says so goes before one of the same key with this number and age.
    pub(super) fn precedes(&self, instance: u64, up: Duration) -> bool {
        if self.up().abs_diff(up) > SAME_AGE { self.up() > up } else { self.instance < instance }
    }
}

fn statement(instance: u64, up_ms: u64, other: u64) -> Bytes {
    (instance, up_ms, other).encode()
}

impl Write for Alive {
    fn write(&self, out: &mut impl BufMut) {
        self.key.write(out);
        self.instance.write(out);
        self.up_ms.write(out);
        self.other.write(out);
        self.signature.write(out);
    }
}

impl FixedSize for Alive {
    const SIZE: usize = PublicKey::SIZE + 3 * u64::SIZE + Signature::SIZE;
}

impl Read for Alive {
    type Cfg = ();

    fn read_cfg(reader: &mut impl Buf, _: &()) -> Result<Self, Error> {
        Ok(Self {
            key: PublicKey::read(reader)?,
            instance: u64::read(reader)?,
            up_ms: u64::read(reader)?,
            other: u64::read(reader)?,
            signature: Signature::read(reader)?,
        })
    }
}
