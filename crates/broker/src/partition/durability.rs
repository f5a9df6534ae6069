//! How far a log is on disk, and who waits for it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use storage::Offline;
use tokio::sync::Notify;

/// What the thread that flushes tells the requests that wait for it.
#[derive(Debug)]
pub(super) struct Durability {
    flushed_offset: AtomicI64,
    offline: OnceLock<Offline>,
    news: Notify,
}

impl Durability {
    pub(super) fn new(flushed_offset: i64) -> Self {
        Self { flushed_offset: AtomicI64::new(flushed_offset), offline: OnceLock::new(), news: Notify::new() }
    }

    /// What the flusher has come to.
    pub(super) fn flushed(&self, result: Result<i64, &Offline>) {
        match result {
            Ok(offset) => {
                self.flushed_offset.fetch_max(offset, Ordering::AcqRel);
            }
            Err(offline) => {
                // The first failure is the one that counts; it never heals.
                let _ = self.offline.set(offline.clone());
            }
        }
        self.news.notify_waiters();
    }

    /// Whether the disk has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.offline.get().is_some()
    }

    pub(super) fn flushed_offset(&self) -> i64 {
        self.flushed_offset.load(Ordering::Acquire)
    }

    /// Waits until everything before `end_offset` is on disk.
    pub(super) async fn wait(&self, end_offset: i64) -> Result<(), Offline> {
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            // Enabled before the look, so that a flush between the two is not missed.
            news.as_mut().enable();
            if self.flushed_offset() >= end_offset {
                return Ok(());
            }
            if let Some(offline) = self.offline.get() {
                return Err(offline.clone());
            }
            news.await;
        }
    }
}
