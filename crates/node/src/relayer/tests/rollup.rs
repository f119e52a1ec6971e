//! A destination that keeps the contracts' words and rules, and fails when it is told to.

use super::network::{DESTINATION, FACADE, LANE, LIGHT_CLIENT, SOURCE, VALID_UNTIL};
use alloy_primitives::U256;
use futures::{
    FutureExt,
    channel::oneshot,
    future::{BoxFuture, ready},
};
use hum_chain::{
    At, Call, Chain, Log, LogQuery, Outcome, RawBlock, RawWitness, ReadError, Submit, SubmitError,
};
use hum_relay::storage::{
    checkpoint_slot, epoch_slot, newest_epoch, newest_epoch_slot, progress_slot, source_slot, statuses_slot,
};
use hum_types::*;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// Nothing can be read.
    pub(super) unreadable: bool,
    /// Transactions are taken, but their sender never hears of them again.
    pub(super) silent: bool,
    /// The next so many transactions revert whatever they are.
    pub(super) reverts: u32,
    /// Nothing is sent.
    pub(super) closed: bool,
}

#[derive(Debug, Default)]
struct Core {
    words: BTreeMap<(Address, B256), B256>,
    executed: BTreeMap<B256, u32>,
    /// The table that the newest closing certificate named.
    named: B256,
    pool: Vec<(Call, oneshot::Sender<Result<Outcome, SubmitError>>)>,
    block: u64,
    time_ms: u64,
    transactions: u64,
    faults: Faults,
}

/// The destination; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Rollup(Arc<Mutex<Core>>);

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The `n`th dynamic argument of a call.
fn argument(data: &[u8], n: usize) -> &[u8] {
    let arguments = &data[4..];
    let offset = number(&arguments[32 * n..32 * (n + 1)]) as usize;
    let length = number(&arguments[offset..offset + 32]) as usize;
    &arguments[offset + 32..offset + 32 + length]
}

fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    [hash[0], hash[1], hash[2], hash[3]]
}

impl Core {
    fn word(&self, account: Address, slot: B256) -> B256 {
        self.words.get(&(account, slot)).copied().unwrap_or_default()
    }

    /// Run a call; `None` when it reverts.
    fn run(&mut self, call: &Call) -> Option<Vec<Log>> {
        let before = self.words.clone();
        let (executed, named) = (self.executed.clone(), self.named);
        let logs = match call.to {
            FACADE => self.attempt(&call.data),
            LIGHT_CLIENT => self.lead(&call.data).then(Vec::new),
            other => panic!("nothing stands at {other}"),
        };
        if logs.is_none() {
            (self.words, self.executed, self.named) = (before, executed, named);
        }
        logs
    }

    fn attempt(&mut self, data: &[u8]) -> Option<Vec<Log>> {
        if data[..4] == selector("deliver(bytes)") {
            return self.deliver(argument(data, 0));
        }
        assert_eq!(data[..4], selector("relay(bytes,bytes,bytes)"));
        let (certificate, lane, run) = (argument(data, 0), argument(data, 1), argument(data, 2));
        if !certificate.is_empty() && !self.submit(certificate) {
            return None;
        }
        if !lane.is_empty() {
            self.record(lane)?;
        }
        if run.is_empty() { Some(Vec::new()) } else { self.deliver(run) }
    }

    /// `LightClient.submit`; whoever signed has been checked by the relayer already.
    fn submit(&mut self, certificate: &[u8]) -> bool {
        let (epoch, height) = (Epoch(number(&certificate[1..9])), Height(number(&certificate[9..17])));
        let content = [&certificate[17..25], &certificate[97..129]].concat();
        let word = B256::from_slice(&[&certificate[9..17], &keccak256(content)[..24]].concat());
        let place = (LIGHT_CLIENT, checkpoint_slot(height));
        if self.words.get(&place) == Some(&word) {
            return true;
        }
        if self.word(LIGHT_CLIENT, epoch_slot(epoch)).is_zero() {
            return false;
        }
        self.words.insert(place, word);
        let next = B256::from_slice(&certificate[161..193]);
        let newest = self.word(LIGHT_CLIENT, newest_epoch_slot());
        if !next.is_zero() && newest_epoch(newest).0 == epoch {
            self.named = next;
            self.set_newest(Epoch(epoch.0 + 1), newest_epoch(newest).1);
        }
        true
    }

