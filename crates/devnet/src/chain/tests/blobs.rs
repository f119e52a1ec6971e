//! Transactions with blobs, and the blobs of blocks.

use super::*;
use alloy::sol_types::{SolCall as _, SolError as _, SolValue as _};
use alloy_consensus::{Block, Header, TxEnvelope};
use hum_chain::{
    Blobs as _, Call, Chain as _, Disposition, ReadError, Submit as _, SubmitError,
    beacon::BeaconNode,
    contracts::{BatchInbox, RollupRegistry},
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
    versioned_hash,
};
use hum_node::settlement::derive::Derivation;
use hum_types::{B256 as Hash, RegistrationId, TimeMs};
use std::sync::Arc;

fn blob(byte: u8) -> Bytes {
    let mut blob = vec![0; 131_072];
    blob[31] = byte;
    blob.into()
}

fn rpc(chain: &DevChain) -> RpcChain {
    RpcChain::new(&chain.rpc_url(), chain.config().chain_id, RpcLimits::default()).unwrap()
}

fn time(chain: &DevChain, number: u64) -> TimeMs {
    TimeMs(timestamp(chain, number) * 1_000)
}

#[tokio::test]
async fn blobs_of_blocks_are_served_to_whoever_checks_them() {
    let chain = DevChain::start(settings(200)).await.unwrap();
    let submit = RpcSubmit::new(rpc(&chain), signer().to_bytes(), SubmitPolicy::default()).unwrap();
    let blobs: Vec<Bytes> = (1..=6).map(blob).collect();
    let call = Call { blobs: blobs.clone(), ..Call::new(COUNTER, Bytes::new()) };
    let started = Instant::now();
    let outcome = submit.send(call).await.unwrap();
    println!("six blobs sent, proven, checked and included: {} ms", started.elapsed().as_millis());
    assert!(outcome.success);
    // Six times 2^17 gas of blobs, at one wei each.
    let gas_wei = outcome.fee - U256::from(6 << 17);
    assert!(gas_wei > U256::from(outcome.gas_used), "{outcome:?}");
    let raw = rpc(&chain).block(hum_chain::At::Number(outcome.block.number)).await.unwrap().unwrap();
    assert!(raw.has_blob_gas());
    assert_eq!(raw.time_ms, time(&chain, outcome.block.number));

    let hashes: Vec<Hash> = blobs.iter().map(|blob| versioned_hash(blob).unwrap()).collect();
    let beacon =
        |chain: &DevChain| Arc::new(BeaconNode::new(&chain.beacon_url(), RpcLimits::default()).unwrap());
    let (own, at) = (beacon(&chain), raw.time_ms);
    assert_eq!(own.blobs(at, hashes.clone()).await, Ok(blobs.clone()));
    let last = vec![hashes[5], hashes[0]];
    assert_eq!(own.blobs(at, last.clone()).await, Ok(vec![blobs[5].clone(), blobs[0].clone()]));
    let elsewhere = own.blobs(TimeMs(at.0 + 60_000), last.clone()).await.unwrap_err();
    assert!(matches!(elsewhere, ReadError::Missing { .. }), "{elsewhere}");

    // A branch has the blobs of the blocks that it shares.
    let fork = chain.fork(outcome.block.number, 0).await.unwrap();
    assert_eq!(beacon(&fork).blobs(at, last.clone()).await, Ok(vec![blobs[5].clone(), blobs[0].clone()]));
    fork.shutdown().await;

    chain.corrupt_blobs();
    let lied = own.blobs(at, last.clone()).await.unwrap_err();
    assert_eq!(lied.disposition(), Disposition::Distrust, "{lied}");
    chain.forget_blobs();
    assert!(matches!(own.blobs(at, last).await, Err(ReadError::Missing { .. })));
    chain.shutdown().await;
}

