//! Damage that is met while the log is open.

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
