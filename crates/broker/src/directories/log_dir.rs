//! One directory of `log.dirs`, or the one of the metadata log, whether it works or not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use protocol::Uuid;
use runtime::{clock, task};
use storage::{LogDirectory, TopicPartition};
use tracing::{debug, error, warn};

use super::durability::FlushNews;
use super::error::DirectoryError;

/// Additional flush threads, for when several partitions wait at once: concurrent syncs share one commit of
/// the file system's journal.
const FLUSH_AIDS: usize = 3;

/// A log directory with its flush threads.
pub(crate) struct LogDir {
    /// The absolute path, as clients see it.
    path: PathBuf,
    /// Its `directory.id`, or zero if that could not be read.
    id: Uuid,
    /// Whether it is one of `log.dirs`. A separate metadata.log.dir holds no partitions.
    holds_partitions: bool,
    /// `None` if it could not be opened, and once it is closed.
    directory: Mutex<Option<Arc<LogDirectory>>>,
    /// Its flush threads.
    flushing: Mutex<Vec<task::Thread>>,
    news: Arc<FlushNews>,
    /// Whether its disk was full, except for the reserve, at the last check.
    was_full: AtomicBool,
}

impl LogDir {
    /// A directory that is open. Starts its flush threads.
    ///
    /// # Errors
    /// [`DirectoryError::Thread`] if a thread cannot be started.
    pub(crate) fn online(
        path: PathBuf,
        id: Uuid,
        holds_partitions: bool,
        directory: LogDirectory,
    ) -> Result<Self, DirectoryError> {
        let begun = clock::now();
        let mut flushing = Vec::new();
        for number in 0..=FLUSH_AIDS {
            let flusher = directory.flusher();
            let run = move || match number {
                0 => flusher.run_timed(|| begun.elapsed()),
                _ => flusher.aid_timed(|| begun.elapsed()),
            };
            flushing.push(task::spawn_thread("milena-flush", run).map_err(DirectoryError::Thread)?);
        }
        Ok(Self {
            path,
            id,
            holds_partitions,
            directory: Mutex::new(Some(Arc::new(directory))),
            flushing: Mutex::new(flushing),
            news: Arc::default(),
            was_full: AtomicBool::new(false),
        })
    }

    /// A directory that could not be opened.
    pub(crate) fn offline(path: PathBuf) -> Self {
        Self {
            path,
            id: Uuid::ZERO,
            holds_partitions: true,
            directory: Mutex::new(None),
            flushing: Mutex::default(),
            news: Arc::default(),
            was_full: AtomicBool::new(false),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    pub(crate) fn holds_partitions(&self) -> bool {
        self.holds_partitions
    }

    /// The results of its flusher.
    pub(crate) fn news(&self) -> &Arc<FlushNews> {
        &self.news
    }

    /// The directory if it is open, even if it has failed.
    pub(crate) fn opened(&self) -> Option<Arc<LogDirectory>> {
        self.directory.lock().clone()
    }

    /// The directory if it works.
    pub(crate) fn working(&self) -> Option<Arc<LogDirectory>> {
        self.opened().filter(|directory| directory.check().is_ok())
    }

    pub(crate) fn is_online(&self) -> bool {
        self.working().is_some()
    }

    /// Whether it works and has a directory for the partition.
    pub(crate) fn holds(&self, partition: &TopicPartition) -> bool {
        self.working().is_some_and(|directory| directory.holds(partition))
    }

    /// Checks the free space: whether the disk is full except for its reserve, and whether it was at the last
    /// check.
    pub(crate) fn look_at_room(&self) -> (bool, bool) {
        let looked = self.working().map(|directory| directory.look_at_room());
        let is_full = match looked {
            Some(Ok(is_full)) => is_full,
            Some(Err(problem)) => {
                debug!("the free space is unknown: {problem}");
                return (false, false);
            }
            None => false,
        };
        (is_full, self.was_full.swap(is_full, Ordering::Relaxed))
    }

    /// Whether the disk was full, except for the reserve, at the last check. Records of clients are then
    /// rejected.
    pub(crate) fn is_full(&self) -> bool {
        self.was_full.load(Ordering::Relaxed)
    }

    /// Writes recovery points and log start offsets, so that a restart after a crash scans less.
    pub(crate) fn checkpoint(&self) {
        let Some(directory) = self.working() else { return };
        let written =
            directory.checkpoint_log_offsets().and_then(|()| directory.checkpoint_high_watermarks());
        match written {
            Err(problem) if problem.passes() => warn!("the checkpoints were not written: {problem}"),
            Err(problem) => drop(directory.fail(problem)),
            Ok(()) => {}
        }
    }

    /// Writes the checkpoints if they lack a log that has got its first records: without an entry there,
    /// nobody would miss the log if its directory were lost.
    pub(crate) fn checkpoint_if_untold(&self) {
        if self.working().is_some_and(|directory| directory.take_untold()) {
            self.checkpoint();
        }
    }

    /// Closes the directory, whose logs are already closed.
    pub(crate) fn close(&self, broker_epoch: i64) {
        let Some(directory) = self.directory.lock().take() else { return };
        directory.flusher().stop();
        for flushing in std::mem::take(&mut *self.flushing.lock()) {
            if flushing.join().is_err() {
                error!("flush thread panicked");
            }
        }
        let path = self.path.display();
        if directory.check().is_err() {
            warn!("the log directory {path} has failed: the next start checks its logs");
            return;
        }
        let Some(directory) = Arc::into_inner(directory) else {
            // A removal in the background still uses it, so that the next start recovers as after a crash.
            warn!("the log directory {path} is still in use: the next start checks its logs again");
            return;
        };
        match directory.close(broker_epoch) {
            Ok(true) => {}
            Ok(false) => {
                warn!("not all logs in {path} were closed cleanly: the next start checks them again");
            }
            Err(problem) => warn!("the next start checks the logs again: {problem}"),
        }
    }
}
