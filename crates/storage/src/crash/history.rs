//! The operations on a log directory until it crashes, and its recovery.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;

use super::partition::Partition;
use super::{Points, check, damage};
use crate::fs::simulated::{CAPACITY_BYTES, Disk};
use crate::fs::{Fs, Operation};
use crate::testing::NOW_MS;
use crate::{LogConfig, LogDirectory, OpenDirectory, OpenDirectoryError, OpenError, OpenLog, RecoveryReport};

/// A log directory with its disk.
pub(super) struct History {
    pub(super) random: Rng,
    pub(super) disk: Arc<Disk>,
    pub(super) directory: Option<LogDirectory>,
    pub(super) partitions: Vec<Partition>,
    pub(super) now_ms: i64,
    pub(super) points: Points,
    /// The process dies and the disk stays up.
    is_killed: bool,
    /// Every log is compacted, and often.
    compacts: bool,
    generation: u8,
}

/// Why a log directory or a log in it did not open.
#[derive(Debug)]
pub(super) enum Failure {
    Directory(#[allow(dead_code, reason = "it is shown")] OpenDirectoryError),
    Log(#[allow(dead_code, reason = "it is shown")] OpenError),
}

pub(super) fn open_directory(disk: &Arc<Disk>) -> Result<LogDirectory, Failure> {
    let fs = Fs::simulated(disk.clone());
    let open = OpenDirectory { fs, path: PathBuf::from("/data"), open_files_max: 8 };
    LogDirectory::open(open).map_err(Failure::Directory)
}

pub(super) fn open_log(partition: &Partition, now_ms: i64) -> OpenLog {
    OpenLog {
        partition: partition.name.clone(),
        topic_id: Some(partition.topic_id),
        config: partition.config.clone().into(),
        now_ms,
        jitter_seed: 1,
        accept_damage: false,
    }
}

impl History {
    pub(super) fn new(seed: u64) -> History {
        let mut random = Rng::with_seed(seed);
        let disk = Disk::new(random.u64(..));
        let partitions = (0..random.i32(1..4)).map(|number| Partition::new(number, 1, &mut random)).collect();
        let mut history = History {
            random,
            disk,
            directory: None,
            partitions,
            now_ms: NOW_MS,
            points: Points::default(),
            is_killed: false,
            compacts: false,
            generation: 1,
        };
        history.open().expect("the log directory opens");
        for partition in &mut history.partitions {
            partition.remember(true);
        }
        history
    }

    /// One in which every log is compacted, and often.
    pub(super) fn compacting(seed: u64) -> History {
        let mut history = History::new(seed);
        history.compacts = true;
        for partition in &mut history.partitions {
            (partition.config.compact, partition.config.delete) = (true, false);
            let config = partition.config.clone();
            partition.log().set_config(config);
        }
        history
    }

    /// Opens the directory and all logs.
    pub(super) fn open(&mut self) -> Result<Vec<RecoveryReport>, Failure> {
        let directory = self.directory.insert(open_directory(&self.disk)?);
        for (_, path) in directory.leftovers().unwrap_or_default() {
            let _ = directory.remove(&path);
        }
        let missed: Vec<_> = directory.absent().into_iter().filter(|it| it.was_durable).collect();
        assert!(
            missed.iter().all(|it| it.end_offset == it.log_start_offset),
            "deleted or durable: {missed:?}"
        );
        let mut all = Vec::new();
        for n in 0..self.partitions.len() {
            let partition = &mut self.partitions[n];
            if partition.deleting {
                self.generation += 1;
                if directory.holds(&partition.name) {
                    // The checkpoints may have forgotten it: its files belong to no topic any more.
                    let id = format!("{:032x}", self.generation);
                    let forgotten = directory.forget(std::slice::from_ref(&partition.name));
                    let renamed = forgotten.and_then(|()| directory.rename_deleted(&partition.name, &id));
                    renamed.map_err(|error| Failure::Log(error.into()))?;
                }
                *partition = Partition::new(n as i32, self.generation, &mut self.random);
            }
            let opened = crate::Log::open(directory, open_log(partition, self.now_ms));
            let (log, recovered) = opened.map_err(Failure::Log)?;
            partition.log = Some(log);
            all.push(recovered);
        }
        Ok(all)
    }

    /// Works until the power fails or the process dies, which may be at any operation.
    pub(super) fn until_crash(&mut self) {
        self.is_killed = self.random.u8(..10) < 3;
        let points = if self.compacts { 300 } else { 60 };
        let point = self.disk.points() + self.random.u64(1..points);
        self.disk.cut_power_at(point);
        self.disk.set_short_transfers(self.random.u8(..) < 40);
        if self.random.u8(..) < 25 {
            let (operation, after) = [
                (Operation::Write, 10),
                (Operation::Sync, 4),
                (Operation::Read, 10),
                (Operation::SyncDir, 4),
                (Operation::Rename, 4),
                (Operation::Open, 10),
            ][self.random.usize(..6)];
            self.fail(operation, after);
        }
        for _ in 0..200 {
            let goes_on = self.step();
            let is_offline = self.directory.as_ref().is_none_or(|directory| directory.check().is_err());
            let is_healthy = goes_on && !is_offline && !self.disk.is_down();
            for partition in &mut self.partitions {
                partition.remember(is_healthy);
            }
            if !is_healthy {
                break;
            }
        }
        self.disk.cut_power();
    }

    /// Restores the power, or begins another process, and checks what is left.
    pub(super) fn recover(&mut self) {
        self.drop_all();
        self.points.crashes += 1;
        self.come_back();
        let before = (self.random.u8(..4) == 0).then(|| self.disk.copy(self.random.u64(..)));
        // The copy has files that opening deletes.
        let before = before.filter(|_| self.partitions.iter().all(|partition| !partition.deleting));
        let interrupted = self.points.in_recovery;
        self.open_after_crashes();
        // If another crash came first, it may rightly find less than is on the copy.
        let before = before.filter(|_| self.points.in_recovery == interrupted);
        let found: Vec<_> =
            self.partitions.iter_mut().map(|partition| check::recovered(partition, self.is_killed)).collect();
        for partition in &self.partitions {
            check::indexes(partition, &self.disk, &mut self.random);
        }
        if let Some(before) = before {
            self.points.damages += 1;
            let n = self.random.usize(..self.partitions.len());
            damage::is_told(&before, &self.partitions[n], &found[n], self.now_ms, &mut self.random);
        }
        for partition in &mut self.partitions {
            partition.found();
        }
    }

    /// Repeats an interrupted opening.
    fn open_after_crashes(&mut self) {
        for _ in 0..3 {
            match self.random.u8(..16) {
                0..3 => {
                    let point = self.disk.points() + self.random.u64(1..30);
                    self.disk.cut_power_at(point);
                }
                3 => {
                    let operations = [Operation::Write, Operation::Sync, Operation::Read, Operation::Open];
                    let operation = operations[self.random.usize(..4)];
                    self.fail(operation, 20);
                }
                4 => self.disk.set_capacity(self.disk.used_bytes() + self.random.u64(..3000)),
                _ => break,
            }
            if self.open().is_ok() && !self.disk.is_down() {
                break;
            }
            self.drop_all();
            self.points.in_recovery += 1;
            self.is_killed &= !self.disk.is_down() || self.random.bool();
            self.disk.cut_power();
            self.come_back();
        }
        self.disk.spare();
        self.disk.set_capacity(CAPACITY_BYTES);
        if self.directory.is_none() {
            self.open().expect("the log directory opens");
        }
    }

    /// Restarts the machine after a failed sync, too: the contents of files in memory differ from those on the disk,
    /// and no process can tell.
    fn fail(&mut self, operation: Operation, after: u32) {
        self.is_killed &= !matches!(operation, Operation::Sync | Operation::SyncDir);
        self.disk.fail(operation, self.random.u32(..after), ErrorKind::Other);
    }

    pub(super) fn drop_all(&mut self) {
        for partition in &mut self.partitions {
            partition.log = None;
        }
        self.directory = None;
    }

    fn come_back(&mut self) {
        if self.is_killed {
            self.disk.restart();
        } else {
            self.disk.reboot();
        }
        self.disk.set_short_transfers(false);
        self.disk.set_capacity(CAPACITY_BYTES);
    }

    /// Does one operation. Returns whether the directory is still in use.
    fn step(&mut self) -> bool {
        let History { random, partitions, now_ms, .. } = self;
        *now_ms += random.i64(0..200);
        let now_ms = *now_ms;
        self.disk.set_now_ms(now_ms);
        let n = random.usize(..partitions.len());
        let partition = &mut partitions[n];
        if self.compacts && random.u8(..8) == 0 {
            let end_offset = partition.log().end_offset();
            partition.log().set_high_watermark(end_offset);
            partition.clean(random, now_ms);
            return true;
        }
        match random.u8(..100) {
            0..22 => partition.append_plain(random, now_ms),
            22..40 => partition.append_of_producer(random, now_ms),
            40..48 => partition.append_with_offsets(random, now_ms),
            48..55 => {
                let _ = partition.log().flush();
            }
            55..63 => self.flush_together(),
            63..71 => {
                let log = partition.log();
                let high_watermark =
                    random.i64(log.high_watermark().min(log.end_offset())..=log.end_offset());
                log.set_high_watermark(high_watermark);
            }
            // Records deleted by offset are missing from a replay, and compaction has relied on them.
            71..82 | 92 if self.compacts => {}
            71..75 => self.retain(n),
            75..79 => self.delete_records(n),
            79..82 => partition.truncate(random, now_ms),
            82..86 => self.checkpoint(),
            86..90 => partition.clean(random, now_ms),
            90..92 => partition.elect(random),
            92 => partition.empty(random, now_ms),
            93 => return self.stop_and_open(),
            94 => return self.delete(n),
            95 => self.disk.set_capacity(self.disk.used_bytes() + random.u64(..4000)),
            96..98 => self.disk.set_capacity(CAPACITY_BYTES),
            _ if !self.disk.will_fail() => {
                let cut = self.disk.take_cut();
                check::as_written(partition);
                self.cut_again(cut);
            }
            _ => {}
        }
        true
    }

    /// Several logs wait for one round.
    fn flush_together(&mut self) {
        for partition in &mut self.partitions {
            if self.random.bool() {
                partition.log().enqueue_flush();
            }
        }
        self.directory.as_ref().expect("it is open").flusher().run_round();
    }

    fn retain(&mut self, n: usize) {
        let retention_bytes = self.random.i64(2000..10_000);
        let partition = &mut self.partitions[n];
        let config = LogConfig { retention_bytes, ..partition.config.clone() };
        let log = partition.log();
        log.set_config(config);
        let _ = log.apply_retention(self.now_ms);
        for deleted in log.take_due_deletions(i64::MAX) {
            let _ = deleted.remove();
        }
    }

    fn delete_records(&mut self, n: usize) {
        self.partitions[n].delete_records(&mut self.random, self.now_ms);
    }

    fn checkpoint(&mut self) {
        let directory = self.directory.as_ref().expect("it is open");
        let written =
            directory.checkpoint_log_offsets().and_then(|()| directory.checkpoint_high_watermarks());
        if written.is_ok() {
            for partition in &mut self.partitions {
                partition.checkpointed_start = partition.log().log_start_offset();
            }
        }
    }

    /// A clean shutdown, after which nothing is scanned and everything is as before.
    fn stop_and_open(&mut self) -> bool {
        let mut closed = true;
        for partition in &mut self.partitions {
            closed &= partition.log.take().expect("it is open").close().is_ok();
        }
        let directory = self.directory.take().expect("it is open");
        if !closed || !matches!(directory.close(1), Ok(true)) {
            return false;
        }
        for partition in &mut self.partitions {
            partition.checkpointed_start = partition.start;
            partition.durable = partition.written.expect("it was closed");
        }
        self.disk.set_capacity(CAPACITY_BYTES);
        let will_fail = self.disk.will_fail();
        let recovered = match self.open() {
            Ok(recovered) if self.directory.as_ref().is_some_and(|directory| directory.check().is_ok()) => {
                recovered
            }
            Err(failure) if !self.disk.is_down() && will_fail == self.disk.will_fail() => {
                panic!("a log directory that was closed opens: {failure:?}")
            }
            _ => {
                self.drop_all();
                return false;
            }
        };
        assert!(recovered.iter().all(|recovered| recovered.clean), "{recovered:?}");
        if self.disk.will_fail() {
            return false;
        }
        let cut = self.disk.take_cut();
        for partition in &mut self.partitions {
            check::recovered(partition, true);
            partition.found();
        }
        self.cut_again(cut);
        true
    }

    /// Checking a log may sync files, in order to open others, so a loss of power is postponed.
    fn cut_again(&self, cut: Option<u64>) {
        if let Some(cut) = cut {
            self.disk.cut_power_at(cut.max(self.disk.points() + 1));
        }
    }

    /// Deletes a partition, and creates another of the same name.
    fn delete(&mut self, n: usize) -> bool {
        let History { random, partitions, directory, .. } = self;
        let (partition, directory) = (&mut partitions[n], directory.as_ref().expect("it is open"));
        partition.log = None;
        self.generation += 1;
        let forgotten = directory.forget(std::slice::from_ref(&partition.name));
        let renamed = forgotten
            .and_then(|()| directory.rename_deleted(&partition.name, &format!("{:032x}", self.generation)));
        let Ok(path) = renamed else {
            partition.deleting = true;
            return false;
        };
        if random.bool() {
            let _ = directory.remove(&path);
        }
        *partition = Partition::new(n as i32, self.generation, random);
        let Ok((log, _)) = crate::Log::open(directory, open_log(partition, self.now_ms)) else {
            return false;
        };
        partition.log = Some(log);
        true
    }
}
