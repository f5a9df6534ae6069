#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

mod aborted;
mod checkpoints;
mod damage;
mod descriptors;
mod expiry;
mod faults;
mod following;
mod full;
mod lookups;
mod model;
mod recovery;
mod removal;

use std::path::PathBuf;

use record::{Batch, BatchBuilder, Compression, ValidBatch};

use super::*;
use crate::Origin;
use crate::fs::Operation;
use crate::offset_index::OffsetEntry;
use crate::testing::*;
use crate::time_index::TimeEntry;

/// The names of the partition's files.
fn files(home: &Home) -> Vec<String> {
    let entries = std::fs::read_dir(home.file("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn path_of(home: &Home, offset: i64, suffix: &str) -> PathBuf {
    home.file(&format!("{offset:020}{suffix}"))
}

#[test]
fn a_batch_is_written_as_it_came_save_for_its_place() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    let mut bytes = batch(3, NOW_MS, 50);
    let valid = ValidBatch::trusted(&Batch::parse(&bytes).unwrap());
    log.append_as_leader(&bytes, &valid, 4, Origin::Client, NOW_MS).unwrap();
    let appended = log.append_as_leader(&bytes, &valid, 5, Origin::Client, NOW_MS).unwrap();
    let expected = AppendOutcome {
        base_offset: 3,
        last_offset: 5,
        log_append_time: -1,
        log_start_offset: 0,
        duplicate: false,
    };
    assert_eq!(appended, expected);
    let slice = log.read(3, usize::MAX, true, i64::MAX).unwrap().unwrap();
    assert_eq!(slice.base_offset, 3);
    bytes[..8].copy_from_slice(&3_i64.to_be_bytes());
    bytes[12..16].copy_from_slice(&5_i32.to_be_bytes());
    assert_eq!(slice.read().unwrap(), bytes);
    assert_eq!(std::fs::read(path_of(&home, 0, ".log")).unwrap().len(), 2 * bytes.len());
    assert_eq!(log.leader_epochs().len(), 2);
    assert_eq!(log.end_offset_for_epoch(4), EpochEndOffset { epoch: 4, end_offset: 3 });
    assert_eq!(log.end_offset_for_epoch(5), EpochEndOffset { epoch: 5, end_offset: 6 });
}

#[test]
fn the_time_that_the_broker_set_is_told() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    let mut builder = BatchBuilder::new(Compression::None).log_append_time(NOW_MS + 5);
    builder.push(NOW_MS, None, None, &[]);
    let appended = append(&mut log, &builder.build()).unwrap();
    assert_eq!(appended.log_append_time, NOW_MS + 5);
}

#[test]
fn a_new_log_has_kafkas_files() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, recovered) = open_log(&directory, LogConfig::default());
    assert!(recovered.clean);
    assert_eq!(
        files(&home),
        [
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "partition.metadata"
        ]
    );
    let metadata = std::fs::read_to_string(home.file("partition.metadata")).unwrap();
    assert_eq!(metadata, "version: 0\ntopic_id: BwcHBwcHBwcHBwcHBwcHBw");
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    log.flush().unwrap();
    assert_eq!(std::fs::read_to_string(home.file("leader-epoch-checkpoint")).unwrap(), "0\n1\n0 0\n");
}

#[test]
fn an_append_is_one_write() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    home.faults.take_done();
    for _ in 0..100 {
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    }
    let done = home.faults.take_done();
    let expected = (Operation::Write, path_of(&home, 0, ".log"));
    assert_eq!(done, vec![expected; 100]);
    // Reading at the end needs no search.
    log.read(100, 1 << 20, true, i64::MAX).unwrap().unwrap();
    assert_eq!(home.faults.take_done(), []);
}

#[test]
fn index_entries_are_written_many_at_a_time() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { index_interval_bytes: 100, ..LogConfig::default() };
    let (mut log, _) = open_log(&directory, config);
    home.faults.take_done();
    for n in 0..640 {
        append(&mut log, &batch(1, NOW_MS + n, 100)).unwrap();
    }
    let done = home.faults.take_done();
    let index = path_of(&home, 0, ".index");
    let writes = done.iter().filter(|(operation, path)| *operation == Operation::Write && *path == index);
    assert_eq!(writes.count(), 9, "639 entries, 64 at a time");
}

