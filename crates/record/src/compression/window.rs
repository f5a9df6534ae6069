//! The buffer that decompressed bytes pass through.

use super::Progress;

/// What a decoder should find room for, so that it is not called for a few bytes.
pub(super) const ROOM_BYTES: usize = 32 << 10;

/// The buffer's first size.
const FIRST_BYTES: usize = 128 << 10;

/// A buffer larger than this is given back after the batch that needed it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Bytes that were decompressed and not used yet, in a buffer that is reused. It grows only to hold what is there: one
/// record that is not whole yet, or one block.
#[derive(Default)]
pub(crate) struct Window {
    /// All of it initialised, so that decoders write into plain slices.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// What has been taken in since the window is there.
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

    /// What has not been used.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Marks the first `count` unread bytes as used.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "only what is there is used");
    }

    /// Room for at least `least_bytes` behind the unread bytes; [`Window::filled`] says how many came to be there.
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
        // Moving is worth it when it gains as much as it moves; else it would be done again and again.
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

    /// Takes in the first `count` bytes of the room.
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
