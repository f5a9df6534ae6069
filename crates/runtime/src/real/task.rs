//! Tasks and threads.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::future::Future;
use std::io;

pub use tokio::task::{JoinError, JoinHandle, yield_now};

/// How much nicer than the rest of the process a thread is that works in the background.
pub const BACKGROUND_NICE: i32 = 10;

/// Runs `future` beside its caller.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// Runs `work`, which may block on a disk, on the pool for that.
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(work)
}

/// A thread that was started; dropping it lets it run on.
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
/// Where the system has no thread to give.
pub fn spawn_thread<F>(name: &str, work: F) -> io::Result<Thread>
where
    F: FnOnce() + Send + 'static,
{
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(Thread)
}

/// Starts a thread as [`spawn_thread`] does, for work that can wait while requests cannot: where the
/// processors are busy it gets a tenth of what another thread gets, and one that wakes up for a request
/// does not wait for it to use up its share.
///
/// # Errors
/// Where the system has no thread to give.
pub fn spawn_background_thread<F>(name: &str, work: F) -> io::Result<Thread>
where
    F: FnOnce() + Send + 'static,
{
    spawn_thread(name, move || {
        // Of this thread alone, on Linux; to be nicer is always allowed. Not as nice as can be: what
        // compacts has to get somewhere on a machine that is never idle, or the disk fills up.
        let _ = rustix::process::nice(BACKGROUND_NICE);
        work();
    })
}

/// How many threads can run at once.
pub fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Lets others that want this thread's processor have it first.
pub fn yield_thread() {
    std::thread::yield_now();
}

/// Waits for `future` where a thread may block: in [`spawn_blocking`] and [`block_in_place`].
///
/// # Panics
/// Outside the runtime.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Handle::current().block_on(future)
}

/// Runs `work`, which may block on a disk, right here; other tasks of this thread move elsewhere.
///
/// # Panics
/// Outside the multi-threaded runtime.
pub fn block_in_place<R>(work: impl FnOnce() -> R) -> R {
    tokio::task::block_in_place(work)
}

/// Runs `work` on this thread and, at the same time, on up to `others` more; returns when all of them are done with it.
/// There are fewer if the system gives no thread.
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
