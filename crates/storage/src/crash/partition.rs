//! The operations on one partition, and the model of its log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use record::{Batch, BatchBuilder, BatchHeader, Compression, ValidBatch};

use crate::producer_state::Marker;
use crate::testing::{NOW_MS, end_txn, small};
use crate::{
    AppendError, ChangeError, CleanError, CleanedSegment, Log, LogConfig, OffsetMap, Origin, SwapOutcome,
    TopicPartition,
};

/// Producers that write to a partition. The first two do so in transactions.
const PRODUCERS: usize = 4;
const TRANSACTIONAL: usize = 2;

/// A batch that was appended, with the offset that it got.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) bytes: Arc<[u8]>,
    pub(super) header: BatchHeader,
}

/// The progress of a producer.
#[derive(Clone, Debug, Default)]
struct Sequence {
    next: i32,
    open: bool,
    /// Its last batch, with the offset of it.
    last: Option<(Vec<u8>, i64)>,
}

/// The model of one partition.
pub(super) struct Partition {
    pub(super) name: TopicPartition,
    pub(super) topic_id: [u8; 16],
    pub(super) config: LogConfig,
    pub(super) log: Option<Log>,
    /// The batches in the log, and those that retention has removed from its start.
    pub(super) entries: Vec<Entry>,
    /// Other batches that the disk may hold: their append failed, or truncation removed them and the power
    /// failed before that was durable.
    pub(super) others: BTreeSet<(i64, Arc<[u8]>)>,
    /// Gaps left by batches with offsets of their own: the end before, and the start after.
    pub(super) gaps: BTreeSet<(i64, i64)>,
    /// The end of the transaction of a data batch: its offset, and whether it was aborted.
    pub(super) verdicts: BTreeMap<i64, (i64, bool)>,
    /// Markers that compaction has removed or emptied: the data that they ended may be below the start of the log.
    pub(super) gone_markers: BTreeMap<i64, Entry>,
    /// Below this offset compaction may have rewritten batches since the last check.
    pub(super) cleaned_to: i64,
    /// Below this it may have left gaps.
    pub(super) compacted_to: i64,
    /// The greatest high watermark at which it was compacted.
    pub(super) committed: i64,
    /// The log start offset that a checkpoint has made durable.
    pub(super) checkpointed_start: i64,
    /// The log's own offsets when it crashed: its durable end, and its start.
    pub(super) durable: i64,
    pub(super) start: i64,
    /// Its end when it crashed; `None` during a truncation.
    pub(super) written: Option<i64>,
    /// The offset at which it was about to start empty.
    pub(super) emptying: Option<i64>,
    /// Whether it was being deleted.
    pub(super) deleting: bool,
    /// Whether the log knows producers whose batches are lost along with all others, or of batches that compaction
    /// removed because of later ones, which were truncated after that.
    pub(super) producers_unknown: bool,
    epoch: i32,
    next_value: u64,
    producers: [Sequence; PRODUCERS],
}

impl Partition {
    pub(super) fn new(number: i32, generation: u8, random: &mut Rng) -> Partition {
        let compact = random.u8(..3) == 0;
        let delete_retention_ms = if random.bool() { 500 } else { 86_400_000 };
        let config = LogConfig {
            segment_bytes: 2048,
            retention_ms: -1,
            file_delete_delay_ms: 0,
            compact,
            delete: !compact,
            delete_retention_ms,
            ..small()
        };
        Partition {
            name: TopicPartition { topic: "topic".into(), partition: number },
            topic_id: [generation; 16],
            config,
            log: None,
            entries: Vec::new(),
            others: BTreeSet::new(),
            gaps: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            gone_markers: BTreeMap::new(),
            cleaned_to: 0,
            compacted_to: 0,
            committed: 0,
            checkpointed_start: 0,
            durable: 0,
            start: 0,
            written: None,
            emptying: None,
            deleting: false,
            producers_unknown: false,
            epoch: 0,
            next_value: 0,
            producers: Default::default(),
        }
    }

