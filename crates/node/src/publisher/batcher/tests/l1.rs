//! An L1 with an inbox that keeps the contract's rules.

use super::INBOX;
use alloy_consensus::{Block, BlockBody, Header, TxEnvelope};
use alloy_primitives::U256;
use alloy_sol_types::{SolCall as _, SolError as _};
use futures::future::{BoxFuture, FutureExt, pending, ready};
use hum_batch::{Batch, Unpacked};
use hum_chain::{
    At, Call, Chain, Log, LogQuery, Outcome, RawBlock, RawWitness, ReadError, Submit, SubmitError,
    contracts::BatchInbox,
};
use hum_types::{Address, B256, BlockRef, Bytes, ChainId, Confidence, keccak256};
use std::sync::{Arc, Mutex, MutexGuard};

/// Wei of one gas.
pub(super) const PRICE_WEI: u128 = 10;
/// Wei of one gas of blobs.
pub(super) const BLOB_PRICE_WEI: u128 = 3;

#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) first: u64,
    pub(super) last: BlockRef,
    pub(super) l1_block: u64,
    pub(super) data: Bytes,
    pub(super) blobs: usize,
}

/// What becomes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// The next block has it.
    Included,
    /// It lies in the pool, and nobody hears of it again.
    Pooled,
    /// It lies in the pool, and the sender gives up.
    GivenUp,
}

#[derive(Debug)]
struct State {
    head: u64,
    fork: u8,
    posts: Vec<Post>,
    pool: Vec<Post>,
    sending: Sending,
    /// Revert data of every post.
    refuses: Option<Vec<u8>>,
    down: bool,
    /// Its headers count gas of blobs.
    blob_gas: bool,
    balance_wei: u128,
    /// Requests that are still answered; what comes after hangs, as when the process dies there.
    answers: u64,
    asked: u64,
    reverted: u64,
    fees_wei: u128,
}

#[derive(Debug)]
pub(super) struct L1(Mutex<State>);

impl L1 {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            head: 1,
            fork: 0,
            posts: Vec::new(),
            pool: Vec::new(),
            sending: Sending::Included,
            refuses: None,
            down: false,
            blob_gas: false,
            balance_wei: u128::MAX,
            answers: u64::MAX,
            asked: 0,
            reverted: 0,
            fees_wei: 0,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn set_sending(&self, sending: Sending) {
        self.lock().sending = sending;
    }

    pub(super) fn set_refuses(&self, data: Option<Vec<u8>>) {
        self.lock().refuses = data;
    }

    pub(super) fn set_blob_gas(&self) {
        self.lock().blob_gas = true;
    }

    pub(super) fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    pub(super) fn set_balance(&self, wei: u128) {
        self.lock().balance_wei = wei;
    }

    /// Answer so many requests from now on, and no more.
    pub(super) fn set_answers(&self, answers: u64) {
        self.lock().answers = answers;
    }

    pub(super) fn asked(&self) -> u64 {
        self.lock().asked
    }

    pub(super) fn reverted(&self) -> u64 {
        self.lock().reverted
    }

    pub(super) fn fees_wei(&self) -> u128 {
        self.lock().fees_wei
    }

    pub(super) fn posts(&self) -> Vec<Post> {
        self.lock().posts.clone()
    }

    /// Put a batch there, whoever made it.
    pub(super) fn put(&self, first: u64, last: BlockRef) {
        let mut state = self.lock();
        state.head += 1;
        let l1_block = state.head;
        state.posts.push(Post { first, last, l1_block, data: Bytes::new(), blobs: 0 });
    }

    /// The next block takes what lies in the pool.
    pub(super) fn mine(&self) {
        let mut state = self.lock();
        for post in std::mem::take(&mut state.pool) {
            state.include(post);
        }
    }

    /// Another branch replaces the last `blocks`; what they had is lost, or goes back into the pool.
    pub(super) fn reorganise(&self, blocks: u64, lost: bool) {
        let mut state = self.lock();
        let kept = state.head - blocks;
        let (posts, dropped) =
            std::mem::take(&mut state.posts).into_iter().partition(|post| post.l1_block <= kept);
        state.posts = posts;
        if !lost {
            state.pool = dropped;
        }
        state.fork += 1;
    }

