//! What a rollup that joins decides once: its keys, its anchor, its profile.

use super::{
    deploying::check_unused,
    home::{Home, Keeping, Place, address_of, secret_in},
    registering::Registry,
    roles::{self, Ports},
    scouting::Scouted,
};
use crate::network::Client;
use alloy_primitives::U256;
use eyre::{WrapErr as _, ensure, eyre};
use hum_chain::{Chain as _, contracts::Addresses};
use hum_node::config::{
    Gateways, KeyName, Member, MemberFile, PeerRole, PublisherConfig, Registrant, RelayerConfig,
    RollupLimits, RollupProfile, SettlementEntry,
};
use hum_types::{B256, Confidence};
use std::{net::IpAddr, path::Path};

/// Every secret of a rollup that joins.
pub(super) struct Secrets {
    pub(super) registrant: B256,
    pub(super) governor: B256,
    pub(super) sequencer: B256,
    pub(super) batcher: B256,
    pub(super) relayer: B256,
    pub(super) publisher_network: B256,
    pub(super) relayer_network: B256,
}

impl Secrets {
    /// Those that the directory has, and new ones for the rest. Accounts are from files where they are given; `fallback` is a local
    /// network's funded account.
    pub(super) fn open(
        home: &Home,
        keeping: &Keeping,
        account: Option<&Path>,
        fallback: Option<&Path>,
        rollup_account: Option<&Path>,
        sequencer: Option<&Path>,
    ) -> eyre::Result<Self> {
        let given = |path: Option<&Path>, name: KeyName| match path {
            Some(path) => secret_in(path),
            None => Ok(name.random()),
        };
        let registrant = keeping
            .key(home.registrant(), KeyName::Account, || given(account.or(fallback), KeyName::Account))?;
        let governor = keeping.key(home.governor(), KeyName::Account, || match rollup_account {
            Some(path) => secret_in(path),
            None => Ok(registrant),
        })?;
        for (flag, path, kept) in
            [("--account", account, registrant), ("--rollup-account", rollup_account, governor)]
        {
            if let Some(path) = path {
                let (found, kept) = (address_of(secret_in(path)?)?, address_of(kept)?);
                ensure!(found == kept, "{flag} is {found}, {} was made for {kept}", home.path().display());
            }
        }
        let key = |directory, name: KeyName| keeping.key(directory, name, || Ok(name.random()));
        // A rollup that was launched has a desk that signs for its publisher.
        let launched = home.sequencer().path().exists();
        let signer = if launched { home.sequencer() } else { home.publisher() };
        Ok(Self {
            registrant,
            governor,
            sequencer: keeping.key(signer, KeyName::Sequencer, || given(sequencer, KeyName::Sequencer))?,
            batcher: key(home.publisher(), KeyName::Batcher)?,
            relayer: key(home.relayer(), KeyName::Account)?,
            publisher_network: key(home.publisher(), KeyName::Network)?,
            relayer_network: key(home.relayer(), KeyName::Network)?,
        })
    }
}

/// What is wished for.
pub(super) struct Choice {
    pub(super) name: Option<String>,
    pub(super) anchor: Option<u64>,
    pub(super) host: IpAddr,
    pub(super) batches: bool,
    pub(super) addresses: Addresses,
    pub(super) bond_wei: Option<U256>,
    pub(super) batcher_wei: U256,
    pub(super) relayer_wei: U256,
    pub(super) l1: Registry,
}

/// What was decided.
pub(super) struct Decided {
    pub(super) file: MemberFile,
    pub(super) member: Member,
    pub(super) ports: [Ports; 2],
}

/// What an earlier run decided.
pub(super) fn decided(home: &Home, client: &Client) -> eyre::Result<Option<Decided>> {
    let Some(file) = home.read_member()? else { return Ok(None) };
    let member = file.member(&client.network)?;
    let ports = [
        ports_of(&member, PeerRole::Publisher).or_else(|_| kept(home, PeerRole::Publisher))?,
        ports_of(&member, PeerRole::Relayer).or_else(|_| kept(home, PeerRole::Relayer))?,
    ];
    Ok(Some(Decided { file, member, ports }))
}

