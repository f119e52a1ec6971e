//! What a rollup's node can do: its stack, and whether operators could follow what it serves.
//!
//! ```text
//! node ─▶ detect ─▶ rules ─▶ newest block: fetched, witnessed, judged ─▶ Scouted
//! ```
//!
//! Nothing here costs anything: what would fail after a bond is down must fail before it.

use alloy_consensus::Header;
use alloy_rlp::{Decodable as _, PayloadView};
use eyre::{WrapErr as _, bail, ensure, eyre};
use hum_chain::{
    At, Chain as _, LogQuery, RawBlock, RawWitness, ReadError,
    rpc::{RpcChain, RpcLimits},
    stack::{Detected, StackKind, chain_config, detect},
};
use hum_types::{Address, Bytes, Class, Confidence};
use hum_verify::{CertifiedHeader, ChainSpec, Limits, Verdict, Verifier, Witness, WitnessLimits, dialect};
use serde::Serialize;
use std::path::Path;

/// How far behind the newest block a safe one may be to be the anchor: nodes keep the state of about twice as many.
const ANCHOR_BEHIND_MAX: u64 = 64;
/// How a client is named that answers from a recording.
const REPLAYED: &str = "hum-replay";

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Found {
    /// It is.
    Good,
    /// Not, or not yet; it goes without.
    Without,
    /// Not, and nobody can follow the rollup so.
    Missing,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Ability {
    pub(super) what: &'static str,
    pub(super) found: Found,
    pub(super) detail: String,
}

/// A node, looked at.
#[derive(Debug)]
pub(super) struct Scouted {
    /// The node's URL.
    pub(super) rpc: String,
    pub(super) node: RpcChain,
    pub(super) detected: Detected,
    /// Whether it answers from a recording: no live chain.
    pub(super) replayed: bool,
    pub(super) abilities: Vec<Ability>,
    /// The rules that its blocks follow, where they are re-executed.
    pub(super) spec: Option<ChainSpec>,
}

/// Look at the node at `rpc`. `spec` is a chain configuration for nodes that do not tell theirs.
pub(super) async fn scout(rpc: &str, spec: Option<&Path>) -> eyre::Result<Scouted> {
    let limits = RpcLimits::default();
    let chain_id =
        RpcChain::discover(rpc, limits).await.wrap_err_with(|| format!("no node answers at {rpc}"))?;
    let node = RpcChain::new(rpc, chain_id, limits).wrap_err("--rpc")?;
    let detected = detect(&node).await.wrap_err_with(|| format!("the node at {rpc}"))?;
    let replayed = detected.evidence.iter().any(|evidence| evidence.found.starts_with(REPLAYED));
    let mut scouted =
        Scouted { rpc: rpc.to_owned(), node, detected, replayed, abilities: Vec::new(), spec: None };
    if scouted.class() == Class::Reexecuted {
        scouted.spec = rules(&scouted, spec).await?;
        scouted.try_all().await?;
    }
    Ok(scouted)
}

/// Whether a node answers from a recording; nothing where it does not answer.
pub(super) async fn is_replayed(node: &RpcChain) -> Option<bool> {
    let detected = detect(node).await.ok()?;
    Some(detected.evidence.iter().any(|evidence| evidence.found.starts_with(REPLAYED)))
}

/// The rules by which the node's blocks are judged.
async fn rules(scouted: &Scouted, file: Option<&Path>) -> eyre::Result<Option<ChainSpec>> {
    let (node, stack) = (&scouted.node, scouted.detected.stack);
    let spec: ChainSpec = if let Some(path) = file {
        let text = std::fs::read(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .wrap_err_with(|| format!("{} is no chain configuration", path.display()))?
    } else {
        let Some(config) = chain_config(node, stack).await? else { return Ok(None) };
        let parsed = match stack {
            StackKind::OpStack => ChainSpec::from_rollup_config(&config).map_err(eyre::Report::from),
            StackKind::Ethereum | StackKind::Nitro | StackKind::ZkSync => {
                serde_json::from_value(config).map_err(eyre::Report::from)
            }
        };
        parsed.wrap_err(
            "the node's own chain configuration is not one that Hum judges by; --spec FILE gives another",
        )?
    };
    let (found, expected) = (spec.chain_id(), scouted.detected.chain_id);
    ensure!(found == expected, "the rules are of chain {found}, the node serves chain {expected}");
    Ok(Some(spec))
}

impl Scouted {
    pub(super) fn class(&self) -> Class {
        self.detected.stack.class()
    }

    fn note(&mut self, what: &'static str, found: Found, detail: impl Into<String>) {
        self.abilities.push(Ability { what, found, detail: detail.into() });
    }

    async fn try_all(&mut self) -> eyre::Result<()> {
        match &self.spec {
            Some(_) => self.note("rules", Found::Good, "the node tells them, or a file does"),
            None => self.note("rules", Found::Missing, "the node does not tell them; --spec FILE does"),
        }
        let head = block(&self.node, At::LATEST).await?;
        self.note("blocks", Found::Good, format!("block {} hashes to its hash", head.block.number));
        match self.node.proof(Address::ZERO, Vec::new(), At::LATEST).await {
            Ok(_) => self.note("state proofs", Found::Good, "eth_getProof answers"),
            Err(error) => self.note("state proofs", Found::Without, format!("{error}; watchers need them")),
        }
        let number = head.block.number;
        let query = LogQuery { from: number, to: number, addresses: Vec::new(), topics: Vec::new() };
        match self.node.logs(query).await {
            Ok(_) => self.note("logs", Found::Good, "eth_getLogs answers"),
            Err(error) => self.note("logs", Found::Missing, format!("{error}; relayers need them")),
        }
        for tag in [Confidence::Safe, Confidence::Finalized] {
            let what = if tag == Confidence::Safe { "safe tag" } else { "finalized tag" };
            match self.node.head(tag).await {
                Ok(found) => self.note(what, Found::Good, format!("block {}", found.number)),
                Err(ReadError::Missing { .. } | ReadError::Node { .. }) => {
                    self.note(what, Found::Without, "the node has none; L1 decides what is settled anyway");
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.judge(&head).await
    }

    /// Have the newest block judged as operators would.
    async fn judge(&mut self, head: &RawBlock) -> eyre::Result<()> {
        const WHAT: &str = "witness and verdict";
        let number = head.block.number;
        // A genesis is nobody's child, and that of some nodes declares another state than it has.
        if number < 2 {
            self.note(
                WHAT,
                Found::Without,
                format!("not tried: block {number} is the newest; block 2 is the first"),
            );
            return Ok(());
        }
        let Some(spec) = self.spec.clone() else { return Ok(()) };
        let witness = match self.node.witness(head.block).await {
            Ok(witness) => witness,
            Err(error) => {
                self.note(WHAT, Found::Missing, error.to_string());
                return Ok(());
            }
        };
        let witness = match parsed(&witness) {
            Ok(witness) => witness,
            Err(error) => {
                self.note(WHAT, Found::Missing, format!("the witness of block {number}: {error}"));
                return Ok(());
            }
        };
        let parent = block(&self.node, At::Hash(head.parent_hash)).await?;
        let parent = CertifiedHeader::from_anchor(header(&parent)?);
        let verifier = Verifier::new(spec, Vec::new(), Limits::default());
        let size = witness.byte_len();
        match verifier.verify(&parent, head.block.hash, &head.rlp, &witness) {
            Verdict::Valid(_) => {
                self.note(WHAT, Found::Good, format!("block {number} is valid by {size} bytes of witness"));
            }
            Verdict::Invalid(reason) => self.note(
                WHAT,
                Found::Missing,
                format!("by these rules block {number} is invalid ({reason}): the rules are others, or Hum lacks them"),
            ),
            Verdict::Undecided(missing) => {
                self.note(WHAT, Found::Missing, format!("block {number} cannot be judged: {missing}"));
            }
        }
        Ok(())
    }

    /// Refuse to go on with a node that nobody could follow.
    pub(super) fn check(&self) -> eyre::Result<()> {
        if self.replayed {
            bail!("this node answers from a recording: its chain is replayed, not joined live");
        }
        if self.class() == Class::OwnNode {
            bail!(
                "{} runs rules that Hum cannot re-execute: its class is own node, and the registry on L1 takes re-executed rollups only",
                self.detected.stack
            );
        }
        match self.abilities.iter().find(|ability| ability.found == Found::Missing) {
            Some(Ability { what, detail, .. }) => {
                bail!("the node at {} will not do: {what}: {detail}", self.node.endpoint())
            }
            None => Ok(()),
        }
    }

    /// The block that verification is to start from: the one asked for, else the newest safe one that is recent, else the newest.
    /// `None` while the chain has nothing above its genesis.
    pub(super) async fn anchor(&self, wanted: Option<u64>) -> eyre::Result<Option<(RawBlock, Bytes)>> {
        let latest = self.node.head(Confidence::Latest).await?;
        let number = match wanted {
            Some(0) => bail!(
                "block 0 cannot be an anchor here: some nodes declare another state in it than they have"
            ),
            Some(number) => {
                ensure!(
                    number <= latest.number,
                    "block {number} is not there yet, the newest is {}",
                    latest.number
                );
                number
            }
            None => match self.node.head(Confidence::Safe).await {
                Ok(safe)
                    if safe.number > 0
                        && latest.number - safe.number.min(latest.number) <= ANCHOR_BEHIND_MAX =>
                {
                    safe.number
                }
                _ => latest.number,
            },
        };
        if number == 0 {
            return Ok(None);
        }
        let found = block(&self.node, At::Number(number)).await?;
        let header = alloy_rlp::encode(header(&found)?).into();
        Ok(Some((found, header)))
    }

    /// The genesis' header, to price with while nothing else is there.
    pub(super) async fn genesis(&self) -> eyre::Result<Bytes> {
        Ok(alloy_rlp::encode(header(&block(&self.node, At::Number(0)).await?)?).into())
    }

    /// Time between the newest blocks in milliseconds: for displays.
    pub(super) async fn block_time_ms(&self) -> eyre::Result<u64> {
        const BLOCKS: u64 = 16;
        let head = block(&self.node, At::LATEST).await?;
        let back = head.block.number.min(BLOCKS);
        if back == 0 {
            return Ok(1_000);
        }
        let earlier = block(&self.node, At::Number(head.block.number - back)).await?;
        Ok((head.time_ms.0.saturating_sub(earlier.time_ms.0) / back).clamp(1, 3_600_000))
    }

    /// For people.
    pub(super) fn print(&self) {
        let Detected { stack, chain_id, evidence } = &self.detected;
        println!(
            "chain {chain_id} at {} runs {stack}: {}",
            self.node.endpoint(),
            class_in_words(self.class())
        );
        if self.replayed {
            println!("  it answers from a recording: replayed, not joined live");
        }
        for evidence in evidence {
            println!("  {:<52} {}", evidence.what, evidence.found);
        }
        for Ability { what, found, detail } in &self.abilities {
            let mark = match found {
                Found::Good => "ok",
                Found::Without => "note",
                Found::Missing => "STOP",
            };
            println!("{mark:<5} {what}: {detail}");
        }
    }
}

/// A class in words that cannot be taken for the other's.
pub(super) const fn class_in_words(class: Class) -> &'static str {
    match class {
        Class::Reexecuted => "operators re-execute its blocks",
        Class::OwnNode => "operators judge it by their own nodes; its blocks are not re-executed",
    }
}

async fn block(node: &RpcChain, at: At) -> eyre::Result<RawBlock> {
    let found = node.block(at).await?;
    found.ok_or_else(|| eyre!("the node at {} does not have block {at:?}", node.endpoint()))
}

/// The header in front of a block's RLP.
pub(super) fn header(block: &RawBlock) -> eyre::Result<Header> {
    let number = block.block.number;
    let PayloadView::List(items) = alloy_rlp::Header::decode_raw(&mut &block.rlp[..])? else {
        bail!("block {number} is no list");
    };
    let mut first = *items.first().ok_or_else(|| eyre!("block {number} is empty"))?;
    let header = Header::decode(&mut first).wrap_err_with(|| format!("the header of block {number}"))?;
    ensure!(
        header.hash_slow() == block.block.hash,
        "the header of block {number} has fields that Hum does not know"
    );
    Ok(header)
}

fn parsed(witness: &RawWitness) -> eyre::Result<Witness> {
    Ok(match witness {
        RawWitness::Json(text) => dialect::parse_witness(std::str::from_utf8(text)?)?,
        RawWitness::Encoded(bytes) => Witness::decode(bytes, &WitnessLimits::default())?,
    })
}
