//! Looking at a metadata log, whoever wrote it, without changing a byte.

use std::fmt;
use std::path::{Path, PathBuf};

use record::BatchError;
use storage::fs::{self, Fs};

use super::METADATA_TOPIC;
use super::batches::{self, BatchFault, KRAFT_VERSION};
use super::checkpoint::{self, CheckpointError};
use super::raft::{Payload, offset};
use super::vote::{self, VoteError};
use crate::features::{METADATA_VERSION, METADATA_VERSION_LATEST};
use crate::image::{Image, ResourceType};
use crate::replay::Replay;

/// What a broker that stops cleanly leaves in a log directory.
const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";

/// Features beside `metadata.version` whose levels are kept for Kafka 4.3, and the latest level
/// that is known of each.
const KEPT_FEATURES: [(&str, i16); 5] = [
    ("eligible.leader.replicas.version", 1),
    ("group.version", 1),
    ("share.version", 1),
    ("streams.version", 1),
    ("transaction.version", 2),
];

/// What a metadata log holds.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The state that its whole records lead to.
    pub image: Image,
    /// The offset after its last record.
    pub end_offset: i64,
    /// `kraft.version`: 0 where the voters stand in settings alone.
    pub kraft_version: i16,
    /// The numbers of the voters that the log names.
    pub voters: Vec<i32>,
    /// Bytes at its end that are no whole record: a crash left them, and opening cuts them.
    pub torn_bytes: u64,
}

