//! The tests' harness: a broker process, clients, a proxy, raw frames.

pub(crate) mod broker;
pub(crate) mod clients;
pub(crate) mod clock;
pub(crate) mod directory;
pub(crate) mod member;
pub(crate) mod proxy;
#[allow(dead_code, reason = "the tests of the broker in the process use more of it")]
#[path = "../../../broker/src/tests/harness/raw.rs"]
pub(crate) mod raw;
pub(crate) mod wire;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A name that no other test of this run, or of an earlier run against the same broker, has used.
pub(crate) fn unique(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `holds`, looking often, and fails the test with `what` after `limit`.
pub(crate) fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "after {limit:?} still not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
