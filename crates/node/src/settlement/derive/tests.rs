use super::*;
use crate::settlement::posting::tests::{Held, blobs, transaction};
use alloy_consensus::proofs::calculate_transaction_root;
use alloy_consensus::{EMPTY_ROOT_HASH, Header, SignableTransaction as _, TxEip1559};
use alloy_primitives::{Signature, TxKind};
use futures::{FutureExt as _, executor::block_on, future::BoxFuture};
use hum_batch::pack;
use hum_chain::{Log, LogQuery, RawBlock, RawWitness};
use hum_types::Bytes;
use std::collections::BTreeMap;

const INBOX: Address = Address::repeat_byte(0x1b);
const REGISTRY: Address = Address::repeat_byte(0x4e);
const REGISTRATION: RegistrationId = RegistrationId(B256::repeat_byte(0x9e));
const ANCHOR: B256 = B256::repeat_byte(6);

#[derive(Debug, Clone)]
struct Posting {
    first: u64,
    last: BlockRef,
    l1_block: u64,
}

/// An L1 with a registry, an inbox, and blocks with transactions.
#[derive(Debug, Clone, Default)]
struct L1 {
    batches: Vec<Posting>,
    blocks: BTreeMap<u64, Vec<(Address, Vec<u8>)>>,
    anchor: B256,
    /// Transactions with blobs.
    in_blobs: BTreeMap<u64, TxEnvelope>,
}

fn post(first: u64, last: BlockRef, data: Bytes) -> Vec<u8> {
    BatchInbox::postCall::new((REGISTRATION.0, first, last.number, last.hash, data)).abi_encode()
}

/// Empty blocks above `below`, RLP.
fn rollup_blocks(below: BlockRef, count: u64) -> Vec<Bytes> {
    let mut parent_hash = below.hash;
    (below.number + 1..=below.number + count)
        .map(|number| {
            let header = Header { number, parent_hash, timestamp: number, ..Header::default() };
            parent_hash = header.hash_slow();
            alloy_rlp::encode(Block::<TxEnvelope>::uncle(header)).into()
        })
        .collect()
}

impl L1 {
    /// Batches of 3, 1 and 4 blocks, the first two in one L1 block, with a refused double of the second before it.
    fn good() -> Self {
        let mut l1 = Self { anchor: ANCHOR, ..Self::default() };
        let mut below = BlockRef { number: 4, hash: ANCHOR };
        for (count, l1_block) in [(3, 20), (1, 20), (4, 33)] {
            let batch = pack(below.hash, &rollup_blocks(below, count)).unwrap();
            let calls = l1.blocks.entry(l1_block).or_default();
            if count == 1 {
                calls.push((INBOX, post(batch.first(), batch.last(), Bytes::from_static(&[1, 1, 0]))));
            }
            calls.push((INBOX, post(batch.first(), batch.last(), batch.data().clone())));
            calls.push((Address::ZERO, vec![1, 2, 3]));
            below = batch.last();
            l1.batches.push(Posting { first: batch.first(), last: below, l1_block });
        }
        l1
    }

    fn answer(&self, to: Address, data: &[u8]) -> Result<Vec<u8>, ReadError> {
        let reverted =
            |message: &str| ReadError::Reverted { data: Bytes::new(), message: message.to_owned() };
        if to == REGISTRY {
            let call = rollupCall::abi_decode(data).expect("rollup");
            if call.registration != REGISTRATION.0 {
                return Err(reverted("RegistrationUnknown"));
            }
            let entry = RegisteredRollup {
                chainId: 901,
                sequencer: Address::ZERO,
                registrant: Address::ZERO,
                anchorHash: self.anchor,
                specHash: B256::ZERO,
                bondWei: U256::ZERO,
                exitAt: 0,
                punished: false,
            };
            return Ok(rollupCall::abi_encode_returns(&entry));
        }
        if to != INBOX {
            return Ok(Vec::new());
        }
        if BatchInbox::REGISTRYCall::abi_decode(data).is_ok() {
            return Ok(BatchInbox::REGISTRYCall::abi_encode_returns(&REGISTRY));
        }
        if BatchInbox::batchCountCall::abi_decode(data).is_ok() {
            return Ok(BatchInbox::batchCountCall::abi_encode_returns(&U256::from(self.batches.len())));
        }
        let index: usize = BatchInbox::batchAtCall::abi_decode(data).expect("batchAt").index.to();
        let batch = &self.batches[index];
        let words =
            [batch.first, batch.last.number, batch.l1_block].map(|word| U256::from(word).to_be_bytes::<32>());
        Ok([words.concat(), batch.last.hash.to_vec()].concat())
    }

