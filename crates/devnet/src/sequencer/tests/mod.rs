//! The sequencer's process and what survives it.

mod embedded;
mod engine;
mod genesis;

use super::*;
use crate::{ChainConfig, DevChain, Predeploy};
use alloy::{
    network::TransactionBuilder as _,
    primitives::{Address, Bytes, U256, address, bytes},
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use hum_node::config::{KeyName, ROLE_VERSION, RoleDirectory};
use hum_types::{ChainId, Domain, RegistrationId};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};

const SOMEBODY: Address = address!("00000000000000000000000000000000000050be");
/// Adds one to its slot 0.
const COUNTER: Address = address!("000000000000000000000000000000000000c047");

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x11)).unwrap()
}

fn settings(block_time_ms: u64) -> ChainConfig {
    let code = bytes!("6000546001016000555f5fa000");
    ChainConfig {
        block_time_ms,
        prefunded: vec![(signer().address(), U256::from(10).pow(U256::from(20)))],
        predeploys: vec![Predeploy { address: COUNTER, code, ..Predeploy::default() }],
        paused: true,
        ..ChainConfig::new("test", ChainId(4_343))
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A sequencer's directory for an embedded chain of its own.
async fn directory(dir: &Path, block_time_ms: u64) -> (RoleDirectory, SequencerConfig) {
    let chain = DevChain::start(settings(block_time_ms)).await.unwrap();
    let genesis = dir.join("genesis.json");
    std::fs::write(&genesis, chain.genesis().unwrap().to_string()).unwrap();
    let genesis_hash = chain.block(0).unwrap().hash;
    chain.shutdown().await;
    let directory = RoleDirectory::new(dir.join("sequencer"));
    let config = SequencerConfig {
        version: ROLE_VERSION,
        name: "test".to_owned(),
        domain: Domain(B256::repeat_byte(1)),
        registration: RegistrationId(B256::repeat_byte(2)),
        genesis,
        genesis_hash,
        block_time_ms,
        safe_depth: 2,
        finalized_depth: 4,
        rpc: any_port(),
        desk: any_port(),
        api: any_port(),
        engine: None,
    };
    directory.write(&config).unwrap();
    directory.write_key(KeyName::Sequencer, B256::repeat_byte(3)).unwrap();
    directory.write_key(KeyName::Desk, B256::repeat_byte(4)).unwrap();
    (directory, config)
}

fn provider(url: &str) -> DynProvider {
    ProviderBuilder::new().wallet(signer()).connect_http(url.parse().unwrap()).erased()
}

/// A transfer and a call.
async fn traffic(url: &str) {
    let rpc = provider(url);
    let transfer = TransactionRequest::default().with_to(SOMEBODY).with_value(U256::from(5));
    let _ = rpc.send_transaction(transfer).await.unwrap();
    let call = TransactionRequest::default().with_to(COUNTER).with_gas_limit(100_000);
    let _ = rpc.send_transaction(call).await.unwrap();
}

async fn raw_block(url: &str, number: u64) -> Bytes {
    provider(url).raw_request("debug_getRawBlock".into(), [format!("{number:#x}")]).await.unwrap()
}

/// The witness of a block must at least open its parent's state.
async fn check_witness(url: &str, number: u64) {
    let rpc = provider(url);
    let witness: Value =
        rpc.raw_request("debug_executionWitness".into(), [format!("{number:#x}")]).await.unwrap();
    let parent = rpc.get_block_by_number((number - 1).into()).await.unwrap().unwrap();
    let nodes = witness["state"].as_array().unwrap();
    let opens = |node: &Value| {
        let node: Bytes = node.as_str().unwrap().parse().unwrap();
        keccak256(node) == parent.header.state_root
    };
    assert!(nodes.iter().any(opens), "block {number}");
}
