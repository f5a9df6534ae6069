//! The files of a partition's directory, and those that are not part of the log.

use std::collections::BTreeSet;

use record::{BATCH_OVERHEAD, BatchError};

use super::Truncation;
use super::open::OpenError;
use crate::directory::Offsets;
use crate::fs::{DirEntry, Mode};
use crate::names::{self, SegmentFile, offset_of};
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::scan::{Damage, DamageReason};
use crate::segment::PartitionDir;

/// A segment as its directory lists it.
pub(super) struct ListedSegment {
    pub(super) base_offset: i64,
    pub(super) size: u32,
    pub(super) has_indexes: bool,
    pub(super) has_txn_index: bool,
}

/// The files of a partition's directory.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) segments: Vec<ListedSegment>,
    pub(super) snapshots: BTreeSet<i64>,
}

impl Listing {
    /// Whether it holds a log to which nothing was written, or of which nothing is left.
    pub(super) fn is_void(&self) -> bool {
        let is_empty_first = |listed: &ListedSegment| listed.base_offset == 0 && listed.size == 0;
        self.segments.iter().all(is_empty_first) && self.snapshots.is_empty()
    }
}

/// Lists the directory, once leftovers are removed.
pub(super) fn list(partition: &PartitionDir) -> Result<Listing, OpenError> {
    let fs = &partition.directory.fs;
    let mut listing = Listing::default();
    let entries = fs.list(&partition.path())?;
    let has = |name: &str| entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).is_ok();
    let deleted_log = format!("{}{}", SegmentFile::Log.suffix(), names::DELETED_SUFFIX);
    if entries.iter().any(|entry| entry.name.ends_with(&deleted_log)) {
        // A process may have died while it truncated the log. If a loss of power brought the segment back, it would
        // overlap the batches appended to the one before it.
        fs.sync_dir(&partition.path())?;
    }
    for DirEntry { name, is_dir, len } in &entries {
        let path = partition.path().join(name);
        let is_deleted =
            name.ends_with(names::DELETED_SUFFIX) && !name.ends_with(names::CHECKPOINT_DELETED_SUFFIX);
        if *is_dir {
            continue;
        } else if is_deleted || name.ends_with(names::CLEANED_SUFFIX) || name.ends_with(".tmp") {
            fs.remove_file(&path)?;
        } else if let Some(offset) = offset_of(name, names::SNAPSHOT_SUFFIX) {
            listing.snapshots.insert(offset);
        } else if let Some(base_offset) = offset_of(name, SegmentFile::Log.suffix()) {
            let sibling = |kind: SegmentFile| has(&format!("{base_offset:020}{}", kind.suffix()));
            let has_indexes = sibling(SegmentFile::OffsetIndex) && sibling(SegmentFile::TimeIndex);
            let has_txn_index = sibling(SegmentFile::TxnIndex);
            let size = u32::try_from(*len).ok().filter(|size| *size <= i32::MAX as u32);
            let size = size.ok_or_else(|| {
                OpenError::Damaged(Damage {
                    path: path.clone(),
                    position: i32::MAX as u64,
                    reason: DamageReason::TooLong,
                })
            })?;
            listing.segments.push(ListedSegment { base_offset, size, has_indexes, has_txn_index });
        } else if is_orphan(name, has) {
            fs.remove_file(&path)?;
        }
    }
    Ok(listing)
}

/// Removes the segments wholly below the log start offset: a loss of power has brought them back,
/// perhaps without those that followed them.
pub(super) fn drop_below(
    partition: &PartitionDir,
    listing: &mut Listing,
    log_start_offset: i64,
) -> Result<(), OpenError> {
    let kept_from = listing.segments.partition_point(|listed| listed.base_offset <= log_start_offset);
    let dropped = kept_from.saturating_sub(1);
    if dropped > 0 {
        sync_snapshot(partition, listing.segments[dropped].base_offset)?;
    }
    for listed in listing.segments.drain(..dropped) {
        for kind in SegmentFile::ALL {
            let path = names::offset_path(&partition.path(), listed.base_offset, kind.suffix());
            partition.directory.fs.remove_file_if_exists(&path)?;
        }
    }
    Ok(())
}

