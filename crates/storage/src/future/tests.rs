#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

mod compaction;
mod crash;

use std::collections::BTreeMap;

use super::*;
use crate::fs::Operation;
use crate::fs::faults::Fault;
use crate::testing::{
    Home, NOW_MS, append, append_from, batch, contents, end_txn, name_of_log, open_log, producer_batch,
    small, txn_batch,
};
use crate::{Log, Origin};

/// Copies until the log continues in the other directory, as its owner does.
fn complete(log: &mut Log, future: &mut FutureLog, bytes_max: u64) -> Result<(), CopyError> {
    for _ in 0..10_000 {
        if !future.copy(&log.copy_source(), bytes_max)?.caught_up {
            continue;
        }
        future.prepare(&log.copy_source())?;
        let syncs = log.syncs();
        let paused = syncs.pause();
        if future.copy(&log.copy_source(), bytes_max)?.caught_up && log.relocate(future, &paused)? {
            return Ok(());
        }
    }
    panic!("it never catches up");
}

fn create(home: &LogDirectory) -> FutureLog {
    FutureLog::create(home, &name_of_log(), Some([7; 16]), "0123456789abcdef0123456789abcdef").unwrap()
}

/// Batches of all kinds, in several segments.
fn fill(log: &mut Log, rounds: i32) {
    let from = i32::try_from(log.end_offset()).unwrap();
    for n in 0..rounds {
        append(log, &batch(3, NOW_MS + i64::from(n), 100)).unwrap();
        append(log, &producer_batch(5, 0, if from == 0 { 2 * n } else { -1 }, 2)).unwrap_or_else(|_| {
            // Its sequence continues.
            append(log, &batch(2, NOW_MS, 10)).unwrap()
        });
        append_from(log, &txn_batch(1_000 + i64::from(from + n), 0, 0, 1), Origin::Client).unwrap();
        append_from(log, &end_txn(1_000 + i64::from(from + n), 0, n % 2 == 0), Origin::Coordinator).unwrap();
    }
    log.set_high_watermark(log.end_offset());
}

/// The contents of a log, as it reports them.
#[allow(clippy::type_complexity, reason = "it is compared as a whole")]
fn said(log: &Log) -> (Vec<(i64, i64)>, Vec<EpochEntry>, Vec<crate::AbortedTxn>, Vec<(i64, i64)>, i64) {
    let mut producers: Vec<_> =
        log.active_producers().iter().map(|p| (p.producer_id, i64::from(p.last_sequence))).collect();
    producers.sort_unstable();
    let aborted = log.aborted_transactions(log.log_start_offset(), log.end_offset()).unwrap();
    (contents(log), log.leader_epochs().to_vec(), aborted, producers, log.log_start_offset())
}

/// The files of segments are the same in two directories.
fn assert_same_files(one: &Path, other: &Path) {
    let (one, other) = (segment_files(one), segment_files(other));
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(bytes == other[&name], "{name}: {} and {} bytes", bytes.len(), other[&name].len());
    }
}

/// The files of segments in a directory, with their bytes.
fn segment_files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let names = files.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()));
    // Files that compaction has not put in place do not count.
    let is_none = |name: &str| name.ends_with(".deleted") || name.ends_with(".cleaned");
    let of_segments = names.filter(|(name, _)| name.as_bytes()[0].is_ascii_digit() && !is_none(name));
    let with_bytes = of_segments.map(|(name, path)| (name, std::fs::read(path).unwrap()));
    // Truncation leaves an index of no transaction.
    with_bytes.filter(|(name, bytes)| !(name.ends_with(".txnindex") && bytes.is_empty())).collect()
}

