//! A full disk, and one with only its reserve left.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use super::*;
use crate::fs::faults::Fault;
use crate::fs::simulated::Disk;
use crate::fs::{Fs, Mode};
use crate::testing::{append, append_from, small};
use crate::{LogDirectory, OpenDirectory};

const KIB: u64 = 1 << 10;

fn full(operation: Operation, path_end: &'static str, times: u32) -> Fault {
    Fault { operation, path_end, after: 0, times, error: ErrorKind::StorageFull }
}

/// A log directory on a simulated disk, with a file beside it that can make it full.
struct Volume {
    fs: Fs,
    directory: LogDirectory,
}

impl Volume {
    fn new(capacity_bytes: u64, reserved_bytes: u64) -> Volume {
        let disk = Disk::new(1);
        disk.set_capacity(capacity_bytes);
        let fs = Fs::simulated(disk);
        Volume { directory: Volume::open(&fs, reserved_bytes), fs }
    }

    fn open(fs: &Fs, reserved_bytes: u64) -> LogDirectory {
        let open = OpenDirectory { fs: fs.clone(), path: "/data".into(), open_files_max: 100 };
        let directory = LogDirectory::open(open).unwrap();
        directory.set_reserved_bytes(reserved_bytes);
        directory
    }

    fn usable_bytes(&self) -> u64 {
        self.directory.space().unwrap().usable_bytes
    }

    /// Leaves this many bytes free.
    fn leave(&self, bytes: u64) {
        let path = std::path::Path::new("/ballast");
        self.fs.remove_file_if_exists(path).unwrap();
        let ballast = self.fs.open(path, Mode::Create).unwrap();
        ballast.truncate(self.usable_bytes().saturating_sub(bytes)).unwrap();
    }
}

/// Appends until the disk is full. Returns the number of batches that were accepted.
fn fill(log: &mut Log, bytes: &[u8], origin: Origin) -> usize {
    let mut taken = 0;
    loop {
        match append_from(log, bytes, origin) {
            Ok(_) => taken += 1,
            Err(AppendError::Full(error)) => {
                assert!(error.is_full());
                return taken;
            }
            Err(error) => panic!("after {taken}: {error}"),
        }
    }
}

#[test]
fn trap_s6_the_reserve_is_for_what_makes_room() {
    let volume = Volume::new(8 << 20, 512 * KIB);
    let config = LogConfig { segment_bytes: 256 << 10, ..LogConfig::default() };
    let (mut log, _) = open_log(&volume.directory, config.clone());
    let other = TopicPartition { topic: "__consumer_offsets".into(), partition: 0 };
    let open =
        |partition: &TopicPartition| OpenLog { partition: partition.clone(), ..open_with(config.clone()) };
    let (mut offsets, _) = Log::open(&volume.directory, open(&other)).unwrap();
    let client = batch(1, NOW_MS, 30_000);
    let taken = fill(&mut log, &client, Origin::Client);
    assert!((240..270).contains(&taken), "{taken}");
    assert_eq!(contents(&log).len(), taken, "all that was taken is read");
    let left = volume.usable_bytes();
    assert!((512 * KIB..512 * KIB + 40_000).contains(&left), "{left}");
    assert!(append(&mut offsets, &batch(1, NOW_MS, 10)).is_err(), "the directory is full, not a log");
    assert!(volume.directory.look_at_room().unwrap());

    let committed = fill(&mut offsets, &batch(1, NOW_MS, 1000), Origin::Coordinator);
    assert!(committed > 200, "{committed}");
    let left = volume.usable_bytes();
    assert!((256 * KIB..256 * KIB + 10_000).contains(&left), "half of the reserve: {left}");
    let end_offset = offsets.end_offset();
    let mut metadata = batch(1, NOW_MS, 100_000);
    metadata[..8].copy_from_slice(&end_offset.to_be_bytes());
    offsets.append_with_offsets(&metadata, NOW_MS).unwrap().unwrap();
    assert_eq!(log.flush().unwrap(), log.end_offset());
    volume.directory.checkpoint_log_offsets().unwrap();

    // After a restart in this state it is as before.
    drop((log, offsets));
    let Volume { fs, directory } = volume;
    drop(directory);
    let volume = Volume { directory: Volume::open(&fs, 512 * KIB), fs };
    let (mut log, _) = open_log(&volume.directory, config.clone());
    let (offsets, _) = Log::open(&volume.directory, open(&other)).unwrap();
    assert_eq!((contents(&log).len(), contents(&offsets).len()), (taken, committed + 1));
    assert!(matches!(append(&mut log, &client), Err(AppendError::Full(_))));

    // Deleting records frees space, and records of clients are accepted again.
    log.set_high_watermark(log.end_offset());
    log.delete_records(40, NOW_MS).unwrap();
    for deleted in log.take_due_deletions(i64::MAX) {
        deleted.remove().unwrap();
    }
    assert!(append(&mut log, &client).is_err(), "nobody has looked yet");
    assert!(!volume.directory.look_at_room().unwrap());
    append(&mut log, &client).unwrap();
}

