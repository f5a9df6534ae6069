//! The power goes at any step of a move: the log is in one of the two directories, with all that was durable.

use std::path::PathBuf;

use fastrand::Rng;

use super::*;
use crate::fs::Fs;
use crate::fs::simulated::Disk;
use crate::testing::open_with;
use crate::{LogConfig, OpenDirectory};

/// Two log directories, a log that moves from the first to the second, and what is known of it.
struct Two {
    random: Rng,
    disk: Arc<Disk>,
    log: Option<Log>,
    appended: Vec<(i64, Vec<u8>)>,
    /// The controller knows it in the second.
    assigned: bool,
    /// The steps of the move so far, for the message of a failure.
    moved: bool,
}

fn open(disk: &Arc<Disk>, path: &str) -> LogDirectory {
    let open =
        OpenDirectory { fs: Fs::simulated(disk.clone()), path: PathBuf::from(path), open_files_max: 20 };
    LogDirectory::open(open).expect("it opens")
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 2048, file_delete_delay_ms: 0, ..small() }
}

impl Two {
    fn new(seed: u64) -> (Two, LogDirectory, LogDirectory) {
        let disk = Disk::new(seed);
        let (a, b) = (open(&disk, "/a"), open(&disk, "/b"));
        let (log, _) = Log::open(&a, open_with(config())).unwrap();
        let random = Rng::with_seed(seed);
        let mut two =
            Two { random, disk, log: Some(log), appended: Vec::new(), assigned: false, moved: false };
        two.log().assign_epoch(0);
        (two, a, b)
    }

    fn log(&mut self) -> &mut Log {
        self.log.as_mut().expect("it is open")
    }

    /// Appends a batch. If that fails, the disk may have it.
    fn append(&mut self, bytes: &[u8]) {
        let base_offset = self.log().end_offset();
        if self.appended.last().is_none_or(|(last, _)| *last < base_offset) {
            self.appended.push((base_offset, bytes.to_vec()));
        }
        if append(self.log(), bytes).is_ok() {
            let end_offset = self.log().end_offset();
            self.log().set_high_watermark(end_offset);
        }
    }

    /// Appends and syncs a little, as producers do meanwhile.
    fn produce(&mut self) -> Result<(), CopyError> {
        for _ in 0..self.random.u8(..4) {
            let bytes = batch(self.random.usize(1..4), NOW_MS, self.random.usize(10..300));
            self.append(&bytes);
        }
        if self.random.bool() {
            self.log().flush()?;
        }
        if self.random.u8(..8) == 0 {
            let (start, end) = (self.log().log_start_offset(), self.log().end_offset());
            let offset = self.random.i64(start..=end);
            let _ = self.log().delete_records(offset, NOW_MS);
        }
        Ok(())
    }

    /// The whole move, with produce in between.
    fn relocate(&mut self, a: &LogDirectory, b: &LogDirectory) -> Result<(), CopyError> {
        let futures = b.futures();
        let mut future = match futures.first() {
            Some(dir) => FutureLog::resume(b, dir)?,
            None => FutureLog::create(b, &name_of_log(), Some([7; 16]), "0")?,
        };
        loop {
            self.produce()?;
            if !future.copy(&self.log().copy_source(), 1_500)?.caught_up {
                continue;
            }
            future.prepare(&self.log().copy_source())?;
            self.assigned = true;
            self.produce()?;
            let syncs = self.log().syncs();
            let paused = syncs.pause();
            if !future.copy(&self.log().copy_source(), 1_500)?.caught_up {
                continue;
            }
            // Appends do not wait for it.
            self.append(&batch(1, NOW_MS, 10));
            if self.log().relocate(&mut future, &paused)? {
                break;
            }
        }
        self.moved = true;
        self.produce_and_delete(a)
    }

    fn produce_and_delete(&mut self, a: &LogDirectory) -> Result<(), CopyError> {
        self.produce()?;
        self.log().flush()?;
        self.produce()?;
        let removed = a.rename_deleted(&name_of_log(), "1").map_err(CopyError::Full)?;
        a.remove(&removed).map_err(CopyError::Full)?;
        self.produce()?;
        self.log().flush()?;
        Ok(())
    }

