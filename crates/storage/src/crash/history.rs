//! What is done to a log directory until its power goes.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use record::{Batch, BatchBuilder, BatchHeader, Compression};

use super::check;
use crate::fs::simulated::Disk;
use crate::fs::{Fs, Operation};
use crate::testing::{NOW_MS, append_from, batch, end_txn, producer_batch, small, txn_batch};
use crate::{Log, LogConfig, LogDirectory, OpenDirectory, OpenLog, Origin, TopicPartition};

/// A batch that was appended, with the offset that it got.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) bytes: Arc<[u8]>,
    pub(super) header: BatchHeader,
}

/// What is known of one partition.
pub(super) struct Partition {
    pub(super) name: TopicPartition,
    pub(super) log: Option<Log>,
    /// The batches in the log, and those that retention has removed from its start.
    pub(super) entries: Vec<Entry>,
    /// What else the disk may hold: batches whose append failed or that truncation removed, and
    /// that power went before either was durable.
    pub(super) others: BTreeSet<(i64, Arc<[u8]>)>,
    /// The log start offset that a checkpoint has made durable.
    pub(super) checkpointed_start: i64,
    /// What the log said of itself when the power went.
    pub(super) durable: i64,
    pub(super) start: i64,
    next_sequence: [(i32, bool); 3],
}

/// A log directory with its disk.
pub(super) struct History {
    pub(super) random: Rng,
    pub(super) disk: Arc<Disk>,
    pub(super) directory: Option<LogDirectory>,
    pub(super) partitions: Vec<Partition>,
    pub(super) now_ms: i64,
}

pub(super) fn config() -> LogConfig {
    LogConfig { segment_bytes: 2048, retention_ms: -1, file_delete_delay_ms: 0, ..small() }
}

impl Partition {
    fn new(number: i32) -> Partition {
        Partition {
            name: TopicPartition { topic: "topic".into(), partition: number },
            log: None,
            entries: Vec::new(),
            others: BTreeSet::new(),
            checkpointed_start: 0,
            durable: 0,
            start: 0,
            next_sequence: Default::default(),
        }
    }

    fn entry(mut bytes: Vec<u8>, base_offset: i64) -> Entry {
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
        let header = BatchHeader::parse(&bytes).expect("it was built");
        Entry { bytes: bytes.into(), header }
    }

    fn append(&mut self, bytes: &[u8], origin: Origin) -> bool {
        let log = self.log.as_mut().expect("it is open");
        let entry = Self::entry(bytes.to_vec(), log.end_offset());
        match append_from(log, bytes, origin) {
            Ok(appended) => {
                assert_eq!(appended.base_offset, entry.header.base_offset);
                self.entries.push(entry);
                true
            }
            Err(_) => {
                self.others.insert((entry.header.base_offset, entry.bytes));
                false
            }
        }
    }

    fn append_of_producer(&mut self, random: &mut Rng) {
        let n = random.usize(..self.next_sequence.len());
        let (sequence, open) = self.next_sequence[n];
        if n == 0 && open && random.bool() {
            let marker = end_txn(0, 0, random.bool());
            self.next_sequence[0].1 &= !self.append(&marker, Origin::Marker { transaction_version: 0 });
            return;
        }
        let records = random.i32(1..4);
        let build = if n == 0 { txn_batch } else { producer_batch };
        if self.append(&build(n as i64, 0, sequence, records as usize), Origin::Client) {
            self.next_sequence[n] = (sequence + records, n == 0);
        }
    }

    fn append_with_offsets(&mut self, random: &mut Rng, now_ms: i64) {
        let log = self.log.as_mut().expect("it is open");
        let (mut all, mut entries, mut offset) = (Vec::new(), Vec::new(), log.end_offset());
        for _ in 0..random.usize(1..8) {
            let mut builder =
                BatchBuilder::new(Compression::None).base_offset(offset).partition_leader_epoch(0);
            for _ in 0..random.usize(1..4) {
                builder.push(now_ms, None, Some(&vec![b'o'; random.usize(..150)]), &[]);
            }
            let bytes = builder.build();
            offset = Batch::parse(&bytes).expect("it was built").header().next_offset();
            let header = BatchHeader::parse(&bytes).expect("it was built");
            all.extend_from_slice(&bytes);
            entries.push(Entry { bytes: bytes.into(), header });
        }
        let _ = log.append_with_offsets(&all, now_ms);
        // Where a file operation failed the earlier ones are in the log.
        let end_offset = log.end_offset();
        for entry in entries {
            if entry.header.next_offset() <= end_offset {
                self.entries.push(entry);
            } else {
                self.others.insert((entry.header.base_offset, entry.bytes));
            }
        }
    }