#[test]
fn a_read_is_counted_as_kafka_counts_it() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { index_interval_bytes: 0, ..LogConfig::default() });
    let one = batch(10, NOW_MS, 10).len();
    for _ in 0..10 {
        append(&mut log, &batch(10, NOW_MS, 10)).unwrap();
    }
    let len = |offset, max_bytes, min_one_batch, limit| {
        log.read(offset, max_bytes, min_one_batch, limit).unwrap().map(|slice| (slice.base_offset, slice.len))
    };
    assert_eq!(len(0, usize::MAX, false, i64::MAX), Some((0, 10 * one)));
    assert_eq!(len(20, 2 * one, false, i64::MAX), Some((20, 2 * one)));
    assert_eq!(len(25, 2 * one + 1, false, i64::MAX), Some((20, 2 * one + 1)), "the last batch is cut");
    assert_eq!(len(29, one - 1, false, i64::MAX), Some((20, one - 1)));
    assert_eq!(len(29, one - 1, true, i64::MAX), Some((20, one)), "one whole batch at least");
    assert_eq!(len(29, 0, true, i64::MAX), Some((20, one)));
    assert_eq!(len(0, usize::MAX, true, 50), Some((0, 5 * one)));
    assert_eq!(len(0, usize::MAX, true, 55), Some((0, 5 * one)), "half a batch is not visible");
    assert_eq!(len(50, usize::MAX, true, 50), None);
    assert_eq!(len(60, usize::MAX, true, 50), None);
    assert_eq!(len(99, usize::MAX, true, 100), Some((90, one)));
    assert_eq!(len(100, usize::MAX, true, i64::MAX), None);
    let incomplete = log.read(20, one - 1, false, i64::MAX).unwrap().unwrap();
    assert!(incomplete.first_batch_incomplete);
    for offset in [-1, 101] {
        match log.read(offset, 1, true, i64::MAX) {
            Err(ReadError::OutOfRange { log_start_offset: 0, end_offset: 100, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_offset_is_found_in_every_segment() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let mut expected = Vec::new();
    for n in 0..200 {
        let appended = append(&mut log, &batch(1 + n % 5, NOW_MS, n * 3 % 100)).unwrap();
        expected.push((appended.base_offset, appended.last_offset));
    }
    assert!(log.segments() > 5);
    assert_eq!(contents(&log), expected);
    for (base_offset, last_offset) in expected {
        for offset in base_offset..=last_offset {
            let slice = log.read(offset, 61, true, i64::MAX).unwrap().unwrap();
            assert_eq!(slice.base_offset, base_offset);
            let bytes = slice.read().unwrap();
            assert_eq!(Batch::parse(&bytes).unwrap().header().base_offset, base_offset);
        }
        // A limit at each batch shows the batches before it, and no more.
        let visible = log.read(base_offset, usize::MAX, true, last_offset + 1).unwrap().unwrap();
        assert_eq!(Batch::parse(&visible.read().unwrap()).unwrap().bytes().len(), visible.len);
        assert!(log.read(base_offset, usize::MAX, true, base_offset).unwrap().is_none());
    }
}

#[test]
fn trap_l5_a_place_outlives_the_lock_and_its_segment() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    let located = log.locate(0, i64::MAX).unwrap();
    for _ in 0..100 {
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    }
    let slice = located.slice(usize::MAX, true).unwrap().unwrap();
    assert_eq!(slice.len, batch(1, NOW_MS, 100).len(), "what was appended since is not seen");
    // Nor does deleting the segment take the bytes from under the slice.
    log.set_high_watermark(log.end_offset());
    log.delete_records(log.end_offset(), NOW_MS).unwrap();
    for deleted in log.take_due_deletions(i64::MAX) {
        deleted.remove().unwrap();
    }
    assert!(!path_of(&home, 0, ".log").exists());
    Batch::parse(&slice.read().unwrap()).unwrap().verify_crc().unwrap();
    assert!(matches!(log.read(0, 1, true, i64::MAX), Err(ReadError::OutOfRange { .. })));
}

#[test]
fn a_segment_is_rolled_when_it_would_be_too_large() {
    let home = Home::new();
    let directory = home.open();
    let one = batch(1, NOW_MS, 100).len() as u32;
    let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: 3 * one, ..LogConfig::default() });
    for _ in 0..7 {
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    }
    assert_eq!(log.segments(), 3);
    assert_eq!(log.size_bytes(), 7 * u64::from(one));
    assert!(path_of(&home, 3, ".log").exists() && path_of(&home, 6, ".log").exists());
    assert!(path_of(&home, 3, ".snapshot").exists());
    match append(&mut log, &batch(1, NOW_MS, 600)) {
        Err(AppendError::TooLarge { segment_bytes, .. }) => assert_eq!(segment_bytes, 3 * one),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_segment_is_rolled_when_it_is_too_old() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { segment_ms: 1000, ..LogConfig::default() });
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    append(&mut log, &batch(1, NOW_MS + 1000, 10)).unwrap();
    assert_eq!(log.segments(), 1);
    append(&mut log, &batch(1, NOW_MS + 1001, 10)).unwrap();
    assert_eq!(log.segments(), 2);
    // Records without a time are as old as their segment.
    let (mut log, _) = open_at(&directory, "untimed", LogConfig { segment_ms: 1000, ..LogConfig::default() });
    let bytes = batch(1, -1, 10);
    let valid = ValidBatch::trusted(&Batch::parse(&bytes).unwrap());
    let set_back_ms = NOW_MS - 1_000_000;
    let times = [
        (NOW_MS, 1),
        (NOW_MS + 1000, 1),
        (NOW_MS + 1001, 2),
        (set_back_ms, 2),
        (set_back_ms + 1000, 2),
        (set_back_ms + 1001, 3),
    ];
    for (now_ms, segments) in times {
        log.append_as_leader(&bytes, &valid, 0, Origin::Client, now_ms).unwrap();
        assert_eq!(log.segments(), segments);
    }
}