    /// Opens the log after the crash, in the directory that a start would choose, and checks it.
    fn recover(mut self, seed: &str) -> (Two, LogDirectory, LogDirectory) {
        let (durable, start) = (self.log().flushed_offset(), self.log().log_start_offset());
        self.log = None;
        self.disk.reboot();
        let (a, b) = (open(&self.disk, "/a"), open(&self.disk, "/b"));
        let (in_a, in_b) = (a.holds(&name_of_log()), b.holds(&name_of_log()));
        assert!(in_a || in_b || durable == 0, "{seed}: the partition is nowhere");
        assert!(!in_b || self.assigned, "{seed}: the controller knows first");
        let place = if in_b { &b } else { &a };
        let opened = Log::open(place, open_with(config()));
        let (log, _) = opened.unwrap_or_else(|error| panic!("{seed}: {error}, in both: {}", in_a && in_b));
        let mut offset = log.log_start_offset();
        assert!(log.end_offset() >= durable, "{seed}: {} of {durable} is there", log.end_offset());
        assert!(offset <= start || durable <= start, "{seed}: the log starts at {offset}, not {start}");
        while let Some(slice) = log.read(offset, usize::MAX, true, i64::MAX).unwrap() {
            for batch in record::batches(&slice.read().unwrap()) {
                let batch = batch.unwrap();
                batch.verify_crc().unwrap();
                let base_offset = batch.header().base_offset;
                let at =
                    self.appended.binary_search_by_key(&base_offset, |it| it.0).expect("it was appended");
                assert_eq!(self.appended[at].1[61..], batch.bytes()[61..], "{seed}: at {base_offset}");
                offset = batch.header().next_offset();
            }
        }
        assert_eq!(offset, log.end_offset(), "{seed}: it is served to its end");
        self.appended.retain(|(base_offset, _)| *base_offset < offset);
        if in_a && in_b {
            let stale = a.rename_deleted(&name_of_log(), "2").unwrap();
            a.remove(&stale).unwrap();
        }
        self.moved = in_b;
        self.log = Some(log);
        (self, a, b)
    }
}

/// Runs a history up to a crash at `point`, and the rest of the move after it. Returns whether the crash came before
/// the end.
fn run(seed: u64, point: u64) -> bool {
    let (mut two, a, b) = Two::new(seed);
    for _ in 0..6 {
        two.produce().unwrap();
    }
    let name = format!("seed {seed}, point {point}");
    two.disk.cut_power_at(two.disk.points() + point);
    let crashed = two.relocate(&a, &b).is_err();
    assert_eq!(crashed, two.disk.is_down(), "{name}: nothing else fails");
    two.disk.cut_power();
    drop((a, b));
    let (mut two, a, b) = two.recover(&name);
    if two.moved {
        two.produce_in_place();
    } else {
        two.relocate(&a, &b).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(b.futures().is_empty(), "{name}: nothing is left");
    two.disk.cut_power();
    drop((a, b));
    let (two, ..) = two.recover(&name);
    assert!(two.moved, "{name}: it is in the second");
    crashed
}

impl Two {
    fn produce_in_place(&mut self) {
        self.produce().unwrap();
        self.log().flush().unwrap();
    }
}

/// `MILENA_MOVE_SEEDS=A..B` chooses other seeds.
#[test]
fn a_loss_of_power_at_any_step_of_a_move_loses_nothing() {
    let seeds = match std::env::var("MILENA_MOVE_SEEDS") {
        Ok(range) => {
            let (from, to) = range.split_once("..").expect("a range of seeds, as 0..100");
            (from.parse().expect("a number")..to.parse().expect("a number")).collect()
        }
        Err(_) => vec![0, 3],
    };
    for seed in seeds {
        let mut point = 1;
        while run(seed, point) {
            point += 1;
        }
        assert!(point > 50, "{point} steps");
    }
}
