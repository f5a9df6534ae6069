//! One turn of a move.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metadata::controller::Assignment;
use protocol::Uuid;
use runtime::task;
use storage::{CopyError, CopyProgress, TopicPartition};
use tracing::{error, info, warn};

use super::{FULL_BACKOFF, Move, Moves};
use crate::directories::{remove_later, unique_id};
use crate::replicas::Replicas;
use crate::upkeep::worker::Stop;

/// The most bytes that a turn copies, so that other moves have theirs and a stop is not delayed.
const TURN_BYTES_MAX: u64 = 32 << 20;

/// The least bytes that a turn copies, however low the limit is.
const TURN_BYTES_MIN: u64 = 64 << 10;

/// The most bytes of a turn after which the copy is close enough to the end: the rest is copied while
/// acknowledgements wait.
const READY_BYTES_MAX: u64 = 8 << 20;

/// The time that a move waits for the end of an earlier move of its partition.
const EARLIER_BACKOFF: Duration = Duration::from_millis(5);

/// The next step after a turn.
pub(super) enum Turn {
    /// The move is over, whether it succeeded or not.
    Over,
    /// It needs another turn.
    Again,
    /// The move needs another turn after a while; other moves go on.
    Later {
        /// The time to wait.
        wait: Duration,
    },
}

/// The result of the part of a turn that waits for the disk.
enum Step {
    /// Bytes were copied.
    Copied(u64),
    /// The copy is as long as the log, so that the controller can be told of it.
    Ready,
    /// The log is in the target.
    Done,
    /// The target is full.
    Full,
    /// The move is cancelled.
    GivenUp,
}

impl Moves {
    /// Copies a part of a log, and after the last part switches the log to the copy.
    pub(super) async fn take_turn(&self, this: &Arc<Move>, stop: &Stop) -> Turn {
        if this.after.lock().as_ref().is_some_and(|earlier| !earlier.over.load(Ordering::Acquire)) {
            return Turn::Later { wait: EARLIER_BACKOFF };
        }
        // The earlier move may hold others.
        *this.after.lock() = None;
        let bytes_max = self.rate().clamp(TURN_BYTES_MIN, TURN_BYTES_MAX);
        let step = blocking(this, move |this| copy(this, bytes_max)).await;
        let step = match step {
            Step::Ready => match self.assign(this, this.target.id(), stop).await {
                true => {
                    let replicas = Arc::clone(&self.replicas);
                    blocking(this, move |this| relocate(&replicas, this)).await
                }
                false => Step::Copied(0),
            },
            step => step,
        };
        match step {
            Step::Copied(bytes) => {
                self.budget.lock().spend(bytes);
                Turn::Again
            }
            Step::Ready => Turn::Again,
            Step::Full => Turn::Later { wait: FULL_BACKOFF },
            Step::Done => Turn::Over,
            Step::GivenUp => {
                self.give_up(this, stop).await;
                Turn::Over
            }
        }
    }

    /// The limit on all moves as it is now, in bytes a second.
    pub(super) fn rate(&self) -> u64 {
        let config = self.cluster.broker_config();
        u64::try_from(config.replica_alter_log_dirs_io_max_bytes_per_second).unwrap_or(0)
    }

    /// Tells the controller the directory of a partition. Returns whether the controller accepted it.
    pub(crate) async fn assign(&self, this: &Move, directory: Uuid, stop: &Stop) -> bool {
        let assignment = Assignment { topic_id: this.topic_id, partition: this.partition.index(), directory };
        // The assignment may take effect even if no confirmation comes in time.
        this.assigned.store(true, Ordering::Release);
        let decided = self.cluster.assign_replicas_to_dirs(std::slice::from_ref(&assignment));
        let decided = tokio::select! {
            biased;
            decided = decided => decided,
            // A stop does not wait for it.
            () = stop.rung() => return false,
        };
        if let Err(problem) = &decided {
            let partition = this.partition.name();
            warn!(partition, "the controller does not know of the move: {}", problem.message());
        }
        decided.is_ok()
    }

