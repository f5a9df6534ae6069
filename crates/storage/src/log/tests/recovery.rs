//! Opening a log again, after a clean shutdown and after a crash.

use super::*;
use crate::LogDirectory;
use crate::testing::{append, small};

/// A directory as it was at a moment, to be opened in the state that a crash might have left.
struct Crash {
    home: Home,
}

impl Crash {
    fn of(home: &Home) -> Crash {
        let crash = Home::new();
        home.dir.copy_to(&crash.dir);
        Crash { home: crash }
    }

    fn open(&self) -> (Log, RecoveryReport) {
        open_log(&self.home.open(), small())
    }

    fn try_open(&self, accept_damage: bool) -> Result<(Log, RecoveryReport), OpenError> {
        Log::open(&self.home.open(), OpenLog { accept_damage, ..open_with(small()) })
    }
}

/// Appends batches of one record.
pub(super) fn append_many(log: &mut Log, batches: i64) {
    for n in 0..batches {
        append(log, &batch(1, NOW_MS + n, 100)).unwrap();
    }
}

/// Makes the log durable and says so in the checkpoint.
pub(super) fn checkpoint(directory: &LogDirectory, log: &Log) {
    log.flush().unwrap();
    directory.checkpoint_log_offsets().unwrap();
}

#[test]
fn after_a_clean_stop_nothing_is_scanned() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { segment_bytes: 1 << 20, ..small() };
    let (mut log, _) = open_log(&directory, config.clone());
    for n in 0..3000 {
        append(&mut log, &producer_batch(5, 0, n * 3, 3)).unwrap();
    }
    append(&mut log, &txn_batch(6, 0, 0, 1)).unwrap();
    let (state, before) = (log.producers.clone(), contents(&log));
    log.close().unwrap();
    assert!(directory.close(17).unwrap());
    let clean_file = home.dir.path().join(".kafka_cleanshutdown");
    assert_eq!(std::fs::read_to_string(&clean_file).unwrap(), "{\"version\":0,\"brokerEpoch\":17}");
    let directory = home.open();
    assert!(directory.was_clean() && clean_file.exists());
    assert_eq!(directory.previous_broker_epoch(), Some(17));
    home.faults.take_done();
    let (mut log, recovered) = open_log(&directory, config);
    assert!(!clean_file.exists());
    assert_eq!(recovered, RecoveryReport { clean: true, ..RecoveryReport::default() });
    let done = home.faults.take_done();
    let reads = done.iter().filter(|(operation, _)| *operation == Operation::Read);
    assert!(reads.count() < 16, "{done:?}");
    let changed = |operation| matches!(operation, Operation::Write | Operation::Sync | Operation::Truncate);
    assert!(!done.iter().any(|(operation, _)| changed(*operation)), "{done:?}");
    assert_eq!((log.end_offset(), log.flushed_offset()), (9001, 9001));
    assert_eq!((&log.producers, contents(&log)), (&state, before));
    assert!(
        append(&mut log, &producer_batch(5, 0, 9000 - 15, 3)).unwrap().duplicate,
        "the fifth last batch is known"
    );
    append(&mut log, &producer_batch(5, 0, 9000, 3)).unwrap();
}

#[test]
fn only_what_is_past_the_recovery_point_is_scanned() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 100);
    checkpoint(&directory, &log);
    append_many(&mut log, 3);
    let crash = Crash::of(&home);
    let (log, recovered) = crash.open();
    let one = batch(1, NOW_MS, 100).len() as u64;
    assert_eq!(recovered, RecoveryReport { scanned_bytes: 3 * one, ..RecoveryReport::default() });
    assert_eq!((log.end_offset(), log.flushed_offset()), (103, 100), "what was found may be in memory only");
    assert_eq!(contents(&log).len(), 103);
    assert_eq!(log.flush().unwrap(), 103);
}

#[test]
fn what_is_found_past_the_recovery_point_is_synced_by_the_flusher() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 100);
    let crash = Crash::of(&home);
    let directory = crash.home.open();
    crash.home.faults.take_done();
    let synced = || {
        let done = crash.home.faults.take_done();
        done.into_iter().filter(|(done, _)| matches!(done, Operation::Sync | Operation::SyncDir)).count()
    };
    let (log, recovered) = open_log(&directory, small());
    assert!(recovered.truncation.is_none() && recovered.scanned_bytes > 0);
    assert_eq!((synced(), log.flushed_offset(), log.end_offset()), (0, 0, 100));
    log.enqueue_flush();
    directory.flusher().run_round();
    assert_eq!(log.flushed_offset(), 100);
    assert!(synced() > log.segments(), "every segment, and the snapshots");
}

