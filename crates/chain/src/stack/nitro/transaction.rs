//! Nitro's own transactions: from JSON, from bytes, to bytes.

use crate::stack::{StackError, error::need, wire::Transaction};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};

/// Types of Nitro's own transactions.
pub const KINDS: [u8; 6] = [0x64, 0x65, 0x66, 0x68, 0x69, 0x6a];

/// Wei that L1 sent to an account (0x64).
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Deposit {
    /// The chain.
    pub chain_id: U256,
    /// The message on L1.
    pub request_id: B256,
    /// Who sent it, aliased.
    pub from: Address,
    /// Who gets it.
    pub to: Address,
    /// Wei.
    pub value: U256,
}

/// A transaction of an L1 account, with a nonce (0x65).
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Unsigned {
    /// The chain.
    pub chain_id: U256,
    /// Who sent it.
    pub from: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Most wei for one gas.
    pub gas_fee_cap: U256,
    /// Gas limit.
    pub gas: u64,
    /// Who is called.
    pub to: TxKind,
    /// Wei.
    pub value: U256,
    /// Call data.
    pub input: Bytes,
}

/// A transaction of an L1 contract, without a nonce (0x66).
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Contract {
    /// The chain.
    pub chain_id: U256,
    /// The message on L1.
    pub request_id: B256,
    /// Who sent it.
    pub from: Address,
    /// Most wei for one gas.
    pub gas_fee_cap: U256,
    /// Gas limit.
    pub gas: u64,
    /// Who is called.
    pub to: TxKind,
    /// Wei.
    pub value: U256,
    /// Call data.
    pub input: Bytes,
}

/// One try at a retryable ticket (0x68).
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Retry {
    /// The chain.
    pub chain_id: U256,
    /// Which try.
    pub nonce: u64,
    /// Who sent the ticket.
    pub from: Address,
    /// Most wei for one gas.
    pub gas_fee_cap: U256,
    /// Gas limit.
    pub gas: u64,
    /// Who is called.
    pub to: TxKind,
    /// Wei.
    pub value: U256,
    /// Call data.
    pub input: Bytes,
    /// The ticket.
    pub ticket_id: B256,
    /// Who gets refunds.
    pub refund_to: Address,
    /// Most wei to refund.
    pub max_refund: U256,
    /// Wei of the submission fee to refund.
    pub submission_fee_refund: U256,
}

/// A retryable ticket is made (0x69).
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct SubmitRetryable {
    /// The chain.
    pub chain_id: U256,
    /// The message on L1.
    pub request_id: B256,
    /// Who sent it.
    pub from: Address,
    /// L1's base fee, in wei.
    pub l1_base_fee: U256,
    /// Wei deposited.
    pub deposit_value: U256,
    /// Most wei for one gas.
    pub gas_fee_cap: U256,
    /// Gas limit of the first try.
    pub gas: u64,
    /// Who the ticket calls.
    pub retry_to: TxKind,
    /// Wei that it sends along.
    pub retry_value: U256,
    /// Who may cancel it.
    pub beneficiary: Address,
    /// Most wei for submitting.
    pub max_submission_fee: U256,
    /// Who gets refunds.
    pub refund_to: Address,
    /// Its call data.
    pub retry_data: Bytes,
}

/// ArbOS calls itself at the start of a block (0x6a).
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Internal {
    /// The chain.
    pub chain_id: U256,
    /// Call data.
    pub data: Bytes,
}

/// One of Nitro's own transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NitroTransaction {
    /// 0x64.
    Deposit(Deposit),
    /// 0x65.
    Unsigned(Unsigned),
    /// 0x66.
    Contract(Contract),
    /// 0x68.
    Retry(Retry),
    /// 0x69.
    SubmitRetryable(SubmitRetryable),
    /// 0x6a.
    Internal(Internal),
}

