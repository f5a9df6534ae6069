//! A response on its way out: encoded bytes, and regions of segment files that the kernel sends.

mod responder;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use runtime::task;
use storage::fs::File;

pub(crate) use responder::Responder;

/// A region of a segment file.
#[derive(Debug, Clone)]
pub(crate) struct FileRegion {
    /// The segment's `.log`. This handle keeps it open even if the segment is deleted meanwhile.
    pub(crate) file: File,
    /// The start of the region, in bytes.
    pub(crate) position: u64,
    /// Its length in bytes.
    pub(crate) len: usize,
    /// The end of the part that was last seen in the page cache: sending up to here does not wait for the
    /// disk.
    cached_to: u64,
}

impl FileRegion {
    /// `len` bytes of `file` from `position` on.
    pub(crate) fn new(file: File, position: u64, len: usize) -> Self {
        Self { file, position, len, cached_to: position }
    }

    /// Brings the next `len` bytes into the page cache. If they are not there, this waits for the disk
    /// instead of `sendfile`, which would make the other connections of this thread wait as well.
    pub(crate) fn bring_into_cache(&mut self, len: usize) {
        let end = self.position + len as u64;
        if self.cached_to >= end {
            return;
        }
        let from = self.cached_to.max(self.position);
        let missing = usize::try_from(end - from).expect("no more than was asked for");
        if !self.file.is_cached(from, missing) {
            task::block_in_place(|| self.file.bring_into_cache(from, missing));
        }
        self.cached_to = end;
    }
}

/// A part of a response.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a file, which go from the page cache to the socket.
    File(FileRegion),
}

/// One response, length and header included.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pieces: Vec<Piece>,
    /// The protocol cannot carry the response: the connection ends instead.
    is_unsayable: bool,
}

/// The future of a reply that waits. It is polled only when all earlier replies are out.
pub(crate) type ReplyFuture = Pin<Box<dyn Future<Output = Frame> + Send>>;

/// A handler's answer.
pub(crate) enum Reply {
    /// No response: a produce with acks=0.
    Nothing,
    /// The response.
    Now(Frame),
    /// A response that must wait for something.
    Later(ReplyFuture),
    /// The end of the connection: the only way to report an error to a client that wants no response.
    Close,
}

impl Piece {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(region) => region.len,
        }
    }
}

impl Reply {
    /// A reply that waits for `future`.
    pub(crate) fn later(future: impl Future<Output = Frame> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl Frame {
    /// A response of several parts, in order.
    pub(crate) fn of_pieces(pieces: Vec<Piece>) -> Self {
        Self { pieces, is_unsayable: false }
    }

    /// Ends the connection in place of a response that the protocol cannot carry.
    pub(crate) fn unsayable() -> Self {
        Self { pieces: Vec::new(), is_unsayable: true }
    }

    pub(crate) fn is_unsayable(&self) -> bool {
        self.is_unsayable
    }

    /// Its memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let in_memory = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::File(_) => 0,
        };
        self.pieces.iter().map(in_memory).sum()
    }

    pub(crate) fn into_pieces(self, out: &mut VecDeque<Piece>) {
        out.extend(self.pieces);
    }
}

#[cfg(test)]
mod tests;
