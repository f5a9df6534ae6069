//! Coordinators as pure state machines: requests and `now` go in, replies and records come out. The first kind is the
//! group coordinator: who is in which group, who owns which partition, and how far each group has read.
//!
//! A coordinator's state is spread over the partitions of a topic; each has a [`Shard`], and the name of a group picks
//! the partition ([`partition_for`]). A shard does no IO, has no clock and draws no random numbers.
//! It is given two readings of the time ([`Now`]): no session may end when somebody sets the clock, and nothing
//! that is stored may keep an error of the clock that has been mended since.
//!
//! Its host drives it like this, under one lock:
//!
//! 1. **Load.** Give every record of the partition to [`LoadingShard::replay`], then call
//!    [`LoadingShard::loaded`]. There is nothing to ask before: an offset read from half a log would send
//!    consumers back to where they have been. Until then the host answers
//!    `COORDINATOR_LOAD_IN_PROGRESS` (a heartbeat gets no error).
//! 2. **Decide.** A request gives an [`Output`] ([`Shard::decide`]). Its [`Append`], if there is one, is appended to the
//!    partition at once, before anything else is asked of this shard. [`Shard::append_succeeded`] replays what is stored,
//!    [`Shard::append_failed`] gives up what is not; both give the next `Output`.
//! 3. **Reply.** Replies, and the responses of the reading methods, leave once the log is as durable
//!    as the topic asks up to the end it had when they were made. If that fails,
//!    [`Reply::into_error`] is sent in place of the reply.
//! 4. **Tick.** Call [`Shard::tick`] whenever [`Shard::next_deadline`] has come, until it lies ahead.
//! 5. **Resign.** When another broker takes over, [`Shard::resign`] answers who waits.
//!
//! # What is persisted, and what is not
//!
//! Replaying records is the only way in which stored state changes, live as on loading. Of groups that are committed
//! offsets, and a group's last completed generation: its members and their assignments. Who is joining,
//! who has sent its last heartbeat and a rebalance in progress are not stored; a new shard starts
//! from the last completed generation and the members find their way back. A request whose reply depends on records
//! waits in the shard, and is answered when the state that was replayed says so.

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
