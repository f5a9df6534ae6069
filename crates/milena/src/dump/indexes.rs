//! Indexes, compared with their segment if it is beside them.

use std::path::Path;

use serde_json::json;
use storage::inspect::{Batches, FileKind, IndexCheck, IndexEntries, IndexEntry, IndexFault, Region};

use super::{Dump, failed};
use crate::failure::Failure;

pub(super) fn show(dump: &mut Dump<'_>, path: &Path, kind: FileKind) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let base_offset = name.split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let mut entries =
        IndexEntries::open(&dump.fs, path, kind, base_offset).map_err(|error| failed(&error))?;
    let check = IndexCheck::open(&dump.fs, path, kind, base_offset).map_err(|error| failed(&error))?;
    // The segment of a file with another name is unknown.
    let segment = if FileKind::of(&name) == Some(kind) { segment_of(dump, path)? } else { None };
    let mut last = None;
    let mut end = 0;
    let mut zeros_from = None;
    while let Some((at, entry)) = entries.next_entry().map_err(|error| failed(&error))? {
        end = at;
        if entries.only_zeros_from(at).map_err(|error| failed(&error))? {
            // Space that was allocated ahead of the entries.
            dump.line(path, "zeros", json!({ "position": at, "zeros": entries.size_bytes() - at }))?;
            zeros_from = Some(at);
            break;
        }
        dump.line(path, "entry", fields(entry))?;
        let is_above = last.is_none_or(|last| entry.follows(last));
        if !is_above && (segment.is_none() || kind == FileKind::OffsetIndex) {
            dump.damage(path, at, "the entry is not above the one before it")?;
        }
        if let (IndexEntry::Offset { offset, position }, Some(segment)) = (entry, &segment) {
            offset_entry(dump, path, at, (offset, position), segment)?;
        }
        last = Some(entry);
    }
    match (segment, kind) {
        // An entry of these covers everything before it, so the segment is read along with them.
        (Some(segment), FileKind::TimeIndex | FileKind::TxnIndex) => {
            let fault = compared(check, segment, base_offset).map_err(|error| failed(&error))?;
            let fault = fault.filter(|fault| zeros_from.is_none_or(|from| fault.position < from));
            fault.map_or(Ok(()), |fault| dump.damage(path, fault.position, fault.what))
        }
        _ => match entries.trailing_bytes() {
            0 => Ok(()),
            _ if zeros_from.is_some() => Ok(()),
            bytes => dump.damage(path, end, format_args!("{bytes} bytes at the end are no entry")),
        },
    }
}

fn segment_of(dump: &Dump<'_>, path: &Path) -> Result<Option<Batches>, Failure> {
    match Batches::open(&dump.fs, &path.with_extension("log")) {
        Ok(segment) => Ok(Some(segment)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

fn fields(entry: IndexEntry) -> serde_json::Value {
    match entry {
        IndexEntry::Offset { offset, position } => json!({ "offset": offset, "position": position }),
        IndexEntry::Time { timestamp, offset } => json!({ "timestamp": timestamp, "offset": offset }),
        IndexEntry::Txn(txn) => json!({
            "producerId": txn.producer_id,
            "firstOffset": txn.first_offset,
            "lastOffset": txn.last_offset,
            "lastStableOffset": txn.last_stable_offset,
        }),
    }
}

fn offset_entry(
    dump: &mut Dump<'_>,
    path: &Path,
    at: u64,
    (offset, position): (i64, u64),
    segment: &Batches,
) -> Result<(), Failure> {
    match segment.last_offset_at(position).map_err(|error| failed(&error))? {
        Some(found) if found == offset => Ok(()),
        Some(found) => dump.damage(
            path,
            at,
            format_args!("the batch at {position} ends at offset {found}, not {offset}"),
        ),
        None => dump.damage(path, at, format_args!("no batch begins at {position}")),
    }
}

/// The first entry that disagrees with the whole batches of its segment.
fn compared(
    mut check: IndexCheck,
    mut segment: Batches,
    base_offset: i64,
) -> storage::fs::Result<Option<IndexFault>> {
    let mut next_offset = base_offset;
    while let Some((position, region)) = segment.next_region()? {
        if let Region::Batch(batch, Ok(())) = region {
            check.batch(position, batch.header());
            next_offset = next_offset.max(batch.header().next_offset());
        }
    }
    Ok(check.end(next_offset))
}
