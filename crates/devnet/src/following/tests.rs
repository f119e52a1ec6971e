use super::{
    meter::{Meter, parse_memory, parse_ticks},
    record::Recording,
};
use hum_types::ChainId;
use hum_verify::{CertifiedHeader, Limits, Verdict, Verifier, Witness, WitnessLimits};

#[test]
fn what_linux_says_is_read() {
    let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 31 0 0 20 0 9 0 100";
    assert_eq!(parse_ticks(stat), Some(281));
    assert_eq!(parse_ticks("7 (hum) S 1"), None);
    assert_eq!(parse_memory("Rss:  9 kB\nPss:    12 kB\nPss_Dirty: 3 kB\n"), Some(12 * 1_024));
    assert_eq!(parse_memory("Rss: 9 kB\n"), None);
    let used = Meter::start(std::process::id()).unwrap().stop().unwrap();
    assert!(used.memory_bytes_max > 1 << 20 && used.cpu_cores() >= 0.0);
}

/// Blocks that one client made hold under every chain id: there is nothing in them that names one.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_blocks_hold_under_any_chain_id() {
    let recording = Recording::make(3, 1_000, 3).await.unwrap();
    for chain_id in [ChainId(901), ChainId(1_000)] {
        let spec = recording.spec(chain_id).unwrap();
        assert_eq!(spec.chain_id(), chain_id);
        let verifier = Verifier::new(spec, Vec::new(), Limits::default());
        let header = alloy_rlp::Decodable::decode(&mut &recording.anchor()[..]).unwrap();
        let mut parent = CertifiedHeader::from_anchor(header);
        for number in 1..=3 {
            let recorded = recording.block(number).unwrap();
            let witness = Witness::decode(&recorded.witness, &WitnessLimits::default()).unwrap();
            let verdict = verifier.verify(&parent, recorded.block.hash, &recorded.rlp, &witness);
            let Verdict::Valid(summary) = verdict else { panic!("{verdict:?}") };
            parent = summary.header;
        }
    }
}
