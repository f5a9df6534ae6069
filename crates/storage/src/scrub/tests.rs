#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use std::io::{self, ErrorKind};

use record::{BatchBuilder, Compression};

use super::*;
use crate::fs::Operation;
use crate::fs::faults::Fault as Failing;
use crate::testing::{Home, NOW_MS, append, append_from, batch, end_txn, open_log, scrub, small, txn_batch};
use crate::{Log, LogConfig, OffsetMap, Origin, SwapOutcome};

/// A log of several closed segments, of which the second has its files at this offset.
fn filled(home: &Home) -> (crate::LogDirectory, Log, i64) {
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..60 {
        append(&mut log, &batch(2, NOW_MS + n, 100)).unwrap();
    }
    log.set_high_watermark(log.end_offset());
    let second = log.closed_segment_from(1).expect("there is more than one").base_offset();
    (directory, log, second)
}

fn path(home: &Home, base_offset: i64, suffix: &str) -> PathBuf {
    home.file(&format!("{base_offset:020}{suffix}"))
}

/// Changes a file and returns the findings of a scrub. Restores the file.
fn with_changed(log: &Log, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Vec<Fault> {
    let before = std::fs::read(path).unwrap();
    let mut bytes = before.clone();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
    let faults = scrub(log);
    std::fs::write(path, before).unwrap();
    faults
}

#[test]
fn what_is_whole_raises_nothing_and_all_of_it_is_read() {
    let home = Home::new();
    let (_directory, log, _) = filled(&home);
    let (mut from, mut segments, mut log_bytes) = (0, 0, 0);
    while let Some(segment) = log.closed_segment_from(from) {
        let mut spent = 0;
        let scrubbed = segment.scrub(|bytes| {
            spent += bytes;
            Ok(())
        });
        let scrubbed = scrubbed.unwrap();
        assert_eq!(scrubbed.faults, []);
        assert_eq!(scrubbed.bytes, spent, "it says before it reads");
        let of_indexes: u64 = [".index", ".timeindex"]
            .iter()
            .map(|suffix| std::fs::metadata(path(&home, segment.base_offset(), suffix)).unwrap().len())
            .sum();
        assert!(of_indexes > 0);
        assert_eq!(scrubbed.bytes, segment.size_bytes() + of_indexes);
        log_bytes += segment.size_bytes();
        segments += 1;
        from = segment.next_base_offset();
    }
    assert_eq!(segments + 1, log.segments());
    let active = std::fs::metadata(path(&home, from, ".log")).unwrap().len();
    assert_eq!(log_bytes + active, log.size_bytes());
}

#[test]
fn every_bit_that_changes_is_found_where_it_is() {
    let home = Home::new();
    let (_directory, log, second) = filled(&home);
    let path = path(&home, second, ".log");
    let one = batch(2, NOW_MS, 100).len();
    for at in 0..one {
        let faults = with_changed(&log, &path, |bytes| bytes[one + at] ^= 0x10);
        let places: Vec<u64> = faults.iter().map(|fault| fault.position).collect();
        match at {
            // No checksum covers the epoch of the leader.
            12..16 => assert_eq!(places, []),
            // Nor the offset: the order of the batches shows it, or the next segment.
            0..8 => assert!(!places.is_empty(), "byte {at}"),
            _ => assert_eq!(places, [one as u64], "byte {at}: {faults:?}"),
        }
        if at >= 16 {
            assert_eq!((&faults[0].path, faults[0].offset), (&path, second + 2));
            let FaultReason::Batch { bytes, .. } = faults[0].reason else { panic!("{faults:?}") };
            assert_eq!(bytes, one as u64, "byte {at}: what follows is found again");
        }
    }
    assert_eq!(scrub(&log), []);
}

#[test]
fn two_places_are_two_and_a_file_of_noise_is_not_endless() {
    let home = Home::new();
    let (_directory, log, second) = filled(&home);
    let path = path(&home, second, ".log");
    let one = batch(2, NOW_MS, 100).len();
    let faults = with_changed(&log, &path, |bytes| {
        bytes[one + 70] ^= 1;
        bytes[4 * one + 70] ^= 1;
    });
    let places: Vec<u64> = faults.iter().map(|fault| fault.position).collect();
    assert_eq!(places, [one as u64, 4 * one as u64]);
    let faults = with_changed(&log, &path, |bytes| bytes.fill(0));
    assert_eq!(faults.len(), 1, "{faults:?}");
    let faults = with_changed(&log, &path, |bytes| {
        (0..bytes.len()).step_by(one).for_each(|at| bytes[at + 70] ^= 1);
    });
    assert_eq!(faults.len(), 1, "nothing whole is between them: {faults:?}");
}

#[test]
fn of_many_damaged_places_the_first_are_told() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: 20_000, ..small() });
    let one = batch(2, NOW_MS, 100).len();
    while log.segments() < 2 {
        append(&mut log, &batch(2, NOW_MS, 100)).unwrap();
    }
    let faults = with_changed(&log, &path(&home, 0, ".log"), |bytes| {
        (0..bytes.len()).step_by(2 * one).for_each(|at| bytes[at + 70] ^= 1);
    });
    assert_eq!(faults.len(), FAULTS_MAX);
}

