//! Counters of requests and of bytes in and out. Counting is an atomic addition: it neither waits nor
//! allocates.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests and bytes of all connections since the start.
pub(crate) struct Traffic {
    /// By the place of the API in the table of APIs.
    requests: Vec<AtomicU64>,
    refused: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Traffic {
    /// Starts at zero, for a table of `apis` APIs.
    pub(crate) fn new(apis: usize) -> Self {
        Self {
            requests: (0..apis).map(|_| AtomicU64::new(0)).collect(),
            refused: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// Counts a request for the API at that place of the table.
    pub(crate) fn count_request(&self, index: usize) {
        self.requests[index].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that ended its connection: of an unknown API, of a version that is not served, or
    /// malformed.
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The number of requests of each API, in the order of the table.
    pub(crate) fn requests(&self) -> impl Iterator<Item = u64> {
        self.requests.iter().map(|count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }
}
