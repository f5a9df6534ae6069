//! Received bytes that are not handled yet: bytes in, whole frames out.

use bytes::buf::Limit;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The size of a first read; enough for a burst of small requests.
const READ_BYTES_MIN: usize = 16 * 1024;
/// The largest read, for a client that sends more than fits at once.
const READ_BYTES_MAX: usize = 256 * 1024;
/// The size from which a frame is long, and worth a read of its own. Of shorter frames several come at once.
const LONG_BYTES: usize = READ_BYTES_MAX / 2;
/// Bytes to read after a long frame, to learn the length of the next.
const NEXT_BYTES: usize = 8 * 1024;
/// The largest frame for which space is reserved at once, if the client has sent as much before.
const KNOWN_BYTES_MAX: usize = 4 << 20;
/// The length before every frame.
const LENGTH_BYTES: usize = 4;

/// Why the bytes of a connection cannot be frames of Kafka's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadLength {
    /// The length that the frame claims.
    pub(crate) length: i32,
    /// The largest accepted length (`socket.request.max.bytes`).
    pub(crate) max: usize,
}

impl std::fmt::Display for BadLength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hint = match self.length.to_be_bytes() {
            [0x16, 0x03, ..] => "; this is how TLS begins: the listener speaks plaintext",
            [b'G', b'E', b'T', b' '] | [b'P', b'O', b'S', b'T'] => "; this is HTTP, not Kafka's protocol",
            _ => "",
        };
        write!(f, "a request of {} bytes; the limit is {}{hint}", self.length, self.max)
    }
}

/// The receive buffer of one connection.
///
/// A frame is a slice of the buffer, so that the bytes of a produce request are never moved in user space.
/// The buffer is reused once those slices are dropped, which for a produce is before the next read.
pub(crate) struct Inbox {
    buffer: BytesMut,
    frame_bytes_max: usize,
    read_bytes: usize,
    /// The length of the last whole frame: busy clients send batches of one size.
    known_bytes: usize,
}

impl Inbox {
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), frame_bytes_max, read_bytes: READ_BYTES_MIN, known_bytes: 0 }
    }

    /// The next whole frame, without its length.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Bytes>, BadLength> {
        let Some(length) = self.frame_bytes()? else { return Ok(None) };
        if self.buffer.len() < LENGTH_BYTES + length {
            return Ok(None);
        }
        self.known_bytes = length.min(KNOWN_BYTES_MAX);
        self.buffer.advance(LENGTH_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// The length of the first frame in the buffer, once its four length bytes are here.
    fn frame_bytes(&self) -> Result<Option<usize>, BadLength> {
        let Some(head) = self.buffer.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = i32::from_be_bytes(*head);
        match usize::try_from(length) {
            Ok(bytes) if bytes <= self.frame_bytes_max => Ok(Some(bytes)),
            _ => Err(BadLength { length, max: self.frame_bytes_max }),
        }
    }

    /// The buffer with space for the next read.
    ///
    /// The space grows with the bytes received, never with a mere announcement: a client that announces 100
    /// MiB and sends ten bytes costs ten bytes. A client that has sent a frame of that length is trusted, so
    /// that its bytes are not copied from buffer to buffer as they arrive.
    ///
    /// Bytes after a long frame stay in the socket, except for a few that have the length of the next one:
    /// the rest would have to be moved to a buffer with space for the whole frame.
    pub(crate) fn room(&mut self) -> Limit<&mut BytesMut> {
        let announced = self.frame_bytes().ok().flatten();
        let expected = LENGTH_BYTES + announced.unwrap_or(self.known_bytes);
        let missing = expected.saturating_sub(self.buffer.len());
        let is_long = expected > LONG_BYTES;
        let wanted = match announced {
            _ if is_long => {
                let justified = self.read_bytes.max(self.buffer.len()).max(self.known_bytes);
                missing.saturating_add(NEXT_BYTES).min(justified + NEXT_BYTES)
            }
            Some(_) => missing.max(1),
            None => self.read_bytes,
        };
        self.buffer.reserve(wanted);
        let room = self.buffer.capacity() - self.buffer.len();
        (&mut self.buffer).limit(if is_long { wanted } else { room })
    }

    /// Learns from a read that brought `read` bytes into space for `room`: a client that fills the space is
    /// given more.
    pub(crate) fn note_read(&mut self, read: usize, room: usize) {
        if read == room {
            self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        }
    }

    /// Frees the memory if no request is in progress.
    pub(crate) fn release_idle(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.read_bytes = READ_BYTES_MIN;
            self.known_bytes = 0;
        }
    }

    /// Drops the received bytes, which nobody will handle.
    pub(crate) fn clear(&mut self) {
        self.buffer = BytesMut::new();
    }

    /// The bytes of a frame that has begun and is not whole.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests;
