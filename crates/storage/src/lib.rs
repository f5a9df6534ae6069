//! One partition's log on disk, in Kafka's directory format.
//!
//! [`LogDirectory`] is a directory of `log.dirs`: its lock, `meta.properties`, checkpoints, the file that marks a clean
//! shutdown, and the group commit of its logs ([`Flusher`]). [`Log`] is the log of one partition in it: segments with
//! their indexes, leader epochs, producers. All files are reached through [`fs`].
//!
//! This crate knows neither the network nor a topic's configuration, has no asynchronous code and no threads of its
//! own, and does not read the clock (`now` is passed in). Appending never decompresses; compaction does.
//!
//! A failed file operation ends in one of three ways: a full disk is an error that passes (except in a sync, whose
//! bytes may be gone); a failed write or sync takes the log directory [`Offline`] for good; damage is an error that
//! names the file and the position.

mod checkpoint;
mod clean;
mod config;
#[cfg(test)]
mod crash;
mod directory;
mod flusher;
pub mod fs;
mod future;
mod index_file;
pub mod inspect;
mod leader_epochs;
mod log;
mod log_offsets;
mod names;
mod offline;
mod offset_index;
mod producer_state;
mod room;
mod scan;
mod scrub;
mod segment;
#[cfg(test)]
mod testing;
mod time_index;
#[cfg(feature = "traps")]
pub mod traps;
#[cfg(not(feature = "traps"))]
mod traps;
mod txn_index;
mod uuid;
mod write_error;

pub use checkpoint::{CheckpointError, read_offsets, write_offsets};
pub use clean::{CleanError, CleanPass, CleanPlan, CleanStats, CleanedSegment, OffsetMap, Throttle};
pub use config::LogConfig;
pub use directory::{
    AbsentPartition, DirectoryFlusher, FutureDir, LogDirectory, MetaProperties, OpenDirectory,
    OpenDirectoryError, Remover,
};
pub use flusher::{FlushListener, FlushTimes, Flusher};
pub use future::{CopyError, CopyProgress, CopySource, FutureLog};
pub use leader_epochs::{EpochEndOffset, EpochEntry};
pub use log::{
    ActiveProducer, AppendError, AppendOutcome, ChangeError, DeleteRecordsError, DeletedSegment,
    LocatedOffset, LocatedTime, Log, LookupError, OpenError, OpenLog, PausedSyncs, ReadError, RecoveryReport,
    RetentionReport, Slice, SwapOutcome, Syncs, TimestampOffset, Truncation,
};
pub use log_offsets::LogOffsets;
pub use names::{DirKind, TopicPartition};
pub use offline::{FailureListener, Offline};
pub use producer_state::{Origin, ProducerError};
pub use scan::{Damage, DamageReason};
pub use scrub::{Fault, FaultReason, ScrubError, ScrubReport, ScrubTarget, scrub_file};
pub use txn_index::AbortedTxn;
pub use write_error::WriteError;
