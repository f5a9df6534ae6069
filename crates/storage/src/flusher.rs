//! Group commit: one fsync of a log covers all batches that wait for it.
//!
//! Each log directory has one [`Flusher`]. A log with batches to make durable enters its queue; a round takes
//! the waiting logs, makes them durable and publishes the durable offset of each. If several wait, idle
//! threads take a part of them. Batches appended meanwhile wait for the next round. A failed sync takes the
//! directory offline and reports that to every waiting log; nothing retries it. A log whose leader epoch
//! checkpoint meets a full disk waits for the next round but one: nothing was lost, and nothing is reported
//! yet.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use runtime::sync::Condvar;

use crate::checkpoint;
use crate::directory;
use crate::fs;
use crate::leader_epochs::EpochEntry;
use crate::log_offsets::LogOffsets;
use crate::names::{SNAPSHOT_SUFFIX, SegmentFile, offset_path};
use crate::offline::Offline;
use crate::segment::{PartitionDir, Segment};
use crate::traps::{self, Trap};
use crate::write_error::WriteError;

/// The name of the file of leader epochs in a partition's directory.
pub(crate) const LEADER_EPOCHS_FILE: &str = "leader-epoch-checkpoint";

/// The pause for logs that have met a full disk, if no other log waits.
const FULL_PAUSE: Duration = Duration::from_millis(500);

/// The listener for a log that has become durable up to an offset, or whose directory failed. The flush
/// thread calls it, with no lock held.
pub type FlushListener = Box<dyn Fn(Result<i64, &Offline>) + Send + Sync>;

/// The logs of a log directory that wait to be made durable.
#[derive(Debug, Default)]
pub struct Flusher {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Wakes the threads that aid.
    many: Condvar,
    flushes: AtomicU64,
    flush_nanos: AtomicU64,
}

/// The totals of a flusher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushTimes {
    /// The number of times that a log was made durable.
    pub flushes: u64,
    /// The time that this took in all.
    pub time: Duration,
}

#[derive(Debug, Default)]
struct Queue {
    /// Not owned: a log that was dropped waits for nothing.
    waiting: VecDeque<Weak<FlushState>>,
    /// The logs that have met a full disk.
    full: Vec<Weak<FlushState>>,
    /// The number of threads that wait to aid a round.
    aids: usize,
    stopped: bool,
}

impl Flusher {
    /// Makes the waiting logs durable and returns their number. Several threads may run rounds at once; only one of
    /// them syncs a log at a time.
    pub fn run_round(&self) -> usize {
        let (waiting, aids) = {
            let Queue { waiting, full, aids, .. } = &mut *self.queue.lock();
            waiting.extend(full.drain(..));
            (waiting.len(), (*aids).min(waiting.len().saturating_sub(1)))
        };
        for _ in 0..aids {
            self.many.notify_one();
        }
        for done in 0..waiting {
            let Some(log) = self.pop() else { return done };
            if let Some(log) = log.upgrade() {
                log.flush_and_tell();
            }
        }
        waiting
    }

    /// Runs rounds until [`Flusher::stop`], blocking while nothing waits. Logs that wait when it is stopped are still
    /// made durable.
    pub fn run(&self) {
        self.run_timed(|| Duration::ZERO);
    }

    /// The same, with the time measured by `now`, a clock with an arbitrary origin.
    pub fn run_timed(&self, now: impl Fn() -> Duration) {
        loop {
            {
                let mut queue = self.queue.lock();
                while queue.waiting.is_empty() {
                    if queue.stopped {
                        return;
                    }
                    if queue.full.is_empty() {
                        self.changed.wait(&mut queue);
                    } else if self.changed.wait_for(&mut queue, FULL_PAUSE) {
                        break;
                    }
                }
            }
            let begun = now();
            let flushes = self.run_round();
            self.count(flushes, now().saturating_sub(begun));
        }
    }

    /// Aids the threads that run rounds if more than one log waits, until [`Flusher::stop`]: concurrent syncs share the
    /// work that a file system does for all files at once. `now` is as in [`Flusher::run_timed`].
    pub fn aid_timed(&self, now: impl Fn() -> Duration) {
        loop {
            {
                let mut queue = self.queue.lock();
                while queue.waiting.is_empty() {
                    if queue.stopped {
                        return;
                    }
                    queue.aids += 1;
                    self.many.wait(&mut queue);
                    queue.aids -= 1;
                }
            }
            let begun = now();
            let mut flushes = 0;
            while let Some(log) = self.pop() {
                flushes += 1;
                if let Some(log) = log.upgrade() {
                    log.flush_and_tell();
                }
            }
            self.count(flushes, now().saturating_sub(begun));
        }
    }

