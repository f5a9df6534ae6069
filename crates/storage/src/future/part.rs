//! A segment that is being copied.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::fs::copy::CopyRangeError;
use crate::fs::{self, File, Fs, Mode};
use crate::index_file;
use crate::names::{SegmentFile, offset_path};
use crate::offset_index::{ENTRY_BYTES, OffsetEntry};
use crate::segment::Segment;

/// The indexes of a segment: their files only grow.
const INDEXES: [SegmentFile; 3] = [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TxnIndex];

/// A segment that is copied in part. Its files only grow, so the copied part stays valid.
#[derive(Debug)]
pub(crate) struct Part {
    source: Arc<Segment>,
    fs: Fs,
    dir: PathBuf,
    /// Bytes of each file that are copied.
    copied: [u64; 4],
    /// Files that were written since they were last synced. Nothing else stays open.
    unsynced: [Option<File>; 4],
}

impl Part {
    /// Creates the files that every segment has, empty.
    pub(crate) fn begin(fs: &Fs, dir: &Path, source: &Arc<Segment>) -> Result<Part, CopyRangeError> {
        let mut part = Part {
            source: source.clone(),
            fs: fs.clone(),
            dir: dir.to_owned(),
            copied: [0; 4],
            unsynced: Default::default(),
        };
        fs.remove_file_if_exists(&part.path(SegmentFile::TxnIndex)).map_err(CopyRangeError::Write)?;
        for kind in [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex] {
            let file = fs.open(&part.path(kind), Mode::CreateEmpty).map_err(CopyRangeError::Write)?;
            part.unsynced[kind as usize] = Some(file);
        }
        Ok(part)
    }

    pub(crate) fn source(&self) -> &Arc<Segment> {
        &self.source
    }

    /// Bytes of batches that are copied.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.copied[SegmentFile::Log as usize]
    }

    fn path(&self, kind: SegmentFile) -> PathBuf {
        offset_path(&self.dir, self.source.base_offset, kind.suffix())
    }

    /// Copies batches up to `size` in the log file, or `bytes_max` more bytes. Returns the number of bytes copied.
    pub(crate) fn copy(&mut self, size: u32, bytes_max: u64) -> Result<u64, CopyRangeError> {
        let from = self.log_bytes();
        assert!(from <= u64::from(size), "a segment does not shrink");
        let to = u64::from(size).min(from.saturating_add(bytes_max));
        let file = self.source.file(SegmentFile::Log).map_err(CopyRangeError::Read)?;
        self.copy_file(SegmentFile::Log, &file, to)?;
        Ok(to - from)
    }

    /// Copies the index files as they are now.
    pub(crate) fn copy_indexes(&mut self) -> Result<(), CopyRangeError> {
        for kind in INDEXES {
            let file = self.source.file_if_exists(kind).map_err(CopyRangeError::Read)?;
            let Some(file) = file else { continue };
            let len = file.len().map_err(CopyRangeError::Read)?;
            self.copy_file(kind, &file, len)?;
        }
        Ok(())
    }

    fn copy_file(&mut self, kind: SegmentFile, source: &File, to: u64) -> Result<(), CopyRangeError> {
        let from = self.copied[kind as usize];
        if to <= from {
            return Ok(());
        }
        self.open(kind)?.copy_from(source, from, to - from)?;
        self.copied[kind as usize] = to;
        Ok(())
    }

    /// The copy's file of that kind, which counts as unsynced from here on.
    fn open(&mut self, kind: SegmentFile) -> Result<File, CopyRangeError> {
        if let Some(file) = &self.unsynced[kind as usize] {
            return Ok(file.clone());
        }
        let file = self.fs.open(&self.path(kind), Mode::Create).map_err(CopyRangeError::Write)?;
        self.unsynced[kind as usize] = Some(file.clone());
        Ok(file)
    }

    /// Makes the copied bytes durable.
    pub(crate) fn sync(&mut self) -> fs::Result<()> {
        for file in &mut self.unsynced {
            if let Some(file) = file.take() {
                file.sync_data()?;
            }
        }
        Ok(())
    }

    /// The open files of the segment, all of which count as unsynced, for the log to continue in.
    pub(crate) fn files(&mut self) -> Result<[Option<File>; 4], CopyRangeError> {
        for kind in SegmentFile::ALL {
            if kind != SegmentFile::TxnIndex || self.copied[kind as usize] > 0 {
                self.open(kind)?;
            }
        }
        Ok(self.unsynced.clone())
    }

    /// The offset up to which batches are copied according to the offset index, or a little less.
    pub(crate) fn end_offset(&self) -> fs::Result<i64> {
        let base_offset = self.source.base_offset;
        let Some(file) = self.source.file_if_exists(SegmentFile::OffsetIndex)? else {
            return Ok(base_offset);
        };
        let entries = index_file::entries_in::<ENTRY_BYTES>(&file)?;
        let is_copied = |entry: &_| u64::from(OffsetEntry::from_bytes(*entry).position) < self.log_bytes();
        let entry = index_file::floor(&file, entries, is_copied)?;
        // The batch of the last entry may be copied in part; those before it are whole.
        Ok(entry.map_or(base_offset, |entry| {
            base_offset + i64::from(OffsetEntry::from_bytes(entry).relative_offset)
        }))
    }
}
