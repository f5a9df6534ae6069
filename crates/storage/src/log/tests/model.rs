//! Random histories against a model, with clean shutdowns and crashes in between.

use fastrand::Rng;
use record::Scratch;

use super::*;
use crate::LogDirectory;
use crate::testing::{append, scrub, small};

/// An entry that the log should hold.
#[derive(Clone)]
struct Entry {
    bytes: Vec<u8>,
    header: record::BatchHeader,
}

struct Model {
    random: Rng,
    home: Home,
    directory: Option<LogDirectory>,
    log: Option<Log>,
    /// Every batch that is or was in the log, those below its start as well.
    entries: Vec<Entry>,
    /// The start of the log when it was last emptied.
    start_of_history: i64,
    /// The start of the last segment: the log ends there at least, after a gap whose batch is gone.
    last_segment: i64,
    /// Next sequence of each producer; each has an open transaction or not.
    producers: [(i32, bool); 4],
    /// The log start offset that the checkpoint has.
    checkpointed_start: i64,
    now_ms: i64,
}

impl Model {
    fn new(seed: u64) -> Model {
        let home = Home { open_files_max: 6, ..Home::new() };
        let directory = home.open();
        let (log, _) = open_log(&directory, config());
        Model {
            random: Rng::with_seed(seed),
            home,
            directory: Some(directory),
            log: Some(log),
            entries: Vec::new(),
            start_of_history: 0,
            last_segment: 0,
            producers: Default::default(),
            checkpointed_start: 0,
            now_ms: NOW_MS,
        }
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("it is open")
    }

    fn end_offset(&self) -> i64 {
        let after_last =
            self.entries.last().map_or(self.start_of_history, |entry| entry.header.next_offset());
        after_last.max(self.last_segment)
    }

    fn step(&mut self) {
        match self.random.u32(..100) {
            0..40 => self.append_plain(),
            40..60 => self.append_of_producer(),
            60..66 => self.append_with_offsets(),
            66..72 => self.flush(),
            72..80 => {
                let end_offset = self.end_offset();
                let low = self.log().high_watermark().min(end_offset);
                let high_watermark = self.random.i64(low..=end_offset);
                self.log().set_high_watermark(high_watermark);
            }
            80..83 => self.retain(),
            83..86 => self.delete_records(),
            86..89 => self.truncate(),
            89 if self.random.u8(..) < 40 => self.empty(),
            89..93 => self.reopen(),
            _ => self.crash(),
        }
    }

    /// Notes a batch that was appended.
    fn appended(&mut self, mut bytes: Vec<u8>, base_offset: i64, leader_epoch: i32) {
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        let header = record::BatchHeader::parse(&bytes).unwrap();
        self.entries.push(Entry { bytes, header });
    }

    fn append_plain(&mut self) {
        let timestamp = self.now_ms + self.random.i64(-500..500);
        let bytes = batch(self.random.usize(1..6), timestamp, self.random.usize(0..120));
        self.now_ms += self.random.i64(0..200);
        let base_offset = append(self.log(), &bytes).unwrap().base_offset;
        assert_eq!(base_offset, self.end_offset());
        self.appended(bytes, base_offset, 0);
    }

    fn append_of_producer(&mut self) {
        let n = self.random.usize(..self.producers.len());
        let (sequence, open) = self.producers[n];
        let id = n as i64;
        // The first two write in transactions, the others are idempotent alone.
        let (bytes, origin) = if n < 2 && open && self.random.bool() {
            self.producers[n].1 = false;
            (end_txn(id, 0, self.random.bool()), Origin::Marker { transaction_version: 0 })
        } else {
            let records = self.random.i32(1..4);
            self.producers[n] = (sequence + records, n < 2);
            let batch = if n < 2 { txn_batch } else { producer_batch };
            (batch(id, 0, sequence, records as usize), Origin::Client)
        };
        let appended = append_from(self.log(), &bytes, origin).unwrap();
        assert!(!appended.duplicate);
        if origin == Origin::Client {
            let again = append_from(self.log(), &bytes, origin).unwrap();
            assert_eq!((again.base_offset, again.duplicate), (appended.base_offset, true));
        }
        self.appended(bytes, appended.base_offset, 0);
    }

