//! Which seats of a committee signed.

use crate::committee::{OPERATORS_MAX, Seat};
use hum_types::{Decode, DecodeError, Encode, Reader};

/// A set of seats: `operators 2 ‖ bitmap ceil(operators / 8)`, seat `i` is bit `i % 8` of byte `i / 8`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Signers {
    operators: u16,
    /// Bits at `operators` and above are zero.
    bits: Vec<u8>,
}

impl Signers {
    /// Nobody, in a committee of `operators`.
    #[must_use]
    pub fn none(operators: u16) -> Self {
        Self { operators, bits: vec![0; usize::from(operators).div_ceil(8)] }
    }

    /// Operators in the committee.
    #[must_use]
    pub const fn operators(&self) -> u16 {
        self.operators
    }

    /// Add a seat; `false` when it is in already or the committee does not have it.
    pub fn insert(&mut self, seat: Seat) -> bool {
        if seat.0 >= self.operators || self.contains(seat) {
            return false;
        }
        self.bits[usize::from(seat.0 / 8)] |= 1 << (seat.0 % 8);
        true
    }

    /// Whether the seat signed.
    #[must_use]
    pub fn contains(&self, seat: Seat) -> bool {
        self.bits.get(usize::from(seat.0 / 8)).is_some_and(|byte| byte >> (seat.0 % 8) & 1 == 1)
    }

    /// Seats that signed, ascending.
    pub fn present(&self) -> impl Iterator<Item = Seat> + '_ {
        (0..self.operators).map(Seat).filter(|seat| self.contains(*seat))
    }

    /// Seats that did not sign, ascending.
    pub fn absent(&self) -> impl Iterator<Item = Seat> + '_ {
        (0..self.operators).map(Seat).filter(|seat| !self.contains(*seat))
    }

    /// How many signed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bits.iter().map(|byte| byte.count_ones() as usize).sum()
    }
}

impl Encode for Signers {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.operators.to_be_bytes());
        out.extend_from_slice(&self.bits);
    }
}

impl Decode for Signers {
    const WHAT: &'static str = "signers";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let operators = reader.u16("operators")?;
        if usize::from(operators) > OPERATORS_MAX {
            return Err(DecodeError::TooLong {
                field: "operators",
                declared: operators.into(),
                bound: OPERATORS_MAX,
            });
        }
        if operators == 0 {
            return Err(DecodeError::Value { field: "operators", value: 0 });
        }
        let bits = reader.take("signer bitmap", usize::from(operators).div_ceil(8))?.to_vec();
        let last = bits.last().copied().unwrap_or_default();
        if operators % 8 != 0 && last >> (operators % 8) != 0 {
            return Err(DecodeError::Malformed {
                field: "signer bitmap",
                reason: "has bits past the last operator",
            });
        }
        Ok(Self { operators, bits })
    }
}