    fn set_newest(&mut self, epoch: Epoch, usable_until: TimeS) {
        let word = [&[0; 16][..], &usable_until.0.to_be_bytes(), &epoch.0.to_be_bytes()].concat();
        self.words.insert((LIGHT_CLIENT, newest_epoch_slot()), B256::from_slice(&word));
    }

    /// A call of the light client; whether it succeeds.
    fn lead(&mut self, data: &[u8]) -> bool {
        if data[..4] == selector("submit(bytes)") {
            return self.submit(argument(data, 0));
        }
        assert_eq!(data[..4], selector("installTable(uint64,bytes)"));
        let (epoch, table) = (Epoch(number(&data[28..36])), argument(data, 1));
        let slot = (LIGHT_CLIENT, epoch_slot(epoch));
        let newest = newest_epoch(self.word(LIGHT_CLIENT, newest_epoch_slot()));
        if newest.0 != epoch || self.named != keccak256(table) || self.words.contains_key(&slot) {
            return false;
        }
        self.words.insert(slot, B256::with_last_byte(1));
        self.set_newest(epoch, newest.1.max(TimeS(number(&table[208..216]))));
        true
    }

    fn record(&mut self, proof: &[u8]) -> Option<()> {
        let height = Height(number(&proof[..8]));
        let word = [&proof[..8], &keccak256(&proof[8..48])[..24]].concat();
        if self.word(LIGHT_CLIENT, checkpoint_slot(height)) != B256::from_slice(&word) {
            return None;
        }
        let registration = RegistrationId(B256::from_slice(&proof[56..88]));
        let lane = &proof[307 + 32 * usize::from(proof[194])..];
        let held = self.word(FACADE, progress_slot(registration));
        if number(&held[8..16]) > height.0 {
            return Some(());
        }
        let source = [&lane[64..88], &proof[10..16], &proof[92..93], &[1]].concat();
        let progress =
            [&SOURCE.0.to_be_bytes()[..], &proof[..8], &lane[32..40], &proof[88..92], &[0; 4]].concat();
        self.words.insert((FACADE, source_slot(registration)), B256::from_slice(&source));
        self.words.insert((FACADE, progress_slot(registration)), B256::from_slice(&progress));
        Some(())
    }

    fn deliver(&mut self, run: &[u8]) -> Option<Vec<Log>> {
        let registration = RegistrationId(B256::from_slice(&run[..32]));
        let source = self.word(FACADE, source_slot(registration));
        let recorded = number(&self.word(FACADE, progress_slot(registration))[16..24]);
        let stale = self.time_ms / 1_000 > number(&source[24..30]) / 1_000 + 60;
        let (count, start, length) = (number(&run[40..48]), number(&run[48..56]), number(&run[56..58]));
        if stale || source[30] != 0 || count > recorded || start + length > count {
            return None;
        }
        let (mut at, mut route) = (58, &run[..0]);
        let mut logs = Vec::new();
        for index in start..start + length {
            if run[at] == 0 {
                route = &run[at + 1..at + 49];
                at += 48;
            }
            let bytes = number(&run[at + 1..at + 3]) as usize;
            let payload = &run[at + 3..at + 3 + bytes];
            at += 3 + bytes;
            let hash = keccak256([&route[4..], payload].concat());
            let slot = statuses_slot(registration, Generation(number(&route[..4]) as u32), index / 128);
            let word = U256::from_be_bytes(self.word(FACADE, slot).0);
            let done = U256::from(2) << (2 * (index % 128));
            if word & done == done {
                continue;
            }
            self.words.insert((FACADE, slot), B256::from((word | done).to_be_bytes::<32>()));
            let id = LANE.message_id(SOURCE, LaneIndex(index), hash);
            *self.executed.entry(id).or_default() += 1;
            logs.push(Log {
                address: FACADE,
                topics: vec![keccak256("Delivered(bytes32)"), id],
                data: Bytes::new(),
                block: BlockRef { number: self.block, hash: B256::ZERO },
                tx_hash: B256::ZERO,
                index: 0,
            });
        }
        Some(logs)
    }
}