    /// Several batches at once, with gaps between them.
    fn append_with_offsets(&mut self) {
        let mut all = Vec::new();
        let mut batches = Vec::new();
        let mut offset = self.end_offset();
        for _ in 0..self.random.usize(1..40) {
            if self.random.u8(..) < 20 {
                offset += self.random.i64(1..50);
            }
            let builder = BatchBuilder::new(Compression::None).base_offset(offset).partition_leader_epoch(0);
            let mut builder = builder;
            for _ in 0..self.random.usize(1..4) {
                builder.push(self.now_ms, None, Some(&[0; 50]), &[]);
            }
            let bytes = builder.build();
            all.extend_from_slice(&bytes);
            let base_offset = offset;
            offset = Batch::parse(&bytes).unwrap().header().next_offset();
            batches.push((bytes, base_offset));
        }
        let now_ms = self.now_ms;
        self.log().append_with_offsets(&all, now_ms).unwrap();
        for (bytes, base_offset) in batches {
            self.appended(bytes, base_offset, 0);
        }
    }

    fn flush(&mut self) {
        self.log().flush().unwrap();
        if self.random.bool() {
            self.directory.as_ref().unwrap().checkpoint_log_offsets().unwrap();
            self.checkpointed_start = self.log().log_start_offset();
        }
    }

    fn retain(&mut self) {
        let retention_bytes = self.random.i64(2000..20_000);
        let config = LogConfig { retention_bytes, ..self.log().config().clone() };
        self.log().set_config(config);
        let now_ms = self.now_ms;
        self.log().apply_retention(now_ms).unwrap();
        for deleted in self.log().take_due_deletions(i64::MAX) {
            deleted.remove().unwrap();
        }
    }

    fn delete_records(&mut self) {
        let (start, high_watermark) = (self.log().log_start_offset(), self.log().high_watermark());
        if start < high_watermark {
            let offset = self.random.i64(start..=high_watermark.min(start + 20));
            let now_ms = self.now_ms;
            self.log().delete_records(offset, now_ms).unwrap();
        }
    }

    fn truncate(&mut self) {
        let (end_offset, start) = (self.end_offset(), self.log().log_start_offset());
        let offset = self.random.i64(start.max(end_offset - 60)..=end_offset);
        let now_ms = self.now_ms;
        self.log().truncate_to(offset, now_ms).unwrap();
        self.entries.retain(|entry| entry.header.last_offset() < offset);
        let log = self.log();
        if log.closed.is_empty() && log.active.size == 0 && log.snapshots.is_empty() {
            // The rest was below the start: the log was emptied.
            assert_eq!((log.log_start_offset(), log.end_offset()), (start, start));
            return self.emptied(start);
        }
        self.forget_what_is_gone();
    }

    fn empty(&mut self) {
        let offset = self.end_offset() + self.random.i64(0..100);
        let now_ms = self.now_ms;
        self.log().truncate_fully_and_start_at(offset, now_ms).unwrap();
        self.emptied(offset);
    }

    fn emptied(&mut self, offset: i64) {
        self.entries.clear();
        self.start_of_history = offset;
        self.last_segment = offset;
        self.checkpointed_start = self.checkpointed_start.min(offset);
        self.producers = Default::default();
    }

    /// Has the producers continue after the rest, once batches at the end are gone.
    fn forget_what_is_gone(&mut self) {
        self.last_segment = self.log().active.base_offset();
        let end_offset = self.end_offset();
        assert_eq!(self.log().end_offset(), end_offset);
        let high_watermark = self.log().high_watermark().min(end_offset);
        self.log().set_high_watermark(high_watermark);
        self.producers = Default::default();
        for entry in &self.entries {
            let header = &entry.header;
            if header.has_producer_id() {
                let producer = &mut self.producers[header.producer_id as usize];
                if header.attributes.is_control() {
                    producer.1 = false;
                } else {
                    *producer = (header.last_sequence() + 1, header.attributes.is_transactional());
                }
            }
        }
    }

    fn reopen(&mut self) {
        let producers = self.log().producers.producers().clone();
        let start = self.log().log_start_offset();
        self.log.take().unwrap().close().unwrap();
        assert!(self.directory.take().unwrap().close(-1).unwrap());
        let directory = self.home.open();
        let (log, recovered) = open_log(&directory, config());
        assert!(recovered.clean && recovered.scanned_bytes == 0 && recovered.rebuilt_indexes == 0);
        assert_eq!(log.producers.producers(), &producers);
        assert_eq!((log.log_start_offset(), log.flushed_offset()), (start, log.end_offset()));
        self.checkpointed_start = start;
        (self.directory, self.log) = (Some(directory), Some(log));
    }

