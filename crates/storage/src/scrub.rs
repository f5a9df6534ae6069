//! Reading closed segments again, to find what a disk has damaged since they were written.
//!
//! [`crate::Log::closed_segment_from`] returns one segment after the other, under the log's lock for a moment;
//! [`ScrubTarget::scrub`] reads one under no lock. Meanwhile retention may delete the segment, compaction may replace
//! it, and the whole log may go: a finding counts only if [`crate::Log::has_segment`] says so afterwards.

mod aborts;
mod file;
mod gap;
mod walk;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use record::BatchError;
use rustix::io::Errno;

use crate::fs;
use crate::inspect::{FileKind, IndexCheck, IndexEntries};
use crate::names::SegmentFile;
use crate::segment::ClosedSegment;

use aborts::Aborts;
pub use file::scrub_file;
use walk::Walk;

/// The most damaged places to report of one segment.
const FAULTS_MAX: usize = 16;

/// A closed segment to scrub, as it was when the log returned it.
#[derive(Clone, Debug)]
pub struct ScrubTarget {
    pub(crate) closed: Arc<ClosedSegment>,
    /// The start of the next segment.
    pub(crate) next_base_offset: i64,
    /// Whether nothing is lost if the last batch ends before that.
    pub(crate) may_end_early: bool,
}

/// The result of reading a segment.
#[derive(Debug, Default)]
pub struct ScrubReport {
    /// Bytes that were read.
    pub bytes: u64,
    /// The damaged places, in the order in which they were found.
    pub faults: Vec<Fault>,
}

/// A damaged place in a segment's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// The position in it, in bytes.
    pub position: u64,
    /// The offset that should be found there; of an index, the first of its segment.
    pub offset: i64,
    /// The fault there.
    pub reason: FaultReason,
}

/// The fault at a place in a segment's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultReason {
    /// There is no whole batch.
    Batch {
        /// Why the first bytes are none.
        error: BatchError,
        /// The number of bytes to the next whole batch, or to the end of the segment.
        bytes: u64,
    },
    /// The file ends here.
    Short {
        /// Its expected length, in bytes.
        size_bytes: u64,
    },
    /// The offsets of a batch are not above those before it, or below those of its segment.
    Offset {
        /// The batch's base offset.
        found: i64,
        /// The least that it could be.
        expected: i64,
    },
    /// A batch extends beyond the start of the next segment.
    Overlap {
        /// The offset after the batch.
        next_offset: i64,
        /// The first offset of the next segment.
        next_base_offset: i64,
    },
    /// The segment ends before the next begins, and the log was never compacted: a segment is missing.
    Gap {
        /// The offset after its last batch.
        next_offset: i64,
        /// The first offset of the next segment.
        next_base_offset: i64,
    },
    /// The entry of an index says something else than the batches do.
    Index(String),
    /// The file is not there.
    Missing,
    /// The bytes cannot be read.
    Unreadable(String),
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultReason::Batch { error, bytes } => write!(f, "{error} ({bytes} bytes are damaged)"),
            FaultReason::Short { size_bytes } => {
                write!(f, "the file ends here, but the segment has {size_bytes} bytes")
            }
            FaultReason::Offset { found, expected } => {
                write!(f, "a batch has the offset {found}, but at least {expected} was expected")
            }
            FaultReason::Overlap { next_offset, next_base_offset } => write!(
                f,
                "a batch ends before offset {next_offset}, but the next segment begins at \
                 {next_base_offset}"
            ),
            FaultReason::Gap { next_offset, next_base_offset } => write!(
                f,
                "the segment ends before offset {next_offset}, but the next begins at {next_base_offset}: \
                 the records between them may have been lost"
            ),
            FaultReason::Index(what) => f.write_str(what),
            FaultReason::Missing => f.write_str("the file is missing"),
            FaultReason::Unreadable(error) => f.write_str(error),
        }
    }
}

impl Fault {
    /// The remedy, in whole sentences.
    pub fn mend(&self) -> &'static str {
        let is = |kind: SegmentFile| self.path.to_string_lossy().ends_with(kind.suffix());
        if is(SegmentFile::OffsetIndex) || is(SegmentFile::TimeIndex) {
            "Stop the broker, remove the file and start again: it is rebuilt from the segment."
        } else if is(SegmentFile::TxnIndex) {
            "Stop the broker, remove the file and the .index of that offset and start again: both are \
             rebuilt from the segment. Until then records of aborted transactions may be read as \
             committed."
        } else {
            "Stop the broker, restore a copy of the partition's directory and start again; milena dump \
             --records shows what can still be read."
        }
    }
}

/// Why a segment was not read to its end. The segment may be sound.
#[derive(Debug)]
pub enum ScrubError {
    /// The caller wants the reading to end.
    Stopped,
    /// The system lacks descriptors or memory.
    Lack(fs::Error),
}

