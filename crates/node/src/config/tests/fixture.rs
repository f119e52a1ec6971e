//! A small network: keys from seeds, anchors without a chain behind them.

use crate::config::*;
use alloy_consensus::Header;
use commonware_codec::Encode as _;
use hum_bls::{Committee, PossessedKey, SecretKey};
use hum_consensus::{PrivateKey, Signer as _};
use hum_types::{
    Address, B256, ChainId, Class, Domain, Encode as _, Epoch, L1Origin, RegistrationId, SequencerKey, Stake,
    TimeMs, TimeS,
};
use hum_verify::{CertifiedHeader, ChainSpec};

pub(crate) const L1: ChainId = ChainId(1);
pub(crate) const ANCHOR_NUMBER: u64 = 10;
/// Seconds.
pub(crate) const ANCHOR_TIME: u64 = 1_000;
pub(crate) const TERM_HEIGHTS: u64 = 16;

pub(crate) fn sequencer(chain_id: ChainId) -> SequencerKey {
    SequencerKey::from_secret(B256::left_padding_from(&[7, chain_id.0 as u8])).unwrap()
}

pub(crate) fn bls_key(index: usize) -> SecretKey {
    SecretKey::from_seed(&[index as u8])
}

pub(crate) fn network_key(index: usize) -> PrivateKey {
    PrivateKey::from_seed(index as u64)
}

pub(crate) fn publisher_key() -> PrivateKey {
    PrivateKey::from_seed(1_000)
}

fn key_bytes(key: &PrivateKey) -> B256 {
    B256::from_slice(&key.public_key().encode())
}

pub(crate) fn anchor(chain_id: ChainId) -> Header {
    Header {
        number: ANCHOR_NUMBER,
        timestamp: ANCHOR_TIME,
        state_root: B256::left_padding_from(&chain_id.0.to_be_bytes()),
        ..Default::default()
    }
}

pub(crate) fn spec(chain_id: ChainId) -> ChainSpec {
    let json = serde_json::json!({"chainId": chain_id.0, "cancunTime": 0, "pragueTime": 0, "osakaTime": 0});
    serde_json::from_value(json).unwrap()
}

fn rollup(chain_id: ChainId) -> RollupEntry {
    let anchor = anchor(chain_id);
    let sequencer = sequencer(chain_id).address();
    let spec = spec(chain_id);
    RollupEntry {
        name: format!("rollup-{chain_id}"),
        chain_id,
        rpc: "http://127.0.0.1:8545".to_owned(),
        gateways: Gateways {
            latest: Address::repeat_byte(0xa1),
            safe: Address::repeat_byte(0xa2),
            finalized: Address::repeat_byte(0xa3),
        },
        light_client: Address::repeat_byte(0xb1),
        registration: RegistrationId::derive(
            chain_id,
            sequencer,
            CertifiedHeader::from_anchor(anchor.clone()).hash(),
            spec.hash(),
        ),
        sequencer,
        class: Class::Reexecuted,
        spec,
        anchor: alloy_rlp::encode(&anchor).into(),
        own_node: None,
        limits: RollupLimits::default(),
        settlement: None,
        block_time_ms: 1000,
    }
}

/// `operators` operators of equal stake, these rollups, one publisher.
pub(crate) fn network_file(operators: usize, chains: &[ChainId]) -> NetworkFile {
    let deployment = Deployment { service_manager: Address::repeat_byte(0xc1), operator_set: 0 };
    let domain = Domain::new(L1, deployment.service_manager, deployment.operator_set);
    let mut members = Vec::new();
    let entries = (0..operators)
        .map(|index| {
            let key = bls_key(index);
            let (operator, bls_key) = (Address::repeat_byte(index as u8 + 1), key.public_key());
            let possession = key.prove_possession(domain, operator);
            let member = PossessedKey::check(domain, bls_key, operator, &possession).unwrap();
            members.push((member, Stake(100)));
            OperatorEntry {
                name: None,
                id: member.operator_id(),
                operator,
                bls_key,
                possession,
                stake: Stake(100),
                api: format!("http://127.0.0.1:{}", 9_000 + index),
                key: key_bytes(&network_key(index)),
                address: ([127, 0, 0, 1], 7_000 + index as u16).into(),
            }
        })
        .collect();
    let committee = Committee::new(Epoch(0), TimeS(4_000_000_000), members).unwrap();
    NetworkFile {
        version: NETWORK_VERSION,
        name: "test".to_owned(),
        deployment,
        domain,
        genesis_time_ms: TimeMs(1),
        l1: L1Entry {
            chain_id: L1,
            rpc: "http://127.0.0.1:8544".to_owned(),
            beacon: None,
            origin: L1Origin { number: 5, hash: B256::repeat_byte(5) },
        },
        rollups: chains.iter().copied().map(rollup).collect(),
        term_heights: TERM_HEIGHTS,
        seats_max: 100,
        operators_max: 200,
        restaking: None,
        operators: entries,
        committee: CommitteeEntry {
            epoch: Epoch(0),
            valid_until: committee.table().valid_until(),
            table: committee.table().encode().into(),
        },
        peers: vec![PeerEntry {
            name: "publisher".to_owned(),
            role: PeerRole::Publisher,
            key: key_bytes(&publisher_key()),
            address: ([127, 0, 0, 1], 8_000).into(),
            chain_id: None,
            api: None,
        }],
    }
}
