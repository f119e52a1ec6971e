//! Scripted rollups: headers without execution, and a judge that believes what the witness says.

use crate::config::tests::fixture::{ANCHOR_TIME, anchor, sequencer};
use crate::operator::{Judge, Task};
use crate::wire::Submission;
use alloy_consensus::Header;
use hum_types::{
    Address, B256, BlockRef, Bytes, ChainId, Decode as _, Domain, Encode as _, GAS_LIMIT_DEFAULT, Generation,
    HeadClaim, LaneId, LaneIndex, LaneMessage, Message, Reader, RegistrationId, Retraction, SignedRetraction,
    put_list,
};
use hum_verify::{CertifiedHeader, Missing, OutgoingMessage, Reason, Summary, Verdict};
use std::collections::BTreeMap;

/// What a scripted witness tells the judge.
const VALID: u8 = 0;
const WRONG_STATE_ROOT: u8 = 1;
const INCOMPLETE: u8 = 2;

/// Judges a block by its witness' first byte; the rest are its messages.
pub(super) struct Believer;

impl Judge for Believer {
    fn judge(&self, task: &Task) -> Verdict {
        let mut items = &task.block[..];
        alloy_rlp::Header::decode_bytes(&mut items, true).unwrap();
        let mut block = &task.block[..];
        let mut list = alloy_rlp::Header::decode_bytes(&mut block, true).unwrap();
        let header = <Header as alloy_rlp::Decodable>::decode(&mut list).unwrap();
        if header.parent_hash != task.parent.hash() {
            return Verdict::Invalid(Reason::ParentHash {
                declared: header.parent_hash,
                computed: task.parent.hash(),
            });
        }
        match task.witness.first() {
            Some(&VALID) => {
                let mut reader = Reader::new(&task.witness[1..]);
                let sent: Vec<LaneMessage> = reader.list("messages", 1_000).unwrap();
                let mut ids = Vec::new();
                for _ in &sent {
                    ids.push(reader.b256("id").unwrap());
                }
                Verdict::Valid(Box::new(Summary {
                    header: CertifiedHeader::from_anchor(header),
                    transactions: 0,
                    messages: sent
                        .into_iter()
                        .zip(ids)
                        .map(|(sent, send_id)| OutgoingMessage { sent, send_id })
                        .collect(),
                    malformed_gateway_logs: Vec::new(),
                }))
            }
            Some(&WRONG_STATE_ROOT) => Verdict::Invalid(Reason::Hash {
                field: "state root",
                declared: header.state_root,
                computed: B256::ZERO,
            }),
            _ => Verdict::Undecided(Missing::Node(B256::ZERO)),
        }
    }
}

/// A sequencer with its chain.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) chain_id: ChainId,
    domain: Domain,
    registration: RegistrationId,
    pub(super) generation: Generation,
    headers: Vec<Header>,
    lanes: BTreeMap<LaneId, Vec<u64>>,
    fork: u8,
}

impl Chain {
    pub(super) fn new(chain_id: ChainId, domain: Domain, registration: RegistrationId) -> Self {
        let headers = vec![anchor(chain_id)];
        Self {
            chain_id,
            domain,
            registration,
            generation: Generation(0),
            headers,
            lanes: BTreeMap::new(),
            fork: 0,
        }
    }

    pub(super) fn head(&self) -> BlockRef {
        self.block(self.headers.len() - 1)
    }

    fn block(&self, index: usize) -> BlockRef {
        let header = &self.headers[index];
        BlockRef { number: header.number, hash: header.hash_slow() }
    }

    pub(super) fn lane(destination: ChainId) -> LaneId {
        LaneId { facade: Address::repeat_byte(0xa1), destination }
    }

    fn message(&self, number: u64, index: usize) -> Message {
        Message {
            sender: Address::repeat_byte(1),
            recipient: Address::repeat_byte(2),
            min_gas_limit: GAS_LIMIT_DEFAULT,
            payload: format!("{number}/{index}/{}", self.fork).into_bytes().into(),
        }
    }