#[test]
fn a_log_goes_on_elsewhere_with_all_that_it_had() {
    let (home, other) = (Home::new(), Home::new());
    let (from, to) = (home.open(), other.open());
    let (mut log, _) = open_log(&from, small());
    log.assign_epoch(0);
    fill(&mut log, 100);
    assert!(log.segments() > 5);
    log.flush().unwrap();
    let mut future = create(&to);
    // Copied while it grows, a few bytes at a time.
    for _ in 0..20 {
        future.copy(&log.copy_source(), 700).unwrap();
        fill(&mut log, 1);
    }
    complete(&mut log, &mut future, 5_000).unwrap();
    assert!(to.holds(&name_of_log()) && !from.holds(&name_of_log()));
    assert_same_files(&other.dir.path().join("topic-0"), &home.dir.path().join("topic-0"));
    let before = said(&log);
    assert!(before.2.len() > 20 && before.3.len() > 20);

    // Batches appended from here on are only in the new directory.
    fill(&mut log, 10);
    log.flush().unwrap();
    assert_eq!(log.flushed_offset(), log.end_offset());
    let removed = from.rename_deleted(&name_of_log(), "1").unwrap();
    from.remove(&removed).unwrap();
    let after = said(&log);
    assert!(after.0.starts_with(&before.0) && after.0.len() == before.0.len() + 40);

    // After a clean shutdown, and after a crash.
    log.close().unwrap();
    assert!(to.close(-1).unwrap() && from.close(-1).unwrap());
    let to = other.open();
    let (log, recovered) = open_log(&to, small());
    assert!(recovered.clean);
    assert_eq!(said(&log), after);
    drop((log, to));
    let (log, recovered) = open_log(&other.open(), small());
    assert!(!recovered.clean && recovered.truncation.is_none());
    assert_eq!(said(&log), after);
}

#[test]
fn what_retention_deletes_and_truncation_cuts_meanwhile_is_not_moved() {
    let (home, other) = (Home::new(), Home::new());
    let (from, to) = (home.open(), other.open());
    let (mut log, _) = open_log(&from, small());
    log.assign_epoch(0);
    fill(&mut log, 100);
    let mut future = create(&to);
    while future.size_bytes() < 10_000 {
        future.copy(&log.copy_source(), 1_000).unwrap();
        assert!(future.end_offset() <= log.end_offset());
    }
    assert!(future.end_offset() > 50, "{}", future.end_offset());
    // Copied segments are deleted, and one that is being copied.
    let in_copy = future.end_offset();
    log.delete_records(in_copy + 60, NOW_MS).unwrap();
    assert!(!future.copy(&log.copy_source(), 1_000).unwrap().caught_up);
    future.copy(&log.copy_source(), u64::MAX).unwrap();
    // Other batches come to offsets that are copied.
    let cut = log.end_offset() - 50;
    log.truncate_to(cut, NOW_MS).unwrap();
    for n in 0..80 {
        append(&mut log, &batch(1, NOW_MS + n, 130)).unwrap();
    }
    log.set_high_watermark(log.end_offset());
    complete(&mut log, &mut future, 5_000).unwrap();
    assert_eq!(log.log_start_offset(), in_copy + 60);
    assert_same_files(&other.dir.path().join("topic-0"), &home.dir.path().join("topic-0"));
    let before = said(&log);
    drop((log, to));
    // The checkpoints of the new directory already have the start, which is within a segment.
    let (log, _) = open_log(&other.open(), small());
    assert_eq!(said(&log), before);
}

#[test]
fn a_segment_that_is_gone_when_it_is_to_be_copied_is_passed_over_and_one_that_is_missing_is_told() {
    let (home, other) = (Home::new(), Home::new());
    let (from, to) = (home.open(), other.open());
    let (mut log, _) = open_log(&from, small());
    fill(&mut log, 60);
    let mut future = create(&to);
    let source = log.copy_source();
    let second = log.copy_source().closed[1].base_offset();
    log.delete_records(second, NOW_MS).unwrap();
    assert_eq!(future.copy(&source, u64::MAX).unwrap(), CopyProgress { bytes: 0, caught_up: false });
    assert!(future.copy(&log.copy_source(), u64::MAX).unwrap().caught_up);
    future.discard().unwrap();

    let mut future = create(&to);
    let missing = home.file(&format!("{second:020}.log"));
    log.copy_source().closed[0].segment.close_synced();
    std::fs::rename(&missing, missing.with_extension("away")).unwrap();
    // The log still has its file open if it was written lately.
    let copied = [(); 2].map(|()| future.copy(&log.copy_source(), u64::MAX));
    if !copied[0].as_ref().unwrap().caught_up {
        assert!(matches!(copied[1], Err(CopyError::Source(_))), "{copied:?}");
    }
    drop(log);
}

