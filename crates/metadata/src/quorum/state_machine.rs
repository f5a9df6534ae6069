//! The state machine that openraft applies committed entries to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{OptionalSend, RaftSnapshotBuilder};
use parking_lot::Mutex;
use storage::fs::Fs;

use super::checkpoint::{self, CheckpointError, Snapshot};
use super::follow::PublishedState;
use super::incoming::SnapshotFile;
use super::log_store::LogStore;
use super::raft::{
    CommittedLeaderId, EntryRecord, LogId, Membership, Payload, StoredMembership, Types, VoterId, VoterNode,
    offset,
};
use crate::image::{Delta, Image};
use crate::replay::Replay;
use crate::traps::{self, Trap};

pub(super) type RaftSnapshot = openraft::Snapshot<CommittedLeaderId, VoterId, VoterNode, SnapshotFile>;
pub(super) type SnapshotMeta = openraft::SnapshotMeta<CommittedLeaderId, VoterId, VoterNode>;

/// The newest snapshot and its voters, who may be others by now: what is sent to a voter that is behind.
type NewestSnapshot = Arc<Mutex<Option<(LogId, StoredMembership)>>>;

pub(super) struct StateMachine {
    fs: Fs,
    dir: PathBuf,
    replay: Replay,
    last_applied: Option<LogId>,
    /// The last entry whose effect is in the state: while a transaction is open, the one before it.
    settled: Option<LogId>,
    membership: StoredMembership,
    /// The voters as of `settled`.
    settled_membership: StoredMembership,
    newest: NewestSnapshot,
    published: Arc<PublishedState>,
    log: LogStore,
}

impl StateMachine {
    pub(super) fn new(
        fs: Fs,
        dir: PathBuf,
        snapshot: Option<Snapshot>,
        founding: Membership,
        published: Arc<PublishedState>,
        log: LogStore,
    ) -> Self {
        let mut machine = Self {
            fs,
            dir,
            replay: Replay::default(),
            last_applied: None,
            settled: None,
            membership: StoredMembership::new(None, founding.clone()),
            settled_membership: StoredMembership::new(None, founding),
            newest: NewestSnapshot::default(),
            published,
            log,
        };
        if let Some(snapshot) = snapshot {
            machine.take_over(snapshot);
        }
        machine
    }

    /// Goes on from a snapshot.
    fn take_over(&mut self, snapshot: Snapshot) {
        self.replay = Replay::from_image(snapshot.image);
        self.last_applied = Some(snapshot.last_log_id);
        self.settled = Some(snapshot.last_log_id);
        // A snapshot may say nothing of voters: those of before stay.
        let voters = snapshot.membership.membership();
        let voters =
            if voters.nodes().next().is_some() { voters } else { self.membership.membership() }.clone();
        self.membership = StoredMembership::new(Some(snapshot.last_log_id), voters);
        self.settled_membership = self.membership.clone();
        *self.newest.lock() = Some((snapshot.last_log_id, self.membership.clone()));
        let touched = everything(&self.published.image(), self.replay.image());
        self.published.publish(self.replay.image(), &touched);
    }

    fn apply_entry(&mut self, log_id: LogId, payload: Payload) -> io::Result<()> {
        let at = offset(log_id.index);
        match payload {
            Payload::Normal(EntryRecord { record, .. }) => {
                let name = record.name();
                self.replay.record(at, record).map_err(|error| {
                    io::Error::other(format!("the metadata log at offset {at}: {name}: {error}"))
                })?;
            }
            Payload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(log_id), membership);
                self.replay.skip(at);
            }
            Payload::Blank => self.replay.skip(at),
        }
        self.last_applied = Some(log_id);
        if !self.replay.in_transaction() || traps::is_on(Trap::SnapshotWithHole) {
            self.settled = Some(log_id);
            if self.settled_membership.log_id() != self.membership.log_id() {
                self.settled_membership = self.membership.clone();
            }
        }
        Ok(())
    }

    /// The state as in a snapshot; `None` if there is nothing yet.
    pub(super) fn snapshot(&self) -> Option<Snapshot> {
        Some(Snapshot {
            last_log_id: self.settled?,
            last_timestamp_ms: runtime::clock::now_ms(),
            membership: self.settled_membership.clone(),
            kraft_version: self.log.kraft_version(),
            image: self.replay.image().clone(),
        })
    }
}

