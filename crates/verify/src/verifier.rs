//! The order of a judgement.

use crate::block::{RawBlock, Transactions, WithdrawalsRoot, senders};
use crate::execute::{Checked, execute};
use crate::header;
use crate::limits::{Limits, within};
use crate::message;
use crate::op;
use crate::receipts::ReceiptTrie;
use crate::spec::{ChainSpec, Rules};
use crate::state::{StateDb, StateError};
use crate::trie::TrieError;
use crate::verdict::{CertifiedHeader, Missing, Reason, Summary, Verdict};
use crate::witness::{Witness, WitnessIndex};
use alloy_consensus::Header;
use alloy_hardforks::EthereumHardforks;
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{Address, B256};
use hum_types::MESSAGES_PER_BLOCK_MAX;
use op_alloy_consensus::L2_TO_L1_MESSAGE_PASSER_ADDRESS;
use revm::database::State;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The least gas that a transaction ends up paying: 21,000, of which a fifth may be refunded.
const TRANSACTION_GAS_MIN: u64 = 21_000 / 5 * 4;

/// Bytes of a block from Osaka on: 10 MiB less a margin of 2 MiB (EIP-7934).
const BLOCK_BYTES_MAX: usize = (10 - 2) << 20;

/// Judges the blocks of one rollup.
#[derive(Debug, Clone)]
pub struct Verifier {
    spec: ChainSpec,
    facades: Vec<Address>,
    limits: Limits,
}

impl Verifier {
    /// Judge by `spec`, take messages from the gateways at `facades`, refuse work above `limits`.
    #[must_use]
    pub const fn new(spec: ChainSpec, facades: Vec<Address>, limits: Limits) -> Self {
        Self { spec, facades, limits }
    }

    /// The rules it judges by.
    #[must_use]
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Judge the block for whose hash someone signed.
    ///
    /// `parent` must be the block that the same signer had certified as the one before, in the same generation: a block
    /// on another parent is the signer's fault.
    #[must_use]
    pub fn verify(
        &self,
        parent: &CertifiedHeader,
        claimed: B256,
        block: &[u8],
        witness: &Witness,
    ) -> Verdict {
        // Below us are decoders and an EVM that strangers feed. If one of them panics, that is a fault of ours, and it
        // must cost one rollup a block, not every operator its process.
        catch_unwind(AssertUnwindSafe(|| self.judge(parent, claimed, block, witness)))
            .unwrap_or_else(|_| Verdict::Undecided(Missing::Verifier("it panicked".to_owned())))
    }

    fn judge(&self, parent: &CertifiedHeader, claimed: B256, block: &[u8], witness: &Witness) -> Verdict {
        let (raw, header) = match self.open(parent, claimed, block, witness) {
            Ok(opened) => opened,
            Err(verdict) => return verdict,
        };
        let recovered = || {
            let body = self.body(parent, &raw, header, block.len())?;
            let senders = senders(&body.transactions)?;
            Ok((body, senders))
        };
        let (recovered, index) = rayon::join(recovered, || WitnessIndex::new(witness, parent));
        match recovered {
            Ok((block, senders)) => self.run(parent, block, &senders, index),
            Err(verdict) => verdict,
        }
    }

