//! Lies about heads, from the first signature to the slash, with the committed judges and real tries.

use super::{judged::JudgedL1, rollup::Rollup, *};
use crate::{
    watcher::{
        answers::ClaimJudge,
        docket::Defendant,
        heads::HeadCheck,
        judges::{
            LaneJudge, StateRootJudge,
            tests::evm::{BOND_WEI, JUDGES, SPEC_HASH},
        },
        tests::fixture::ROLLUP,
    },
    wire::{FetchMessage, Question},
};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use futures::FutureExt as _;

/// The rollup: empty at the anchor; from block 11 on one message to chain 902.
fn rollup() -> Rollup {
    let slot = LaneSlot::default().push(message("sent").message.hash()).expect("room");
    Rollup(vec![None, Some(slot), Some(slot)])
}

fn message(text: &str) -> LaneMessage {
    LaneMessage {
        lane: LaneId { facade: params().facades[0], destination: ChainId(902) },
        message: Message {
            sender: Address::repeat_byte(1),
            recipient: Address::repeat_byte(2),
            min_gas_limit: GAS_LIMIT_DEFAULT,
            payload: text.as_bytes().to_vec().into(),
        },
    }
}

pub(super) fn own_params() -> RollupParams {
    params_of(&rollup())
}

fn params_of(rollup: &Rollup) -> RollupParams {
    let sequencer = sequencer().address();
    let anchor = rollup.block(10);
    let registration = RegistrationId::derive(ROLLUP, sequencer, anchor.hash, SPEC_HASH);
    RollupParams { registration, anchor, anchor_state_root: rollup.state_root(10), ..params() }
}

/// A header that has this block of the rollup beside another rollup, and its state.
pub(in crate::watcher) fn state_with(block: AdvancedBlock) -> State {
    state_of(own_params(), block)
}

fn state_of(own: RollupParams, block: AdvancedBlock) -> State {
    let other = RollupParams { chain_id: ChainId(902), ..params() };
    let genesis = Genesis {
        domain: domain(),
        seated: Signers::new(0, &[1, 2, 3, 4]).seated,
        terms: Terms::of(4).expect("long enough"),
        time_ms: TimeMs(0),
        l1_origin: L1Origin { number: 7, hash: B256::repeat_byte(7) },
        rollups: vec![own, other],
    };
    let advances = vec![Advance { chain_id: ROLLUP, blocks: vec![block], judgements: vec![] }];
    let body = Body { changes: Vec::new(), advances };
    let sealed = State::genesis(&genesis).seal(&body, TimeMs(1), genesis.l1_origin);
    sealed.expect("a body that follows").1
}

/// The state in which block 11, advanced one height before, is settled under this origin; with the block.
pub(super) fn state_that_settles(confidence: Confidence, origin: L1Origin) -> (State, BlockRef) {
    let genesis = Genesis {
        domain: domain(),
        seated: Signers::new(0, &[1, 2, 3, 4]).seated,
        terms: Terms::of(4).expect("long enough"),
        time_ms: TimeMs(0),
        l1_origin: origin,
        rollups: vec![own_params()],
    };
    let head = truth().block;
    let advances = vec![Advance { chain_id: ROLLUP, blocks: vec![truth()], judgements: vec![] }];
    let settle = Change::Settle { chain_id: ROLLUP, confidence, head, l1: origin };
    let seal = |state: &State, body: &Body| {
        let time_ms = TimeMs(state.header().time_ms.0 + 1);
        state.seal(body, time_ms, origin).expect("a body that follows").1
    };
    let advanced = seal(&State::genesis(&genesis), &Body { changes: Vec::new(), advances });
    (seal(&advanced, &Body { changes: vec![settle], advances: Vec::new() }), head)
}

/// What the rollup's node says of the rollup's head in this state.
pub(in crate::watcher) fn charged(state: &State) -> Charge {
    let check = HeadCheck::all(state).pop().expect("a head");
    let told = check.run(&rollup()).now_or_never().expect("at once").expect("an answer");
    told.expect("a charge")
}