    fn raw(&self, number: u64) -> Option<RawBlock> {
        let transactions: Vec<TxEnvelope> = self
            .blocks
            .get(&number)?
            .iter()
            .map(|(to, input)| {
                let (to, input) = (TxKind::Call(*to), input.clone().into());
                let transaction = TxEip1559 { to, input, ..TxEip1559::default() };
                transaction.into_signed(Signature::new(U256::ONE, U256::ONE, false)).into()
            })
            .chain(self.in_blobs.get(&number).cloned())
            .collect();
        let transactions_root = calculate_transaction_root(&transactions);
        let header =
            Header { number, transactions_root, receipts_root: EMPTY_ROOT_HASH, ..Header::default() };
        let body = alloy_consensus::BlockBody { transactions, ..Default::default() };
        Some(RawBlock::from_rlp(alloy_rlp::encode(Block { header, body }).into()).expect("a block"))
    }
}

impl Chain for L1 {
    fn chain_id(&self) -> ChainId {
        ChainId(1)
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        async { Ok(BlockRef { number: 40, hash: B256::repeat_byte(40) }) }.boxed()
    }

    fn block(&self, at: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        let At::Number(number) = at else { panic!("{at:?}") };
        async move { Ok(self.raw(number)) }.boxed()
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        unreachable!("blocks are not executed")
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        unreachable!("batches are not found by logs")
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        assert_eq!(at, At::Number(40), "one block for everything");
        async move { self.answer(to, &data).map(Into::into) }.boxed()
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        unreachable!("storage is not read")
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        unreachable!("code is not read")
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        unreachable!("nothing is paid")
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        unreachable!("nothing is sent")
    }
}

async fn all(l1: L1) -> Result<Vec<Stretch>, DeriveError> {
    let mut derivation = Derivation::start(Arc::new(l1), INBOX, REGISTRATION, Confidence::Latest).await?;
    let mut stretches = Vec::new();
    while let Some(stretch) = derivation.next().await? {
        stretches.push(stretch);
    }
    Ok(stretches)
}

fn refused(change: impl FnOnce(&mut L1)) -> String {
    let mut l1 = L1::good();
    change(&mut l1);
    block_on(all(l1)).expect_err("something is wrong").to_string()
}

#[test]
fn all_blocks_come_from_l1_alone() {
    let l1 = L1::good();
    let expected: Vec<BlockRef> = l1.batches.iter().map(|batch| batch.last).collect();
    let stretches = block_on(all(l1)).unwrap();
    let last = |stretch: &Stretch| stretch.blocks.last().map(|block| block.block);
    assert_eq!(stretches.iter().filter_map(last).collect::<Vec<_>>(), expected);
    let numbers: Vec<u64> =
        stretches.iter().flat_map(|stretch| &stretch.blocks).map(|block| block.block.number).collect();
    assert_eq!(numbers, (5..=12).collect::<Vec<_>>());
    assert_eq!(stretches.iter().map(|stretch| stretch.l1_block).collect::<Vec<_>>(), [20, 20, 33]);
}