/// Makes the producer snapshot at the new start of a log durable: the process that wrote it may have died before it
/// synced it, and once the batches before are gone nothing else has the producers.
fn sync_snapshot(partition: &PartitionDir, base_offset: i64) -> Result<(), OpenError> {
    let fs = &partition.directory.fs;
    let path = names::offset_path(&partition.path(), base_offset, names::SNAPSHOT_SUFFIX);
    if fs.exists(&path)? {
        fs.open(&path, Mode::Write)?.sync_data()?;
        fs.sync_dir(&partition.path())?;
    }
    Ok(())
}

/// Removes the producer snapshots if no segment is left: they are of a log that was being emptied, or of
/// which nothing was durable.
pub(super) fn drop_snapshots_of_nothing(
    partition: &PartitionDir,
    listing: &mut Listing,
) -> Result<(), OpenError> {
    if listing.segments.is_empty() {
        for offset in std::mem::take(&mut listing.snapshots) {
            let path = names::offset_path(&partition.path(), offset, names::SNAPSHOT_SUFFIX);
            partition.directory.fs.remove_file(&path)?;
        }
    }
    Ok(())
}

/// Removes all segments if the first ones of the log are lost: the first that is left starts above every
/// offset in the checkpoints. Deleting the segments before it, or starting the log there, first writes a
/// checkpoint, so nothing of the log was durable.
///
/// Kafka does not do this. But it writes a producer snapshot wherever it rolls a segment or restarts a log,
/// which can be told from one of ours.
pub(super) fn drop_without_start(
    partition: &PartitionDir,
    listing: &mut Listing,
    offsets: Offsets,
) -> Result<Option<Truncation>, OpenError> {
    let fs = &partition.directory.fs;
    let Some(first) = listing.segments.first().map(|listed| listed.base_offset) else { return Ok(None) };
    if first <= offsets.recovery_point.max(offsets.log_start_offset) {
        return Ok(None);
    }
    let path = names::offset_path(&partition.path(), first, names::SNAPSHOT_SUFFIX);
    match snapshot::read(fs, &path, first) {
        Ok(snapshot) if !snapshot.says_end => return Ok(None),
        Err(SnapshotError::Fs(error)) if !error.is_not_found() => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    let path = names::offset_path(&partition.path(), offsets.log_start_offset, SegmentFile::Log.suffix());
    if offsets.recovery_point > offsets.log_start_offset {
        let reason = DamageReason::Missing { durable_offset: offsets.recovery_point };
        return Err(OpenError::Damaged(Damage { path, position: 0, reason }));
    }
    let missing = BatchError::Truncated { have_bytes: 0, need_bytes: BATCH_OVERHEAD };
    let damage = Damage { path, position: 0, reason: DamageReason::Batch(missing) };
    tracing::warn!("log emptied, because its first segment is lost: {damage}");
    let bytes = listing.segments.iter().map(|listed| u64::from(listed.size)).sum();
    // From the end, so that after a crash in between the next start gets here again.
    for listed in listing.segments.drain(..).rev() {
        for kind in SegmentFile::ALL {
            let path = names::offset_path(&partition.path(), listed.base_offset, kind.suffix());
            fs.remove_file_if_exists(&path)?;
        }
    }
    // If a loss of power brought them back, they would overlap the batches that follow.
    fs.sync_dir(&partition.path())?;
    Ok(Some(Truncation { damage, bytes, batches_followed: bytes > 0, only_zeros: false }))
}

/// Whether a file is an index of a segment that has no log file.
fn is_orphan(name: &str, has: impl Fn(&str) -> bool) -> bool {
    let index = SegmentFile::ALL[1..].iter().find_map(|kind| offset_of(name, kind.suffix()));
    index.is_some_and(|offset| !has(&format!("{offset:020}{}", SegmentFile::Log.suffix())))
}