#[test]
fn a_file_that_is_short_or_gone_or_not_to_be_read() {
    let home = Home::new();
    let (_directory, log, second) = filled(&home);
    let path = path(&home, second, ".log");
    let one = batch(2, NOW_MS, 100).len();
    for (len, position) in [(0, 0), (one / 2, 0), (3 * one, 3 * one), (3 * one + 70, 3 * one)] {
        let faults = with_changed(&log, &path, |bytes| bytes.truncate(len));
        let [Fault { position: found, reason: FaultReason::Short { .. }, .. }] = faults[..] else {
            panic!("{faults:?}")
        };
        assert_eq!(found, position as u64);
    }
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    let faults = scrub(&log);
    assert_eq!((faults.len(), &faults[0].reason), (1, &FaultReason::Missing));
    std::fs::rename(&away, &path).unwrap();
    home.faults.add(Failing {
        operation: Operation::Read,
        path_end: Box::leak(format!("{second:020}.log").into()),
        after: 0,
        times: 1,
        error: ErrorKind::Other,
    });
    let faults = scrub(&log);
    let [Fault { reason: FaultReason::Unreadable(_), path: found, .. }] = &faults[..] else {
        panic!("{faults:?}")
    };
    assert_eq!(found, &path);
    assert_eq!(scrub(&log), [], "what could not be read once is read the next time");
}

#[test]
fn a_system_that_lacks_descriptors_says_nothing_of_the_file() {
    let error = |errno: Errno| fs::Error {
        operation: Operation::Open,
        path: PathBuf::from("x"),
        source: io::Error::from(errno),
    };
    for lack in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
        assert!(matches!(unreadable(Path::new("x"), 0, 0, error(lack)), Err(ScrubError::Lack(_))));
    }
    let fault = unreadable(Path::new("x"), 0, 0, error(Errno::IO)).unwrap();
    assert!(matches!(fault.reason, FaultReason::Unreadable(_)));
}

#[test]
fn an_index_that_disagrees_with_its_segment() {
    let home = Home::new();
    let (_directory, log, second) = filled(&home);
    for (suffix, at) in [(".index", 7), (".index", 11), (".timeindex", 7), (".timeindex", 19)] {
        let path = path(&home, second, suffix);
        let faults = with_changed(&log, &path, |bytes| bytes[at] ^= 0x40);
        let [Fault { path: found, reason: FaultReason::Index(_), .. }] = &faults[..] else {
            panic!("{suffix} {at}: {faults:?}")
        };
        assert_eq!(found, &path);
        assert!(faults[0].mend().contains("remove the file"));
        std::fs::rename(&path, path.with_extension("away")).unwrap();
        let faults = scrub(&log);
        assert_eq!((faults.len(), &faults[0].reason), (1, &FaultReason::Missing), "{suffix}");
        std::fs::rename(path.with_extension("away"), &path).unwrap();
    }
    // A segment that is damaged itself says nothing about its indexes.
    let faults = with_changed(&log, &path(&home, second, ".log"), |bytes| bytes[70] ^= 1);
    assert_eq!(faults.len(), 1);
}

