//! The progress of scrubs in a partition's log, and the damage that they found.

use parking_lot::Mutex;
use storage::{Fault, Log, ScrubTarget};

use super::Replica;

/// The scrubs of a partition's closed segments.
#[derive(Default)]
pub(super) struct ScrubRecord {
    /// Lock order: this before the log's.
    found: Mutex<ScrubFindings>,
}

#[derive(Default)]
struct ScrubFindings {
    last: Option<LastScrub>,
    /// The damaged segments, until they are gone or intact again.
    damaged: Vec<(ScrubTarget, Vec<Fault>)>,
}

/// The last time that all closed segments of a partition were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastScrub {
    /// The time of its end, in ms since the epoch.
    pub(crate) end_ms: i64,
    /// The number of bytes read.
    pub(crate) bytes: u64,
}

/// The changes that the scrub of a segment brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ScrubNews {
    /// Damaged places that were not known before.
    pub(crate) damaged: Vec<Fault>,
    /// Places that were damaged and are intact again.
    pub(crate) whole: Vec<Fault>,
}

impl ScrubNews {
    /// Compares the known faults with the present ones.
    pub(crate) fn between(known: &[Fault], faults: &[Fault]) -> ScrubNews {
        let is_among = |fault: &&Fault, faults: &[Fault]| {
            faults.iter().any(|other| other.path == fault.path && other.position == fault.position)
        };
        let damaged = faults.iter().filter(|fault| !is_among(fault, known)).cloned().collect();
        let whole = known.iter().filter(|fault| !is_among(fault, faults)).cloned().collect();
        ScrubNews { damaged, whole }
    }
}

/// A partition's log as `milena log status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogStatus {
    pub(crate) segments: usize,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    pub(crate) recovery_point: i64,
    pub(crate) last_scrub: Option<LastScrub>,
    pub(crate) damage: Vec<Fault>,
}

impl Replica {
    /// The first closed segment that starts at or after `offset`; `None` if the log is gone.
    pub(crate) fn closed_segment_from(&self, offset: i64) -> Option<ScrubTarget> {
        self.lock().as_ref()?.closed_segment_from(offset)
    }

    /// Stores the result of a segment's scrub. It is ignored if the segment is no longer part of the log,
    /// because it was deleted, replaced or moved while it was read.
    pub(crate) fn note_scrubbed(&self, segment: &ScrubTarget, faults: Vec<Fault>) -> ScrubNews {
        let mut found = self.scrub.found.lock();
        found.forget_gone(self.lock().as_ref());
        let is_there = self.lock().as_ref().is_some_and(|log| log.has_segment(segment));
        if !is_there {
            return ScrubNews::default();
        }
        let known = found.damaged.iter().position(|(damaged, _)| damaged.is_same(segment));
        let known = known.map(|index| found.damaged.swap_remove(index).1).unwrap_or_default();
        let news = ScrubNews::between(&known, &faults);
        if !faults.is_empty() {
            found.damaged.push((segment.clone(), faults));
        }
        news
    }

    /// Stores that all closed segments have been read.
    pub(crate) fn note_scrub_end(&self, last: LastScrub) {
        self.scrub.found.lock().last = Some(last);
    }

    /// The damaged places of segments that are still part of the log, and the number of these segments.
    pub(crate) fn damage(&self) -> (usize, Vec<Fault>) {
        let mut found = self.scrub.found.lock();
        if !found.damaged.is_empty() {
            found.forget_gone(self.lock().as_ref());
        }
        let faults = found.damaged.iter().flat_map(|(_, faults)| faults).cloned();
        (found.damaged.len(), faults.collect())
    }

    /// The status of the log; `None` if the log is gone.
    pub(crate) fn log_status(&self) -> Option<LogStatus> {
        let (_, damage) = self.damage();
        let last_scrub = self.scrub.found.lock().last;
        let guard = self.lock();
        let log = guard.as_ref()?;
        Some(LogStatus {
            segments: log.segments(),
            log_start_offset: log.log_start_offset(),
            log_end_offset: log.end_offset(),
            recovery_point: log.flushed_offset(),
            last_scrub,
            damage,
        })
    }
}

impl ScrubFindings {
    fn forget_gone(&mut self, log: Option<&Log>) {
        self.damaged.retain(|(segment, _)| log.is_some_and(|log| log.has_segment(segment)));
    }
}
