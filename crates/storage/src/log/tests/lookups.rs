//! Looking up by time, and the indexes that it needs.

use record::{Header, Scratch};

use super::*;
use crate::testing::{append, small};

/// A batch whose records have these times.
fn batch_at(timestamps: &[i64], compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    for timestamp in timestamps {
        builder.push(*timestamp, None, Some(&[0; 40]), &[Header { key: b"h", value: None }]);
    }
    builder.build()
}

#[test]
fn the_first_record_at_or_after_a_time_is_found() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        let mut random = fastrand::Rng::with_seed(5);
        let mut timestamps = Vec::new();
        for n in 0..400 {
            // Rising, with outliers in both directions.
            let mut time =
                |n: i64| NOW_MS + n * 10 + random.i64(-50..50) + 3000 * i64::from(random.u8(..) == 0);
            let records: Vec<_> = (0..3).map(|_| time(n)).collect();
            append(&mut log, &batch_at(&records, compression)).unwrap();
            timestamps.extend(records);
        }
        assert!(log.segments() > 3);
        let mut scratch = Scratch::new();
        let mut check = |log: &Log| {
            for target in (NOW_MS - 100..NOW_MS + 8000).step_by(37).chain([i64::MIN, -1, 0, i64::MAX]) {
                let start = usize::try_from(log.log_start_offset()).unwrap();
                let expected = (start..timestamps.len()).find(|offset| timestamps[*offset] >= target);
                let found = log.offset_for_timestamp(target, &mut scratch).unwrap();
                assert_eq!(found.map(|found| found.offset as usize), expected, "{target}");
                assert_eq!(found.map(|found| found.timestamp), expected.map(|offset| timestamps[offset]));
                assert!(found.is_none_or(|found| found.leader_epoch == 0));
            }
            let greatest = timestamps.iter().copied().max().unwrap();
            let first = timestamps.iter().position(|timestamp| *timestamp == greatest).unwrap();
            let found = log.max_timestamp(&mut scratch).unwrap().unwrap();
            assert_eq!((found.timestamp, found.offset as usize), (greatest, first));
        };
        check(&log);
        log.set_high_watermark(log.end_offset());
        log.delete_records(601, NOW_MS).unwrap();
        timestamps[..601].fill(i64::MIN);
        let mut check_deleted = |log: &Log| {
            for target in (NOW_MS - 100..NOW_MS + 5000).step_by(41) {
                let expected = (601..timestamps.len()).find(|offset| timestamps[*offset] >= target);
                let found = log.offset_for_timestamp(target, &mut scratch).unwrap();
                assert_eq!(found.map(|found| found.offset as usize), expected, "{target}");
            }
        };
        check_deleted(&log);
        log.close().unwrap();
        let (log, _) = open_log(&directory, small());
        check_deleted(&log);
    }
}

#[test]
fn a_time_that_the_broker_set_is_that_of_all_records() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let batch = |time| {
        let mut builder = BatchBuilder::new(Compression::None).log_append_time(time);
        for _ in 0..3 {
            builder.push(5, None, None, &[]);
        }
        builder.build()
    };
    append(&mut log, &batch(NOW_MS)).unwrap();
    append(&mut log, &batch(NOW_MS + 10)).unwrap();
    let mut scratch = Scratch::new();
    let found = log.offset_for_timestamp(NOW_MS + 1, &mut scratch).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (3, NOW_MS + 10));
    let found = log.offset_for_timestamp(5, &mut scratch).unwrap().unwrap();
    assert_eq!((found.offset, found.timestamp), (0, NOW_MS));
    log.set_high_watermark(6);
    log.delete_records(1, NOW_MS).unwrap();
    assert_eq!(log.offset_for_timestamp(5, &mut scratch).unwrap().unwrap().offset, 1);
}