/// Block 11 with a message that was never sent.
pub(in crate::watcher) fn with_false_lane() -> AdvancedBlock {
    AdvancedBlock { messages: vec![message("never sent")], ..truth() }
}

/// Block 11 with another state root.
pub(in crate::watcher) fn with_false_root() -> AdvancedBlock {
    AdvancedBlock { state_root: B256::repeat_byte(0xbd), ..truth() }
}

/// Block 11 as it is, with its claim.
fn truth() -> AdvancedBlock {
    truth_of(&rollup())
}

fn truth_of(rollup: &Rollup) -> AdvancedBlock {
    let registration = params_of(rollup).registration;
    let block = rollup.block(11);
    let claim = HeadClaim { chain_id: ROLLUP, registration, generation: Generation(0), block };
    AdvancedBlock {
        block,
        state_root: rollup.state_root(11),
        time_ms: TimeMs(11_000),
        signature: claim.sign(domain(), &sequencer()).signature,
        messages: vec![message("sent")],
    }
}

/// The claim that block 11 has in truth.
pub(super) fn true_claim() -> SignedClaim {
    let (registration, block) = (own_params().registration, rollup().block(11));
    HeadClaim { chain_id: ROLLUP, registration, generation: Generation(0), block }
        .sign(domain(), &sequencer())
}

/// Whether a lane is closed, at the anchor or since, says nothing of its messages.
#[test]
fn a_closed_lane_is_held_against_its_messages_alone() {
    let sent = LaneSlot::default().push(message("sent").message.hash()).expect("room");
    let closed = |slot: LaneSlot| LaneSlot { count: slot.count | 1 << 63, ..slot };
    for chain in [vec![None, Some(closed(sent))], vec![Some(closed(LaneSlot::default())), Some(closed(sent))]]
        .map(Rollup)
    {
        let told = |block| {
            let state = state_of(params_of(&chain), block);
            let check = HeadCheck::all(&state).pop().expect("a head");
            let charge = check.run(&chain).now_or_never().expect("at once").expect("an answer");
            charge.map(|charge| charge.check(&check.head))
        };
        assert_eq!(told(truth_of(&chain)), None);
        let lie = AdvancedBlock { messages: vec![message("never sent")], ..truth_of(&chain) };
        assert_eq!(told(lie), Some(Ok(())));
    }
}

/// A charge that leaves the bit out of account is none either.
#[test]
fn a_closed_lane_charges_nobody() {
    let sent = LaneSlot::default().push(message("sent").message.hash()).expect("room");
    let closed = LaneSlot { count: sent.count | 1 << 63, ..sent };
    let chain = Rollup(vec![None, Some(closed)]);
    let lie = AdvancedBlock { messages: vec![message("never sent")], ..truth_of(&chain) };
    let state = state_of(params_of(&chain), lie);
    let check = HeadCheck::all(&state).pop().expect("a head");
    let told = check.run(&chain).now_or_never().expect("at once").expect("an answer");
    let Some(Charge::Lane(mut charge)) = told else { panic!("a lane") };
    let honest = state_of(params_of(&chain), truth_of(&chain));
    let head = HeadCheck::all(&honest).pop().expect("a head").head;
    charge.lane.leaf[32..64].copy_from_slice(sent.to_word().as_slice());
    let mut part = head.part;
    part.lanes_root = charge.lane.leaf_hash();
    let agrees = Charge::Lane(charge.clone()).check(&HeadStatement { part, ..head });
    assert_eq!(agrees, Err(HeadError::SlotAgrees(closed.to_word())));
}

pub(super) fn with_judges<F: Future<Output = ()>>(test: impl FnOnce(Bed, JudgedL1) -> F) {
    run_with(own_params(), |mut bed| {
        let own = own_params();
        let l1 = JudgedL1::new(&bed.signers, |evm| {
            let registration = evm.register_at(ROLLUP, own.sequencer, own.anchor.hash);
            assert_eq!(registration, own.registration);
        });
        bed.judged = Some(l1.connect());
        bed.nodes.insert(ROLLUP, Arc::new(rollup()));
        test(bed, l1)
    });
}

