//! The quorum's log and votes on disk.
//!
//! Entries go to the metadata log at once and are synced by the log directory's group commit; openraft's
//! callbacks run once the sync is done, in the order of appends. Entries that are not applied yet stay in
//! memory as well, so that nobody reads back what was just written.
//!
//! On a full disk an append waits: a quorum whose log had failed would have to be restarted.

mod replication;
mod voters_history;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{Stream, TryStreamExt, stream};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use storage::fs::Fs;
use storage::{AppendError, ChangeError, Log, Offline};

use super::batches::{self, BatchFault, Leadership};
use super::checkpoint::Snapshot;
use super::raft::{
    Entry, LogId, Membership, Payload, StoredMembership, Types, Vote, VoterId, epoch, log_id, offset,
};
use super::vote;
use crate::traps::{self, Trap};
use voters_history::VotersHistory;

/// Entries that memory is kept for while none waits to be applied.
const TAIL_IDLE_ENTRIES: usize = 64;

/// The pause of an append that found no space.
pub(super) const FULL_PAUSE: Duration = Duration::from_millis(200);

/// Bytes that are read from the log at once, so few that what a start needs of memory is soon used again.
const READ_BYTES: usize = 64 << 10;

/// Entries that are handed on at once to be applied.
const ENTRIES_PER_READ_MAX: u64 = 128;

/// Bytes that an entry has on disk, about: that of a partition, which are the most.
const ENTRY_BYTES: usize = 256;

/// The log, shared by what appends, what reads and what is told of syncs.
#[derive(Clone, Debug)]
pub(super) struct LogStore {
    fs: Fs,
    /// The directory of the metadata log.
    dir: PathBuf,
    state: Arc<Mutex<State>>,
    waiting: Arc<Mutex<PendingAppends>>,
    /// Whether an append waits for room on the disk.
    lacks_room: Arc<AtomicBool>,
    /// Whether nobody waits for room any more.
    stopping: Arc<AtomicBool>,
}

#[derive(Debug)]
struct State {
    /// `None` once it is closed.
    log: Option<Log>,
    vote: Option<Vote>,
    kraft_version: i16,
    leader: VoterId,
    voters: VotersHistory,
    /// The last entry whose effect is in the state, which no leader ever takes back.
    applied: Option<LogId>,
    /// The last entry that a snapshot stands for. Those up to it may still be on disk.
    purged: Option<LogId>,
    last: Option<LogId>,
    /// The entries from some index to the end of the log.
    tail: VecDeque<Entry>,
    /// Bytes appended since the last snapshot.
    unsnapshotted_bytes: u64,
}

/// Appends that are not durable yet, the oldest first.
#[derive(Default)]
struct PendingAppends(VecDeque<(i64, IOFlushed<Types>)>);

impl Debug for PendingAppends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PendingAppends({})", self.0.len())
    }
}

/// An entry of the log that cannot be used.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// The offset from which it was read.
    pub(super) offset: i64,
    pub(super) reason: String,
}

impl Unreadable {
    fn new(offset: i64, reason: &impl ToString) -> Self {
        Self { offset, reason: reason.to_string() }
    }

    fn into_io(self) -> io::Error {
        io::Error::other(format!("the metadata log at offset {}: {}", self.offset, self.reason))
    }
}

/// The findings of loading, beside the entries.
#[derive(Debug)]
pub(super) struct LoadedLog {
    pub(super) store: LogStore,
    /// The voters in the last entry that sets them; `None` if no entry does.
    pub(super) membership: Option<StoredMembership>,
    /// The protocol of the quorum: what the log says, else what it was founded with.
    pub(super) kraft_version: i16,
}