#[test]
fn trap_s1_a_torn_tail_is_cut_at_the_last_whole_batch() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 20);
    checkpoint(&directory, &log);
    for n in 0..4 {
        append(&mut log, &producer_batch(1, 0, n * 2, 2)).unwrap();
    }
    log.finish().unwrap();
    let (durable, one) = (20 * batch(1, NOW_MS, 100).len(), producer_batch(1, 0, 0, 2).len());
    let crash = Crash::of(&home);
    let path = path_of(&crash.home, 0, ".log");
    assert_eq!(log.segments(), 1);
    for cut in (durable..=durable + 4 * one).rev() {
        home.dir.copy_to(&crash.home.dir);
        std::fs::File::options().write(true).open(&path).unwrap().set_len(cut as u64).unwrap();
        let (mut log, recovered) = crash.open();
        let whole = (cut - durable) / one;
        assert_eq!(log.end_offset(), 20 + 2 * whole as i64, "{cut}");
        assert_eq!(contents(&log).len(), 20 + whole);
        let torn = (cut - durable) % one;
        assert_eq!(recovered.truncation.as_ref().map_or(0, |cut| cut.bytes), torn as u64);
        assert!(recovered.truncation.is_none_or(|cut| !cut.batches_followed));
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, cut - torn);
        // The producer continues after its last whole batch.
        let next = append(&mut log, &producer_batch(1, 0, 2 * whole as i32, 2)).unwrap();
        assert_eq!((next.base_offset, next.duplicate), (20 + 2 * whole as i64, false));
    }
}

#[test]
fn trap_s2_zeros_at_the_end_and_in_the_middle_are_not_batches() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 5);
    checkpoint(&directory, &log);
    append_many(&mut log, 10);
    let one = batch(1, NOW_MS, 100).len();
    for (from, to, whole, followed, only_zeros) in [
        (15 * one, 15 * one + 4000, 15, false, true),
        (15 * one, 15 * one + 1_000_000, 15, false, true),
        (14 * one, 15 * one, 14, false, true),
        (14 * one + 100, 15 * one, 14, false, false),
        (8 * one + 70, 9 * one, 8, true, false),
        (8 * one, 9 * one, 8, false, false),
        (5 * one, 15 * one, 5, false, true),
    ] {
        let crash = Crash::of(&home);
        let path = path_of(&crash.home, 0, ".log");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.resize(bytes.len().max(to), 0);
        bytes[from..to].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        let (log, recovered) = crash.open();
        assert_eq!((log.end_offset(), contents(&log).len()), (whole, whole as usize), "{from}");
        let cut = recovered.truncation.unwrap();
        assert_eq!((cut.batches_followed, cut.only_zeros), (followed, only_zeros), "{from}");
    }
}

#[test]
fn segments_after_a_cut_go() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 100);
    assert!(log.segments() > 3);
    let crash = Crash::of(&home);
    let second = log.closed[1].base_offset();
    let path = path_of(&crash.home, second, ".log");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 30;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (log, recovered) = crash.open();
    // The segments are alike: the first begins at zero.
    let third = 2 * second;
    assert_eq!((log.end_offset(), log.segments()), (third - 1, 2));
    let cut = recovered.truncation.unwrap();
    assert!(cut.batches_followed && cut.damage.path == path);
    assert_eq!(contents(&log).len() as i64, third - 1);
    assert!(log.snapshots.iter().all(|snapshot| *snapshot < third));
}

