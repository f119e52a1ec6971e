//! L1 as the committed contracts in revm, with a manager that remembers whom it was told to slash.

use super::l1::CHAIN;
use crate::watcher::{
    L1,
    judges::{
        Punishments,
        tests::evm::{ACCOUNT, Evm, JUDGES, MANAGER, Ran},
    },
    tests::fixture::Signers,
};
use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use futures::future::{BoxFuture, FutureExt as _, ready};
use hum_chain::*;
use hum_types::*;
use std::sync::{Arc, Mutex, MutexGuard};

struct Core {
    evm: Evm,
    logs: Vec<Log>,
    /// Calls that were sent and succeeded: the first four bytes of each.
    sent: Vec<[u8; 4]>,
    closed: bool,
}

/// L1; clones share it.
#[derive(Clone)]
pub(super) struct JudgedL1(Arc<Mutex<Core>>);

impl std::fmt::Debug for JudgedL1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JudgedL1")
    }
}

fn gone(method: &'static str) -> ReadError {
    ReadError::Transport { method, endpoint: "nowhere".into(), detail: "closed".into() }
}

impl JudgedL1 {
    /// The committee's table is a snapshot's.
    pub(super) fn new(signers: &Signers, register: impl FnOnce(&mut Evm)) -> Self {
        let mut evm = Evm::new(signers);
        evm.know_table(signers.committee().table().hash());
        evm.remember_slashes();
        register(&mut evm);
        Self(Arc::new(Mutex::new(Core { evm, logs: Vec::new(), sent: Vec::new(), closed: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().expect("no test panics while it holds L1")
    }

    pub(super) fn connect(&self) -> L1 {
        L1 {
            chain: Arc::new(self.clone()),
            submit: Arc::new(self.clone()),
            service_manager: MANAGER,
            judges: JUDGES,
        }
    }

    pub(super) fn close(&self, closed: bool) {
        self.lock().closed = closed;
    }

    /// Let time pass on L1.
    pub(super) fn pass_s(&self, seconds: u64) {
        *self.lock().evm.time_s() += U256::from(seconds);
    }

    /// Whether the manager was told to slash for this offence.
    pub(super) fn is_punished(&self, offence: B256) -> bool {
        let call = Punishments::isPunishedCall { offence }.abi_encode();
        self.lock().evm.ask(MANAGER, &call, U256::ZERO).output.last() == Some(&1)
    }

    /// How often this was called by the watcher.
    pub(super) fn sent<C: SolCall>(&self) -> usize {
        self.lock().sent.iter().filter(|selector| **selector == C::SELECTOR).count()
    }

    /// Somebody else's transaction.
    pub(super) fn transact(&self, to: Address, data: &[u8]) -> bool {
        let mut core = self.lock();
        let ran = core.evm.call(to, data);
        core.keep(&ran, B256::ZERO);
        ran.success
    }

    /// What a view says.
    pub(super) fn read<C: SolCall>(&self, to: Address, call: C) -> C::Return {
        let ran = self.lock().evm.ask(to, &call.abi_encode(), U256::ZERO);
        C::abi_decode_returns(&ran.output).expect("what the view returns")
    }

    /// Logs of the judge of claims.
    pub(super) fn logs_now(&self) -> Vec<Log> {
        let core = self.lock();
        core.logs.iter().filter(|log| Some(log.address) == JUDGES.claim).cloned().collect()
    }
}

impl Core {
    fn keep(&mut self, ran: &Ran, tx_hash: B256) {
        let block = BlockRef { number: 100, hash: B256::ZERO };
        self.logs.extend(ran.logs.iter().map(|log| Log {
            address: log.address,
            topics: log.data.topics().to_vec(),
            data: log.data.data.clone(),
            block,
            tx_hash,
            index: 0,
        }));
    }
}

impl Chain for JudgedL1 {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        ready(Ok(BlockRef { number: 100, hash: B256::ZERO })).boxed()
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        let seconds: u64 = self.lock().evm.time_s().saturating_to();
        ready(Ok(Some(RawBlock {
            block: BlockRef { number: 100, hash: B256::ZERO },
            parent_hash: B256::ZERO,
            state_root: B256::ZERO,
            time_ms: TimeMs(seconds * 1000),
            rlp: Bytes::new(),
        })))
        .boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        ready(Err(gone("debug_executionWitness"))).boxed()
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        let core = self.lock();
        let asked = |log: &&Log| {
            (query.from..=query.to).contains(&log.block.number)
                && query.addresses.contains(&log.address)
                && log.topics.first().is_some_and(|topic| query.topics.contains(topic))
        };
        ready(Ok(core.logs.iter().filter(asked).cloned().collect())).boxed()
    }

    fn call(&self, to: Address, data: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        let mut core = self.lock();
        let ran = core.evm.ask(to, &data, U256::ZERO);
        let result = match (core.closed, ran.success) {
            (true, _) => Err(gone("eth_call")),
            (false, true) => Ok(ran.output),
            (false, false) => Err(ReadError::Reverted { data: ran.output, message: "reverted".into() }),
        };
        ready(result).boxed()
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        ready(Ok(B256::ZERO)).boxed()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        ready(Ok(Bytes::new())).boxed()
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        ready(Ok(U256::from(1))).boxed()
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        ready(Ok(0)).boxed()
    }
}

impl Submit for JudgedL1 {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn sender(&self) -> Address {
        ACCOUNT
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        ready(Ok(U256::from(1_000))).boxed()
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        ready(Ok(1)).boxed()
    }

    fn estimate(&self, call: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        let mut core = self.lock();
        let ran = core.evm.ask(call.to, &call.data, call.value);
        let result = match (core.closed, ran.success) {
            (true, _) => Err(gone("eth_estimateGas").into()),
            (false, true) => Ok(ran.gas),
            (false, false) => Err(SubmitError::Rejected { data: ran.output, message: "reverted".into() }),
        };
        ready(result).boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        let mut core = self.lock();
        let ran = core.evm.pay(call.to, &call.data, call.value);
        let block = BlockRef { number: 100, hash: B256::ZERO };
        let tx_hash = B256::with_last_byte(core.sent.len() as u8 + 1);
        core.keep(&ran, tx_hash);
        if ran.success {
            core.sent.push(call.data[..4].try_into().expect("a selector"));
        }
        ready(Ok(Outcome {
            tx_hash,
            success: ran.success,
            gas_used: ran.gas,
            fee: U256::from(ran.gas),
            block,
            logs: Vec::new(),
        }))
        .boxed()
    }
}