impl LogStore {
    /// Takes over an open log and reads what no snapshot stands for.
    pub(super) fn load(
        fs: Fs,
        dir: PathBuf,
        mut log: Log,
        vote: Option<Vote>,
        leadership: Leadership,
        snapshot: Option<LogId>,
        founded_kraft_version: i16,
    ) -> Result<LoadedLog, Unreadable> {
        let from = snapshot.map_or(0, |last| offset(last.index) + 1);
        if let Some(snapshot) = &snapshot {
            replication::drop_contradiction(&mut log, snapshot)?;
        }
        if log.log_start_offset() > from {
            let reason = format!("it begins there, and no snapshot holds the state from {from} on");
            return Err(Unreadable::new(log.log_start_offset(), &reason));
        }
        let mut tail = VecDeque::new();
        let mut last = snapshot;
        let mut next = from;
        let mut found_kraft_version = None;
        while next < log.end_offset() {
            for entry in read_entries(&log, next, READ_BYTES, &mut found_kraft_version)? {
                replication::check_follows(last.as_ref(), &entry)?;
                last = Some(entry.log_id);
                next = offset(entry.log_id.index) + 1;
                tail.push_back(entry);
            }
        }
        let membership = tail.iter().rev().find_map(|entry| match &entry.payload {
            Payload::Membership(voters) => Some(StoredMembership::new(Some(entry.log_id), voters.clone())),
            _ => None,
        });
        let waiting = Arc::new(Mutex::new(PendingAppends::default()));
        let (told, offsets) = (waiting.clone(), log.offsets().clone());
        log.set_flush_listener(Box::new(move |flushed| {
            // A truncation may have lowered it since: entries behind it are others.
            let is_trapped = traps::is_on(Trap::TruncatedFlushCounts);
            tell(&told, || flushed.map(|then| if is_trapped { then } else { offsets.flushed() }));
        }));
        let purged = snapshot;
        let Leadership { leader, voters: before } = leadership;
        let mut voters = VotersHistory::new(before);
        for entry in &tail {
            if let Payload::Membership(membership) = &entry.payload {
                voters.push(entry.log_id.index, voter_ids(Some(membership)));
            }
        }
        let unsnapshotted_bytes = log.size_bytes();
        let kraft_version = found_kraft_version.unwrap_or(founded_kraft_version);
        let state = State {
            log: Some(log),
            vote,
            kraft_version,
            leader,
            voters,
            applied: snapshot,
            purged,
            last,
            tail,
            unsnapshotted_bytes,
        };
        let (state, lacks_room, stopping) = (Arc::new(Mutex::new(state)), Arc::default(), Arc::default());
        let store = Self { fs, dir, state, waiting, lacks_room, stopping };
        Ok(LoadedLog { store, membership, kraft_version })
    }

    /// Looks at the log; `None` once it is closed.
    pub(super) fn with_log<T>(&self, look: impl FnOnce(&Log) -> T) -> Option<T> {
        self.state.lock().log.as_ref().map(look)
    }

    /// The last entry, of which a snapshot may be all that is left.
    pub(super) fn last(&self) -> Option<LogId> {
        self.state.lock().last
    }

    /// Drops entries up to `applied` from memory: who reads them again takes them from disk.
    pub(super) fn forget(&self, applied: &LogId) {
        let mut state = self.state.lock();
        state.applied = state.applied.max(Some(*applied));
        while state.tail.front().is_some_and(|entry| entry.log_id.index <= applied.index) {
            state.tail.pop_front();
        }
        if state.tail.is_empty() {
            // After a start it held the whole log, or all of a topic with many partitions.
            state.tail.shrink_to(TAIL_IDLE_ENTRIES);
        }
    }

    /// The entries that loading found after the snapshot.
    pub(super) fn loaded_entries(&self) -> Vec<Entry> {
        self.state.lock().tail.iter().cloned().collect()
    }

    /// Bytes appended since the last snapshot.
    pub(super) fn unsnapshotted_bytes(&self) -> u64 {
        self.state.lock().unsnapshotted_bytes
    }

    /// Restarts the count: a snapshot is being written.
    pub(super) fn snapshot_begins(&self) {
        self.state.lock().unsnapshotted_bytes = 0;
    }

    /// The protocol that the quorum's log is of (`kraft.version`).
    pub(super) fn kraft_version(&self) -> i16 {
        self.state.lock().kraft_version
    }

