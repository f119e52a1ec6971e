//! Sequencers that sign false blocks, each in its own way, while the other rollups go on.
//!
//! The liar holds its own key, so its signatures are good; only re-execution can tell. After each round it takes the lie back, and its rollup
//! resumes with its honest publisher.

use super::{
    DemoError, Figures,
    audit::{Audit, Fault},
    clock::Durations,
    percentiles::percentile,
    scene::{Pair, Scene, Shape, until},
    sequencer::{Sequencer, witness},
    stand_in::StandIn,
    traffic::Traffic,
};
use crate::lies;
use alloy::{
    primitives::{Log, U256, keccak256},
    sol_types::{SolCall as _, SolEvent as _, SolValue as _},
};
use hum_chain::{At, Chain as _, contracts::Gateway};
use hum_types::{
    B256, BlockRef, Bytes, ChainId, GAS_LIMIT_DEFAULT, Generation, Height, InteropAddress, LaneId, LaneIndex,
    LaneSlot, Message, Rolling, RollupStatus,
};
use serde_json::json;
use std::time::Duration;

pub(super) const SHAPE: Shape = Shape::new(3);
/// Messages along each honest lane in a round.
const EACH: u32 = 5;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long operators must stand still before they have taken all that a killed publisher sent.
const STILL_LOOKS: u32 = 4;
/// Where a gateway keeps its lanes (`contracts/src/gateway/GatewayStore.sol`).
const LANES_SLOT: u64 = 0;

/// What is false about a block.
#[derive(Debug, Clone, Copy)]
enum Falsehood {
    StateRoot,
    Receipt,
    Lane,
}

impl Falsehood {
    const ALL: [Self; 3] = [Self::StateRoot, Self::Receipt, Self::Lane];

    const fn words(self) -> &'static str {
        match self {
            Self::StateRoot => "a state root that its transactions do not lead to",
            Self::Receipt => "a receipt of a message that nobody sent",
            Self::Lane => "a lane slot that counts a message which nobody sent",
        }
    }
}

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let mut liars: Vec<usize> = (0..scene.sites.len()).collect();
    scene.dice.shuffle(&mut liars);
    let (mut honest_sent, mut honest_executed, mut resumed) = (0, 0, 0);
    let mut executed_ms = Vec::new();
    for (falsehood, &liar) in Falsehood::ALL.into_iter().zip(liars.iter().cycle()) {
        let others = scene.pairs(|site| site != liar);
        let before = scene.settle(&others, PATIENCE).await?;
        let round = lie(scene, liar, falsehood, &others).await?;
        resumed += u32::from(round);
        let books = scene.settle(&others, Duration::ZERO).await?;
        let new = || books.sent(&others).filter(|(id, _)| !before.sent.contains_key(id));
        honest_sent += new().count();
        honest_executed += new().filter(|(id, _)| books.executed_in(*id).is_some()).count();
        executed_ms.extend(Durations::read(scene, &books, new()).await?.executed);
    }
    let books = scene.settle(&[], Duration::ZERO).await?;
    books.report(scene);
    let audit = Audit::read(scene, &[]).await?;
    audit.report(scene);
    let rounds = Falsehood::ALL.len();
    let as_liars = |((chain_id, _), fault): (&(ChainId, Height), &Fault)| {
        let lied = |site: &usize| scene.sites.get(*site).is_some_and(|site| site.chain_id == *chain_id);
        matches!(fault, Fault::Invalid(_)) && liars.iter().any(lied)
    };
    let quarantined = audit.quarantines.iter().filter(|quarantine| as_liars(*quarantine)).count();
    let quarantines = audit.quarantines.len();
    scene.demand(quarantined == rounds && quarantines == rounds, || {
        format!(
            "{quarantines} times a rollup was set aside, {quarantined} for a false block, in {rounds} rounds"
        )
    });
    scene.demand(honest_executed == honest_sent && honest_sent > 0, || {
        format!("{honest_executed} of {honest_sent} messages among the others were executed")
    });
    scene.check_clock();
    Ok(Figures::from_iter([
        ("certified_invalid".to_owned(), json!(audit.foreign.len() + books.overcounted().len())),
        ("delivered_invalid".to_owned(), json!(books.invented().len())),
        ("quarantined".to_owned(), json!(quarantined)),
        ("resumed".to_owned(), json!(resumed)),
        ("others_sent".to_owned(), json!(honest_sent)),
        ("others_executed".to_owned(), json!(honest_executed)),
        ("others_p50_ms".to_owned(), json!(percentile(&mut executed_ms, 50))),
    ]))
}

/// One round; whether the rollup resumed after it.
async fn lie(
    scene: &mut Scene,
    liar: usize,
    falsehood: Falsehood,
    others: &[Pair],
) -> Result<bool, DemoError> {
    let name = scene.name(liar);
    let publisher = format!("publisher-{name}");
    scene.kill(&publisher).await?;
    let (generation, head) = standstill(scene, liar).await?;
    let (block, bytes, witness) = false_block(scene, liar, falsehood, head).await?;
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, others, EACH, gap);
    let sequencer = sequencer(scene, liar)?;
    let stand_in = StandIn::connect(scene, liar)?;
    let claim = sequencer.claim(generation, block, bytes, witness);
    let quarantined = until(PATIENCE, async || {
        stand_in.say_to_all(&claim);
        all_in(scene, liar, RollupStatus::Quarantined, generation).await
    })
    .await?;
    match quarantined {
        Some(()) => scene.tell(format!("{name} signed {}: set aside", falsehood.words())),
        None => scene.violation(format!("{name} signed {} and was not set aside", falsehood.words())),
    }
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    scene.settle(others, PATIENCE).await?;

    let next = Generation(generation.0 + 1);
    let retraction = sequencer.retract(next, head);
    let active = until(PATIENCE, async || {
        stand_in.say_to_all(&retraction);
        all_in(scene, liar, RollupStatus::Active, next).await
    })
    .await?;
    stand_in.leave().await?;
    scene.restart(&publisher)?;
    let advanced = until(PATIENCE, async || {
        let views = scene.views(liar).await.unwrap_or_default();
        Ok((!views.is_empty() && views.iter().all(|view| view.certified > block.number)).then_some(()))
    })
    .await?;
    let resumed = active.is_some() && advanced.is_some();
    if resumed {
        scene.tell(format!("{name} took it back and resumed"));
    } else {
        scene.violation(format!("{name} took its lie back and did not resume"));
    }
    Ok(resumed)
}