impl Bed {
    /// The checkpoint that has this block of the rollup; its claim need not hold.
    fn checkpoint(&self, block: AdvancedBlock) -> Checkpoint {
        let claimed = AdvancedBlock { signature: true_claim().signature, ..block.clone() };
        let body = |block| Body {
            changes: Vec::new(),
            advances: vec![Advance { chain_id: ROLLUP, blocks: vec![block], judgements: vec![] }],
        };
        let time_ms = TimeMs(self.state.header().time_ms.0 + 1);
        let origin = self.state.header().l1_origin;
        let (header, _) = self.state.seal(&body(claimed), time_ms, origin).expect("a body that follows");
        let body = body(block);
        Checkpoint { header: Header { body_hash: body.hash(), ..header }, body }
    }

    /// Three of four sign it, and the watcher is told.
    fn certify(&self, watcher: usize, checkpoint: &Checkpoint) {
        self.tell(0, watcher, &FeedEvent::Finalised(checkpoint.clone()));
        let certificate = self.signers.certify(&[0, 1, 2], &checkpoint.header);
        self.tell(0, watcher, &FeedEvent::Certified(certificate));
    }

    fn offences(&self, fault: Fault, height: Height, subject: B256) -> Vec<B256> {
        (0..3).map(|seat| offence(fault, self.signers.operator(seat), height, subject)).collect()
    }
}

fn unclaimed() -> AdvancedBlock {
    let other = HeadClaim { generation: Generation(9), ..true_claim().claim };
    AdvancedBlock { signature: other.sign(domain(), &sequencer()).signature, ..truth() }
}

fn subject_of_claim() -> B256 {
    let claim = true_claim().claim;
    let mut bytes = claim.chain_id.encode();
    bytes.extend_from_slice(claim.registration.0.as_slice());
    bytes.extend_from_slice(&claim.generation.encode());
    bytes.extend_from_slice(&claim.block.encode());
    keccak256(bytes)
}

fn all(view: &WatcherView, is: impl Fn(&Stage) -> bool) -> bool {
    view.evidence.len() == 3 && view.evidence.iter().all(|case| is(&case.stage))
}

#[test]
fn a_head_that_nobody_claimed_is_challenged_after_a_restart_and_its_signers_slashed() {
    with_judges(|mut bed, l1| async move {
        let watcher = bed.start(0, |settings| settings.bond_cap_wei = u128::from(BOND_WEI)).await;
        bed.pass(500).await;
        let checkpoint = bed.checkpoint(unclaimed());
        bed.certify(0, &checkpoint);
        bed.pass(4_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| *stage == Stage::Seen), "{view:?}");
        assert_eq!(view.false_attestations.get(&Fault::NoClaim), Some(&3), "{view:?}");
        assert_eq!(l1.sent::<ClaimJudge::challengeCall>(), 0, "its time is not up");
        let mut asked = false;
        while let Some(Some((_, bytes))) = bed.fetches[3].receiver.recv().now_or_never() {
            let FetchMessage::Ask { question, .. } = FetchMessage::decode(&bytes).expect("a question") else {
                continue;
            };
            asked |= matches!(question, Question::Block { chain_id: ROLLUP, .. });
        }
        assert!(asked, "operators are asked for the claim");
        watcher.abort();
        bed.pass(100).await;

        let watcher = bed.start(1, |settings| settings.bond_cap_wei = u128::from(BOND_WEI)).await;
        bed.pass(8_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| *stage == Stage::Challenged), "{view:?}");
        assert_eq!(view.bonds_out_wei, BOND_WEI.to_string());
        watcher.abort();
        bed.pass(100).await;

        let watcher = bed.start(2, |settings| settings.bond_cap_wei = u128::from(BOND_WEI)).await;
        bed.pass(5_000).await;
        assert_eq!(watcher.view().bonds_out_wei, BOND_WEI.to_string(), "also after a restart");
        l1.pass_s(30);
        bed.pass(5_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| matches!(stage, Stage::Punished { tx_hash: Some(_) })), "{view:?}");
        let offences = bed.offences(Fault::NoClaim, checkpoint.header.height, subject_of_claim());
        assert!(offences.iter().all(|offence| l1.is_punished(*offence)));
        assert_eq!((view.bonds_out_wei.as_str(), view.bonds_lost_wei.as_str()), ("0", "0"));
        assert_eq!(l1.sent::<ClaimJudge::challengeCall>(), 1, "one bond for all of them");
        assert_eq!(l1.sent::<ClaimJudge::slashCall>(), 1);
    });
}

