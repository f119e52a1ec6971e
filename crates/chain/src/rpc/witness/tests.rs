//! Blocks of a real anvil, witnessed from traces and proofs, judged by the verifier.
//!
//! What was found out about anvil 1.7.1 with its defaults (hard fork BPO1): it has neither `debug_getRawBlock` nor any
//! `debug_executionWitness`; its genesis declares the empty state root although accounts have funds, so that a
//! chain of it can be joined from block 1 on; blocks may share a timestamp; EIP-2935's contract is there and is
//! written, those of EIP-4788, 7002 and 7251 are not, and requests are empty; block 1 repeats the genesis' base fee;
//! its state keeps zero slots and empty accounts that were loaded, which is a rule of its own in the chain spec
//! (`keepEmptyState`).

use super::*;
use crate::{
    Chain,
    rpc::RpcLimits,
    stack::{StackKind, chain_config, detect},
};
use alloy_consensus::Header;
use alloy_primitives::{U256, address, hex};
use hum_types::{Address, B256, ChainId, Confidence};
use hum_verify::{CertifiedHeader, ChainSpec, Limits, Reason, Verdict, Verifier, dialect::parse_witness};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const CHAIN: u64 = 7777;
/// The first two of anvil's funded accounts.
const RICH: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const OTHER: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");

/// Stores each pair of words of its call data: key, value.
const STORES: [u8; 36] = hex!("601a600a5f39601a5ff35f5b803611600a5700005b803581602001359055604001600156");
/// Asks for a block's hash, calls two precompiles, looks at accounts that are not there, creates twice, once in vain.
const WANDERS: [u8; 69] = hex!(
    "603b600a5f39603b5ff3"
    "60024303405f55"
    "60205f60205f60045afa50"
    "5f5f5f5f5f60035af150"
    "61dead3150"
    "6156783f50"
    "5f5f5ff050"
    "6133ff5f526002601e5ff050"
    "00000000"
);

/// The anvil that `npm ci` puts beside the contracts.
fn binary() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/node_modules/.bin/anvil");
    path.exists().then_some(path)
}

struct Anvil {
    process: Child,
    chain: RpcChain,
}

