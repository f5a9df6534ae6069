//! Opening a log, and recovering it after a crash.

use std::collections::BTreeSet;
use std::sync::Arc;

use record::BatchError;

use super::Log;
use super::contents::Contents;
use super::epoch_recovery::note_epoch;
use super::listing::{ListedSegment, Listing};
pub use super::open_error::OpenError;
use super::recovery::{Truncation, Verification};
use super::txn_recovery::make_txn_index;
use crate::config::LogConfig;
use crate::directory::{LogDirectory, Offsets};
use crate::flusher::FlushState;
use crate::fs;
use crate::leader_epochs::LeaderEpochs;
use crate::log_offsets::LogOffsets;
use crate::names::{self, SegmentFile, TopicPartition};
use crate::producer_state::ProducerState;
use crate::producer_state::snapshot::{self, SnapshotError};
use crate::scan::{Damage, DamageReason, ScanError};
use crate::segment::{ActiveSegment, ClosedSegment, PartitionDir, Segment};
use crate::traps::{self, Trap};

/// The options of opening a log.
#[derive(Clone, Debug)]
pub struct OpenLog {
    /// The partition of the log. Its directory is created if it does not exist.
    pub partition: TopicPartition,
    /// The topic's id, as the 16 bytes of a UUID. The directory must have the same or none.
    pub topic_id: Option<[u8; 16]>,
    /// The settings, which the partitions of a topic share.
    pub config: Arc<LogConfig>,
    /// The wall clock, in ms since the epoch.
    pub now_ms: i64,
    /// The seed of the segments' jitter: random, so that the segments of many partitions are not rolled at
    /// the same time.
    pub jitter_seed: u64,
    /// Whether a log whose durable part is damaged or incomplete is truncated instead of rejected: batches after the
    /// damage are lost.
    pub accept_damage: bool,
}

/// The findings of opening a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Whether it was closed cleanly and nothing was scanned.
    pub clean: bool,
    /// Bytes whose checksums were verified: those past the recovery point.
    pub scanned_bytes: u64,
    /// The place at which it was truncated.
    pub truncation: Option<Truncation>,
    /// Segments whose indexes were missing or did not match and were rebuilt.
    pub rebuilt_indexes: usize,
}

/// Segments that have been opened.
struct OpenedSegments {
    closed: Vec<Arc<ClosedSegment>>,
    active: ActiveSegment,
    epochs: LeaderEpochs,
    /// Segments whose files were written and are not durable yet.
    unsynced: Vec<Arc<Segment>>,
    /// Whether a segment had no index files.
    lacked_indexes: bool,
    report: RecoveryReport,
}

impl Log {
    /// Opens the log of a partition, and creates it if there is none.
    ///
    /// After a clean shutdown nothing is scanned. After a crash the batches above the recovery point are
    /// verified and the log is truncated at the first incomplete one; indexes, leader epochs, aborted
    /// transactions and producers are brought in line with the rest. The truncation is durable; of the rest
    /// only the part below [`Log::flushed_offset`] is known to be, and the caller makes the remainder so, by
    /// [`Log::enqueue_flush`] or [`Log::flush`].
    ///
    /// # Errors
    /// [`OpenError`] if it is damaged, belongs to another topic, or cannot be read.
    ///
    /// # Panics
    /// If it is open already.
    pub fn open(directory: &LogDirectory, open: OpenLog) -> Result<(Log, RecoveryReport), OpenError> {
        directory.check()?;
        let (shared, now_ms) = (directory.shared(), open.now_ms);
        shared.begin_use()?;
        let (name, offsets, clean) = shared.opening(&open.partition);
        let partition = Arc::new(PartitionDir { name, directory: shared.clone() });
        let created = shared.make(&open.partition)?;
        let contents = match created {
            true => Contents::make(&partition, open.topic_id)?,
            false => Contents::read(&partition, &open, offsets, clean)?,
        };
        let Contents { topic_id, listing, lost_start, epochs } = contents;
        let mut opened = open_segments(&partition, &listing, offsets, clean, &open, epochs.clone())?;
        opened.report.truncation = lost_start.or(opened.report.truncation);
        let lacked_indexes = opened.lacked_indexes;
        let (mut log, report) = assemble(partition, topic_id, opened, offsets, open);
        // Without a recovery point the directory may never have been synced: the first attempt to open the log met a
        // full disk, or the process was killed after it created the directory, or stopped before anything was written.
        if created || offsets.recovery_point == 0 {
            log.flush.created(shared.last_entry());
        }
        if created || (clean && listing.is_void() && offsets == Offsets::default()) {
            log.flush.begun_void();
        }
        log.snapshots = listing.snapshots;
        log.complete(epochs.as_ref(), offsets, &report, lacked_indexes, now_ms)?;
        log.active.segment.close_synced();
        shared.opened(log.flush.clone());
        Ok((log, report))
    }
}

