use super::*;
use crate::settlement::posting::tests::{Held, blobs, transaction};
use alloy_consensus::{Header, SignableTransaction as _, TxEip1559};
use alloy_primitives::{Signature, TxKind, U256};
use futures::executor::block_on;
use hum_batch::pack;
use hum_types::Bytes;

const INBOX: Address = Address::repeat_byte(0x1b);
const REGISTRATION: B256 = B256::repeat_byte(0x9e);

/// Three empty blocks on `parent`, RLP.
fn blocks(parent: B256) -> Vec<Bytes> {
    let mut parent_hash = parent;
    (7..10u64)
        .map(|number| {
            let header = Header { number, parent_hash, timestamp: number, ..Default::default() };
            parent_hash = header.hash_slow();
            alloy_rlp::encode(Block::<TxEnvelope>::uncle(header)).into()
        })
        .collect()
}

struct Post {
    to: Address,
    call: BatchInbox::postCall,
    event: (B256, u64, BlockRef),
}

impl Post {
    fn good() -> Self {
        let parent = B256::repeat_byte(6);
        let data = pack(parent, &blocks(parent)).unwrap().data().clone();
        let last = Batch::decode(&data).unwrap().last();
        let call = BatchInbox::postCall {
            registration: REGISTRATION,
            first: 7,
            last: last.number,
            lastHash: last.hash,
            _4: data,
        };
        Self { to: INBOX, call, event: (REGISTRATION, 7, last) }
    }

    fn signed(&self) -> TxEnvelope {
        let (to, input) = (TxKind::Call(self.to), self.call.abi_encode().into());
        let transaction = TxEip1559 { to, input, ..Default::default() };
        transaction.into_signed(Signature::new(U256::ONE, U256::ONE, false)).into()
    }

    fn read(&self) -> Result<Span, Unread> {
        self.read_in(&self.signed(), *self.signed().hash(), BlobSource::default())
    }

    /// As a log says that stands in a block of this transaction.
    fn read_in(&self, transaction: &TxEnvelope, tx_hash: B256, blobs: BlobSource) -> Result<Span, Unread> {
        let log = Log {
            address: INBOX,
            topics: Vec::new(),
            data: Bytes::new(),
            block: BlockRef::default(),
            tx_hash,
            index: 0,
        };
        let transactions = BTreeMap::from([(*transaction.hash(), transaction.clone())]);
        let block = L1Block { hash: B256::ZERO, time_ms: TimeMs(1), transactions };
        let (registration, first, said) = self.event;
        let post = post_of(&log, &block, registration).map_err(Unread::Broken)?;
        let data = block_on(blobs.data(&post.data, block.time_ms))?;
        span_of(&data, first, said).map_err(Unread::Broken)
    }
}

fn refused(change: impl FnOnce(&mut Post)) -> String {
    let mut post = Post::good();
    change(&mut post);
    match post.read() {
        Err(Unread::Broken(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_post_holds_the_blocks_that_its_event_says() {
    let post = Post::good();
    let span = post.read().unwrap();
    assert_eq!((span.first, span.parent, span.last), (7, B256::repeat_byte(6), post.event.2));
}

#[test]
fn a_post_that_is_not_what_its_event_says_is_unreadable() {
    assert!(refused(|post| post.to = Address::ZERO).contains("does not go to the inbox"));
    assert!(refused(|post| post.call.registration = B256::ZERO).contains("posts for"));
    assert!(refused(|post| post.event.1 = 8).contains("it says 8 to"));
    assert!(refused(|post| post.event.2.number += 1).contains("blocks 7 to 9"));
    assert!(refused(|post| post.event.2.hash = B256::ZERO).contains("blocks 7 to 9"));
    let cut = |post: &mut Post| post.call._4 = post.call._4.slice(..post.call._4.len() - 1);
    assert!(refused(cut).contains("payload"), "{}", refused(cut));
    let post = Post::good();
    let log_of_another =
        post.read_in(&post.signed(), B256::ZERO, BlobSource::default()).unwrap_err().to_string();
    assert!(log_of_another.contains("no transaction"));
}

#[test]
fn a_post_in_blobs_is_read_like_one_in_calldata() {
    let good = Post::good();
    let BatchInbox::postCall { registration, first, last, lastHash, _4: data } = good.call.clone();
    let call = BatchInbox::postBlobsCall { registration, first, last, lastHash }.abi_encode();
    let read = |blobs: Vec<(B256, Bytes)>, held: Vec<(B256, Bytes)>| {
        let hashes = blobs.iter().map(|(hash, _)| *hash).collect();
        let transaction = transaction(INBOX, call.clone().into(), hashes);
        let node = Held(held.into());
        good.read_in(&transaction, *transaction.hash(), BlobSource::new(Arc::new(node)))
    };
    let posted = blobs(&data);
    assert_eq!(read(posted.clone(), posted.clone()), good.read());
    assert!(matches!(read(posted, Vec::new()), Err(Unread::Away(_))), "read again, not given up");
    let other = blobs(&data.slice(..data.len() - 1));
    assert!(matches!(read(other.clone(), other), Err(Unread::Broken(_))), "half a batch");
}