    fn pop(&self) -> Option<Weak<FlushState>> {
        self.queue.lock().waiting.pop_front()
    }

    fn count(&self, flushes: usize, time: Duration) {
        self.flushes.fetch_add(flushes as u64, Ordering::Relaxed);
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.flush_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// The totals of [`Flusher::run_timed`] and [`Flusher::aid_timed`] so far.
    pub fn times(&self) -> FlushTimes {
        FlushTimes {
            flushes: self.flushes.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.flush_nanos.load(Ordering::Relaxed)),
        }
    }

    /// Makes [`Flusher::run`] and [`Flusher::aid_timed`] return once nothing waits.
    pub fn stop(&self) {
        self.queue.lock().stopped = true;
        self.changed.notify_all();
        self.many.notify_all();
    }

    fn met_full(&self, log: Weak<FlushState>) {
        self.queue.lock().full.push(log);
    }

    fn enqueue(&self, log: Weak<FlushState>) {
        self.queue.lock().waiting.push_back(log);
        self.changed.notify_one();
    }
}

/// The offsets of a log, and the files to sync to make it durable: the state that the log shares with the
/// flusher.
pub(crate) struct FlushState {
    pub(crate) partition: Arc<PartitionDir>,
    /// The offsets up to which it is written, and durable.
    pub(crate) offsets: Arc<LogOffsets>,
    /// Whether it is in the queue.
    queued: AtomicBool,
    /// Held while it is synced.
    syncing: Mutex<()>,
    work: Mutex<Work>,
    listener: OnceLock<FlushListener>,
    /// Whether the log has moved to another directory or is closed: nothing is synced here any more. Changes only while
    /// `syncing` is held.
    retired: AtomicBool,
}

/// The files to sync before the log is durable. Lock order: inside `syncing`.
#[derive(Debug)]
struct Work {
    /// The segment that is being written.
    active: Arc<Segment>,
    /// `None` if only files of the active segment were written: most partitions are idle.
    files: Option<Box<Files>>,
    /// The leader epochs, if they have changed since the last sync.
    epochs: Option<Box<[EpochEntry]>>,
    /// Whether files were created, renamed or removed since the last sync.
    directory: bool,
    /// The number of segments begun since the directory was last synced.
    rolls: u64,
    /// The number of deletions of first segments since the directory was last synced.
    deletions: u64,
    /// The number of the directory's own entry, if that need not be durable yet; see [`Entries`](crate::directory::Entries).
    entry: Option<u64>,
    /// Whether nothing was ever written to the log. It can be created again, so closing it syncs nothing.
    void: bool,
    /// Changes when the log is truncated: an earlier sync does not cover the batches that follow.
    generation: u64,
}

/// Files beside those of the active segment that were written since the last sync.
#[derive(Debug, Default)]
struct Files {
    /// Segments that were closed, with all their files.
    closed: Vec<Arc<Segment>>,
    /// Producer snapshots.
    snapshots: Vec<i64>,
}

impl Work {
    fn files(&mut self) -> &mut Files {
        self.files.get_or_insert_default()
    }
}

impl fmt::Debug for FlushState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flushed, end) = (self.offsets.flushed(), self.offsets.end());
        write!(f, "FlushState({}, flushed {flushed} of {end})", self.partition.name)
    }
}

impl FlushState {
    pub(crate) fn new(active: &Arc<Segment>, offsets: Arc<LogOffsets>) -> FlushState {
        let work = Work {
            active: active.clone(),
            files: None,
            epochs: None,
            directory: false,
            rolls: 0,
            deletions: 0,
            entry: None,
            void: false,
            generation: 0,
        };
        FlushState {
            partition: active.partition.clone(),
            offsets,
            queued: false.into(),
            syncing: Mutex::new(()),
            work: Mutex::new(work),
            listener: OnceLock::new(),
            retired: false.into(),
        }
    }

    pub(crate) fn set_listener(&self, listener: FlushListener) {
        assert!(self.listener.set(listener).is_ok(), "a log has one flush listener");
    }

    /// The offset below which nothing need be checked after a crash.
    pub(crate) fn recovery_point(&self) -> i64 {
        let ahead = traps::is_on(Trap::RecoveryPointAhead);
        if ahead { self.offsets.end() } else { self.offsets.flushed() }
    }

