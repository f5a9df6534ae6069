//! Rebuilds a shard from its partition.

use std::fmt;

use bytes::Bytes;
use coordinator::{LoadingShard, ReplayError, Shard, StoredRecord};
use protocol::ErrorCode;
use record::{Batch, BatchError, DecompressError, DecompressLimits, RecordsError, Scratch, StreamError};
use storage::fs;

use crate::replicas::{Isolation, ReadRequest, Replica};

/// The bytes of one read.
const READ_BYTES: usize = 1 << 20;
/// The limit on the decompressed records of one batch. Only brokers write to the topic, and their batches are
/// small.
const LIMITS: DecompressLimits = DecompressLimits { batch_bytes: 1 << 30, record_bytes: usize::MAX };
/// The producer id of a record outside of transactions.
const NO_PRODUCER_ID: i64 = -1;

/// The reason why a partition cannot be loaded.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The log cannot be read.
    Read(ErrorCode),
    /// A batch is incomplete, though the log goes on after it.
    Incomplete {
        /// Its offset.
        offset: i64,
    },
    /// A file cannot be read.
    Fs(fs::Error),
    /// A batch is invalid.
    Batch(BatchError),
    /// A batch cannot be decompressed.
    Decompress(DecompressError),
    /// The records of a batch cannot be read.
    Records(RecordsError),
    /// A record does not belong to the topic.
    Replay(ReplayError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "the log cannot be read: {}", error.message()),
            Self::Incomplete { offset } => write!(f, "the batch at offset {offset} is not whole"),
            Self::Fs(error) => error.fmt(f),
            Self::Batch(error) => error.fmt(f),
            Self::Decompress(error) => error.fmt(f),
            Self::Records(error) => error.fmt(f),
            Self::Replay(error) => error.fmt(f),
        }
    }
}

impl LoadError {
    fn of_stream(error: StreamError) -> Self {
        match error {
            StreamError::Decompress(error) => Self::Decompress(error),
            StreamError::Records(error) => Self::Records(error),
        }
    }
}

/// Reads a partition from its start to its end.
pub(super) fn load<S: Shard>(log: &Replica, settings: S::Settings) -> Result<LoadingShard<S>, LoadError> {
    let mut loading = LoadingShard::new(settings);
    let mut scratch = Scratch::new();
    let mut offset = log.log_start_offset();
    let end_offset = log.end_offset();
    while offset < end_offset {
        let request = ReadRequest {
            offset,
            max_bytes: READ_BYTES,
            min_one_batch: true,
            recent_only: false,
            isolation: Isolation::ReadUncommitted,
            follower: None,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        };
        let outcome = log.read(&request).map_err(LoadError::Read)?;
        let Some(region) = outcome.region else { break };
        let mut bytes = vec![0; region.len];
        region.file.read_exact_at(&mut bytes, region.position).map_err(LoadError::Fs)?;
        let read_from = offset;
        for batch in record::stored_batches(&bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                // A read can end within a batch.
                Err(BatchError::Truncated { .. }) => break,
                Err(error) => return Err(LoadError::Batch(error)),
            };
            batch.verify_crc().map_err(LoadError::Batch)?;
            replay(&mut loading, &batch, &mut scratch)?;
            offset = batch.header().next_offset();
        }
        if offset == read_from {
            return Err(LoadError::Incomplete { offset });
        }
    }
    Ok(loading)
}

fn replay<S: Shard>(
    loading: &mut LoadingShard<S>,
    batch: &Batch<'_>,
    scratch: &mut Scratch,
) -> Result<(), LoadError> {
    let header = batch.header();
    let transactional = header.attributes.is_transactional();
    let producer_id = if transactional { header.producer_id } else { NO_PRODUCER_ID };
    let mut records = batch.record_stream(scratch, LIMITS).map_err(LoadError::Decompress)?;
    while let Some(record) = records.next().map_err(LoadError::of_stream)? {
        if header.attributes.is_control() {
            if let Some(committed) = is_commit(record.key) {
                loading.end_transaction(header.producer_id, committed);
            }
            continue;
        }
        let stored = StoredRecord {
            offset: record.offset,
            producer_id,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
        };
        loading.replay(stored).map_err(LoadError::Replay)?;
    }
    Ok(())
}

/// Whether a control record commits or aborts a transaction; `None` if it ends none.
fn is_commit(key: Option<&[u8]>) -> Option<bool> {
    match key? {
        [_, _, 0, 0, ..] => Some(false),
        [_, _, 0, 1, ..] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
