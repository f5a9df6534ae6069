#![allow(clippy::disallowed_methods, reason = "tests look at files")]

mod stale;

use std::collections::{BTreeMap, BTreeSet};

use record::{BatchBuilder, Compression, Scratch};

use super::OffsetMap;
use crate::fs::Operation;
use crate::fs::faults::Fault;
use crate::testing::{Home, NOW_MS, append_from, contents, end_txn, name_of_log, open_log, open_with, scrub};
use crate::{CleanStats, Log, LogConfig, Origin, SwapOutcome};

const RETENTION_MS: i64 = 1000;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1200,
        index_interval_bytes: 200,
        compact: true,
        delete: false,
        delete_retention_ms: RETENTION_MS,
        producer_id_expiration_ms: i64::MAX,
        ..LogConfig::default()
    }
}

fn put(log: &mut Log, builder: BatchBuilder, records: &[(&str, Option<&str>)]) -> i64 {
    let mut builder = builder;
    for (key, value) in records {
        builder.push(NOW_MS, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    let appended = append_from(log, &builder.build(), Origin::Replication).unwrap();
    log.set_high_watermark(log.end_offset());
    appended.base_offset
}

fn plain() -> BatchBuilder {
    BatchBuilder::new(Compression::None)
}

fn txn(id: i64) -> BatchBuilder {
    plain().producer(id, 0, 0).transactional()
}

fn mark(log: &mut Log, id: i64, committed: bool) -> i64 {
    let offset = append_from(log, &end_txn(id, 0, committed), Origin::Replication).unwrap().base_offset;
    log.set_high_watermark(log.end_offset());
    offset
}

/// Closes the active segment, so that everything so far may be cleaned.
fn roll(log: &mut Log) {
    log.roll(log.end_offset(), NOW_MS).unwrap();
}

fn clean_with(log: &mut Log, map: &mut OffsetMap, from: Option<i64>, now_ms: i64) -> (i64, CleanStats) {
    let plan = log.clean_plan(from, now_ms).unwrap();
    let mut cleaning = plan.start(map, &mut |_| Ok(())).unwrap();
    while let Some(cleaned) = cleaning.next_group(&mut |_| Ok(())).unwrap() {
        assert_eq!(log.swap(&cleaned, now_ms).unwrap(), SwapOutcome::Done);
    }
    (cleaning.clean_to(), cleaning.stats())
}

fn clean(log: &mut Log, now_ms: i64) -> CleanStats {
    clean_with(log, &mut OffsetMap::new(1 << 20, 0.9), None, now_ms).1
}

/// An offset, a key and a value.
type KeyedRecord = (i64, Vec<u8>, Option<Vec<u8>>);

/// The log as seen by a consumer of committed records.
fn committed(log: &Log) -> Vec<KeyedRecord> {
    let (start, end) = (log.log_start_offset(), log.last_stable_offset());
    let mut aborted = log.aborted_transactions(start, end).unwrap();
    aborted.sort_by_key(|txn| txn.first_offset);
    let mut aborted = std::collections::VecDeque::from(aborted);
    let mut void = BTreeSet::new();
    let mut seen = Vec::new();
    let mut scratch = Scratch::new();
    let mut offset = start;
    while let Some(slice) = log.read(offset, usize::MAX, true, end).unwrap() {
        for batch in record::batches(&slice.read().unwrap()) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            let header = *batch.header();
            assert!(header.base_offset >= offset, "offsets rise");
            offset = header.next_offset();
            while let Some(txn) = aborted.pop_front_if(|txn| txn.first_offset <= header.last_offset()) {
                void.insert(txn.producer_id);
            }
            let records = batch.records_decompressed(&mut scratch, 1 << 20).unwrap();
            let records: Vec<_> = records.map(Result::unwrap).collect();
            if header.attributes.is_control() {
                if records.first().is_some_and(|record| record.key == Some(&[0, 0, 0, 0])) {
                    void.remove(&header.producer_id);
                }
            } else if !(header.attributes.is_transactional() && void.contains(&header.producer_id)) {
                let record = |r: &record::Record<'_>| {
                    assert!((header.base_offset..offset).contains(&r.offset) && r.timestamp == NOW_MS);
                    (r.offset, r.key.unwrap().to_vec(), r.value.map(<[u8]>::to_vec))
                };
                seen.extend(records.iter().map(record));
            }
        }
    }
    seen
}