impl Drop for Anvil {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Anvil {
    async fn start() -> Option<Self> {
        let binary = binary()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(binary)
            .args(["--port", &port.to_string(), "--chain-id", &CHAIN.to_string(), "--silent"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        let chain = RpcChain::new(&endpoint, ChainId(CHAIN), RpcLimits::default()).unwrap();
        let anvil = Self { process, chain };
        for _ in 0..300 {
            if anvil.chain.head(Confidence::Latest).await.is_ok() {
                anvil.chain.ask::<Value>("evm_setAutomine", json!([false])).await.ok();
                return Some(anvil);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("anvil does not answer");
    }

    async fn send(&self, from: Address, to: Option<Address>, value: u64, data: Vec<u8>) {
        let mut transaction = json!({ "from": from, "value": U256::from(value), "data": Bytes::from(data) });
        transaction["gas"] = json!("0x2dc6c0");
        if let Some(to) = to {
            transaction["to"] = json!(to);
        }
        let _: B256 = self.chain.ask("eth_sendTransaction", json!([transaction])).await.unwrap();
    }

    async fn mine(&self) {
        let _: Value = self.chain.ask("evm_mine", json!([])).await.unwrap();
    }

    async fn store(&self, contract: Address, words: &[(u64, u64)]) {
        let data = words.iter().flat_map(|(key, value)| [U256::from(*key), U256::from(*value)]);
        let data = data.flat_map(|word| word.to_be_bytes::<32>()).collect();
        self.send(RICH, Some(contract), 0, data).await;
        self.mine().await;
    }
}

/// By the rules that anvil's own words give, or by Ethereum's.
async fn verifier(chain: &RpcChain, keep_empty_state: bool) -> Verifier {
    let mut config = chain_config(chain, StackKind::Ethereum).await.unwrap().unwrap();
    assert_eq!(config["keepEmptyState"], true);
    config["keepEmptyState"] = json!(keep_empty_state);
    let spec: ChainSpec = serde_json::from_value(config).unwrap();
    Verifier::new(spec, Vec::new(), Limits::default())
}

/// Judge every block above the first.
async fn judge_all(chain: &RpcChain, verifier: &Verifier) -> Vec<Verdict> {
    let head = chain.head(Confidence::Latest).await.unwrap().number;
    let mut parent: Option<CertifiedHeader> = None;
    let mut verdicts = Vec::new();
    for number in 1..=head {
        let block = chain.block(At::Number(number)).await.unwrap().unwrap();
        if let Some(parent) = &parent {
            let RawWitness::Json(witness) = chain.witness(block.block).await.unwrap() else { panic!() };
            let witness = parse_witness(std::str::from_utf8(&witness).unwrap()).unwrap();
            verdicts.push(verifier.verify(parent, block.block.hash, &block.rlp, &witness));
        }
        let header: Header = chain.wire_block(At::Number(number), false).await.unwrap().unwrap().header;
        parent = Some(CertifiedHeader::from_anchor(header));
    }
    verdicts
}

#[tokio::test]
async fn blocks_of_anvil_are_valid() {
    let Some(anvil) = Anvil::start().await else {
        eprintln!("not run: no anvil beside the contracts; `npm ci` in contracts/ puts it there");
        return;
    };
    anvil.mine().await;
    // Several transactions of several senders in one block, to accounts old and new.
    for number in 0..12 {
        let to = Address::with_last_byte(0x80 + number);
        anvil.send(if number % 2 == 0 { RICH } else { OTHER }, Some(to), 5, Vec::new()).await;
    }
    anvil.send(RICH, Some(OTHER), 1, Vec::new()).await;
    anvil.mine().await;
    let stores = RICH.create(7);
    anvil.send(RICH, None, 0, STORES.to_vec()).await;
    let wanders = RICH.create(8);
    anvil.send(RICH, None, 0, WANDERS.to_vec()).await;
    anvil.mine().await;
    // Fill a storage trie, then take it apart in ways that collapse branches: pairs, runs, all but one, the last.
    let all: Vec<(u64, u64)> = (0..48).map(|key| (key, key + 1)).collect();
    anvil.store(stores, &all).await;
    let clear = |keys: Vec<u64>| keys.into_iter().map(|key| (key, 0)).collect::<Vec<_>>();
    anvil.store(stores, &clear((0..48).step_by(3).collect())).await;
    anvil.store(stores, &clear((0..48).filter(|key| key % 3 == 1).collect())).await;
    anvil.store(stores, &[clear((2..20).collect()), vec![(100, 1), (2, 9)]].concat()).await;
    for key in (20..48).filter(|key| key % 3 == 2) {
        anvil.store(stores, &[(key, 0), (key + 1000, 7)]).await;
    }
    anvil.store(stores, &clear((1000..1048).chain([100, 2]).collect())).await;
    anvil.store(stores, &clear((1000..1048).collect())).await;
    // Calls, creations and an empty block.
    anvil.send(RICH, Some(wanders), 0, Vec::new()).await;
    anvil.send(OTHER, Some(wanders), 0, Vec::new()).await;
    anvil.mine().await;
    anvil.mine().await;
    let mut transactions = 0;
    for (index, verdict) in
        judge_all(&anvil.chain, &verifier(&anvil.chain, true).await).await.into_iter().enumerate()
    {
        match verdict {
            Verdict::Valid(summary) => transactions += summary.transactions,
            verdict => panic!("block {}: {verdict:?}", index + 2),
        }
    }
    assert!(transactions >= 30, "{transactions}");
    // By Ethereum's own rule its state roots are wrong as soon as a contract meets a slot of zero.
    let strict = judge_all(&anvil.chain, &verifier(&anvil.chain, false).await).await;
    assert!(matches!(&strict[0], Verdict::Valid(_)));
    let wrong =
        |verdict: &Verdict| matches!(verdict, Verdict::Invalid(Reason::Hash { field: "state root", .. }));
    assert!(strict.iter().any(wrong));
    assert!(strict.iter().all(|verdict| wrong(verdict) || !matches!(verdict, Verdict::Invalid(_))));
    assert_eq!(detect(&anvil.chain).await.unwrap().stack, StackKind::Ethereum);
    // A node without traces of whole blocks gives the same by transaction.
    let busy = anvil.chain.wire_block(At::Number(2), false).await.unwrap().unwrap().transactions.hashes();
    let whole = anvil.chain.prestates_by_block(2, busy.len()).await.unwrap();
    assert_eq!(anvil.chain.prestates_one_by_one(busy).await.unwrap(), whole);
    let genesis = anvil.chain.wire_block(At::Number(0), false).await.unwrap().unwrap();
    assert_eq!(genesis.header.state_root, alloy_trie::EMPTY_ROOT_HASH, "joins from block 1 on only");
}
