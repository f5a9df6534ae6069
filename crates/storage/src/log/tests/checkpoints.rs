//! Opening a log if the checkpoints of its directory are lost, or do not match.

use std::path::Path;

use super::recovery::{append_many, checkpoint};
use super::*;
use crate::DamageReason;
use crate::testing::small;

/// Kafka deletes all segments, with a warning. A log that was closed cleanly ends where its files do, so the
/// offset is wrong: its records stay.
#[test]
fn a_start_beyond_the_end_deletes_nothing_after_a_clean_stop() {
    for clean in [true, false] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        append_many(&mut log, 100);
        checkpoint(&directory, &log);
        if clean {
            log.close().unwrap();
            assert!(directory.close(1).unwrap());
        } else {
            drop((log, directory));
        }
        let before = files(&home);
        std::fs::write(home.dir.path().join("log-start-offset-checkpoint"), "0\n1\ntopic 0 950\n").unwrap();
        let opened = Log::open(&home.open(), open_with(small()));
        if !clean {
            let log = opened.unwrap().0;
            assert_eq!((log.log_start_offset(), log.end_offset()), (950, 950));
            continue;
        }
        let Err(OpenError::Damaged(damage)) = opened else { panic!("{opened:?}") };
        let reason = DamageReason::EndsBelowStart { log_start_offset: 950, end_offset: 100 };
        assert_eq!(damage.reason, reason);
        assert_eq!(files(&home), before);
    }
}

/// The recovery point distinguishes a gap that compaction has left before a segment from a loss. Without it the log was
/// truncated there, and everything after it was lost.
#[test]
fn without_recovery_points_nothing_is_cut_but_a_torn_end() {
    use std::fs::{read, remove_file, write};
    let points = "recovery-point-offset-checkpoint";
    let lose: [fn(&Path); 2] = [|path| write(path, "noise").unwrap(), |path| remove_file(path).unwrap()];
    for lose in lose {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        append_many(&mut log, 100);
        checkpoint(&directory, &log);
        directory.checkpoint_high_watermarks().unwrap();
        let segments = log.segments();
        let one = batch(1, NOW_MS, 100).len();
        let second = path_of(&home, log.closed[1].base_offset(), ".log");
        let last = path_of(&home, log.active.base_offset(), ".log");
        drop((log, directory));
        lose(&home.dir.path().join(points));
        // Compaction has removed the last batch of the second segment, and the end of the last is torn.
        let (whole, mut torn) = (read(&second).unwrap(), read(&last).unwrap());
        write(&second, &whole[..whole.len() - one]).unwrap();
        torn.extend([7; 50]);
        write(&last, &torn).unwrap();
        let copy = Home::new();
        home.dir.copy_to(&copy.dir);
        let (log, recovered) = open_log(&copy.open(), small());
        assert_eq!((log.end_offset(), log.segments(), contents(&log).len()), (100, segments, 99));
        assert_eq!(recovered.truncation.unwrap().bytes, 50);
        // A log is not truncated at damage to batches that may have been durable.
        let mut damaged = whole;
        damaged[one + 80] ^= 1;
        write(&second, &damaged).unwrap();
        let before = files(&home);
        let opened = Log::open(&home.open(), open_with(small()));
        let Err(OpenError::Damaged(damage)) = opened else { panic!("{opened:?}") };
        assert_eq!((&damage.path, damage.position), (&second, one as u64));
        assert_eq!(files(&home), before);
        assert_eq!(read(&second).unwrap(), damaged);
    }
}
