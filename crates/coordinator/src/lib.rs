//! Coordinators as pure state machines: requests and `now` go in, replies and records come out. The first
//! kind is the group coordinator: the members of each group, the owner of each partition, and the offsets up
//! to which each group has read.
//!
//! A coordinator's state is spread over the partitions of a topic; each has a [`Shard`], and the name of a
//! group picks the partition ([`partition_for`]). A shard does no IO, has no clock and draws no random
//! numbers. It is given two readings of the time ([`Now`]): no session may end because somebody sets the
//! clock, and nothing that is stored may keep an error of the clock that was corrected since.
//!
//! Its host drives it as follows, under one lock:
//!
//! 1. **Load.** Pass every record of the partition to [`LoadingShard::replay`], then call
//!    [`LoadingShard::loaded`]. Nothing can be asked before: an offset from half a log would send consumers
//!    back to records that they have read. Until then the host answers `COORDINATOR_LOAD_IN_PROGRESS` (a
//!    heartbeat gets no error).
//! 2. **Decide.** A request returns an [`Output`] ([`Shard::decide`]). Its [`Append`], if there is one, is
//!    appended to the partition at once, before anything else is asked of this shard.
//!    [`Shard::append_succeeded`] replays what is stored, [`Shard::append_failed`] drops what is not; both
//!    return the next `Output`.
//! 3. **Reply.** Replies, and the responses of the reading methods, leave once the log, up to its end at the
//!    time when they were made, is as durable as the topic asks. If that fails, [`Reply::into_error`] is sent
//!    instead of the reply.
//! 4. **Tick.** Call [`Shard::tick`] when [`Shard::next_deadline`] has passed, until it lies ahead.
//! 5. **Resign.** When another broker takes over, [`Shard::resign`] answers all waiting requests.
//!
//! # What is persisted, and what is not
//!
//! Replaying records is the only way in which stored state changes, live as on loading. A group's records are
//! its committed offsets, and its last completed generation: the members and their assignments. Joining
//! members, heartbeats and a rebalance in progress are not stored; a new shard starts from the last completed
//! generation, and the members rejoin. A request whose reply depends on records waits in the shard, and is
//! answered once the replayed state allows it.

mod classic;
mod delete;
mod describe;
mod expiration;
mod group;
mod group_coordinator;
mod loading_shard;
mod now;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offsets;
mod partition_for;
mod record;
mod records;
mod replay;
mod reply;
mod request;
mod settings;
mod shard;
mod timers;
pub mod traps;
mod unserved;

pub use delete::ShareState;
pub use group_coordinator::GroupCoordinator;
pub use loading_shard::LoadingShard;
pub use now::{Now, SteadyMs, WallMs};
pub use offset_fetch::{offset_fetch_error, offset_fetch_groups, offset_fetch_response};
pub use partition_for::partition_for;
pub use record::{
    CoordinatorRecord, ReplayError, ReplayErrorReason, ReplayOutcome, SkippedRecords, StoredRecord,
};
pub use reply::Reply;
pub use request::{GroupRequest, RequestContext};
pub use settings::Settings;
pub use shard::{Append, DeletedTopic, Output, Shard, Token};

#[cfg(test)]
mod tests;
