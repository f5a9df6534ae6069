//! Limits that hold whatever clients do. They are on by default.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use runtime::HashMap;
use tokio::sync::Notify;

/// The connections of this process, in all and by address (`max.connections`, `max.connections.per.ip`).
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    max: usize,
    /// The process's limit on descriptors, without those that files need.
    descriptors_max: usize,
    per_address_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The reason why a connection is closed before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// `max.connections` are open.
    Connections(usize),
    /// The descriptors for connections are used up.
    Descriptors(usize),
    /// `max.connections.per.ip` are open from that address.
    FromAddress(usize),
}

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connections(max) => write!(f, "{max} connections are open (max.connections)"),
            Self::Descriptors(max) => write!(
                f,
                "{max} connections are open, and the other descriptors of this process are reserved for \
                 files: raise the limit (ulimit -n, or LimitNOFILE= of its service)"
            ),
            Self::FromAddress(max) => {
                write!(f, "{max} connections are open from this address (max.connections.per.ip)")
            }
        }
    }
}

/// An admitted connection; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
}

impl ConnectionLimits {
    /// Limits by settings, by descriptors, and by address.
    pub(crate) fn new(max: usize, descriptors_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, descriptors_max, per_address_max, open: Mutex::default() })
    }

    /// Admits a connection from `address`.
    ///
    /// # Errors
    /// [`TooMany`] if a limit is reached.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admission, TooMany> {
        let mut open = self.open.lock();
        if open.total >= self.max {
            return Err(TooMany::Connections(self.max));
        }
        if open.total >= self.descriptors_max {
            return Err(TooMany::Descriptors(self.descriptors_max));
        }
        let from_address = open.by_address.get(&address).copied().unwrap_or(0);
        if from_address >= self.per_address_max {
            return Err(TooMany::FromAddress(self.per_address_max));
        }
        open.total += 1;
        open.by_address.insert(address, from_address + 1);
        Ok(Admission { limits: Arc::clone(self), address })
    }

    /// The number of open connections.
    pub(crate) fn open_connections(&self) -> usize {
        self.open.lock().total
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.limits.open.lock();
        open.total -= 1;
        let left = open.by_address.get_mut(&self.address).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            open.by_address.remove(&self.address);
        }
    }
}

/// The request bytes that connections have received and not handled (`queued.max.request.bytes`).
///
/// A connection starts to receive a request only while there is space. A request that has started is received
/// to its end, so that a full budget always empties again. Only if such requests alone double the limit, the
/// connection that asks for more is closed.
#[derive(Debug)]
pub(crate) struct RequestMemory {
    max: usize,
    used: AtomicUsize,
    freed: Notify,
}

impl RequestMemory {
    /// A budget of `max` bytes.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicUsize::new(0), freed: Notify::new() })
    }

    /// Whether another request may begin.
    pub(crate) fn has_room(&self) -> bool {
        self.used.load(Ordering::Relaxed) < self.max
    }

    /// The bytes that were received and not handled.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Waits until another request may begin.
    pub(crate) async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Counts received bytes. Returns `false` if there are too many.
    #[must_use]
    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.max.saturating_mul(2)
    }

    fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.max && before - bytes < self.max {
            self.freed.notify_waiters();
        }
    }
}

/// One connection's part of the [`RequestMemory`], which is returned when this is dropped.
#[derive(Debug)]
pub(crate) struct RequestBytes {
    memory: Arc<RequestMemory>,
    held: usize,
}

impl RequestBytes {
    pub(crate) fn new(memory: Arc<RequestMemory>) -> Self {
        Self { memory, held: 0 }
    }

    pub(crate) fn memory(&self) -> &Arc<RequestMemory> {
        &self.memory
    }

    /// Records that the connection now holds `bytes`. Returns `false` if all connections hold too many.
    #[must_use]
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.held, bytes);
        if bytes > before {
            return self.memory.take(bytes - before);
        }
        if bytes < before {
            self.memory.give_back(before - bytes);
        }
        true
    }
}

impl Drop for RequestBytes {
    fn drop(&mut self) {
        self.memory.give_back(self.held);
    }
}

/// The answer bytes of all connections beyond the allowance of each. One answer can be large, and its client
/// slow to read it, or never read it.
#[derive(Debug)]
pub(crate) struct AnswerMemory {
    max: usize,
    used: AtomicUsize,
}

impl AnswerMemory {
    /// A budget of `max` bytes.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicUsize::new(0) })
    }
}

/// One connection's part of the [`AnswerMemory`], which is returned when this is dropped.
#[derive(Debug)]
pub(crate) struct AnswerBytes {
    memory: Arc<AnswerMemory>,
    held: usize,
}

impl AnswerBytes {
    pub(crate) fn new(memory: Arc<AnswerMemory>) -> Self {
        Self { memory, held: 0 }
    }

    /// Records that the connection now holds `bytes`. Returns `false` if that is more than before, and too
    /// much together with the others.
    #[must_use]
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.held, bytes);
        if bytes <= before {
            if bytes < before {
                self.memory.used.fetch_sub(before - bytes, Ordering::Relaxed);
            }
            return true;
        }
        let used = self.memory.used.fetch_add(bytes - before, Ordering::Relaxed) + (bytes - before);
        used <= self.memory.max
    }
}

impl Drop for AnswerBytes {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_in_all_and_by_address_and_count_down() {
        let limits = ConnectionLimits::new(3, 4, 2);
        let (a, b) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = limits.admit(a).unwrap();
        let _second = limits.admit(a).unwrap();
        assert_eq!(limits.admit(a).unwrap_err(), TooMany::FromAddress(2));
        let _third = limits.admit(b).unwrap();
        assert_eq!(limits.admit(b).unwrap_err(), TooMany::Connections(3));
        drop(first);
        assert_eq!(limits.open_connections(), 2);
        let again = limits.admit(a).unwrap();
        drop(again);
        assert_eq!(limits.open.lock().by_address.len(), 2);
    }

    #[test]
    fn descriptors_that_files_need_are_kept_from_connections() {
        let limits = ConnectionLimits::new(100, 2, 100);
        let address = IpAddr::from([127, 0, 0, 1]);
        let open: Vec<_> = (0..2).map(|_| limits.admit(address).unwrap()).collect();
        let refused = limits.admit(address).unwrap_err();
        assert_eq!(refused, TooMany::Descriptors(2));
        assert!(refused.to_string().contains("ulimit -n"), "{refused}");
        drop(open);
        limits.admit(address).unwrap();
    }

    #[tokio::test]
    async fn a_full_budget_holds_new_requests_back_until_others_are_handled() {
        let memory = RequestMemory::new(100);
        let mut first = RequestBytes::new(Arc::clone(&memory));
        let mut second = RequestBytes::new(Arc::clone(&memory));
        assert!(first.set(60) && second.set(60), "requests that have begun are received to their end");
        assert!(!memory.has_room());
        let waiting = Arc::clone(&memory);
        let waiting = runtime::task::spawn(async move { waiting.room().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
        assert!(first.set(200), "twice the limit is the end of it");
        assert!(!first.set(201));
        assert!(first.set(0) && memory.has_room());
    }

    #[test]
    fn answers_that_nobody_reads_are_limited_together() {
        let memory = AnswerMemory::new(100);
        let mut first = AnswerBytes::new(Arc::clone(&memory));
        let mut second = AnswerBytes::new(Arc::clone(&memory));
        assert!(first.set(60) && second.set(40));
        assert!(!second.set(41), "the one that asks for more is at fault");
        drop(second);
        assert!(first.set(59) && first.set(100) && !first.set(101));
        drop(first);
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
    }
}