#[test]
fn a_repeated_batch_is_answered_on_a_full_disk() {
    let volume = Volume::new(8 << 20, 512 * KIB);
    let (mut log, _) = open_log(&volume.directory, small());
    append(&mut log, &producer_batch(1, 0, 0, 1)).unwrap();
    volume.leave(256 * KIB);
    assert!(volume.directory.look_at_room().unwrap());
    assert!(matches!(append(&mut log, &producer_batch(1, 0, 1, 1)), Err(AppendError::Full(_))));
    let appended = append(&mut log, &producer_batch(1, 0, 0, 1)).unwrap();
    assert!(appended.duplicate);
    volume.leave(4 << 20);
    assert!(!volume.directory.look_at_room().unwrap());
    let appended = append(&mut log, &producer_batch(1, 0, 1, 1)).unwrap();
    assert_eq!((appended.base_offset, appended.duplicate), (1, false));
}

#[test]
fn trap_s6_a_disk_filled_to_its_last_byte_loses_nothing_and_goes_on() {
    // Every amount of free space at the end: within a header, a batch, an index, a snapshot, a roll.
    for left in (0..16).map(|blocks| blocks * 512) {
        let volume = Volume::new(1 << 20, 0);
        let (mut log, _) = open_log(&volume.directory, small());
        append(&mut log, &producer_batch(1, 0, 0, 1)).unwrap();
        log.flush().unwrap();
        volume.leave(40 * 512 + left);
        let mut taken = 1;
        for n in 1.. {
            match append(&mut log, &producer_batch(1, 0, n, 1)) {
                Ok(_) => taken += 1,
                Err(AppendError::Full(_)) => break,
                Err(error) => panic!("{left}: {error}"),
            }
        }
        assert!(taken > 50, "{left}: {taken}");
        assert_eq!(contents(&log).len(), taken, "{left}");
        assert_eq!(log.flush().unwrap(), taken as i64, "{left}: a sync needs no room");
        drop(log);
        let Volume { fs, directory } = volume;
        drop(directory);
        let volume = Volume { directory: Volume::open(&fs, 0), fs };
        let (mut log, _) = open_log(&volume.directory, small());
        assert_eq!(contents(&log).len(), taken, "{left}: opened on the full disk");
        let sequence = i32::try_from(taken).unwrap();
        volume.leave(100 * 512);
        append(&mut log, &producer_batch(1, 0, sequence, 1)).unwrap();
        assert_eq!(log.flush().unwrap(), taken as i64 + 1);
        log.close().unwrap();
        let (log, recovered) = open_log(&volume.directory, small());
        assert!(recovered.clean);
        assert_eq!(contents(&log).len(), taken + 1, "{left}");
    }
}

