//! A watcher with scripted operators and a scripted L1, in virtual time.

mod claims;
pub(super) mod fixture;
pub(super) mod heads;
mod judged;
mod l1;
mod posted;
mod rollup;

use super::*;
use crate::wire::{FeedEvent, FeedRequest, QUOTAS, Wires};
use commonware_runtime::{Clock as _, Runner as _, Supervisor as _, deterministic};
use fixture::{REGISTRATION, ROLLUP, Signers, claim, domain, header, sequencer};
use hum_consensus::{
    Committee, PrivateKey, Recipients, Signer as _,
    simulated::{Layout, Link, World},
};
use hum_ledger::{RollupParams, State};
use hum_types::*;
use l1::FakeL1;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const OPERATORS: u64 = 4;

/// Everything but the watcher.
struct Bed {
    context: deterministic::Context,
    world: World,
    operators: Vec<PublicKey>,
    watchers: Vec<PrivateKey>,
    feeds: Vec<Wire>,
    fetches: Vec<Wire>,
    signers: Signers,
    state: State,
    genesis: Genesis,
    l1: FakeL1,
    /// Instead of that L1.
    judged: Option<L1>,
    nodes: BTreeMap<ChainId, Arc<dyn Chain>>,
}

fn params() -> RollupParams {
    RollupParams {
        chain_id: ROLLUP,
        registration: REGISTRATION,
        sequencer: sequencer().address(),
        facades: [Address::repeat_byte(0xa1), Address::repeat_byte(0xa2), Address::repeat_byte(0xa3)],
        class: Class::Reexecuted,
        judges: Vec::new(),
        anchor: BlockRef { number: 10, hash: B256::repeat_byte(10) },
        anchor_state_root: B256::repeat_byte(11),
    }
}

fn run<F: Future<Output = ()>>(test: impl FnOnce(Bed) -> F) {
    run_with(params(), test);
}

fn run_with<F: Future<Output = ()>>(rollup: RollupParams, test: impl FnOnce(Bed) -> F) {
    let config = deterministic::Config::new().with_seed(7).with_timeout(Some(Duration::from_secs(600)));
    deterministic::Runner::new(config).start(|context| async move {
        let keys: Vec<PrivateKey> = (0..OPERATORS).map(PrivateKey::from_seed).collect();
        let watchers: Vec<PrivateKey> = (100..104).map(PrivateKey::from_seed).collect();
        let operators: Vec<PublicKey> = keys.iter().map(PrivateKey::public_key).collect();
        let committee = Committee::new([7; 32], operators.clone()).expect("a committee");
        let others = watchers.iter().map(PrivateKey::public_key).collect();
        let layout = Layout::fixed(committee, others, QUOTAS.to_vec(), Link::default());
        let world = World::new(&context, layout).await.expect("a network");
        let (mut feeds, mut fetches) = (Vec::new(), Vec::new());
        for key in &operators {
            let wires = Wires::try_from(world.join(key).await.expect("wires")).expect("as many as asked for");
            feeds.push(wires.feed);
            fetches.push(wires.fetch);
        }
        let signers = Signers::new(0, &[1, 2, 3, 4]);
        let genesis = Genesis {
            domain: domain(),
            seated: signers.seated.clone(),
            terms: Terms::of(4).expect("long enough"),
            time_ms: TimeMs(0),
            l1_origin: L1Origin { number: 7, hash: B256::repeat_byte(7) },
            rollups: vec![rollup],
        };
        let state = State::genesis(&genesis);
        let l1 = FakeL1::new();
        let (judged, nodes) = (None, BTreeMap::new());
        let bed = Bed {
            context,
            world,
            operators,
            watchers,
            feeds,
            fetches,
            signers,
            state,
            genesis,
            l1,
            judged,
            nodes,
        };
        test(bed).await;
    });
}

