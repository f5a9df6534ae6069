//! The shared parts of this crate's tests.
#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use record::control::EndTransactionMarker;
use record::{Batch, BatchBuilder, Compression, ValidBatch};

use crate::fs::Fs;
use crate::fs::faults::Faults;
use crate::{
    AppendError, AppendOutcome, Fault, Log, LogConfig, LogDirectory, OpenDirectory, OpenLog, Origin,
    RecoveryReport, TopicPartition,
};

/// A time for tests: 2023-11-14.
pub(crate) const NOW_MS: i64 = 1_700_000_000_000;

/// A directory that goes away with its value.
pub(crate) struct TempDir {
    path: PathBuf,
}

impl TempDir {
    pub(crate) fn new() -> TempDir {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("milena-storage-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // Files in memory are synced at once: the tests wait for no disk.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        TempDir { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces `other` by a copy of this as it is now: what a crash of the process leaves.
    pub(crate) fn copy_to(&self, other: &TempDir) {
        std::fs::remove_dir_all(&other.path).expect("a temporary directory");
        copy(&self.path, &other.path);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a temporary directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A log directory on disk, to be opened again and again.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) faults: Arc<Faults>,
    pub(crate) open_files_max: usize,
}

impl Home {
    pub(crate) fn new() -> Home {
        Home { dir: TempDir::new(), faults: Arc::default(), open_files_max: 100 }
    }

    pub(crate) fn open(&self) -> LogDirectory {
        let path = self.dir.path().to_owned();
        let fs = Fs::faulty(self.faults.clone());
        LogDirectory::open(OpenDirectory { fs, path, open_files_max: self.open_files_max }).unwrap()
    }

    /// A file of the partition that [`open_log`] opens.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name_of_log().to_string()).join(name)
    }
}

/// The partition that [`open_log`] opens.
pub(crate) fn name_of_log() -> TopicPartition {
    TopicPartition { topic: "topic".into(), partition: 0 }
}

/// Settings that make for many segments and index entries.
pub(crate) fn small() -> LogConfig {
    LogConfig { segment_bytes: 4096, index_interval_bytes: 256, ..LogConfig::default() }
}

pub(crate) fn open_with(config: LogConfig) -> OpenLog {
    OpenLog {
        partition: name_of_log(),
        topic_id: Some([7; 16]),
        config: config.into(),
        now_ms: NOW_MS,
        jitter_seed: 1,
        accept_damage: false,
    }
}

pub(crate) fn open_log(directory: &LogDirectory, config: LogConfig) -> (Log, RecoveryReport) {
    Log::open(directory, open_with(config)).unwrap()
}

/// A batch of records with values of `value_bytes` and one timestamp.
pub(crate) fn batch(records: usize, timestamp: i64, value_bytes: usize) -> Vec<u8> {
    fill(BatchBuilder::new(Compression::None), records, timestamp, value_bytes)
}

/// The same from an idempotent producer.
pub(crate) fn producer_batch(id: i64, epoch: i16, sequence: i32, records: usize) -> Vec<u8> {
    fill(BatchBuilder::new(Compression::None).producer(id, epoch, sequence), records, NOW_MS, 10)
}

/// The same in a transaction.
pub(crate) fn txn_batch(id: i64, epoch: i16, sequence: i32, records: usize) -> Vec<u8> {
    let builder = BatchBuilder::new(Compression::None).producer(id, epoch, sequence).transactional();
    fill(builder, records, NOW_MS, 10)
}

fn fill(mut builder: BatchBuilder, records: usize, timestamp: i64, value_bytes: usize) -> Vec<u8> {
    for n in 0..records {
        builder.push(timestamp, Some(&n.to_be_bytes()), Some(&vec![b'v'; value_bytes]), &[]);
    }
    builder.build()
}

/// The end of a transaction.
pub(crate) fn end_txn(id: i64, epoch: i16, committed: bool) -> Vec<u8> {
    EndTransactionMarker { committed, coordinator_epoch: 1 }.batch(id, epoch, NOW_MS).build()
}

/// Appends a batch from a client as the leader of epoch 0.
pub(crate) fn append(log: &mut Log, batch: &[u8]) -> Result<AppendOutcome, AppendError> {
    append_from(log, batch, Origin::Client)
}

pub(crate) fn append_from(log: &mut Log, batch: &[u8], origin: Origin) -> Result<AppendOutcome, AppendError> {
    let valid = ValidBatch::trusted(&Batch::parse(batch).unwrap());
    log.append_as_leader(batch, &valid, 0, origin, NOW_MS)
}

/// All batches of the log as their base and last offset, read from its start.
pub(crate) fn contents(log: &Log) -> Vec<(i64, i64)> {
    let mut offset = log.log_start_offset();
    let mut batches = Vec::new();
    while let Some(slice) = log.read(offset, usize::MAX, true, i64::MAX).unwrap() {
        for batch in record::stored_batches(&slice.read().unwrap()) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            batches.push((batch.header().base_offset, batch.header().last_offset()));
            offset = batch.header().next_offset();
        }
    }
    batches
}

/// The findings of a scrub of all closed segments.
pub(crate) fn scrub(log: &Log) -> Vec<Fault> {
    let (mut from, mut faults) = (0, Vec::new());
    while let Some(segment) = log.closed_segment_from(from) {
        assert!(log.has_segment(&segment));
        faults.extend(segment.scrub(|_| Ok(())).unwrap().faults);
        from = segment.next_base_offset();
    }
    faults
}