#[test]
fn leader_epochs_that_find_no_room_wait_and_nobody_is_told() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let told = Arc::new(AtomicI64::new(-1));
    let last = told.clone();
    log.set_flush_listener(Box::new(move |flushed| last.store(flushed.unwrap(), Ordering::Relaxed)));
    log.assign_epoch(3);
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    log.enqueue_flush();
    home.faults.add(full(Operation::Write, "leader-epoch-checkpoint.tmp", 2));
    directory.flusher().run_round();
    assert_eq!((told.load(Ordering::Relaxed), log.flushed_offset()), (-1, 0), "nothing is durable");
    directory.check().unwrap();
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    assert!(matches!(log.flush(), Err(WriteError::Full(_))));
    assert_eq!(directory.flusher().run_round(), 1, "it was kept in mind");
    assert_eq!((told.load(Ordering::Relaxed), log.flushed_offset()), (2, 2));
    let epochs = std::fs::read_to_string(home.file("leader-epoch-checkpoint")).unwrap();
    assert!(epochs.contains("0 0"), "{epochs}");
    assert_eq!(directory.flusher().run_round(), 0);
}

#[test]
fn a_log_that_waits_for_room_is_flushed_by_the_thread_that_flushes() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    let (told, is_told) = std::sync::mpsc::channel();
    log.set_flush_listener(Box::new(move |flushed| told.send(flushed.unwrap()).unwrap()));
    log.assign_epoch(3);
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    home.faults.add(full(Operation::Open, "leader-epoch-checkpoint.tmp", 1));
    log.enqueue_flush();
    let flusher = directory.flusher();
    let running = flusher.clone();
    let thread = std::thread::spawn(move || running.run());
    assert_eq!(is_told.recv_timeout(std::time::Duration::from_secs(20)), Ok(1));
    flusher.stop();
    thread.join().unwrap();
}

#[test]
fn trap_s5_a_sync_that_finds_no_room_is_a_failed_sync() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, small());
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    home.faults.add(full(Operation::Sync, ".log", 1));
    assert!(matches!(log.flush(), Err(WriteError::Offline(_))));
    assert!(matches!(append(&mut log, &batch(1, NOW_MS, 10)), Err(AppendError::Offline(_))));
}

#[test]
fn an_abort_that_its_index_has_no_room_for_is_none() {
    for operation in [Operation::Open, Operation::Write] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        append_from(&mut log, &txn_batch(1, 0, 0, 1), Origin::Client).unwrap();
        append_from(&mut log, &txn_batch(2, 0, 0, 1), Origin::Client).unwrap();
        let abort = end_txn(1, 0, false);
        let origin = Origin::Marker { transaction_version: 0 };
        home.faults.add(full(operation, ".txnindex", 1));
        let error = append_from(&mut log, &abort, origin).unwrap_err();
        assert!(matches!(error, AppendError::Full(_)), "{error}");
        log.set_high_watermark(log.end_offset());
        assert_eq!((log.end_offset(), log.last_stable_offset()), (2, 0), "the transaction is open still");
        let len = std::fs::metadata(path_of(&home, 0, ".log")).unwrap().len();
        assert_eq!(len, log.size_bytes(), "the marker is cut");
        append_from(&mut log, &abort, origin).unwrap();
        append_from(&mut log, &end_txn(2, 0, true), origin).unwrap();
        log.set_high_watermark(log.end_offset());
        let expected =
            crate::AbortedTxn { producer_id: 1, first_offset: 0, last_offset: 2, last_stable_offset: 1 };
        assert_eq!(log.aborted_transactions(0, 10).unwrap(), [expected]);
        log.close().unwrap();
        let (log, _) = open_log(&directory, small());
        assert_eq!(log.aborted_transactions(0, 10).unwrap(), [expected]);
        assert_eq!(log.end_offset(), 4);
    }
}