impl Bed {
    /// Start a watcher; each number can be started once, as each has one identity. All share one disk.
    async fn start(&self, which: usize, settings: impl FnOnce(&mut WatcherSettings)) -> WatcherHandle {
        let key = self.watchers[which].public_key();
        let wires =
            Wires::try_from(self.world.join(&key).await.expect("wires")).expect("as many as asked for");
        let mut own = WatcherSettings {
            genesis: self.genesis.clone(),
            l1_chain_id: l1::CHAIN,
            operators: self.operators.clone(),
            answer_timeout_ms: 500,
            quiet_ms: 500,
            spend_cap_wei: u128::MAX,
            bond_cap_wei: u128::MAX,
            claim_wait_ms: 5_000,
            snapshots_every_ms: None,
            partition: "watcher".to_owned(),
        };
        settings(&mut own);
        let parts = WatcherParts {
            l1: Some(self.judged.clone().unwrap_or_else(|| self.l1.connect())),
            rollups: self.nodes.clone(),
            joining: None,
            peers: None,
            fetch: wires.fetch,
            feed: wires.feed,
        };
        let context = self.context.child("role").with_attribute("which", which);
        start(&context, own, parts).await.expect("the watcher starts")
    }

    async fn pass(&self, ms: u64) {
        self.context.sleep(Duration::from_millis(ms)).await;
    }

    fn tell(&self, operator: usize, watcher: usize, event: &FeedEvent) {
        let to = Recipients::One(self.watchers[watcher].public_key());
        self.feeds[operator].sender.send(to, event.encode().into(), true);
    }

    /// Finalise and certify an empty checkpoint, and tell the watcher.
    fn advance(&mut self, watcher: usize) -> Header {
        let time_ms = TimeMs(self.state.header().time_ms.0 + 1);
        let origin = self.state.header().l1_origin;
        let (header, state) = self.state.seal(&Body::default(), time_ms, origin).expect("an empty body");
        self.state = state;
        self.tell(0, watcher, &FeedEvent::Finalised(Checkpoint { header, body: Body::default() }));
        self.tell(0, watcher, &FeedEvent::Certified(self.signers.certify(&[0, 1, 2], &header)));
        header
    }
}

fn states(view: &WatcherView) -> Vec<&Stage> {
    view.evidence.iter().map(|case| &case.stage).collect()
}

#[test]
fn a_double_attestation_is_punished_within_five_seconds() {
    run(|mut bed| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(1_000).await;
        let asked = bed.feeds[2].receiver.recv().await.expect("a request").1;
        assert_eq!(FeedRequest::decode(&asked), Ok(FeedRequest::Watch), "of every operator");
        let truth = bed.advance(0);
        let lie = Header { rollups_root: B256::repeat_byte(9), ..truth };
        let pair = [bed.signers.attest(1, &truth), bed.signers.attest(1, &lie)];
        bed.tell(1, 0, &FeedEvent::Attested(vec![pair[0]]));
        bed.tell(2, 0, &FeedEvent::Attested(vec![pair[1]]));
        bed.pass(5_000).await;
        let view = watcher.view();
        assert!(matches!(states(&view)[..], [Stage::Punished { tx_hash: Some(_) }]), "{view:?}");
        assert_eq!(bed.l1.slashed(), [bed.signers.operator(1)]);
        assert_eq!(view.wrong_attestations.get(&bed.signers.operator(1)), Some(&1), "{view:?}");
        assert_eq!((view.certified, view.forged), (Height(1), 0));
        bed.tell(2, 0, &FeedEvent::Attested(pair.to_vec()));
        bed.pass(20_000).await;
        assert_eq!(bed.l1.sent(), 1, "once");
    });
}

