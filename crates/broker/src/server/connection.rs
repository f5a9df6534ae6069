//! One client's connection: requests in, and replies out in the same order.
//!
//! A connection is one task. It reads what the socket has, handles every whole request at once (a produce
//! appends right here), and writes the replies together. A reply that must wait keeps its place in the
//! [`Outbox`], so that several produce requests overlap their waits for the disk.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use runtime::clock::{self, Instant};
use runtime::net::TcpStream;
use runtime::task;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::dispatch::{self, RequestError};
use crate::peer::Peer;
use crate::reply::Reply;

use super::Server;
use super::inbox::{BadLength, Inbox};
use super::limits::{Admission, AnswerBytes, RequestBytes};
use super::outbox::{Outbox, SendProgress};

/// The longest time between two checks whether a connection is idle.
const IDLE_TICK: Duration = Duration::from_secs(10);
/// Request bytes handled in a row before other connections have their turn.
const TURN_BYTES: usize = 1 << 20;
/// The size from which a request other than a produce is handled on a thread on which no other connections
/// wait.
const LONG_REQUEST_BYTES: usize = 32 << 10;
/// The time that pending replies may take once the broker stops.
const DRAIN: Duration = Duration::from_secs(2);

/// One connection. [`Connection::serve`] runs until it ends.
pub(crate) struct Connection {
    server: Arc<Server>,
    peer: Arc<Peer>,
    stream: TcpStream,
    inbox: Inbox,
    outbox: Outbox,
    stopping: watch::Receiver<bool>,
    /// This connection's part of the limit on the bytes of requests.
    request_bytes: RequestBytes,
    /// This connection's part of the limit on the bytes of answers.
    answer_bytes: AnswerBytes,
    /// Counts against the limits on connections until it is dropped.
    _admission: Admission,
    /// The time at which bytes were last seen to come or go.
    active_at: Instant,
    /// Whether bytes have gone since then.
    has_sent: bool,
    /// The reason why no more requests are taken. Earlier requests are still answered.
    ending: Option<End>,
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// The client closed it, or its half of it.
    Closed { in_request: bool },
    /// The broker stops.
    Stopping,
    /// Nothing came or went for `connections.max.idle.ms`.
    Idle,
    /// The client does not speak Kafka's protocol.
    BadLength(BadLength),
    /// A request cannot be answered.
    Refused(RequestError),
    /// The unhandled requests hold twice their limit.
    TooManyBytes,
    /// A produce that wants no answer has failed.
    Unanswered,
    /// The answer cannot be encoded, which was logged.
    Unsayable,
    /// The answers that clients do not read reach their limit.
    TooManyAnswers,
    /// The socket failed.
    Io(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

enum Event {
    Read(usize),
    Progress,
    Tick,
    Stopping,
}

impl Connection {
    pub(crate) fn new(
        server: Arc<Server>,
        peer: Peer,
        stream: TcpStream,
        stopping: watch::Receiver<bool>,
        admission: Admission,
    ) -> Self {
        let frame_bytes_max = usize::try_from(server.broker.config.socket_request_max_bytes).unwrap_or(0);
        let request_bytes = RequestBytes::new(Arc::clone(&server.request_memory));
        let answer_bytes = AnswerBytes::new(Arc::clone(&server.answer_memory));
        Self {
            request_bytes,
            answer_bytes,
            server,
            peer: Arc::new(peer),
            stream,
            inbox: Inbox::new(frame_bytes_max),
            outbox: Outbox::default(),
            stopping,
            _admission: admission,
            active_at: clock::now(),
            has_sent: false,
            ending: None,
        }
    }

    /// Serves requests until one side ends the connection.
    pub(crate) async fn serve(mut self) {
        let end = match self.run().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        let host = &self.peer.host;
        match end {
            End::Closed { in_request: true } => {
                debug!(client = host, "closed by the client in the middle of a request");
            }
            End::Closed { in_request: false } | End::Stopping => {}
            End::Idle => debug!(client = host, "closed: idle for connections.max.idle.ms"),
            End::BadLength(bad) => debug!(client = host, "closed: {bad}"),
            End::Refused(refused) => self.tell_refused(&refused),
            End::TooManyBytes => {
                warn!(client = host, "closed: queued.max.request.bytes is exceeded by a factor of two");
            }
            End::TooManyAnswers => {
                warn!(
                    client = host,
                    "closed: large answers that clients have not read hold a quarter of the memory"
                );
            }
            End::Unsayable => {}
            End::Unanswered => debug!(client = host, "closed: a produce with acks=0 failed"),
            End::Io(error) => debug!(client = host, "closed: {error}"),
        }
    }

    /// Logs a request that gets no answer. The person who runs a client that is too old learns here why its
    /// connection was closed; bytes that are not Kafka's protocol are only logged for debugging.
    fn tell_refused(&self, refused: &RequestError) {
        let host = &self.peer.host;
        if !matches!(refused, RequestError::NotServed(_)) {
            debug!(client = host, "closed: {refused}");
        } else if let Some(left_out) = self.server.refused_log.admit(clock::now()) {
            warn!(client = host, left_out, "connection closed: {refused}");
        }
    }

    async fn run(&mut self) -> Result<std::convert::Infallible, End> {
        let look_again = self.idle_max().min(IDLE_TICK);
        let mut tick = pin!(clock::sleep(look_again));
        let mut stopping = self.stopping.clone();
        let mut stop = pin!(async move {
            // An error means that the broker itself is gone: stop as well.
            let _ = stopping.wait_for(|stop| *stop).await;
        });
        loop {
            let turn_over = self.handle_requests();
            let sent = self.outbox.send(&self.stream)?;
            let sent_bytes = self.outbox.take_sent_bytes();
            self.has_sent |= sent_bytes > 0;
            self.server.broker.traffic.count_sent(sent_bytes);
            if self.outbox.ends() && !self.outbox.has_pieces() {
                return Err(End::Unsayable);
            }
            if !self.answer_bytes.set(self.outbox.excess_bytes()) {
                return Err(End::TooManyAnswers);
            }
            if turn_over || sent == SendProgress::Turn {
                task::yield_now().await;
                continue;
            }
            if self.outbox.is_empty()
                && let Some(end) = self.ending.take()
            {
                return Err(end);
            }
            let memory = Arc::clone(self.request_bytes.memory());
            let mut room = pin!(memory.room());
            let event =
                poll_fn(|context| self.poll_event(context, tick.as_mut(), stop.as_mut(), room.as_mut()));
            match event.await? {
                Event::Read(0) => {
                    let in_request = self.inbox.unfinished_bytes() > 0;
                    self.take_no_more(End::Closed { in_request });
                }
                Event::Read(bytes) => {
                    self.server.broker.traffic.count_received(bytes);
                    self.active_at = clock::now();
                    if !self.request_bytes.set(self.inbox.unfinished_bytes()) {
                        return Err(End::TooManyBytes);
                    }
                }
                Event::Progress => {}
                Event::Tick => {
                    self.look_idle()?;
                    tick.set(clock::sleep(look_again));
                }
                Event::Stopping => {
                    self.drain().await;
                    return Err(End::Stopping);
                }
            }
        }
    }

    /// Takes no more requests. Earlier ones are answered first, as in Kafka: a producer whose last request is
    /// rejected must learn the results of the others.
    fn take_no_more(&mut self, end: End) {
        self.inbox.clear();
        self.ending = Some(end);
    }

    /// Handles the whole requests that have arrived. Returns whether its turn ended before all were handled.
    fn handle_requests(&mut self) -> bool {
        let mut handled_bytes = 0;
        while self.ending.is_none() && self.outbox.has_room() {
            let frame = match self.inbox.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(bad) => {
                    self.take_no_more(End::BadLength(bad));
                    break;
                }
            };
            handled_bytes += frame.len();
            match self.handle(frame) {
                Ok(Reply::Nothing) => {}
                Ok(Reply::Now(frame)) => self.outbox.push(frame),
                Ok(Reply::Later(future)) => self.outbox.push_waiting(future),
                Ok(Reply::Close) => self.take_no_more(End::Unanswered),
                Err(refused) => {
                    self.server.broker.traffic.count_refused();
                    self.take_no_more(End::Refused(refused));
                }
            }
            if handled_bytes >= TURN_BYTES {
                return true;
            }
        }
        let fewer = self.request_bytes.set(self.inbox.unfinished_bytes());
        assert!(fewer, "handling requests takes no bytes in");
        false
    }

    /// Handles one request. A long one may take its time, so the other tasks of this thread move to another
    /// one. A produce is exempt: its length is that of its records.
    fn handle(&self, frame: Bytes) -> Result<Reply, RequestError> {
        let handle = |frame| dispatch::handle(&self.server.broker, &self.peer, frame);
        if frame.len() < LONG_REQUEST_BYTES || dispatch::is_produce(&frame) {
            return handle(frame);
        }
        task::block_in_place(|| handle(frame))
    }

    /// Waits for the first of: bytes to read, space to write, the oldest reply, the tick, the end. While the
    /// memory for requests is used up, `room` replaces the bytes that would begin another request.
    fn poll_event(
        &mut self,
        context: &mut Context<'_>,
        tick: Pin<&mut impl Future<Output = ()>>,
        stop: Pin<&mut impl Future<Output = ()>>,
        room: Pin<&mut impl Future<Output = ()>>,
    ) -> Poll<io::Result<Event>> {
        if self.outbox.poll_oldest(context).is_ready() {
            return Poll::Ready(Ok(Event::Progress));
        }
        if self.outbox.has_pieces() && self.stream.poll_write_ready(context)?.is_ready() {
            return Poll::Ready(Ok(Event::Progress));
        }
        if self.ending.is_some() {
            // Further bytes are of no use to anybody.
        } else if self.may_read() {
            if self.outbox.has_room()
                && let Poll::Ready(read) = self.poll_read(context)?
            {
                return Poll::Ready(Ok(Event::Read(read)));
            }
        } else if room.poll(context).is_ready() {
            return Poll::Ready(Ok(Event::Progress));
        }
        if tick.poll(context).is_ready() {
            return Poll::Ready(Ok(Event::Tick));
        }
        if stop.poll(context).is_ready() {
            return Poll::Ready(Ok(Event::Stopping));
        }
        Poll::Pending
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = self.inbox.room();
        let room = buffer.remaining_mut();
        let read = pin!(self.stream.read_buf(&mut buffer)).poll(context);
        if let Poll::Ready(Ok(read)) = read {
            self.inbox.note_read(read, room);
        }
        read
    }

    /// Whether bytes may be received: always if they belong to a request that has begun.
    fn may_read(&self) -> bool {
        self.inbox.unfinished_bytes() > 0 || self.request_bytes.memory().has_room()
    }

    /// The longest time without traffic (`connections.max.idle.ms`). A negative setting means no limit.
    fn idle_max(&self) -> Duration {
        let idle_max_ms = u64::try_from(self.server.broker.config.connections_max_idle_ms);
        Duration::from_millis(idle_max_ms.unwrap_or(u64::MAX))
    }

    /// Frees memory, and ends a connection that has been idle for too long: one that sends no request, does
    /// not take its replies, or has closed its half. One that waits for a reply is left alone.
    fn look_idle(&mut self) -> Result<(), End> {
        if std::mem::take(&mut self.has_sent) {
            self.active_at = clock::now();
        }
        let idle = self.active_at.elapsed();
        if idle >= IDLE_TICK {
            self.inbox.release_idle();
        }
        let waits_for_us = !self.outbox.is_empty() && !self.outbox.has_pieces() && self.ending.is_none();
        if idle >= self.idle_max() && !waits_for_us { Err(End::Idle) } else { Ok(()) }
    }

    /// Sends the pending replies, for a bounded time.
    async fn drain(&mut self) {
        let drained = clock::timeout(DRAIN, async {
            while !self.outbox.is_empty() {
                if self.outbox.send(&self.stream)? != SendProgress::Turn && !self.outbox.is_empty() {
                    poll_fn(|context| self.poll_progress(context)).await?;
                }
            }
            io::Result::Ok(())
        });
        if !matches!(drained.await, Ok(Ok(()))) {
            debug!(client = self.peer.host, "pending replies were dropped at the stop");
        }
    }

    fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbox.poll_oldest(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if self.outbox.has_pieces() { self.stream.poll_write_ready(context) } else { Poll::Pending }
    }
}
