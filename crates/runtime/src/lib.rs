//! The machine, as the product sees it: time, randomness, sockets, tasks.
//!
//! Each of them is reached through a module here and nowhere else (clippy's `disallowed_methods` holds it);
//! files are reached through `storage::fs`. The modules have two bodies: tokio and the operating system
//! (`real`), and, with the feature `simulation`, a world in which one seed always gives one trace (`sim`).
//! The product's code is the same in both.
//!
//! Nothing here decides anything: code that decides is given `now` and random values by its caller.

mod file_bytes;
pub mod random;
#[cfg(not(feature = "simulation"))]
mod real;
#[cfg(feature = "simulation")]
pub mod sim;

pub use file_bytes::FileBytes;

/// A hash map whose iteration order depends on [`random::HashState`]: unknown to clients that choose its
/// keys, and the same in each simulated run of a seed.
pub type HashMap<K, V> = std::collections::HashMap<K, V, random::HashState>;
/// A hash set with the iteration order of [`HashMap`].
pub type HashSet<K> = std::collections::HashSet<K, random::HashState>;

#[cfg(not(feature = "simulation"))]
pub use real::{bell, clock, net, sync, task};
#[cfg(feature = "simulation")]
pub use sim::{bell, clock, net, sync, task};

/// The memory of this machine, in bytes.
pub fn memory_bytes() -> usize {
    let info = rustix::system::sysinfo();
    let unit = usize::try_from(info.mem_unit).unwrap_or(1);
    usize::try_from(info.totalram).unwrap_or(usize::MAX).saturating_mul(unit)
}

/// The number of descriptors that this process may open (`RLIMIT_NOFILE`).
pub fn descriptors_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX))
}

/// The number of open descriptors of this process, including those inherited at its start, for instance from
/// a supervisor.
#[expect(
    clippy::disallowed_methods,
    reason = "the process asks for itself: it is no file of a log directory"
)]
pub fn descriptors_open() -> usize {
    // The listing has one itself. Without `/proc` inherited descriptors are unknown.
    std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count().saturating_sub(1))
}

/// Whether an operation failed because this process, or the system, has no free descriptor (`EMFILE`,
/// `ENFILE`).
pub fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

/// Raises the limit of descriptors as far as the system allows, as Kafka's runtime does: a limit set by a
/// shell or a service is often 1024, which is meant for `select` and too low for a broker.
pub fn raise_descriptors() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    // If this fails, the present limit has to do.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}
