//! Looking at a metadata log, whoever wrote it, without changing a byte.
//!
//! A survey opens the log by the code of a start, over an [overlay](Fs::overlay) that keeps the
//! changes in memory: what it reports is what a start would find, and what it rejects a start would.

use std::collections::BTreeSet;
use std::path::Path;

use protocol::Uuid;
use storage::fs::Fs;
use storage::{LogDirectory, OpenDirectory, OpenDirectoryError};

use super::METADATA_TOPIC;
use super::checkpoint::BOOTSTRAP_RECORDS;
use super::log_store::{Unreadable, voter_ids};
use super::raft::{EntryRecord, Payload, VoterId, offset};
use super::start::{self, Company, QuorumConfig, StartError, StoredState};
use crate::features::{self, METADATA_VERSION};
use crate::image::{Delta, Image, ResourceType};
use crate::level;
use crate::record::MetadataRecord;
use crate::replay::Replay;

/// Files of the metadata log that a survey has open at once.
const OPEN_FILES_MAX: usize = 16;

/// The contents of a metadata log.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The state that its whole records lead to, or that a formatted directory begins with.
    pub image: Image,
    /// The offset after its last record.
    pub end_offset: i64,
    /// `kraft.version`: 0 if the voters are in settings alone.
    pub kraft_version: i16,
    /// The voters of the quorum.
    pub voters: Vec<VoterId>,
    /// Bytes at its end that are no whole record: a crash left them, and opening truncates them.
    pub torn_bytes: u64,
    /// The ids of the topics that were removed since the snapshot.
    pub removed_topics: BTreeSet<Uuid>,
}

/// Reads the metadata log in the log directory `log_dir` as the node that its `meta.properties`
/// names; `None` if there is none, nor a formatted directory that will have one. Only reads.
///
/// # Errors
/// [`StartError`] as a start has it.
pub fn survey(fs: &Fs, log_dir: &Path) -> Result<Option<Survey>, StartError> {
    if !has_metadata(fs, log_dir).map_err(|error| StartError::Log(error.into()))? {
        return Ok(None);
    }
    let open = OpenDirectory { fs: fs.overlay(), path: log_dir.to_owned(), open_files_max: OPEN_FILES_MAX };
    let directory = LogDirectory::open(open).map_err(StartError::Directory)?;
    let properties = directory.meta_properties().map_err(OpenDirectoryError::Checkpoint);
    let properties = properties.map_err(StartError::Directory)?;
    let node_id = properties.as_ref().and_then(|found| found.node_id).unwrap_or_default();
    let directory_id = properties.and_then(|found| found.directory_id).map(Uuid).unwrap_or_default();
    survey_in(&QuorumConfig::of_node(node_id, directory_id), &directory).map(Some)
}

/// Whether a log directory has a metadata log, or was formatted to have one.
fn has_metadata(fs: &Fs, log_dir: &Path) -> storage::fs::Result<bool> {
    let log = log_dir.join(format!("{METADATA_TOPIC}-0"));
    Ok(fs.exists(&log)? || fs.exists(&log_dir.join(BOOTSTRAP_RECORDS))?)
}

/// Whether the log directory was formatted by Kafka, up to 4.3, and has its first records.
pub fn is_formatted(directory: &LogDirectory) -> bool {
    matches!(directory.fs().exists(&directory.path().join(BOOTSTRAP_RECORDS)), Ok(true))
}

/// Reads the metadata log in a directory that is open over an [overlay](Fs::overlay): it is changed
/// as a start would change it.
///
/// # Errors
/// [`StartError`] as a start has it.
pub fn survey_in(config: &QuorumConfig, directory: &LogDirectory) -> Result<Survey, StartError> {
    let this = config.voter();
    let found = start::find(config, directory, Company::Alone)?;
    found.check(this, Company::Alone)?;
    let end_offset = found.loaded.store.last().map_or(0, |last| offset(last.index) + 1);
    let kraft_version = found.kraft_version();
    let voters = voter_ids(Some(found.membership()));
    let torn_bytes = found.torn_bytes;
    let mut removed_topics = BTreeSet::new();
    let image = replay(found, directory, &mut removed_topics)?;
    Ok(Survey { image, end_offset, kraft_version, voters, torn_bytes, removed_topics })
}

/// The state that a start would come to. The topics that are removed on the way are added to `removed`.
fn replay(
    found: StoredState,
    directory: &LogDirectory,
    removed: &mut BTreeSet<Uuid>,
) -> Result<Image, StartError> {
    let mut replay =
        found.snapshot.map(|(_, snapshot)| Replay::from_image(snapshot.image)).unwrap_or_default();
    let dir = directory.path().join(format!("{METADATA_TOPIC}-0"));
    for entry in found.loaded.store.loaded_entries() {
        let at = offset(entry.log_id.index);
        let Payload::Normal(EntryRecord { record, .. }) = entry.payload else {
            replay.skip(at);
            continue;
        };
        let name = record.name();
        if let MetadataRecord::RemoveTopic(topic) = &record {
            removed.insert(topic.topic_id);
        }
        replay.record(at, record).map_err(|error| {
            let unreadable = Unreadable { offset: at, reason: format!("{name}: {error}") };
            start::unreadable(directory.fs(), &dir, unreadable)
        })?;
    }
    let mut image = replay.image().clone();
    if image.feature_level(METADATA_VERSION) == 0 {
        let applied = found.first_records.into_iter().try_for_each(|record| {
            // They are those of an empty cluster: what contradicts them is older than any level.
            image.apply(record, &mut Delta::default())
        });
        applied.map_err(|error| StartError::Foreign(error.to_string()))?;
    }
    Ok(image)
}

impl Survey {
    /// Why node `node_id` with so many directories in `log.dirs` cannot go on from here: one sentence
    /// each, none if it can.
    pub fn refusals(&self, node_id: i32, log_dirs: usize) -> Vec<String> {
        let mut refusals = refused_features(&self.image);
        let level = level::of(&self.image);
        if log_dirs > 1 && !level::has_directories(level) {
            refusals.push(format!(
                "metadata.version is {}, which does not support several log directories: raise it in Kafka, \
                 or use one directory",
                level::named(level)
            ));
        }
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

    /// The number of each kind of thing that is kept for Kafka without effect.
    pub fn not_acted_on(&self) -> Vec<(&'static str, usize)> {
        let mut kept = self.image.kept_counts();
        kept.retain(|(_, count)| *count > 0);
        kept
    }
}

fn refused_features(image: &Image) -> Vec<String> {
    let refused = image.features().filter_map(|(name, level)| {
        let Some(known) = features::known(name) else {
            return Some(format!("the feature {name} (at level {level}) is unknown"));
        };
        let shown =
            |level: i16| if &**name == METADATA_VERSION { level::named(level) } else { level.to_string() };
        if known.contains(&level) {
            return None;
        }
        let (earliest, latest) = (shown(*known.start()), shown(*known.end()));
        Some(format!("{name} is {}, but only {earliest} to {latest} are supported", shown(level)))
    });
    refused.collect()
}
