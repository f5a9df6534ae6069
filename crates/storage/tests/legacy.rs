//! A log that holds message sets of magic 0 and 1 since before Kafka 0.11, as Kafka 4.3.1's own classes write them, and
//! a batch of magic 2 behind them.
#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use record::{Batch, BatchBuilder, Compression, Scratch, ValidBatch, stored_batches};
use storage::fs::Fs;
use storage::{
    AppendError, Log, LogConfig, LogDirectory, OffsetMap, OpenDirectory, OpenLog, Origin, RecoveryReport,
    SwapOutcome,
};
use storage::{TimestampOffset, TopicPartition};

/// The time from which the records count.
const BASE_MS: i64 = 1_700_000_000_000;
const END_OFFSET: i64 = 153;
/// The first offset with magic 1.
const MAGIC_1_OFFSET: i64 = 64;

/// A record as Kafka reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExpectedRecord {
    offset: i64,
    timestamp: i64,
    key: Option<String>,
    value: Option<String>,
}

/// The bytes of the log, and the records in it.
fn captured() -> (Vec<u8>, Vec<ExpectedRecord>) {
    let (mut bytes, mut records) = (Vec::new(), Vec::new());
    for line in include_str!("../../record/tests/captured/legacy.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["set", _, _, hex] => {
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                bytes.extend((0..hex.len()).step_by(2).map(byte));
            }
            ["record", offset, timestamp, key, value] => records.push(ExpectedRecord {
                offset: offset.parse().unwrap(),
                timestamp: timestamp.parse().unwrap(),
                key: (key != "-").then(|| key.to_owned()),
                value: (value != "-").then(|| value.replace('_', " ")),
            }),
            _ => {}
        }
    }
    (bytes, records)
}

/// A log directory with that log, which goes away with its value.
struct Home {
    path: PathBuf,
    config: LogConfig,
}

