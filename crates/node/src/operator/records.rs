//! Records by height on the runtime's storage: appended, synced, read back at start.

use crate::runtime::Runtime;
use bytes::Bytes;
use commonware_codec::RangeCfg;
use commonware_runtime::{ReadOptions, buffer::paged::CacheRef};
use commonware_storage::journal::{
    Error,
    segmented::variable::{Config, Journal},
};
use commonware_utils::{NZU16, NZUsize};
use hum_types::Height;

/// Heights in one file.
const SECTION: u64 = 16_384;
/// Bytes of one record, where nothing else is said.
const RECORD_BYTES_MAX: usize = 4096;

/// Why records cannot be kept. The disk is at fault, and nothing that depends on them may be done any more.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The storage failed.
    #[error("storage: {0}")]
    Storage(#[from] Error),
    /// An earlier operation failed.
    #[error("an earlier operation failed")]
    Broken,
}

/// An append-only file of records, each under a height.
pub(crate) struct Records<E: Runtime>(Option<Journal<E, Bytes>>);

impl<E: Runtime> Records<E> {
    /// Open the file and read everything in it, oldest first.
    pub(crate) async fn open(context: E, partition: String) -> Result<(Self, Vec<Bytes>), RecordsError> {
        Self::open_with(context, partition, RECORD_BYTES_MAX).await
    }

    /// The same, with records of up to so many bytes.
    pub(crate) async fn open_with(
        context: E,
        partition: String,
        record_bytes_max: usize,
    ) -> Result<(Self, Vec<Bytes>), RecordsError> {
        let config = Config {
            partition,
            compression: None,
            codec_config: RangeCfg::from(..=record_bytes_max),
            page_cache: CacheRef::new(NZU16!(4096), NZUsize!(64)),
            write_buffer: NZUsize!(1 << 16),
        };
        let journal = Journal::init(context, config).await?;
        let mut replay = journal.replay(0, 0, NZUsize!(1 << 16), ReadOptions::default()).await?;
        let mut records = Vec::new();
        while let Some(item) = replay.next().await {
            let (_, _, _, record) = item?;
            records.push(record);
        }
        Ok((Self(Some(replay.finish()?)), records))
    }

    /// Append a record. It survives a crash after the next [`Self::sync`].
    pub(crate) async fn append(&mut self, height: Height, record: Vec<u8>) -> Result<(), RecordsError> {
        let journal = self.0.take().ok_or(RecordsError::Broken)?;
        let (journal, _, _) = journal.append(height.0 / SECTION, &record.into()).await?;
        self.0 = Some(journal);
        Ok(())
    }

    /// Everything appended under this height's file is on disk when this returns.
    pub(crate) async fn sync(&mut self, height: Height) -> Result<(), RecordsError> {
        let journal = self.0.take().ok_or(RecordsError::Broken)?;
        self.0 = Some(journal.sync(height.0 / SECTION).await?);
        Ok(())
    }

    /// Forget whole files below this height.
    pub(crate) async fn prune(&mut self, below: Height) -> Result<(), RecordsError> {
        let journal = self.0.take().ok_or(RecordsError::Broken)?;
        let (journal, _) = journal.prune(below.0 / SECTION).await?;
        self.0 = Some(journal);
        Ok(())
    }
}
