//! The first deposit of every block: what the chain knows of L1.

use crate::spec::OpRules;
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, hex};
use op_alloy_consensus::{L1InfoDepositSource, TxDeposit};

/// Who sends it.
pub(crate) const DEPOSITOR: Address = address!("0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001");
/// Who takes it.
pub(crate) const L1_BLOCK: Address = address!("0x4200000000000000000000000000000000000015");
/// Its gas from Regolith on.
const GAS: u64 = 1_000_000;
/// Its gas before, when it counted towards no limit.
const GAS_BEDROCK: u64 = 150_000_000;

/// What a block says about the L1 block that it is built on, and about fees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct L1Info {
    /// The L1 block's number.
    pub number: u64,
    /// Its timestamp, in seconds.
    pub timestamp: u64,
    /// Its base fee, in wei.
    pub base_fee: U256,
    /// Its blob base fee, in wei; zero before Ecotone.
    pub blob_base_fee: U256,
    /// Its hash.
    pub hash: B256,
    /// How many blocks were built on it before this one.
    pub sequence_number: u64,
    /// Who posts batches.
    pub batcher: B256,
    /// The share of the L1 base fee, in millionths.
    pub base_fee_scalar: U256,
    /// The share of the blob base fee, in millionths. Before Ecotone: gas that is added to that of the data.
    pub blob_base_fee_scalar: U256,
    /// The operator fee by gas, in millionths until Jovian and in hundreds from it on; zero before Isthmus.
    pub operator_fee_scalar: u32,
    /// The operator fee by transaction, in wei; zero before Isthmus.
    pub operator_fee_constant: u64,
    /// Gas that a byte of compressed data stands for; zero before Jovian.
    pub da_footprint_gas_scalar: u16,
}

/// Why a deposit does not carry what is known of L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum L1InfoError {
    /// Another sender, recipient, value, mint, gas or mark than it has.
    #[error("not sent as the L1 information is")]
    Envelope,
    /// Another function than that of the fork.
    #[error("not the call of this fork")]
    Selector,
    /// Data of another length, or numbers larger than their type.
    #[error("data that the call does not take")]
    Data,
    /// The source hash is not that of the L1 block and the sequence number.
    #[error("a source hash of something else")]
    Source,
}

/// The forms of the call, each with its selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// `setL1BlockValues(uint64,uint64,uint256,bytes32,uint64,bytes32,uint256,uint256)`.
    Bedrock,
    /// `setL1BlockValuesEcotone()`, packed.
    Ecotone,
    /// `setL1BlockValuesIsthmus()`, packed: adds the operator fee.
    Isthmus,
    /// `setL1BlockValuesJovian()`, packed: adds the footprint of data.
    Jovian,
}

impl Form {
    /// The form in a child of a block at `parent_timestamp`, in seconds. The first block of a fork still has the form of
    /// the fork before: what takes the new one is deployed in that very block.
    fn after(rules: &OpRules, parent_timestamp: u64) -> Self {
        let forms = [
            (OpHardfork::Jovian, Self::Jovian),
            (OpHardfork::Isthmus, Self::Isthmus),
            (OpHardfork::Ecotone, Self::Ecotone),
        ];
        let form = forms.into_iter().find(|(fork, _)| rules.is_active(*fork, parent_timestamp));
        form.map_or(Self::Bedrock, |(_, form)| form)
    }

    const fn selector(self) -> [u8; 4] {
        match self {
            Self::Bedrock => hex!("015d8eb9"),
            Self::Ecotone => hex!("440a5e20"),
            Self::Isthmus => hex!("098999be"),
            Self::Jovian => hex!("3db6be2b"),
        }
    }
}

impl L1Info {
    /// The deposit that carries it in a block at `timestamp` on a parent at `parent_timestamp`, both in seconds.
    #[must_use]
    pub fn deposit(&self, rules: &OpRules, parent_timestamp: u64, timestamp: u64) -> TxDeposit {
        let regolith = rules.is_active(OpHardfork::Regolith, timestamp);
        TxDeposit {
            source_hash: L1InfoDepositSource::new(self.hash, self.sequence_number).source_hash(),
            from: DEPOSITOR,
            to: TxKind::Call(L1_BLOCK),
            mint: 0,
            value: U256::ZERO,
            gas_limit: if regolith { GAS } else { GAS_BEDROCK },
            is_system_transaction: !regolith,
            input: self.call(Form::after(rules, parent_timestamp)),
        }
    }

