//! The messages that a block's receipts show.
//!
//! A gateway writes `MessageSent(bytes32 indexed sendId, bytes sender, bytes recipient, bytes payload, uint256 value,
//! bytes[] attributes)` (ERC-7786) in Solidity's own ABI encoding, where every offset points to the next free place.
//! Only that one encoding is read: it cannot make a small log stand for much data, and our contracts write no other.

use crate::receipts::Receipt;
use alloy_primitives::{Address, B256, Bytes, Log, U256, b256, hex};
use hum_types::{
    ChainId, GAS_LIMIT_DEFAULT, InteropAddress, InteropAddressError, LaneId, LaneMessage, Message,
    PAYLOAD_BYTES_MAX,
};

/// Topic 0 of `MessageSent`.
pub const MESSAGE_SENT: B256 = b256!("7446eaa0a0dda80670b3bfe972bfbefab659bcfb67abad4e0b64dc4630a70481");
/// Selector of the attribute `minGasLimit(uint256)`.
pub const MIN_GAS_LIMIT: [u8; 4] = hex!("39f87ba1");
/// Attributes that one message can carry.
const ATTRIBUTES_MAX: usize = 16;
/// Bytes of an ABI word.
const WORD: usize = 32;

/// A message as its gateway logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// The lane it entered, and the message.
    pub sent: LaneMessage,
    /// The id that the gateway gave it.
    pub send_id: B256,
}

/// A log from a gateway's address that is not what a gateway writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedGatewayLog {
    /// The gateway's address.
    pub facade: Address,
    /// Position of the transaction in the block.
    pub transaction: usize,
    /// What is wrong with it.
    pub error: GatewayLogError,
}

/// Why a `MessageSent` log is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayLogError {
    /// Not two topics.
    #[error("{0} topics, 2 expected")]
    Topics(usize),
    /// The data are not the ABI encoding that Solidity writes.
    #[error("{0} is not where or what Solidity's encoding puts it")]
    Encoding(&'static str),
    /// An address is not a canonical ERC-7930 address of an EVM account.
    #[error("{field}: {error}")]
    Address {
        /// Whose address.
        field: &'static str,
        /// What is wrong with it.
        error: InteropAddressError,
    },
    /// The sender is said to live on another chain.
    #[error("sender is on chain {declared}, the log on chain {expected}")]
    SenderChain {
        /// In the log.
        declared: ChainId,
        /// The rollup's own.
        expected: ChainId,
    },
    /// The payload is longer than a gateway takes.
    #[error("payload of {declared} bytes, at most {most} are taken")]
    Payload {
        /// Its length.
        declared: usize,
        /// The most.
        most: usize,
    },
    /// Value, which our gateways do not carry.
    #[error("a message with value")]
    Value,
    /// An attribute that our gateways refuse.
    #[error("attribute {0} is unknown, repeated or out of range")]
    Attribute(usize),
}

/// The messages in `receipts` from `facades`, in log order, and the logs that cannot be one.
pub(crate) fn outgoing(
    receipts: &[Receipt],
    facades: &[Address],
    chain_id: ChainId,
) -> (Vec<OutgoingMessage>, Vec<MalformedGatewayLog>) {
    let (mut messages, mut malformed) = (Vec::new(), Vec::new());
    for (transaction, receipt) in receipts.iter().enumerate() {
        for log in receipt.logs() {
            if !facades.contains(&log.address) || log.topics().first() != Some(&MESSAGE_SENT) {
                continue;
            }
            match decode(log, chain_id) {
                Ok(message) => messages.push(message),
                Err(error) => {
                    malformed.push(MalformedGatewayLog { facade: log.address, transaction, error });
                }
            }
        }
    }
    (messages, malformed)
}

/// The messages in a block's logs from `facades`, in log order; the first log that cannot be one is an error.
pub fn messages_of<'a>(
    logs: impl IntoIterator<Item = &'a Log>,
    facades: &[Address],
    chain_id: ChainId,
) -> Result<Vec<OutgoingMessage>, GatewayLogError> {
    let sent = |log: &&Log| facades.contains(&log.address) && log.topics().first() == Some(&MESSAGE_SENT);
    logs.into_iter().filter(sent).map(|log| decode(log, chain_id)).collect()
}

