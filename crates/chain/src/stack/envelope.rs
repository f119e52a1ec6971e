//! Transactions and receipts as their tries hold them: EIP-2718 envelopes rebuilt from JSON.

use super::{
    StackError,
    error::need,
    nitro, op_stack,
    wire::{LogEntry, Receipt, Transaction},
};
use alloy_primitives::{Bloom, BloomInput, U64, keccak256};
use alloy_rlp::{Encodable, Header};
use hum_types::{Address, B256, Bytes};

/// The payload of one RLP list in the making.
#[derive(Debug, Default)]
pub(super) struct List(Vec<u8>);

impl List {
    pub(super) fn push(mut self, item: &dyn Encodable) -> Self {
        item.encode(&mut self.0);
        self
    }

    /// Whoever is called; the empty string creates.
    pub(super) fn target(self, to: Option<Address>) -> Self {
        match to {
            Some(to) => self.push(&to),
            None => self.push(&Bytes::new()),
        }
    }

    pub(super) fn nested(mut self, items: Vec<u8>) -> Self {
        Header { list: true, payload_length: items.len() }.encode(&mut self.0);
        self.0.extend_from_slice(&items);
        self
    }

    pub(super) fn list(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() + 4);
        Header { list: true, payload_length: self.0.len() }.encode(&mut out);
        out.extend_from_slice(&self.0);
        out
    }

    /// The list behind its type's byte; type 0 has none.
    pub(super) fn envelope(self, kind: u8) -> Bytes {
        let list = self.list();
        if kind == 0 {
            return list.into();
        }
        let mut out = Vec::with_capacity(list.len() + 1);
        out.push(kind);
        out.extend_from_slice(&list);
        out.into()
    }
}

impl Transaction {
    /// The type, when it is one that an envelope can have.
    #[must_use]
    pub fn kind_byte(&self) -> Option<u8> {
        u8::try_from(self.kind.to::<u64>()).ok()
    }

    /// The transaction's envelope (EIP-2718), for Ethereum's types, the OP Stack's deposit and Nitro's own; `None` for
    /// types whose hash is not that of an envelope.
    pub fn envelope(&self) -> Result<Option<Bytes>, StackError> {
        match self.kind_byte() {
            Some(kind @ 0..=4) => self.ethereum(kind).map(Some),
            Some(op_stack::DEPOSIT) => op_stack::deposit(self).map(Some),
            Some(kind) if nitro::KINDS.contains(&kind) => {
                nitro::NitroTransaction::from_json(self).map(|transaction| Some(transaction.envelope()))
            }
            _ => Ok(None),
        }
    }

    /// What the envelope hashes to.
    pub fn computed_hash(&self) -> Result<Option<B256>, StackError> {
        Ok(self.envelope()?.map(keccak256))
    }

    fn ethereum(&self, kind: u8) -> Result<Bytes, StackError> {
        let what = format!("transaction {}", self.hash);
        let (r, s) = (need(self.r, &what, "r")?, need(self.s, &what, "s")?);
        let v = need(self.v, &what, "v")?;
        let mut list = List::default();
        if kind == 0 {
            let price = need(self.gas_price, &what, "gasPrice")?;
            list = list.push(&self.nonce).push(&price).push(&self.gas).target(self.to);
            return Ok(list.push(&self.value).push(&self.input).push(&v).push(&r).push(&s).envelope(0));
        }
        list = list.push(&need(self.chain_id, &what, "chainId")?).push(&self.nonce);
        list = if kind == 1 {
            list.push(&need(self.gas_price, &what, "gasPrice")?)
        } else {
            list.push(&need(self.max_priority_fee_per_gas, &what, "maxPriorityFeePerGas")?).push(&need(
                self.max_fee_per_gas,
                &what,
                "maxFeePerGas",
            )?)
        };
        let access = need(self.access_list.as_ref(), &what, "accessList")?;
        list = list.push(&self.gas).target(self.to).push(&self.value).push(&self.input).push(access);
        if kind == 3 {
            list = list.push(&need(self.max_fee_per_blob_gas, &what, "maxFeePerBlobGas")?).push(need(
                self.blob_versioned_hashes.as_ref(),
                &what,
                "blobVersionedHashes",
            )?);
        }
        if kind == 4 {
            list = list.push(need(self.authorization_list.as_ref(), &what, "authorizationList")?);
        }
        // Both members give the parity; nodes of old leave one of them out.
        let parity = match self.y_parity {
            Some(parity) if alloy_primitives::U256::from(parity) != v => {
                super::error::same(format!("{what}: v"), v.to_string(), parity.to_string())?;
                parity
            }
            Some(parity) => parity,
            None => U64::from(v.saturating_to::<u64>()),
        };
        Ok(list.push(&parity).push(&r).push(&s).envelope(kind))
    }
}

impl Receipt {
    /// The receipt as the receipts trie holds it.
    pub fn envelope(&self) -> Result<Bytes, StackError> {
        let what = format!("receipt of {}", self.transaction_hash);
        let kind = u8::try_from(self.kind.to::<u64>())
            .map_err(|_| StackError::Absent { what: what.clone(), field: "type of one byte" })?;
        let mut logs = Vec::new();
        for log in &self.logs {
            logs.extend_from_slice(
                &List::default().push(&log.address).push(&log.topics).push(&log.data).list(),
            );
        }
        let list = match (self.status, self.root) {
            (Some(status), _) => List::default().push(&status),
            (None, Some(root)) => List::default().push(&root),
            (None, None) => return Err(StackError::Absent { what, field: "status" }),
        };
        let list = list.push(&self.cumulative_gas_used).push(&self.logs_bloom).nested(logs);
        Ok(self.op.seal(kind, list, &what)?.envelope(kind))
    }
}

/// The bloom filter of logs.
pub(super) fn bloom(logs: &[LogEntry]) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in logs {
        bloom.accrue(BloomInput::Raw(log.address.as_slice()));
        for topic in &log.topics {
            bloom.accrue(BloomInput::Raw(topic.as_slice()));
        }
    }
    bloom
}