    /// Kills the process and loses some of the batches that were not durable.
    fn crash(&mut self) {
        let flushed_offset = self.log().flushed_offset();
        let start = self.log().log_start_offset();
        self.log = None;
        self.directory = None;
        self.tear(flushed_offset);
        let directory = self.home.open();
        let (log, recovered) = open_log(&directory, config());
        let end_offset = log.end_offset();
        assert!(end_offset >= flushed_offset, "{end_offset} is below {flushed_offset}: {recovered:?}");
        assert!(log.log_start_offset() <= start && log.log_start_offset() >= self.checkpointed_start);
        (self.directory, self.log) = (Some(directory), Some(log));
        self.entries.retain(|entry| entry.header.base_offset < end_offset);
        self.forget_what_is_gone();
    }

    /// Damages everything that was not durable: the log from some place on, its indexes, the last snapshots.
    fn tear(&mut self, flushed_offset: i64) {
        for name in files(&self.home) {
            let path = self.home.file(&name);
            let Some((digits, suffix)) = name.split_once('.') else { continue };
            let Ok(base_offset) = digits.parse::<i64>() else { continue };
            let mut bytes = std::fs::read(&path).unwrap();
            let from = match suffix {
                "log" => durable_bytes(&bytes, flushed_offset),
                "snapshot" if base_offset > flushed_offset => 0,
                "index" | "timeindex" if self.is_unsynced(base_offset, flushed_offset) => 0,
                _ => continue,
            };
            if from == bytes.len() || self.random.u8(..) < 80 {
                continue;
            }
            let at = self.random.usize(from..bytes.len());
            match self.random.u8(..4) {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(0),
                2 => {
                    let to = (at + 512).min(bytes.len());
                    bytes[at..to].fill(0);
                }
                _ => bytes.resize(bytes.len() + self.random.usize(1..600), 0),
            }
            std::fs::write(path, bytes).unwrap();
        }
    }

    /// Whether a segment was not closed, or closed after the last flush.
    fn is_unsynced(&self, base_offset: i64, flushed_offset: i64) -> bool {
        let names = files(&self.home);
        let bases = names.iter().filter_map(|name| name.strip_suffix(".log")?.parse::<i64>().ok());
        let next = bases.filter(|base| *base > base_offset).min();
        next.is_none_or(|next| next >= flushed_offset)
    }

    fn check(&mut self) {
        let log = self.log.as_ref().unwrap();
        let start = log.log_start_offset();
        let mut expected = self.entries.iter().filter(|entry| entry.header.last_offset() >= start);
        let mut offset = start;
        while let Some(slice) = log.read(offset, 1 << 20, true, i64::MAX).unwrap() {
            for batch in record::batches(&slice.read().unwrap()) {
                let batch = batch.unwrap();
                assert_eq!(batch.bytes(), expected.next().unwrap().bytes);
                offset = batch.header().next_offset();
            }
        }
        assert!(expected.next().is_none());
        // Batches with offsets of their own leave gaps, which look like missing segments.
        let is_gap = |fault: &crate::Fault| matches!(fault.reason, crate::FaultReason::Gap { .. });
        assert!(scrub(log).iter().all(is_gap));
        self.check_reads();
        self.check_indexes();
        self.check_producers();
    }

    /// Single reads and times, anywhere.
    fn check_reads(&mut self) {
        let log = self.log.as_ref().unwrap();
        let (start, end) = (log.log_start_offset(), log.end_offset());
        let mut scratch = Scratch::new();
        for _ in 0..20 {
            let offset = self.random.i64(start..=end);
            let limit = self.random.i64(offset..=end);
            let max_bytes = self.random.usize(0..3000);
            let first = self.entries.iter().find(|entry| entry.header.last_offset() >= offset);
            let first = first.filter(|entry| offset < limit && entry.header.last_offset() < limit);
            let slice = log.read(offset, max_bytes, true, limit).unwrap();
            assert_eq!(
                slice.as_ref().map(|slice| slice.base_offset),
                first.map(|entry| entry.header.base_offset)
            );
            if let (Some(slice), Some(first)) = (slice, first) {
                assert!(slice.len >= first.bytes.len() && slice.len <= max_bytes.max(first.bytes.len()));
                let bytes = slice.read().unwrap();
                assert_eq!(bytes[..first.bytes.len()], first.bytes);
                let whole = record::batches(&bytes).map_while(Result::ok);
                assert!(whole.last().unwrap().header().last_offset() < limit);
            }
            let timestamp = self.now_ms - self.random.i64(-1000..20_000);
            let visible = self.entries.iter().filter(|entry| entry.header.last_offset() >= start);
            // The records of a batch here have one time.
            let expected = visible.clone().find(|entry| entry.header.max_timestamp >= timestamp);
            let found = log.offset_for_timestamp(timestamp, &mut scratch).unwrap();
            assert_eq!(
                found.map(|found| found.offset),
                expected.map(|entry| entry.header.base_offset.max(start))
            );
        }
    }