    /// Puts the log in the flusher's queue, unless it is there.
    pub(crate) fn enqueue(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.partition.directory.flusher.enqueue(Arc::downgrade(self));
        }
    }

    /// Notes that the active segment was closed and `active` follows it.
    pub(crate) fn rolled(&self, closed: Arc<Segment>, active: Arc<Segment>) {
        let mut work = self.work.lock();
        work.files().closed.push(closed);
        work.active = active;
        work.directory = true;
        work.void = false;
        work.rolls += 1;
    }

    /// Notes segments whose files were written by recovery.
    pub(crate) fn unsynced(&self, segments: Vec<Arc<Segment>>) {
        if segments.is_empty() {
            return;
        }
        let mut work = self.work.lock();
        work.directory = true;
        work.files().closed.extend(segments);
    }

    pub(crate) fn snapshot_written(&self, offset: i64) {
        let mut work = self.work.lock();
        work.files().snapshots.push(offset);
        work.directory = true;
    }

    /// Notes producer snapshots and segments that a process may have created and not synced before it died.
    pub(crate) fn found_unsynced(&self, snapshots: impl Iterator<Item = i64>) {
        let mut work = self.work.lock();
        for offset in snapshots {
            work.files().snapshots.push(offset);
        }
        work.directory = true;
        work.rolls += 1;
    }

    pub(crate) fn epochs_changed(&self, epochs: &[EpochEntry]) {
        self.work.lock().epochs = Some(epochs.into());
    }

    pub(crate) fn directory_changed(&self) {
        self.work.lock().directory = true;
    }

    /// Notes that the partition's directory need not be durable yet, nor what is in it. `entry` is the number of its
    /// entry in the log directory.
    pub(crate) fn created(&self, entry: u64) {
        let mut work = self.work.lock();
        work.directory = true;
        work.entry = Some(entry);
    }

    /// Notes that nothing was ever written to the log.
    pub(crate) fn begun_void(&self) {
        self.work.lock().void = true;
    }

    /// Whether nothing was ever written to the log, and everything that a loss of power could take can be created
    /// again.
    pub(crate) fn is_void(&self) -> bool {
        let work = self.work.lock();
        work.void && self.offsets.end() == 0 && !work.active.has_unsynced()
    }

    /// Forgets the unwritten leader epochs: no batch has one of them.
    pub(crate) fn forget_epochs(&self) {
        self.work.lock().epochs = None;
    }

    /// Waits for a sync that is under way and keeps the next from starting.
    pub(crate) fn pause(&self) -> MutexGuard<'_, ()> {
        self.syncing.lock()
    }

    /// Ends all syncs: the log has moved to another directory or is closed. Syncs must be paused.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether another directory has the log now, or none.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Changes when the log is truncated: bytes that were copied before may differ from its bytes.
    pub(crate) fn generation(&self) -> u64 {
        self.work.lock().generation
    }

    /// Notes that the log ends at `end_offset` now, in `active`, and that later segments and snapshots are gone. The
    /// log stays durable up to `flushed_offset`. Syncs must be paused.
    pub(crate) fn truncated(&self, active: Arc<Segment>, end_offset: i64, flushed_offset: i64) {
        let mut work = self.work.lock();
        work.generation += 1;
        work.void = false;
        if let Some(files) = &mut work.files {
            files.closed.retain(|segment| segment.base_offset < active.base_offset);
            files.snapshots.retain(|offset| *offset <= end_offset);
        }
        work.active = active;
        work.directory = true;
        self.offsets.set_flushed(flushed_offset.min(end_offset));
        self.offsets.lower_high_watermark(end_offset);
        self.offsets.set_end(end_offset);
    }

    /// Drops the unsynced files of segments below `base_offset`, which are deleted.
    pub(crate) fn deleted_below(&self, base_offset: i64) {
        let mut work = self.work.lock();
        if let Some(files) = &mut work.files {
            files.closed.retain(|segment| segment.base_offset >= base_offset);
            files.snapshots.retain(|offset| *offset >= base_offset);
        }
        work.directory = true;
        work.deletions += 1;
    }

    /// Makes deletions durable: until then a loss of power might undo any of them.
    pub(crate) fn sync_deletions(&self) -> Result<(), WriteError> {
        let _syncing = self.syncing.lock();
        let directory = &self.partition.directory;
        let deletions = self.work.lock().deletions;
        directory.fs.sync_dir(&self.partition.path()).map_err(|error| directory.write_error(error))?;
        self.work.lock().deletions -= deletions;
        Ok(())
    }

    /// Whether a loss of power may bring deleted segments back.
    pub(crate) fn has_unsynced_deletions(&self) -> bool {
        self.work.lock().deletions > 0
    }

    /// Whether a loss of power may take the active segment, and the snapshot at its start.
    pub(crate) fn has_unsynced_roll(&self) -> bool {
        self.work.lock().rolls > 0
    }

    /// Makes the log durable and returns the offset up to which it is. If the disk is full or no descriptor is left,
    /// the files stay to be synced.
    pub(crate) fn flush(&self) -> Result<i64, WriteError> {
        let _syncing = self.syncing.lock();
        let health = &self.partition.directory.health;
        health.check()?;
        if self.retired.load(Ordering::Acquire) {
            // The new directory, if there is one, keeps track of what is durable from here on.
            return Ok(self.offsets.flushed());
        }
        // The offset is read before the files that hold the bytes below it: a roll in between only adds files.
        let end_offset = self.offsets.end();
        self.write_epochs()?;
        let (work, generation) = {
            let mut work = self.work.lock();
            let taken = Work {
                active: work.active.clone(),
                files: work.files.take(),
                epochs: None,
                directory: std::mem::take(&mut work.directory),
                rolls: work.rolls,
                deletions: work.deletions,
                entry: work.entry.take(),
                void: work.void,
                generation: work.generation,
            };
            let generation = taken.generation;
            (taken, generation)
        };
        let (deletions, rolls) = (work.deletions, work.rolls);
        let mut synced = self.sync(&work);
        if synced.is_err() && traps::is_on(Trap::FailedSyncRetried) {
            synced = self.sync(&work);
        }
        if let Err(error) = synced {
            if error.is_out_of_descriptors() {
                // No sync has failed: the file could not be opened. Syncing the others twice does no harm.
                self.give_back(work);
                return Err(self.partition.directory.write_error(error));
            }
            return Err(health.fail(error).into());
        }
        let mut work = self.work.lock();
        work.deletions -= deletions;
        work.rolls -= rolls;
        if work.generation == generation {
            let before = self.offsets.raise_flushed(end_offset);
            self.partition.directory.note_durable(before, end_offset);
        }
        Ok(self.offsets.flushed())
    }

    /// Puts files back that are not synced.
    fn give_back(&self, taken: Work) {
        let mut work = self.work.lock();
        if let Some(taken) = taken.files {
            let files = work.files();
            files.closed.extend(taken.closed);
            files.snapshots.extend(taken.snapshots);
        }
        work.directory |= taken.directory;
        work.entry = work.entry.max(taken.entry);
    }

    /// Writes the leader epochs if they have changed: the one step that needs disk space.
    fn write_epochs(&self) -> Result<(), WriteError> {
        let Some(epochs) = self.work.lock().epochs.take() else { return Ok(()) };
        let directory = &self.partition.directory;
        let path = self.partition.path().join(LEADER_EPOCHS_FILE);
        checkpoint::write_leader_epochs(&directory.fs, &path, &epochs).map_err(|error| {
            let error = directory.write_error(error);
            if matches!(error, WriteError::Full(_)) {
                self.work.lock().epochs.get_or_insert(epochs);
            }
            error
        })
    }

    fn sync(&self, work: &Work) -> fs::Result<()> {
        let fs = &self.partition.directory.fs;
        for segment in work.files.iter().flat_map(|files| &files.closed) {
            for kind in SegmentFile::ALL {
                gone_is_synced(segment.sync(kind))?;
            }
        }
        for offset in work.files.iter().flat_map(|files| &files.snapshots) {
            let path = offset_path(&self.partition.path(), *offset, SNAPSHOT_SUFFIX);
            gone_is_synced(fs.open(&path, fs::Mode::Write).and_then(|file| file.sync_data()))?;
        }
        traps::unless(Trap::AcknowledgedUnsynced, || work.active.sync(SegmentFile::Log))?;
        work.active.sync(SegmentFile::TxnIndex)?;
        if work.entry.is_some() {
            directory::sync_topic_id(fs, &self.partition.path())?;
        }
        if work.directory {
            traps::unless(Trap::SegmentEntryUnsynced, || fs.sync_dir(&self.partition.path()))?;
        }
        if let Some(entry) = work.entry {
            let parent = &self.partition.directory;
            traps::unless(Trap::PartitionEntryUnsynced, || parent.sync_entry(entry))?;
        }
        Ok(())
    }

    /// Makes the log durable and calls its listener.
    fn flush_and_tell(self: &Arc<Self>) {
        // A batch appended from here on belongs to the next round, even if this one still covers it.
        self.queued.store(false, Ordering::Release);
        let flushed = match self.flush() {
            Ok(flushed) => Ok(flushed),
            Err(WriteError::Offline(offline)) => Err(offline),
            Err(WriteError::Full(_)) => {
                if !self.queued.swap(true, Ordering::AcqRel) {
                    self.partition.directory.flusher.met_full(Arc::downgrade(self));
                }
                return;
            }
        };
        if let Some(listener) = self.listener.get() {
            listener(flushed.as_ref().copied());
        }
    }
}

/// Counts a missing file as synced: retention may remove it while it waits.
fn gone_is_synced(synced: fs::Result<()>) -> fs::Result<()> {
    match synced {
        Err(e) if e.is_not_found() => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
