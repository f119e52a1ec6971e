//! Receipts, their blooms and their root.

use crate::ordered::Layout;
use alloy_consensus::{Eip2718EncodableReceipt, EthereumReceipt, TxReceipt, TxType};
use alloy_primitives::{
    B256, Bloom, BloomInput, Log, keccak256,
    map::{AddressMap, B256Map},
};
use alloy_trie::nodes::RlpNode;
use op_alloy_consensus::OpReceipt;
use std::sync::{Arc, OnceLock};

/// What a transaction leaves behind; shared between the executor and whoever hashes it.
#[derive(Debug, Clone)]
pub(crate) enum Receipt {
    /// Ethereum's.
    Ethereum(Arc<EthereumReceipt<TxType, Log>>),
    /// The OP Stack's: those of deposits carry the sender's nonce.
    OpStack(Arc<OpReceipt>),
}

impl Receipt {
    pub(crate) fn logs(&self) -> &[Log] {
        match self {
            Self::Ethereum(receipt) => &receipt.logs,
            Self::OpStack(receipt) => receipt.logs(),
        }
    }

    fn encode(&self, bloom: &Bloom, out: &mut Vec<u8>) {
        match self {
            Self::Ethereum(receipt) => receipt.eip2718_encode_with_bloom(bloom, out),
            Self::OpStack(receipt) => receipt.eip2718_encode_with_bloom(bloom, out),
        }
    }
}

/// The receipts trie of a block in the making.
#[derive(Debug)]
pub(crate) struct ReceiptTrie {
    layout: Layout,
    leaves: Vec<OnceLock<(RlpNode, Bloom)>>,
}

impl ReceiptTrie {
    /// For a block of `count` transactions.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            layout: Layout::new(count),
            leaves: std::iter::repeat_with(OnceLock::new).take(count).collect(),
        }
    }

    /// Hash receipts, the first of which belongs to transaction `start`. Chunks may come in any order, on any core.
    pub(crate) fn hash(&self, start: usize, receipts: &[Receipt]) {
        let mut hashes = BloomHashes::default();
        let mut encoded = Vec::new();
        for ((at, receipt), leaf) in (start..).zip(receipts).zip(self.leaves.iter().skip(start)) {
            let bloom = hashes.bloom(receipt);
            encoded.clear();
            receipt.encode(&bloom, &mut encoded);
            leaf.get_or_init(|| (self.layout.leaf(at, &encoded), bloom));
        }
    }

    /// The receipts root and the block's bloom, once each receipt was hashed.
    pub(crate) fn finish(self) -> (B256, Bloom) {
        let mut block_bloom = Bloom::ZERO;
        let leaf = |leaf: OnceLock<(RlpNode, Bloom)>| {
            let (leaf, bloom) = leaf.into_inner().unwrap_or_default();
            block_bloom |= bloom;
            leaf
        };
        let leaves: Vec<RlpNode> = self.leaves.into_iter().map(leaf).collect();
        (self.layout.root(&leaves), block_bloom)
    }
}

/// Blooms take three bits from a hash of each address and topic; the same few come again and again.
#[derive(Debug, Default)]
struct BloomHashes {
    addresses: AddressMap<B256>,
    topics: B256Map<B256>,
}

impl BloomHashes {
    fn bloom(&mut self, receipt: &Receipt) -> Bloom {
        let mut bloom = Bloom::ZERO;
        for log in receipt.logs() {
            let address = self.addresses.entry(log.address).or_insert_with(|| keccak256(log.address));
            bloom.accrue(BloomInput::Hash(*address));
            for topic in log.topics() {
                let hash = self.topics.entry(*topic).or_insert_with(|| keccak256(topic));
                bloom.accrue(BloomInput::Hash(*hash));
            }
        }
        bloom
    }
}
