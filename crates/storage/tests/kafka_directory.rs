//! A log directory that Kafka 4.3.1 wrote: of a broker that was stopped, and as it was while the
//! broker ran. All codecs, several segments, idempotent producers, transactions of version 2 that
//! were committed, aborted and left open. What is expected is what Kafka's admin client was told.
#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use record::Scratch;
use storage::fs::Fs;
use storage::{
    AbortedTxn, ActiveProducer, Log, LogConfig, LogDirectory, OpenDirectory, OpenLog, RecoveryReport,
};
use storage::{Origin, TimestampOffset, TopicPartition};

/// The time of the first record.
const BASE_MS: i64 = 1_700_000_000_000;

/// A copy of a captured directory, which goes away with its value.
struct CapturedDirectory(PathBuf);

impl CapturedDirectory {
    fn of(name: &str) -> CapturedDirectory {
        // Tests run side by side in one process: each has a copy of its own.
        static COPIES: AtomicUsize = AtomicUsize::new(0);
        let copy_number = COPIES.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("milena-captured-{name}-{}-{copy_number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured").join(name), &path);
        CapturedDirectory(path)
    }

    fn open(&self) -> (LogDirectory, Log, RecoveryReport) {
        let open = OpenDirectory { fs: Fs::real(), path: self.0.clone(), open_files_max: 100 };
        let directory = LogDirectory::open(open).unwrap();
        let partition = TopicPartition { topic: "captured".into(), partition: 0 };
        assert!(directory.partitions().iter().eq([&partition]));
        let topic_id = directory.topic_id(&partition).unwrap();
        assert!(topic_id.is_some());
        let config = LogConfig { index_interval_bytes: 300, segment_ms: 60_000, ..LogConfig::default() };
        let config = config.into();
        let now_ms = BASE_MS;
        let open = OpenLog { partition, topic_id, config, now_ms, jitter_seed: 0, accept_damage: false };
        let (log, recovered) = Log::open(&directory, open).unwrap();
        (directory, log, recovered)
    }
}

impl Drop for CapturedDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { std::fs::copy(from, to).map(|_| ()).unwrap() }
    }
}

/// The offsets and values of all records that are not markers.
fn records(log: &Log) -> Vec<(i64, String)> {
    let (mut offset, mut records) = (log.log_start_offset(), Vec::new());
    let mut scratch = Scratch::new();
    while let Some(slice) = log.read(offset, 1, true, i64::MAX).unwrap() {
        let bytes = slice.read().unwrap();
        for batch in record::batches(&bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            offset = batch.header().next_offset();
            if batch.header().attributes.is_control() {
                continue;
            }
            for record in batch.records_decompressed(&mut scratch, 1 << 20).unwrap() {
                let record = record.unwrap();
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                records.push((record.offset, value));
            }
        }
    }
    records
}

fn check(log: &mut Log) {
    assert_eq!((log.log_start_offset(), log.end_offset(), log.segments()), (0, 181, 6));
    let records = records(log);
    assert_eq!(records.len(), 150 + 4 * 6);
    for (n, (offset, value)) in records[..150].iter().enumerate() {
        let codec = ["none", "gzip", "snappy", "lz4", "zstd"][n / 30];
        assert_eq!((*offset, value), (n as i64, &format!("value of record {n} with {codec}")));
    }
    let mut scratch = Scratch::new();
    for (time, offset, timestamp) in [
        (-BASE_MS, 0, 0),
        (1, 1, 2000),
        (4500, 2, 4700),
        (4701, 3, 6000),
        (100_000, 50, 100_000),
        (200_000, 100, 200_000),
        (299_000, 150, 300_000),
        (345_000, 156, 95_261_076_085),
        (900_000, 156, 95_261_076_085),
    ] {
        let found = log.locate_timestamp(BASE_MS + time).and_then(|it| it.find(&mut scratch)).unwrap();
        let expected = TimestampOffset { timestamp: BASE_MS + timestamp, offset, leader_epoch: 0 };
        assert_eq!(found, Some(expected), "{time}");
    }
    let max = TimestampOffset { timestamp: 1_795_261_077_074, offset: 180, leader_epoch: 0 };
    assert_eq!(log.locate_max_timestamp().and_then(|it| it.find(&mut scratch)).unwrap(), Some(max));
    log.set_high_watermark(181);
    assert_eq!(log.last_stable_offset(), 175);
    check_producers(log);
    let mut next = 0;
    while let Some(segment) = log.closed_segment_from(next) {
        assert_eq!(segment.scrub(|_| Ok(())).unwrap().faults, []);
        next = segment.next_base_offset();
    }
    assert!(next > 0);
}

