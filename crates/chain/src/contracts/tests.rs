use super::*;
use alloy_primitives::hex;

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
    let created: Vec<Address> =
        deployment().creations(true).iter().map(|creation| creation.address).collect();
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

/// What a chain that has everything answers.
fn right(feature: Feature) -> Bytes {
    let hex = match feature {
        Feature::Push0 | Feature::Mcopy | Feature::TransientStorage | Feature::ReadCode => "11".repeat(20),
        Feature::Recover => {
            "000000000000000000000000".to_owned() + "7156526fbd7a3c72969b54f64e42c10fbb768c8a"
        }
        Feature::Sha256 => "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
        Feature::ModExp => "0018".to_owned(),
        Feature::EcAdd | Feature::EcMul => {
            "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3".to_owned()
                + "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"
        }
        Feature::EcPairing => "0".repeat(63) + "1",
    };
    hex::decode(hex).unwrap().into()
}

#[test]
fn a_feature_works_only_when_the_whole_answer_is_the_known_one() {
    for feature in Feature::ALL {
        let judge = |answer| probe::judged(feature, answer).unwrap();
        assert_eq!(judge(Ok(right(feature))), Answer::Works, "{feature:?}");
        // A chain without the precompile: success, and nothing.
        assert!(matches!(judge(Ok(Bytes::new())), Answer::Lacks { .. }), "{feature:?}");
        let short = right(feature).slice(1..);
        assert!(matches!(judge(Ok(short)), Answer::Wrong { .. }), "{feature:?}");
        let long = Bytes::from([right(feature).as_ref(), &[0]].concat());
        assert!(matches!(judge(Ok(long)), Answer::Wrong { .. }), "{feature:?}");
        if !matches!(feature.need(), Need::Cheaper) && right(feature).len() != 20 {
            let mut other = right(feature).to_vec();
            other[0] ^= 1;
            assert!(matches!(judge(Ok(other.into())), Answer::Wrong { .. }), "{feature:?}");
        }
        let reverted = ReadError::Reverted { data: Bytes::new(), message: "invalid opcode".into() };
        assert_eq!(judge(Err(reverted)), Answer::Lacks { detail: "invalid opcode".into() });
        let away = ReadError::Timeout { method: "eth_call", after_ms: 1 };
        assert_eq!(probe::judged(feature, Err(away.clone())), Err(away));
    }
}

#[test]
fn a_chain_lacks_what_every_chain_needs() {
    let all = |spoiled: Option<Feature>| {
        let answer = |feature| match spoiled {
            Some(one) if one == feature => Answer::Lacks { detail: "nothing".into() },
            _ => Answer::Works,
        };
        let answers = Feature::ALL.into_iter().map(|feature| (feature, answer(feature))).collect();
        Probe { chain_id: ChainId(7), answers }
    };
    assert_eq!(all(None).lacking().count(), 0);
    for feature in Feature::ALL {
        let probe = all(Some(feature));
        let expected = (feature.need() == Need::Everywhere).then_some(feature);
        assert_eq!(probe.lacking().next(), expected);
        assert!(!probe.has(feature) && probe.to_string().contains("missing (nothing)"));
    }
    // BLS12-381 is not even asked for.
    assert!(Feature::ALL.iter().all(|feature| !feature.name().contains("0x0b")));
}
