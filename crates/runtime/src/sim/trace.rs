//! The trace of a run as one number: equal runs have equal numbers.

use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write as _};
use std::hash::Hasher;
use std::io::Write;
use std::time::Duration;

/// The events of a run, hashed in order, and written out if there is a writer.
#[derive(Default)]
pub(super) struct Trace {
    // `DefaultHasher::new` has fixed keys, unlike the hasher of a `HashMap`.
    hasher: DefaultHasher,
    events: u64,
    line: String,
    written: Option<Box<dyn Write + Send>>,
}

impl Trace {
    pub(super) fn new(written: Option<Box<dyn Write + Send>>) -> Self {
        Self { written, ..Self::default() }
    }

    pub(super) fn note(&mut self, now: Duration, event: fmt::Arguments<'_>) {
        self.events += 1;
        self.line.clear();
        writeln!(self.line, "{} {event}", now.as_nanos()).expect("a string takes everything");
        self.hasher.write(self.line.as_bytes());
        if let Some(written) = &mut self.written {
            // A trace that cannot be written is missed by who asked for it, at once.
            written.write_all(self.line.as_bytes()).expect("the trace is written");
        }
    }

    /// Writes out what is buffered: a killed thread may keep the world, and with it the writer, to the end of the process.
    pub(super) fn flush(&mut self) {
        if let Some(written) = &mut self.written {
            written.flush().expect("the trace is written");
        }
    }

    pub(super) fn digest(&self) -> u64 {
        self.hasher.finish()
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trace({} events, {:016x})", self.events, self.digest())
    }
}
