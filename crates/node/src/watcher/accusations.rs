//! Claims that contradict what a rollup put on L1: brought to the registry, and answered for sequencers that took them back.
//!
//! ```text
//! BatchPosted, final ─▶ detector ─(another block was claimed)─▶ accuse ─answer time over─▶ conclude: the bond is taken
//! ClaimAccused ───────▶ detector ─(the claim was retracted)───▶ show the retraction ─────▶ conclude: nobody is punished
//! ```
//!
//! The registry knows an accusation under a name that follows from the claim: a restart loses nothing, and nothing is
//! accused twice.

use super::{
    answers::Due,
    court::{Allowance, Filed, L1, read_failed},
    docket::Verdict,
    judges::RollupRegistry,
};
use alloy_sol_types::{SolCall as _, SolError as _, SolEvent as _, SolValue as _};
use hum_chain::{At, ReadError, contracts::BatchInbox};
use hum_types::{
    Address, B256, BlockRef, Bytes, Confidence, Encode as _, Generation, RegistrationId, SignedClaim,
    SignedRetraction, keccak256,
};

/// The last block of what a rollup posted, as L1 holds it.
pub(crate) type Batch = (RegistrationId, BlockRef);

/// Somebody says that L1 contradicts a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accusation {
    pub(crate) id: B256,
    pub(crate) registration: RegistrationId,
    pub(crate) generation: Generation,
    pub(crate) block: BlockRef,
}

impl Accusation {
    fn new(registration: RegistrationId, generation: Generation, block: BlockRef) -> Self {
        let named = (registration.0, generation.0, block.number, block.hash);
        Self { id: keccak256(named.abi_encode()), registration, generation, block }
    }
}

impl Due for Accusation {
    fn id(&self) -> B256 {
        self.id
    }
}

/// What came of defending a sequencer.
#[derive(Debug)]
pub(crate) struct Defended {
    /// Fees paid, in wei.
    pub(crate) spent_wei: u128,
    /// Our transaction, or nothing when the accusation was over already.
    pub(crate) outcome: Result<Option<B256>, String>,
}

/// What the registry is told of a contradicted claim. The adapter looks everything up: it takes no proof.
pub(super) fn accuse_call(claim: &SignedClaim, adapter: Address) -> Bytes {
    let said = claim.claim;
    let call = RollupRegistry::accuseClaimCall {
        registration: said.registration.0,
        claim: RollupRegistry::Signed {
            generation: said.generation.0,
            number: said.block.number,
            blockHash: said.block.hash,
            signature: claim.signature.encode().into(),
        },
        adapter,
        proof: Bytes::new(),
    };
    call.abi_encode().into()
}

impl L1 {
    /// What rollups posted from block `from` on in L1's final blocks, and where to go on.
    pub(crate) async fn batches(
        self,
        inbox: Address,
        from: Option<u64>,
    ) -> Result<(u64, Vec<Batch>), ReadError> {
        let topic = BatchInbox::BatchPosted::SIGNATURE_HASH;
        let (next, logs) = self.events(inbox, topic, Confidence::Finalized, from).await?;
        let found = logs.iter().filter_map(|log| {
            let topics = log.topics.iter().copied();
            let event = BatchInbox::BatchPosted::decode_raw_log(topics, &log.data).ok()?;
            let last = BlockRef { number: event.last, hash: event.lastHash };
            Some((RegistrationId(event.registration), last))
        });
        Ok((next, found.collect()))
    }

    /// Accusations that were made from block `from` on, and where to go on.
    pub(crate) async fn accusations(
        self,
        registry: Address,
        from: Option<u64>,
    ) -> Result<(u64, Vec<Accusation>), ReadError> {
        let topic = RollupRegistry::ClaimAccused::SIGNATURE_HASH;
        let (next, logs) = self.events(registry, topic, Confidence::Latest, from).await?;
        let found = logs.iter().filter_map(|log| {
            let topics = log.topics.iter().copied();
            let event = RollupRegistry::ClaimAccused::decode_raw_log(topics, &log.data).ok()?;
            let block = BlockRef { number: event.number, hash: event.blockHash };
            Some(Accusation::new(RegistrationId(event.registration), Generation(event.generation), block))
        });
        Ok((next, found.collect()))
    }