    /// The next block, valid, with this many messages to `destination`.
    pub(super) fn next(&mut self, destination: ChainId, messages: usize) -> Submission {
        let number = self.head().number + 1;
        let lane = Self::lane(destination);
        let before: u64 = self.lanes.get(&lane).map_or(0, |counts| counts.iter().sum());
        let mut sent = Vec::new();
        let mut ids = Vec::new();
        for index in 0..messages {
            let message = self.message(number, index);
            ids.push(lane.message_id(self.chain_id, LaneIndex(before + index as u64), message.hash()));
            sent.push(LaneMessage { lane, message });
        }
        let counts = self.lanes.entry(lane).or_default();
        counts.resize(self.headers.len(), 0);
        counts.push(messages as u64);
        let mut witness = vec![VALID];
        put_list(&mut witness, &sent);
        ids.iter().for_each(|id| witness.extend_from_slice(id.as_slice()));
        self.push(witness)
    }

    /// The next block, with a wrong state root.
    pub(super) fn next_invalid(&mut self) -> Submission {
        self.push(vec![WRONG_STATE_ROOT])
    }

    /// The next block, with a message that claims another place in its lane.
    pub(super) fn next_forged(&mut self, destination: ChainId) -> Submission {
        let lane = Self::lane(destination);
        let message = self.message(0, 0);
        let mut witness = vec![VALID];
        put_list(&mut witness, &[LaneMessage { lane, message: message.clone() }]);
        witness.extend_from_slice(lane.message_id(self.chain_id, LaneIndex(77), message.hash()).as_slice());
        self.push(witness)
    }

    fn push(&mut self, witness: Vec<u8>) -> Submission {
        let parent = self.head();
        let number = parent.number + 1;
        self.headers.push(Header {
            number,
            parent_hash: parent.hash,
            timestamp: ANCHOR_TIME + number,
            gas_used: 21_000,
            state_root: hum_types::keccak256([&number.to_be_bytes()[..], &[self.fork]].concat()),
            ..Default::default()
        });
        self.submission(witness)
    }

    fn submission(&self, witness: Vec<u8>) -> Submission {
        let header = alloy_rlp::encode(self.headers.last().unwrap());
        let mut block = Vec::new();
        alloy_rlp::Header { list: true, payload_length: header.len() }.encode(&mut block);
        block.extend_from_slice(&header);
        let claim = HeadClaim {
            chain_id: self.chain_id,
            registration: self.registration,
            generation: self.generation,
            block: self.head(),
        };
        Submission {
            claim: claim.sign(self.domain, &sequencer(self.chain_id)),
            block: block.into(),
            witness: witness.into(),
        }
    }

    /// Drop `count` blocks without telling anyone and go on differently.
    pub(super) fn fork(&mut self, count: usize) {
        self.headers.truncate(self.headers.len() - count);
        for counts in self.lanes.values_mut() {
            counts.truncate(self.headers.len());
        }
        self.fork += 1;
    }

    /// Drop `count` blocks and say so.
    pub(super) fn retract(&mut self, count: usize) -> SignedRetraction {
        self.fork(count);
        self.generation = Generation(self.generation.0 + 1);
        Retraction {
            chain_id: self.chain_id,
            registration: self.registration,
            generation: self.generation,
            kept: self.head(),
        }
        .sign(self.domain, &sequencer(self.chain_id))
    }
}

/// The same submission with a witness that does not do.
pub(super) fn incomplete(submission: &Submission) -> Submission {
    Submission { witness: Bytes::from(vec![INCOMPLETE]), ..submission.clone() }
}

/// What the wire carries comes back as it was.
#[test]
fn submissions_survive_the_wire() {
    let mut chain = Chain::new(ChainId(901), Domain(B256::ZERO), RegistrationId(B256::ZERO));
    let submission = chain.next(ChainId(902), 3);
    assert_eq!(Submission::decode(&submission.encode()).unwrap(), submission);
}