    pub(super) fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("it is open")
    }

    fn fill(&mut self, mut builder: BatchBuilder, records: usize, random: &mut Rng, now_ms: i64) -> Vec<u8> {
        for _ in 0..records {
            self.next_value += 1;
            let mut value = self.next_value.to_be_bytes().to_vec();
            value.resize(8 + random.usize(..90), b'v');
            let is_tombstone = self.config.compact && random.u8(..8) == 0;
            let value = (!is_tombstone).then_some(&*value);
            builder.push(now_ms - random.i64(0..100), Some(&[random.u8(..6)]), value, &[]);
        }
        builder.build()
    }

    /// Appends a batch as the leader. Returns its offset.
    pub(super) fn append(&mut self, bytes: &[u8], origin: Origin) -> Option<i64> {
        let epoch = self.epoch;
        let log = self.log.as_mut().expect("it is open");
        let mut stamped = bytes.to_vec();
        stamped[..8].copy_from_slice(&log.end_offset().to_be_bytes());
        stamped[12..16].copy_from_slice(&epoch.to_be_bytes());
        let header = BatchHeader::parse(&stamped).expect("it was built");
        let entry = Entry { bytes: stamped.into(), header };
        let valid = ValidBatch::trusted(&Batch::parse(bytes).expect("it was built"));
        match log.append_as_leader(bytes, &valid, epoch, origin, NOW_MS) {
            Ok(appended) if appended.duplicate => Some(appended.base_offset),
            Ok(appended) => {
                assert_eq!(appended.base_offset, header.base_offset);
                self.entries.push(entry);
                Some(appended.base_offset)
            }
            Err(AppendError::Full(_) | AppendError::Offline(_)) => {
                self.others.insert((header.base_offset, entry.bytes));
                None
            }
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    pub(super) fn append_plain(&mut self, random: &mut Rng, now_ms: i64) {
        let bytes = self.fill(BatchBuilder::new(Compression::None), random.usize(1..6), random, now_ms);
        self.append(&bytes, Origin::Client);
    }

    pub(super) fn append_of_producer(&mut self, random: &mut Rng, now_ms: i64) {
        let n = random.usize(..PRODUCERS);
        if let Some((bytes, base_offset)) = self.producers[n].last.clone().filter(|_| random.u8(..10) == 0) {
            let before = self.entries.len();
            let again = self.append(&bytes, Origin::Client);
            assert!(again.is_none_or(|again| again == base_offset), "{}: it was sent before", self.name);
            assert!(again.is_none() || self.entries.len() == before, "{}: it is in the log", self.name);
            return;
        }
        if self.producers[n].open && random.bool() {
            let marker = end_txn(n as i64, 0, random.bool());
            if self.append(&marker, Origin::Marker { transaction_version: 0 }).is_some() {
                self.producers[n].open = false;
                self.note_verdicts();
            }
            return;
        }
        let (records, sequence) = (random.usize(1..4), self.producers[n].next);
        let builder = BatchBuilder::new(Compression::None).producer(n as i64, 0, sequence);
        let builder = if n < TRANSACTIONAL { builder.transactional() } else { builder };
        let bytes = self.fill(builder, records, random, now_ms);
        if let Some(base_offset) = self.append(&bytes, Origin::Client) {
            let next = sequence + records as i32;
            self.producers[n] = Sequence { next, open: n < TRANSACTIONAL, last: Some((bytes, base_offset)) };
        }
    }

    pub(super) fn append_with_offsets(&mut self, random: &mut Rng, now_ms: i64) {
        let (mut all, mut entries, mut offset) = (Vec::new(), Vec::new(), self.log().end_offset());
        for _ in 0..random.usize(1..8) {
            if random.u8(..12) == 0 {
                let after = offset + random.i64(1..5);
                self.gaps.insert((offset, after));
                offset = after;
            }
            let builder =
                BatchBuilder::new(Compression::None).base_offset(offset).partition_leader_epoch(self.epoch);
            let bytes = self.fill(builder, random.usize(1..4), random, now_ms);
            let header = BatchHeader::parse(&bytes).expect("it was built");
            offset = header.next_offset();
            all.extend_from_slice(&bytes);
            entries.push(Entry { bytes: bytes.into(), header });
        }
        let log = self.log.as_mut().expect("it is open");
        match log.append_with_offsets(&all, now_ms) {
            Ok(_) | Err(AppendError::Full(_) | AppendError::Offline(_)) => {}
            Err(error) => panic!("{}: {error}", self.name),
        }
        // If a file operation failed, the earlier batches are in the log.
        let end_offset = log.end_offset();
        for entry in entries {
            if entry.header.next_offset() <= end_offset {
                self.entries.push(entry);
            } else {
                self.others.insert((entry.header.base_offset, entry.bytes));
            }
        }
    }

    /// Elects another leader.
    pub(super) fn elect(&mut self, random: &mut Rng) {
        self.epoch += random.i32(1..3);
        if random.bool() {
            let epoch = self.epoch;
            self.log().assign_epoch(epoch);
        }
    }

    /// Records that a consumer may have read stay in compacted logs, even if the log was opened at an older
    /// high watermark since: compaction relies on it.
    pub(super) fn truncate(&mut self, random: &mut Rng, now_ms: i64) {
        let (compact, committed) = (self.config.compact, self.committed);
        let log = self.log();
        let (start, end) = (log.log_start_offset(), log.end_offset());
        let lowest = if compact { log.high_watermark().max(committed) } else { end - 30 };
        let offset = random.i64(start.max(lowest).min(end)..=end);
        let truncated = log.truncate_to(offset, now_ms).is_ok();
        let start = log.log_start_offset();
        self.producers_unknown |= self.compacted_to > 0;
        self.checkpointed_start = self.checkpointed_start.min(start).min(offset);
        let removed = self.entries.iter().filter(|entry| entry.header.last_offset() >= offset);
        self.others.extend(removed.map(|entry| (entry.header.base_offset, entry.bytes.clone())));
        // Another leader appends other batches there.
        self.epoch += 1;
        if !truncated {
            self.written = None;
            return;
        }
        self.entries.retain(|entry| entry.header.last_offset() < offset);
        let end = self.log().end_offset();
        // Compaction may continue after it, and the process may die.
        self.written = Some(end);
        self.verdicts.retain(|_, (marker, _)| *marker < end);
        self.gone_markers.retain(|offset, _| *offset < end);
        self.forget_what_an_empty_log_forgets();
        self.resume_producers();
    }

    /// Removes everything, and begins at another offset.
    pub(super) fn empty(&mut self, random: &mut Rng, now_ms: i64) {
        let log = self.log();
        let (start, end) = (log.log_start_offset(), log.end_offset());
        let offset = match random.u8(..3) {
            0 => random.i64(end..end + 20),
            1 => random.i64(start..=end),
            _ => random.i64((start - 10).max(0)..=start),
        };
        let emptied = log.truncate_fully_and_start_at(offset, now_ms).is_ok();
        self.others.extend(self.entries.iter().map(|entry| (entry.header.base_offset, entry.bytes.clone())));
        if !emptied {
            self.emptying = Some(offset);
            // Some of the batches that compaction relied on may be gone.
            self.producers_unknown |= self.compacted_to > 0;
            self.checkpointed_start = self.checkpointed_start.min(offset);
            self.written = None;
            return;
        }
        self.written = Some(offset);
        self.entries.clear();
        self.verdicts.clear();
        self.gone_markers.clear();
        (self.cleaned_to, self.compacted_to, self.committed) = (0, 0, 0);
        self.checkpointed_start = offset;
        self.producers_unknown = false;
        self.epoch += 1;
        self.resume_producers();
    }

    pub(super) fn delete_records(&mut self, random: &mut Rng, now_ms: i64) {
        let log = self.log();
        let (start, high_watermark) = (log.log_start_offset(), log.high_watermark());
        if start < high_watermark {
            let _ = log.delete_records(random.i64(start..=high_watermark), now_ms);
        }
    }

    /// Runs a pass of compaction, with a map that may be too small for all keys.
    pub(super) fn clean(&mut self, random: &mut Rng, now_ms: i64) {
        if !self.config.compact {
            return;
        }
        match self.try_clean(random, now_ms) {
            Ok(()) | Err(CleanError::Fs(_) | CleanError::Offline(_) | CleanError::Stale) => {}
            Err(error) => panic!("{}: {error}", self.name),
        }
    }

    fn try_clean(&mut self, random: &mut Rng, now_ms: i64) -> Result<(), CleanError> {
        let mut map = OffsetMap::new(24 * random.usize(4..40), 0.9);
        let log = self.log();
        let Ok(plan) = log.clean_plan(log.cleaned_to(), now_ms) else { return Ok(()) };
        let (end_offset, high_watermark) = (plan.end_offset, log.high_watermark());
        let mut throttle = |_| Ok(());
        let mut cleaning = plan.start(&mut map, &mut throttle)?;
        self.cleaned_to = self.cleaned_to.max(end_offset);
        self.compacted_to = self.compacted_to.max(end_offset);
        self.committed = self.committed.max(high_watermark);
        while let Some(cleaned) = cleaning.next_group(&mut throttle)? {
            match self.swap(&cleaned, random, now_ms) {
                Ok(SwapOutcome::Done) => {}
                Ok(SwapOutcome::Stale) | Err(_) => return Ok(()),
            }
        }
        cleaning.finish()?;
        Ok(())
    }

    /// Between the steps the log may be changed.
    fn swap(
        &mut self,
        cleaned: &CleanedSegment,
        random: &mut Rng,
        now_ms: i64,
    ) -> Result<SwapOutcome, ChangeError> {
        if self.log().begin_swap(cleaned)? == SwapOutcome::Stale {
            return Ok(SwapOutcome::Stale);
        }
        self.meanwhile(random, now_ms);
        cleaned.sync_names()?;
        self.meanwhile(random, now_ms);
        if self.log().replace_segments(cleaned, now_ms)? == SwapOutcome::Stale {
            return Ok(SwapOutcome::Stale);
        }
        self.meanwhile(random, now_ms);
        cleaned.sync_names()?;
        self.meanwhile(random, now_ms);
        self.log().finish_swap(cleaned)?;
        self.meanwhile(random, now_ms);
        cleaned.sync_names()?;
        Ok(SwapOutcome::Done)
    }

    fn meanwhile(&mut self, random: &mut Rng, now_ms: i64) {
        match random.u8(..40) {
            0..4 => self.append_plain(random, now_ms),
            4..6 => {
                let _ = self.log().flush();
            }
            6..8 => self.delete_records(random, now_ms),
            8 => self.truncate(random, now_ms),
            9 => self.empty(random, now_ms),
            _ => {}
        }
    }

    /// Notes the outcome of each transaction whose marker is among the batches.
    pub(super) fn note_verdicts(&mut self) {
        let mut open: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for Entry { bytes, header } in self.entries.iter().filter(|entry| entry.header.has_producer_id()) {
            if !header.attributes.is_control() {
                open.entry(header.producer_id).or_default().push(header.base_offset);
            } else if let Some(marker) = Marker::of(header, bytes) {
                for base_offset in open.remove(&header.producer_id).unwrap_or_default() {
                    self.verdicts.entry(base_offset).or_insert((header.base_offset, !marker.commit));
                }
            }
        }
    }

    /// Notes the markers from `first` on that compaction has removed, given the batches `found` now.
    pub(super) fn note_gone_markers(&mut self, found: &[Entry], first: i64) {
        let range = first..self.compacted_to;
        for entry in self.entries.iter().filter(|entry| entry.header.attributes.is_control()) {
            let base_offset = entry.header.base_offset;
            let at = found.binary_search_by_key(&base_offset, |entry| entry.header.base_offset);
            let is_there = at.is_ok_and(|at| found[at].header.records_count > 0);
            if range.contains(&base_offset) && entry.header.records_count > 0 && !is_there {
                self.gone_markers.insert(base_offset, entry.clone());
            }
        }
    }

    /// The batches that were appended and not truncated, as far as a replay needs them.
    pub(super) fn appended(&self) -> BTreeMap<i64, &Entry> {
        let entries = self.entries.iter().map(|entry| (entry.header.base_offset, entry));
        entries.chain(self.gone_markers.iter().map(|(offset, entry)| (*offset, entry))).collect()
    }

    /// A log that started empty knows nothing of producers before its start.
    pub(super) fn forget_what_an_empty_log_forgets(&mut self) {
        let log = self.log.as_ref().expect("it is open");
        if log.log_start_offset() == log.end_offset() && log.active_producers().is_empty() {
            let forgotten = self.entries.drain(..);
            self.others.extend(forgotten.map(|entry| (entry.header.base_offset, entry.bytes)));
        }
    }

    /// Has the producers continue after the batches in the log.
    pub(super) fn resume_producers(&mut self) {
        self.producers = Default::default();
        for active in self.log.as_ref().expect("it is open").active_producers() {
            let producer = &mut self.producers[active.producer_id as usize];
            producer.next = active.last_sequence + 1;
            producer.open = active.current_txn_start_offset >= 0;
        }
        for Entry { header, bytes } in self.entries.iter().filter(|entry| entry.header.has_producer_id()) {
            let producer = &mut self.producers[header.producer_id as usize];
            let is_last = !header.attributes.is_control() && header.last_sequence() + 1 == producer.next;
            if is_last && header.records_count > 0 {
                producer.last = Some((bytes.to_vec(), header.base_offset));
            }
        }
    }

    /// Notes what must be there after a crash.
    pub(super) fn remember(&mut self, is_healthy: bool) {
        let Some(log) = &self.log else { return };
        (self.durable, self.start) = (log.flushed_offset(), log.log_start_offset());
        if is_healthy {
            self.written = Some(log.end_offset());
            self.emptying = None;
        }
    }

    /// Continues with the batches found after a crash.
    pub(super) fn found(&mut self) {
        self.deleting = false;
        self.cleaned_to = 0;
        self.resume_producers();
        self.remember(true);
    }
}
