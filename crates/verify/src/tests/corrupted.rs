//! A valid block with one thing changed and signed for again: the signer's fault, and the right one.

use super::{
    made::{busy, osaka},
    world::*,
};
use crate::*;
use alloy_consensus::{Header, TxEip4844};
use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_genesis::ChainConfig;
use alloy_primitives::{B64, B256, TxKind, U256, keccak256};
use alloy_trie::root::ordered_trie_root_encoded;
use hum_types::InvalidReason;

fn block() -> (Verifier, Made) {
    let mut world = World::new(osaka(), 8);
    let made = busy(&mut world, 0);
    (world.verifier(), made)
}

/// What the block is called after `change`.
fn reason(change: impl Fn(&mut Header)) -> Reason {
    let (verifier, mut made) = block();
    change(&mut made.header);
    match made.judge(&verifier) {
        Verdict::Invalid(reason) => reason,
        verdict => panic!("{verdict:?}"),
    }
}

fn field(change: impl Fn(&mut Header)) -> &'static str {
    match reason(change) {
        Reason::Quantity { field, .. } | Reason::Range { field, .. } | Reason::Hash { field, .. } => field,
        Reason::FieldMissing(field) | Reason::FieldUnexpected(field) => field,
        reason => panic!("{reason:?}"),
    }
}

/// Every field of the header that rules or execution determine, each alone.
#[test]
fn every_header_field_is_held() {
    assert!(matches!(reason(|h| h.parent_hash.0[0] ^= 1), Reason::ParentHash { .. }));
    assert_eq!(field(|h| h.ommers_hash.0[0] ^= 1), "ommers hash");
    assert_eq!(field(|h| h.state_root.0[0] ^= 1), "state root");
    assert_eq!(field(|h| h.receipts_root.0[0] ^= 1), "receipts root");
    assert_eq!(reason(|h| h.logs_bloom.0[0] ^= 1), Reason::LogsBloom);
    assert_eq!(field(|h| h.difficulty = U256::ONE), "difficulty");
    assert_eq!(field(|h| h.number += 1), "number");
    assert_eq!(field(|h| h.gas_limit += 60_000_000 / 1_024), "gas limit");
    assert_eq!(field(|h| h.gas_limit -= 60_000_000 / 1_024), "gas limit");
    assert_eq!(field(|h| h.gas_used += 1), "gas used");
    assert_eq!(field(|h| h.gas_used = h.gas_limit + 1), "gas used");
    assert_eq!(field(|h| h.timestamp -= 1), "timestamp");
    assert_eq!(field(|h| h.extra_data = vec![0; 33].into()), "extra data length");
    assert_eq!(field(|h| h.nonce = B64::with_last_byte(1)), "nonce");
    assert_eq!(field(|h| *h.base_fee_per_gas.as_mut().unwrap() += 1), "base fee");
    assert_eq!(field(|h| h.blob_gas_used = Some(DATA_GAS_PER_BLOB)), "blob gas used");
    assert_eq!(field(|h| h.blob_gas_used = Some(1)), "blob gas used");
    assert_eq!(field(|h| h.blob_gas_used = Some(10 * DATA_GAS_PER_BLOB)), "blob gas used");
    assert_eq!(field(|h| h.excess_blob_gas = Some(1)), "excess blob gas");
    assert_eq!(field(|h| h.requests_hash.as_mut().unwrap().0[0] ^= 1), "requests hash");
    // These change what the system contracts or the EVM see.
    assert_eq!(field(|h| h.parent_beacon_block_root = Some(B256::ZERO)), "state root");
    assert_eq!(field(|h| h.beneficiary.0[0] ^= 1), "state root");
}

#[test]
fn fields_come_and_go_with_forks() {
    assert_eq!(field(|h| h.block_access_list_hash = Some(B256::ZERO)), "block access list hash");
    // Optional fields stand in a row: without the last there is no one after it to tell that it is missing.
    assert_eq!(field(|h| h.requests_hash = None), "requests hash");

    let spec =
        ChainSpec::new(&ChainConfig { prague_time: None, osaka_time: None, ..config() }, false).unwrap();
    let mut world = World::new(spec, 8);
    let made = busy(&mut world, 0);
    let Verdict::Invalid(reason) = made.judge(&world.verifier()) else { panic!() };
    assert_eq!(reason, Reason::FieldUnexpected("requests hash"));
}

