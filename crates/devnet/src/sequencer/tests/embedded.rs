//! The embedded client: killed at any point, it is back with every block that anybody can have seen.

use super::*;
use hum_chain::{HeadSigner as _, SignError, sequencer::RemoteSequencer};
use hum_types::{Generation, HeadClaim, SequencerKey};
use std::path::PathBuf;

fn log_of(directory: &RoleDirectory) -> PathBuf {
    directory.data().join("blocks.log")
}

async fn start(directory: &RoleDirectory, config: &SequencerConfig) -> SequencerNode {
    SequencerNode::start(directory, config).await.unwrap()
}

/// Blocks with traffic; every block with its bytes, and how long the log was after it.
async fn blocks(
    directory: &RoleDirectory,
    config: &SequencerConfig,
    count: u64,
) -> Vec<(BlockRef, Bytes, u64)> {
    let mut node = start(directory, config).await;
    let mut made = Vec::new();
    for number in 1..=count {
        if number % 2 == 1 {
            traffic(node.rpc_url()).await;
        }
        let block = node.step().await.unwrap();
        assert_eq!(block.number, number);
        let length = std::fs::metadata(log_of(directory)).unwrap().len();
        made.push((block, raw_block(node.rpc_url(), number).await, length));
    }
    node.close().await;
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_point_of_a_write_loses_no_block_that_was_shown() {
    // At 250 ms neighbours share a timestamp: those blocks are built again, the others imported.
    for block_time_ms in [1_000, 250] {
        let dir = tempfile::tempdir().unwrap();
        let (directory, config) = directory(dir.path(), block_time_ms).await;
        let made = blocks(&directory, &config, 5).await;
        let whole = std::fs::read(log_of(&directory)).unwrap();
        let [.., (_, _, before), (_, _, after)] = made.as_slice() else { panic!() };
        // Before the fifth block's write, in its head, in its body, one byte short, and after it (kept, but not yet shown).
        for cut in [*before, before + 1, before + 7, before + 16, (before + after) / 2, after - 1, *after] {
            std::fs::write(log_of(&directory), &whole[..cut as usize]).unwrap();
            let expected = if cut == *after { 5 } else { 4 };
            let mut node = start(&directory, &config).await;
            assert_eq!(node.head(), made[expected - 1].0, "cut at {cut}");
            assert_eq!(node.watch()().replayed, expected as u64);
            for (block, rlp, _) in &made[..expected] {
                assert_eq!(&raw_block(node.rpc_url(), block.number).await, rlp);
                check_witness(node.rpc_url(), block.number).await;
            }
            // It goes on from there, and what it makes next is kept as well.
            traffic(node.rpc_url()).await;
            let next = node.step().await.unwrap();
            assert_eq!(next.number, expected as u64 + 1);
            check_witness(node.rpc_url(), next.number).await;
            node.close().await;
            let node = start(&directory, &config).await;
            assert_eq!(node.head(), next);
            let slot = provider(node.rpc_url()).get_storage_at(COUNTER, U256::ZERO).await.unwrap();
            assert_eq!(slot, U256::from(if expected == 5 { 4 } else { 3 }));
            node.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_a_block_is_kept_leaves_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, config) = directory(dir.path(), 1_000).await;
    let made = blocks(&directory, &config, 2).await;
    let settings = ChainConfig { block_time_ms: 1_000, ..ChainConfig::new("test", ChainId(1)) };
    let genesis = std::fs::read_to_string(&config.genesis).unwrap();
    let chain = Arc::new(DevChain::start_from(settings, &genesis).await.unwrap());
    let (sequencer, _) = Sequencer::open(chain.clone(), &log_of(&directory)).await.unwrap();
    let (built, _) = Client::build(chain.as_ref()).await.unwrap();
    // Built, and the process is gone: not in the log, and nobody was told.
    assert_eq!((built.number, chain.head()), (3, made[1].0));
    let rpc = provider(&chain.rpc_url());
    assert!(rpc.get_block_by_number(3.into()).await.unwrap().is_none());
    assert!(rpc.get_block_by_hash(built.hash).await.unwrap().is_none());
    drop(sequencer);
    chain.shutdown().await;
    let node = start(&directory, &config).await;
    assert_eq!(node.head(), made[1].0);
    node.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_its_own_chain_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, config) = directory(dir.path(), 250).await;
    let made = blocks(&directory, &config, 3).await;
    let whole = std::fs::read(log_of(&directory)).unwrap();
    let refused = async |bytes: Vec<u8>| {
        std::fs::write(log_of(&directory), bytes).unwrap();
        match SequencerNode::start(&directory, &config).await {
            Err(NodeError::Sequencer(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let [(_, _, first), (_, _, second), _] = made.as_slice() else { panic!() };
    let (first, second) = (*first as usize, *second as usize);
    // One record left out.
    let hole = [&whole[..first], &whole[second..]].concat();
    assert!(matches!(refused(hole).await, SequencerError::Parent { record: 1, .. }));
    // A block that does not come out as it says, with the right checks around it.
    let lie = crate::lies::wrong_state_root(&made[1].1, B256::repeat_byte(1)).unwrap();
    let record = log::record(&MadeBlock { rlp: lie.block, requests: Vec::new() });
    let error = refused([&whole[..first], &record].concat()).await;
    assert!(
        matches!(error, SequencerError::Client(ClientError::Embedded(_)) | SequencerError::Outcome { .. }),
        "{error}"
    );
    let record = log::record(&MadeBlock { rlp: Bytes::from_static(&[0xc1, 0x80]), requests: Vec::new() });
    let error = refused([&whole[..first], &record].concat()).await;
    assert!(matches!(error, SequencerError::NoBlock { record: 1, .. }), "{error}");
    let mut other = whole.clone();
    other[12] ^= 1;
    assert!(matches!(refused(other).await, SequencerError::Log(LogError::Genesis { .. })));
    std::fs::write(log_of(&directory), whole).unwrap();
    let another = SequencerConfig { genesis_hash: B256::repeat_byte(1), ..config.clone() };
    assert!(matches!(SequencerNode::start(&directory, &another).await, Err(NodeError::Genesis { .. })));
    start(&directory, &config).await.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_signs_what_was_made_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (directory, config) = directory(dir.path(), 250).await;
    let mut node = start(&directory, &config).await;
    let block = node.step().await.unwrap();
    let key = SequencerKey::from_secret(B256::repeat_byte(3)).unwrap();
    let token = B256::repeat_byte(4);
    let url = format!("http://{}", node.desk());
    let desk = RemoteSequencer::new(&url, token.as_slice(), key.address(), config.domain).unwrap();
    let claim = HeadClaim {
        chain_id: ChainId(4_343),
        registration: config.registration,
        generation: Generation(0),
        block,
    };
    assert_eq!(desk.sign_claim(claim).await.unwrap(), claim.sign(config.domain, &key));
    let lie = HeadClaim { block: BlockRef { hash: B256::repeat_byte(9), ..block }, ..claim };
    assert!(matches!(desk.sign_claim(lie).await, Err(SignError::NotOurs { .. })));
    let early = HeadClaim { block: BlockRef { number: 2, hash: B256::repeat_byte(9) }, ..claim };
    assert!(matches!(desk.sign_claim(early).await, Err(SignError::NotOurs { .. })));
    // Blocks wait for their publisher: what is claimed too late has no witness any more.
    assert_eq!((node.watch()().claimed, node.held()), (1, None));
    while node.held().is_none() {
        node.step().await.unwrap();
    }
    assert_eq!(node.head().number, 97);
    check_witness(node.rpc_url(), 2).await;
    let next = provider(node.rpc_url()).get_block_by_number(2.into()).await.unwrap().unwrap();
    let next = BlockRef { number: 2, hash: next.header.hash };
    desk.sign_claim(HeadClaim { block: next, ..claim }).await.unwrap();
    assert_eq!((node.watch()().claimed, node.held()), (2, None));
    node.close().await;
}

#[test]
fn the_clock_keeps_its_beat_across_restarts() {
    use std::time::Duration;
    let ms = Duration::from_millis;
    let clock = clock::Clock::new(250);
    for (now, expected) in [(1_000, 250), (1_001, 249), (1_249, 1), (1_250, 250)] {
        assert_eq!(clock.until_next(ms(now)), ms(expected), "{now}");
    }
    assert_eq!(clock.until_next(Duration::from_nanos(1_249_999_999)), Duration::from_nanos(1));
}