/// The differences between two states that no records connect.
fn everything(old: &Image, new: &Image) -> Delta {
    let mut delta = Delta { features: true, producer_ids: true, ..Delta::default() };
    for image in [old, new] {
        delta.topics.extend(image.topics().iter().map(|topic| topic.id));
        delta.configs.extend(image.all_configs().map(|(resource, _)| resource.clone()));
        delta.brokers.extend(image.brokers().keys());
    }
    delta
}

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<Types>, io::Error>> + Unpin + OptionalSend,
    {
        let mut responders: Vec<ApplyResponder<Types>> = Vec::new();
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            self.apply_entry(entry.log_id, entry.payload)?;
            responders.extend(responder);
        }
        let delta = self.replay.take_delta();
        self.published.set_in_transaction(self.replay.in_transaction());
        self.published.publish(self.replay.image(), &delta);
        if let Some(applied) = &self.last_applied {
            self.log.forget(applied);
        }
        for responder in responders {
            responder.send(());
        }
        Ok(())
    }

    /// `None` if there is nothing yet, as after a start, or nothing since the newest snapshot.
    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Builder> {
        let settled = self.settled?;
        if self.newest.lock().as_ref().is_some_and(|(last, _)| *last >= settled) {
            self.log.snapshot_begins();
            return None;
        }
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.log.snapshot_begins();
        Builder {
            fs: self.fs.clone(),
            dir: self.dir.clone(),
            snapshot: self.snapshot(),
            newest: self.newest.clone(),
            log: self.log.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotFile,
    ) -> Result<(), io::Error> {
        let SnapshotFile { checkpoint, received } = snapshot;
        let (checkpoint, contents) = match received {
            Some(contents) => {
                let adopted = checkpoint::adopt(&self.fs, &self.dir, &checkpoint);
                (adopted.map_err(io::Error::other)?, *contents)
            }
            None => {
                let contents = checkpoint::read(&self.fs, &checkpoint).map_err(io::Error::other)?;
                (checkpoint, contents)
            }
        };
        assert_eq!(meta.last_log_id, Some(contents.last_log_id), "the file is the one that is meant");
        checkpoint::remove_older(&self.fs, &self.dir, &checkpoint).map_err(io::Error::other)?;
        self.log.snapshot_taken(&contents);
        self.take_over(contents);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<RaftSnapshot>, io::Error> {
        // A builder writes beside this machine: the newest is what the directory says.
        let newest = checkpoint::list(&self.fs, &self.dir).map_err(io::Error::other)?.pop();
        let Some(checkpoint) = newest else { return Ok(None) };
        let last = checkpoint.last_log_id;
        let known = self.newest.lock().clone().filter(|(of, _)| *of == last);
        let membership = match known {
            Some((_, membership)) => membership,
            None => checkpoint::read(&self.fs, &checkpoint).map_err(io::Error::other)?.membership,
        };
        let meta = SnapshotMeta { last_log_id: Some(last), last_membership: membership };
        Ok(Some(RaftSnapshot { meta, snapshot: SnapshotFile { checkpoint, received: None } }))
    }
}

/// Writes a snapshot of the state as it was, while the state goes on.
pub(super) struct Builder {
    fs: Fs,
    dir: PathBuf,
    snapshot: Option<Snapshot>,
    newest: NewestSnapshot,
    log: LogStore,
}

impl RaftSnapshotBuilder<Types> for Builder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> Result<RaftSnapshot, io::Error> {
        let nothing = || io::Error::other("there is nothing to take a snapshot of");
        let snapshot = self.snapshot.take().ok_or_else(nothing)?;
        let meta = SnapshotMeta {
            last_log_id: Some(snapshot.last_log_id),
            last_membership: snapshot.membership.clone(),
        };
        let snapshot = Arc::new(snapshot);
        let checkpoint = loop {
            let (fs, dir, snapshot) = (self.fs.clone(), self.dir.clone(), snapshot.clone());
            let written = runtime::task::spawn_blocking(move || checkpoint::replace(&fs, &dir, &snapshot));
            match written.await.map_err(io::Error::other)? {
                // The log is kept as long as there is no snapshot, and nobody waits for one.
                Err(CheckpointError::Fs(error)) if error.passes() => self.log.wait_for_room().await?,
                written => break written.map_err(io::Error::other)?,
            }
        };
        *self.newest.lock() = Some((checkpoint.last_log_id, meta.last_membership.clone()));
        tracing::info!(path = %checkpoint.path.display(), bytes = checkpoint.size_bytes, "snapshot written");
        Ok(RaftSnapshot { meta, snapshot: SnapshotFile { checkpoint, received: None } })
    }
}
