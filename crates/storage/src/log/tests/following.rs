//! The log of a follower: it appends what it fetched, and truncates what its leader does not have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// A batch of two records with its place and epoch.
fn at(base_offset: i64, epoch: i32) -> Vec<u8> {
    let builder = BatchBuilder::new(Compression::None).base_offset(base_offset);
    let mut builder = builder.partition_leader_epoch(epoch);
    builder.push(NOW_MS, None, Some(&[0; 60]), &[]);
    builder.push(NOW_MS, None, None, &[]);
    builder.build()
}

fn follow(log: &mut Log, records: &[u8], leader_epoch: i32) -> Option<(i64, i64)> {
    let appended = log.append_as_follower(records, leader_epoch, NOW_MS).unwrap();
    appended.map(|it| (it.base_offset, it.last_offset))
}

/// A leader that was deposed may send what it appended as a follower, where its own records were (KAFKA-18723).
#[test]
fn batches_of_a_later_epoch_are_left_out_with_all_that_follow() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    assert_eq!(follow(&mut log, &[at(0, 3), at(2, 5), at(4, 6), at(6, 5)].concat(), 5), Some((0, 3)));
    assert_eq!(follow(&mut log, &at(4, 6), 5), None);
    // It may also end within a batch of which the rest is of another.
    let mut mixed = [at(4, 5), at(6, 6)].concat();
    let last = mixed.len() - 1;
    mixed[last] ^= 1;
    assert_eq!(follow(&mut log, &mixed, 5), Some((4, 5)));
    assert_eq!(follow(&mut log, &at(6, 6), 6), Some((6, 7)));
    let entry = |epoch, start_offset| EpochEntry { epoch, start_offset };
    assert_eq!(log.leader_epochs(), [entry(3, 0), entry(5, 2), entry(6, 6)]);
}

#[test]
fn an_empty_log_may_start_within_the_leaders_first_batch() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    log.truncate_fully_and_start_at(7, NOW_MS).unwrap();
    for beside in [at(4, 1), at(5, 1)] {
        let error = log.append_as_follower(&beside, 1, NOW_MS).unwrap_err();
        assert!(matches!(error, AppendError::UnexpectedOffset { end_offset: 7, .. }), "{error}");
    }
    assert_eq!(follow(&mut log, &[at(6, 1), at(8, 1)].concat(), 1), Some((6, 9)));
    assert_eq!((log.log_start_offset(), log.end_offset()), (6, 10));
    log.set_high_watermark(10);
    log.advance_log_start(7, NOW_MS).unwrap();
    assert_eq!(contents_from(&log, 7), [(8, 9)]);
    let located = log.read(7, usize::MAX, true, 10).unwrap().unwrap();
    assert_eq!(located.base_offset, 6, "the batch that holds the start is whole");
    // A log with records does not start anew.
    let error = log.append_as_follower(&at(9, 1), 1, NOW_MS).unwrap_err();
    assert!(matches!(error, AppendError::UnexpectedOffset { .. }), "{error}");
    log.close().unwrap();
    let (log, _) = open_log(&directory, LogConfig::default());
    assert_eq!((log.log_start_offset(), log.end_offset()), (7, 10));
}

/// The leader took it while its segments were larger.
#[test]
fn a_batch_larger_than_a_segment_has_one_of_its_own() {
    let home = Home::new();
    let directory = home.open();
    let one = at(0, 1).len() as u32;
    let (mut log, _) = open_log(&directory, LogConfig { segment_bytes: one - 1, ..LogConfig::default() });
    assert_eq!(follow(&mut log, &[at(0, 1), at(2, 1), at(4, 1)].concat(), 1), Some((0, 5)));
    assert_eq!((log.segments(), contents(&log)), (3, vec![(0, 1), (2, 3), (4, 5)]));
    assert!(matches!(append(&mut log, &batch(1, NOW_MS, 600)), Err(AppendError::TooLarge { .. })));
}

/// A fetch holds a region of a file, and sends it later. A truncation takes the bytes away, and other batches may be
/// there by then: their epochs tell.
#[test]
fn a_slice_that_a_truncation_overtakes_ends_early_or_has_a_later_epoch() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    follow(&mut log, &[at(0, 1), at(2, 1), at(4, 1)].concat(), 1);
    let slice = log.read(0, usize::MAX, true, i64::MAX).unwrap().unwrap();
    let located = log.locate(0, i64::MAX).unwrap();
    log.truncate_to(2, NOW_MS).unwrap();
    slice.read().unwrap_err();
    follow(&mut log, &[at(2, 2), at(4, 2)].concat(), 2);
    for bytes in [slice.read().unwrap(), located.slice(usize::MAX, true).unwrap().unwrap().read().unwrap()] {
        let other = Home::new();
        let directory = other.open();
        let (mut log, _) = open_log(&directory, LogConfig::default());
        let taken = follow(&mut log, &bytes, 1);
        assert_eq!(taken, Some((0, 1)), "a follower in the earlier epoch takes what is of it");
    }
}

#[test]
fn epochs_end_where_the_log_was_truncated() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    follow(&mut log, &[at(0, 1), at(2, 1), at(4, 3), at(6, 5)].concat(), 5);
    log.assign_epoch(7);
    let end = |log: &Log, epoch| {
        let end = log.end_offset_for_epoch(epoch);
        (end.epoch, end.end_offset)
    };
    assert_eq!(
        [1, 2, 3, 6, 7, 8].map(|it| end(&log, it)),
        [(1, 4), (1, 4), (3, 6), (5, 8), (7, 8), (-1, -1)]
    );
    // The epoch that began at the end, without a record, is forgotten.
    log.truncate_to(8, NOW_MS).unwrap();
    assert_eq!([5, 7].map(|it| end(&log, it)), [(5, 8), (-1, -1)]);
    log.truncate_to(5, NOW_MS).unwrap();
    assert_eq!(log.end_offset(), 4, "the batch is truncated whole");
    assert_eq!([1, 3].map(|it| end(&log, it)), [(1, 4), (-1, -1)]);
    let crash = Home::new();
    home.dir.copy_to(&crash.dir);
    assert_eq!([1, 3].map(|it| end(&open_log(&crash.open(), small()).0, it)), [(1, 4), (-1, -1)]);
    follow(&mut log, &at(4, 6), 6);
    assert_eq!([1, 5, 6].map(|it| end(&log, it)), [(1, 4), (1, 4), (6, 6)]);
}

/// What a sync that is under way has seen says nothing of what takes its place.
#[test]
fn truncations_and_syncs_go_on_beside_each_other() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let (syncs, stop) = (log.syncs(), Arc::new(AtomicBool::new(false)));
    let flusher = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let mut synced = 0;
            while !stop.load(Ordering::Acquire) || synced == 0 {
                syncs.flush().unwrap();
                synced += 1;
            }
        })
    };
    for round in 0..200_i64 {
        let epoch = i32::try_from(round).unwrap();
        for _ in 0..5 {
            let next = at(log.end_offset(), epoch);
            follow(&mut log, &next, epoch);
            assert!(log.flushed_offset() <= log.end_offset());
        }
        let keep = log.end_offset() - 2 * (round % 4);
        log.truncate_to(keep, NOW_MS).unwrap();
        assert!(log.flushed_offset() <= keep && log.end_offset() == keep);
    }
    stop.store(true, Ordering::Release);
    flusher.join().unwrap();
    assert_eq!(log.flush().unwrap(), log.end_offset());
    let before = contents(&log);
    let crash = Home::new();
    home.dir.copy_to(&crash.dir);
    assert_eq!(contents(&open_log(&crash.open(), small()).0), before);
}
