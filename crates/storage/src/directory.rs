//! A log directory: what it holds, and what its logs share.
//!
//! | file or entry on disk | module |
//! |---|---|
//! | `meta.properties`, `.kafka_cleanshutdown` | `meta_properties`, `clean_shutdown` |
//! | a partition's directory and its `partition.metadata` | `make`, `entries` (how far they are durable), `partition_metadata` |
//! | a directory on its way out or in | `deletion` (`-delete`, `-stray`), `futures` (`-future`) |
//! | the checkpoints of offsets | `offset_files` writes them, `checkpointed` reads them at a start, `stale` and `absent` track partitions without a directory |

mod absent;
mod checkpointed;
mod clean_shutdown;
mod deletion;
mod entries;
mod futures;
mod make;
mod meta_properties;
mod offset_files;
mod partition_metadata;
mod stale;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::checkpoint::{self, CheckpointError};
use crate::flusher::{FlushState, Flusher};
use crate::fs::{self, File, Fs};
use crate::names::{DirKind, TopicPartition};
use crate::offline::{FailureListener, Health, Offline};
use crate::room::Room;
use crate::segment::OpenFiles;
use crate::traps::{self, Trap};
use crate::write_error::WriteError;

pub use absent::AbsentPartition;
use checkpointed::CheckpointedOffsets;
pub use deletion::Remover;
pub(crate) use entries::Entries;
pub use futures::FutureDir;
pub(crate) use make::MakeError;
pub use meta_properties::MetaProperties;
pub(crate) use meta_properties::read as read_meta_properties;
pub(crate) use offset_files::left_starts_alone;
pub(crate) use partition_metadata::{read_topic_id, sync_topic_id, write_topic_id};

const LOCK_FILE: &str = ".lock";
const RECOVERY_POINTS_FILE: &str = "recovery-point-offset-checkpoint";
const LOG_START_OFFSETS_FILE: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS_FILE: &str = "replication-offset-checkpoint";
const CLEANER_OFFSETS_FILE: &str = "cleaner-offset-checkpoint";

/// The options of opening a log directory.
#[derive(Clone, Debug)]
pub struct OpenDirectory {
    /// The files.
    pub fs: Fs,
    /// The directory; created if it does not exist.
    pub path: PathBuf,
    /// The most files that its segments keep open, each with one descriptor.
    pub open_files_max: usize,
}

/// Why a log directory cannot be opened.
#[derive(Debug)]
pub enum OpenDirectoryError {
    /// A file operation failed.
    Fs(fs::Error),
    /// Another process, or this one, has it open.
    Locked(PathBuf),
    /// Its `meta.properties` cannot be parsed.
    Checkpoint(CheckpointError),
}

impl fmt::Display for OpenDirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenDirectoryError::Fs(error) => error.fmt(f),
            OpenDirectoryError::Checkpoint(error) => error.fmt(f),
            OpenDirectoryError::Locked(path) => {
                write!(f, "the log directory {} is in use by another process", path.display())
            }
        }
    }
}

impl std::error::Error for OpenDirectoryError {}

impl From<fs::Error> for OpenDirectoryError {
    fn from(error: fs::Error) -> Self {
        OpenDirectoryError::Fs(error)
    }
}

/// A log directory, locked against other processes for as long as this lives.
#[derive(Debug)]
pub struct LogDirectory {
    shared: Arc<DirectoryState>,
    clean: bool,
    previous_broker_epoch: Option<i64>,
    _lock: File,
}