#[test]
fn what_was_durable_is_not_given_up_silently() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 10);
    checkpoint(&directory, &log);
    append_many(&mut log, 2);
    let one = batch(1, NOW_MS, 100).len();
    // The file ends below the recovery point.
    let crash = Crash::of(&home);
    let path = path_of(&crash.home, 0, ".log");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(9 * one as u64).unwrap();
    match crash.try_open(false) {
        Err(OpenError::Damaged(damage)) => {
            let position = 9 * one as u64;
            let reason = crate::DamageReason::Missing { durable_offset: 10 };
            assert_eq!(damage, Damage { path: path.clone(), position, reason });
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 9 * one as u64, "it is as it was");
    let (log, _) = crash.try_open(true).unwrap();
    assert_eq!(log.end_offset(), 9);
    drop(log);
    // A header below it is overwritten.
    let crash = Crash::of(&home);
    let path = path_of(&crash.home, 0, ".log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[7 * one + 8..7 * one + 20].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    match crash.try_open(false) {
        Err(OpenError::Damaged(damage)) => {
            assert_eq!((damage.path, damage.position), (path.clone(), 7 * one as u64));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is as it was");
    let (log, recovered) = crash.try_open(true).unwrap();
    assert_eq!((log.end_offset(), recovered.truncation.unwrap().bytes), (7, 5 * one as u64));
    // All of it is missing.
    let crash = Crash::of(&home);
    for name in files(&crash.home) {
        std::fs::remove_file(crash.home.file(&name)).unwrap();
    }
    assert!(matches!(crash.try_open(false), Err(OpenError::Damaged(_))));
    assert_eq!(crash.try_open(true).unwrap().0.end_offset(), 0);
}

#[test]
fn a_clean_stop_that_is_a_lie_is_noticed() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 10);
    log.close().unwrap();
    directory.close(-1).unwrap();
    let crash = Crash::of(&home);
    let path = path_of(&crash.home, 0, ".log");
    let len = std::fs::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(len - 1).unwrap();
    assert!(matches!(crash.try_open(false), Err(OpenError::Damaged(_))));
}

#[test]
fn trap_s8_indexes_are_those_of_the_log() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 40);
    log.flush().unwrap();
    directory.checkpoint_log_offsets().unwrap();
    append_many(&mut log, 20);
    log.active.finish().unwrap();
    let active = log.active.base_offset();
    let expected = entries(&home, active);
    assert!(expected.0.len() > 5);
    let index = std::fs::read(path_of(&home, active, ".index")).unwrap();
    let times = std::fs::read(path_of(&home, active, ".timeindex")).unwrap();
    let zeros = |bytes: &[u8], from: usize| [&bytes[..from.min(bytes.len())], &[0; 500]].concat();
    let cases: [(Vec<u8>, Vec<u8>); 9] = [
        (Vec::new(), Vec::new()),
        (zeros(&index, 24), zeros(&times, 36)),
        (zeros(&index, 0), zeros(&times, 0)),
        (zeros(&index, 100), zeros(&times, 0)),
        (index[..20].to_vec(), times.clone()),
        (index.clone(), times[..30].to_vec()),
        (vec![0xff; 80], vec![0xff; 120]),
        (vec![1; 80], vec![1; 120]),
        ([&index[..], &[0; 4096]].concat(), [&times[..], &[0; 4096]].concat()),
    ];
    for (index, times) in cases {
        let crash = Crash::of(&home);
        std::fs::write(path_of(&crash.home, active, ".index"), index).unwrap();
        std::fs::write(path_of(&crash.home, active, ".timeindex"), times).unwrap();
        let (mut log, recovered) = crash.open();
        assert_eq!(recovered.truncation, None);
        log.active.finish().unwrap();
        assert_eq!(entries(&crash.home, active), expected);
        assert_eq!(contents(&log).len(), 60);
    }
}

#[test]
fn missing_indexes_of_any_segment_are_made_anew() {
    for clean in [true, false] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        append_many(&mut log, 100);
        let bases = [0, log.closed[1].base_offset(), log.active.base_offset()];
        log.close().unwrap();
        if clean {
            directory.close(-1).unwrap();
        } else {
            directory.checkpoint_log_offsets().unwrap();
        }
        let crash = Crash::of(&home);
        let expected = bases.map(|base| entries(&home, base));
        for (base, suffix) in [(bases[0], ".index"), (bases[1], ".timeindex"), (bases[2], ".index")] {
            std::fs::remove_file(path_of(&crash.home, base, suffix)).unwrap();
        }
        let (mut log, recovered) = crash.open();
        log.active.finish().unwrap();
        assert_eq!(recovered.rebuilt_indexes, if clean { 3 } else { 2 });
        assert_eq!(bases.map(|base| entries(&crash.home, base)), expected);
        assert_eq!(contents(&log).len(), 100);
    }
}

#[test]
fn trap_s8_a_snapshot_newer_than_the_log_is_not_used() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &producer_batch(1, 0, 0, 2)).unwrap();
    checkpoint(&directory, &log);
    let state = log.producers.clone();
    let durable = log.size_bytes();
    append(&mut log, &producer_batch(1, 0, 2, 2)).unwrap();
    log.finish().unwrap();
    assert!(path_of(&home, 4, ".snapshot").exists());
    let crash = Crash::of(&home);
    let path = path_of(&crash.home, 0, ".log");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(durable).unwrap();
    let (mut log, _) = crash.open();
    assert_eq!(log.producers, state);
    assert!(!path_of(&crash.home, 4, ".snapshot").exists());
    assert!(!append(&mut log, &producer_batch(1, 0, 2, 2)).unwrap().duplicate);
}

