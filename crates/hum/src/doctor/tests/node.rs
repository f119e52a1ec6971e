//! An L1 node on a real socket, whose answers a test changes one by one.

use alloy::{
    consensus::{Header, TxEnvelope},
    primitives::{Address, B256, Bytes, U256},
    rlp::Encodable as _,
};
use alloy_sol_types::{SolCall, SolValue as _};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    routing::{get, post},
};
use hum_chain::restaking::{
    IAllocationManager as A, IDelegationManager as D, IErc20 as E, INewerAllocationManager as N,
    IServiceManager as S, IStrategy, IStrategyManager as M,
};
use hum_types::ChainId;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub(super) const L1: ChainId = ChainId(1);
pub(super) const SERVICE_MANAGER: Address = Address::repeat_byte(0xa1);
pub(super) const ALLOCATION_MANAGER: Address = Address::repeat_byte(0xa2);
pub(super) const DELEGATION_MANAGER: Address = Address::repeat_byte(0xa3);
pub(super) const STRATEGY_MANAGER: Address = Address::repeat_byte(0xa4);
pub(super) const STRATEGY: Address = Address::repeat_byte(0xa5);
const ALL: u64 = 1_000_000_000_000_000_000;
const HEAD: u64 = 100;

/// What the node shows.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) chain_id: u64,
    pub(super) head_age_s: u64,
    pub(super) finalised: bool,
    /// By how much the clock of the node's machine is ahead of ours.
    pub(super) clock_skew_s: i64,
    pub(super) contracts: bool,
    pub(super) garbled: bool,
    pub(super) domain: B256,
    pub(super) operator: Address,
    pub(super) id: B256,
    pub(super) registered: bool,
    pub(super) holder: Address,
    pub(super) network_key: B256,
    pub(super) endpoint: String,
    pub(super) balance: U256,
    pub(super) is_operator: bool,
    pub(super) shares: U256,
    pub(super) allocated: u64,
    pub(super) pending: u64,
    pub(super) is_member: bool,
    pub(super) is_jailed: bool,
    pub(super) bond: U256,
}

impl Default for World {
    fn default() -> Self {
        Self {
            chain_id: L1.0,
            head_age_s: 0,
            finalised: true,
            clock_skew_s: 0,
            contracts: true,
            garbled: false,
            domain: B256::ZERO,
            operator: Address::ZERO,
            id: B256::ZERO,
            registered: true,
            holder: Address::ZERO,
            network_key: B256::ZERO,
            endpoint: String::new(),
            balance: U256::from(ALL),
            is_operator: true,
            shares: U256::from(1_000),
            allocated: ALL,
            pending: 0,
            is_member: true,
            is_jailed: false,
            bond: U256::from(500),
        }
    }
}

/// The node; clones share what it shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Node(Arc<Mutex<World>>);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Node {
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// Listen; the URL.
    pub(super) async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // Like a real one it answers a GET too, with the date.
        let routes = Router::new().route("/", post(answer).get(date)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }
}

/// A role's API that says which role it is.
pub(super) async fn serve_status(address: SocketAddr, role: &'static str) {
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let routes = Router::new().route("/status", get(move || async move { Json(json!({ "role": role })) }));
    tokio::spawn(async move { axum::serve(listener, routes).await });
}

async fn date(State(node): State<Node>) -> HeaderMap {
    let skew_s = node.change(|world| world.clock_skew_s);
    let seconds = now().saturating_add_signed(skew_s);
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    HeaderMap::from_iter([(header::DATE, HeaderValue::from_str(&text).unwrap())])
}

async fn answer(State(node): State<Node>, Json(request): Json<Value>) -> Json<Value> {
    let world = node.change(|world| world.clone());
    let params = &request["params"];
    let block = world.block();
    let result = match request["method"].as_str().unwrap() {
        "eth_chainId" => json!(format!("{:#x}", world.chain_id)),
        "eth_getBlockByNumber" if params[0] == "finalized" && !world.finalised => Value::Null,
        "eth_getBlockByNumber" => {
            json!({ "number": format!("{HEAD:#x}"), "hash": alloy::primitives::keccak256(header_rlp(&block.header)) })
        }
        "debug_getRawBlock" => {
            let mut bytes = Vec::new();
            block.encode(&mut bytes);
            json!(Bytes::from(bytes))
        }
        "eth_getBalance" => json!(world.balance),
        "eth_call" => {
            let to: Address = serde_json::from_value(params[0]["to"].clone()).unwrap();
            let data: Bytes = serde_json::from_value(params[0]["data"].clone()).unwrap();
            json!(Bytes::from(world.call(to, &data)))
        }
        other => {
            let error = json!({ "code": -32601, "message": format!("no {other}") });
            return Json(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }));
        }
    };
    Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

