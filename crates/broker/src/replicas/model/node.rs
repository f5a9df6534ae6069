//! A node: a log of records in memory, and the role of its replica.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use metadata::Partition;
use storage::EpochEndOffset;

use super::super::follower::OwnLog;
use super::super::leader::InSyncRules;
use super::super::role::Role;

/// A record: the leader epoch that it was appended in, and a value that no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub(super) epoch: i32,
    pub(super) value: u8,
}

/// One replica at rest until its next step, with its log.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: i32,
    pub(super) broker_epoch: i64,
    pub(super) log: Vec<Record>,
    /// Leader epochs, and the offsets that they begin at.
    epochs: Vec<(i32, i64)>,
    pub(super) synced: i64,
    pub(super) high_watermark: i64,
    /// The number of the controller's changes that it has learnt of.
    pub(super) learnt: u32,
    /// `None` while it is down.
    pub(super) role: Option<Role>,
}

/// Time passes between any two steps, so that nobody counts as caught up who is not at the end.
const LATER_MS: i64 = 1 << 40;
const RULES: InSyncRules = InSyncRules { min_in_sync: 1, max_lag_ms: 0 };

impl Node {
    pub(super) fn new(id: i32) -> Self {
        let (log, epochs) = (Vec::new(), Vec::new());
        Self { id, broker_epoch: 0, log, epochs, synced: 0, high_watermark: 0, learnt: 0, role: None }
    }

    pub(super) fn end(&self) -> i64 {
        i64::try_from(self.log.len()).unwrap()
    }

    pub(super) fn own_log(&self) -> OwnLog {
        OwnLog {
            start_offset: 0,
            high_watermark: self.high_watermark,
            end_offset: self.end(),
            durable_offset: self.synced,
            latest_epoch: self.epochs.last().map(|(epoch, _)| *epoch),
        }
    }

    /// As [`storage::Log::end_offset_for_epoch`].
    pub(super) fn end_of(&self, epoch: i32) -> EpochEndOffset {
        if self.epochs.last().is_none_or(|(latest, _)| epoch > *latest) {
            return EpochEndOffset::UNDEFINED;
        }
        let higher = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let end_offset = self.epochs.get(higher).map_or(self.end(), |(_, start)| *start);
        let epoch = if higher == 0 { epoch } else { self.epochs[higher - 1].0 };
        EpochEndOffset { epoch, end_offset }
    }

    /// The records from `offset` on.
    pub(super) fn records_from(&self, offset: i64) -> Vec<Record> {
        self.log[usize::try_from(offset).unwrap()..].to_vec()
    }

    fn assign_epoch(&mut self, epoch: i32) {
        if self.epochs.last().is_none_or(|(latest, _)| *latest < epoch) {
            let end_offset = self.end();
            // An epoch without a record gives way to the next.
            self.epochs.retain(|(_, start)| *start < end_offset);
            self.epochs.push((epoch, end_offset));
        }
    }

    pub(super) fn append(&mut self, record: Record) {
        self.assign_epoch(record.epoch);
        self.log.push(record);
    }

    pub(super) fn truncate(&mut self, offset: i64) {
        self.log.truncate(usize::try_from(offset).unwrap());
        self.epochs.retain(|(_, start)| *start < offset);
        self.synced = self.synced.min(offset);
        self.high_watermark = self.high_watermark.min(offset);
    }

    /// Takes a decision of the controller that has reached it.
    pub(super) fn decide(&mut self, decided: &Arc<Partition>) {
        let end_offset = self.end();
        match &mut self.role {
            Some(role) => role.decide(self.id, decided, end_offset, 0),
            None => self.role = Some(Role::new(self.id, decided, end_offset, 0)),
        }
        if let Some(Role::Leader(leader)) = &self.role {
            self.assign_epoch(leader.epoch());
        }
    }

    /// Moves the high watermark to the leader's, if it leads.
    pub(super) fn raise(&mut self) {
        if let Some(Role::Leader(leader)) = &self.role {
            let (before, end_offset) = (self.high_watermark, self.end());
            self.high_watermark = leader.high_watermark(before, end_offset, &RULES, LATER_MS);
        }
    }

    /// The proposal to take out followers that are not at the end.
    pub(super) fn shrink(&mut self) -> Option<super::super::leader::Proposal> {
        let (end_offset, broker_epoch) = (self.end(), self.broker_epoch);
        let Some(Role::Leader(leader)) = &mut self.role else { return None };
        leader.shrink(end_offset, &RULES, broker_epoch, LATER_MS).cloned()
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { id: _, broker_epoch, log, epochs, synced, high_watermark, learnt: _, role } = self;
        (broker_epoch, log, epochs, synced, high_watermark).hash(state);
        match role {
            None => 0.hash(state),
            Some(Role::Leader(leader)) => leader.hash(state),
            Some(Role::Follower(follower)) => follower.hash(state),
        }
    }
}
