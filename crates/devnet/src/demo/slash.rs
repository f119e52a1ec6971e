//! An operator that attests two headers for one height: found out, proven on L1, and without stake and seat soon after.
//!
//! The liar holds its own keys, so both its signatures are good. What it signed beside the finalised header goes to the other operators, who
//! pass it on to the watcher; nobody is told what to look for.

use super::{
    DemoError, Figures,
    audit::Audit,
    scene::{Scene, Shape, until},
    stake::Stakes,
    stand_in::StandIn,
    traffic::Traffic,
};
use hum_bls::{Attestation, SecretKey};
use hum_ledger::SeatedRoster;
use hum_node::{
    api::CheckpointView,
    config::KeyName,
    watcher::{CaseView, Defendant, Stage},
    wire::Gossip,
};
use hum_types::{Address, B256, Epoch, Header, keccak256};
use serde_json::json;
use std::time::Duration;

pub(super) const SHAPE: Shape = Shape::new(2);
/// Messages along each lane.
const EACH: u32 = 20;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// From seeing the evidence to the block with the slash, on L1 blocks of a second.
const SLASH_MAX_MS: u64 = 5_000;
/// Checkpoints that must follow after the liar has gone.
const CHECKPOINTS_AFTER: u64 = 20;

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let pairs = scene.pairs(|_| true);
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let count = scene.network.operators().len();
    let liar = scene.network.operators().get(scene.dice.place(count)).cloned();
    let Some(liar) = liar else { return Ok(Figures::new()) };
    let stakes = Stakes::open(scene)?;
    let before = stakes.of(liar.operator).await?;

    // From now on somebody else speaks with its keys.
    scene.network.dismiss(&liar.name).await?;
    let bls = scene.directory(&liar.name).read_key(KeyName::Bls);
    let bls = bls.map_err(crate::network::NetworkError::from)?;
    let key = SecretKey::from_secret(bls).map_err(|error| DemoError::Role {
        what: format!("sign for {}", liar.name),
        problem: error.to_string(),
    })?;
    let stand_in = StandIn::connect_operator(scene, &liar.name)?;
    let lie: B256 = keccak256(scene.dice.next().to_be_bytes());
    let case = until(PATIENCE, async || {
        if let Some(header) = newest(scene).await? {
            let two = attest_two(&scene.checked.genesis.seated, &key, &header, lie);
            stand_in.gossip(&Gossip::Attestations(two));
        }
        found(scene, liar.operator).await
    })
    .await?;
    stand_in.leave().await?;
    let Some(case) = case else {
        scene.violation(format!("{} attested two headers for one height and nobody noticed", liar.name));
        return Ok(Figures::new());
    };
    scene.tell(format!(
        "{} attested two headers for height {}: the watcher has both on disk",
        liar.name, case.position
    ));

    let punished = until(PATIENCE, async || {
        let case = found(scene, liar.operator).await?;
        Ok(case.filter(|case| matches!(case.stage, Stage::Punished { .. })))
    })
    .await?;
    let after = stakes.of(liar.operator).await?;
    let evidence_to_slash_ms = punished.as_ref().map(|case| case.at_ms.0.saturating_sub(case.seen_ms.0));
    match evidence_to_slash_ms {
        Some(ms) => {
            scene.tell(format!("slashed on L1 {ms} ms after that: stake {before} before, {after} after"));
            scene
                .demand(ms <= SLASH_MAX_MS, || format!("the slash took {ms} ms, {SLASH_MAX_MS} are allowed"));
        }
        None => scene.violation("the evidence was not punished"),
    }
    let fund = stakes.fund;
    scene.tell(format!(
        "what was slashed is burned: this release of EigenLayer's core redistributes none, on a later one it goes to the \
         victims' fund {fund}"
    ));
    scene.demand(before > 0 && after == 0, || format!("of a stake of {before}, {after} is left"));

    // The watcher takes the next snapshot at once; a term later the liar has no seat.
    let first = scene.checked.genesis.seated.epoch();
    let seats = count - 1;
    let gone = until(PATIENCE, async || {
        let statuses = scene.statuses().await;
        let committees = statuses.iter().map(|status| &status.committee);
        let there = committees.clone().count() == seats
            && committees.clone().all(|committee| committee.epoch > first && committee.seats == seats);
        Ok(there.then(|| statuses.iter().map(|status| status.finalised).max().unwrap_or_default()))
    })
    .await?;
    let Some(height) = gone else {
        scene.violation("the liar still has its seat");
        return Ok(Figures::new());
    };
    scene.tell(format!("from height {height} on, {seats} operators go on without it"));
    let went_on = until(PATIENCE, async || {
        let certified = scene.statuses().await.iter().map(|status| status.certified.0).max();
        Ok(certified.filter(|certified| *certified >= height.0 + CHECKPOINTS_AFTER))
    })
    .await?;
    scene.demand(went_on.is_some(), || "checkpoints stopped with the liar".to_owned());

    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {} messages are executed", tally.executed, tally.sent));
    scene.demand(tally.executed == tally.sent && tally.sent > 0, || {
        format!("{} of {} messages were executed", tally.executed, tally.sent)
    });
    books.report(scene);
    let audit = Audit::read(scene, &[]).await?;
    audit.report(scene);
    let last = audit.committees.last_key_value().map(|(_, committee)| committee);
    let left = last
        .is_some_and(|committee| committee.members().iter().all(|member| member.operator() != liar.operator));
    scene.demand(left, || format!("{} is in the last committee", liar.name));
    Ok(Figures::from_iter([
        ("evidence_to_slash_ms".to_owned(), json!(evidence_to_slash_ms)),
        ("stake_before".to_owned(), json!(before.to_string())),
        ("stake_after".to_owned(), json!(after.to_string())),
        ("slashed_stake".to_owned(), json!("burned")),
        ("victims_fund".to_owned(), json!(fund)),
        ("left_committee".to_owned(), json!(left)),
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
    ]))
}

/// The newest header of the first epoch that an operator finalised.
async fn newest(scene: &Scene) -> Result<Option<Header>, DemoError> {
    let views: Vec<CheckpointView> = scene.ask_any("/checkpoints?limit=1").await?;
    let header = views.into_iter().next().map(|view| view.header);
    Ok(header.filter(|header| header.epoch == Epoch(0)))
}

/// What everyone attests, and something else for the same height.
fn attest_two(seated: &SeatedRoster, key: &SecretKey, header: &Header, lie: B256) -> Vec<Attestation> {
    let Some(seat) = seated.committee().seat_of(&key.public_key()) else { return Vec::new() };
    let other = Header { rollups_root: lie, ..*header };
    [*header, other]
        .map(|header| key.attest(header.domain, header.epoch, header.height, header.hash(), seat))
        .into()
}

/// The watcher's first accusation of an operator.
async fn found(scene: &Scene, operator: Address) -> Result<Option<CaseView>, DemoError> {
    let mut cases = scene.watcher().await?.evidence.into_iter();
    Ok(cases.find(|case| case.defendant == Defendant::Operator(operator)))
}
