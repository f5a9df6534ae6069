//! Files as sockets take them.

use std::io;
use std::os::fd::AsFd;

/// A file whose bytes go to a socket: from the page cache by its descriptor, or, where there is no kernel below, by
/// being read.
pub trait FileBytes: AsFd {
    /// Reads bytes from `position` on; returns how many there were.
    ///
    /// # Errors
    /// Whatever reading fails with.
    fn read_bytes_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize>;
}