/// Why a metadata log cannot be looked at.
#[derive(Debug)]
pub enum SurveyError {
    /// A file operation failed.
    Fs(fs::Error),
    /// A snapshot cannot be used.
    Checkpoint(CheckpointError),
    /// The vote cannot be read.
    Vote(VoteError),
    /// A place in the log cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        position: u64,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for SurveyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(error) => error.fmt(f),
            Self::Checkpoint(error) => error.fmt(f),
            Self::Vote(error) => error.fmt(f),
            Self::Unreadable { path, position, reason } => {
                write!(f, "{} cannot be read at byte {position}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for SurveyError {}

impl From<fs::Error> for SurveyError {
    fn from(error: fs::Error) -> Self {
        Self::Fs(error)
    }
}

impl From<CheckpointError> for SurveyError {
    fn from(error: CheckpointError) -> Self {
        Self::Checkpoint(error)
    }
}

/// Reads the metadata log in the log directory `log_dir`; `None` where there is none. Only reads.
///
/// # Errors
/// [`SurveyError`].
pub fn survey(log_dir: &Path) -> Result<Option<Survey>, SurveyError> {
    let fs = &Fs::real();
    let dir = log_dir.join(format!("{METADATA_TOPIC}-0"));
    if !fs.exists(&dir)? {
        return Ok(None);
    }
    let vote = vote::read(fs, &dir).map_err(SurveyError::Vote)?;
    let mut reading = Reading::default();
    if let Some(newest) = checkpoint::list(fs, &dir)?.pop() {
        let snapshot = checkpoint::read(fs, &newest)?;
        reading.next = offset(newest.last_log_id.index) + 1;
        reading.epoch = newest.last_log_id.leader_id.term;
        reading.kraft_version = snapshot.kraft_version;
        reading.voters = snapshot.membership.membership().voter_ids().map(|voter| voter.id).collect();
        reading.replay = Replay::from_image(snapshot.image);
    } else if let Some(bootstrap) = checkpoint::read_bootstrap(fs, &dir)? {
        reading.kraft_version = bootstrap.kraft_version;
        reading.voters = bootstrap.membership.voter_ids().map(|voter| voter.id).collect();
    }
    let is_segment = |name: &str| name.len() == 24 && name.ends_with(".log");
    let mut segments: Vec<String> = fs.list(&dir)?.into_iter().map(|entry| entry.name).collect();
    segments.retain(|name| is_segment(name));
    segments.sort();
    // After a clean stop nothing is torn: what does not fit is damage, and a start refuses it.
    let may_be_torn = !fs.exists(&log_dir.join(CLEAN_SHUTDOWN_FILE))?;
    for (number, name) in segments.iter().enumerate() {
        let is_last = number + 1 == segments.len();
        reading.segment(fs, &dir.join(name), is_last && may_be_torn)?;
    }
    if reading.epoch > vote.map_or(0, |vote| vote.leader_id.term) {
        let (path, log_epoch) = (dir.join(vote::FILE_NAME), reading.epoch);
        return Err(SurveyError::Vote(VoteError::Behind { path, log_epoch }));
    }
    Ok(Some(Survey {
        image: reading.replay.image().clone(),
        end_offset: reading.next,
        kraft_version: reading.kraft_version,
        voters: reading.voters,
        torn_bytes: reading.torn_bytes,
    }))
}

#[derive(Default)]
struct Reading {
    replay: Replay,
    next: i64,
    kraft_version: i16,
    voters: Vec<i32>,
    torn_bytes: u64,
    /// The leader epoch of the last record.
    epoch: u64,
}

impl Reading {
    fn segment(&mut self, fs: &Fs, path: &Path, may_be_torn: bool) -> Result<(), SurveyError> {
        let bytes = fs.read(path)?;
        let mut position = 0;
        for batch in record::batches(&bytes) {
            let verified = batch.and_then(|batch| batch.verify_crc().map(|()| batch));
            let outcome = match verified {
                Ok(batch) => {
                    let read = self.batch(&batch);
                    read.map(|()| batch.bytes().len())
                }
                // What a crash tears is the end.
                Err(BatchError::Truncated { .. } | BatchError::Crc { .. } | BatchError::Length(_))
                    if may_be_torn =>
                {
                    break;
                }
                Err(error) => Err(error.to_string()),
            };
            position += outcome.map_err(|reason| SurveyError::Unreadable {
                path: path.to_owned(),
                position: position as u64,
                reason,
            })?;
        }
        self.torn_bytes += (bytes.len() - position) as u64;
        Ok(())
    }

    fn batch(&mut self, batch: &record::Batch<'_>) -> Result<(), String> {
        let fault = |fault: BatchFault| fault.to_string();
        if batch.header().last_offset() < self.next {
            return Ok(());
        }
        if let Some(level) = batches::kraft_version_in(batch).map_err(fault)? {
            self.kraft_version = level;
        }
        for entry in batches::decode(batch).map_err(fault)? {
            let at = offset(entry.log_id.index);
            if at < self.next {
                continue;
            }
            if at > self.next {
                return Err(format!("the records from {} to {at} are missing", self.next));
            }
            match entry.payload {
                Payload::Normal(record) => {
                    let name = record.name();
                    let read = self.replay.record(at, record);
                    read.map_err(|error| format!("{name} at offset {at}: {error}"))?;
                }
                Payload::Membership(membership) => {
                    self.voters = membership.voter_ids().map(|voter| voter.id).collect();
                }
                Payload::Blank => {}
            }
            self.next = at + 1;
            self.epoch = entry.log_id.leader_id.term;
        }
        Ok(())
    }
}

impl Survey {
    /// Why node `node_id` cannot go on from here: one sentence each, none where it can.
    pub fn refusals(&self, node_id: i32) -> Vec<String> {
        let mut refusals = Vec::new();
        if !(0..=KRAFT_VERSION).contains(&self.kraft_version) {
            refusals.push(format!(
                "kraft.version is {}, and {KRAFT_VERSION} is the latest that is known",
                self.kraft_version
            ));
        }
        if self.voters.iter().any(|voter| *voter != node_id) {
            let voters: Vec<String> = self.voters.iter().map(ToString::to_string).collect();
            refusals.push(format!(
                "the voters of the metadata quorum are {}, and it is opened only where node {node_id} is the only one",
                voters.join(", ")
            ));
        }
        refusals.extend(refused_features(&self.image));
        for broker in self.image.brokers().keys().filter(|broker| **broker != node_id) {
            refusals.push(format!("broker {broker} is registered as well: unregister it in Kafka first"));
        }
        for (resource, configs) in self.image.all_configs() {
            let remote = configs.get("remote.storage.enable").is_some_and(|value| value == "true");
            if resource.resource_type == ResourceType::Topic && remote {
                let name = &resource.name;
                refusals
                    .push(format!("topic {name} has remote.storage.enable: its segments may be elsewhere"));
            }
        }
        for topic in self.image.topics().iter() {
            let elsewhere = topic.partitions.iter().filter(|it| !it.replicas.contains(&node_id)).count();
            if elsewhere > 0 {
                refusals.push(format!("{elsewhere} partitions of topic {} are on other nodes", topic.name));
            }
        }
        refusals
    }

    /// What is kept for Kafka and not acted on: how many of each.
    pub fn not_acted_on(&self) -> Vec<(&'static str, usize)> {
        let mut kept = self.image.kept_counts();
        kept.retain(|(_, count)| *count > 0);
        kept
    }
}

fn refused_features(image: &Image) -> Vec<String> {
    let refused = image.features().filter_map(|(name, level)| {
        let known = match &**name {
            METADATA_VERSION => Some(METADATA_VERSION_LATEST),
            other => KEPT_FEATURES.iter().find(|(kept, _)| *kept == other).map(|(_, level)| *level),
        };
        match known {
            Some(latest) if level <= latest => None,
            Some(latest) => Some(format!("{name} is {level}, and {latest} is the latest that is known")),
            None => Some(format!("the feature {name} (at level {level}) is not known")),
        }
    });
    refused.collect()
}
