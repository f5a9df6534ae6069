//! The second body of this crate: one process in which everything happens in an order drawn from a seed.
//!
//! [`run`] starts a *director*, a future that plays the world: it starts hosts, has clients work on them, kills and
//! heals. Tasks are polled by one thread, which chooses among those that are ready by the seed. Threads stay threads and
//! run one at a time (`baton`). Time stands still while anything can happen, but for some microseconds a step, and jumps
//! to the next timer when nothing can. Sockets are buffers with delays (`net`).
//!
//! The same seed gives the same run, event for event, if nothing under test asks anything else than this crate and a
//! simulated disk: the [`Report`] has a digest of the trace to compare.

mod baton;
pub mod bell;
mod chance;
pub mod clock;
mod host;
pub mod net;
pub(crate) mod random;
pub mod sync;
pub mod task;
mod trace;
mod world;

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::time::Duration;

pub use fastrand::Rng;
pub use host::Host;
pub use world::HostKill;
use world::World;
pub(crate) use world::{try_world, world};

/// The options of a run.
pub struct Options {
    /// The seed of every random decision.
    pub seed: u64,
    /// The longest that the run may take, in simulated time.
    pub time_max: Duration,
    /// The wall clock at the start, in milliseconds since the Unix epoch.
    pub wall_ms: i64,
    /// A writer for each event of the trace, to compare two runs that should be the same.
    pub trace: Option<Box<dyn Write + Send>>,
}

impl Options {
    /// A run of `seed`, of one simulated hour at most.
    pub fn new(seed: u64) -> Self {
        // 2026-01-01, so that times in traces are readable.
        Self { seed, time_max: Duration::from_secs(3600), wall_ms: 1_767_225_600_000, trace: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options(seed {}, at most {:?})", self.seed, self.time_max)
    }
}

/// A run that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<T> {
    /// The director's result.
    pub output: T,
    /// A hash of everything that happened, in order.
    pub digest: u64,
    /// The number of hashed events.
    pub events: u64,
    /// The simulated duration of the run.
    pub time: Duration,
}

/// A run that did not end properly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Product code panicked; with its message and location.
    Panicked(String),
    /// A deadlock: nothing can happen, and the director waits. Lists the tasks and threads.
    Stuck(String),
    /// [`Options::time_max`] has passed. Lists the tasks and threads.
    TimeUp(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(what) => write!(f, "panicked: {what}"),
            Self::Stuck(units) => write!(f, "nothing can happen any more, and the run has not ended:{units}"),
            Self::TimeUp(units) => write!(f, "the run did not end within its time:{units}"),
        }
    }
}

/// Runs `director` to its end, in a world of its own.
///
/// # Errors
/// [`Failure`] if a task or thread panics, at a deadlock, or if the run does not end in time.
pub fn run<F, T>(options: Options, director: F) -> Result<Report<T>, Failure>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    world::silence_killed();
    World::new(options).run(director)
}

/// Boots a machine to run things on until it is killed. Two hosts of one name are two boots of one machine.
pub fn boot(name: &str) -> Host {
    world().boot(name)
}

/// A separate source of chance for one consumer: a disk, a workload, the faults.
pub fn chance() -> Rng {
    world().with(|state| state.chance.fork())
}

/// Makes notified threads wake late, by up to `max` and mostly not at all: they then find more work at once,
/// as with a slow disk.
pub fn set_lateness_max(max: Duration) {
    world().with(|state| state.lateness_max = max);
}

/// Writes an event to the trace: of a disk, or as seen by a client.
pub fn note(event: fmt::Arguments<'_>) {
    world().with(|state| state.note(event));
}

#[cfg(test)]
mod tests;
