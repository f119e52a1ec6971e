//! A node of the chain, as the roles read it.

use super::{Core, SimChain, block, block::Sealed};
use alloy_primitives::U256;
use commonware_runtime::Clock;
use futures::future::{BoxFuture, FutureExt as _};
use hum_chain::{At, Call, Chain, Log, LogQuery, RawBlock, RawWitness, ReadError};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence, TimeMs};
use revm::{Database as _, context::result::ExecutionResult};
use std::{fmt, time::Duration};

/// Gas of a call that changes nothing: the most that a transaction can have (EIP-7825).
pub(super) const CALL_GAS: u64 = 1 << 24;

/// A node: every answer takes `latency` on the clock that it was given.
#[derive(Clone)]
pub struct SimNode<E> {
    chain: SimChain,
    clock: std::sync::Arc<E>,
    latency: Duration,
}

impl<E> fmt::Debug for SimNode<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimNode({:?})", self.chain)
    }
}

impl<E: Clock> SimNode<E> {
    /// A node of `chain`.
    #[must_use]
    pub fn new(chain: SimChain, clock: E, latency: Duration) -> Self {
        Self { chain, clock: std::sync::Arc::new(clock), latency }
    }

    /// Ask, and wait for the answer.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Core) -> Result<T, ReadError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, ReadError>> {
        async move {
            self.clock.sleep(self.latency).await;
            question(&mut self.chain.lock())
        }
        .boxed()
    }
}

impl Core {
    fn tagged(&self, tag: Confidence) -> Result<&Sealed, ReadError> {
        let number = self.head().block.number.checked_sub(self.behind[tag as usize]);
        number
            .and_then(|number| self.numbered(number))
            .ok_or_else(|| missing("head", format!("a {tag} head")))
    }

    fn at(&self, at: At) -> Option<&Sealed> {
        match at {
            At::Tag(tag) => self.tagged(tag).ok(),
            At::Number(number) => self.numbered(number),
            At::Hash(hash) => self.blocks.get(&hash),
        }
    }

    /// The past up to a canonical block.
    fn past_at(&self, at: At) -> Result<block::Past<'_>, ReadError> {
        let sealed = self.at(at).ok_or_else(|| missing("state", format!("the state at {at:?}")))?;
        let number = usize::try_from(sealed.block.number).unwrap_or(usize::MAX);
        if self.canonical.get(number) != Some(&sealed.block.hash) {
            return Err(missing("state", format!("the state at {at:?}")));
        }
        Ok(self.past(number))
    }

    fn garbled(&mut self) -> bool {
        let left = self.faults.garbled_reads;
        self.faults.garbled_reads = left.saturating_sub(1);
        left > 0
    }

    fn logs(&self, query: &LogQuery) -> Vec<Log> {
        let last = query.to.min(self.head().block.number);
        let blocks = (query.from..=last).filter_map(|number| self.numbered(number));
        let logs = blocks.flat_map(|sealed| &sealed.outcomes).flat_map(|outcome| &outcome.logs);
        let wanted = |log: &&Log| {
            (query.addresses.is_empty() || query.addresses.contains(&log.address))
                && (query.topics.is_empty()
                    || log.topics.first().is_some_and(|topic| query.topics.contains(topic)))
        };
        logs.filter(wanted).cloned().collect()
    }
}

fn missing(method: &'static str, what: String) -> ReadError {
    ReadError::Missing { method, what }
}

fn failed(method: &'static str) -> impl Fn(String) -> ReadError {
    move |message| ReadError::Node { method, code: -32_000, message }
}

fn raw(sealed: &Sealed) -> RawBlock {
    RawBlock {
        block: sealed.block,
        parent_hash: sealed.header.parent_hash,
        state_root: sealed.header.state_root,
        time_ms: TimeMs(sealed.header.timestamp.saturating_mul(1_000)),
        rlp: sealed.rlp.clone(),
    }
}

impl<E: Clock> Chain for SimNode<E> {
    fn chain_id(&self) -> ChainId {
        self.chain.chain_id()
    }

    fn head(&self, tag: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        self.ask(move |core| core.tagged(tag).map(|sealed| sealed.block))
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        self.ask(move |core| {
            if core.garbled() {
                // An adapter that checks hashes, as it must, cannot say more of a garbled block.
                return Err(ReadError::Garbage { method: "block", detail: "not a block".into() });
            }
            Ok(core.at(at).map(raw))
        })
    }

    fn witness(&self, block: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        self.ask(move |core| {
            let garbled = core.garbled();
            let sealed = core.blocks.get(&block.hash).filter(|sealed| sealed.block == block);
            let sealed = sealed.ok_or_else(|| missing("witness", format!("block {}", block.hash)))?;
            let mut witness = sealed.witness.clone();
            if garbled {
                witness.state.pop();
            }
            Ok(RawWitness::Encoded(witness.encode().into()))
        })
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        self.ask(move |core| Ok(core.logs(&query)))
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        self.ask(move |core| {
            let result =
                block::call(&core.spec, core.past_at(at)?, Address::ZERO, &Call::new(to, data), CALL_GAS);
            match result.map_err(|error| failed("call")(error.to_string()))? {
                ExecutionResult::Success { output, .. } => Ok(output.into_data()),
                ExecutionResult::Revert { output, .. } => {
                    Err(ReadError::Reverted { data: output, message: "reverted".into() })
                }
                ExecutionResult::Halt { reason, .. } => {
                    Err(ReadError::Reverted { data: Bytes::new(), message: format!("{reason:?}") })
                }
            }
        })
    }

    fn storage(&self, account: Address, slot: B256, at: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        self.ask(move |core| {
            let word = core.past_at(at)?.state().storage(account, slot.into());
            word.map(B256::from).map_err(|error| failed("storage")(error.to_string()))
        })
    }

    fn code(&self, account: Address, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        self.ask(move |core| {
            let fail = |error: hum_verify::state::StateError| failed("code")(error.to_string());
            let mut state = core.past_at(at)?.state();
            match state.basic(account).map_err(fail)? {
                Some(account) => Ok(state.code_by_hash(account.code_hash).map_err(fail)?.original_bytes()),
                None => Ok(Bytes::new()),
            }
        })
    }

    fn balance(&self, account: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        self.ask(move |core| {
            let found = core.past(usize::MAX).account(account);
            found.map(|(_, balance)| balance).map_err(|error| failed("balance")(error.to_string()))
        })
    }

    fn nonce(&self, account: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        self.ask(move |core| Ok(core.nonce(account)))
    }
}
