//! Starting the quorum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use protocol::records::{ConfigRecord, FeatureLevelRecord};
use protocol::{Str, Uuid};
use storage::fs::{self, Fs};
use storage::{Log, LogConfig, LogDirectory, OpenDirectoryError, OpenError, OpenLog, TopicPartition};
use tokio::sync::{Mutex, watch};

use super::active::Active;
use super::alone::{NoPeers, raft_config};
use super::batches::{self, Leadership};
use super::checkpoint::{self, Bootstrap, CheckpointError};
use super::follow::PublishedState;
use super::log_store::{LoadedLog, LogStore, Unreadable, voter_ids};
use super::raft::{
    Entry, EntryRecord, Membership, Payload, StoredMembership, Vote, VoterEndpoint, VoterId, VoterNode,
    log_id,
};
use super::state_machine::{InitialState, StateMachine};
use super::vote::{self, QuorumState, VoteError};
use super::{METADATA_TOPIC, Quorum, RESERVED_BYTES, SubmitError};
use crate::features::{
    ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION, METADATA_VERSION_EARLIEST, METADATA_VERSION_LATEST,
    METADATA_VERSION_NEW,
};
use crate::image::ResourceType;
use crate::level;
use crate::record::MetadataRecord;

/// The time that the only voter may take to elect itself: a few syncs of a disk.
const ELECTION_MAX: Duration = Duration::from_secs(60);

/// The options of a quorum.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// `node.id`.
    pub node_id: i32,
    /// `directory.id` of the log directory.
    pub directory_id: Uuid,
    /// The addresses of this voter for others; may be empty.
    pub endpoints: Vec<VoterEndpoint>,
    /// `metadata.log.segment.bytes`.
    pub segment_bytes: u32,
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes_between_snapshots: u64,
    /// `min.insync.replicas`, which a cluster begins with whose leaders are eligible by KIP-966.
    pub min_insync_replicas: i32,
}

impl QuorumConfig {
    /// That of a node of which no more is known than that, with Kafka's defaults.
    pub fn of_node(node_id: i32, directory_id: Uuid) -> Self {
        Self {
            node_id,
            directory_id,
            endpoints: Vec::new(),
            segment_bytes: 1 << 30,
            bytes_between_snapshots: 20 << 20,
            min_insync_replicas: 1,
        }
    }

    /// This node.
    pub(super) fn voter(&self) -> VoterId {
        VoterId { id: self.node_id, directory_id: self.directory_id }
    }
}

