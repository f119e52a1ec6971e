use super::*;
use crate::{ChainConfig, DevChain};
use alloy::primitives::{B256, U256, keccak256};
use hum_types::ChainId;
use std::time::Instant;

fn secret(what: &str) -> B256 {
    let mut secret = keccak256(what);
    secret.0[0] = 0;
    secret
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_stands_in_few_blocks() {
    let mut owner = Author::new(secret("owner"), 0).unwrap();
    let config = ChainConfig {
        prefunded: vec![(owner.address(), U256::from(10).pow(U256::from(24)))],
        paused: true,
        genesis_age_s: parameters::PAST_BLOCKS + 100,
        ..ChainConfig::new("l1", ChainId(900))
    };
    let l1 = DevChain::start(config).await.unwrap();
    let start = Instant::now();
    l1.mine(parameters::PAST_BLOCKS).await.unwrap();
    eprintln!("past in {:?}", start.elapsed());
    let start = Instant::now();
    let mut draft = Draft::new(&l1);
    let core = Core::draft(&mut draft, &mut owner).unwrap();
    draft.mine().await.unwrap();
    eprintln!(
        "core in {:?}, {} blocks: {core:?}",
        start.elapsed(),
        l1.head().number - parameters::PAST_BLOCKS
    );
    l1.shutdown().await;
}
