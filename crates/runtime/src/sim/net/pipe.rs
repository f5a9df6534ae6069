//! One direction of a connection.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use parking_lot::Mutex;
use tokio::io::ReadBuf;

use super::super::Host;

/// Bytes in flight above which a writer waits.
const CAPACITY_BYTES: usize = 128 * 1024;

/// The delay of a write, drawn each time: mostly that of a network in one building, sometimes far longer.
pub(super) fn delay(chance: &mut Rng) -> Duration {
    match chance.u32(..100) {
        0 => Duration::from_millis(chance.u64(5..200)),
        1..10 => Duration::from_micros(chance.u64(1_000..5_000)),
        _ => Duration::from_micros(chance.u64(20..400)),
    }
}

/// Bytes in flight from one host to another.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(super) writer: Host,
    pub(super) reader: Host,
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    segments: VecDeque<Segment>,
    bytes: usize,
    last_arrival: Duration,
    end: Option<End>,
    is_unread: bool,
    read_waker: Option<Waker>,
    write_waker: Option<Waker>,
}

#[derive(Debug)]
struct Segment {
    arrival: Duration,
    bytes: Vec<u8>,
    /// The bytes of it that were read.
    read: usize,
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// The end of the stream.
    Closed(Duration),
    Reset,
}

/// The state at the reader's end.
pub(super) enum ReadState {
    Ready(io::Result<()>),
    /// Bytes arrive then.
    At(Duration),
    Nothing,
}

impl Pipe {
    pub(super) fn new(writer: Host, reader: Host, from: IpAddr, to: IpAddr) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self {
            writer,
            reader,
            from,
            to,
            segments: VecDeque::new(),
            bytes: 0,
            last_arrival: Duration::ZERO,
            end: None,
            is_unread: false,
            read_waker: None,
            write_waker: None,
        }))
    }

    pub(super) fn touches(&self, address: IpAddr) -> bool {
        self.from == address || self.to == address
    }

    pub(super) fn take_wakers(&mut self) -> Vec<Waker> {
        self.read_waker.take().into_iter().chain(self.write_waker.take()).collect()
    }

    pub(super) fn take_reader(&mut self) -> Option<Waker> {
        self.read_waker.take()
    }

    pub(super) fn close(&mut self, now: Duration) {
        self.end.get_or_insert(End::Closed(self.last_arrival.max(now)));
    }

    pub(super) fn reset(&mut self) {
        self.end = Some(End::Reset);
        self.segments.clear();
        self.bytes = 0;
    }

    /// One of the two hosts is gone: its system closes the sending end, and refuses what arrives.
    pub(super) fn abort(&mut self, now: Duration) {
        self.close(now);
        self.is_unread = true;
    }

    /// The reader is gone.
    pub(super) fn reader_gone(&mut self) {
        self.is_unread = true;
    }

    /// Delays the bytes in flight until `now`.
    pub(super) fn delay_until(&mut self, now: Duration) {
        self.segments.iter_mut().for_each(|segment| segment.arrival = segment.arrival.max(now));
    }

    pub(super) fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.bytes < CAPACITY_BYTES || self.end.is_some() || self.is_unread {
            return Poll::Ready(());
        }
        self.write_waker = Some(context.waker().clone());
        Poll::Pending
    }

    pub(super) fn write(&mut self, bytes: &[u8], now: Duration, chance: &mut Rng) -> io::Result<usize> {
        match self.end {
            Some(End::Reset) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(End::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
            None if self.is_unread => return Err(io::ErrorKind::BrokenPipe.into()),
            None => {}
        }
        let room = CAPACITY_BYTES.saturating_sub(self.bytes).min(bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // A short write now and then, as the kernel does.
        let len = if room > 1 && chance.u32(..16) == 0 { chance.usize(1..=room) } else { room };
        self.last_arrival = self.last_arrival.max(now + delay(chance));
        self.bytes += len;
        let segment = Segment { arrival: self.last_arrival, bytes: bytes[..len].to_vec(), read: 0 };
        self.segments.push_back(segment);
        Ok(len)
    }

    /// Reads the bytes that have arrived; also returns the writer to wake, outside of all locks.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        now: Duration,
        is_cut: bool,
        chance: &mut Rng,
        buffer: &mut ReadBuf<'_>,
    ) -> (ReadState, Option<Waker>) {
        if let Some(End::Reset) = self.end {
            return (ReadState::Ready(Err(io::ErrorKind::ConnectionReset.into())), None);
        }
        self.read_waker = Some(context.waker().clone());
        if is_cut {
            return (ReadState::Nothing, None);
        }
        // A short read now and then, at any position.
        let limit = if chance.u32(..16) == 0 { chance.usize(1..64) } else { usize::MAX };
        let mut read = 0;
        while let Some(segment) = self.segments.front_mut()
            && segment.arrival <= now
            && buffer.remaining() > 0
            && read < limit
        {
            let len = (segment.bytes.len() - segment.read).min(buffer.remaining()).min(limit - read);
            buffer.put_slice(&segment.bytes[segment.read..segment.read + len]);
            segment.read += len;
            read += len;
            if segment.read == segment.bytes.len() {
                self.segments.pop_front();
            }
        }
        self.bytes -= read;
        if read > 0 {
            return (ReadState::Ready(Ok(())), self.write_waker.take());
        }
        let incoming = match (self.segments.front(), self.end) {
            (Some(segment), _) => ReadState::At(segment.arrival),
            (None, Some(End::Closed(at))) if at <= now => ReadState::Ready(Ok(())),
            (None, Some(End::Closed(at))) => ReadState::At(at),
            (None, _) => ReadState::Nothing,
        };
        (incoming, None)
    }
}