#[test]
fn trap_s6_retention_makes_room_where_a_checkpoint_has_none() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { retention_bytes: 5_000, retention_ms: -1, file_delete_delay_ms: 0, ..small() };
    let (mut log, _) = open_log(&directory, config);
    while log.segments() < 8 {
        append(&mut log, &batch(1, NOW_MS, 500)).unwrap();
    }
    log.set_high_watermark(log.end_offset());
    log.flush().unwrap();
    directory.checkpoint_log_offsets().unwrap();
    home.faults.add(full(Operation::Write, "-checkpoint.tmp", 1_000));
    home.faults.take_done();
    let retained = log.apply_retention(NOW_MS).unwrap();
    assert!(retained.deleted_segments > 4, "{retained:?}");
    let synced =
        home.faults.take_done().iter().filter(|(operation, _)| *operation == Operation::SyncDir).count();
    assert!(synced >= retained.deleted_segments, "no two deletions are left for a loss of power to mix");
    directory.check().unwrap();
    let start = log.log_start_offset();
    for deleted in log.take_due_deletions(NOW_MS) {
        deleted.remove().unwrap();
    }
    home.faults.clear();
    log.close().unwrap();
    let (log, _) = open_log(&directory, small());
    assert_eq!((log.log_start_offset(), log.segments()), (start, 8 - retained.deleted_segments));
}

#[test]
fn old_segments_go_where_the_active_one_cannot_be_closed() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { retention_ms: 1000, ..small() };
    let (mut log, _) = open_log(&directory, config);
    while log.segments() < 2 {
        append(&mut log, &batch(1, NOW_MS, 500)).unwrap();
    }
    log.set_high_watermark(log.end_offset());
    log.flush().unwrap();
    home.faults.add(full(Operation::Open, ".log", 1));
    let retained = log.apply_retention(NOW_MS + 10_000).unwrap();
    assert_eq!((retained.deleted_segments, log.segments()), (1, 1));
    let retained = log.apply_retention(NOW_MS + 10_000).unwrap();
    assert_eq!((retained.deleted_segments, log.size_bytes()), (1, 0));
}

#[test]
fn a_log_opens_for_reading_where_recovery_has_no_room_to_write() {
    let home = Home::new();
    let directory = home.open();
    let config = LogConfig { index_interval_bytes: 0, ..LogConfig::default() };
    let (mut log, _) = open_log(&directory, config.clone());
    for n in 0..200 {
        append(&mut log, &batch(1, NOW_MS + n, 10)).unwrap();
    }
    log.assign_epoch(7);
    drop(log);
    drop(directory);
    let directory = home.open();
    for path_end in [".index", ".timeindex", ".snapshot", ".tmp"] {
        home.faults.add(full(Operation::Write, path_end, 1_000));
    }
    let (mut log, _) = open_log(&directory, config.clone());
    assert_eq!(contents(&log).len(), 200);
    assert_eq!(log.flushed_offset(), 0);
    home.faults.clear();
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    assert_eq!(log.flush().unwrap(), 201);
    log.close().unwrap();
    assert_eq!(contents(&open_log(&directory, config).0).len(), 201);
}

#[test]
fn a_partition_that_found_no_room_when_it_was_made_is_as_durable_as_another() {
    for (operation, path_end) in
        [(Operation::Write, "partition.metadata"), (Operation::Open, ".log"), (Operation::Open, ".timeindex")]
    {
        let home = Home::new();
        let directory = home.open();
        home.faults.add(full(operation, path_end, 1));
        let error = Log::open(&directory, open_with(small())).unwrap_err();
        assert!(matches!(&error, OpenError::Fs(error) if error.is_full()), "{error}");
        home.faults.take_done();
        let (mut log, _) = open_log(&directory, small());
        append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
        log.flush().unwrap();
        let synced: Vec<_> = home.faults.take_done();
        let of = |path: PathBuf| synced.contains(&(Operation::SyncDir, path));
        assert!(of(home.dir.path().to_owned()), "{path_end}: the partition's directory is new: {synced:?}");
        assert!(synced.contains(&(Operation::Sync, home.file("partition.metadata"))), "{synced:?}");
    }
}