impl Rollup {
    pub(super) fn new(registration: RegistrationId) -> Self {
        let rollup = Self::default();
        let allowed = B256::with_last_byte(1);
        {
            let mut core = rollup.lock();
            core.words.insert((FACADE, source_slot(registration)), allowed);
            // The genesis committee's table is installed.
            core.words.insert((LIGHT_CLIENT, epoch_slot(Epoch(0))), B256::with_last_byte(1));
            core.set_newest(Epoch(0), VALID_UNTIL);
        }
        rollup
    }

    /// The light client's newest epoch, and whether it has its table.
    pub(super) fn epoch(&self) -> (Epoch, bool) {
        let core = self.lock();
        let epoch = newest_epoch(core.word(LIGHT_CLIENT, newest_epoch_slot())).0;
        (epoch, !core.word(LIGHT_CLIENT, epoch_slot(epoch)).is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().expect("no test panics while it holds the rollup")
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().pool.len()
    }

    pub(super) fn transactions(&self) -> u64 {
        self.lock().transactions
    }

    /// Messages that ran, and whether any ran twice.
    pub(super) fn executed(&self) -> (usize, bool) {
        let core = self.lock();
        (core.executed.len(), core.executed.values().any(|times| *times > 1))
    }

    /// Put what waits into a block.
    pub(super) fn block(&self, time_ms: u64) {
        let mut core = self.lock();
        core.block += 1;
        core.time_ms = time_ms;
        for (call, sender) in std::mem::take(&mut core.pool) {
            core.transactions += 1;
            let reverts = core.faults.reverts > 0;
            core.faults.reverts = core.faults.reverts.saturating_sub(1);
            let logs = if reverts { None } else { core.run(&call) };
            let outcome = Outcome {
                tx_hash: B256::ZERO,
                success: logs.is_some(),
                gas_used: 100_000,
                fee: U256::from(100_000),
                block: BlockRef { number: core.block, hash: B256::ZERO },
                logs: logs.unwrap_or_default(),
            };
            let lost = SubmitError::Unknown { tx_hash: B256::ZERO, after_ms: 1 };
            // The relayer may be gone.
            let _ = sender.send(if core.faults.silent { Err(lost) } else { Ok(outcome) });
        }
    }

    fn read<T>(&self, value: impl FnOnce(&Core) -> T) -> Result<T, ReadError> {
        let core = self.lock();
        if core.faults.unreadable {
            return Err(ReadError::Timeout { method: "test", after_ms: 1 });
        }
        Ok(value(&core))
    }
}

fn absent<'a, T: Send + 'a>(method: &'static str) -> BoxFuture<'a, Result<T, ReadError>> {
    ready(Err(ReadError::Missing { method, what: "no relayer reads this".into() })).boxed()
}

impl Chain for Rollup {
    fn chain_id(&self) -> ChainId {
        DESTINATION
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        ready(self.read(|core| BlockRef { number: core.block, hash: B256::ZERO })).boxed()
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        absent("block")
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        absent("witness")
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        absent("logs")
    }

    fn call(&self, _: Address, _: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        absent("call")
    }

    fn storage(&self, account: Address, slot: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        ready(self.read(|core| core.word(account, slot))).boxed()
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        absent("code")
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        ready(self.read(|_| U256::from(10).pow(U256::from(20)))).boxed()
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        absent("nonce")
    }
}

impl Submit for Rollup {
    fn chain_id(&self) -> ChainId {
        DESTINATION
    }

    fn sender(&self) -> Address {
        Address::repeat_byte(0xac)
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        Chain::balance(self, self.sender())
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        ready(self.read(|_| 1)).boxed()
    }

    fn estimate(&self, _: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        ready(Ok(1_000_000)).boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        async move {
            let (sender, receiver) = oneshot::channel();
            {
                let mut core = self.lock();
                if core.faults.closed {
                    let (price, cap) = (2, 1);
                    return Err(SubmitError::TooExpensive { price, cap });
                }
                core.pool.push((call, sender));
            }
            let lost = SubmitError::Unknown { tx_hash: B256::ZERO, after_ms: 1 };
            receiver.await.unwrap_or(Err(lost))
        }
        .boxed()
    }
}
