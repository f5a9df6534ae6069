//! The buffer that decompressed bytes pass through.

use super::Progress;

/// The free space that a decoder should find, so that it is not called for a few bytes.
pub(super) const ROOM_BYTES: usize = 32 << 10;

/// The buffer's first size.
const FIRST_BYTES: usize = 128 << 10;

/// A larger buffer is freed after the batch that needed it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Decompressed bytes that have not been used yet, in a reusable buffer. It grows only to hold the bytes at
/// hand: one record that is not whole yet, or one block.
#[derive(Default)]
pub(crate) struct Window {
    /// All of it is initialised, so that decoders write into plain slices.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// All bytes written to the window since its creation.
    total_bytes: u64,
}

impl Window {
    /// Empties the window.
    pub(super) fn reset(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.bytes.len() > KEPT_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes that have not been used.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Marks the first `count` unread bytes as used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "only what is there is used");
    }

    /// Makes space for at least `least_bytes` after the unread bytes; [`Window::filled`] says how many were
    /// written to it.
    pub(super) fn room(&mut self, least_bytes: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() - self.end < least_bytes {
            self.make_room(least_bytes);
        }
        &mut self.bytes[self.end..]
    }

    #[cold]
    fn make_room(&mut self, least_bytes: usize) {
        // Move only if that gains as much as it moves; otherwise it would be repeated again and again.
        let unread = self.end - self.start;
        if unread <= self.start {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, unread);
        }
        let needed = self.end + least_bytes;
        if needed > self.bytes.len() {
            self.bytes.resize(needed.max(self.bytes.len() * 2).max(FIRST_BYTES), 0);
        }
    }

    /// Takes in the first `count` bytes of the space.
    pub(super) fn filled(&mut self, count: usize) {
        self.end += count;
        self.total_bytes += count as u64;
        assert!(self.end <= self.bytes.len(), "no more was filled than there was room for");
    }

    /// Takes in `bytes`, the whole of a stream.
    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Progress {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
        Progress::Ended
    }
}