    /// Removes the copy, and tells the controller the present directory of the partition.
    async fn give_up(&self, this: &Arc<Move>, stop: &Stop) {
        this.cancelled.store(true, Ordering::Release);
        self.abandon(this);
        this.partition.set_moving(self.is_moved(&this.partition));
        if this.assigned.load(Ordering::Acquire) {
            self.assign(this, this.partition.log_dir().id(), stop).await;
        }
        blocking(this, discard).await;
    }
}

async fn blocking(this: &Arc<Move>, step: impl FnOnce(&Move) -> Step + Send + 'static) -> Step {
    let this = Arc::clone(this);
    // A panic is reported where it happens.
    task::spawn_blocking(move || step(&this)).await.unwrap_or(Step::GivenUp)
}

fn copy(this: &Move, bytes_max: u64) -> Step {
    let mut future = this.future.lock();
    let Some(future) = future.as_mut().filter(|_| !this.is_cancelled()) else { return Step::GivenUp };
    this.partition.await_swap();
    let Some(source) = this.partition.copy_source() else { return Step::GivenUp };
    let copied = future.copy(&source, bytes_max);
    this.size_bytes.store(future.size_bytes(), Ordering::Relaxed);
    this.end_offset.store(future.end_offset(), Ordering::Relaxed);
    let ready = copied.and_then(|CopyProgress { bytes, caught_up }| {
        if !caught_up || bytes > READY_BYTES_MAX {
            return Ok(Step::Copied(bytes));
        }
        future.prepare(&source)?;
        Ok(Step::Ready)
    });
    ready.unwrap_or_else(|problem| failed(this, &problem))
}

fn failed(this: &Move, problem: &CopyError) -> Step {
    let partition = this.partition.name();
    let target = this.target.path().display();
    match problem {
        CopyError::Full(_) => {
            warn!(partition, "the move to {target} waits for free space: {problem}");
            Step::Full
        }
        CopyError::Source(_) | CopyError::Offline(_) => {
            error!(partition, "the move to {target} is given up: {problem}");
            Step::GivenUp
        }
    }
}

/// Switches the log to the copy, and deletes the original.
fn relocate(replicas: &Replicas, this: &Move) -> Step {
    // The partition is not deleted or taken offline meanwhile, and nobody creates a partition of the same
    // name in its old place.
    let _applying = replicas.applying();
    let table = replicas.table();
    let partition = &this.partition;
    let known = table.partition(partition.topic(), partition.index());
    let is_here = known.is_ok_and(|known| Arc::ptr_eq(known, partition));
    let mut guard = this.future.lock();
    let Some(future) = guard.as_mut().filter(|_| is_here && !this.is_cancelled()) else {
        return Step::GivenUp;
    };
    let source = partition.log_dir();
    let name = TopicPartition { topic: partition.topic().to_string(), partition: partition.index() };
    let cleaned_to = source.working().and_then(|directory| directory.cleaned_to(&name));
    let syncs = match partition.relocate(future, &this.target) {
        Ok(Some(syncs)) => syncs,
        Ok(None) => return Step::Copied(0),
        Err(problem) => return failed(this, &problem),
    };
    *guard = None;
    partition.set_moving(false);
    let (from, to) = (source.path().display(), this.target.path().display());
    info!(partition = partition.name(), "the partition was moved from {from} to {to}");
    if let (Some(offset), Some(directory)) = (cleaned_to, this.target.working())
        && let Err(problem) = directory.set_cleaned_to(&name, offset)
    {
        warn!(partition = partition.name(), "the whole log is compacted again: {problem}");
    }
    // Until the new name is durable, a power failure leaves the old log.
    if syncs.flush().is_ok()
        && let Some(directory) = source.working()
    {
        match directory.rename_deleted(&name, &unique_id()) {
            Ok(path) => remove_later(&directory, vec![path]),
            Err(problem) => drop(directory.fail(problem)),
        }
    }
    Step::Done
}

/// Removes the copy of a cancelled move.
fn discard(this: &Move) -> Step {
    let Some(future) = this.future.lock().take() else { return Step::GivenUp };
    let Some(directory) = this.target.working() else { return Step::GivenUp };
    match future.discard() {
        Ok(path) => remove_later(&directory, vec![path]),
        Err(problem) => {
            let partition = this.partition.name();
            warn!(partition, "the files of a move that was given up are still there: {problem}");
        }
    }
    Step::GivenUp
}
