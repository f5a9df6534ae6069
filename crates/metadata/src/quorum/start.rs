//! Starting the quorum.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use protocol::{Str, Uuid};
use storage::fs::{self, Fs};
use storage::{Log, LogConfig, LogDirectory, OpenDirectoryError, OpenError, OpenLog, TopicPartition};
use tokio::sync::{Mutex, watch};

use super::active::Active;
use super::batches::{self, Leadership};
use super::checkpoint::{self, CheckpointError};
use super::follow::PublishedState;
use super::founding::{FoundingVoter, InitialState, first_records};
use super::incoming::SnapshotReceiver;
use super::log_store::{LoadedLog, LogStore, Unreadable, voter_ids};
use super::network::{Link, Network};
use super::peers::{NoPeers, Peers};
use super::raft::{Membership, StoredMembership, Vote, VoterEndpoint, VoterId};
use super::state_machine::StateMachine;
use super::timers::raft_config;
use super::vote::{self, QuorumState, VoteError};
use super::{METADATA_TOPIC, Quorum, RESERVED_BYTES, SubmitError};
use crate::features::{METADATA_VERSION, METADATA_VERSION_EARLIEST, METADATA_VERSION_LATEST};
use crate::level;
use crate::record::MetadataRecord;

/// The time that the only voter may take to elect itself: a few syncs of a disk.
const ELECTION_MAX: Duration = Duration::from_secs(60);

/// The voters that a quorum may have.
pub(super) const VOTERS_MAX: usize = 7;

/// The options of a quorum.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    /// `cluster.id`: a message from another cluster is rejected.
    pub cluster_id: String,
    /// `node.id`.
    pub node_id: i32,
    /// `directory.id` of the log directory.
    pub directory_id: Uuid,
    /// The addresses of this voter for others; may be empty.
    pub endpoints: Vec<VoterEndpoint>,
    /// The voters that a new quorum begins with: the same on each of them, or none if this node begins alone. A new
    /// node that is not among them joins their quorum. Once the log names voters, these are not looked at.
    pub voters: Vec<FoundingVoter>,
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
            cluster_id: String::new(),
            node_id,
            directory_id,
            endpoints: Vec::new(),
            voters: Vec::new(),
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

    /// Checks that this node can lead the quorum alone, or go on in it with peers.
    pub(super) fn check(&self, this: VoterId, company: Company) -> Result<(), StartError> {
        check_kraft_version(self.kraft_version())?;
        check_voters(voter_ids(Some(self.membership())), this, company)
    }
}

/// Whether a node knows the way to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Alone,
    Peers,
}

fn check_kraft_version(level: i16) -> Result<(), StartError> {
    if (0..=batches::KRAFT_VERSION).contains(&level) {
        return Ok(());
    }
    let known = batches::KRAFT_VERSION;
    Err(StartError::Foreign(format!("kraft.version is {level}, but {known} is the latest that is supported")))
}

fn check_voters(voters: Vec<VoterId>, this: VoterId, company: Company) -> Result<(), StartError> {
    if voters.len() > VOTERS_MAX {
        let count = voters.len();
        return Err(StartError::Foreign(format!(
            "{count} voters are named, but a quorum has {VOTERS_MAX} at most"
        )));
    }
    // A node that is no voter follows those that are.
    if company == Company::Peers || voters == [this] {
        Ok(())
    } else {
        Err(StartError::NotVoter { this, voters })
    }
}

impl Quorum {
    /// Starts a quorum of this node alone in `directory`, whose flusher must be running, and returns when this node
    /// leads it and everything in the log is applied. A new log gets its first records.
    ///
    /// # Errors
    /// [`StartError`] if the log is damaged, belongs to another node, or has records that this version does
    /// not support; also if the disk is full.
    pub async fn start(config: QuorumConfig, directory: &LogDirectory) -> Result<Self, StartError> {
        let this = config.voter();
        let (quorum, _) = Self::open(config, directory, Company::Alone, Arc::new(NoPeers)).await?;
        quorum.lead(this).await?;
        Ok(quorum)
    }

    /// Starts this node's part of a quorum in `directory`, whose flusher must be running, and returns when its log is
    /// open: a leader comes once a majority of the voters has started. The only voter of a quorum leads it when this
    /// returns, as [`Quorum::start`] has it.
    ///
    /// # Errors
    /// As [`Quorum::start`], but that others may vote.
    pub async fn start_among(
        config: QuorumConfig,
        directory: &LogDirectory,
        peers: Arc<dyn Peers>,
    ) -> Result<Arc<Self>, StartError> {
        let this = config.voter();
        let (quorum, voters) = Self::open(config, directory, Company::Peers, peers).await?;
        if voters == [this] {
            quorum.lead(this).await?;
        } else {
            quorum.enable_timers();
        }
        let quorum = Arc::new(quorum);
        quorum.attend();
        Ok(quorum)
    }

    /// Opens the log and begins to take part; gives the voters as well, as the log has them.
    async fn open(
        config: QuorumConfig,
        directory: &LogDirectory,
        company: Company,
        peers: Arc<dyn Peers>,
    ) -> Result<(Self, Vec<VoterId>), StartError> {
        check_room(directory)?;
        let QuorumParts { store, machine, published, first_records, dir, voters } =
            open(&config, directory, company)?;
        let link = Arc::new(Link {
            cluster_id: Str::from(config.cluster_id.as_str()),
            this: config.voter(),
            peers,
            store: store.clone(),
            fs: directory.fs().clone(),
        });
        let incoming =
            SnapshotReceiver::new(directory.fs().clone(), dir.clone()).map_err(CheckpointError::Fs)?;
        let network = Network(link.clone());
        let raft = openraft::Raft::new(link.this, raft_config(), network, store.clone(), machine).await;
        let quorum = Self {
            raft: raft.map_err(stopped)?,
            link,
            incoming: parking_lot::Mutex::new(incoming),
            published,
            active: Mutex::new(Active::default()),
            first_records,
            store,
            fs: directory.fs().clone(),
            dir,
            segment_bytes: usize::try_from(config.segment_bytes).unwrap_or(usize::MAX),
            bytes_between_snapshots: config.bytes_between_snapshots,
            has_peers: company == Company::Peers,
            stopped: AtomicBool::new(false),
            ended: watch::Sender::new(None),
        };
        Ok((quorum, voters))
    }

