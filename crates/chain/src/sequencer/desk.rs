//! The sequencer's side: sign what this chain holds, and nothing else.

use super::{HeadSigner, LocalKey, SIGN_CLAIM, SIGN_RETRACTION, SignError};
use crate::{At, Chain};
use alloy_primitives::hex;
use futures::future::{BoxFuture, FutureExt};
use hum_types::{
    Address, B256, BlockRef, ChainId, Generation, HeadClaim, RegistrationId, Retraction, SignedClaim,
    SignedRetraction, keccak256,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

/// Claims that a desk remembers, to notice that it is asked for a second one.
const REMEMBERED_MAX: usize = 65_536;

/// Why a desk does not sign; the message is for the publisher's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DeskRefusal {
    /// JSON-RPC error code.
    pub code: i64,
    /// Why.
    pub message: String,
}

impl DeskRefusal {
    /// The code of "the sequencer does not stand by this".
    pub const CODE: i64 = -38_901;

    fn new(code: i64, message: impl ToString) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// Holds a sequencer's key and signs what the sequencer's own chain holds as canonical.
///
/// It remembers what it signed only while it runs: that no number is claimed twice across restarts is the journal's
/// business, in the publisher.
#[derive(Debug)]
pub struct SequencerDesk {
    key: LocalKey,
    chain: Arc<dyn Chain>,
    registration: RegistrationId,
    claimed: Mutex<BTreeMap<(Generation, u64), B256>>,
}

impl SequencerDesk {
    /// Sign with `key` for the rollup `registration` whose blocks `chain`, in this very process, makes.
    #[must_use]
    pub fn new(key: LocalKey, chain: Arc<dyn Chain>, registration: RegistrationId) -> Self {
        Self { key, chain, registration, claimed: Mutex::default() }
    }

    /// Answer a JSON-RPC request whose HTTP request carried the `Authorization` header `authorization`. Any server
    /// can host a desk; `token` is the secret shared with the publisher.
    pub async fn answer(
        &self,
        token: &[u8],
        authorization: Option<&str>,
        method: &str,
        params: &Value,
    ) -> Result<Value, DeskRefusal> {
        const UNAUTHORISED: i64 = -38_902;
        const INVALID_PARAMS: i64 = -32_602;
        const METHOD_NOT_FOUND: i64 = -32_601;
        const INTERNAL: i64 = -32_603;
        let expected = format!("Bearer {}", hex::encode(token));
        // Compared by hash, so that the time it takes says nothing about the token.
        if keccak256(authorization.unwrap_or_default()) != keccak256(expected) {
            return Err(DeskRefusal::new(UNAUTHORISED, "missing or wrong token"));
        }
        let statement = params.get(0).cloned().unwrap_or_default();
        let unreadable = |error| DeskRefusal::new(INVALID_PARAMS, error);
        let refused = |error| match error {
            SignError::NotOurs { reason, .. } => DeskRefusal::new(DeskRefusal::CODE, reason),
            error => DeskRefusal::new(INTERNAL, error),
        };
        match method {
            SIGN_CLAIM => {
                let claim: HeadClaim = serde_json::from_value(statement).map_err(unreadable)?;
                let signed = self.sign_claim(claim).await.map_err(refused)?;
                serde_json::to_value(signed).map_err(unreadable)
            }
            SIGN_RETRACTION => {
                let retraction: Retraction = serde_json::from_value(statement).map_err(unreadable)?;
                let signed = self.sign_retraction(retraction).await.map_err(refused)?;
                serde_json::to_value(signed).map_err(unreadable)
            }
            _ => Err(DeskRefusal::new(METHOD_NOT_FOUND, format!("method {method} not found"))),
        }
    }

    /// The statement must be about this rollup, and its block canonical here.
    async fn stands(
        &self,
        chain: ChainId,
        registration: RegistrationId,
        block: BlockRef,
    ) -> Result<(), SignError> {
        let not_ours = |reason: String| SignError::NotOurs { block, reason };
        if chain != self.chain.chain_id() {
            return Err(not_ours(format!(
                "statement is for chain {chain}, this is {}",
                self.chain.chain_id()
            )));
        }
        if registration != self.registration {
            return Err(not_ours(format!(
                "statement is for registration {registration}, this is {}",
                self.registration
            )));
        }
        match self.chain.block(At::Number(block.number)).await? {
            Some(own) if own.block == block => Ok(()),
            Some(own) => Err(not_ours(format!("our block {} is {}", block.number, own.block.hash))),
            None => Err(not_ours(format!("we have no block {}", block.number))),
        }
    }

    /// Note the claim; the hash that was signed before when it is another one.
    fn conflict(&self, claim: &HeadClaim) -> Option<B256> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = *claimed.entry((claim.generation, claim.block.number)).or_insert(claim.block.hash);
        while claimed.len() > REMEMBERED_MAX {
            claimed.pop_first();
        }
        (known != claim.block.hash).then_some(known)
    }

    /// Whether the chain still holds everything that was claimed above `kept`: then there is nothing to take back.
    async fn all_stand_above(&self, kept: BlockRef, generation: Generation) -> Result<bool, SignError> {
        let Some(previous) = generation.0.checked_sub(1).map(Generation) else { return Ok(true) };
        let above = kept.number.saturating_add(1);
        let newest = {
            let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
            claimed
                .range((previous, above)..=(previous, u64::MAX))
                .next_back()
                .map(|(key, hash)| (key.1, *hash))
        };
        // A block holds all those below it; nothing remembered is no reason to refuse.
        let Some((number, hash)) = newest else { return Ok(false) };
        let own = self.chain.block(At::Number(number)).await?;
        Ok(own.is_some_and(|own| own.block.hash == hash))
    }
}

impl HeadSigner for SequencerDesk {
    fn sequencer(&self) -> Address {
        self.key.sequencer()
    }

    fn vouches(&self) -> bool {
        true
    }

    fn sign_claim(&self, claim: HeadClaim) -> BoxFuture<'_, Result<SignedClaim, SignError>> {
        async move {
            self.stands(claim.chain_id, claim.registration, claim.block).await?;
            if let Some(before) = self.conflict(&claim) {
                return Err(SignError::NotOurs {
                    block: claim.block,
                    reason: format!(
                        "{before} was signed for it in generation {}: retract first",
                        claim.generation
                    ),
                });
            }
            self.key.sign_claim(claim).await
        }
        .boxed()
    }

    fn sign_retraction(&self, retraction: Retraction) -> BoxFuture<'_, Result<SignedRetraction, SignError>> {
        async move {
            self.stands(retraction.chain_id, retraction.registration, retraction.kept).await?;
            if self.all_stand_above(retraction.kept, retraction.generation).await? {
                return Err(SignError::NotOurs {
                    block: retraction.kept,
                    reason: "we stand by every block that was claimed above it".into(),
                });
            }
            self.key.sign_retraction(retraction).await
        }
        .boxed()
    }
}
