//! The index of aborted transactions after a crash, and where it is lost.

use super::*;
use crate::LogDirectory;
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
        let is_index = |name: &&String| name.ends_with("index");
        for name in files(&home).iter().filter(is_index) {
            std::fs::remove_file(home.file(name)).unwrap();
        }
        let (log, recovered) = open_log(&home.open(), small());
        assert_eq!(recovered.clean, clean);
        assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), aborted, "clean: {clean}");
    }
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
    // The first that is aborted makes it.
    append_from(&mut log, &end_txn(1, 0, false), Origin::Marker { transaction_version: 0 }).unwrap();
    assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap().len(), 1);
}