#[test]
fn what_is_wrong_is_said() {
    let lost = |why: &str, index: u64, of: &str, at: u64| {
        format!("batch {index} (blocks {of}) is not in L1 block {at}: {why}")
    };
    let nowhere = "no transaction there posts it to the inbox";
    assert_eq!(refused(|l1| l1.blocks.get_mut(&33).unwrap().clear()), lost(nowhere, 2, "9 to 12", 33));
    // Through another contract: the data are not looked for.
    let nested = refused(|l1| l1.blocks.get_mut(&33).unwrap()[0].0 = Address::ZERO);
    assert_eq!(nested, lost(nowhere, 2, "9 to 12", 33));
    let hash = B256::repeat_byte(1);
    assert_eq!(refused(|l1| l1.batches[2].last.hash = hash), lost(nowhere, 2, "9 to 12", 33));
    let garbage = refused(|l1| {
        l1.blocks.get_mut(&20).unwrap().remove(3);
    });
    assert!(garbage.starts_with("batch 1 (blocks 8 to 8) is not in L1 block 20: payload: "), "{garbage}");
    let other = refused(|l1| {
        let (below, last) = (BlockRef { number: 8, hash: ANCHOR }, l1.batches[2].last);
        let batch = pack(ANCHOR, &rollup_blocks(below, 4)).unwrap();
        l1.blocks.insert(33, vec![(INBOX, post(9, last, batch.data().clone()))]);
    });
    assert!(other.contains("its data are blocks 9 to 12"), "{other}");
    let anchor = B256::repeat_byte(7);
    let elsewhere = refused(|l1| l1.anchor = anchor);
    assert_eq!(elsewhere, format!("batch 0 hangs on {ANCHOR}, what is below it is {anchor}"));
    let gap = refused(|l1| {
        l1.batches.remove(1);
    });
    assert_eq!(gap, "batch 1 starts at block 9, the one before ended at 7");
    let pruned = refused(|l1| {
        l1.blocks.remove(&33);
    });
    assert!(pruned.contains("does not have L1 block 33"), "{pruned}");
}

#[test]
fn blobs_are_read_where_there_is_a_node_for_them() {
    let mut l1 = L1::good();
    let call = BatchInbox::postCall::abi_decode(&l1.blocks[&33][0].1).unwrap();
    let (registration, first, last, hash, data): (B256, u64, u64, B256, Bytes) = call.into();
    let call = BatchInbox::postBlobsCall { registration, first, last, lastHash: hash };
    let held = blobs(&data);
    let hashes = held.iter().map(|(hash, _)| *hash).collect();
    l1.in_blobs.insert(33, transaction(INBOX, call.abi_encode().into(), hashes));
    l1.blocks.get_mut(&33).unwrap().clear();
    let nobody = block_on(all(l1.clone())).unwrap_err().to_string();
    assert!(nobody.contains("(blocks 9 to 12) is not in L1 block 33: its data are in blobs"), "{nobody}");
    let read = async |held: Vec<(B256, Bytes)>| {
        let start = Derivation::start(Arc::new(l1.clone()), INBOX, REGISTRATION, Confidence::Latest);
        let mut derivation = start.await.unwrap().with_blobs(Arc::new(Held(held.into())));
        let mut count = 0;
        while let Some(stretch) = derivation.next().await? {
            count += stretch.blocks.len();
        }
        Ok::<_, DeriveError>(count)
    };
    assert_eq!(block_on(read(held)).unwrap(), 8);
    let missing = block_on(read(Vec::new())).unwrap_err().to_string();
    assert!(missing.contains("node does not have"), "{missing}");
}

#[test]
fn a_wrong_question_is_answered() {
    let start = |inbox, registration| {
        let started = Derivation::start(Arc::new(L1::good()), inbox, registration, Confidence::Latest);
        block_on(started).expect_err("a wrong question").to_string()
    };
    let nowhere = start(Address::repeat_byte(9), REGISTRATION);
    assert!(nowhere.contains("is no batch inbox"), "{nowhere}");
    let unknown = RegistrationId(B256::repeat_byte(1));
    assert_eq!(
        start(INBOX, unknown),
        format!(
            "registration {unknown} is unknown to the registry {REGISTRY} of that inbox: RegistrationUnknown"
        )
    );
}
