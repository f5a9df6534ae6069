//! Waiting for another thread.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::clock::Timeout;
use super::{clock, world};

/// A condition variable, at which a thread waits without the baton.
#[derive(Debug, Default)]
pub struct Condvar {
    waiting: Mutex<VecDeque<Arc<Waiter>>>,
}

#[derive(Debug, Default)]
struct Waiter(Mutex<(bool, Option<Waker>)>);

impl Waiter {
    fn notify(&self) {
        let waker = {
            let mut state = self.0.lock();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Notification(Arc<Waiter>);

impl Future for Notification {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.0.lock();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Waits for `future`, and sometimes a little longer.
async fn late<F: Future>(future: F) -> F::Output {
    let output = future.await;
    let lateness = world().with(|state| {
        let max = u64::try_from(state.lateness_max.as_micros()).unwrap_or(u64::MAX);
        let is_late = max > 0 && state.chance.scheduler.u32(..4) == 0;
        is_late.then(|| Duration::from_micros(state.chance.scheduler.u64(..max)))
    });
    if let Some(lateness) = lateness {
        clock::sleep(lateness).await;
    }
    output
}

impl Condvar {
    /// Creates a condition variable.
    pub const fn new() -> Self {
        Self { waiting: Mutex::new(VecDeque::new()) }
    }

    fn enter(&self) -> Arc<Waiter> {
        let waiter = Arc::new(Waiter::default());
        self.waiting.lock().push_back(Arc::clone(&waiter));
        waiter
    }

    fn leave(&self, waiter: &Arc<Waiter>) {
        self.waiting.lock().retain(|other| !Arc::ptr_eq(other, waiter));
    }

    /// Waits, with the lock released, until this is notified.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let waiter = self.enter();
        let notified = Notification(Arc::clone(&waiter));
        MutexGuard::unlocked(guard, || world().wait(late(notified)));
        self.leave(&waiter);
    }

    /// Waits as [`Condvar::wait`] does, for at most `duration`. Returns whether that time passed first.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, duration: Duration) -> bool {
        let waiter = self.enter();
        let notified: Timeout<Notification> = clock::timeout(duration, Notification(Arc::clone(&waiter)));
        let notified = MutexGuard::unlocked(guard, || world().wait(late(notified)));
        self.leave(&waiter);
        notified.is_err()
    }

    /// Wakes one waiting thread, whichever.
    pub fn notify_one(&self) {
        let waiter = {
            let mut waiting = self.waiting.lock();
            if waiting.is_empty() {
                return;
            }
            // No order is promised, so chance decides.
            let index = world().with(|state| state.chance.scheduler.usize(..waiting.len()));
            waiting.remove(index)
        };
        if let Some(waiter) = waiter {
            waiter.notify();
        }
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(|waiter| waiter.notify());
    }
}