#[test]
fn reasons_have_classes() {
    assert_eq!(reason(|h| h.number += 1).class(), InvalidReason::Header);
    assert_eq!(reason(|h| h.state_root.0[0] ^= 1).class(), InvalidReason::StateRoot);
    assert_eq!(reason(|h| h.receipts_root.0[0] ^= 1).class(), InvalidReason::ReceiptsRoot);
    assert_eq!(reason(|h| h.logs_bloom.0[0] ^= 1).class(), InvalidReason::LogsBloom);
    assert_eq!(reason(|h| h.gas_used += 1).class(), InvalidReason::GasUsed);
    assert_eq!(reason(|h| h.requests_hash.as_mut().unwrap().0[0] ^= 1).class(), InvalidReason::RequestsHash);
}

/// Roots that bind the body say nothing about a body that someone else served.
#[test]
fn another_body_is_not_the_signers_fault() {
    let (verifier, made) = block();
    let body = |change: &dyn Fn(&mut Made)| {
        let mut changed = made.clone();
        change(&mut changed);
        match changed.judge(&verifier) {
            Verdict::Undecided(Missing::Body { part, .. }) => part,
            Verdict::Undecided(Missing::BlockMalformed(what)) => what,
            verdict => panic!("{verdict:?}"),
        }
    };
    assert_eq!(body(&|made| _ = made.body.transactions.pop()), "transactions");
    assert_eq!(body(&|made| made.header.transactions_root.0[0] ^= 1), "transactions");
    assert_eq!(body(&|made| made.body.transactions.swap(0, 1)), "transactions");
    assert_eq!(body(&|made| made.body.withdrawals.as_mut().unwrap()[0].amount += 1), "withdrawals");
    assert_eq!(body(&|made| made.header.withdrawals_root = Some(B256::ZERO)), "withdrawals");
    assert_eq!(body(&|made| made.body.withdrawals = None), "no withdrawals under a header that has them");
    assert_eq!(
        body(&|made| made.body.ommers = vec![Header::default()]),
        "ommers under a header that has none"
    );
    let verdict = verifier.verify(&made.parent, B256::ZERO, &made.rlp(), &made.witness);
    assert!(matches!(verdict, Verdict::Undecided(Missing::Block { .. })));
}

/// Equal timestamps, and times that no rules are known for.
#[test]
fn time_follows_the_spec() {
    let (_, made) = block();
    let mut equal = made.clone();
    equal.header.timestamp = equal.parent.header().timestamp;
    let judge = |made: &Made, spec| made.judge(&Verifier::new(spec, vec![], Limits::default()));
    assert!(matches!(judge(&equal, osaka()), Verdict::Invalid(Reason::Range { field: "timestamp", .. })));
    // Another time gives another state (EIP-4788), but the timestamp itself is allowed.
    let allowed = ChainSpec::new(&config(), true).unwrap();
    assert!(matches!(
        judge(&equal, allowed.clone()),
        Verdict::Invalid(Reason::Hash { field: "state root", .. })
    ));
    let mut earlier = equal;
    earlier.header.timestamp -= 1;
    assert!(matches!(judge(&earlier, allowed), Verdict::Invalid(Reason::Range { field: "timestamp", .. })));

    let time = made.header.timestamp;
    let later = ChainConfig {
        cancun_time: Some(time + 1),
        prague_time: Some(time + 1),
        osaka_time: Some(time + 1),
        ..config()
    };
    let before_cancun = judge(&made, ChainSpec::new(&later, false).unwrap());
    assert_eq!(before_cancun, Verdict::Undecided(Missing::Fork { timestamp: time }));
    let amsterdam = ChainConfig { amsterdam_time: Some(time), ..config() };
    let amsterdam = ChainSpec::new(&amsterdam, false).unwrap();
    let unknown = Verdict::Undecided(Missing::Fork { timestamp: time });
    assert_eq!(judge(&made, amsterdam.clone()), unknown);

    // Its headers may have fields that nobody here can read. Without a fork to come, they are a false header.
    let more: Vec<u8> = {
        let mut header = alloy_rlp::encode(&made.header);
        let mut rest = &header[..];
        let before = header.len() - alloy_rlp::Header::decode(&mut rest).map(|_| rest.len()).unwrap();
        // Behind every field that is known today, and two more.
        let mut fields = header.split_off(before);
        fields.extend([&[0xa0][..], &[7; 32], &[0x07], &[0xa0], &[8; 32], &[0x08]].concat());
        alloy_rlp::Header { list: true, payload_length: fields.len() }.encode(&mut header);
        let list = header.split_off(before);
        [list, fields].concat()
    };
    let parts = [more.clone(), alloy_rlp::encode(&made.body.transactions), vec![0xc0]].concat();
    let parts = [parts, alloy_rlp::encode(made.body.withdrawals.clone().unwrap())].concat();
    let mut block = Vec::new();
    alloy_rlp::Header { list: true, payload_length: parts.len() }.encode(&mut block);
    block.extend(parts);
    let judge = |spec| {
        let verifier = Verifier::new(spec, vec![], Limits::default());
        verifier.verify(&made.parent, alloy_primitives::keccak256(&more), &block, &made.witness)
    };
    assert_eq!(judge(amsterdam), unknown);
    let verdict = judge(osaka());
    assert!(matches!(verdict, Verdict::Invalid(Reason::HeaderMalformed(_))), "{verdict:?}");
}

