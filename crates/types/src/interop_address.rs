//! ERC-7930 addresses of EVM chains: canonical bytes only, in both directions.

use crate::{Address, ChainId};

/// An account on an EVM chain, as ERC-7930 v1 writes it with chain type 0 (eip155).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InteropAddress {
    /// The chain.
    pub chain_id: ChainId,
    /// The account.
    pub address: Address,
}

/// Why bytes are not the canonical ERC-7930 form of an EVM account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InteropAddressError {
    /// Version or chain type are not 1 and eip155.
    #[error("interoperable address starts {found:02x?}, expected version 1 and chain type eip155")]
    Prefix {
        /// The first four bytes, zero filled.
        found: [u8; 4],
    },
    /// The chain reference is empty, too long for a chain id that we take, or starts with zero.
    #[error("chain reference of {length} bytes is empty, longer than 8 bytes or starts with zero")]
    ChainReference {
        /// Its length in bytes.
        length: usize,
    },
    /// The whole does not have the length that its parts declare with a 20-byte address.
    #[error("interoperable address has {found} bytes, {expected} expected")]
    Length {
        /// The bytes there are.
        found: usize,
        /// The bytes there should be.
        expected: usize,
    },
    /// The declared address length is not 20.
    #[error("address declares {declared} bytes, an EVM account has 20")]
    AddressLength {
        /// The declared length.
        declared: u8,
    },
}

impl InteropAddress {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let id = self.chain_id.0.to_be_bytes();
        let reference = &id[id.iter().position(|b| *b != 0).unwrap_or(id.len() - 1)..];
        let mut out = vec![0, 1, 0, 0, reference.len() as u8];
        out.extend_from_slice(reference);
        out.push(20);
        out.extend_from_slice(self.address.as_slice());
        out
    }
}

impl TryFrom<&[u8]> for InteropAddress {
    type Error = InteropAddressError;

    fn try_from(bytes: &[u8]) -> Result<Self, InteropAddressError> {
        let mut found = [0; 4];
        let prefix = bytes.len().min(4);
        found[..prefix].copy_from_slice(&bytes[..prefix]);
        let (Some([0, 1, 0, 0]), Some(&length)) = (bytes.first_chunk::<4>(), bytes.get(4)) else {
            return Err(InteropAddressError::Prefix { found });
        };
        let length = usize::from(length);
        let expected = 5 + length + 1 + 20;
        let reference = bytes.get(5..5 + length).unwrap_or_default();
        if reference.is_empty() || reference.len() > 8 || reference[0] == 0 {
            return Err(InteropAddressError::ChainReference { length });
        }
        let declared = bytes.get(5 + length).copied().unwrap_or(0);
        if declared != 20 {
            return Err(InteropAddressError::AddressLength { declared });
        }
        if bytes.len() != expected {
            return Err(InteropAddressError::Length { found: bytes.len(), expected });
        }
        let mut id = [0; 8];
        id[8 - length..].copy_from_slice(reference);
        Ok(Self {
            chain_id: ChainId(u64::from_be_bytes(id)),
            address: Address::from_slice(&bytes[expected - 20..]),
        })
    }
}