fn assemble(
    partition: Arc<PartitionDir>,
    topic_id: Option<[u8; 16]>,
    opened: OpenedSegments,
    offsets: Offsets,
    open: OpenLog,
) -> (Log, RecoveryReport) {
    let OpenedSegments { closed, active, epochs, unsynced, report, .. } = opened;
    let end_offset = active.end_offset;
    let first = closed.first().map_or(active.base_offset(), |closed| closed.base_offset());
    let log_start_offset = offsets.log_start_offset.max(first);
    let flushed_offset = if report.clean { end_offset } else { offsets.recovery_point.min(end_offset) };
    let offsets = LogOffsets::new(log_start_offset, flushed_offset, offsets.high_watermark, end_offset);
    let flush = Arc::new(FlushState::new(&active.segment, Arc::new(offsets)));
    flush.unsynced(unsynced);
    let mut log = Log {
        partition,
        config: open.config,
        topic_id,
        jitter_seed: open.jitter_seed,
        flush,
        closed: closed.into(),
        active,
        epochs,
        producers: ProducerState::new(end_offset),
        producers_from: end_offset,
        snapshots: BTreeSet::new(),
        deleted: Vec::new(),
        swapping: None,
    };
    log.active.jitter_ms = log.jitter_ms(log.active.base_offset());
    (log, report)
}

/// Opens all segments: those below the recovery point as they are, the others verified.
fn open_segments(
    partition: &Arc<PartitionDir>,
    listing: &Listing,
    offsets: Offsets,
    clean: bool,
    open: &OpenLog,
    epochs: Option<LeaderEpochs>,
) -> Result<OpenedSegments, OpenError> {
    let mut opening = SegmentOpener {
        partition,
        open,
        recovery_point: offsets.recovery_point,
        log_start_offset: offsets.log_start_offset,
        closed: Vec::new(),
        unsynced: Vec::new(),
        snapshots: &listing.snapshots,
        lacked_indexes: false,
        epochs: epochs.unwrap_or_default(),
        report: RecoveryReport { clean: clean || listing.segments.is_empty(), ..RecoveryReport::default() },
    };
    if !clean {
        // Batches that are verified say their epochs themselves: the file may hold those of batches that were there
        // before a truncation.
        opening.epochs.truncate_from_end(offsets.recovery_point);
    }
    let segments = &listing.segments;
    let Some(last) = segments.len().checked_sub(1) else {
        return opening.begin(offsets.log_start_offset);
    };
    // If a segment begins right at the recovery point, the one before it may have been closed after the last sync: its
    // batches are durable, but the ends of its indexes may not be.
    let below = segments.partition_point(|listed| listed.base_offset < offsets.recovery_point);
    let verify_from = if clean { last } else { below.saturating_sub(1).min(last) };
    for listed in &segments[..verify_from] {
        opening.keep(listed)?;
    }
    if clean {
        let active = opening.open_last(&segments[last])?;
        return Ok(opening.done(active));
    }
    let mut active = None;
    for (index, listed) in segments.iter().enumerate().skip(verify_from) {
        if active.as_ref().is_some_and(|previous: &ActiveSegment| opening.was_not_begun(previous, listed)) {
            opening.remove(listed)?;
            continue;
        }
        if let Some(previous) = active.take() {
            opening.check_overlap(&previous, listed)?;
            if opening.lacks_batches_before(&previous, listed)? {
                opening.truncate_after(&previous)?;
                opening.drop_segments(&segments[index..])?;
                active = Some(previous);
                break;
            }
            opening.close(previous)?;
        }
        active = Some(opening.verify(listed, index == verify_from, index == last)?);
        if opening.report.truncation.is_some() {
            opening.drop_segments(&segments[index + 1..])?;
            break;
        }
    }
    let active = active.expect("there is a segment");
    opening.check_durable(&active)?;
    Ok(opening.done(active))
}