#[test]
fn trap_s9_times_before_1970_and_far_ahead_are_times() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { index_interval_bytes: 0, ..LogConfig::default() });
    let mut scratch = Scratch::new();
    assert_eq!(log.max_timestamp(&mut scratch).unwrap(), None);
    append(&mut log, &batch_at(&[-1], Compression::None)).unwrap();
    assert_eq!(log.max_timestamp(&mut scratch).unwrap(), None, "-1 is no time");
    for timestamp in [0, 7, i64::MAX, NOW_MS] {
        append(&mut log, &batch_at(&[timestamp], Compression::None)).unwrap();
    }
    let mut find =
        |timestamp| log.offset_for_timestamp(timestamp, &mut scratch).unwrap().map(|found| found.offset);
    assert_eq!(find(0), Some(1));
    assert_eq!(find(1), Some(2));
    assert_eq!(find(8), Some(3));
    assert_eq!(find(i64::MAX), Some(3));
    assert_eq!(log.max_timestamp(&mut scratch).unwrap().unwrap().offset, 3);
    // The index has no timestamp before 1970, but the record is found.
    append(&mut log, &batch_at(&[-1000], Compression::Zstd)).unwrap();
    append(&mut log, &batch_at(&[-1000, 9, i64::MIN], Compression::None)).unwrap();
    assert_eq!(log.offset_for_timestamp(i64::MIN, &mut scratch).unwrap().unwrap().offset, 0);
    assert_eq!(log.max_timestamp(&mut scratch).unwrap().unwrap().offset, 3);
    // Retention does not overflow on any of them.
    log.set_high_watermark(log.end_offset());
    log.apply_retention(NOW_MS).unwrap();
    assert_eq!(log.log_start_offset(), 0);
}

#[test]
fn index_entries_say_what_kafkas_say() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig { index_interval_bytes: 400, ..LogConfig::default() });
    let one = batch(2, NOW_MS, 80).len() as u32;
    assert!((200..400).contains(&one));
    for n in [3, 1, 4, 1, 5, 9, 2, 6] {
        append(&mut log, &batch(2, NOW_MS + n, 80)).unwrap();
    }
    log.close().unwrap();
    let (offsets, times) = entries(&home, 0);
    // An entry for the first batch that begins more than 400 bytes after the last one's.
    let offset = |relative_offset, batches| OffsetEntry { relative_offset, position: batches * one };
    assert_eq!(offsets, [offset(5, 2), offset(9, 4), offset(13, 6)]);
    // Each has the greatest timestamp so far, if that has risen.
    let time = |time, relative_offset| TimeEntry { timestamp: NOW_MS + time, relative_offset };
    assert_eq!(times, [time(4, 5), time(5, 9), time(9, 11)]);
}

#[test]
fn the_last_batches_are_located_without_the_files() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    for _ in 0..20 {
        append(&mut log, &batch_at(&[NOW_MS, NOW_MS], Compression::None)).unwrap();
    }
    let recent = |offset, limit| {
        log.locate_recent(offset, limit).unwrap().map(|located| located.slice(1 << 20, false))
    };
    let base_and_len = |slice: Option<Slice>| slice.map(|slice| (slice.base_offset, slice.len));
    for (offset, limit) in [(38, i64::MAX), (20, 40), (20, 30)] {
        let found = recent(offset, limit).expect("among the last").unwrap();
        assert!(found.is_some());
        let all = log.read(offset, 1 << 20, false, limit).unwrap();
        assert_eq!(base_and_len(found), base_and_len(all), "{offset} {limit}");
    }
    for (offset, limit) in [(0, 40), (21, 40), (20, 31), (40, 40), (30, 30), (30, 20)] {
        assert!(recent(offset, limit).is_none(), "{offset} {limit}");
    }
    for offset in [-1, 41] {
        assert!(matches!(log.locate_recent(offset, 40), Err(ReadError::OutOfRange { .. })));
    }
}

#[test]
fn a_lookup_goes_on_beside_appends_and_deletions() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let append_at = |log: &mut Log, n| append(log, &batch_at(&[NOW_MS + n], Compression::None)).unwrap();
    for n in 0..200 {
        append_at(&mut log, n);
    }
    assert!(log.segments() > 3);
    let located: Vec<_> = [3, 199, 200].map(|n| log.locate_timestamp(NOW_MS + n).unwrap()).into();
    let located_max = log.locate_max_timestamp().unwrap();
    append_at(&mut log, 200);
    log.set_high_watermark(log.end_offset());
    let mut scratch = Scratch::new();
    let mut find =
        |located: &LocatedTime| located.find(&mut scratch).map(|found| found.map(|found| found.offset));
    let found: Vec<_> = located.iter().map(|located| find(located).unwrap()).collect();
    assert_eq!(found, [Some(3), Some(199), None], "as it was when they began");
    assert_eq!(find(&located_max).unwrap(), Some(199));
    assert_eq!(find(&log.locate_max_timestamp().unwrap()).unwrap(), Some(200));
}