/// The last value of each key that has one.
fn latest(seen: &[KeyedRecord]) -> BTreeMap<Vec<u8>, (i64, Vec<u8>)> {
    let mut latest = BTreeMap::new();
    for (offset, key, value) in seen {
        match value {
            Some(value) => latest.insert(key.clone(), (*offset, value.clone())),
            None => latest.remove(key),
        };
    }
    latest
}

fn keys(log: &Log) -> Vec<(i64, String, bool)> {
    let text = |(offset, key, value): KeyedRecord| (offset, String::from_utf8(key).unwrap(), value.is_some());
    committed(log).into_iter().map(text).collect()
}

#[test]
fn the_last_record_of_each_key_stays() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    for value in ["1", "2", "3"] {
        put(&mut log, plain(), &[("a", Some(value)), ("b", Some(value))]);
        roll(&mut log);
    }
    put(&mut log, plain(), &[("a", Some("active"))]);
    assert!((log.clean_plan(None, NOW_MS).unwrap().dirty_ratio() - 1.0).abs() < 1e-9);
    let before = log.read(2, 1 << 20, true, i64::MAX).unwrap().unwrap();
    let (clean_to, stats) = clean_with(&mut log, &mut OffsetMap::new(1 << 20, 0.9), None, NOW_MS);
    assert_eq!((clean_to, log.segments()), (6, 2), "three segments have become one");
    assert!(stats.written_bytes * 2 < stats.read_bytes && stats.map_bytes == stats.read_bytes);
    assert_eq!(keys(&log), [(4, "a".into(), true), (5, "b".into(), true), (6, "a".into(), true)]);
    assert_eq!(before.read().unwrap().len(), before.len, "who reads the old file goes on");
    assert_eq!(log.clean_plan(Some(clean_to), NOW_MS).unwrap().dirty_ratio(), 0.0);
    drop(log);
    let (log, _) = open_log(&directory, config());
    assert_eq!(keys(&log).len(), 3);
}

#[test]
fn l1_an_aborted_transaction_stays_aborted_across_segments() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, txn(1), &[("k", Some("aborted")), ("x", Some("aborted"))]);
    roll(&mut log);
    put(&mut log, plain(), &[("k", Some("kept"))]);
    roll(&mut log);
    mark(&mut log, 1, false);
    roll(&mut log);
    put(&mut log, txn(1), &[("x", Some("committed"))]);
    mark(&mut log, 1, true);
    roll(&mut log);
    let before = committed(&log);
    for pass in 0..4 {
        clean(&mut log, NOW_MS + pass * 2 * RETENTION_MS);
        assert_eq!(committed(&log), before, "pass {pass}");
    }
    // The marker is removed once its data is gone and its retention is over.
    assert!(contents(&log).iter().all(|(base_offset, _)| *base_offset != 3));
    assert!(log.aborted_transactions(0, 100).unwrap().is_empty());
}

#[test]
fn l1_a_marker_of_committed_data_stays_as_long_as_the_data() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, txn(1), &[("k", Some("1"))]);
    let marker = mark(&mut log, 1, true);
    roll(&mut log);
    for pass in 0..4 {
        clean(&mut log, NOW_MS + pass * 2 * RETENTION_MS);
        assert!(contents(&log).contains(&(marker, marker)), "pass {pass}");
    }
}

#[test]
fn l1_nothing_at_or_above_the_last_stable_offset_is_cleaned() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, plain(), &[("k", Some("1"))]);
    roll(&mut log);
    put(&mut log, txn(1), &[("k", Some("open"))]);
    roll(&mut log);
    put(&mut log, plain(), &[("k", Some("2"))]);
    roll(&mut log);
    let before = contents(&log);
    clean(&mut log, NOW_MS);
    assert_eq!(contents(&log), before);
}

#[test]
fn l2_control_batches_are_never_compacted_by_key() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    for (id, key) in [(1, "a"), (2, "b"), (3, "c")] {
        put(&mut log, txn(id), &[(key, Some("v"))]);
        mark(&mut log, id, true);
    }
    roll(&mut log);
    clean(&mut log, NOW_MS);
    assert_eq!(contents(&log).len(), 6, "the markers all have the same key");
}

