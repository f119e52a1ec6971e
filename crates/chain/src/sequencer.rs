//! Who says which blocks a rollup's sequencer made: the holder of its key.
//!
//! ```text
//! publisher ─HeadSigner─┬─▶ LocalKey          the key is in the publisher, which believes its own node's feed
//!                       └─▶ RemoteSequencer ──HTTP, bearer token──▶ SequencerDesk (in the sequencer's process)
//!                                                                   signs only what its own chain holds
//! ```
//!
//! With a desk, a node that serves somebody else's fork cannot get a claim out of the key, however the fork executes.

mod desk;

pub use desk::{DeskRefusal, SequencerDesk};

use crate::{
    ReadError,
    rpc::{Client, RpcLimits},
};
use alloy_primitives::hex;
use futures::future::{BoxFuture, FutureExt};
use hum_types::{
    Address, BlockRef, ClaimError, Domain, HeadClaim, Retraction, SequencerKey, SignedClaim, SignedRetraction,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{fmt, fmt::Debug};

/// JSON-RPC method that signs a [`HeadClaim`].
pub const SIGN_CLAIM: &str = "hum_signClaim";
/// JSON-RPC method that signs a [`Retraction`].
pub const SIGN_RETRACTION: &str = "hum_signRetraction";

/// Signs in a sequencer's name.
pub trait HeadSigner: Debug + Send + Sync + 'static {
    /// The address that its signatures recover to.
    fn sequencer(&self) -> Address;

    /// Whether it checks by itself that the sequencer made what it signs. When it does not, only the sequencer's own
    /// feed may be put before it.
    fn vouches(&self) -> bool;

    /// Sign a claim. The same claim gets the same signature every time.
    fn sign_claim(&self, claim: HeadClaim) -> BoxFuture<'_, Result<SignedClaim, SignError>>;

    /// Sign a retraction.
    fn sign_retraction(&self, retraction: Retraction) -> BoxFuture<'_, Result<SignedRetraction, SignError>>;
}

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The sequencer did not make this block, or does not stand by it.
    #[error("the sequencer refuses block {} ({}): {reason}", block.number, block.hash)]
    NotOurs {
        /// The block.
        block: BlockRef,
        /// What it says.
        reason: String,
    },
    /// The sequencer's process could not be asked.
    #[error("sequencer not asked: {0}")]
    Unreachable(#[from] ReadError),
    /// What came back is not its signature on what was asked.
    #[error("signature refused: {0}")]
    Forged(#[from] ClaimError),
    /// It signed something else than it was asked.
    #[error("the sequencer signed another statement")]
    OtherStatement,
}

/// The key itself, beside the sequencer.
#[derive(Debug, Clone)]
pub struct LocalKey {
    key: SequencerKey,
    domain: Domain,
}

impl LocalKey {
    /// Sign with `key` for `domain`.
    #[must_use]
    pub const fn new(key: SequencerKey, domain: Domain) -> Self {
        Self { key, domain }
    }
}

impl HeadSigner for LocalKey {
    fn sequencer(&self) -> Address {
        self.key.address()
    }

    fn vouches(&self) -> bool {
        false
    }

    fn sign_claim(&self, claim: HeadClaim) -> BoxFuture<'_, Result<SignedClaim, SignError>> {
        async move { Ok(claim.sign(self.domain, &self.key)) }.boxed()
    }

    fn sign_retraction(&self, retraction: Retraction) -> BoxFuture<'_, Result<SignedRetraction, SignError>> {
        async move { Ok(retraction.sign(self.domain, &self.key)) }.boxed()
    }
}

/// A desk in the sequencer's process, over HTTP.
pub struct RemoteSequencer {
    client: Client,
    limits: RpcLimits,
    sequencer: Address,
    domain: Domain,
}

impl Debug for RemoteSequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteSequencer({} at {})", self.sequencer, self.client.endpoint())
    }
}

impl RemoteSequencer {
    /// The desk at `endpoint`, opened by `token`, that signs for `sequencer`.
    pub fn new(endpoint: &str, token: &[u8], sequencer: Address, domain: Domain) -> Result<Self, ReadError> {
        let client = Client::new(endpoint)?.with_token(hex::encode(token));
        Ok(Self { client, limits: RpcLimits::default(), sequencer, domain })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        statement: &impl Serialize,
        block: BlockRef,
    ) -> Result<T, SignError> {
        match self.client.ask(method, json!([statement]), self.limits.ordinary()).await {
            Ok(Some(signed)) => Ok(signed),
            Ok(None) => Err(ReadError::Missing { method, what: "a signature".into() }.into()),
            Err(ReadError::Node { code: DeskRefusal::CODE, message, .. }) => {
                Err(SignError::NotOurs { block, reason: message })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl HeadSigner for RemoteSequencer {
    fn sequencer(&self) -> Address {
        self.sequencer
    }

    fn vouches(&self) -> bool {
        true
    }

    fn sign_claim(&self, claim: HeadClaim) -> BoxFuture<'_, Result<SignedClaim, SignError>> {
        async move {
            let signed: SignedClaim = self.ask(SIGN_CLAIM, &claim, claim.block).await?;
            if signed.claim != claim {
                return Err(SignError::OtherStatement);
            }
            Ok(*signed.authenticate(self.domain, self.sequencer)?.signed())
        }
        .boxed()
    }

    fn sign_retraction(&self, retraction: Retraction) -> BoxFuture<'_, Result<SignedRetraction, SignError>> {
        async move {
            let signed: SignedRetraction = self.ask(SIGN_RETRACTION, &retraction, retraction.kept).await?;
            if signed.retraction != retraction {
                return Err(SignError::OtherStatement);
            }
            Ok(*signed.authenticate(self.domain, self.sequencer)?.signed())
        }
        .boxed()
    }
}
