//! Damage that is found while the log is open.

use super::*;
use crate::testing::{append, small};

#[test]
fn a_damaged_header_is_an_error_that_names_the_place() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for _ in 0..40 {
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    }
    let one = batch(1, NOW_MS, 100).len();
    let path = path_of(&home, 0, ".log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[3 * one + 16] = 9;
    std::fs::write(&path, bytes).unwrap();
    match log.read(3, 1000, true, i64::MAX) {
        Err(ReadError::Damaged(damage)) => assert_eq!((damage.path, damage.position), (path, 3 * one as u64)),
        other => panic!("{other:?}"),
    }
    // The others are served.
    assert_eq!(log.read(0, one, true, i64::MAX).unwrap().unwrap().len, one);
    assert_eq!(log.read(39, 1000, true, i64::MAX).unwrap().unwrap().base_offset, 39);
    append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
}

#[test]
fn a_damaged_index_costs_time_and_no_record() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for _ in 0..40 {
        append(&mut log, &batch(1, NOW_MS, 100)).unwrap();
    }
    log.close().unwrap();
    directory.close(-1).unwrap();
    for index in [vec![], vec![0xff; 64], [0, 0, 0, 1, 0x7f, 0, 0, 0].repeat(4)] {
        let crash = Home::new();
        home.dir.copy_to(&crash.dir);
        std::fs::write(path_of(&crash, 0, ".index"), index).unwrap();
        let (log, _) = open_log(&crash.open(), small());
        for offset in 0..40 {
            assert_eq!(log.read(offset, 1, true, i64::MAX).unwrap().unwrap().base_offset, offset);
        }
    }
}

/// An entry that leads to a later batch would make a reader miss the batches before it.
#[test]
fn an_index_that_leads_too_far_is_not_believed() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..60 {
        append(&mut log, &batch(1, NOW_MS + n, 100)).unwrap();
    }
    assert!(log.segments() > 1);
    let whole = contents(&log);
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    let path = home.file("00000000000000000000.index");
    let sound = std::fs::read(&path).unwrap();
    // Positions of the last batch, and of none.
    let last = sound[sound.len() - 4..].to_vec();
    for position in [last, vec![0, 0, 0, 9]] {
        let mut entries = sound.clone();
        entries.chunks_mut(8).for_each(|entry| entry[4..].copy_from_slice(&position));
        std::fs::write(&path, entries).unwrap();
        let directory = home.open();
        let (log, _) = open_log(&directory, small());
        assert_eq!(contents(&log), whole);
        for offset in 0..60 {
            let slice = log.read(offset, 1, true, i64::MAX).unwrap().unwrap();
            assert_eq!(slice.base_offset, offset);
            let found = log.offset_for_timestamp(NOW_MS + offset, &mut record::Scratch::new()).unwrap();
            assert_eq!(found.unwrap().offset, offset);
        }
        log.close().unwrap();
        assert!(directory.close(1).unwrap());
    }
}