fn open_at(directory: &crate::LogDirectory, topic: &str, config: LogConfig) -> (Log, RecoveryReport) {
    let partition = TopicPartition { topic: topic.into(), partition: 0 };
    Log::open(directory, OpenLog { partition, ..open_with(config) }).unwrap()
}

#[test]
fn jitter_shortens_segments_differently() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { segment_ms: 10_000, segment_jitter_ms: 5000, ..LogConfig::default() };
    let (log, _) = open_log(&directory, config);
    let jitters: BTreeSet<_> = (0..100).map(|base_offset| log.jitter_ms(base_offset)).collect();
    assert!(jitters.len() > 90 && jitters.iter().all(|jitter| (0..5000).contains(jitter)));
    // The segments of a topic's many partitions, created or opened at the same time, are rolled at different times.
    let mut first = BTreeSet::new();
    for (jitter_seed, again) in (0..20).zip([false, true].into_iter().cycle()) {
        let partition = TopicPartition { topic: "many".into(), partition: jitter_seed };
        let open = || {
            let (partition, config) = (partition.clone(), log.config.clone());
            OpenLog { partition, config, jitter_seed: jitter_seed as u64, ..open_with(small()) }
        };
        let (mut one, _) = Log::open(&directory, open()).unwrap();
        append(&mut one, &batch(1, NOW_MS, 10)).unwrap();
        if again {
            one.close().unwrap();
            one = Log::open(&directory, open()).unwrap().0;
        }
        let mut rolls_after = |ms: &i64| {
            let bytes = batch(1, NOW_MS + ms, 10);
            let header = *Batch::parse(&bytes).unwrap().header();
            one.active.must_roll(&header, 100, &log.config, NOW_MS)
        };
        first.insert((5000..=10_001).find(&mut rolls_after).unwrap());
    }
    assert!(first.len() > 15, "{first:?}");
}

#[test]
fn a_segment_is_rolled_when_an_index_is_full() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { segment_index_bytes: 80, index_interval_bytes: 0, ..LogConfig::default() };
    // Ten entries of eight bytes; the first batch has none.
    let (mut log, _) = open_log(&directory, config.clone());
    for _ in 0..12 {
        append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    }
    assert_eq!(log.segments(), 2);
    assert!(path_of(&home, 11, ".log").exists());
    // Six of twelve, one of them kept back.
    let (mut log, _) = open_at(&directory, "times", config);
    for n in 0..7 {
        append(&mut log, &batch(1, NOW_MS + n, 10)).unwrap();
    }
    assert_eq!(log.segments(), 2);
}

