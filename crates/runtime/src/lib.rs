//! What the product takes from the machine it runs on: time, randomness, sockets, tasks.
//!
//! Each of them is reached through a module here and nowhere else (clippy's
//! `disallowed_methods` holds it); files are reached through `storage::fs`. A simulation replaces
//! these modules and runs the product's own code, so that one seed always gives one trace.
//!
//! Nothing here decides anything: what decides is given `now` and random values by its caller.

pub mod bell;
pub mod clock;
pub mod net;
pub mod random;
pub mod task;

/// The memory of this machine, in bytes.
pub fn memory_bytes() -> usize {
    let info = rustix::system::sysinfo();
    let unit = usize::try_from(info.mem_unit).unwrap_or(1);
    usize::try_from(info.totalram).unwrap_or(usize::MAX).saturating_mul(unit)
}

/// The descriptors that this process may have open (`RLIMIT_NOFILE`).
pub fn descriptors_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX))
}

/// Whether an operation failed because this process, or the system, has no descriptor left (`EMFILE`, `ENFILE`).
pub fn is_out_of_descriptors(error: &std::io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

/// Allows this process as many descriptors as the system lets it have, as Kafka's runtime does: where a shell or a
/// service sets a limit, it is often 1024, which is for `select` and too few for a broker.
pub fn raise_descriptors() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    // Where it is refused, what there was has to do.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}
