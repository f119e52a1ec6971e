//! A genesis with our contracts, against the same contracts deployed by transactions.

use super::*;
use crate::sequencer::{LaunchGenesis, Member};
use hum_chain::{
    At, Chain as _,
    contracts::{Deployment, Gateway, LightClient},
    rpc::{RpcChain, RpcLimits, RpcSubmit, SubmitPolicy},
};

#[tokio::test(flavor = "multi_thread")]
async fn contracts_at_genesis_are_those_that_transactions_deploy() {
    use alloy::sol_types::SolCall as _;
    use hum_types::Encode as _;
    let bootstrap = B256::repeat_byte(0x11);
    let member = Member {
        deployment: Deployment { bootstrap: signer().address(), ..deployment() },
        table: table().encode().into(),
        sources: vec![(ChainId(901), RegistrationId(B256::repeat_byte(0x91)))],
    };
    let config = ChainConfig { predeploys: Vec::new(), ..settings(250) };
    let genesis = LaunchGenesis::new(&config, &member).await.unwrap();
    let addresses = member.deployment.addresses();
    assert_eq!(genesis.addresses, addresses);
    assert_eq!(genesis.hash, keccak256(&genesis.header));

    let launched = DevChain::start_from(config.clone(), &genesis.json).await.unwrap();
    assert_eq!(launched.block(0).unwrap().hash, genesis.hash);
    let deployed = DevChain::start(ChainConfig { paused: false, ..config }).await.unwrap();
    let reader =
        |chain: &DevChain| RpcChain::new(&chain.rpc_url(), ChainId(4_343), RpcLimits::default()).unwrap();
    let (here, there) = (reader(&launched), reader(&deployed));
    let submit = RpcSubmit::new(there.clone(), bootstrap, SubmitPolicy::default()).unwrap();
    member.deployment.deploy(&there, &submit, &member.table, &member.sources).await.unwrap();

    let epoch = member.deployment.epoch.0;
    let view = LightClient::tableAddressCall { epoch }.abi_encode();
    let answer = here.call(addresses.light_client, view.into(), At::LATEST).await.unwrap();
    let table_address = Address::from_word(B256::from_slice(&answer[..32]));
    let mut all = vec![addresses.policy, addresses.light_client, addresses.inbox, table_address];
    all.extend(addresses.gateways);
    for account in all {
        let code = here.code(account, At::LATEST).await.unwrap();
        assert!(!code.is_empty(), "{account}");
        assert_eq!(code, there.code(account, At::LATEST).await.unwrap(), "{account}");
        let (a, b) = (launched.rpc_url(), deployed.rpc_url());
        let (a, b) =
            (provider(&a).get_proof(account, vec![]).await, provider(&b).get_proof(account, vec![]).await);
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!((a.storage_hash, a.nonce, a.balance), (b.storage_hash, b.nonce, b.balance), "{account}");
    }
    for gateway in addresses.gateways {
        let call = Gateway::registrationOfCall { chainId: 901 }.abi_encode();
        let allowed = here.call(gateway, call.into(), At::LATEST).await.unwrap();
        assert_eq!(allowed.as_ref(), [0x91; 32]);
    }
    launched.shutdown().await;
    deployed.shutdown().await;
}

fn deployment() -> Deployment {
    Deployment {
        domain: Domain(B256::repeat_byte(1)),
        epoch: hum_types::Epoch(0),
        table_hash: table().hash(),
        bootstrap: Address::ZERO,
        reanchor_delay_s: 600,
        policy_delay_s: 60,
    }
}

/// A committee of three.
fn table() -> hum_bls::CommitteeTable {
    use hum_bls::{Committee, PossessedKey, SecretKey};
    use hum_types::{Epoch, Stake, TimeS};
    let domain = Domain(B256::repeat_byte(1));
    let members = (1..=3_u8).map(|index| {
        let secret = SecretKey::from_seed(&[index; 32]);
        let operator = Address::repeat_byte(index);
        let possession = secret.prove_possession(domain, operator);
        let key = PossessedKey::check(domain, secret.public_key(), operator, &possession).unwrap();
        (key, Stake(1_000))
    });
    let committee = Committee::new(Epoch(0), TimeS(4_000_000_000), members.collect()).unwrap();
    committee.table().clone()
}