    /// Takes note of a snapshot of another voter, which may say more than the log that it replaces.
    pub(super) fn snapshot_taken(&self, snapshot: &Snapshot) {
        let mut state = self.state.lock();
        state.unsnapshotted_bytes = 0;
        state.kraft_version = state.kraft_version.max(snapshot.kraft_version);
        let voters = voter_ids(Some(snapshot.membership.membership()));
        if !voters.is_empty() && state.voters.ends_before(snapshot.last_log_id.index) {
            state.voters = VotersHistory::new(voters);
        }
    }

    /// Has who waits for room give up.
    pub(super) fn stop_waiting(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether an append waits for room on the disk: what is proposed meanwhile would wait behind it.
    pub(super) fn lacks_room(&self) -> bool {
        self.lacks_room.load(Ordering::Acquire)
    }

    /// Waits a moment for space on the disk.
    ///
    /// # Errors
    /// An error if the quorum stops.
    pub(super) async fn wait_for_room(&self) -> io::Result<()> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk with the metadata log is full"));
        }
        runtime::clock::sleep(FULL_PAUSE).await;
        Ok(())
    }

    /// Closes the log cleanly. Nothing appends any more.
    pub(super) fn close(&self) -> Result<(), storage::ChangeError> {
        let log = self.state.lock().log.take();
        log.map_or(Ok(()), Log::close)
    }

    fn encode(&self, entries: impl Iterator<Item = Entry>) -> io::Result<EncodedEntries> {
        let now_ms = runtime::clock::now_ms();
        let mut state = self.state.lock();
        let mut encoded =
            EncodedEntries { entries: Vec::new(), positions: Vec::new(), bytes: Vec::new(), now_ms };
        encoded.entries.extend(entries.map(|mut entry| {
            if let Payload::Normal(record) = &mut entry.payload {
                record.settle_at(&entry.log_id);
            }
            entry
        }));
        for batch in encoded.entries.chunk_by(batches::share_batch) {
            if let Payload::Membership(membership) = &batch[0].payload {
                state.voters.push(batch[0].log_id.index, voter_ids(Some(membership)));
            }
            encoded.positions.extend(batch.iter().map(|_| encoded.bytes.len()));
            match batch[0].batch.as_ref().filter(|_| !traps::is_on(Trap::EntriesWrittenAnew)) {
                Some(received) => {
                    let kraft_version = batches::check_received(received, batch)?;
                    state.kraft_version = kraft_version.unwrap_or(state.kraft_version);
                    encoded.bytes.extend_from_slice(received);
                }
                None => {
                    let leadership =
                        Leadership { leader: state.leader, voters: state.voters.latest().to_vec() };
                    batches::encode(batch, &leadership, now_ms, &mut encoded.bytes)
                        .map_err(io::Error::other)?;
                }
            }
        }
        for entry in &mut encoded.entries {
            entry.batch = None;
        }
        Ok(encoded)
    }

    /// Appends what the log does not have yet of the entries; says whether there was room.
    fn append_rest(&self, encoded: &EncodedEntries) -> io::Result<bool> {
        let mut state = self.state.lock();
        let log = state.log.as_mut().ok_or_else(closed)?;
        let appended = encoded.entries.partition_point(|entry| offset(entry.log_id.index) < log.end_offset());
        let Some(position) = encoded.positions.get(appended) else { return Ok(true) };
        match log.append_with_offsets(&encoded.bytes[*position..], encoded.now_ms) {
            Ok(_) => Ok(true),
            Err(AppendError::Full(_)) => Ok(false),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Has the entries, which are in the log, made durable.
    fn flush_appended(&self, encoded: EncodedEntries, done: IOFlushed<Types>) -> io::Result<()> {
        let mut state = self.state.lock();
        let log = state.log.as_mut().ok_or_else(closed)?;
        let end_offset = log.end_offset();
        // First in the queue, then to be synced: the sync tells only who is in the queue.
        if traps::is_on(Trap::EntryUnsynced) {
            done.io_completed(Ok(()));
        } else {
            self.waiting.lock().0.push_back((end_offset, done));
        }
        log.enqueue_flush();
        if let Some(entry) = encoded.entries.last() {
            state.last = Some(entry.log_id);
        }
        state.tail.extend(encoded.entries);
        state.unsnapshotted_bytes += encoded.bytes.len() as u64;
        Ok(())
    }

    fn read(&self, from: u64, to: u64) -> Result<Vec<Entry>, Unreadable> {
        let state = self.state.lock();
        let first = state.tail.front().map_or(u64::MAX, |entry| entry.log_id.index);
        if from >= first {
            let skip = usize::try_from(from - first).unwrap_or(usize::MAX);
            let count = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
            return Ok(state.tail.iter().skip(skip).take(count).cloned().collect());
        }
        let log = state.log.as_ref().ok_or_else(|| Unreadable::new(offset(from), &closed()))?;
        let mut entries = Vec::new();
        let mut next = offset(from);
        while next < offset(to).min(log.end_offset()) {
            let wanted = usize::try_from(offset(to) - next).expect("it is below");
            let bytes_max = READ_BYTES.min(wanted.saturating_mul(ENTRY_BYTES));
            for entry in read_entries(log, next, bytes_max, &mut None)? {
                next = offset(entry.log_id.index) + 1;
                if entry.log_id.index < to {
                    entries.push(entry);
                }
            }
        }
        Ok(entries)
    }
}

/// Entries on their way to the log.
struct EncodedEntries {
    entries: Vec<Entry>,
    /// The positions of their batches in the bytes.
    positions: Vec<usize>,
    bytes: Vec<u8>,
    now_ms: i64,
}

fn closed() -> io::Error {
    io::Error::other("the metadata log is closed")
}

/// Tells who waits for what is durable now.
fn tell<'a>(waiting: &Mutex<PendingAppends>, flushed: impl Fn() -> Result<i64, &'a Offline>) {
    loop {
        let (done, flushed) = {
            let mut waiting = waiting.lock();
            let flushed = flushed();
            let is_done = |end: &i64| flushed.map_or(true, |flushed| *end <= flushed);
            let done = match waiting.0.front() {
                Some((end, _)) if is_done(end) => waiting.0.pop_front(),
                _ => None,
            };
            (done, flushed)
        };
        let Some((_, done)) = done else { return };
        done.io_completed(flushed.map(|_| ()).map_err(|offline| io::Error::other(offline.clone())));
    }
}

