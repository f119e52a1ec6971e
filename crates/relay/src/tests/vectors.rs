//! `vectors/deliveries.json`: what a relayer submits, byte by byte, for the contracts' own tests to take.
//!
//! `cargo test -p hum-relay write_vectors -- --ignored` writes it.

use super::network::{DESTINATION, Network, SOURCES, heads};
use crate::{CertifiedChain, Offered, calldata::*};
use alloy_primitives::hex;
use hum_types::*;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::PathBuf};

const FACADE: Address = Address::repeat_byte(0xfa);
const FACADES: [Address; 3] = [FACADE, Address::repeat_byte(0xfb), Address::repeat_byte(0xfc)];
const RECIPIENT: Address = Address::repeat_byte(0x0a);

struct Writer {
    network: Network,
    chain: CertifiedChain,
    listed: Vec<Value>,
}

impl Writer {
    fn certify(&mut self, checkpoint: Checkpoint, seats: &[u16]) {
        let certificate = self.network.certify(&checkpoint.header, seats);
        self.chain.offer(checkpoint).expect("a finalised checkpoint");
        assert_eq!(self.chain.certify(certificate), Ok(Offered::Advanced));
    }

    fn send(&mut self, source: ChainId, payloads: &[Vec<u8>], seats: &[u16]) {
        let messages =
            payloads.iter().map(|payload| self.network.message(source, RECIPIENT, payload)).collect();
        let block = self.network.block(source, messages);
        let checkpoint = self.network.advance(vec![block], 200);
        self.certify(checkpoint, seats);
    }

    /// L1 holds a source up to `head`.
    fn settle(&mut self, source: ChainId, confidence: Confidence, head: BlockRef) {
        let checkpoint = self.network.settle(source, confidence, head);
        self.certify(checkpoint, &[0, 1, 2, 3]);
    }

    /// Lists messages `start .. start + length`, proven under the newest checkpoint.
    fn list(&mut self, what: &str, source: ChainId, start: u64, length: u64) {
        self.list_at(Confidence::Latest, what, source, start, length);
    }

    fn list_at(&mut self, confidence: Confidence, what: &str, source: ChainId, start: u64, length: u64) {
        let lane = self.network.lane_at(confidence, source).lane;
        let archive = self.chain.archive();
        let header = *self.chain.header();
        let proof = archive.prove_lane(header.height, source, lane).expect("a lane");
        let registration = self.network.registration(source);
        let start = LaneIndex(start);
        let messages = archive
            .prove_run_in(source, lane, proof.leaf.slot.count, start, length)
            .expect("messages of the lane");
        let expected: Vec<_> = (start.0..)
            .zip(&messages.messages)
            .map(|(index, (generation, message))| {
                json!({
                    "index": index,
                    "generation": generation.0,
                    "id": lane.message_id(source, LaneIndex(index), message.hash()),
                    "sender": hex::encode_prefixed(
                        InteropAddress { chain_id: source, address: message.sender }.encode(),
                    ),
                    "payload": message.payload,
                })
            })
            .collect();
        let bytes = |written: Result<Vec<u8>, CalldataError>| hex::encode_prefixed(written.expect("bytes"));
        self.listed.push(json!({
            "what": what,
            "source_chain_id": source,
            "registration": registration,
            "height": header.height,
            "time_ms": header.time_ms,
            "generation": proof.head.leaf.generation.0,
            "status": proof.head.leaf.status as u8,
            "lane_count": proof.leaf.slot.count,
            "lane_generation": proof.leaf.generation.0,
            "confidence": confidence as u8,
            "certificate": bytes(certificate(&self.chain, header.height)),
            "lane": bytes(lane_proof(&header, &proof)),
            "rollup": bytes(rollup_proof(&header, &proof.head)),
            "run": bytes(run(registration, source, &messages)),
            "count": length,
            "messages": expected,
        }));
    }
}

fn deliveries() -> Value {
    let network = Network::new(FACADE);
    let table = network.committee.table().clone();
    let chain = CertifiedChain::new(&network.genesis, BTreeSet::from([DESTINATION]));
    let mut writer = Writer { network, chain, listed: Vec::new() };
    let numbered = |from: u8, to: u8| (from..to).map(|n| vec![n; usize::from(n) * 7]).collect::<Vec<_>>();

    writer.send(SOURCES[0], &numbered(0, 1), &[0, 1, 2, 3]);
    writer.list("the only message of a lane", SOURCES[0], 0, 1);
    writer.send(SOURCES[1], &numbered(0, 6), &[0, 1, 3]);
    writer.list("a run in the middle, one operator absent", SOURCES[1], 1, 4);
    let kept = heads(&writer.network)[&SOURCES[0]];
    writer.send(SOURCES[0], &numbered(1, 4), &[0, 1, 2, 3]);
    writer.list("the rest of the first lane", SOURCES[0], 1, 2);

    let retraction = writer.network.retract(SOURCES[0], kept);
    writer.certify(retraction, &[0, 1, 2, 3]);
    let again = [vec![1; 7], b"another message at index 2".to_vec()];
    writer.send(SOURCES[0], &again, &[1, 2, 3]);
    writer.list("after a retraction: one sent again unchanged, one other", SOURCES[0], 0, 3);

    let settled = settled();
    json!({
        "note": "made by crates/relay; everything goes to the facade on the destination",
        "domain": writer.network.domain,
        "epoch": 0,
        "table": hex::encode_prefixed(table.encode()),
        "facade": FACADE,
        "recipient": RECIPIENT,
        "destination_chain_id": DESTINATION,
        "deliveries": writer.listed,
        "settled": {
            "note": "everything goes to the facade of its confidence",
            "facades": FACADES,
            "deliveries": settled,
        },
    })
}

/// What arrives through the gateways of `Safe` and `Finalized`, of the same committee.
fn settled() -> Vec<Value> {
    let network = Network::with(FACADES);
    let chain = CertifiedChain::new(&network.genesis, BTreeSet::from([DESTINATION]));
    let mut writer = Writer { network, chain, listed: Vec::new() };
    let [source, ..] = SOURCES;
    let mut heads = Vec::new();
    for _ in 0..3 {
        let block = writer.network.block(source, writer.network.through_all(source, RECIPIENT));
        heads.push(block.blocks[0].block);
        let checkpoint = writer.network.advance(vec![block], 200);
        writer.certify(checkpoint, &[0, 1, 2, 3]);
    }
    writer.settle(source, Confidence::Safe, heads[1]);
    writer.list_at(Confidence::Safe, "safe up to the second of three blocks", source, 0, 2);
    writer.settle(source, Confidence::Finalized, heads[0]);
    writer.list_at(Confidence::Finalized, "final up to the first", source, 0, 1);
    let retraction = writer.network.retract(source, heads[1]);
    writer.certify(retraction, &[0, 1, 2, 3]);
    writer.list_at(Confidence::Safe, "still safe in the next generation", source, 1, 1);
    writer.settle(source, Confidence::Finalized, heads[1]);
    let quarantine = writer.network.quarantine(source);
    writer.certify(quarantine, &[0, 1, 2, 3]);
    writer.list_at(Confidence::Finalized, "final, of a source that was set aside", source, 1, 1);
    writer.listed
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/deliveries.json")
}

#[test]
fn committed_deliveries_are_what_is_computed() {
    let committed: Value = serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap();
    assert!(committed == deliveries(), "deliveries.json differs: see the top of this file");
}

#[test]
#[ignore = "writes vectors/"]
fn write_vectors() {
    fs::write(path(), format!("{:#}\n", deliveries())).unwrap();
}
