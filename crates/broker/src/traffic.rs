//! What goes in and out, counted. Counting is an addition to an atomic: nothing waits and nothing is
//! allocated.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::dispatch::APIS;

/// Requests and bytes of all connections since the start.
pub(crate) struct Traffic {
    /// By the place of the API in [`APIS`].
    requests: Vec<AtomicU64>,
    refused: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self {
            requests: APIS.iter().map(|_| AtomicU64::new(0)).collect(),
            refused: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
        }
    }

    /// Counts a request of the API at that place of [`APIS`].
    pub(crate) fn count_request(&self, index: usize) {
        self.requests[index].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that ended its connection: unknown, of a version that is not served, or malformed.
    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many requests there were of each API, by Kafka's name.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.requests.iter().map(|count| count.load(Ordering::Relaxed));
        APIS.iter().map(|api| api.key.name()).zip(counts)
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
