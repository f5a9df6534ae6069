//! The files of one partition.

use std::path::{Path, PathBuf};

use storage::fs::{DirEntry, Fs};
use storage::inspect::{self, FileKind, base_offset_of};

use super::finding::Finding;
use super::segment::{self, Segment};

/// A partition to read.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) path: PathBuf,
    /// Whether the log directory was shut down cleanly.
    pub(super) was_clean: bool,
    pub(super) checkpointed: CheckpointOffsets,
    /// Whether compaction may have removed records from the ends of segments.
    pub(super) is_compacted: bool,
}

/// The partition's offsets in the checkpoint files of the log directory.
#[derive(Debug)]
pub(super) struct CheckpointOffsets {
    /// The offset below which everything is durable.
    pub(super) recovery_point: Option<i64>,
    pub(super) log_start_offset: Option<i64>,
}

/// Reads all files of a partition.
pub(super) fn check(fs: &Fs, partition: &Partition) -> Vec<Finding> {
    let entries = match fs.list(&partition.path) {
        Ok(entries) => entries,
        Err(error) => return vec![Finding::unreadable(&partition.path, &error)],
    };
    let mut findings = Vec::new();
    let end_offset = segments(fs, partition, &entries, &mut findings);
    if let Some(end_offset) = end_offset {
        offsets(partition, end_offset, &mut findings);
    }
    texts(fs, partition, end_offset, &mut findings);
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        let path = partition.path.join(&entry.name);
        let is_left = |suffix: &&str| entry.name.ends_with(*suffix);
        if [".deleted", ".cleaned", ".swap", ".part", ".tmp"].iter().any(is_left) {
            let what = "a file that was being written, replaced or removed";
            findings.push(Finding::note(&path, what, "Start completes or removes it."));
        } else if FileKind::of(&entry.name) == Some(FileKind::ProducerSnapshot) {
            producers(fs, &path, &mut findings);
        } else if entry.name.ends_with(".checkpoint") {
            segment::metadata_snapshot(fs, &path, &mut findings);
        }
    }
    findings
}

/// Reads the segments, and returns the offset after the last record, or `None` if there are none.
fn segments(
    fs: &Fs,
    partition: &Partition,
    entries: &[DirEntry],
    findings: &mut Vec<Finding>,
) -> Option<i64> {
    let base_offsets: Vec<i64> =
        entries.iter().filter_map(|entry| base_offset_of(&entry.name, ".log")).collect();
    let mut end_offset = *base_offsets.first()?;
    let (mut gaps, mut has_holes, mut is_whole) = (Vec::new(), partition.is_compacted, true);
    for (n, &base_offset) in base_offsets.iter().enumerate() {
        let path = partition.path.join(format!("{base_offset:020}.log"));
        if base_offset < end_offset {
            let what = format!("the segment before it goes on to offset {end_offset}");
            findings.push(Finding::damage(&path, what, segment::MEND_LOG));
        }
        let log_start_offset = partition.checkpointed.log_start_offset.unwrap_or(0);
        if base_offset > end_offset.max(log_start_offset) && is_whole {
            let what = format!(
                "the segment before it ends at offset {end_offset}: the records from there up to {base_offset} may have \
                 been lost"
            );
            gaps.push(Finding::damage(&path, what, segment::MEND_LOG));
        }
        let durable_offset = partition.checkpointed.recovery_point.unwrap_or(0);
        let may_be_torn_from = (!partition.was_clean).then_some(durable_offset);
        let is_last = n + 1 == base_offsets.len();
        let segment = Segment { path, base_offset, may_be_torn_from, is_last };
        match segment::check(fs, &segment, findings) {
            Ok(end) => {
                (end_offset, is_whole) = (end.next_offset, end.is_whole);
                has_holes |= end.has_holes;
            }
            Err(error) => {
                is_whole = false;
                findings.push(Finding::unreadable(&segment.path, &error));
            }
        }
    }
    // Compaction leaves gaps between segments as it does within them.
    if !has_holes {
        findings.append(&mut gaps);
    }
    Some(end_offset)
}

/// Compares the end of the log with the checkpoints. After a crash, start deletes the records below a log
/// start offset that is above the end, as Kafka does; records that were appended from there on may be lost.
fn offsets(partition: &Partition, end_offset: i64, findings: &mut Vec<Finding>) {
    let CheckpointOffsets { recovery_point, log_start_offset } = partition.checkpointed;
    let offsets = [
        ("recovery-point-offset-checkpoint", "recovery point", recovery_point),
        ("log-start-offset-checkpoint", "log start offset", log_start_offset),
    ];
    for (file, name, offset) in offsets {
        if let Some(offset) = offset.filter(|offset| *offset < 0 || *offset > end_offset) {
            let what = format!("its {name} in {file} is {offset}, and its log ends at {end_offset}");
            findings.push(Finding::damage(&partition.path, what, segment::MEND_LOG));
        }
    }
}

fn texts(fs: &Fs, partition: &Partition, end_offset: Option<i64>, findings: &mut Vec<Finding>) {
    let path = partition.path.join("leader-epoch-checkpoint");
    let mend = "Start rebuilds a file that cannot be parsed from the log; otherwise restore a copy.";
    match inspect::read_leader_epochs(fs, &path) {
        Ok(epochs) => {
            let rise = epochs
                .windows(2)
                .all(|pair| pair[0].epoch < pair[1].epoch && pair[0].start_offset <= pair[1].start_offset);
            let last = epochs.last().map_or(0, |entry| entry.start_offset);
            if !rise {
                findings.push(Finding::damage(&path, "its epochs do not increase", mend));
            } else if partition.was_clean && end_offset.is_some_and(|end_offset| last > end_offset) {
                let what = format!("its last epoch starts at offset {last}, after the end of the log");
                findings.push(Finding::damage(&path, what, mend));
            }
        }
        Err(error) => findings.push(Finding::damage(&path, error.to_string(), mend)),
    }
    if let Err(error) = inspect::read_topic_id(fs, &partition.path) {
        let mend = "Remove it: start writes it again with the topic's id.";
        findings.push(Finding::damage(&partition.path.join("partition.metadata"), error.to_string(), mend));
    }
}

fn producers(fs: &Fs, path: &Path, findings: &mut Vec<Finding>) {
    match inspect::read_producers(fs, path) {
        Ok(Ok(_)) => {}
        Ok(Err(reason)) => {
            let mend = "Remove it: start uses an older one, or reads the log.";
            findings.push(Finding::damage(path, reason, mend));
        }
        Err(error) => findings.push(Finding::unreadable(path, &error)),
    }
}
