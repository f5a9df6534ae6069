//! Who waits for news of a partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Replica;

/// The fetches that wait for an append.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    /// Whether there are any: an append that nobody waits for takes no lock here.
    any: AtomicBool,
    waiting: Mutex<Vec<Arc<Notify>>>,
}

impl Watchers {
    /// Tells all of them that something has changed.
    pub(super) fn notify(&self) {
        if self.any.load(Ordering::SeqCst) {
            self.waiting.lock().iter().for_each(|waiting| waiting.notify_one());
        }
    }

    fn add(&self, news: Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        waiting.push(news);
        // Before the watcher's next look at the log, and an append looks here after it has
        // written: one of the two sees the other.
        self.any.store(true, Ordering::SeqCst);
    }

    fn remove(&self, news: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        if let Some(place) = waiting.iter().position(|other| Arc::ptr_eq(other, news)) {
            waiting.swap_remove(place);
        }
        if waiting.is_empty() {
            *waiting = Vec::new();
            self.any.store(false, Ordering::SeqCst);
        }
    }
}

/// A place among the watchers of a partition, until it is dropped.
pub(crate) struct Watch {
    partition: Arc<Replica>,
    news: Arc<Notify>,
}

impl Replica {
    /// Has `news` notified of every append from here on.
    pub(crate) fn watch(self: &Arc<Self>, news: Arc<Notify>) -> Watch {
        self.watchers.add(Arc::clone(&news));
        Watch { partition: Arc::clone(self), news }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.partition.watchers.remove(&self.news);
    }
}
