//! What a chain's machine can do of what our contracts use: each feature is asked for a known answer, by `eth_call`.
//!
//! Precompiles are called at their addresses. Instructions are run by init code that the deterministic deployer is asked to create:
//! it fails where an instruction is unknown or answers something else. A chain without a precompile answers success and no data,
//! so lengths count.

use super::{CREATE2_DEPLOYER, SALT};
use crate::{At, Chain, ReadError};
use alloy_primitives::{hex, hex::FromHexError};
use futures::future::{BoxFuture, FutureExt as _, try_join_all};
use hum_types::{Address, Bytes, ChainId};
use std::fmt;

/// Something that a chain's machine has or lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `PUSH0`, of Shanghai.
    Push0,
    /// `MCOPY`, of Cancun.
    Mcopy,
    /// `TLOAD` and `TSTORE`, of Cancun.
    TransientStorage,
    /// `EXTCODECOPY`: committee tables are kept as code.
    ReadCode,
    /// `ecrecover`, 0x01.
    Recover,
    /// SHA-256, 0x02.
    Sha256,
    /// Modular exponentiation, 0x05.
    ModExp,
    /// Addition on BN254, 0x06.
    EcAdd,
    /// Multiplication on BN254, 0x07.
    EcMul,
    /// Pairing on BN254, 0x08.
    EcPairing,
}

/// Who needs a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every chain with our contracts.
    Everywhere,
    /// Nobody: without it tables are kept in storage, and certificates cost more.
    Cheaper,
    /// L1, where faults are judged.
    OnL1,
    /// Nobody.
    Nobody,
}

/// What a chain made of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The known answer.
    Works,
    /// None.
    Lacks {
        /// What the node said.
        detail: String,
    },
    /// Another one.
    Wrong {
        /// Its answer.
        found: Bytes,
        /// The known one.
        expected: Bytes,
    },
}

/// What a chain can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The chain.
    pub chain_id: ChainId,
    /// In the order of [`Feature::ALL`].
    pub answers: Vec<(Feature, Answer)>,
}

const G1: &str = "0000000000000000000000000000000000000000000000000000000000000001\
    0000000000000000000000000000000000000000000000000000000000000002";
const MINUS_G1: &str = "0000000000000000000000000000000000000000000000000000000000000001\
    30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45";
const TWICE_G1: &str = "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3\
    15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4";
const G2: &str = "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2\
    1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed\
    090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b\
    12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";
const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const TWO: &str = "0000000000000000000000000000000000000000000000000000000000000002";

