//! The certified heads of one rollup.

use crate::api::CertificateFile;
use hum_ledger::Rollup;
use hum_relay::CertifiedChain;
use hum_types::{B256, BlockRef, ChainId, Class, Confidence, Generation, Height, RollupStatus};
use std::collections::BTreeMap;

/// A certified head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number and hash.
    pub block: BlockRef,
    /// Its state root.
    pub state_root: B256,
    /// The height that advanced it.
    pub height: Height,
}

/// What is certified of a rollup, as of the newest certificate that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    /// Its chain.
    pub chain_id: ChainId,
    /// How operators know its heads.
    pub class: Class,
    /// Whether its messages are accepted at `Latest`.
    pub status: RollupStatus,
    /// Its generation.
    pub generation: Generation,
    /// The newest certificate and its header; absent before the first.
    pub certificate: Option<CertificateFile>,
    /// A head for each confidence that has one.
    pub heads: BTreeMap<Confidence, Head>,
    /// Why nothing is believed any more: two thirds of the stake signed what cannot be.
    pub lie: Option<String>,
}

impl Heads {
    /// What this chain has certified of a rollup; `None` when it is no member.
    #[must_use]
    pub fn of(chain: &CertifiedChain, chain_id: ChainId) -> Option<Self> {
        let rollup = chain.archive().newest().rollup(chain_id)?;
        let certificate = chain.certificate().map(|verified| CertificateFile {
            header: *chain.header(),
            certificate: verified.certificate().clone(),
        });
        // The genesis is nobody's word but the network file's.
        let heads = if certificate.is_some() { heads(rollup) } else { BTreeMap::new() };
        Some(Self {
            chain_id,
            class: rollup.params().class,
            status: rollup.status(),
            generation: rollup.generation(),
            certificate,
            heads,
            lie: None,
        })
    }

    /// The height of the newest certificate; zero before the first.
    #[must_use]
    pub fn height(&self) -> Height {
        self.certificate.as_ref().map(|file| file.header.height).unwrap_or_default()
    }
}

fn heads(rollup: &Rollup) -> BTreeMap<Confidence, Head> {
    let latest = rollup.latest();
    let latest = Head { block: latest.block, state_root: latest.state_root, height: latest.advanced_at };
    let settled = [Confidence::Safe, Confidence::Finalized].into_iter().filter_map(|confidence| {
        let settled = rollup.settled(confidence)?;
        let (block, state_root) = (settled.block.block, settled.block.state_root);
        Some((confidence, Head { block, state_root, height: settled.advanced_at }))
    });
    settled.chain([(Confidence::Latest, latest)]).collect()
}
