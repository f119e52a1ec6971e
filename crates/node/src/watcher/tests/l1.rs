//! An L1 that knows offences, bonds and snapshots, and fails when it is told to.

use super::fixture::{Signers, domain, sequencer};
use crate::watcher::{
    Fault, Judges, L1,
    answers::ClaimJudge,
    judges::{AttestationJudge, Punishments, RollupRegistry, TableStore},
    offence,
};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall, SolEvent, SolValue};
use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use hum_chain::{
    At, Call, Chain, Log, LogQuery, Outcome, RawBlock, RawWitness, ReadError, Submit, SubmitError,
    restaking::IServiceManager,
};
use hum_types::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

pub(super) const CHAIN: ChainId = ChainId(1);
const MANAGER: Address = Address::repeat_byte(0x5e);
const JUDGE: Address = Address::repeat_byte(0xa1);
const REGISTRY: Address = Address::repeat_byte(0xb1);
const CLAIMS: Address = Address::repeat_byte(0xc1);

#[derive(Debug, Default)]
struct Core {
    punished: BTreeSet<B256>,
    slashed: Vec<Address>,
    bonds: Vec<RegistrationId>,
    sent: usize,
    closed: bool,
    due: bool,
    keys: BTreeMap<Address, Vec<u8>>,
    key_sums: Vec<Vec<u8>>,
    /// Committee tables that judges can read.
    tables: BTreeSet<B256>,
    taken: Vec<(B256, u64)>,
    finalised: Option<BlockRef>,
    /// Challenged heads, and whether they were answered.
    challenges: Vec<(ClaimJudge::Subject, bool)>,
}

/// L1; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeL1(Arc<Mutex<Core>>);

fn gone(method: &'static str) -> ReadError {
    ReadError::Transport { method, endpoint: "nowhere".into(), detail: "closed".into() }
}

fn reverted(message: &str) -> ReadError {
    ReadError::Reverted { data: Bytes::new(), message: message.into() }
}

impl FakeL1 {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.0.lock().expect("no test panics while it holds L1")
    }

    pub(super) fn connect(&self) -> L1 {
        L1 {
            chain: Arc::new(self.clone()),
            submit: Arc::new(self.clone()),
            service_manager: MANAGER,
            judges: Judges {
                attestation: Some(JUDGE),
                settlement: None,
                table_adapter: None,
                batch_adapter: None,
                claim: Some(CLAIMS),
                lane: None,
                state_root: None,
                rollup_registry: Some(REGISTRY),
                batch_inbox: None,
            },
        }
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    pub(super) fn open(&self) {
        self.lock().closed = false;
    }

    pub(super) fn set_due(&self) {
        self.lock().due = true;
    }

    pub(super) fn punish(&self, offence: B256) {
        self.lock().punished.insert(offence);
    }

    pub(super) fn finalise(&self, block: BlockRef) {
        self.lock().finalised = Some(block);
    }

    /// A snapshot was taken.
    pub(super) fn take(&self, table_hash: B256, l1_block: u64) {
        self.lock().taken.push((table_hash, l1_block));
    }

    /// Somebody says that nobody claimed this head.
    pub(super) fn challenge(&self, claim: &HeadClaim) {
        let subject = ClaimJudge::Subject {
            chainId: claim.chain_id.0,
            registration: claim.registration.0,
            generation: claim.generation.0,
            number: claim.block.number,
            blockHash: claim.block.hash,
        };
        self.lock().challenges.push((subject, false));
    }

    /// Which challenges were answered.
    pub(super) fn answered(&self) -> Vec<bool> {
        self.lock().challenges.iter().map(|(_, answered)| *answered).collect()
    }

    /// The set's members are these.
    pub(super) fn register(&self, signers: &Signers) {
        let entries = &signers.seated.roster().entries;
        let keys = entries.iter().map(|entry| {
            let key = [entry.key_g1.as_slice(), entry.key_g2.as_slice(), entry.possession.as_slice()];
            (entry.operator, key.concat())
        });
        self.lock().keys = keys.collect();
    }

    pub(super) fn slashed(&self) -> Vec<Address> {
        self.lock().slashed.clone()
    }

    pub(super) fn bonds(&self) -> Vec<RegistrationId> {
        self.lock().bonds.clone()
    }

    pub(super) fn sent(&self) -> usize {
        self.lock().sent
    }

    pub(super) fn snapshots(&self) -> Vec<Vec<u8>> {
        self.lock().key_sums.clone()
    }
}

