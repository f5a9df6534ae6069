//! The choice of the records that stay, and their rewriting.

use std::sync::Arc;

use record::{Batch, BatchBuilder, BatchHeader, Record, emptied};

use super::{CleanError, CleanPass, CleanedSegment, LastRecord, Throttle};
use crate::fs::{self, File, Mode};
use crate::names::{CLEANED_SUFFIX, SegmentFile};
use crate::room::Purpose;
use crate::scan::OrderedBatches;
use crate::segment::{ActiveSegment, ClosedSegment, Segment};
use crate::traps::{self, Trap};

/// The number of bytes to gather before a write.
const BUFFER_BYTES: usize = 1 << 20;

/// The new segment while it is being written.
struct Output {
    file: File,
    /// Its size and its indexes; it opens no file.
    active: ActiveSegment,
    buffer: Vec<u8>,
    written: u64,
    interval_bytes: u32,
}

impl Output {
    fn push(&mut self, batch: &[u8]) -> Result<(), CleanError> {
        let header = BatchHeader::parse_stored(batch).expect("it is a batch");
        if u64::from(self.active.size) + batch.len() as u64 > i32::MAX as u64 {
            return Err(CleanError::TooLarge);
        }
        self.active.push(&header, self.interval_bytes);
        self.buffer.extend_from_slice(batch);
        if self.buffer.len() >= BUFFER_BYTES { Ok(self.flush()?) } else { Ok(()) }
    }

