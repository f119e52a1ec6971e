//! What an operator asks its own L1 node: who is registered, and which committee L1 has selected.
//!
//! Nothing of it is taken from a peer: an operator that asked another's node would sign another's opinion.

use commonware_codec::DecodeExt as _;
use futures::{FutureExt as _, future::BoxFuture};
use hum_chain::{At, Chain, restaking::Reader};
use hum_consensus::{Peer, PublicKey};
use hum_types::{B256, Domain, Endpoint, L1Origin, Roster};
use std::{fmt::Debug, sync::Arc};

pub use hum_chain::restaking::{Registered, RestakingError, SnapshotRecord};

/// L1 as one node shows it. Every question may be asked again after an error.
pub trait Registry: Debug + Send + Sync + 'static {
    /// The node's newest finalised block.
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, RestakingError>>;

    /// Hash of the node's block with this number; `None` when it has none.
    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, RestakingError>>;

    /// The newest snapshot that was taken in this block or before; `None` when there is none.
    fn newest(&self, origin: L1Origin) -> BoxFuture<'_, Result<Option<SnapshotRecord>, RestakingError>>;

    /// The seats of a snapshot, with network keys and endpoints as of this block.
    fn roster(
        &self,
        record: SnapshotRecord,
        origin: L1Origin,
    ) -> BoxFuture<'_, Result<Roster, RestakingError>>;

    /// Everyone who is registered as of this block.
    fn registered(&self, origin: L1Origin) -> BoxFuture<'_, Result<Vec<Registered>, RestakingError>>;
}

/// The service manager behind an L1 node. Blocks are named by number: they are finalised, and whoever asks compares hashes.
#[derive(Debug)]
pub struct L1Registry {
    chain: Arc<dyn Chain>,
    reader: Reader,
}

impl L1Registry {
    /// Read `service_manager` through `chain`.
    #[must_use]
    pub fn new(chain: Arc<dyn Chain>, service_manager: hum_types::Address, domain: Domain) -> Self {
        Self { reader: Reader::new(chain.clone(), service_manager, domain), chain }
    }
}

impl Registry for L1Registry {
    fn finalised(&self) -> BoxFuture<'_, Result<L1Origin, RestakingError>> {
        async {
            let block = self.reader.finalised().await?;
            Ok(L1Origin { number: block.number, hash: block.hash })
        }
        .boxed()
    }

    fn hash_of(&self, number: u64) -> BoxFuture<'_, Result<Option<B256>, RestakingError>> {
        async move {
            let block = self.chain.block(At::Number(number)).await?;
            Ok(block.map(|block| block.block.hash))
        }
        .boxed()
    }

    fn newest(&self, origin: L1Origin) -> BoxFuture<'_, Result<Option<SnapshotRecord>, RestakingError>> {
        self.reader.newest(At::Number(origin.number)).boxed()
    }

    fn roster(
        &self,
        record: SnapshotRecord,
        origin: L1Origin,
    ) -> BoxFuture<'_, Result<Roster, RestakingError>> {
        async move { Ok(self.reader.seats_of(record, At::Number(origin.number)).await?.roster) }.boxed()
    }

    fn registered(&self, origin: L1Origin) -> BoxFuture<'_, Result<Vec<Registered>, RestakingError>> {
        self.reader.registered(At::Number(origin.number)).boxed()
    }
}

/// The ed25519 key that L1 takes any 32 bytes for.
#[must_use]
pub fn network_key(bytes: B256) -> Option<PublicKey> {
    PublicKey::decode(bytes::Bytes::copy_from_slice(bytes.as_slice())).ok()
}

/// Where a registered operator is to be found, when what it registered is a key and an address.
#[must_use]
pub fn peer(key: B256, endpoint: &Endpoint) -> Option<Peer> {
    Some(Peer { key: network_key(key)?, address: endpoint.address()? })
}