    /// Every index entry is one that the log justifies, and none is missing.
    fn check_indexes(&mut self) {
        let interval = config().index_interval_bytes;
        self.log().active.write_indexes(true).unwrap();
        let log = self.log.as_ref().unwrap();
        let closed = log.closed.iter().map(|closed| closed.base_offset());
        for base_offset in closed.chain([log.active.base_offset()]) {
            let bytes = std::fs::read(path_of(&self.home, base_offset, ".log")).unwrap();
            let (offsets, times) = entries(&self.home, base_offset);
            let (mut offsets, mut position, mut last, mut greatest) = (offsets.into_iter(), 0, 0, Vec::new());
            let mut max = -1;
            for batch in record::batches(&bytes) {
                let header = *batch.unwrap().header();
                let relative_offset = (header.last_offset() - base_offset) as u32;
                if header.max_timestamp > max {
                    max = header.max_timestamp;
                    greatest.push(TimeEntry { timestamp: max, relative_offset });
                }
                if position - last > interval {
                    assert_eq!(offsets.next(), Some(OffsetEntry { relative_offset, position }));
                    last = position;
                }
                position += header.size_bytes() as u32;
            }
            assert_eq!(offsets.next(), None);
            assert!(times.iter().all(|entry| greatest.contains(entry)));
            assert!(times.is_sorted_by(|a, b| a.timestamp < b.timestamp));
            if base_offset < log.active.base_offset() {
                assert_eq!(times.last(), greatest.last(), "a closed segment's index has its greatest time");
            }
        }
    }

    /// Checks that producers, open and aborted transactions are those of a replay of all batches.
    fn check_producers(&mut self) {
        let log = self.log.as_ref().unwrap();
        let mut state = crate::producer_state::ProducerState::new(self.start_of_history);
        let mut aborted = Vec::new();
        for entry in &self.entries {
            let marker = crate::producer_state::Marker::of(&entry.header, &entry.bytes);
            let txn = state.apply(&entry.header, marker);
            aborted.extend(txn.filter(|txn| txn.aborted).map(crate::AbortedTxn::from));
        }
        assert_eq!(log.producers.producers(), state.producers());
        assert_eq!(log.producers.first_undecided_offset(), state.first_undecided_offset());
        let first = log.closed.first().map_or(log.active.base_offset(), |closed| closed.base_offset());
        aborted.retain(|txn| txn.last_offset >= first);
        assert_eq!(log.aborted_transactions(first, i64::MAX).unwrap(), aborted);
    }
}

/// The bytes of a log file that are below an offset.
fn durable_bytes(bytes: &[u8], offset: i64) -> usize {
    let batches = record::batches(bytes).map_while(Result::ok);
    let below = batches.take_while(|batch| batch.header().base_offset < offset);
    below.map(|batch| batch.bytes().len()).sum()
}

fn config() -> LogConfig {
    LogConfig { retention_ms: -1, file_delete_delay_ms: 0, ..small() }
}

#[test]
fn random_histories_are_those_of_the_model() {
    let seeds = std::env::var("MILENA_STORAGE_SEEDS").map_or(0..60, |seeds| {
        let (from, to) = seeds.split_once("..").expect("a range of seeds, as 0..100");
        from.parse().expect("a number")..to.parse().expect("a number")
    });
    for seed in seeds {
        let result = std::panic::catch_unwind(|| {
            let mut model = Model::new(seed);
            for step in 0..150 {
                model.step();
                if step % 10 == 0 {
                    model.check();
                }
            }
            model.check();
        });
        assert!(result.is_ok(), "seed {seed}: MILENA_STORAGE_SEEDS={seed}..{} runs it alone", seed + 1);
    }
}