#[test]
fn a_damaged_snapshot_gives_way_to_an_older_one() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..100 {
        append(&mut log, &producer_batch(n % 3, 0, (n / 3) as i32, 1)).unwrap();
    }
    append(&mut log, &txn_batch(7, 0, 0, 1)).unwrap();
    let state = log.producers.clone();
    log.close().unwrap();
    directory.close(-1).unwrap();
    let snapshots = files(&home).into_iter().filter(|name| name.ends_with(".snapshot"));
    let snapshots: Vec<_> = snapshots.collect();
    assert!(snapshots.len() > 2);
    for damaged in 0..=snapshots.len() {
        let crash = Crash::of(&home);
        for (n, name) in snapshots.iter().rev().take(damaged).enumerate() {
            let len = if n % 2 == 0 { 0 } else { 30 };
            let file = std::fs::File::options().write(true).open(crash.home.file(name)).unwrap();
            file.set_len(len).unwrap();
        }
        let (log, _) = crash.open();
        assert_eq!(log.producers, state, "{damaged} damaged");
    }
}

#[test]
fn transactions_survive_a_crash() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let marker = Origin::Marker { transaction_version: 0 };
    for round in 0..40 {
        append(&mut log, &txn_batch(1, 0, round * 2, 2)).unwrap();
        append(&mut log, &txn_batch(2, 0, round, 1)).unwrap();
        append_from(&mut log, &end_txn(1, 0, round % 3 == 0), marker).unwrap();
        append_from(&mut log, &end_txn(2, 0, round % 2 == 0), marker).unwrap();
        if round == 17 {
            checkpoint(&directory, &log);
        }
    }
    append(&mut log, &txn_batch(1, 0, 80, 2)).unwrap();
    assert!(log.segments() > 3);
    log.set_high_watermark(log.end_offset());
    let aborted = log.aborted_transactions(0, log.end_offset()).unwrap();
    assert!(aborted.len() > 40);
    let stable = log.last_stable_offset();
    assert_eq!(stable, 200);
    let crash = Crash::of(&home);
    // The index of aborted transactions of the active segment is torn.
    let path = path_of(&crash.home, log.active.base_offset(), ".txnindex");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 20).unwrap();
    let (mut after, _) = crash.open();
    assert_eq!(after.aborted_transactions(0, after.end_offset()).unwrap(), aborted);
    after.set_high_watermark(after.end_offset());
    assert_eq!((after.last_stable_offset(), &after.producers), (stable, &log.producers));
}

#[test]
fn trap_s4_leader_epochs_come_from_the_log_where_their_file_does_not_have_them() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for epoch in 0..30 {
        let bytes = batch(3, NOW_MS, 100);
        let valid = ValidBatch::trusted(&Batch::parse(&bytes).unwrap());
        log.append_as_leader(&bytes, &valid, epoch / 3 * 2, Origin::Client, NOW_MS).unwrap();
        if epoch == 10 {
            checkpoint(&directory, &log);
        }
    }
    assert!(log.segments() > 2);
    let expected = log.leader_epochs().to_vec();
    let crash = Crash::of(&home);
    let (after, _) = crash.open();
    assert_eq!(after.leader_epochs(), expected, "appended after the file was written");
    let crash = Crash::of(&home);
    std::fs::write(crash.home.file("leader-epoch-checkpoint"), "0\n5\n0 0").unwrap();
    let (after, _) = crash.open();
    assert_eq!(after.leader_epochs(), expected);
    after.flush().unwrap();
    let (text, path) = ("0\n10\n0 0\n", crash.home.file("leader-epoch-checkpoint"));
    assert!(std::fs::read_to_string(path).unwrap().starts_with(text), "and it is written again");
}

#[test]
fn leftovers_are_removed() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 3);
    let crash = Crash::of(&home);
    let own = files(&home);
    for name in [
        "00000000000000000000.log.deleted",
        "00000000000000000000.log.cleaned",
        "00000000000000000900.index",
        "00000000000000000900.txnindex",
        "leader-epoch-checkpoint.tmp",
    ] {
        std::fs::write(crash.home.file(name), "x").unwrap();
    }
    std::fs::write(crash.home.file("notes.txt"), "x").unwrap();
    crash.open().0.flush().unwrap();
    let mut expected = own;
    expected
        .extend(["00000000000000000003.snapshot", "leader-epoch-checkpoint", "notes.txt"].map(String::from));
    expected.sort();
    assert_eq!(files(&crash.home), expected);
    std::fs::write(crash.home.file("00000000000000000000.log.swap"), "x").unwrap();
    assert!(matches!(crash.try_open(false), Err(OpenError::Damaged(_))));
}

