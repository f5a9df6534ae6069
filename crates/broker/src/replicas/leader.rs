//! The leader's part of a partition. Pure: the controller's decisions, the fetches of followers and the end of the log in;
//! who is in sync and how far consumers may read out.

use std::sync::Arc;

use metadata::Partition;
use protocol::ErrorCode;

/// The end of a follower's log before its first fetch in the leader's epoch: it is not known.
const UNKNOWN_END: i64 = -1;

/// The leader of a partition: this broker, in one epoch after the other.
#[derive(Debug)]
pub(crate) struct Leader {
    node_id: i32,
    /// The controller's latest decision, shared with the metadata.
    decided: Arc<Partition>,
    /// The other replicas, in sync or not.
    followers: Box<[Follower]>,
}

/// A replica on another broker, as far as its leader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Follower {
    node_id: i32,
    /// The end of its log: the offset that it fetched from last.
    end_offset: i64,
}

/// A fetch by a broker that the leader does not know as a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoReplica;

impl Leader {
    /// A leader that knows nothing of its followers yet.
    pub(crate) fn new(node_id: i32, decided: Arc<Partition>) -> Self {
        let others = decided.replicas.iter().filter(|replica| **replica != node_id);
        let followers = others.map(|other| Follower { node_id: *other, end_offset: UNKNOWN_END }).collect();
        Self { node_id, decided, followers }
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.decided.leader_epoch
    }

    /// Goes by a later decision of the controller. What is known of followers stays known in the same epoch only: in a
    /// later one they may have truncated their logs.
    pub(crate) fn decide(&mut self, decided: Arc<Partition>) {
        let before = std::mem::replace(self, Self::new(self.node_id, decided));
        if before.epoch() != self.epoch() {
            return;
        }
        for follower in &mut self.followers {
            if let Some(known) = before.followers.iter().find(|known| known.node_id == follower.node_id) {
                *follower = *known;
            }
        }
    }

    /// Fences a client that knows an older leader epoch, or a newer one than this broker does
    /// (KIP-320). -1 is the epoch of a client that does not say.
    pub(crate) fn check_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            -1 => Ok(()),
            epoch if epoch == self.epoch() => Ok(()),
            epoch if epoch < self.epoch() => Err(ErrorCode::FENCED_LEADER_EPOCH),
            _ => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        }
    }

    /// Whether so many replicas are in sync as acks=all asks for by `min.insync.replicas`. It asks for no more than
    /// there are, so that a topic of one replica takes records whatever the broker's setting is.
    pub(crate) fn has_in_sync(&self, min: usize) -> bool {
        self.decided.isr.len() >= min.min(self.decided.replicas.len())
    }

    /// Checks that a broker has a replica of the partition.
    ///
    /// # Errors
    /// [`NoReplica`] if it has none, as far as this leader knows.
    pub(crate) fn check_replica(&self, node_id: i32) -> Result<(), NoReplica> {
        let known = self.followers.iter().any(|follower| follower.node_id == node_id);
        if known { Ok(()) } else { Err(NoReplica) }
    }

    /// Notes that a follower has everything before `offset`: it fetches from there.
    pub(crate) fn fetched(&mut self, node_id: i32, offset: i64) {
        let followers = self.followers.iter_mut();
        followers.filter(|it| it.node_id == node_id).for_each(|it| it.end_offset = offset);
    }

    /// The high watermark of a log that ends at `end_offset`: all replicas in sync have what is below. It never goes
    /// back from `before`, whoever comes into sync.
    pub(crate) fn high_watermark(&self, before: i64, end_offset: i64) -> i64 {
        let in_sync = self.followers.iter().filter(|follower| self.decided.isr.contains(&follower.node_id));
        in_sync.fold(end_offset, |least, follower| least.min(follower.end_offset)).max(before)
    }
}

#[cfg(test)]
impl Leader {
    /// Broker 0, which leads a partition with these replicas in epoch 0.
    pub(crate) fn of(replicas: &[i32], isr: &[i32]) -> Self {
        let mut decided = Partition::default();
        decided.replicas = replicas.to_vec().into();
        decided.isr = isr.to_vec().into();
        Self::new(0, Arc::new(decided))
    }
}

#[cfg(test)]
mod tests;
