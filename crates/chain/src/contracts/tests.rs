use super::*;

fn deployment() -> Deployment {
    Deployment {
        domain: Domain(B256::repeat_byte(1)),
        epoch: Epoch(0),
        table_hash: B256::repeat_byte(2),
        bootstrap: Address::repeat_byte(3),
        reanchor_delay_s: 4,
        policy_delay_s: 5,
    }
}

#[test]
fn addresses_commit_to_every_argument() {
    let base = deployment().addresses();
    let changes: [fn(&mut Deployment); 6] = [
        |d| d.domain.0.0[0] ^= 1,
        |d| d.epoch.0 += 1,
        |d| d.table_hash.0[0] ^= 1,
        |d| d.bootstrap.0.0[0] ^= 1,
        |d| d.reanchor_delay_s += 1,
        |d| d.policy_delay_s += 1,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut other = deployment();
        change(&mut other);
        let other = other.addresses();
        assert_ne!(base.policy, other.policy, "change {i}");
        assert_ne!(base.light_client, other.light_client, "change {i}");
        assert_ne!(base.gateways, other.gateways, "change {i}");
        assert_ne!(base.inbox, other.inbox, "change {i}");
    }
    let [latest, safe, finalized] = base.gateways;
    assert!(latest != safe && safe != finalized && latest != finalized);
    let created: Vec<Address> = deployment().creations().iter().map(|creation| creation.address).collect();
    assert_eq!(created, [base.policy, base.light_client, latest, safe, finalized, base.inbox]);
}

#[test]
fn create2_is_eip_1014s() {
    // Example 6 of EIP-1014: deployer 0xdeadbeef…, salt of one byte 0xcafebabe, init code 0xdeadbeef.
    let deployer = address!("00000000000000000000000000000000deadbeef");
    let salt = b256!("00000000000000000000000000000000000000000000000000000000cafebabe");
    let expected = address!("60f3f640a8508fC6a86d45DF051962668E1e8AC7");
    assert_eq!(deployer.create2(salt, keccak256([0xde, 0xad, 0xbe, 0xef])), expected);
}
