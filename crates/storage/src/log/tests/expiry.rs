//! Retention by time with a damaged time index.

use super::*;
use crate::testing::{append, small};

/// A change that damages a time index.
type Turn = fn(Vec<u8>) -> Vec<u8>;

fn with_last(mut entries: Vec<u8>, timestamp: i64, relative_offset: u32) -> Vec<u8> {
    let last = entries.len() - 12;
    entries.truncate(last);
    entries.extend_from_slice(&TimeEntry { timestamp, relative_offset }.to_bytes());
    entries
}

const TURNS: [(&str, Turn); 6] = [
    ("too small", |entries| with_last(entries, 1, 20)),
    ("too small, of no batch", |entries| with_last(entries, 1, 1 << 30)),
    ("too great", |entries| with_last(entries, NOW_MS + 1_000_000_000, 20)),
    ("negative", |entries| with_last(entries, i64::MIN, 0)),
    ("without its end", |entries| entries[..entries.len() - 24].to_vec()),
    ("empty", |_| Vec::new()),
];

/// A log that was closed, with two closed segments and an active one and a second between batches, and the end of each
/// segment.
fn stopped(home: &Home, config: &LogConfig) -> Vec<i64> {
    let directory = home.open();
    let (mut log, _) = open_log(&directory, config.clone());
    for n in 0.. {
        append(&mut log, &batch(1, NOW_MS + n * 1000, 100)).unwrap();
        if log.segments() == 3 && log.active.size > 2000 {
            break;
        }
    }
    log.set_high_watermark(log.end_offset());
    let ends = vec![log.closed[1].base_offset(), log.active.base_offset(), log.end_offset()];
    log.close().unwrap();
    assert!(directory.close(1).unwrap());
    ends
}

#[test]
fn nothing_goes_or_stays_on_the_word_of_an_index_alone() {
    let config = LogConfig { retention_ms: 100, ..small() };
    let home = Home::new();
    let ends = stopped(&home, &config);
    for (what, turn) in TURNS {
        let crash = Home::new();
        home.dir.copy_to(&crash.dir);
        for base_offset in [0, ends[0], ends[1]] {
            let path = path_of(&crash, base_offset, ".timeindex");
            let entries = std::fs::read(&path).unwrap();
            assert!(entries.len() >= 36, "{}", entries.len());
            std::fs::write(&path, turn(entries)).unwrap();
        }
        let directory = crash.open();
        let (mut log, _) = open_log(&directory, config.clone());
        // Each segment expires 100 ms after its last batch.
        for (n, end) in ends.iter().enumerate() {
            let last_ms = NOW_MS + (end - 1) * 1000;
            log.apply_retention(last_ms + 100).unwrap();
            let start = if n == 0 { 0 } else { ends[n - 1] };
            assert_eq!(log.log_start_offset(), start, "{what}: nothing goes early");
            log.apply_retention(last_ms + 101).unwrap();
            assert_eq!(log.log_start_offset(), *end, "{what}: and nothing stays");
        }
    }
}

#[test]
fn a_segment_is_asked_once() {
    let config = LogConfig { retention_ms: 1_000_000, ..small() };
    let home = Home::new();
    stopped(&home, &config);
    let (mut log, _) = open_log(&home.open(), config);
    log.apply_retention(NOW_MS).unwrap();
    home.faults.take_done();
    log.apply_retention(NOW_MS).unwrap();
    assert_eq!(home.faults.take_done(), []);
}
