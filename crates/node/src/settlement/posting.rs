//! What a transaction posts to the inbox, in its calldata or in its blobs.

use super::Unread;
use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_sol_types::SolCall as _;
use hum_batch::{BLOBS_MAX, from_blobs};
use hum_chain::{Blobs, contracts::BatchInbox};
use hum_types::{B256, BlockRef, Bytes, TimeMs};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of data from blobs that are kept: what is not final yet is read again as L1 goes on.
const HELD_BYTES_MAX: usize = 16 << 20;

/// A transaction that posts a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) registration: B256,
    pub(super) first: u64,
    pub(super) last: BlockRef,
    pub(super) data: Data,
}

/// Where a batch's data are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    /// Here.
    Calldata(Bytes),
    /// In the blobs with these versioned hashes.
    Blobs(Vec<B256>),
}

impl Post {
    /// What a transaction to the inbox posts; or why it posts nothing.
    pub(super) fn read(transaction: &TxEnvelope) -> Result<Self, String> {
        let input = transaction.input();
        if !input.starts_with(&BatchInbox::postBlobsCall::SELECTOR) {
            let call = BatchInbox::postCall::abi_decode_validate(input).map_err(|error| error.to_string())?;
            // The contract gives its last parameter no name.
            let (registration, first, number, hash, data): (B256, u64, u64, B256, Bytes) = call.into();
            let last = BlockRef { number, hash };
            return Ok(Self { registration, first, last, data: Data::Calldata(data) });
        }
        let call =
            BatchInbox::postBlobsCall::abi_decode_validate(input).map_err(|error| error.to_string())?;
        let hashes = transaction.blob_versioned_hashes().unwrap_or_default();
        if hashes.is_empty() || hashes.len() > BLOBS_MAX {
            return Err(format!("{} blobs, a batch has 1 to {BLOBS_MAX}", hashes.len()));
        }
        let last = BlockRef { number: call.last, hash: call.lastHash };
        let data = Data::Blobs(hashes.to_vec());
        Ok(Self { registration: call.registration, first: call.first, last, data })
    }
}

/// Where blobs come from.
#[derive(Debug, Default)]
pub(super) struct BlobSource {
    node: Option<Arc<dyn Blobs>>,
    /// Newest last. Hashes commit to the data, so these never change.
    held: Mutex<VecDeque<(Vec<B256>, Bytes)>>,
}