    /// Bounds, the header, and its rules.
    pub(crate) fn open<'a>(
        &self,
        parent: &CertifiedHeader,
        claimed: B256,
        block: &'a [u8],
        witness: &Witness,
    ) -> Result<(RawBlock<'a>, Header), Verdict> {
        within("block bytes", block.len(), self.limits.block_bytes)?;
        let raw = RawBlock::split(block)?;
        let header = raw.header(claimed)?.map_err(|reason| match raw.timestamp() {
            // A fork may add fields that nobody here can read: that is no fault of the signer's.
            Some(timestamp) if !self.spec.supports(timestamp) => Missing::Fork { timestamp }.into(),
            _ => Verdict::from(reason),
        })?;
        header::check(&self.spec, parent, &header)?;
        if header.gas_limit > self.limits.block_gas {
            let (declared, most) = (header.gas_limit, self.limits.block_gas);
            return Err(Missing::OverLimit { what: "gas limit", declared, most }.into());
        }
        witness.check(&self.limits.witness)?;
        Ok((raw, header))
    }

    /// The body, once it is known to be the header's. `header` has the hash that was signed for.
    pub(crate) fn body(
        &self,
        parent: &CertifiedHeader,
        raw: &RawBlock<'_>,
        header: Header,
        block_bytes: usize,
    ) -> Result<Checked, Verdict> {
        raw.check_body(&header, self.withdrawals_root(&header))?;
        // Only now is the length the signer's: RLP is canonical, and each item is bound by a root.
        let osaka = self.spec.is_osaka_active_at_timestamp(header.timestamp);
        if osaka && block_bytes > BLOCK_BYTES_MAX {
            return Err(Reason::BlockBytes { declared: block_bytes, most: BLOCK_BYTES_MAX }.into());
        }
        let most = header.gas_limit / TRANSACTION_GAS_MIN;
        // A deposit may ask for any gas, and is in the block all the same.
        let paying = raw.transactions.iter().filter(|raw| !op::is_deposit(self.spec.rules(), raw)).count();
        if paying as u64 > most {
            return Err(Reason::TransactionCount { declared: raw.transactions.len(), most }.into());
        }
        let transactions = raw.transactions(self.spec.rules())?;
        if let (Rules::OpStack(rules), Transactions::OpStack(transactions)) =
            (self.spec.rules(), &transactions)
        {
            op::check_deposits(rules, parent.header(), &header, transactions)?;
        }
        Ok(Checked { transactions, withdrawals: raw.withdrawals()?, header })
    }

    /// What the header's withdrawals root stands for at its time.
    fn withdrawals_root(&self, header: &Header) -> WithdrawalsRoot {
        match self.spec.rules() {
            Rules::OpStack(rules) if rules.is_active(OpHardfork::Isthmus, header.timestamp) => {
                WithdrawalsRoot::MessagePasser
            }
            _ => WithdrawalsRoot::Body,
        }
    }

    /// Execute, and hold the header against what comes out.
    pub(crate) fn run(
        &self,
        parent: &CertifiedHeader,
        block: Checked,
        senders: &[Address],
        index: WitnessIndex<'_>,
    ) -> Verdict {
        let database = StateDb::new(parent.header().state_root, index);
        let mut state = State::builder().with_database(database).with_bundle_update().build();
        let receipts = ReceiptTrie::new(block.transactions.len());
        // Receipts are hashed on other cores while execution goes on, and while the state is.
        let executed = rayon::scope(|scope| {
            let trie = &receipts;
            let outcome = execute(&self.spec, &block, senders, &mut state, |start, chunk| {
                scope.spawn(move |_| trie.hash(start, &chunk));
            });
            // A read that failed makes whatever came after it meaningless, whatever the EVM made of it.
            if let Some(fault) = state.database.fault() {
                return Err(Verdict::Undecided(fault.into()));
            }
            let outcome = outcome?;
            let changes = state.transition_state.take().unwrap_or_default();
            let applied = match &outcome.kept {
                None => state.database.apply(changes),
                Some(kept) => state.database.apply_keeping(changes, kept),
            };
            let state_root = applied.map_err(|error| Missing::from(&error))?;
            let withdrawals_root = match self.withdrawals_root(&block.header) {
                WithdrawalsRoot::Body => block.header.withdrawals_root,
                WithdrawalsRoot::MessagePasser => {
                    let root = state.database.storage_root(L2_TO_L1_MESSAGE_PASSER_ADDRESS);
                    Some(root.map_err(|error| Missing::from(&error))?)
                }
            };
            Ok((outcome, state_root, withdrawals_root))
        });
        let (outcome, state_root, withdrawals_root) = match executed {
            Ok(executed) => executed,
            Err(verdict) => return verdict,
        };
        let (receipts_root, bloom) = receipts.finish();

        let header = &block.header;
        let quantity = |field, declared, computed| {
            if declared == computed { Ok(()) } else { Err(Reason::Quantity { field, declared, computed }) }
        };
        let hash = |field, declared, computed| {
            if declared == computed { Ok(()) } else { Err(Reason::Hash { field, declared, computed }) }
        };
        let compared = quantity("gas used", header.gas_used, outcome.gas_used)
            .and_then(|()| {
                quantity("blob gas used", header.blob_gas_used.unwrap_or(0), outcome.blob_gas_used)
            })
            .and_then(|()| hash("receipts root", header.receipts_root, receipts_root))
            .and_then(|()| if header.logs_bloom == bloom { Ok(()) } else { Err(Reason::LogsBloom) })
            .and_then(|()| match header.requests_hash {
                Some(declared) => hash("requests hash", declared, outcome.requests.requests_hash()),
                None => Ok(()),
            })
            .and_then(|()| match (header.withdrawals_root, withdrawals_root) {
                (Some(declared), Some(computed)) => hash("withdrawals root", declared, computed),
                _ => Ok(()),
            })
            .and_then(|()| hash("state root", header.state_root, state_root));
        if let Err(reason) = compared {
            return Verdict::Invalid(reason);
        }

        let (messages, malformed_gateway_logs) =
            message::outgoing(&outcome.receipts, &self.facades, self.spec.chain_id());
        if let Err(missing) = within("messages", messages.len(), MESSAGES_PER_BLOCK_MAX) {
            return Verdict::Undecided(missing);
        }
        Verdict::Valid(Box::new(Summary {
            transactions: block.transactions.len(),
            header: CertifiedHeader::from_valid(block.header),
            messages,
            malformed_gateway_logs,
        }))
    }
}

impl From<Missing> for Verdict {
    fn from(missing: Missing) -> Self {
        Self::Undecided(missing)
    }
}

impl From<Reason> for Verdict {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}

impl From<&StateError> for Missing {
    fn from(error: &StateError) -> Self {
        match error {
            StateError::Trie(TrieError::Missing(hash)) => Self::Node(*hash),
            StateError::Code(hash) => Self::Code(*hash),
            StateError::Ancestor(number) => Self::Ancestor(*number),
            StateError::Trie(TrieError::Malformed { .. }) | StateError::Value { .. } => {
                Self::State(error.to_string())
            }
        }
    }
}
