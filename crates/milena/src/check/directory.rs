//! The files of a log directory beside its partitions.

use std::collections::BTreeMap;
use std::path::Path;

use storage::fs::Fs;
use storage::inspect::{self, base_offset_of};
use storage::{DirKind, TopicPartition};

use super::cluster::Cluster;
use super::finding::Finding;
use super::partition::{CheckpointOffsets, Partition};
use crate::failure::Failure;

const LEFT_BEHIND: &str = "Start removes it.";

/// Checks a log directory, and returns the partitions that are left to read.
pub(super) fn check(
    fs: &Fs,
    dir: &Path,
    cluster: &Cluster,
) -> Result<(Vec<Partition>, Vec<Finding>), Failure> {
    let entries = fs.list(dir).map_err(|error| Failure::new(error.to_string()))?;
    if entries.iter().any(|entry| base_offset_of(&entry.name, ".log").is_some()) {
        return Err(Failure::usage(format!("{} is the directory of a partition", dir.display()))
            .mend("Name the log directory that contains it."));
    }
    let mut findings = Vec::new();
    meta_properties(fs, dir, &mut findings);
    let checkpoints = Checkpoints::read(fs, dir, &mut findings);
    let was_clean = entries.iter().any(|entry| entry.name == ".kafka_cleanshutdown");
    let mut partitions = Vec::new();
    for entry in entries {
        let path = dir.join(&entry.name);
        if !entry.is_dir {
            if entry.name.ends_with(".tmp") {
                let mend = "The next one that is written replaces it.";
                findings.push(Finding::note(
                    &path,
                    "a temporary file that was never renamed into place",
                    mend,
                ));
            }
            continue;
        }
        let (what, mend) = match DirKind::of(&entry.name) {
            DirKind::Partition(name) => {
                let checkpointed = checkpoints.of(&name);
                let is_compacted =
                    checkpoints.cleaned.contains_key(&name) || cluster.is_compacted(&name.topic);
                findings.extend(cluster.replica_finding(fs, dir, &path, &name));
                partitions.push(Partition { path, was_clean, checkpointed, is_compacted });
                continue;
            }
            DirKind::Delete => ("a partition that was being deleted", LEFT_BEHIND),
            DirKind::Future => {
                ("a partition that was being moved here", "It is not read until the move is complete.")
            }
            DirKind::Stray => {
                ("a partition that the cluster did not know here", "Remove it once you are sure.")
            }
            DirKind::Other => continue,
        };
        findings.push(Finding::note(&path, what, mend));
    }
    findings.extend(cluster.missing(dir, |name| checkpoints.records_of(name)));
    Ok((partitions, findings))
}

fn meta_properties(fs: &Fs, dir: &Path, findings: &mut Vec<Finding>) {
    let path = dir.join("meta.properties");
    let mend = "Restore a copy, or write it with the cluster.id, node.id and directory.id of this node and version=1.";
    match inspect::read_meta_properties(fs, dir) {
        Ok(None) => findings.push(Finding::damage(&path, "the file is missing", mend)),
        Ok(Some(properties)) if properties.node_id.is_none() || properties.cluster_id.is_none() => {
            findings.push(Finding::damage(&path, "it does not name the cluster.id and the node.id", mend));
        }
        Ok(Some(_)) => {}
        Err(error) => findings.push(Finding::damage(&path, error.to_string(), mend)),
    }
}

/// The offsets in the checkpoint files of a log directory.
struct Checkpoints {
    recovery_points: BTreeMap<TopicPartition, i64>,
    log_start_offsets: BTreeMap<TopicPartition, i64>,
    high_watermarks: BTreeMap<TopicPartition, i64>,
    /// The offset up to which each compacted log is clean.
    cleaned: BTreeMap<TopicPartition, i64>,
}

impl Checkpoints {
    fn read(fs: &Fs, dir: &Path, findings: &mut Vec<Finding>) -> Checkpoints {
        let mut read = |file: &str, mend| {
            let path = dir.join(file);
            storage::read_offsets(fs, &path).unwrap_or_else(|error| {
                findings.push(Finding::damage(&path, error.to_string(), mend));
                BTreeMap::new()
            })
        };
        Checkpoints {
            high_watermarks: read(
                "replication-offset-checkpoint",
                "Start treats it as missing, and writes it again.",
            ),
            cleaned: read(
                "cleaner-offset-checkpoint",
                "Remove it: compaction then starts from the beginning of each log.",
            ),
            recovery_points: read(
                "recovery-point-offset-checkpoint",
                "Start treats it as missing. To have it verify every log from its beginning, remove .kafka_cleanshutdown.",
            ),
            log_start_offsets: read(
                "log-start-offset-checkpoint",
                "Restore a copy. Start treats it as missing: records that were deleted by DeleteRecords and are still in a \
                 segment reappear.",
            ),
        }
    }

    /// The offsets between which a partition had records, or `None` if it had none.
    fn records_of(&self, name: &TopicPartition) -> Option<(i64, i64)> {
        let of = |offsets: &BTreeMap<TopicPartition, i64>| offsets.get(name).copied().unwrap_or(0);
        let start = of(&self.log_start_offsets);
        let end = start.max(of(&self.recovery_points)).max(of(&self.high_watermarks));
        (end > 0).then_some((start, end))
    }

    fn of(&self, name: &TopicPartition) -> CheckpointOffsets {
        CheckpointOffsets {
            recovery_point: self.recovery_points.get(name).copied(),
            log_start_offset: self.log_start_offsets.get(name).copied(),
        }
    }
}