#[test]
fn l3_the_last_batch_of_a_producer_and_the_last_offset_stay() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, plain().producer(9, 3, 7), &[("k", Some("1")), ("k", Some("2"))]);
    put(&mut log, plain(), &[("k", Some("3"))]);
    put(&mut log, plain(), &[("gone", None)]);
    roll(&mut log);
    clean(&mut log, NOW_MS);
    clean(&mut log, NOW_MS + 2 * RETENTION_MS);
    assert_eq!(contents(&log), [(0, 1), (2, 2), (3, 3)], "two of them are empty");
    assert_eq!(keys(&log), [(2, "k".into(), true)]);
    let producers = log.active_producers();
    drop(log);
    for entry in std::fs::read_dir(home.file("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "snapshot") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let (log, _) = open_log(&directory, config());
    assert_eq!(log.active_producers(), producers);
    assert_eq!((producers[0].producer_epoch, producers[0].last_sequence), (3, 8));
}

#[test]
fn l4_a_tombstone_stays_for_its_retention_from_the_first_cleaning_on() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, plain(), &[("k", Some("1")), ("k", None)]);
    put(&mut log, plain(), &[("other", Some("1"))]);
    roll(&mut log);
    let late = NOW_MS + 10 * RETENTION_MS;
    for now_ms in [late, late + RETENTION_MS - 1] {
        clean(&mut log, now_ms);
        assert_eq!(keys(&log)[0], (1, "k".into(), false), "{now_ms}");
    }
    let first = log.read(0, 1 << 20, true, i64::MAX).unwrap().unwrap().read().unwrap();
    let header = *record::Batch::parse(&first).unwrap().header();
    assert_eq!(header.delete_horizon_ms(), Some(late + RETENTION_MS));
    clean(&mut log, late + RETENTION_MS);
    assert_eq!(keys(&log), [(2, "other".into(), true)]);
}

#[test]
fn l5_segments_that_are_gone_are_not_swapped_back() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    for _ in 0..3 {
        put(&mut log, plain(), &[("k", Some("1"))]);
        roll(&mut log);
    }
    let mut map = OffsetMap::new(1 << 20, 0.9);
    let mut cleaning = log.clean_plan(None, NOW_MS).unwrap().start(&mut map, &mut |_| Ok(())).unwrap();
    let cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap().unwrap();
    log.delete_records(1, NOW_MS).unwrap();
    assert_eq!(log.swap(&cleaned, NOW_MS).unwrap(), SwapOutcome::Stale);
    assert_eq!(keys(&log), [(1, "k".into(), true), (2, "k".into(), true)]);
    let left = std::fs::read_dir(home.file("")).unwrap();
    assert!(left.map(|e| e.unwrap().path()).all(|p| p.extension().is_none_or(|e| e != "cleaned")));
}

/// A log whose segments can be cleaned into one, and the result of cleaning it.
fn to_swap(directory: &crate::LogDirectory) -> (Log, super::CleanedSegment) {
    let (mut log, _) = open_log(directory, config());
    for value in ["1", "2", "3"] {
        put(&mut log, plain(), &[("k", Some(value))]);
        roll(&mut log);
    }
    let mut map = OffsetMap::new(1 << 20, 0.9);
    let mut cleaning = log.clean_plan(None, NOW_MS).unwrap().start(&mut map, &mut |_| Ok(())).unwrap();
    let cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap().unwrap();
    (log, cleaned)
}

fn temporary_files(home: &Home) -> usize {
    let left = std::fs::read_dir(home.file("")).unwrap().map(|e| e.unwrap().path());
    left.filter(|p| p.extension().is_some_and(|e| e == "swap" || e == "cleaned")).count()
}

