//! File operations that fail.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::fs::faults::Fault;
use crate::testing::{append, small};

fn fault(operation: Operation, path_end: &'static str, error: ErrorKind) -> Fault {
    Fault { operation, path_end, after: 0, times: 1, error }
}

#[test]
fn trap_s5_a_failed_sync_takes_the_directory_offline() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let other = TopicPartition { topic: "other".into(), partition: 3 };
    let (mut other, _) = Log::open(&directory, OpenLog { partition: other, ..open_with(small()) }).unwrap();
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    append(&mut other, &batch(1, NOW_MS, 10)).unwrap();
    let failures = Arc::new(AtomicUsize::new(0));
    for log in [&log, &other] {
        let failures = failures.clone();
        log.set_flush_listener(Box::new(move |flushed| {
            flushed.expect_err("nothing is durable");
            failures.fetch_add(1, Ordering::Relaxed);
        }));
        log.enqueue_flush();
    }
    home.faults.add(fault(Operation::Sync, ".log", ErrorKind::Other));
    assert_eq!(directory.flusher().run_round(), 2);
    assert_eq!(failures.load(Ordering::Relaxed), 2, "every log that waits is told");
    assert_eq!((log.flushed_offset(), other.flushed_offset()), (0, 0));
    // The disk works again, but does not report what it lost.
    home.faults.take_done();
    assert!(log.flush().is_err() && other.flush().is_err());
    assert!(matches!(append(&mut log, &batch(1, NOW_MS, 10)), Err(AppendError::Offline(_))));
    assert!(matches!(append(&mut other, &batch(1, NOW_MS, 10)), Err(AppendError::Offline(_))));
    assert!(matches!(log.truncate_to(0, NOW_MS), Err(ChangeError::Offline(_))));
    assert_eq!(home.faults.take_done(), [], "nothing is retried");
    assert_eq!(directory.check().unwrap_err().cause().operation, Operation::Sync);
    assert_eq!(contents(&log).len(), 1, "what is there can be read");
    assert!(matches!(log.close(), Err(ChangeError::Offline(_))));
    drop(other);
    assert!(!directory.close(-1).unwrap(), "the next start is one after a crash");
}

#[test]
fn trap_s6_a_full_disk_refuses_and_recovers() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &producer_batch(1, 0, 0, 1)).unwrap();
    home.faults.add(fault(Operation::Write, ".log", ErrorKind::StorageFull));
    let error = append(&mut log, &producer_batch(1, 0, 1, 1)).unwrap_err();
    assert!(matches!(error, AppendError::Full(_)), "{error}");
    assert_eq!((log.end_offset(), contents(&log).len()), (1, 1));
    let appended = append(&mut log, &producer_batch(1, 0, 1, 1)).unwrap();
    assert_eq!((appended.base_offset, appended.duplicate), (1, false), "the failed one left no trace");
    assert_eq!(contents(&log).len(), 2);
}

#[test]
fn trap_s6_half_a_batch_on_a_full_disk_is_cut() {
    let home = Home::new();
    home.faults.set_transfer_max(100);
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(1, NOW_MS, 500)).unwrap();
    let size = log.size_bytes();
    home.faults.take_done();
    home.faults.add(Fault { after: 3, ..fault(Operation::Write, ".log", ErrorKind::StorageFull) });
    append(&mut log, &batch(1, NOW_MS, 500)).unwrap_err();
    let path = path_of(&home, 0, ".log");
    let wrote = |(operation, path): &(Operation, PathBuf)| {
        *operation == Operation::Write && path.ends_with("00000000000000000000.log")
    };
    assert!(home.faults.take_done().iter().filter(|done| wrote(done)).count() > 3, "a part was written");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), size, "and takes no room");
    log.close().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
    let (mut log, recovered) = open_log(&directory, small());
    assert!(recovered.clean);
    home.faults.add(Fault { after: 3, ..fault(Operation::Write, ".log", ErrorKind::StorageFull) });
    append(&mut log, &batch(1, NOW_MS, 500)).unwrap_err();
    append(&mut log, &batch(1, NOW_MS, 1)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), log.size_bytes());
}

