//! A block's RLP, taken apart so that each piece can be held against the hash that binds it.

use crate::ordered;
use crate::spec::Rules;
use crate::verdict::{Missing, Reason};
use alloy_consensus::{EthereumTxEnvelope, Header, TxEip4844, transaction::SignerRecoverable};
use alloy_eips::{
    eip2718::{Decodable2718, Encodable2718},
    eip4895::Withdrawal,
};
use alloy_primitives::{Address, B256, keccak256};
use alloy_rlp::{Decodable, EMPTY_LIST_CODE};
use op_alloy_consensus::OpTxEnvelope;
use rayon::prelude::*;

/// A transaction of Ethereum as it stands in a block: blobs only by their hashes.
pub(crate) type Transaction = EthereumTxEnvelope<TxEip4844>;

/// A block's transactions, as the chain's rules know them.
#[derive(Debug)]
pub(crate) enum Transactions {
    /// Ethereum's.
    Ethereum(Vec<Transaction>),
    /// The OP Stack's: deposits too, no blobs.
    OpStack(Vec<OpTxEnvelope>),
}

impl Transactions {
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Ethereum(transactions) => transactions.len(),
            Self::OpStack(transactions) => transactions.len(),
        }
    }
}

/// What a header's withdrawals root stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WithdrawalsRoot {
    /// The withdrawals in the body.
    Body,
    /// The storage of the OP Stack's message passer; the body holds an empty list.
    MessagePasser,
}

/// The raw pieces of a block.
#[derive(Debug)]
pub(crate) struct RawBlock<'a> {
    /// The header's RLP; its hash is the block's hash.
    pub(crate) header: &'a [u8],
    /// What the transactions root is computed over.
    pub(crate) transactions: Vec<&'a [u8]>,
    /// How many ommers there are.
    pub(crate) ommers: usize,
    /// What the withdrawals root is computed over.
    pub(crate) withdrawals: Option<Vec<&'a [u8]>>,
}

/// Take the next RLP item off `rest`: whether it is a list, its payload, and the whole of it.
fn item<'a>(rest: &mut &'a [u8]) -> Option<(bool, &'a [u8], &'a [u8])> {
    let start = *rest;
    let header = alloy_rlp::Header::decode(rest).ok()?;
    let (payload, after) = rest.split_at_checked(header.payload_length)?;
    *rest = after;
    Some((header.list, payload, start.get(..start.len() - after.len())?))
}

fn list<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    item(rest).and_then(|(list, payload, _)| list.then_some(payload))
}

impl<'a> RawBlock<'a> {
    pub(crate) fn split(mut block: &'a [u8]) -> Result<Self, Missing> {
        let bad = |what| move || Missing::BlockMalformed(what);
        let mut parts = list(&mut block).ok_or_else(bad("not a list"))?;
        if !block.is_empty() {
            return Err(Missing::BlockMalformed("bytes follow it"));
        }
        let (true, _, header) = item(&mut parts).ok_or_else(bad("no header"))? else {
            return Err(Missing::BlockMalformed("the header is not a list"));
        };
        let mut raw = list(&mut parts).ok_or_else(bad("no list of transactions"))?;
        let mut transactions = Vec::new();
        while !raw.is_empty() {
            let (is_list, payload, whole) = item(&mut raw).ok_or_else(bad("bad transaction item"))?;
            // A legacy transaction stands as its list; a typed one is wrapped in a string (EIP-2718).
            let transaction = if is_list { whole } else { payload };
            if transaction.is_empty() {
                return Err(Missing::BlockMalformed("an empty transaction"));
            }
            // Its leaf would be that of the same list without the string: two bodies under one hash.
            if !is_list && transaction.first().is_some_and(|first| *first >= EMPTY_LIST_CODE) {
                return Err(Missing::BlockMalformed("a transaction's list wrapped in a string"));
            }
            transactions.push(transaction);
        }
        let mut raw = list(&mut parts).ok_or_else(bad("no list of ommers"))?;
        let mut ommers = 0;
        while !raw.is_empty() {
            item(&mut raw).ok_or_else(bad("bad ommer item"))?;
            ommers += 1;
        }
        let withdrawals = if parts.is_empty() {
            None
        } else {
            let mut raw = list(&mut parts).ok_or_else(bad("no list of withdrawals"))?;
            let mut withdrawals = Vec::new();
            while !raw.is_empty() {
                let (_, _, whole) = item(&mut raw).ok_or_else(bad("bad withdrawal item"))?;
                withdrawals.push(whole);
            }
            Some(withdrawals)
        };
        if !parts.is_empty() {
            return Err(Missing::BlockMalformed("more than four parts"));
        }
        Ok(Self { header, transactions, ommers, withdrawals })
    }

