//! Retention, deleting records, truncation.

use super::*;
use crate::testing::{append, small};

/// A log of segments with ten records each, a second apart, all below the high watermark.
fn log_of_segments(home: &Home, directory: &crate::LogDirectory, segments: usize, config: &LogConfig) -> Log {
    let one = batch(1, NOW_MS, 100).len() as u32;
    let config = LogConfig { segment_bytes: 10 * one, ..config.clone() };
    let (mut log, _) = open_log(directory, config);
    for n in 0..segments as i64 * 10 {
        append(&mut log, &batch(1, NOW_MS + n * 1000, 100)).unwrap();
    }
    assert_eq!(log.segments(), segments, "{:?}", files(home));
    log.set_high_watermark(log.end_offset());
    log
}

#[test]
fn segments_past_their_time_go() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { retention_ms: 5000, file_delete_delay_ms: 100, ..LogConfig::default() };
    let mut log = log_of_segments(&home, &directory, 5, &config);
    // The greatest times of the segments are 9, 19, 29, ... seconds.
    assert_eq!(log.apply_retention(NOW_MS + 14_000).unwrap().deleted_segments, 0);
    let size = log.size_bytes();
    let retained = log.apply_retention(NOW_MS + 24_001).unwrap();
    assert_eq!((retained.deleted_segments, retained.log_start_offset), (2, 20));
    assert_eq!(retained.deleted_bytes, size / 5 * 2);
    assert!(path_of(&home, 0, ".log.deleted").exists() && path_of(&home, 10, ".index.deleted").exists());
    assert!(!path_of(&home, 10, ".snapshot").exists() && path_of(&home, 20, ".snapshot").exists());
    assert_eq!(log.take_due_deletions(NOW_MS + 24_100).len(), 0);
    for deleted in log.take_due_deletions(NOW_MS + 24_101) {
        deleted.remove().unwrap();
    }
    assert!(files(&home).iter().all(|name| !name.ends_with(".deleted")));
    // At once if the clock is set back: their age is unknown then.
    log.apply_retention(NOW_MS + 34_001).unwrap();
    assert_eq!(log.take_due_deletions(NOW_MS + 34_001).len(), 0);
    assert!(!log.take_due_deletions(NOW_MS + 34_000).is_empty());
    // All segments, the active one as well; the offsets continue.
    let retained = log.apply_retention(NOW_MS + 100_000).unwrap();
    assert_eq!((retained.deleted_segments, retained.log_start_offset, log.size_bytes()), (2, 50, 0));
    assert_eq!(append(&mut log, &batch(1, NOW_MS, 100)).unwrap().base_offset, 50);
}

/// As Kafka's `LogSegment.largestTimestamp`: what lies before 1970 has no time that retention could go by.
#[test]
fn segments_without_a_time_go_by_their_last_write() {
    for timestamp in [-1, -5, -62_135_596_800_000] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, LogConfig { retention_ms: 5000, ..LogConfig::default() });
        for _ in 0..2 {
            append(&mut log, &batch(1, timestamp, 10)).unwrap();
            log.roll(log.end_offset(), NOW_MS).unwrap();
        }
        append(&mut log, &batch(1, timestamp, 10)).unwrap();
        log.set_high_watermark(log.end_offset());
        let modified = std::fs::metadata(path_of(&home, 2, ".log")).unwrap().modified().unwrap();
        let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
        let written_ms = i64::try_from(since.as_millis()).unwrap();
        log.apply_retention(written_ms + 5000).unwrap();
        assert!(log.log_start_offset() < 3, "the active segment is not past its time");
        log.apply_retention(written_ms + 5001).unwrap();
        assert_eq!((log.log_start_offset(), log.size_bytes()), (3, 0));
    }
}

#[test]
fn segments_above_the_high_watermark_stay() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { retention_ms: 5000, retention_bytes: 0, ..LogConfig::default() };
    let mut log = log_of_segments(&home, &directory, 5, &config);
    log.set_high_watermark(29);
    log.apply_retention(NOW_MS + 100_000).unwrap();
    assert_eq!(log.log_start_offset(), 20);
}

#[test]
fn where_nothing_is_to_be_kept_the_active_segment_goes_too() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { retention_ms: -1, retention_bytes: 0, ..LogConfig::default() };
    let mut log = log_of_segments(&home, &directory, 3, &config);
    log.set_high_watermark(29);
    let retained = log.apply_retention(NOW_MS).unwrap();
    assert_eq!(
        (retained.deleted_segments, retained.log_start_offset),
        (2, 20),
        "not all of it is replicated"
    );
    log.set_high_watermark(30);
    let retained = log.apply_retention(NOW_MS).unwrap();
    assert_eq!((retained.deleted_segments, retained.log_start_offset, log.size_bytes()), (1, 30, 0));
    assert_eq!(log.apply_retention(NOW_MS).unwrap().deleted_segments, 0);
    assert_eq!(append(&mut log, &batch(1, NOW_MS, 100)).unwrap().base_offset, 30);
}