impl Home {
    /// The log cut into segments before these offsets, each of which is the first of a batch.
    fn new(cuts: &[i64], config: LogConfig) -> Home {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("milena-legacy-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let home = Home { path: std::env::temp_dir().join(name), config };
        std::fs::create_dir_all(home.path.join("old-0")).unwrap();
        let (bytes, _) = captured();
        let (mut base_offset, mut segment) = (0, Vec::new());
        let mut cuts = cuts.iter().peekable();
        for batch in stored_batches(&bytes) {
            let batch = batch.unwrap();
            if let Some(cut) = cuts.next_if(|cut| batch.header().last_offset() >= **cut) {
                std::fs::write(home.file(base_offset, "log"), std::mem::take(&mut segment)).unwrap();
                base_offset = *cut;
            }
            segment.extend_from_slice(batch.bytes());
        }
        std::fs::write(home.file(base_offset, "log"), segment).unwrap();
        home
    }

    fn file(&self, base_offset: i64, ending: &str) -> PathBuf {
        self.path.join("old-0").join(format!("{base_offset:020}.{ending}"))
    }

    fn open(&self) -> (LogDirectory, Log, RecoveryReport) {
        let open = OpenDirectory { fs: Fs::real(), path: self.path.clone(), open_files_max: 100 };
        let directory = LogDirectory::open(open).unwrap();
        let partition = TopicPartition { topic: "old".into(), partition: 0 };
        let open = OpenLog {
            partition,
            topic_id: Some([7; 16]),
            config: self.config.clone().into(),
            now_ms: BASE_MS,
            jitter_seed: 0,
            accept_damage: false,
        };
        let (log, recovered) = Log::open(&directory, open).unwrap();
        (directory, log, recovered)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn config() -> LogConfig {
    LogConfig { index_interval_bytes: 200, segment_ms: i64::MAX, retention_ms: -1, ..LogConfig::default() }
}

/// The records from an offset on, and the magic of each one's batch.
fn read_from(log: &Log, from: i64) -> Vec<(ExpectedRecord, i8)> {
    let (mut offset, mut records, mut scratch) = (from, Vec::new(), Scratch::new());
    while let Some(slice) = log.read(offset, 1, true, i64::MAX).unwrap() {
        let bytes = slice.read().unwrap();
        for batch in stored_batches(&bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            offset = batch.header().next_offset();
            for record in batch.records_decompressed(&mut scratch, 1 << 20).unwrap() {
                let record = record.unwrap();
                let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8(b.to_vec()).unwrap());
                let (key, value) = (text(record.key), text(record.value));
                let expected =
                    ExpectedRecord { offset: record.offset, timestamp: record.timestamp, key, value };
                records.push((expected, batch.header().magic));
            }
        }
    }
    records
}

fn read(log: &Log) -> Vec<ExpectedRecord> {
    read_from(log, log.log_start_offset()).into_iter().map(|(record, _)| record).collect()
}

fn append(log: &mut Log, value: &str) -> i64 {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(BASE_MS + 500_000, Some(b"key-9"), Some(value.as_bytes()), &[]);
    let bytes = builder.build();
    let valid = ValidBatch::trusted(&Batch::parse(&bytes).unwrap());
    log.append_as_leader(&bytes, &valid, 3, Origin::Client, BASE_MS).unwrap().base_offset
}

/// The first record at or above a time, by looking at all.
fn first_at(records: &[ExpectedRecord], timestamp: i64) -> Option<(i64, i64)> {
    records
        .iter()
        .find(|record| record.timestamp >= timestamp)
        .map(|record| (record.timestamp, record.offset))
}

#[test]
fn they_are_recovered_indexed_read_and_looked_up() {
    let (_, expected) = captured();
    for cuts in [&[][..], &[16, 64, 85, 127]] {
        let home = Home::new(cuts, config());
        let (directory, log, recovered) = home.open();
        assert!(!recovered.clean && recovered.truncation.is_none(), "{recovered:?}");
        assert_eq!(
            (log.log_start_offset(), log.end_offset(), log.segments()),
            (0, END_OFFSET, cuts.len() + 1)
        );
        assert_eq!(read(&log), expected);
        let mut scratch = Scratch::new();
        for second in -1..=END_OFFSET {
            let timestamp = BASE_MS + 1000 * second + 77;
            let found = log.locate_timestamp(timestamp).and_then(|it| it.find(&mut scratch)).unwrap();
            let found = found.map(|TimestampOffset { timestamp, offset, .. }| (timestamp, offset));
            assert_eq!(found, first_at(&expected, timestamp), "{cuts:?} {timestamp}");
        }
        let max = TimestampOffset { timestamp: BASE_MS + 152_000, offset: 152, leader_epoch: 4 };
        assert_eq!(
            log.locate_max_timestamp()
                .and_then(|it| it.find(&mut scratch))
                .unwrap()
                .map(|max| (max.timestamp, max.offset)),
            Some((max.timestamp, max.offset))
        );
        // From the middle of a compressed message the whole of it is given.
        assert_eq!(read_from(&log, 18)[0].0.offset, 16);
        log.close().unwrap();
        directory.close(1).unwrap();

        let (_directory, mut log, recovered) = home.open();
        assert_eq!(recovered, RecoveryReport { clean: true, ..RecoveryReport::default() });
        assert_eq!(read(&log), expected);
        assert_eq!(append(&mut log, "new"), END_OFFSET);
    }
}

/// A crash or damage affects them as it affects batches.
#[test]
fn a_torn_end_is_cut() {
    let home = Home::new(&[], config());
    let (bytes, expected) = captured();
    // Within the last message of magic 0 that is not compressed.
    let starts: Vec<usize> = stored_batches(&bytes)
        .scan(0, |at, batch| Some(std::mem::replace(at, *at + batch.unwrap().bytes().len())))
        .collect();
    std::fs::write(home.file(0, "log"), &bytes[..starts[8] + 30]).unwrap();
    let (_directory, log, recovered) = home.open();
    let cut = recovered.truncation.unwrap();
    assert_eq!((cut.damage.position, cut.bytes), (starts[8] as u64, 30));
    assert_eq!(read(&log), expected[..8]);
}

/// A broker follows one that has such a log.
#[test]
fn they_are_appended_as_they_are_fetched() {
    let (bytes, expected) = captured();
    let home = Home::new(&[], config());
    let (_directory, mut log, _) = home.open();
    log.truncate_to(0, BASE_MS).unwrap();
    let starts: Vec<usize> = stored_batches(&bytes)
        .scan(0, |at, batch| Some(std::mem::replace(at, *at + batch.unwrap().bytes().len())))
        .collect();
    let half = starts[starts.len() / 2];
    // The first fetch ends within a batch.
    log.append_as_follower(&bytes[..half + 20], 9, BASE_MS).unwrap().unwrap();
    assert_eq!(log.append_as_follower(&[], 9, BASE_MS).unwrap(), None);
    log.append_as_follower(&bytes[half..], 9, BASE_MS).unwrap().unwrap();
    assert_eq!((log.end_offset(), read(&log)), (END_OFFSET, expected));
    let mut damaged = bytes[..starts[1]].to_vec();
    damaged[20] ^= 1;
    log.truncate_to(0, BASE_MS).unwrap();
    assert!(matches!(log.append_as_follower(&damaged, 9, BASE_MS), Err(AppendError::Batch(_))));
}

#[test]
fn they_are_truncated_and_retained() {
    let (_, expected) = captured();
    let home = Home::new(&[16, 64, 85, 127], config());
    let (_directory, mut log, _) = home.open();
    // Within a compressed message: all of it goes.
    log.truncate_to(100, BASE_MS).unwrap();
    let last = read(&log).last().unwrap().offset;
    assert!(last < 100 && log.end_offset() == last + 1);
    assert_eq!(read(&log), expected[..expected.iter().position(|e| e.offset > last).unwrap()]);
    assert!(append(&mut log, "after") > last);

    log.set_high_watermark(log.end_offset());
    log.delete_records(17, BASE_MS).unwrap();
    assert_eq!((log.log_start_offset(), log.segments()), (17, 3));

    // Without a timestamp the time of the last write counts, which is now; magic 1 has timestamps of 2023.
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    log.set_config(LogConfig { retention_ms: 3_600_000, ..config() });
    assert_eq!(log.apply_retention(now_ms).unwrap().deleted_segments, 0);
    log.delete_records(MAGIC_1_OFFSET, now_ms).unwrap();
    log.apply_retention(now_ms).unwrap();
    assert_eq!(read(&log), []);
}

/// Compaction keeps the newest of each key. Rewritten batches are of magic 2, untouched messages stay.
#[test]
fn they_are_compacted_and_none_is_written() {
    let compact = LogConfig { compact: true, delete: false, delete_retention_ms: 10, ..config() };
    let home = Home::new(&[48, 64, 106, 148], compact);
    let (_, before) = captured();
    let (directory, mut log, _) = home.open();
    log.set_high_watermark(END_OFFSET);
    let mut map = OffsetMap::new(1 << 20, 0.9);
    let clean = |log: &mut Log, map: &mut OffsetMap, now_ms: i64| {
        let mut throttle = |_| Ok(());
        let mut cleaning = log.clean_plan(None, now_ms).unwrap().start(map, &mut throttle).unwrap();
        while let Some(cleaned) = cleaning.next_group(&mut throttle).unwrap() {
            assert!(matches!(log.swap(&cleaned, now_ms).unwrap(), SwapOutcome::Done));
        }
        cleaning.finish().unwrap();
    };
    clean(&mut log, &mut map, BASE_MS);
    // The last segment is not cleaned, and says nothing of the keys before it.
    let (old, last): (Vec<_>, Vec<_>) = before.iter().cloned().partition(|record| record.offset < 148);
    let is_latest = |record: &&ExpectedRecord| {
        record.key.is_some()
            && !old.iter().any(|later| later.key == record.key && later.offset > record.offset)
    };
    let mut expected: Vec<_> = old.iter().filter(is_latest).cloned().collect();
    expected.extend(last);
    assert_eq!(read(&log), expected);
    let written = read_from(&log, 0);
    let rewritten: Vec<_> =
        written.iter().filter(|(record, _)| record.offset < 148).map(|(_, magic)| *magic).collect();
    assert!(rewritten.iter().all(|magic| *magic == 2), "{rewritten:?}");

    // Tombstones go once their time is over, counted from the first cleaning.
    assert!(expected.iter().any(|record| record.offset < 148 && record.value.is_none()));
    clean(&mut log, &mut map, BASE_MS + 5);
    assert_eq!(read(&log), expected);
    clean(&mut log, &mut map, BASE_MS + 20);
    expected.retain(|record| record.value.is_some() || record.offset >= 148);
    assert_eq!(read(&log), expected);
    log.close().unwrap();
    drop(directory);
    let (_directory, log, _) = home.open();
    assert_eq!(read(&log), expected);
}

#[test]
fn a_scrub_takes_them_for_whole_and_finds_one_that_is_not() {
    let home = Home::new(&[16, MAGIC_1_OFFSET, 85, 127], config());
    let (_directory, log, _) = home.open();
    let faults = || {
        let (mut next, mut faults) = (0, Vec::new());
        while let Some(segment) = log.closed_segment_from(next) {
            faults.extend(segment.scrub(|_| Ok(())).unwrap().faults);
            next = segment.next_base_offset();
        }
        assert!(next >= 100);
        faults
    };
    assert_eq!(faults(), []);
    for base_offset in [16, MAGIC_1_OFFSET] {
        let path = home.file(base_offset, "log");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[30] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let found = faults();
        assert_eq!((found.len(), &found[0].path, found[0].position), (1, &path, 0), "{found:?}");
        bytes[30] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
    }
}
