//! Starting the quorum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use openraft::SnapshotPolicy;
use parking_lot::Mutex as SyncMutex;
use protocol::Uuid;
use protocol::records::{AbortTransactionRecord, FeatureLevelRecord};
use storage::fs::{self, Fs};
use storage::{Log, LogConfig, LogDirectory, OpenError, OpenLog, TopicPartition};
use tokio::sync::{Mutex, watch};

use super::batches::{self, Leadership};
use super::checkpoint::{self, CheckpointError};
use super::log_store::{Loaded, LogStore, Unreadable, voter_ids};
use super::network::NoPeers;
use super::raft::{
    Entry, Membership, Payload, StoredMembership, VoterEndpoint, VoterId, VoterNode, log_id, offset,
};
use super::state_machine::{Founding, Observer, Published, StateMachine};
use super::vote::{self, VoteError};
use super::{METADATA_TOPIC, Quorum, RESERVED_BYTES, SubmitError, Writer};
use crate::features::{METADATA_VERSION, METADATA_VERSION_LATEST};
use crate::image::{Change, Image};

/// How long the only voter may take to elect itself: a few syncs of a disk.
const ELECTION_MAX: Duration = Duration::from_secs(60);

/// Entries that are appended at once, at most: the records of the largest decision and its frame.
const ENTRIES_PER_APPEND_MAX: u64 = 16_384;

/// How a quorum is started.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// `node.id`.
    pub node_id: i32,
    /// `directory.id` of the log directory.
    pub directory_id: Uuid,
    /// Where other voters will reach this one; may be empty.
    pub endpoints: Vec<VoterEndpoint>,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u32,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes_between_snapshots: u64,
}

impl QuorumConfig {
    /// This node.
    pub(super) fn voter(&self) -> VoterId {
        VoterId { id: self.node_id, directory_id: self.directory_id }
    }
}