impl Core {
    fn view(&self, data: &[u8]) -> Result<Vec<u8>, ReadError> {
        if self.closed {
            return Err(gone("eth_call"));
        }
        if let Ok(call) = Punishments::isPunishedCall::abi_decode(data) {
            return Ok(self.punished.contains(&call.offence).abi_encode());
        }
        if let Ok(call) = Punishments::isJailedCall::abi_decode(data) {
            return Ok(self.slashed.contains(&call.operator).abi_encode());
        }
        if AttestationJudge::TABLESCall::abi_decode(data).is_ok() {
            return Ok(Address::repeat_byte(0x7a).abi_encode());
        }
        if let Ok(call) = TableStore::tableOfCall::abi_decode(data) {
            let stored = self.tables.contains(&call.tableHash);
            let answer = (Address::repeat_byte(0x7b), U256::from(4)).abi_encode_params();
            return if stored { Ok(answer) } else { Err(reverted("not stored")) };
        }
        if let Ok(call) = RollupRegistry::rollupCall::abi_decode(data) {
            let punished = self.bonds.contains(&RegistrationId(call.registration));
            let rollup = RollupRegistry::Rollup {
                chainId: 0,
                sequencer: Address::ZERO,
                registrant: Address::ZERO,
                anchorHash: B256::ZERO,
                specHash: B256::ZERO,
                bondWei: U256::ZERO,
                exitAt: 0,
                punished,
            };
            return Ok(rollup.abi_encode());
        }
        if IServiceManager::previewCall::abi_decode(data).is_ok() {
            let seats: Vec<Address> = self.keys.keys().copied().collect();
            let stakes = vec![U256::from(100); seats.len()];
            return Ok((seats, stakes, self.due).abi_encode_params());
        }
        if let Ok(call) = IServiceManager::keyOfCall::abi_decode(data) {
            return self.keys.get(&call.operator).cloned().ok_or_else(|| reverted("no key"));
        }
        if IServiceManager::snapshotCountCall::abi_decode(data).is_ok() {
            return Ok(U256::from(self.taken.len()).abi_encode());
        }
        if let Ok(call) = IServiceManager::snapshotAtCall::abi_decode(data) {
            let taken = usize::try_from(call.index).ok().and_then(|index| self.taken.get(index));
            let (table_hash, l1_block) = taken.ok_or_else(|| reverted("no snapshot"))?;
            return Ok((*table_hash, *l1_block, 0_u64, 4_u16).abi_encode_params());
        }
        if let Ok(call) = ClaimJudge::challengeAtCall::abi_decode(data) {
            let (_, answered) = self.challenge(call.id).ok_or_else(|| reverted("no challenge"))?;
            let state = if *answered { 2 } else { 1 };
            let challenge =
                ClaimJudge::Challenge { challenger: Address::ZERO, deadline: 9, state, subject: B256::ZERO };
            return Ok(challenge.abi_encode());
        }
        Err(reverted("unknown call"))
    }

    /// Challenges are numbered from 1.
    fn challenge(&self, id: B256) -> Option<&(ClaimJudge::Subject, bool)> {
        self.challenges.get(usize::from(id.0[31]).checked_sub(1)?)
    }