fn decode(log: &Log, chain_id: ChainId) -> Result<OutgoingMessage, GatewayLogError> {
    let &[_, send_id] = log.topics() else { return Err(GatewayLogError::Topics(log.topics().len())) };
    let data = &log.data.data;
    let mut abi = Abi { data, tail: 5 * WORD };
    let sender = abi.bytes("sender", 0, 0)?;
    let recipient = abi.bytes("recipient", WORD, 0)?;
    let payload = abi.bytes("payload", 2 * WORD, 0)?;
    if abi.word("value", 3 * WORD)? != U256::ZERO {
        return Err(GatewayLogError::Value);
    }
    let attributes = abi.array("attributes", 4 * WORD)?;
    if abi.tail != data.len() {
        return Err(GatewayLogError::Encoding("end"));
    }

    let address = |field, bytes| {
        InteropAddress::try_from(bytes).map_err(|error| GatewayLogError::Address { field, error })
    };
    let (sender, recipient) = (address("sender", sender)?, address("recipient", recipient)?);
    if sender.chain_id != chain_id {
        return Err(GatewayLogError::SenderChain { declared: sender.chain_id, expected: chain_id });
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(GatewayLogError::Payload { declared: payload.len(), most: PAYLOAD_BYTES_MAX });
    }
    let mut min_gas_limit = None;
    for (index, attribute) in attributes.into_iter().enumerate() {
        let value = attribute
            .strip_prefix(&MIN_GAS_LIMIT)
            .and_then(|value| <[u8; WORD]>::try_from(value).ok())
            .and_then(|value| u32::try_from(U256::from_be_bytes(value)).ok())
            .filter(|_| min_gas_limit.is_none());
        min_gas_limit = Some(value.ok_or(GatewayLogError::Attribute(index))?);
    }
    Ok(OutgoingMessage {
        sent: LaneMessage {
            lane: LaneId { facade: log.address, destination: recipient.chain_id },
            message: Message {
                sender: sender.address,
                recipient: recipient.address,
                min_gas_limit: min_gas_limit.unwrap_or(GAS_LIMIT_DEFAULT),
                payload: Bytes::copy_from_slice(payload),
            },
        },
        send_id,
    })
}

/// A cursor over ABI data in the one order that Solidity writes: `tail` is where the next dynamic value must stand.
struct Abi<'a> {
    data: &'a [u8],
    tail: usize,
}

impl<'a> Abi<'a> {
    fn word(&self, field: &'static str, at: usize) -> Result<U256, GatewayLogError> {
        let bytes = self.data.get(at..).and_then(|rest| rest.first_chunk::<WORD>());
        bytes.map(|bytes| U256::from_be_bytes(*bytes)).ok_or(GatewayLogError::Encoding(field))
    }

    /// The length that stands at the tail, where the offset at `head` (counted from `base`) must point.
    fn enter(&mut self, field: &'static str, head: usize, base: usize) -> Result<usize, GatewayLogError> {
        let bad = GatewayLogError::Encoding(field);
        if self.word(field, head)? != U256::from(self.tail - base) {
            return Err(bad);
        }
        let length = usize::try_from(self.word(field, self.tail)?).map_err(|_| bad)?;
        self.tail += WORD;
        Ok(length)
    }

    fn bytes(&mut self, field: &'static str, head: usize, base: usize) -> Result<&'a [u8], GatewayLogError> {
        let length = self.enter(field, head, base)?;
        let rest = self.data.get(self.tail..).unwrap_or_default();
        // The length must be there before it is rounded up, so that rounding cannot overflow.
        let bytes = rest.get(..length).ok_or(GatewayLogError::Encoding(field))?;
        let padded = length.next_multiple_of(WORD);
        if rest.len() < padded {
            return Err(GatewayLogError::Encoding(field));
        }
        self.tail += padded;
        Ok(bytes)
    }

    fn array(&mut self, field: &'static str, head: usize) -> Result<Vec<&'a [u8]>, GatewayLogError> {
        let count = self.enter(field, head, 0)?;
        if count > ATTRIBUTES_MAX {
            return Err(GatewayLogError::Encoding(field));
        }
        let base = self.tail;
        self.tail += count * WORD;
        (0..count).map(|index| self.bytes(field, base + index * WORD, base)).collect()
    }
}