#[test]
fn l5_what_happens_between_the_steps_of_a_swap_is_kept() {
    // Each change, with the offsets that are left if it comes after each number of steps.
    type Between = fn(&mut Log);
    let nothing: Between = |_| {};
    let append: Between = |log| assert_eq!(put(log, plain(), &[("other", Some("4"))]), 3);
    let delete: Between = |log| log.delete_records(1, NOW_MS).unwrap();
    let anew: Between = |log| log.truncate_fully_and_start_at(7, NOW_MS).unwrap();
    let cases: [(Between, [&[i64]; 2]); 4] = [
        (nothing, [&[2], &[2]]),
        (append, [&[2, 3], &[2, 3]]),
        (delete, [&[1, 2], &[2]]),
        (anew, [&[], &[]]),
    ];
    for (between, expected) in cases {
        for steps in 1..=2 {
            let home = Home::new();
            let directory = home.open();
            let (mut log, cleaned) = to_swap(&directory);
            assert_eq!(log.begin_swap(&cleaned).unwrap(), SwapOutcome::Done);
            cleaned.sync_names().unwrap();
            if steps == 2 {
                assert_eq!(log.replace_segments(&cleaned, NOW_MS).unwrap(), SwapOutcome::Done);
                cleaned.sync_names().unwrap();
            }
            between(&mut log);
            let gone = steps == 1 && expected[0] != [2] && expected[0] != [2, 3];
            if steps == 1 {
                let replaced = log.replace_segments(&cleaned, NOW_MS).unwrap();
                assert_eq!(replaced == SwapOutcome::Stale, gone);
            }
            let offsets: Vec<i64> = keys(&log).iter().map(|(offset, ..)| *offset).collect();
            assert_eq!(offsets, expected[steps - 1], "read before the last step");
            log.finish_swap(&cleaned).unwrap();
            assert_eq!(temporary_files(&home), 0);
            log.flush().unwrap();
            drop((log, directory));
            let (mut log, _) = Log::open(&home.open(), open_with(config())).unwrap();
            log.set_high_watermark(log.end_offset());
            let offsets: Vec<i64> = keys(&log).iter().map(|(offset, ..)| *offset).collect();
            assert_eq!(offsets, expected[steps - 1], "read after a crash");
        }
    }
}

#[test]
fn a_log_that_is_closed_between_the_steps_of_a_swap_opens_cleanly() {
    for steps in 1..=2 {
        let home = Home::new();
        let directory = home.open();
        let (mut log, cleaned) = to_swap(&directory);
        log.begin_swap(&cleaned).unwrap();
        if steps == 2 {
            log.replace_segments(&cleaned, NOW_MS).unwrap();
        }
        log.close().unwrap();
        assert_eq!(temporary_files(&home), 0);
        assert!(directory.close(-1).unwrap());
        let (mut log, recovered) = Log::open(&home.open(), open_with(config())).unwrap();
        assert!(recovered.clean);
        log.set_high_watermark(log.end_offset());
        assert_eq!(latest(&committed(&log)).len(), 1);
    }
}

#[test]
fn l5_a_reader_that_located_an_old_segment_is_told_or_reads_the_old_file() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, plain(), &[("k", Some("1"))]);
    put(&mut log, plain(), &[("k", Some("2"))]);
    roll(&mut log);
    let located = log.locate(0, i64::MAX).unwrap();
    clean(&mut log, NOW_MS);
    assert!(matches!(located.slice(1 << 20, true), Err(crate::ReadError::Gone)));
}

#[test]
fn young_segments_wait_and_old_ones_are_overdue() {
    let home = Home::new();
    let directory = home.open();
    let settings = LogConfig { min_compaction_lag_ms: 500, max_compaction_lag_ms: 2000, ..config() };
    let (mut log, _) = open_log(&directory, settings);
    put(&mut log, plain(), &[("k", Some("1"))]);
    roll(&mut log);
    assert_eq!(log.clean_plan(None, NOW_MS + 499).unwrap().dirty_ratio(), 0.0);
    let plan = log.clean_plan(None, NOW_MS + 501).unwrap();
    assert!(plan.dirty_ratio() > 0.0 && !plan.is_overdue());
    assert!(log.clean_plan(None, NOW_MS + 2001).unwrap().is_overdue());
}

/// As Kafka's `LogSegment.largestTimestamp`.
#[test]
fn a_segment_without_a_time_is_as_young_as_its_last_write() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { min_compaction_lag_ms: 500, ..config() });
    let mut builder = plain();
    builder.push(-5, Some(b"k"), Some(b"1"), &[]);
    append_from(&mut log, &builder.build(), Origin::Replication).unwrap();
    log.set_high_watermark(log.end_offset());
    roll(&mut log);
    let modified = std::fs::metadata(home.file("00000000000000000000.log")).unwrap().modified().unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    let written_ms = i64::try_from(since.as_millis()).unwrap();
    assert_eq!(log.clean_plan(None, written_ms + 499).unwrap().dirty_ratio(), 0.0);
    assert!(log.clean_plan(None, written_ms + 500).unwrap().dirty_ratio() > 0.0);
}

