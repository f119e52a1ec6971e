//! What the independent verifier says of our blocks, true and false.

use alloy_consensus::Header;
use alloy_rlp::Decodable;
use hum_verify::dialect::witness_from_value;
use hum_verify::{CertifiedHeader, ChainSpec, Limits, Missing, Reason, Verdict, Verifier, Witness};

use super::*;

async fn verifier(chain: &DevChain) -> Verifier {
    let mut spec = ask(chain, "debug_chainConfig", json!([])).await;
    spec["allowEqualTimestamps"] = chain.config().allows_equal_timestamps().into();
    let spec: ChainSpec = serde_json::from_value(spec).unwrap();
    Verifier::new(spec, vec![COUNTER], Limits::default())
}

async fn certified(chain: &DevChain, number: u64) -> CertifiedHeader {
    let raw = from_hex(&ask(chain, "debug_getRawHeader", json!([format!("0x{number:x}")])).await);
    CertifiedHeader::from_anchor(Header::decode(&mut &raw[..]).unwrap())
}

async fn witness(chain: &DevChain, number: u64) -> Witness {
    witness_from_value(ask(chain, "debug_executionWitness", json!([format!("0x{number:x}")])).await).unwrap()
}

async fn judge(chain: &DevChain, number: u64, lie: Option<&Lie>) -> Verdict {
    let parent = certified(chain, number - 1).await;
    let truth =
        Lie { block: chain.raw_block(number).await.unwrap(), hash: chain.block(number).unwrap().hash };
    let lie = lie.unwrap_or(&truth);
    verifier(chain).await.verify(&parent, lie.hash, &lie.block, &witness(chain, number).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_is_valid_in_both_modes_and_across_a_reorg() {
    for block_time_ms in [1_000, 250] {
        let chain = still(settings(block_time_ms)).await;
        for round in 0..8 {
            send(&chain, transfer(round)).await;
            send(&chain, TransactionRequest::default().with_to(COUNTER)).await;
            chain.produce_block().await.unwrap();
            if round == 4 {
                chain.reorg(3, DroppedTransactions::Requeue).await.unwrap();
            }
        }
        for _ in 0..4 {
            chain.produce_block().await.unwrap();
        }
        let mut transactions = 0;
        for number in 1..=chain.head().number {
            match judge(&chain, number, None).await {
                Verdict::Valid(summary) => transactions += summary.transactions,
                other => panic!("block {number} of {block_time_ms} ms: {other:?}"),
            }
        }
        assert_eq!(transactions, 16);
        chain.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_are_invalid_for_their_own_reason() {
    let chain = still(settings(250)).await;
    send(&chain, TransactionRequest::default().with_to(COUNTER)).await;
    let number = chain.produce_block().await.unwrap().number;
    let raw = chain.raw_block(number).await.unwrap();
    let receipts = chain.raw_receipts(number).await.unwrap();

    let root = lies::wrong_state_root(&raw, keccak256("nowhere")).unwrap();
    let slot = chain.forge_slot(number, COUNTER, B256::ZERO, B256::with_last_byte(99)).await.unwrap();
    for lie in [root, slot] {
        let verdict = judge(&chain, number, Some(&lie)).await;
        assert!(matches!(verdict, Verdict::Invalid(Reason::Hash { field: "state root", .. })), "{verdict:?}");
    }
    let receipt = lies::forged_receipt(&raw, &receipts, alloy::primitives::Log::empty()).unwrap();
    let verdict = judge(&chain, number, Some(&receipt)).await;
    assert!(matches!(verdict, Verdict::Invalid(Reason::Hash { field: "receipts root", .. })), "{verdict:?}");
    chain.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_are_minimal() {
    let chain = still(settings(250)).await;
    send(&chain, TransactionRequest::default().with_to(COUNTER)).await;
    let number = chain.produce_block().await.unwrap().number;
    let parent = certified(&chain, number - 1).await;
    let block = chain.raw_block(number).await.unwrap();
    let whole = witness(&chain, number).await;
    let verifier = verifier(&chain).await;
    for index in 0..whole.state.len() {
        let mut less = whole.clone();
        less.state.remove(index);
        let verdict = verifier.verify(&parent, chain.block(number).unwrap().hash, &block, &less);
        assert!(matches!(verdict, Verdict::Undecided(Missing::Node(_))), "without node {index}: {verdict:?}");
    }
    chain.shutdown().await;
}
