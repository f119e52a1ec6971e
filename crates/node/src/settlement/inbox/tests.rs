use super::*;
use alloy_consensus::{Header, SignableTransaction as _, TxEip1559};
use alloy_primitives::{Signature, TxKind, U256};
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

    fn read(&self) -> Result<Span, String> {
        let (to, input) = (TxKind::Call(self.to), self.call.abi_encode().into());
        let transaction = TxEip1559 { to, input, ..Default::default() };
        let signed = transaction.into_signed(Signature::new(U256::ONE, U256::ONE, false));
        let log = Log {
            address: INBOX,
            topics: Vec::new(),
            data: Bytes::new(),
            block: BlockRef::default(),
            tx_hash: *signed.hash(),
            index: 0,
        };
        let (registration, first, said) = self.event;
        span(&log, Some(&signed.into()), registration, first, said)
    }
}

fn refused(change: impl FnOnce(&mut Post)) -> String {
    let mut post = Post::good();
    change(&mut post);
    post.read().unwrap_err()
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
    let log_of_another = {
        let post = Post::good();
        let (registration, first, said) = post.event;
        let log = Log {
            address: INBOX,
            topics: Vec::new(),
            data: Bytes::new(),
            block: BlockRef::default(),
            tx_hash: B256::ZERO,
            index: 0,
        };
        span(&log, None, registration, first, said).unwrap_err()
    };
    assert!(log_of_another.contains("no transaction"));
}