#[test]
fn a_challenge_that_is_answered_costs_the_bond_and_is_not_repeated() {
    with_judges(|bed, l1| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(500).await;
        let checkpoint = bed.checkpoint(unclaimed());
        bed.certify(0, &checkpoint);
        bed.pass(10_000).await;
        assert!(all(&watcher.view(), |stage| *stage == Stage::Challenged), "{:?}", watcher.view());
        let log = l1.logs_now().pop().expect("a challenge");
        let event = ClaimJudge::Challenged::decode_raw_log(log.topics, &log.data).expect("its log");
        let claim = true_claim();
        let call = ClaimJudge::answerCall {
            id: event.challenge,
            subject: ClaimJudge::Subject {
                chainId: event.chainId,
                registration: event.registration,
                generation: event.generation,
                number: event.number,
                blockHash: event.blockHash,
            },
            retraction: false,
            signature: claim.signature.encode().into(),
        };
        assert!(l1.transact(JUDGES.claim.expect("a judge"), &call.abi_encode()));
        bed.pass(5_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| *stage == Stage::Acquitted { bond_lost: true }), "{view:?}");
        assert_eq!((view.bonds_out_wei, view.bonds_lost_wei), ("0".to_owned(), BOND_WEI.to_string()));
        bed.tell(3, 0, &FeedEvent::Attested(vec![bed.signers.attest(3, &checkpoint.header)]));
        bed.pass(10_000).await;
        let view = watcher.view();
        let fourth = Defendant::Operator(bed.signers.operator(3));
        let own = view.evidence.iter().find(|case| case.defendant == fourth);
        assert_eq!(own.map(|case| &case.stage), Some(&Stage::Acquitted { bond_lost: false }), "{view:?}");
        watcher.abort();
        bed.pass(100).await;

        let watcher = bed.start(1, |_| {}).await;
        l1.pass_s(60);
        bed.pass(10_000).await;
        assert_eq!(watcher.view().bonds_lost_wei, BOND_WEI.to_string(), "it is remembered");
        assert_eq!(l1.sent::<ClaimJudge::challengeCall>(), 1, "once");
        assert_eq!(l1.sent::<ClaimJudge::slashCall>(), 0);
    });
}

#[test]
fn a_claim_that_turns_up_in_time_ends_the_case_and_a_cap_without_room_keeps_it() {
    with_judges(|bed, l1| async move {
        let watcher = bed.start(0, |settings| settings.bond_cap_wei = u128::from(BOND_WEI) - 1).await;
        bed.pass(500).await;
        bed.certify(0, &bed.checkpoint(unclaimed()));
        bed.pass(8_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| matches!(stage, Stage::Refused { given_up: false, .. })), "{view:?}");
        assert!(view.last_error.is_some_and(|error| error.contains("cap on bonds")));
        bed.tell(2, 0, &FeedEvent::Claimed(vec![true_claim()]));
        bed.pass(2_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| *stage == Stage::Acquitted { bond_lost: false }), "{view:?}");
        assert_eq!(l1.sent::<ClaimJudge::challengeCall>(), 0);
    });
}

