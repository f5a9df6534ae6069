//! Reading the metadata log and its snapshots for brokers that do not vote: by Fetch and FetchSnapshot (KIP-595, KIP-630).
//!
//! Observers are given committed records only, so they never have to truncate: a record that they have is in every later
//! leader's log.

use std::time::Duration;

use storage::{EpochEndOffset, ReadError, Slice};

use super::raft::{epoch, offset};
use super::{Quorum, checkpoint};

/// The name of a snapshot: the state before an offset, and the epoch of the last record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId {
    /// The offset after the last record.
    pub end_offset: i64,
    /// The epoch of that record.
    pub epoch: i32,
}

/// The answer to an observer that has the log up to some offset.
#[derive(Debug)]
pub enum LogPart {
    /// The next committed records; `None` if there are none yet.
    Records(Option<Slice>),
    /// The records are deleted, or too many: this snapshot stands for them.
    Snapshot(SnapshotId),
    /// The observer's last epoch ended before its offset, here: it has to truncate its log.
    Diverging(EpochEndOffset),
}

/// A part of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub struct SnapshotPart {
    /// The bytes, fewer than asked for at the end.
    pub bytes: Vec<u8>,
    /// Those of the whole snapshot.
    pub size_bytes: u64,
}

/// Why a part of a snapshot cannot be read.
#[derive(Debug)]
pub enum SnapshotReadError {
    /// There is no such snapshot, or not any more: `SNAPSHOT_NOT_FOUND`.
    NotFound,
    /// The position is not in it: `POSITION_OUT_OF_RANGE`.
    OutOfRange,
    /// The file system failed: `UNKNOWN_SERVER_ERROR`.
    Fs(storage::fs::Error),
}

impl From<storage::fs::Error> for SnapshotReadError {
    fn from(error: storage::fs::Error) -> Self {
        if error.is_not_found() { Self::NotFound } else { Self::Fs(error) }
    }
}

impl Quorum {
    /// Reads records at `from` and below `high_watermark` for an observer whose last record is of `last_epoch`. May wait for
    /// the disk.
    ///
    /// # Errors
    /// [`ReadError`] if the offset is below the log's start and no snapshot stands for it, or the file system fails.
    pub fn read_for_observer(
        &self,
        from: i64,
        last_epoch: i32,
        high_watermark: i64,
        max_bytes: usize,
    ) -> Result<LogPart, ReadError> {
        let newest = checkpoint::list(&self.fs, &self.dir)?.pop().map(|checkpoint| SnapshotId {
            end_offset: offset(checkpoint.last_log_id.index) + 1,
            epoch: epoch(checkpoint.last_log_id.leader_id.term),
        });
        let Some(located) = self.store.with_log(|log| {
            let start = log.log_start_offset();
            let end = log.end_offset_for_epoch(last_epoch);
            let is_in_log = from == 0 || (end.epoch == last_epoch && end.end_offset >= from);
            match newest {
                // Whoever has nothing is served sooner by the state than by its history.
                Some(snapshot) if from == 0 || from < start => {
                    return Ok(Err(LogPart::Snapshot(snapshot)));
                }
                // The log does not know the epoch of the record before its start, the snapshot does.
                Some(snapshot) if snapshot == (SnapshotId { end_offset: from, epoch: last_epoch }) => {}
                Some(snapshot) if from == start && !is_in_log => {
                    return Ok(Err(LogPart::Snapshot(snapshot)));
                }
                _ if !is_in_log => {
                    let whole = EpochEndOffset { epoch: 0, end_offset: start };
                    let end = if end.epoch < 0 { whole } else { end };
                    return Ok(Err(LogPart::Diverging(end)));
                }
                _ => {}
            }
            log.locate(from, high_watermark).map(Ok)
        }) else {
            // It is closed.
            return Err(ReadError::Gone);
        };
        match located? {
            Ok(located) => Ok(LogPart::Records(located.slice(max_bytes, true)?)),
            Err(answer) => Ok(answer),
        }
    }

    /// Waits until a record at or after `from` is committed, for `timeout` at most.
    pub async fn wait_for_committed(&self, from: i64, timeout: Duration) {
        // Who waited in vain looks again and finds nothing.
        let _ = runtime::clock::timeout(timeout, self.wait_for(from)).await;
    }

    /// Reads a part of a snapshot. May wait for the disk.
    ///
    /// # Errors
    /// [`SnapshotReadError`] if there is no such snapshot, the position is not in it, or the file system fails.
    pub fn read_snapshot(
        &self,
        id: SnapshotId,
        position: i64,
        max_bytes: usize,
    ) -> Result<SnapshotPart, SnapshotReadError> {
        let is_meant = |checkpoint: &checkpoint::Checkpoint| {
            let last = &checkpoint.last_log_id;
            offset(last.index) + 1 == id.end_offset && epoch(last.leader_id.term) == id.epoch
        };
        let checkpoints = checkpoint::list(&self.fs, &self.dir)?;
        let found = checkpoints.iter().find(|it| is_meant(it)).ok_or(SnapshotReadError::NotFound)?;
        let left = u64::try_from(position).ok().and_then(|position| found.size_bytes.checked_sub(position));
        let left = left.filter(|left| *left > 0).ok_or(SnapshotReadError::OutOfRange)?;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(max_bytes);
        let mut bytes = vec![0; len];
        let file = self.fs.open(&found.path, storage::fs::Mode::Read)?;
        file.read_exact_at(&mut bytes, found.size_bytes - left)?;
        Ok(SnapshotPart { bytes, size_bytes: found.size_bytes })
    }
}

#[cfg(test)]
mod tests;