/// A rollup's sequencer with its own key.
pub(super) fn sequencer(scene: &Scene, site: usize) -> Result<Sequencer, DemoError> {
    let missing =
        || DemoError::Role { what: "find a rollup".to_owned(), problem: format!("no rollup {site}") };
    let secret = scene.network.rollups.get(site).ok_or_else(missing)?.sequencer_secret;
    Sequencer::new(scene, scene.sites.get(site).ok_or_else(missing)?, secret)
}

/// Whether every operator has the rollup in this standing.
pub(super) async fn all_in(
    scene: &Scene,
    site: usize,
    status: RollupStatus,
    generation: Generation,
) -> Result<Option<()>, DemoError> {
    let views = scene.views(site).await.unwrap_or_default();
    let there = |view: &hum_node::api::RollupView| view.status == status && view.generation == generation;
    Ok((!views.is_empty() && views.iter().all(there)).then_some(()))
}

/// Wait until operators have taken all that a killed publisher sent: the rollup's generation and head.
pub(super) async fn standstill(scene: &Scene, site: usize) -> Result<(Generation, BlockRef), DemoError> {
    let (mut last, mut looks) = (None, 0);
    let found = until(PATIENCE, async || {
        let views = scene.views(site).await.unwrap_or_default();
        let Some(first) = views.first() else { return Ok(None) };
        let place = (first.generation, first.latest);
        let same = views.iter().all(|view| (view.generation, view.latest) == place);
        looks = if same && last == Some(place) { looks + 1 } else { 0 };
        last = Some(place);
        Ok((looks >= STILL_LOOKS).then_some(place))
    })
    .await?;
    found.ok_or_else(|| DemoError::Waited {
        what: format!("operators to finish {}'s blocks", scene.name(site)),
        seconds: PATIENCE.as_secs(),
    })
}

/// A false block on top of `head`, with the true one's witness.
async fn false_block(
    scene: &mut Scene,
    liar: usize,
    falsehood: Falsehood,
    head: BlockRef,
) -> Result<(BlockRef, Bytes, Bytes), DemoError> {
    let number = head.number + 1;
    let elsewhere = keccak256(scene.dice.next().to_be_bytes());
    let missing =
        || DemoError::Role { what: "find a rollup".to_owned(), problem: format!("no rollup {liar}") };
    let (rollup, site) =
        (scene.network.rollups.get(liar).ok_or_else(missing)?, scene.sites.get(liar).ok_or_else(missing)?);
    let chain = rollup.chain.controls()?;
    until(PATIENCE, async || Ok((chain.head().number >= number).then_some(()))).await?;
    let (truth, bytes) = (chain.block(number)?, chain.raw_block(number).await?);
    let witness = witness(&site.name, &site.reader, truth).await?;

    // A message to the neighbour that nobody sent, as the next one of its lane.
    let victim = scene.sites.iter().find(|other| other.chain_id != site.chain_id).ok_or_else(missing)?;
    let payload = Bytes::from_static(b"a message that nobody sent");
    let message = Message {
        sender: victim.gateway,
        recipient: victim.inbox,
        min_gas_limit: GAS_LIMIT_DEFAULT,
        payload: payload.clone(),
    };
    let lane = LaneId { facade: site.gateway, destination: victim.chain_id };
    let call = Gateway::laneCall { destination: victim.chain_id.0 };
    let answer = site
        .reader
        .call(site.gateway, call.abi_encode().into(), At::Number(number))
        .await
        .map_err(|error| site.read_error(error))?;
    let lane_now = Gateway::laneCall::abi_decode_returns(&answer)
        .map_err(|error| DemoError::Role { what: "read a lane".to_owned(), problem: error.to_string() })?;
    let slot = LaneSlot { count: lane_now.count, rolling: Rolling(lane_now.rolling.0) };

    let lie = match falsehood {
        Falsehood::StateRoot => lies::wrong_state_root(&bytes, elsewhere)?,
        Falsehood::Receipt => {
            let address = |chain_id, address| Bytes::from(InteropAddress { chain_id, address }.encode());
            let event = Gateway::MessageSent {
                sendId: lane.message_id(site.chain_id, LaneIndex(slot.count), message.hash()),
                sender: address(site.chain_id, message.sender),
                recipient: address(victim.chain_id, message.recipient),
                payload,
                value: U256::ZERO,
                attributes: Vec::new(),
            };
            let log = Log { address: site.gateway, data: event.encode_log_data() };
            lies::forged_receipt(&bytes, &chain.raw_receipts(number).await?, log)?
        }
        Falsehood::Lane => {
            let pushed = slot.push(message.hash()).unwrap_or(slot);
            let key: B256 = keccak256((U256::from(victim.chain_id.0), U256::from(LANES_SLOT)).abi_encode());
            chain.forge_slot(number, site.gateway, key, pushed.to_word()).await?
        }
    };
    Ok((BlockRef { number, hash: lie.hash }, lie.block, witness))
}