    fn run(&mut self, data: &[u8]) -> Result<(), SubmitError> {
        let refused = |message: &str| SubmitError::Rejected { data: Bytes::new(), message: message.into() };
        if self.closed {
            return Err(gone("eth_sendRawTransaction").into());
        }
        if let Ok(call) = AttestationJudge::slashSinglesCall::abi_decode(data) {
            return self.slash(call.operator, call.height);
        }
        if let Ok(call) = TableStore::storeCall::abi_decode(data) {
            self.tables.insert(keccak256(&call.table));
            return Ok(());
        }
        if let Ok(call) = AttestationJudge::slashMixedCall::abi_decode(data) {
            if !self.tables.contains(&call.table) {
                return Err(refused("not stored"));
            }
            let height = Height(
                call.certificate
                    .get(9..17)
                    .map_or(0, |bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
            );
            let operator = self.keys.keys().nth(usize::from(call.seat)).copied();
            return self.slash(operator.unwrap_or_else(|| seat(call.seat)), height.0);
        }
        if let Ok(call) = RollupRegistry::reportDoubleClaimCall::abi_decode(data) {
            self.bonds.push(RegistrationId(call.registration));
            return Ok(());
        }
        if let Ok(call) = ClaimJudge::answerCall::abi_decode(data) {
            let subject = &call.subject;
            let claim = HeadClaim {
                chain_id: ChainId(subject.chainId),
                registration: RegistrationId(subject.registration),
                generation: Generation(subject.generation),
                block: BlockRef { number: subject.number, hash: subject.blockHash },
            };
            let signature = SequencerSignature::decode(&call.signature).expect("a signature");
            let signed = SignedClaim { claim, signature };
            signed.authenticate(domain(), sequencer().address()).expect("the sequencer's");
            let index = usize::from(call.id.0[31]) - 1;
            self.challenges[index].1 = true;
            return Ok(());
        }
        if let Ok(call) = IServiceManager::takeSnapshotCall::abi_decode(data) {
            if !std::mem::take(&mut self.due) {
                return Err(refused("too early"));
            }
            self.key_sums.push(call.keySum.bytes().to_vec());
            return Ok(());
        }
        Ok(())
    }

    fn slash(&mut self, operator: Address, height: u64) -> Result<(), SubmitError> {
        let offence = offence(Fault::DoubleAttestation, operator, Height(height), B256::ZERO);
        if !self.punished.insert(offence) {
            let message = "punished already".into();
            return Err(SubmitError::Rejected { data: Bytes::new(), message });
        }
        self.slashed.push(operator);
        Ok(())
    }
}

/// The operator at a seat of the fixture's committee of four.
fn seat(seat: u8) -> Address {
    Signers::new(0, &[1, 2, 3, 4]).operator(seat.into())
}

impl Chain for FakeL1 {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        let finalised = self.lock().finalised;
        let missing = ReadError::Missing { method: "eth_getBlockByNumber", what: "a final block".into() };
        ready(finalised.ok_or(missing)).boxed()
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        ready(Ok(None)).boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        ready(Err(gone("debug_executionWitness"))).boxed()
    }

    fn logs(&self, query: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        let core = self.lock();
        let logs =
            core.challenges.iter().zip(1..).filter(|_| query.addresses == [CLAIMS]).map(|((s, _), id)| {
                let event = ClaimJudge::Challenged {
                    challenge: B256::with_last_byte(id),
                    subject: B256::ZERO,
                    chainId: s.chainId,
                    registration: s.registration,
                    generation: s.generation,
                    number: s.number,
                    blockHash: s.blockHash,
                    deadline: 9,
                };
                let data = event.encode_log_data();
                Log {
                    address: CLAIMS,
                    topics: data.topics().to_vec(),
                    data: data.data.clone(),
                    block: BlockRef::default(),
                    tx_hash: B256::ZERO,
                    index: 0,
                }
            });
        ready(Ok(logs.collect())).boxed()
    }

    fn call(&self, _: Address, data: Bytes, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        ready(self.lock().view(&data).map(Into::into)).boxed()
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

impl Submit for FakeL1 {
    fn chain_id(&self) -> ChainId {
        CHAIN
    }

    fn sender(&self) -> Address {
        Address::repeat_byte(0xcc)
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        ready(Ok(U256::from(1_000))).boxed()
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        ready(Ok(1)).boxed()
    }

    fn estimate(&self, _: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        let closed = self.lock().closed;
        ready(if closed { Err(gone("eth_estimateGas").into()) } else { Ok(500_000) }).boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        let mut core = self.lock();
        let result = core.run(&call.data).map(|()| {
            core.sent += 1;
            Outcome {
                tx_hash: B256::with_last_byte(core.sent as u8),
                success: true,
                gas_used: 500_000,
                fee: U256::from(500_000),
                block: BlockRef { number: 9, hash: B256::ZERO },
                logs: Vec::new(),
            }
        });
        drop(core);
        ready(result).boxed()
    }
}