#[test]
fn a_pass_that_meets_a_full_disk_leaves_nothing_behind() {
    for (operation, path_end) in [
        (Operation::Write, ".log.cleaned"),
        (Operation::Write, ".index.cleaned"),
        (Operation::Open, ".timeindex.cleaned"),
    ] {
        let home = Home::new();
        let directory = home.open();
        let config = LogConfig { compact: true, delete: false, ..small() };
        let (mut log, _) = open_log(&directory, config);
        while log.segments() < 4 {
            let mut builder = BatchBuilder::new(Compression::None);
            builder.push(NOW_MS, Some(&log.end_offset().to_be_bytes()), Some(&[b'v'; 100]), &[]);
            append(&mut log, &builder.build()).unwrap();
        }
        log.set_high_watermark(log.end_offset());
        let mut map = crate::OffsetMap::new(1 << 20, 0.9);
        let mut pass = |log: &Log| {
            let plan = log.clean_plan(None, NOW_MS).unwrap();
            let mut cleaning = plan.start(&mut map, &mut |_| Ok(()))?;
            cleaning.next_group(&mut |_| Ok(()))
        };
        home.faults.add(full(operation, path_end, 1));
        let error = pass(&log).unwrap_err();
        assert!(matches!(&error, crate::CleanError::Fs(error) if error.is_full()), "{error}");
        assert!(files(&home).iter().all(|name| !name.contains(".cleaned")), "{:?}", files(&home));
        directory.check().unwrap();
        assert!(pass(&log).unwrap().is_some());
    }
}

#[test]
fn a_pass_leaves_half_of_the_reserve() {
    let volume = Volume::new(8 << 20, 768 * KIB);
    let config = LogConfig { compact: true, delete: false, segment_bytes: 256 << 10, ..LogConfig::default() };
    let (mut log, _) = open_log(&volume.directory, config);
    // Every key is different, so that nothing can be removed.
    let sent = AtomicUsize::new(0);
    while log.segments() < 4 {
        let mut builder = BatchBuilder::new(Compression::None);
        let key = sent.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        builder.push(NOW_MS, Some(&key), Some(&[b'v'; 30_000]), &[]);
        append(&mut log, &builder.build()).unwrap();
    }
    log.set_high_watermark(log.end_offset());
    volume.leave(512 * KIB);
    assert!(volume.directory.look_at_room().unwrap());
    let plan = log.clean_plan(None, NOW_MS).unwrap();
    let mut map = crate::OffsetMap::new(1 << 20, 0.9);
    let mut cleaning = plan.start(&mut map, &mut |_| Ok(())).unwrap();
    let error = cleaning.next_group(&mut |_| Ok(())).unwrap_err();
    assert!(matches!(&error, crate::CleanError::Fs(error) if error.is_full()), "{error}");
    assert!(volume.usable_bytes() >= 384 * KIB);
}

/// A full disk is not a broken one: the other partitions continue.
#[test]
fn a_log_that_has_no_room_to_begin_anew_stays_as_it_is() {
    for offset in [0, 3, 10, 1000] {
        let home = Home::new();
        let directory = home.open();
        let (mut log, _) = open_log(&directory, small());
        append(&mut log, &batch(10, NOW_MS, 10)).unwrap();
        log.set_high_watermark(10);
        log.delete_records(5, NOW_MS).unwrap();
        log.flush().unwrap();
        directory.checkpoint_log_offsets().unwrap();
        for (operation, error) in
            [(Operation::Open, ErrorKind::StorageFull), (Operation::Write, ErrorKind::StorageFull)]
        {
            let path_end = if offset < 10 { "-checkpoint.tmp" } else { "log-start-offset-checkpoint.tmp" };
            home.faults.add(Fault { operation, path_end, after: 0, times: 1, error });
            let error = log.truncate_fully_and_start_at(offset, NOW_MS).unwrap_err();
            assert!(matches!(error, ChangeError::Full(_)), "{offset}: {error}");
            assert_eq!((log.log_start_offset(), log.end_offset(), contents(&log).len()), (5, 10, 1));
        }
        append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
        log.flush().unwrap();
        directory.check().unwrap();
        let crash = Home::new();
        home.dir.copy_to(&crash.dir);
        let (after, _) = open_log(&crash.open(), small());
        assert_eq!((after.log_start_offset(), after.end_offset()), (5, 11), "{offset}");
        log.truncate_fully_and_start_at(offset, NOW_MS).unwrap();
        assert_eq!((log.log_start_offset(), log.end_offset()), (offset, offset));
    }
}