impl Feature {
    /// All that are asked for.
    pub const ALL: [Self; 10] = [
        Self::Push0,
        Self::Mcopy,
        Self::TransientStorage,
        Self::ReadCode,
        Self::Recover,
        Self::Sha256,
        Self::ModExp,
        Self::EcAdd,
        Self::EcMul,
        Self::EcPairing,
    ];

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push0 => "PUSH0",
            Self::Mcopy => "MCOPY",
            Self::TransientStorage => "TLOAD, TSTORE",
            Self::ReadCode => "EXTCODECOPY",
            Self::Recover => "ecrecover (0x01)",
            Self::Sha256 => "sha256 (0x02)",
            Self::ModExp => "modexp (0x05)",
            Self::EcAdd => "ecAdd (0x06)",
            Self::EcMul => "ecMul (0x07)",
            Self::EcPairing => "ecPairing (0x08)",
        }
    }

    /// Who needs it.
    #[must_use]
    pub const fn need(self) -> Need {
        match self {
            Self::Push0
            | Self::Mcopy
            | Self::TransientStorage
            | Self::EcAdd
            | Self::EcMul
            | Self::EcPairing => Need::Everywhere,
            Self::ReadCode => Need::Cheaper,
            Self::Recover | Self::ModExp => Need::OnL1,
            Self::Sha256 => Need::Nobody,
        }
    }

    /// Whom to ask, what, and the known answer, all in hex; init code has none that is known before.
    const fn question(self) -> (u8, [&'static str; 4], Option<[&'static str; 2]>) {
        match self {
            // return(0, 0)
            Self::Push0 => (0, ["5f5ff3", "", "", ""], None),
            // mcopy(0, 0, 0)
            Self::Mcopy => (0, ["5f5f5f5e", "5f5ff3", "", ""], None),
            // tstore(0, 7), then fails unless tload(0) is 7
            Self::TransientStorage => (0, ["60075f5d", "5f5c600714", "600d57fe5b", "5f5ff3"], None),
            // Copies the deployer's code; fails when its first word is zero.
            Self::ReadCode => (0, ["60205f5f333c", "5f51", "600c57fe5b", "5f5ff3"], None),
            Self::Recover => (
                1,
                [
                    "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3",
                    "000000000000000000000000000000000000000000000000000000000000001c",
                    "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608",
                    "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada",
                ],
                Some(["000000000000000000000000", "7156526fbd7a3c72969b54f64e42c10fbb768c8a"]),
            ),
            Self::Sha256 => (
                2,
                ["", "", "", ""],
                Some(["e3b0c44298fc1c149afbf4c8996fb924", "27ae41e4649b934ca495991b7852b855"]),
            ),
            // 2 to the 10th modulo 1,000, lengths 1, 1 and 2.
            Self::ModExp => (5, [ONE, ONE, TWO, "020a03e8"], Some(["0018", ""])),
            Self::EcAdd => (6, [G1, G1, "", ""], Some([TWICE_G1, ""])),
            Self::EcMul => (7, [G1, TWO, "", ""], Some([TWICE_G1, ""])),
            // The pairings of a point and of its negative cancel.
            Self::EcPairing => (8, [G1, G2, MINUS_G1, G2], Some([ONE, ""])),
        }
    }

    /// The call that asks for it.
    fn call(self) -> Result<(Address, Bytes), FromHexError> {
        let (precompile, parts, _) = self.question();
        let data = hex::decode(parts.concat())?;
        Ok(if precompile == 0 {
            (CREATE2_DEPLOYER, [SALT.as_slice(), &data].concat().into())
        } else {
            (Address::with_last_byte(precompile), data.into())
        })
    }

    /// What an answer says. Fails only when the chain could not be asked.
    fn judge(self, answer: Result<Bytes, ReadError>) -> Result<Answer, ReadError> {
        let found = match answer {
            Ok(found) => found,
            Err(ReadError::Reverted { message, .. } | ReadError::Node { message, .. }) => {
                return Ok(Answer::Lacks { detail: message });
            }
            Err(error) => return Err(error),
        };
        if found.is_empty() {
            return Ok(Answer::Lacks { detail: "success and no data".into() });
        }
        let (_, _, known) = self.question();
        let expected = match known {
            Some(parts) => hex::decode(parts.concat()).unwrap_or_default(),
            // Where the deployer would have put it: any address, and no more.
            None if found.len() == 20 => return Ok(Answer::Works),
            None => Vec::new(),
        };
        if known.is_some() && found.as_ref() == expected {
            return Ok(Answer::Works);
        }
        Ok(Answer::Wrong { found, expected: expected.into() })
    }
}

#[cfg(test)]
pub(super) fn judged(feature: Feature, answer: Result<Bytes, ReadError>) -> Result<Answer, ReadError> {
    feature.judge(answer)
}

impl Probe {
    /// Ask a chain that has the deterministic deployer.
    pub async fn of(chain: &dyn Chain) -> Result<Self, ReadError> {
        let asked = Feature::ALL.map(|feature| -> BoxFuture<'_, Result<(Feature, Answer), ReadError>> {
            async move {
                let method = "eth_call";
                let (to, data) = feature
                    .call()
                    .map_err(|error| ReadError::Garbage { method, detail: error.to_string() })?;
                Ok((feature, feature.judge(chain.call(to, data, At::LATEST).await)?))
            }
            .boxed()
        });
        Ok(Self { chain_id: chain.chain_id(), answers: try_join_all(asked).await? })
    }

    /// What it lacks that every chain needs.
    pub fn lacking(&self) -> impl Iterator<Item = Feature> + '_ {
        let lacks = |(feature, answer): &&(Feature, Answer)| {
            feature.need() == Need::Everywhere && *answer != Answer::Works
        };
        self.answers.iter().filter(lacks).map(|(feature, _)| *feature)
    }

    /// Whether it has a feature.
    #[must_use]
    pub fn has(&self, wanted: Feature) -> bool {
        self.answers.iter().any(|(feature, answer)| *feature == wanted && *answer == Answer::Works)
    }
}

/// A line for each feature.
impl fmt::Display for Probe {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (feature, answer) in &self.answers {
            let need = match feature.need() {
                Need::Everywhere => "needed",
                Need::Cheaper => "makes certificates cheaper",
                Need::OnL1 => "needed on L1 only",
                Need::Nobody => "not needed",
            };
            let found = match answer {
                Answer::Works => "works".to_owned(),
                Answer::Lacks { detail } => format!("missing ({detail})"),
                Answer::Wrong { found, expected } => format!("answers {found}, expected {expected}"),
            };
            writeln!(out, "{:<18} {found}; {need}", feature.name())?;
        }
        Ok(())
    }
}