#[test]
fn trap_s9_a_segment_is_rolled_before_its_offsets_overflow() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { index_interval_bytes: 0, ..LogConfig::default() });
    let at = |base_offset| {
        let mut builder =
            BatchBuilder::new(Compression::None).base_offset(base_offset).partition_leader_epoch(1);
        builder.push(NOW_MS, None, None, &[]);
        builder.build()
    };
    let limit = i64::from(i32::MAX);
    for offset in [0, limit, limit + 1, 3 * limit] {
        log.append_with_offsets(&at(offset), NOW_MS).unwrap();
    }
    assert_eq!(log.segments(), 3);
    let expected = [(0, 0), (limit, limit), (limit + 1, limit + 1), (3 * limit, 3 * limit)];
    assert_eq!(contents(&log), expected);
    // An empty segment that is too far below is replaced: here that of an emptied log.
    log.truncate_fully_and_start_at(5, NOW_MS).unwrap();
    log.append_with_offsets(&at(9 * limit), NOW_MS).unwrap();
    assert_eq!((log.segments(), contents_from(&log, 9 * limit)), (1, vec![(9 * limit, 9 * limit)]));
    // Nor do offsets go beyond the greatest number.
    let last = i64::MAX - 1;
    log.append_with_offsets(&at(last), NOW_MS).unwrap();
    assert!(matches!(append(&mut log, &batch(1, NOW_MS, 10)), Err(AppendError::OffsetsExhausted)));
}

fn contents_from(log: &Log, offset: i64) -> Vec<(i64, i64)> {
    contents(log).into_iter().filter(|(base_offset, _)| *base_offset >= offset).collect()
}

#[test]
fn batches_that_bring_their_offsets_are_checked() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: 300, ..small() });
    let at = |base_offset, epoch| {
        let builder = BatchBuilder::new(Compression::None).base_offset(base_offset);
        let mut builder = builder.partition_leader_epoch(epoch);
        builder.push(NOW_MS, None, Some(&[0; 60]), &[]);
        builder.push(NOW_MS, None, None, &[]);
        builder.build()
    };
    let several = [at(5, 1), at(7, 1), at(10, 3), at(20, 3)].concat();
    let appended = log.append_with_offsets(&several, NOW_MS).unwrap().unwrap();
    assert_eq!((appended.base_offset, appended.last_offset, log.end_offset()), (5, 21, 22));
    assert_eq!(contents(&log), [(5, 6), (7, 8), (10, 11), (20, 21)]);
    let entry = |epoch, start_offset| EpochEntry { epoch, start_offset };
    assert_eq!(log.leader_epochs(), [entry(1, 5), entry(3, 10)]);
    assert_eq!(log.segments(), 2, "a run of batches is split where a segment is full");
    // A truncated batch at the end is left out, as in a fetch.
    let cut = [at(22, 3), at(24, 3)].concat();
    let appended = log.append_with_offsets(&cut[..cut.len() - 1], NOW_MS).unwrap().unwrap();
    assert_eq!((appended.last_offset, log.end_offset()), (23, 24));
    assert_eq!(log.append_with_offsets(&cut[..70], NOW_MS).unwrap(), None);
    // A bad batch takes those before it along.
    let before = contents(&log);
    let mut damaged = [at(24, 3), at(26, 3)].concat();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(log.append_with_offsets(&damaged, NOW_MS), Err(AppendError::Batch(_))));
    let backwards = [at(24, 3), at(25, 3)].concat();
    let error = log.append_with_offsets(&backwards, NOW_MS).unwrap_err();
    assert!(matches!(error, AppendError::UnexpectedOffset { base_offset: 25, end_offset: 26 }));
    assert_eq!(contents(&log), before);
}

#[test]
fn a_batch_sent_again_gets_the_offsets_it_has() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    append(&mut log, &batch(3, NOW_MS, 1)).unwrap();
    for n in 0..5 {
        append(&mut log, &producer_batch(9, 0, n * 2, 2)).unwrap();
    }
    let size = log.size_bytes();
    let again = append(&mut log, &producer_batch(9, 0, 0, 2)).unwrap();
    assert_eq!((again.base_offset, again.last_offset, again.duplicate), (3, 4, true));
    assert_eq!(again.log_append_time, NOW_MS);
    assert_eq!((log.size_bytes(), log.end_offset()), (size, 13));
    let error = append(&mut log, &producer_batch(9, 0, 11, 1)).unwrap_err();
    assert!(matches!(error, AppendError::Producer(crate::ProducerError::OutOfOrderSequence { .. })));
    assert_eq!(log.active_producers()[0].last_sequence, 9);
}