#[test]
fn a_state_root_that_is_not_its_block_s_is_slashed_after_a_restart() {
    with_judges(|bed, l1| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(500).await;
        l1.close(true);
        let checkpoint = bed.checkpoint(with_false_root());
        bed.certify(0, &checkpoint);
        bed.pass(3_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| matches!(stage, Stage::Refused { given_up: false, .. })), "{view:?}");
        assert_eq!(view.false_attestations.get(&Fault::StateRoot), Some(&3), "{view:?}");
        watcher.abort();
        bed.pass(100).await;

        l1.close(false);
        let watcher = bed.start(1, |_| {}).await;
        bed.pass(3_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| matches!(stage, Stage::Punished { tx_hash: Some(_) })), "{view:?}");
        let hash = rollup().block(11).hash;
        let subject = keccak256([own_params().registration.0, B256::ZERO, hash].concat());
        let offences = bed.offences(Fault::StateRoot, checkpoint.header.height, subject);
        assert!(offences.iter().all(|offence| l1.is_punished(*offence)));
        assert_eq!(l1.sent::<StateRootJudge::slashCall>(), 1);
    });
}

#[test]
fn a_lane_that_its_slot_contradicts_is_slashed_after_a_restart_and_one_signer_alone_too() {
    with_judges(|bed, l1| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(500).await;
        l1.close(true);
        let checkpoint = bed.checkpoint(with_false_lane());
        bed.certify(0, &checkpoint);
        bed.pass(3_000).await;
        let view = watcher.view();
        assert!(all(&view, |stage| matches!(stage, Stage::Refused { given_up: false, .. })), "{view:?}");
        bed.tell(3, 0, &FeedEvent::Attested(vec![bed.signers.attest(3, &checkpoint.header)]));
        bed.pass(1_000).await;
        assert_eq!(watcher.view().false_attestations.get(&Fault::Lane), Some(&4), "{:?}", watcher.view());
        watcher.abort();
        bed.pass(100).await;

        l1.close(false);
        let watcher = bed.start(1, |_| {}).await;
        bed.pass(3_000).await;
        let view = watcher.view();
        let punished = |case: &CaseView| matches!(case.stage, Stage::Punished { tx_hash: Some(_) });
        assert!(view.evidence.len() == 4 && view.evidence.iter().all(punished), "{view:?}");
        assert_eq!(l1.sent::<LaneJudge::proveAnchorCall>(), 1, "once for the lane");
        assert_eq!(l1.sent::<LaneJudge::slashSlotCall>(), 2, "a certificate, and one attestation");
    });
}

#[test]
fn a_lie_that_one_operator_alone_signed_is_counted_and_punished() {
    with_judges(|mut bed, l1| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(500).await;
        let lie = bed.checkpoint(with_false_root());
        bed.advance(0);
        bed.pass(500).await;
        bed.tell(1, 0, &FeedEvent::Finalised(lie.clone()));
        bed.tell(1, 0, &FeedEvent::Attested(vec![bed.signers.attest(3, &lie.header)]));
        bed.pass(5_000).await;
        let view = watcher.view();
        assert_eq!(view.false_attestations.get(&Fault::StateRoot), Some(&1), "{view:?}");
        assert_eq!(l1.sent::<StateRootJudge::slashCall>(), 1, "{view:?}");
    });
}

#[test]
fn honest_heads_raise_nothing() {
    with_judges(|mut bed, l1| async move {
        let watcher = bed.start(0, |_| {}).await;
        bed.pass(500).await;
        let checkpoint = bed.checkpoint(truth());
        bed.state = bed.state.check(&checkpoint).expect("the truth");
        bed.certify(0, &checkpoint);
        bed.advance(0);
        bed.pass(10_000).await;
        let view = watcher.view();
        assert_eq!(
            (view.certified, view.evidence.len(), view.heads_passed_over),
            (Height(2), 0, 0),
            "{view:?}"
        );
        assert_eq!((view.role.last_alarm(), view.last_error), (None, None));
        assert_eq!(l1.sent::<ClaimJudge::challengeCall>(), 0);
    });
}