impl NitroTransaction {
    /// Take it out of a node's JSON.
    pub fn from_json(json: &Transaction) -> Result<Self, StackError> {
        let what = format!("transaction {}", json.hash);
        let chain_id = U256::from(need(json.chain_id, &what, "chainId")?);
        let nitro = &json.nitro;
        let request_id = || need(nitro.request_id, &what, "requestId");
        // A cap that the node leaves out is the price that was paid.
        let gas_fee_cap = || need(json.max_fee_per_gas.or(json.gas_price), &what, "maxFeePerGas");
        let to = json.to.map_or(TxKind::Create, TxKind::Call);
        let (from, value, gas, input) = (json.from, json.value, json.gas.to(), json.input.clone());
        Ok(match json.kind_byte() {
            Some(0x64) => Self::Deposit(Deposit {
                chain_id,
                request_id: request_id()?,
                from,
                to: need(json.to, &what, "to")?,
                value,
            }),
            Some(0x65) => Self::Unsigned(Unsigned {
                chain_id,
                from,
                nonce: json.nonce.to(),
                gas_fee_cap: gas_fee_cap()?,
                gas,
                to,
                value,
                input,
            }),
            Some(0x66) => Self::Contract(Contract {
                chain_id,
                request_id: request_id()?,
                from,
                gas_fee_cap: gas_fee_cap()?,
                gas,
                to,
                value,
                input,
            }),
            Some(0x68) => Self::Retry(Retry {
                chain_id,
                nonce: json.nonce.to(),
                from,
                gas_fee_cap: gas_fee_cap()?,
                gas,
                to,
                value,
                input,
                ticket_id: need(nitro.ticket_id, &what, "ticketId")?,
                refund_to: need(nitro.refund_to, &what, "refundTo")?,
                max_refund: need(nitro.max_refund, &what, "maxRefund")?,
                submission_fee_refund: need(nitro.submission_fee_refund, &what, "submissionFeeRefund")?,
            }),
            Some(0x69) => Self::SubmitRetryable(SubmitRetryable {
                chain_id,
                request_id: request_id()?,
                from,
                l1_base_fee: need(nitro.l1_base_fee, &what, "l1BaseFee")?,
                deposit_value: need(nitro.deposit_value, &what, "depositValue")?,
                gas_fee_cap: gas_fee_cap()?,
                gas,
                retry_to: nitro.retry_to.map_or(TxKind::Create, TxKind::Call),
                retry_value: need(nitro.retry_value, &what, "retryValue")?,
                beneficiary: need(nitro.beneficiary, &what, "beneficiary")?,
                max_submission_fee: need(nitro.max_submission_fee, &what, "maxSubmissionFee")?,
                refund_to: need(nitro.refund_to, &what, "refundTo")?,
                retry_data: need(nitro.retry_data.clone(), &what, "retryData")?,
            }),
            Some(0x6a) => Self::Internal(Internal { chain_id, data: input }),
            _ => return Err(StackError::Absent { what, field: "type that Nitro knows" }),
        })
    }

    /// The transaction's type.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Deposit(_) => 0x64,
            Self::Unsigned(_) => 0x65,
            Self::Contract(_) => 0x66,
            Self::Retry(_) => 0x68,
            Self::SubmitRetryable(_) => 0x69,
            Self::Internal(_) => 0x6a,
        }
    }

    /// The envelope, whose keccak256 is the transaction's hash.
    #[must_use]
    pub fn envelope(&self) -> Bytes {
        let fields: &dyn Encodable = match self {
            Self::Deposit(fields) => fields,
            Self::Unsigned(fields) => fields,
            Self::Contract(fields) => fields,
            Self::Retry(fields) => fields,
            Self::SubmitRetryable(fields) => fields,
            Self::Internal(fields) => fields,
        };
        let mut out = vec![self.kind()];
        fields.encode(&mut out);
        out.into()
    }

    /// Read an envelope; nothing may follow it.
    pub fn decode(envelope: &[u8]) -> Result<Self, StackError> {
        fn fields<T: Decodable>(kind: u8, mut rest: &[u8]) -> Result<T, StackError> {
            let found =
                T::decode(&mut rest).map_err(|error| StackError::Rlp { kind, detail: error.to_string() })?;
            if rest.is_empty() {
                return Ok(found);
            }
            Err(StackError::Rlp { kind, detail: format!("{} bytes follow it", rest.len()) })
        }
        let (kind, rest) = envelope
            .split_first()
            .ok_or_else(|| StackError::Rlp { kind: 0, detail: "no bytes".to_owned() })?;
        Ok(match kind {
            0x64 => Self::Deposit(fields(*kind, rest)?),
            0x65 => Self::Unsigned(fields(*kind, rest)?),
            0x66 => Self::Contract(fields(*kind, rest)?),
            0x68 => Self::Retry(fields(*kind, rest)?),
            0x69 => Self::SubmitRetryable(fields(*kind, rest)?),
            0x6a => Self::Internal(fields(*kind, rest)?),
            _ => return Err(StackError::Rlp { kind: *kind, detail: "not a type of Nitro's".to_owned() }),
        })
    }
}
