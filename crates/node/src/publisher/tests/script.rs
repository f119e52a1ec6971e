//! A node that serves what a test wrote down.

use super::*;
use futures::future::{BoxFuture, FutureExt};
use hum_chain::{At, Log, LogQuery, RawBlock, RawWitness, ReadError};
use hum_types::{Address, Bytes, Confidence, TimeMs};
use hum_verify::Witness;

/// Block `number` of fork `fork`; a fork's blocks have other hashes.
pub(in crate::publisher) fn block(number: u64, fork: u8) -> BlockRef {
    BlockRef { number, hash: keccak256([number.to_be_bytes().as_slice(), &[fork]].concat()) }
}

#[derive(Debug, Default)]
struct State {
    /// Forks by number, from the anchor on.
    forks: Vec<u8>,
    safe: u64,
    down: bool,
    witness: Option<RawWitness>,
    reads: u64,
}

/// A chain under a test's hand.
#[derive(Debug, Default)]
pub(in crate::publisher) struct Script(Mutex<State>);

impl Script {
    /// A chain whose head is block `head`, all of fork `fork` (the anchor is of fork 0 always).
    pub(in crate::publisher) fn new(head: u64, fork: u8) -> Arc<Self> {
        let script = Self::default();
        script.lock().forks.push(0);
        script.extend(head, fork);
        Arc::new(script)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Make blocks up to `head`, of fork `fork`.
    pub(in crate::publisher) fn extend(&self, head: u64, fork: u8) {
        self.lock().forks.resize(head as usize + 1, fork);
    }

    /// Drop the blocks above `kept`, then make others up to `head`.
    pub(in crate::publisher) fn rebuild(&self, kept: u64, head: u64, fork: u8) {
        self.lock().forks.truncate(kept as usize + 1);
        self.extend(head, fork);
    }

    pub(in crate::publisher) fn at(&self, number: u64) -> BlockRef {
        block(number, self.lock().forks[number as usize])
    }

    pub(in crate::publisher) fn at_head(&self) -> u64 {
        self.lock().forks.len() as u64 - 1
    }

    pub(in crate::publisher) fn fork_at_head(&self) -> u8 {
        self.lock().forks.last().copied().unwrap_or(0)
    }

    pub(in crate::publisher) fn set_safe(&self, safe: u64) {
        self.lock().safe = safe;
    }

    pub(in crate::publisher) fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    pub(in crate::publisher) fn set_witness(&self, witness: RawWitness) {
        self.lock().witness = Some(witness);
    }

    fn read(&self) -> Result<MutexGuard<'_, State>, ReadError> {
        let mut state = self.lock();
        state.reads += 1;
        if state.down {
            let (endpoint, detail) = ("script".into(), "down".into());
            return Err(ReadError::Transport { method: "script", endpoint, detail });
        }
        Ok(state)
    }

    fn raw(forks: &[u8], number: u64) -> Option<RawBlock> {
        let fork = |number: u64| usize::try_from(number).ok().and_then(|at| forks.get(at)).copied();
        let own = block(number, fork(number)?);
        let parent = number.checked_sub(1).and_then(|below| Some(block(below, fork(below)?)));
        Some(RawBlock {
            block: own,
            parent_hash: parent.map_or(B256::ZERO, |parent| parent.hash),
            state_root: B256::ZERO,
            time_ms: TimeMs(number * 1_000),
            rlp: Bytes::copy_from_slice(own.hash.as_slice()),
        })
    }
}

pub(in crate::publisher) fn witness(code: u8) -> RawWitness {
    let witness = Witness { codes: vec![Bytes::copy_from_slice(&[code; 3])], ..Witness::default() };
    RawWitness::Encoded(witness.encode().into())
}

impl Chain for Script {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        async move {
            let state = self.read()?;
            let head = state.forks.len() as u64 - 1;
            let number = if tag == Confidence::Latest { head } else { state.safe.min(head) };
            Ok(block(number, state.forks[number as usize]))
        }
        .boxed()
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        async move {
            let state = self.read()?;
            Ok(match at {
                At::Number(number) => Self::raw(&state.forks, number),
                At::Hash(hash) => (0..state.forks.len() as u64)
                    .filter_map(|number| Self::raw(&state.forks, number))
                    .find(|raw| raw.block.hash == hash),
                At::Tag(_) => Self::raw(&state.forks, state.forks.len() as u64 - 1),
            })
        }
        .boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        async move { Ok(self.read()?.witness.clone().unwrap_or_else(|| witness(0))) }.boxed()
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn call(&self, _: Address, _: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async { Ok(Bytes::new()) }.boxed()
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        async { Ok(B256::ZERO) }.boxed()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        async { Ok(Bytes::new()) }.boxed()
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<alloy_primitives::U256, ReadError>> {
        async { Ok(alloy_primitives::U256::ZERO) }.boxed()
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        async { Ok(0) }.boxed()
    }
}
