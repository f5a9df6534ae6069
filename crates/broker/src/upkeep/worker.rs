//! The contract for work beside the requests, and the threads and tasks that do it.
//!
//! A worker does what is due, and returns when it wants to run again. Waiting, stopping and panics are
//! handled here for all of them. Work that waits for others rather than for the disk is a task, which the
//! same stop ends.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use runtime::clock::{self, Instant};
use runtime::sync::Condvar;
use runtime::task::{self, JoinHandle};
use tokio::sync::watch;
use tracing::error;

/// The longest wait: no clock reaches further, and settings may ask for more.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// The wait after a panic before the next run.
const PANIC_PAUSE: Duration = Duration::from_secs(10);

/// Periodic work.
pub(crate) trait Worker: Send + 'static {
    /// Does what is due. Blocks; a long run checks `stop` between its parts.
    fn run(&mut self, stop: &Stop) -> Next;
}

/// The time at which a worker wants to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// At that time, or a little later.
    At(Instant),
    /// Never: the broker stops, or nothing is left to work on.
    Never,
}

impl Next {
    /// After that time.
    pub(crate) fn after(time: Duration) -> Self {
        Self::At(clock::now() + time.min(WAIT_MAX))
    }
}

/// The broker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shutdown;

/// The broker's stop: a worker can ask for it, or wait and be woken by it.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<StopFlag>);

#[derive(Default)]
struct StopFlag {
    stops: Mutex<bool>,
    changed: Condvar,
    /// The sender for tasks that wait.
    told: watch::Sender<bool>,
}

impl Stop {
    /// Waits for that time.
    ///
    /// # Errors
    /// [`Shutdown`] as soon as the broker stops.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Shutdown> {
        self.pause_until(clock::now() + time.min(WAIT_MAX))
    }

    fn pause_until(&self, deadline: Instant) -> Result<(), Shutdown> {
        let mut stops = self.0.stops.lock();
        while !*stops {
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return Ok(());
            }
            self.0.changed.wait_for(&mut stops, left.min(WAIT_MAX));
        }
        Err(Shutdown)
    }

    /// Checks that the broker does not stop.
    ///
    /// # Errors
    /// [`Shutdown`] if it does.
    pub(crate) fn check(&self) -> Result<(), Shutdown> {
        if *self.0.stops.lock() { Err(Shutdown) } else { Ok(()) }
    }

    /// Waits until the broker stops.
    pub(crate) async fn rung(&self) {
        let mut told = self.0.told.subscribe();
        // The sender lives as long as this does.
        let _ = told.wait_for(|stops| *stops).await;
    }

    fn ring(&self) {
        *self.0.stops.lock() = true;
        self.0.changed.notify_all();
        self.0.told.send_replace(true);
    }
}

/// The threads and tasks that do the work beside the requests.
pub(crate) struct Workers {
    stop: Stop,
    panic_pause: Duration,
    threads: Mutex<Vec<(String, task::Thread)>>,
    tasks: Mutex<Vec<(String, JoinHandle<()>)>>,
}

impl Workers {
    /// Starts without workers.
    pub(crate) fn new() -> Self {
        Self {
            stop: Stop::default(),
            panic_pause: PANIC_PAUSE,
            threads: Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// Starts a thread for a worker that requests may have to wait for.
    ///
    /// # Errors
    /// The system's error if it refuses a thread.
    pub(crate) fn start(&self, name: &str, worker: impl Worker) -> io::Result<()> {
        self.add(name, task::spawn_thread(name, self.turns(name, worker))?);
        Ok(())
    }

    /// Starts a thread for a worker that yields to requests.
    ///
    /// # Errors
    /// The system's error if it refuses a thread.
    pub(crate) fn start_in_background(&self, name: &str, worker: impl Worker) -> io::Result<()> {
        self.add(name, task::spawn_background_thread(name, self.turns(name, worker))?);
        Ok(())
    }

    /// Starts a task that ends by itself at a stop.
    pub(crate) fn spawn<F>(&self, name: &str, work: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.lock().push((name.to_owned(), task::spawn(work(self.stop.clone()))));
    }

    /// Starts a task that a stop can end wherever it waits.
    pub(crate) fn spawn_until_stop<F>(&self, name: &str, work: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let work = work(self.stop.clone());
        self.spawn(name, |stop| async move {
            tokio::select! {
                biased;
                () = stop.rung() => {}
                () = work => {}
            }
        });
    }

    fn add(&self, name: &str, thread: task::Thread) {
        self.threads.lock().push((name.to_owned(), thread));
    }

    /// The loop of a worker's thread.
    fn turns(&self, name: &str, mut worker: impl Worker) -> impl FnOnce() + Send + 'static {
        let (stop, panic_pause, name) = (self.stop.clone(), self.panic_pause, name.to_owned());
        move || {
            let mut due = clock::now();
            while stop.pause_until(due).is_ok() {
                // A worker that panics has a bug, which must not end its other work.
                let next = catch_unwind(AssertUnwindSafe(|| worker.run(&stop))).unwrap_or_else(|_panic| {
                    error!("{name} panicked: it goes on in a while");
                    Next::after(panic_pause)
                });
                match next {
                    Next::At(time) => due = time,
                    Next::Never => return,
                }
            }
        }
    }

    /// Stops all of them, in the middle of their work if that takes long, and waits for their end.
    pub(crate) async fn stop(&self) {
        self.stop.ring();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for (name, task) in tasks {
            if task.await.is_err() {
                error!("{name} ended by a panic");
            }
        }
        task::block_in_place(|| {
            for (name, thread) in self.threads.lock().drain(..) {
                if thread.join().is_err() {
                    error!("{name} ended by a panic");
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