#[test]
fn what_l1_could_not_take_before_a_crash_is_taken_up_after_it() {
    run(|mut bed| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(1_000).await;
        bed.l1.close();
        let truth = bed.advance(0);
        let lie = Header { rollups_root: B256::repeat_byte(9), ..truth };
        let pair = vec![bed.signers.attest(1, &truth), bed.signers.attest(1, &lie)];
        bed.tell(1, 0, &FeedEvent::Attested(pair.clone()));
        bed.tell(1, 0, &FeedEvent::Claimed(vec![claim(0, 11, 1), claim(0, 11, 2)]));
        bed.pass(3_000).await;
        assert_eq!(watcher.view().evidence.len(), 2, "{:?}", watcher.view());
        assert!(bed.l1.slashed().is_empty());
        watcher.abort();
        bed.pass(100).await;

        bed.l1.open();
        let watcher = bed.start(1, |_| {}).await;
        bed.pass(5_000).await;
        let view = watcher.view();
        assert!(states(&view).iter().all(|stage| matches!(stage, Stage::Punished { .. })), "{view:?}");
        assert_eq!((bed.l1.slashed(), bed.l1.bonds()), (vec![bed.signers.operator(1)], vec![REGISTRATION]));
        bed.tell(1, 1, &FeedEvent::Attested(pair));
        bed.pass(10_000).await;
        assert_eq!(watcher.view().evidence.len(), 2, "nothing is found twice");
        watcher.abort();
        bed.pass(100).await;

        let watcher = bed.start(2, |_| {}).await;
        bed.pass(10_000).await;
        let view = watcher.view();
        assert!(states(&view).iter().all(|stage| matches!(stage, Stage::Punished { .. })), "{view:?}");
        assert_eq!(bed.l1.sent(), 2, "nothing is submitted again");
    });
}

#[test]
fn what_another_had_punished_is_not_submitted() {
    run(|mut bed| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(1_000).await;
        let truth = bed.advance(0);
        let offence = offence(Fault::DoubleAttestation, bed.signers.operator(1), truth.height, B256::ZERO);
        bed.l1.punish(offence);
        let lie = Header { rollups_root: B256::repeat_byte(9), ..truth };
        let pair = vec![bed.signers.attest(1, &truth), bed.signers.attest(1, &lie)];
        bed.tell(1, 0, &FeedEvent::Attested(pair));
        bed.pass(5_000).await;
        let view = watcher.view();
        assert_eq!(states(&view), [&Stage::Punished { tx_hash: None }], "{view:?}");
        assert_eq!(bed.l1.sent(), 0);
    });
}

#[test]
fn nothing_is_spent_above_the_cap_and_the_evidence_waits() {
    run(|mut bed| async move {
        let watcher = bed.start(0, |settings| settings.spend_cap_wei = 10).await;
        bed.pass(1_000).await;
        let truth = bed.advance(0);
        let lie = Header { rollups_root: B256::repeat_byte(9), ..truth };
        let pair = vec![bed.signers.attest(1, &truth), bed.signers.attest(1, &lie)];
        bed.tell(1, 0, &FeedEvent::Attested(pair));
        bed.pass(5_000).await;
        let view = watcher.view();
        assert!(matches!(states(&view)[..], [Stage::Refused { given_up: false, .. }]), "{view:?}");
        assert_eq!(bed.l1.sent(), 0);
        assert!(view.last_error.is_some_and(|error| error.contains("spend cap")));
    });
}

#[test]
fn a_lie_far_below_a_quorum_is_counted_and_shown() {
    run(|mut bed| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(1_000).await;
        let truth = bed.advance(0);
        let lie = Header { rollups_root: B256::repeat_byte(9), ..truth };
        bed.pass(1_000).await;
        bed.tell(1, 0, &FeedEvent::Attested(vec![bed.signers.attest(3, &lie)]));
        bed.pass(1_000).await;
        let view = watcher.view();
        assert_eq!(view.wrong_attestations.get(&bed.signers.operator(3)), Some(&1), "{view:?}");
        assert!(view.evidence.is_empty(), "alone it proves nothing to L1");
        assert!(view.role.last_alarm().is_some_and(|alarm| alarm.contains("not finalised")), "{view:?}");
        bed.tell(0, 0, &FeedEvent::Certified(bed.signers.certify(&[0, 1, 2, 3], &truth)));
        bed.pass(5_000).await;
        assert_eq!(bed.l1.slashed(), [bed.signers.operator(3)], "its seat in the certificate convicts it");
    });
}

#[test]
fn an_operator_that_passes_on_forgeries_is_not_listened_to() {
    run(|mut bed| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(1_000).await;
        let truth = bed.advance(0);
        let lie = Header { rollups_root: B256::repeat_byte(9), ..truth };
        let forged = hum_bls::Attestation { seat: hum_bls::Seat(2), ..bed.signers.attest(1, &lie) };
        bed.pass(1_000).await;
        bed.tell(3, 0, &FeedEvent::Attested(vec![forged]));
        bed.pass(1_000).await;
        let view = watcher.view();
        assert_eq!((view.forged, view.evidence.len()), (1, 0), "{view:?}");
        let pair = vec![bed.signers.attest(1, &truth), bed.signers.attest(1, &lie)];
        bed.tell(3, 0, &FeedEvent::Attested(pair.clone()));
        bed.pass(1_000).await;
        assert!(watcher.view().evidence.is_empty(), "muted");
        bed.tell(2, 0, &FeedEvent::Attested(pair));
        bed.pass(1_000).await;
        assert_eq!(watcher.view().evidence.len(), 1, "others are heard");
    });
}