    fn truncate(&mut self, random: &mut Rng, now_ms: i64) {
        let log = self.log.as_mut().expect("it is open");
        let (start, end) = (log.log_start_offset(), log.end_offset());
        let offset = random.i64(start.max(end - 30)..=end);
        let truncated = log.truncate_to(offset, now_ms).is_ok();
        let removed = self.entries.iter().filter(|entry| entry.header.last_offset() >= offset);
        self.others.extend(removed.map(|entry| (entry.header.base_offset, entry.bytes.clone())));
        if truncated {
            self.entries.retain(|entry| entry.header.last_offset() < offset);
            self.forget_what_an_empty_log_forgets();
            self.resume_producers();
        }
    }

    /// A log that started anew knows nothing of producers before its start.
    pub(super) fn forget_what_an_empty_log_forgets(&mut self) {
        let log = self.log.as_ref().expect("it is open");
        if log.log_start_offset() == log.end_offset() && log.active_producers().is_empty() {
            let forgotten = self.entries.drain(..);
            self.others.extend(forgotten.map(|entry| (entry.header.base_offset, entry.bytes)));
        }
    }

    /// The producers go on after what is in the log.
    pub(super) fn resume_producers(&mut self) {
        self.next_sequence = Default::default();
        for Entry { header, .. } in self.entries.iter().filter(|entry| entry.header.has_producer_id()) {
            let producer = &mut self.next_sequence[header.producer_id as usize];
            if header.attributes.is_control() {
                producer.1 = false;
            } else {
                *producer = (header.last_sequence() + 1, header.attributes.is_transactional());
            }
        }
    }

    fn remember(&mut self) {
        let log = self.log.as_ref().expect("it is open");
        (self.durable, self.start) = (log.flushed_offset(), log.log_start_offset());
    }
}

impl History {
    pub(super) fn new(seed: u64) -> History {
        let mut random = Rng::with_seed(seed);
        let disk = Disk::new(random.u64(..));
        let partitions = (0..random.i32(1..4)).map(Partition::new).collect();
        let mut history = History { random, disk, directory: None, partitions, now_ms: NOW_MS };
        history.open();
        history
    }

    pub(super) fn open(&mut self) {
        let path = PathBuf::from("/data");
        let open = OpenDirectory { fs: Fs::simulated(self.disk.clone()), path, open_files_max: 8 };
        let directory = LogDirectory::open(open).expect("the log directory opens");
        for partition in &mut self.partitions {
            let open = OpenLog {
                partition: partition.name.clone(),
                topic_id: Some([7; 16]),
                config: config().into(),
                now_ms: self.now_ms,
                jitter_seed: 1,
                accept_damage: false,
            };
            partition.log = Some(Log::open(&directory, open).expect("the log opens").0);
        }
        self.directory = Some(directory);
    }

    /// Works until the power goes, which it does at any operation.
    pub(super) fn until_crash(&mut self) {
        let point = self.disk.points() + self.random.u64(1..60);
        self.disk.cut_power_at(point);
        self.disk.set_short_transfers(self.random.u8(..) < 40);
        if self.random.u8(..) < 25 {
            let (operation, after) =
                [(Operation::Write, 10), (Operation::Sync, 4), (Operation::Read, 10)][self.random.usize(..3)];
            self.disk.fail(operation, self.random.u32(..after), ErrorKind::Other);
        }
        for _ in 0..200 {
            self.step();
            for partition in &mut self.partitions {
                partition.remember();
            }
            let is_offline = self.directory.as_ref().is_some_and(|directory| directory.check().is_err());
            if self.disk.is_down() || is_offline {
                break;
            }
        }
        self.disk.cut_power();
    }