/// Kafka's cleaner stops at a time before 1970 as soon as a batch loses a record.
#[test]
fn records_from_before_1970_are_cleaned_as_others_are() {
    for compression in [Compression::None, Compression::Lz4] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, config());
        let mut builder = BatchBuilder::new(compression);
        for (timestamp, key, value) in
            [(-9_000, "a", Some("1")), (-1_000, "b", Some("1")), (-5_000, "a", Some("2")), (-1, "c", None)]
        {
            builder.push(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        append_from(&mut log, &builder.build(), Origin::Replication).unwrap();
        log.set_high_watermark(log.end_offset());
        roll(&mut log);
        clean(&mut log, NOW_MS);
        let times = |log: &Log| {
            let mut times = Vec::new();
            let slice = log.read(0, usize::MAX, true, i64::MAX).unwrap().unwrap();
            for batch in record::stored_batches(&slice.read().unwrap()) {
                let batch = batch.unwrap();
                assert_eq!(batch.header().max_timestamp, -1);
                let mut scratch = Scratch::new();
                let records = batch.records_decompressed(&mut scratch, 1 << 20).unwrap();
                times.extend(records.map(|record| record.unwrap()).map(|it| (it.offset, it.timestamp)));
            }
            times
        };
        // The tombstone stays until its horizon, from which the others are counted then.
        assert_eq!(times(&log), [(1, -1_000), (2, -5_000), (3, -1)]);
        clean(&mut log, NOW_MS + RETENTION_MS + 1);
        assert_eq!(times(&log), [(1, -1_000), (2, -5_000)]);
    }
}

/// Fails the n-th operation of a kind, reopens as after a crash, and compares what is read.
#[test]
fn a_crash_at_any_step_of_a_swap_loses_nothing() {
    for operation in [Operation::Rename, Operation::SyncDir, Operation::Sync, Operation::Write] {
        for after in 0..14 {
            let home = Home::new();
            let directory = home.open();
            let (mut log, _) = open_log(&directory, config());
            put(&mut log, txn(1), &[("a", Some("aborted"))]);
            roll(&mut log);
            mark(&mut log, 1, false);
            put(&mut log, plain(), &[("a", Some("1")), ("b", Some("1"))]);
            roll(&mut log);
            put(&mut log, plain(), &[("a", Some("2"))]);
            roll(&mut log);
            log.flush().unwrap();
            let before = latest(&committed(&log));
            let (error, times) = (std::io::ErrorKind::Other, u32::MAX);
            home.faults.add(Fault { operation, path_end: "", after, times, error });
            let mut map = OffsetMap::new(1 << 20, 0.9);
            let plan = log.clean_plan(None, NOW_MS).unwrap();
            if let Ok(mut cleaning) = plan.start(&mut map, &mut |_| Ok(())) {
                while let Ok(Some(cleaned)) = cleaning.next_group(&mut |_| Ok(())) {
                    let _ = log.swap(&cleaned, NOW_MS);
                }
            }
            drop((log, directory));
            home.faults.clear();
            let directory = home.open();
            let (mut log, _) = Log::open(&directory, open_with(config())).unwrap();
            log.set_high_watermark(log.end_offset());
            assert_eq!(latest(&committed(&log)), before, "{operation} {after}");
            assert_eq!(log.end_offset(), 5);
            let left = std::fs::read_dir(home.file("")).unwrap().map(|e| e.unwrap().path());
            let temporary =
                |p: &std::path::PathBuf| p.extension().is_some_and(|e| e == "swap" || e == "cleaned");
            assert_eq!(left.filter(temporary).count(), 0, "{operation} {after}");
        }
    }
}

/// One random history with several cleanings in it.
struct History {
    random: fastrand::Rng,
    open: BTreeSet<i64>,
    sequence: i32,
}

