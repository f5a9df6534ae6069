//! The offsets of a log, each stored in one place.

use std::sync::atomic::{AtomicI64, Ordering};

/// The offsets of one log. The log, its flusher and the broker's replica share them, so that each is stored once.
///
/// The log moves them, with exclusive access to itself; the flusher moves the flushed offset alone. Anyone may read them
/// at any time, without a lock. While nothing moves, the start is at most the high watermark, and that, as well as the
/// flushed offset, at most the end.
#[derive(Debug)]
pub struct LogOffsets {
    start: AtomicI64,
    flushed: AtomicI64,
    high_watermark: AtomicI64,
    end: AtomicI64,
}

impl LogOffsets {
    /// The offsets of a log that is being opened. Its high watermark is moved to between its start and its end.
    pub fn new(start: i64, flushed: i64, high_watermark: i64, end: i64) -> LogOffsets {
        LogOffsets {
            start: start.into(),
            flushed: flushed.into(),
            high_watermark: high_watermark.min(end).max(start).into(),
            end: end.into(),
        }
    }

    /// The first offset that may be read. It is below the first segment only if batches that brought their offsets
    /// left a gap.
    pub fn start(&self) -> i64 {
        self.start.load(Ordering::Acquire)
    }

    /// The offset up to which the log is durable: batches below it survive a loss of power. It is also the log's
    /// recovery point.
    pub fn flushed(&self) -> i64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// The offset up to which all replicas in sync have the log: consumers may read records below it.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark.load(Ordering::Acquire)
    }

    /// The offset that the next batch gets.
    pub fn end(&self) -> i64 {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn set_start(&self, start: i64) {
        self.start.store(start, Ordering::Release);
    }

    pub(crate) fn set_flushed(&self, flushed: i64) {
        self.flushed.store(flushed, Ordering::Release);
    }

    /// Raises the flushed offset, which only the flusher does. Returns the offset before.
    pub fn raise_flushed(&self, flushed: i64) -> i64 {
        self.flushed.fetch_max(flushed, Ordering::AcqRel)
    }

    pub(crate) fn lower_flushed(&self, flushed: i64) {
        self.flushed.fetch_min(flushed, Ordering::AcqRel);
    }

    pub(crate) fn set_high_watermark(&self, high_watermark: i64) {
        self.high_watermark.store(high_watermark, Ordering::Release);
    }

    pub(crate) fn lower_high_watermark(&self, high_watermark: i64) {
        self.high_watermark.fetch_min(high_watermark, Ordering::AcqRel);
    }

    pub(crate) fn set_end(&self, end: i64) {
        self.end.store(end, Ordering::Release);
    }
}
