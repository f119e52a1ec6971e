//! Witness, chain spec and block bytes: bounds, canonical form, stable hashes.

use super::made::{busy, osaka};
use super::world::*;
use crate::*;
use alloy_eips::eip7840::BlobParams;
use alloy_genesis::ChainConfig;
use alloy_primitives::{Bytes, b256, bytes};
use hum_types::ChainId;
use proptest::prelude::*;

fn witness() -> Witness {
    Witness {
        state: vec![bytes!("c0"), bytes!(""), vec![7; 600].into()],
        codes: vec![bytes!("00")],
        headers: vec![bytes!("7f"), bytes!("80")],
    }
}

#[test]
fn a_witness_survives_the_wire() {
    let bytes = Bytes::from(witness().encode());
    assert_eq!(Witness::decode(&bytes, &WitnessLimits::default()).unwrap(), witness());
    assert_eq!(Witness::default().encode(), [0xc3, 0xc0, 0xc0, 0xc0]);
}

#[test]
fn a_witness_above_a_limit_is_refused() {
    let bytes = Bytes::from(witness().encode());
    let refused = |change: &dyn Fn(&mut WitnessLimits)| {
        let mut limits = WitnessLimits { bytes: bytes.len(), nodes: 3, codes: 1, headers: 2 };
        assert!(Witness::decode(&bytes, &limits).is_ok());
        change(&mut limits);
        match Witness::decode(&bytes, &limits) {
            Err(WitnessDecodeError::OverLimit { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|limits| limits.bytes -= 1), "witness bytes");
    assert_eq!(refused(&|limits| limits.nodes = 2), "state");
    assert_eq!(refused(&|limits| limits.codes = 0), "codes");
    assert_eq!(refused(&|limits| limits.headers = 1), "headers");
}

#[test]
fn other_bytes_than_a_witness_are_refused() {
    for bytes in [
        bytes!(""),
        bytes!("80"),
        bytes!("c2c0c0"),
        bytes!("c4c0c0c0c0"),
        bytes!("c3c0c0c000"),
        bytes!("c4c0c0c1c0"),
    ] {
        let error = Witness::decode(&bytes, &WitnessLimits::default()).unwrap_err();
        assert!(matches!(error, WitnessDecodeError::Rlp { .. }), "{bytes}: {error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_witness_decoder_panic(raw in prop::collection::vec(any::<u8>(), 0..300)) {
        let raw = Bytes::from(raw);
        if let Ok(witness) = Witness::decode(&raw, &WitnessLimits::default()) {
            prop_assert_eq!(witness.encode(), raw);
        }
    }

    #[test]
    fn no_bytes_make_the_block_decoder_panic(raw in prop::collection::vec(any::<u8>(), 0..300)) {
        let world = World::new(osaka(), 1);
        let parent = CertifiedHeader::from_anchor(Default::default());
        let verdict = world.verifier().verify(&parent, Default::default(), &raw, &Witness::default());
        prop_assert!(matches!(verdict, Verdict::Undecided(_)));
    }
}

#[test]
fn what_exceeds_a_limit_waits() {
    let mut world = World::new(osaka(), 8);
    let made = busy(&mut world, 0);
    let limited = |change: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        match made.judge(&Verifier::new(world.spec.clone(), vec![], limits)) {
            Verdict::Undecided(Missing::OverLimit { what, .. }) => what,
            verdict => panic!("{verdict:?}"),
        }
    };
    assert_eq!(limited(&|limits| limits.block_bytes = 100), "block bytes");
    assert_eq!(limited(&|limits| limits.block_gas = 59_999_999), "gas limit");
    assert_eq!(limited(&|limits| limits.witness.bytes = 100), "witness bytes");
    assert_eq!(limited(&|limits| limits.witness.nodes = 3), "witness nodes");
    assert_eq!(limited(&|limits| limits.witness.codes = 1), "witness codes");
    let mut made = made.clone();
    made.witness.headers = vec![bytes!("c0"); 300];
    let verdict = made.judge(&world.verifier());
    assert!(matches!(verdict, Verdict::Undecided(Missing::OverLimit { what: "witness headers", .. })));
}

#[test]
fn a_spec_survives_json_and_every_rule_is_in_its_hash() {
    for chain in [1, 560_048, 11_155_111] {
        let spec = ChainSpec::preset(ChainId(chain)).unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ChainSpec>(&json).unwrap(), spec, "{json}");
    }
    let base = ChainConfig {
        prague_time: Some(10),
        osaka_time: Some(20),
        bpo1_time: Some(50),
        amsterdam_time: Some(99),
        ..config()
    };
    let spec = |change: &dyn Fn(&mut ChainConfig)| {
        let mut config = base.clone();
        change(&mut config);
        ChainSpec::new(&config, false).unwrap()
    };
    let same = spec(&|_| {});
    let mut hashes = vec![
        same.hash(),
        ChainSpec::new(&base, true).unwrap().hash(),
        spec(&|config| config.chain_id += 1).hash(),
        spec(&|config| config.prague_time = Some(11)).hash(),
        spec(&|config| config.osaka_time = Some(21)).hash(),
        spec(&|config| config.bpo1_time = Some(51)).hash(),
        spec(&|config| config.bpo1_time = None).hash(),
        spec(&|config| config.amsterdam_time = None).hash(),
        spec(&|config| config.deposit_contract_address = Some(TOKEN)).hash(),
        spec(&|config| {
            let params = BlobParams { target_blob_count: 1, max_blob_count: 2, ..BlobParams::cancun() };
            config.blob_schedule.insert("osaka".to_owned(), params);
        })
        .hash(),
    ];
    assert_eq!(hashes.len(), 10);
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 10);
    // Stable across versions: registrations commit to it.
    assert_eq!(
        ChainSpec::preset(ChainId(1)).unwrap().hash(),
        b256!("3b9c2dfe8a1a39e94bf7b0bf2ca53fb034bee1101600f8e0e73d5fe0a5ae7acf")
    );
}

#[test]
fn a_config_that_makes_no_sense_is_refused() {
    let refused = |change: &dyn Fn(&mut ChainConfig)| {
        let mut config = config();
        change(&mut config);
        ChainSpec::new(&config, false).unwrap_err()
    };
    assert_eq!(refused(&|config| config.cancun_time = None), SpecError::NoTime { fork: "cancun" });
    assert_eq!(refused(&|config| config.prague_time = None), SpecError::NoTime { fork: "prague" });
    let order = SpecError::Order { fork: "prague", time: 0, previous: "cancun", previous_time: 7 };
    assert_eq!(refused(&|config| config.cancun_time = Some(7)), order);
    assert_eq!(refused(&|config| config.bpo3_time = Some(9)), SpecError::Blobs { fork: "bpo3" });
    let wild = |change: &dyn Fn(&mut BlobParams)| {
        let mut params = BlobParams::osaka();
        change(&mut params);
        refused(&|config| _ = config.blob_schedule.insert("osaka".to_owned(), params))
    };
    let blobs = SpecError::Blobs { fork: "osaka" };
    assert_eq!(wild(&|params| params.update_fraction = 0), blobs);
    assert_eq!(wild(&|params| params.max_blob_count = 0), blobs);
    assert_eq!(wild(&|params| params.target_blob_count = 1_000), blobs);
    assert_eq!(wild(&|params| params.max_blob_count = u64::MAX), blobs);
}
