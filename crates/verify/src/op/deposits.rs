//! Where deposits stand in a block.

use crate::op::{L1Info, L1InfoError};
use crate::spec::{OpRules, Rules};
use crate::verdict::Reason;
use alloy_consensus::Header;
use op_alloy_consensus::{DEPOSIT_TX_TYPE_ID, OpTxEnvelope};

/// Whether these bytes are those of a deposit under `rules`.
pub(crate) fn is_deposit(rules: &Rules, raw: &[u8]) -> bool {
    matches!(rules, Rules::OpStack(_)) && raw.first() == Some(&DEPOSIT_TX_TYPE_ID)
}

/// Hold the order of a block's transactions against what derivation gives: the L1 information, then what L1 forces, then
/// what the sequencer took. L1 forces something only in the first block on an L1 block, and a fork does in its first.
pub(crate) fn check(
    rules: &OpRules,
    parent: &Header,
    header: &Header,
    transactions: &[OpTxEnvelope],
) -> Result<(), Reason> {
    let place = |index, rule| Err(Reason::Place { index, rule });
    let Some(OpTxEnvelope::Deposit(first)) = transactions.first() else {
        return place(0, "a block begins with the deposit of the L1 information");
    };
    let info = match L1Info::from_deposit(rules, parent.timestamp, header.timestamp, first) {
        Ok(info) => info,
        Err(L1InfoError::Envelope) => return place(0, "not sent as the L1 information is"),
        Err(L1InfoError::Selector) => return place(0, "not this fork's call with the L1 information"),
        Err(L1InfoError::Data) => {
            return place(0, "data that the call with the L1 information does not take");
        }
        Err(L1InfoError::Source) => return place(0, "the source hash is not that of the L1 information"),
    };
    let forced = info.sequence_number == 0 || rules.fork_begins(parent.timestamp, header.timestamp);
    let mut deposits = true;
    for (index, transaction) in transactions.iter().enumerate().skip(1) {
        match transaction {
            OpTxEnvelope::Deposit(_) if !deposits => {
                return place(index, "a deposit stands behind what the sequencer took");
            }
            OpTxEnvelope::Deposit(_) if !forced => {
                return place(index, "a deposit in a block in which L1 forces none");
            }
            OpTxEnvelope::Deposit(_) => {}
            OpTxEnvelope::PostExec(_) => return place(index, "a kind of transaction of a later fork"),
            _ => deposits = false,
        }
    }
    Ok(())
}