/// The state that the logs of a directory share.
#[derive(Debug)]
pub(crate) struct DirectoryState {
    pub(crate) fs: Fs,
    pub(crate) path: PathBuf,
    pub(crate) health: Health,
    pub(crate) open_files: OpenFiles,
    pub(crate) flusher: Flusher,
    pub(crate) room: Room,
    partitions: Mutex<BTreeMap<Arc<TopicPartition>, PartitionState>>,
    entries: Entries,
    /// Logs that were being moved here when the last process ended, and that are neither resumed nor deleted yet.
    futures: Mutex<BTreeMap<TopicPartition, Vec<FutureDir>>>,
    /// Logs that are about to arrive. The checkpoints have them first. Lock order: inside `partitions`.
    arriving: Mutex<BTreeMap<TopicPartition, Offsets>>,
    /// Partitions without a directory that the checkpoint files name: deleted, or never written to.
    stale: Mutex<BTreeSet<TopicPartition>>,
    /// Partitions without a directory that had records according to the checkpoint files. The files keep them until the
    /// caller decides what became of them. Lock order: inside `partitions`.
    absent: Mutex<BTreeMap<TopicPartition, Offsets>>,
    /// Whether records have become durable in a log for which the checkpoints have none.
    untold: AtomicBool,
    /// The offset up to which each compacted log is clean; `None` before the first use.
    cleaned_to: Mutex<Option<BTreeMap<TopicPartition, i64>>>,
    /// Whether the file that marks a clean shutdown exists.
    has_shutdown_file: Mutex<bool>,
    /// Whether the recovery points are lost, so that nothing says what was durable.
    pub(crate) lacks_recovery_points: bool,
    /// Whether it is closed. Held while a directory in it is removed.
    is_closed: Mutex<bool>,
}

/// The state of a partition of the directory, open or not.
#[derive(Debug, Default)]
struct PartitionState {
    /// `None` if all offsets are zero, as in a partition without records.
    noted: Option<Box<NotedOffsets>>,
    /// Whether its files are as a clean close left them.
    clean: bool,
    log: Option<Arc<FlushState>>,
}

/// The offsets of a partition from checkpoints, and from the log that was closed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NotedOffsets {
    offsets: Offsets,
    /// The lowest and the highest recovery point and log start offset that the checkpoint files may hold. They differ
    /// after a failed write.
    written: [(i64, i64); 2],
}

/// The offsets of a partition that checkpoints hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) recovery_point: i64,
    pub(crate) log_start_offset: i64,
    pub(crate) high_watermark: i64,
}

impl PartitionState {
    fn noted(&self) -> NotedOffsets {
        self.noted.as_deref().copied().unwrap_or_default()
    }

    fn note(&mut self, noted: NotedOffsets) {
        if self.noted() != noted {
            self.noted = (noted != NotedOffsets::default()).then(|| Box::new(noted));
        }
    }

    fn offsets(&self) -> Offsets {
        self.log.as_ref().map_or_else(
            || self.noted().offsets,
            |log| Offsets {
                recovery_point: log.recovery_point(),
                log_start_offset: log.offsets.start(),
                high_watermark: log.offsets.high_watermark(),
            },
        )
    }
}

