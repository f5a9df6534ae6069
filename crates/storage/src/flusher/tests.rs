#![allow(clippy::disallowed_methods, reason = "tests have threads of their own")]

use std::sync::atomic::AtomicUsize;
use std::thread;

use crate::testing::*;
use crate::{Log, LogConfig, OpenLog, TopicPartition};

use super::*;

fn open_many(directory: &crate::LogDirectory, logs: usize) -> Vec<Log> {
    let partition = |n| TopicPartition { topic: format!("topic-{n}"), partition: 0 };
    let open = |n| OpenLog { partition: partition(n), ..open_with(small()) };
    (0..logs).map(|n| Log::open(directory, open(n)).unwrap().0).collect()
}

#[test]
fn one_round_covers_all_that_wait() {
    let home = Home::new();
    let directory = home.open();
    let mut logs = open_many(&directory, 4);
    let flusher = directory.flusher();
    assert_eq!(flusher.run_round(), 0);
    for log in &mut logs[..3] {
        for _ in 0..5 {
            append(log, &batch(1, NOW_MS, 10)).unwrap();
            log.enqueue_flush();
        }
    }
    append(&mut logs[3], &batch(1, NOW_MS, 10)).unwrap();
    home.faults.take_done();
    assert_eq!(flusher.run_round(), 3);
    let flushed: Vec<_> = logs.iter().map(Log::flushed_offset).collect();
    assert_eq!(flushed, [5, 5, 5, 0]);
    let done = home.faults.take_done();
    let synced = done
        .iter()
        .filter(|(op, path)| *op == fs::Operation::Sync && path.ends_with("00000000000000000000.log"));
    assert_eq!(synced.count(), 3, "one sync for five batches");
    assert_eq!(flusher.run_round(), 0);
}

#[test]
fn a_log_without_news_costs_no_sync() {
    let home = Home::new();
    let directory = home.open();
    let mut logs = open_many(&directory, 1);
    append(&mut logs[0], &batch(1, NOW_MS, 10)).unwrap();
    logs[0].flush().unwrap();
    home.faults.take_done();
    assert_eq!(logs[0].flush().unwrap(), 1);
    assert_eq!(home.faults.take_done(), []);
}

#[test]
fn a_log_that_was_dropped_is_not_kept() {
    let home = Home::new();
    let directory = home.open();
    let mut logs = open_many(&directory, 1);
    append(&mut logs[0], &batch(1, NOW_MS, 10)).unwrap();
    logs[0].enqueue_flush();
    drop(logs);
    let shared = Arc::downgrade(directory.shared());
    drop(directory);
    assert!(shared.upgrade().is_none(), "nor are its files");
}

#[test]
fn a_roll_moves_the_recovery_point_by_itself() {
    let home = Home::new();
    let directory = home.open();
    let mut logs = open_many(&directory, 1);
    while logs[0].segments() == 1 {
        append(&mut logs[0], &batch(1, NOW_MS, 200)).unwrap();
    }
    assert_eq!(directory.flusher().run_round(), 1);
    assert_eq!(logs[0].flushed_offset(), logs[0].end_offset());
}

#[test]
fn a_sync_before_a_truncation_says_nothing_after_it() {
    let home = Home::new();
    let directory = home.open();
    let (mut log, _) = open_log(&directory, LogConfig::default());
    for _ in 0..10 {
        append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    }
    log.flush().unwrap();
    log.truncate_to(4, NOW_MS).unwrap();
    assert_eq!(log.flushed_offset(), 4);
    append(&mut log, &batch(3, NOW_MS, 10)).unwrap();
    assert_eq!((log.end_offset(), log.flushed_offset()), (7, 4));
    assert_eq!(log.flush().unwrap(), 7);
}

