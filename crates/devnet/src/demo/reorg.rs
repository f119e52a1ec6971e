//! A sequencer that takes unsafe blocks back under load, and one that contradicts itself instead.

use super::{
    DemoError, Figures,
    audit::{Audit, Fault},
    liar::{all_in, sequencer, standstill},
    scene::{Scene, Shape, until},
    sequencer::witness,
    stand_in::StandIn,
    traffic::Traffic,
};
use crate::{DroppedTransactions, network::connect};
use hum_types::{BlockRef, ChainId, Generation, Height, RollupStatus};
use serde_json::json;
use std::time::Duration;

/// `safe` far enough behind that there is something to take back.
pub(super) const SHAPE: Shape = Shape { safe_depth: 8, finalized_depth: 12, ..Shape::new(4) };
/// Messages along each lane.
const EACH: u32 = 10;
/// Blocks that are taken back: at least, and how many more chance may add.
const DEPTH: (u64, u64) = (3, 3);
/// When the first sequencer reorganises.
const LOADED: Duration = Duration::from_secs(4);
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let mut places: Vec<usize> = (0..scene.sites.len()).collect();
    scene.dice.shuffle(&mut places);
    let (Some(&rebuilder), Some(&contradictor)) = (places.first(), places.get(1)) else {
        return Ok(Figures::new());
    };
    let others = scene.pairs(|site| site != rebuilder && site != contradictor);
    let loaded = scene.pairs(|site| site != contradictor);
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &loaded, EACH, gap);
    let planned = traffic.count;
    tokio::time::sleep(LOADED).await;
    let mut known = Vec::new();
    let resumed = rebuild(scene, rebuilder, &mut known).await?;
    contradict(scene, contradictor, &mut known).await?;
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&loaded, PATIENCE).await?;
    let (all, among_others) = (books.tally(&loaded), books.tally(&others));
    scene.tell(format!("{} of {planned} messages are executed, {} twice", all.executed, all.duplicates));
    books.report(scene);

    let audit = Audit::read(scene, &known).await?;
    audit.report(scene);
    let contradictor_id = scene.sites.get(contradictor).map(|site| site.chain_id);
    let quarantined = audit.quarantines.len();
    let as_must = |((chain_id, _), fault): (&(ChainId, Height), &Fault)| {
        Some(*chain_id) == contradictor_id && *fault == Fault::Equivocation
    };
    scene.demand(resumed, || "the rollup that took blocks back did not resume".to_owned());
    scene.demand(quarantined == 1 && audit.quarantines.iter().all(as_must), || {
        format!("{quarantined} rollups were set aside; only the one that contradicted itself should be")
    });
    scene.demand(all.sent == planned, || {
        format!("{} messages stand on their chains, {planned} were sent", all.sent)
    });
    scene.demand(all.executed == all.sent, || {
        format!("{} of {} messages were executed", all.executed, all.sent)
    });
    scene.demand(among_others.executed > 0, || "nothing was executed among the others".to_owned());
    Ok(Figures::from_iter([
        ("resumed".to_owned(), json!(u32::from(resumed))),
        ("quarantined".to_owned(), json!(quarantined)),
        ("duplicates".to_owned(), json!(all.duplicates)),
        ("others_executed".to_owned(), json!(among_others.executed)),
        ("sent".to_owned(), json!(all.sent)),
        ("executed".to_owned(), json!(all.executed)),
    ]))
}

/// Drop unsafe blocks and build others; whether the rollup resumed by itself.
async fn rebuild(
    scene: &mut Scene,
    site: usize,
    known: &mut Vec<(ChainId, BlockRef)>,
) -> Result<bool, DemoError> {
    let depth = DEPTH.0 + scene.dice.below(DEPTH.1);
    let name = scene.name(site);
    let Some(rollup) = scene.network.rollups.get(site) else { return Ok(false) };
    let reorg = rollup.chain.controls()?.reorg(depth, DroppedTransactions::Requeue).await?;
    let chain_id = rollup.chain.chain_id();
    known.extend(reorg.dropped.iter().map(|block| (chain_id, *block)));
    scene.tell(format!(
        "{name} dropped {depth} blocks above {} and builds others; {} transactions wait again",
        reorg.kept.number, reorg.requeued
    ));
    let dropped = reorg.dropped.last().map_or(reorg.kept.number, |block| block.number);
    let resumed = until(PATIENCE, async || {
        let views = scene.views(site).await.unwrap_or_default();
        let there = |view: &hum_node::api::RollupView| {
            view.generation > Generation(0) && view.status == RollupStatus::Active && view.certified > dropped
        };
        Ok((!views.is_empty() && views.iter().all(there)).then_some(()))
    })
    .await?;
    if resumed.is_some() {
        scene.tell(format!("{name} signed a retraction and resumed by itself"));
    }
    Ok(resumed.is_some())
}

/// Sign two blocks for one number, and show each to half of the operators.
pub(super) async fn contradict(
    scene: &mut Scene,
    site: usize,
    known: &mut Vec<(ChainId, BlockRef)>,
) -> Result<(), DemoError> {
    let name = scene.name(site);
    let publisher = format!("publisher-{name}");
    scene.kill(&publisher).await?;
    let (generation, head) = standstill(scene, site).await?;
    let number = head.number + 1;
    let sequencer = sequencer(scene, site)?;
    let secret = scene.network.dev_secret();
    let Some(rollup) = scene.network.rollups.get(site) else { return Ok(()) };
    let chain = rollup.chain.controls()?;
    let fork = chain.fork(head.number, 0).await?;
    let mut claims = Vec::new();
    for chain in [chain, &fork] {
        until(PATIENCE, async || Ok((chain.head().number >= number).then_some(()))).await?;
        let (block, bytes) = (chain.block(number)?, chain.raw_block(number).await?);
        let (reader, _) = connect(chain, secret)?;
        let witness = witness(&name, &reader, block).await?;
        claims.push(sequencer.claim(generation, block, bytes, witness));
        known.push((chain.config().chain_id, block));
    }
    let stand_in = StandIn::connect(scene, site)?;
    let half = stand_in.operators().len() / 2;
    let quarantined = until(PATIENCE, async || {
        let (some, rest) = stand_in.operators().split_at(half);
        for (claim, operators) in claims.iter().zip([some, rest]) {
            stand_in.say(operators, claim);
        }
        all_in(scene, site, RollupStatus::Quarantined, generation).await
    })
    .await?;
    stand_in.leave().await?;
    fork.shutdown().await;
    scene.restart(&publisher)?;
    match quarantined {
        Some(()) => scene.tell(format!("{name} signed two blocks {number} and took neither back: set aside")),
        None => scene.violation(format!("{name} signed two blocks {number} and was not set aside")),
    }
    Ok(())
}
