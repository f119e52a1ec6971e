//! Challenges of heads that nobody claimed: raised with a bond, followed, ended when nobody answered.
//!
//! ```text
//! none ─challenge▶ open ─answer▶ answered: the bond is lost, nobody is punished
//!                   └─answer time over, conclude▶ unanswered: the bond is back ─▶ slash
//! ```
//!
//! L1 knows how far a challenge is under a name that follows from the evidence, so a restart loses nothing and nothing is
//! challenged twice.

use super::{
    answers::ClaimJudge,
    court::{Allowance, Filed, L1, read_failed},
    docket::Verdict,
};
use alloy_primitives::U256;
use alloy_sol_types::SolCall as _;
use hum_chain::{At, Call};
use hum_types::{Address, B256, Bytes};

/// States of a challenge, as the contract numbers them.
const NONE: u8 = 0;
const OPEN: u8 = 1;
const ANSWERED: u8 = 2;

impl L1 {
    /// Bring a challenge as far as it goes now. `Ok` when nobody answered in time: those who signed can be slashed.
    pub(super) async fn challenge(
        &self,
        judge: Address,
        (id, subject): (B256, B256),
        data: Bytes,
        allowance: Allowance,
        filed: &mut Filed,
    ) -> Result<(), Verdict> {
        let failed = |error| read_failed(&error);
        let found = self.view(judge, ClaimJudge::challengeAtCall { id }, At::LATEST).await.map_err(failed)?;
        let ours = found.challenger == self.submit.sender();
        let bond = self.view(judge, ClaimJudge::BOND_WEICall {}, At::LATEST).await.map_err(failed)?;
        let bond_wei = u128::try_from(bond).unwrap_or(u128::MAX);
        let shown =
            self.view(judge, ClaimJudge::isShownCall { subject }, At::LATEST).await.map_err(failed)?;
        match found.state {
            NONE if shown => Err(Verdict::Acquitted { bond_lost: false }),
            NONE => self.raise(judge, data, bond, allowance, filed).await,
            OPEN => {
                filed.bond_wei = if ours { bond_wei } else { 0 };
                if shown {
                    // What answered another challenge answers this one too; whoever says so has the bond.
                    let call = ClaimJudge::answerAgainCall { id }.abi_encode();
                    self.send(judge, call.into(), allowance.fees_wei, &mut filed.spent_wei).await?;
                    filed.bond_wei = 0;
                    return Err(Verdict::Acquitted { bond_lost: false });
                }
                let newest = self.chain.block(At::LATEST).await.map_err(failed)?;
                if newest.is_none_or(|newest| newest.time_ms.0 / 1000 <= found.deadline) {
                    return Err(Verdict::Challenged);
                }
                let call = ClaimJudge::concludeCall { id }.abi_encode();
                self.send(judge, call.into(), allowance.fees_wei, &mut filed.spent_wei).await?;
                filed.bond_wei = 0;
                Ok(())
            }
            ANSWERED => {
                filed.bond_wei = if ours { bond_wei } else { 0 };
                Err(Verdict::Acquitted { bond_lost: ours })
            }
            _ => Ok(()),
        }
    }

    async fn raise(
        &self,
        judge: Address,
        data: Bytes,
        bond: U256,
        allowance: Allowance,
        filed: &mut Filed,
    ) -> Result<(), Verdict> {
        let bond_wei = u128::try_from(bond).unwrap_or(u128::MAX);
        if bond_wei > allowance.bond_wei {
            return Err(Verdict::Failed(format!(
                "a challenge takes a bond of {bond_wei} wei, the cap on bonds leaves {}",
                allowance.bond_wei
            )));
        }
        let call = Call { value: bond, ..Call::new(judge, data) };
        self.send_with(call, allowance.fees_wei, &mut filed.spent_wei).await?;
        filed.bond_wei = bond_wei;
        Err(Verdict::Challenged)
    }
}