/// A registry and an inbox on the chain, with one registration whose sequencer is our account.
async fn with_inbox(chain: &DevChain, anchor: Hash) -> (Address, RegistrationId) {
    let us = signer().address();
    let rpc = provider(&chain.rpc_url());
    let mined = async |request: TransactionRequest| {
        let receipt = rpc.send_transaction(request).await.unwrap().get_receipt().await.unwrap();
        assert!(receipt.status(), "{receipt:?}");
        receipt.contract_address
    };
    let code = |code: &Bytes, parameters: Vec<u8>| {
        TransactionRequest::default().with_deploy_code([code.to_vec(), parameters].concat())
    };
    let parameters = (Hash::ZERO, us, us, U256::ONE, 0_u64, 1_209_600_u64, 0_u64).abi_encode_params();
    let registry = mined(code(&RollupRegistry::BYTECODE, parameters)).await.unwrap();
    let inbox = mined(code(&BatchInbox::BYTECODE, (registry,).abi_encode_params())).await.unwrap();
    let to_registry = |data: Vec<u8>| TransactionRequest::default().with_to(registry).with_input(data);
    mined(to_registry(RollupRegistry::authoriseCall { chainId: 901, account: us }.abi_encode())).await;
    let register = RollupRegistry::registerCall {
        chainId: 901,
        sequencer: us,
        anchorHash: anchor,
        specHash: Hash::ZERO,
    };
    mined(to_registry(register.abi_encode()).with_value(U256::ONE)).await;
    let asked = to_registry(RollupRegistry::registrationOfCall { chainId: 901 }.abi_encode());
    (inbox, RegistrationId(Hash::from_slice(&rpc.call(asked).await.unwrap())))
}

/// Empty blocks above the anchor, RLP.
fn rollup_blocks(anchor: Hash, count: u64) -> Vec<Bytes> {
    let mut parent_hash = anchor;
    (1..=count)
        .map(|number| {
            let header = Header { number, parent_hash, timestamp: number, ..Header::default() };
            parent_hash = header.hash_slow();
            alloy_rlp::encode(Block::<TxEnvelope>::uncle(header)).into()
        })
        .collect()
}

/// The whole way: packed, posted in blobs, final on L1, rebuilt from there; and not from blobs that somebody changed.
#[tokio::test]
async fn a_batch_in_blobs_is_rebuilt_from_l1_alone() {
    let chain = DevChain::start(settings(200)).await.unwrap();
    let anchor = Hash::repeat_byte(6);
    let (inbox, registration) = with_inbox(&chain, anchor).await;
    let batch = hum_batch::pack(anchor, &rollup_blocks(anchor, 500)).unwrap();
    let (first, last) = (batch.first(), batch.last());
    let post = BatchInbox::postBlobsCall {
        registration: registration.0,
        first,
        last: last.number,
        lastHash: last.hash,
    };
    let submit = RpcSubmit::new(rpc(&chain), signer().to_bytes(), SubmitPolicy::default()).unwrap();
    let bare = Call::new(inbox, post.abi_encode().into());
    let refused = submit.send(bare.clone()).await.unwrap_err();
    let selector = Bytes::from(BatchInbox::NoBlob::SELECTOR);
    assert!(matches!(&refused, SubmitError::Rejected { data, .. } if *data == selector), "{refused}");
    let blobs = hum_batch::to_blobs(batch.data()).unwrap();
    let outcome = submit.send(Call { blobs, ..bare }).await.unwrap();
    assert!(outcome.success);
    reach(&chain, outcome.block.number + chain.config().finalized_depth).await;

    let derive = async |beacon: bool| {
        let tag = hum_types::Confidence::Finalized;
        let mut derivation =
            Derivation::start(Arc::new(rpc(&chain)), inbox, registration, tag).await.unwrap();
        if beacon {
            let node = BeaconNode::new(&chain.beacon_url(), RpcLimits::default()).unwrap();
            derivation = derivation.with_blobs(Arc::new(node));
        }
        derivation.next().await.map(|stretch| stretch.unwrap().blocks.last().unwrap().block)
    };
    assert_eq!(derive(true).await.unwrap(), last);
    let nobody = derive(false).await.unwrap_err().to_string();
    assert!(nobody.contains("no beacon node is configured"), "{nobody}");
    chain.corrupt_blobs();
    let corrupted = derive(true).await.unwrap_err().to_string();
    assert!(corrupted.contains("versioned hash"), "{corrupted}");
    chain.shutdown().await;
}