#[test]
fn transactions_are_stable_when_they_are_decided() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    let marker = Origin::Marker { transaction_version: 0 };
    append(&mut log, &txn_batch(1, 0, 0, 5)).unwrap();
    append(&mut log, &txn_batch(2, 0, 0, 5)).unwrap();
    log.set_high_watermark(10);
    assert_eq!(log.last_stable_offset(), 0);
    append_from(&mut log, &end_txn(1, 0, false), marker).unwrap();
    assert!(path_of(&home, 0, ".txnindex").exists());
    log.set_high_watermark(11);
    assert_eq!(log.last_stable_offset(), 5);
    append_from(&mut log, &end_txn(2, 0, true), marker).unwrap();
    assert_eq!(log.last_stable_offset(), 5, "the marker is not below the high watermark");
    log.set_high_watermark(12);
    assert_eq!(log.last_stable_offset(), 12);
    let aborted =
        crate::AbortedTxn { producer_id: 1, first_offset: 0, last_offset: 10, last_stable_offset: 5 };
    assert_eq!(log.aborted_transactions(0, 12).unwrap(), [aborted]);
    assert_eq!(log.aborted_transactions(10, 12).unwrap(), [aborted]);
    assert_eq!(log.aborted_transactions(11, 12).unwrap(), []);
    assert_eq!(log.locate(0, 12).unwrap().aborted_transactions().unwrap(), [aborted]);
}

#[test]
fn open_files_are_bounded() {
    let home = Home { open_files_max: 8, ..Home::new() };
    let directory = home.open();
    let mut logs = Vec::new();
    for n in 0..20 {
        let (log, _) = open_at(&directory, &format!("topic-{n}"), small());
        logs.push(log);
    }
    for round in 0..30 {
        for log in &mut logs {
            append(log, &batch(5, NOW_MS + round, 60)).unwrap();
        }
        directory.flusher().run_round();
        assert!(directory.shared().open_files.len() <= 8);
    }
    for log in &logs {
        assert!(log.segments() > 3);
        assert_eq!(contents(log).len(), 30);
        assert!(directory.shared().open_files.len() <= 8);
    }
}

#[test]
fn an_unsynced_file_is_synced_before_it_is_closed() {
    let home = Home { open_files_max: 4, ..Home::new() };
    let directory = home.open();
    let mut logs = Vec::new();
    for n in 0..8 {
        logs.push(open_at(&directory, &format!("topic-{n}"), LogConfig::default()).0);
    }
    home.faults.take_done();
    for log in &mut logs {
        append(log, &batch(1, NOW_MS, 10)).unwrap();
    }
    let done = home.faults.take_done();
    let synced = done.iter().filter(|(operation, path)| {
        *operation == Operation::Sync && path.ends_with("00000000000000000000.log")
    });
    assert!(synced.count() >= 4, "four of eight are closed");
}

#[test]
fn an_idle_partition_is_small() {
    // What is on the heap beside it: the shared states, one segment, an epoch and two file names.
    let own =
        size_of::<Log>() + size_of::<FlushState>() + 2 * size_of::<Segment>() + size_of::<PartitionDir>();
    assert!(own < 1600, "{own} bytes");
}

/// The entries of the offset and the time index of a segment.
fn entries(home: &Home, base_offset: i64) -> (Vec<OffsetEntry>, Vec<TimeEntry>) {
    let bytes = std::fs::read(path_of(home, base_offset, ".index")).unwrap();
    let offsets = bytes.as_chunks().0.iter().map(|entry| OffsetEntry::from_bytes(*entry)).collect();
    let bytes = std::fs::read(path_of(home, base_offset, ".timeindex")).unwrap();
    let times = bytes.as_chunks().0.iter().map(|entry| TimeEntry::from_bytes(*entry)).collect();
    (offsets, times)
}