#[test]
fn a_batch_longer_than_what_is_read_at_a_time() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() };
    let (mut log, _) = open_log(&directory, config);
    for _ in 0..4 {
        append(&mut log, &batch(4, NOW_MS, 100_000)).unwrap();
    }
    assert!(log.segments() > 1);
    assert_eq!(scrub(&log), []);
    let faults = with_changed(&log, &path(&home, 0, ".log"), |bytes| bytes[300_000] ^= 1);
    assert_eq!((faults.len(), faults[0].position), (1, 0));
    assert!(matches!(faults[0].reason, FaultReason::Batch { error: BatchError::Crc { .. }, .. }));
}

#[test]
fn a_segment_that_retention_deletes_while_it_is_read_is_no_part_of_the_log() {
    let home = Home::new();
    let (_directory, mut log, second) = filled(&home);
    let segment = log.closed_segment_from(second).unwrap();
    assert!(log.has_segment(&segment));
    let scrubbed = segment.scrub(|_| {
        if log.has_segment(&segment) {
            log.delete_records(segment.next_base_offset(), NOW_MS).unwrap();
            log.take_due_deletions(i64::MAX).into_iter().for_each(|deleted| deleted.remove().unwrap());
        }
        Ok(())
    });
    scrubbed.unwrap();
    assert!(!log.has_segment(&segment), "whatever was found counts for nothing");
    assert!(!segment.scrub(|_| Ok(())).unwrap().faults.is_empty(), "its files are gone");
    assert_eq!(scrub(&log), []);
}

#[test]
fn a_segment_that_compaction_replaces_while_it_is_read_is_no_part_of_the_log() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { segment_bytes: 1200, compact: true, delete: false, ..small() };
    let (mut log, _) = open_log(&directory, config);
    for n in 0..40 {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.push(NOW_MS, Some(&[n % 3]), Some(&[n; 50]), &[]);
        append_from(&mut log, &builder.build(), Origin::Replication).unwrap();
        log.set_high_watermark(log.end_offset());
    }
    let segment = log.closed_segment_from(0).unwrap();
    let mut map = OffsetMap::new(1 << 16, 0.9);
    let plan = log.clean_plan(None, NOW_MS).unwrap();
    let mut cleaning = plan.start(&mut map, &mut |_| Ok(())).unwrap();
    let cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap().unwrap();
    // After the log is opened and before its first byte is read, its name is given to another.
    let mut swaps = 0;
    let scrubbed = segment.scrub(|_| {
        if swaps == 0 {
            assert_eq!(log.swap(&cleaned, NOW_MS).unwrap(), SwapOutcome::Done);
        }
        swaps += 1;
        Ok(())
    });
    drop(scrubbed.unwrap());
    assert!(!log.has_segment(&segment));
    assert!(!segment.scrub(|_| Ok(())).unwrap().faults.is_empty(), "another file has its name");
    assert_eq!(scrub(&log), [], "gaps are no damage");
}

#[test]
fn a_segment_that_compaction_has_put_in_place_and_not_yet_named_is_read() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { segment_bytes: 1200, compact: true, delete: false, ..small() };
    let (mut log, _) = open_log(&directory, config);
    for n in 0..40 {
        let mut builder = BatchBuilder::new(Compression::None);
        // The last ones of the first segments stay.
        builder.push(NOW_MS, Some(&[n % 30]), Some(&[n; 50]), &[]);
        append_from(&mut log, &builder.build(), Origin::Replication).unwrap();
        log.set_high_watermark(log.end_offset());
    }
    let mut map = OffsetMap::new(1 << 16, 0.9);
    let plan = log.clean_plan(None, NOW_MS).unwrap();
    let mut cleaning = plan.start(&mut map, &mut |_| Ok(())).unwrap();
    let cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap().unwrap();
    assert_eq!(log.begin_swap(&cleaned).unwrap(), SwapOutcome::Done);
    assert_eq!(scrub(&log), []);
    assert_eq!(log.replace_segments(&cleaned, NOW_MS).unwrap(), SwapOutcome::Done);
    assert!(home.file("00000000000000000000.log.swap").exists());
    assert_eq!(scrub(&log), [], "under the name that it has for a moment");
    let segment = log.closed_segment_from(0).unwrap();
    let mut reads = 0;
    let scrubbed = segment.scrub(|_| {
        reads += 1;
        if reads == 1 {
            log.finish_swap(&cleaned).unwrap();
        }
        Ok(())
    });
    assert_eq!(scrubbed.unwrap().faults, []);
    assert!(log.has_segment(&segment) && segment.size_bytes() > 0 && reads > 1);
    let faults = with_changed(&log, &path(&home, 0, ".log"), |bytes| bytes[70] ^= 1);
    assert_eq!((faults.len(), &faults[0].path), (1, &path(&home, 0, ".log")));
}