/// A block around these raw transactions, under a header that commits to them.
fn around(made: &Made, raw: &[Vec<u8>]) -> (B256, Vec<u8>) {
    let mut header = made.header.clone();
    header.transactions_root = ordered_trie_root_encoded(raw);
    let mut transactions = Vec::new();
    for raw in raw {
        if raw[0] >= 0xc0 {
            transactions.extend_from_slice(raw);
        } else {
            alloy_rlp::Encodable::encode(&raw[..], &mut transactions);
        }
    }
    let mut payload = alloy_rlp::encode(&header);
    alloy_rlp::Header { list: true, payload_length: transactions.len() }.encode(&mut payload);
    payload.extend(transactions);
    payload.push(0xc0);
    alloy_rlp::Encodable::encode(made.body.withdrawals.as_ref().unwrap(), &mut payload);
    let mut block = Vec::new();
    alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut block);
    block.extend(payload);
    (header.hash_slow(), block)
}

fn judge_around(raw: &[Vec<u8>]) -> Verdict {
    let (verifier, made) = block();
    let (hash, block) = around(&made, raw);
    verifier.verify(&made.parent, hash, &block, &made.witness)
}

/// What the transactions root commits to is the signer's word, even where it is nonsense.
#[test]
fn malformed_transactions_that_the_header_commits_to_are_invalid() {
    use alloy_eips::eip2718::Encodable2718;
    let (_, made) = block();
    let good = made.body.transactions[0].encoded_2718();
    let malformed = |raw: Vec<u8>| {
        assert!(matches!(
            judge_around(&[good.clone(), raw]),
            Verdict::Invalid(Reason::TransactionMalformed { index: 1, .. })
        ));
    };
    malformed(vec![5]);
    malformed(vec![0x7e, 0xc0]);
    malformed(vec![0xc0]);
    malformed(good[..good.len() - 1].to_vec());
    malformed([&good[..], &[0]].concat());
    let mut high_s = good.clone();
    let end = high_s.len();
    high_s[end - 32] = 0xff;
    assert!(matches!(
        judge_around(&[high_s]),
        Verdict::Invalid(
            Reason::TransactionSignature { index: 0 } | Reason::TransactionMalformed { index: 0, .. }
        )
    ));
    // The same twice: the second has a nonce that is used.
    let twice = judge_around(&[good.clone(), good.clone()]);
    assert!(matches!(twice, Verdict::Invalid(Reason::Transaction { index: 1, .. })), "{twice:?}");
    let most = 60_000_000 / 16_800;
    let many = judge_around(&vec![good; most + 1]);
    assert_eq!(many, Verdict::Invalid(Reason::TransactionCount { declared: most + 1, most: most as u64 }));
}