    /// Cuts a log that is durable within its first segment, fills that anew, and loses the power.
    pub(super) fn truncate_and_roll(&mut self) {
        let partition = &mut self.partitions[0];
        let bytes = batch(1, NOW_MS, 100);
        for _ in 0..5 {
            partition.append(&bytes, Origin::Client);
        }
        partition.log().flush().expect("the power is there");
        partition.log().truncate_to(2, NOW_MS).expect("the power is there");
        let removed = partition.entries.split_off(2).into_iter();
        partition.others.extend(removed.map(|entry| (entry.header.base_offset, entry.bytes)));
        let large = batch(1, NOW_MS, 1900);
        for _ in 0..2 {
            partition.append(&large, Origin::Client);
        }
        assert!(partition.log().segments() > 1);
        for partition in &mut self.partitions {
            partition.remember();
        }
        self.disk.cut_power();
    }

    /// Fills several segments, and loses the power before any is synced.
    pub(super) fn roll_without_sync(&mut self) {
        let partition = &mut self.partitions[0];
        for _ in 0..3 {
            partition.append(&batch(1, NOW_MS, 1900), Origin::Client);
        }
        assert_eq!(partition.log().segments(), 3);
        partition.remember();
        self.disk.cut_power();
    }

    /// Deletes several segments at once, and loses the power before the directory is synced.
    pub(super) fn delete_segments(&mut self) {
        let partition = &mut self.partitions[0];
        let bytes = batch(1, NOW_MS, 1200);
        for _ in 0..5 {
            partition.append(&bytes, Origin::Client);
        }
        partition.log().flush().expect("the power is there");
        let end_offset = partition.log().end_offset();
        partition.log().set_high_watermark(end_offset);
        partition.log().delete_records(end_offset - 1, NOW_MS).expect("the power is there");
        assert_eq!(partition.log().segments(), 1);
        for partition in &mut self.partitions {
            partition.remember();
        }
        self.disk.cut_power();
    }

    /// The power comes back, and what is left is looked at.
    pub(super) fn recover(&mut self) {
        for partition in &mut self.partitions {
            partition.log = None;
        }
        self.directory = None;
        self.disk.reboot();
        self.disk.set_short_transfers(false);
        self.open();
        for partition in &mut self.partitions {
            check::recovered(partition);
            partition.resume_producers();
        }
    }

    fn step(&mut self) {
        let History { random, partitions, now_ms, .. } = self;
        *now_ms += random.i64(0..200);
        self.disk.set_now_ms(*now_ms);
        let n = random.usize(..partitions.len());
        let partition = &mut partitions[n];
        match random.u8(..100) {
            0..25 => {
                let bytes = batch(random.usize(1..6), *now_ms, random.usize(..120));
                partition.append(&bytes, Origin::Client);
            }
            25..45 => partition.append_of_producer(random),
            45..55 => partition.append_with_offsets(random, *now_ms),
            55..65 => {
                let _ = partition.log().flush();
            }
            65..73 => {
                partition.log().enqueue_flush();
                self.directory.as_ref().expect("it is open").flusher().run_round();
            }
            73..80 => {
                let log = partition.log();
                let high_watermark =
                    random.i64(log.high_watermark().min(log.end_offset())..=log.end_offset());
                log.set_high_watermark(high_watermark);
            }
            80..85 => self.retain(n),
            85..90 => self.delete_records(n),
            90..94 => partition.truncate(random, *now_ms),
            _ => self.checkpoint(),
        }
    }

    fn retain(&mut self, n: usize) {
        let retention_bytes = self.random.i64(2000..10_000);
        let log = self.partitions[n].log();
        log.set_config(LogConfig { retention_bytes, ..config() });
        let _ = log.apply_retention(self.now_ms);
        for deleted in log.take_due_deletions(i64::MAX) {
            let _ = deleted.remove();
        }
    }

    fn delete_records(&mut self, n: usize) {
        let log = self.partitions[n].log.as_mut().expect("it is open");
        let (start, high_watermark) = (log.log_start_offset(), log.high_watermark());
        if start < high_watermark {
            let _ = log.delete_records(self.random.i64(start..=high_watermark), self.now_ms);
        }
    }

    fn checkpoint(&mut self) {
        let directory = self.directory.as_ref().expect("it is open");
        let written =
            directory.checkpoint_log_offsets().and_then(|()| directory.checkpoint_high_watermarks());
        if written.is_ok() {
            for partition in &mut self.partitions {
                partition.checkpointed_start = partition.log().log_start_offset();
            }
        }
    }
}

impl Partition {
    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("it is open")
    }
}
