//! A log that changes during a pass.

use super::*;
use crate::clean::CleanError;

/// A log of three closed segments, of two batches each: the last record of `gone` is in the second of each.
fn filled(home: &Home) -> (crate::LogDirectory, Log) {
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    for value in ["1", "2", "3"] {
        put(&mut log, plain(), &[("k", Some(value))]);
        put(&mut log, plain(), &[("gone", Some(value))]);
        roll(&mut log);
    }
    (directory, log)
}

/// A change of the log; returns it if it still exists.
type By = fn(&Home, Log) -> Option<Log>;

/// Runs a pass, and changes the log after some of its steps.
fn overtaken(home: &Home, log: Log, steps: usize, by: By) -> Result<(), CleanError> {
    let plan = log.clean_plan(None, NOW_MS).unwrap();
    let (mut log, mut step) = (Some(log), 0);
    let mut then = |log: &mut Option<Log>| {
        if step == steps {
            *log = log.take().and_then(|log| by(home, log));
        }
        step += 1;
    };
    then(&mut log);
    let mut map = OffsetMap::new(1 << 20, 0.9);
    let mut cleaning = plan.start(&mut map, &mut |_| Ok(()))?;
    then(&mut log);
    while let Some(cleaned) = cleaning.next_group(&mut |_| Ok(()))? {
        then(&mut log);
        let Some(log) = &mut log else { continue };
        if log.swap(&cleaned, NOW_MS).unwrap() == SwapOutcome::Stale {
            return Err(CleanError::Stale);
        }
    }
    then(&mut log);
    cleaning.finish().map(drop)
}

#[test]
fn l5_a_pass_that_the_log_has_overtaken_says_so() {
    let deleted = |_: &Home, mut log: Log| {
        log.delete_records(2, NOW_MS).unwrap();
        Some(log)
    };
    let cut = |_: &Home, mut log: Log| {
        log.truncate_to(3, NOW_MS).unwrap();
        Some(log)
    };
    let emptied = |_: &Home, mut log: Log| {
        log.truncate_fully_and_start_at(9, NOW_MS).unwrap();
        Some(log)
    };
    let closed = |home: &Home, log: Log| {
        drop(log);
        std::fs::remove_dir_all(home.file("")).unwrap();
        None
    };
    let ways: [(By, usize); 4] = [(deleted, 2), (cut, 3), (emptied, 3), (closed, 3)];
    for (by, last_step) in ways {
        for step in 0..=last_step {
            let home = Home::new();
            let (_directory, log) = filled(&home);
            let ended = overtaken(&home, log, step, by);
            assert!(matches!(ended, Err(CleanError::Stale)), "after step {step}: {ended:?}");
        }
    }
    let home = Home::new();
    let (_directory, log) = filled(&home);
    overtaken(&home, log, usize::MAX, |_, _| None).unwrap();
}

#[test]
fn damage_is_damage_where_the_log_has_not_changed() {
    let name = "00000000000000000002.log";
    for position in 0.. {
        let home = Home::new();
        let (_directory, log) = filled(&home);
        let mut bytes = std::fs::read(home.file(name)).unwrap();
        let size = record::Batch::parse(&bytes).unwrap().bytes().len();
        let in_batch = if position < size { position } else { position - size };
        if position == bytes.len() {
            break;
        }
        // Neither a checksum nor the order protects the leader epoch. Of the bytes that a checksum covers a few
        // suffice.
        if (12..16).contains(&in_batch) || (in_batch > 21 && position % 9 > 0) {
            continue;
        }
        bytes[position] ^= 1 << (position % 8);
        std::fs::write(home.file(name), bytes).unwrap();
        let ended = overtaken(&home, log, usize::MAX, |_, _| None);
        assert!(matches!(ended, Err(CleanError::Damaged(_))), "byte {position}: {ended:?}");
    }
}

/// The segments that it was made from are unchanged, but the record that replaced others in it is gone.
#[test]
fn l5_what_was_cleaned_for_the_sake_of_what_is_cut_is_not_swapped_in() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: 200, ..config() });
    for value in ["1", "2", "3"] {
        put(&mut log, plain(), &[("k", Some(value))]);
        roll(&mut log);
    }
    let plan = log.clean_plan(None, NOW_MS).unwrap();
    let mut map = OffsetMap::new(1 << 20, 0.9);
    let mut cleaning = plan.start(&mut map, &mut |_| Ok(())).unwrap();
    let cleaned = cleaning.next_group(&mut |_| Ok(())).unwrap().unwrap();
    assert_eq!(cleaned.inputs.len(), 2);
    log.truncate_to(2, NOW_MS).unwrap();
    assert_eq!(log.swap(&cleaned, NOW_MS).unwrap(), SwapOutcome::Stale);
    assert_eq!(keys(&log), [(0, "k".into(), true), (1, "k".into(), true)]);
}

#[test]
fn what_follows_a_truncation_is_not_taken_to_be_clean() {
    let home = Home::new();
    let (directory, mut log) = filled(&home);
    let plan = log.clean_plan(None, NOW_MS).unwrap();
    let mut map = OffsetMap::new(1 << 20, 0.9);
    let mut cleaning = plan.start(&mut map, &mut |_| Ok(())).unwrap();
    while let Some(cleaned) = cleaning.next_group(&mut |_| Ok(())).unwrap() {
        assert_eq!(log.swap(&cleaned, NOW_MS).unwrap(), SwapOutcome::Done);
    }
    cleaning.finish().unwrap();
    assert_eq!(log.cleaned_to(), Some(6));
    log.truncate_to(5, NOW_MS).unwrap();
    assert_eq!((log.end_offset(), log.cleaned_to()), (5, Some(5)));
    put(&mut log, plain(), &[("k", Some("4"))]);
    put(&mut log, plain(), &[("k", Some("5"))]);
    drop((log, directory));
    let (mut log, _) = open_log(&home.open(), config());
    assert_eq!(log.cleaned_to(), Some(5));
    log.truncate_fully_and_start_at(3, NOW_MS).unwrap();
    assert_eq!(log.cleaned_to(), Some(3));
}

/// A marker above the high watermark may be truncated, and its transaction is undecided then.
#[test]
fn l1_a_log_that_was_just_opened_waits_for_its_high_watermark() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config());
    put(&mut log, txn(1), &[("k", Some("1"))]);
    roll(&mut log);
    append_from(&mut log, &end_txn(1, 0, false), Origin::Replication).unwrap();
    roll(&mut log);
    assert_eq!((log.high_watermark(), log.last_stable_offset()), (1, 0));
    assert_eq!(log.clean_plan(None, NOW_MS).unwrap().dirty_ratio(), 0.0);
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    let (mut log, _) = open_log(&home.open(), config());
    assert_eq!(log.high_watermark(), 1);
    assert_eq!(log.clean_plan(None, NOW_MS).unwrap().dirty_ratio(), 0.0, "nobody knows where it was aborted");
    log.set_high_watermark(2);
    assert_eq!(log.clean_plan(None, NOW_MS).unwrap().end_offset, 2);
}
