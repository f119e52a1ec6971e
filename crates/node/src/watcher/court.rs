//! Takes cases to L1: looks whether they are settled there already, then sends.

use super::{
    committees::Committees,
    docket::{Defendant, Filing, Verdict},
    judges::{
        AttestationJudge, Before, Judges, LaneJudge, Papers, Punishments, RollupRegistry, TableStore, papers,
    },
};
use alloy_primitives::U256;
use alloy_sol_types::SolCall;
use hum_chain::{At, Call, Chain, Disposition, Log, LogQuery, ReadError, Submit, SubmitError};
use hum_types::{Address, B256, Bytes, Confidence, Domain};
use std::sync::Arc;

/// Gas that a slash may use, as EIP-7825 caps it.
const GAS_MAX: u64 = 1 << 24;
/// L1 blocks that are looked back over at the start: more than a challenge or an accusation stays open.
const LOOK_BACK: u64 = 50_000;
/// L1 blocks whose logs are asked for at once.
const BLOCKS_AT_ONCE: u64 = 2_000;

/// L1 as a watcher uses it. Clones share the account.
#[derive(Debug, Clone)]
pub struct L1 {
    /// To read it.
    pub chain: Arc<dyn Chain>,
    /// To write it.
    pub submit: Arc<dyn Submit>,
    /// Our service manager.
    pub service_manager: Address,
    /// Who judges.
    pub judges: Judges,
}

/// What came of a filing.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) verdicts: Vec<(Defendant, Verdict)>,
    /// Fees paid, in wei.
    pub(crate) spent_wei: u128,
    /// The bond of our challenge, in wei, while it is out or when it was lost.
    pub(crate) bond_wei: u128,
}

/// What may be spent on a filing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// On fees, in wei.
    pub(crate) fees_wei: u128,
    /// On the bond of a challenge, in wei.
    pub(crate) bond_wei: u128,
    /// Whether a challenge of ours under this evidence has one already.
    pub(crate) bond_is_out: bool,
}

/// What L1 says later of what it had punished.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Punished for good.
    pub(crate) last: Vec<Defendant>,
    /// Not punished any more.
    pub(crate) gone: Vec<Defendant>,
}

/// Why a view could not be read, in words; whether it is worth another try is in the verdict made of it.
pub(super) fn read_failed(error: &ReadError) -> Verdict {
    Verdict::Failed(format!("L1 cannot be read: {error}"))
}

impl L1 {
    /// Take a filing to its judge. No more than `allowance` is spent.
    pub(crate) async fn file(
        self,
        filing: Filing,
        committees: Committees,
        domain: Domain,
        allowance: Allowance,
    ) -> Filed {
        let mut filed = Filed { verdicts: Vec::new(), spent_wei: 0, bond_wei: 0 };
        let Some(judge) = self.judges.of(&filing.evidence) else {
            filed.verdicts = filing.all(&Verdict::NoJudge);
            return filed;
        };
        let mut open = filing.clone();
        match self.punished(&filing, At::LATEST).await {
            Ok(punished) => {
                open.defendants.retain(|(defendant, _)| !punished.contains(defendant));
                let done = punished.into_iter().map(|defendant| (defendant, Verdict::Punished(None)));
                filed.verdicts.extend(done);
            }
            Err(error) => {
                filed.verdicts = filing.all(&read_failed(&error));
                return filed;
            }
        }
        if open.defendants.is_empty() {
            // Our bond is still in a challenge: it is followed to its end.
            if allowance.bond_is_out
                && let Ok(Papers { before: Before::Challenge { id, subject, data }, .. }) =
                    papers(&filing, &self.judges, &committees, domain)
                && let Err(verdict) = self.challenge(judge, (id, subject), data, allowance, &mut filed).await
            {
                filed.verdicts = filing.all(&verdict);
            }
            return filed;
        }
        let verdict = match papers(&open, &self.judges, &committees, domain) {
            Ok(papers) => self.submit(judge, papers, allowance, &mut filed).await,
            Err(error) => Verdict::Refused(error.to_string()),
        };
        filed.verdicts.extend(open.all(&verdict));
        filed
    }