#[test]
fn trap_s6_a_roll_on_a_full_disk_is_tried_again() {
    for (operation, path_end) in [
        (Operation::Open, ".log"),
        (Operation::Open, ".index"),
        (Operation::Open, ".timeindex"),
        (Operation::Write, ".timeindex"),
        (Operation::Open, ".snapshot"),
        (Operation::Write, ".snapshot"),
    ] {
        let home = Home::new();
        let directory = home.open();
        let one = batch(1, NOW_MS, 100).len() as u32;
        let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: 3 * one, ..small() });
        for _ in 0..3 {
            append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
        }
        home.faults.add(fault(operation, path_end, ErrorKind::StorageFull));
        let error = append(&mut log, &batch(1, NOW_MS, 100)).unwrap_err();
        assert!(matches!(error, AppendError::Full(_)), "{operation} {path_end}: {error}");
        assert_eq!(log.segments(), 1);
        assert!(!path_of(&home, 3, ".log").exists());
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
        assert_eq!((log.segments(), contents(&log).len()), (2, 4));
        log.close().unwrap();
        assert_eq!(contents(&open_log(&directory, small()).0).len(), 4);
    }
}

#[test]
fn an_index_on_a_full_disk_waits_in_memory() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { index_interval_bytes: 0, ..LogConfig::default() };
    let (mut log, _) = open_log(&directory, config);
    home.faults.add(Fault { times: 10, ..fault(Operation::Write, ".index", ErrorKind::StorageFull) });
    for n in 0..200 {
        append(&mut log, &batch(1, NOW_MS + n, 10)).unwrap();
    }
    for offset in 0..200 {
        assert_eq!(log.read(offset, 1, true, i64::MAX).unwrap().unwrap().base_offset, offset);
    }
    log.close().unwrap();
    assert_eq!(entries(&home, 0).0.len(), 199);
}

#[test]
fn any_other_failed_write_takes_the_directory_offline() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    home.faults.add(fault(Operation::Write, ".log", ErrorKind::Other));
    assert!(matches!(append(&mut log, &batch(1, NOW_MS, 10)), Err(AppendError::Offline(_))));
    assert!(matches!(append(&mut log, &batch(1, NOW_MS, 10)), Err(AppendError::Offline(_))));
    assert_eq!(contents(&log).len(), 1);
}

#[test]
fn trap_s3_a_batch_in_a_new_file_is_durable_once_its_directory_is() {
    let home = Home::new();
    let directory = home.open();
    let one = batch(1, NOW_MS, 100).len() as u32;
    let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: 2 * one, ..small() });
    let synced = |home: &Home| {
        let done = home.faults.take_done().into_iter();
        let of_kind = |kind: Operation| {
            move |(operation, path): (Operation, PathBuf)| (operation == kind).then_some(path)
        };
        let done: Vec<_> = done.collect();
        let files: Vec<_> = done.clone().into_iter().filter_map(of_kind(Operation::Sync)).collect();
        let dirs: Vec<_> = done.into_iter().filter_map(of_kind(Operation::SyncDir)).collect();
        (files, dirs)
    };
    home.faults.take_done();
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    log.flush().unwrap();
    let (files, dirs) = synced(&home);
    assert!(files.contains(&path_of(&home, 0, ".log")) && files.contains(&home.file("partition.metadata")));
    assert!(dirs.contains(&home.file("").components().collect()), "{dirs:?}");
    assert!(dirs.contains(&home.dir.path().to_owned()), "the partition's directory is new, too");
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    log.flush().unwrap();
    assert_eq!(synced(&home), (vec![path_of(&home, 0, ".log")], vec![]), "and then it costs one sync");
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    assert_eq!(log.flush().unwrap(), 5);
    let (files, dirs) = synced(&home);
    for (offset, suffix) in [
        (0, ".timeindex"),
        (2, ".log"),
        (2, ".index"),
        (2, ".timeindex"),
        (2, ".snapshot"),
        (4, ".log"),
        (4, ".snapshot"),
    ] {
        assert!(files.contains(&path_of(&home, offset, suffix)), "{offset}{suffix}: {files:?}");
    }
    assert_eq!(dirs.len(), 1);
    // A failed sync of the directory counts as one of the log.
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    home.faults.add(fault(Operation::SyncDir, "", ErrorKind::Other));
    log.flush().unwrap_err();
    assert_eq!(log.flushed_offset(), 5);
}

#[test]
fn a_failed_open_leaves_the_log_to_be_opened_again() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for _ in 0..100 {
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    }
    drop(log);
    for operation in [Operation::List, Operation::Open, Operation::Read, Operation::Stat] {
        home.faults.add(fault(operation, "", ErrorKind::Other));
        let error = Log::open(&directory, open_with(small())).unwrap_err();
        assert!(matches!(error, OpenError::Fs(_)), "{operation}: {error}");
        let (log, _) = open_log(&directory, small());
        assert_eq!(contents(&log).len(), 100);
    }
}
