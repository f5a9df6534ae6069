//! Replies from many connections, on one thread.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::epoll;

use super::Replay;
use crate::Attempt;
use crate::schedule::{Schedule, histogram, record};

/// The longest silence.
const SILENCE: Duration = Duration::from_secs(30);
/// Buffer for the replies on one connection.
const BUFFER_BYTES: usize = 64 << 10;

pub(super) fn connect(bootstrap: &str) -> Attempt<TcpStream> {
    let connect = || {
        let stream = TcpStream::connect(bootstrap)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    connect().map_err(|error: std::io::Error| format!("cannot connect to {bootstrap}: {error}"))
}

/// The received part of a connection's next reply, and the number of its whole replies.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    replies: u64,
}

impl Inbox {
    /// Reads once; calls `each` with the number of each reply and its bytes.
    fn read(
        &mut self,
        mut stream: &TcpStream,
        buffer: &mut [u8],
        mut each: impl FnMut(u64, &[u8]),
    ) -> Attempt<()> {
        let count = stream.read(buffer).map_err(|error| format!("nothing to read: {error}"))?;
        if count == 0 {
            return Err("the broker has closed a connection".to_owned());
        }
        self.bytes.extend_from_slice(&buffer[..count]);
        let mut done = 0;
        while let Some(length) = self.bytes[done..].first_chunk() {
            let end = done + 4 + u32::from_be_bytes(*length) as usize;
            let Some(reply) = self.bytes.get(done + 4..end) else { break };
            each(self.replies, reply);
            self.replies += 1;
            done = end;
        }
        self.bytes.drain(..done);
        Ok(())
    }
}

/// Receives the acknowledgements of everything sent over these connections, which take turns.
pub(super) fn receive(
    streams: &[TcpStream],
    replay: &Replay<'_>,
    schedule: &Schedule,
) -> Attempt<Histogram<u64>> {
    let failed = |error| format!("cannot wait for replies: {error}");
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
    for (at, stream) in streams.iter().enumerate() {
        let which = epoll::EventData::new_u64(at as u64);
        epoll::add(&poll, stream, which, epoll::EventFlags::IN).map_err(failed)?;
    }
    let mut inboxes: Vec<Inbox> = streams.iter().map(|_| Inbox::default()).collect();
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut latencies = histogram();
    let mut refused = 0;
    let mut heard = Instant::now();
    let wait = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
    while latencies.len() < replay.count {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
        if events.is_empty() && heard.elapsed() > SILENCE {
            return Err(format!("{} of {} were acknowledged", latencies.len(), replay.count));
        }
        for event in &events {
            heard = Instant::now();
            let at = event.data.u64() as usize;
            inboxes[at].read(&streams[at], &mut buffer, |nth, reply| {
                record(&mut latencies, schedule.due(nth * streams.len() as u64 + at as u64));
                refused += u64::from(!is_accepted(reply, replay.topic));
            })?;
        }
    }
    if refused > 0 { Err(format!("{refused} requests were refused")) } else { Ok(latencies) }
}

/// Whether the one partition of a reply has no error: it comes after the correlation id, one topic with its name, one
/// partition with its index.
fn is_accepted(reply: &[u8], topic: &str) -> bool {
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    reply.get(at..at + 2) == Some(&[0, 0])
}
