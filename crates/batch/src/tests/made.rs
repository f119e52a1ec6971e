//! Blocks made up for tests: bodies of any bytes under headers of any shape.

use super::*;
use alloy_consensus::proofs::ordered_trie_root_with_encoder;
use alloy_rlp::{BufMut, Encodable as _, Header};
use hum_types::keccak256;
use proptest::prelude::*;

/// What a block is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    pub(super) number: u64,
    /// Typed ones as their bytes (first byte below 0x80), legacy ones as the payload of their list.
    pub(super) transactions: Vec<(bool, Vec<u8>)>,
    /// Whole items.
    pub(super) ommers: Vec<Vec<u8>>,
    pub(super) withdrawals: Option<Vec<Vec<u8>>>,
    /// Header items after the withdrawals root.
    pub(super) more: Vec<Vec<u8>>,
    /// What stands in place of the withdrawals root, when not that.
    pub(super) other_root: Option<B256>,
    pub(super) salt: u8,
}

pub(super) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload_length = items.iter().map(Vec::len).sum();
    let mut out = Vec::new();
    Header { list: true, payload_length }.encode(&mut out);
    items.iter().for_each(|item| out.extend_from_slice(item));
    out
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes.encode(&mut out);
    out
}

fn root(leaves: &[Vec<u8>]) -> B256 {
    ordered_trie_root_with_encoder(leaves, |leaf, out| out.put_slice(leaf))
}

impl Made {
    /// The block's parts: header items, transactions, ommers, withdrawals.
    pub(super) fn parts(&self, parent: B256) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let legacy = |bytes: &Vec<u8>| list(std::slice::from_ref(bytes));
        let items = self.transactions.iter().map(|(typed, tx)| if *typed { string(tx) } else { legacy(tx) });
        let leaves = self.transactions.iter().map(|(typed, tx)| if *typed { tx.clone() } else { legacy(tx) });
        let (items, leaves): (Vec<_>, Vec<_>) = (items.collect(), leaves.collect());
        let ommers = list(&self.ommers);
        let hash = |byte: u8| string(B256::repeat_byte(byte ^ self.salt).as_slice());
        let mut header = vec![
            string(parent.as_slice()),
            string(keccak256(&ommers).as_slice()),
            string(&[0x11; 20]),
            hash(3),
            string(root(&leaves).as_slice()),
            hash(5),
            string(&[0; 256]),
            string(&[]),
            alloy_rlp::encode(self.number),
            alloy_rlp::encode(30_000_000_u64),
            alloy_rlp::encode(21_000_u64),
            alloy_rlp::encode(1_700_000_000_u64.wrapping_add(self.number)),
            string(b"made"),
            hash(13),
            string(&[0; 8]),
        ];
        let mut body = vec![list(&items), ommers];
        if let Some(withdrawals) = &self.withdrawals {
            header.push(alloy_rlp::encode(7_u64));
            let declared = self.other_root.unwrap_or_else(|| root(withdrawals));
            header.push(string(declared.as_slice()));
            header.extend(self.more.iter().map(|item| string(item)));
            body.push(list(withdrawals));
        }
        (header, body)
    }

    /// The block's RLP and its hash.
    pub(super) fn block(&self, parent: B256) -> (BlockRef, Vec<u8>) {
        let (header, body) = self.parts(parent);
        let header = list(&header);
        let block = BlockRef { number: self.number, hash: keccak256(&header) };
        (block, list(&[vec![header], body].concat()))
    }
}

/// The blocks on each other, numbered from `first`.
pub(super) fn chain(parent: B256, first: u64, made: &[Made]) -> (Vec<BlockRef>, Vec<Vec<u8>>) {
    let mut below = parent;
    let numbered = made.iter().zip(first..).map(|(made, number)| {
        let (block, rlp) = Made { number, ..made.clone() }.block(below);
        below = block.hash;
        (block, rlp)
    });
    numbered.unzip()
}

