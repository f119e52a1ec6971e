//! A restaked L1, and operators' directories as `hum operator init` and `keys` make them.

use super::super::{
    OperatorArguments,
    site::{Secrets, Site, SiteArgument},
};
use crate::password::PasswordArgument;
use alloy::transports::http::reqwest;
use clap::Parser as _;
use hum_bls::{Committee, PossessedKey};
use hum_chain::{
    At, Chain,
    restaking::{OperatorView, Reader, Snapshot},
    rpc::{FeePolicy, RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};
use hum_devnet::restaking::{CoreLine, RestakedL1};
use hum_node::{
    config::{KeyName, NETWORK_VERSION, OperatorEntry, RoleDirectory},
    watcher::{Judges, L1},
};
use hum_types::{Address, B256, Bytes, Encode as _, Epoch, RegistrationId, keccak256};
use hum_verify::ChainSpec;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// Operators of the first committee.
pub(super) const FOUNDERS: usize = 2;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    operator: OperatorArguments,
}

/// A network file. JSON values hold no stake: it has 128 bits.
#[derive(serde::Serialize)]
struct File {
    #[serde(flatten)]
    rest: Value,
    operators: Vec<OperatorEntry>,
}

pub(super) struct Stage {
    pub(super) l1: RestakedL1,
    pub(super) chain: RpcChain,
    home: TempDir,
}

/// Our stand-in, as its committed artifacts have it.
pub(super) fn stand_in() -> CoreLine {
    let code = |artifact: &str| -> Bytes {
        let artifact: Value = serde_json::from_str(artifact).unwrap();
        artifact["bytecode"].as_str().unwrap().parse().unwrap()
    };
    CoreLine::StandIn {
        core: code(include_str!("../../../../../contracts/artifacts/NewerCore.json")),
        strategy: code(include_str!("../../../../../contracts/artifacts/NewerStrategy.json")),
    }
}

impl Stage {
    /// An L1 with that core, the first committee, and `newcomers` who have nothing but ether, tokens and a directory.
    pub(super) async fn set(core: &CoreLine, newcomers: usize) -> Self {
        let l1 = RestakedL1::start(core, FOUNDERS, newcomers).await.unwrap();
        let chain_id = l1.chain.config().chain_id;
        let chain = RpcChain::new(&l1.chain.rpc_url(), chain_id, RpcLimits::default()).unwrap();
        let stage = Self { l1, chain, home: tempfile::tempdir().unwrap() };
        let network = stage.home.path().join("network.json");
        let file = serde_json::to_string(&stage.network_file().await).unwrap();
        std::fs::write(&network, file).unwrap();
        for index in FOUNDERS..FOUNDERS + newcomers {
            let listen = format!("127.0.0.1:{}", 20_000 + index);
            let (dir, rpc) = (stage.dir(index), stage.l1.chain.rpc_url());
            let [dir_text, network] = [&dir, &network].map(|path| path.display().to_string());
            let init = ["init", "--dir", &dir_text, "--network", &network, "--listen", &listen];
            // Nobody serves there: `status` has to say so, too.
            let rest = ["--api", "127.0.0.1:9", "--l1-rpc", &rpc, "--private-addresses"];
            stage.run([&init[..], &rest].concat()).await.unwrap();
            let directory = RoleDirectory::new(dir);
            directory.write_key(KeyName::Network, B256::with_last_byte(index as u8)).unwrap();
            directory.write_key(KeyName::Bls, stage.l1.bls(index).expose_secret()).unwrap();
            directory.write_key(KeyName::Account, stage.l1.account(index)).unwrap();
        }
        stage
    }

    fn dir(&self, operator: usize) -> PathBuf {
        self.home.path().join(format!("operator-{operator}"))
    }