    /// Waits until this node leads: the only voter elects itself.
    async fn lead(&self, this: VoterId) -> Result<(), StartError> {
        self.raft.trigger().elect(false).await.map_err(stopped)?;
        let wait = self.raft.wait(Some(ELECTION_MAX));
        let leads = |metrics: &openraft::RaftMetrics<super::Types>| metrics.current_leader == Some(this);
        wait.metrics(leads, "the only voter leads").await.map_err(stopped)?;
        // What a crash has interrupted is ended, and all that the log holds is applied.
        runtime::clock::timeout(ELECTION_MAX, self.take_office()).await.map_err(stopped)??;
        self.found().await
    }

    /// Gives a cluster that has no version the records that it begins with. This node leads.
    pub(super) async fn found(&self) -> Result<(), StartError> {
        match self.image().feature_level(METADATA_VERSION) {
            0 => {
                self.submit(|image| {
                    // Another leader may have done so.
                    let is_new = image.feature_level(METADATA_VERSION) == 0;
                    ((), if is_new { self.first_records.clone() } else { Vec::new() })
                })
                .await?;
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
    /// The voters, as the log has them.
    voters: Vec<VoterId>,
}

/// Opens the metadata log in `directory`, or begins a new one.
pub(super) fn open(
    config: &QuorumConfig,
    directory: &LogDirectory,
    company: Company,
) -> Result<QuorumParts, StartError> {
    let this = config.voter();
    let found = find(config, directory, company)?;
    found.check(this, company)?;
    let voters = voter_ids(Some(found.membership()));
    let published = Arc::new(PublishedState::default());
    let store = found.loaded.store;
    let machine = StateMachine::new(
        directory.fs().clone(),
        found.dir.clone(),
        found.snapshot.map(|(_, snapshot)| snapshot),
        found.initial_state.voters,
        published.clone(),
        store.clone(),
    );
    let first_records = found.first_records;
    Ok(QuorumParts { store, machine, published, first_records, dir: found.dir, voters })
}

/// Reads what is on disk.
pub(super) fn find(
    config: &QuorumConfig,
    directory: &LogDirectory,
    company: Company,
) -> Result<StoredState, StartError> {
    let this = config.voter();
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
    let founding = InitialState::of(config, snapshot.as_ref().map(|(_, read)| read), bootstrap.as_ref());
    let first_records = first_records(config, bootstrap.as_ref());
    if snapshot.is_none() && log.end_offset() == 0 {
        check_kraft_version(founding.kraft_version)?;
        check_voters(voter_ids(Some(&founding.voters)), this, company)?;
        let begun = bootstrap.is_some().then_some(&*first_records);
        let begun = founding.begin(&mut log, this, vote.is_some(), begun);
        begun.map_err(|reason| unreadable(fs, &dir, Unreadable { offset: 0, reason }))?;
    }
    let known = voter_ids(snapshot.as_ref().map(|(_, snapshot)| snapshot.membership.membership()));
    let known = if known.is_empty() { voter_ids(Some(&founding.voters)) } else { known };
    let vote = vote.map(|vote| vote::resolve(vote, &known));
    let covered = snapshot.as_ref().map(|(checkpoint, _)| checkpoint.last_log_id);
    let leadership = Leadership { leader: this, voters: known };
    let kraft_version = founding.kraft_version;
    let loaded = LogStore::load(fs.clone(), dir.clone(), log, vote, leadership, covered, kraft_version)
        .map_err(|error| unreadable(fs, &dir, error))?;
    let initial_state = InitialState { kraft_version: loaded.kraft_version, ..founding };
    let found = StoredState { loaded, snapshot, initial_state, first_records, torn_bytes, dir };
    check_vote(&found, vote, voters, this)?;
    Ok(found)
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

/// Checks that the vote is that of this log, and of a quorum of these voters.
fn check_vote(
    found: &StoredState,
    vote: Option<Vote>,
    voters: Option<Vec<i32>>,
    this: VoterId,
) -> Result<(), StartError> {
    let path = || found.dir.join(vote::FILE_NAME);
    let mut expected: Vec<i32> = voter_ids(Some(found.membership())).iter().map(|voter| voter.id).collect();
    expected.sort_unstable();
    // Once the log has the voters, the file need not be right.
    let others = voters.filter(|_| found.loaded.kraft_version == 0).filter(|voters| {
        let mut voters = voters.clone();
        voters.sort_unstable();
        voters != expected
    });
    if let Some(voters) = others {
        return Err(StartError::Vote(VoteError::OtherVoters { path: path(), node_id: this.id, voters }));
    }
    // To forget a vote, and with it the term, may split a cluster and confuses its log.
    let log_epoch = found.loaded.store.last().map_or(0, |last| last.leader_id.term);
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

/// The metadata log keeps what no snapshot stands for, and nothing else decides what goes.
fn log_config(config: &QuorumConfig) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_bytes,
        delete: false,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}