pub(super) fn any_made() -> impl Strategy<Value = Made> {
    let typed = (0_u8..0x80, prop::collection::vec(any::<u8>(), 0..120))
        .prop_map(|(kind, rest)| (true, [vec![kind], rest].concat()));
    let legacy = prop::collection::vec(any::<u8>(), 0..20)
        .prop_map(|items| (false, items.iter().flat_map(|item| alloy_rlp::encode(*item)).collect()));
    let item = prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| list(&[string(&bytes)]));
    let withdrawals = prop::option::of((prop::collection::vec(item.clone(), 0..4), any::<bool>()));
    let more = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..34), 0..6);
    let body = (prop::collection::vec(prop_oneof![typed, legacy], 0..6), prop::collection::vec(item, 0..3));
    (body, withdrawals, more, any::<u8>()).prop_map(
        |((mut transactions, ommers), withdrawals, more, salt)| {
            // Without withdrawals something else may be in the place of their root, in blocks that begin with a deposit.
            let other = withdrawals.as_ref().is_some_and(|(items, other)| items.is_empty() && *other);
            let withdrawals = withdrawals.map(|(items, _)| items);
            let other_root = other.then_some(B256::repeat_byte(salt));
            if other {
                transactions.insert(0, (true, vec![0x7e, salt]));
            }
            Made { number: 0, transactions, ommers, withdrawals, more, other_root, salt }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_blocks_come_back(
        made in prop::collection::vec(any_made(), 1..12), first in 0..u64::MAX / 2, below in any::<[u8; 32]>(),
    ) {
        let parent = B256::new(below);
        let (blocks, rlps) = chain(parent, first, &made);
        let batch = there_and_back(parent, &rlps);
        prop_assert_eq!(Batch::decode(batch.data()).unwrap().blocks.iter().map(|b| b.block).collect::<Vec<_>>(), blocks);
        prop_assert_eq!(batch.payload_bytes(), payload(&batch).len());
    }

    #[test]
    fn what_is_accepted_packs_to_the_same_payload(
        made in prop::collection::vec(any_made(), 1..4), at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let (_, rlps) = chain(B256::ZERO, 5, &made);
        let mut bytes = payload(&pack(B256::ZERO, &rlps).unwrap());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(unpacked) = Batch::decode(&posted(&bytes)) {
            let again: Vec<_> = unpacked.blocks.into_iter().map(|block| block.rlp).collect();
            prop_assert_eq!(payload(&pack(unpacked.parent, &again).unwrap()), bytes);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Batch::decode(&bytes);
        let _ = Batch::decode(&posted(&bytes));
        let _ = pack(B256::ZERO, &[bytes]);
    }
}

#[test]
fn as_many_as_fit_are_packed() {
    let noise = |seed: u32| {
        (0..8_u32).flat_map(|n| keccak256((seed, n).0.to_be_bytes().repeat(n as usize + 1)).0).collect()
    };
    let made: Vec<Made> = (0..300)
        .map(|seed| Made { transactions: vec![(true, [vec![2], noise(seed)].concat())], ..Made::default() })
        .collect();
    let (_, rlps) = chain(B256::ZERO, 1, &made);
    let whole = pack(B256::ZERO, &rlps).unwrap();
    let some = pack_fitting(B256::ZERO, &rlps, whole.data().len() / 3).unwrap();
    assert!(some.data().len() <= whole.data().len() / 3, "{}", some.data().len());
    assert!((80..100).contains(&some.blocks()), "{} of 300", some.blocks());
    assert_eq!(pack(B256::ZERO, &rlps[..some.blocks()]), Ok(some));
    assert_eq!(pack_fitting(B256::ZERO, &rlps, usize::MAX), Ok(whole));
    let alone = pack(B256::ZERO, &rlps[..1]).unwrap().data().len();
    assert_eq!(
        pack_fitting(B256::ZERO, &rlps, 100),
        Err(PackError::TooLarge { number: 1, found: alone, bound: 100 })
    );
}
