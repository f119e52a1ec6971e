//! `hum rollup retire`: a rollup goes, and what it was stays on L1.
//!
//! ```text
//! close the lanes ─▶ what was sent is executed ─▶ that block is Finalized ─▶ `hum rollup leave`
//!                                  sequencer stops ◀── the last final block is kept on L1 ◀┘
//! ```

use super::{
    deploying::deployment_of,
    governing::ClientView,
    home::{Place, address_of},
    leave::{self, LeaveArguments},
    members::others,
    prepare::opened,
    registering::{ACCOUNT, Entry, RegistrationView, Registry, ask},
    roles,
    underway::Books,
    waiting::newest,
};
use crate::{
    output,
    plan::{Purse, Purses, Step, Transaction, Wait, carry_out},
};
use eyre::{bail, ensure};
use hum_chain::{
    At, Chain as _,
    contracts::{FinalSnapshots, IFinalSnapshots},
};
use hum_node::{api::LeafProof, config::read_password};
use hum_types::{Address, B256, BlockRef, Confidence, Encode as _, RollupStatus};
use serde_json::json;
use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(500);
/// Gas that settling usually takes: a certificate's check, a proof, three words.
const SETTLE_GAS: u64 = 500_000;

#[derive(Debug, clap::Args)]
pub(crate) struct RetireArguments {
    /// The directory that `hum rollup launch` (or join) made.
    #[arg(long, default_value = "hum-rollup")]
    dir: PathBuf,
    /// File with the secret of the members' governor, which closes their lanes to here: a local network has it.
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    /// Seconds for which what is under way, and then its block on L1, is waited for; after that the command ends, and nothing has left.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience_s: u64,
    /// The file whose first line opens the keystores.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Print JSON: one object of leaving, one of the rest.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &RetireArguments) -> eyre::Result<ExitCode> {
    let tell = |line: &str| {
        if !arguments.json {
            println!("{line}");
        }
    };
    let place = Place::open(&arguments.dir).await?;
    ensure!(
        place.member.entry.settlement.is_some(),
        "this rollup posts no batches: it has no final block to keep; `hum rollup leave` leaves without"
    );
    let leave = LeaveArguments {
        dir: arguments.dir.clone(),
        authority: arguments.authority.clone(),
        patience_s: arguments.patience_s,
        wait: false,
        password_file: arguments.password_file.clone(),
        json: arguments.json,
    };
    let password = arguments.password_file.as_deref().map(read_password).transpose()?;
    let secrets = opened(&place, password)?;
    let patience = Duration::from_secs(arguments.patience_s);
    let registry = Registry::of(&place.client.network, place.l1.clone())?;
    let entry = Entry::of(&place, address_of(secrets.registrant)?);
    let view = RegistrationView::read(&registry, &entry).await?;
    if view.rollup.is_some_and(|rollup| rollup.exit_at == 0) {
        let authority = leave::authority(&leave, &place, &tell)?;
        leave::close(&place, &secrets, authority, &tell).await?;
        let others = others(&place.client, &place.member).await?;
        let mut books = Books::new(&place.client, &place.member, &place.node, &others)?;
        let tally = books.read().await?;
        leave::drain(&mut books, tally, patience, &tell).await?;
        // Everything that came of messages is in this block or below it.
        let last = place.node.head(Confidence::Latest).await?;
        finalized(&place, last, patience, &tell).await?;
    }
    leave::run(&leave).await?;
    let kept = keep(&place, secrets.registrant, &tell).await?;
    let stopped = roles::stop(&place.home.sequencer())?;
    if stopped {
        tell("ok   the sequencer has stopped");
    }
    let IFinalSnapshots::Snapshot { chainId, number, height, blockHash, stateRoot } = kept;
    if arguments.json {
        output::json(&json!({
            "chain_id": chainId, "registration": place.member_file.registration, "final_number": number,
            "final_hash": blockHash, "final_state_root": stateRoot, "height": height, "sequencer_stopped": stopped,
        }))?;
    } else {
        println!(
            "done: block {number} ({blockHash}) is kept on L1 as the last of chain {chainId}; blocks above it are void"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Wait until the operators have certified that L1 holds a block.
async fn finalized(
    place: &Place,
    block: BlockRef,
    patience: Duration,
    tell: &impl Fn(&str),
) -> eyre::Result<()> {
    let begun = Instant::now();
    tell(&format!("wait block {} is final on L1", block.number));
    loop {
        let status = newest(&place.client).await?;
        let rollup = status.rollups.iter().find(|rollup| rollup.chain_id == place.file.chain_id);
        let found = rollup.and_then(|rollup| rollup.finalized).map_or(0, |found| found.number);
        if found >= block.number {
            tell(&format!("ok   block {found} is final"));
            return Ok(());
        }
        if begun.elapsed() > patience {
            bail!(
                "block {} is not final after {} s, the last that is is {found}; nothing has left: see what the batcher waits for (`hum rollup status`), then run the same command again",
                block.number,
                patience.as_secs()
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What L1 says of the last final block.
struct KeptView {
    kept: Option<IFinalSnapshots::Snapshot>,
    proof: Option<(LeafProof, ClientView)>,
}

/// Have L1 keep the last final block.
async fn keep(place: &Place, account: B256, tell: &impl Fn(&str)) -> eyre::Result<IFinalSnapshots::Snapshot> {
    let snapshots = deployment_of(&place.client).await?.addresses().final_snapshots;
    ensure!(
        !place.l1.code(snapshots, At::LATEST).await?.is_empty(),
        "L1 has no contract for final snapshots at {snapshots}: the network's owner deploys it"
    );
    let light_client: Address = ask(&place.l1, snapshots, &FinalSnapshots::LIGHT_CLIENTCall {}).await?;
    let (registration, chain_id) = (place.member_file.registration, place.file.chain_id);
    let look = async || -> eyre::Result<KeptView> {
        let call = FinalSnapshots::snapshotOfCall { registration: registration.0 };
        if let Ok(kept) = ask(&place.l1, snapshots, &call).await {
            return Ok(KeptView { kept: Some(kept), proof: None });
        }
        let found: Option<LeafProof> = place.client.ask(&format!("/rollups/{chain_id}/proof")).await?;
        let proof = match found.filter(|proof| proof.leaf.status == RollupStatus::Left) {
            Some(proof) => {
                let client = ClientView::read(&place.l1, light_client, &proof).await?;
                Some((proof, client))
            }
            None => None,
        };
        Ok(KeptView { kept: None, proof })
    };
    let plan = |view: &KeptView| {
        if let Some(kept) = &view.kept {
            return vec![Step::done(format!("L1 keeps block {} as the last", kept.number))];
        }
        let Some((proof, client)) = &view.proof else {
            return vec![Step::Wait(Wait::open(
                "operators show a certified checkpoint in which the rollup has left",
            ))];
        };
        if !client.knows && client.newest_height >= proof.height.0 {
            return vec![Step::Wait(Wait::open(
                "the light client on L1 has a newer checkpoint than the operators showed",
            ))];
        }
        let last = proof.leaf.head(Confidence::Finalized);
        let call = FinalSnapshots::settleCall {
            certificate: if client.knows { Default::default() } else { proof.certificate.clone() },
            proof: [proof.proof.as_ref(), &last.encode()].concat().into(),
        };
        let arguments = vec![
            ("certificate", format!("height {}", proof.height)),
            ("block", format!("{}, {}", last.block.number, last.block.hash)),
        ];
        let what = "keep the last final block on L1, for ever";
        let to = ("FinalSnapshots", snapshots);
        vec![Step::Send(Transaction::new(what, ACCOUNT, to, &call, arguments, SETTLE_GAS))]
    };
    let purses = Purses(vec![Purse::new(ACCOUNT, &place.l1, account)?]);
    let done = carry_out(&purses, true, tell, look, plan).await?;
    match done.view.kept {
        Some(kept) => Ok(kept),
        None => bail!("L1 does not show what it keeps"),
    }
}