#[test]
fn the_caller_ends_it() {
    let home = Home::new();
    let (_directory, log, second) = filled(&home);
    home.faults.take_done();
    let stopped = log.closed_segment_from(second).unwrap().scrub(|_| Err(ScrubError::Stopped));
    assert!(matches!(stopped, Err(ScrubError::Stopped)));
    let reads = home.faults.take_done().into_iter().filter(|(operation, path)| {
        *operation == Operation::Read && path.extension().is_some_and(|extension| extension == "log")
    });
    assert_eq!(reads.count(), 0);
}

/// Nothing else would show it: most segments have no such index.
#[test]
fn a_lost_index_of_aborted_transactions_is_found_and_made_anew() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..60 {
        append(&mut log, &txn_batch(n, 0, 0, 2)).unwrap();
        append_from(&mut log, &end_txn(n, 0, n % 3 != 0), Origin::Marker { transaction_version: 0 }).unwrap();
    }
    let aborted = log.aborted_transactions(0, i64::MAX).unwrap();
    assert!(log.segments() > 2 && aborted.len() == 20);
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    let path = path(&home, 0, ".txnindex");
    let entries = std::fs::read(&path).unwrap();
    for (lost, reason) in [
        (true, FaultReason::Missing),
        (false, FaultReason::Index("the transaction that ends at offset 2 is missing".into())),
    ] {
        if lost {
            std::fs::remove_file(&path).unwrap();
        } else {
            std::fs::write(&path, &entries[34..]).unwrap();
        }
        let directory = home.open();
        let (log, _) = open_log(&directory, small());
        let expected = Fault { path: path.clone(), position: 0, offset: 0, reason };
        assert_eq!(scrub(&log), std::slice::from_ref(&expected));
        assert!(expected.mend().contains("remove the file and the .index"));
        log.close().unwrap();
        assert!(directory.close(1).unwrap());
        // As it says.
        let _ = std::fs::remove_file(&path);
        std::fs::remove_file(path.with_extension("index")).unwrap();
        let directory = home.open();
        let (log, _) = open_log(&directory, small());
        assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), aborted);
        assert_eq!(scrub(&log), []);
        log.close().unwrap();
        assert!(directory.close(1).unwrap());
    }
}

/// Nothing else shows it: each remaining segment is whole.
#[test]
fn a_missing_segment_is_found_unless_compaction_may_have_left_the_gap() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..200 {
        append(&mut log, &batch(2, NOW_MS + n, 100)).unwrap();
    }
    let begins = |log: &Log, offset| log.closed_segment_from(offset).unwrap().base_offset();
    let first = begins(&log, 1);
    let lost = begins(&log, first + 1);
    let next = begins(&log, lost + 1);
    let lost_files = [".log", ".index", ".timeindex"].map(|suffix| path(&home, lost, suffix));
    let reason = FaultReason::Gap { next_offset: lost, next_base_offset: next };
    let gaps = |log: &Log| {
        let (mut from, mut faults) = (0, Vec::new());
        while let Some(segment) = log.closed_segment_from(from) {
            faults.extend(segment.gap());
            from = segment.next_base_offset();
        }
        faults
    };
    assert_eq!(gaps(&log), []);
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    lost_files.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for found in [gaps(&log), scrub(&log)] {
        let [fault] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&fault.path, fault.offset, &fault.reason), (&path(&home, first, ".log"), lost, &reason));
    }
    // Compacted now, or in the past.
    log.set_config(LogConfig { compact: true, ..small() });
    assert_eq!((gaps(&log), scrub(&log)), (vec![], vec![]));
    log.set_config(small());
    assert_eq!(gaps(&log).len(), 1);
    log.set_high_watermark(i64::MAX);
    log.delete_records(lost - 1, NOW_MS).unwrap();
    assert_eq!(gaps(&log).len(), 1);
    log.delete_records(next, NOW_MS).unwrap();
    assert_eq!(gaps(&log), []);
}

