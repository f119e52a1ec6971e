//! Answers to challenges: the sequencer's signature for a head that somebody says was never claimed.
//!
//! Honest operators had that signature before they attested: it stands in the checkpoint's body. Unanswered they would be
//! slashed, so whoever holds it shows it, and gets the challenger's bond.

use super::{court::L1, docket::Verdict};
use alloy_sol_types::{SolCall as _, SolEvent as _};
use hum_chain::{At, ReadError};
use hum_types::{
    Address, B256, BlockRef, ChainId, Confidence, Encode as _, Generation, RegistrationId,
    SequencerSignature, TimeMs,
};
use std::collections::BTreeMap;

/// Challenges that are held; nobody pays for more bonds than these at once.
const OPEN_MAX: usize = 1_024;
/// Pause before a challenge is looked at again.
const AGAIN_MS: u64 = 2_000;
/// The state of a challenge that waits for its answer.
const OPEN: u8 = 1;

#[allow(missing_docs, clippy::too_many_arguments)]
mod bindings {
    use alloy_sol_types::sol;

    sol! {
        /// What watchers call of `IClaimJudge`.
        #[derive(Debug)]
        interface ClaimJudge {
            struct Subject { uint64 chainId; bytes32 registration; uint32 generation; uint64 number; bytes32 blockHash; }
            struct Challenge { address challenger; uint64 deadline; uint8 state; bytes32 subject; }
            event Challenged(bytes32 indexed challenge, bytes32 indexed subject, uint64 chainId, bytes32 registration,
                uint32 generation, uint64 number, bytes32 blockHash, uint64 deadline);
            function challenge(bytes evidence, bytes statement) external payable returns (bytes32 id);
            function conclude(bytes32 id) external;
            function answerAgain(bytes32 id) external;
            function slash(bytes evidence, bytes statement, bytes seats) external;
            function isShown(bytes32 subject) external view returns (bool);
            function BOND_WEI() external view returns (uint256);
            function answer(bytes32 id, Subject subject, bool retraction, bytes signature) external;
            function challengeAt(bytes32 id) external view returns (Challenge);
        }
    }
}
pub(crate) use bindings::ClaimJudge;

/// A head that somebody says was never claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) id: B256,
    pub(crate) chain_id: ChainId,
    pub(crate) registration: RegistrationId,
    pub(crate) generation: Generation,
    pub(crate) block: BlockRef,
}

/// The sequencer's signature on a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// On the claim for it.
    Claim(SequencerSignature),
    /// On the retraction that keeps it.
    Retraction(SequencerSignature),
}

/// What came of an answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) id: B256,
    /// Fees paid, in wei.
    pub(crate) spent_wei: u128,
    /// Our transaction, or nothing when the challenge was over already.
    pub(crate) outcome: Result<Option<B256>, String>,
}

/// Something on L1 that an answer is due to, under a name that L1 gave it.
pub(crate) trait Due: Copy {
    /// Its name.
    fn id(&self) -> B256;
}

impl Due for Challenge {
    fn id(&self) -> B256 {
        self.id
    }
}

/// Which of them wait.
#[derive(Debug)]
pub(crate) struct AnswerBook<D> {
    /// The L1 block from which on logs were not read; `None` before the first look.
    pub(crate) next_block: Option<u64>,
    open: BTreeMap<B256, (D, TimeMs, bool)>,
    out: bool,
}

impl<D> Default for AnswerBook<D> {
    fn default() -> Self {
        Self { next_block: None, open: BTreeMap::new(), out: false }
    }
}

impl<D: Due> AnswerBook<D> {
    /// More were found.
    pub(crate) fn add(&mut self, found: Vec<D>) {
        for due in found {
            if self.open.len() < OPEN_MAX {
                self.open.entry(due.id()).or_insert((due, TimeMs(0), false));
            }
        }
    }

    /// The next one to look at; one at a time.
    pub(crate) fn next(&mut self, now: TimeMs) -> Option<D> {
        if self.out {
            return None;
        }
        let (next, due, _) = self.open.values_mut().find(|(_, due, _)| *due <= now)?;
        *due = TimeMs(now.0.saturating_add(AGAIN_MS));
        self.out = true;
        Some(*next)
    }

    /// It is over.
    pub(crate) fn done(&mut self, id: B256) {
        self.out = false;
        self.open.remove(&id);
    }

    /// It is looked at again. `true` the first time.
    pub(crate) fn again(&mut self, id: B256) -> bool {
        self.out = false;
        self.open.get_mut(&id).is_some_and(|(_, _, told)| !std::mem::replace(told, true))
    }
}

impl L1 {
    /// Challenges that were made from block `from` on, and where to go on.
    pub(crate) async fn challenges(
        self,
        judge: Address,
        from: Option<u64>,
    ) -> Result<(u64, Vec<Challenge>), ReadError> {
        let topic = ClaimJudge::Challenged::SIGNATURE_HASH;
        let (next, logs) = self.events(judge, topic, Confidence::Latest, from).await?;
        let found = logs.iter().filter_map(|log| {
            let event = ClaimJudge::Challenged::decode_raw_log(log.topics.iter().copied(), &log.data).ok()?;
            Some(Challenge {
                id: event.challenge,
                chain_id: ChainId(event.chainId),
                registration: RegistrationId(event.registration),
                generation: Generation(event.generation),
                block: BlockRef { number: event.number, hash: event.blockHash },
            })
        });
        Ok((next, found.collect()))
    }

    /// Answer a challenge, if it is still open. Without a signature only whether it is open is told.
    pub(crate) async fn answer(
        self,
        judge: Address,
        challenge: Challenge,
        shown: Option<Shown>,
        allowance_wei: u128,
    ) -> Answered {
        let mut answered = Answered { id: challenge.id, spent_wei: 0, outcome: Ok(None) };
        answered.outcome =
            self.try_answer(judge, challenge, shown, allowance_wei, &mut answered.spent_wei).await;
        answered
    }

    async fn try_answer(
        &self,
        judge: Address,
        challenge: Challenge,
        shown: Option<Shown>,
        allowance_wei: u128,
        spent_wei: &mut u128,
    ) -> Result<Option<B256>, String> {
        let call = ClaimJudge::challengeAtCall { id: challenge.id };
        let found = self.view(judge, call, At::LATEST).await.map_err(|error| error.to_string())?;
        if found.state != OPEN {
            return Ok(None);
        }
        let (retraction, signature) = match shown {
            Some(Shown::Claim(signature)) => (false, signature),
            Some(Shown::Retraction(signature)) => (true, signature),
            None => return Err("no claim for that head is known here".to_owned()),
        };
        let call = ClaimJudge::answerCall {
            id: challenge.id,
            subject: ClaimJudge::Subject {
                chainId: challenge.chain_id.0,
                registration: challenge.registration.0,
                generation: challenge.generation.0,
                number: challenge.block.number,
                blockHash: challenge.block.hash,
            },
            retraction,
            signature: signature.encode().into(),
        };
        match self.send(judge, call.abi_encode().into(), allowance_wei, spent_wei).await {
            Ok(tx_hash) => Ok(Some(tx_hash)),
            Err(Verdict::Refused(why) | Verdict::Failed(why)) => Err(why),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
