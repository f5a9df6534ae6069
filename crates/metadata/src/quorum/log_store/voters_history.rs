//! The voters as the entries of the log set them.

use std::collections::VecDeque;

use crate::quorum::raft::VoterId;

/// The voters of the last entries that set them. Two are enough: a leader sets no others before the last are committed.
#[derive(Debug)]
pub(super) struct VotersHistory {
    /// The voters, and the index of their entry, the oldest first.
    entries: VecDeque<(u64, Vec<VoterId>)>,
    /// The voters before these entries.
    before: Vec<VoterId>,
}

impl VotersHistory {
    /// A history that begins with these voters.
    pub(super) fn new(before: Vec<VoterId>) -> Self {
        Self { entries: VecDeque::new(), before }
    }

    /// Whether no entry after the one at `index` sets voters.
    pub(super) fn ends_before(&self, index: u64) -> bool {
        self.entries.iter().all(|(at, _)| *at <= index)
    }

    pub(super) fn push(&mut self, index: u64, voters: Vec<VoterId>) {
        if self.entries.len() == 2
            && let Some((_, before)) = self.entries.pop_front()
        {
            self.before = before;
        }
        self.entries.push_back((index, voters));
    }

    pub(super) fn truncate(&mut self, end: u64) {
        self.entries.retain(|(index, _)| *index < end);
    }

    pub(super) fn latest(&self) -> &[VoterId] {
        self.entries.back().map_or(&self.before, |(_, voters)| voters)
    }
}
