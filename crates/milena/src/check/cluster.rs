//! The metadata, compared with the log directories.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use metadata::image::directories::is_directory;
use metadata::image::{FoundReplica, ReplicaStatus};
use metadata::quorum::{self, METADATA_TOPIC, Survey, VoteError};
use metadata::{ConfigResource, Partition, StartError};
use protocol::Uuid;
use storage::fs::Fs;
use storage::inspect;
use storage::{DirKind, TopicPartition};

use super::finding::Finding;

const ACCEPT: &str = "Put the directory back. Start keeps the partition offline until then, or until \
                      kafka-leader-election.sh --election-type unclean accepts the loss, or the topic is deleted.";

/// The metadata, if one of the directories has it, and the directories' ids.
pub(super) struct Cluster {
    survey: Option<Survey>,
    node_id: i32,
    /// The ids of the directories, by their paths.
    ids: Vec<(PathBuf, Uuid)>,
    /// The partitions that have a directory in any of them, or a future copy.
    present: BTreeSet<TopicPartition>,
}

/// The reason why a start rejects a metadata log.
fn refused(dir: &Path, error: &StartError) -> Finding {
    let path = dir.join(format!("{METADATA_TOPIC}-0"));
    let said = error.to_string();
    let said = said.trim_end_matches('.');
    let is_others = matches!(
        error,
        StartError::NotVoter { .. }
            | StartError::Foreign(_)
            | StartError::Vote(VoteError::OtherVoters { .. })
    );
    if is_others {
        Finding::note(&path, said, "It is whole; Kafka goes on from here, and start does not.")
    } else {
        Finding::damage(&path, said, "Start does not go on from here: restore the directory from a backup.")
    }
}

impl Cluster {
    /// Reads the metadata as a start does: the vote, the newest snapshot and the log after it.
    pub(super) fn of(fs: &Fs, dirs: &[PathBuf]) -> (Cluster, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut cluster = Cluster { survey: None, node_id: -1, ids: Vec::new(), present: BTreeSet::new() };
        for dir in dirs {
            match quorum::survey(fs, dir) {
                Ok(survey) => cluster.survey = survey.or(cluster.survey),
                // The check of the directory itself reports a bad meta.properties.
                Err(StartError::Directory(_)) => {}
                Err(error) => findings.push(refused(dir, &error)),
            }
            // The check of the directory itself reports a bad meta.properties.
            if let Ok(Some(properties)) = inspect::read_meta_properties(fs, dir) {
                cluster.node_id = properties.node_id.unwrap_or(cluster.node_id);
                cluster.ids.extend(properties.directory_id.map(|id| (dir.clone(), Uuid(id))));
            }
            for entry in fs.list(dir).unwrap_or_default().iter().filter(|entry| entry.is_dir) {
                let name = entry.name.strip_suffix("-future").and_then(|name| name.rsplit_once('.'));
                let name = name.map_or(&*entry.name, |(partition, _)| partition);
                if let DirKind::Partition(partition) = DirKind::of(name) {
                    cluster.present.insert(partition);
                }
            }
        }
        (cluster, findings)
    }

    fn id_of(&self, dir: &Path) -> Option<Uuid> {
        self.ids.iter().find(|(path, _)| path == dir).map(|(_, id)| *id)
    }

    /// Whether the settings of the topic or the broker have its logs compacted.
    pub(super) fn is_compacted(&self, topic: &str) -> bool {
        let Some(survey) = &self.survey else { return topic.starts_with("__") };
        let compacts = |resource: &ConfigResource, name: &str| {
            survey.image.configs(resource).get(name).is_some_and(|policy| policy.contains("compact"))
        };
        let brokers = [ConfigResource::broker(self.node_id), ConfigResource::all_brokers()];
        topic != METADATA_TOPIC
            && (topic.starts_with("__")
                || compacts(&ConfigResource::topic(topic), "cleanup.policy")
                || brokers.iter().any(|broker| compacts(broker, "log.cleanup.policy")))
    }

    /// Reports a partition whose directory does not agree with the metadata.
    pub(super) fn replica_finding(
        &self,
        fs: &Fs,
        dir: &Path,
        path: &Path,
        name: &TopicPartition,
    ) -> Option<Finding> {
        let (survey, directory) = (self.survey.as_ref()?, self.id_of(dir)?);
        if name.topic == METADATA_TOPIC {
            return None;
        }
        let topic_id = inspect::read_topic_id(fs, path).ok()?.map(Uuid);
        let found = FoundReplica { topic: &name.topic, partition: name.partition, topic_id, directory };
        match survey.image.replica_status(self.node_id, &found, &survey.removed_topics) {
            ReplicaStatus::Known => None,
            ReplicaStatus::Stray => {
                let what = "the cluster knows no partition of this topic id here";
                Some(Finding::note(path, what, "Start sets it aside."))
            }
            ReplicaStatus::OtherTopic { expected } => {
                let found = topic_id.unwrap_or_default();
                let what = format!("it has the topic id {found}, but the topic has {expected}");
                let mend = "Start keeps the partition offline. Remove the file if the records are this topic's; \
                            otherwise put the directory back.";
                Some(Finding::damage(&path.join("partition.metadata"), what, mend))
            }
        }
    }

    /// The partitions that the metadata assigns to a directory and that have none anywhere. `records_of`
    /// gives the offsets between which, according to the checkpoints, a partition had records.
    pub(super) fn missing(
        &self,
        dir: &Path,
        records_of: impl Fn(&TopicPartition) -> Option<(i64, i64)>,
    ) -> Vec<Finding> {
        let (Some(survey), Some(id)) = (&self.survey, self.id_of(dir)) else { return Vec::new() };
        let belongs = |partition: &Partition| {
            let assigned = partition.directory_of(self.node_id);
            assigned == id || (!is_directory(assigned) && self.ids.len() == 1)
        };
        let mut findings = Vec::new();
        for topic in survey.image.topics().iter() {
            for (number, _) in (0..).zip(&topic.partitions).filter(|(_, partition)| belongs(partition)) {
                let name = TopicPartition { topic: topic.name.to_string(), partition: number };
                if self.present.contains(&name) {
                    continue;
                }
                let path = dir.join(name.to_string());
                findings.push(match records_of(&name) {
                    Some((start, end)) => {
                        let what =
                            format!("it is missing, and the partition had records from {start} up to {end}");
                        Finding::damage(&path, what, ACCEPT)
                    }
                    None => {
                        let what = "it is missing, and no checkpoint mentions records in it";
                        Finding::note(&path, what, "Start creates it again, empty.")
                    }
                });
            }
        }
        findings
    }
}
