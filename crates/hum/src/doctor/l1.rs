//! The L1 node, and what L1 says of the operator.

use super::{files::Files, finding::Finding};
use crate::{
    amount,
    operator::site::{contracts, l1},
};
use alloy_primitives::U256;
use hum_bls::OperatorId;
use hum_chain::{
    At, Chain, ReadError,
    restaking::{OperatorView, RestakingError, StrategyView, domain_of},
    rpc::RpcChain,
};
use hum_node::config::{NetworkFile, OperatorConfig};
use hum_types::{Address, B256, Confidence};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// A head older than this is not the chain's: ten slots of mainnet.
const HEAD_AGE_MAX_S: u64 = 120;
/// Wei below which the account cannot pay for many transactions: a hundredth of an ether.
const BALANCE_LOW_WEI: u64 = 10_000_000_000_000_000;

pub(super) async fn check(files: &Files, network: &NetworkFile, findings: &mut Vec<Finding>) {
    // Publishers and relayers have their own chains; L1 is the operators' affair.
    let Some(config) = files.role.as_ref().and_then(|role| role.operator.as_ref()) else { return };
    let chain = match l1(config, network) {
        Ok(chain) => chain,
        Err(error) => return findings.push(read_fault(&error, config, network)),
    };
    if let Err(finding) = node(&chain, config, network, findings).await {
        return findings.push(finding);
    }
    let Some(restaking) = &network.restaking else {
        let next = "nothing can be registered here; local networks are like that";
        return findings.push(Finding::note("registration", "the network's committee is fixed", next));
    };
    if let Some(finding) = account(&chain, files.account).await {
        findings.push(finding);
    }
    let contracts = contracts(network, restaking);
    match domain_of(&chain, contracts.service_manager, At::LATEST).await {
        Ok(domain) if domain == network.domain => {}
        Ok(domain) => {
            return findings.push(Finding::fault(
                "contracts",
                "contracts-differ",
                format!("the service manager has domain {}, the network file {}", domain.0, network.domain.0),
                "fetch the network's present file; this one is of another deployment",
            ));
        }
        Err(error) => {
            return findings.push(Finding::fault(
                "contracts",
                "contracts-missing",
                format!("{}: {error}", contracts.service_manager),
                "see that the network file and the L1 node are of the same chain",
            ));
        }
    }
    let (Some(operator), Some(id)) = (files.account, files.id) else {
        let next = "mend the secrets first; `hum operator keys list` shows what is there";
        return findings.push(Finding::note(
            "registration",
            "not looked at: whose it would be is not known",
            next,
        ));
    };
    let view = read(chain, network, &contracts, (operator, id)).await;
    match view {
        Ok(view) => {
            let own = Own { id, network_key: files.network_key, endpoint: config.endpoint().to_string() };
            registration(&view, &own, findings);
        }
        Err(error) => findings.push(Finding::fault(
            "registration",
            "l1-unreadable",
            error.to_string(),
            "ask another L1 node: put its URL into role.json as l1_rpc",
        )),
    }
}

async fn read(
    chain: RpcChain,
    network: &NetworkFile,
    contracts: &hum_chain::restaking::Contracts,
    who: (Address, OperatorId),
) -> Result<OperatorView, RestakingError> {
    let block = chain.head(Confidence::Latest).await?;
    OperatorView::read(Arc::new(chain), contracts, network.domain, who, block).await
}

