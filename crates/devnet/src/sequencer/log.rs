//! The blocks that a sequencer made, one after another in one file that only grows.
//!
//! ```text
//! file   = "hum/blocks/1" 12 ‖ genesis hash 32 ‖ record…
//! record = length 4 ‖ check of the length 4 ‖ check of the body 8 ‖ body
//! body   = RLP [the block's RLP as a string, [execution request…]]
//! ```
//!
//! Checks are the first bytes of keccak-256. A record that a crash left unfinished is the last one and was never announced:
//! it is cut off. Anything else that does not check is damage to what was announced, and nothing goes on over it.

use alloy::primitives::{B256, Bytes, keccak256};
use alloy_rlp::{Decodable as _, RlpDecodable, RlpEncodable};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 12] = b"hum/blocks/1";
const PREFIX_BYTES: u64 = 12 + 32;
const HEAD_BYTES: usize = 4 + 4 + 8;
/// Bytes of a record's body: above any block of ours, and a bound for what a damaged length makes us read.
const BODY_BYTES_MAX: u32 = 64 << 20;

/// A block as its sequencer made it.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct MadeBlock {
    /// Its RLP.
    pub(crate) rlp: Bytes,
    /// Execution requests (EIP-7685), which the block has only the hash of.
    pub(crate) requests: Vec<Bytes>,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no log of blocks.
    #[error("{path} is no log of blocks")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The blocks of another chain.
    #[error("{path} is of the chain with genesis {declared}, this one's is {computed}")]
    Genesis {
        /// The file.
        path: PathBuf,
        /// In the file.
        declared: B256,
        /// The chain's.
        computed: B256,
    },
    /// What was written and announced is no longer what it was.
    #[error("{path} is damaged in record {record}, at byte {at}: restore it from a copy, or from L1")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record, from 0.
        record: u64,
        /// Where it begins.
        at: u64,
    },
    /// A write failed, and so did taking it back: the file must be opened again.
    #[error("{path} is left unfinished by a write that failed; start again")]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a log from its beginning. The log is appended to after all of it was read.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of the file.
    length: u64,
    /// Where the next record begins.
    at: u64,
    records: u64,
    /// Bytes at the end that a crash left unfinished.
    torn: u64,
}

/// A log that is appended to.
#[derive(Debug)]
pub(crate) struct BlockLog {
    path: PathBuf,
    file: File,
    length: u64,
    broken: bool,
}

