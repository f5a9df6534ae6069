//! The one place that writes to standard output and standard error.
//!
//! Results go to standard output: tables and sentences for people, one JSON value a line for programs.
//! Everything else (failures, notes, progress) goes to standard error, so that the output of a command can
//! always be piped into another.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::time::Duration;

use runtime::clock::{self, Instant};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::{Value, json};

use crate::connect::system_words;
use crate::failure::{Exit, Failure};
use crate::table::Table;

/// Standard output, buffered.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: BufWriter<Stdout>,
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { stdout: BufWriter::with_capacity(64 << 10, io::stdout()), json }
    }

    /// Whether a program reads the results.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes a line for people; does nothing if a program reads the results.
    pub(crate) fn say(&mut self, sentence: impl Display) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        self.bytes(sentence.to_string().as_bytes())?;
        self.bytes(b"\n")
    }

    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        self.bytes(table.to_string().as_bytes())
    }

    /// Writes one JSON value on a line of its own.
    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.stdout, value).map_err(|error| output_failure(&error.into()))?;
        self.bytes(b"\n")
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(|error| output_failure(&error))
    }

    /// Whether the reader of the output has closed it. A write would fail, but a command that waits for
    /// something to write has to ask.
    pub(crate) fn is_closed(&self) -> bool {
        let stdout = io::stdout();
        let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        // A pipe without a reader is in error, and a closed terminal hangs up.
        rustix::event::poll(&mut asked, Some(&at_once)).is_ok()
            && asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Writes out the buffer.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|error| output_failure(&error))
    }
}

fn output_failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::output_closed(),
        _ => Failure::new(format!("cannot write to standard output: {}", system_words(error))),
    }
}

/// Writes a note beside the result.
pub(crate) fn note(sentence: impl Display) {
    // There is no one to tell that standard error is closed.
    let _ = writeln!(io::stderr(), "milena: {sentence}");
}

/// Reports the failure of a command.
pub(crate) fn failure(failure: &Failure, as_json: bool) {
    if failure.exit() == Exit::OutputClosed {
        return;
    }
    let mut stderr = io::stderr().lock();
    let _ = if as_json {
        let value = json!({ "error": failure.what(), "mend": failure.how_to_mend() });
        writeln!(stderr, "{value}")
    } else {
        writeln!(stderr, "milena: {failure}")
    };
}

/// The progress of a long command, on one line of a terminal that is overwritten each time.
///
/// Nothing is written if standard error is no terminal, or if the results go to the same one.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: bool,
    last: Option<Instant>,
    started: Instant,
}

impl Progress {
    /// Creates a progress line; `with_output` says that results are written to standard output meanwhile.
    pub(crate) fn new(with_output: bool) -> Self {
        let shown = io::stderr().is_terminal() && !(with_output && io::stdout().is_terminal());
        Progress { shown, last: None, started: clock::now() }
    }

    /// Shows the state, at most a few times a second.
    pub(crate) fn show(&mut self, state: impl FnOnce(Duration) -> String) {
        let due = self.last.is_none_or(|last| last.elapsed() > Duration::from_millis(200));
        // A short command needs no progress line.
        if self.shown && due && self.started.elapsed() > Duration::from_millis(300) {
            let _ = write!(io::stderr(), "\r\u{1b}[K{}", state(self.started.elapsed()));
            self.last = Some(clock::now());
        }
    }
}

/// Waits for `work`, and shows on a terminal how long it has taken so far.
pub(crate) async fn patiently<T>(what: impl Display, work: impl Future<Output = T>) -> T {
    let mut progress = Progress::new(false);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = clock::sleep(Duration::from_millis(500)) => {
                progress.show(|elapsed| format!("{what}: {:.0} s", elapsed.as_secs_f64()));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
