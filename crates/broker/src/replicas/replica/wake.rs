//! The fetches that wait for news of a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Replica;

/// The news of a replica that a fetch may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The log has grown: there is more for followers.
    End,
    /// The high watermark has risen: there is more for consumers.
    HighWatermark,
}

/// The fetches that wait for news.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// Whether there are any. An append without waiting fetches takes no lock here.
    any: AtomicBool,
    waiting: Mutex<Vec<(News, Arc<Notify>)>>,
}

impl Watchers {
    /// Wakes the fetches that wait for one of `news`.
    pub(super) fn notify(&self, news: &[News]) {
        if self.any.load(Ordering::SeqCst) {
            let waiting = self.waiting.lock();
            let concerned = waiting.iter().filter(|(awaited, _)| news.contains(awaited));
            concerned.for_each(|(_, waiting)| waiting.notify_one());
        }
    }

    fn add(&self, awaited: News, waker: Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        waiting.push((awaited, waker));
        // Set before the watcher's next look at the log. An append reads it after it has written: one of the
        // two sees the other.
        self.any.store(true, Ordering::SeqCst);
    }

    fn remove(&self, waker: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        if let Some(place) = waiting.iter().position(|(_, other)| Arc::ptr_eq(other, waker)) {
            waiting.swap_remove(place);
        }
        if waiting.is_empty() {
            *waiting = Vec::new();
            self.any.store(false, Ordering::SeqCst);
        }
    }
}

/// A registration among the watchers of a partition, until it is dropped.
pub(crate) struct Watch {
    replica: Arc<Replica>,
    waker: Arc<Notify>,
}

impl Replica {
    /// Registers `waker` for all such news from here on.
    pub(crate) fn watch(self: &Arc<Self>, awaited: News, waker: Arc<Notify>) -> Watch {
        self.watchers.add(awaited, Arc::clone(&waker));
        Watch { replica: Arc::clone(self), waker }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.replica.watchers.remove(&self.waker);
    }
}