impl LogReader {
    /// Open the log of the chain with this genesis; make it when there is none.
    pub(crate) fn open(path: &Path, genesis: B256) -> Result<Self, LogError> {
        let failed = |source| LogError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut length = file.metadata().map_err(failed)?.len();
        // Nothing is announced before the prefix is whole.
        if length < PREFIX_BYTES {
            let mut found = Vec::new();
            file.read_to_end(&mut found).map_err(failed)?;
            let prefix = [MAGIC.as_slice(), genesis.as_slice()].concat();
            if !prefix.starts_with(&found) && found.iter().any(|byte| *byte != 0) {
                return Err(LogError::Foreign { path: path.to_owned() });
            }
            let write = |file: &mut File| {
                file.seek(SeekFrom::Start(0))?;
                file.set_len(0)?;
                file.write_all(&prefix)?;
                file.sync_all()
            };
            write(&mut file).map_err(failed)?;
            sync_directory_of(path).map_err(failed)?;
            length = PREFIX_BYTES;
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut file = BufReader::new(file);
        let (mut magic, mut declared) = ([0; MAGIC.len()], B256::ZERO);
        file.read_exact(&mut magic)
            .and_then(|()| file.read_exact(declared.as_mut_slice()))
            .map_err(failed)?;
        if &magic != MAGIC {
            return Err(LogError::Foreign { path: path.to_owned() });
        }
        if declared != genesis {
            return Err(LogError::Genesis { path: path.to_owned(), declared, computed: genesis });
        }
        Ok(Self { path: path.to_owned(), file, length, at: PREFIX_BYTES, records: 0, torn: 0 })
    }

    /// The next block; `None` after the last whole one.
    pub(crate) fn next(&mut self) -> Result<Option<MadeBlock>, LogError> {
        let left = self.length - self.at;
        if left == 0 || self.torn > 0 {
            return Ok(None);
        }
        if left < HEAD_BYTES as u64 {
            return Ok(self.tear(left));
        }
        let mut head = [0; HEAD_BYTES];
        self.read(&mut head)?;
        let ([a, b, c, d], check, body_check) = split(&head);
        let length = u32::from_be_bytes([a, b, c, d]);
        if check != of_length(length) || length > BODY_BYTES_MAX {
            // A file may have grown before what was written to it arrived.
            return if head == [0; HEAD_BYTES] && self.only_zeros_follow()? {
                Ok(self.tear(left))
            } else {
                Err(self.damaged())
            };
        }
        let whole = HEAD_BYTES as u64 + u64::from(length);
        if left < whole {
            return Ok(self.tear(left));
        }
        let mut body = vec![0; length as usize];
        self.read(&mut body)?;
        if keccak256(&body)[..8] != body_check {
            return if left == whole { Ok(self.tear(left)) } else { Err(self.damaged()) };
        }
        let made = MadeBlock::decode(&mut body.as_slice()).map_err(|_| self.damaged())?;
        self.at += whole;
        self.records += 1;
        Ok(Some(made))
    }

    /// Cut an unfinished record off, and append from there; how many bytes were cut off.
    pub(crate) fn finish(self) -> Result<(BlockLog, u64), LogError> {
        let Self { path, file, at: length, torn, .. } = self;
        let mut file = file.into_inner();
        let cut = |file: &mut File| {
            if torn > 0 {
                file.set_len(length)?;
                file.sync_all()?;
            }
            file.seek(SeekFrom::Start(length)).map(drop)
        };
        cut(&mut file).map_err(|source| LogError::Io { path: path.clone(), source })?;
        Ok((BlockLog { path, file, length, broken: false }, torn))
    }

    const fn tear<T>(&mut self, left: u64) -> Option<T> {
        self.torn = left;
        None
    }

    fn damaged(&self) -> LogError {
        LogError::Damaged { path: self.path.clone(), record: self.records, at: self.at }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<(), LogError> {
        self.file.read_exact(bytes).map_err(|source| LogError::Io { path: self.path.clone(), source })
    }

    fn only_zeros_follow(&mut self) -> Result<bool, LogError> {
        let mut piece = [0; 4_096];
        loop {
            let read = self.file.read(&mut piece);
            let count = read.map_err(|source| LogError::Io { path: self.path.clone(), source })?;
            match piece.get(..count) {
                None | Some([]) => return Ok(true),
                Some(bytes) if bytes.iter().any(|byte| *byte != 0) => return Ok(false),
                Some(_) => {}
            }
        }
    }
}

impl BlockLog {
    /// Append a block. It is on disk when this returns.
    pub(crate) fn append(&mut self, made: &MadeBlock) -> Result<(), LogError> {
        if self.broken {
            return Err(LogError::Unfinished { path: self.path.clone() });
        }
        let record = record(made);
        if let Err(source) = self.file.write_all(&record).and_then(|()| self.file.sync_data()) {
            let taken_back =
                self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            self.broken = taken_back.is_err();
            return Err(LogError::Io { path: self.path.clone(), source });
        }
        self.length += record.len() as u64;
        Ok(())
    }
}

/// A block's bytes in the file.
pub(crate) fn record(made: &MadeBlock) -> Vec<u8> {
    let body = alloy_rlp::encode(made);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), of_length(length).as_slice(), &keccak256(&body)[..8], &body].concat()
}

fn of_length(length: u32) -> [u8; 4] {
    let [a, b, c, d, ..] = keccak256(length.to_be_bytes()).0;
    [a, b, c, d]
}

const fn split(head: &[u8; HEAD_BYTES]) -> ([u8; 4], [u8; 4], [u8; 8]) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *head;
    ([a, b, c, d], [e, f, g, h], rest)
}

/// A new file is there after a crash only when its directory is on disk, too.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "tests/log.rs"]
mod tests;
