//! A sequencer that signs two blocks for one number: its rollup is set aside, its bond is taken on L1, the others go on.

use super::{
    DemoError, Figures,
    audit::{Audit, Fault},
    reorg::contradict,
    scene::{Scene, Shape, until},
    stake::Stakes,
    traffic::Traffic,
};
use hum_types::{ChainId, Height};
use serde_json::json;
use std::time::Duration;

pub(super) const SHAPE: Shape = Shape::new(3);
/// Messages along each lane among the others.
const EACH: u32 = 12;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let place = scene.dice.place(scene.sites.len());
    let Some(site) = scene.sites.get(place) else { return Ok(Figures::new()) };
    let (name, registration, chain_id) = (site.name.clone(), site.registration, site.chain_id);
    let stakes = Stakes::open(scene)?;
    let (bond_wei, _) = stakes.bond(registration).await?;
    let others = scene.pairs(|site| site != place);
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &others, EACH, gap);

    let mut known = Vec::new();
    contradict(scene, place, &mut known).await?;
    let taken = until(PATIENCE, async || {
        let (left_wei, punished) = stakes.bond(registration).await?;
        Ok((punished && left_wei == 0).then_some(()))
    })
    .await?;
    match taken {
        Some(()) => scene.tell(format!("{name}'s sequencer lost its bond of {bond_wei} wei on L1")),
        None => scene.violation(format!("{name}'s sequencer signed two blocks and keeps its bond")),
    }
    let fund_wei = if taken.is_some() { stakes.collect().await? } else { 0 };
    let fund = stakes.fund;
    scene.tell(format!("{fund_wei} wei of it are in the victims' fund {fund}, the rest is the reporter's"));
    // The reporter's tenth is not the fund's.
    scene.demand(fund_wei == bond_wei - bond_wei / 10, || {
        format!("the victims' fund {fund} has {fund_wei} wei of a bond of {bond_wei}")
    });
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&others, PATIENCE).await?;
    let tally = books.tally(&others);
    scene.tell(format!("{} of {} messages among the others are executed", tally.executed, tally.sent));
    scene.demand(tally.executed == tally.sent && tally.sent > 0, || {
        format!("{} of {} messages among the others were executed", tally.executed, tally.sent)
    });
    books.report(scene);
    let audit = Audit::read(scene, &known).await?;
    audit.report(scene);
    let quarantined = audit.quarantines.len();
    let as_must = |((chain, _), fault): (&(ChainId, Height), &Fault)| {
        *chain == chain_id && *fault == Fault::Equivocation
    };
    scene.demand(quarantined == 1 && audit.quarantines.iter().all(as_must), || {
        format!("{quarantined} rollups were set aside; only {name} should be")
    });
    Ok(Figures::from_iter([
        ("bond_taken".to_owned(), json!(taken.is_some())),
        ("bond_wei".to_owned(), json!(bond_wei.to_string())),
        ("victims_fund".to_owned(), json!(fund)),
        ("victims_fund_wei".to_owned(), json!(fund_wei.to_string())),
        ("quarantined".to_owned(), json!(quarantined)),
        ("others_executed".to_owned(), json!(tally.executed)),
    ]))
}
