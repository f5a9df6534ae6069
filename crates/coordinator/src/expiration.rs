//! Expiration of offsets whose group is gone, and of groups that have nothing left.

use protocol::Str;

use crate::classic::{ClassicGroup, State};
use crate::group::{Group, GroupType};
use crate::offsets::{CommittedOffset, OffsetKey};
use crate::timers::Timer;
use crate::{Append, CoordinatorRecord, GroupCoordinator, Now, Output, WallMs};

/// The time from which an offset's retention runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RetentionStart {
    /// The time at which the group lost its last member.
    GroupEmptySince(WallMs),
    /// The time of the commit.
    Commit,
}

impl GroupCoordinator {
    /// Deletes expired offsets, and groups that have nothing left.
    pub(crate) fn expire_offsets(&mut self, now: Now) -> Output {
        let next = now.steady.after(self.settings.offsets_retention_check_interval_ms);
        self.timers.schedule(Timer::Expiration, next);
        let mut records = Vec::new();
        for (group_id, group) in &self.groups {
            let nothing_left = self.expire_offsets_of(group_id, group, now, &mut records);
            // Groups of other protocols stay until someone deletes them, or Kafka serves them again.
            let GroupType::Classic(classic) = &group.of_type else { continue };
            // A client that was just given its member id is about to join.
            if nothing_left && classic.state() == State::Empty && classic.pending_join.is_empty() {
                records.push(CoordinatorRecord::group_tombstone(group_id));
            }
        }
        Output::append(Append::deletion(records, self.settings.deletion_batch_max_bytes))
    }

    /// Adds the tombstones of a group's expired offsets. Returns whether the group has no offsets left.
    fn expire_offsets_of(
        &self,
        group_id: &Str,
        group: &Group,
        now: Now,
        records: &mut Vec<CoordinatorRecord>,
    ) -> bool {
        let mut nothing_left = self.pending_offsets.of_group(group_id).next().is_none();
        let start = match &group.of_type {
            GroupType::Classic(classic) => classic.retention_start(),
            GroupType::Unserved(_) => Some(RetentionStart::Commit),
        };
        for (topic, partitions) in group.offsets.topics() {
            for (&partition, offset) in partitions {
                let key = || OffsetKey { group_id: group_id.clone(), topic: topic.clone(), partition };
                let expired = start.is_some_and(|start| self.is_expired(offset, start, now.wall))
                    && !group.is_subscribed_to(topic, now.steady)
                    && !self.pending_offsets.contains(&key());
                if expired {
                    records.push(CoordinatorRecord::offset_tombstone(group_id, topic, partition));
                } else {
                    nothing_left = false;
                }
            }
        }
        nothing_left
    }

    fn is_expired(&self, offset: &CommittedOffset, start: RetentionStart, now: WallMs) -> bool {
        if let Some(expire_timestamp) = offset.expire_timestamp {
            return now >= expire_timestamp;
        }
        let start = match start {
            RetentionStart::GroupEmptySince(start) => start,
            RetentionStart::Commit => offset.commit_timestamp,
        };
        now.since(start) >= self.settings.offsets_retention_ms()
    }
}

impl ClassicGroup {
    /// The start of the retention of the group's offsets, or `None` if they are in use: a group with members
    /// keeps its offsets however long it is idle, except, for consumers, those of topics that it does not
    /// read.
    fn retention_start(&self) -> Option<RetentionStart> {
        if self.protocol_type.is_none() {
            return Some(RetentionStart::Commit);
        }
        match self.state() {
            // An older Kafka did not store the time; only that of the commit is known.
            State::Empty => {
                Some(self.state_timestamp.map_or(RetentionStart::Commit, RetentionStart::GroupEmptySince))
            }
            State::Stable if self.uses_consumer_protocol() && self.knows_subscribed_topics() => {
                Some(RetentionStart::Commit)
            }
            _ => None,
        }
    }
}