/// Why a quorum does not start. Each reason that files can give is found by [`super::survey_in`] as well, which
/// changes none.
#[derive(Debug)]
pub enum StartError {
    /// The log directory cannot be opened.
    Directory(OpenDirectoryError),
    /// The metadata log cannot be opened.
    Log(OpenError),
    /// The metadata log holds something that is no entry of it.
    Unreadable {
        /// The segment with it.
        path: PathBuf,
        /// Its place in the log.
        offset: i64,
        /// The fault.
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
    /// The metadata was written by a newer version, or one from before Kafka 3.3.
    MetadataVersion(i16),
    /// The disk has no room for what a start writes: a vote, and who leads.
    DiskFull {
        /// The log directory.
        dir: PathBuf,
        /// The free space on its disk.
        usable_bytes: u64,
    },
    /// The quorum stopped while it started.
    Stopped(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
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
                let voters: Vec<String> = voters.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "the voters of the metadata quorum are {}, and this node is {this} (node.id and \
                     directory.id): only a node that is broker and controller in one, and the only voter, \
                     can be opened. Start with the node.id and the directory that it was written with",
                    voters.join(", ")
                )
            }
            Self::MetadataVersion(level) => write!(
                f,
                "metadata.version is {}, but only {} to {} are supported",
                level::named(*level),
                level::named(METADATA_VERSION_EARLIEST),
                level::named(METADATA_VERSION_LATEST)
            ),
            Self::DiskFull { dir, usable_bytes } => write!(
                f,
                "the disk of {}, which has the metadata log, is full: {usable_bytes} bytes are free, but a \
                 start needs {RESERVED_BYTES}. Free some space and start again; nothing was changed.",
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

/// The state on disk.
pub(super) struct StoredState {
    pub(super) loaded: LoadedLog,
    pub(super) snapshot: Option<(checkpoint::Checkpoint, checkpoint::Snapshot)>,
    /// The defaults if neither says otherwise.
    initial_state: InitialState,
    /// The records that a cluster begins with that has no `metadata.version` yet.
    pub(super) first_records: Vec<MetadataRecord>,
    /// Bytes at the end of the log that opening it truncates.
    pub(super) torn_bytes: u64,
    dir: PathBuf,
}

impl StoredState {
    /// The protocol of the quorum.
    pub(super) fn kraft_version(&self) -> i16 {
        self.loaded.kraft_version
    }

    /// The voters by the log, else by the snapshot.
    pub(super) fn membership(&self) -> &Membership {
        let in_snapshot = self.snapshot.as_ref().map(|(_, snapshot)| &snapshot.membership);
        let stored = self.loaded.membership.as_ref().or(in_snapshot).map(StoredMembership::membership);
        stored.filter(|voters| voters.nodes().next().is_some()).unwrap_or(&self.initial_state.voters)
    }

    /// Checks that this node can lead the quorum alone.
    pub(super) fn check(&self, this: VoterId) -> Result<(), StartError> {
        check_kraft_version(self.kraft_version())?;
        check_voters(voter_ids(Some(self.membership())), this)
    }
}

fn check_kraft_version(level: i16) -> Result<(), StartError> {
    if (0..=batches::KRAFT_VERSION).contains(&level) {
        return Ok(());
    }
    let known = batches::KRAFT_VERSION;
    Err(StartError::Foreign(format!("kraft.version is {level}, but {known} is the latest that is supported")))
}

fn check_voters(voters: Vec<VoterId>, this: VoterId) -> Result<(), StartError> {
    if voters == [this] { Ok(()) } else { Err(StartError::NotVoter { this, voters }) }
}

impl Quorum {
    /// Starts the quorum in `directory`, whose flusher must be running, and returns when this node leads it
    /// and everything in the log is applied. A new log gets its first records.
    ///
    /// # Errors
    /// [`StartError`] if the log is damaged, belongs to another node, or has records that this version does
    /// not support; also if the disk is full.
    pub async fn start(config: QuorumConfig, directory: &LogDirectory) -> Result<Self, StartError> {
        let this = config.voter();
        check_room(directory)?;
        let QuorumParts { store, machine, published, first_records, dir } = open(&config, directory)?;
        let raft = openraft::Raft::new(this, raft_config(), NoPeers, store.clone(), machine).await;
        let quorum = Self {
            raft: raft.map_err(stopped)?,
            published,
            active: Mutex::new(Active::default()),
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
        quorum.found(first_records).await?;
        Ok(quorum)
    }

    /// Waits until this node leads: the only voter elects itself.
    async fn lead(&self, this: VoterId) -> Result<(), StartError> {
        let wait = self.raft.wait(Some(ELECTION_MAX));
        let leads = |metrics: &openraft::RaftMetrics<super::Types>| metrics.current_leader == Some(this);
        wait.metrics(leads, "the only voter leads").await.map_err(stopped)?;
        // What a crash has interrupted is ended, and all that the log holds is applied.
        match runtime::clock::timeout(ELECTION_MAX, self.take_office()).await {
            Ok(taken) => Ok(taken?),
            Err(elapsed) => Err(stopped(elapsed)),
        }
    }

    /// Gives a cluster that has no version the records that it begins with.
    async fn found(&self, first_records: Vec<MetadataRecord>) -> Result<(), StartError> {
        match self.image().feature_level(METADATA_VERSION) {
            0 => {
                self.submit(|_| ((), first_records)).await?;
                Ok(())
            }
            METADATA_VERSION_EARLIEST..=METADATA_VERSION_LATEST => Ok(()),
            other => Err(StartError::MetadataVersion(other)),
        }
    }
}

impl From<SubmitError> for StartError {
    fn from(error: SubmitError) -> Self {
        Self::Stopped(error.to_string())
    }
}

/// Checks that the disk has room for a start, which would end half-way otherwise.
///
/// # Errors
/// [`StartError::DiskFull`].
pub fn check_room(directory: &LogDirectory) -> Result<(), StartError> {
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

/// The state for openraft, as found on disk.
pub(super) struct QuorumParts {
    pub(super) store: LogStore,
    pub(super) machine: StateMachine,
    pub(super) published: Arc<PublishedState>,
    pub(super) first_records: Vec<MetadataRecord>,
    /// The directory of the metadata log.
    pub(super) dir: PathBuf,
}

/// Opens the metadata log in `directory`, or begins a new one.
pub(super) fn open(config: &QuorumConfig, directory: &LogDirectory) -> Result<QuorumParts, StartError> {
    let this = config.voter();
    let found = find(config, this, directory)?;
    found.check(this)?;
    let published = Arc::new(PublishedState::default());
    let store = found.loaded.store;
    let machine = StateMachine::new(
        directory.fs().clone(),
        found.dir.clone(),
        found.snapshot,
        found.initial_state,
        published.clone(),
        store.clone(),
    );
    let first_records = found.first_records;
    Ok(QuorumParts { store, machine, published, first_records, dir: found.dir })
}

/// Reads what is on disk.
pub(super) fn find(
    config: &QuorumConfig,
    this: VoterId,
    directory: &LogDirectory,
) -> Result<StoredState, StartError> {
    let fs = directory.fs();
    let (mut log, torn_bytes, dir) = open_log(config, directory)?;
    let QuorumState { vote, voters } = vote::read(fs, &dir).map_err(StartError::Vote)?;
    let newest = checkpoint::list(fs, &dir).map_err(CheckpointError::Fs)?.pop();
    let snapshot = match newest {
        Some(newest) => {
            let read = checkpoint::read(fs, &newest)?;
            Some((newest, read))
        }
        None => None,
    };
    let bootstrap = match snapshot {
        Some(_) => None,
        None => checkpoint::read_bootstrap(fs, directory.path(), &dir)?,
    };
    let initial_state =
        initial_state(config, this, snapshot.as_ref().map(|(_, read)| read), bootstrap.as_ref());
    let first_records = first_records(config, bootstrap.as_ref());
    if snapshot.is_none() && log.end_offset() == 0 {
        check_kraft_version(initial_state.kraft_version)?;
        check_voters(voter_ids(Some(&initial_state.voters)), this)?;
        let begun = bootstrap.is_some().then_some(&*first_records);
        found_empty(&mut log, config, this, vote.is_some(), begun)
            .map_err(|reason| unreadable(fs, &dir, Unreadable { offset: 0, reason }))?;
    }
    let known = voter_ids(snapshot.as_ref().map(|(_, snapshot)| snapshot.membership.membership()));
    let leading = if known.is_empty() { voter_ids(Some(&initial_state.voters)) } else { known };
    let covered = snapshot.as_ref().map(|(checkpoint, _)| checkpoint.last_log_id);
    let leadership = Leadership { leader: this, voters: leading };
    let kraft_version = initial_state.kraft_version;
    let loaded = LogStore::load(fs.clone(), dir.clone(), log, vote, leadership, covered, kraft_version)
        .map_err(|error| unreadable(fs, &dir, error))?;
    check_vote(&loaded, vote, voters, this, &dir)?;
    let initial_state = InitialState { kraft_version: loaded.kraft_version, ..initial_state };
    Ok(StoredState { loaded, snapshot, initial_state, first_records, torn_bytes, dir })
}

/// Opens the metadata log; gives the bytes that were truncated, and its directory.
fn open_log(config: &QuorumConfig, directory: &LogDirectory) -> Result<(Log, u64, PathBuf), StartError> {
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
    let (log, recovered) = Log::open(directory, open).map_err(StartError::Log)?;
    match &recovered.truncation {
        Some(truncation) if truncation.batches_followed => {
            tracing::error!(?truncation, "the metadata log was damaged, and is truncated at the damage");
        }
        Some(truncation) => {
            tracing::warn!(?truncation, "the end of the metadata log was torn, and is truncated");
        }
        None => {}
    }
    // An entry counts as durable from here on; what a killed process left may be in memory only.
    log.flush().map_err(|error| StartError::Log(error.into()))?;
    Ok((log, recovered.truncation.map_or(0, |truncation| truncation.bytes), dir))
}

/// The state before the first entry that says otherwise.
fn initial_state(
    config: &QuorumConfig,
    this: VoterId,
    snapshot: Option<&checkpoint::Snapshot>,
    bootstrap: Option<&Bootstrap>,
) -> InitialState {
    let kraft_version = match (snapshot, bootstrap) {
        (Some(snapshot), _) => snapshot.kraft_version,
        (None, Some(bootstrap)) => bootstrap.kraft_version,
        (None, None) => 0,
    };
    // Voters that stand in Kafka's settings alone: here it is this node alone.
    let named = bootstrap.map(|bootstrap| &bootstrap.membership);
    let voters = named.filter(|voters| voters.nodes().next().is_some()).cloned();
    InitialState { voters: voters.unwrap_or_else(|| alone(config, this)), kraft_version }
}

/// The records that a cluster begins with: those of its formatting, or the level of a new one.
fn first_records(config: &QuorumConfig, bootstrap: Option<&Bootstrap>) -> Vec<MetadataRecord> {
    let mut records = bootstrap.map(|bootstrap| bootstrap.records.clone()).unwrap_or_default();
    if records.is_empty() {
        let name = METADATA_VERSION.into();
        records.push(FeatureLevelRecord { name, feature_level: METADATA_VERSION_NEW }.into());
    }
    let switches_on = |record: &MetadataRecord| {
        matches!(record, MetadataRecord::FeatureLevel(feature)
            if &*feature.name == ELIGIBLE_LEADER_REPLICAS && feature.feature_level > 0)
    };
    if records.iter().any(switches_on) {
        // As Kafka: who is eligible depends on it, and it must not differ from broker to broker.
        let record = ConfigRecord {
            resource_type: ResourceType::Broker as i8,
            resource_name: Str::default(),
            name: "min.insync.replicas".into(),
            value: Some(config.min_insync_replicas.to_string().into()),
        };
        records.push(record.into());
    }
    records
}

/// Checks that the vote is that of this log, and of a quorum of this node alone.
fn check_vote(
    loaded: &LoadedLog,
    vote: Option<Vote>,
    voters: Option<Vec<i32>>,
    this: VoterId,
    dir: &Path,
) -> Result<(), StartError> {
    let path = || dir.join(vote::FILE_NAME);
    // Once the log has the voters, the file need not be right.
    if let Some(voters) = voters.filter(|voters| loaded.kraft_version == 0 && *voters != [this.id]) {
        return Err(StartError::Vote(VoteError::OtherVoters { path: path(), node_id: this.id, voters }));
    }
    // To forget a vote, and with it the term, may split a cluster and confuses its log.
    let log_epoch = loaded.store.last().map_or(0, |last| last.leader_id.term);
    if log_epoch > vote.map_or(0, |vote| vote.leader_id.term) {
        return Err(StartError::Vote(VoteError::Behind { path: path(), log_epoch }));
    }
    Ok(())
}

/// The unreadable part, with the segment in `dir` that has its offset.
pub(super) fn unreadable(fs: &Fs, dir: &Path, error: Unreadable) -> StartError {
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

/// Begins a log: one that Kafka has formatted with `first_records`, in one batch. A new one with what its quorum
/// speaks, without which Kafka would look for the voters in its settings, and the entry that says who votes: this node
/// alone. It is durable before any vote is given, so that an empty log beside a vote is one that was lost.
fn found_empty(
    log: &mut Log,
    config: &QuorumConfig,
    this: VoterId,
    voted: bool,
    first_records: Option<&[MetadataRecord]>,
) -> Result<(), String> {
    if voted {
        return Err("it is empty, and a vote was given in it: its files are missing".to_owned());
    }
    let leadership = Leadership { leader: this, voters: vec![this] };
    let now_ms = runtime::clock::now_ms();
    let mut bytes = Vec::new();
    let entries = match first_records {
        Some(records) => {
            let mut entries = EntryRecord::of_decision(records.to_vec(), level::set_by(records));
            let last = entries.len() - 1;
            for (at, entry) in entries.iter_mut().enumerate() {
                entry.ends_batch = at == last;
            }
            let entry = |(at, record)| Entry { log_id: log_id(0, at), payload: Payload::Normal(record) };
            (0..).zip(entries).map(entry).collect()
        }
        None => {
            bytes.extend(batches::protocol(now_ms).map_err(|error| error.to_string())?);
            vec![Entry { log_id: log_id(0, 1), payload: Payload::Membership(alone(config, this)) }]
        }
    };
    batches::encode(&entries, &leadership, now_ms, &mut bytes).map_err(|error| error.to_string())?;
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
