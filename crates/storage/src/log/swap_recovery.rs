//! Completing a swap that was interrupted.
//!
//! Source: Kafka's `LogLoader`.

use std::path::PathBuf;

use super::open::OpenError;
use crate::names::{self, CLEANED_SUFFIX, SWAP_SUFFIX, SegmentFile, offset_of};
use crate::scan::{Damage, DamageReason, Headers};
use crate::segment::PartitionDir;
use crate::traps::{self, Trap};

/// Completes an interrupted compaction: a file with the suffix `.swap` is complete and replaces the segments
/// with its offsets, unless files beside it still have `.cleaned`; those were not complete.
pub(super) fn complete_swaps(partition: &PartitionDir) -> Result<(), OpenError> {
    let fs = &partition.directory.fs;
    let names: Vec<String> = fs.list(&partition.path())?.into_iter().map(|entry| entry.name).collect();
    let temporary = |suffix: &str| -> Vec<(i64, SegmentFile, PathBuf)> {
        let of = |name: &String| {
            let stem = name.strip_suffix(suffix)?;
            let found = |kind: SegmentFile| offset_of(stem, kind.suffix()).map(|offset| (offset, kind));
            let (offset, kind) = SegmentFile::ALL.into_iter().find_map(found)?;
            Some((offset, kind, partition.path().join(name)))
        };
        names.iter().filter_map(of).collect()
    };
    let cleaned_from = temporary(CLEANED_SUFFIX).iter().map(|(offset, ..)| *offset).min();
    let cleaned_from = cleaned_from.filter(|_| !traps::is_on(Trap::HalfSwapCompleted));
    let mut swaps = temporary(SWAP_SUFFIX);
    if swaps.is_empty() {
        return Ok(());
    }
    // The process that gave these names may have died before it synced them. If a loss of power undid them after the
    // removals below, neither the old files nor their replacement would be left.
    fs.sync_dir(&partition.path())?;
    for (offset, _, path) in &swaps {
        if cleaned_from.is_some_and(|from| *offset >= from) {
            fs.remove_file(path)?;
        }
    }
    swaps.retain(|(offset, ..)| cleaned_from.is_none_or(|from| *offset < from));
    for (base_offset, _, path) in swaps.iter().filter(|(_, kind, _)| *kind == SegmentFile::Log) {
        let end_offset = end_of(partition, path, *base_offset)?;
        for name in &names {
            let replaced = SegmentFile::ALL.iter().find_map(|kind| offset_of(name, kind.suffix()));
            if replaced.is_some_and(|offset| (*base_offset..end_offset).contains(&offset)) {
                fs.remove_file(&partition.path().join(name))?;
            }
        }
        tracing::info!(path = %path.display(), "an interrupted compaction is completed");
    }
    fs.sync_dir(&partition.path())?;
    for (offset, kind, path) in &swaps {
        fs.rename(path, &names::offset_path(&partition.path(), *offset, kind.suffix()))?;
    }
    fs.sync_dir(&partition.path())?;
    Ok(())
}

/// The offset after the last batch of a segment, or after its base if it is empty.
fn end_of(partition: &PartitionDir, path: &std::path::Path, base_offset: i64) -> Result<i64, OpenError> {
    let file = partition.directory.fs.open(path, crate::fs::Mode::Read)?;
    let size = u32::try_from(file.len()?).map_err(|_| {
        let position = u64::from(u32::MAX);
        OpenError::Damaged(Damage { path: path.to_owned(), position, reason: DamageReason::TooLong })
    })?;
    let mut end_offset = base_offset + 1;
    let mut headers = Headers::new(&file, 0, size);
    while let Some((_, header)) = headers.next()? {
        end_offset = end_offset.max(header.next_offset());
    }
    Ok(end_offset)
}