    /// Hold the header against the hash that was signed for, then read it.
    pub(crate) fn header(&self, claimed: B256) -> Result<Result<Header, Reason>, Missing> {
        let computed = keccak256(self.header);
        if computed != claimed {
            return Err(Missing::Block { claimed, computed });
        }
        let mut rest = self.header;
        Ok(match Header::decode(&mut rest) {
            Err(error) => Err(Reason::HeaderMalformed(error.to_string())),
            Ok(_) if !rest.is_empty() => Err(Reason::HeaderMalformed("bytes follow it".to_owned())),
            Ok(header) if header.hash_slow() != claimed => {
                Err(Reason::HeaderMalformed("not in canonical form".to_owned()))
            }
            Ok(header) => Ok(header),
        })
    }

    /// The time that the header declares, in seconds, whatever fields a fork may have added behind it.
    pub(crate) fn timestamp(&self) -> Option<u64> {
        /// Its place among the header's fields.
        const TIMESTAMP: usize = 11;
        let mut header = self.header;
        let mut fields = list(&mut header)?;
        for _ in 0..TIMESTAMP {
            item(&mut fields)?;
        }
        u64::decode(&mut fields).ok()
    }

    /// Hold the body against the header. A body that differs is not the signer's: its roots are signed.
    pub(crate) fn check_body(&self, header: &Header, stands_for: WithdrawalsRoot) -> Result<(), Missing> {
        let root = |part, declared, items: &[&[u8]]| {
            let computed = ordered::root(items);
            if declared == computed { Ok(()) } else { Err(Missing::Body { part, declared, computed }) }
        };
        if self.ommers > 0 {
            return Err(Missing::BlockMalformed("ommers under a header that has none"));
        }
        root("transactions", header.transactions_root, &self.transactions)?;
        match (&self.withdrawals, header.withdrawals_root) {
            (Some(withdrawals), Some(_)) if stands_for == WithdrawalsRoot::MessagePasser => {
                if withdrawals.is_empty() {
                    return Ok(());
                }
                Err(Missing::BlockMalformed("withdrawals on a chain that has none"))
            }
            (Some(withdrawals), Some(declared)) => root("withdrawals", declared, withdrawals),
            (None, None) => Ok(()),
            (Some(_), None) => Err(Missing::BlockMalformed("withdrawals under a header that has none")),
            (None, Some(_)) => Err(Missing::BlockMalformed("no withdrawals under a header that has them")),
        }
    }

    /// The transactions; all cores take part.
    pub(crate) fn transactions(&self, rules: &Rules) -> Result<Transactions, Reason> {
        Ok(match rules {
            Rules::Ethereum(_) => Transactions::Ethereum(self.decode()?),
            Rules::OpStack(_) => Transactions::OpStack(self.decode()?),
        })
    }

    fn decode<T: Decodable2718 + Encodable2718 + Send>(&self) -> Result<Vec<T>, Reason> {
        self.transactions.par_iter().with_min_len(32).enumerate().map(decode_transaction).collect()
    }

    pub(crate) fn withdrawals(&self) -> Result<Option<Vec<Withdrawal>>, Reason> {
        let Some(raw) = &self.withdrawals else { return Ok(None) };
        let decode = |(index, raw): (usize, &&[u8])| {
            let mut rest = *raw;
            let withdrawal = Withdrawal::decode(&mut rest).ok().filter(|_| rest.is_empty());
            withdrawal.ok_or(Reason::WithdrawalMalformed { index })
        };
        raw.iter().enumerate().map(decode).collect::<Result<_, _>>().map(Some)
    }
}

fn decode_transaction<T: Decodable2718 + Encodable2718>((index, raw): (usize, &&[u8])) -> Result<T, Reason> {
    let malformed = |error: String| Reason::TransactionMalformed { index, error };
    let mut rest = *raw;
    let transaction = T::decode_2718(&mut rest).map_err(|error| malformed(error.to_string()))?;
    if !rest.is_empty() {
        return Err(malformed("bytes follow it".to_owned()));
    }
    if transaction.encoded_2718() != *raw {
        return Err(malformed("not in canonical form".to_owned()));
    }
    Ok(transaction)
}

/// The senders, recovered on all cores.
pub(crate) fn senders(transactions: &Transactions) -> Result<Vec<Address>, Reason> {
    match transactions {
        Transactions::Ethereum(transactions) => recover(transactions),
        Transactions::OpStack(transactions) => recover(transactions),
    }
}

fn recover<T: SignerRecoverable + Sync>(transactions: &[T]) -> Result<Vec<Address>, Reason> {
    let recover = |(index, transaction): (usize, &T)| {
        transaction.recover_signer().map_err(|_| Reason::TransactionSignature { index })
    };
    transactions.par_iter().enumerate().map(recover).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transactions_list_wrapped_in_a_string_is_no_second_form_of_the_block() {
        // Header [], one transaction [1], no ommers.
        assert!(RawBlock::split(&[0xc5, 0xc0, 0xc2, 0xc1, 0x01, 0xc0]).is_ok());
        let wrapped = RawBlock::split(&[0xc6, 0xc0, 0xc3, 0x82, 0xc1, 0x01, 0xc0]);
        let expected = Missing::BlockMalformed("a transaction's list wrapped in a string");
        assert_eq!(wrapped.map(|_| ()), Err(expected));
    }
}
