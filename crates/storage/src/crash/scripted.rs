//! Crashes that random histories have met.

use std::path::Path;

use super::history::History;
use crate::fs::simulated::CAPACITY_BYTES;
use crate::fs::{Fs, Mode};
use crate::names::{SegmentFile, offset_path};
use crate::testing::{NOW_MS, batch};
use crate::{Log, Origin};

/// Runs a scenario up to a loss of power and checks the rest, with many seeds for the changes that survive.
fn with_many_seeds(until_crash: impl Fn(&mut History)) {
    for seed in 0..100 {
        let mut history = History::new(seed);
        for partition in &mut history.partitions {
            partition.config.compact = false;
        }
        until_crash(&mut history);
        for partition in &mut history.partitions {
            partition.remember(true);
        }
        history.disk.cut_power();
        history.recover();
    }
}

fn log(history: &mut History) -> &mut Log {
    history.partitions[0].log()
}

fn append(history: &mut History, times: usize, value_bytes: usize) {
    let bytes = batch(1, NOW_MS, value_bytes);
    for _ in 0..times {
        history.partitions[0].append(&bytes, Origin::Client);
    }
}

/// A loss of power undid a truncation: the segment reached into those begun after it, and the log did not open.
#[test]
fn a_truncation_is_durable_before_a_segment_follows() {
    with_many_seeds(|history| {
        append(history, 5, 100);
        log(history).flush().expect("the power is there");
        log(history).truncate_to(2, NOW_MS).expect("the power is there");
        let partition = &mut history.partitions[0];
        let removed = partition.entries.split_off(2).into_iter();
        partition.others.extend(removed.map(|entry| (entry.header.base_offset, entry.bytes)));
        append(history, 2, 1900);
        assert!(log(history).segments() > 1);
    });
}

/// Of several unsynced segments a loss of power left only a later one, and the log opened as if it began there.
#[test]
fn a_log_whose_beginning_is_lost_begins_anew() {
    with_many_seeds(|history| {
        append(history, 3, 1900);
        assert_eq!(log(history).segments(), 3);
    });
}

/// A loss of power undid some of the renames of deleting several segments, which left a hole between segments.
#[test]
fn segments_that_were_deleted_leave_no_hole_when_they_come_back() {
    with_many_seeds(|history| {
        append(history, 5, 1200);
        let end_offset = log(history).flush().expect("the power is there");
        log(history).set_high_watermark(end_offset);
        log(history).delete_records(end_offset - 1, NOW_MS).expect("the power is there");
        assert_eq!(log(history).segments(), 1);
    });
}

/// Recovery dropped a segment and found no space to write a snapshot. The next loss of power brought the segment back,
/// after batches that were appended since.
#[test]
fn a_segment_that_is_given_up_on_a_full_disk_does_not_come_back() {
    with_many_seeds(|history| {
        append(history, 1, 900);
        append(history, 1, 800);
        append(history, 1, 1900);
        assert_eq!(log(history).segments(), 2);
        let (fs, path) = (Fs::simulated(history.disk.clone()), Path::new("/data/topic-0"));
        for base_offset in [0, 2] {
            let path = offset_path(path, base_offset, SegmentFile::Log.suffix());
            fs.open(&path, Mode::Write).and_then(|file| file.sync_data()).expect("the power is there");
        }
        for path in [path, Path::new("/data"), Path::new("/")] {
            fs.sync_dir(path).expect("the power is there");
        }
        // The second batch is torn, and everything written is durable, although no checkpoint says so.
        let torn = offset_path(path, 0, SegmentFile::Log.suffix());
        history.disk.flip(&torn, 1200, 0);
        history.drop_all();
        history.disk.restart();
        history.disk.set_capacity(0);
        let recovered = history.open().expect("a full disk is no reason");
        assert!(recovered[0].truncation.is_some() && log(history).end_offset() == 1);
        assert_eq!(log(history).flushed_offset(), 0, "nothing is known to be durable");
        history.disk.set_capacity(CAPACITY_BYTES);
        history.partitions[0].entries.truncate(1);
        append(history, 1, 700);
        append(history, 1, 1800);
        assert_eq!(log(history).segments(), 2);
    });
}

/// A log that was emptied twice, the second time to begin lower. A loss of power may leave either of the two
/// checkpoints, of which only the first says so, and any of the files of the first time.
#[test]
fn a_log_that_is_emptied_twice_opens_wherever_the_power_goes() {
    for seed in 0..40 {
        for point in 1.. {
            let mut history = History::new(seed);
            append(&mut history, 3, 100);
            let disk = history.disk.clone();
            let log = log(&mut history);
            log.flush().expect("the power is there");
            log.truncate_fully_and_start_at(100, NOW_MS).expect("the power is there");
            let directory = history.directory.as_ref().expect("it is open");
            directory.checkpoint_log_offsets().expect("the power is there");
            let log = history.partitions[0].log();
            disk.cut_power_at(disk.points() + point);
            let emptied = log.truncate_fully_and_start_at(40, NOW_MS).is_ok();
            history.drop_all();
            disk.cut_power();
            disk.reboot();
            history.open().expect("nothing is missing");
            let log = history.partitions[0].log();
            let range = (log.log_start_offset(), log.end_offset());
            assert!(
                range == (40, 40) || (!emptied && range == (100, 100)),
                "seed {seed}, {point}: {range:?}"
            );
            if emptied {
                break;
            }
        }
    }
}