impl fmt::Display for ScrubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScrubError::Stopped => f.write_str("the scrub was stopped"),
            ScrubError::Lack(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ScrubError {}

impl ScrubTarget {
    /// The offset that it is named after.
    pub fn base_offset(&self) -> i64 {
        self.closed.base_offset()
    }

    /// The offset at which the next segment begins.
    pub fn next_base_offset(&self) -> i64 {
        self.next_base_offset
    }

    /// Bytes of batches.
    pub fn size_bytes(&self) -> u64 {
        u64::from(self.closed.size)
    }

    /// Whether it is the same as another, and not one of the same name.
    pub fn is_same(&self, other: &ScrubTarget) -> bool {
        Arc::ptr_eq(&self.closed, &other.closed)
    }

    /// Reads the segment and its indexes: every checksum, the order of the offsets, whether the entries of the indexes
    /// agree with the batches, and whether the index of aborted transactions has those that the segment shows. Pages
    /// that were not in the page cache are not there afterwards.
    ///
    /// Calls `spend` with the number of bytes that are about to be read. It may wait.
    ///
    /// # Errors
    /// [`ScrubError`]; a file that cannot be read is no error but a [`Fault`].
    pub fn scrub(
        &self,
        mut spend: impl FnMut(u64) -> Result<(), ScrubError>,
    ) -> Result<ScrubReport, ScrubError> {
        let mut scrubbed = ScrubReport::default();
        let path = self.path(SegmentFile::Log);
        let file = match self.closed.segment.open_aside(SegmentFile::Log) {
            Ok(file) => file,
            Err(error) => {
                scrubbed.faults.push(unreadable(&path, 0, self.base_offset(), error)?);
                return Ok(scrubbed);
            }
        };
        let mut indexes = Vec::new();
        let mut index_faults = Vec::new();
        for kind in [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TxnIndex] {
            match self.open_index(kind) {
                Ok(Some(index)) => {
                    spend(index.size_bytes())?;
                    scrubbed.bytes += index.size_bytes();
                    indexes.push((kind, index));
                }
                Ok(None) => {}
                Err(error) => {
                    index_faults.push(unreadable(&self.path(kind), 0, self.base_offset(), error)?);
                }
            }
        }
        let mut aborts = Aborts::new(self);
        let mut walk = Walk::new(&file, self, &mut spend);
        walk.run(|position, header| {
            aborts.batch(&file, position, header);
            for (_, index) in &mut indexes {
                index.batch(u64::from(position), header);
            }
        })?;
        let next_offset = walk.next_offset();
        let is_whole = walk.faults.is_empty();
        let gap = self.gap_after(next_offset, walk.has_holes).filter(|_| is_whole);
        scrubbed.bytes += walk.read_bytes;
        scrubbed.faults.append(&mut walk.faults);
        scrubbed.faults.extend(gap);
        for (kind, index) in indexes {
            // The entries of a damaged batch cannot be compared.
            if let Some(fault) = index.end(next_offset).filter(|_| is_whole) {
                let (path, offset) = (self.path(kind), self.base_offset());
                let reason = FaultReason::Index(fault.what);
                index_faults.push(Fault { path, position: fault.position, offset, reason });
            }
        }
        // An index that cannot be read or has another fault is reported already.
        let is_told = index_faults.iter().any(|fault| fault.path == self.path(SegmentFile::TxnIndex));
        index_faults.extend(aborts.end(self).filter(|_| is_whole && !is_told));
        scrubbed.faults.append(&mut index_faults);
        Ok(scrubbed)
    }

    /// The path of a file, without a suffix that it may have for a moment.
    fn path(&self, kind: SegmentFile) -> PathBuf {
        self.closed.segment.path_with(kind, "")
    }

    /// An index; `None` if the segment needs none of that kind.
    fn open_index(&self, kind: SegmentFile) -> fs::Result<Option<IndexCheck>> {
        let file_kind = match kind {
            SegmentFile::OffsetIndex => FileKind::OffsetIndex,
            SegmentFile::TimeIndex => FileKind::TimeIndex,
            SegmentFile::TxnIndex => FileKind::TxnIndex,
            SegmentFile::Log => unreachable!("a log is no index"),
        };
        let file = self.closed.segment.open_aside(kind);
        match file.and_then(|file| IndexEntries::of(file, file_kind, self.base_offset())) {
            Ok(entries) => Ok(Some(IndexCheck::of(entries))),
            Err(error) if error.is_not_found() && kind == SegmentFile::TxnIndex => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The fault of a file that cannot be read, or an error if the system is to blame.
fn unreadable(path: &Path, position: u64, offset: i64, error: fs::Error) -> Result<Fault, ScrubError> {
    let errno = Errno::from_io_error(&error.source);
    if errno.is_some_and(|errno| [Errno::MFILE, Errno::NFILE, Errno::NOMEM].contains(&errno)) {
        return Err(ScrubError::Lack(error));
    }
    let reason = if error.is_not_found() {
        FaultReason::Missing
    } else {
        FaultReason::Unreadable(error.source.to_string())
    };
    Ok(Fault { path: path.to_owned(), position, offset, reason })
}

#[cfg(test)]
mod tests;
