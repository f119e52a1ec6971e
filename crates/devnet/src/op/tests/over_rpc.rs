//! The same chain as its clients see it: Hum's own reader and sender over JSON-RPC.

use super::*;
use hum_chain::{
    At, Call, Chain as _, RawWitness, Submit as _,
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_verify::dialect::parse_witness;

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_and_a_verifier_get_all_they_need() {
    let genesis = OpGenesis { allow_equal_timestamps: true, ..genesis(OpForks::JOVIAN) };
    let node = OpNode::start(&genesis, OpNodeConfig::new("op", 100)).await.unwrap();
    let reader = RpcChain::new(&node.rpc_url(), CHAIN, RpcLimits::default()).unwrap();
    let submit = RpcSubmit::new(reader.clone(), user().to_bytes(), SubmitPolicy::default()).unwrap();

    let mut outcomes = Vec::new();
    for word in 0_u8..3 {
        let call = Call::new(contracts::MESSAGE_PASSER, Bytes::from(vec![word]));
        let outcome = submit.send(call).await.unwrap();
        assert!(outcome.success && outcome.fee > U256::ZERO);
        outcomes.push(outcome);
    }
    let outcome = submit.send(Call::new(GATEWAY, Bytes::from(vec![1; 40]))).await.unwrap();
    assert_eq!(outcome.logs.len(), 1);
    let block = outcome.block;

    // What a publisher reads is enough to judge the block.
    let raw = reader.block(At::Hash(block.hash)).await.unwrap().unwrap();
    let parent = reader.block(At::Number(block.number - 1)).await.unwrap().unwrap();
    let RawWitness::Json(witness) = reader.witness(block).await.unwrap() else { panic!() };
    let witness = parse_witness(std::str::from_utf8(&witness).unwrap()).unwrap();
    let parent = CertifiedHeader::from_anchor(OpBlock::decode(&mut &parent.rlp[..]).unwrap().header);
    let verifier = Verifier::new(node.spec().clone(), vec![GATEWAY], Limits::default());
    let verdict = verifier.verify(&parent, block.hash, &raw.rlp, &witness);
    assert!(matches!(verdict, Verdict::Valid(_)), "{verdict:?}");

    // State: by call, by slot, by proof.
    let at = At::Number(block.number);
    let slot = keccak256([1]);
    assert_eq!(reader.storage(contracts::MESSAGE_PASSER, slot, at).await.unwrap(), B256::with_last_byte(1));
    let proof = reader.proof(contracts::MESSAGE_PASSER, vec![slot], at).await.unwrap();
    proof.check(raw.state_root).unwrap();
    assert_eq!(proof.slots[0].word, B256::with_last_byte(1));
    assert!(!reader.code(contracts::L1_BLOCK, at).await.unwrap().is_empty());
    assert!(reader.nonce(user().address()).await.unwrap() >= 4);
}

/// A block takes so many bytes of transactions, whatever else waits; one that is longer is refused.
#[test]
fn no_block_has_more_bytes_than_it_may() {
    let mut network = Network::new(OpForks::JOVIAN);
    let sent: Vec<_> = [300, 300, 300].map(|length| network.transaction(GATEWAY, 0, vec![7; length])).into();
    let each = sent[0].encode_2718_len();
    let attributes = Attributes { transactions_bytes_max: Some(2 * each), ..network.attributes() };
    let (_, sealed) = network.step(&attributes, sent);
    assert_eq!(sealed.transactions.len(), 1 + 2, "the information about L1, and two");
}