#[test]
fn the_thread_serves_appends_until_it_is_stopped() {
    let home = Home::new();
    let directory = home.open();
    let logs = open_many(&directory, 3);
    let flushers: Vec<_> = (0..2)
        .map(|_| {
            let flusher = directory.flusher();
            thread::spawn(move || flusher.run())
        })
        .collect();
    let rounds = Arc::new(AtomicUsize::new(0));
    let appenders: Vec<_> = logs
        .into_iter()
        .map(|mut log| {
            let rounds = rounds.clone();
            thread::spawn(move || {
                let (told, news) = std::sync::mpsc::channel();
                let told = Mutex::new(told);
                log.set_flush_listener(Box::new(move |flushed| {
                    rounds.fetch_add(1, Ordering::Relaxed);
                    // A segment that was rolled is flushed once more, when no batch waits any longer.
                    let _ = told.lock().send(flushed.unwrap());
                }));
                for _ in 0..200 {
                    let last_offset = append(&mut log, &batch(1, NOW_MS, 100)).unwrap().last_offset;
                    log.enqueue_flush();
                    while news.recv().unwrap() <= last_offset {}
                    assert!(log.flushed_offset() > last_offset);
                }
                log
            })
        })
        .collect();
    let logs: Vec<_> = appenders.into_iter().map(|appender| appender.join().unwrap()).collect();
    directory.flusher().stop();
    for flusher in flushers {
        flusher.join().unwrap();
    }
    assert!(rounds.load(Ordering::Relaxed) >= 600);
    assert!(logs.iter().all(|log| log.flushed_offset() == 200));
}

/// A meeting of two threads: `true` for both, or `false` for one that waited too long.
#[derive(Default)]
struct Rendezvous(Mutex<usize>, parking_lot::Condvar);

impl Rendezvous {
    fn meet(&self) -> bool {
        let mut here = self.0.lock();
        *here += 1;
        self.1.notify_all();
        !self.1.wait_while_for(&mut here, |here| *here < 2, Duration::from_secs(30)).timed_out()
    }
}

#[test]
fn a_round_of_several_logs_is_aided() {
    let home = Home::new();
    let directory = home.open();
    let mut logs = open_many(&directory, 3);
    let (begun, aided) = (Arc::new(Rendezvous::default()), Arc::new(Rendezvous::default()));
    for (meeting, log) in [&begun, &aided, &aided].into_iter().zip(&mut logs) {
        let meeting = Arc::clone(meeting);
        log.set_flush_listener(Box::new(move |_| assert!(meeting.meet(), "nobody else flushes")));
        append(log, &batch(1, NOW_MS, 10)).unwrap();
    }
    let flusher = directory.flusher();
    thread::scope(|scope| {
        scope.spawn(|| flusher.run());
        scope.spawn(|| flusher.aid_timed(|| Duration::ZERO));
        while flusher.queue.lock().aids == 0 {
            thread::yield_now();
        }
        // While the listener of the first log runs, the others wait for the next round, in which both threads take
        // part.
        logs[0].enqueue_flush();
        logs[1].enqueue_flush();
        logs[2].enqueue_flush();
        assert!(begun.meet());
        flusher.stop();
    });
    assert!(logs.iter().all(|log| log.flushed_offset() == 1));
    assert_eq!(flusher.times().flushes, 3);
}

/// The flusher may sync a file between its opening and the write to it. The file then did not count as written any
/// more, and acknowledged bytes were never synced.
#[test]
fn a_sync_before_a_write_is_not_taken_for_one_after() {
    let home = Home::new();
    let directory = home.open();
    let partition =
        Arc::new(PartitionDir { name: Arc::new(name_of_log()), directory: directory.shared().clone() });
    directory.fs().create_dir_all(&partition.path()).unwrap();
    let segment = Segment::new(partition, 0);
    let file = segment.create(SegmentFile::Log).unwrap();
    segment.sync(SegmentFile::Log).unwrap();
    file.write_all_at(b"acknowledged", 0).unwrap();
    segment.written(SegmentFile::Log, &file).unwrap();
    home.faults.take_done();
    segment.sync(SegmentFile::Log).unwrap();
    let done = home.faults.take_done();
    assert!(matches!(done[..], [(fs::Operation::Sync, _)]), "{done:?}");
}