/// A consumer that continues at the last stable offset would get an error that it is out of range.
#[test]
fn neither_the_high_watermark_nor_the_last_stable_offset_is_below_the_start() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &txn_batch(1, 0, 0, 5)).unwrap();
    append(&mut log, &batch(5, NOW_MS, 10)).unwrap();
    let offsets = |log: &Log| (log.log_start_offset(), log.last_stable_offset(), log.high_watermark());
    log.set_high_watermark(8);
    assert_eq!(offsets(&log), (0, 0, 8));
    log.delete_records(7, NOW_MS).unwrap();
    assert_eq!(offsets(&log), (7, 7, 8));
    // As a leader elsewhere has it.
    log.advance_log_start(9, NOW_MS).unwrap();
    assert_eq!(offsets(&log), (9, 9, 9));
    log.set_high_watermark(3);
    assert_eq!(offsets(&log), (9, 9, 9));
    log.set_high_watermark(30);
    assert_eq!(offsets(&log), (9, 9, 10));
    directory.checkpoint_log_offsets().unwrap();
    drop((log, directory));
    // No high watermark was checkpointed.
    assert_eq!(offsets(&open_log(&home.open(), small()).0), (9, 9, 9));
}

#[test]
fn the_oldest_segments_of_too_much_go() {
    let home = Home::new();
    let directory = home.open();
    let one = batch(1, NOW_MS, 100).len() as i64;
    let config = LogConfig { retention_ms: -1, retention_bytes: 25 * one, ..LogConfig::default() };
    let mut log = log_of_segments(&home, &directory, 5, &config);
    log.apply_retention(NOW_MS + 100_000).unwrap();
    // Kafka keeps at least what is asked for.
    assert_eq!((log.log_start_offset(), log.size_bytes() as i64), (20, 30 * one));
    log.set_config(LogConfig { delete: false, ..log.config().clone() });
    log.set_config(LogConfig { retention_bytes: 0, ..log.config().clone() });
    log.apply_retention(NOW_MS + 100_000).unwrap();
    assert_eq!(log.log_start_offset(), 20, "delete is not among the policies");
}

#[test]
fn records_are_deleted_up_to_the_high_watermark() {
    let home = Home::new();
    let directory = home.open();
    let mut log = log_of_segments(&home, &directory, 5, &LogConfig::default());
    log.set_high_watermark(45);
    log.delete_records(15, NOW_MS).unwrap();
    assert_eq!((log.log_start_offset(), log.segments()), (15, 4));
    log.delete_records(3, NOW_MS).unwrap();
    assert_eq!(log.log_start_offset(), 15, "it never goes back");
    for offset in [46, -1] {
        let error = log.delete_records(offset, NOW_MS).unwrap_err();
        assert!(matches!(error, DeleteRecordsError::OutOfRange { high_watermark: 45, .. }));
    }
    assert_eq!(contents(&log)[0].0, 15);
    log.close().unwrap();
    directory.close(-1).unwrap();
    let directory = home.open();
    let (log, _) = open_log(&directory, small());
    assert_eq!((log.log_start_offset(), log.end_offset()), (15, 50));
}

#[test]
fn a_log_is_cut_at_any_offset() {
    for offset in [0, 1, 9, 10, 11, 19, 33, 49, 50, 60] {
        let home = Home::new();
        let directory = home.open();
        let mut log = log_of_segments(
            &home,
            &directory,
            5,
            &LogConfig { index_interval_bytes: 100, ..LogConfig::default() },
        );
        for (epoch, at) in [(1, 12), (2, 30), (3, 45)] {
            log.epochs.assign(EpochEntry { epoch, start_offset: at });
        }
        log.truncate_to(offset, NOW_MS).unwrap();
        let end = offset.min(50);
        assert_eq!(log.end_offset(), end);
        assert_eq!(contents(&log).len(), end as usize);
        assert!(log.flushed_offset() <= end);
        assert_eq!(log.high_watermark(), end, "nor can more be visible");
        assert!(log.leader_epochs().iter().all(|entry| entry.start_offset < end.max(1)));
        assert!(log.snapshots.iter().all(|snapshot| *snapshot <= end));
        let added = append(&mut log, &batch(2, NOW_MS, 10)).unwrap();
        assert_eq!(added.base_offset, end);
        let before = contents(&log);
        log.close().unwrap();
        let (log, _) = open_log(&directory, LogConfig { index_interval_bytes: 100, ..LogConfig::default() });
        assert_eq!(contents(&log), before);
    }
}