    /// Run `hum operator` with these arguments, as a process of its own would.
    async fn run<S: ToString>(&self, arguments: Vec<S>) -> eyre::Result<()> {
        let line: Vec<_> =
            ["hum".to_owned()].into_iter().chain(arguments.iter().map(ToString::to_string)).collect();
        let run = move || Line::try_parse_from(line)?.operator.run().map(|_| ());
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Run a subcommand on an operator's directory.
    pub(super) async fn hum(&self, operator: usize, command: &[&str]) -> eyre::Result<()> {
        let dir = self.dir(operator).display().to_string();
        self.run([command, &["--dir", &dir]].concat()).await
    }

    pub(super) fn site(&self, operator: usize) -> (Site, Secrets) {
        let password = PasswordArgument { password_file: None };
        SiteArgument { dir: self.dir(operator), password }.open().unwrap()
    }

    pub(super) fn address(&self, operator: usize) -> Address {
        self.site(operator).0.operator
    }

    pub(super) async fn view(&self, operator: usize) -> OperatorView {
        self.site(operator).0.view().await.unwrap()
    }

    /// Transactions that the operator's account has sent.
    pub(super) async fn sent(&self, operator: usize) -> u64 {
        self.chain.nonce(self.address(operator)).await.unwrap()
    }

    pub(super) fn submit(&self, operator: usize) -> RpcSubmit {
        let policy = SubmitPolicy { fees: FeePolicy::default(), ..SubmitPolicy::default() };
        RpcSubmit::new(self.chain.clone(), self.l1.account(operator), policy).unwrap()
    }

    pub(super) fn reader(&self) -> Reader {
        let restaking = &self.l1.restaking;
        Reader::new(Arc::new(self.chain.clone()), restaking.contracts.service_manager, restaking.domain)
    }

    pub(super) async fn snapshot(&self) -> Snapshot {
        self.reader().snapshot_at(At::LATEST).await.unwrap().unwrap()
    }

    /// Have a founder take the snapshot that is due, with the watcher's own code, and read it back.
    pub(super) async fn take_snapshot(&self) -> Snapshot {
        let l1 = L1 {
            chain: Arc::new(self.chain.clone()),
            submit: Arc::new(self.submit(0)),
            service_manager: self.l1.restaking.contracts.service_manager,
            judges: Judges::default(),
        };
        let before = self.snapshot().await.record.index;
        assert!(l1.take_snapshot(self.l1.restaking.domain).await.unwrap().is_some(), "one is due");
        assert_eq!(l1.take_snapshot(self.l1.restaking.domain).await.unwrap(), None, "then none is");
        let snapshot = self.snapshot().await;
        assert_eq!(snapshot.record.index, before + 1);
        snapshot
    }

    /// A network file of that deployment. Its one rollup is the L1 itself: nothing here looks at it.
    async fn network_file(&self) -> File {
        let restaking = &self.l1.restaking;
        let (domain, contracts) = (restaking.domain, &restaking.contracts);
        let chain_id = self.l1.chain.config().chain_id;
        let snapshot = self.snapshot().await;
        let mut members = Vec::new();
        let mut operators = Vec::new();
        for index in 0..FOUNDERS {
            let key = self.l1.bls(index);
            let found = snapshot
                .roster
                .entries
                .iter()
                .find(|entry| entry.key_g1.as_slice() == key.public_key().g1().encode());
            let entry = found.unwrap();
            let possession = key.prove_possession(domain, entry.operator);
            let member = PossessedKey::check(domain, key.public_key(), entry.operator, &possession).unwrap();
            members.push((member, entry.stake));
            operators.push(OperatorEntry {
                name: None,
                id: member.operator_id(),
                operator: entry.operator,
                bls_key: key.public_key(),
                possession,
                stake: entry.stake,
                api: "http://127.0.0.1:9".to_owned(),
                key: ed25519(index),
                address: ([127, 0, 0, 1], 9).into(),
            });
        }
        let valid_until = snapshot.record.valid_until;
        let committee = Committee::new(Epoch(0), valid_until, members).unwrap();
        let anchor = self.raw_header(0).await;
        let spec = json!({"chainId": chain_id.0, "cancunTime": 0, "pragueTime": 0, "osakaTime": 0});
        let checked: ChainSpec = serde_json::from_value(spec).unwrap();
        let sequencer = Address::repeat_byte(1);
        let registration = RegistrationId::derive(chain_id, sequencer, keccak256(&anchor), checked.hash());
        let rpc = self.l1.chain.rpc_url();
        let gateways = json!({
            "latest": Address::repeat_byte(0xa1), "safe": Address::repeat_byte(0xa2),
            "finalized": Address::repeat_byte(0xa3),
        });
        let origin = self.l1.chain.block(1).unwrap();
        let rest = json!({
            "version": NETWORK_VERSION, "name": "stage", "domain": domain, "genesis_time_ms": 1,
            "deployment": { "service_manager": contracts.service_manager, "operator_set": 0 },
            "l1": { "chain_id": chain_id, "rpc": rpc, "origin": { "number": 1, "hash": origin.hash } },
            "rollups": [{
                "name": "none", "chain_id": chain_id, "rpc": rpc, "gateways": gateways,
                "light_client": Address::repeat_byte(0xb1), "registration": registration,
                "sequencer": sequencer, "class": hum_types::Class::Reexecuted, "spec": checked,
                "anchor": anchor, "block_time_ms": 1_000,
            }],
            "term_heights": 32, "seats_max": 16, "operators_max": 32,
            "restaking": {
                "allocation_manager": contracts.allocation_manager,
                "delegation_manager": contracts.delegation_manager,
                "strategy_manager": contracts.strategy_manager, "strategies": contracts.strategies,
            },
            "committee": { "epoch": 0, "valid_until": valid_until, "table": Bytes::from(committee.table().encode()) },
            "peers": [],
        });
        File { rest, operators }
    }

    async fn raw_header(&self, number: u64) -> Bytes {
        let parameters = [format!("0x{number:x}")];
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "debug_getRawHeader", "params": parameters});
        let answer = reqwest::Client::new().post(self.l1.chain.rpc_url()).json(&ask).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["result"].as_str().unwrap().parse().unwrap()
    }
}

/// A network key for the file: every entry needs another.
fn ed25519(index: usize) -> B256 {
    use hum_consensus::Signer as _;
    B256::from_slice(hum_consensus::PrivateKey::from_seed(index as u64).public_key().as_ref())
}