impl History {
    fn step(&mut self, log: &mut Log) {
        let random = &mut self.random;
        let producer = random.i64(0..5);
        if producer >= 2 && self.open.contains(&producer) && random.u8(..3) == 0 {
            self.open.remove(&producer);
            mark(log, producer, random.bool());
            return;
        }
        let codecs =
            [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let codec = codecs[if random.bool() { 0 } else { random.usize(..5) }];
        let mut builder = BatchBuilder::new(codec);
        if producer > 0 {
            builder = builder.producer(producer, 0, self.sequence);
            self.sequence += 10;
        }
        if producer >= 2 {
            builder = builder.transactional();
            self.open.insert(producer);
        }
        let records: Vec<(String, Option<String>)> = (0..random.usize(1..4))
            .map(|_| {
                (format!("k{}", random.u8(..8)), (random.u8(..4) > 0).then(|| random.u32(..).to_string()))
            })
            .collect();
        let records: Vec<_> = records.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
        put(log, builder, &records);
    }
}

fn check_cleaning(log: &mut Log, seed: u64, cleaned_to: &mut Option<i64>, map_keys: usize, now_ms: i64) {
    let before = committed(log);
    let uncleanable = log.clean_plan(None, now_ms).unwrap().end_offset;
    let (start, end) = (log.log_start_offset(), log.end_offset());
    let (lso, producers) = (log.last_stable_offset(), log.active_producers());
    let mut map = OffsetMap::new(24 * map_keys, 0.9);
    *cleaned_to = Some(clean_with(log, &mut map, *cleaned_to, now_ms).0);
    if seed.is_multiple_of(4) {
        assert_eq!(scrub(log), [], "seed {seed}: nothing is damaged");
    }
    let after = committed(log);
    assert_eq!(latest(&after), latest(&before), "seed {seed}: the latest of each key");
    let known: BTreeSet<_> = before.iter().collect();
    assert!(after.iter().all(|seen| known.contains(seen)), "seed {seed}: nothing appears");
    let untouched = |seen: &&KeyedRecord| seen.0 >= uncleanable;
    assert!(
        before.iter().filter(untouched).eq(after.iter().filter(untouched)),
        "seed {seed}: what is not to be cleaned"
    );
    assert_eq!((log.log_start_offset(), log.end_offset()), (start, end), "seed {seed}");
    assert_eq!((log.last_stable_offset(), log.active_producers()), (lso, producers), "seed {seed}");
}

#[test]
fn thousands_of_random_histories_read_the_same() {
    for seed in 0..2000 {
        let home = Home::new();
        let mut directory = home.open();
        let (mut log, _) = open_log(&directory, config());
        let mut history =
            History { random: fastrand::Rng::with_seed(seed), open: BTreeSet::new(), sequence: 0 };
        let mut cleaned_to = None;
        let mut now_ms = NOW_MS;
        let map_keys = if seed % 3 == 0 { 6 } else { 100 };
        for _ in 0..3 {
            for _ in 0..history.random.usize(10..30) {
                history.step(&mut log);
            }
            now_ms += history.random.i64(0..3 * RETENTION_MS);
            check_cleaning(&mut log, seed, &mut cleaned_to, map_keys, now_ms);
            if seed % 10 == 0 {
                let state = (committed(&log), log.end_offset(), log.last_stable_offset());
                let sequences = |log: &Log| -> Vec<_> {
                    let of = |p: &crate::ActiveProducer| {
                        (p.producer_id, p.producer_epoch, p.last_sequence, p.current_txn_start_offset)
                    };
                    log.active_producers().iter().map(of).collect()
                };
                let producers = sequences(&log);
                drop((log, directory));
                for entry in std::fs::read_dir(home.dir.path().join(name_of_log().to_string())).unwrap() {
                    let path = entry.unwrap().path();
                    if path.extension().is_some_and(|extension| extension == "snapshot") {
                        std::fs::remove_file(path).unwrap();
                    }
                }
                directory = home.open();
                (log, _) = open_log(&directory, config());
                log.set_high_watermark(log.end_offset());
                assert_eq!(
                    (committed(&log), log.end_offset(), log.last_stable_offset()),
                    state,
                    "seed {seed}"
                );
                assert_eq!(sequences(&log), producers, "seed {seed}: a replay knows the producers");
            }
        }
    }
}

/// The first offset of a batch with one timestamp for all may be that of a record that is gone.
#[test]
fn a_time_finds_a_record_that_is_left() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, plain().log_append_time(NOW_MS), &[("a", Some("1")), ("b", Some("1"))]);
    put(&mut log, plain().log_append_time(NOW_MS + 1), &[("a", Some("2"))]);
    roll(&mut log);
    put(&mut log, plain(), &[("c", Some("1"))]);
    clean(&mut log, NOW_MS);
    let found = log.offset_for_timestamp(NOW_MS, &mut Scratch::new()).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (1, NOW_MS));
}
