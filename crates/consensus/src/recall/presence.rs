//! Whether another process runs under our key.
//!
//! Peers keep the first session of a key, so a second process reaches few of them or none. Every process draws a number
//! when it starts. Peers pass numbers on; a process that hears its key called with a number that is not its own signs
//! *"I am here too, since so long, and I have heard of you"*. Only the key's holder can sign that, and only while the
//! other process runs, because nobody knew its number before. So no peer can stop a process with a lie, and no lingering
//! connection of a process that has ended can either. Of two, the one that has been up for less time stops.

use super::{About, Message, Recall, Twin};
use crate::{PrivateKey, PublicKey, Recipients, Signer as _};
use bytes::Bytes;
use commonware_codec::{Buf, Encode as _, Error, FixedSize, Read, ReadExt as _, Write};
use commonware_cryptography::{Verifier as _, ed25519::Signature};
use commonware_runtime::BufMut;
use commonware_utils::channel::oneshot;
use std::{fmt, time::Duration};
use tracing::warn;

/// Other processes that it names each time, in turn.
const NAMED: usize = 8;
/// A peer that was silent for so long is not linked any more.
const LINK_LOST: Duration = Duration::from_secs(10);
/// Least time between two answers, or two calls passed on, about one key.
const PAUSE: Duration = Duration::from_millis(250);

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

impl Recall {
    pub(super) fn beat(&self) {
        let now = (self.0.now)();
        let named: Vec<(PublicKey, u64)> = {
            let mut state = self.0.state.lock();
            state.linked.retain(|_, (_, at)| now.duration_since(*at).is_ok_and(|since| since < LINK_LOST));
            state.busy.retain(|_, at| now.duration_since(*at).is_ok_and(|since| since < LINK_LOST));
            let (count, turn) = (state.linked.len(), state.turn);
            state.turn = turn.wrapping_add(NAMED);
            let first = turn.checked_rem(count).unwrap_or(0);
            let linked = state.linked.iter().cycle().skip(first).take(count.min(NAMED));
            linked.map(|(key, (instance, _))| (key.clone(), *instance)).collect()
        };
        self.send(Recipients::All, &Message::Call { key: self.0.me.clone(), instance: self.0.instance });
        for (key, instance) in named {
            self.send(Recipients::All, &Message::Call { key, instance });
        }
    }

    /// Who is at the other end; a process that was not there before is told to everybody.
    pub(super) fn link(&self, peer: &PublicKey, instance: u64) {
        let before = self.0.state.lock().linked.insert(peer.clone(), (instance, (self.0.now)()));
        if before.map(|(before, _)| before) != Some(instance) && self.pause(peer, About::NewLink) {
            self.send(Recipients::All, &Message::Call { key: peer.clone(), instance });
        }
    }

    /// Whether something may be done about a key now: a flood of calls must not become a larger one.
    pub(super) fn pause(&self, key: &PublicKey, about: About) -> bool {
        let now = (self.0.now)();
        let mut state = self.0.state.lock();
        let what = (key.clone(), about);
        let free =
            state.busy.get(&what).is_none_or(|at| now.duration_since(*at).is_ok_and(|since| since >= PAUSE));
        if free {
            state.busy.insert(what, now);
        }
        free
    }

    /// The sign that this process runs, for one that is not it.
    pub(super) fn alive(&self, other: u64) -> Option<Alive> {
        let me = &self.0.me;
        (other != self.0.instance && self.pause(me, About::Alive))
            .then(|| Alive::sign(&self.0.namespace, &self.0.key, self.0.instance, self.up(), other))
    }

    pub(super) fn another(&self, alive: Alive) {
        let (me, instance) = (&self.0.me, self.0.instance);
        if alive.key == *me && (alive.instance == instance || alive.other != instance) {
            return;
        }
        if !alive.verify(&self.0.namespace) {
            return;
        }
        if alive.key == *me {
            let precedes = alive.precedes(instance, self.up());
            let mut state = self.0.state.lock();
            if precedes {
                state.twin.get_or_insert(Twin { up: alive.up() });
                state.ring();
            } else if !std::mem::replace(&mut state.younger, true) {
                warn!(up_ms = alive.up_ms, "another process was started with this network key; it will stop");
            }
            return;
        }
        let linked = {
            let mut state = self.0.state.lock();
            let (answered, calls) = std::mem::take(&mut state.calls)
                .into_iter()
                .partition(|(key, other, _)| *key == alive.key && *other == alive.other);
            state.calls = calls;
            let answered: Vec<(PublicKey, u64, oneshot::Sender<Bytes>)> = answered;
            for (_, _, tell) in answered {
                let _ = tell.send(Message::Alive(alive.clone()).encode());
            }
            state.linked.get(&alive.key).map(|(instance, _)| *instance)
        };
        if linked == Some(alive.other) {
            self.send(Recipients::One(alive.key.clone()), &Message::Alive(alive));
        } else if self.pause(&alive.key, About::Alive) {
            self.send(Recipients::All, &Message::Alive(alive));
        }
    }
}

/// Who else runs under one key. Clones ask the same process.
#[derive(Clone)]
pub struct Presence(pub(crate) Recall);

impl Presence {
    /// This process' number, drawn when it started.
    pub fn instance(&self) -> u64 {
        self.0.0.instance
    }

    /// Whether no peer has said anything since the start.
    pub fn alone(&self) -> bool {
        !self.0.0.state.lock().heard
    }

    /// The other process, when one goes before this one: the engine has stopped then.
    pub fn twin(&self) -> Option<Twin> {
        self.0.0.state.lock().twin
    }

    /// Resolves with the sign of a process that runs under `key` and is not `instance`: for one that no peer lets in.
    /// May never resolve.
    pub async fn call(&self, key: PublicKey, instance: u64) -> Option<Bytes> {
        let recall = &self.0;
        if key == recall.0.me {
            return recall.alive(instance).map(|alive| Message::Alive(alive).encode());
        }
        let (tell, told) = oneshot::channel();
        {
            let mut state = recall.0.state.lock();
            state.calls.retain(|(.., waiting)| !waiting.is_closed());
            if state.calls.len() >= CALLS_MAX {
                return None;
            }
            state.calls.push((key.clone(), instance, tell));
        }
        let call = Message::Call { key: key.clone(), instance };
        recall.send(Recipients::One(key), &call);
        recall.send(Recipients::All, &call);
        told.await.ok()
    }

    /// Takes in a sign that came another way than over the network. It proves itself.
    pub fn hear(&self, sign: Bytes) {
        if let Ok(Message::Alive(alive)) = Message::decode(sign, self.0.0.seats_max) {
            self.0.another(alive);
        }
    }
}

/// Calls that wait at once.
const CALLS_MAX: usize = 64;

impl fmt::Debug for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence").field("instance", &self.instance()).finish_non_exhaustive()
    }
}
