//! Snapshots of the metadata: files `<end offset>-<epoch>.checkpoint` in Kafka's format.
//!
//! A snapshot is a run of record batches: a control batch with a header, the quorum's protocol and
//! its voters; the records that lead to the state; a control batch with a footer. It is written
//! under another name, synced, renamed, and the directory synced, so that a file with the name of
//! a snapshot is a whole one. One that cannot be read is told of and left alone: it may be the only
//! copy of the state.

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::EncodeError;
use protocol::records::{SnapshotFooterRecord, SnapshotHeaderRecord};
use record::control::{self, ControlType};
use record::{Batch, BatchBuilder, Compression};
use storage::fs::{self, Fs};

use super::batches::{self, BatchFault};
use super::raft::{EntryRecord, LogId, Membership, Payload, StoredMembership, epoch, log_id, offset};
use crate::features::METADATA_VERSION;
use crate::image::{Delta, Image};
use crate::level;
use crate::record::MetadataRecord;
use crate::traps::{self, Trap};

const SUFFIX: &str = ".checkpoint";

/// The bytes that a batch of a snapshot gathers before the next one begins.
const BATCH_BYTES: usize = 256 * 1024;

/// The contents of a snapshot.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// The last entry whose effect is in it.
    pub(super) last_log_id: LogId,
    /// The time of that entry, in ms since the epoch.
    pub(super) last_timestamp_ms: i64,
    /// Without voters if the quorum's protocol is the one that has none in its log.
    pub(super) membership: StoredMembership,
    /// The protocol of the quorum (`kraft.version`).
    pub(super) kraft_version: i16,
    pub(super) image: Image,
}

/// The result of `kafka-storage format` for the first start.
#[derive(Clone, Debug, Default)]
pub(super) struct Bootstrap {
    /// Without voters if they are in settings alone.
    pub(super) membership: Membership,
    pub(super) kraft_version: i16,
    /// The first records of the metadata log: feature levels, SCRAM credentials.
    pub(super) records: Vec<MetadataRecord>,
}

/// The file of the voters in the directory of the metadata log; from Kafka 4.4 on of all of [`Bootstrap`].
const BOOTSTRAP_SNAPSHOT: &str = "00000000000000000000-0000000000.checkpoint";

/// The file of the records in the log directory, up to Kafka 4.3.
pub(super) const BOOTSTRAP_RECORDS: &str = "bootstrap.checkpoint";

/// A snapshot on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) path: PathBuf,
    pub(super) last_log_id: LogId,
    pub(super) size_bytes: u64,
}

/// Why a snapshot cannot be used.
#[derive(Debug)]
pub enum CheckpointError {
    /// A file operation failed.
    Fs(fs::Error),
    /// A text is longer than the format allows.
    Encode(EncodeError),
    /// The file is damaged. It is left as it is.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The position in it, in bytes.
        position: u64,
        /// The fault.
        reason: String,
    },
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(error) => error.fmt(f),
            Self::Encode(error) => write!(f, "a record does not fit a snapshot: {error}"),
            Self::Damaged { path, position, reason } => write!(
                f,
                "the snapshot {} is damaged at byte {position}: {reason}. Restore it from a backup; nothing \
                 was changed or deleted.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<fs::Error> for CheckpointError {
    fn from(error: fs::Error) -> Self {
        Self::Fs(error)
    }
}

impl From<EncodeError> for CheckpointError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// The snapshots in `dir`, the oldest first.
pub(super) fn list(fs: &Fs, dir: &Path) -> fs::Result<Vec<Checkpoint>> {
    let mut checkpoints: Vec<Checkpoint> = fs
        .list(dir)?
        .into_iter()
        .filter_map(|entry| {
            let last_log_id = parse_name(&entry.name)?;
            Some(Checkpoint { path: dir.join(&entry.name), last_log_id, size_bytes: entry.len })
        })
        .collect();
    checkpoints.sort_by_key(|checkpoint| checkpoint.last_log_id);
    Ok(checkpoints)
}

