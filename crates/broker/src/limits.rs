//! Limits that hold whatever clients do. They are on by default.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Connections of this process, in all and by address (`max.connections`,
/// `max.connections.per.ip`).
#[derive(Debug)]
pub(crate) struct ConnectionLimits {
    max: usize,
    per_address_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection is closed before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// `max.connections` are open.
    Connections(usize),
    /// `max.connections.per.ip` are open from that address.
    FromAddress(usize),
}

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connections(max) => write!(f, "{max} connections are open (max.connections)"),
            Self::FromAddress(max) => {
                write!(f, "{max} connections are open from this address (max.connections.per.ip)")
            }
        }
    }
}

/// A connection that was let in; it counts until this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Arc<ConnectionLimits>,
    address: IpAddr,
}

impl ConnectionLimits {
    /// Limits on connections in all and by address.
    pub(crate) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { max, per_address_max, open: Mutex::default() })
    }

    /// Lets a connection from `address` in.
    ///
    /// # Errors
    /// [`TooMany`] where a limit is reached.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admission, TooMany> {
        let mut open = self.open.lock();
        if open.total >= self.max {
            return Err(TooMany::Connections(self.max));
        }
        let from_address = open.by_address.get(&address).copied().unwrap_or(0);
        if from_address >= self.per_address_max {
            return Err(TooMany::FromAddress(self.per_address_max));
        }
        open.total += 1;
        open.by_address.insert(address, from_address + 1);
        Ok(Admission { limits: Arc::clone(self), address })
    }

    #[cfg(test)]
    fn open_connections(&self) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_in_all_and_by_address_and_count_down() {
        let limits = ConnectionLimits::new(3, 2);
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
}
