//! The index of aborted transactions after a crash, and after its loss.

use std::io::ErrorKind;

use super::*;
use crate::LogDirectory;
use crate::fs::faults::Fault;
use crate::txn_index::AbortedTxn;

/// A log of several segments with an aborted transaction in each, the last at an offset above 255.
fn fill(directory: &LogDirectory) -> (Log, Vec<AbortedTxn>) {
    let (mut log, _) = open_log(directory, small());
    for n in 0..60 {
        append(&mut log, &txn_batch(n, 0, 0, 4)).unwrap();
        append_from(&mut log, &end_txn(n, 0, n % 2 == 0), Origin::Marker { transaction_version: 0 }).unwrap();
    }
    assert!(log.segments() > 3 && log.end_offset() > 256);
    let aborted = log.aborted_transactions(0, i64::MAX).unwrap();
    assert_eq!(aborted.len(), 30);
    (log, aborted)
}

#[test]
fn an_entry_torn_within_its_offset_is_no_entry() {
    let home = Home::new();
    let directory = home.open();
    let (log, aborted) = fill(&directory);
    let path = path_of(&home, log.active.base_offset(), ".txnindex");
    log.flush().unwrap();
    directory.checkpoint_log_offsets().unwrap();
    drop((log, directory));
    let whole = std::fs::read(&path).unwrap();
    // The next transaction was being aborted. Of its marker's offset some bytes were not written,
    // and what was is a plausible offset: above the last, below the recovery point, or neither.
    let last = *aborted.last().unwrap();
    let after = |offset| AbortedTxn { first_offset: offset - 1, last_offset: offset, ..last };
    for torn in [after(256), after(last.last_offset - 1), after(last.last_offset + 1), after(1 << 40)] {
        std::fs::write(&path, [&*whole, &torn.to_bytes()].concat()).unwrap();
        let (log, recovered) = open_log(&home.open(), small());
        assert!(!recovered.clean);
        assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), aborted);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
    }
}

/// It has no checksum, and with another producer's id the records of the transaction are read as committed.
#[test]
fn an_entry_of_something_else_is_found_after_a_crash() {
    let fields = [("producer id", 9, 1), ("first offset", 17, 1), ("last offset", 25, 1), ("stable", 30, 1)];
    for (what, byte, bit) in fields {
        // Of a closed segment, and of the last.
        for is_closed in [true, false] {
            let home = Home::new();
            let directory = home.open();
            let (log, aborted) = fill(&directory);
            let segment = if is_closed { log.closed[1].base_offset() } else { log.active.base_offset() };
            let path = path_of(&home, segment, ".txnindex");
            log.flush().unwrap();
            directory.checkpoint_log_offsets().unwrap();
            drop((log, directory));
            let whole = std::fs::read(&path).unwrap();
            let mut changed = whole.clone();
            changed[byte] ^= bit;
            std::fs::write(&path, &changed).unwrap();
            let (log, recovered) = open_log(&home.open(), small());
            assert!(!recovered.clean);
            assert_eq!(
                log.aborted_transactions(0, i64::MAX).unwrap(),
                aborted,
                "{what}, closed: {is_closed}"
            );
            assert_eq!(std::fs::read(&path).unwrap(), whole, "{what}, closed: {is_closed}");
        }
    }
}

#[test]
fn it_is_made_anew_where_all_indexes_are_missing() {
    for clean in [true, false] {
        let home = Home::new();
        let directory = home.open();
        let (log, aborted) = fill(&directory);
        if clean {
            log.close().unwrap();
            assert!(directory.close(1).unwrap());
        } else {
            log.flush().unwrap();
            directory.checkpoint_log_offsets().unwrap();
            drop((log, directory));
        }
        remove_indexes(&home);
        let (log, recovered) = open_log(&home.open(), small());
        assert_eq!(recovered.clean, clean);
        assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), aborted, "clean: {clean}");
    }
}

fn remove_indexes(home: &Home) {
    for name in files(home).iter().filter(|name| name.ends_with("index")) {
        std::fs::remove_file(home.file(name)).unwrap();
    }
}

/// The next start takes existing indexes to be complete, even if a full disk or the end of the process has
/// kept this one from building the rest.
#[test]
fn it_is_made_in_one_step_and_before_the_other_indexes() {
    for clean in [true, false] {
        let filled = Home::new();
        let directory = filled.open();
        let (log, aborted) = fill(&directory);
        let damaged = path_of(&filled, log.closed[1].base_offset(), ".txnindex");
        log.flush().unwrap();
        directory.checkpoint_log_offsets().unwrap();
        if clean {
            log.close().unwrap();
            assert!(directory.close(1).unwrap());
        } else {
            drop((log, directory));
        }
        remove_indexes(&filled);
        std::fs::write(&damaged, [7; 50]).unwrap();
        use Operation::{Open, Rename, Sync, SyncDir, Write};
        for operation in [Open, Write, Sync, Rename, SyncDir] {
            for after in 0.. {
                let home = Home::new();
                filled.dir.copy_to(&home.dir);
                let directory = home.open();
                home.faults.take_done();
                let error = ErrorKind::StorageFull;
                home.faults.add(Fault { operation, path_end: "", after, times: 1, error });
                let _ = Log::open(&directory, open_with(small()));
                home.faults.clear();
                drop(directory);
                let (log, _) = open_log(&home.open(), small());
                let found = log.aborted_transactions(0, i64::MAX).unwrap();
                assert_eq!(found, aborted, "{operation} failed after {after}, clean: {clean}");
                if home.faults.take_done().iter().filter(|(done, _)| *done == operation).count()
                    < after as usize
                {
                    break;
                }
            }
        }
    }
}

/// The entries of the part of a log that was not durable are rebuilt in any case.
#[test]
fn it_is_made_anew_on_both_sides_of_the_recovery_point() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    for n in 0..2 {
        append(&mut log, &txn_batch(n, 0, 0, 4)).unwrap();
        append_from(&mut log, &end_txn(n, 0, false), Origin::Marker { transaction_version: 0 }).unwrap();
        if n == 0 {
            log.flush().unwrap();
            directory.checkpoint_log_offsets().unwrap();
        }
    }
    let aborted = log.aborted_transactions(0, i64::MAX).unwrap();
    assert_eq!(aborted.len(), 2);
    drop((log, directory));
    remove_indexes(&home);
    let (log, recovered) = open_log(&home.open(), LogConfig::default());
    assert!(!recovered.clean);
    assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), aborted);
}

/// Every fetch of a `read_committed` consumer asks for it, and most segments have none.
#[test]
fn an_index_that_is_not_there_is_looked_for_once() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    append(&mut log, &txn_batch(1, 0, 0, 4)).unwrap();
    let opened = || {
        let done = home.faults.take_done();
        let names = done.iter().filter(|(operation, _)| *operation == Operation::Open);
        names.filter(|(_, path)| path.extension().is_some_and(|kind| kind == "txnindex")).count()
    };
    for _ in 0..3 {
        assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), []);
    }
    assert_eq!(opened(), 1);
    // The first aborted transaction creates it.
    append_from(&mut log, &end_txn(1, 0, false), Origin::Marker { transaction_version: 0 }).unwrap();
    assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap().len(), 1);
}