/// The entries of the next batches at `from`, in about so many bytes; at least one. Notes what they say of the
/// protocol.
fn read_entries(
    log: &Log,
    from: i64,
    bytes_max: usize,
    kraft_version: &mut Option<i16>,
) -> Result<Vec<Entry>, Unreadable> {
    let slice = log.read(from, bytes_max, true, i64::MAX).map_err(|error| Unreadable::new(from, &error))?;
    let slice = slice.ok_or_else(|| Unreadable::new(from, &"there is nothing"))?;
    let bytes = slice.read().map_err(|error| Unreadable::new(from, &error))?;
    let mut entries = Vec::new();
    for batch in record::batches(&bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            // The slice may end within a batch.
            Err(_) if !entries.is_empty() => break,
            Err(error) => return Err(Unreadable::new(from, &error)),
        };
        let at = batch.header().base_offset;
        let unreadable = |fault: BatchFault| Unreadable::new(at, &fault);
        let decoded = batches::decode(&batch).map_err(unreadable)?;
        *kraft_version = batches::kraft_version_in(&batch).map_err(unreadable)?.or(*kraft_version);
        entries.extend(decoded.into_iter().filter(|entry| offset(entry.log_id.index) >= from));
    }
    if entries.is_empty() {
        return Err(Unreadable::new(from, &"there is no record"));
    }
    Ok(entries)
}