/// Whether the node answers, for the right chain, with a head of today.
async fn node(
    chain: &RpcChain,
    config: &OperatorConfig,
    network: &NetworkFile,
    findings: &mut Vec<Finding>,
) -> Result<(), Finding> {
    const CHECK: &str = "L1 node";
    let refused = |error: ReadError| read_fault(&error, config, network);
    let head = chain.block(At::LATEST).await.map_err(refused)?;
    let head = head.ok_or_else(|| {
        refused(ReadError::Missing { method: "eth_getBlockByNumber", what: "a latest head".to_owned() })
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let age_s = now.saturating_sub(head.time_ms.0 / 1000);
    if age_s > HEAD_AGE_MAX_S {
        findings.push(Finding::fault(
            CHECK,
            "l1-stale",
            format!("its head, block {}, is {age_s} s old", head.block.number),
            "let it finish syncing, or see why it stands still; a network that mines on demand only looks like that too",
        ));
    } else {
        findings.push(Finding::good(CHECK, format!("{} at block {}", chain.endpoint(), head.block.number)));
    }
    match chain.head(Confidence::Finalized).await {
        Ok(_) => {}
        Err(error) => findings.push(Finding::fault(
            CHECK,
            "l1-not-final",
            format!("it shows no finalised block: {error}"),
            "operators act on finalised blocks only: let the node sync with a consensus client beside it",
        )),
    }
    Ok(())
}

fn read_fault(error: &ReadError, config: &OperatorConfig, network: &NetworkFile) -> Finding {
    const CHECK: &str = "L1 node";
    let place = if config.l1_rpc.is_some() { "l1_rpc in role.json" } else { "l1.rpc in the network file" };
    match error {
        ReadError::WrongChain { found, expected } => Finding::fault(
            CHECK,
            "l1-wrong-chain",
            format!("it serves chain {found}, {} is on chain {expected}", network.name),
            format!("point {place} to a node of chain {expected}"),
        ),
        _ => Finding::fault(
            CHECK,
            "l1-unreachable",
            error.to_string(),
            format!("start it, or correct {place}"),
        ),
    }
}

async fn account(chain: &RpcChain, account: Option<Address>) -> Option<Finding> {
    const CHECK: &str = "account";
    let account = account?;
    let balance = chain.balance(account).await.ok()?;
    let has = format!("{account} has {} ether", ether(balance));
    let next = "send it ether for gas; `hum operator register --dry-run` says how much registration takes";
    Some(if balance.is_zero() {
        Finding::fault(CHECK, "balance-none", has, next)
    } else if balance < U256::from(BALANCE_LOW_WEI) {
        Finding::note(CHECK, has, next)
    } else {
        Finding::good(CHECK, has)
    })
}

fn ether(wei: U256) -> String {
    amount::show(wei, amount::ETHER)
}

/// What the operator would register today.
#[derive(Debug, Clone)]
pub(super) struct Own {
    pub(super) id: OperatorId,
    pub(super) network_key: Option<B256>,
    pub(super) endpoint: String,
}

/// Everything between an operator and its seat, in the order in which it is mended.
pub(super) fn registration(view: &OperatorView, own: &Own, findings: &mut Vec<Finding>) {
    const CHECK: &str = "registration";
    const REGISTER: &str = "hum operator register does it, and whatever else is missing";
    let fault = |fault, what: String, next: &str| Finding::fault(CHECK, fault, what, next);
    let operator = view.operator;
    if view.is_jailed {
        let next = "it cannot come back; take out what is left with `hum operator exit`";
        return findings.push(fault("jailed", format!("{operator} was slashed out of the set"), next));
    }
    let before = findings.len();
    if !view.is_operator {
        findings.push(fault(
            "not-an-operator",
            format!("EigenLayer does not know {operator} as an operator"),
            REGISTER,
        ));
    }
    for strategy in &view.strategies {
        stake(view, strategy, findings);
    }
    match (view.registration.id, view.registration.holder) {
        (Some(id), _) if id != own.id => findings.push(fault(
            "key-differs",
            format!("{operator} registered the key of id {id}, the directory has that of {}", own.id),
            "a key is an operator's for ever: bring the old one back from your copy",
        )),
        (None, Some(holder)) => findings.push(fault(
            "key-of-another",
            format!("the directory's BLS key is registered to {holder}"),
            "use that operator's account, or make a key of your own",
        )),
        (None, None) => {
            findings.push(fault("key-not-registered", "the BLS key is not registered".to_owned(), REGISTER))
        }
        (Some(_), _) => {}
    }
    if view.bond_wei < view.bond_needed_wei && !view.is_member {
        let [has, needs] = [view.bond_wei, view.bond_needed_wei].map(ether);
        findings.push(fault(
            "bond-missing",
            format!("a bond of {has} ether is posted, {needs} are needed"),
            REGISTER,
        ));
    }
    if !view.is_member {
        findings.push(fault("not-in-set", format!("{operator} is not in the operator set"), REGISTER));
    } else {
        peers(view, own, findings);
    }
    if findings.len() == before {
        findings.push(Finding::good(CHECK, format!("{operator} is in the operator set with stake and key")));
    }
}

fn stake(view: &OperatorView, strategy: &StrategyView, findings: &mut Vec<Finding>) {
    const CHECK: &str = "stake";
    let name = strategy.strategy;
    let allocation = strategy.allocation;
    if strategy.shares.is_zero() {
        findings.push(Finding::fault(
            CHECK,
            "stake-none",
            format!("nobody has delegated shares of strategy {name} to {}", view.operator),
            "deposit with `hum operator register --deposit TOKENS`, or find stakers",
        ));
    }
    if allocation.is_pending() {
        let next = allocation.next.checked_mul(100).map_or(0, |scaled| scaled / allocation.max.max(1));
        findings.push(Finding::fault(
            CHECK,
            "allocation-pending",
            format!(
                "the allocation of strategy {name} becomes {next} % at L1 block {}",
                allocation.effect_block
            ),
            format!(
                "wait {} blocks; until then only the smaller of old and new counts",
                u64::from(allocation.effect_block).saturating_sub(view.block.number)
            ),
        ));
    } else if allocation.current == 0 {
        findings.push(Finding::fault(
            CHECK,
            "allocation-none",
            format!("nothing of strategy {name} is allocated to Hum's operator set"),
            "hum operator register allocates it",
        ));
    }
}

/// What peers are told on L1, and what is here.
fn peers(view: &OperatorView, own: &Own, findings: &mut Vec<Finding>) {
    const CHECK: &str = "registration";
    const REGISTER: &str = "hum operator register corrects it, when this directory is right";
    let registered = &view.registration;
    if own.network_key.is_some_and(|key| key != registered.network_key) {
        findings.push(Finding::fault(
            CHECK,
            "network-key-differs",
            format!(
                "L1 has network key {}, the directory another one: peers refuse it",
                registered.network_key
            ),
            REGISTER,
        ));
    }
    if registered.endpoint.as_bytes() != own.endpoint.as_bytes() {
        findings.push(Finding::fault(
            CHECK,
            "endpoint-differs",
            format!("L1 says that peers find it at {}, role.json says {}", registered.endpoint, own.endpoint),
            REGISTER,
        ));
    }
}