fn check_producers(log: &Log) {
    let producer = |producer_id: i64, producer_epoch, last_sequence, last_timestamp| ActiveProducer {
        producer_id,
        producer_epoch,
        last_sequence,
        last_timestamp,
        coordinator_epoch: if producer_id < 5 { -1 } else { 0 },
        current_txn_start_offset: if producer_id == 6 { 175 } else { -1 },
    };
    let mut expected: Vec<_> = (0..5).map(|id| producer(id, 0, 29, BASE_MS + 58_000 + id * 60_000)).collect();
    expected.push(producer(5, 7, -1, 1_795_261_077_074));
    expected.push(producer(6, 6, 2, BASE_MS + 346_000));
    assert_eq!(log.active_producers(), expected);
    let aborted = log.aborted_transactions(0, 181).unwrap();
    let txn = |producer_id, first_offset, last_offset, last_stable_offset| AbortedTxn {
        producer_id,
        first_offset,
        last_offset,
        last_stable_offset,
    };
    // The two of the first round, one of the second, the two of the third.
    assert_eq!(aborted, log.aborted_transactions(150, 175).unwrap());
    assert_eq!(aborted[..2], [txn(5, 150, 156, 151), txn(6, 151, 157, 158)]);
    assert_eq!(aborted.len(), 5);
    assert_eq!(log.aborted_transactions(0, 150).unwrap(), []);
}

#[test]
fn a_stopped_kafka_is_opened_without_a_scan() {
    let captured = CapturedDirectory::of("clean");
    let (directory, mut log, recovered) = captured.open();
    assert!(directory.was_clean() && recovered.clean && recovered.rebuilt_indexes == 0);
    let properties = directory.meta_properties().unwrap().unwrap();
    assert_eq!((properties.version, properties.node_id), (1, Some(1)));
    assert_eq!(properties.cluster_id.as_deref(), Some("MkU3OEVBNTcwNTJENDM2Qg"));
    assert!(properties.directory_id.is_some());
    check(&mut log);
}

#[test]
fn a_killed_kafka_is_recovered() {
    let captured = CapturedDirectory::of("crashed");
    let (directory, mut log, recovered) = captured.open();
    assert!(!directory.was_clean() && !recovered.clean);
    assert_eq!((recovered.truncation, log.end_offset()), (None, 181));
    assert_eq!(log.flush().expect("a disk"), 181);
    check(&mut log);
}

/// Recovery of the log gives the files that Kafka wrote beside it.
#[test]
fn recovered_files_are_those_of_kafka() {
    let (clean, crashed) = (CapturedDirectory::of("clean"), CapturedDirectory::of("crashed"));
    // Of a crash that left nothing but the batches.
    for entry in std::fs::read_dir(crashed.0.join("captured-0")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension != "log" && extension != "metadata") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (_directory, log, _) = crashed.open();
    log.close().unwrap();
    let mut compared = 0;
    for entry in std::fs::read_dir(clean.0.join("captured-0")).unwrap() {
        let path = entry.unwrap().path();
        let made = std::fs::read(crashed.0.join("captured-0").join(path.file_name().unwrap())).unwrap();
        let kafkas = std::fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            // The array is Kafka's, in another order, and other bytes follow it.
            Some("snapshot") => assert_eq!(entries_of(&made), entries_of(&kafkas), "{}", path.display()),
            Some("log" | "index" | "timeindex" | "txnindex") => {
                assert_eq!(made, kafkas, "{}", path.display());
            }
            _ => continue,
        }
        compared += 1;
    }
    assert_eq!(compared, 6 * 3 + 6 + 1);
}

/// The 46 bytes of each producer in a snapshot, in order.
fn entries_of(snapshot: &[u8]) -> Vec<&[u8]> {
    let count = i32::from_be_bytes(snapshot[6..10].try_into().unwrap()) as usize;
    let mut entries: Vec<_> = snapshot[10..10 + 46 * count].chunks(46).collect();
    entries.sort_unstable();
    entries
}

#[test]
fn kafkas_producers_go_on() {
    let captured = CapturedDirectory::of("clean");
    let (_directory, mut log, _) = captured.open();
    let batch = |sequence: i32| {
        let mut builder = record::BatchBuilder::new(record::Compression::None).producer(4, 0, sequence);
        for _ in 0..5 {
            builder.push(BASE_MS, None, None, &[]);
        }
        builder.build()
    };
    let mut append = |bytes: &[u8]| {
        let valid = record::ValidBatch::trusted(&record::Batch::parse(bytes).unwrap());
        log.append_as_leader(bytes, &valid, 1, Origin::Client, BASE_MS)
    };
    let again = append(&batch(25)).unwrap();
    assert_eq!((again.base_offset, again.duplicate), (145, true));
    append(&batch(35)).unwrap_err();
    let next = append(&batch(30)).unwrap();
    assert_eq!((next.base_offset, next.duplicate), (181, false));
}
