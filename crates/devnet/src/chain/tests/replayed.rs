//! A chain's blocks, executed again from its genesis file.

use super::*;

/// A chain with transfers and calls, and all its blocks.
async fn busy(block_time_ms: u64) -> (String, Vec<(BlockRef, Bytes)>) {
    let chain = DevChain::start(ChainConfig { paused: true, ..settings(block_time_ms) }).await.unwrap();
    let mut blocks = Vec::new();
    for round in 0..6_u64 {
        if round % 2 == 0 {
            send(&chain, transfer(round + 1)).await;
            send(&chain, TransactionRequest::default().with_to(COUNTER)).await;
        }
        let block = chain.produce_block().await.unwrap();
        blocks.push((block, chain.raw_block(block.number).await.unwrap()));
    }
    let genesis = chain.genesis().unwrap().to_string();
    chain.shutdown().await;
    (genesis, blocks)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hash_comes_out_again() {
    // At 250 ms neighbours share a timestamp, as all of these do that are made within one second.
    for block_time_ms in [1_000, 250] {
        let (genesis, blocks) = busy(block_time_ms).await;
        let mut replay = Replay::start(&genesis).await.unwrap();
        assert_eq!((replay.chain_id(), replay.head().number), (ChainId(4_242), 0));
        for (block, rlp) in &blocks {
            assert_eq!(replay.execute(rlp).await.unwrap(), *block);
        }
        assert_eq!(replay.head(), blocks.last().unwrap().0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_out_otherwise_is_refused() {
    for block_time_ms in [1_000, 250] {
        let (genesis, blocks) = busy(block_time_ms).await;
        let mut replay = Replay::start(&genesis).await.unwrap();
        let skipped = replay.execute(&blocks[1].1).await.unwrap_err();
        assert!(matches!(skipped, DevChainError::MissingBlock { .. }), "{skipped}");
        let lie = crate::lies::wrong_state_root(&blocks[0].1, B256::repeat_byte(1)).unwrap();
        let refused = replay.execute(&lie.block).await.unwrap_err();
        assert!(matches!(refused, DevChainError::Block { .. } | DevChainError::Replay { .. }), "{refused}");
        let garbage = replay.execute(&Bytes::from_static(&[0xc1, 0x80])).await.unwrap_err();
        assert!(matches!(garbage, DevChainError::Unreadable { number: 1, .. }), "{garbage}");
        assert_eq!(replay.head().number, 0);
        assert_eq!(replay.execute(&blocks[0].1).await.unwrap(), blocks[0].0, "the true one goes on");
    }
    let error = Replay::start("{}").await.unwrap_err().to_string();
    assert!(error.starts_with("chain replay: genesis is not readable"), "{error}");
}