#[test]
fn trap_l6_a_directory_of_another_topic_of_that_name_is_refused() {
    let home = Home::new();
    let directory = home.open();
    drop(open_log(&directory, small()));
    match Log::open(&directory, OpenLog { topic_id: Some([8; 16]), ..open_with(small()) }) {
        Err(OpenError::TopicId { found, expected }) => assert_eq!((found, expected), ([7; 16], [8; 16])),
        other => panic!("{other:?}"),
    }
    let renamed = directory.rename_stray(&name_of_log(), "abc").unwrap();
    assert!(renamed.ends_with("topic-0.abc-stray"));
    let (log, _) = Log::open(&directory, OpenLog { topic_id: Some([8; 16]), ..open_with(small()) }).unwrap();
    assert_eq!(log.topic_id(), Some([8; 16]));
    // A crash may leave the file empty: it was created with the directory, before any batch.
    drop(log);
    std::fs::write(home.file("partition.metadata"), "").unwrap();
    assert_eq!(directory.topic_id(&name_of_log()).unwrap(), None);
    open_log(&directory, small());
    assert_eq!(directory.topic_id(&name_of_log()).unwrap(), Some([7; 16]));
}

#[test]
fn a_deleted_start_outlives_lost_batches() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 3);
    checkpoint(&directory, &log);
    let durable = log.size_bytes();
    append_many(&mut log, 7);
    log.set_high_watermark(10);
    log.delete_records(9, NOW_MS).unwrap();
    directory.checkpoint_log_offsets().unwrap();
    let crash = Crash::of(&home);
    let path = path_of(&crash.home, 0, ".log");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(durable).unwrap();
    let (log, _) = crash.open();
    assert_eq!((log.log_start_offset(), log.end_offset()), (9, 9));
}

#[test]
fn trap_s2_a_segment_that_ends_between_two_batches_is_not_whole() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append_many(&mut log, 100);
    let (first, second) = (log.closed[1].base_offset(), log.closed[2].base_offset());
    let one = batch(1, NOW_MS, 100).len() as u64;
    for left in [0, 1, (second - first) as u64 - 1] {
        let crash = Crash::of(&home);
        let path = path_of(&crash.home, first, ".log");
        std::fs::File::options().write(true).open(&path).unwrap().set_len(left * one).unwrap();
        let (log, recovered) = crash.open();
        let end_offset = first + left as i64;
        assert_eq!((log.end_offset(), contents(&log).len() as i64), (end_offset, end_offset));
        assert!(recovered.truncation.unwrap().batches_followed);
    }
}

#[test]
fn a_gap_before_a_segment_is_no_damage() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    for n in 0..30 {
        let mut builder =
            BatchBuilder::new(Compression::None).base_offset(n * 1000).partition_leader_epoch(0);
        builder.push(NOW_MS, None, Some(&[0; 1000]), &[]);
        log.append_with_offsets(&builder.build(), NOW_MS).unwrap();
    }
    assert!(log.segments() > 5);
    let crash = Crash::of(&home);
    let (log, recovered) = crash.open();
    assert_eq!((recovered.truncation, contents(&log).len(), log.end_offset()), (None, 30, 29_001));
}

/// If nothing were deleted, one snapshot per shutdown would stay for good.
#[test]
fn of_the_snapshots_that_stops_leave_the_newest_stays() {
    let home = Home::new();
    for stop in 0..6 {
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        for n in 0..7 {
            append(&mut log, &producer_batch(1, 0, 7 * stop + n, 1)).unwrap();
        }
        if stop == 2 {
            log.roll(log.end_offset(), NOW_MS).unwrap();
        }
        if stop == 4 {
            // Ends as by a crash.
            log.flush().unwrap();
            directory.checkpoint_log_offsets().unwrap();
        } else {
            log.close().unwrap();
            assert!(directory.close(1).unwrap());
        }
    }
    let (mut log, _) = open_log(&home.open(), small());
    let snapshots = files(&home).into_iter().filter(|name| name.ends_with(".snapshot"));
    let offsets: Vec<_> =
        snapshots.map(|name| crate::names::offset_of(&name, ".snapshot").unwrap()).collect();
    assert_eq!(offsets, [21, 42], "where a segment begins, and the newest");
    assert!(append(&mut log, &producer_batch(1, 0, 41, 1)).unwrap().duplicate);
}
