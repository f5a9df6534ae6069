//! The group coordinator: who is in which group, who owns which partition, and how far each group
//! has read. A pure state machine: requests and `now` go in, replies and records come out.
//!
//! There is one [`GroupCoordinator`] for each partition of `__consumer_offsets`; the group id picks
//! the partition ([`partition_for`]). It does no IO, has no clock and draws no random numbers.
//! It is given two readings of the time ([`Now`]): no session may end when somebody sets the clock, and nothing
//! that is stored may keep an error of the clock that has been mended since.
//!
//! Its shell drives it like this, under one lock:
//!
//! 1. **Load.** Give every record of the partition to [`Loading::replay`], then call
//!    [`Loading::loaded`]. There is nothing to ask before: an offset read from half a log would send
//!    consumers back to where they have been. Until then the shell answers
//!    `COORDINATOR_LOAD_IN_PROGRESS` (a heartbeat gets no error).
//! 2. **Serve.** A request gives an [`Output`]. Its [`Append`], if there is one, is appended to the
//!    partition at once as one batch, before anything else is asked of this coordinator, and its
//!    outcome is handed back by [`GroupCoordinator::append_succeeded`] or
//!    [`GroupCoordinator::append_failed`], which give the next `Output`.
//! 3. **Reply.** Replies, and the responses of the reading methods, leave once the log is as durable
//!    as the topic asks up to the end it had when they were made. If that fails,
//!    [`Reply::into_error`] is sent in place of the reply.
//! 4. **Tick.** Call [`GroupCoordinator::tick`] whenever [`GroupCoordinator::next_deadline`] has
//!    come, until it lies ahead.
//!
//! # What is persisted, and what is not
//!
//! Committed offsets, and a group's last completed generation (its members and their assignments),
//! are persisted: they change only when the records that say so have been appended. Who is joining,
//! who has sent its last heartbeat and a rebalance in progress are not; a new coordinator starts
//! from the last completed generation and the members find their way back.

mod classic;
mod delete;
mod describe;
mod expiration;
mod group;
mod group_coordinator;
mod now;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offsets;
mod output;
mod partition_for;
mod records;
mod replay;
mod settings;
mod timers;
mod unserved;

pub use delete::{DeletedTopic, ShareState};
pub use group_coordinator::GroupCoordinator;
pub use now::{Now, SteadyMs, WallMs};
pub use offset_fetch::{offset_fetch_error, offset_fetch_groups, offset_fetch_response};
pub use output::{Append, Output, Reply, RequestContext, Token};
pub use partition_for::partition_for;
pub use records::CoordinatorRecord;
pub use replay::{Loading, ReplayError, ReplayErrorReason, Replayed, SkippedRecords, StoredRecord};
pub use settings::Settings;

#[cfg(test)]
mod tests;