/// The segments of a log while they are being opened.
struct SegmentOpener<'a> {
    partition: &'a Arc<PartitionDir>,
    open: &'a OpenLog,
    recovery_point: i64,
    log_start_offset: i64,
    closed: Vec<Arc<ClosedSegment>>,
    unsynced: Vec<Arc<Segment>>,
    /// The producer snapshots in the directory.
    snapshots: &'a BTreeSet<i64>,
    /// Whether a segment had no index files.
    lacked_indexes: bool,
    epochs: LeaderEpochs,
    report: RecoveryReport,
}

impl SegmentOpener<'_> {
    /// Creates the first segment of a log that has none.
    fn begin(self, base_offset: i64) -> Result<OpenedSegments, OpenError> {
        let active =
            ActiveSegment::new(Segment::new(self.partition.clone(), base_offset), 0, self.open.now_ms);
        self.check_durable(&active)?;
        active.segment.touch_files()?;
        Ok(self.done(active))
    }

    fn segment(&self, listed: &ListedSegment) -> Arc<Segment> {
        Segment::new(self.partition.clone(), listed.base_offset)
    }

    /// Takes a closed segment as it is, but rebuilds missing indexes.
    fn keep(&mut self, listed: &ListedSegment) -> Result<(), OpenError> {
        let segment = self.segment(listed);
        self.check_txn_index(listed, &segment)?;
        if listed.has_indexes {
            self.closed.push(Arc::new(ClosedSegment::new(segment, listed.size, None)));
            return Ok(());
        }
        self.lacks_indexes(listed);
        let (config, now_ms) = (&self.open.config, self.open.now_ms);
        let max_timestamp = ActiveSegment::make_indexes(&segment, listed.size, config, now_ms)?;
        self.closed.push(Arc::new(ClosedSegment::new(segment, listed.size, Some(max_timestamp))));
        Ok(())
    }

    /// Rebuilds the index of aborted transactions if it is wrong: each is small, and few segments have one.
    /// After a crash its entries are compared with the log. A missing index, although there are aborted
    /// transactions, counts as lost only if the other indexes are missing, too: they are created after it, so
    /// their presence shows that it is complete.
    fn check_txn_index(&self, listed: &ListedSegment, segment: &Arc<Segment>) -> Result<(), OpenError> {
        let is_right = match listed.has_txn_index {
            true if self.report.clean || !listed.has_indexes => segment.has_sound_txn_index()?,
            true => {
                let closed = ClosedSegment::new(segment.clone(), listed.size, None);
                segment.has_sound_txn_index()? && closed.has_right_txn_index(&self.closed)?
            }
            false => listed.has_indexes,
        };
        if is_right { Ok(()) } else { self.make_txn_index(segment, listed.size, i64::MAX) }
    }

    fn make_txn_index(&self, segment: &Arc<Segment>, size: u32, below: i64) -> Result<(), OpenError> {
        let path = segment.path(SegmentFile::TxnIndex);
        tracing::info!(path = %path.display(), "the index of aborted transactions is rebuilt from the log");
        let closed = self.closed.iter().map(|closed| (closed.segment.clone(), closed.size));
        let segments: Vec<_> = closed.chain([(segment.clone(), size)]).collect();
        Ok(make_txn_index(&segments, self.snapshots, below, self.accepts_damage())?)
    }

    /// Notes that the indexes of a segment are to be rebuilt.
    fn lacks_indexes(&mut self, listed: &ListedSegment) {
        self.report.rebuilt_indexes += 1;
        self.lacked_indexes |= !listed.has_indexes;
    }

    /// Closes a segment that another follows.
    fn close(&mut self, mut active: ActiveSegment) -> Result<(), OpenError> {
        active.finish()?;
        self.unsynced.push(active.segment.clone());
        let closed = ClosedSegment::new(active.segment, active.size, Some(active.max_timestamp));
        self.closed.push(Arc::new(closed));
        Ok(())
    }

    /// Opens the last segment of a log that was closed cleanly.
    fn open_last(&mut self, listed: &ListedSegment) -> Result<ActiveSegment, OpenError> {
        self.check_txn_index(listed, &self.segment(listed))?;
        let (config, now_ms) = (&self.open.config, self.open.now_ms);
        let opened = if listed.has_indexes {
            ActiveSegment::open_closed(self.segment(listed), listed.size, config, 0, now_ms)?
        } else {
            None
        };
        let active = match opened {
            Some(active) => active,
            None => {
                self.lacks_indexes(listed);
                ActiveSegment::load(self.segment(listed), listed.size, config, 0, now_ms)?
            }
        };
        self.check_durable(&active)?;
        Ok(active)
    }

    /// Opens a segment after a crash. Batches below the recovery point are walked, the others are verified.
    fn verify(
        &mut self,
        listed: &ListedSegment,
        has_durable: bool,
        is_last: bool,
    ) -> Result<ActiveSegment, OpenError> {
        let (config, now_ms) = (&self.open.config, self.open.now_ms);
        let durable_below = if has_durable { self.recovery_point } else { 0 };
        let segment = self.segment(listed);
        if durable_below > listed.base_offset && !listed.has_indexes && !listed.has_txn_index {
            self.make_txn_index(&segment, listed.size, durable_below)?;
        }
        let mut active = ActiveSegment::from_indexes(segment, listed.size, durable_below, 0, now_ms)?;
        if durable_below > listed.base_offset {
            match active.rebuild(listed.size, durable_below, config) {
                // The verification truncates it there.
                Err(ScanError::Damaged(_)) if self.accepts_damage() => {}
                walked => walked?,
            }
        }
        self.lacked_indexes |= !listed.has_indexes;
        if !active.truncate_txn_index(&self.closed, self.recovery_point)? {
            self.make_txn_index(&active.segment, listed.size, self.recovery_point)?;
        }
        let durable_below = if self.accepts_damage() {
            0
        } else if self.partition.directory.lacks_recovery_points && !is_last {
            // The batch may have been durable for long, and a truncation would lose the segments that follow.
            i64::MAX
        } else {
            self.recovery_point
        };
        let epochs = &mut self.epochs;
        let note = |header: &_| note_epoch(epochs, header);
        let verified = active.verify(listed.size, durable_below, config, note);
        let Verification { scanned_bytes, truncation } = verified?;
        self.report.scanned_bytes += scanned_bytes;
        if let Some(truncation) = truncation {
            let Truncation { damage, bytes, batches_followed, only_zeros } = &truncation;
            if !only_zeros {
                tracing::warn!(bytes, batches_followed, "log truncated: {damage}");
            }
            self.report.truncation = Some(truncation);
        }
        Ok(active)
    }

    /// Drops the segments after one that was truncated.
    fn drop_segments(&mut self, segments: &[ListedSegment]) -> Result<(), OpenError> {
        for listed in segments.iter().rev() {
            self.segment(listed).rename_deleted()?;
            let truncation = self.report.truncation.as_mut().expect("a segment was truncated");
            truncation.bytes += u64::from(listed.size);
            truncation.batches_followed |= listed.size > 0;
            truncation.only_zeros &= listed.size == 0;
        }
        Ok(())
    }

    fn accepts_damage(&self) -> bool {
        self.open.accept_damage || traps::is_on(Trap::DurableDamageCut)
    }

    /// Rejects a log that ends before the offset up to which it was durable, unless it was emptied to restart
    /// at a higher offset.
    fn check_durable(&self, active: &ActiveSegment) -> Result<(), OpenError> {
        let was_emptied = self.recovery_point <= self.log_start_offset;
        if active.end_offset >= self.recovery_point || was_emptied || self.accepts_damage() {
            return Ok(());
        }
        Err(OpenError::Damaged(Damage {
            path: active.segment.path(SegmentFile::Log),
            position: u64::from(active.size),
            reason: DamageReason::Missing { durable_offset: self.recovery_point },
        }))
    }

    /// Whether the end of a segment is lost although the segment after it is there: a file may end
    /// between two batches, or not have been written at all.
    fn lacks_batches_before(
        &self,
        previous: &ActiveSegment,
        next: &ListedSegment,
    ) -> Result<bool, OpenError> {
        // Without recovery points a gap that compaction has left looks like a loss.
        let is_ignored =
            traps::is_on(Trap::HoleBetweenSegments) || self.partition.directory.lacks_recovery_points;
        if previous.end_offset == next.base_offset || next.base_offset <= self.recovery_point || is_ignored {
            return Ok(false);
        }
        let path = names::offset_path(&self.partition.path(), next.base_offset, names::SNAPSHOT_SUFFIX);
        match snapshot::read(&self.partition.directory.fs, &path, next.base_offset) {
            // A snapshot of Kafka does not say where the batches end: compaction may have emptied the end of the
            // segment.
            Ok(snapshot) => {
                Ok(snapshot.says_end && snapshot.state.batches_end_offset() != previous.end_offset)
            }
            Err(SnapshotError::Fs(error)) if !error.is_not_found() => Err(error.into()),
            // The snapshot becomes durable with the first batch after it, so none of those was durable.
            Err(_) => Ok(true),
        }
    }

    /// Drops everything after a segment, unless it was durable.
    fn truncate_after(&mut self, previous: &ActiveSegment) -> Result<(), OpenError> {
        self.check_durable(previous)?;
        let path = previous.segment.path(SegmentFile::Log);
        let missing = BatchError::Truncated { have_bytes: 0, need_bytes: record::BATCH_OVERHEAD };
        let reason = DamageReason::Batch(missing);
        let damage = Damage { path, position: u64::from(previous.size), reason };
        tracing::warn!("log truncated: {damage}");
        self.report.truncation =
            Some(Truncation { damage, bytes: 0, batches_followed: false, only_zeros: false });
        Ok(())
    }

    /// Whether beginning a segment failed and the one before it continued: a loss of power may bring back the empty
    /// files.
    fn was_not_begun(&self, previous: &ActiveSegment, listed: &ListedSegment) -> bool {
        listed.size == 0 && listed.base_offset < previous.end_offset
    }

    fn remove(&self, listed: &ListedSegment) -> fs::Result<()> {
        for kind in SegmentFile::ALL {
            self.partition.directory.fs.remove_file_if_exists(&self.segment(listed).path(kind))?;
        }
        Ok(())
    }

    /// Rejects segments with overlapping offsets.
    fn check_overlap(&self, previous: &ActiveSegment, next: &ListedSegment) -> Result<(), OpenError> {
        let (expected, found) = (previous.end_offset, next.base_offset);
        if found >= expected {
            return Ok(());
        }
        Err(OpenError::Damaged(Damage {
            path: self.segment(next).path(SegmentFile::Log),
            position: 0,
            reason: DamageReason::Offset { found, expected },
        }))
    }

    fn done(self, active: ActiveSegment) -> OpenedSegments {
        let SegmentOpener { closed, unsynced, lacked_indexes, epochs, report, .. } = self;
        OpenedSegments { closed, active, epochs, unsynced, lacked_indexes, report }
    }
}
