//! Files whose bytes can be sent to sockets.

use std::io;
use std::os::fd::AsFd;

/// A file whose bytes go to a socket: from the page cache by its descriptor, or, in simulation, by being
/// read.
pub trait FileBytes: AsFd {
    /// Reads bytes from `position` on; returns how many there were.
    ///
    /// # Errors
    /// The error of the read.
    fn read_bytes_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize>;
}
