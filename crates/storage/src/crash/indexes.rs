//! The expected contents of a log's index files, from its batches alone.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::partition::Partition;
use crate::fs::Fs;
use crate::fs::simulated::Disk;
use crate::names::{SegmentFile, offset_of, offset_path};
use crate::offset_index::{self, OffsetEntry};
use crate::time_index::{self, TimeEntry};

/// The entries that the batches of a segment require.
struct Rebuilt {
    offsets: Vec<(u32, u32)>,
    /// Timestamp and relative offset: at each offset entry, and at the end.
    times: Vec<(i64, u32)>,
    /// The greatest timestamp so far after each batch.
    greatest: BTreeSet<(i64, u32)>,
}

/// Checks the offset and time indexes of all segments.
pub(super) fn equal_a_rebuild(partition: &Partition, disk: &Arc<Disk>) {
    let dir = Path::new("/data").join(partition.name.to_string());
    let names = Fs::simulated(disk.clone()).list(&dir).expect("the directory is there");
    let logs = names.iter().filter_map(|entry| offset_of(&entry.name, SegmentFile::Log.suffix()));
    let base_offsets: Vec<i64> = logs.collect();
    for (index, base_offset) in base_offsets.iter().enumerate() {
        let bytes = |kind: SegmentFile| disk.bytes(&offset_path(&dir, *base_offset, kind.suffix()));
        let rebuilt = rebuild(*base_offset, &bytes(SegmentFile::Log), partition.config.index_interval_bytes);
        let offsets = entries::<{ offset_index::ENTRY_BYTES }>(&bytes(SegmentFile::OffsetIndex));
        let offsets = offsets.iter().map(|entry| OffsetEntry::from_bytes(*entry));
        let offsets: Vec<_> = offsets.map(|entry| (entry.relative_offset, entry.position)).collect();
        let times = entries::<{ time_index::ENTRY_BYTES }>(&bytes(SegmentFile::TimeIndex));
        let times = times.iter().map(|entry| TimeEntry::from_bytes(*entry));
        let times: Vec<_> = times.map(|entry| (entry.timestamp, entry.relative_offset)).collect();
        let at = format!("{} segment {base_offset}", partition.name);
        assert!(
            times.is_sorted() && times.iter().all(|entry| rebuilt.greatest.contains(entry)),
            "{at}: {times:?}"
        );
        if index + 1 == base_offsets.len() {
            // The file of the last segment lacks the entries that are only in memory.
            assert!(rebuilt.offsets.starts_with(&offsets), "{at}: {offsets:?} of {:?}", rebuilt.offsets);
            continue;
        }
        assert_eq!(offsets, rebuilt.offsets, "{at}: offset index");
        let all = rebuilt.times.iter().all(|entry| times.contains(entry));
        assert!(all && times.last() == rebuilt.times.last(), "{at}: {times:?}, not {:?}", rebuilt.times);
    }
}

fn entries<const N: usize>(bytes: &[u8]) -> Vec<[u8; N]> {
    let (entries, rest) = bytes.as_chunks::<N>();
    assert!(rest.is_empty(), "an index holds whole entries");
    entries.to_vec()
}

fn rebuild(base_offset: i64, log: &[u8], interval_bytes: u32) -> Rebuilt {
    let mut rebuilt = Rebuilt { offsets: Vec::new(), times: Vec::new(), greatest: BTreeSet::new() };
    let (mut position, mut last_position, mut greatest) = (0, 0, (-1, 0));
    let mut noted = -1;
    for batch in record::batches(log) {
        let batch = batch.expect("a segment holds whole batches");
        let header = batch.header();
        let relative = u32::try_from(header.last_offset() - base_offset).expect("a segment is small");
        if header.max_timestamp > greatest.0 {
            greatest = (header.max_timestamp, relative);
        }
        rebuilt.greatest.insert(greatest);
        if position - last_position > interval_bytes {
            rebuilt.offsets.push((relative, position));
            last_position = position;
            if greatest.0 > noted {
                rebuilt.times.push(greatest);
                noted = greatest.0;
            }
        }
        position += batch.bytes().len() as u32;
    }
    if greatest.0 > noted {
        rebuilt.times.push(greatest);
    }
    rebuilt
}
