//! Fixed-width, big-endian, bounded encoding. One reader, so that every bound and every refusal reads the same.

use alloy_primitives::{Address, B256, Bytes};

/// Why bytes are not the canonical encoding of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends before the field does.
    #[error("{field} needs {needed} bytes, {left} are left")]
    Truncated {
        /// The field being read.
        field: &'static str,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes follow the last field.
    #[error("{left} bytes follow the end of {what}")]
    Trailing {
        /// The value that was read.
        what: &'static str,
        /// Bytes that follow it.
        left: usize,
    },
    /// A declared length is above its bound.
    #[error("{field} declares {declared}, at most {bound} are allowed")]
    TooLong {
        /// The field being read.
        field: &'static str,
        /// The length that the input declares.
        declared: usize,
        /// The most that is allowed.
        bound: usize,
    },
    /// A field has a value that no encoder writes.
    #[error("{field} has the unknown or non-canonical value {value}")]
    Value {
        /// The field being read.
        field: &'static str,
        /// The value found.
        value: u64,
    },
    /// A field has the right length but is not what it should be, such as a point off its curve.
    #[error("{field} {reason}")]
    Malformed {
        /// The field being read.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Values with one canonical encoding.
pub trait Encode {
    /// Append the encoding to `out`.
    fn encode_to(&self, out: &mut Vec<u8>);

    /// The encoding.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_to(&mut out);
        out
    }
}

/// Values that can be read back from their encoding.
pub trait Decode: Sized {
    /// What the value is called in errors.
    const WHAT: &'static str;

    /// Read one value from the front of `reader`.
    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Read one value that takes all of `bytes`.
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode_from(&mut reader)?;
        reader.finish(Self::WHAT)?;
        Ok(value)
    }
}

/// A cursor over untrusted bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(DecodeError::Truncated { field, needed: count, left: self.rest.len() });
        };
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let left = self.rest.len();
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(DecodeError::Truncated { field, needed: N, left });
        };
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    /// Two bytes.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    /// Sixteen bytes.
    pub fn u128(&mut self, field: &'static str) -> Result<u128, DecodeError> {
        Ok(u128::from_be_bytes(self.array(field)?))
    }

    /// A 32-byte hash.
    pub fn b256(&mut self, field: &'static str) -> Result<B256, DecodeError> {
        Ok(B256::new(self.array(field)?))
    }

    /// A 20-byte address.
    pub fn address(&mut self, field: &'static str) -> Result<Address, DecodeError> {
        Ok(Address::new(self.array(field)?))
    }

    /// A four-byte length of at most `bound`.
    pub fn length(&mut self, field: &'static str, bound: usize) -> Result<usize, DecodeError> {
        let declared = self.u32(field)? as usize;
        if declared > bound {
            return Err(DecodeError::TooLong { field, declared, bound });
        }
        Ok(declared)
    }

    /// A four-byte length of at most `bound`, then that many bytes.
    pub fn bytes(&mut self, field: &'static str, bound: usize) -> Result<Bytes, DecodeError> {
        let count = self.length(field, bound)?;
        Ok(Bytes::copy_from_slice(self.take(field, count)?))
    }

    /// A four-byte count of at most `bound`, then that many values.
    pub fn list<T: Decode>(&mut self, field: &'static str, bound: usize) -> Result<Vec<T>, DecodeError> {
        let count = self.length(field, bound)?;
        // A declared count reserves nothing: memory grows only with bytes that are really there.
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(T::decode_from(self)?);
        }
        Ok(values)
    }

    /// Refuse bytes after the last field.
    pub const fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing { what, left: self.rest.len() }) }
    }
}

impl Encode for B256 {
    fn encode_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_slice());
    }
}

impl Decode for B256 {
    const WHAT: &'static str = "hash";

    fn decode_from(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.b256(Self::WHAT)
    }
}

/// Append a four-byte length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&length_u32(bytes.len()).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Append a four-byte count and the values.
pub fn put_list<T: Encode>(out: &mut Vec<u8>, values: &[T]) {
    out.extend_from_slice(&length_u32(values.len()).to_be_bytes());
    for value in values {
        value.encode_to(out);
    }
}

/// Lengths of values that we build are bounded far below `u32::MAX`; a longer one is our own mistake.
fn length_u32(length: usize) -> u32 {
    u32::try_from(length).expect("our own values are shorter than 4 GiB")
}
