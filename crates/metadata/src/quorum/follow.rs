//! The state that committed records lead to, and the stream of its changes.
//!
//! Every node has these, whoever leads the quorum. Who acts on the metadata, as by opening logs, follows the stream in its
//! own time: applying never waits for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::image::{Change, Delta, Image};

/// The state as it is applied, for readers and followers.
#[derive(Debug, Default)]
pub(super) struct PublishedState {
    image: ArcSwap<Image>,
    /// Whether the log ends within a transaction.
    in_transaction: AtomicBool,
    /// Held while the state changes, so that who begins to follow misses no change and gets none twice.
    followers: Mutex<Vec<Weak<Follower>>>,
}

impl PublishedState {
    /// The state. Costs no lock.
    pub(super) fn image(&self) -> Arc<Image> {
        self.image.load_full()
    }

    /// Whether the log ends within a transaction, of which the state has nothing yet.
    pub(super) fn in_transaction(&self) -> bool {
        self.in_transaction.load(Ordering::Acquire)
    }

    pub(super) fn set_in_transaction(&self, in_transaction: bool) {
        self.in_transaction.store(in_transaction, Ordering::Release);
    }

    /// Shows `new` to readers, and to followers with `delta`, the difference.
    pub(super) fn publish(&self, new: &Image, delta: &Delta) {
        let mut followers = self.followers.lock();
        let old = self.image.load_full();
        if old.offset() == new.offset() && delta.is_empty() {
            return;
        }
        let new = Arc::new(new.clone());
        self.image.store(new.clone());
        followers.retain(|follower| {
            let follower = follower.upgrade();
            if let Some(follower) = &follower {
                follower.push(Change { old: old.clone(), new: new.clone(), delta: delta.clone() });
            }
            follower.is_some()
        });
    }

    /// The state as it is, and all that changes in it from then on.
    pub(super) fn follow(&self) -> (Arc<Image>, Changes) {
        let mut followers = self.followers.lock();
        let follower = Arc::new(Follower::default());
        followers.push(Arc::downgrade(&follower));
        (self.image.load_full(), Changes(follower))
    }

    /// Ends all streams.
    pub(super) fn end(&self) {
        for follower in self.followers.lock().iter().filter_map(Weak::upgrade) {
            follower.end();
        }
    }
}

impl Drop for PublishedState {
    fn drop(&mut self) {
        self.end();
    }
}

/// One who follows, between the changes that it takes.
#[derive(Default)]
struct Follower {
    next: Mutex<Next>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Next {
    /// All that has changed since the last change was taken.
    change: Option<Change>,
    has_ended: bool,
}

impl Follower {
    fn push(&self, change: Change) {
        let mut next = self.next.lock();
        match &mut next.change {
            Some(earlier) => earlier.extend(change),
            None => next.change = Some(change),
        }
        drop(next);
        self.arrived.notify_one();
    }

    fn end(&self) {
        self.next.lock().has_ended = true;
        self.arrived.notify_one();
    }
}

/// The changes of the state, in order. Those that arrive before the next is taken are taken as one, so that a slow
/// follower costs no memory.
pub struct Changes(Arc<Follower>);

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes({:?})", self.0.next.lock())
    }
}

impl Changes {
    /// The next change, or `None` once the quorum has stopped: what it has not told by then is told at the next start.
    pub async fn next(&mut self) -> Option<Change> {
        loop {
            {
                let mut next = self.0.next.lock();
                if next.has_ended {
                    return None;
                }
                if let Some(change) = next.change.take() {
                    return Some(change);
                }
            }
            self.0.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests;
