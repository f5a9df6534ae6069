//! The log as that of one of several voters: reading what another voter lacks, and giving up what the leader never had.

use std::io;

use bytes::Bytes;
use storage::Log;

use super::{
    Entry, LogId, LogStore, READ_BYTES, Unreadable, Vote, VoterId, closed, epoch, offset, tell, vote,
};
use crate::traps::{self, Trap};

/// Truncates a log that is not the one before the end of a snapshot, which another voter has sent: the log ends before
/// it, or its entry there is of another leader. A crash may have come between the snapshot and the truncation.
pub(super) fn drop_contradiction(log: &mut Log, snapshot: &LogId) -> Result<(), Unreadable> {
    let last = offset(snapshot.index);
    let has_it = log.end_offset() > last;
    let is_same =
        log.log_start_offset() > last || log.epoch_for_offset(last) == Some(epoch(snapshot.leader_id.term));
    if has_it && is_same {
        return Ok(());
    }
    tracing::warn!(snapshot = last, end = log.end_offset(), "the metadata log gives way to a later snapshot");
    let truncated = log.truncate_fully_and_start_at(last + 1, runtime::clock::now_ms());
    truncated.map_err(|error| Unreadable::new(last, &error))
}

/// Checks that an entry is the next of a log, and of no earlier leader.
pub(super) fn check_follows(last: Option<&LogId>, entry: &Entry) -> Result<(), Unreadable> {
    let expected = offset(last.map_or(0, |last| last.index + 1));
    let at = offset(entry.log_id.index);
    if at != expected {
        // Where they should be: the offset that is there may be what is damaged.
        return Err(Unreadable::new(expected, &format!("the records up to {at} are missing")));
    }
    if last.is_some_and(|last| last.leader_id > entry.log_id.leader_id) {
        return Err(Unreadable::new(at, &"its leader epoch is below that of the record before"));
    }
    Ok(())
}

fn changed(next: i64) -> io::Error {
    io::Error::other(format!("the metadata log has other entries by now, from offset {next} on"))
}

impl LogStore {
    /// The batches of entries as they are in the log, so many bytes of them at most but for the first, and the last of
    /// the entries that they have.
    ///
    /// # Errors
    /// An error if the log cannot be read, or has others in their place by now.
    pub(in crate::quorum) fn batches_of(
        &self,
        entries: &[Entry],
        bytes_max: usize,
    ) -> io::Result<(Bytes, Option<LogId>)> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok((Bytes::new(), None));
        };
        let (first, last) = (offset(first.log_id.index), offset(last.log_id.index));
        let state = self.state.lock();
        let log = state.log.as_ref().ok_or_else(closed)?;
        let mut found = Vec::new();
        let mut next = first;
        while next <= last && found.len() < bytes_max {
            let slice = log.read(next, READ_BYTES, true, i64::MAX).map_err(io::Error::other)?;
            let slice = slice.ok_or_else(|| changed(next))?;
            let bytes = slice.read().map_err(io::Error::other)?;
            let before = next;
            // The last batch may be a part of one.
            for batch in record::batches(&bytes).map_while(Result::ok) {
                let header = batch.header();
                if next > last || found.len() >= bytes_max {
                    break;
                }
                let is_here =
                    |entry: &&Entry| (next..header.next_offset()).contains(&offset(entry.log_id.index));
                let is_its =
                    |entry: &Entry| epoch(entry.log_id.leader_id.term) == header.partition_leader_epoch;
                if header.base_offset > next || !entries.iter().filter(is_here).all(is_its) {
                    return Err(changed(next));
                }
                found.extend_from_slice(batch.bytes());
                next = header.next_offset();
            }
            if next == before {
                return Err(changed(next));
            }
        }
        let sent = usize::try_from(next.min(last + 1) - first).expect("it is in memory");
        Ok((Bytes::from(found), entries.get(sent - 1).map(|entry| entry.log_id)))
    }

    /// Writes a vote, once there is room for it: a voter whose disk is full takes no part in elections.
    pub(super) async fn write_vote(
        &self,
        vote: &Vote,
        kraft_version: i16,
        voters: &[VoterId],
    ) -> io::Result<()> {
        loop {
            match vote::write(&self.fs, &self.dir, vote, kraft_version, voters) {
                Err(error) if error.passes() => {
                    tracing::warn!(%error, "a vote of the metadata quorum waits for free space on its disk");
                    self.wait_for_room().await?;
                }
                written => return written.map_err(io::Error::other),
            }
        }
    }

    /// Whether the state has the effect of an entry.
    pub(in crate::quorum) fn has_applied(&self, entry: &LogId) -> bool {
        self.state.lock().applied.is_some_and(|applied| applied >= *entry)
    }

    /// Whether an entry is another than the one that is applied in its place: no leader has such a one.
    pub(in crate::quorum) fn contradicts_applied(&self, entry: &LogId) -> bool {
        let state = self.state.lock();
        let Some(applied) = state.applied.filter(|applied| applied.index >= entry.index) else {
            // Nothing that is committed after it is of an earlier leader.
            return state.applied.is_some_and(|applied| applied.leader_id > entry.leader_id);
        };
        let known = state.log.as_ref().and_then(|log| {
            let at = offset(entry.index);
            let is_there = (log.log_start_offset()..log.end_offset()).contains(&at);
            if is_there { log.epoch_for_offset(at) } else { None }
        });
        match known {
            Some(known) => known != epoch(entry.leader_id.term),
            None => entry.leader_id > applied.leader_id,
        }
    }

    /// Truncates the log behind `last`: the leader never had the rest.
    pub(super) fn truncate(&self, last: Option<LogId>) -> io::Result<()> {
        let end_offset = last.map_or(0, |last| offset(last.index) + 1);
        let mut state = self.state.lock();
        if state.applied.is_some_and(|applied| end_offset <= offset(applied.index)) {
            // To go on would make two histories of what was acknowledged.
            return Err(io::Error::other(format!(
                "a leader of the metadata quorum contradicts what is committed from offset {end_offset} on"
            )));
        }
        let log = state.log.as_mut().ok_or_else(closed)?;
        log.truncate_to(end_offset, runtime::clock::now_ms()).map_err(io::Error::other)?;
        if log.end_offset() != end_offset {
            // A batch of several entries that Kafka wrote. Openraft believes the first of them are there still.
            return Err(io::Error::other(format!(
                "the metadata log was truncated to offset {}, where a batch begins, instead of {end_offset}: \
                 start this node again",
                log.end_offset()
            )));
        }
        let offsets = log.offsets().clone();
        if !traps::is_on(Trap::TruncatedEntriesApplied) {
            state.tail.retain(|entry| offset(entry.log_id.index) < end_offset);
        }
        state.voters.truncate(last.map_or(0, |last| last.index + 1));
        state.last = last.max(state.purged);
        // Whoever waits for an entry that is gone waits for those before it: to be told earlier would be out of order.
        for (end, _) in &mut self.waiting.lock().0 {
            *end = end_offset.min(*end);
        }
        drop(state);
        tell(&self.waiting, || Ok(offsets.flushed()));
        Ok(())
    }
}