    fn flush(&mut self) -> fs::Result<()> {
        let directory = &self.active.segment.partition.directory;
        directory.room.admit(&directory.fs, self.buffer.len(), Purpose::Own)?;
        self.file.write_all_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// The part of a batch that stays.
enum BatchRetention {
    /// Every byte of it.
    All,
    /// Some of its records, rewritten.
    Some(Vec<u8>),
    /// Nothing.
    None,
}

impl CleanPass<'_> {
    /// Writes the records of `inputs` that stay to one segment, durable under its `.cleaned` names.
    pub(super) fn rewrite(
        &mut self,
        inputs: Vec<Arc<ClosedSegment>>,
        throttle: &mut Throttle<'_>,
    ) -> Result<CleanedSegment, CleanError> {
        let segment = Segment::new(self.plan.partition.clone(), inputs[0].base_offset());
        self.rewrite_to(&segment, inputs, throttle).inspect_err(|_| {
            // Half a segment would take space that a full disk lacks until the next attempt.
            for kind in SegmentFile::ALL {
                let path = segment.path_with(kind, CLEANED_SUFFIX);
                let _ = segment.partition.directory.fs.remove_file_if_exists(&path);
            }
        })
    }

    fn rewrite_to(
        &mut self,
        segment: &Arc<Segment>,
        inputs: Vec<Arc<ClosedSegment>>,
        throttle: &mut Throttle<'_>,
    ) -> Result<CleanedSegment, CleanError> {
        let segment = segment.clone();
        let fs = self.plan.partition.directory.fs.clone();
        let path = |kind| segment.path_with(kind, CLEANED_SUFFIX);
        for kind in SegmentFile::ALL {
            fs.remove_file_if_exists(&path(kind))?;
        }
        let mut output = Output {
            file: fs.open(&path(SegmentFile::Log), Mode::CreateEmpty)?,
            active: ActiveSegment::new(segment.clone(), 0, self.plan.now_ms),
            buffer: Vec::new(),
            written: 0,
            interval_bytes: self.plan.config.index_interval_bytes,
        };
        for (index, input) in inputs.iter().enumerate() {
            let last = self.plan.next_base_offset(self.next - 1);
            let next_base_offset = inputs.get(index + 1).map_or(last, |next| next.base_offset());
            self.rewrite_segment(input, next_base_offset, &mut output, throttle)?;
        }
        output.flush()?;
        output.file.sync_data()?;
        let (offsets, times) = output.active.index_bytes();
        write(&fs.open(&path(SegmentFile::OffsetIndex), Mode::CreateEmpty)?, offsets)?;
        write(&fs.open(&path(SegmentFile::TimeIndex), Mode::CreateEmpty)?, times)?;
        let aborted = std::mem::take(&mut self.transactions.retained);
        if !aborted.is_empty() {
            let bytes: Vec<u8> = aborted.iter().flat_map(|txn| txn.to_bytes()).collect();
            write(&fs.open(&path(SegmentFile::TxnIndex), Mode::CreateEmpty)?, &bytes)?;
        }
        // All names are durable before the first one changes. If recovery finds a file alone with the next suffix,
        // the swap was nearly done, rather than hardly begun.
        fs.sync_dir(&self.plan.partition.path())?;
        let (size, max_timestamp) = (output.active.size, output.active.max_timestamp);
        let (has_txns, generation) = (!aborted.is_empty(), self.plan.generation);
        Ok(CleanedSegment { inputs, segment, size, max_timestamp, has_txns, generation })
    }

    fn rewrite_segment(
        &mut self,
        input: &ClosedSegment,
        next_base_offset: i64,
        output: &mut Output,
        throttle: &mut Throttle<'_>,
    ) -> Result<(), CleanError> {
        let file = input.segment.file(SegmentFile::Log)?;
        let mut batches = OrderedBatches::new(&file, input.size, input.base_offset()..next_base_offset);
        while let Some(batch) = batches.next()? {
            let read_bytes = batch.bytes().len() as u64;
            let size = output.active.size;
            match self.filter(&batch)? {
                BatchRetention::All => output.push(batch.bytes())?,
                BatchRetention::Some(bytes) => output.push(&bytes)?,
                BatchRetention::None => {}
            }
            let written_bytes = u64::from(output.active.size - size);
            self.stats.read_bytes += read_bytes;
            self.stats.written_bytes += written_bytes;
            throttle(read_bytes + written_bytes)?;
        }
        Ok(())
    }

    fn filter(&mut self, batch: &Batch<'_>) -> Result<BatchRetention, CleanError> {
        let mut header = *batch.header();
        let is_control = header.attributes.is_control();
        let is_void = self.transactions.pass(batch);
        let horizon_ms = header.delete_horizon_ms();
        let horizon_passed = horizon_ms.is_some_and(|horizon_ms| horizon_ms <= self.plan.now_ms);
        let horizon_passed = horizon_passed || traps::is_on(Trap::TombstoneGoes);
        let discard = is_void && (!is_control || horizon_passed);
        let limits = self.plan.config.decompress_limits();
        let mut builder: Option<BatchBuilder> = None;
        if !discard {
            let mut all = true;
            let mut any = false;
            let mut tombstones = false;
            let mut records = batch.record_stream(&mut self.scratch, limits)?;
            while let Some(record) = records.next()? {
                if header.magic != 2 {
                    // The rest of an old message is written in the current format.
                    header = header.upgraded(record.offset);
                }
                let invalid = &mut self.stats.invalid_records;
                let has_no_key = is_control && !traps::is_on(Trap::MarkerHasKey);
                let stays = has_no_key || stays(self.map, &record, horizon_passed, invalid);
                all &= stays;
                any |= stays;
                tombstones |= stays && record.value.is_none();
            }
            let needs_horizon = horizon_ms.is_none() && (tombstones || (is_void && is_control));
            if any && all && !needs_horizon {
                return Ok(BatchRetention::All);
            }
            let stamped = self.plan.now_ms.saturating_add(self.plan.config.delete_retention_ms);
            let horizon_ms = if needs_horizon { Some(stamped) } else { horizon_ms };
            if any {
                builder = Some(BatchBuilder::replacing(&header, horizon_ms));
            }
        }
        if let Some(mut builder) = builder {
            let mut records = batch.record_stream(&mut self.scratch, limits)?;
            while let Some(record) = records.next()? {
                if is_control || stays(self.map, &record, horizon_passed, &mut 0) {
                    builder.push_record(&record);
                }
            }
            return Ok(BatchRetention::Some(builder.build()));
        }
        let keeps_offset = header.next_offset() == self.plan.end_offset;
        Ok(if keeps_offset || self.is_last_of_producer(&header) {
            BatchRetention::Some(emptied(&header))
        } else {
            BatchRetention::None
        })
    }

    /// Whether a replay of the log needs the batch to know its producer.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        header.has_producer_id()
            && !traps::is_on(Trap::LastBatchGoes)
            && self.plan.last_records.get(&header.producer_id).is_some_and(|last| match *last {
                LastRecord::Data(offset) => header.last_offset() == offset,
                LastRecord::Marker(epoch) => header.attributes.is_control() && header.producer_epoch == epoch,
            })
    }
}

/// Whether a record is the last one of its key, or above the offsets that the map covers.
fn stays(map: &super::OffsetMap, record: &Record<'_>, horizon_passed: bool, invalid: &mut u64) -> bool {
    if record.offset > map.latest_offset() {
        return true;
    }
    let Some(key) = record.key else {
        *invalid += 1;
        return false;
    };
    let is_latest = map.get(key).is_none_or(|offset| record.offset >= offset);
    is_latest && (record.value.is_some() || !horizon_passed)
}

fn write(file: &File, bytes: &[u8]) -> fs::Result<()> {
    file.write_all_at(bytes, 0)?;
    file.sync_data()
}
