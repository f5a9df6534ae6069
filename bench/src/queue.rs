//! Messages in and out of brokers that do not speak Kafka's protocol.
//!
//! Each gets a minimal client for its own protocol, so that the two cores are the broker's: one thread writes
//! what the window allows, another reads the broker's answers.

pub(crate) mod amqp;
pub(crate) mod nats;
pub(crate) mod redis;
pub(crate) mod stomp;

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::Attempt;

/// Messages that may be unacknowledged, as long as they are small.
const WINDOW: u64 = 4_096;
/// Bytes that may be unacknowledged.
const WINDOW_BYTES: u64 = 16 << 20;
/// Messages that go into one write.
const TOGETHER: u64 = 256;
/// The time that a broker has for messages in flight when its run is ended early.
const GRACE: Duration = Duration::from_secs(5);
/// The longest silence of a broker.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest time between two noted times, however few messages are done.
const MARK: Duration = Duration::from_secs(5);

/// The times at which every so many messages were done.
pub(crate) struct Marks {
    begun: Instant,
    every: u64,
    limit: Duration,
    seen: u64,
    is_cut: bool,
    /// Messages so far, and seconds from the beginning.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Marks {
    /// Starts now; it may last as long as `limit`.
    pub(crate) fn new(every: u64, limit: Duration) -> Marks {
        let (begun, points) = (Instant::now(), vec![(0.0, 0.0)]);
        Marks { begun, every: every.max(1), limit, seen: 0, is_cut: false, points }
    }

    /// Notes that this many were done. Returns `false` if it has lasted too long, and ends here.
    pub(crate) fn add(&mut self, count: u64) -> bool {
        if self.is_cut {
            return false;
        }
        let before = self.seen / self.every;
        self.seen += count;
        let elapsed = self.begun.elapsed();
        let noted = self.points.last().map_or(0.0, |(_, seconds)| *seconds);
        self.is_cut = elapsed > self.limit;
        let is_late = elapsed.as_secs_f64() - noted > MARK.as_secs_f64();
        if self.seen / self.every > before || is_late || self.is_cut {
            self.points.push((self.seen as f64, elapsed.as_secs_f64()));
        }
        !self.is_cut
    }

    /// Notes the end.
    pub(crate) fn finish(mut self) -> Marks {
        let seen = self.seen as f64;
        if self.points.last().is_some_and(|(count, _)| *count < seen) {
            self.points.push((seen, self.begun.elapsed().as_secs_f64()));
        }
        self
    }

    /// Messages so far.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Whether it has lasted too long.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Messages a second over the whole run.
    pub(crate) fn rate(&self) -> f64 {
        self.points.last().map_or(0.0, |(count, seconds)| count / seconds)
    }
}

/// The messages of a run.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) address: &'a str,
    pub(crate) count: u64,
    pub(crate) size: usize,
    /// A time is noted every so many messages.
    pub(crate) every: u64,
    /// The longest time that it may last.
    pub(crate) limit: Duration,
}

impl Job<'_> {
    /// The marks of messages on their way out.
    fn marks(&self) -> Marks {
        Marks::new(self.every, self.limit)
    }

    /// The marks of messages on their way in: those in flight at the end are waited for.
    fn marks_in(&self) -> Mutex<Marks> {
        Mutex::new(Marks::new(self.every, self.limit + GRACE))
    }

    fn window(&self) -> u64 {
        WINDOW.min(WINDOW_BYTES / self.size.max(1) as u64)
    }

    /// The number of messages that a consumer asks for, or leaves unacknowledged, at once.
    fn batch(&self) -> u64 {
        ((1 << 20) / self.size.max(1) as u64).clamp(100, 1_000)
    }
}

/// The two ends of a connection.
pub(crate) struct Wire {
    pub(crate) reader: BufReader<TcpStream>,
    pub(crate) writer: TcpStream,
}