fn ports_of(member: &Member, role: PeerRole) -> eyre::Result<Ports> {
    let peer = member.peers.iter().map(|(peer, _)| peer).find(|peer| peer.role == role);
    let peer = peer.ok_or_else(|| eyre!("the profile names no {role:?}"))?;
    let api = peer.api.as_deref().and_then(|api| api.strip_prefix("http://"));
    let api = api.ok_or_else(|| eyre!("the profile does not say where the {role:?}'s status is"))?;
    Ok(Ports { peer: peer.address, api: api.parse().wrap_err("the profile's API")? })
}

fn kept(home: &Home, role: PeerRole) -> eyre::Result<Ports> {
    Ok(if role == PeerRole::Publisher {
        let config = PublisherConfig::load(&home.publisher())?;
        Ports { peer: config.listen, api: config.api }
    } else {
        let config = RelayerConfig::load(&home.relayer())?;
        Ports { peer: config.listen, api: config.api }
    })
}

/// Choose what a registration commits to; `write` keeps it.
pub(super) async fn decide(
    home: &Home,
    client: &Client,
    scouted: &Scouted,
    secrets: &Secrets,
    choice: &Choice,
    write: bool,
) -> eyre::Result<Decided> {
    let chain_id = scouted.detected.chain_id;
    let name = choice.name.clone().unwrap_or_else(|| format!("rollup-{chain_id}"));
    ensure!(
        client.network.members().iter().all(|member| member.entry.name != name),
        "the network has a rollup called {name}; choose another --name"
    );
    let spec =
        scouted.spec.clone().ok_or_else(|| eyre!("the node does not tell its rules; --spec FILE does"))?;
    let anchor = match scouted.anchor(choice.anchor).await? {
        Some((block, header)) => {
            check_unused(&scouted.node, choice.addresses.gateways, block.block.number).await?;
            header
        }
        // Only where nothing is written: else a first block was made before.
        None => {
            ensure!(!write, "the rollup has no block above its genesis yet");
            scouted.genesis().await?
        }
    };
    let settlement = if choice.batches {
        // Whoever posts comes after the registration, which is not there yet.
        let from_block = choice.l1.l1.head(Confidence::Latest).await?.number;
        Some(SettlementEntry::Batches { inbox: choice.l1.inbox, from_block })
    } else {
        None
    };
    let ports = roles::free_ports(choice.host)?;
    let public = |secret: B256| -> eyre::Result<B256> {
        KeyName::Network
            .public_of(secret)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| eyre!("a network key is no ed25519 key"))
    };
    let [latest, safe, finalized] = choice.addresses.gateways;
    let profile = RollupProfile {
        name: name.clone(),
        rpc: scouted.rpc.clone(),
        gateways: Gateways { latest, safe, finalized },
        light_client: choice.addresses.light_client,
        class: scouted.class(),
        spec,
        anchor,
        own_node: None,
        limits: RollupLimits::default(),
        settlement,
        block_time_ms: scouted.block_time_ms().await?,
        peers: vec![
            roles::peer(PeerRole::Publisher, &name, public(secrets.publisher_network)?, ports[0], chain_id),
            roles::peer(PeerRole::Relayer, &name, public(secrets.relayer_network)?, ports[1], chain_id),
        ],
    };
    let registrant = Registrant {
        chain_id,
        sequencer: address_of(secrets.sequencer)?,
        governor: address_of(secrets.governor)?,
    };
    let file = MemberFile::new(registrant, &profile)?;
    let member = file.member(&client.network)?;
    if write {
        home.write_member(&file)?;
    }
    Ok(Decided { file, member, ports })
}

/// The purses of a rollup that has a directory.
pub(super) fn opened(place: &Place, password: Option<hum_node::config::Password>) -> eyre::Result<Secrets> {
    let keeping = Keeping { password, dry_run: true };
    Secrets::open(&place.home, &keeping, None, None, None, None)
}
