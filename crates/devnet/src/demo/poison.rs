//! Nodes that serve a fork: it executes correctly, but no sequencer ever signed it.
//!
//! Every publisher reads the fork from its own node, and the fork's blocks are also put before the operators directly, under a claim with
//! another key. Operators need no node: they judge what they are given. Nothing of the fork may be certified or executed elsewhere, somebody
//! must say that something is wrong, and all goes on when the nodes are honest again.

use super::{
    DemoError, Figures,
    audit::Audit,
    liar::standstill,
    scene::{Scene, Shape, until},
    sequencer::{Sequencer, witness},
    stand_in::StandIn,
    traffic::{self, Traffic},
};
use crate::{DevChain, network::connect};
use alloy::primitives::keccak256;
use hum_chain::Submit as _;
use hum_node::wire::{PublisherReply, RefusalKind};
use hum_types::{Bytes, Generation};
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

pub(super) const SHAPE: Shape = Shape::new(3);
/// Messages along each lane while nodes are poisoned.
const EACH: u32 = 3;
/// How long nodes serve the fork.
const POISONED: Duration = Duration::from_secs(8);
/// The deepest fork, in blocks below the head.
const DEPTH_MAX: u64 = 3;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn play(scene: &mut Scene) -> Result<Figures, DemoError> {
    let pairs = scene.pairs(|_| true);
    let before = alarms(scene).await;
    let forks = poison(scene).await?;
    let gap = scene.block_time;
    let traffic = Traffic::start(scene, &pairs, EACH, gap);
    let planned = traffic.count;
    tokio::time::sleep(POISONED).await;
    // Read before a publisher is replaced: its alarms go with it.
    let raised: Vec<u64> =
        alarms(scene).await.iter().zip(&before).map(|(now, before)| now.saturating_sub(*before)).collect();
    let refused = feed_operators(scene, &forks).await?;
    let alarms: u64 = raised.iter().sum();
    scene.tell(format!(
        "{alarms} alarms; {refused} operators refused the fork's blocks without the sequencer's signature"
    ));

    for rollup in &scene.network.rollups {
        rollup.feed.point_at(&rollup.chain);
    }
    scene.tell("the nodes are honest again");
    for lost in traffic.included().await {
        scene.violation(lost);
    }
    let books = scene.settle(&pairs, PATIENCE).await?;
    let tally = books.tally(&pairs);
    scene.tell(format!("{} of {planned} true messages are executed", tally.executed));
    books.report(scene);
    let audit = Audit::read(scene, &[]).await?;
    audit.report(scene);
    for fork in forks {
        fork.shutdown().await;
    }
    scene.demand(audit.quarantines.is_empty(), || {
        "a rollup was set aside for what its sequencer did not sign".to_owned()
    });
    for (place, _) in raised.iter().enumerate().filter(|(_, raised)| **raised == 0) {
        let name = scene.name(place);
        scene.violation(format!("{name}'s publisher raised no alarm while its node served a fork"));
    }
    let operators = scene.operators().len();
    scene.demand(refused == operators, || {
        format!("{refused} of {operators} operators refused what the sequencer did not sign")
    });
    scene.demand(tally.executed == planned, || {
        format!("{} of {planned} messages were executed after the nodes were honest again", tally.executed)
    });
    let forged = audit.foreign.len() + books.overcounted().len();
    Ok(Figures::from_iter([
        ("forged_certificates".to_owned(), json!(forged)),
        ("delivered_invalid".to_owned(), json!(books.invented().len())),
        ("alarms".to_owned(), json!(alarms)),
        ("refused".to_owned(), json!(refused)),
        ("sent".to_owned(), json!(tally.sent)),
        ("executed".to_owned(), json!(tally.executed)),
        ("duplicates".to_owned(), json!(tally.duplicates)),
    ]))
}

/// Fork every chain, send a message on each fork, and let the publishers' nodes serve the forks.
async fn poison(scene: &mut Scene) -> Result<Vec<DevChain>, DemoError> {
    let secret = scene.network.dev_secret();
    let mut forks = Vec::new();
    for place in 0..scene.sites.len() {
        let depth = scene.dice.below(DEPTH_MAX + 1);
        let (Some(rollup), Some(site)) = (scene.network.rollups.get(place), scene.sites.get(place)) else {
            continue;
        };
        let Some(victim) = scene.sites.iter().find(|other| other.chain_id != site.chain_id) else { continue };
        let fork = rollup.chain.controls()?.fork(rollup.chain.head().number.saturating_sub(depth), 0).await?;
        rollup.feed.point_at(&fork);
        let (_, submit) = connect(&fork, secret)?;
        let theft = traffic::call(site, victim, Bytes::from_static(b"a message that only the fork knows"));
        let sent = submit.send(theft).await;
        let failed = |problem: String| DemoError::Role {
            what: format!("send a message on {}'s fork", site.name),
            problem,
        };
        let outcome = sent.map_err(|error| failed(error.to_string()))?;
        if !outcome.success {
            return Err(failed("the transaction reverted".to_owned()));
        }
        forks.push(fork);
    }
    scene.tell("every publisher's node serves a fork with a message of its own");
    Ok(forks)
}

/// Put a fork's block before the operators under a claim that a stranger signed; how many refuse it for that.
async fn feed_operators(scene: &mut Scene, forks: &[DevChain]) -> Result<usize, DemoError> {
    let place = scene.dice.place(forks.len());
    let stranger = keccak256(scene.dice.next().to_be_bytes());
    let (Some(fork), name) = (forks.get(place), scene.name(place)) else { return Ok(0) };
    let publisher = format!("publisher-{name}");
    scene.kill(&publisher).await?;
    let (generation, head) = standstill(scene, place).await?;
    let number = head.number + 1;
    let (reader, _) = connect(fork, scene.network.dev_secret())?;
    until(PATIENCE, async || Ok((fork.head().number >= number).then_some(()))).await?;
    let (block, bytes) = (fork.block(number)?, fork.raw_block(number).await?);
    let witness = witness(&name, &reader, block).await?;
    let missing =
        || DemoError::Role { what: "find a rollup".to_owned(), problem: format!("no rollup {place}") };
    let sequencer = Sequencer::new(scene, scene.sites.get(place).ok_or_else(missing)?, stranger)?;
    let claim = sequencer.claim(Generation(generation.0), block, bytes, witness);
    let mut stand_in = StandIn::connect(scene, place)?;
    let mut refused = BTreeSet::new();
    let all = stand_in.operators().len();
    until(PATIENCE, async || {
        stand_in.say_to_all(&claim);
        for (operator, reply) in stand_in.heard() {
            if matches!(reply, PublisherReply::Refused { kind: RefusalKind::Signature, .. }) {
                refused.insert(operator);
            }
        }
        Ok((refused.len() == all).then_some(()))
    })
    .await?;
    stand_in.leave().await?;
    scene.restart(&publisher)?;
    Ok(refused.len())
}

/// The part of a publisher's status that counts here.
#[derive(Deserialize)]
struct Alarms {
    alarms_total: u64,
}

/// Alarms that each rollup's publisher has raised.
async fn alarms(scene: &Scene) -> Vec<u64> {
    let mut alarms = Vec::new();
    for site in scene.sites.iter() {
        let view: Result<Alarms, _> = scene.ask(&site.publisher_api, "/status").await;
        alarms.push(view.map_or(0, |view| view.alarms_total));
    }
    alarms
}