/// The first index of a range, and that after its last.
fn ends(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(from) => *from,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(to) => *to,
        Bound::Unbounded => u64::MAX,
    };
    (from, to.min(i64::MAX as u64))
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, io::Error> {
        let (from, to) = ends(&range);
        self.read(from, to).map_err(Unreadable::into_io)
    }

    /// A few entries at a time: a start reads the whole log, and a topic may have many partitions.
    async fn entries_stream<R>(
        &mut self,
        range: R,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        R: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = ends(&range);
        let parts = stream::try_unfold((self.clone(), from), move |(store, from)| async move {
            let part = store.read(from, to.min(from.saturating_add(ENTRIES_PER_READ_MAX)));
            let part = part.map_err(Unreadable::into_io)?;
            let Some(last) = part.last() else { return Ok::<_, io::Error>(None) };
            let next = last.log_id.index + 1;
            Ok(Some((stream::iter(part.into_iter().map(Ok)), (store, next))))
        });
        Box::pin(parts.try_flatten())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.state.lock().vote)
    }

    async fn get_key_log_ids(&mut self, range: RangeInclusive<LogId>) -> Result<Vec<LogId>, io::Error> {
        let (first, last) = range.into_inner();
        let state = self.state.lock();
        let log = state.log.as_ref().ok_or_else(closed)?;
        // The last entry of each leader. Openraft's documentation says the first, its code takes them for the last.
        let epochs = log.leader_epochs();
        let ended = epochs.iter().zip(epochs.iter().skip(1));
        let ended = ended.filter_map(|(of, next)| Some(log_id(of.epoch, next.start_offset.checked_sub(1)?)));
        let mut ids: Vec<LogId> =
            ended.filter(|end| (first.index..last.index).contains(&end.index)).collect();
        ids.push(last);
        Ok(ids)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let state = self.state.lock();
        Ok(LogState { last_purged_log_id: state.purged, last_log_id: state.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    /// Blocks its thread for the sync: a vote is given at a start and at an election, and nothing
    /// may go on before it is durable.
    ///
    /// That the vote has won is not written: a node that starts again is elected again, whether or
    /// not it had led, and what it must not forget is whom it voted for in which term.
    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (known, kraft_version, voters) = {
            let state = self.state.lock();
            (state.vote, state.kraft_version, state.voters.latest().to_vec())
        };
        let is_new = known.is_none_or(|known| known.leader_id != vote.leader_id);
        if is_new && !(traps::is_on(Trap::VoteForgotten) && known.is_some()) {
            self.write_vote(vote, kraft_version, &voters).await?;
        }
        let mut state = self.state.lock();
        state.vote = Some(*vote);
        state.leader = vote.leader_id.voted_for;
        Ok(())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let encoded = self.encode(entries.into_iter())?;
        if !self.append_rest(&encoded)? {
            tracing::warn!(dir = %self.dir.display(), "the metadata log waits for free space on its disk");
            self.lacks_room.store(true, Ordering::Release);
            loop {
                self.wait_for_room().await?;
                if self.append_rest(&encoded)? {
                    break;
                }
            }
            self.lacks_room.store(false, Ordering::Release);
            tracing::info!(dir = %self.dir.display(), "the metadata log continues");
        }
        self.flush_appended(encoded, callback)
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        self.truncate(last)
    }

    async fn purge(&mut self, upto: LogId) -> Result<(), io::Error> {
        let now_ms = runtime::clock::now_ms();
        let mut state = self.state.lock();
        let log = state.log.as_mut().ok_or_else(closed)?;
        let start = offset(upto.index) + 1;
        if start <= log.end_offset() {
            match log.advance_log_start(start, now_ms) {
                // What it could not delete goes along with the next.
                Err(ChangeError::Full(_)) => {}
                advanced => advanced.map_err(io::Error::other)?,
            }
        } else {
            // A snapshot is ahead of the log, which a crash has cut.
            log.truncate_fully_and_start_at(start, now_ms).map_err(io::Error::other)?;
        }
        // Whoever waits for entries that a snapshot replaced waits no more.
        let offsets = log.offsets().clone();
        for segment in log.take_due_deletions(now_ms) {
            segment.remove().map_err(io::Error::other)?;
        }
        while state.tail.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
            state.tail.pop_front();
        }
        state.purged = Some(upto);
        state.last = state.last.max(Some(upto));
        state.applied = state.applied.max(Some(upto));
        drop(state);
        tell(&self.waiting, || Ok(offsets.flushed()));
        Ok(())
    }
}

/// The voters of a membership, or of none.
pub(super) fn voter_ids(membership: Option<&Membership>) -> Vec<VoterId> {
    membership.map(|membership| membership.voter_ids().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