/// Blob transactions: the cap per transaction, and the form with blobs attached, which no block may hold.
#[test]
fn blobs_are_counted_and_stay_outside() {
    use alloy_eips::eip2718::Encodable2718;
    let blob = |blobs: u8| TxEip4844 {
        chain_id: 4_242,
        nonce: 0,
        gas_limit: 100_000,
        max_fee_per_gas: 100_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TOKEN,
        max_fee_per_blob_gas: 1_000_000_000,
        blob_versioned_hashes: (0..blobs)
            .map(|n| {
                let mut hash = B256::repeat_byte(n);
                hash.0[0] = 1;
                hash
            })
            .collect(),
        ..Default::default()
    };
    let mut world = World::new(osaka(), 8);
    let six = sign(&key(0), blob(6));
    let made = world.make(vec![six.clone()], vec![]);
    assert_eq!(made.header.blob_gas_used, Some(6 * DATA_GAS_PER_BLOB));
    assert!(
        matches!(made.judge(&world.verifier()), Verdict::Valid(_)),
        "{:?}",
        made.judge(&world.verifier())
    );
    let mut fewer = made;
    fewer.header.blob_gas_used = Some(5 * DATA_GAS_PER_BLOB);
    assert!(matches!(
        fewer.judge(&world.verifier()),
        Verdict::Invalid(Reason::Quantity { field: "blob gas used", .. })
    ));

    let seven = judge_around(&[sign(&key(0), blob(7)).encoded_2718()]);
    assert!(matches!(seven, Verdict::Invalid(Reason::Transaction { index: 0, .. })), "{seven:?}");
    let none = judge_around(&[sign(&key(0), blob(0)).encoded_2718()]);
    assert!(matches!(none, Verdict::Invalid(Reason::Transaction { index: 0, .. })), "{none:?}");

    // The network form: type ‖ [transaction, blobs, commitments, proofs].
    let inner = six.encoded_2718()[1..].to_vec();
    let mut network = vec![3];
    alloy_rlp::Header { list: true, payload_length: inner.len() + 3 }.encode(&mut network);
    network.extend(inner);
    network.extend([0xc0, 0xc0, 0xc0]);
    let attached = judge_around(&[network]);
    assert!(
        matches!(attached, Verdict::Invalid(Reason::TransactionMalformed { index: 0, .. })),
        "{attached:?}"
    );
}

/// EIP-7825: one transaction's gas.
#[test]
fn one_transactions_gas_is_capped() {
    use alloy_consensus::TxEip1559;
    use alloy_eips::eip2718::Encodable2718;
    let transaction = |gas_limit| TxEip1559 {
        chain_id: 4_242,
        gas_limit,
        max_fee_per_gas: 100_000_000_000,
        to: TxKind::Call(TOKEN),
        ..Default::default()
    };
    let above = judge_around(&[sign(&key(0), transaction((1 << 24) + 1)).encoded_2718()]);
    assert!(matches!(above, Verdict::Invalid(Reason::Transaction { index: 0, .. })), "{above:?}");
    let other_chain = TxEip1559 { chain_id: 1, ..transaction(100_000) };
    let other_chain = judge_around(&[sign(&key(0), other_chain).encoded_2718()]);
    assert!(matches!(other_chain, Verdict::Invalid(Reason::Transaction { index: 0, .. })), "{other_chain:?}");
}

/// A header that is not one, and one that is not written canonically, under their own hashes.
#[test]
fn a_signed_header_must_be_a_header() {
    let (verifier, made) = block();
    let judge = |header: &[u8]| {
        let mut payload = header.to_vec();
        payload.extend([0xc0, 0xc0, 0xc0]);
        let mut block = Vec::new();
        alloy_rlp::Header { list: true, payload_length: payload.len() }.encode(&mut block);
        block.extend(payload);
        verifier.verify(&made.parent, keccak256(header), &block, &made.witness)
    };
    assert!(matches!(judge(&[0xc0]), Verdict::Invalid(Reason::HeaderMalformed(_))));
    let raw = alloy_rlp::encode(&made.header);
    // One more item at the end of the list.
    let length = usize::from(raw[1]) << 8 | usize::from(raw[2]);
    assert_eq!((raw[0], length), (0xf9, raw.len() - 3));
    let mut longer = raw;
    longer.extend(vec![0x80; 3]);
    longer[1..3].copy_from_slice(&(length as u16 + 3).to_be_bytes());
    let verdict = judge(&longer);
    assert!(matches!(verdict, Verdict::Invalid(Reason::HeaderMalformed(_))), "{verdict:?}");
}

/// EIP-7934 holds from Osaka on.
#[test]
fn a_block_is_not_longer_than_osaka_allows() {
    let (verifier, made) = block();
    let (hash, block) = around(&made, &[vec![1; 8 << 20]]);
    let verdict = verifier.verify(&made.parent, hash, &block, &made.witness);
    let declared = block.len();
    assert_eq!(verdict, Verdict::Invalid(Reason::BlockBytes { declared, most: 8 << 20 }));
}