    /// Which defendants L1 has punished, as of `at`.
    pub(crate) async fn punished(&self, filing: &Filing, at: At) -> Result<Vec<Defendant>, ReadError> {
        let mut punished = Vec::new();
        for (defendant, operator, offence) in filing.offences() {
            let told = self.view(self.service_manager, Punishments::isPunishedCall { offence }, at).await?;
            // Whoever is out has nothing left that this judge could take.
            let out =
                told || self.view(self.service_manager, Punishments::isJailedCall { operator }, at).await?;
            if out {
                punished.push(defendant);
            }
        }
        if let (Some(registration), Some(registry)) =
            (filing.evidence.registration(), self.judges.rollup_registry)
        {
            let call = RollupRegistry::rollupCall { registration: registration.0 };
            match self.view(registry, call, at).await {
                Ok(rollup) if rollup.punished => punished.push(Defendant::Sequencer(registration)),
                // Who is not registered there is told so by the registry when we report it.
                Ok(_) | Err(ReadError::Reverted { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(punished)
    }

    async fn submit(
        &self,
        judge: Address,
        papers: Papers,
        allowance: Allowance,
        filed: &mut Filed,
    ) -> Verdict {
        let Papers { data, tables, before } = papers;
        let fees_wei = allowance.fees_wei;
        if !tables.is_empty()
            && let Err(verdict) = self.store_tables(judge, tables, fees_wei, &mut filed.spent_wei).await
        {
            return verdict;
        }
        let ready = match before {
            Before::Nothing => Ok(()),
            Before::Anchor { shown, prove } => {
                self.prove_anchor(judge, shown, prove, fees_wei, &mut filed.spent_wei).await
            }
            Before::Challenge { id, subject, data } => {
                self.challenge(judge, (id, subject), data, allowance, filed).await
            }
            Before::Accusation { claim } => return self.accuse(judge, &claim, data, allowance, filed).await,
        };
        if let Err(verdict) = ready {
            return verdict;
        }
        self.send(judge, data, fees_wei, &mut filed.spent_wei)
            .await
            .map_or_else(|verdict| verdict, |tx_hash| Verdict::Punished(Some(tx_hash)))
    }

    /// Show, unless it was shown, that a lane was empty at its anchor.
    async fn prove_anchor(
        &self,
        judge: Address,
        shown: Bytes,
        prove: Bytes,
        allowance_wei: u128,
        spent_wei: &mut u128,
    ) -> Result<(), Verdict> {
        let told = self.chain.call(judge, shown, At::LATEST).await.map_err(|error| read_failed(&error))?;
        if LaneJudge::isEmptyAtAnchorCall::abi_decode_returns(&told).unwrap_or(false) {
            return Ok(());
        }
        self.send(judge, prove, allowance_wei, spent_wei).await.map(|_| ())
    }

    /// Put the tables that a judge reads where it reads them.
    async fn store_tables(
        &self,
        judge: Address,
        tables: Vec<(B256, Bytes)>,
        allowance_wei: u128,
        spent_wei: &mut u128,
    ) -> Result<(), Verdict> {
        let store = self
            .view(judge, AttestationJudge::TABLESCall {}, At::LATEST)
            .await
            .map_err(|error| read_failed(&error))?;
        for (table_hash, table) in tables {
            match self.view(store, TableStore::tableOfCall { tableHash: table_hash }, At::LATEST).await {
                Ok(_) => {}
                Err(ReadError::Reverted { .. }) => {
                    let call = TableStore::storeCall { table };
                    self.send(store, call.abi_encode().into(), allowance_wei, spent_wei).await?;
                }
                Err(error) => return Err(read_failed(&error)),
            }
        }
        Ok(())
    }

    /// Send a transaction, if the allowance suffices for its worst case, and wait for its end.
    pub(crate) async fn send(
        &self,
        to: Address,
        data: Bytes,
        allowance_wei: u128,
        spent_wei: &mut u128,
    ) -> Result<B256, Verdict> {
        self.send_with(Call::new(to, data), allowance_wei, spent_wei).await
    }

    /// The same for a call that may carry value, which is not part of the allowance.
    pub(crate) async fn send_with(
        &self,
        call: Call,
        allowance_wei: u128,
        spent_wei: &mut u128,
    ) -> Result<B256, Verdict> {
        let failed = |error: SubmitError| match &error {
            SubmitError::Rejected { data, .. } => {
                let words = hum_chain::restaking::explain_revert(data);
                Verdict::Refused(words.unwrap_or_else(|| error.to_string()))
            }
            SubmitError::Read(read) if read.disposition() == Disposition::Refused => {
                Verdict::Refused(error.to_string())
            }
            _ => Verdict::Failed(error.to_string()),
        };
        let gas = self.submit.estimate(call.clone()).await.map_err(failed)?;
        // What others do before us in the block may make the call cost more.
        let gas_limit = gas.saturating_add(gas / 2).min(GAS_MAX);
        let price = self.submit.gas_price().await.map_err(|error| read_failed(&error))?;
        let worst = price.saturating_mul(2).saturating_mul(gas_limit.into());
        if spent_wei.saturating_add(worst) > allowance_wei {
            return Err(Verdict::Failed(format!(
                "up to {worst} wei are needed, the spend cap leaves {}",
                allowance_wei.saturating_sub(*spent_wei)
            )));
        }
        let call = Call { gas_limit: Some(gas_limit), ..call };
        let outcome = self.submit.send(call).await.map_err(failed)?;
        *spent_wei = spent_wei.saturating_add(u128::try_from(outcome.fee).unwrap_or(u128::MAX));
        if outcome.success {
            Ok(outcome.tx_hash)
        } else {
            Err(Verdict::Refused(format!("transaction {} reverted", outcome.tx_hash)))
        }
    }

    /// A contract's events of one kind from block `from` on, a bounded stretch up to the head for `tag`; and where to go on.
    pub(crate) async fn events(
        &self,
        contract: Address,
        topic: B256,
        tag: Confidence,
        from: Option<u64>,
    ) -> Result<(u64, Vec<Log>), ReadError> {
        let head = self.chain.head(tag).await?.number;
        let from = from.unwrap_or_else(|| head.saturating_sub(LOOK_BACK));
        let to = head.min(from.saturating_add(BLOCKS_AT_ONCE - 1));
        if from > to {
            return Ok((from, Vec::new()));
        }
        let query = LogQuery { from, to, addresses: vec![contract], topics: vec![topic] };
        Ok((to + 1, self.chain.logs(query).await?))
    }

    /// Call a view and read what it returns.
    pub(crate) async fn view<C: SolCall>(
        &self,
        to: Address,
        call: C,
        at: At,
    ) -> Result<C::Return, ReadError> {
        let answer = self.chain.call(to, call.abi_encode().into(), at).await?;
        C::abi_decode_returns(&answer).map_err(|error| ReadError::Garbage {
            method: "eth_call",
            detail: format!("{} of {to}: {error}", C::SIGNATURE),
        })
    }

    /// What the account has left, in wei.
    pub(crate) async fn balance(&self) -> Result<U256, ReadError> {
        self.submit.balance().await
    }

    /// Which of these are punished in L1's final state, and which are not even in its newest.
    pub(crate) async fn settled(&self, filing: &Filing) -> Result<Settled, ReadError> {
        let last = self.punished(filing, At::Tag(Confidence::Finalized)).await?;
        let newest = self.punished(filing, At::LATEST).await?;
        let all = filing.defendants.iter().map(|(defendant, _)| *defendant);
        Ok(Settled { gone: all.filter(|defendant| !newest.contains(defendant)).collect(), last })
    }
}

impl Filing {
    /// The same verdict for everyone.
    fn all(&self, verdict: &Verdict) -> Vec<(Defendant, Verdict)> {
        self.defendants.iter().map(|(defendant, _)| (*defendant, verdict.clone())).collect()
    }
}
