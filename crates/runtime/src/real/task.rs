//! Tasks and threads.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::future::Future;
use std::io;
use std::pin::Pin;

pub use tokio::task::{JoinError, JoinHandle, yield_now};

/// The nice value of background threads, relative to the rest of the process.
pub const BACKGROUND_NICE: i32 = 10;

/// Runs `future` beside its caller.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // tokio's code for a task is compiled once for each type of future: boxed, they are one type.
    let future: Pin<Box<dyn Future<Output = F::Output> + Send>> = Box::pin(future);
    tokio::spawn(future)
}

/// Runs `work`, which may block on a disk, on the pool for such work.
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}

/// A started thread; dropping this lets it run on.
#[derive(Debug)]
pub struct Thread(std::thread::JoinHandle<()>);

impl Thread {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// The payload of its panic.
    pub fn join(self) -> std::thread::Result<()> {
        self.0.join()
    }
}

/// Starts a thread of its own for work that blocks for as long as the process lives.
///
/// # Errors
/// The system's error if it cannot start a thread.
pub fn spawn_thread<F>(name: &str, work: F) -> io::Result<Thread>
where
    F: FnOnce() + Send + 'static,
{
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(Thread)
}

/// Starts a thread as [`spawn_thread`] does, for work that can wait while requests cannot. If the processors
/// are busy it gets a tenth of another thread's share, and a thread that wakes up for a request does not wait
/// for it to use up its share.
///
/// # Errors
/// The system's error if it cannot start a thread.
pub fn spawn_background_thread<F>(name: &str, work: F) -> io::Result<Thread>
where
    F: FnOnce() + Send + 'static,
{
    spawn_thread(name, move || {
        // Affects this thread alone, on Linux; raising the value is always allowed. Not to the maximum:
        // compaction has to progress even on a machine that is never idle, or the disk fills up.
        let _ = rustix::process::nice(BACKGROUND_NICE);
        work();
    })
}

/// The number of threads that can run at once.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lets other threads that want this processor run first.
pub fn yield_thread() {
    std::thread::yield_now();
}

/// Waits for `future` on a thread that may block: in [`spawn_blocking`] and [`block_in_place`].
///
/// # Panics
/// Outside the runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}

/// Runs `work`, which may block on a disk, on this thread; its other tasks move to another.
///
/// # Panics
/// Outside the multi-threaded runtime.
pub fn block_in_place<R>(work: impl FnOnce() -> R) -> R {
    tokio::task::block_in_place(work)
}

/// Runs `work` on this thread and, at the same time, on up to `others` more; returns when all of them are
/// done. There are fewer if the system cannot start threads.
///
/// # Panics
/// If it panics on one of them.
pub fn run_beside(name: &str, others: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..others {
            let thread = std::thread::Builder::new().name(name.to_owned());
            if thread.spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}