    /// Bring a contradicted claim as far as it goes now.
    pub(super) async fn accuse(
        &self,
        registry: Address,
        claim: &SignedClaim,
        data: Bytes,
        allowance: Allowance,
        filed: &mut Filed,
    ) -> Verdict {
        let done = self.try_accuse(registry, claim, data, allowance, filed).await;
        done.unwrap_or_else(|verdict| verdict)
    }

    async fn try_accuse(
        &self,
        registry: Address,
        claim: &SignedClaim,
        data: Bytes,
        allowance: Allowance,
        filed: &mut Filed,
    ) -> Result<Verdict, Verdict> {
        let failed = |error| read_failed(&error);
        let said = claim.claim;
        let Accusation { id, .. } = Accusation::new(said.registration, said.generation, said.block);
        let call = RollupRegistry::accusationOfCall { accusation: id };
        let found = self.view(registry, call, At::LATEST).await.map_err(failed)?;
        if found.registration == B256::ZERO {
            let retracted = RollupRegistry::ClaimRetracted::SELECTOR;
            match self.chain.call(registry, data.clone(), At::LATEST).await {
                Err(ReadError::Reverted { data, .. }) if data.starts_with(&retracted) => {
                    return Ok(Verdict::Acquitted { bond_lost: false });
                }
                // What else speaks against it is said when it is sent.
                Ok(_) | Err(ReadError::Reverted { .. }) => {}
                Err(error) => return Err(read_failed(&error)),
            }
            self.send(registry, data, allowance.fees_wei, &mut filed.spent_wei).await?;
            return Ok(Verdict::Challenged);
        }
        let newest = self.chain.block(At::LATEST).await.map_err(failed)?;
        if newest.is_none_or(|newest| newest.time_ms.0 / 1000 < found.deadline) {
            return Ok(Verdict::Challenged);
        }
        let call = RollupRegistry::concludeAccusationCall { accusation: id }.abi_encode();
        let tx_hash = self.send(registry, call.into(), allowance.fees_wei, &mut filed.spent_wei).await?;
        let call = RollupRegistry::rollupCall { registration: said.registration.0 };
        let punished = self.view(registry, call, At::LATEST).await.map_err(failed)?.punished;
        Ok(if punished { Verdict::Punished(Some(tx_hash)) } else { Verdict::Acquitted { bond_lost: false } })
    }

    /// Show that the accused claim was taken back, if the accusation is still open. Without the retraction only whether it
    /// is open is told.
    pub(crate) async fn defend(
        self,
        registry: Address,
        accusation: Accusation,
        retraction: Option<SignedRetraction>,
        allowance_wei: u128,
    ) -> Defended {
        let mut defended = Defended { spent_wei: 0, outcome: Ok(None) };
        let spent_wei = &mut defended.spent_wei;
        defended.outcome = self.try_defend(registry, accusation, retraction, allowance_wei, spent_wei).await;
        defended
    }

    async fn try_defend(
        &self,
        registry: Address,
        accusation: Accusation,
        retraction: Option<SignedRetraction>,
        allowance_wei: u128,
        spent_wei: &mut u128,
    ) -> Result<Option<B256>, String> {
        let call = RollupRegistry::accusationOfCall { accusation: accusation.id };
        let found = self.view(registry, call, At::LATEST).await.map_err(|error| error.to_string())?;
        if found.registration == B256::ZERO {
            return Ok(None);
        }
        let Some(SignedRetraction { retraction: said, signature }) = retraction else {
            return Err("no retraction of that claim is known here".to_owned());
        };
        let call = RollupRegistry::showRetractionCall {
            registration: accusation.registration.0,
            retraction: RollupRegistry::Signed {
                generation: said.generation.0,
                number: said.kept.number,
                blockHash: said.kept.hash,
                signature: signature.encode().into(),
            },
        };
        let words = |verdict| match verdict {
            Verdict::Refused(why) | Verdict::Failed(why) => why,
            other => format!("{other:?}"),
        };
        // Somebody may have shown it: what counts is whether the accusation can be ended.
        let shown = self.send(registry, call.abi_encode().into(), allowance_wei, spent_wei).await;
        let call = RollupRegistry::concludeAccusationCall { accusation: accusation.id }.abi_encode();
        let ended = self.send(registry, call.into(), allowance_wei, spent_wei).await;
        match (shown, ended) {
            (_, Ok(tx_hash)) => Ok(Some(tx_hash)),
            (Err(shown), Err(_)) => Err(words(shown)),
            (Ok(_), Err(ended)) => Err(words(ended)),
        }
    }
}