    /// All blocks that stand on L1, rebuilt from there.
    pub(super) fn blocks(&self) -> Vec<BlockRef> {
        let unpack = |post: &Post| -> Unpacked {
            let unpacked = Batch::decode(&post.data).expect("a batch");
            assert_eq!((unpacked.first().number, unpacked.last()), (post.first, post.last));
            unpacked
        };
        self.posts().iter().flat_map(|post| unpack(post).blocks).map(|block| block.block).collect()
    }
}

impl State {
    fn read(&mut self) -> Result<bool, ReadError> {
        self.asked += 1;
        if self.down {
            let (endpoint, detail) = ("L1".into(), "down".into());
            return Err(ReadError::Transport { method: "L1", endpoint, detail });
        }
        let answered = self.answers > 0;
        self.answers = self.answers.saturating_sub(1);
        Ok(answered)
    }

    fn check(&self, post: &Post) -> Result<(), Vec<u8>> {
        if let Some(data) = &self.refuses {
            return Err(data.clone());
        }
        match self.posts.last() {
            Some(before) if before.last.number + 1 != post.first => Err(BatchInbox::BatchNotNext {
                first: post.first,
                expected: U256::from(before.last.number + 1),
            }
            .abi_encode()),
            _ => Ok(()),
        }
    }

    fn include(&mut self, post: Post) -> bool {
        self.head += 1;
        let success = self.check(&post).is_ok();
        if success {
            self.posts.push(Post { l1_block: self.head, ..post });
        } else {
            self.reverted += 1;
        }
        success
    }

    fn header(&self) -> Header {
        let zero = Some(0);
        let withdrawals_root = Some(alloy_consensus::EMPTY_ROOT_HASH);
        let base =
            Header { number: self.head, base_fee_per_gas: zero, withdrawals_root, ..Header::default() };
        if self.blob_gas { Header { excess_blob_gas: zero, ..base } } else { base }
    }

    fn block(&self) -> BlockRef {
        let hash = keccak256([self.head.to_be_bytes().as_slice(), &[self.fork]].concat());
        BlockRef { number: self.head, hash }
    }

    fn answer(&self, data: &[u8], at: At) -> Bytes {
        let At::Number(at) = at else { panic!("two reads of one block: {at:?}") };
        let posts: Vec<&Post> = self.posts.iter().filter(|post| post.l1_block <= at).collect();
        if BatchInbox::batchCountCall::abi_decode(data).is_ok() {
            return BatchInbox::batchCountCall::abi_encode_returns(&U256::from(posts.len())).into();
        }
        let index = BatchInbox::batchAtCall::abi_decode(data).expect("batchAt").index;
        let post = posts[index.to::<usize>()];
        let words: Vec<u8> =
            [U256::from(post.first), U256::from(post.last.number), U256::from(post.l1_block)]
                .into_iter()
                .flat_map(|word| word.to_be_bytes::<32>())
                .chain(post.last.hash.0)
                .collect();
        words.into()
    }
}

fn read_post(call: &Call) -> Post {
    assert_eq!(call.to, INBOX);
    if let Ok(post) = BatchInbox::postBlobsCall::abi_decode(&call.data) {
        let last = BlockRef { number: post.last, hash: post.lastHash };
        let data = hum_batch::from_blobs(&call.blobs).expect("data in blobs").into();
        return Post { first: post.first, last, l1_block: 0, data, blobs: call.blobs.len() };
    }
    let post = BatchInbox::postCall::abi_decode(&call.data).expect("a post");
    let (_, first, number, hash, data): (B256, u64, u64, B256, Bytes) = post.into();
    Post { first, last: BlockRef { number, hash }, l1_block: 0, data, blobs: call.blobs.len() }
}

fn blob_gas(call: &Call) -> u128 {
    131_072 * call.blobs.len() as u128
}

fn gas(call: &Call) -> u64 {
    21_000 + 40 * call.data.len() as u64
}

impl L1 {
    fn reply<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&mut State) -> T,
    ) -> BoxFuture<'_, Result<T, ReadError>> {
        let mut state = self.lock();
        match state.read() {
            Err(error) => ready(Err(error)).boxed(),
            Ok(true) => ready(Ok(answer(&mut state))).boxed(),
            Ok(false) => pending().boxed(),
        }
    }
}

