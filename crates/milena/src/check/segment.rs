//! A segment and its indexes, in one pass over its batches.

use std::path::{Path, PathBuf};

use record::{Batch, BatchHeader, Scratch};
use storage::fs::{self, Fs};
use storage::inspect::{Batches, FileKind, IndexCheck, IndexFault, Region};

use super::finding::{Finding, Weight};

/// The most bytes to which the records of one batch may decompress, as for a producer's.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;

pub(super) const MEND_LOG: &str =
    "Restore a copy of the partition's directory; milena dump --records shows what can still be read.";
const MEND_INDEX: &str = "Remove it: start rebuilds it from the segment.";
const MEND_TXN_INDEX: &str = "Restore a copy, or remove it and the .index of that offset: start rebuilds both from the segment. Until \
     then records of aborted transactions may be read as committed.";

/// A segment to read.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) base_offset: i64,
    /// The offset from which a crash may have torn it. Start verifies it from there, and rebuilds its
    /// indexes.
    pub(super) may_be_torn_from: Option<i64>,
    /// Whether it is the last segment.
    pub(super) is_last: bool,
}

/// The end of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentEnd {
    /// The offset after its last record.
    pub(super) next_offset: i64,
    /// Whether offsets are missing among its records because of compaction.
    pub(super) has_holes: bool,
    /// Whether every batch is intact.
    pub(super) is_whole: bool,
}

/// Reads a segment with its indexes.
pub(super) fn check(fs: &Fs, segment: &Segment, findings: &mut Vec<Finding>) -> fs::Result<SegmentEnd> {
    let (mut indexes, mut index_findings) = (Vec::new(), Vec::new());
    for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex] {
        indexes.extend(Index::open(fs, segment, kind, &mut index_findings));
    }
    let mut is_whole = true;
    let mut torn: Vec<Finding> = Vec::new();
    let mut log = LogCheck::new(segment.base_offset);
    let mut batches = Batches::open(fs, &segment.path)?;
    while let Some((position, region)) = batches.next_region()? {
        if let Region::Zeros { bytes } = region
            && segment.is_last
            && segment.may_be_torn_from.is_some_and(|offset| log.next_offset >= offset)
        {
            let what = format!("{bytes} bytes at its end are zeros, and held no record");
            findings.push(Finding::note(&segment.path, what, "Start truncates them.").at(position));
            continue;
        }
        match log.next(&region) {
            Ok(header) => {
                // Bytes with a whole batch after them are not the torn end.
                findings.append(&mut torn);
                for index in &mut indexes {
                    index.check.batch(position, &header);
                }
            }
            Err(what) => {
                is_whole = false;
                torn.push(Finding::damage(&segment.path, what, MEND_LOG).at(position));
            }
        }
    }
    let is_verified_at_start =
        segment.may_be_torn_from.is_some_and(|offset| segment.is_last || log.next_offset > offset);
    if segment.is_last && segment.may_be_torn_from.is_some_and(|offset| log.next_offset >= offset) {
        for finding in &mut torn {
            finding.weight = Weight::Note;
            finding.mend = "Start truncates the log here: a crash tore it.";
        }
    }
    findings.append(&mut torn);
    for index in indexes {
        index.end(log.next_offset, &mut index_findings);
    }
    // There is nothing to compare with the entries of a damaged batch.
    if is_whole && !is_verified_at_start {
        findings.append(&mut index_findings);
    }
    Ok(SegmentEnd { next_offset: log.next_offset, has_holes: log.has_holes, is_whole })
}

/// Reads a snapshot of the metadata.
pub(super) fn metadata_snapshot(fs: &Fs, path: &Path, findings: &mut Vec<Finding>) {
    let mut read = || {
        let mut log = LogCheck::new(0);
        let mut batches = Batches::open(fs, path)?;
        while let Some((position, region)) = batches.next_region()? {
            if let Err(what) = log.next(&region) {
                let mend = "Remove it if an older one, or the log from its beginning, exists.";
                findings.push(Finding::damage(path, what, mend).at(position));
            }
        }
        Ok(())
    };
    if let Err(error) = read() {
        findings.push(Finding::unreadable(path, &error));
    }
}

/// Follows the batches of a file.
struct LogCheck {
    next_offset: i64,
    has_holes: bool,
    scratch: Scratch,
}

impl LogCheck {
    fn new(base_offset: i64) -> LogCheck {
        LogCheck { next_offset: base_offset, has_holes: false, scratch: Scratch::new() }
    }

    /// Returns the header of an intact batch, or what is wrong with a damaged one.
    fn next(&mut self, region: &Region<'_>) -> Result<BatchHeader, String> {
        let batch = match region {
            Region::Damage { error, bytes } => return Err(format!("{error} ({bytes} bytes are no batch)")),
            Region::Zeros { bytes } => return Err(format!("{bytes} bytes at its end are zeros")),
            Region::Batch(_, Err(error)) => return Err(error.to_string()),
            Region::Batch(batch, Ok(())) => batch,
        };
        let header = batch.header();
        let expected = self.next_offset;
        if header.last_offset_delta < 0 {
            return Err(format!("the batch at offset {} ends before it begins", header.base_offset));
        }
        let has_holes =
            header.magic == 2 && i64::from(header.records_count) <= i64::from(header.last_offset_delta);
        self.has_holes |= has_holes || header.base_offset > expected;
        self.next_offset = expected.max(header.next_offset());
        if header.base_offset < expected {
            return Err(format!("the batch has offset {}, but {expected} was expected", header.base_offset));
        }
        records(batch, expected, &mut self.scratch)?;
        Ok(*header)
    }
}

/// Reads the records of a batch; the log before it ends at `end_offset`.
fn records(batch: &Batch<'_>, end_offset: i64, scratch: &mut Scratch) -> Result<(), String> {
    let header = batch.header();
    let records = batch.records_decompressed(scratch, DECOMPRESSED_BYTES_MAX);
    // The header of an old message has only the last offset.
    let mut next_offset = if header.magic == 2 { header.base_offset } else { end_offset };
    for record in records.map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        if record.offset < next_offset || record.offset > header.last_offset() {
            return Err(format!("a record has offset {}, out of its place in the batch", record.offset));
        }
        next_offset = record.offset + 1;
    }
    Ok(())
}

/// An index that is followed along the batches of its segment.
struct Index {
    path: PathBuf,
    mend: &'static str,
    check: IndexCheck,
}

impl Index {
    fn open(fs: &Fs, segment: &Segment, kind: FileKind, findings: &mut Vec<Finding>) -> Option<Index> {
        let path = segment.path.with_extension(match kind {
            FileKind::OffsetIndex => "index",
            FileKind::TimeIndex => "timeindex",
            _ => "txnindex",
        });
        match IndexCheck::open(fs, &path, kind, segment.base_offset) {
            Ok(check) => {
                let mend = if kind == FileKind::TxnIndex { MEND_TXN_INDEX } else { MEND_INDEX };
                Some(Index { path, mend, check })
            }
            Err(error) if error.is_not_found() => {
                if kind != FileKind::TxnIndex {
                    findings.push(Finding::note(&path, "it is missing", "Start makes it anew."));
                }
                None
            }
            Err(error) => {
                findings.push(Finding::unreadable(&path, &error));
                None
            }
        }
    }

    /// Checks the entries that are left after the last batch.
    fn end(self, next_offset: i64, findings: &mut Vec<Finding>) {
        if let Some(IndexFault { position, what }) = self.check.end(next_offset) {
            findings.push(Finding::damage(&self.path, what, self.mend).at(position));
        }
    }
}