impl Wire {
    pub(crate) fn open(address: &str) -> Attempt<Wire> {
        let open = || {
            let writer = TcpStream::connect(address)?;
            writer.set_nodelay(true)?;
            writer.set_read_timeout(Some(SILENCE))?;
            let reader = BufReader::with_capacity(256 << 10, writer.try_clone()?);
            Ok(Wire { reader, writer })
        };
        open().map_err(|error: std::io::Error| format!("cannot connect to {address}: {error}"))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Attempt<()> {
        self.writer.write_all(bytes).map_err(|error| format!("not sent: {error}"))
    }
}

/// The window of unacknowledged messages.
struct Window {
    free: Mutex<Option<u64>>,
    freed: Condvar,
}

impl Window {
    fn new(free: u64) -> Window {
        Window { free: Mutex::new(Some(free)), freed: Condvar::new() }
    }

    /// Takes space for at most `wanted` messages; `None` if the other end has given up.
    fn take(&self, wanted: u64) -> Option<u64> {
        let mut free = self.free.lock().expect("not poisoned");
        loop {
            match *free {
                None => return None,
                Some(0) => free = self.freed.wait(free).expect("not poisoned"),
                Some(room) => {
                    let taken = room.min(wanted);
                    *free = Some(room - taken);
                    return Some(taken);
                }
            }
        }
    }

    fn give(&self, count: u64) {
        if let Some(room) = self.free.lock().expect("not poisoned").as_mut() {
            *room += count;
        }
        self.freed.notify_one();
    }

    fn is_closed(&self) -> bool {
        self.free.lock().expect("not poisoned").is_none()
    }

    fn close(&self) {
        *self.free.lock().expect("not poisoned") = None;
        self.freed.notify_one();
    }
}

/// Sends the messages of a job over one of `connections`, as many at once as its share of the window allows,
/// until all are acknowledged; no more once the job has lasted too long. `put` writes one message;
/// `acknowledged` reads the broker's next answer, and returns how many messages it confirms.
fn pump(
    wire: Wire,
    (job, connections): (&Job<'_>, u64),
    marks: &Mutex<Marks>,
    mut put: impl FnMut(u64, &mut Vec<u8>) + Send,
    mut acknowledged: impl FnMut(&mut BufReader<TcpStream>) -> Attempt<u64>,
) -> Attempt<()> {
    let Wire { mut reader, mut writer } = wire;
    // Of several connections each has twice its share: some brokers acknowledge all that they have read at
    // once.
    let share = if connections > 1 { job.window() * 2 / connections } else { job.window() };
    let window = Window::new(share.max(1));
    let begun = Instant::now();
    // The number of messages to send in the end.
    let wanted = AtomicU64::new(job.count);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut sent = 0;
            let mut bytes = Vec::new();
            while sent < wanted.load(Ordering::SeqCst) {
                let Some(room) = window.take(TOGETHER.min(job.count - sent)) else { return Ok(()) };
                bytes.clear();
                (sent..sent + room).for_each(|nth| put(nth, &mut bytes));
                sent += room;
                if begun.elapsed() > job.limit {
                    // Stored before it is sent, so that its acknowledgements are known to be the last.
                    wanted.store(sent, Ordering::SeqCst);
                }
                match writer.write_all(&bytes) {
                    Err(_) if window.is_closed() => return Ok(()),
                    written => written.map_err(|error| format!("not sent: {error}"))?,
                }
            }
            Ok(())
        });
        let mut read = || {
            let (mut done, mut unnoted) = (0, 0);
            while done < wanted.load(Ordering::SeqCst) {
                let count = acknowledged(&mut reader)?;
                done += count;
                unnoted += count;
                let is_last = done >= wanted.load(Ordering::SeqCst);
                if unnoted > 0 && (reader.buffer().is_empty() || unnoted >= TOGETHER || is_last) {
                    window.give(unnoted);
                    if !marks.lock().expect("not poisoned").add(std::mem::take(&mut unnoted)) {
                        break;
                    }
                }
            }
            Ok(())
        };
        let outcome = read();
        window.close();
        // Wake a writer whose messages nobody takes any more.
        let _ = reader.get_ref().shutdown(std::net::Shutdown::Both);
        outcome.and(writing.join().expect("a writer does not panic"))
    })
}

fn unexpected(what: &[u8]) -> String {
    format!("the broker said: {}", String::from_utf8_lossy(&what[..what.len().min(300)]).trim())
}

fn unread(error: &std::io::Error) -> String {
    format!("nothing to read: {error}")
}