#[test]
fn a_gap_in_a_log_that_was_compacted_once_is_no_loss() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..200 {
        append(&mut log, &batch(2, NOW_MS + n, 100)).unwrap();
    }
    let one = batch(2, NOW_MS, 100).len();
    let second = log.closed_segment_from(1).unwrap();
    let last = second.size_bytes() as usize - one;
    let (first, second) = (path(&home, second.base_offset(), ".log"), second.base_offset());
    let index = first.with_extension("index");
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    // The end of a segment is gone, and the offsets of one batch before it.
    let mut bytes = std::fs::read(&first).unwrap();
    bytes.truncate(last);
    let whole = bytes.clone();
    let gaps = |bytes: &[u8]| {
        std::fs::write(&first, bytes).unwrap();
        let _ = std::fs::remove_file(&index);
        let directory = home.open();
        let (log, _) = open_log(&directory, small());
        let segment = log.closed_segment_from(second).unwrap();
        let found = (segment.gap().is_some(), !segment.scrub(|_| Ok(())).unwrap().faults.is_empty());
        log.close().unwrap();
        assert!(directory.close(1).unwrap());
        found
    };
    assert_eq!(gaps(&whole), (true, true));
    bytes.drain(one..2 * one);
    assert_eq!(gaps(&bytes), (false, false));
    assert_eq!(gaps(&whole), (true, true));
    let name = crate::testing::name_of_log();
    let directory = home.open();
    directory.set_cleaned_to(&name, 1).unwrap();
    drop(directory);
    assert_eq!(gaps(&whole), (false, false));
}

#[test]
fn an_index_of_aborted_transactions_that_misleads_is_found() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..60 {
        append(&mut log, &txn_batch(n, 0, 0, 2)).unwrap();
        append_from(&mut log, &end_txn(n, 0, n % 3 != 0), Origin::Marker { transaction_version: 0 }).unwrap();
    }
    let path = path(&home, 0, ".txnindex");
    // The producer, a start that leaves out data, the marker, and the last stable offset.
    for (byte, bit) in [(9, 1), (17, 1), (25, 1), (33, 4)] {
        let faults = with_changed(&log, &path, |bytes| bytes[byte] ^= bit);
        let [Fault { path: found, reason: FaultReason::Index(_), .. }] = &faults[..] else {
            panic!("{byte}: {faults:?}")
        };
        assert_eq!(found, &path);
    }
    assert_eq!(scrub(&log), []);
}

/// The index of a segment that has the marker alone: its data is in the one before.
#[test]
fn a_lost_index_is_found_also_where_its_transaction_began_before_the_segment() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let marker = |log: &mut Log, id, committed| {
        append_from(log, &end_txn(id, 0, committed), Origin::Marker { transaction_version: 0 }).unwrap();
    };
    append(&mut log, &txn_batch(1, 0, 0, 2)).unwrap();
    append(&mut log, &txn_batch(2, 0, 0, 2)).unwrap();
    log.roll(log.end_offset(), NOW_MS).unwrap();
    let base_offset = log.end_offset();
    // Committed; without any data; and aborted.
    marker(&mut log, 2, true);
    marker(&mut log, 3, false);
    marker(&mut log, 1, false);
    log.roll(log.end_offset(), NOW_MS).unwrap();
    assert_eq!(scrub(&log), []);
    let aborted = log.aborted_transactions(0, i64::MAX).unwrap();
    assert_eq!(aborted.len(), 1);
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    let path = path(&home, base_offset, ".txnindex");
    std::fs::remove_file(&path).unwrap();
    let directory = home.open();
    let (log, _) = open_log(&directory, small());
    let fault = Fault { path: path.clone(), position: 0, offset: base_offset, reason: FaultReason::Missing };
    assert_eq!(scrub(&log), [fault]);
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    std::fs::remove_file(path.with_extension("index")).unwrap();
    let (log, _) = open_log(&home.open(), small());
    assert_eq!(log.aborted_transactions(0, i64::MAX).unwrap(), aborted);
    assert_eq!(scrub(&log), []);
}