fn header_rlp(header: &Header) -> Vec<u8> {
    alloy::rlp::encode(header)
}

type Block = alloy::consensus::Block<TxEnvelope>;

impl World {
    fn block(&self) -> Block {
        // One time for one head: whoever asks twice gets one block.
        let header =
            Header { number: HEAD, timestamp: now() / 10 * 10 - self.head_age_s, ..Default::default() };
        Block { header, body: Default::default() }
    }

    /// What a contract returns.
    fn call(&self, to: Address, data: &Bytes) -> Vec<u8> {
        let selector: [u8; 4] = data[..4].try_into().unwrap();
        if !self.contracts {
            return Vec::new();
        }
        if self.garbled && selector == D::isOperatorCall::SELECTOR {
            return vec![0xff; 31];
        }
        let zero = U256::ZERO;
        match selector {
            S::DOMAINCall::SELECTOR => self.domain.abi_encode(),
            S::BOND_WEICall::SELECTOR => U256::from(500).abi_encode(),
            S::bondOfCall::SELECTOR => self.bond.abi_encode(),
            S::isJailedCall::SELECTOR => self.is_jailed.abi_encode(),
            S::operatorIdOfCall::SELECTOR => {
                (if self.registered { self.id } else { B256::ZERO }).abi_encode()
            }
            S::operatorOfCall::SELECTOR => {
                (if self.registered { self.operator } else { self.holder }).abi_encode()
            }
            S::endpointOfCall::SELECTOR => {
                (self.network_key, Bytes::from(self.endpoint.clone().into_bytes())).abi_encode_params()
            }
            S::snapshotCountCall::SELECTOR => zero.abi_encode(),
            D::isOperatorCall::SELECTOR => self.is_operator.abi_encode(),
            D::operatorSharesCall::SELECTOR => self.shares.abi_encode(),
            M::stakerDepositSharesCall::SELECTOR => self.shares.abi_encode(),
            IStrategy::sharesToUnderlyingViewCall::SELECTOR => self.shares.abi_encode(),
            IStrategy::underlyingTokenCall::SELECTOR => Address::repeat_byte(0x70).abi_encode(),
            E::balanceOfCall::SELECTOR | E::allowanceCall::SELECTOR => zero.abi_encode(),
            // Neither decimals nor symbol: a token need not have them.
            E::decimalsCall::SELECTOR | E::symbolCall::SELECTOR => Vec::new(),
            A::getAllocationDelayCall::SELECTOR => (true, U256::ONE).abi_encode_params(),
            A::isMemberOfOperatorSetCall::SELECTOR | A::isOperatorSlashableCall::SELECTOR => {
                self.is_member.abi_encode()
            }
            A::ALLOCATION_CONFIGURATION_DELAYCall::SELECTOR | A::DEALLOCATION_DELAYCall::SELECTOR => {
                U256::from(50).abi_encode()
            }
            A::getAllocationCall::SELECTOR => {
                let effect = if self.pending == 0 { 0 } else { HEAD + 20 };
                (U256::from(self.allocated), U256::from(self.pending), U256::from(effect)).abi_encode_params()
            }
            A::getAllocatableMagnitudeCall::SELECTOR => zero.abi_encode(),
            A::getMaxMagnitudeCall::SELECTOR => U256::from(ALL).abi_encode(),
            // A core of v1.3 has none of these.
            N::isRedistributingOperatorSetCall::SELECTOR
            | N::getRedistributionRecipientCall::SELECTOR
            | N::getSlasherCall::SELECTOR => Vec::new(),
            A::getMinimumSlashableStakeCall::SELECTOR => vec![vec![self.shares]].abi_encode(),
            other => panic!("unexpected call {other:?} of {to}"),
        }
    }
}