impl LogDirectory {
    /// Opens a log directory, and creates it if it does not exist.
    ///
    /// From here on it is known whether the last shutdown was clean. The file that says so is removed once
    /// the first log is opened, so that a crash after that is recognised, and a start that fails before
    /// changes nothing.
    ///
    /// # Errors
    /// [`OpenDirectoryError`] if it is in use, damaged or unreadable; it is then unchanged.
    pub fn open(open: OpenDirectory) -> Result<LogDirectory, OpenDirectoryError> {
        let OpenDirectory { fs, path, open_files_max } = open;
        if !fs.exists(&path)? {
            fs.create_dir_all(&path)?;
        }
        let Some(lock) = fs.lock(&path.join(LOCK_FILE))? else {
            return Err(OpenDirectoryError::Locked(path));
        };
        let shutdown = clean_shutdown::read(&fs, &path)?;
        let DirectoryContents { partitions, stale, absent, futures, lacks_recovery_points } =
            read_contents(&fs, &path, shutdown.is_some())?;
        if shutdown.is_none() {
            // A loss of power would undo directories that the last process created and did not sync. From here on they
            // count as existing.
            fs.sync_dir(&path)?;
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent.filter(|_| partitions.is_empty()) {
            fs.sync_dir(parent)?;
        }
        let shared = DirectoryState {
            health: Health::new(&path),
            open_files: OpenFiles::new(open_files_max),
            flusher: Flusher::default(),
            room: Room::new(&path),
            partitions: Mutex::new(partitions),
            entries: Entries::new(shutdown.is_none()),
            futures: Mutex::new(futures),
            arriving: Mutex::default(),
            stale: Mutex::new(stale),
            absent: Mutex::new(absent),
            untold: AtomicBool::new(false),
            cleaned_to: Mutex::default(),
            has_shutdown_file: Mutex::new(shutdown.is_some()),
            lacks_recovery_points,
            is_closed: Mutex::new(false),
            fs,
            path,
        };
        Ok(LogDirectory {
            shared: Arc::new(shared),
            clean: shutdown.is_some(),
            previous_broker_epoch: shutdown.and_then(|shutdown| shutdown.broker_epoch),
            _lock: lock,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// The file system that it is on.
    pub fn fs(&self) -> &Fs {
        &self.shared.fs
    }

    /// Whether its last shutdown was clean. A new directory had none.
    pub fn was_clean(&self) -> bool {
        self.clean
    }

    /// The broker epoch of its last use, if its shutdown was clean and recorded one (KIP-966).
    pub fn previous_broker_epoch(&self) -> Option<i64> {
        self.previous_broker_epoch
    }

    /// Its group commit, for the thread that runs it.
    pub fn flusher(&self) -> Arc<DirectoryFlusher> {
        Arc::new(DirectoryFlusher(self.shared.clone()))
    }

    /// Whether it still works.
    ///
    /// # Errors
    /// [`Offline`] with the operation that failed.
    pub fn check(&self) -> Result<(), Offline> {
        self.shared.health.check()
    }

    /// Takes it offline because of a failure that its logs have not met themselves.
    pub fn fail(&self, cause: fs::Error) -> Offline {
        self.shared.health.fail(cause)
    }

    /// Sets the listener for its failure. Call it once, before its logs are open.
    pub fn set_failure_listener(&self, listener: FailureListener) {
        self.shared.health.set_listener(listener);
    }

    /// Whether a partition has a directory here.
    pub fn holds(&self, partition: &TopicPartition) -> bool {
        self.shared.partitions.lock().contains_key(partition)
    }

    /// The `meta.properties`; `None` if the file does not exist.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be read or parsed.
    pub fn meta_properties(&self) -> Result<Option<MetaProperties>, CheckpointError> {
        meta_properties::read(&self.shared.fs, &self.shared.path)
    }

    /// Replaces the `meta.properties`.
    ///
    /// # Errors
    /// The file system's error.
    pub fn write_meta_properties(&self, properties: &MetaProperties) -> fs::Result<()> {
        meta_properties::write(&self.shared.fs, &self.shared.path, properties)
    }

    /// The partitions that have a directory here, in order.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.shared.partitions.lock().keys().map(|name| (**name).clone()).collect()
    }

    /// The last checkpointed high watermark of a partition; zero if there is none.
    #[cfg(test)]
    pub(crate) fn checkpointed_high_watermark(&self, partition: &TopicPartition) -> i64 {
        self.shared.partitions.lock().get(partition).map_or(0, |known| known.noted().offsets.high_watermark)
    }

    /// The number of partitions with a directory here.
    pub fn partition_count(&self) -> usize {
        self.shared.partitions.lock().len()
    }

    /// The topic id in a partition's `partition.metadata`, as the 16 bytes of a UUID; `None` if the file does
    /// not exist.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be read or parsed.
    pub fn topic_id(&self, partition: &TopicPartition) -> Result<Option<[u8; 16]>, CheckpointError> {
        read_topic_id(&self.shared.fs, &self.shared.path.join(partition.to_string()))
    }

    /// Writes the recovery points and log start offsets of all logs to their checkpoint files.
    ///
    /// # Errors
    /// The file system's error.
    pub fn checkpoint_log_offsets(&self) -> fs::Result<()> {
        self.shared.checkpoint_log_offsets()
    }

    /// Writes the high watermarks of all logs to their checkpoint file.
    ///
    /// # Errors
    /// The file system's error.
    pub fn checkpoint_high_watermarks(&self) -> fs::Result<()> {
        self.shared.write(HIGH_WATERMARKS_FILE, |offsets| offsets.high_watermark)
    }

    /// The space on its volume.
    ///
    /// # Errors
    /// The file system's error.
    pub fn space(&self) -> fs::Result<fs::Space> {
        self.shared.fs.space(&self.shared.path)
    }

    /// Sets the reserve: the bytes of the volume that records of clients leave free for operations that free space, at
    /// most a tenth of it. With 0, the default, records of clients may fill the disk. Call it once, before its logs are
    /// open.
    pub fn set_reserved_bytes(&self, bytes: u64) {
        self.shared.room.set_reserved_bytes(bytes);
    }

    /// Checks the free space on the volume. Returns whether records of clients are rejected from here on.
    /// Call it every second or so: nothing else accepts them again.
    ///
    /// # Errors
    /// The file system's error.
    pub fn look_at_room(&self) -> fs::Result<bool> {
        self.shared.room.look(&self.shared.fs)
    }

    /// Writes the checkpoints and, if every log is closed, the file that marks a clean shutdown. Returns
    /// whether it did. `broker_epoch` is -1 if there is none.
    ///
    /// # Errors
    /// The file system's error; the next start then recovers as after a crash.
    pub fn close(self, broker_epoch: i64) -> fs::Result<bool> {
        *self.shared.is_closed.lock() = true;
        self.checkpoint_log_offsets()?;
        self.checkpoint_high_watermarks()?;
        let all_clean =
            self.shared.partitions.lock().values().all(|known| known.clean && known.log.is_none());
        if all_clean && self.check().is_ok() {
            clean_shutdown::write(&self.shared.fs, &self.shared.path, broker_epoch)?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(crate) fn shared(&self) -> &Arc<DirectoryState> {
        &self.shared
    }
}

/// The group commit of a log directory, for the thread that runs it.
#[derive(Debug)]
pub struct DirectoryFlusher(Arc<DirectoryState>);

impl std::ops::Deref for DirectoryFlusher {
    type Target = Flusher;

    fn deref(&self) -> &Flusher {
        &self.0.flusher
    }
}

impl DirectoryState {
    /// The error of a failed write: one that does not pass takes the log directory offline.
    pub(crate) fn write_error(&self, error: fs::Error) -> WriteError {
        if error.passes() {
            self.room.met_full(&self.fs, &error);
            return WriteError::Full(error);
        }
        WriteError::Offline(self.health.fail(error))
    }

    /// The offset up to which a log is clean, as noted by compaction. If the file with these offsets cannot
    /// be read, every log counts as dirty: cleaning it once more changes nothing.
    pub(crate) fn cleaned_to(&self, partition: &TopicPartition) -> Option<i64> {
        self.cleaner_offsets(&mut self.cleaned_to.lock()).get(partition).copied()
    }

    /// Notes the offset up to which a log is clean.
    pub(crate) fn set_cleaned_to(&self, partition: &TopicPartition, offset: i64) -> fs::Result<()> {
        // Held throughout, so that an older state never overwrites a newer one.
        let mut cleaned_to = self.cleaned_to.lock();
        let offsets = self.cleaner_offsets(&mut cleaned_to);
        {
            let partitions = self.partitions.lock();
            let absent = self.absent.lock();
            offsets.retain(|name, _| partitions.contains_key(name) || absent.contains_key(name));
        }
        offsets.insert(partition.clone(), offset);
        let written =
            checkpoint::write_offsets(&self.fs, &self.path.join(CLEANER_OFFSETS_FILE), offsets.iter());
        drop(cleaned_to);
        written.map_err(|error| self.health.meet(error))
    }

    /// Notes that a log was truncated to an offset: batches appended from there on are not clean.
    pub(crate) fn lower_cleaned_to(&self, partition: &TopicPartition, offset: i64) {
        if self.cleaned_to(partition).is_some_and(|cleaned_to| cleaned_to > offset)
            && let Err(error) = self.set_cleaned_to(partition, offset)
        {
            // This costs only disk space.
            tracing::warn!(%partition, "the next start may take it to be clean above {offset}: {error}");
        }
    }

    fn cleaner_offsets<'a>(
        &self,
        known: &'a mut Option<BTreeMap<TopicPartition, i64>>,
    ) -> &'a mut BTreeMap<TopicPartition, i64> {
        known.get_or_insert_with(|| {
            let path = self.path.join(CLEANER_OFFSETS_FILE);
            checkpoint::read_offsets(&self.fs, &path).unwrap_or_else(|problem| {
                tracing::warn!("compaction starts from the beginning of every log: {problem}");
                BTreeMap::new()
            })
        })
    }

    /// Removes the file that marks a clean shutdown: a log is about to change.
    pub(crate) fn begin_use(&self) -> fs::Result<()> {
        let mut has_file = self.has_shutdown_file.lock();
        if *has_file {
            traps::unless(Trap::CleanStopBelieved, || clean_shutdown::remove(&self.fs, &self.path))?;
            *has_file = false;
        }
        Ok(())
    }

    /// Returns the name and the offsets of a partition that is about to be opened, and whether its files are as a clean
    /// close left them. From here on they count as not clean.
    pub(crate) fn opening(&self, partition: &TopicPartition) -> (Arc<TopicPartition>, Offsets, bool) {
        let mut partitions = self.partitions.lock();
        let name = match partitions.get_key_value(partition) {
            Some((name, _)) => name.clone(),
            None => Arc::new(partition.clone()),
        };
        let known = partitions.entry(name.clone()).or_default();
        assert!(known.log.is_none(), "the log of {partition} is open already");
        (name, known.noted().offsets, std::mem::take(&mut known.clean))
    }

    pub(crate) fn opened(&self, log: Arc<FlushState>) {
        let name = log.partition.name.clone();
        self.partitions.lock().entry(name).or_default().log = Some(log);
    }

    /// Notes that a log is closed, cleanly or not.
    pub(crate) fn closed(&self, log: &FlushState, clean: bool) {
        if let Some(known) = self.partitions.lock().get_mut(&log.partition.name) {
            known.note(NotedOffsets { offsets: known.offsets(), ..known.noted() });
            known.clean = clean;
            known.log = None;
        }
    }

    /// The same for a log that was dropped without being closed.
    pub(crate) fn closed_if_open(&self, log: &Arc<FlushState>) {
        let is_open = {
            let partitions = self.partitions.lock();
            let known = partitions.get(&log.partition.name);
            known.and_then(|known| known.log.as_ref()).is_some_and(|open| Arc::ptr_eq(open, log))
        };
        if is_open {
            self.closed(log, false);
        }
    }
}

/// The contents of a log directory when it is opened.
struct DirectoryContents {
    /// The partitions that have a directory, with what the checkpoints say of them.
    partitions: BTreeMap<Arc<TopicPartition>, PartitionState>,
    /// Partitions without records that only the checkpoints name.
    stale: BTreeSet<TopicPartition>,
    /// Partitions with records that only the checkpoints name.
    absent: BTreeMap<TopicPartition, Offsets>,
    futures: BTreeMap<TopicPartition, Vec<FutureDir>>,
    lacks_recovery_points: bool,
}

fn read_contents(fs: &Fs, path: &Path, clean: bool) -> fs::Result<DirectoryContents> {
    let found = CheckpointedOffsets::read(fs, path)?;
    let lacks_recovery_points = found.lacks_recovery_points();
    let [recovery_points, log_start_offsets, high_watermarks] = found.all();
    let offsets_of = |name: &TopicPartition| {
        let offset = |offsets: &BTreeMap<_, _>| offsets.get(name).copied().unwrap_or(0);
        Offsets {
            recovery_point: offset(recovery_points),
            log_start_offset: offset(log_start_offsets),
            high_watermark: offset(high_watermarks),
        }
    };
    let mut partitions = Vec::new();
    let mut futures: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in fs.list(path)?.into_iter().filter(|entry| entry.is_dir) {
        if let Some(future) = FutureDir::find(fs, path, &entry.name) {
            futures.entry(future.partition.clone()).or_default().push(future);
        }
        let DirKind::Partition(name) = DirKind::of(&entry.name) else { continue };
        let offsets = offsets_of(&name);
        let written = [(offsets.recovery_point, offsets.log_start_offset); 2];
        let mut state = PartitionState { clean, ..PartitionState::default() };
        state.note(NotedOffsets { offsets, written });
        partitions.push((Arc::new(name), state));
    }
    // A map that is built in one step has no unused space.
    let partitions = partitions.into_iter().collect();
    let (mut stale, mut absent) = (BTreeSet::new(), BTreeMap::new());
    for name in stale::names([recovery_points, log_start_offsets, high_watermarks], &partitions) {
        match offsets_of(&name) {
            none if none == Offsets::default() => drop(stale.insert(name)),
            offsets => drop(absent.insert(name, offsets)),
        }
    }
    Ok(DirectoryContents { partitions, stale, absent, futures, lacks_recovery_points })
}

#[cfg(test)]
mod tests;