impl BlobSource {
    pub(super) fn new(node: Arc<dyn Blobs>) -> Self {
        Self { node: Some(node), held: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Vec<B256>, Bytes)>> {
        // Every change leaves a whole queue.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The data of a post that stands in the L1 block with this timestamp.
    pub(super) async fn data(&self, data: &Data, time_ms: TimeMs) -> Result<Bytes, Unread> {
        let hashes = match data {
            Data::Calldata(data) => return Ok(data.clone()),
            Data::Blobs(hashes) => hashes,
        };
        if let Some((_, data)) = self.lock().iter().find(|(held, _)| held == hashes) {
            return Ok(data.clone());
        }
        let Some(node) = &self.node else {
            let why = "its data are in blobs, and no beacon node is configured (l1_beacon, --beacon)";
            return Err(Unread::Away(why.to_owned()));
        };
        let blobs = node.blobs(time_ms, hashes.clone()).await;
        // Whatever the node says: another one, or the same one later, may have them.
        let blobs = blobs.map_err(|error| Unread::Away(format!("its blobs: {error}")))?;
        let data = from_blobs(&blobs).map_err(|error| Unread::Broken(format!("its blobs: {error}")))?;
        let data = Bytes::from(data);
        let mut held = self.lock();
        held.push_back((hashes.clone(), data.clone()));
        while held.iter().map(|(_, data)| data.len()).sum::<usize>() > HELD_BYTES_MAX {
            held.pop_front();
        }
        Ok(data)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction as _, TxEip4844};
    use alloy_primitives::{Signature, U256};
    use futures::{FutureExt as _, executor::block_on, future::BoxFuture};
    use hum_batch::to_blobs;
    use hum_chain::{ReadError, versioned_hash};
    use hum_types::Address;

    /// Blobs that a node has, by hash.
    #[derive(Debug, Default)]
    pub(in crate::settlement) struct Held(pub(in crate::settlement) Mutex<Vec<(B256, Bytes)>>);

    impl Blobs for Held {
        fn blobs(&self, _: TimeMs, hashes: Vec<B256>) -> BoxFuture<'_, Result<Vec<Bytes>, ReadError>> {
            let held = self.0.lock().unwrap().clone();
            let of = |hash: &B256| {
                let found = held.iter().find(|(other, _)| other == hash).map(|(_, blob)| blob.clone());
                found.ok_or_else(|| ReadError::Missing { method: "blobs", what: hash.to_string() })
            };
            let found = hashes.iter().map(of).collect();
            async move { found }.boxed()
        }
    }

    /// A transaction that posts with `blobs` to `to`.
    pub(in crate::settlement) fn transaction(to: Address, input: Bytes, hashes: Vec<B256>) -> TxEnvelope {
        let transaction = TxEip4844 { to, input, blob_versioned_hashes: hashes, ..TxEip4844::default() };
        let signed = transaction.into_signed(Signature::new(U256::ONE, U256::ONE, false));
        TxEnvelope::Eip4844(signed.into())
    }

    /// Blobs of data, with their hashes.
    pub(in crate::settlement) fn blobs(data: &[u8]) -> Vec<(B256, Bytes)> {
        to_blobs(data).unwrap().into_iter().map(|blob| (versioned_hash(&blob).unwrap(), blob)).collect()
    }

    fn call() -> Bytes {
        let (registration, last_hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        BatchInbox::postBlobsCall { registration, first: 3, last: 4, lastHash: last_hash }.abi_encode().into()
    }

    #[test]
    fn blobs_of_the_transaction_are_the_data() {
        let hashes = vec![B256::repeat_byte(7); 6];
        let post = Post::read(&transaction(Address::ZERO, call(), hashes.clone())).unwrap();
        assert_eq!((post.first, post.last.number, post.data), (3, 4, Data::Blobs(hashes)));
        for (count, says) in [(0, "0 blobs"), (7, "7 blobs")] {
            let refused =
                Post::read(&transaction(Address::ZERO, call(), vec![B256::ZERO; count])).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        }
        let cut = call().slice(..call().len() - 1);
        assert!(Post::read(&transaction(Address::ZERO, cut, vec![B256::ZERO])).is_err());
    }

    #[test]
    fn data_in_blobs_wait_for_a_node_that_has_them() {
        let (data, time) = (vec![9; 130_000], TimeMs(1));
        let blobs = blobs(&data);
        let hashes = Data::Blobs(blobs.iter().map(|(hash, _)| *hash).collect());
        let nobody = block_on(BlobSource::default().data(&hashes, time)).unwrap_err();
        assert!(matches!(&nobody, Unread::Away(why) if why.contains("no beacon node")), "{nobody}");
        let node = Arc::new(Held::default());
        let source = BlobSource::new(Arc::<Held>::clone(&node));
        let away = block_on(source.data(&hashes, time)).unwrap_err();
        assert!(matches!(&away, Unread::Away(why) if why.contains("does not have")), "{away}");
        *node.0.lock().unwrap() = blobs;
        assert_eq!(block_on(source.data(&hashes, time)), Ok(data.clone().into()));
        node.0.lock().unwrap().clear();
        assert_eq!(block_on(source.data(&hashes, time)), Ok(data.into()), "kept");
        // Blobs in an order that was never encoded.
        let hash = B256::repeat_byte(3);
        node.0.lock().unwrap().push((hash, vec![0; 131_072].into()));
        let broken = block_on(source.data(&Data::Blobs(vec![hash]), time)).unwrap_err();
        assert!(matches!(&broken, Unread::Broken(_)), "{broken}");
        assert_eq!(block_on(source.data(&Data::Calldata(vec![1].into()), time)), Ok(vec![1].into()));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let node = Arc::new(Held::default());
        let source = BlobSource::new(Arc::<Held>::clone(&node));
        for number in 0..25_u8 {
            let hashes: Vec<B256> = (0..6).map(|at| B256::left_padding_from(&[number, at])).collect();
            let mut data = vec![number; hum_batch::BLOB_DATA_BYTES_MAX];
            data[0] = 1;
            *node.0.lock().unwrap() = hashes.iter().copied().zip(to_blobs(&data).unwrap()).collect();
            block_on(source.data(&Data::Blobs(hashes), TimeMs(1))).unwrap();
        }
        let held = source.lock().iter().map(|(_, data)| data.len()).sum::<usize>();
        assert!(held <= HELD_BYTES_MAX && source.lock().len() == 22, "{held} bytes");
    }
}
