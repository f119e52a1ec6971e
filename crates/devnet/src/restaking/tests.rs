use super::*;
use crate::{
    ChainConfig,
    network::{Secrets, connect},
};
use alloy::primitives::U256;
use hum_chain::{At, restaking::Reader};
use hum_types::{ChainId, Stake};
use std::{sync::Arc, time::Instant};

fn secrets() -> Secrets {
    Secrets::new(B256::repeat_byte(7))
}

fn founders(count: usize) -> Vec<Founder> {
    let founder = |index| Founder {
        account: secrets().secret("operator", index),
        bls: secrets().bls(index),
        network_key: secrets().secret("network", index),
        endpoint: ([127, 0, 0, 1], 9_000 + index as u16).into(),
    };
    (0..count).map(founder).collect()
}

async fn l1(operators: usize) -> DevChain {
    let mut accounts = vec![secrets().address("owner", 0)];
    accounts.extend((0..operators).map(|index| secrets().address("operator", index)));
    let config = ChainConfig {
        prefunded: accounts
            .into_iter()
            .map(|account| (account, U256::from(10).pow(U256::from(24))))
            .collect(),
        paused: true,
        genesis_age_s: PAST_BLOCKS + SET_UP_BLOCKS,
        ..ChainConfig::new("l1", ChainId(900))
    };
    DevChain::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn founders_form_the_first_committee_on_eigenlayers_core() {
    const OPERATORS: usize = 5;
    let (l1, founders) = (l1(OPERATORS).await, founders(OPERATORS));
    let rollup = RollupFacts {
        chain_id: ChainId(901),
        sequencer: secrets().address("sequencer", 0),
        anchor_hash: B256::repeat_byte(1),
        spec_hash: B256::repeat_byte(2),
        batcher: secrets().address("batcher", 0),
    };
    let parties = Parties {
        owner: secrets().secret("owner", 0),
        seats_max: SEATS_MAX,
        snapshot_interval_blocks: SNAPSHOT_INTERVAL_BLOCKS,
        rollups: &[rollup],
        founders: &founders,
        spares: &[],
    };
    let start = Instant::now();
    let restaking = Restaking::set_up(&l1, parties).await.unwrap();
    eprintln!("set up in {:?}, {} blocks after the past", start.elapsed(), l1.head().number - PAST_BLOCKS);
    assert!(l1.head().number < PAST_BLOCKS + SET_UP_BLOCKS, "as many blocks as the past has room for");

    let (chain, _) = connect(&l1, secrets().secret("owner", 0)).unwrap();
    let chain: Arc<dyn hum_chain::Chain> = Arc::new(chain);
    let reader = Reader::new(chain.clone(), restaking.contracts.service_manager, restaking.domain);
    let finalised = reader.finalised().await.unwrap();
    let snapshot = reader.snapshot_at(At::Number(finalised.number)).await.unwrap().unwrap();
    assert_eq!((snapshot.record.index, snapshot.roster.entries.len()), (0, OPERATORS));
    for entry in &snapshot.roster.entries {
        let founder = founders.iter().find(|founder| founder.network_key == entry.network_key).unwrap();
        assert_eq!(entry.endpoint.address(), Some(founder.endpoint));
        assert_eq!(entry.stake, Stake(parameters::STAKE));
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let valid_s = snapshot.record.valid_until.0 - now;
    assert!(valid_s.abs_diff(u64::from(parameters::SLASHABLE_WINDOW_S)) < SET_UP_BLOCKS, "{valid_s}");

    // The registry gives the id that everybody derives.
    let mut call = alloy::primitives::keccak256("registrationOf(uint64)")[..4].to_vec();
    call.extend(U256::from(901).to_be_bytes::<32>());
    let found = chain.call(restaking.rollup_registry, call.into(), At::LATEST).await.unwrap();
    assert_eq!(found.as_ref(), rollup.registration().0.as_slice());

    // What sequencers forfeit goes to a contract that pays nobody at once.
    let ask = async |contract, function: &str| {
        let call = alloy::primitives::keccak256(function)[..4].to_vec();
        let found = chain.call(contract, call.into(), At::LATEST).await.unwrap();
        U256::try_from_be_slice(&found).unwrap()
    };
    let word = |address: Address| U256::from_be_slice(address.into_word().as_slice());
    let fund = restaking.victims_fund;
    assert_eq!(ask(restaking.rollup_registry, "FUND()").await, word(fund));
    assert_eq!(ask(fund, "OWNER()").await, word(secrets().address("owner", 0)));
    assert_eq!(ask(fund, "DELAY_SECONDS()").await, U256::from(parameters::PAYOUT_DELAY_S));
    // Both who judge know the adapter, and the inbox knows who posts.
    let read = async |to, signature: &str, argument: B256| {
        let call = [&alloy::primitives::keccak256(signature)[..4], argument.as_slice()].concat();
        chain.call(to, call.into(), At::LATEST).await.unwrap()
    };
    for judge in [restaking.judges.settlement, restaking.rollup_registry] {
        let adapter = restaking.judges.batch_adapter.into_word();
        let active_at = read(judge, "adapterActiveAt(address)", adapter).await;
        assert!(U256::from_be_slice(&active_at) > U256::ZERO);
    }
    let registry = ask(restaking.rollup_profiles, "REGISTRY()").await;
    assert_eq!(registry, word(restaking.rollup_registry));
    let batcher = read(restaking.batch_inbox, "batcherOf(bytes32)", rollup.registration().0).await;
    assert_eq!(batcher.as_ref(), rollup.batcher.into_word().as_slice());
    l1.shutdown().await;
}