#[test]
fn a_copy_that_a_crash_interrupts_goes_on_where_it_was() {
    let (home, other) = (Home::new(), Home::new());
    let from = home.open();
    let (mut log, _) = open_log(&from, small());
    fill(&mut log, 100);
    let to = other.open();
    let mut future = create(&to);
    while future.size_bytes() < 20_000 {
        future.copy(&log.copy_source(), 1_000).unwrap();
    }
    let (whole, size) = (future.whole.len(), log.size_bytes());
    assert!(whole > 3);
    drop((future, to));
    // One of the whole segments is damaged meanwhile.
    let to = other.open();
    let futures = to.futures();
    assert_eq!((futures.len(), futures[0].topic_id), (1, Some([7; 16])));
    assert_eq!(futures[0].partition, name_of_log());
    let path = futures[0].path.join(format!("{:020}.log", log.copy_source().closed[1].base_offset()));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    other.faults.take_done();
    let mut future = FutureLog::resume(&to, &futures[0]).unwrap();
    complete(&mut log, &mut future, u64::MAX).unwrap();
    let written = other.faults.take_done().into_iter().filter(|(operation, path)| {
        *operation == Operation::Write && path.extension().is_some_and(|extension| extension == "log")
    });
    assert_eq!(written.count(), log.segments() - (whole - 1), "the others are not copied again");
    assert_eq!(log.size_bytes(), size);
    assert_same_files(&other.dir.path().join("topic-0"), &home.dir.path().join("topic-0"));
}

#[test]
fn the_directory_that_fails_is_the_one_that_is_told_of() {
    let (home, other) = (Home::new(), Home::new());
    let (from, to) = (home.open(), other.open());
    let (mut log, _) = open_log(&from, small());
    fill(&mut log, 30);
    let fault = |operation, path_end, error| Fault { operation, path_end, after: 0, times: 1, error };
    let mut future = create(&to);
    other.faults.add(fault(Operation::Write, ".log", std::io::ErrorKind::StorageFull));
    assert!(matches!(future.copy(&log.copy_source(), u64::MAX), Err(CopyError::Full(_))));
    home.faults.add(fault(Operation::Read, ".log", std::io::ErrorKind::Other));
    assert!(matches!(future.copy(&log.copy_source(), u64::MAX), Err(CopyError::Source(_))));
    assert!(from.check().is_ok() && to.check().is_ok());
    // Both pass.
    complete(&mut log, &mut future, 1_000).unwrap();
    // On the way back its writes fail.
    let back = FutureLog::create(&from, &name_of_log(), Some([7; 16]), "1");
    let mut future = back.unwrap();
    home.faults.add(fault(Operation::Sync, ".log", std::io::ErrorKind::Other));
    assert!(matches!(future.copy(&log.copy_source(), u64::MAX), Err(CopyError::Offline(_))));
    assert!(from.check().is_err() && to.check().is_ok());
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    log.flush().unwrap();
}

#[test]
fn a_move_whose_name_cannot_be_given_leaves_the_log_where_it_is() {
    let (home, other) = (Home::new(), Home::new());
    let (from, to) = (home.open(), other.open());
    let (mut log, _) = open_log(&from, small());
    fill(&mut log, 30);
    let mut future = create(&to);
    let error = std::io::ErrorKind::Other;
    other.faults.add(Fault { operation: Operation::Rename, path_end: "-future", after: 0, times: 1, error });
    assert!(matches!(complete(&mut log, &mut future, u64::MAX), Err(CopyError::Offline(_))));
    assert!(from.check().is_ok() && to.check().is_err());
    let end_offset = log.end_offset();
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    assert_eq!(log.flush().unwrap(), end_offset + 1);
    assert!(from.holds(&name_of_log()) && !to.holds(&name_of_log()));
}
