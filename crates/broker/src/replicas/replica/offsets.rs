//! Look-ups of offsets: the first, the last, that of a timestamp, that of an epoch.

use protocol::ErrorCode;
use record::DecompressError;
use storage::{LocatedTime, LookupError};
use tracing::error;

use super::{Isolation, Replica, SCRATCH};

/// The offset that a ListOffsets request looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OffsetSpec {
    /// The end: the high watermark, or the last stable offset.
    Latest,
    /// The log start offset.
    Earliest,
    /// The record with the greatest timestamp (KIP-734).
    MaxTimestamp,
    /// The last offset in tiered storage (KIP-1005), or the first that is not there yet (KIP-1023). Without
    /// tiered storage there is none.
    Tiered,
    /// The first record at or after that time, in ms since the epoch.
    Time(i64),
}

impl OffsetSpec {
    /// The meaning of a timestamp in a request of `version`; `None` if that version has none.
    pub(crate) fn of(timestamp: i64, version: i16) -> Option<Self> {
        let (since, spec) = match timestamp {
            -1 => (1, Self::Latest),
            -2 => (1, Self::Earliest),
            -3 => (7, Self::MaxTimestamp),
            // The start of what is on local disk, which is everything.
            -4 => (8, Self::Earliest),
            -5 => (9, Self::Tiered),
            -6 => (11, Self::Tiered),
            time @ 0.. => (1, Self::Time(time)),
            _ => return None,
        };
        (version >= since).then_some(spec)
    }
}

/// The result. A timestamp or an epoch of -1 means that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundOffset {
    pub(crate) timestamp_ms: i64,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

/// Why one attempt to look an offset up failed.
#[derive(Debug, Clone, Copy)]
enum LookupFailure {
    /// The log was moved to another directory meanwhile, or retention was faster.
    Moved,
    /// Kafka's error for the partition.
    Error(ErrorCode),
}

impl From<ErrorCode> for LookupFailure {
    fn from(error_code: ErrorCode) -> Self {
        Self::Error(error_code)
    }
}

impl Replica {
    /// The first offset that can be read.
    pub(crate) fn log_start_offset(&self) -> i64 {
        self.lock().as_ref().map_or(-1, storage::Log::log_start_offset)
    }

    /// The offset for `spec` among what a client of that isolation sees, or a replica if there is none; `None` if no record
    /// matches.
    ///
    /// # Errors
    /// Kafka's error for the partition. OFFSET_NOT_AVAILABLE: it depends on the high watermark, which has not reached the
    /// start of the leader's epoch; only versions from 5 on know it.
    pub(crate) fn find_offset(
        &self,
        spec: OffsetSpec,
        isolation: Option<Isolation>,
    ) -> Result<Option<FoundOffset>, ErrorCode> {
        let found = match self.find_offset_once(spec, isolation) {
            Err(LookupFailure::Moved) => self.find_offset_once(spec, isolation),
            found => found,
        };
        found.map_err(|failure| match failure {
            // If it fails twice, the file is missing.
            LookupFailure::Moved => ErrorCode::KAFKA_STORAGE_ERROR,
            LookupFailure::Error(error_code) => error_code,
        })
    }

    fn find_offset_once(
        &self,
        spec: OffsetSpec,
        isolation: Option<Isolation>,
    ) -> Result<Option<FoundOffset>, LookupFailure> {
        let state = self.state.lock();
        let leader = state.role.leader()?;
        let log = state.log.as_ref().ok_or_else(|| self.gone())?;
        let limit = match isolation {
            None => log.end_offset(),
            Some(Isolation::ReadUncommitted) => log.high_watermark(),
            Some(Isolation::ReadCommitted) => log.last_stable_offset(),
        };
        let settled = match isolation {
            None => Ok(()),
            Some(_) => leader.check_settled(log.high_watermark()),
        };
        let place = |offset, leader_epoch: Option<i32>| {
            Some(FoundOffset { timestamp_ms: -1, offset, leader_epoch: leader_epoch.unwrap_or(-1) })
        };
        let located = match spec {
            OffsetSpec::Latest => {
                settled?;
                return Ok(place(limit, log.latest_epoch()));
            }
            OffsetSpec::Earliest => {
                let start = log.log_start_offset();
                return Ok(place(start, log.epoch_for_offset(start)));
            }
            OffsetSpec::Tiered => return Ok(None),
            OffsetSpec::MaxTimestamp => log.locate_max_timestamp(),
            OffsetSpec::Time(time) => log.locate_timestamp(time),
        };
        // The rest reads files, which appends need not wait for.
        drop(state);
        let find = |located: LocatedTime| SCRATCH.with_borrow_mut(|scratch| located.find(scratch));
        let found = located.and_then(find).map_err(|error| self.lookup_error(&error))?;
        let found = found.filter(|found| found.offset < limit);
        if found.is_none() {
            settled?;
        }
        Ok(found.map(|found| FoundOffset {
            timestamp_ms: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        }))
    }

    /// The largest epoch that is not above `epoch`, with the offset after its last record (KIP-279). `None`
    /// if the log has no such epoch.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let guard = self.lock();
        let end = guard.as_ref()?.end_offset_for_epoch(epoch);
        (end.epoch >= 0).then_some((end.epoch, end.end_offset))
    }

    fn lookup_error(&self, error: &LookupError) -> LookupFailure {
        if matches!(error, LookupError::Fs(error) if error.is_not_found()) {
            return LookupFailure::Moved;
        }
        error!(partition = self.name(), "a time could not be looked up: {error}");
        LookupFailure::Error(match error {
            LookupError::Decompress(DecompressError::RecordTooLarge { .. }) => ErrorCode::INVALID_RECORD,
            LookupError::Records(_) | LookupError::Decompress(_) => ErrorCode::CORRUPT_MESSAGE,
            LookupError::Fs(_) | LookupError::Damaged(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        })
    }
}
