//! Tasks on the scheduler, and threads by baton.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::world::HostKill;
use super::{try_world, world};

/// The nice value of background threads, relative to the rest of the process.
pub const BACKGROUND_NICE: i32 = 10;

/// The place of a result, for the caller that waits for it.
struct Slot<T> {
    state: Mutex<SlotState<T>>,
}

struct SlotState<T> {
    result: Option<Result<T, JoinError>>,
    is_over: bool,
    waker: Option<Waker>,
}

impl<T> Slot<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(SlotState { result: None, is_over: false, waker: None }) })
    }

    fn complete(&self, result: Result<T, JoinError>) {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.is_over, true) {
            return;
        }
        state.result = Some(result);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Completes a slot even if there was no result.
struct Completion<T>(Arc<Slot<T>>);

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        self.0.complete(Err(JoinError { panic: None }));
    }
}

/// A started task or blocking job; dropping this lets it run on.
pub struct JoinHandle<T> {
    slot: Arc<Slot<T>>,
    task: Option<u64>,
}

impl<T> JoinHandle<T> {
    /// Drops the task at its next turn. A blocking job runs on.
    pub fn abort(&self) {
        if let (Some(task), Some(world)) = (self.task, try_world()) {
            world.abort(task);
        }
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.slot.state.lock().is_over
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.slot.state.lock();
        if let Some(result) = state.result.take() {
            return Poll::Ready(result);
        }
        assert!(!state.is_over, "a join handle is not polled again after its result");
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("task", &self.task).finish_non_exhaustive()
    }
}

/// The reason why a task has no result.
pub struct JoinError {
    /// The payload, in a lock so that errors can be shared; `None` if it was aborted or its host was killed.
    panic: Option<Mutex<Box<dyn Any + Send>>>,
}

impl JoinError {
    /// Whether the task panicked.
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// Whether the task was aborted.
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() { "JoinError::Panic" } else { "JoinError::Cancelled" })
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_panic() { "the task panicked" } else { "the task was cancelled" })
    }
}

impl std::error::Error for JoinError {}

/// Runs `future` beside its caller.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_at(Location::caller(), future)
}

pub(super) fn spawn_at<F>(caller: &Location<'_>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let slot = Slot::new();
    let completion = Completion(Arc::clone(&slot));
    let task = Box::pin(async move {
        let output = future.await;
        completion.0.complete(Ok(output));
    });
    let name = format!("task of {}:{}", caller.file(), caller.line());
    let task = world().add_task(name, task);
    JoinHandle { slot, task }
}

/// Runs `work`, which may block, on a thread of its own.
#[track_caller]
pub fn spawn_blocking<F, R>(work: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let slot = Slot::new();
    let completion = Completion(Arc::clone(&slot));
    let caller = Location::caller();
    let body = move || match catch_unwind(AssertUnwindSafe(work)) {
        Ok(output) => completion.0.complete(Ok(output)),
        Err(payload) if payload.is::<HostKill>() => resume_unwind(payload),
        Err(payload) => {
            world().note_panic(&payload);
            completion.0.complete(Err(JoinError { panic: Some(Mutex::new(payload)) }));
        }
    };
    let name = format!("job of {}:{}", caller.file(), caller.line());
    world().add_thread(&name, body).expect("the system has a thread to give");
    JoinHandle { slot, task: None }
}

/// A started thread; dropping this lets it run on.
#[derive(Debug)]
pub struct Thread(JoinHandle<()>);

impl Thread {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// The payload of its panic.
    pub fn join(self) -> std::thread::Result<()> {
        world().wait(self.0).map_err(|error| {
            error.panic.map_or_else(|| Box::new(HostKill) as Box<dyn Any + Send>, Mutex::into_inner)
        })
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
    let slot = Slot::new();
    let completion = Completion(Arc::clone(&slot));
    world().add_thread(name, move || {
        let completion = completion;
        work();
        completion.0.complete(Ok(()));
    })?;
    Ok(Thread(JoinHandle { slot, task: None }))
}

/// Starts a thread as [`spawn_thread`] does. There is no priority here: every order is drawn.
///
/// # Errors
/// See [`spawn_thread`].
pub fn spawn_background_thread<F>(name: &str, work: F) -> io::Result<Thread>
where
    F: FnOnce() + Send + 'static,
{
    spawn_thread(name, work)
}

/// The number of threads that can run at once.
pub fn parallelism() -> usize {
    // Two, so that work is shared out as on real machines.
    2
}

/// Lets other threads and tasks have their turns first.
pub fn yield_thread() {
    world().wait(yield_now());
}

/// Lets other tasks have their turns first.
pub async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Waits for `future` on a thread that may block.
pub fn block_on<F: Future>(future: F) -> F::Output {
    world().wait(future)
}

/// Runs `work`, which may block, on this thread.
pub fn block_in_place<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs `work` on this thread alone: shared work is in no order anyway.
pub fn run_beside(_name: &str, _others: usize, work: impl Fn() + Sync) {
    work();
}
