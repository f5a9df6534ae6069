//! The switch of a log to another log directory (AlterReplicaLogDirs, KIP-113).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use storage::{CopyError, CopySource, FutureLog, Syncs};

use super::Replica;
use crate::directories::LogDir;

/// The time to wait for the partition's lock: its holder may wait for a sync, and syncs are held back
/// meanwhile.
const LOCK: Duration = Duration::from_millis(20);

/// The most bytes that are left to copy when syncs are held back: acknowledgements wait for the copy.
const REST_BYTES_MAX: u64 = 256 << 10;

/// The number of rounds in which the copy catches up before another move has its turn.
const CATCH_UP_TURNS: usize = 8;

impl Replica {
    /// The present log as the source of a copy; `None` if the log is gone.
    pub(crate) fn copy_source(&self) -> Option<CopySource> {
        self.lock().as_ref().map(storage::Log::copy_source)
    }

    /// Waits for the end of a swap by compaction. No other swap starts while the log is moved.
    pub(crate) fn await_swap(&self) {
        drop(self.swapping.lock());
    }

    /// Keeps compaction away while the log is moved, or lets it come back. A segment that it replaced would
    /// have to be copied again.
    pub(crate) fn set_moving(&self, moving: bool) {
        self.moving.store(moving, Ordering::Release);
    }

    /// Whether the log is moved.
    pub(crate) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Acquire)
    }

    /// Switches the log to `future`, which is in `target`, if that has caught up. Returns the log's syncs,
    /// the first of which makes the log durable there; `None` if another turn is needed first.
    ///
    /// # Errors
    /// [`CopyError`] if the last bytes cannot be copied; the log then stays in its directory.
    pub(crate) fn relocate(
        &self,
        future: &mut FutureLog,
        target: &Arc<LogDir>,
    ) -> Result<Option<Syncs>, CopyError> {
        for _ in 0..CATCH_UP_TURNS {
            let Some(source) = self.copy_source() else { return Ok(None) };
            if future.copy(&source, u64::MAX)?.bytes <= REST_BYTES_MAX {
                break;
            }
        }
        let Some(syncs) = self.lock().as_ref().map(storage::Log::syncs) else { return Ok(None) };
        let paused = syncs.pause();
        let source = self.try_lock_for(LOCK).and_then(|log| Some(log.as_ref()?.copy_source()));
        let Some(source) = source else { return Ok(None) };
        // After this copy everything that is durable in the old directory is so in the new one, and nothing
        // more becomes durable in the old one.
        if !future.copy(&source, u64::MAX)?.caught_up {
            return Ok(None);
        }
        let Some(mut guard) = self.try_lock_for(LOCK) else { return Ok(None) };
        let Some(log) = guard.as_mut() else { return Ok(None) };
        if !log.relocate(future, &paused)? {
            return Ok(None);
        }
        let (told, news) = (Arc::clone(&self.durability), Arc::clone(target.news()));
        log.set_flush_listener(Box::new(move |flushed| news.tell(&told, flushed)));
        // Requests that waited for a sync of the old directory wait for this one.
        log.enqueue_flush();
        self.log_dir.store(Arc::clone(target));
        Ok(Some(log.syncs()))
    }
}