impl Chain for L1 {
    fn chain_id(&self) -> ChainId {
        ChainId(1)
    }

    fn head(&self, _: Confidence) -> BoxFuture<'_, Result<BlockRef, ReadError>> {
        self.reply(|state| state.block())
    }

    fn block(&self, _: At) -> BoxFuture<'_, Result<Option<RawBlock>, ReadError>> {
        self.reply(|state| {
            let header = Header { blob_gas_used: state.blob_gas.then_some(0), ..state.header() };
            let withdrawals = Some(Default::default());
            let body = BlockBody { transactions: Vec::<TxEnvelope>::new(), ommers: Vec::new(), withdrawals };
            let block = Block { header, body };
            Some(RawBlock::from_rlp(alloy_rlp::encode(block).into()).expect("an empty block"))
        })
    }

    fn witness(&self, _: BlockRef) -> BoxFuture<'_, Result<RawWitness, ReadError>> {
        self.reply(|_| RawWitness::Json(Bytes::new()))
    }

    fn logs(&self, _: LogQuery) -> BoxFuture<'_, Result<Vec<Log>, ReadError>> {
        self.reply(|_| Vec::new())
    }

    fn call(&self, to: Address, data: Bytes, at: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        assert_eq!(to, INBOX);
        self.reply(|state| state.answer(&data, at))
    }

    fn storage(&self, _: Address, _: B256, _: At) -> BoxFuture<'_, Result<B256, ReadError>> {
        self.reply(|_| B256::ZERO)
    }

    fn code(&self, _: Address, _: At) -> BoxFuture<'_, Result<Bytes, ReadError>> {
        self.reply(|_| Bytes::new())
    }

    fn balance(&self, _: Address) -> BoxFuture<'_, Result<U256, ReadError>> {
        self.reply(|state| U256::from(state.balance_wei))
    }

    fn nonce(&self, _: Address) -> BoxFuture<'_, Result<u64, ReadError>> {
        self.reply(|_| 0)
    }
}

impl Submit for L1 {
    fn chain_id(&self) -> ChainId {
        ChainId(1)
    }

    fn sender(&self) -> Address {
        Address::repeat_byte(0xba)
    }

    fn balance(&self) -> BoxFuture<'_, Result<U256, ReadError>> {
        Chain::balance(self, self.sender())
    }

    fn gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        self.reply(|_| PRICE_WEI)
    }

    fn blob_gas_price(&self) -> BoxFuture<'_, Result<u128, ReadError>> {
        self.reply(|_| BLOB_PRICE_WEI)
    }

    fn estimate(&self, call: Call) -> BoxFuture<'_, Result<u64, SubmitError>> {
        let answer = self.reply(move |state| state.check(&read_post(&call)).map(|()| gas(&call)));
        async move {
            let rejected =
                |data: Vec<u8>| SubmitError::Rejected { data: data.into(), message: "reverts".to_owned() };
            answer.await?.map_err(rejected)
        }
        .boxed()
    }

    fn send(&self, call: Call) -> BoxFuture<'_, Result<Outcome, SubmitError>> {
        // The last request that is answered leaves the process, but its answer does not reach it.
        let answer = self.reply(move |state| {
            let (post, tx_hash) = (read_post(&call), keccak256(&call.data));
            if state.sending != Sending::Included || state.answers == 0 {
                state.pool.push(post);
                return (state.answers == 0 || state.sending == Sending::Pooled, Err(tx_hash));
            }
            let success = state.include(post);
            let fee = PRICE_WEI * u128::from(gas(&call)) + BLOB_PRICE_WEI * blob_gas(&call);
            state.fees_wei += fee;
            let (gas_used, fee, block) = (gas(&call), U256::from(fee), state.block());
            (false, Ok(Outcome { tx_hash, success, gas_used, fee, block, logs: Vec::new() }))
        });
        async move {
            let (hangs, outcome) = answer.await?;
            if hangs {
                pending::<()>().await;
            }
            outcome.map_err(|tx_hash| SubmitError::Unknown { tx_hash, after_ms: 180_000 })
        }
        .boxed()
    }
}
