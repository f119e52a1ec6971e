//! What is said on the recall channel.

use super::presence::Alive;
use crate::{Digest, PublicKey};
use bytes::Bytes;
use commonware_codec::{DecodeExt as _, Encode as _, Error, RangeCfg, Read, ReadExt as _, Write as _};
use commonware_consensus::simplex::{
    scheme::ed25519::Scheme,
    types::{Certificate, Finalization, Vote},
};

/// Votes that one key can have in one view: notarize, and nullify or finalize.
pub(super) const VOTES_MAX: usize = 3;

/// Most bytes of a message: two certificates of 256 seats are a quarter of it.
const BYTES_MAX: usize = 1 << 18;

#[derive(Debug)]
pub(super) enum Message {
    /// What do you have of mine in this term? From this process.
    Ask {
        term: u64,
        instance: u64,
    },
    Answer(Box<Answer>),
    /// A process says that it is this key's, by its number. Is there another?
    Call {
        key: PublicKey,
        instance: u64,
    },
    /// There is.
    Alive(Alive),
}

/// What a peer has of the asker, and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The term that was asked about.
    pub(super) asked: u64,
    /// The term that the peer is in.
    pub(super) present: u64,
    /// Whether the peer has watched that term from its beginning.
    pub(super) whole: bool,
    /// The asker's votes of the highest view in which the peer has any.
    pub(super) votes: Vec<Vote<Scheme, Digest>>,
    /// The certificate of the highest view that the peer has.
    pub(super) certificate: Option<Certificate<Scheme, Digest>>,
    /// The finalization of the highest view that the peer has.
    pub(super) finalization: Option<Finalization<Scheme, Digest>>,
}

impl Message {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        match self {
            Self::Ask { term, instance } => {
                0u8.write(&mut out);
                term.write(&mut out);
                instance.write(&mut out);
            }
            Self::Answer(answer) => {
                1u8.write(&mut out);
                answer.asked.write(&mut out);
                answer.present.write(&mut out);
                answer.whole.write(&mut out);
                answer.votes.write(&mut out);
                answer.certificate.write(&mut out);
                answer.finalization.write(&mut out);
            }
            Self::Call { key, instance } => {
                2u8.write(&mut out);
                key.write(&mut out);
                instance.write(&mut out);
            }
            Self::Alive(alive) => {
                3u8.write(&mut out);
                out.extend_from_slice(&alive.encode());
            }
        }
        out.into()
    }

    /// Certificates may have as many seats as there can be operators.
    pub(super) fn decode(mut bytes: Bytes, seats_max: usize) -> Result<Self, Error> {
        if bytes.len() > BYTES_MAX {
            return Err(Error::InvalidLength(bytes.len()));
        }
        let reader = &mut bytes;
        let message = match u8::read(reader)? {
            0 => Self::Ask { term: u64::read(reader)?, instance: u64::read(reader)? },
            1 => Self::Answer(Box::new(Answer {
                asked: u64::read(reader)?,
                present: u64::read(reader)?,
                whole: bool::read(reader)?,
                votes: Vec::read_cfg(reader, &(RangeCfg::from(..=VOTES_MAX), ()))?,
                certificate: Option::read_cfg(reader, &seats_max)?,
                finalization: Option::read_cfg(reader, &seats_max)?,
            })),
            2 => Self::Call { key: PublicKey::read(reader)?, instance: u64::read(reader)? },
            3 => return Ok(Self::Alive(Alive::decode(bytes)?)),
            _ => return Err(Error::Invalid("recall", "kind")),
        };
        if bytes.is_empty() { Ok(message) } else { Err(Error::ExtraData(bytes.len())) }
    }
}
