use super::*;
use hum_types::{GAS_LIMIT_DEFAULT, LaneId, LaneIndex, LaneSlot, Message};

/// The figures of the first issue. `hum bench gas` takes the worst of 1,000 digests; fewer do here.
#[test]
fn figures_stay_within_their_goals() {
    let report = run(50).unwrap();
    println!("{report:#?}");
    let mut missed = Vec::new();
    for (name, figure, most) in [
        ("send", report.send, 36_000),
        ("deliver_one_known", report.deliver_one_known, 53_000),
        ("deliver_one_known_per_doubling", report.deliver_one_known_per_doubling, 800),
        ("deliver_100_each", report.deliver_100_each, 16_000),
        ("certificate", report.certificate, 165_000),
        ("certificate_33_absent", report.certificate_33_absent, 180_000),
        ("install_table", report.install_table, 2_000_000),
    ] {
        if figure > most {
            missed.push(format!("{name}: {figure} > {most}"));
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

/// The gateway's ids and lane slots are those that operators compute from its events.
#[test]
fn sent_messages_have_the_ids_and_slots_of_the_protocol() {
    let network = Network::new(&[]);
    let source = network.sources()[0].chain_id;
    let mut site = Site::new(source, &network).unwrap();
    let lane = LaneId { facade: site.gateway, destination: DESTINATION };
    let mut slot = LaneSlot::default();
    for index in 0..3 {
        let message = Message {
            sender: site.evm.account(),
            recipient: network.recipient(),
            min_gas_limit: GAS_LIMIT_DEFAULT,
            payload: network::payload(index),
        };
        let hash = message.hash();
        slot = slot.push(hash).unwrap();
        let call = send_call(&network, index);
        let done = site.evm.call(site.gateway, call.abi_encode()).unwrap();
        let id = Gateway::sendMessageCall::abi_decode_returns(&done.output).unwrap();
        assert_eq!(id, lane.message_id(source, LaneIndex(index), hash));
        let done = site
            .evm
            .call(site.gateway, Gateway::laneCall { destination: DESTINATION.0 }.abi_encode())
            .unwrap();
        let held = Gateway::laneCall::abi_decode_returns(&done.output).unwrap();
        assert_eq!((held.count, held.rolling.0), (slot.count, slot.rolling.0));
    }
}

/// A failed measurement is an error with the contract's own words, not a figure.
#[test]
fn refused_certificate_is_no_figure() {
    let mut network = Network::new(&[]);
    let mut site = Site::new(DESTINATION, &network).unwrap();
    let header = network.heartbeat().unwrap();
    let mut certificate = network.certificate(&header, 0).unwrap();
    certificate[40] ^= 1;
    let error = site.submit(&header, certificate).unwrap_err();
    assert!(matches!(error, GasError::Evm(EvmError::Reverted { .. })), "{error}");
}
