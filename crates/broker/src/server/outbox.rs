//! Replies to a client in the order of their requests: bytes and pieces of files.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use runtime::net::{self, TcpStream};

use crate::reply::{Frame, Piece, ReplyFuture};

/// The most replies that may wait before the connection stops reading requests.
const REPLIES_MAX: usize = 256;
/// The memory that unsent replies may hold before the connection stops reading requests.
const BYTES_MAX: usize = 4 << 20;
/// The most parts of one system call.
const PARTS_MAX: usize = 32;
/// The most bytes of one call of sendfile, so that one large fetch does not hold its thread.
const FILE_BYTES_MAX: usize = 1 << 20;

/// The unsent replies of one connection.
///
/// A reply that must wait (a parked fetch, a produce that waits for the disk) keeps its place:
/// Kafka's clients match replies to requests by order.
#[derive(Default)]
pub(crate) struct Outbox {
    replies: VecDeque<Slot>,
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// The bytes that the socket took since the last [`Outbox::take_sent_bytes`].
    sent_bytes: u64,
    /// Whether the next reply cannot be sent: the connection ends behind `pieces`.
    ends: bool,
}

enum Slot {
    Ready(Frame),
    Waiting(ReplyFuture),
}

/// The result of sending pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendProgress {
    /// Everything that can be sent now is sent.
    All,
    /// The socket is full.
    Blocked,
    /// A turn's worth was sent; other connections are next.
    Turn,
}

impl Outbox {
    /// Adds a response behind those of earlier requests.
    pub(crate) fn push(&mut self, frame: Frame) {
        if self.ends {
            return;
        }
        self.bytes += frame.memory_bytes();
        self.replies.push_back(Slot::Ready(frame));
        self.take_ready();
    }

    /// Reserves the place of a response that comes later.
    pub(crate) fn push_waiting(&mut self, future: ReplyFuture) {
        if self.ends {
            return;
        }
        self.replies.push_back(Slot::Waiting(future));
    }

    /// Whether another request may be handled before something is sent.
    pub(crate) fn has_room(&self) -> bool {
        self.replies.len() < REPLIES_MAX && self.bytes < BYTES_MAX
    }

    /// Whether the connection ends once all pieces are sent.
    pub(crate) fn ends(&self) -> bool {
        self.ends
    }

    /// The memory of unsent replies beyond the allowance of each connection.
    pub(crate) fn excess_bytes(&self) -> usize {
        self.bytes.saturating_sub(BYTES_MAX)
    }

    /// Whether bytes wait for the socket.
    pub(crate) fn has_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Whether nothing at all is left to answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.replies.is_empty()
    }

    /// Polls the oldest reply if it is a waiting one; ready when it can be sent.
    pub(crate) fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(slot) = self.replies.front_mut() else { return Poll::Pending };
        let Slot::Waiting(future) = slot else { return Poll::Ready(()) };
        match Pin::new(future).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(frame) => {
                self.bytes += frame.memory_bytes();
                *slot = Slot::Ready(frame);
                self.take_ready();
                Poll::Ready(())
            }
        }
    }

    /// Moves the replies whose turn has come to the pieces.
    fn take_ready(&mut self) {
        while let Some(Slot::Ready(_)) = self.replies.front() {
            let Some(Slot::Ready(frame)) = self.replies.pop_front() else { unreachable!("just seen") };
            if frame.is_unsayable() {
                // The client would take a later response for the answer to this request.
                self.ends = true;
                self.replies.clear();
                return;
            }
            frame.into_pieces(&mut self.pieces);
        }
    }

    /// The bytes that the socket took since the last call.
    pub(crate) fn take_sent_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.sent_bytes)
    }

    /// Sends as much as the socket takes, up to a turn's worth.
    ///
    /// # Errors
    /// The error that ends the connection.
    pub(crate) fn send(&mut self, stream: &TcpStream) -> io::Result<SendProgress> {
        let mut turn_bytes = 0;
        while let Some(front) = self.pieces.front_mut() {
            let sent = match front {
                Piece::Bytes(_) => self.send_bytes(stream),
                Piece::File(region) => {
                    let len = region.len.min(FILE_BYTES_MAX);
                    region.bring_into_cache(len);
                    let sent = net::try_send_file(stream, &region.file, &mut region.position, len);
                    sent.and_then(|sent| self.file_sent(sent))
                }
            };
            match sent {
                Ok(sent) => {
                    turn_bytes += sent;
                    self.sent_bytes += sent as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(SendProgress::Blocked),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if turn_bytes >= FILE_BYTES_MAX && !self.pieces.is_empty() {
                return Ok(SendProgress::Turn);
            }
        }
        Ok(SendProgress::All)
    }

    /// Sends the run of byte pieces at the front in one call.
    fn send_bytes(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let mut parts = [IoSlice::new(&[]); PARTS_MAX];
        let mut count = 0;
        let mut more = false;
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) if count < PARTS_MAX => {
                    parts[count] = IoSlice::new(bytes);
                    count += 1;
                }
                _ => {
                    more = true;
                    break;
                }
            }
        }
        let sent = net::try_send(stream, &parts[..count], more)?;
        self.bytes_sent(sent);
        Ok(sent)
    }

    fn bytes_sent(&mut self, mut sent: usize) {
        self.bytes -= sent;
        while let Some(Piece::Bytes(bytes)) = self.pieces.front_mut() {
            if sent < bytes.len() {
                bytes.advance(sent);
                return;
            }
            sent -= bytes.len();
            self.pieces.pop_front();
        }
        assert_eq!(sent, 0, "the socket took more than it was given");
    }

    fn file_sent(&mut self, sent: usize) -> io::Result<usize> {
        let Some(Piece::File(region)) = self.pieces.front_mut() else { unreachable!("a file was sent") };
        if sent == 0 {
            // The file ended before the region did: its tail was truncated under a reader. The length has
            // already been sent, so only the end of the connection tells the client.
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "a segment ended inside a fetched region",
            ));
        }
        region.len -= sent;
        if region.len == 0 {
            self.pieces.pop_front();
        }
        Ok(sent)
    }
}