#[test]
fn a_batch_is_cut_whole() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(10, NOW_MS, 10)).unwrap();
    append(&mut log, &batch(10, NOW_MS, 10)).unwrap();
    log.truncate_to(15, NOW_MS).unwrap();
    assert_eq!((log.end_offset(), contents(&log)), (10, vec![(0, 9)]));
}

#[test]
fn cutting_brings_producers_back() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let marker = Origin::Marker { transaction_version: 0 };
    append(&mut log, &txn_batch(1, 0, 0, 2)).unwrap();
    let open = log.producers.clone();
    append_from(&mut log, &end_txn(1, 0, false), marker).unwrap();
    for n in 0..100 {
        append(&mut log, &producer_batch(2, 0, n, 1)).unwrap();
    }
    assert!(log.segments() > 2);
    log.truncate_to(2, NOW_MS).unwrap();
    assert_eq!(log.producers, open);
    assert_eq!(log.aborted_transactions(0, 100).unwrap(), []);
    log.set_high_watermark(2);
    assert_eq!(log.last_stable_offset(), 0);
    assert!(append(&mut log, &producer_batch(2, 0, 0, 1)).unwrap().base_offset == 2);
}

#[test]
fn an_emptied_log_starts_anew() {
    for offset in [3, 25, 1000] {
        let home = Home::new();
        let directory = home.open();
        let mut log = log_of_segments(&home, &directory, 5, &LogConfig::default());
        append(&mut log, &producer_batch(1, 0, 0, 1)).unwrap();
        log.flush().unwrap();
        directory.checkpoint_log_offsets().unwrap();
        log.truncate_fully_and_start_at(offset, NOW_MS).unwrap();
        let range = |log: &Log| (log.log_start_offset(), log.end_offset(), log.size_bytes(), log.segments());
        assert_eq!(range(&log), (offset, offset, 0, 1));
        assert_eq!(
            (log.flushed_offset(), log.latest_epoch(), log.active_producers().len()),
            (offset, None, 0)
        );
        let crash = Home::new();
        home.dir.copy_to(&crash.dir);
        let after_crash = crash.open();
        assert_eq!(range(&open_log(&after_crash, LogConfig::default()).0), (offset, offset, 0, 1));
        append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
        log.close().unwrap();
        let (log, _) = open_log(&directory, LogConfig::default());
        assert_eq!(contents(&log), [(offset, offset)]);
    }
}

#[test]
fn a_cut_log_is_not_taken_for_one_that_lost_bytes() {
    let home = Home::new();
    let directory = home.open();
    let mut log = log_of_segments(&home, &directory, 5, &LogConfig::default());
    log.flush().unwrap();
    directory.checkpoint_log_offsets().unwrap();
    log.truncate_to(17, NOW_MS).unwrap();
    // A crash before the next checkpoint.
    let crash = Home::new();
    home.dir.copy_to(&crash.dir);
    let (log, recovered) = open_log(&crash.open(), LogConfig::default());
    assert_eq!((log.end_offset(), recovered.truncation), (17, None));
}

/// The flush thread may still hold a log that is deleted.
#[test]
fn a_log_that_is_deleted_is_synced_no_more() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    let syncs = log.syncs();
    drop(log);
    let path = directory.rename_deleted(&name_of_log(), "1").unwrap();
    home.faults.take_done();
    assert_eq!(syncs.flush().unwrap(), 0);
    assert_eq!(home.faults.take_done(), []);
    directory.check().unwrap();
    directory.remove(&path).unwrap();
}

/// A loss of power may undo any of several renames.
#[test]
fn segments_below_the_start_that_a_crash_brings_back_are_dropped() {
    let home = Home::new();
    let directory = home.open();
    let mut log = log_of_segments(&home, &directory, 5, &LogConfig::default());
    log.flush().unwrap();
    log.delete_records(30, NOW_MS).unwrap();
    directory.checkpoint_log_offsets().unwrap();
    let expected = contents(&log);
    drop((log, directory));
    for (offset, suffix) in [(0, ".log"), (20, ".log"), (20, ".index"), (20, ".timeindex")] {
        let path = path_of(&home, offset, suffix);
        std::fs::rename(crate::segment::deleted_path(&path), path).unwrap();
    }
    let (log, recovered) = open_log(&home.open(), LogConfig::default());
    assert_eq!((recovered.truncation, log.segments(), contents(&log)), (None, 2, expected));
    assert!(!path_of(&home, 0, ".log").exists() && !path_of(&home, 20, ".index").exists());
}
