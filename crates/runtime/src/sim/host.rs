//! A machine of the simulated world, as its director has it.

use std::future::Future;

use super::task;
use super::world::world;

/// One boot of a machine. It owns its tasks, sockets and draws, which end with [`Host::kill`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(pub(super) u32);

impl Host {
    /// Ends everything that runs on this host, as `kill -9` does: the system closes its sockets.
    pub fn kill(self) {
        world().kill(self);
    }

    /// Whether the host is up.
    pub fn is_up(self) -> bool {
        world().with(|state| state.is_up(self))
    }

    /// Keeps everything on this host from running, as SIGSTOP does, or lets it go on. Time goes on for it, and what
    /// others send to it waits.
    pub fn set_paused(self, is_paused: bool) {
        world().with(|state| state.set_paused(self, is_paused));
    }

    /// Sets the offset of its wall clock to `skew_ms` milliseconds.
    pub fn set_skew_ms(self, skew_ms: i64) {
        world().set_skew_ms(self, skew_ms);
    }

    /// Runs `future` on this host.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let caller = std::panic::Location::caller();
        world().as_host(self, || task::spawn_at(caller, future))
    }
}
