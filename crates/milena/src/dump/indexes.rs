//! Indexes, compared with their segment where that is beside them.

use std::path::Path;

use serde_json::json;
use storage::inspect::{Batches, FileKind, IndexEntries, IndexEntry};

use super::{Dump, failed};
use crate::failure::Failure;

pub(super) fn show(dump: &mut Dump<'_>, path: &Path, kind: FileKind) -> Result<(), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let base_offset = name.split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let mut entries =
        IndexEntries::open(&dump.fs, path, kind, base_offset).map_err(|error| failed(&error))?;
    let segment = match Batches::open(&dump.fs, &path.with_extension("log")) {
        Ok(segment) => Some(segment),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(failed(&error)),
    };
    let mut last = None;
    let mut end = 0;
    while let Some((at, entry)) = entries.next_entry().map_err(|error| failed(&error))? {
        end = at;
        let fields = match entry {
            IndexEntry::Offset { offset, position } => json!({ "offset": offset, "position": position }),
            IndexEntry::Time { timestamp, offset } => json!({ "timestamp": timestamp, "offset": offset }),
            IndexEntry::Txn(txn) => json!({
                "producerId": txn.producer_id,
                "firstOffset": txn.first_offset,
                "lastOffset": txn.last_offset,
                "lastStableOffset": txn.last_stable_offset,
            }),
        };
        dump.line(path, "entry", fields)?;
        if last.is_some_and(|last| !entry.follows(last)) {
            dump.damage(path, at, "the entry is not above the one before it")?;
        }
        if let (IndexEntry::Offset { offset, position }, Some(segment)) = (entry, &segment) {
            let found = segment.last_offset_at(position).map_err(|error| failed(&error))?;
            match found {
                Some(found) if found == offset => {}
                Some(found) => {
                    let what = format!("the batch at {position} ends at offset {found}, not {offset}");
                    dump.damage(path, at, what)?;
                }
                None => dump.damage(path, at, format_args!("no batch begins at {position}"))?,
            }
        }
        last = Some(entry);
    }
    match entries.trailing_bytes() {
        0 => Ok(()),
        bytes => dump.damage(path, end, format_args!("{bytes} bytes at the end are no entry")),
    }
}
