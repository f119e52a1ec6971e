//! What was finalised, in SQLite, for people who ask. It can be thrown away: the operator's archive is the truth.

use super::model::{CertificateFile, CheckpointView, MessageView, StageTimes};
use hum_bls::Certificate;
use hum_ledger::PendingMessage;
use hum_types::{B256, Bytes, Checkpoint, Confidence, Decode as _, Encode as _, Height, TimeMs};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS checkpoints (height INTEGER PRIMARY KEY, bytes BLOB NOT NULL, finalised_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS certificates (height INTEGER PRIMARY KEY, bytes BLOB NOT NULL, certified_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
  id BLOB PRIMARY KEY, height INTEGER NOT NULL, source INTEGER NOT NULL, view TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_by_height ON messages (height);
";

/// Why the index cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The database failed.
    #[error("message index: {0}; it can be deleted, the operator fills it again")]
    Database(#[from] rusqlite::Error),
    /// A row is damaged.
    #[error("message index holds a damaged {what}; delete it, the operator fills it again")]
    Damaged {
        /// What is damaged.
        what: &'static str,
    },
}

/// The index. One connection: an operator's API is read by a few people.
#[derive(Debug)]
pub struct Index(Mutex<Connection>);

impl Index {
    /// Open or make the index at `path`.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        Self::prepare(Connection::open(path)?)
    }

    /// An index that is gone with the process.
    pub fn in_memory() -> Result<Self, IndexError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, IndexError> {
        connection.execute_batch(SCHEMA)?;
        Ok(Self(Mutex::new(connection)))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest height that is indexed.
    pub fn newest(&self) -> Result<Option<Height>, IndexError> {
        let newest: Option<i64> =
            self.lock().query_row("SELECT max(height) FROM checkpoints", [], |row| row.get(0))?;
        Ok(newest.map(|height| Height(height.cast_unsigned())))
    }

    /// Note a finalised checkpoint and the messages that it carries; again is no change.
    pub fn finalised(
        &self,
        checkpoint: &Checkpoint,
        messages: &[(PendingMessage, Confidence, TimeMs)],
        now: TimeMs,
    ) -> Result<(), IndexError> {
        let mut connection = self.lock();
        let write = connection.transaction()?;
        let height = checkpoint.header.height.0.cast_signed();
        write.execute(
            "INSERT OR IGNORE INTO checkpoints VALUES (?1, ?2, ?3)",
            params![height, checkpoint.encode(), now.0.cast_signed()],
        )?;
        for (message, confidence, sent) in messages {
            let view = MessageView {
                id: message.id,
                source: message.source,
                lane: message.lane.destination,
                facade: message.lane.facade,
                index: message.index,
                generation: message.generation,
                confidence: *confidence,
                sender: message.message.sender,
                recipient: message.message.recipient,
                payload_bytes: message.message.payload.len(),
                block: message.block,
                height: message.height,
                stage: String::new(),
                times_ms: StageTimes { sent: Some(*sent), ..StageTimes::default() },
                waiting_for: String::new(),
            };
            let json = serde_json::to_string(&view).map_err(|_| IndexError::Damaged { what: "message" })?;
            // A message that a retraction dropped and the rebuilt chain sent again has moved.
            write.execute(
                "INSERT OR REPLACE INTO messages VALUES (?1, ?2, ?3, ?4)",
                params![message.id.as_slice(), height, message.source.0.cast_signed(), json],
            )?;
        }
        Ok(write.commit()?)
    }

    /// Note a certificate. The first one of a height gives its time; a fuller one replaces its bytes.
    pub fn certified(&self, certificate: &Certificate, now: TimeMs) -> Result<(), IndexError> {
        self.lock().execute(
            "INSERT INTO certificates VALUES (?1, ?2, ?3) ON CONFLICT (height) DO UPDATE SET bytes = excluded.bytes",
            params![certificate.height.0.cast_signed(), certificate.encode(), now.0.cast_signed()],
        )?;
        Ok(())
    }

    /// The newest checkpoints, newest first.
    pub fn checkpoints(&self, limit: u32) -> Result<Vec<CheckpointView>, IndexError> {
        let connection = self.lock();
        let mut query = connection
            .prepare_cached("SELECT bytes, finalised_ms FROM checkpoints ORDER BY height DESC LIMIT ?1")?;
        let rows: Vec<(Vec<u8>, i64)> =
            query.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        rows.into_iter().map(|row| checkpoint_view(&connection, row)).collect()
    }

    /// One checkpoint.
    pub fn checkpoint(&self, height: Height) -> Result<Option<CheckpointView>, IndexError> {
        let connection = self.lock();
        let row = connection
            .query_row(
                "SELECT bytes, finalised_ms FROM checkpoints WHERE height = ?1",
                [height.0.cast_signed()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        row.map(|row| checkpoint_view(&connection, row)).transpose()
    }

    /// One checkpoint as it was finalised: whoever doubts what is said of it replays it.
    pub fn checkpoint_bytes(&self, height: Height) -> Result<Option<Bytes>, IndexError> {
        let connection = self.lock();
        let mut query = connection.prepare_cached("SELECT bytes FROM checkpoints WHERE height = ?1")?;
        let bytes: Option<Vec<u8>> =
            query.query_row([height.0.cast_signed()], |row| row.get(0)).optional()?;
        Ok(bytes.map(Bytes::from))
    }

    /// The certificate that covers `height`: its own, or that of the lowest certified height above it.
    pub fn certificate(&self, height: Height) -> Result<Option<CertificateFile>, IndexError> {
        let connection = self.lock();
        let row: Option<(Vec<u8>, Vec<u8>)> = connection
            .query_row(
                "SELECT c.bytes, k.bytes FROM certificates c JOIN checkpoints k USING (height)
                 WHERE c.height >= ?1 ORDER BY c.height LIMIT 1",
                [height.0.cast_signed()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        row.map(|(certificate, checkpoint)| {
            let certificate =
                Certificate::decode(&certificate).map_err(|_| IndexError::Damaged { what: "certificate" })?;
            let header = decode_checkpoint(&checkpoint)?.header;
            Ok(CertificateFile { header, certificate })
        })
        .transpose()
    }

    /// The newest messages, newest first.
    pub fn messages(&self, limit: u32) -> Result<Vec<MessageView>, IndexError> {
        let connection = self.lock();
        let mut query =
            connection.prepare_cached("SELECT view FROM messages ORDER BY height DESC LIMIT ?1")?;
        let rows: Vec<String> = query.query_map([limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
        rows.iter().map(|json| message_view(&connection, json)).collect()
    }

    /// One message.
    pub fn message(&self, id: B256) -> Result<Option<MessageView>, IndexError> {
        let connection = self.lock();
        let row: Option<String> = connection
            .query_row("SELECT view FROM messages WHERE id = ?1", [id.as_slice()], |row| row.get(0))
            .optional()?;
        row.map(|json| message_view(&connection, &json)).transpose()
    }
}

fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, IndexError> {
    Checkpoint::decode(bytes).map_err(|_| IndexError::Damaged { what: "checkpoint" })
}

fn checkpoint_view(
    connection: &Connection,
    (bytes, finalised): (Vec<u8>, i64),
) -> Result<CheckpointView, IndexError> {
    let checkpoint = decode_checkpoint(&bytes)?;
    let certificate = covering(connection, checkpoint.header.height)?;
    Ok(CheckpointView::new(&checkpoint, TimeMs(finalised.cast_unsigned()), certificate))
}

fn covering(connection: &Connection, height: Height) -> Result<Option<(Height, TimeMs)>, IndexError> {
    let read = |row: &Row<'_>| {
        let (height, time): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((Height(height.cast_unsigned()), TimeMs(time.cast_unsigned())))
    };
    let mut query = connection.prepare_cached(
        "SELECT height, certified_ms FROM certificates WHERE height >= ?1 ORDER BY height LIMIT 1",
    )?;
    Ok(query.query_row([height.0.cast_signed()], read).optional()?)
}

fn message_view(connection: &Connection, json: &str) -> Result<MessageView, IndexError> {
    let mut view: MessageView =
        serde_json::from_str(json).map_err(|_| IndexError::Damaged { what: "message" })?;
    let mut query = connection.prepare_cached("SELECT finalised_ms FROM checkpoints WHERE height = ?1")?;
    let finalised: Option<i64> =
        query.query_row([view.height.0.cast_signed()], |row| row.get(0)).optional()?;
    view.times_ms.finalised = finalised.map(|time| TimeMs(time.cast_unsigned()));
    match covering(connection, view.height)? {
        Some((_, time)) => {
            view.times_ms.certified = Some(time);
            view.stage = "certified".to_owned();
            view.waiting_for = match view.confidence {
                Confidence::Latest => "a relayer to deliver it".to_owned(),
                other => format!("the {other} head, to reach its block: that takes its data on L1"),
            };
        }
        None => {
            view.stage = "finalised".to_owned();
            view.waiting_for = "attestations of two thirds of the stake".to_owned();
        }
    }
    Ok(view)
}
