//! The durable end of a log, and the requests that wait for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use runtime::bell::{Bell, bell};
use storage::{LogOffsets, Offline};
use tokio::sync::Notify;

/// The records will not become durable: the disk has failed, or the log was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurabilityLoss;

/// The flush thread's progress in one log, for the requests that wait for it.
#[derive(Debug)]
pub(crate) struct Durability {
    /// The log's offsets. The flusher advances them before it reports a flush.
    offsets: Arc<LogOffsets>,
    offline: OnceLock<Offline>,
    /// The log was deleted: nothing more becomes durable.
    ended: AtomicBool,
    news: Notify,
    /// The number of waiting requests: if it is 0, no one is woken.
    waiting: AtomicUsize,
}

impl Durability {
    pub(crate) fn new(offsets: Arc<LogOffsets>) -> Self {
        Self {
            offsets,
            offline: OnceLock::new(),
            ended: AtomicBool::new(false),
            news: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Records a result of the flusher. Returns whether a request waits for it.
    fn note(&self, result: Result<i64, &Offline>) -> bool {
        if let Err(offline) = result {
            // The first failure stays: a failed disk does not recover.
            let _ = self.offline.set(offline.clone());
        }
        // A request counts itself before it looks at the offsets: either it sees them, or this sees the
        // request.
        fence(Ordering::SeqCst);
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Whether the disk has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.offline.get().is_some()
    }

    /// Wakes the waiting requests because the log was deleted.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.news.notify_waiters();
    }

    /// Wakes the waiting requests, if there are any: replicas elsewhere have more, or another broker leads.
    pub(crate) fn look_again(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.news.notify_waiters();
        }
    }

    /// Waits until everything before `end_offset` is on disk.
    ///
    /// # Errors
    /// [`DurabilityLoss`] if that cannot happen any more.
    pub(crate) async fn wait(&self, end_offset: i64) -> Result<(), DurabilityLoss> {
        self.wait_until(|| (self.offsets.flushed() >= end_offset).then_some(())).await
    }

    /// Waits until `reached` has an answer, which it is asked for after each news.
    ///
    /// # Errors
    /// [`DurabilityLoss`] if the log is gone before.
    pub(crate) async fn wait_until<T>(&self, reached: impl Fn() -> Option<T>) -> Result<T, DurabilityLoss> {
        let _waiting = Waiter::new(&self.waiting);
        loop {
            let news = self.news.notified();
            let mut news = std::pin::pin!(news);
            // Enabled before the check, so that a flush between the two is not missed.
            news.as_mut().enable();
            if let Some(answer) = reached() {
                return Ok(answer);
            }
            if self.has_failed() || self.ended.load(Ordering::SeqCst) {
                return Err(DurabilityLoss);
            }
            news.await;
        }
    }
}

/// Counts a request among those that wait, while it exists.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The results of one directory's flusher that waiting requests have not seen yet.
///
/// The flush thread wakes one task with a [`Bell`], and that task wakes the waiting requests: it runs on the
/// worker that then runs them.
#[derive(Debug, Default)]
pub(crate) struct FlushNews {
    pending: Mutex<PendingNews>,
}

/// The logs with news, and the bell of the task that passes the news on.
#[derive(Debug, Default)]
struct PendingNews {
    logs: Vec<Arc<Durability>>,
    /// `None` while no [`NewsListener`] exists: waiting requests are then woken directly.
    bell: Option<Bell>,
}

impl FlushNews {
    /// Reports a result of the flusher. Called by the flush thread.
    pub(crate) fn tell(&self, log: &Arc<Durability>, result: Result<i64, &Offline>) {
        if !log.note(result) {
            return;
        }
        let mut pending = self.pending.lock();
        let PendingNews { logs, bell: Some(bell) } = &mut *pending else {
            drop(pending);
            return log.news.notify_waiters();
        };
        logs.push(Arc::clone(log));
        // If there are more, the bell has rung already and is not answered yet.
        if logs.len() == 1 {
            bell.ring();
        }
    }

    /// Wakes waiting requests as news come, until this is dropped.
    pub(crate) async fn pass_on(self: Arc<Self>) {
        let (bell, mut rings) = match bell() {
            Ok(both) => both,
            Err(error) => {
                tracing::debug!("acknowledgements are awaited without a bell: {error}");
                return;
            }
        };
        self.pending.lock().bell = Some(bell);
        let listening = NewsListener(&self);
        let mut told = Vec::new();
        loop {
            rings.next().await;
            std::mem::swap(&mut told, &mut listening.0.pending.lock().logs);
            told.drain(..).for_each(|log| log.news.notify_waiters());
        }
    }
}

/// The task that passes news on. When it is dropped, the requests that still wait are woken.
struct NewsListener<'a>(&'a FlushNews);

impl Drop for NewsListener<'_> {
    fn drop(&mut self) {
        let pending = std::mem::take(&mut *self.0.pending.lock());
        pending.logs.iter().for_each(|log| log.news.notify_waiters());
    }
}

#[cfg(test)]
mod tests;
