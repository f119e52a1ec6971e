//! Who executes a sequencer's blocks.

use super::log::MadeBlock;
use crate::{DevChain, DevChainError};
use futures::future::{BoxFuture, FutureExt as _};
use hum_types::{B256, BlockRef};
use std::fmt::Debug;

/// An execution client that builds blocks for one sequencer. Nothing that it builds or takes is its head before [`Self::adopt`].
pub(crate) trait Client: Debug + Send + Sync {
    /// The head, and the hash of the genesis block below it.
    fn place(&self) -> BoxFuture<'_, Result<Place, ClientError>>;

    /// Build the next block above the head from its pool.
    fn build(&self) -> BoxFuture<'_, Result<(BlockRef, MadeBlock), ClientError>>;

    /// Execute a block above one that it has.
    fn execute<'a>(&'a self, made: &'a MadeBlock) -> BoxFuture<'a, Result<BlockRef, ClientError>>;

    /// Make a block that it has the head.
    fn adopt(&self, block: BlockRef) -> BoxFuture<'_, Result<(), ClientError>>;
}

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) genesis: B256,
    pub(crate) head: BlockRef,
}

/// Why a client does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The embedded client.
    #[error(transparent)]
    Embedded(#[from] DevChainError),
    /// A client behind the Engine API.
    #[error(transparent)]
    Engine(#[from] super::EngineError),
}

impl Client for DevChain {
    fn place(&self) -> BoxFuture<'_, Result<Place, ClientError>> {
        async { Ok(Place { genesis: self.block(0)?.hash, head: self.head() }) }.boxed()
    }

    fn build(&self) -> BoxFuture<'_, Result<(BlockRef, MadeBlock), ClientError>> {
        async {
            let (block, rlp) = Self::build(self).await?;
            Ok((block, MadeBlock { rlp, requests: Vec::new() }))
        }
        .boxed()
    }

    fn execute<'a>(&'a self, made: &'a MadeBlock) -> BoxFuture<'a, Result<BlockRef, ClientError>> {
        async { Ok(Self::execute(self, &made.rlp).await?) }.boxed()
    }

    fn adopt(&self, block: BlockRef) -> BoxFuture<'_, Result<(), ClientError>> {
        async move { Ok(Self::adopt(self, block).await?) }.boxed()
    }
}
