//! The periodic work of a broker: checking the space on its disks, retention, removal of deleted files,
//! checkpoints, expiry of producers, flushes by age.

use std::sync::{Arc, Weak};
use std::time::Duration;

use runtime::clock::{self, Instant};
use settings::BrokerConfig;

use crate::replicas::{Replica, Replicas};
use crate::upkeep::worker::{Next, Stop, Worker};

/// The time between two checks for deleted files that are due for removal.
const DELETIONS_INTERVAL: Duration = Duration::from_secs(10);

/// The time between two checks of the space on the disks.
const ROOM_INTERVAL_MS: i64 = 1_000;

/// The time between two checks for logs that have got their first records, which must be in a checkpoint.
const UNTOLD_INTERVAL_MS: i64 = 1_000;

/// The time between two attempts to open partitions that failed on a full disk.
const WITHOUT_ROOM_INTERVAL_MS: i64 = 5_000;

/// Periodic work.
struct Chore {
    every: Duration,
    due: Instant,
    work: Work,
}

/// The work of a chore. It is given the wall-clock time in milliseconds.
type Work = Box<dyn Fn(&Replicas, i64) + Send>;

impl Chore {
    fn new(every_ms: i64, work: impl Fn(&Replicas, i64) + Send + 'static) -> Self {
        let every = Duration::from_millis(u64::try_from(every_ms).unwrap_or(0).max(1));
        // The largest interval means never, but no clock reaches that far.
        let every = every.min(Duration::from_secs(365 * 24 * 3600));
        Self { every, due: clock::now() + every, work: Box::new(work) }
    }
}

/// All chores, one after the other.
pub(crate) struct Chores {
    replicas: Weak<Replicas>,
    chores: [Chore; 8],
}

impl Chores {
    /// The chores of a broker. `open_without_room` opens partitions that failed on a full disk.
    pub(crate) fn new(
        replicas: &Arc<Replicas>,
        config: &BrokerConfig,
        open_without_room: impl Fn() + Send + 'static,
    ) -> Self {
        let retention_ms = config.log_retention_check_interval_ms;
        let deletions_ms =
            i64::try_from(DELETIONS_INTERVAL.as_millis()).unwrap_or(i64::MAX).min(retention_ms);
        let chores = [
            Chore::new(retention_ms, apply_retention),
            Chore::new(deletions_ms, remove_deleted),
            Chore::new(config.log_flush_offset_checkpoint_interval_ms, |replicas, _| {
                replicas.dirs().checkpoint();
            }),
            Chore::new(i64::from(config.producer_id_expiration_check_interval_ms), forget_producers),
            Chore::new(config.log_flush_scheduler_interval_ms, |replicas, _| flush_by_age(replicas)),
            Chore::new(ROOM_INTERVAL_MS, look_at_room),
            Chore::new(UNTOLD_INTERVAL_MS, |replicas, _| {
                replicas.dirs().all().iter().for_each(|dir| dir.checkpoint_if_untold());
            }),
            Chore::new(WITHOUT_ROOM_INTERVAL_MS, move |_, _| open_without_room()),
        ];
        Self { replicas: Arc::downgrade(replicas), chores }
    }
}

impl Worker for Chores {
    fn run(&mut self, stop: &Stop) -> Next {
        let Some(replicas) = self.replicas.upgrade() else { return Next::Never };
        while stop.check().is_ok() {
            let chore = self.chores.iter_mut().min_by_key(|chore| chore.due).expect("there are chores");
            if chore.due > clock::now() {
                return Next::At(chore.due);
            }
            // Set before the work, so that a chore that panics still has its next time.
            chore.due = clock::now() + chore.every;
            (chore.work)(&replicas, clock::now_ms());
        }
        Next::Never
    }
}

fn apply_retention(replicas: &Replicas, now_ms: i64) {
    replicas.table().partitions().for_each(|partition| partition.apply_retention(now_ms));
}

/// Checks the space on the disks. If one is full except for its reserve, everything that may be deleted is
/// deleted at once, so that clients can soon produce again: expired segments, and files that would stay for
/// `file.delete.delay.ms`, which are for readers that other brokers may have and this one does not.
fn look_at_room(replicas: &Replicas, now_ms: i64) {
    for dir in replicas.dirs().all() {
        let (is_full, was_full) = dir.look_at_room();
        if !is_full {
            continue;
        }
        let table = replicas.table();
        for partition in table.partitions().filter(|partition| Arc::ptr_eq(&partition.log_dir(), dir)) {
            if !was_full {
                partition.apply_retention(now_ms);
            }
            remove_deleted_of(partition, i64::MAX);
        }
    }
}

fn remove_deleted(replicas: &Replicas, now_ms: i64) {
    replicas.table().partitions().for_each(|partition| remove_deleted_of(partition, now_ms));
}

fn remove_deleted_of(partition: &Replica, now_ms: i64) {
    for deleted in partition.take_due_deletions(now_ms) {
        if let Err(problem) = deleted.remove() {
            tracing::warn!(partition = partition.name(), "deleted files are still on the disk: {problem}");
        }
    }
}

fn forget_producers(replicas: &Replicas, now_ms: i64) {
    replicas.table().partitions().for_each(|partition| partition.remove_expired_producers(now_ms));
}

fn flush_by_age(replicas: &Replicas) {
    let steady_ms = clock::steady_ms();
    replicas.table().partitions().for_each(|partition| partition.flush_by_age(steady_ms));
}
