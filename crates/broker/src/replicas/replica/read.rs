//! The records that a fetch can read.

use protocol::ErrorCode;
use runtime::clock;
use storage::{EpochEndOffset, ReadError};
use tracing::error;

use super::super::leader::{FollowerFetch, NoReplica, divergence};
use super::super::role::Role;
use super::{Replica, State};
use crate::reply::FileRegion;

/// The records that a reader sees (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// All of them.
    ReadUncommitted,
    /// Those of committed transactions, and those outside of transactions.
    ReadCommitted,
}

impl Isolation {
    /// The isolation level in a request; `None` if it does not exist.
    pub(crate) fn of(level: i8) -> Option<Self> {
        match level {
            0 => Some(Self::ReadUncommitted),
            1 => Some(Self::ReadCommitted),
            _ => None,
        }
    }
}

/// A fetch's request for one partition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadRequest {
    pub(crate) offset: i64,
    pub(crate) max_bytes: usize,
    pub(crate) min_one_batch: bool,
    /// Read only the last batches of the log, and only if all of them fit into `max_bytes`.
    pub(crate) recent_only: bool,
    pub(crate) isolation: Isolation,
    /// The broker that fetches as a follower; `None` for a client.
    pub(crate) follower: Option<FetchingReplica>,
    /// The client's leader epoch; negative if it sends none.
    pub(crate) current_leader_epoch: i32,
    /// The epoch of the last record that the client has; negative if it sends none.
    pub(crate) last_fetched_epoch: i32,
}

/// A follower that fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchingReplica {
    pub(crate) broker: FetchingBroker,
    pub(crate) log_start_offset: i64,
    /// Whether the fetch has just come, and says how far the follower is.
    pub(crate) is_new: bool,
}

/// The broker of followers that fetch together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchingBroker {
    pub(crate) node_id: i32,
    /// -1 if it does not say.
    pub(crate) epoch: i64,
}

/// The answer to a [`ReadRequest`].
#[derive(Debug, Default)]
pub(crate) struct ReadOutcome {
    pub(crate) high_watermark: i64,
    pub(crate) last_stable_offset: i64,
    pub(crate) log_start_offset: i64,
    /// Whole batches, of which the last may be truncated; `None` if there is nothing to read yet.
    pub(crate) region: Option<FileRegion>,
    /// The producer and the first offset of each aborted transaction in the region, for a reader of committed
    /// records.
    pub(crate) aborted: Option<Vec<(i64, i64)>>,
    /// The epoch, and the end offset in it, up to which the reader's log and this one agree, if they diverge
    /// (KIP-595).
    pub(crate) diverging: Option<EpochEndOffset>,
}

impl Replica {
    /// Reads at an offset.
    ///
    /// # Errors
    /// Kafka's error for the partition.
    pub(crate) fn read(&self, request: &ReadRequest) -> Result<ReadOutcome, ErrorCode> {
        match self.read_once(request) {
            // The log was moved to another directory meanwhile, or retention was faster.
            Err(ErrorCode::OFFSET_NOT_AVAILABLE) => self.read_once(request),
            outcome => outcome,
        }
    }

    fn read_once(&self, request: &ReadRequest) -> Result<ReadOutcome, ErrorCode> {
        let mut state = self.state.lock();
        // In a fetch, unlike in other requests, any negative epoch means none.
        state.role.check_epoch(request.current_leader_epoch.max(-1))?;
        let leader = state.role.leader()?;
        let log = state.log.as_ref().ok_or_else(|| self.gone())?;
        if let Some(follower) = request.follower {
            let known = leader.check_replica(follower.broker.node_id);
            known.map_err(|NoReplica| no_replica(request))?;
        }
        let mut outcome = ReadOutcome {
            high_watermark: log.high_watermark(),
            last_stable_offset: log.last_stable_offset(),
            log_start_offset: log.log_start_offset(),
            ..ReadOutcome::default()
        };
        if request.last_fetched_epoch >= 0 {
            let end = log.end_offset_for_epoch(request.last_fetched_epoch);
            let start = outcome.log_start_offset;
            outcome.diverging = divergence(request.last_fetched_epoch, request.offset, end, start)?;
            if outcome.diverging.is_some() {
                return Ok(outcome);
            }
        }
        let limit_offset = match request.isolation {
            _ if request.follower.is_some() => log.end_offset(),
            Isolation::ReadUncommitted => outcome.high_watermark,
            Isolation::ReadCommitted => outcome.last_stable_offset,
        };
        outcome.aborted = (request.isolation == Isolation::ReadCommitted).then(Vec::new);
        let located = if request.recent_only {
            log.locate_recent(request.offset, limit_offset)
        } else {
            log.locate(request.offset, limit_offset).map(Some)
        };
        let located = located.map_err(|error| self.read_error(&error))?;
        let raised = match request.follower {
            Some(follower) => self.note_fetch(&mut state, follower, request.offset)?,
            None => false,
        };
        // The rest may wait for the disk, and appends need not wait with it.
        drop(state);
        if request.follower.is_some() {
            self.tell_progress(raised);
        }
        let Some(located) = located else { return Ok(outcome) };
        let slice = located.slice(request.max_bytes, request.min_one_batch);
        let slice = slice.map_err(|error| self.read_error(&error))?;
        // A part of a first batch is of no use to any reader.
        let Some(slice) = slice.filter(|slice| !slice.first_batch_incomplete) else { return Ok(outcome) };
        if request.recent_only && slice.len >= request.max_bytes {
            return Ok(outcome);
        }
        if request.isolation == Isolation::ReadCommitted {
            let aborted = located.aborted_transactions().map_err(|error| self.read_error(&error))?;
            let aborted = aborted.into_iter().map(|txn| (txn.producer_id, txn.first_offset));
            outcome.aborted = Some(aborted.collect());
        }
        outcome.region = Some(FileRegion::new(slice.file, slice.position, slice.len));
        Ok(outcome)
    }

    /// Notes a follower's fetch; returns whether the high watermark has risen.
    fn note_fetch(&self, state: &mut State, by: FetchingReplica, offset: i64) -> Result<bool, ErrorCode> {
        let FetchingReplica { broker, log_start_offset, is_new } = by;
        if !is_new {
            return Ok(false);
        }
        let fetch =
            FollowerFetch { node_id: broker.node_id, broker_epoch: broker.epoch, offset, log_start_offset };
        if let Role::Leader(leader) = &mut state.role {
            leader.fetched(&fetch, self.offsets.end(), clock::steady_ms())?;
        }
        Ok(state.raise_high_watermark(&self.rules.load()))
    }

    fn read_error(&self, error: &ReadError) -> ErrorCode {
        match error {
            ReadError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
            // Retention was faster than the reader, which asks again.
            ReadError::Gone => ErrorCode::OFFSET_NOT_AVAILABLE,
            ReadError::Damaged(_) | ReadError::Fs(_) => {
                error!(partition = self.name(), "a read failed: {error}");
                ErrorCode::KAFKA_STORAGE_ERROR
            }
        }
    }
}

/// Kafka's error for a broker that is not a replica. If the broker has the present leader epoch, it is to
/// wait until the leader learns of it.
fn no_replica(request: &ReadRequest) -> ErrorCode {
    let knows_epoch = request.current_leader_epoch >= 0;
    if knows_epoch { ErrorCode::UNKNOWN_LEADER_EPOCH } else { ErrorCode::NOT_LEADER_OR_FOLLOWER }
}