    /// Read it out of a block's first deposit.
    pub fn from_deposit(
        rules: &OpRules,
        parent_timestamp: u64,
        timestamp: u64,
        deposit: &TxDeposit,
    ) -> Result<Self, L1InfoError> {
        let info = Self::from_call(Form::after(rules, parent_timestamp), &deposit.input)?;
        let expected = info.deposit(rules, parent_timestamp, timestamp);
        if deposit.source_hash != expected.source_hash {
            return Err(L1InfoError::Source);
        }
        if *deposit != expected {
            return Err(L1InfoError::Envelope);
        }
        Ok(info)
    }

    fn call(&self, form: Form) -> Bytes {
        let mut call = form.selector().to_vec();
        if form == Form::Bedrock {
            let words: [[u8; 32]; 8] = [
                U256::from(self.number).to_be_bytes(),
                U256::from(self.timestamp).to_be_bytes(),
                self.base_fee.to_be_bytes(),
                self.hash.0,
                U256::from(self.sequence_number).to_be_bytes(),
                self.batcher.0,
                self.blob_base_fee_scalar.to_be_bytes(),
                self.base_fee_scalar.to_be_bytes(),
            ];
            call.extend(words.concat());
            return call.into();
        }
        call.extend(self.base_fee_scalar.saturating_to::<u32>().to_be_bytes());
        call.extend(self.blob_base_fee_scalar.saturating_to::<u32>().to_be_bytes());
        for number in [self.sequence_number, self.timestamp, self.number] {
            call.extend(number.to_be_bytes());
        }
        call.extend(self.base_fee.to_be_bytes::<32>());
        call.extend(self.blob_base_fee.to_be_bytes::<32>());
        call.extend(self.hash);
        call.extend(self.batcher);
        if form >= Form::Isthmus {
            call.extend(self.operator_fee_scalar.to_be_bytes());
            call.extend(self.operator_fee_constant.to_be_bytes());
        }
        if form >= Form::Jovian {
            call.extend(self.da_footprint_gas_scalar.to_be_bytes());
        }
        call.into()
    }

    fn from_call(form: Form, call: &[u8]) -> Result<Self, L1InfoError> {
        let mut rest = call.strip_prefix(&form.selector()).ok_or(L1InfoError::Selector)?;
        let rest = &mut rest;
        let info = if form == Form::Bedrock {
            Self {
                number: word(rest)?.try_into().map_err(|_| L1InfoError::Data)?,
                timestamp: word(rest)?.try_into().map_err(|_| L1InfoError::Data)?,
                base_fee: word(rest)?,
                hash: take::<32>(rest)?.into(),
                sequence_number: word(rest)?.try_into().map_err(|_| L1InfoError::Data)?,
                batcher: take::<32>(rest)?.into(),
                blob_base_fee_scalar: word(rest)?,
                base_fee_scalar: word(rest)?,
                ..Self::default()
            }
        } else {
            // Fields of an initialiser are evaluated as they are written: in the order of the data.
            Self {
                base_fee_scalar: U256::from(u32::from_be_bytes(take(rest)?)),
                blob_base_fee_scalar: U256::from(u32::from_be_bytes(take(rest)?)),
                sequence_number: u64::from_be_bytes(take(rest)?),
                timestamp: u64::from_be_bytes(take(rest)?),
                number: u64::from_be_bytes(take(rest)?),
                base_fee: word(rest)?,
                blob_base_fee: word(rest)?,
                hash: take::<32>(rest)?.into(),
                batcher: take::<32>(rest)?.into(),
                operator_fee_scalar: if form >= Form::Isthmus { u32::from_be_bytes(take(rest)?) } else { 0 },
                operator_fee_constant: if form >= Form::Isthmus {
                    u64::from_be_bytes(take(rest)?)
                } else {
                    0
                },
                da_footprint_gas_scalar: if form >= Form::Jovian {
                    u16::from_be_bytes(take(rest)?)
                } else {
                    0
                },
            }
        };
        if rest.is_empty() { Ok(info) } else { Err(L1InfoError::Data) }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], L1InfoError> {
    let (bytes, after) = rest.split_first_chunk().ok_or(L1InfoError::Data)?;
    *rest = after;
    Ok(*bytes)
}

fn word(rest: &mut &[u8]) -> Result<U256, L1InfoError> {
    Ok(U256::from_be_bytes(take::<32>(rest)?))
}
