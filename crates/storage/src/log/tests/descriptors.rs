//! A process without a free descriptor. No file is at fault, so the log directory stays online.

use super::*;
use crate::testing::{append, small};
use crate::{CleanError, OffsetMap};

/// Does everything that a log goes through. Returns the offset up to which a flush has reported it as durable.
fn live(log: &mut Log) -> i64 {
    let mut durable = 0;
    for round in 0..40 {
        match append(log, &batch(2, NOW_MS, 300)) {
            Ok(_) => log.set_high_watermark(log.end_offset()),
            Err(AppendError::Full(error)) => assert!(error.is_out_of_descriptors(), "{error}"),
            Err(error) => panic!("round {round}: {error}"),
        }
        match log.flush() {
            Ok(flushed) => durable = flushed,
            Err(WriteError::Full(error)) => assert!(error.is_out_of_descriptors(), "{error}"),
            Err(error) => panic!("round {round}: {error}"),
        }
        if let Err(error) = log.read(round, 1 << 20, true, i64::MAX) {
            let passes = matches!(&error, ReadError::Fs(error) if error.passes());
            assert!(passes || matches!(error, ReadError::OutOfRange { .. }), "round {round}: {error}");
        }
        if round % 10 == 9 {
            match log.delete_records(log.end_offset() / 2, NOW_MS) {
                Ok(_) | Err(DeleteRecordsError::Change(ChangeError::Full(_))) => {}
                Err(error) => panic!("round {round}: {error}"),
            }
        }
    }
    durable
}

#[test]
fn whatever_is_not_opened_passes() {
    let mut met = 0;
    for after in 0..120 {
        let home = Home { open_files_max: 4, ..Home::new() };
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        let times = 1 + after % 3;
        home.faults.exhaust_descriptors("", after, times);
        let durable = live(&mut log);
        met += times - home.faults.exhaustion_left();
        directory.check().unwrap_or_else(|offline| panic!("after {after}: {offline}"));
        directory.checkpoint_log_offsets().unwrap();

        // The log continues, and batches reported as durable are so, even after a crash.
        home.faults.clear();
        append(&mut log, &batch(2, NOW_MS, 300)).unwrap();
        let flushed = log.flush().unwrap();
        assert_eq!(flushed, log.end_offset(), "after {after}");
        assert!(durable <= flushed);
        let crash = Home::new();
        home.dir.copy_to(&crash.dir);
        let (recovered, _) = open_log(&crash.open(), small());
        assert_eq!(recovered.end_offset(), flushed, "after {after}");
        assert_eq!(contents(&recovered).len(), contents(&log).len(), "after {after}");
        log.close().unwrap();
    }
    assert!(met > 150, "{met} openings failed");
}

/// If a flush cannot open a file, the file stays to be synced.
#[test]
fn what_was_not_synced_is_synced_by_the_next_flush() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    log.flush().unwrap();
    for _ in 0..3 {
        append(&mut log, &batch(1, NOW_MS, 2000)).unwrap();
    }
    home.faults.take_done();
    // The directory has a new segment, and is opened last.
    home.faults.exhaust_descriptors("topic-0", 0, 1);
    let error = log.flush().unwrap_err();
    assert!(matches!(&error, WriteError::Full(error) if error.is_out_of_descriptors()), "{error}");
    assert!(log.flushed_offset() < log.end_offset());
    let synced = |home: &Home| {
        let done = home.faults.take_done();
        done.into_iter().filter(|(operation, _)| *operation == Operation::SyncDir).count()
    };
    assert_eq!(synced(&home), 0);
    assert_eq!(log.flush().unwrap(), log.end_offset());
    assert!(synced(&home) > 0, "the directory was synced after all");
}

/// The pass ends, and the next one does the rest.
#[test]
fn compaction_begins_again() {
    for after in 0..60 {
        let home = Home { open_files_max: 2, ..Home::new() };
        let directory = home.open();
        let config = LogConfig { compact: true, delete: false, ..small() };
        let (mut log, _) = open_log(&directory, config);
        let keyed = |value: usize| {
            let mut builder = BatchBuilder::new(Compression::None);
            for key in [b"a", b"b"] {
                builder.push(NOW_MS, Some(key), Some(&vec![b'v'; value]), &[]);
            }
            builder.build()
        };
        for round in 0..12 {
            append(&mut log, &keyed(900 + round)).unwrap();
        }
        log.set_high_watermark(log.end_offset());
        log.flush().unwrap();
        home.faults.exhaust_descriptors("", after, 1);
        for pass in 0..2 {
            let mut map = OffsetMap::new(1 << 20, 0.9);
            let cleaned = (|| {
                let plan = log.clean_plan(None, NOW_MS).expect("it is compacted");
                let mut cleaning = plan.start(&mut map, &mut |_| Ok(()))?;
                while let Some(cleaned) = cleaning.next_group(&mut |_| Ok(()))? {
                    match log.swap(&cleaned, NOW_MS) {
                        Ok(_) => {}
                        Err(ChangeError::Full(error)) => return Err(CleanError::Fs(error)),
                        Err(error) => panic!("after {after}, pass {pass}: {error}"),
                    }
                }
                cleaning.finish()
            })();
            match cleaned {
                Ok(_) => {}
                Err(CleanError::Fs(error)) if pass == 0 && error.is_out_of_descriptors() => {}
                Err(error) => panic!("after {after}, pass {pass}: {error}"),
            }
            directory.check().unwrap_or_else(|offline| panic!("after {after}: {offline}"));
        }
        append(&mut log, &keyed(10)).unwrap();
        let offsets = log.end_offset();
        log.close().unwrap();
        drop(directory);
        let directory = home.open();
        let (log, _) = Log::open(&directory, open_with(LogConfig { compact: true, ..small() })).unwrap();
        assert_eq!(log.end_offset(), offsets, "after {after}");
    }
}