/// Why a quorum does not start. No file was changed, save that a torn end of the log was cut.
#[derive(Debug)]
pub enum StartError {
    /// The metadata log cannot be opened.
    Log(OpenError),
    /// The metadata log holds something that is no entry of it.
    Unreadable {
        /// The segment with it.
        path: PathBuf,
        /// Where in the log.
        offset: i64,
        /// What is wrong.
        reason: String,
    },
    /// A snapshot cannot be used.
    Checkpoint(CheckpointError),
    /// The vote is not known.
    Vote(VoteError),
    /// The voters of this log are others.
    NotVoter {
        /// This node.
        this: VoterId,
        /// The voters.
        voters: Vec<VoterId>,
    },
    /// The quorum has other nodes, or speaks a protocol that is not known.
    Foreign(String),
    /// The metadata was written by a newer version.
    MetadataVersion(i16),
    /// The disk has no room for what a start writes: a vote, and who leads.
    DiskFull {
        /// The log directory.
        dir: PathBuf,
        /// What is free on its disk.
        usable_bytes: u64,
    },
    /// The quorum stopped while it started.
    Stopped(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Checkpoint(error) => error.fmt(f),
            Self::Vote(error) => error.fmt(f),
            Self::Unreadable { path, offset, reason } => write!(
                f,
                "the metadata log {} cannot be read at offset {offset}: {reason}. Restore the directory from \
                 a backup; nothing was deleted.",
                path.display()
            ),
            Self::NotVoter { this, voters } => {
                write!(f, "this node is {this} (node.id and directory.id), and the metadata log belongs to")?;
                for voter in voters {
                    write!(f, " {voter}")?;
                }
                f.write_str(": start with the node.id and the directory that it was written with.")
            }
            Self::MetadataVersion(level) => write!(
                f,
                "the metadata has version {level}, and {METADATA_VERSION_LATEST} is the latest that is known: \
                 start the version of Milena that wrote it."
            ),
            Self::DiskFull { dir, usable_bytes } => write!(
                f,
                "the disk of {}, which has the metadata log, is full: {usable_bytes} bytes are free, and a start \
                 needs {RESERVED_BYTES}. Make room on it and start again; nothing was changed.",
                dir.display()
            ),
            Self::Foreign(reason) => write!(f, "{reason}. Nothing was changed."),
            Self::Stopped(reason) => write!(f, "the metadata quorum stopped while it started: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<CheckpointError> for StartError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

/// What is on disk.
struct Found {
    loaded: Loaded,
    snapshot: Option<(checkpoint::Checkpoint, checkpoint::Snapshot)>,
    /// What holds where neither says otherwise.
    founding: Founding,
    dir: PathBuf,
}

impl Found {
    /// The voters by the log, else by the snapshot.
    fn membership(&self) -> &Membership {
        let in_snapshot = self.snapshot.as_ref().map(|(_, snapshot)| &snapshot.membership);
        let stored = self.loaded.membership.as_ref().or(in_snapshot).map(StoredMembership::membership);
        stored.filter(|voters| voters.nodes().next().is_some()).unwrap_or(&self.founding.voters)
    }

    /// Whether this node can lead the quorum alone.
    fn check(&self, this: VoterId) -> Result<(), StartError> {
        let level = self.founding.kraft_version;
        if !(0..=batches::KRAFT_VERSION).contains(&level) {
            let known = batches::KRAFT_VERSION;
            let reason =
                format!("the metadata log has kraft.version {level}, and {known} is the latest known");
            return Err(StartError::Foreign(reason));
        }
        let voters = voter_ids(Some(self.membership()));
        if !voters.contains(&this) {
            return Err(StartError::NotVoter { this, voters });
        }
        if voters.len() > 1 {
            let names: Vec<String> = voters.iter().map(ToString::to_string).collect();
            let reason = format!(
                "the metadata log is of a quorum of several nodes ({}): one is opened",
                names.join(", ")
            );
            return Err(StartError::Foreign(reason));
        }
        Ok(())
    }
}

impl Quorum {
    /// Starts the quorum in `directory`, whose flusher must be running, and returns when this node
    /// leads it and everything that the log holds is applied. A new log gets its first records.
    ///
    /// `observer` is called with each change of the state, in order, before [`Quorum::submit`]
    /// returns to who caused it; first with what was found on disk. It must not wait for the
    /// quorum. It is not called any more once [`Quorum::shutdown`] has returned.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        config: QuorumConfig,
        directory: &LogDirectory,
        observer: impl FnMut(&Change) + Send + 'static,
    ) -> Result<Self, StartError> {
        let this = config.voter();
        check_room(directory)?;
        let Opened { store, machine, published, observer, dir } = open(&config, directory, observer)?;
        let raft = openraft::Raft::new(this, raft_config(), NoPeers, store.clone(), machine).await;
        let quorum = Self {
            raft: raft.map_err(stopped)?,
            published,
            observer,
            writer: Mutex::new(Writer { proposed: Image::default() }),
            store,
            fs: directory.fs().clone(),
            dir,
            segment_bytes: usize::try_from(config.segment_bytes).unwrap_or(usize::MAX),
            bytes_between_snapshots: config.bytes_between_snapshots,
            stopped: AtomicBool::new(false),
            ended: watch::Sender::new(None),
        };
        quorum.raft.trigger().elect(false).await.map_err(stopped)?;
        quorum.lead(this).await?;
        quorum.prepare().await?;
        Ok(quorum)
    }

    /// Waits until this node leads and has applied the entry that says so, and so all before it.
    async fn lead(&self, this: VoterId) -> Result<(), StartError> {
        let leads = |metrics: &openraft::RaftMetrics<super::Types>| {
            let applied_term = metrics.last_applied.as_ref().map(|applied| applied.leader_id.term);
            metrics.current_leader == Some(this) && applied_term == Some(metrics.current_term)
        };
        let wait = self.raft.wait(Some(ELECTION_MAX));
        let metrics = wait.metrics(leads, "the only voter leads").await.map_err(stopped)?;
        let last = metrics.last_applied.map_or(-1, |applied| offset(applied.index));
        let mut writer = self.writer.lock().await;
        writer.proposed = (*self.image()).clone();
        // While a transaction is open the image is that of before it.
        writer.proposed.advance_to(last);
        Ok(())
    }

    /// Ends what a crash has interrupted, and gives a new cluster its version.
    async fn prepare(&self) -> Result<(), StartError> {
        if self.published.in_transaction.load(std::sync::atomic::Ordering::Acquire) {
            let reason = Some("the node stopped before the end".into());
            tracing::warn!("a decision that the last stop has interrupted is dropped");
            self.submit(|_| ((), vec![AbortTransactionRecord { reason }.into()])).await?;
        }
        match self.image().feature_level(METADATA_VERSION) {
            0 => {
                let version = FeatureLevelRecord {
                    name: METADATA_VERSION.into(),
                    feature_level: METADATA_VERSION_LATEST,
                };
                self.submit(|_| ((), vec![version.into()])).await?;
                Ok(())
            }
            ..=METADATA_VERSION_LATEST => Ok(()),
            newer => Err(StartError::MetadataVersion(newer)),
        }
    }
}

impl From<SubmitError> for StartError {
    fn from(error: SubmitError) -> Self {
        Self::Stopped(error.to_string())
    }
}

/// Refuses a start that would end half-way.
fn check_room(directory: &LogDirectory) -> Result<(), StartError> {
    match directory.space() {
        Ok(space) if space.total_bytes > 0 && space.usable_bytes < RESERVED_BYTES => {
            let dir = directory.path().to_owned();
            Err(StartError::DiskFull { dir, usable_bytes: space.usable_bytes })
        }
        // What cannot be asked will fail where it matters.
        _ => Ok(()),
    }
}

fn stopped(reason: impl fmt::Display) -> StartError {
    StartError::Stopped(reason.to_string())
}

/// What openraft is given, as it is found on disk.
pub(super) struct Opened {
    pub(super) store: LogStore,
    pub(super) machine: StateMachine,
    pub(super) published: Arc<Published>,
    pub(super) observer: Observer,
    /// The directory of the metadata log.
    pub(super) dir: PathBuf,
}

/// Opens the metadata log in `directory`, or begins a new one.
pub(super) fn open(
    config: &QuorumConfig,
    directory: &LogDirectory,
    observer: impl FnMut(&Change) + Send + 'static,
) -> Result<Opened, StartError> {
    let this = config.voter();
    let found = find(config, this, directory)?;
    found.check(this)?;
    let empty = Arc::new(Image::default());
    let published = Arc::new(Published {
        image: ArcSwap::new(empty.clone()),
        watch: watch::Sender::new(empty),
        in_transaction: AtomicBool::new(false),
    });
    let observer: Observer = Arc::new(SyncMutex::new(Some(Box::new(observer))));
    let store = found.loaded.store;
    let machine = StateMachine::new(
        directory.fs().clone(),
        found.dir.clone(),
        found.snapshot,
        found.founding,
        published.clone(),
        observer.clone(),
        store.clone(),
    );
    Ok(Opened { store, machine, published, observer, dir: found.dir })
}

/// Reads what is on disk.
fn find(config: &QuorumConfig, this: VoterId, directory: &LogDirectory) -> Result<Found, StartError> {
    let fs = directory.fs();
    let partition = TopicPartition { topic: METADATA_TOPIC.to_owned(), partition: 0 };
    let dir = directory.path().join(partition.to_string());
    let open = OpenLog {
        partition,
        topic_id: None,
        config: log_config(config).into(),
        now_ms: runtime::clock::now_ms(),
        jitter_seed: 0,
        accept_damage: false,
    };
    let (mut log, recovered) = Log::open(directory, open).map_err(StartError::Log)?;
    match &recovered.cut {
        Some(cut) if cut.batches_followed => {
            tracing::error!(?cut, "the metadata log was damaged, and what followed the damage is cut");
        }
        Some(cut) => tracing::warn!(?cut, "the end of the metadata log was torn and is cut"),
        None => {}
    }
    // An entry counts as durable from here on; what a killed process left may be in memory only.
    log.flush().map_err(|error| StartError::Log(error.into()))?;
    let vote = vote::read(fs, &dir).map_err(StartError::Vote)?;
    let newest = checkpoint::list(fs, &dir).map_err(CheckpointError::Fs)?.pop();
    let snapshot = match newest {
        Some(newest) => {
            let read = checkpoint::read(fs, &newest)?;
            Some((newest, read))
        }
        None => None,
    };
    if snapshot.is_none() && log.end_offset() == 0 {
        found_empty(&mut log, config, this, vote.is_some())
            .map_err(|reason| unreadable(fs, &dir, Unreadable { offset: 0, reason }))?;
    }
    let bootstrap = match snapshot {
        Some(_) => None,
        None => checkpoint::read_bootstrap(fs, &dir)?,
    };
    let founding = match (&snapshot, bootstrap) {
        (Some((_, snapshot)), _) => {
            Founding { voters: alone(config, this), kraft_version: snapshot.kraft_version }
        }
        (None, Some(bootstrap)) => {
            Founding { voters: bootstrap.membership, kraft_version: bootstrap.kraft_version }
        }
        // Voters that stand in Kafka's settings alone: here it is this node alone.
        (None, None) => Founding { voters: alone(config, this), kraft_version: 0 },
    };
    let voters = voter_ids(snapshot.as_ref().map(|(_, snapshot)| snapshot.membership.membership()));
    let voters = if voters.is_empty() { voter_ids(Some(&founding.voters)) } else { voters };
    let covered = snapshot.as_ref().map(|(checkpoint, _)| checkpoint.last_log_id);
    let leadership = Leadership { leader: this, voters };
    let loaded = LogStore::load(fs.clone(), dir.clone(), log, vote, leadership, covered)
        .map_err(|error| unreadable(fs, &dir, error))?;
    // To forget a vote, and with it the term, may split a cluster and confuses its log.
    let log_epoch = loaded.store.last().map_or(0, |last| last.leader_id.term);
    if log_epoch > vote.map_or(0, |vote| vote.leader_id.term) {
        let path = dir.join(vote::FILE_NAME);
        return Err(StartError::Vote(VoteError::Behind { path, log_epoch }));
    }
    let kraft_version = loaded.kraft_version.unwrap_or(founding.kraft_version);
    Ok(Found { loaded, snapshot, founding: Founding { kraft_version, ..founding }, dir })
}

/// What cannot be read, with the segment in `dir` that has its offset.
fn unreadable(fs: &Fs, dir: &Path, error: Unreadable) -> StartError {
    let Unreadable { offset, reason } = error;
    let has_it = |entry: &fs::DirEntry| {
        let base_offset = entry.name.strip_suffix(".log").and_then(|name| name.parse::<i64>().ok());
        base_offset.is_some_and(|base_offset| base_offset <= offset)
    };
    let entries = fs.list(dir).unwrap_or_default();
    let segment = entries.iter().rfind(|entry| has_it(entry));
    StartError::Unreadable { path: segment.map_or(dir.to_owned(), |it| dir.join(&it.name)), offset, reason }
}

/// A quorum of this node alone.
fn alone(config: &QuorumConfig, this: VoterId) -> Membership {
    let node = VoterNode { endpoints: config.endpoints.clone() };
    let nodes = BTreeMap::from([(this, node)]);
    Membership::new(vec![BTreeSet::from([this])], nodes).expect("the only node votes")
}

/// Begins a new log with what its quorum speaks, without which Kafka would look for the voters in
/// its settings, and the entry that says who votes: this node alone. It is durable before any
/// vote is given, so that an empty log beside a vote is one that was lost.
fn found_empty(log: &mut Log, config: &QuorumConfig, this: VoterId, voted: bool) -> Result<(), String> {
    if voted {
        return Err("it is empty, and a vote was given in it: its files are missing".to_owned());
    }
    let entry = Entry { log_id: log_id(0, 1), payload: Payload::Membership(alone(config, this)) };
    let leadership = Leadership { leader: this, voters: vec![this] };
    let now_ms = runtime::clock::now_ms();
    let mut bytes = batches::protocol(now_ms).map_err(|error| error.to_string())?;
    batches::encode(&entry, &leadership, now_ms, &mut bytes).map_err(|error| error.to_string())?;
    log.append_with_offsets(&bytes, now_ms).map_err(|error| error.to_string())?;
    log.flush().map_err(|error| error.to_string())?;
    Ok(())
}

/// The metadata log keeps what no snapshot stands for, and nothing else decides what goes.
fn log_config(config: &QuorumConfig) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_bytes,
        delete: false,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

/// A quorum of one needs no timer: it is elected when it starts, and nobody else ever is.
fn raft_config() -> Arc<openraft::Config> {
    let config = openraft::Config {
        cluster_name: METADATA_TOPIC.to_owned(),
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        // A leader that goes on in its old term could not tell which entries it had committed.
        enable_leader_restore: Some(false),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        max_append_entries: Some(ENTRIES_PER_APPEND_MAX),
        ..openraft::Config::default()
    };
    Arc::new(config.validate().expect("the values are fit"))
}