/// `00000000000000000123-0000000004.checkpoint` is the state before offset 123, in epoch 4.
fn parse_name(name: &str) -> Option<LogId> {
    let (end_offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    if end_offset.len() != 20 || epoch.len() != 10 {
        return None;
    }
    let (end_offset, epoch): (i64, i32) = (end_offset.parse().ok()?, epoch.parse().ok()?);
    (end_offset > 0 && epoch >= 0).then(|| log_id(epoch, end_offset - 1))
}

pub(super) fn name(last: &LogId) -> String {
    format!("{:020}-{:010}{SUFFIX}", offset(last.index) + 1, epoch(last.leader_id.term))
}

/// Writes a snapshot to `dir`. When this returns it is durable.
pub(super) fn write(fs: &Fs, dir: &Path, snapshot: &Snapshot) -> Result<Checkpoint, CheckpointError> {
    let path = dir.join(name(&snapshot.last_log_id));
    let partial = dir.join(format!("{}.part", name(&snapshot.last_log_id)));
    let size_bytes = write_to(fs, &partial, snapshot).inspect_err(|_| {
        // Half of it would take room that a full disk lacks.
        let _ = fs.remove_file_if_exists(&partial);
    })?;
    fs.rename(&partial, &path)?;
    fs.sync_dir(dir)?;
    Ok(Checkpoint { path, last_log_id: snapshot.last_log_id, size_bytes })
}

/// Writes a snapshot to a file, durable but for its name; gives its size.
fn write_to(fs: &Fs, path: &Path, snapshot: &Snapshot) -> Result<u64, CheckpointError> {
    let file = fs.open(path, fs::Mode::CreateEmpty)?;
    let mut position = 0;
    let mut out = Out { epoch: epoch(snapshot.last_log_id.leader_id.term), next_offset: 0 };
    let mut put = |batch: Vec<u8>| -> Result<(), CheckpointError> {
        file.write_all_at(&batch, position)?;
        position += batch.len() as u64;
        Ok(())
    };
    put(out.head(snapshot)?)?;
    let mut builder = BatchBuilder::new(Compression::None);
    let level = level::of(&snapshot.image);
    for record in snapshot.image.records().filter_map(|record| level::express(record, level)) {
        let version = record.version_at(level).expect("the level expresses it");
        builder.push(snapshot.last_timestamp_ms, None, Some(&record.encode(version)?), &[]);
        if builder.size_bytes() >= BATCH_BYTES {
            put(out.finish(std::mem::replace(&mut builder, BatchBuilder::new(Compression::None))))?;
        }
    }
    if !builder.is_empty() {
        put(out.finish(builder))?;
    }
    put(out.foot(snapshot)?)?;
    if !traps::is_on(Trap::SnapshotUnsynced) {
        file.sync_data()?;
    }
    Ok(position)
}

/// Gives a snapshot that was received, and is durable under another name, its own in `dir`. When this returns that is
/// durable.
pub(super) fn adopt(fs: &Fs, dir: &Path, received: &Checkpoint) -> fs::Result<Checkpoint> {
    let path = dir.join(name(&received.last_log_id));
    fs.rename(&received.path, &path)?;
    fs.sync_dir(dir)?;
    Ok(Checkpoint { path, ..received.clone() })
}

/// Writes a snapshot to `dir`, and removes those before it once it is durable.
pub(super) fn replace(fs: &Fs, dir: &Path, snapshot: &Snapshot) -> Result<Checkpoint, CheckpointError> {
    let written = write(fs, dir, snapshot)?;
    remove_older(fs, dir, &written)?;
    Ok(written)
}

/// Gives batches their place in the snapshot.
struct Out {
    epoch: i32,
    next_offset: i64,
}

impl Out {
    fn finish(&mut self, builder: BatchBuilder) -> Vec<u8> {
        let base_offset = self.next_offset;
        self.next_offset += i64::from(builder.records_count());
        builder.base_offset(base_offset).partition_leader_epoch(self.epoch).build()
    }

    fn head(&mut self, snapshot: &Snapshot) -> Result<Vec<u8>, EncodeError> {
        let header = SnapshotHeaderRecord {
            last_contained_log_timestamp: snapshot.last_timestamp_ms,
            ..SnapshotHeaderRecord::default()
        };
        let time = snapshot.last_timestamp_ms;
        let mut builder =
            control::batch(ControlType::SnapshotHeader, &batches::control_value(&header)?, time);
        // Before version 1 the voters stand in the settings alone.
        if snapshot.kraft_version > 0 {
            control::push(&mut builder, ControlType::KRaftVersion, &batches::kraft_version()?, time);
            let voters = batches::voters(snapshot.membership.membership())?;
            control::push(&mut builder, ControlType::KRaftVoters, &voters, time);
        }
        Ok(self.finish(builder))
    }

    fn foot(&mut self, snapshot: &Snapshot) -> Result<Vec<u8>, EncodeError> {
        let footer = batches::control_value(&SnapshotFooterRecord::default())?;
        let time = snapshot.last_timestamp_ms;
        Ok(self.finish(control::batch(ControlType::SnapshotFooter, &footer, time)))
    }
}

/// Reads a snapshot.
pub(super) fn read(fs: &Fs, checkpoint: &Checkpoint) -> Result<Snapshot, CheckpointError> {
    let (reading, position) = read_batches(fs, checkpoint)?;
    let whole = reading.finish(checkpoint.last_log_id);
    whole.map_err(|reason| damaged(checkpoint, position, reason))
}

/// Reads what formatting the log directory `log_dir` left, whose metadata log is in `dir`; `None` if
/// nothing did.
pub(super) fn read_bootstrap(
    fs: &Fs,
    log_dir: &Path,
    dir: &Path,
) -> Result<Option<Bootstrap>, CheckpointError> {
    let snapshot = read_bootstrap_file(fs, dir.join(BOOTSTRAP_SNAPSHOT))?;
    if snapshot.as_ref().is_some_and(|snapshot| !snapshot.records.is_empty()) {
        return Ok(snapshot);
    }
    let records = read_bootstrap_file(fs, log_dir.join(BOOTSTRAP_RECORDS))?;
    Ok(match (snapshot, records) {
        (Some(snapshot), Some(Bootstrap { records, .. })) => Some(Bootstrap { records, ..snapshot }),
        (snapshot, records) => snapshot.or(records),
    })
}

fn read_bootstrap_file(fs: &Fs, path: PathBuf) -> Result<Option<Bootstrap>, CheckpointError> {
    if !fs.exists(&path)? {
        return Ok(None);
    }
    let checkpoint = Checkpoint { path, last_log_id: log_id(0, 0), size_bytes: 0 };
    let (reading, position) = read_batches(fs, &checkpoint)?;
    let kraft_version = reading.kraft_version;
    let damaged = |reason| damaged(&checkpoint, position, reason);
    let snapshot = reading.finish(log_id(0, 0)).map_err(damaged)?;
    let records: Vec<_> = snapshot.image.records().collect();
    if !records.is_empty() && snapshot.image.feature_level(METADATA_VERSION) == 0 {
        return Err(damaged("it sets no metadata.version".to_owned()));
    }
    Ok(Some(Bootstrap { membership: snapshot.membership.membership().clone(), kraft_version, records }))
}

fn read_batches(fs: &Fs, checkpoint: &Checkpoint) -> Result<(PartialSnapshot, usize), CheckpointError> {
    let bytes = fs.read(&checkpoint.path)?;
    let mut reading = PartialSnapshot::default();
    let (mut position, mut next_offset) = (0, 0);
    let epoch = epoch(checkpoint.last_log_id.leader_id.term);
    while position < bytes.len() {
        let batch = Batch::parse(&bytes[position..]).map_err(BatchFault::Batch);
        let len = batch.and_then(|batch| {
            reading.batch(&batch)?;
            Ok((batch.bytes().len(), *batch.header()))
        });
        match len {
            Ok((len, header)) => {
                // The checksum does not cover a batch's place.
                let is_next = header.base_offset == next_offset && header.partition_leader_epoch == epoch;
                if !is_next {
                    return Err(damaged(checkpoint, position, "a batch is out of place".to_owned()));
                }
                next_offset = header.next_offset();
                position += len;
            }
            Err(fault) => return Err(damaged(checkpoint, position, fault.to_string())),
        }
    }
    Ok((reading, position))
}

fn damaged(checkpoint: &Checkpoint, position: usize, reason: String) -> CheckpointError {
    CheckpointError::Damaged { path: checkpoint.path.clone(), position: position as u64, reason }
}

/// The part of a snapshot that has been read.
#[derive(Default)]
struct PartialSnapshot {
    image: Image,
    membership: Option<Membership>,
    kraft_version: i16,
    timestamp_ms: i64,
    head: bool,
    foot: bool,
    contradiction: Option<String>,
}

impl PartialSnapshot {
    fn batch(&mut self, batch: &Batch<'_>) -> Result<(), BatchFault> {
        if !self.head {
            self.timestamp_ms = batch.header().base_timestamp;
        }
        let is_control = batch.header().attributes.is_control();
        for entry in batches::decode(batch)? {
            match entry.payload {
                Payload::Normal(EntryRecord { record, .. }) => {
                    if let Err(error) = self.image.apply(record, &mut Delta::default()) {
                        self.contradiction.get_or_insert(error.to_string());
                    }
                }
                Payload::Membership(membership) => self.membership = Some(membership),
                Payload::Blank => {}
            }
        }
        if is_control {
            self.kraft_version = batches::kraft_version_in(batch)?.unwrap_or(self.kraft_version);
            for record in batch.records() {
                match ControlType::of(&record?).map_err(BatchFault::Control)? {
                    Some(ControlType::SnapshotHeader) => self.head = true,
                    Some(ControlType::SnapshotFooter) => self.foot = true,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn finish(self, last_log_id: LogId) -> Result<Snapshot, String> {
        if let Some(contradiction) = self.contradiction {
            return Err(contradiction);
        }
        if !self.head || !self.foot {
            return Err("its beginning or its end is missing".to_owned());
        }
        let membership = match self.membership {
            Some(membership) => membership,
            None if self.kraft_version == 0 => Membership::default(),
            None => return Err("it names no voters".to_owned()),
        };
        let mut image = self.image;
        image.advance_to(offset(last_log_id.index));
        Ok(Snapshot {
            last_log_id,
            last_timestamp_ms: self.timestamp_ms,
            // Which entry set the voters is not in the file. It is one of those that the snapshot
            // covers, and none of those will be looked at again.
            membership: StoredMembership::new(Some(last_log_id), membership),
            kraft_version: self.kraft_version,
            image,
        })
    }
}

/// Removes the snapshots in `dir` that are older than `newest`, and what an interrupted one left.
pub(super) fn remove_older(fs: &Fs, dir: &Path, newest: &Checkpoint) -> fs::Result<()> {
    for checkpoint in list(fs, dir)? {
        if checkpoint.last_log_id < newest.last_log_id {
            fs.remove_file_if_exists(&checkpoint.path)?;
        }
    }
    for entry in fs.list(dir)? {
        if entry.name.ends_with(".checkpoint.part") {
            fs.remove_file_if_exists(&dir.join(&entry.name))?;
        }
    }
    Ok(())
}