#[test]
fn a_snapshot_that_is_due_is_taken_and_only_then() {
    run(|bed| async move {
        bed.l1.register(&bed.signers);
        let watcher = bed.start(0, |settings| settings.snapshots_every_ms = Some(500)).await;
        bed.pass(3_000).await;
        assert_eq!((watcher.view().snapshots, bed.l1.snapshots().len()), (0, 0));
        bed.l1.set_due();
        bed.pass(3_000).await;
        assert_eq!(watcher.view().snapshots, 1, "{:?}", watcher.view());
        assert_eq!(bed.l1.snapshots(), [bed.signers.committee().table().sum_g2().encode()]);
        bed.l1.set_due();
        bed.pass(3_000).await;
        assert_eq!(watcher.view().snapshots, 2);
    });
}

#[test]
fn a_table_that_l1_does_not_have_is_an_alarm_and_evidence() {
    run(|mut bed| async move {
        bed.l1.finalise(BlockRef { number: 8, hash: B256::repeat_byte(8) });
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(1_000).await;
        bed.advance(0);
        bed.advance(0);
        // Height 3 closes the term. L1 has a snapshot that it should announce, and it announces nothing.
        bed.l1.take(B256::repeat_byte(0xdd), 5);
        bed.advance(0);
        bed.pass(3_000).await;
        let view = watcher.view();
        assert!(view.role.last_alarm().is_some_and(|alarm| alarm.contains("should announce")), "{view:?}");
        assert!(view.evidence.is_empty(), "what is left out cannot be proven on L1");
        let _ = header(0, 1, 1);
    });
}

#[test]
fn a_challenge_of_an_honest_head_is_answered_with_its_claim() {
    run(|bed| async move {
        bed.l1.finalise(BlockRef { number: 8, hash: B256::repeat_byte(8) });
        bed.l1.challenge(&claim(0, 11, 1).claim);
        bed.l1.challenge(&claim(0, 12, 2).claim);
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(4_000).await;
        assert_eq!(bed.l1.answered(), [false, false], "no claim was heard");
        let told = watcher.view().role.last_alarm().is_some_and(|alarm| alarm.contains("not answered"));
        assert!(told, "{:?}", watcher.view());
        bed.tell(1, 0, &FeedEvent::Claimed(vec![claim(0, 12, 2)]));
        bed.pass(6_000).await;
        assert_eq!(bed.l1.answered(), [false, true]);
        bed.pass(10_000).await;
        assert_eq!(bed.l1.sent(), 1, "once");
    });
}

#[test]
fn a_connection_to_another_chain_is_refused() {
    run(|bed| async move {
        let key = bed.watchers[0].public_key();
        let wires = Wires::try_from(bed.world.join(&key).await.expect("wires")).expect("wires");
        let settings = WatcherSettings {
            genesis: bed.genesis.clone(),
            l1_chain_id: ChainId(5),
            operators: bed.operators.clone(),
            answer_timeout_ms: 1,
            quiet_ms: 1,
            spend_cap_wei: 0,
            bond_cap_wei: 0,
            claim_wait_ms: 0,
            snapshots_every_ms: None,
            partition: "other".to_owned(),
        };
        let parts = WatcherParts {
            l1: Some(bed.l1.connect()),
            rollups: BTreeMap::new(),
            joining: None,
            peers: None,
            fetch: wires.fetch,
            feed: wires.feed,
        };
        let refused = start(&bed.context, settings.clone(), parts).await;
        assert!(matches!(refused, Err(WatcherError::OtherChain { found: l1::CHAIN, .. })), "{refused:?}");
        let _ = (&bed.fetches, Arc::new(0));
    });
}
